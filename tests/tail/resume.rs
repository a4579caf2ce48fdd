//! A follower goes on where another was left: the checkpoint through its serialised form.

use super::*;

/// What another process would take up.
fn restarted(case: &mut Case) {
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
