//! One run: a writer, a rotator, and a reader that is killed and started again.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use super::reader::{Sums, total};
use super::rotator::{Rotator, clear};
use super::writer::{Signals, Writer};

/// How long lines are written.
const LENGTH: Duration = Duration::from_secs(4);

/// A whole line, longer than what is remembered of a head.
pub(crate) fn header() -> String {
    "#".repeat(1500) + "\n"
}

pub(crate) enum Rotation {
    /// By rename, a random number of milliseconds apart.
    Rename { kept: u64, period: Range<u64> },
    /// The same, and all but the newest are compressed at once.
    Compress { period: Range<u64> },
}

pub(crate) struct Case {
    pub(crate) seed: u64,
    pub(crate) rate: u64,
    pub(crate) rotation: Rotation,
    pub(crate) has_header: bool,
    pub(crate) folder: PathBuf,
}

pub(crate) struct Outcome {
    written: Sums,
    counted: Sums,
    lost: BTreeMap<String, u64>,
    rotations: u64,
    reused: u64,
    kills: u64,
    scrapes: u64,
    fell: u64,
}

impl Outcome {
    pub(crate) const TITLE: &str = "seed rotation              lines/s  lines     missing rotations inodes-reused kills scrapes fell verdict";

    fn is_exact(&self) -> bool {
        self.written == self.counted && self.fell == 0 && total(&self.lost) == 0
    }
}

impl Case {
    /// Whether it was exact, and how many inodes came again; prints it.
    pub(crate) fn run(&self) -> (bool, u64) {
        let folder = self
            .folder
            .join(format!("torture-{}-{}", std::process::id(), self.seed));
        fs::create_dir_all(folder.join("logs")).expect("a folder");
        let outcome = self.outcome(&folder);
        self.print(&outcome);
        clear(&folder);
        (outcome.is_exact(), outcome.reused)
    }

    fn outcome(&self, folder: &Path) -> Outcome {
        let signals = Signals::default();
        let mut random = fastrand::Rng::with_seed(self.seed);
        let writer = Writer {
            path: folder.join("logs/access.log"),
            rate: self.rate,
            header: if self.has_header {
                header()
            } else {
                String::new()
            },
            random: random.fork(),
            signals: &signals,
        };
        let rotator = Rotator::new(folder.join("logs/access.log"), &signals);
        thread::scope(|scope| {
            let written = scope.spawn(move || writer.run());
            let pace = random.fork();
            let rotated = scope.spawn(|| self.rotate(rotator, pace));
            let mut readers = Readers::new(folder, &signals);
            let end = Instant::now() + LENGTH;
            while Instant::now() < end {
                readers.run_for(Duration::from_millis(random.u64(30..330)));
                thread::sleep(Duration::from_millis(random.u64(..250)));
            }
            signals.stop.store(true, Ordering::Release);
            let rotator = rotated.join().expect("the rotator");
            let written = written.join().expect("the writer");
            readers.finish();
            Outcome {
                written,
                rotations: rotator.rotations,
                reused: rotator.reused,
                counted: readers.last,
                lost: readers.lost,
                kills: readers.kills,
                scrapes: readers.scrapes,
                fell: readers.fell,
            }
        })
    }

    fn rotate<'a>(&self, mut rotator: Rotator<'a>, mut random: fastrand::Rng) -> Rotator<'a> {
        let signals = rotator.signals;
        while !signals.stop.load(Ordering::Acquire) {
            match &self.rotation {
                Rotation::Rename { kept, period } => {
                    thread::sleep(Duration::from_millis(random.u64(period.clone())));
                    rotator.rename(*kept);
                }
                Rotation::Compress { period } => {
                    thread::sleep(Duration::from_millis(random.u64(period.clone())));
                    if rotator.rename(u64::MAX) {
                        rotator.compress();
                    }
                }
            }
        }
        rotator
    }

    fn print(&self, outcome: &Outcome) {
        let rotation = match self.rotation {
            Rotation::Rename { kept: 3, .. } => "rename, 3 kept",
            Rotation::Rename { .. } => "rename",
            Rotation::Compress { .. } => "rename and compress",
        };
        let place = if self.folder.starts_with("/dev/shm") {
            " tmpfs"
        } else {
            ""
        };
        let missing = i128::from(outcome.written.count) - i128::from(outcome.counted.count);
        println!(
            "{:4} {:22} {:7} {:9} {missing:7} {:9} {:13} {:5} {:7} {:4} {}{}",
            self.seed,
            format!(
                "{rotation}{place}{}",
                if self.has_header { ", alike" } else { "" }
            ),
            outcome.written.count / LENGTH.as_secs(),
            outcome.written.count,
            outcome.rotations,
            outcome.reused,
            outcome.kills,
            outcome.scrapes,
            outcome.fell,
            if outcome.is_exact() {
                "exact"
            } else {
                "NOT EXACT"
            },
            if outcome.lost.is_empty() {
                String::new()
            } else {
                format!(" {:?}", outcome.lost)
            },
        );
    }
}

/// The reader's processes, one after the other, and what their scrapes showed.
struct Readers<'a> {
    signals: &'a Signals,
    folder: PathBuf,
    last: Sums,
    lost: BTreeMap<String, u64>,
    kills: u64,
    scrapes: u64,
    fell: u64,
}

impl<'a> Readers<'a> {
    fn new(folder: &Path, signals: &'a Signals) -> Self {
        Self {
            signals,
            folder: folder.to_owned(),
            last: Sums::default(),
            lost: BTreeMap::new(),
            kills: 0,
            scrapes: 0,
            fell: 0,
        }
    }

    fn start(&self) -> Child {
        Command::new(std::env::current_exe().expect("this program"))
            .arg("--reader")
            .arg(&self.folder)
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
        self.kills += 1;
        self.hear(&mut child);
    }

    /// Runs the last one until everything is read.
    fn finish(&mut self) {
        File::create(self.folder.join("stop")).expect("asked to stop");
        let mut child = self.start();
        self.hear(&mut child);
    }

    fn hear(&mut self, child: &mut Child) {
        let out = BufReader::new(child.stdout.take().expect("its output"));
        // A killed process may leave half a line: that is no answer.
        for line in out.lines().map_while(Result::ok) {
            let Ok((sums, lost)) = serde_json::from_str::<(Sums, BTreeMap<String, u64>)>(&line)
            else {
                continue;
            };
            self.scrapes += 1;
            let is_falling = sums.count < self.last.count || sums.sum < self.last.sum;
            self.fell += u64::from(is_falling);
            self.signals.shown.store(sums.count, Ordering::Release);
            (self.last, self.lost) = (sums, lost);
        }
        child.wait().expect("waited for");
    }
}
