//! What cannot be read any more is counted, once.

use holter::tasks::tail::{READ_MAX, ROTATED_MAX};

use super::resume::restarted;
use super::*;

#[test]
fn a_compressed_file_that_is_not_read_is_lost_where_nobody_read_what_it_was_made_of() {
    let mut case = Case::new("a.log", Start::Beginning, |c| c.append("a.log", "1\n"));
    assert_eq!(case.pass(), ["1"]);
    // Held open: what it holds is read.
    case.rename("a.log", "a.log.1");
    case.append("a.log.1", "2\n");
    case.append("a.log", "3\n");
    assert_eq!(case.pass(), ["<rename>", "2", "3"]);
    case.remove("a.log.1");
    case.append("a.log.1.zst", "no lines");
    assert_eq!(case.pass(), NONE);
    // Let go, and known: how much of it was read shows in its position.
    case.rename("a.log", "a.log.1");
    case.append("a.log", "4\n");
    case.rename("a.log.1.zst", "a.log.2.zst");
    assert_eq!(case.pass(), ["<rename>", "4"]);
    case.later(QUIET);
    assert_eq!(case.pass(), NONE);
    case.remove("a.log.1");
    case.append("a.log.1.xz", "no lines");
    assert_eq!(case.pass(), NONE);
    // While nobody looked: it may have grown.
    restarted(&mut case);
    case.append("a.log", "5\n");
    case.remove("a.log");
    case.append("a.log.0.bz2", "1234567");
    case.append("a.log", "6\n");
    assert_eq!(case.pass(), ["<lost compressed 7>", "6"]);
    restarted(&mut case);
    assert_eq!(case.pass(), NONE);
}

#[test]
fn rotated_files_that_go_while_they_wait_for_room_are_lost() {
    let mut case = Case::new("a.log", Start::Beginning, |_| {});
    assert_eq!(case.pass(), NONE);
    let line = "x".repeat(1023) + "\n";
    let long = line.repeat(READ_MAX / line.len() + 1);
    for i in 0..=ROTATED_MAX {
        case.append(&format!("a.log.{i}"), &long);
        // Its time of birth comes after that of the one before.
        let born = || {
            fs::metadata(case.path("clock"))
                .expect("seen")
                .created()
                .expect("born")
        };
        case.append("clock", "");
        let first = born();
        while first == born() {
            case.remove("clock");
            case.append("clock", "");
        }
    }
    let found = case.pass();
    let renames = found.iter().filter(|found| *found == "<rename>").count();
    assert_eq!(renames, ROTATED_MAX + 1);
    let size = long.len() as u64;
    assert_eq!(case.follower.lag_bytes(), size + 1024 * ROTATED_MAX as u64);
    case.remove(&format!("a.log.{ROTATED_MAX}"));
    assert_eq!(case.pass().len(), ROTATED_MAX);
    case.later(GRACE);
    assert_eq!(case.pass(), [format!("<lost deleted {size}>")]);
    assert_eq!(case.follower.lag_bytes(), 0);
}

#[test]
fn files_beyond_what_is_listed_are_told_of_once() {
    let mut case = Case::new("*.log", Start::End, |_| {});
    assert_eq!(case.pass(), NONE);
    for i in 0..4200 {
        fs::write(case.path(&format!("{i:04}.log")), format!("{i}\n")).expect("written");
    }
    let mut capped = 0;
    let mut lines = 0;
    for _ in 0..3 {
        let found = case.pass();
        capped += found.iter().filter(|found| *found == "<capped>").count();
        lines += found.iter().filter(|found| !found.starts_with('<')).count();
        case.later(GRACE);
    }
    assert_eq!((capped, lines), (1, holter::tasks::tail::FILES_MAX));
}

/// What a writer goes on writing to a file that was deleted keeps its disk space for two minutes, and no longer.
#[test]
fn a_deleted_file_is_let_go_whoever_writes_to_it() {
    let mut case = Case::new("a.log", Start::Beginning, |c| c.append("a.log", "1\n"));
    let mut writer = case.writer("a.log");
    assert_eq!(case.pass(), ["1"]);
    case.remove("a.log");
    assert_eq!(case.pass(), ["<replaced>"]);
    for _ in 0..12 {
        case.later(HELD / 12);
        write(&mut writer, "2\n");
        assert_eq!(case.pass(), ["2"]);
    }
    assert_eq!(descriptors(&case), 1, "the writer's own is left");
    write(&mut writer, "3\n");
    case.later(HELD);
    assert_eq!(case.pass(), NONE);
    assert_eq!(case.follower.lag_bytes(), 0);
}
