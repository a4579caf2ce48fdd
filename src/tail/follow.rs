//! What became of a followed file, and what an unknown one is: remembered against observed, judged in one
//! place.
//!
//! Knows identities, sizes and times as values. Does not know the file system, nor how files are listed.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::RotationKind;

/// A rotated file is read on until it was quiet for so long: writers reopen their log some time after the
/// rename (nginx on `USR1`, <https://nginx.org/en/docs/control.html>), and write to the old file until then.
pub const QUIET: Duration = Duration::from_secs(10);

/// What no listing shows any more is remembered for so long: one listing of a folder can miss a file that is
/// being renamed, and a forgotten file would be read again. As long, a truncated file's copy is awaited.
pub const GRACE: Duration = Duration::from_secs(60);

/// A file that was deleted is held open no longer than this, whoever writes to it: it takes up the disk. Longer than
/// what is missing is remembered, so that its end is not awaited in vain.
pub const HELD: Duration = Duration::from_secs(120);

/// What stood in a folder that does not exist any more is remembered for so long: a volume that is away for a
/// while comes back with the same files.
pub const AWAY: Duration = Duration::from_secs(24 * 3600);

/// What makes two sights of a file the same file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Identity {
    /// Device.
    pub dev: u64,
    /// Inode; reused soon after a deletion, on ext4 by the very next file.
    pub ino: u64,
    /// Time of creation since the epoch, which tells a reused inode; absent where the file system keeps none.
    pub born: Option<Duration>,
}

/// A file as it is now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Observed {
    /// Which file.
    pub id: Identity,
    /// Its size in bytes.
    pub size: u64,
    /// When it was changed last.
    pub times: Times,
}

/// The times of a file or a folder by the clock of its file system: seconds since the epoch, and nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// Of the content, which programs may set.
    pub modified: (i64, i64),
    /// Of the content, or of what is known of the file, which the system alone sets.
    pub changed: (i64, i64),
}

/// What a path leads to, beside the file that was read under it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// To the same file.
    Same,
    /// To another file.
    Replaced,
    /// Nowhere.
    Gone,
}

/// Judges what the path leads to now against the file that was read under it.
pub fn step(known: Identity, observed: Option<Identity>) -> Step {
    match observed {
        None => Step::Gone,
        Some(id) if id == known => Step::Same,
        Some(_) => Step::Replaced,
    }
}

/// The kind of rotation that a step is, if any; `links` are the names that the file read so far still has.
pub fn rotation(step: Step, links: u64) -> Option<RotationKind> {
    match step {
        Step::Same => None,
        Step::Replaced | Step::Gone if links == 0 => Some(RotationKind::Replaced),
        Step::Replaced | Step::Gone => Some(RotationKind::Rename),
    }
}

/// Whether a file still holds what was read of it up to `at`: it is as long, and the last bytes that were read
/// stand where they stood. Asked after reading, because a file can be truncated and grow again meanwhile.
pub fn is_intact(at: u64, size: u64, tail_stands: bool) -> bool {
    size >= at && tail_stands
}

/// What a file beside a log shows of its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// Its size in bytes.
    pub size: u64,
    /// Whether it has the head of a file that was truncated or is gone, and its anchor at the last place within
    /// its size.
    pub has_missing_content: bool,
    /// Beside the file that its log's path leads to now.
    pub beside: Beside,
}

/// A file compared with the one that its log's path leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beside {
    /// The path leads nowhere.
    Nothing,
    /// To a file that could not be compared, or that was truncated meanwhile.
    Unclear,
    /// The file's content is the beginning of that file's.
    Beginning,
    /// The contents differ.
    Other,
}

/// What an unknown file is that stands beside a log under a name like `access.log.1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sibling {
    /// Not to be told yet: look again.
    Undecided,
    /// The copy of a file that was truncated or is gone: what was not read of that is in here.
    Copy,
    /// A log of its own, from its first byte.
    New,
}

/// Judges an unknown file beside a log. A file that begins like the log is the copy that copytruncate is
/// making: it is left alone until the truncation, and then proved by what was read.
pub fn sibling(evidence: Evidence) -> Sibling {
    match (evidence.beside, evidence.has_missing_content) {
        _ if evidence.size == 0 => Sibling::Undecided,
        (Beside::Beginning, _) => Sibling::Undecided,
        (_, true) => Sibling::Copy,
        (Beside::Unclear, false) => Sibling::Undecided,
        (Beside::Nothing | Beside::Other, false) => Sibling::New,
    }
}

/// What is to be done with a file that was read before and is not held open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// Nothing: all of it is settled.
    Done,
    /// Nothing yet: it was read to its end, in the middle of a line that may still go on.
    Wait,
    /// The same, and it was quiet for so long that the line ends there.
    Finish,
    /// To read what was not read of it.
    GoOn,
}

/// Judges a file of this size that was left at `settled`, read up to `read`, and last gave bytes at `last`. To
/// open one that only waits for its line's end would be to take the place of one with bytes to read.
pub fn again(settled: u64, read: u64, size: u64, last: Instant, now: Instant) -> Again {
    match size {
        _ if size == settled => Again::Done,
        _ if size != read => Again::GoOn,
        _ if is_quiet(last, now) => Again::Finish,
        _ => Again::Wait,
    }
}

/// Whether a rotated file that last gave bytes at `last` has been quiet long enough to let it go.
pub fn is_quiet(last: Instant, now: Instant) -> bool {
    now.saturating_duration_since(last) >= QUIET
}

/// Whether what was last seen at `last` may be forgotten.
pub fn is_forgotten(last: Instant, now: Instant) -> bool {
    now.saturating_duration_since(last) >= GRACE
}

/// Whether a file that was deleted then is to be let go.
pub fn is_held_for_long(since: Instant, now: Instant) -> bool {
    now.saturating_duration_since(since) >= HELD
}

/// Whether a folder that is gone since then may come back.
pub fn is_away(since: Instant, now: Instant) -> bool {
    now.saturating_duration_since(since) < AWAY
}

/// Whether `name` is one that rotation gives to files of the log `base`: `base.1`, `base-20261120`.
pub fn is_sibling(base: &[u8], name: &[u8]) -> bool {
    name.strip_prefix(base)
        .is_some_and(|rest| rest.len() > 1 && matches!(rest.first(), Some(b'.' | b'-')))
}

/// The name without the suffix of a compressed log, if it has one; its bytes are no lines.
pub fn uncompressed(name: &[u8]) -> Option<&[u8]> {
    [&b".gz"[..], b".bz2", b".xz", b".zst"]
        .iter()
        .find_map(|suffix| name.strip_suffix(*suffix))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(ino: u64) -> Identity {
        Identity {
            dev: 1,
            ino,
            born: Some(Duration::ZERO),
        }
    }

    #[test]
    fn steps_and_rotations() {
        let check = |observed: Option<u64>, links, expected: Step, kind: Option<RotationKind>| {
            let found = step(id(7), observed.map(id));
            assert_eq!(
                (found, rotation(found, links)),
                (expected, kind),
                "{observed:?}"
            );
        };
        check(Some(7), 1, Step::Same, None);
        check(Some(7), 0, Step::Same, None);
        check(Some(8), 1, Step::Replaced, Some(RotationKind::Rename));
        check(Some(8), 0, Step::Replaced, Some(RotationKind::Replaced));
        check(None, 1, Step::Gone, Some(RotationKind::Rename));
        check(None, 0, Step::Gone, Some(RotationKind::Replaced));
    }

    #[test]
    fn a_reused_inode_is_another_file() {
        let reborn = Identity {
            born: Some(Duration::from_nanos(1)),
            ..id(7)
        };
        assert_eq!(step(id(7), Some(reborn)), Step::Replaced);
    }

    #[test]
    fn intact_is_as_long_and_the_same_before_the_place() {
        let table = [
            (9, true, false),
            (10, true, true),
            (11, true, true),
            (11, false, false),
        ];
        for (size, tail_stands, expected) in table {
            assert_eq!(
                is_intact(10, size, tail_stands),
                expected,
                "{size} {tail_stands}"
            );
        }
    }

    #[test]
    fn what_stands_beside_a_log() {
        let check = |size, has_missing_content, beside, expected| {
            let evidence = Evidence {
                size,
                has_missing_content,
                beside,
            };
            assert_eq!(sibling(evidence), expected, "{evidence:?}");
        };
        for beside in [
            Beside::Nothing,
            Beside::Unclear,
            Beside::Beginning,
            Beside::Other,
        ] {
            check(0, false, beside, Sibling::Undecided);
            check(0, true, beside, Sibling::Undecided);
        }
        check(9, true, Beside::Beginning, Sibling::Undecided);
        for beside in [Beside::Nothing, Beside::Unclear, Beside::Other] {
            check(9, true, beside, Sibling::Copy);
        }
        check(9, false, Beside::Nothing, Sibling::New);
        check(9, false, Beside::Unclear, Sibling::Undecided);
        check(9, false, Beside::Beginning, Sibling::Undecided);
        check(9, false, Beside::Other, Sibling::New);
    }

    #[test]
    fn what_is_to_be_done_with_a_file_that_was_left() {
        let last = instant();
        let check = |read, size, after, expected| {
            let found = again(10, read, size, last, last + after);
            assert_eq!(found, expected, "{read} {size} {after:?}");
        };
        let soon = QUIET - Duration::from_millis(1);
        for after in [soon, QUIET] {
            check(10, 10, after, Again::Done);
            check(13, 10, after, Again::Done);
            check(10, 13, after, Again::GoOn);
            check(13, 14, after, Again::GoOn);
            check(13, 12, after, Again::GoOn);
            check(10, 9, after, Again::GoOn);
        }
        check(13, 13, soon, Again::Wait);
        check(13, 13, QUIET, Again::Finish);
    }

    #[test]
    fn quiet_and_forgotten_at_their_time_and_not_before() {
        // Any instant does: only differences count.
        let check = |judge: fn(Instant, Instant) -> bool, after: Duration| {
            let last = instant();
            assert!(!judge(last, last + after - Duration::from_millis(1)));
            assert!(judge(last, last + after));
            assert!(
                !judge(last + after, last),
                "time that goes backwards is no time"
            );
        };
        check(is_quiet, QUIET);
        check(is_forgotten, GRACE);
        check(is_held_for_long, HELD);
        check(|last, now| !is_away(last, now), AWAY);
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "std has no other way to make an instant"
    )]
    fn instant() -> Instant {
        Instant::now()
    }

    #[test]
    fn names_of_rotated_files() {
        for name in ["access.log.1", "access.log-20261120", "access.log.1.gz"] {
            assert!(is_sibling(b"access.log", name.as_bytes()), "{name}");
        }
        for name in [
            "access.log",
            "access.log.",
            "access.logs",
            "access2.log.1",
            "error.log.1",
        ] {
            assert!(!is_sibling(b"access.log", name.as_bytes()), "{name}");
        }
        assert_eq!(uncompressed(b"access.log.2.gz"), Some(&b"access.log.2"[..]));
        assert_eq!(uncompressed(b"a.zst"), Some(&b"a"[..]));
        assert_eq!(uncompressed(b"access.log.1"), None);
        assert_eq!(uncompressed(b"gz"), None);
    }
}
