//! The shell: everything that waits. Sockets, signals and the only clock.
//!
//! Decides nothing that a pure module can decide; owns no state that outlives its task.

pub mod admin;
pub mod clock;
pub mod signal;
pub mod supervisor;
