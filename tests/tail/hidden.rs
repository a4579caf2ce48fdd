//! What cannot be looked at for a while is not known to be gone.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::thread;

use rustix::thread::{CapabilitySet, capabilities, set_capabilities};

use super::resume::restarted;
use super::*;

/// Of a thread that may not do what root may: the tests run as root where containers run them.
pub(super) fn unprivileged(test: impl FnOnce() + Send + 'static) {
    let without = move || {
        let mut sets = capabilities(None).expect("known");
        sets.effective -= CapabilitySet::DAC_OVERRIDE | CapabilitySet::DAC_READ_SEARCH;
        set_capabilities(None, sets).expect("given up");
        test();
    };
    thread::spawn(without).join().expect("as expected");
}

pub(super) fn allow(case: &Case, name: &str, mode: u32) {
    fs::set_permissions(case.path(name), Permissions::from_mode(mode)).expect("set");
}

/// A pass that finds nothing but what may not be read.
fn denied(case: &mut Case) {
    let found = case.pass();
    assert!(
        !found.is_empty() && found.iter().all(|one| *one == DENIED),
        "{found:?}"
    );
}

const DENIED: &str = "<open PermissionDenied>";

fn in_folder(pattern: &str, start: Start) -> Case {
    Case::new(pattern, start, |c| {
        fs::create_dir(c.path("d")).expect("folder");
        c.append("d/a.log", "1\n");
    })
}

/// Its names may be used, and not listed.
const USABLE: u32 = 0o311;
const CLOSED: u32 = 0;
const OPEN: u32 = 0o700;

#[test]
fn a_folder_that_cannot_be_listed_for_long_hides_nothing_that_is_read_again() {
    for (pattern, mode) in [
        ("d/a.log", USABLE),
        ("d/a.log", CLOSED),
        ("d/a*", USABLE),
        ("d/a*", CLOSED),
    ] {
        unprivileged(move || {
            let mut case = in_folder(pattern, Start::Beginning);
            assert_eq!(case.pass(), ["1"]);
            case.rename("d/a.log", "d/a.log.1");
            case.append("d/a.log", "2\n");
            assert_eq!(case.pass(), ["<rename>", "2"]);
            case.later(QUIET);
            assert_eq!(case.pass(), NONE);
            allow(&case, "d", mode);
            for _ in 0..3 {
                denied(&mut case);
                case.later(GRACE);
            }
            restarted(&mut case);
            denied(&mut case);
            case.later(GRACE * 2);
            denied(&mut case);
            allow(&case, "d", OPEN);
            case.append("d/a.log", "3\n");
            case.append("d/a.log.1", "late\n");
            assert_eq!(case.pass(), ["late", "3"], "{pattern} {mode:o}");
        });
    }
}

#[test]
fn what_could_not_be_looked_at_first_begins_where_it_can_be() {
    for (pattern, mode) in [("d/a.log", CLOSED), ("d/a.log", USABLE), ("d/a*", CLOSED)] {
        unprivileged(move || {
            let mut case = in_folder(pattern, Start::End);
            case.append("d/a.log.1", "older\n");
            allow(&case, "d", mode);
            denied(&mut case);
            restarted(&mut case);
            denied(&mut case);
            allow(&case, "d", OPEN);
            assert_eq!(case.pass(), NONE, "{pattern} {mode:o}");
            case.append("d/a.log", "2\n");
            case.rename("d/a.log", "d/a.log.1");
            case.append("d/a.log", "3\n");
            assert_eq!(case.pass(), ["<rename>", "2", "3"], "{pattern} {mode:o}");
        });
    }
}

/// One folder of many that may not be listed makes no log begin at its end that comes later in another.
#[test]
fn a_first_look_is_over_for_each_folder_by_itself() {
    unprivileged(|| {
        let mut case = Case::new("*/a*", Start::End, |c| {
            for folder in ["d", "e"] {
                fs::create_dir(c.path(folder)).expect("folder");
                c.append(&format!("{folder}/a.log"), "old\n");
            }
            allow(c, "d", CLOSED);
        });
        denied(&mut case);
        case.append("e/a.log", "1\n");
        fs::create_dir(case.path("f")).expect("folder");
        case.append("f/a.log", "2\n");
        assert_eq!(case.pass(), [DENIED, "1", "2"]);
        case.rename("e/a.log", "e/a.log.1");
        case.append("e/a.log", "3\n");
        assert_eq!(case.pass(), [DENIED, "<rename>", "3"]);
        allow(&case, "d", OPEN);
        assert_eq!(case.pass(), NONE);
        case.append("d/a.log", "4\n");
        assert_eq!(case.pass(), ["4"]);
    });
}

#[test]
fn a_folder_that_is_away_comes_back_with_the_same_files() {
    for pattern in ["d/a.log", "d/*.log"] {
        let mut case = in_folder(pattern, Start::Beginning);
        assert_eq!(case.pass(), ["1"]);
        case.rename("d", "away");
        assert_eq!(case.pass(), ["<rename>"]);
        for _ in 0..3 {
            case.later(GRACE);
            assert_eq!(case.pass(), NONE);
        }
        restarted(&mut case);
        assert_eq!(case.pass(), NONE);
        case.later(GRACE);
        assert_eq!(case.pass(), NONE);
        // Put back one by one.
        fs::create_dir(case.path("d")).expect("folder");
        assert_eq!(case.pass(), NONE);
        case.append("away/a.log", "2\n");
        case.rename("away/a.log", "d/a.log");
        assert_eq!(case.pass(), ["2"], "{pattern}");
    }
}

#[test]
fn a_folder_is_not_away_for_ever() {
    let mut case = in_folder("d/a.log", Start::Beginning);
    assert_eq!(case.pass(), ["1"]);
    case.append("d/a.log", "unread\n");
    restarted(&mut case);
    case.rename("d", "away");
    case.append("away/a.log", "unread\n");
    assert_eq!(case.pass(), NONE);
    case.later(AWAY);
    assert_eq!(case.pass(), ["<replaced>"]);
    case.rename("away", "d");
    assert_eq!(case.pass().len(), 3, "forgotten: read from its first byte");
}
