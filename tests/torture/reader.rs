//! The process that is killed: follows the log, counts, and answers scrapes with what it has stored.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use holter::label::Label;
use holter::tail::{Checkpoint, LossCause};
use holter::tasks::storage::{Durability, Storage};
use holter::tasks::tail::{Follower, Found, Start};
use serde::{Deserialize, Serialize};

/// Count, sum and hash of line numbers: equal only if each was counted once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sums {
    pub(crate) count: u64,
    pub(crate) sum: u64,
    pub(crate) hash: u64,
}

impl Sums {
    pub(crate) fn add(&mut self, number: u64) {
        self.count += 1;
        self.sum += number;
        // SplitMix64's finalizer: a number that is missing and another that is doubled do not cancel out.
        let mixed = (number ^ number >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        self.hash ^= mixed ^ mixed >> 31;
    }
}

/// What is stored, and shown to a scrape.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Stored {
    pub(crate) sums: Sums,
    pub(crate) lost: BTreeMap<String, u64>,
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
    loop {
        let is_last = folder.join("stop").exists();
        let is_waiting = follower.poll(Instant::now(), &mut |found| match found {
            Found::Line(line) => {
                if let Some(number) = number(line) {
                    stored.sums.add(number);
                }
            }
            Found::Lost { cause, bytes } => {
                *stored.lost.entry(cause.as_str().to_owned()).or_default() += bytes;
            }
            _ => {}
        });
        let is_done = is_last && !is_waiting && follower.lag_bytes() == 0;
        if is_done || Instant::now() >= scrape_at {
            scrape_at += Duration::from_millis(random.u64(20..120));
            stored.checkpoint = follower.checkpoint();
            let bytes = serde_json::to_vec(&stored).expect("encoded");
            storage.write(&bytes, Durability::Process).expect("stored");
            let shown = serde_json::to_string(&(&stored.sums, &stored.lost)).expect("encoded");
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

/// Every cause, for who reads the losses.
pub(crate) fn total(lost: &BTreeMap<String, u64>) -> u64 {
    let causes = LossCause::ALL.iter().map(|cause| cause.as_str());
    causes.filter_map(|cause| lost.get(cause)).sum()
}
