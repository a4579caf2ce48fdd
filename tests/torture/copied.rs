//! copytruncate: what is written between the copier's last read and the truncation stands nowhere. All else has
//! to be counted once, but for one torn line a rotation.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use holter::tasks::tail::{Follower, Found, Start};

use super::reader::number;
use super::rotator::{Rotator, clear};
use super::writer::{Signals, Writer};

/// Lines a second, as in the table of the manual.
const RATE: u64 = 50_000;
/// How often it is rotated.
const ROTATIONS: u64 = 12;

/// Whether it was as good as can be; prints it.
pub(crate) fn run(seed: u64) -> bool {
    let mut is_good = true;
    for (poll, pattern) in [(5, "access.log"), (250, "access.log"), (250, "access.log*")] {
        is_good &= once(seed, Duration::from_millis(poll), pattern);
    }
    is_good
}

fn once(seed: u64, poll: Duration, pattern: &str) -> bool {
    let folder: PathBuf = super::disk().join(format!("torture-{}-copied", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder");
    let signals = Signals::default();
    let log = folder.join("access.log");
    let mut random = fastrand::Rng::with_seed(seed);
    let writer = Writer {
        path: log.clone(),
        rate: RATE,
        header: String::new(),
        random: random.fork(),
        signals: &signals,
    };
    let mut rotator = Rotator::new(log, &signals);
    let pattern = folder.join(pattern).display().to_string();
    let (written, window, seen) = thread::scope(|scope| {
        let written = scope.spawn(move || writer.run().count);
        let reader = scope.spawn(|| read(pattern, poll, &signals));
        let mut window = 0;
        for _ in 0..ROTATIONS {
            thread::sleep(Duration::from_millis(random.u64(150..250)));
            window += rotator.copytruncate();
        }
        signals.stop.store(true, Ordering::Release);
        let written = written.join().expect("the writer");
        (written, window, reader.join().expect("the reader"))
    });
    clear(&folder);
    let counted: u64 = seen.iter().map(|times| u64::from(*times)).sum();
    let twice = seen.iter().filter(|times| **times > 1).count();
    let missing = (1..=written).filter(|n| seen.get(*n as usize).is_none_or(|times| *times == 0));
    let missing = missing.count() as u64;
    // The last moment before the truncation is not seen by the rotator either: as much again.
    let excused = ROTATIONS + window * 2 + RATE / 1000;
    println!(
        "{seed:4} copytruncate, poll {:3} ms: {written} written, {counted} counted, {missing} missing of at most {excused} ({window} between copy and truncation), {twice} twice",
        poll.as_millis()
    );
    twice == 0 && missing <= excused
}

/// Counts each line by its number.
fn read(pattern: String, poll: Duration, signals: &Signals) -> Vec<u8> {
    let mut follower = Follower::new(vec![pattern], Start::Beginning);
    let mut seen: Vec<u8> = Vec::new();
    let mut look = || {
        follower.poll(Instant::now(), &mut |found| {
            if let Found::Line(line) = found
                && let Some(number) = number(line)
            {
                let at = usize::try_from(number).expect("a number");
                seen.resize(seen.len().max(at + 1), 0);
                seen[at] += 1;
            }
        })
    };
    while !signals.stop.load(Ordering::Acquire) {
        if !look() {
            thread::sleep(poll);
        }
    }
    // The writer's last batch, then what that leads to.
    thread::sleep(Duration::from_millis(50));
    for _ in 0..3 {
        while look() {}
    }
    seen
}
