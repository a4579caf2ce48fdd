//! The follower on real files: every way a log grows, moves and vanishes. Passes are driven by hand, and time
//! is an argument, so nothing waits.

#![allow(clippy::expect_used, reason = "helpers of a test fail the test")]

mod hidden;
mod limits;
mod losses;
mod model;
mod paths;
mod resume;
mod still;

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use holter::tail::follow::{AWAY, GRACE, HELD, QUIET};
use holter::tail::print::HEAD_MAX;
use holter::tasks::tail::{Follower, Found, Start};

/// A folder, a follower on it, and the time.
struct Case {
    folder: tempfile::TempDir,
    pattern: String,
    follower: Follower,
    now: Instant,
}

impl Case {
    /// Follows one pattern in a fresh folder, in which `before` has put what exists at the start.
    fn new(pattern: &str, start: Start, before: impl FnOnce(&Self)) -> Self {
        let folder = tempfile::tempdir().expect("folder");
        let pattern = folder.path().join(pattern).display().to_string();
        let case = Self {
            folder,
            follower: Follower::new(vec![pattern.clone()], start),
            pattern,
            now: instant(),
        };
        before(&case);
        case
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn append(&self, name: &str, text: &str) {
        write(&mut self.writer(name), text);
    }

    fn writer(&self, name: &str) -> File {
        let open = OpenOptions::new()
            .append(true)
            .create(true)
            .open(self.path(name));
        open.expect("log opened")
    }

    fn rename(&self, from: &str, to: &str) {
        fs::rename(self.path(from), self.path(to)).expect("renamed");
    }

    fn remove(&self, name: &str) {
        fs::remove_file(self.path(name)).expect("removed");
    }

    /// One pass: lines as they are, all else marked; bytes left out.
    fn pass(&mut self) -> Vec<String> {
        self.pass_and_more().0
    }

    fn pass_and_more(&mut self) -> (Vec<String>, bool) {
        let mut found = Vec::new();
        let more = self
            .follower
            .poll(self.now, &mut |f| found.extend(shown(&f)));
        (found, more)
    }

    /// Passes until none has more to read, and what they found. One that always had more would be a fault.
    fn passes(&mut self) -> Vec<String> {
        let mut all = Vec::new();
        for _ in 0..1000 {
            let (found, more) = self.pass_and_more();
            all.extend(found);
            if !more {
                return all;
            }
        }
        panic!("never done: {} bytes to read", self.follower.lag_bytes());
    }

    /// Lets time pass, also for the file system: by the next tick of its clock.
    fn later(&mut self, by: Duration) {
        self.now += by;
        let mut clock = tempfile::tempfile_in(env!("CARGO_TARGET_TMPDIR")).expect("a file");
        let changed = |file: &File| file.metadata().expect("seen").modified().expect("changed");
        let begin = changed(&clock);
        while changed(&clock) == begin {
            write(&mut clock, "x");
        }
    }
}

/// Descriptors of this process that lead into the case's folder.
fn descriptors(case: &Case) -> usize {
    let all = fs::read_dir("/proc/self/fd").expect("listed");
    let targets = all.flatten().filter_map(|fd| fs::read_link(fd.path()).ok());
    targets
        .filter(|target| target.starts_with(case.folder.path()))
        .count()
}

fn shown(found: &Found<'_>) -> Option<String> {
    match found {
        Found::Line(line) => Some(String::from_utf8_lossy(line).into_owned()),
        Found::File(_) | Found::Bytes(_) => None,
        Found::Again(line) => Some(format!("<again {}>", String::from_utf8_lossy(line))),
        Found::Rotated(kind) => Some(format!("<{kind}>")),
        Found::Lost { cause, bytes } => Some(format!("<lost {cause} {bytes}>")),
        Found::Failed { error, .. } => Some(format!("<open {:?}>", error.kind())),
        Found::ListingCapped => Some("<capped>".to_owned()),
    }
}

fn write(file: &mut File, text: &str) {
    file.write_all(text.as_bytes()).expect("written");
}

#[expect(
    clippy::disallowed_methods,
    reason = "any instant does: only differences count"
)]
fn instant() -> Instant {
    Instant::now()
}

const NONE: [&str; 0] = [];

#[test]
fn append_and_split_append() {
    let mut case = Case::new("a.log", Start::Beginning, |c| c.append("a.log", "1\n2"));
    assert_eq!(case.pass(), ["1"]);
    case.append("a.log", "b\n3");
    assert_eq!(case.pass(), ["2b"]);
    assert_eq!(case.pass(), NONE);
    case.append("a.log", "\n");
    assert_eq!(case.pass(), ["3"]);
    assert_eq!(case.follower.lag_bytes(), 0);
}

#[test]
fn bytes_are_counted_once() {
    let mut case = Case::new("a.log", Start::Beginning, |c| c.append("a.log", "1\n23"));
    let mut bytes = 0;
    for text in ["", "4\n"] {
        case.append("a.log", text);
        case.follower.poll(case.now, &mut |f| {
            if let Found::Bytes(n) = f {
                bytes += n;
            }
        });
    }
    assert_eq!(bytes, 6);
}

#[test]
fn existing_files_start_at_their_end_and_later_ones_at_their_beginning() {
    let mut case = Case::new("*.log", Start::End, |c| c.append("a.log", "old\n"));
    assert_eq!(case.pass(), NONE);
    case.append("a.log", "new\n");
    case.append("b.log", "first\n");
    assert_eq!(case.pass(), ["new", "first"]);
}

#[test]
fn a_line_that_is_being_written_at_the_start_counts_whole() {
    let mut case = Case::new("a.log", Start::End, |c| c.append("a.log", "old\nhalf"));
    assert_eq!(case.pass(), NONE);
    case.append("a.log", " and half\n");
    assert_eq!(case.pass(), ["half and half"]);
}

#[test]
fn missing_at_start_is_normal() {
    let mut case = Case::new("deep/a.log", Start::End, |_| {});
    assert_eq!(case.pass(), NONE);
    fs::create_dir(case.path("deep")).expect("folder");
    case.append("deep/a.log", "1\n");
    assert_eq!(case.pass(), ["1"]);
}

#[test]
fn rename_rotation_with_the_writer_still_on_the_old_file() {
    let mut case = Case::new("a.log", Start::Beginning, |c| c.append("a.log", "1\n"));
    let mut old = case.writer("a.log");
    assert_eq!(case.pass(), ["1"]);
    case.rename("a.log", "a.log.1");
    write(&mut old, "2\n");
    assert_eq!(case.pass(), ["<rename>", "2"]);
    write(&mut old, "3\n");
    case.append("a.log", "4\n");
    assert_eq!(case.pass(), ["3", "4"], "the old file comes first");

    // Just before it was quiet for long enough, the old file is still read, and the time begins anew.
    case.later(QUIET - Duration::from_millis(1));
    write(&mut old, "5\n6");
    assert_eq!(case.pass(), ["5"]);
    case.later(QUIET - Duration::from_millis(1));
    assert_eq!(case.pass(), NONE);
    case.later(Duration::from_millis(1));
    assert_eq!(case.pass(), ["6"], "the unterminated tail counts as a line");
    assert_eq!(
        descriptors(&case),
        2,
        "let go: the log's and the writer's are left"
    );
    write(&mut old, "late\n");
    case.append("a.log", "7\n");
    assert_eq!(case.pass(), ["late", "7"], "and taken up where it was left");
}

#[test]
fn a_rotated_file_that_matches_under_its_new_name_is_not_read_again() {
    let mut case = Case::new("a.log*", Start::Beginning, |c| c.append("a.log", "1\n"));
    assert_eq!(case.pass(), ["1"]);
    case.rename("a.log", "a.log.1");
    case.append("a.log", "2\n");
    assert_eq!(case.pass(), ["<rename>", "2"]);
    case.later(QUIET);
    assert_eq!(case.pass(), NONE);
    case.later(GRACE * 2);
    assert_eq!(case.pass(), NONE, "remembered as long as it is listed");
    assert_eq!(case.pass(), NONE);

    case.rename("a.log.1", "a.log.2");
    case.rename("a.log", "a.log.1");
    case.append("a.log", "3\n");
    assert_eq!(case.pass(), ["<rename>", "3"]);
    case.append("a.log.2", "late\n");
    assert_eq!(
        case.pass(),
        ["late"],
        "a late writer is read from where it was left"
    );
    fs::write(case.path("a.log.1.gz"), "no lines\n").expect("written");
    assert_eq!(case.pass(), NONE, "compressed");
}

#[test]
fn an_identity_survives_a_listing_that_misses_it() {
    let mut case = Case::new("a.log*", Start::Beginning, |c| c.append("a.log", "1\n"));
    assert_eq!(case.pass(), ["1"]);
    case.rename("a.log", "a.log.1");
    assert_eq!(case.pass(), ["<rename>"]);
    case.later(QUIET);
    assert_eq!(case.pass(), NONE);
    case.rename("a.log.1", "hidden");
    case.later(GRACE - Duration::from_millis(1));
    assert_eq!(case.pass(), NONE);
    case.rename("hidden", "a.log.1");
    assert_eq!(case.pass(), NONE);
}

#[test]
fn truncation() {
    let mut case = Case::new("a.log", Start::Beginning, |c| {
        c.append("a.log", "1\n2\nhalf")
    });
    assert_eq!(case.pass(), ["1", "2"]);
    File::create(case.path("a.log")).expect("truncated");
    assert_eq!(case.pass(), ["<truncate>"]);
    case.append("a.log", "3\n");
    assert_eq!(case.pass(), ["3"]);
    case.later(GRACE);
    assert_eq!(case.pass(), ["<lost torn_line 4>"], "no copy came");
    assert_eq!(case.pass(), NONE);
}

/// The copier read up to some place, others were read since, one a pass, and nobody saw the copy before the truncation.
#[test]
fn a_copy_that_ends_before_what_was_read_last_is_known_by_an_earlier_place() {
    // As long as a head: by that a copy is known first.
    let first = "1".repeat(HEAD_MAX);
    let mut case = Case::new("a.log", Start::Beginning, |_| {});
    for line in [first.as_str(), "2", "3", "4", "5"] {
        case.append("a.log", &format!("{line}\n"));
        assert_eq!(case.pass(), [line]);
    }
    case.append("a.log.1", &format!("{first}\n2\n3\n"));
    File::create(case.path("a.log")).expect("truncated");
    case.append("a.log", "6\n");
    assert_eq!(case.pass(), ["<truncate>", "6"], "nothing twice");
    case.later(GRACE);
    assert_eq!(case.pass(), NONE, "nothing is missing");
}

#[test]
fn the_hole_that_a_writer_leaves_after_truncation_is_counted() {
    let mut case = Case::new("a.log", Start::Beginning, |_| {});
    let mut writer = File::create(case.path("a.log")).expect("log");
    write(&mut writer, "12345678\n");
    assert_eq!(case.pass(), ["12345678"]);
    OpenOptions::new()
        .write(true)
        .truncate(true)
        .open(case.path("a.log"))
        .expect("truncated");
    assert_eq!(case.pass(), ["<truncate>"]);
    write(&mut writer, "2\n");
    assert_eq!(case.pass(), ["<lost nul_run 9>", "2"]);
}

#[test]
fn a_deleted_and_created_file_is_another_even_on_the_same_inode() {
    let mut case = Case::new("a.log", Start::Beginning, |c| c.append("a.log", "1\n"));
    assert_eq!(case.pass(), ["1"]);
    case.remove("a.log");
    case.append("a.log", "2 longer\n");
    assert_eq!(case.pass(), ["<replaced>", "2 longer"]);
    case.remove("a.log");
    assert_eq!(case.pass(), ["<replaced>"]);
    case.later(QUIET);
    assert_eq!(case.pass(), NONE);
    case.append("a.log", "3 longer\n");
    assert_eq!(
        case.pass(),
        ["3 longer"],
        "the closed file's inode is free to be reused"
    );
}

/// As logrotate's `dateext` with `extension .log` names it: a pattern matches it as a log of its own.
#[test]
fn a_copy_that_the_pattern_matches_is_no_log_of_its_own() {
    let mut case = Case::new("a*.log", Start::Beginning, |c| c.append("a.log", "1\n"));
    assert_eq!(case.pass(), ["1"]);
    case.append("a.log", "2\n");
    case.append("a-1.log", "");
    assert_eq!(case.pass(), ["2"]);
    case.append("a-1.log", "1\n2\n");
    case.append("a.log", "3\nha");
    assert_eq!(
        case.pass(),
        ["3"],
        "what begins as the log does is left alone"
    );
    case.append("a.log", "lf\n5\n");
    case.append("a-1.log", "3\nhalf\n5\nhalf");
    File::create(case.path("a.log")).expect("truncated");
    case.append("a.log", "6\n");
    assert_eq!(
        case.pass(),
        ["<truncate>", "half", "5", "6"],
        "the rest stands in the copy"
    );
    for quiet in 0..3 {
        case.later(QUIET);
        let expected: &[_] = if quiet == 0 {
            &["<lost torn_line 4>"]
        } else {
            &[]
        };
        assert_eq!(case.pass(), expected);
    }

    case.append("b.log", "");
    case.append("a-b.log", "7\n");
    assert_eq!(case.pass(), ["7"], "another log");
}
