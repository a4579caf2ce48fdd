//! Torture of the tail: a writer that splits lines and keeps a stale descriptor, a rotator without mercy, and
//! `kill -9` of the reader at random, while its snapshots are taken as scrapes. In the end every line has to
//! be counted once, by count, sum and hash of the line numbers, and no scraped value may ever have fallen.
//!
//! `cargo test --test torture` runs the fixed seeds; `-- --seed 101` others, `--line 10` one line of the table alone, `--copied` those below it. `make torture` (`-- --peers`) prints the table beside
//! `tail -F` and mtail. The reader is a process of its own: `holter` itself, or (`-- --reader`) this program again, with the
//! product's follower and storage, which tells line numbers and keeps up with more of them where nothing is optimized.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a harness that cannot go on says so by a panic; it paces itself by the clock"
)]

mod copied;
mod peers;
mod product;
mod reader;
mod rotator;
mod run;
mod scenes;
mod sums;
mod writer;

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread;

use run::{By, Case, Rotation};

/// Lines a second, as DESIGN promises them exact.
const RATE: u64 = 100_000;
/// The same for the product as it is built for tests, unoptimized.
const HOLTER_RATE: u64 = 10_000;
/// For how many seconds of that rate lines are written.
const LENGTH: u64 = 4;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let Some(at) = words.iter().position(|word| word == "--reader") {
        return reader::run(Path::new(&words[at + 1]));
    }
    if let Some(at) = words.iter().position(|word| word == "--ramfs") {
        return scenes::run_in_ramfs(Path::new(&words[at + 1]));
    }
    if words.iter().any(|word| word == "--peers") {
        return peers::print();
    }
    let number = |flag: &str| {
        let at = words.iter().position(|word| word == flag)?;
        Some(words[at + 1].parse().expect("a number"))
    };
    let first = number("--seed").unwrap_or(1);
    let mut cases = cases(first);
    if words.iter().any(|word| word == "--copied") {
        assert!(copied::run(first) & scenes::run(), "not exact");
        return;
    }
    if let Some(line) = number("--line") {
        let case = cases.swap_remove(usize::try_from(line - 1).expect("a line"));
        println!("{}", run::TITLE);
        assert!(case.run().0, "not exact");
        return;
    }
    println!("{}", run::TITLE);
    // Two at a time: each is a writer, a rotator and a reader.
    let outcomes: Vec<_> = thread::scope(|scope| {
        let halves = [0, 1].map(|half| {
            let mine: Vec<_> = cases.iter().skip(half).step_by(2).collect();
            let run = |case: &Case| (case.run(), case.folder == disk());
            scope.spawn(move || mine.into_iter().map(run).collect::<Vec<_>>())
        });
        halves.map(|half| half.join().expect("a run")).concat()
    });
    let is_copied = copied::run(first) & scenes::run();
    let is_exact = outcomes.iter().all(|((is_exact, _), _)| *is_exact);
    assert!(is_exact && is_copied, "runs that were not exact");
    // Else nothing was shown about that. A tmpfs never gives an inode again.
    let on_disk = outcomes.iter().filter(|(_, is_on_disk)| *is_on_disk);
    let reused: u64 = on_disk.map(|((_, reused), _)| reused).sum();
    if reuses_inodes(&disk()) {
        assert!(reused > 0, "no inode was reused");
    }
    println!("exact");
}

/// Twelve seeds by rename, of which every third begins all files alike and four delete what was stored, on two file systems;
/// two that compress, two that copy and truncate; and the product itself in three of these ways, and with lines in pieces.
fn cases(first: u64) -> Vec<Case> {
    let rotation = |n| match n {
        0..8 | 16 | 19 => Rotation::Rename { period: 50..80 },
        8..12 => Rotation::Reuse {
            kept: 3,
            period: 80..120,
        },
        12 | 13 | 17 => Rotation::Compress { period: 50..80 },
        _ => Rotation::Copy { period: 150..250 },
    };
    let case = |n| {
        let by = if n < 16 { By::Follower } else { By::Holter };
        let rate = if by == By::Holter { HOLTER_RATE } else { RATE };
        Case {
            by,
            seed: first + n,
            rate,
            lines: rate * LENGTH,
            rotation: rotation(n),
            has_header: n % 3 == 0 && n < 14,
            is_in_pieces: n == 19,
            folder: if n == 10 || n == 11 { memory() } else { disk() },
        }
    };
    (0..20).map(case).collect()
}

/// A folder on the disk that the build is on.
fn disk() -> PathBuf {
    env!("CARGO_TARGET_TMPDIR").into()
}

/// A folder on a tmpfs.
fn memory() -> PathBuf {
    "/dev/shm".into()
}

/// Whether a file system gives an inode that has become free to a next file, as ext4 does and tmpfs does not.
fn reuses_inodes(folder: &Path) -> bool {
    let path = folder.join(format!("torture-{}-inode", std::process::id()));
    let inode = || {
        let file = File::create(&path).expect("created");
        let inode = file.metadata().expect("its inode").ino();
        fs::remove_file(&path).expect("removed");
        inode
    };
    (0..5).any(|_| inode() == inode())
}
