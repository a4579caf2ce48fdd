//! One run: a log that is written and rotated, and a reader that is killed and started again meanwhile.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use super::product;
use super::reader::Counted;
use super::rotator::{Cut, Rotator, clear};
use super::sums::Sums;
use super::writer::{self, Signals, Writer};

/// A whole line, longer than what is remembered of a head.
pub(crate) fn header() -> String {
    "#".repeat(1500) + "\n"
}

#[derive(Clone)]
pub(crate) enum Rotation {
    /// By rename, a random number of milliseconds apart.
    Rename { period: Range<u64> },
    /// The same; all but so many are deleted, and the next is created on an inode that became free.
    Reuse { kept: u64, period: Range<u64> },
    /// By rename, and all but the newest are compressed at once.
    Compress { period: Range<u64> },
    /// Copied and truncated.
    Copy { period: Range<u64> },
}

/// Who reads.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    /// The product's follower and storage, in a process that counts the numbers of lines.
    Follower,
    /// The product itself.
    Holter,
}

pub(crate) struct Case {
    pub(crate) by: By,
    pub(crate) seed: u64,
    pub(crate) rate: u64,
    pub(crate) lines: u64,
    pub(crate) rotation: Rotation,
    pub(crate) has_header: bool,
    /// As a container's runtime cuts them.
    pub(crate) is_in_pieces: bool,
    pub(crate) folder: PathBuf,
}

/// What was done to the log.
pub(crate) struct Written {
    pub(crate) sums: Sums,
    pub(crate) took: Duration,
    pub(crate) rotations: u64,
    pub(crate) reused: u64,
    pub(crate) cut: Cut,
    /// How each line is written.
    pub(crate) line: fn(u64) -> String,
}

/// What the readers' processes showed.
#[derive(Default)]
pub(crate) struct Shown {
    pub(crate) missing: u64,
    pub(crate) lost: u64,
    pub(crate) kills: u64,
    pub(crate) scrapes: u64,
    pub(crate) fell: u64,
    /// What was not as it has to be.
    pub(crate) wrong: Vec<String>,
}

impl Shown {
    /// Notes what is not so.
    pub(crate) fn check(&mut self, is_so: bool, what: impl FnOnce() -> String) {
        if !is_so {
            self.wrong.push(what());
        }
    }
}

pub(crate) const TITLE: &str = "seed reader   rotation                      lines/s  lines    missing rotations inodes-reused kills scrapes fell verdict";

impl Case {
    /// Whether it was exact, and how many inodes came again; prints it.
    pub(crate) fn run(&self) -> (bool, u64) {
        let folder = self
            .folder
            .join(format!("torture-{}-{}", std::process::id(), self.seed));
        fs::create_dir_all(folder.join("logs")).expect("a folder");
        let (written, shown) = match self.by {
            By::Follower => {
                let read = |signals: &_, random| follow(&folder, signals, random);
                let (written, (counted, mut shown)) = self.meanwhile(&folder, read);
                compare(&written, &counted, &mut shown);
                (written, shown)
            }
            By::Holter => {
                let mut holter = product::Readers::new(&folder);
                let (written, ()) = self.meanwhile(&folder, |signals, random| {
                    holter.read(signals, random);
                });
                let shown = holter.finish(&written);
                (written, shown)
            }
        };
        self.print(&written, &shown);
        clear(&folder);
        (shown.wrong.is_empty(), written.reused)
    }

    /// Writes and rotates the log while `read` runs, until all is written.
    pub(crate) fn meanwhile<T>(
        &self,
        folder: &Path,
        read: impl FnOnce(&Signals, fastrand::Rng) -> T,
    ) -> (Written, T) {
        let signals = Signals::default();
        let mut random = fastrand::Rng::with_seed(self.seed);
        let path = folder.join("logs/access.log");
        let line = match self.by {
            By::Follower => writer::line,
            By::Holter if self.is_in_pieces => product::pieces,
            By::Holter => product::line,
        };
        let writer = Writer {
            path: path.clone(),
            rate: self.rate,
            lines: self.lines,
            line,
            header: if self.has_header {
                header()
            } else {
                String::new()
            },
            random: random.fork(),
            signals: &signals,
        };
        let rotator = Rotator::new(path, line, &signals);
        thread::scope(|scope| {
            let writing = scope.spawn(move || writer.run());
            let pace = random.fork();
            let rotating = scope.spawn(|| self.rotate(rotator, pace));
            let read = read(&signals, random);
            let rotator = rotating.join().expect("the rotator");
            let (sums, took) = writing.join().expect("the writer");
            let written = Written {
                sums,
                took,
                rotations: rotator.rotations,
                reused: rotator.reused,
                cut: rotator.cut,
                line,
            };
            (written, read)
        })
    }

    fn rotate<'a>(&self, mut rotator: Rotator<'a>, mut random: fastrand::Rng) -> Rotator<'a> {
        let (Rotation::Rename { period }
        | Rotation::Reuse { period, .. }
        | Rotation::Compress { period }
        | Rotation::Copy { period }) = &self.rotation;
        while !rotator.signals.is_over() {
            thread::sleep(Duration::from_millis(random.u64(period.clone())));
            match self.rotation {
                Rotation::Rename { .. } => {
                    if rotator.rename() {
                        rotator.reopen();
                    }
                }
                Rotation::Reuse { kept, .. } => rotator.rename_and_create(kept),
                Rotation::Compress { .. } => {
                    if rotator.rename() {
                        rotator.reopen();
                        rotator.compress();
                    }
                }
                Rotation::Copy { .. } => rotator.copytruncate(),
            }
        }
        rotator
    }

    fn print(&self, written: &Written, shown: &Shown) {
        let by = match self.by {
            By::Follower => "follower",
            By::Holter => "holter",
        };
        let rotation = match self.rotation {
            Rotation::Rename { .. } => "rename".to_owned(),
            Rotation::Reuse { kept, .. } => format!("rename, {kept} kept"),
            Rotation::Compress { .. } => "rename and compress".to_owned(),
            Rotation::Copy { .. } => "copytruncate".to_owned(),
        };
        let is_in_memory = self.folder.starts_with("/dev/shm");
        let place = if is_in_memory { ", tmpfs" } else { "" };
        let how = match (self.has_header, self.is_in_pieces) {
            (true, _) => ", alike",
            (_, true) => ", in pieces",
            _ => "",
        };
        let cut = match written.cut.lines.len() {
            0 => String::new(),
            lines => format!(" of {lines} cut, {} bytes lost", shown.lost),
        };
        let verdict = match &shown.wrong[..] {
            [] => "exact".to_owned(),
            [first, ..] => format!("NOT EXACT: {first} ({} in all)", shown.wrong.len()),
        };
        println!(
            "{:4} {by:8} {:28} {:8.0} {:6} {:10} {:9} {:13} {:5} {:7} {:4} {verdict}{cut}",
            self.seed,
            format!("{rotation}{place}{how}"),
            written.sums.count as f64 / written.took.as_secs_f64(),
            written.sums.count,
            shown.missing,
            written.rotations,
            written.reused,
            shown.kills,
            shown.scrapes,
            shown.fell,
        );
    }
}

/// Whether each line was counted once, but for those that copytruncate cut; and whether no more was called lost than
/// those, and no less than of them every reader sees.
pub(crate) fn compare(written: &Written, counted: &Counted, shown: &mut Shown) {
    let missing = counted.seen.missing(written.sums.count);
    shown.missing = missing.len() as u64;
    shown.lost = counted.lost();
    let cut = &written.cut;
    let unexcused: Vec<_> = missing.iter().filter(|n| !cut.lines.contains(n)).collect();
    shown.check(unexcused.is_empty(), || {
        let (first, last) = (unexcused.first(), unexcused.last());
        format!("{} lines missing, {first:?} to {last:?}", unexcused.len())
    });
    let twice = counted.seen.twice;
    shown.check(twice == 0, || format!("{twice} lines twice"));
    if cut.lines.is_empty() {
        shown.check(counted.sums == written.sums, || "sums differ".to_owned());
    }
    // Of a line that is cut, its begin may end a copy, and the rest begins the file anew.
    let fragments = counted.fragments;
    let may_be = if cut.lines.is_empty() {
        0
    } else {
        2 * written.rotations
    };
    shown.check(fragments <= may_be, || format!("{fragments} fragments"));
    shown.check(counted.lost() <= cut.bytes, || {
        format!("{:?} lost of {} bytes cut", counted.lost, cut.bytes)
    });
    // One that lacks nothing but its newline may be counted all the same.
    let torn = missing.iter().filter(|n| cut.torn.contains(n)).count() as u64;
    let torn = torn * (written.line)(1).len() as u64;
    shown.check(counted.torn() >= torn, || {
        let (lost, fragments) = (&counted.lost, counted.fragment_bytes);
        format!("{lost:?} lost and {fragments} bytes of fragments, {torn} torn")
    });
}

/// Runs a reader, kills it, and so on; in the end one that reads all there is.
fn follow(folder: &Path, signals: &Signals, mut random: fastrand::Rng) -> (Counted, Shown) {
    let mut readers = Readers {
        signals,
        folder,
        last: Counted::default(),
        shown: Shown::default(),
    };
    while !signals.is_over() {
        readers.run_for(Duration::from_millis(random.u64(30..330)));
        thread::sleep(Duration::from_millis(random.u64(..250)));
    }
    File::create(folder.join("stop")).expect("asked to stop");
    let mut last = readers.start();
    readers.hear(&mut last);
    let fell = readers.shown.fell;
    readers.shown.check(fell == 0, || "values fell".to_owned());
    (readers.last, readers.shown)
}

/// The reader's processes, one after the other, and what their scrapes showed.
struct Readers<'a> {
    signals: &'a Signals,
    folder: &'a Path,
    last: Counted,
    shown: Shown,
}

impl Readers<'_> {
    fn start(&self) -> Child {
        Command::new(std::env::current_exe().expect("this program"))
            .arg("--reader")
            .arg(self.folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a reader")
    }

    /// Runs one and kills it.
    fn run_for(&mut self, time: Duration) {
        let mut child = self.start();
        thread::sleep(time);
        child.kill().expect("killed");
        self.shown.kills += 1;
        self.hear(&mut child);
    }

    fn hear(&mut self, child: &mut Child) {
        let out = BufReader::new(child.stdout.take().expect("its output"));
        // A killed process may leave half a line: that is no answer.
        for line in out.lines().map_while(Result::ok) {
            let Ok(counted) = serde_json::from_str::<Counted>(&line) else {
                continue;
            };
            self.shown.scrapes += 1;
            let (new, old) = (&counted, &self.last);
            let is_falling = new.sums.count < old.sums.count
                || new.sums.sum < old.sums.sum
                || new.lost() < old.lost()
                || new.fragments < old.fragments;
            self.shown.fell += u64::from(is_falling);
            let whole = counted.seen.whole();
            self.signals.shown.store(whole, Ordering::Release);
            self.last = counted;
        }
        child.wait().expect("waited for");
    }
}
