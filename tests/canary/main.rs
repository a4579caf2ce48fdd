//! A canary's life as transcripts: what happens, then what it does and tells. No clock, no sockets but in
//! `wire`, where scripted servers speak the eras.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on says so by a panic"
)]

mod cutoffs;
mod ends;
mod eras;
mod guest;
mod listen;
mod patience;
mod pause;
mod play;
mod replies;
mod resting;
mod sessions;
mod sse;
mod stream;
mod survival;
mod websocket;
mod wire;
