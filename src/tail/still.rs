//! Whether what was looked at stands as it was, told by its times alone.
//!
//! To read a quiet file at each look costs more than all else. Its times tell that nothing was changed, but not at
//! once: a second change within one tick of the file system's clock leaves them as they are (git calls an entry
//! racy then, <https://git-scm.com/docs/racy-git>). So times are believed only if the look came when they had stood for
//! longer than any tick. They are compared with each other and never with this host's clock: that of a file server
//! may differ, and each may be set back. Knows no files: what is seen comes in as a value.

use std::time::{Duration, Instant};

use super::follow::Observed;

/// Longer than a tick of the clock of any file system; FAT's takes two seconds.
pub const TICK: Duration = Duration::from_secs(3);

/// Times are believed no longer than this: there are file systems that keep none of folders (FAT again), and a clock
/// that is set back may show a time twice.
pub const BELIEVED: Duration = Duration::from_secs(10);

/// What was seen of a file or a folder, and since when it stands.
#[derive(Clone, Debug, Default)]
pub struct Still {
    /// And the time of the look that showed it first.
    seen: Option<(Observed, Instant)>,
    /// The time of the next look, which began after that first sight, however long the first took.
    since: Option<Instant>,
    /// When it was read, if that counts.
    read: Option<Instant>,
}

impl Still {
    /// Takes what a look shows. Says whether what was read before stands, so that nothing has to be read again.
    pub fn look(&mut self, seen: Observed, now: Instant) -> bool {
        let Some((_, first)) = self.seen.filter(|(known, _)| *known == seen) else {
            *self = Self {
                seen: Some((seen, now)),
                ..Self::default()
            };
            return false;
        };
        if now > first {
            self.since.get_or_insert(now);
        }
        self.read
            .is_some_and(|read| now.saturating_duration_since(read) < BELIEVED)
    }

    /// All of it was read, and found as it was known, after the last look took what it shows.
    pub fn read(&mut self, now: Instant) {
        let has_stood = |since: Instant| now.saturating_duration_since(since) >= TICK;
        self.read = self.since.is_some_and(has_stood).then_some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::super::follow::{Identity, Times};
    use super::*;

    /// What is seen of a file of so many bytes that was changed at this tick.
    fn seen(size: u64, tick: i64) -> Observed {
        let id = Identity {
            dev: 1,
            ino: 7,
            born: None,
        };
        let times = Times {
            modified: (tick, 0),
            changed: (tick, 0),
        };
        Observed { id, size, times }
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "std has no other way to make an instant"
    )]
    fn instant() -> Instant {
        Instant::now()
    }

    /// Looks at these times, of which each but the last is followed by a read; whether the last spares one.
    fn is_spared(seconds: &[f64]) -> bool {
        let (mut still, start) = (Still::default(), instant());
        let mut is_spared = false;
        for second in seconds {
            let now = start + Duration::from_secs_f64(*second);
            is_spared = still.look(seen(5, 0), now);
            if !is_spared {
                still.read(now);
            }
        }
        is_spared
    }

    #[test]
    fn times_are_believed_when_they_had_stood_for_longer_than_a_tick_and_not_for_ever() {
        assert!(!is_spared(&[0.0]));
        assert!(!is_spared(&[0.0, 9.0]), "read when it was first seen");
        // The first look may have taken long: its sight is younger than its time.
        assert!(!is_spared(&[0.0, 9.0, 9.0]));
        assert!(!is_spared(&[0.0, 0.0, 9.0, 9.0]), "twice in one look");
        assert!(!is_spared(&[0.0, 1.0, 3.9, 4.0]));
        assert!(is_spared(&[0.0, 1.0, 4.0, 4.1]));
        assert!(is_spared(&[0.0, 1.0, 4.0, 13.9]));
        assert!(!is_spared(&[0.0, 1.0, 4.0, 14.0]), "read again");
        assert!(is_spared(&[0.0, 1.0, 4.0, 14.0, 23.9]));
        assert!(
            !is_spared(&[0.0, 9.0, 4.0, 9.0]),
            "time that goes backwards is no time"
        );
    }

    #[test]
    fn whatever_changes_has_to_be_read() {
        let check = |other: Observed| {
            let (mut still, start) = (Still::default(), instant());
            for second in [0, 1, 4] {
                let now = start + Duration::from_secs(second);
                still.look(seen(5, 0), now);
                still.read(now);
            }
            let now = start + Duration::from_secs(5);
            assert!(still.clone().look(seen(5, 0), now));
            assert!(!still.look(other, now), "{other:?}");
            still.read(now);
            assert!(!still.look(other, now), "{other:?}, and not once alone");
        };
        check(seen(6, 0));
        check(seen(5, 1));
        for (modified, changed) in [((0, 1), (0, 0)), ((0, 0), (0, 1))] {
            let times = Times { modified, changed };
            check(Observed {
                times,
                ..seen(5, 0)
            });
        }
        let mut other = seen(5, 0);
        other.id.ino = 8;
        check(other);
    }
}
