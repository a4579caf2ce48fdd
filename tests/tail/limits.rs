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
