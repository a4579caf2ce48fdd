//! Random histories of a log against a model that knows where every line stands: appends whole and split,
//! rename, copytruncate in its three steps, truncation, deletion, compression, crashes, passes at any moment.
//!
//! Each line is handed out at most once; and exactly once unless the model says that it stood nowhere any more
//! when it could have been read. On real files, so that inodes are reused as the file system does it.

use std::collections::{BTreeMap, BTreeSet};

use flate2::Compression;
use flate2::write::GzEncoder;
use holter::tail::Checkpoint;
use proptest::prelude::*;

use super::*;

/// Siblings that a rotation keeps.
const KEPT: usize = 5;

#[derive(Clone, Debug)]
enum Op {
    Append(u8),
    /// Half a line now, the rest with the next write.
    Split,
    Rename,
    /// The writer opens the path again.
    Reopen,
    /// The next of copytruncate's steps: half of the copy, the rest, the truncation.
    Copy,
    Truncate,
    Delete,
    CompressOldest,
    Poll,
    Snapshot,
    Crash,
    /// So many seconds pass.
    Wait(u8),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        6 => (1..40u8).prop_map(Op::Append),
        2 => Just(Op::Split),
        2 => Just(Op::Rename),
        3 => Just(Op::Reopen),
        4 => Just(Op::Copy),
        1 => Just(Op::Truncate),
        1 => Just(Op::Delete),
        1 => Just(Op::CompressOldest),
        8 => Just(Op::Poll),
        3 => Just(Op::Snapshot),
        2 => Just(Op::Crash),
        1 => (0..70u8).prop_map(Op::Wait),
    ]
}

/// What a file holds.
#[derive(Clone, Debug, Default)]
struct Content {
    lines: Vec<u32>,
}

/// Where the copy stands: nothing yet, or its bytes so far.
enum Copying {
    Half,
    Whole,
}

type Serial = usize;

struct World {
    case: Case,
    /// Whether rotated files have names that the pattern matches.
    is_matched: bool,
    header: String,
    files: BTreeMap<Serial, Content>,
    live: Option<Serial>,
    /// Newest first; whether it is compressed.
    old: Vec<(Serial, bool)>,
    writer: File,
    writes_to: Serial,
    half: Option<u32>,
    copying: Option<Copying>,
    next: u32,
    counted: BTreeMap<u32, u32>,
    saved: (Checkpoint, BTreeMap<u32, u32>),
    /// Lines that stand nowhere any more.
    gone: BTreeSet<u32>,
    /// Those of them that were not counted at the time, or not saved at a crash.
    excused: BTreeSet<u32>,
}

fn text(line: u32) -> String {
    format!("<{line:08}{:.<60}{line:08}>\n", "")
}

impl World {
    fn new(header: String, is_matched: bool) -> Self {
        let pattern = if is_matched { "a*.log" } else { "a.log" };
        let mut case = Case::new(pattern, Start::Beginning, |c| c.append("a.log", &header));
        case.pass();
        let writer = case.writer("a.log");
        Self {
            saved: (case.follower.checkpoint(), BTreeMap::new()),
            case,
            is_matched,
            header,
            files: [(0, Content::default())].into(),
            live: Some(0),
            old: Vec::new(),
            writer,
            writes_to: 0,
            half: None,
            copying: None,
            next: 0,
            counted: BTreeMap::new(),
            gone: BTreeSet::new(),
            excused: BTreeSet::new(),
        }
    }

    fn name(&self, at: usize, compressed: bool) -> String {
        let (number, gz) = (at + 1, if compressed { ".gz" } else { "" });
        match self.is_matched {
            true => format!("a-{number}.log{gz}"),
            false => format!("a.log.{number}{gz}"),
        }
    }

    fn exists(&self, serial: Serial) -> bool {
        self.live == Some(serial) || self.old.iter().any(|(old, gz)| *old == serial && !gz)
    }

    fn wrote(&mut self, line: u32) {
        let to = self.writes_to;
        if self.exists(to) {
            self.files.entry(to).or_default().lines.push(line);
        } else {
            self.lose([line]);
        }
    }

    /// Lines that stand nowhere any more.
    fn lose(&mut self, lines: impl IntoIterator<Item = u32>) {
        for line in lines {
            self.gone.insert(line);
            if !self.counted.contains_key(&line) {
                self.excused.insert(line);
            }
        }
    }

    fn append(&mut self, count: u8) {
        if let Some(line) = self.half.take() {
            let text = text(line);
            write(&mut self.writer, text.split_at(9).1);
            self.wrote(line);
        }
        for _ in 0..count {
            write(&mut self.writer, &text(self.next));
            self.wrote(self.next);
            self.next += 1;
        }
    }

    fn split(&mut self) {
        if self.half.is_none() {
            let text = text(self.next);
            write(&mut self.writer, text.split_at(9).0);
            self.half = Some(self.next);
            self.next += 1;
        }
    }

    /// Moves the siblings by one, to make room for the newest.
    fn shift(&mut self) {
        for at in (0..self.old.len()).rev() {
            let compressed = self.old[at].1;
            self.case
                .rename(&self.name(at, compressed), &self.name(at + 1, compressed));
        }
    }

    fn drop_oldest(&mut self) {
        if self.old.len() > KEPT {
            let (serial, compressed) = self.old.pop().expect("old");
            self.case.remove(&self.name(self.old.len(), compressed));
            let content = self.files.remove(&serial).unwrap_or_default();
            self.lose(content.lines);
            self.tick();
        }
    }

    /// Lets the file system's clock move on, so that a file on the freed inode has another time of birth.
    fn tick(&self) {
        let path = self.case.path("clock");
        let mut born = BTreeSet::new();
        while born.len() < 2 {
            fs::write(&path, "").expect("written");
            born.insert(fs::metadata(&path).expect("seen").created().expect("born"));
            fs::remove_file(&path).expect("removed");
        }
    }

    fn rename(&mut self) {
        let Some(live) = self.live.filter(|_| self.copying.is_none()) else {
            return;
        };
        self.shift();
        self.case.rename("a.log", &self.name(0, false));
        self.old.insert(0, (live, false));
        self.live = None;
        self.drop_oldest();
    }

    fn reopen(&mut self) {
        if self.live == Some(self.writes_to) {
            return;
        }
        // A writer finishes its line first.
        self.append(0);
        if self.live.is_none() {
            self.case.append("a.log", &self.header);
            let serial = self.files.keys().max().map_or(0, |last| last + 1);
            self.files.insert(serial, Content::default());
            self.live = Some(serial);
        }
        self.writer = self.case.writer("a.log");
        self.writes_to = self.live.expect("live");
    }

    fn copy(&mut self) {
        let Some(live) = self.live else { return };
        let bytes = fs::read(self.case.path("a.log")).expect("read");
        let copy = self.case.path(&self.name(0, false));
        match self.copying.take() {
            None => {
                self.shift();
                fs::write(copy, &bytes[..bytes.len() / 2]).expect("copied");
                let serial = self.files.keys().max().map_or(0, |last| last + 1);
                self.files.insert(serial, Content::default());
                self.old.insert(0, (serial, false));
                self.drop_oldest();
                self.copying = Some(Copying::Half);
            }
            Some(Copying::Half) => {
                let known = fs::metadata(&copy).expect("seen").len();
                let rest = &bytes[usize::try_from(known).expect("size")..];
                let mut file = OpenOptions::new().append(true).open(copy).expect("opened");
                file.write_all(rest).expect("copied");
                let (serial, _) = self.old[0];
                let lines = self.files[&live].lines.clone();
                self.files.entry(serial).or_default().lines = lines;
                self.copying = Some(Copying::Whole);
            }
            Some(Copying::Whole) => {
                let copied = self.files[&self.old[0].0].lines.len();
                self.truncate(copied);
            }
        }
    }

    /// Truncates the log, of which so many lines stand in a copy.
    fn truncate(&mut self, copied: usize) {
        let Some(live) = self.live else { return };
        OpenOptions::new()
            .write(true)
            .truncate(true)
            .open(self.case.path("a.log"))
            .expect("truncated");
        let content = std::mem::take(self.files.get_mut(&live).expect("live"));
        self.lose(content.lines.into_iter().skip(copied));
        if self.writes_to == live
            && let Some(line) = self.half
        {
            self.lose([line]);
        }
    }

    fn delete(&mut self) {
        let Some(live) = self.live.filter(|_| self.copying.is_none()) else {
            return;
        };
        self.case.remove("a.log");
        self.live = None;
        let content = self.files.remove(&live).unwrap_or_default();
        self.lose(content.lines);
        self.tick();
    }

    fn compress_oldest(&mut self) {
        let plain = self.old.iter().rposition(|(_, compressed)| !compressed);
        let Some(at) = plain.filter(|_| self.copying.is_none()) else {
            return;
        };
        // A copy that ends before what was first read of the log, and is compressed before it was looked at, is
        // taken for a log of its own.
        self.poll();
        let name = self.name(at, false);
        let bytes = fs::read(self.case.path(&name)).expect("read");
        let mut gz = GzEncoder::new(Vec::new(), Compression::fast());
        gz.write_all(&bytes).expect("compressed");
        let gz = gz.finish().expect("compressed");
        fs::write(self.case.path(&self.name(at, true)), gz).expect("written");
        self.case.remove(&name);
        self.old[at].1 = true;
        self.tick();
    }

    fn poll(&mut self) {
        for line in self.case.passes() {
            let number = line.get(1..9).and_then(|number| number.parse().ok());
            if let Some(number) = number.filter(|number| text(*number).trim_end() == line) {
                *self.counted.entry(number).or_default() += 1;
            }
        }
    }

    fn save(&mut self) {
        let kept = serde_json::to_string(&self.case.follower.checkpoint()).expect("written");
        let checkpoint = serde_json::from_str(&kept).expect("read");
        self.saved = (checkpoint, self.counted.clone());
    }

    fn crash(&mut self) {
        let (checkpoint, counted) = self.saved.clone();
        let patterns = vec![self.case.pattern.clone()];
        self.case.follower = Follower::resume(patterns, Start::End, checkpoint);
        self.counted = counted;
        let lost: Vec<_> = self.gone.iter().copied().collect();
        self.lose(lost);
    }

    fn run(&mut self, op: &Op) {
        match op {
            Op::Append(count) => self.append(*count),
            Op::Split => self.split(),
            Op::Rename => self.rename(),
            Op::Reopen => self.reopen(),
            Op::Copy => self.copy(),
            Op::Truncate if self.copying.is_none() => self.truncate(0),
            Op::Truncate => {}
            Op::Delete => self.delete(),
            Op::CompressOldest => self.compress_oldest(),
            Op::Poll => self.poll(),
            Op::Snapshot => self.save(),
            Op::Crash => self.crash(),
            Op::Wait(seconds) => {
                // A line that is half written for longer than a rotated file is waited for is handed out so.
                self.append(0);
                self.poll();
                self.case.later(Duration::from_secs(u64::from(*seconds)));
            }
        }
    }

    fn end(&mut self) {
        while self.copying.is_some() {
            self.copy();
        }
        self.append(1);
        for _ in 0..3 {
            self.poll();
            self.case.later(QUIET);
        }
    }

    fn verdict(&self) -> Result<(), String> {
        for line in 0..self.next {
            let times = self.counted.get(&line).copied().unwrap_or(0);
            if times > 1 || (times == 0 && !self.excused.contains(&line)) {
                return Err(format!(
                    "line {line} of {} counted {times} times",
                    self.next
                ));
            }
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// A log is rotated in one way, by whatever else it is hit. Every second one's files begin alike, with a
    /// header longer than what is remembered of a head: what tells them apart is behind it.
    #[test]
    fn every_line_is_counted_once(
        is_copied: bool,
        is_matched: bool,
        has_header: bool,
        ops in prop::collection::vec(op(), 1..80),
    ) {
        let is_fit = |op: &Op| match op {
            Op::Copy | Op::Truncate => is_copied,
            Op::Rename | Op::Reopen | Op::Delete => !is_copied,
            // A compressed file is none that `a*.log` matches, nor one beside `a.log` by its name.
            Op::CompressOldest => !is_matched,
            _ => true,
        };
        let ops: Vec<_> = ops.into_iter().filter(is_fit).collect();
        let header = if has_header { "#".repeat(1500) + "\n" } else { String::new() };
        check(header, is_matched, &ops)?;
    }
}

fn check(header: String, is_matched: bool, ops: &[Op]) -> Result<(), TestCaseError> {
    let mut world = World::new(header, is_matched);
    for op in ops {
        world.run(op);
    }
    world.end();
    world.verdict().map_err(TestCaseError::fail)
}
