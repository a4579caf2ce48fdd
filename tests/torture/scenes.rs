//! What random runs bring about too seldom, or not at all: single scenes, counted as those are. Time is an argument.

use std::fmt::Display;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use holter::tail::follow::{GRACE, HELD, QUIET};
use holter::tail::print::HEAD_MAX;
use holter::tasks::tail::{Follower, ROTATED_MAX, Start};
use tempfile::TempDir;

use super::copied::descriptors;
use super::reader::{Counted, look};
use super::rotator::compress;
use super::run::Shown;
use super::sums::Sums;
use super::writer::{append, line};

/// What happens, the pattern that is followed meanwhile, and how.
type Scene = (&'static str, &'static str, fn(&mut Stage));

const SCENES: [Scene; 7] = [
    ("a .gz that waits", "access.log", a_gz_that_waits),
    (
        "a copy that ends early",
        "access.log",
        a_copy_that_ends_early,
    ),
    (
        "a copy that the pattern matches",
        "access*.log",
        a_copy_that_the_pattern_matches,
    ),
    ("a folder that is away", "d/*.log", a_folder_that_is_away),
    (
        "a symlink that is switched",
        "*.log",
        a_symlink_that_is_switched,
    ),
    (
        "a deleted file that is held",
        "access.log",
        a_deleted_file_that_is_held,
    ),
    ("unfinished lines", "access.log", unfinished_lines),
];

/// Whether each line was counted once; prints it.
pub(crate) fn run() -> bool {
    let run = |scene: &Scene| {
        let folder = tempfile::tempdir().expect("a folder");
        show(scene, Stage::new(folder, scene.1))
    };
    let is_exact = SCENES.iter().map(run).fold(true, |all, one| all & one);
    is_exact & in_ramfs()
}

/// Plays it on this stage.
fn show((name, _, play): &Scene, mut stage: Stage) -> bool {
    play(&mut stage);
    // Whatever waits for others comes to its end.
    for later in [QUIET, QUIET, QUIET, GRACE] {
        stage.later(later);
    }
    let missing = stage.counted.seen.missing(stage.written.count);
    let (twice, lost) = (stage.counted.seen.twice, stage.counted.lost());
    let is_once = missing.is_empty() && twice == 0 && stage.counted.sums == stage.written;
    let parts = stage.counted.fragments;
    stage.shown.check(is_once && lost == 0 && parts == 0, || {
        let missing = missing.len();
        format!("{missing} lines missing, {twice} twice, {lost} bytes lost, {parts} fragments")
    });
    print(name, &stage.shown)
}

fn print(name: &str, shown: &Shown) -> bool {
    let verdict: &dyn Display = match &shown.wrong[..] {
        [] => &"exact",
        [first, ..] => &format!("NOT EXACT: {first}"),
    };
    println!("{name:35} {verdict}");
    shown.wrong.is_empty()
}

/// A folder, what was written in it, and who follows.
struct Stage {
    folder: TempDir,
    pattern: Vec<String>,
    follower: Follower,
    now: Instant,
    written: Sums,
    counted: Counted,
    shown: Shown,
}

impl Stage {
    fn new(folder: TempDir, pattern: &str) -> Self {
        let pattern = vec![folder.path().join(pattern).display().to_string()];
        Self {
            folder,
            follower: Follower::new(pattern.clone(), Start::Beginning),
            pattern,
            now: Instant::now(),
            written: Sums::default(),
            counted: Counted::default(),
            shown: Shown::default(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn rename(&self, from: &str, to: &str) {
        fs::rename(self.path(from), self.path(to)).expect("renamed");
    }

    fn open(&self, name: &str) -> File {
        append(&self.path(name))
    }

    /// So many lines that are next.
    fn lines(&mut self, count: usize) -> String {
        let next = |_| {
            self.written.add(self.written.count + 1);
            line(self.written.count)
        };
        (0..count).map(next).collect()
    }

    /// Writes them behind the others; who writes goes on with the file.
    fn append(&mut self, name: &str, count: usize) -> File {
        let mut file = self.open(name);
        file.write_all(self.lines(count).as_bytes())
            .expect("written");
        file
    }

    /// Copies of a file what is not yet in its copy, but for so many bytes at its end.
    fn copy(&self, name: &str, to: &str, but: u64) {
        let mut copy = self.open(to);
        let mut text = fs::read(self.path(name)).expect("read");
        text.truncate(text.len() - usize::try_from(but).expect("few"));
        let copied = usize::try_from(copy.metadata().expect("seen").len()).expect("few");
        copy.write_all(&text[copied..]).expect("copied");
    }

    /// Looks until nothing waits; a follower that never is done is wrong.
    fn look(&mut self) {
        let is_done = look(&mut self.follower, &mut self.counted, self.now);
        let lag = self.follower.lag_bytes();
        self.shown
            .check(is_done, || format!("never done: {lag} bytes to read"));
    }

    fn later(&mut self, by: Duration) {
        self.now += by;
        self.look();
    }

    /// Who follows is killed, and another goes on with what was stored.
    fn kill(&mut self) {
        let stored = self.follower.checkpoint();
        self.follower = Follower::resume(self.pattern.clone(), Start::End, stored);
    }
}

/// A log that was rotated while nobody read comes back compressed while another file of it is held open, which is written on for
/// longer than what is missing is remembered.
fn a_gz_that_waits(stage: &mut Stage) {
    stage.append("access.log", 2);
    stage.look();
    stage.append("access.log", 1);
    stage.rename("access.log", "away");
    let mut writer = stage.append("access.log", 1);
    stage.kill();
    stage.look();
    fs::remove_file(stage.path("access.log")).expect("deleted");
    drop(stage.open("access.log"));
    stage.look();
    compress(&stage.path("away"), &stage.path("access.log.1.gz"));
    let end = stage.now + GRACE + QUIET;
    while stage.now < end {
        writer
            .write_all(stage.lines(1).as_bytes())
            .expect("written");
        stage.later(QUIET / 2);
    }
}

/// The copier has read up to some place, others were read since, one at each look, and nobody saw the copy before the log is truncated.
fn a_copy_that_ends_early(stage: &mut Stage) {
    // As long as a head: by that a copy is known first.
    stage.append("access.log", HEAD_MAX / line(1).len() + 1);
    stage.look();
    for _ in 0..4 {
        stage.append("access.log", 1);
        stage.look();
    }
    stage.copy("access.log", "access.log.1", 2 * line(1).len() as u64);
    File::create(stage.path("access.log")).expect("truncated");
    stage.append("access.log", 1);
    stage.look();
}

/// As logrotate's `dateext` with `extension .log` names it, seen while it is written.
fn a_copy_that_the_pattern_matches(stage: &mut Stage) {
    const COPY: &str = "access-20261129.log";
    stage.append("access.log", 1);
    stage.look();
    stage.append("access.log", 1);
    stage.open(COPY);
    stage.look();
    for _ in 0..2 {
        stage.copy("access.log", COPY, 0);
        stage.append("access.log", 1);
        stage.look();
    }
    stage.append("access.log", 1);
    stage.copy("access.log", COPY, 0);
    File::create(stage.path("access.log")).expect("truncated");
    stage.append("access.log", 1);
    stage.look();
}

/// A volume that is unmounted for an hour, and Holter is started anew meanwhile.
fn a_folder_that_is_away(stage: &mut Stage) {
    fs::create_dir(stage.path("d")).expect("a folder");
    stage.append("d/access.log", 3);
    stage.look();
    stage.rename("d", "away");
    for _ in 0..60 {
        stage.later(GRACE);
    }
    stage.kill();
    stage.look();
    stage.later(GRACE);
    stage.rename("away", "d");
    stage.append("d/access.log", 1);
    stage.look();
}

/// A container starts anew while nobody reads: its link leads to another file, and the old one stands where it stood.
fn a_symlink_that_is_switched(stage: &mut Stage) {
    stage.append("0.txt", 1);
    symlink(stage.path("0.txt"), stage.path("access.log")).expect("a link");
    stage.look();
    stage.kill();
    stage.append("0.txt", 1);
    stage.append("1.txt", 1);
    symlink(stage.path("1.txt"), stage.path("new")).expect("a link");
    stage.rename("new", "access.log");
    stage.look();
}

/// It keeps its disk space for two minutes, and no longer, whoever writes to it.
fn a_deleted_file_that_is_held(stage: &mut Stage) {
    let mut writer = stage.append("access.log", 1);
    stage.look();
    fs::remove_file(stage.path("access.log")).expect("deleted");
    stage.look();
    for _ in 0..12 {
        writer
            .write_all(stage.lines(1).as_bytes())
            .expect("written");
        stage.later(HELD / 12);
    }
    let open = descriptors(stage.folder.path());
    stage.shown.check(open == 1, || {
        format!("{open} descriptors, not the writer's alone")
    });
}

/// More rotated files than are held open, each of which waits for the end of its last line.
fn unfinished_lines(stage: &mut Stage) {
    stage.append("access.log", 1);
    stage.look();
    let mut ends = Vec::new();
    for number in 0..3 * ROTATED_MAX {
        let mut file = stage.append(&format!("access.log.{number}"), 1);
        let next = stage.lines(1);
        let (begin, end) = next.split_at(30);
        file.write_all(begin.as_bytes()).expect("written");
        ends.push((file, end.to_owned()));
    }
    stage.look();
    for (mut file, end) in ends {
        file.write_all(end.as_bytes()).expect("written");
    }
    stage.look();
}

/// Where the file system's clock ticks: those that nearly every log is on tell all changes apart that somebody saw since Linux 6.13.
const SEEN_IN_RAMFS: Scene = (
    "changes within one tick",
    "access.log",
    changes_within_one_tick,
);

/// Plays in a file system of its own, which takes a process of its own; `--ramfs` is that process.
fn in_ramfs() -> bool {
    let folder = tempfile::tempdir().expect("a folder");
    let child = Command::new("unshare")
        .args(["--mount", "--propagation", "private", "sh", "-c"])
        .arg(r#"mount -t ramfs none "$1" && exec "$0" --ramfs "$1""#)
        .arg(std::env::current_exe().expect("this program"))
        .arg(folder.path())
        .status();
    child.expect("unshare of util-linux").success()
}

/// The scene for which a file system with a coarse clock was mounted at this folder.
pub(crate) fn run_in_ramfs(folder: &Path) {
    let folder = tempfile::tempdir_in(folder).expect("a folder");
    let scene = SEEN_IN_RAMFS;
    assert!(show(&scene, Stage::new(folder, scene.1)), "not exact");
}

/// The log is written anew, as long as before, so soon that its times stay the same.
fn changes_within_one_tick(stage: &mut Stage) {
    const SOON: Duration = Duration::from_millis(1);
    let log = stage.path("access.log");
    let changed = || {
        let meta = fs::metadata(&log).expect("seen");
        (meta.ctime(), meta.ctime_nsec())
    };
    let mut unseen = 0;
    for _ in 0..200 {
        fs::write(&log, stage.lines(1)).expect("written");
        let first = changed();
        for _ in 0..3 {
            stage.later(SOON);
        }
        for _ in 0..2 {
            fs::write(&log, stage.lines(1)).expect("written anew");
            stage.later(SOON);
        }
        unseen += u32::from(changed() == first);
    }
    stage
        .shown
        .check(unseen > 0, || "its times told every change".to_owned());
}
