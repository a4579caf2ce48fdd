//! A follower goes on where another was left: the checkpoint through its serialised form.

use std::os::unix::fs::symlink;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use holter::tail::checkpoint::OpenLine;
use holter::tail::follow::Identity;

use super::*;

/// What another process would take up.
pub(super) fn restarted(case: &mut Case) {
    let kept = serde_json::to_string(&case.follower.checkpoint()).expect("written");
    let pattern = case.pattern.clone();
    let checkpoint = serde_json::from_str(&kept).expect("read");
    case.follower = Follower::resume(vec![pattern], Start::End, checkpoint);
}

#[test]
fn known_files_go_on_and_new_ones_begin_at_their_start() {
    let mut case = Case::new("*.log", Start::End, |c| c.append("a.log", "old\n"));
    assert_eq!(case.pass(), NONE);
    case.append("a.log", "1\nha");
    assert_eq!(case.pass(), ["1"]);
    restarted(&mut case);
    case.append("a.log", "lf\n");
    case.append("b.log", "new\n");
    assert_eq!(case.pass(), ["half", "new"]);
    restarted(&mut case);
    restarted(&mut case);
    assert_eq!(case.pass(), NONE, "nothing twice, also before a first pass");
}

/// Goes on behind what stands in `a.log` by now, with a line of which a piece stands there.
pub(super) fn restarted_inside_a_line(case: &mut Case, from: u64, id: Option<Identity>) {
    let mut read = None;
    case.follower.poll(case.now, &mut |found| {
        if let Found::File(place) = found {
            read = Some(place.id);
        }
    });
    let line = OpenLine {
        path: case.path("a.log").display().to_string(),
        id: id.or(read).expect("read"),
        from,
    };
    let checkpoint = case.follower.checkpoint().with_open_lines([line]);
    case.follower = Follower::resume(vec![case.pattern.clone()], Start::End, checkpoint);
}

#[test]
fn what_may_hold_a_piece_is_read_again_and_no_further() {
    let mut case = Case::new("a.log", Start::Beginning, |c| {
        c.append("a.log", "1\n2\n3\nhal")
    });
    restarted_inside_a_line(&mut case, 2, None);
    case.append("a.log", "f\n");
    case.rename("a.log", "a.log.1");
    case.append("a.log", "5\n");
    let mut found = Vec::new();
    let mut bytes = 0;
    case.follower.poll(case.now, &mut |f| {
        match &f {
            Found::Bytes(settled) => bytes += settled,
            Found::File(place) => assert!(place.path == Path::new(&case.pattern), "{place:?}"),
            _ => {}
        }
        found.extend(shown(&f));
    });
    assert_eq!(found, ["<again 2>", "<again 3>", "<rename>", "half", "5"]);
    assert_eq!(bytes, 7, "what is read again is not counted again");
    assert_eq!(case.pass(), NONE, "only once");
}

#[test]
fn what_is_not_the_same_file_any_more_is_not_read_again() {
    let mut case = Case::new("a.log", Start::Beginning, |c| c.append("a.log", "1\n2\n"));
    restarted_inside_a_line(&mut case, 2, None);
    fs::write(case.path("a.log"), "3\n4\n5\n").expect("written anew");
    assert_eq!(case.pass(), ["<truncate>", "3", "4", "5"]);
    let other = Identity {
        dev: 0,
        ino: 0,
        born: None,
    };
    case.append("a.log", "6\n");
    restarted_inside_a_line(&mut case, 2, Some(other));
    assert_eq!(case.pass(), NONE, "of a file that is not known");
}

/// A scrape may come between two parts of a pass: what it stores is where the part before ended, in every file.
#[test]
fn the_place_in_the_middle_of_a_pass_is_one_to_go_on_from() {
    let mut case = Case::new("*.log", Start::End, |c| {
        c.append("a.log", "");
        c.append("b.log", "");
    });
    assert_eq!(case.pass(), NONE);
    let lines = |name: char| {
        let numbers = (0..60_000).map(move |n| format!("{name} {n}"));
        numbers.collect::<Vec<_>>()
    };
    let (a, b) = (lines('a'), lines('b'));
    case.append("a.log", &(a.join("\n") + "\n"));
    case.append("b.log", &(b.join("\n") + "\n"));
    let mut found = Vec::new();
    for parts in [1, 2, 3] {
        let mut on = |one: Found<'_>| {
            if let Found::Line(line) = one {
                found.push(String::from_utf8_lossy(line).into_owned());
            }
        };
        case.follower.begin_pass(case.now, &mut on);
        for _ in 0..parts {
            assert!(case.follower.read_part(case.now, &mut on), "a part is all");
        }
        restarted(&mut case);
    }
    found.extend(case.pass());
    found.sort();
    let mut all = [a, b].concat();
    all.sort();
    assert!(found == all, "{} lines of {}", found.len(), all.len());
}

/// As where a container starts anew: its link leads to another file, and the old one stands where it stood.
#[test]
fn what_a_symlink_led_to_is_read_out_after_it_was_switched() {
    let mut case = Case::new("*.log", Start::End, |c| {
        c.append("0.txt", "old\n");
        symlink(c.path("0.txt"), c.path("a.log")).expect("link");
    });
    assert_eq!(case.pass(), NONE);
    case.append("0.txt", "1\n");
    assert_eq!(case.pass(), ["1"]);
    restarted(&mut case);
    case.append("0.txt", "2\n");
    case.append("1.txt", "3\n");
    symlink(case.path("1.txt"), case.path("new")).expect("link");
    case.rename("new", "a.log");
    let mut lines = case.pass();
    lines.retain(|line| !line.starts_with('<'));
    lines.sort();
    assert_eq!(lines, ["2", "3"]);
    case.later(QUIET);
    assert_eq!(case.pass(), NONE);
    case.later(GRACE * 2);
    assert_eq!(case.pass(), NONE);
    case.append("0.txt", "late\n");
    assert_eq!(case.pass(), ["late"], "known as long as it stands there");

    // Another file at that place is none that was known.
    case.later(QUIET);
    assert_eq!(case.pass(), NONE);
    case.remove("0.txt");
    case.append("other", "");
    case.append("0.txt", "not followed\n");
    assert_eq!(case.pass(), NONE);
}

/// Each file that was rotated away counts as one, when and how often whoever was restarted.
#[test]
fn rotations_while_down_are_counted_once() {
    let mut case = Case::new("a.log*", Start::End, |c| c.append("a.log", "old\n"));
    assert_eq!(case.pass(), NONE);
    restarted(&mut case);
    case.append("a.log", "1\n");
    case.rename("a.log", "a.log.1");
    for pass in 0..3 {
        let expected: &[_] = if pass == 0 { &["<rename>", "1"] } else { &[] };
        assert_eq!(
            case.pass(),
            expected,
            "also while nothing stands at the log's path"
        );
        restarted(&mut case);
    }
    case.append("a.log", "2\n");
    assert_eq!(case.pass(), ["2"]);
    // Read out, and nothing to be read of it again.
    case.rename("a.log", "a.log.2");
    restarted(&mut case);
    assert_eq!(case.pass(), ["<rename>"]);
    // Two at once: of the first nobody saw that it was the log.
    case.append("a.log", "3\n");
    case.rename("a.log", "a.log.3");
    case.append("a.log", "4\n");
    assert_eq!(case.pass(), ["<rename>", "3", "4"]);
    restarted(&mut case);
    case.remove("a.log");
    assert_eq!(case.pass(), NONE, "not listed, or gone");
    case.later(GRACE);
    assert_eq!(case.pass(), ["<replaced>"]);
    case.later(GRACE);
    assert_eq!(case.pass(), NONE);
}

/// A compressed file is read in parts like any other, and after each is a place to go on from.
#[test]
fn a_compressed_file_is_gone_on_with_in_its_middle() {
    let mut case = Case::new("a.log", Start::Beginning, |c| c.append("a.log", "first\n"));
    assert_eq!(case.pass(), ["first"]);
    restarted(&mut case);
    let lines: Vec<_> = (0..100_000).map(|n| format!("line {n:020}")).collect();
    case.append("a.log", &(lines.join("\n") + "\n"));
    let text = fs::read(case.path("a.log")).expect("read");
    for name in ["a.log.1.gz", "a.log.2.gz"] {
        let mut gz = GzEncoder::new(case.writer(name), Compression::fast());
        // The other is a log of its own.
        gz.write_all(if name == "a.log.1.gz" {
            &text
        } else {
            b"other\n"
        })
        .expect("compressed");
        gz.finish().expect("compressed");
    }
    case.remove("a.log");
    case.append("a.log", "last\n");
    let mut found = Vec::new();
    let mut is_over = false;
    for parts in (25..).step_by(25) {
        let mut taken = 0;
        let mut on = |one: Found<'_>| {
            if let Found::Line(line) = one {
                taken += line.len() + 1;
                found.push(String::from_utf8_lossy(line).into_owned());
            }
        };
        case.follower.begin_pass(case.now, &mut on);
        for _ in 0..parts {
            if !case.follower.read_part(case.now, &mut on) {
                is_over = !case.follower.end_pass(case.now, &mut on);
                break;
            }
        }
        assert!(taken <= parts * 64 * 1024 + 100, "{taken} in {parts} parts");
        if is_over {
            break;
        }
        restarted(&mut case);
    }
    found.sort();
    let mut all = lines;
    all.extend(["last".to_owned(), "other".to_owned()]);
    all.sort();
    assert!(found == all, "{} lines of {}", found.len(), all.len());
    restarted(&mut case);
    assert_eq!(case.pass(), NONE);
    case.later(GRACE);
    assert_eq!(case.pass(), NONE, "nothing is missing");
}
