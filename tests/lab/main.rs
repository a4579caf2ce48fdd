//! The laboratory seen from outside: raw sockets for what is on the wire, the log files for what the
//! proxy says about it.
//!
//! Clients are blocking sockets on the test's own thread, the laboratory runs on a runtime beside it.

#![expect(clippy::expect_used, reason = "helpers of tests fail as tests do")]

mod ends;
mod replica;
mod routing;
mod stage;
mod whole;
mod wire;
