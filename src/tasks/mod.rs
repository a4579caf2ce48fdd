//! The shell: everything that waits. Sockets, files, signals and the only clock.
//!
//! Decides nothing that a pure module can decide; owns no state that outlives its task.

pub mod admin;
pub mod app;
pub mod canary;
pub mod cause;
pub mod clock;
pub mod dial;
pub mod http;
mod last_words;
pub mod log;
pub mod pair;
pub mod reading;
pub mod record;
pub mod reload;
mod running;
pub mod signal;
pub mod snapshots;
mod source;
pub mod stdin;
pub mod storage;
pub mod stream;
pub mod supervisor;
pub mod syslog;
pub mod tail;
mod unwrap;
pub mod wake;
mod websocket;
