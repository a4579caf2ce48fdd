//! Holter records the heartbeat of long-lived MCP streams, and says who cut them and why.
//!
//! # Codemap
//!
//! Pure nouns (no await, no clock, no files; time is an argument):
//!
//! | module | owns |
//! |---|---|
//! | [`label`], [`reason`] | closed label sets; why a stream ended, its class and side |
//! | [`sse`] | the wire tap: bytes to frames, heartbeats included |
//! | [`canary`] | one held stream's life, what to say to the server, why it ended |
//! | [`access_log`] | one log line to a record; access line and error line joined |
//! | [`affinity`] | session to upstream: kept or moved |
//! | [`tail`] | bytes to lines; rotated, truncated, copied or gone |
//! | [`config`] | text to a checked configuration, or every problem in it |
//! | [`metrics`] | every name, help, label and bucket |
//! | [`replay`] | logs read to their end: an answer a line, or one report |
//! | [`snapshot`] | what survives a crash: every count, and how far the logs were read for it |
//! | [`verdict`] | settings known to cut streams: what to look at |
//! | [`status`] | what the page and `/api/v1/status` show |
//! | [`syslog`] | syslog on the wire: addresses, framing, drops |
//!
//! Shell: [`tasks`] (sockets, files, the clock, signals), [`commands`] (one file a command), [`lab`]
//! (the laboratory that `holter demo` runs).
//!
//! # Invariants, stated as absences
//!
//! - `tokio`, `reqwest`, `axum`, `std::fs` and `::now()` appear under `tasks`, `commands` and `lab` only.
//! - `prometheus` appears under `metrics` only.
//! - Pure code does not fail on bad input: a bad line is a counted value, a broken stream is a [`reason::Reason`].
//! - No label value comes from traffic, but for the capped set of upstream addresses a proxy writes.
//! - No session id is stored, logged or exported: ids are hashed with a random key on entry.

pub mod access_log;
pub mod affinity;
pub mod backoff;
pub mod canary;
pub mod cli;
pub mod commands;
pub mod config;
pub mod lab;
pub mod label;
pub mod metrics;
pub mod reason;
pub mod replay;
pub mod snapshot;
pub mod sse;
pub mod status;
pub mod syslog;
pub mod tail;
pub mod tasks;
pub mod verdict;
