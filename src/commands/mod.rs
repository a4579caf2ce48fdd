//! One file a command, and what commands share at their start.

pub mod check;
pub mod demo;
pub mod healthcheck;
pub mod load;
pub mod replay;
pub mod run;
