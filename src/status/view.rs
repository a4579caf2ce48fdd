//! From counters to rows: what the page shows is what `/metrics` says.

use std::time::SystemTime;

use url::Url;

use super::place::Place;
use super::{Heartbeats, LegRow, SourceRow, SuspectedTimeout};
use crate::canary::Kind;
use crate::canary::fingerprint::Suspicion;
use crate::config::{Canary, LogSource};
use crate::metrics::{LegMetrics, SourceMetrics};
use crate::verdict::settings;

/// The row of one leg, at this time.
pub fn leg(metrics: &LegMetrics, canary: &Canary, url: &Url, at: SystemTime) -> LegRow {
    let observed = metrics.observed();
    let (connects, _) = metrics.connects();
    let (affinity_requests, affinity_misses) = metrics.affinity();
    let expected = observed.interval.map(|interval| interval.as_secs_f64());
    LegRow {
        canary: metrics.canary().to_owned(),
        leg: metrics.leg(),
        url: Place::of(url.as_str()),
        transport: match observed.negotiated {
            Some((transport, version)) => format!("{transport} {version}"),
            None => canary.transport.to_string(),
        },
        up: metrics.is_up(),
        streams_held: metrics.held() as u64,
        streams_wanted: metrics.wanted() as u64,
        streams_not_offered: metrics.not_offered() as u64,
        streams_paused: metrics.paused() as u64,
        connects,
        connects_failed: metrics.failures(),
        disconnects: metrics.disconnects(),
        heartbeats: heartbeats(&metrics.heartbeats()),
        last_byte_age_seconds: observed
            .last_byte
            .and_then(|byte| Some(at.duration_since(byte).ok()?.as_secs_f64())),
        longest_gap_seconds: observed.longest_gap.map(|gap| gap.as_secs_f64()),
        expected_heartbeat_seconds: expected,
        late_after_seconds: expected.map(|interval| interval * canary.heartbeat.tolerance),
        late_heartbeats: metrics.late(),
        affinity_applies: observed.session,
        affinity_requests,
        affinity_misses,
        misses_with_cookies: observed
            .misses
            .saturating_sub(observed.misses_without_cookies),
        misses_without_cookies: observed.misses_without_cookies,
        sessions_lost: metrics.sessions_lost(),
        suspected_timeout: observed.suspicion.map(|found| suspected(metrics, found)),
    }
}

fn suspected(metrics: &LegMetrics, Suspicion { kind, after }: Suspicion) -> SuspectedTimeout {
    let seconds = after.as_secs_f64();
    SuspectedTimeout {
        kind,
        seconds,
        candidates: settings::behind_cut_off(metrics.leg(), kind, seconds),
    }
}

fn heartbeats(counts: &[(Kind, u64)]) -> Heartbeats {
    let of = |kind| {
        counts
            .iter()
            .find(|(known, _)| *known == kind)
            .map_or(0, |(_, count)| *count)
    };
    Heartbeats {
        comment: of(Kind::Comment),
        event: of(Kind::Event),
        ping: of(Kind::Ping),
        data: of(Kind::Data),
    }
}

/// The row of one log source, at this time.
pub fn source(metrics: &SourceMetrics, source: &LogSource, at: SystemTime) -> SourceRow {
    let (lines, unparsed) = metrics.lines();
    let (session_requests, affinity_misses) = metrics.affinity();
    let now = at
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0.0, |since| since.as_secs_f64());
    SourceRow {
        source: metrics.name().to_owned(),
        lines,
        unparsed,
        streams_closed: metrics.closed(),
        session_requests,
        affinity_misses,
        last_line_age_seconds: metrics.last_line().map(|line| (now - line).max(0.0)),
        lag_bytes: metrics.lag_bytes(),
        notes: source.limits(),
    }
}
