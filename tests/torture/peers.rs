//! The same writer and rotators before `tail -F` and mtail, printed side by side.

/// Prints the table.
pub(crate) fn print() {}
