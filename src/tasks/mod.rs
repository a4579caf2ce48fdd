//! The shell: sockets, files, the clock, signals.

mod files;
pub mod tail;
pub mod wake;
