//! What one pass, one line and one source may take, and that what is beyond is counted.

use holter::tail::lines::LINE_MAX;
use holter::tasks::tail::{FILES_MAX, READ_MAX, ROTATED_MAX};

use super::*;

#[test]
fn one_pass_reads_a_bounded_part_and_says_that_more_waits() {
    let line = "x".repeat(1023) + "\n";
    let lines = READ_MAX / line.len() + 3;
    let mut case = Case::new("a.log", Start::Beginning, |c| {
        c.append("a.log", &line.repeat(lines))
    });
    let (first, more) = case.pass_and_more();
    assert_eq!((first.len(), more), (lines - 3, true));
    assert_eq!(case.follower.lag_bytes(), 3 * 1024);
    let (rest, more) = case.pass_and_more();
    assert_eq!((rest.len(), more), (3, false));
    assert_eq!(case.follower.lag_bytes(), 0);
}

#[test]
fn an_endless_line_costs_a_count_and_the_next_line_is_read() {
    let mut case = Case::new("a.log", Start::Beginning, |c| {
        c.append("a.log", &"x".repeat(3 * LINE_MAX));
    });
    assert_eq!(case.pass(), NONE);
    case.append("a.log", "\n1\n");
    assert_eq!(
        case.pass(),
        [
            format!("<lost line_too_long {}>", 3 * LINE_MAX),
            "1".to_owned()
        ]
    );
}

#[test]
fn rotated_files_are_bounded_and_what_is_unread_is_counted() {
    let mut case = Case::new("a.log", Start::Beginning, |_| {});
    let old: Vec<_> = (0..=ROTATED_MAX).map(|i| format!("old.{i}")).collect();
    for name in &old {
        case.append("a.log", "0\n");
        assert_eq!(case.pass().last().expect("read"), "0");
        case.rename("a.log", name);
    }
    // Each has more than one pass reads: the oldest has to go.
    let line = "x".repeat(1023) + "\n";
    for name in &old {
        case.append(name, &line.repeat(READ_MAX / line.len() + 1));
    }
    let found = case.pass();
    let lost: Vec<_> = found.iter().filter(|f| f.starts_with("<lost")).collect();
    assert_eq!(lost, ["<lost rotated_limit 1024>"]);
    assert_eq!(descriptors(&case), ROTATED_MAX);
}

#[test]
fn files_are_bounded_and_what_is_not_read_is_counted_once() {
    let mut case = Case::new("*.log", Start::End, |c| {
        for i in 0..=FILES_MAX {
            c.append(&format!("{i:03}.log"), "old\n");
        }
    });
    assert_eq!(case.pass(), NONE);
    let over = format!("{FILES_MAX:03}.log");
    case.append("000.log", "1\n");
    case.append(&over, "22\n");
    assert_eq!(case.pass(), ["<lost file_limit 3>", "1"]);
    assert_eq!(case.pass(), NONE);
    case.append(&over, "4444\n");
    assert_eq!(case.pass(), ["<lost file_limit 5>"]);
}

/// More rotated files than are held open, each with an unfinished line: all are read, and each line ends in its time.
#[test]
fn rotated_files_with_unfinished_lines_take_no_place_from_unread_ones() {
    let many = 3 * ROTATED_MAX;
    let mut case = Case::new("a.log", Start::Beginning, |_| {});
    case.append("a.log", "live\n");
    assert_eq!(case.pass(), ["live"]);
    for i in 0..many {
        case.append(&format!("a.log.{i:02}"), &format!("{i}\nhalf of {i}"));
    }
    let mut found = case.passes();
    found.retain(|found| found != "<rename>");
    found.sort();
    let mut whole: Vec<_> = (0..many).map(|i| i.to_string()).collect();
    whole.sort();
    assert_eq!(found, whole);
    assert_eq!(case.follower.lag_bytes(), 0);
    assert_eq!(case.pass(), NONE, "only their ends are waited for");

    case.append("a.log.00", " grows\n");
    assert_eq!(case.pass(), ["half of 0 grows"]);
    case.later(QUIET);
    found.clear();
    for _ in 0..4 {
        found.extend(case.pass());
    }
    found.sort();
    let mut halves: Vec<_> = (1..many).map(|i| format!("half of {i}")).collect();
    halves.sort();
    assert_eq!(found, halves);
    case.later(QUIET);
    assert_eq!(case.pass(), NONE);
}

/// What is on disk does not need to be held: of what has to be let go, that comes first.
#[test]
fn a_file_that_is_listed_is_let_go_before_one_that_nothing_leads_to() {
    let mut case = Case::new("a.log", Start::Beginning, |_| {});
    let mut writers = Vec::new();
    for i in 0..=ROTATED_MAX {
        case.append("a.log", "0\n");
        assert_eq!(case.pass().last().expect("read"), "0");
        writers.push(case.writer("a.log"));
        let to = if i == 1 {
            "a.log.1"
        } else {
            &format!("old.{i}")
        };
        case.rename("a.log", to);
    }
    assert_eq!(case.pass(), ["<rename>"]);
    for writer in &mut writers {
        write(writer, "late\n");
    }
    assert_eq!(case.pass(), vec!["late"; ROTATED_MAX]);
    case.later(QUIET);
    assert_eq!(case.pass(), NONE, "now there is room");
    assert_eq!(case.pass(), ["late"]);
}
