//! Both legs on one time line.
#![expect(
    clippy::disallowed_methods,
    reason = "an origin for the test's own time line"
)]

use super::super::fingerprint::CutOff;
use super::super::{LostCause, Transport};
use super::*;

const HELD: Event = Event::Held {
    transport: Transport::StreamableHttp,
    version: "2025-06-18",
    session: true,
};

/// A canary with both legs, one stream each, and what was found.
struct Play {
    pair: Pair,
    now: Instant,
    found: Vec<Finding>,
}

impl Play {
    fn new(legs: &[Leg], streams: usize) -> Self {
        let plan = Plan {
            legs,
            streams,
            interval: Some(Duration::from_secs(15)),
            connect_timeout: Duration::from_secs(10),
        };
        Self {
            pair: Pair::new(plan),
            now: Instant::now(),
            found: vec![],
        }
    }

    /// Both legs hold a stream; the proxy's is two seconds younger.
    fn held() -> Self {
        let mut play = Self::new(&[Leg::Direct, Leg::Proxy], 1);
        play.say(Leg::Direct, HELD).after(2.0).say(Leg::Proxy, HELD);
        play
    }

    fn slot(&mut self, leg: Leg, slot: usize, event: &Event) -> &mut Self {
        let found = self.pair.handle(self.now, leg, slot, event);
        self.found.extend(found);
        self
    }

    fn say(&mut self, leg: Leg, event: Event) -> &mut Self {
        self.slot(leg, 0, &event)
    }

    fn ended(&mut self, leg: Leg, reason: Reason, side: Side, age: f64) -> &mut Self {
        self.say(leg, end(reason, side, age))
    }

    fn after(&mut self, seconds: f64) -> &mut Self {
        let to = self.now + Duration::from_secs_f64(seconds);
        while let Some(due) = self.pair.deadline().filter(|due| *due <= to) {
            self.now = self.now.max(due);
            let found = self.pair.tick(self.now);
            assert!(
                !found.is_empty() || self.pair.deadline() != Some(due),
                "it hangs"
            );
            self.found.extend(found);
        }
        self.now = to;
        self
    }

    fn faults(&self) -> Vec<Side> {
        let faults = self.found.iter().filter_map(|finding| match finding {
            Finding::Fault(side) => Some(*side),
            _ => None,
        });
        faults.collect()
    }
}

fn end(reason: Reason, side: Side, age: f64) -> Event {
    Event::Ended(End {
        reason,
        side,
        age: Duration::from_secs_f64(age),
        silence: Duration::from_secs_f64(age),
    })
}

#[test]
fn a_cut_on_the_proxy_leg_alone_is_the_proxy_once_the_other_leg_had_its_time() {
    let mut play = Play::held();
    play.after(60.0)
        .ended(Leg::Proxy, Reason::Unknown, Side::Unknown, 60.0)
        .after(1.0)
        .say(Leg::Proxy, Event::SessionKept)
        .say(Leg::Proxy, HELD);
    assert_eq!(play.faults(), [], "the direct leg may follow");
    play.after(6.0);
    assert_eq!(play.faults(), [Side::Proxy]);
    play.after(100.0);
    assert_eq!(play.faults().len(), 1);
}

#[test]
fn a_server_that_dies_is_one_fault_for_both_legs_and_for_all_that_fails_until_it_is_back() {
    let mut play = Play::held();
    play.after(9.0)
        .ended(Leg::Direct, Reason::ServerCut, Side::Server, 11.0)
        .after(0.1)
        .ended(Leg::Proxy, Reason::ServerCut, Side::Server, 9.0);
    for _ in 0..9 {
        play.after(0.5)
            .say(Leg::Direct, Event::ConnectFailed(Reason::ConnectRefused))
            .say(Leg::Proxy, Event::ConnectFailed(Reason::Http5xx));
    }
    assert_eq!(
        play.faults(),
        [Side::Server],
        "at once: both legs showed all they can"
    );
    play.after(60.0)
        .say(Leg::Direct, HELD)
        .say(Leg::Proxy, HELD);
    play.say(Leg::Proxy, Event::ConnectFailed(Reason::Http5xx))
        .after(30.0);
    assert_eq!(play.faults(), [Side::Server, Side::Proxy]);
}

#[test]
fn streams_torn_together_while_both_sessions_live_are_the_network() {
    let mut play = Play::held();
    play.after(9.0)
        .ended(Leg::Direct, Reason::ServerReset, Side::Server, 11.0)
        .after(0.1)
        .ended(Leg::Proxy, Reason::ServerReset, Side::Unknown, 9.0);
    for leg in [Leg::Direct, Leg::Proxy] {
        play.after(0.7).say(leg, Event::SessionKept).say(leg, HELD);
    }
    assert_eq!(play.faults(), [Side::Network]);
}

#[test]
fn a_clean_end_through_the_proxy_just_before_belongs_to_the_fault() {
    let mut play = Play::held();
    play.after(9.0)
        .ended(Leg::Proxy, Reason::ServerClose, Side::Unknown, 9.0)
        .after(0.1)
        .ended(Leg::Direct, Reason::ServerCut, Side::Server, 11.0)
        .after(1.0)
        .say(Leg::Proxy, Event::SessionLost(LostCause::Unknown))
        .after(30.0);
    assert_eq!(play.faults(), [Side::Server]);
}

#[test]
fn planned_ends_are_no_faults() {
    let mut play = Play::held();
    play.ended(Leg::Proxy, Reason::ServerClose, Side::Unknown, 9.0)
        .say(Leg::Proxy, HELD)
        .ended(Leg::Direct, Reason::Rotated, Side::Client, 9.0)
        .after(100.0);
    assert_eq!(play.faults(), []);
}

#[test]
fn streams_of_one_leg_that_end_together_are_one_fault() {
    let mut play = Play::new(&[Leg::Direct, Leg::Proxy], 3);
    for slot in 0..3 {
        play.slot(Leg::Direct, slot, &HELD)
            .slot(Leg::Proxy, slot, &HELD);
    }
    for slot in 0..3 {
        let end = end(Reason::Unknown, Side::Proxy, 9.0);
        play.after(0.2).slot(Leg::Proxy, slot, &end);
    }
    play.after(60.0);
    assert_eq!(play.faults(), [Side::Proxy]);
}

#[test]
fn a_leg_that_was_down_before_tells_nothing() {
    let mut play = Play::held();
    play.ended(Leg::Proxy, Reason::Unknown, Side::Unknown, 9.0)
        .after(60.0);
    play.ended(Leg::Direct, Reason::ServerCut, Side::Server, 80.0)
        .after(60.0);
    assert_eq!(play.faults(), [Side::Proxy, Side::Server]);
}

#[test]
fn a_stall_of_both_legs_is_the_server_though_one_is_given_up_first() {
    let mut play = Play::held();
    play.after(40.0)
        .say(Leg::Direct, Event::Late)
        .say(Leg::Proxy, Event::Late);
    play.after(40.0)
        .ended(Leg::Proxy, Reason::HeartbeatTimeout, Side::Unknown, 80.0)
        .say(Leg::Proxy, Event::ConnectFailed(Reason::HeartbeatTimeout))
        .after(20.0);
    assert_eq!(play.faults(), [Side::Server]);
}

#[test]
fn leaving_loses_no_fault() {
    let mut play = Play::held();
    play.ended(Leg::Proxy, Reason::Unknown, Side::Proxy, 9.0);
    let found = play.pair.leave(play.now);
    assert_eq!(found, [Finding::Fault(Side::Proxy)]);
    play.say(Leg::Proxy, HELD);
    play.ended(Leg::Proxy, Reason::Unknown, Side::Proxy, 9.0);
    assert_eq!(play.faults(), [Side::Proxy], "at once");
}

#[test]
fn ends_that_repeat_are_told_once_for_the_leg_and_clean_ones_count() {
    let mut play = Play::new(&[Leg::Proxy], 2);
    for _ in 0..3 {
        for slot in 0..2 {
            play.slot(Leg::Proxy, slot, &HELD);
        }
        play.after(300.0);
        let end = end(Reason::ServerClose, Side::Unknown, 300.0);
        play.slot(Leg::Proxy, 0, &end).slot(Leg::Proxy, 1, &end);
    }
    let known = Suspicion {
        kind: CutOff::Idle,
        after: Duration::from_secs(300),
    };
    assert_eq!(play.found, [Finding::CutOff(Leg::Proxy, Some(known))]);
    play.say(Leg::Proxy, HELD).after(1000.0);
    play.say(Leg::Proxy, Event::Gap(Duration::from_secs(1000)));
    assert_eq!(play.found.last(), Some(&Finding::CutOff(Leg::Proxy, None)));
}

#[test]
fn ends_of_our_own_making_are_no_fingerprint() {
    let mut play = Play::new(&[Leg::Direct], 1);
    for reason in [Reason::Rotated, Reason::HeartbeatTimeout, Reason::Drain] {
        for _ in 0..5 {
            play.say(Leg::Direct, HELD)
                .ended(Leg::Direct, reason, Side::Client, 60.0);
        }
    }
    assert!(
        !play
            .found
            .iter()
            .any(|finding| matches!(finding, Finding::CutOff(..)))
    );
}
