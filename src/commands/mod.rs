//! Commands: thin, one file each.

pub mod healthcheck;
