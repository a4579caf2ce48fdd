//! The shell: sockets, files, the clock, signals.

pub mod tail;
pub mod wake;
