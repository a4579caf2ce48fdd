//! Torture of the tail: a writer that splits lines and keeps a stale descriptor, a rotator without mercy, and
//! `kill -9` of the reader at random, while its snapshots are taken as scrapes. In the end every line has to
//! be counted once, by count, sum and hash of the line numbers, and no scraped value may ever have fallen.
//!
//! `cargo test --test torture` runs the fixed seeds. `make torture` (`-- --peers`) prints the table beside
//! `tail -F` and mtail. The reader is a process of its own (`-- --reader`): this program again, with the
//! product's follower and storage.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a harness that cannot go on says so by a panic; it paces itself by the clock"
)]

mod copied;
mod peers;
mod reader;
mod rotator;
mod run;
mod writer;

use std::path::{Path, PathBuf};
use std::thread;

use run::{Case, Rotation};

/// Lines a second, as DESIGN promises them exact.
const RATE: u64 = 100_000;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let Some(at) = words.iter().position(|word| word == "--reader") {
        return reader::run(Path::new(&words[at + 1]));
    }
    if words.iter().any(|word| word == "--peers") {
        return peers::print();
    }
    let seed = words.iter().position(|word| word == "--seed");
    let first = seed.map_or(1, |at| words[at + 1].parse().expect("a number"));
    let cases = cases(first);
    println!("{}", run::Outcome::TITLE);
    // Two at a time: each is a writer, a rotator and a reader.
    let outcomes: Vec<_> = thread::scope(|scope| {
        let halves = [0, 1].map(|half| {
            let mine: Vec<_> = cases.iter().skip(half).step_by(2).collect();
            scope.spawn(move || mine.into_iter().map(Case::run).collect::<Vec<_>>())
        });
        halves.map(|half| half.join().expect("a run")).concat()
    });
    let is_copied = copied::run(first);
    let is_exact = outcomes.iter().all(|(is_exact, _)| *is_exact);
    assert!(is_exact && is_copied, "runs that were not exact");
    // Else nothing was shown about that.
    let reused: u64 = outcomes.iter().map(|(_, reused)| reused).sum();
    assert!(reused > 0, "no inode was reused");
    println!("exact");
}

/// Twelve seeds by rename, of which every third begins all files alike and four reuse inodes on two file
/// systems, and two that compress.
fn cases(first: u64) -> Vec<Case> {
    (0..14)
        .map(|n| Case {
            seed: first + n,
            rate: RATE,
            rotation: match n {
                0..8 => Rotation::Rename {
                    kept: 1000,
                    period: 50..80,
                },
                8..12 => Rotation::Rename {
                    kept: 3,
                    period: 350..450,
                },
                _ => Rotation::Compress { period: 50..80 },
            },
            has_header: n % 3 == 0,
            folder: if n == 10 || n == 11 { memory() } else { disk() },
        })
        .collect()
}

/// A folder on the disk that the build is on.
fn disk() -> PathBuf {
    env!("CARGO_TARGET_TMPDIR").into()
}

/// A folder on a tmpfs.
fn memory() -> PathBuf {
    "/dev/shm".into()
}
