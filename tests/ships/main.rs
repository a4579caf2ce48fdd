//! What ships with the binary, proved by the tools it is written for: alerts, dashboards, runbooks and
//! deployment files.
//!
//! A tool that is missing is a failure, never a skip: `make setup` installs them. What no tool here can
//! prove stands in the files themselves (the images running together, a real Grafana, a real cluster).

#![expect(clippy::unwrap_used, reason = "a helper of a test fails by panicking")]

mod alerts;
mod catalogue;
mod dashboards;
mod deploy;
mod files;
mod kubernetes;
mod metrics;
mod queries;
mod tools;
