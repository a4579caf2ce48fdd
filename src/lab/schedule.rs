//! What goes wrong in the laboratory, and when: a pure function of the time since its start.
//!
//! Knows replicas by number only. Faults come in turn, so that every replica meets every fault, and
//! early enough that a minute shows each of them.

use std::time::Duration;

/// The laboratory's times. [`Plan::default`] is the demonstration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Between two heartbeats of a stream; also the users' unit of time.
    pub heartbeat: Duration,
    /// Silence after which the proxy cuts (nginx `proxy_read_timeout`).
    pub read_timeout: Duration,
    /// Between two kills; the first comes after half of it. Zero: never.
    pub kill_every: Duration,
    /// How long a killed replica stays down.
    pub down_for: Duration,
    /// Between two naps; the first comes after a quarter of it. Zero: never.
    pub nap_every: Duration,
    /// How long a replica's heartbeats stop; above `read_timeout` the proxy cuts its streams.
    pub nap_for: Duration,
    /// Between two orderly ends of all streams of a replica; the first comes after half of it. Zero: never.
    pub close_every: Duration,
    /// Simulated users, at most [`USERS_MAX`].
    pub users: usize,
}

/// The most users that a plan may ask for.
pub const USERS_MAX: usize = 16;

impl Default for Plan {
    fn default() -> Self {
        Self {
            heartbeat: Duration::from_secs(1),
            read_timeout: Duration::from_secs(4),
            kill_every: Duration::from_secs(20),
            down_for: Duration::from_secs(3),
            nap_every: Duration::from_secs(15),
            nap_for: Duration::from_secs(6),
            close_every: Duration::from_secs(34),
            users: 6,
        }
    }
}

impl Plan {
    /// The same plan, played `times` as fast; 0 counts as 1.
    #[must_use]
    pub fn faster(self, times: u32) -> Self {
        let times = times.max(1);
        Self {
            heartbeat: self.heartbeat / times,
            read_timeout: self.read_timeout / times,
            kill_every: self.kill_every / times,
            down_for: self.down_for / times,
            nap_every: self.nap_every / times,
            nap_for: self.nap_for / times,
            close_every: self.close_every / times,
            users: self.users,
        }
    }
}

/// One fault, or the repair of one, at the replica with this number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Tear every connection down and refuse new ones.
    Kill(usize),
    /// Come back after a kill, every session forgotten.
    Start(usize),
    /// Stop the heartbeats for `Plan::nap_for`.
    Nap(usize),
    /// End every stream in order.
    CloseStreams(usize),
}

/// Everything that is due at one time.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Due {
    /// Since the start of the laboratory.
    pub(super) at: Duration,
    /// In the order in which to do it.
    pub(super) actions: Vec<Action>,
}

/// What is due next, strictly after `elapsed`, among `replicas` replicas; `None` if nothing ever is.
pub(super) fn next(plan: &Plan, replicas: usize, elapsed: Duration) -> Option<Due> {
    let replicas = replicas.max(1);
    let kill = turn(plan.kill_every / 2, plan.kill_every, elapsed);
    let start = turn(
        plan.kill_every / 2 + plan.down_for,
        plan.kill_every,
        elapsed,
    );
    let nap = turn(plan.nap_every / 4, plan.nap_every, elapsed);
    let close = turn(plan.close_every / 2, plan.close_every, elapsed);
    // Naps and closes start at other replicas than kills do, so that they seldom meet a dead one.
    let all = [
        kill.map(|turn| (turn.at, Action::Kill(turn.nth % replicas))),
        start.map(|turn| (turn.at, Action::Start(turn.nth % replicas))),
        nap.map(|turn| (turn.at, Action::Nap((turn.nth + 1) % replicas))),
        close.map(|turn| (turn.at, Action::CloseStreams((turn.nth + 2) % replicas))),
    ];
    let at = all.iter().flatten().map(|(at, _)| *at).min()?;
    let actions = all
        .into_iter()
        .flatten()
        .filter(|due| due.0 == at)
        .map(|due| due.1)
        .collect();
    Some(Due { at, actions })
}

struct Turn {
    at: Duration,
    nth: usize,
}

/// The first turn strictly after `elapsed` of those at `first`, `first + every`, ...
fn turn(first: Duration, every: Duration, elapsed: Duration) -> Option<Turn> {
    let nth = match elapsed.checked_sub(first) {
        None => 0,
        Some(past) => past.as_nanos().checked_div(every.as_nanos())? + 1,
    };
    let nth = u32::try_from(nth).ok()?;
    let at = every.checked_mul(nth)?.checked_add(first)?;
    (!every.is_zero()).then_some(Turn {
        at,
        nth: nth as usize,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn millis(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn minute(plan: &Plan) -> Vec<(u64, Action)> {
        let mut elapsed = Duration::ZERO;
        let mut played = Vec::new();
        while let Some(due) = next(plan, 3, elapsed)
            && due.at <= millis(60_000)
        {
            assert!(due.at > elapsed, "{due:?} after {elapsed:?}");
            elapsed = due.at;
            played.extend(
                due.actions
                    .iter()
                    .map(|action| (due.at.as_millis() as u64, *action)),
            );
        }
        played
    }

    #[test]
    fn the_demonstration_meets_every_fault_within_a_minute() {
        let expected = [
            (3_750, Action::Nap(1)),
            (10_000, Action::Kill(0)),
            (13_000, Action::Start(0)),
            (17_000, Action::CloseStreams(2)),
            (18_750, Action::Nap(2)),
            (30_000, Action::Kill(1)),
            (33_000, Action::Start(1)),
            (33_750, Action::Nap(0)),
            (48_750, Action::Nap(1)),
            (50_000, Action::Kill(2)),
            (51_000, Action::CloseStreams(0)),
            (53_000, Action::Start(2)),
        ];
        assert_eq!(minute(&Plan::default()), expected);
    }

    #[test]
    fn what_falls_together_is_done_together() {
        let plan = Plan {
            kill_every: millis(8_000),
            down_for: millis(500),
            nap_every: millis(16_000),
            close_every: Duration::ZERO,
            ..Plan::default()
        };
        let due = next(&plan, 3, millis(1)).expect("due");
        assert_eq!(
            due,
            Due {
                at: millis(4_000),
                actions: vec![Action::Kill(0), Action::Nap(1)]
            }
        );
    }

    #[test]
    fn zero_means_never() {
        let never = Plan {
            kill_every: Duration::ZERO,
            nap_every: Duration::ZERO,
            close_every: Duration::ZERO,
            ..Plan::default()
        };
        for elapsed in [0, 1, 3_000, 100_000] {
            assert_eq!(next(&never, 3, millis(elapsed)), None);
        }
    }

    #[test]
    fn a_faster_plan_is_the_same_plan() {
        let slow = minute(&Plan::default());
        let fast = minute(&Plan::default().faster(10));
        let same = fast.iter().map(|(at, action)| (at * 10, *action));
        assert!(slow.into_iter().eq(same.take(12)));
    }

    proptest! {
        #[test]
        fn time_only_goes_forward(
            kill in 0_u64..50_000, down in 0_u64..9_000, nap in 0_u64..50_000, close in 0_u64..50_000,
            replicas in 0_usize..9, elapsed in 0_u64..100_000_000,
        ) {
            let plan = Plan {
                kill_every: millis(kill),
                down_for: millis(down),
                nap_every: millis(nap),
                close_every: millis(close),
                ..Plan::default()
            };
            let elapsed = millis(elapsed);
            match next(&plan, replicas, elapsed) {
                Some(due) => prop_assert!(due.at > elapsed && !due.actions.is_empty(), "{due:?}"),
                None => prop_assert_eq!(kill + nap + close, 0),
            }
        }
    }
}
