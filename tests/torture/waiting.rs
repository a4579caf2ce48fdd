//! What is too slow for a random run: a log that was rotated while nobody read comes back compressed while another file of it is
//! held open, which writes on for longer than what is missing is remembered. Time is an argument.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Instant;

use flate2::Compression;
use flate2::write::GzEncoder;
use holter::tail::follow::{GRACE, QUIET};
use holter::tasks::tail::{Follower, Start};

use super::reader::Counted;
use super::writer::line;

/// Whether each line was counted once; prints it.
pub(crate) fn run() -> bool {
    let folder = tempfile::tempdir().expect("a folder");
    let (log, away) = (folder.path().join("access.log"), folder.path().join("away"));
    let pattern = vec![log.display().to_string()];
    let (mut counted, mut now) = (Counted::default(), Instant::now());
    append(&log, 1..=2);
    let mut killed = Follower::new(pattern.clone(), Start::Beginning);
    killed.poll(now, &mut |found| counted.take(found));
    append(&log, 3..=3);
    fs::rename(&log, &away).expect("rotated");
    let mut writer = append(&log, 4..=4);
    let mut follower = Follower::resume(pattern, Start::Beginning, killed.checkpoint());
    follower.poll(now, &mut |found| counted.take(found));
    fs::remove_file(&log).expect("deleted");
    File::create(&log).expect("created");
    follower.poll(now, &mut |found| counted.take(found));
    compress(&away, &folder.path().join("access.log.1.gz"));
    let begin = now;
    let mut last = 4;
    while now < begin + GRACE + QUIET {
        last += 1;
        writer.write_all(line(last).as_bytes()).expect("written");
        follower.poll(now, &mut |found| counted.take(found));
        now += QUIET / 2;
    }
    for _ in 0..3 {
        now += QUIET;
        follower.poll(now, &mut |found| counted.take(found));
    }
    let missing = counted.seen.missing(last);
    let is_exact = missing.is_empty() && counted.seen.twice == 0 && counted.lost() == 0;
    println!(
        "a .gz that waits for {:?}: {missing:?} missing, {} twice, {} bytes lost{}",
        GRACE + QUIET,
        counted.seen.twice,
        counted.lost(),
        if is_exact { "" } else { ": NOT EXACT" }
    );
    is_exact
}

fn append(log: &Path, numbers: RangeInclusive<u64>) -> File {
    let file = OpenOptions::new().append(true).create(true).open(log);
    let mut file = file.expect("the log");
    let text: String = numbers.map(line).collect();
    file.write_all(text.as_bytes()).expect("written");
    file
}

fn compress(plain: &Path, to: &Path) {
    let mut gz = GzEncoder::new(File::create(to).expect("created"), Compression::fast());
    gz.write_all(&fs::read(plain).expect("read"))
        .expect("compressed");
    gz.finish().expect("compressed");
    fs::remove_file(plain).expect("removed");
}
