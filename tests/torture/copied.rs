//! copytruncate before a reader that is not killed, at different paces, with and without a pattern that names the copies; and
//! how many of them it holds open.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use holter::tasks::tail::{Follower, Found, Start};

use super::reader::{Counted, settle};
use super::rotator::clear;
use super::run::{By, Case, Rotation, Shown, compare};
use super::writer::Signals;

/// Rotated files that may be open, as the manual has it.
const ROTATED: usize = 8;

/// Whether all but what was cut was counted, and no more called lost; prints it.
pub(crate) fn run(seed: u64) -> bool {
    let mut is_good = true;
    for (poll, look, pattern) in [
        (5, 0, "access.log"),
        (250, 0, "access.log"),
        (250, 0, "access.log*"),
        (5, 120, "access.log"),
    ] {
        let pace = Pace {
            poll: Duration::from_millis(poll),
            look: Duration::from_millis(look),
        };
        is_good &= once(seed, pace, pattern);
    }
    is_good
}

#[derive(Clone, Copy)]
struct Pace {
    /// Between two looks.
    poll: Duration,
    /// Between the begin of a look and the reading: what was found may be truncated meanwhile, and have grown again.
    look: Duration,
}

fn once(seed: u64, pace: Pace, pattern: &str) -> bool {
    let folder: PathBuf = super::disk().join(format!("torture-{}-copied", std::process::id()));
    fs::create_dir_all(folder.join("logs")).expect("a folder");
    let case = Case {
        by: By::Follower,
        seed,
        rate: super::RATE,
        lines: 2 * super::RATE,
        rotation: Rotation::Copy { period: 80..120 },
        has_header: false,
        is_in_pieces: false,
        folder: folder.clone(),
    };
    let files = folder.join("logs").join(pattern).display().to_string();
    let read = |signals: &_, _| read(files, pace, &folder, signals);
    let (written, (counted, open)) = case.meanwhile(&folder, read);
    clear(&folder);
    let mut shown = Shown::default();
    compare(&written, &counted, &mut shown);
    // The log, the writer's and two of the copier's beside them.
    let is_bound = open <= ROTATED + 4;
    shown.check(is_bound, || format!("{open} descriptors"));
    println!(
        "{seed:4} copytruncate, poll {:3} ms, {:3} ms a look, {pattern}: {} written, {} missing of {} cut in {} rotations, {} of {} bytes lost{}",
        pace.poll.as_millis(),
        pace.look.as_millis(),
        written.sums.count,
        shown.missing,
        written.cut.lines.len(),
        written.rotations,
        shown.lost,
        written.cut.bytes,
        match &shown.wrong[..] {
            [] => String::new(),
            [first, ..] => format!(": NOT EXACT: {first} ({} in all)", shown.wrong.len()),
        },
    );
    shown.wrong.is_empty()
}

/// What it counted, and how many descriptors of the folder were open at most.
fn read(pattern: String, pace: Pace, folder: &Path, signals: &Signals) -> (Counted, usize) {
    let mut follower = Follower::new(vec![pattern], Start::Beginning);
    let (mut counted, mut open) = (Counted::default(), 0);
    loop {
        let is_over = signals.is_over();
        let (now, mut on) = (Instant::now(), |found: Found<'_>| counted.take(found));
        follower.begin_pass(now, &mut on);
        thread::sleep(pace.look);
        while follower.read_part(now, &mut on) {}
        let is_waiting = follower.end_pass(now, &mut on);
        open = open.max(descriptors(folder));
        if is_over && !is_waiting {
            settle(&mut follower, &mut counted);
            return (counted, open);
        }
        if !is_waiting {
            thread::sleep(pace.poll);
        }
    }
}

/// Descriptors of this process that lead into the folder.
pub(crate) fn descriptors(folder: &Path) -> usize {
    let all = fs::read_dir("/proc/self/fd").expect("listed");
    let targets = all.flatten().filter_map(|fd| fs::read_link(fd.path()).ok());
    targets.filter(|target| target.starts_with(folder)).count()
}
