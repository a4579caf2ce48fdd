//! Evidence to reason and side, row by row.

use super::*;

fn seconds(value: f64) -> Duration {
    Duration::from_secs_f64(value)
}

fn cut(leg: Leg, age: f64, silence: f64, survival: Survival) -> Evidence {
    Evidence {
        leg,
        cause: Cause::Truncated,
        tail: Tail::Whole,
        age: seconds(age),
        silence: seconds(silence),
        has_spoken: true,
        survival,
    }
}

/// A slot that lived through 15 s of silence and was cut twice before.
fn history() -> History {
    let mut history = History::default();
    history.open();
    history.survive(seconds(15.0));
    history.cut(seconds(300.0), seconds(60.1));
    history.cut(seconds(120.2), seconds(7.0));
    history.open();
    history
}

fn reset(leg: Leg, age: f64, silence: f64, survival: Survival) -> Evidence {
    Evidence {
        cause: Cause::Reset,
        ..cut(leg, age, silence, survival)
    }
}

fn check(evidence: Evidence, reason: Reason, side: Side) {
    assert_eq!(
        of_stream(&evidence, &history()),
        (reason, side),
        "{evidence:?}"
    );
}

#[test]
#[rustfmt::skip] // A table.
fn a_cut_is_judged_by_leg_silence_and_survival() {
    use Leg::{Direct, Proxy};
    use Survival::{Alive, Gone, ProxyGone, Unasked, Undecided, Unreachable};
    for (evidence, reason, side) in [
        (cut(Direct, 300.0, 60.0, Unasked), Reason::ServerCut, Side::Server),
        (cut(Direct, 300.0, 60.0, Gone), Reason::ServerCut, Side::Server),
        (cut(Direct, 300.0, 60.0, Unreachable), Reason::ServerCut, Side::Server),
        (cut(Direct, 300.0, 60.0, Alive), Reason::ServerCut, Side::Unknown),
        (cut(Proxy, 99.0, 45.0, Alive), Reason::IdleTimeout, Side::Proxy),
        (cut(Proxy, 99.0, 14.0, Alive), Reason::Unknown, Side::Proxy),
        (cut(Proxy, 120.0, 3.0, Alive), Reason::MaxDuration, Side::Proxy),
        (cut(Proxy, 99.0, 45.0, Gone), Reason::ServerCut, Side::Server),
        (cut(Proxy, 99.0, 3.0, Unreachable), Reason::ServerCut, Side::Server),
        (cut(Proxy, 99.0, 3.0, ProxyGone), Reason::Unknown, Side::Proxy),
        (cut(Proxy, 99.0, 60.0, Unasked), Reason::IdleTimeout, Side::Proxy),
        (cut(Proxy, 99.0, 60.0, Undecided), Reason::IdleTimeout, Side::Proxy),
        (cut(Proxy, 99.0, 45.0, Unasked), Reason::Unknown, Side::Unknown),
        (cut(Proxy, 99.0, 7.0, Unasked), Reason::Unknown, Side::Unknown),
    ] {
        check(evidence, reason, side);
    }
}

#[test]
#[rustfmt::skip] // A table.
fn a_reset_is_judged_as_a_cut_is() {
    use Leg::{Direct, Proxy};
    use Survival::{Alive, Gone, ProxyGone, Unasked, Undecided, Unreachable};
    for (evidence, reason, side) in [
        (reset(Direct, 300.0, 60.0, Unasked), Reason::ServerReset, Side::Server),
        (reset(Direct, 300.0, 60.0, Gone), Reason::ServerReset, Side::Server),
        (reset(Direct, 300.0, 60.0, Alive), Reason::ServerReset, Side::Unknown),
        // The session lives: a timer of the proxy's where the silence or the age says so.
        (reset(Proxy, 99.0, 45.0, Alive), Reason::IdleTimeout, Side::Proxy),
        (reset(Proxy, 120.0, 3.0, Alive), Reason::MaxDuration, Side::Proxy),
        (reset(Proxy, 99.0, 14.0, Alive), Reason::ServerReset, Side::Unknown),
        (reset(Proxy, 99.0, 45.0, Gone), Reason::ServerReset, Side::Server),
        (reset(Proxy, 120.0, 3.0, Unreachable), Reason::ServerReset, Side::Server),
        (reset(Proxy, 99.0, 45.0, ProxyGone), Reason::ServerReset, Side::Proxy),
        (reset(Proxy, 99.0, 60.0, Unasked), Reason::IdleTimeout, Side::Proxy),
        (reset(Proxy, 99.0, 60.0, Undecided), Reason::IdleTimeout, Side::Proxy),
        (reset(Proxy, 99.0, 45.0, Unasked), Reason::ServerReset, Side::Unknown),
        (reset(Proxy, 120.0, 3.0, Undecided), Reason::ServerReset, Side::Unknown),
    ] {
        let over_h2 = Evidence { cause: Cause::StreamReset, ..evidence };
        check(evidence, reason, side);
        check(over_h2, reason, side);
    }
    // A Close frame is the server's word, however often it comes after the same silence.
    let complaint = Evidence { cause: Cause::Complaint, ..cut(Proxy, 99.0, 60.0, Unasked) };
    check(complaint, Reason::ServerReset, Side::Unknown);
}

#[test]
fn other_ends_are_what_the_wire_says() {
    let of = |leg, cause, tail| {
        let evidence = Evidence {
            cause,
            tail,
            ..cut(leg, 9.0, 1.0, Survival::Unasked)
        };
        of_stream(&evidence, &History::default())
    };
    let (direct, proxy) = (Leg::Direct, Leg::Proxy);
    assert_eq!(
        of(direct, Cause::CleanEnd, Tail::Whole),
        (Reason::ServerClose, Side::Server)
    );
    assert_eq!(
        of(proxy, Cause::CleanEnd, Tail::Whole),
        (Reason::ServerClose, Side::Unknown)
    );
    assert_eq!(
        of(direct, Cause::CleanEnd, Tail::Cut),
        (Reason::ServerCut, Side::Server)
    );
    assert_eq!(
        of(proxy, Cause::CleanEnd, Tail::Cut),
        (Reason::Unknown, Side::Unknown)
    );
    assert_eq!(
        of(direct, Cause::Reset, Tail::Whole),
        (Reason::ServerReset, Side::Server)
    );
    assert_eq!(
        of(proxy, Cause::DeadPeer, Tail::Whole),
        (Reason::HeartbeatTimeout, Side::Unknown)
    );
    assert_eq!(
        of(proxy, Cause::Other, Tail::Whole),
        (Reason::Unknown, Side::Unknown)
    );
}

#[test]
fn history_is_bounded() {
    let mut history = History::default();
    for _ in 0..100 {
        history.open();
        history.cut(seconds(1.0), seconds(1.0));
    }
    assert_eq!(
        (history.cuts.len(), history.survived.len()),
        (REMEMBERED, REMEMBERED)
    );
}
