//! What is quiet is not read again, and what is spared hides nothing.

use std::time::Duration;

use holter::tail::follow::{Identity, Observed, Times};
use holter::tail::still::{BELIEVED, Still, TICK};
use proptest::prelude::*;

use super::*;

/// Passes until the times of what is quiet are believed.
fn settle(case: &mut Case) {
    for after in [Duration::ZERO, Duration::from_secs(1), TICK] {
        case.later(after);
        assert_eq!(case.pass(), NONE);
    }
}

/// Calls of read(2) and the like by this thread, but not of getdents(2): proc_pid_io(5).
fn reads() -> u64 {
    let text = fs::read_to_string("/proc/thread-self/io").expect("counted");
    let count = text.lines().find_map(|line| line.strip_prefix("syscr: "));
    count.expect("reads").parse().expect("a number")
}

fn reads_of_a_pass(case: &mut Case) -> u64 {
    let before = reads();
    let between = reads();
    assert_eq!(case.pass(), NONE);
    // Less what it takes to count.
    reads() - between - (between - before)
}

#[test]
fn a_quiet_file_is_not_read_at_each_look() {
    let mut case = Case::new("a*.log", Start::Beginning, |c| c.append("a.log", "1\n"));
    assert_eq!(case.pass(), ["1"]);
    assert_eq!(
        reads_of_a_pass(&mut case),
        3,
        "before, at and after its end"
    );
    settle(&mut case);
    for _ in 0..2 {
        assert_eq!(reads_of_a_pass(&mut case), 0);
    }
    case.later(BELIEVED);
    assert_eq!(reads_of_a_pass(&mut case), 3, "not believed for ever");
    assert_eq!(reads_of_a_pass(&mut case), 0);
    case.append("a.log", "2\n");
    assert_eq!(case.pass(), ["2"]);
    assert_eq!(reads_of_a_pass(&mut case), 3);
}

#[test]
fn what_becomes_of_a_quiet_file_is_seen() {
    let mut case = Case::new("a*.log", Start::Beginning, |c| c.append("a.log", "1\n"));
    assert_eq!(case.pass(), ["1"]);
    settle(&mut case);
    // As long as before.
    fs::write(case.path("a.log"), "2\n").expect("written anew");
    assert_eq!(case.pass(), ["<truncate>", "2"]);
    settle(&mut case);
    case.append("a.log", "3\n");
    case.rename("a.log", "a.log.1");
    case.append("a.log", "4\n");
    case.append("a-new.log", "5\n");
    let mut found = case.pass();
    // Which of two new files is the older, a coarse clock does not tell.
    found.sort();
    assert_eq!(found, ["3", "4", "5", "<rename>"]);
    settle(&mut case);
    case.append("a.log.1", "late\n");
    assert_eq!(case.pass(), ["late"]);
}

/// What stands on a file system whose clock ticks slowly, and what was read of it last.
#[derive(Default)]
struct Slow {
    still: Still,
    tick: u64,
    changed: u64,
    content: u32,
    read: u32,
}

impl Slow {
    fn change(&mut self, millis: u64) {
        self.changed = millis / self.tick * self.tick;
        self.content += 1;
    }

    fn look(&mut self, now: Instant) -> bool {
        let at = (i64::try_from(self.changed).expect("a time"), 0);
        let seen = Observed {
            id: Identity {
                dev: 1,
                ino: 2,
                born: None,
            },
            size: 0,
            times: Times {
                modified: at,
                changed: at,
            },
        };
        self.still.look(seen, now)
    }

    fn read(&mut self, now: Instant) {
        self.read = self.content;
        self.still.read(now);
    }
}

proptest! {
    /// Whenever the times spare a read, what was read last stands: on any clock that ticks faster than is waited, whatever
    /// happens between a look's begin, its sight and its read. All times are in milliseconds.
    #[test]
    fn what_is_spared_is_as_it_was_read(
        tick in 1..=2000u64,
        // Several looks within one tick, and some beyond it.
        steps in prop::collection::vec((0..4u8, prop_oneof![9 => 0..60u64, 1 => 0..5000u64]), 1..200),
    ) {
        let start = instant();
        let mut slow = Slow { tick, ..Slow::default() };
        let mut millis = 0;
        // The look that is under way, and how far it came.
        let mut look = None;
        for (step, after) in steps {
            millis += after;
            look = match (step, look) {
                (0, look) => {
                    slow.change(millis);
                    look
                }
                (_, None) => Some((start + Duration::from_millis(millis), false)),
                (_, Some((now, false))) => {
                    let is_spared = slow.look(now);
                    prop_assert!(!is_spared || slow.read == slow.content, "at {millis}");
                    (!is_spared).then_some((now, true))
                }
                (_, Some((now, true))) => {
                    slow.read(now);
                    None
                }
            };
        }
    }
}
