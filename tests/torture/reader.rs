//! The process that is killed: follows the log, counts, and answers scrapes with what it has stored.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use holter::label::Label;
use holter::tail::follow::{GRACE, QUIET};
use holter::tail::{Checkpoint, LossCause};
use holter::tasks::storage::{Durability, Storage};
use holter::tasks::tail::{Follower, Found, Start};
use serde::{Deserialize, Serialize};

use super::sums::{Seen, Sums};

/// More looks than are needed to read whatever is there: without a safety rule there may be no end of them.
const LOOKS: u32 = 100;

/// What the last process is given to read all there is.
const PATIENCE: Duration = Duration::from_secs(20);

/// What is counted.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Counted {
    pub(crate) sums: Sums,
    pub(crate) seen: Seen,
    /// Lines that are parts of the writer's, and their bytes.
    pub(crate) fragments: u64,
    pub(crate) fragment_bytes: u64,
    pub(crate) lost: BTreeMap<String, u64>,
}

impl Counted {
    pub(crate) fn take(&mut self, found: Found<'_>) {
        match found {
            Found::Line(line) => match number(line) {
                Some(number) => {
                    self.sums.add(number);
                    self.seen.add(number);
                }
                None if line.starts_with(b"#") => {}
                None => {
                    self.fragments += 1;
                    self.fragment_bytes += line.len() as u64 + 1;
                }
            },
            Found::Lost { cause, bytes } => {
                *self.lost.entry(cause.as_str().to_owned()).or_default() += bytes;
            }
            _ => {}
        }
    }

    /// Bytes lost, of any cause.
    pub(crate) fn lost(&self) -> u64 {
        self.lost.values().sum()
    }

    /// Bytes of lines that were cut: lost, or read as lines of their own.
    pub(crate) fn torn(&self) -> u64 {
        let torn = self.lost.get(LossCause::TornLine.as_str());
        torn.copied().unwrap_or(0) + self.fragment_bytes
    }
}

/// What is stored, and shown to a scrape but for the positions.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Stored {
    counted: Counted,
    checkpoint: Checkpoint,
}

/// The number that a whole line begins with.
pub(crate) fn number(line: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(line).ok()?;
    let number = text.split(' ').next()?.parse().ok()?;
    (super::writer::line(number).trim_end() == text).then_some(number)
}

/// Runs in `folder` until a file `stop` stands there and everything is read. Each scrape is a line on the
/// standard output.
pub(crate) fn run(folder: &Path) {
    let storage = Storage::open(&folder.join("storage")).expect("the storage");
    let left = storage.read().expect("read");
    let mut stored: Stored = left.map_or_else(Stored::default, |left| {
        serde_json::from_slice(&left).expect("stored")
    });
    let pattern = folder.join("logs/access.log").display().to_string();
    let mut follower = Follower::resume(vec![pattern], Start::Beginning, stored.checkpoint.clone());
    let mut random = fastrand::Rng::new();
    let mut scrape_at = Instant::now();
    let end = scrape_at + PATIENCE;
    loop {
        let is_last = folder.join("stop").exists();
        let is_waiting = follower.poll(Instant::now(), &mut |found| stored.counted.take(found));
        let is_read_out = !is_waiting && follower.lag_bytes() == 0;
        let is_done = is_last && (is_read_out || Instant::now() >= end);
        if is_done {
            settle(&mut follower, &mut stored.counted);
        }
        if is_done || Instant::now() >= scrape_at {
            scrape_at += Duration::from_millis(random.u64(20..120));
            stored.checkpoint = follower.checkpoint();
            let bytes = serde_json::to_vec(&stored).expect("encoded");
            storage.write(&bytes, Durability::Process).expect("stored");
            let shown = serde_json::to_string(&stored.counted).expect("encoded");
            let mut out = std::io::stdout().lock();
            writeln!(out, "{shown}").and_then(|()| out.flush()).ok();
        }
        if is_done {
            return;
        }
        if !is_waiting {
            thread::sleep(Duration::from_millis(random.u64(1..20)));
        }
    }
}

/// Looks until nothing waits; says whether that was ever so.
pub(crate) fn look(follower: &mut Follower, counted: &mut Counted, now: Instant) -> bool {
    (0..LOOKS).any(|_| !follower.poll(now, &mut |found| counted.take(found)))
}

/// Lets the time pass after which copies are known to be whole, and what is missing is counted as lost.
pub(crate) fn settle(follower: &mut Follower, counted: &mut Counted) {
    let mut now = Instant::now();
    // Not all are open at once.
    for _ in 0..12 {
        for later in [Duration::ZERO, QUIET, GRACE] {
            now += later;
            if !look(follower, counted, now) {
                return;
            }
        }
    }
}
