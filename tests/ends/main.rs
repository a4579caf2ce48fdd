//! Every way a stream can end on a real socket, and the reason that a canary gives for it.
//!
//! Each file is a table: what the server does, and what the canary makes of it on the direct leg, where nothing
//! but the wire is evidence. All of it is real: sockets, TLS, HTTP/2 frames, the canary's task.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on says so by a panic"
)]

mod ask;
mod early;
mod h1;
mod h2;
mod hold;
mod phases;
mod reach;
mod server;
mod silence;
mod talk;
mod tls;
mod websocket;

use holter::reason::Reason;

/// What became of the stream that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    /// Never held: `holter_canary_connects_failed_total`.
    Failed(Reason),
    /// Held, and ended: `holter_canary_disconnects_total`.
    Ended(Reason),
}
