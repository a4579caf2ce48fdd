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
