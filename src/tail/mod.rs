//! What a tailed file's bytes and states mean: lines, rotations, losses.
//!
//! Pure: [`lines`] turns bytes into lines, [`follow`] judges what was remembered against what is observed,
//! [`still`] whether that has to be read at all, [`mod@print`] recognises content, [`checkpoint`] is what outlives a
//! process.
//! Does not open, read or list anything: `tasks::tail` does.

pub mod checkpoint;
pub mod follow;
pub mod lines;
pub mod print;
pub mod still;

pub use checkpoint::Checkpoint;

use std::io::{self, ErrorKind};

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
        /// A compressed file that is not read, of which nothing shows that its lines were; its size on disk.
        Compressed => "compressed",
        /// Too many rotated files were unread; the oldest was let go.
        RotatedLimit => "rotated_limit",
        /// Too many files match; the rest is not read.
        FileLimit => "file_limit",
    }
}

label! {
    /// Why a log file or its folder cannot be opened or read.
    pub enum FileError {
        /// This process may not.
        PermissionDenied => "permission_denied",
        /// It is none, but a folder, a device or a pipe.
        NoFile => "no_file",
        /// The process, or the system, has too many files open.
        TooManyOpen => "too_many_open",
        /// The server of a network file system knows it no more.
        Stale => "stale",
        /// Anything else, of the device most often.
        Other => "other",
    }
}

/// `EMFILE` and `ENFILE` of errno(3), which have no kind of their own.
const TOO_MANY_OPEN: [i32; 2] = [24, 23];

impl FileError {
    /// Which of them it is.
    pub fn of(error: &io::Error) -> Self {
        match error.kind() {
            ErrorKind::PermissionDenied => Self::PermissionDenied,
            ErrorKind::IsADirectory | ErrorKind::Unsupported => Self::NoFile,
            ErrorKind::StaleNetworkFileHandle => Self::Stale,
            _ if error
                .raw_os_error()
                .is_some_and(|errno| TOO_MANY_OPEN.contains(&errno)) =>
            {
                Self::TooManyOpen
            }
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_by_their_number() {
        let check = |errno, expected| {
            assert_eq!(
                FileError::of(&io::Error::from_raw_os_error(errno)),
                expected
            )
        };
        check(13, FileError::PermissionDenied);
        check(1, FileError::PermissionDenied);
        check(21, FileError::NoFile);
        check(24, FileError::TooManyOpen);
        check(23, FileError::TooManyOpen);
        check(116, FileError::Stale);
        check(5, FileError::Other);
    }
}
