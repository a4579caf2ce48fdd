//! What a path may lead to: symlinks, folders, devices, what may not be opened, what is not there yet.

use std::io::ErrorKind;
use std::os::unix::fs::symlink;

use super::hidden::{allow, unprivileged};
use super::*;

#[test]
fn symlinks_are_followed_and_switched() {
    let mut case = Case::new("a.log", Start::Beginning, |c| {
        c.append("0.txt", "1\n");
        symlink(c.path("0.txt"), c.path("a.log")).expect("link");
    });
    assert_eq!(case.pass(), ["1"]);
    case.append("0.txt", "2\n");
    assert_eq!(case.pass(), ["2"]);
    case.append("1.txt", "4\n");
    symlink(case.path("1.txt"), case.path("new")).expect("link");
    case.append("0.txt", "3\n");
    case.rename("new", "a.log");
    assert_eq!(case.pass(), ["<rename>", "3", "4"]);
}

#[test]
fn two_names_of_one_file_are_read_once() {
    let mut case = Case::new("*.log", Start::Beginning, |c| {
        c.append("a.log", "1\n");
        symlink(c.path("a.log"), c.path("b.log")).expect("link");
        fs::hard_link(c.path("a.log"), c.path("c.log")).expect("link");
    });
    assert_eq!(case.pass(), ["1"]);
    case.append("b.log", "2\n");
    assert_eq!(case.pass(), ["2"]);
}

/// A folder where the file should be stands for a file that cannot be opened: it also works as root.
#[test]
fn what_cannot_be_opened_is_tried_again() {
    let mut case = Case::new("a.log", Start::End, |c| {
        fs::create_dir(c.path("a.log")).expect("folder");
    });
    let failed = format!("<open {:?}>", ErrorKind::IsADirectory);
    for _ in 0..2 {
        assert_eq!(case.pass(), std::slice::from_ref(&failed));
    }
    fs::remove_dir(case.path("a.log")).expect("removed");
    case.append("a.log", "1\n");
    assert_eq!(case.pass(), ["1"]);
}

#[test]
fn only_regular_files_are_opened() {
    let mut case = Case::new("x", Start::End, |c| {
        symlink("/dev/null", c.path("x")).expect("link");
    });
    assert_eq!(
        case.pass(),
        [format!("<open {:?}>", ErrorKind::Unsupported)]
    );
    let mut case = Case::new("*", Start::End, |c| {
        fs::create_dir(c.path("folder")).expect("folder");
    });
    assert_eq!(
        case.pass(),
        NONE,
        "a folder that a pattern happens to match"
    );
}

/// As the kubelet lays them out: `containers/POD.log` leads to `pods/POD/0.log`, and that to where the runtime keeps
/// its files, which it rotates there.
#[test]
fn a_containers_log_is_followed_through_both_links_and_over_its_rotation() {
    let mut case = Case::new("containers/*.log", Start::End, |c| {
        for folder in ["containers", "pods", "runtime"] {
            fs::create_dir(c.path(folder)).expect("folder");
        }
        c.append("runtime/0.log", "old\n");
        symlink("../runtime/0.log", c.path("pods/0.log")).expect("link");
        symlink("../pods/0.log", c.path("containers/web.log")).expect("link");
    });
    assert_eq!(case.pass(), NONE);
    case.append("runtime/0.log", "1\n");
    assert_eq!(case.pass(), ["1"]);
    case.append("runtime/0.log", "2\n");
    case.rename("runtime/0.log", "runtime/0.log.20261120-095941");
    assert_eq!(case.pass(), ["<rename>", "2"], "the links lead nowhere");
    case.append("runtime/0.log", "3\n");
    assert_eq!(case.pass(), ["3"]);

    // The container starts anew: its link leads to another file, and so does a link that was not there.
    case.append("runtime/0.log", "4\n");
    case.append("runtime/1.log", "5\n");
    symlink("../runtime/1.log", case.path("pods/1.log")).expect("link");
    symlink("../pods/1.log", case.path("new")).expect("link");
    case.rename("new", "containers/web.log");
    assert_eq!(case.pass(), ["<rename>", "4", "5"]);
    symlink("../runtime/2.log", case.path("containers/second.log")).expect("link");
    assert_eq!(case.pass(), NONE, "leads nowhere yet");
    case.append("runtime/2.log", "6\n");
    assert_eq!(case.pass(), ["6"]);
}

#[test]
fn a_log_that_may_not_be_read_for_a_while_loses_nothing() {
    let mut case = Case::new("a.log", Start::End, |c| c.append("a.log", "old\n"));
    unprivileged(move || {
        let denied = format!("<open {:?}>", ErrorKind::PermissionDenied);
        allow(&case, "a.log", 0);
        assert_eq!(case.pass(), std::slice::from_ref(&denied));
        // What was there before the first look is passed over even though it could not be read then.
        allow(&case, "a.log", 0o600);
        case.append("a.log", "1\n");
        assert_eq!(case.pass(), ["1"]);
        // A file that is open is read on; the one that takes its place is not, until it may be.
        case.rename("a.log", "a.log.1");
        case.append("a.log.1", "2\n");
        case.append("a.log", "3\n");
        allow(&case, "a.log.1", 0);
        allow(&case, "a.log", 0);
        for expected in [vec!["<rename>", &denied, "2"], vec![&denied]] {
            assert_eq!(case.pass(), expected);
            assert_eq!(case.follower.lag_bytes(), 2);
        }
        case.later(GRACE * 2);
        assert_eq!(case.pass(), std::slice::from_ref(&denied));
        allow(&case, "a.log", 0o600);
        case.append("a.log", "4\n");
        assert_eq!(case.pass(), ["3", "4"]);
    });
}
