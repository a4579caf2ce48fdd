//! One unwrapper for each file of a log source: pieces of a line must not meet those of another file.
//!
//! Goes by the path, because a container runtime rotates a file in the middle of a line and goes on under
//! the same path. Knows where to read again to have the pieces again, so that none has to lie on disk. Decides
//! nothing: `access_log::wrapping` does.

use std::cmp::Reverse;
use std::collections::{HashMap, VecDeque};
use std::path::{Path, PathBuf};

use super::tail::Place;
use crate::access_log::wrapping::{Output, Unwrapped, Unwrapper, Wrapping};
use crate::tail::checkpoint::OpenLine;
use crate::tail::follow::Identity;

/// Most files that are remembered: more than are held open at once. Beyond, those between two lines are
/// forgotten, and their wrapping is found out anew.
const FILES_MAX: usize = 512;

/// Most files in which one line's pieces are remembered to stand; of a line in more, the first are too old.
const PLACES_MAX: usize = 8;

const OUTPUTS: [Output; 2] = [Output::Stdout, Output::Stderr];

/// The unwrappers of one log source.
#[derive(Debug)]
pub(super) struct Unwrappers {
    wrapping: Option<Wrapping>,
    path: PathBuf,
    current: Pieces,
    others: HashMap<PathBuf, Pieces>,
}

impl Unwrappers {
    /// For files of this wrapping; `None`: found out for each.
    pub(super) fn new(wrapping: Option<Wrapping>) -> Self {
        Self {
            wrapping,
            path: PathBuf::new(),
            current: Pieces::new(wrapping),
            others: HashMap::new(),
        }
    }

    /// What follows stands there.
    pub(super) fn file(&mut self, place: Place<'_>) {
        if place.path.as_os_str() != self.path.as_os_str() {
            self.turn_to(place.path);
        }
        self.current.go_to(place.id, place.from);
    }

    fn turn_to(&mut self, path: &Path) {
        let next = self.others.remove(path);
        let next = next.unwrap_or_else(|| Pieces::new(self.wrapping));
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

    /// Takes a line of that file that was taken before.
    pub(super) fn again(&mut self, raw: &[u8]) {
        // A piece is kept, all else is known.
        drop(self.current.line(raw));
    }

    /// Where to read again to have the pieces that are held.
    pub(super) fn open_lines(&self) -> impl Iterator<Item = OpenLine> {
        let all = self.others.iter().chain([(&self.path, &self.current)]);
        all.flat_map(|(path, pieces)| {
            pieces.places().into_iter().map(|(id, from)| OpenLine {
                path: path.to_string_lossy().into_owned(),
                id,
                from,
            })
        })
    }
}

/// The unwrapper of one file, and where the pieces stand that it holds.
#[derive(Debug)]
struct Pieces {
    unwrapper: Unwrapper,
    /// Where the lines come from now.
    at: Option<(Identity, u64)>,
    /// For each output, where its unfinished line began, and each further file in which it went on.
    since: [VecDeque<(Identity, u64)>; OUTPUTS.len()],
}

impl Pieces {
    fn new(wrapping: Option<Wrapping>) -> Self {
        Self {
            unwrapper: Unwrapper::new(wrapping),
            at: None,
            since: Default::default(),
        }
    }

    fn is_inside_a_line(&self) -> bool {
        (OUTPUTS.iter()).any(|output| self.unwrapper.is_inside_a_line(*output))
    }

    fn go_to(&mut self, id: Identity, from: u64) {
        self.at = Some((id, from));
        for (output, since) in OUTPUTS.iter().zip(&mut self.since) {
            let is_there = since.iter().any(|place| place.0 == id && place.1 <= from);
            if is_there || !self.unwrapper.is_inside_a_line(*output) {
                continue;
            }
            // A file that is read from an earlier place holds other content by now.
            since.retain(|(other, _)| *other != id);
            since.push_back((id, from));
            if since.len() > PLACES_MAX {
                since.pop_front();
            }
        }
    }

    fn line<'a>(&mut self, raw: &'a [u8]) -> Unwrapped<'a> {
        let was_inside = OUTPUTS.map(|output| self.unwrapper.is_inside_a_line(output));
        let unwrapped = self.unwrapper.line(raw);
        if unwrapped == Unwrapped::Piece {
            for ((output, was_inside), since) in OUTPUTS.iter().zip(was_inside).zip(&mut self.since)
            {
                if !was_inside && self.unwrapper.is_inside_a_line(*output) {
                    *since = self.at.into_iter().collect();
                }
            }
        }
        unwrapped
    }

    /// In the order of reading; each file once, at the earliest of its places.
    fn places(&self) -> Vec<(Identity, u64)> {
        let open = (OUTPUTS.iter().zip(&self.since))
            .filter(|(output, _)| self.unwrapper.is_inside_a_line(**output));
        let mut open: Vec<_> = open.map(|(_, since)| since).collect();
        // Both end with the same files: the longer begins before the other.
        open.sort_by_key(|since| Reverse(since.len()));
        let mut places: Vec<(Identity, u64)> = Vec::new();
        for (id, from) in open.into_iter().flatten() {
            match places.iter_mut().find(|(known, _)| known == id) {
                Some(known) => known.1 = known.1.min(*from),
                None => places.push((*id, *from)),
            }
        }
        places
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: &str = "2026-11-20T09:59:41Z";

    const fn id(ino: u64) -> Identity {
        Identity {
            dev: 1,
            ino,
            born: None,
        }
    }

    fn go(files: &mut Unwrappers, path: &str, ino: u64, from: u64) {
        files.file(Place {
            path: Path::new(path),
            id: id(ino),
            from,
        });
    }

    fn take(files: &mut Unwrappers, rest: &str) -> Option<String> {
        match files.line(format!("{T} {rest}").as_bytes()) {
            Unwrapped::Line(_, text) => Some(String::from_utf8_lossy(&text).into_owned()),
            Unwrapped::Piece => None,
            Unwrapped::Damaged(kind) => Some(kind.to_string()),
        }
    }

    fn line(files: &mut Unwrappers, path: &str, rest: &str) -> Option<String> {
        go(files, path, 1, 0);
        take(files, &format!("stdout {rest}"))
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

    /// Inode, place, lines that come then, and where the open lines begin by then.
    type Step = (u64, u64, &'static [&'static str], &'static [(u64, u64)]);

    fn check(steps: &[Step]) {
        let mut files = Unwrappers::new(None);
        for (ino, from, lines, expected) in steps {
            go(&mut files, "a", *ino, *from);
            for line in *lines {
                take(&mut files, line);
            }
            let open: Vec<_> = files.open_lines().map(|o| (o.id.ino, o.from)).collect();
            assert_eq!(open, *expected, "{ino} {from} {lines:?}");
        }
    }

    #[test]
    fn where_pieces_stand() {
        check(&[
            (1, 0, &["stdout F a"], &[]),
            (1, 90, &["stdout P a"], &[(1, 90)]),
        ]);
        // An end closes only its own output's line.
        check(&[
            (1, 0, &["stdout P a"], &[(1, 0)]),
            (1, 50, &["stderr P b"], &[(1, 0)]),
            (1, 90, &["stdout F a"], &[(1, 50)]),
            (1, 99, &["stderr F b"], &[]),
        ]);
        // Always inside a line, and yet never far back.
        check(&[
            (1, 0, &["stdout P a"], &[(1, 0)]),
            (1, 50, &["stdout F a", "stdout P b"], &[(1, 50)]),
            (1, 90, &["stdout F b", "stdout P c"], &[(1, 90)]),
        ]);
    }

    #[test]
    fn pieces_in_several_files_stand_in_the_order_of_reading() {
        check(&[
            (1, 70, &["stderr P a"], &[(1, 70)]),
            (2, 0, &["stdout P b"], &[(1, 70), (2, 0)]),
            (2, 50, &["stderr P a"], &[(1, 70), (2, 0)]),
            (2, 90, &["stderr F a"], &[(2, 0)]),
        ]);
        // The old file's late bytes do not move its place; a truncated file's content is another.
        check(&[
            (1, 70, &["stdout P a"], &[(1, 70)]),
            (2, 0, &["stdout P b"], &[(1, 70), (2, 0)]),
            (1, 90, &["stderr F x"], &[(1, 70), (2, 0)]),
            (1, 0, &["stderr F x"], &[(2, 0), (1, 0)]),
        ]);
        let many: Vec<_> = (1..20).collect();
        let mut files = Unwrappers::new(None);
        for ino in &many {
            go(&mut files, "a", *ino, 0);
            take(&mut files, "stdout P a");
        }
        assert_eq!(files.open_lines().count(), PLACES_MAX);
    }
}
