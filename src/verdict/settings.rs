//! Settings that are known to cut streams, with their defaults: candidates, never a verdict.
//!
//! Three look-ups; the table itself stands in `settings/table.rs`. In a proxy's log, its own reasons
//! (`idle_timeout`, …) can only come from its own settings; an end that the proxy saw as the client's or the
//! server's can come from whatever stands on that side. A canary is a client: what it sees can come from
//! anything between it and the server, but not from another client. The table does not know streams.

use std::time::Duration;

use serde::Serialize;

use crate::canary::Leg;
use crate::canary::fingerprint::CutOff;
use crate::label::label;
use crate::reason::Reason;

mod table;

use table::SETTINGS;

/// A setting that can cut a stream.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Setting {
    /// Whose.
    pub product: &'static str,
    /// Its name, as the manual writes it.
    pub setting: &'static str,
    /// Its default.
    pub default_seconds: f64,
    /// What it counts.
    #[serde(serialize_with = "as_str")]
    pub counts: Counts,
    /// Where that is documented.
    pub source: &'static str,
    /// On which side of the proxy that logged.
    #[serde(skip)]
    place: Place,
}

label! {
    /// What a setting counts.
    pub enum Counts {
        /// Silence.
        Idle => "idle",
        /// Age.
        Total => "total",
        /// The time to connect.
        Connect => "connect",
    }
}

/// Where a setting works, seen from the proxy whose log is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In the proxy itself: product, and the reason that its log gives.
    Own(Reason),
    /// In the client, or in what stands before the proxy: it looks like a client that leaves.
    Before,
    /// In the server, or in what stands behind: it looks like a server that ends or breaks.
    Behind,
}

/// Products that are clients themselves: they cut their own streams, never a canary's.
const CLIENTS: [&str; 5] = [
    "undici (Node fetch)",
    "MCP SDK for Python",
    "MCP SDK for TypeScript",
    "aiohttp",
    "httpx",
];

/// The cut-offs that users report. Each is looked for as silence and as age: limits are set to match each
/// other, so that one product's idle time is another's whole answer.
const REPORTED: [u64; 9] = [30, 55, 60, 100, 120, 230, 240, 300, 350];

impl std::fmt::Display for Setting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} {} ({} s)",
            self.product, self.setting, self.default_seconds
        )
    }
}

impl Setting {
    /// Whether this age is the default, within half a second or one part in a hundred: logged lives
    /// are up to 0.12 s off the true ones (measured on nginx, Envoy and Caddy).
    pub fn is_default(&self, seconds: f64) -> bool {
        (seconds - self.default_seconds).abs() <= (self.default_seconds / 100.0).max(0.5)
    }

    /// Whether it can stand on the way of this leg.
    fn can_cut_canaries(&self, leg: Leg) -> bool {
        match self.place {
            // A canary reads what it is sent, so that limit cannot cut it.
            Place::Own(Reason::SendTimeout) => false,
            Place::Own(_) => leg == Leg::Proxy,
            Place::Before => leg == Leg::Proxy && !CLIENTS.contains(&self.product),
            Place::Behind => true,
        }
    }

    fn can_cause(&self, product: &str, reason: Reason) -> bool {
        match self.place {
            Place::Own(cause) => self.product == product && cause == reason,
            Place::Before => matches!(
                reason,
                Reason::ClientClose | Reason::ClientReset | Reason::Unknown
            ),
            Place::Behind => matches!(
                reason,
                Reason::ServerClose | Reason::ServerCut | Reason::ServerReset | Reason::Unknown
            ),
        }
    }
}

impl From<CutOff> for Counts {
    fn from(kind: CutOff) -> Self {
        match kind {
            CutOff::Idle => Self::Idle,
            CutOff::Total => Self::Total,
        }
    }
}

/// The settings that may stand behind ends of this reason, in this product's log, at this age: those
/// with such a default; for a reason of the proxy's own also its setting with another value.
pub fn candidates(product: &str, reason: Reason, seconds: f64) -> Vec<Setting> {
    let mut found: Vec<Setting> = Vec::new();
    for setting in &SETTINGS {
        let is_own = matches!(setting.place, Place::Own(_));
        let fits = setting.can_cause(product, reason) && (is_own || setting.is_default(seconds));
        let known =
            |other: &Setting| (other.product, other.setting) == (setting.product, setting.setting);
        if fits && !found.iter().any(known) {
            found.push(*setting);
        }
    }
    found
}

/// The values that are known to cut a canary's streams by silence or by age: the defaults that count it, and
/// what users report.
pub fn cut_offs(kind: CutOff) -> impl Iterator<Item = Duration> {
    let counts = Counts::from(kind);
    let defaults = SETTINGS
        .iter()
        .filter(move |setting| setting.counts == counts && setting.can_cut_canaries(Leg::Proxy))
        .map(|setting| Duration::from_secs_f64(setting.default_seconds));
    REPORTED
        .map(Duration::from_secs)
        .into_iter()
        .chain(defaults)
}

/// The settings that may stand behind a cut-off that a canary saw: whatever counts the same and has this
/// default, as long as it can stand on the way of this leg.
pub fn behind_cut_off(leg: Leg, kind: CutOff, seconds: f64) -> Vec<Setting> {
    let counts = Counts::from(kind);
    let mut found: Vec<Setting> = Vec::new();
    for setting in &SETTINGS {
        let known =
            |other: &Setting| (other.product, other.setting) == (setting.product, setting.setting);
        let fits = setting.counts == counts
            && setting.is_default(seconds)
            && setting.can_cut_canaries(leg);
        if fits && !found.iter().any(known) {
            found.push(*setting);
        }
    }
    found
}

fn as_str<S: serde::Serializer>(counts: &Counts, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(crate::label::Label::as_str(*counts))
}

#[cfg(test)]
mod tests;
