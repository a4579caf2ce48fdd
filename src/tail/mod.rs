//! What a tailed file's bytes and states mean: lines, rotations, losses.
//!
//! Pure: [`lines`] turns bytes into lines, [`follow`] judges what was remembered against what is observed,
//! [`mod@print`] recognises content, [`checkpoint`] is what outlives a process.
//! Does not open, read or list anything: `tasks::tail` does.

pub mod checkpoint;
pub mod follow;
pub mod lines;
pub mod print;

pub use checkpoint::Checkpoint;

use crate::label::label;

label! {
    /// How a file was rotated away.
    pub enum RotationKind {
        /// The path leads to another file or to none, and the old file still exists under another name.
        Rename => "rename",
        /// The file became shorter than what was read of it.
        Truncate => "truncate",
        /// The old file was deleted, with or without a new one in its place.
        Replaced => "replaced",
    }
}

label! {
    /// Why bytes of a log gave no line.
    pub enum LossCause {
        /// The line is longer than [`lines::LINE_MAX`].
        LineTooLong => "line_too_long",
        /// A run of NULs at the start of a line: a hole that truncation leaves under a writer that does not append.
        NulRun => "nul_run",
        /// A line was cut by a truncation: its rest is not to be found, or stands in another file.
        TornLine => "torn_line",
        /// The file was truncated before these were read, and no copy of them was found.
        Truncated => "truncated",
        /// The file was deleted before these were read, and no compressed copy of them was found.
        Deleted => "deleted",
        /// Too many rotated files were unread; the oldest was let go.
        RotatedLimit => "rotated_limit",
        /// Too many files match; the rest is not read.
        FileLimit => "file_limit",
    }
}
