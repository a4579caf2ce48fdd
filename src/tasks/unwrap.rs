//! One unwrapper for each file of a log source: pieces of a line must not meet those of another file.
//!
//! Goes by the path, because a container runtime rotates a file in the middle of a line and goes on under
//! the same path. Decides nothing: `access_log::wrapping` does.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use crate::access_log::wrapping::{Unwrapped, Unwrapper, Wrapping};

/// Most files that are remembered: more than are held open at once. Beyond, those between two lines are
/// forgotten, and their wrapping is found out anew.
const FILES_MAX: usize = 512;

/// The unwrappers of one log source.
#[derive(Debug)]
pub(super) struct Unwrappers {
    wrapping: Option<Wrapping>,
    path: PathBuf,
    current: Unwrapper,
    others: HashMap<PathBuf, Unwrapper>,
}

impl Unwrappers {
    /// For files of this wrapping; `None`: found out for each.
    pub(super) fn new(wrapping: Option<Wrapping>) -> Self {
        Self {
            wrapping,
            path: PathBuf::new(),
            current: Unwrapper::new(wrapping),
            others: HashMap::new(),
        }
    }

    /// What follows is of the file at this path.
    pub(super) fn file(&mut self, path: &Path) {
        if path.as_os_str() == self.path.as_os_str() {
            return;
        }
        let next = self.others.remove(path);
        let next = next.unwrap_or_else(|| Unwrapper::new(self.wrapping));
        let last = std::mem::replace(&mut self.current, next);
        let last_path = std::mem::replace(&mut self.path, path.to_owned());
        if self.others.len() >= FILES_MAX {
            self.others.retain(|_, other| other.is_inside_a_line());
        }
        if self.others.len() < FILES_MAX {
            self.others.insert(last_path, last);
        }
    }

    /// Takes a line of that file.
    pub(super) fn line<'a>(&mut self, raw: &'a [u8]) -> Unwrapped<'a> {
        self.current.line(raw)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: &str = "2026-11-20T09:59:41Z stdout";

    fn line(files: &mut Unwrappers, path: &str, rest: &str) -> Option<String> {
        files.file(Path::new(path));
        match files.line(format!("{T} {rest}").as_bytes()) {
            Unwrapped::Line(_, text) => Some(String::from_utf8_lossy(&text).into_owned()),
            Unwrapped::Piece => None,
            Unwrapped::Damaged(kind) => Some(kind.to_string()),
        }
    }

    #[test]
    fn pieces_of_two_files_do_not_meet() {
        let mut files = Unwrappers::new(None);
        assert_eq!(line(&mut files, "a", "P 1"), None);
        assert_eq!(line(&mut files, "b", "P x"), None);
        assert_eq!(line(&mut files, "a", "F 2").as_deref(), Some("12"));
        assert_eq!(line(&mut files, "b", "F y").as_deref(), Some("xy"));
    }

    #[test]
    fn files_are_bounded_and_open_lines_kept_longest() {
        let mut files = Unwrappers::new(None);
        assert_eq!(line(&mut files, "open", "P 1"), None);
        for n in 0..3 * FILES_MAX {
            line(&mut files, &n.to_string(), "F x");
            assert!(files.others.len() <= FILES_MAX);
        }
        assert_eq!(line(&mut files, "open", "F 2").as_deref(), Some("12"));
        for n in 0..3 * FILES_MAX {
            line(&mut files, &n.to_string(), "P x");
            assert!(files.others.len() <= FILES_MAX);
        }
    }
}
