//! What became of a followed file: remembered against observed, judged in one place.
//!
//! Knows identities, sizes and times as values. Does not know the file system, nor how files are listed.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::RotationKind;

/// A rotated file is read on until it was quiet for so long: writers reopen their log some time after the
/// rename (nginx on `USR1`, <https://nginx.org/en/docs/control.html>), and write to the old file until then.
pub const QUIET: Duration = Duration::from_secs(10);

/// A read-out file that no pattern matches any more is remembered for so long: one listing of a directory
/// can miss a file that is being renamed, and a forgotten file would be read again.
pub const GRACE: Duration = Duration::from_secs(60);

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

/// A file as the reader left it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remembered {
    /// Which file.
    pub id: Identity,
    /// Bytes read of it.
    pub offset: u64,
}

/// A file as it is now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Observed {
    /// Which file.
    pub id: Identity,
    /// Its size in bytes.
    pub size: u64,
}

/// What became of a file since it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing to read.
    Same,
    /// So many bytes to read.
    Grown(u64),
    /// Shorter than what was read: its content is new, from offset 0.
    Truncated,
    /// The path leads to another file.
    Replaced,
    /// The path leads nowhere.
    Gone,
}

/// Judges what the path leads to now against the file that was read under it.
pub fn step(remembered: Remembered, observed: Option<Observed>) -> Step {
    let Some(observed) = observed else {
        return Step::Gone;
    };
    if observed.id != remembered.id {
        return Step::Replaced;
    }
    match observed.size.checked_sub(remembered.offset) {
        None => Step::Truncated,
        Some(0) => Step::Same,
        Some(more) => Step::Grown(more),
    }
}

/// The kind of rotation that a step is, if any; `links` are the names that the file read so far still has.
pub fn rotation(step: Step, links: u64) -> Option<RotationKind> {
    match step {
        Step::Same | Step::Grown(_) => None,
        Step::Truncated => Some(RotationKind::Truncate),
        Step::Replaced | Step::Gone if links == 0 => Some(RotationKind::Replaced),
        Step::Replaced | Step::Gone => Some(RotationKind::Rename),
    }
}

/// Whether a rotated file that last gave bytes at `last` has been quiet long enough to let it go.
pub fn is_quiet(last: Instant, now: Instant) -> bool {
    now.saturating_duration_since(last) >= QUIET
}

/// Whether a read-out file last matched at `last` may be forgotten.
pub fn is_forgotten(last: Instant, now: Instant) -> bool {
    now.saturating_duration_since(last) >= GRACE
}

/// Whether a name is that of a compressed log, whose bytes are no lines.
pub fn is_compressed(name: &[u8]) -> bool {
    [&b".gz"[..], b".bz2", b".xz", b".zst"]
        .iter()
        .any(|suffix| name.ends_with(suffix))
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
        let check = |observed: Option<(u64, u64)>,
                     links: u64,
                     expected: Step,
                     kind: Option<RotationKind>| {
            let remembered = Remembered {
                id: id(7),
                offset: 100,
            };
            let observed = observed.map(|(ino, size)| Observed { id: id(ino), size });
            let found = step(remembered, observed);
            assert_eq!(
                (found, rotation(found, links)),
                (expected, kind),
                "{observed:?}"
            );
        };
        check(Some((7, 100)), 1, Step::Same, None);
        check(Some((7, 130)), 1, Step::Grown(30), None);
        check(
            Some((7, 99)),
            1,
            Step::Truncated,
            Some(RotationKind::Truncate),
        );
        check(
            Some((7, 0)),
            1,
            Step::Truncated,
            Some(RotationKind::Truncate),
        );
        check(
            Some((8, 100)),
            1,
            Step::Replaced,
            Some(RotationKind::Rename),
        );
        check(
            Some((8, 200)),
            0,
            Step::Replaced,
            Some(RotationKind::Replaced),
        );
        check(None, 1, Step::Gone, Some(RotationKind::Rename));
        check(None, 0, Step::Gone, Some(RotationKind::Replaced));
    }

    #[test]
    fn a_reused_inode_is_another_file() {
        let reborn = Identity {
            born: Some(Duration::from_nanos(1)),
            ..id(7)
        };
        let remembered = Remembered {
            id: id(7),
            offset: 1,
        };
        assert_eq!(
            step(
                remembered,
                Some(Observed {
                    id: reborn,
                    size: 9
                })
            ),
            Step::Replaced
        );
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
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "std has no other way to make an instant"
    )]
    fn instant() -> Instant {
        Instant::now()
    }

    #[test]
    fn compressed_names() {
        assert!(is_compressed(b"access.log.2.gz") && is_compressed(b"a.zst"));
        assert!(!is_compressed(b"access.log.1") && !is_compressed(b"gz"));
    }
}
