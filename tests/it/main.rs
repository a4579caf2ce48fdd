//! Holter on real input: replicas on the official TypeScript SDK, real nginx and HAProxy, a real Prometheus.
//!
//! `harness` shows that the scenery is right, without Holter; `scenarios` put Holter into it; `startup`
//! has what keeps it from starting. Each test starts its own servers on loopback and ends them, so all of
//! them run side by side. A tool that is missing fails the test and names the remedy; nothing is skipped.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on says so by a panic"
)]

mod dashboard;
mod demo;
mod guest;
mod harness;
mod host;
mod inputs;
mod matrix;
mod pieces;
mod reload;
mod scenarios;
mod startup;
mod status;
mod storage;
mod stored;
mod support;
mod syslog;
mod unreadable;
