//! One file a command, and what commands share at their start.

pub mod check;
pub mod healthcheck;
pub mod load;
