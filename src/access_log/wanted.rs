//! How much of a line is read: most are ordinary requests that nobody asks more about.
//!
//! It does not know which those are.

/// What is read of a line beyond what was asked for, its sessions and its status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// Everything.
    All,
    /// When it ended.
    Time,
    /// Nothing.
    Nothing,
}
