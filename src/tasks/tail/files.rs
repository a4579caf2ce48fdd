//! What the file system says about the files of a source: which match, what a path leads to.
//!
//! Looks once and answers; remembers nothing. What an answer means is judged in [`crate::tail::follow`].

use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use memchr::memrchr;

use super::found::Found;
use crate::tail::follow::{self, Identity, Observed};
use crate::tail::lines::LINE_MAX;

/// Most files that one listing takes.
pub(super) const LISTED_MAX: usize = 4096;

/// Adds the files that match a pattern, but compressed ones, whose bytes are no lines.
pub(super) fn list(
    pattern: &str,
    paths: &mut Vec<(PathBuf, bool)>,
    on: &mut impl FnMut(Found<'_>),
) {
    // A bad pattern was refused with the configuration; here it matches nothing.
    let Ok(found) = glob::glob(pattern) else {
        return;
    };
    for entry in found.take(LISTED_MAX + 1) {
        match entry {
            Ok(path) if follow::is_compressed(path.as_os_str().as_bytes()) => {}
            Ok(path) => paths.push((path, true)),
            Err(error) => on(Found::OpenFailed(error.error().kind())),
        }
    }
}

/// Looks at what a path leads to. Only regular files are opened: to open a pipe is to wait for its writer.
pub(super) fn look(
    path: &Path,
    is_listed: bool,
    on: &mut impl FnMut(Found<'_>),
) -> Option<Observed> {
    match fs::metadata(path) {
        Ok(meta) if meta.is_file() => return Some(observe(&meta)),
        // A folder that happens to match a pattern is no log; one that was named is a mistake.
        Ok(meta) if meta.is_dir() && is_listed => {}
        Ok(meta) if meta.is_dir() => on(Found::OpenFailed(ErrorKind::IsADirectory)),
        Ok(_) => on(Found::OpenFailed(ErrorKind::Unsupported)),
        Err(error) if is_absent(&error) => {}
        Err(error) => on(Found::OpenFailed(error.kind())),
    }
    None
}

pub(super) fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

/// The place after the last newline: a line that is being written ends later and counts whole.
pub(super) fn last_line_start(file: &File, size: u64) -> io::Result<u64> {
    let length = size.min(LINE_MAX as u64 + 1);
    let mut tail = vec![0; usize::try_from(length).unwrap_or(0)];
    let from = size - length;
    file.read_exact_at(&mut tail, from)?;
    Ok(memrchr(b'\n', &tail).map_or(from, |i| from + i as u64 + 1))
}

pub(super) fn observe(meta: &Metadata) -> Observed {
    Observed {
        id: Identity {
            dev: meta.dev(),
            ino: meta.ino(),
            born: meta
                .created()
                .ok()
                .and_then(|at| at.duration_since(UNIX_EPOCH).ok()),
        },
        size: meta.len(),
    }
}
