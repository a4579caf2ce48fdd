//! What the status page and `/api/v1/status` show: plain values, made anew for every request.
//!
//! Owns the shape of that picture and its rendering. Deliberately knows no socket, no clock (`at` is
//! the time of the picture) and no metric: the shell fills these structs from what it holds.
//! The JSON is for people and scripts on call; `/metrics` is the contract for monitoring.

pub mod headline;
mod html;
pub mod journal;
mod json;
pub mod page;
pub mod place;
mod sections;
mod settings;
pub mod view;
mod words;

use std::time::SystemTime;

use serde::Serialize;

use crate::canary::Leg;
use crate::canary::fingerprint::CutOff;
use crate::reason::Reason;
use crate::verdict::settings::Setting;
use journal::Disconnect;
use place::Place;

/// Everything shown, at one moment.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
    /// Version of this program.
    pub version: String,
    /// When this process started; every count below is since then.
    #[serde(serialize_with = "json::time")]
    pub started_at: SystemTime,
    /// When this picture was made; every age below is relative to it.
    #[serde(serialize_with = "json::time")]
    pub at: SystemTime,
    /// One row per canary and leg, in the order of the configuration.
    pub legs: Vec<LegRow>,
    /// One row per log source, in the order of the configuration.
    pub sources: Vec<SourceRow>,
    /// The newest ends of streams, oldest first, at most [`journal::CAP`].
    pub disconnects: Vec<Disconnect>,
}

/// One leg of one canary.
#[derive(Clone, Debug, Serialize)]
pub struct LegRow {
    /// The canary's name in the configuration.
    pub canary: String,
    /// Which way it goes.
    #[serde(serialize_with = "json::label")]
    pub leg: Leg,
    /// Where it goes: host, port and path, nothing secret.
    pub url: Place,
    /// What it speaks, once negotiated; else what the configuration says.
    pub transport: String,
    /// Every stream of this leg is held, or rightly not: the server offers none, or paused it.
    pub up: bool,
    /// Streams held now.
    pub streams_held: u64,
    /// Streams that the configuration asks for.
    pub streams_wanted: u64,
    /// Those of them that the server does not offer, though it is well.
    pub streams_not_offered: u64,
    /// Those of them that the server paused, to be asked for again soon.
    pub streams_paused: u64,
    /// Attempts to open a stream.
    pub connects: u64,
    /// Attempts that gave no stream, by reason; reasons never seen are left out.
    #[serde(serialize_with = "json::by_label")]
    pub connects_failed: Vec<(Reason, u64)>,
    /// Streams that ended, by reason; reasons never seen are left out.
    #[serde(serialize_with = "json::by_label")]
    pub disconnects: Vec<(Reason, u64)>,
    /// Signs of life, by kind.
    pub heartbeats: Heartbeats,
    /// How long ago the newest byte came, in seconds; absent before the first.
    pub last_byte_age_seconds: Option<f64>,
    /// The longest silence on a stream since `started_at`, in seconds; absent before the second byte.
    pub longest_gap_seconds: Option<f64>,
    /// The heartbeat's interval, learned or configured, in seconds; absent where the server never beat.
    pub expected_heartbeat_seconds: Option<f64>,
    /// The silence from which a heartbeat is late (interval times tolerance), in seconds.
    pub late_after_seconds: Option<f64>,
    /// Silences that were longer than that.
    pub late_heartbeats: u64,
    /// Whether requests carry a session, so that affinity applies; absent before anything was negotiated.
    pub affinity_applies: Option<bool>,
    /// Requests that carried a session.
    pub affinity_requests: u64,
    /// Those of them that reached a replica without that session.
    pub affinity_misses: u64,
    /// Misses since `started_at` whose requests carried the cookies that the proxy had set, or none were set.
    pub misses_with_cookies: u64,
    /// Misses since `started_at` whose requests left those cookies out.
    pub misses_without_cookies: u64,
    /// Sessions that the server forgot.
    pub sessions_lost: u64,
    /// The cut-off that repeated ends make likely; absent when none.
    pub suspected_timeout: Option<SuspectedTimeout>,
}

/// A cut-off that repeated ends make likely.
#[derive(Clone, Debug, Serialize)]
pub struct SuspectedTimeout {
    /// What is counted: silence or age.
    #[serde(serialize_with = "json::label")]
    pub kind: CutOff,
    /// After how many seconds the stream is cut.
    pub seconds: f64,
    /// Settings with that default which may stand on the way of this leg: candidates, not a verdict.
    pub candidates: Vec<Setting>,
}

/// Signs of life on one leg, by kind.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Heartbeats {
    /// SSE comment lines, such as `: keep-alive`.
    pub comment: u64,
    /// SSE events without a message for us.
    pub event: u64,
    /// Pings of the protocol.
    pub ping: u64,
    /// Messages.
    pub data: u64,
}

/// One log source.
#[derive(Clone, Debug, Serialize)]
pub struct SourceRow {
    /// The source's name in the configuration.
    pub source: String,
    /// Lines read.
    pub lines: u64,
    /// Lines not understood.
    pub unparsed: u64,
    /// Streams that ended, by reason; reasons never seen are left out.
    #[serde(serialize_with = "json::by_label")]
    pub streams_closed: Vec<(Reason, u64)>,
    /// Requests that carried a session.
    pub session_requests: u64,
    /// Those of them that reached a replica without that session.
    pub affinity_misses: u64,
    /// How long ago the newest line was read, in seconds; absent before the first.
    pub last_line_age_seconds: Option<f64>,
    /// Bytes written to the log and not read yet.
    pub lag_bytes: u64,
    /// What this log's format cannot tell, in words.
    pub notes: Vec<String>,
}

impl LegRow {
    /// Whether requests miss their session only where they carry none of the proxy's cookies: what most MCP clients
    /// do, as they keep none.
    pub fn misses_only_without_cookies(&self) -> bool {
        self.misses_without_cookies > 0 && self.misses_with_cookies == 0
    }

    /// Whether a stream is held and has been silent for longer than its heartbeat allows. A leg whose
    /// heartbeat is not known is never called silent.
    pub fn is_silent(&self) -> bool {
        match (self.last_byte_age_seconds, self.late_after_seconds) {
            (Some(age), Some(late)) => self.streams_held > 0 && age > late,
            _ => false,
        }
    }
}
