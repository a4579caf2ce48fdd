//! Buffering: heartbeats that were sent apart arrive together, on the proxy leg only.
//!
//! How far apart they are sent, the direct leg tells: behind a buffering proxy no interval can be learned.
//! A server that sends several at once does so on both legs, and that is no buffering.

use std::time::{Duration, Instant};

use super::heartbeat::Kind;
use super::pair::Finding;
use super::{Event, Leg};
use crate::reason::Side;

/// Beats closer together than this share of the interval came together.
const TOGETHER: f64 = 0.1;
/// The oldest of them must have been held back for this long: a busy machine reads late, too.
const HELD_BACK: Duration = Duration::from_secs(1);
/// How long the direct leg is waited for, at most: it may show the same a heartbeat later.
const GRACE_MAX: Duration = Duration::from_secs(60);

/// Beats of one kind on one stream that came together.
#[derive(Clone, Copy, Debug, Default)]
struct Run {
    last: Option<Instant>,
    length: u32,
    told: u32,
}

/// One leg: its interval, and for each slot the kinds that are sent on a timer.
#[derive(Debug, Default)]
struct Beats {
    interval: Option<Duration>,
    slots: Vec<[Run; 3]>,
}

/// Bursts of one canary's legs.
#[derive(Debug)]
pub struct Bursts {
    direct: Option<Beats>,
    proxy: Option<Beats>,
    /// When the direct leg had one last.
    direct_at: Option<Instant>,
    /// Bursts of the proxy leg that the direct leg may yet explain: since when, how many beats.
    waiting: Option<(Instant, u64)>,
    /// The stream's fault is counted.
    is_known: bool,
}

impl Bursts {
    /// A canary with this many streams on each of these legs, and the configured interval.
    pub fn new(legs: &[Leg], streams: usize, interval: Option<Duration>) -> Self {
        let beats = |leg| {
            legs.contains(&leg).then(|| Beats {
                interval,
                slots: vec![<[Run; 3]>::default(); streams],
            })
        };
        Self {
            direct: beats(Leg::Direct),
            proxy: beats(Leg::Proxy),
            direct_at: None,
            waiting: None,
            is_known: false,
        }
    }

    /// Takes in an event of this slot.
    pub fn handle(&mut self, now: Instant, leg: Leg, slot: usize, event: &Event) -> Vec<Finding> {
        let apart = self.apart(leg);
        let beats = match leg {
            Leg::Direct => &mut self.direct,
            Leg::Proxy => &mut self.proxy,
        };
        let Some(beats) = beats else {
            return vec![];
        };
        match event {
            Event::Learned(interval) => beats.interval = *interval,
            Event::Held { .. } => {
                if let Some(runs) = beats.slots.get_mut(slot) {
                    *runs = <[Run; 3]>::default();
                }
                self.is_known &= leg == Leg::Direct;
            }
            Event::Beat(kind) => {
                let new = beats.beat(now, slot, *kind, apart);
                return self.burst(now, leg, new);
            }
            _ => {}
        }
        vec![]
    }

    /// When to call [`Self::tick`].
    pub fn deadline(&self) -> Option<Instant> {
        Some(self.waiting?.0 + self.grace())
    }

    /// Tells the bursts of the proxy leg that the direct leg did not have.
    pub fn tick(&mut self, now: Instant) -> Vec<Finding> {
        if self.deadline().is_none_or(|due| now < due) {
            return vec![];
        }
        self.tell()
    }

    /// Waits no longer.
    pub fn leave(&mut self) -> Vec<Finding> {
        self.tell()
    }

    fn tell(&mut self) -> Vec<Finding> {
        let grace = self.grace();
        let Some((since, count)) = self.waiting.take() else {
            return vec![];
        };
        if self.direct_at.is_some_and(|direct| direct + grace >= since) {
            return vec![];
        }
        let mut found = vec![Finding::Bursts(Leg::Proxy, count)];
        if !std::mem::replace(&mut self.is_known, true) {
            found.push(Finding::Fault(Side::Proxy));
        }
        found
    }

    fn burst(&mut self, now: Instant, leg: Leg, new: u64) -> Vec<Finding> {
        if new == 0 {
            return vec![];
        }
        match (leg, &self.direct) {
            (Leg::Proxy, Some(_)) => {
                self.waiting.get_or_insert((now, 0)).1 += new;
                return vec![];
            }
            (Leg::Proxy, None) => {}
            (Leg::Direct, _) => self.direct_at = Some(now),
        }
        vec![Finding::Bursts(leg, new)]
    }

    /// How far apart the server sends them.
    fn apart(&self, leg: Leg) -> Option<Duration> {
        let of = |beats: &Option<Beats>| beats.as_ref()?.interval;
        match leg {
            Leg::Direct => of(&self.direct),
            Leg::Proxy => of(&self.direct).or(of(&self.proxy)),
        }
    }

    fn grace(&self) -> Duration {
        let apart = self.apart(Leg::Proxy).unwrap_or_default();
        apart.clamp(HELD_BACK, GRACE_MAX)
    }
}

impl Beats {
    /// How many beats are newly known to have been held back.
    fn beat(&mut self, now: Instant, slot: usize, kind: Kind, apart: Option<Duration>) -> u64 {
        let kind = match kind {
            Kind::Comment => 0,
            Kind::Event => 1,
            Kind::Ping => 2,
            Kind::Data => return 0,
        };
        let run = self.slots.get_mut(slot).and_then(|runs| runs.get_mut(kind));
        let (Some(run), Some(apart)) = (run, apart) else {
            return 0;
        };
        let before = run.last.replace(now);
        let gap = before.map(|before| now.saturating_duration_since(before));
        if gap.is_none_or(|gap| gap >= apart.mul_f64(TOGETHER)) {
            (run.length, run.told) = (0, 0);
            return 0;
        }
        run.length = run.length.saturating_add(1);
        if apart.saturating_mul(run.length) < HELD_BACK {
            return 0;
        }
        let new = run.length - run.told;
        run.told = run.length;
        u64::from(new)
    }
}

#[cfg(test)]
#[expect(
    clippy::disallowed_methods,
    reason = "an origin for the test's own time line"
)]
mod tests {
    use super::*;
    use crate::canary::Transport;

    const BOTH: &[Leg] = &[Leg::Direct, Leg::Proxy];
    const BEAT: Event = Event::Beat(Kind::Comment);
    const HELD: Event = Event::Held {
        transport: Transport::StreamableHttp,
        version: "2025-06-18",
        session: true,
    };

    /// What these beats (seconds, leg) told until a minute after the last.
    fn found(legs: &[Leg], interval: f64, beats: &[(f64, Leg)]) -> Vec<Finding> {
        let start = Instant::now();
        let mut bursts = Bursts::new(legs, 1, Some(Duration::from_secs_f64(interval)));
        let mut found = vec![];
        for (second, leg) in beats {
            let now = start + Duration::from_secs_f64(*second);
            found.extend(bursts.tick(now));
            found.extend(bursts.handle(now, *leg, 0, &BEAT));
        }
        found.extend(bursts.leave());
        found
    }

    #[test]
    fn beats_held_back_on_the_proxy_leg_only_are_buffering() {
        use Leg::{Direct, Proxy};
        let buffered = [
            (15.0, Direct),
            (30.0, Direct),
            (45.0, Direct),
            (45.1, Proxy),
            (45.1, Proxy),
            (45.1, Proxy),
        ];
        let told = [Finding::Bursts(Proxy, 2), Finding::Fault(Side::Proxy)];
        assert_eq!(found(BOTH, 15.0, &buffered), told);
        let busy = [
            (15.0, Direct),
            (45.0, Proxy),
            (45.0, Proxy),
            (45.2, Direct),
            (45.2, Direct),
        ];
        let only_direct = found(BOTH, 15.0, &busy[..1]);
        assert_eq!(only_direct, []);
        let in_step = [(30.0, Direct), (30.0, Direct), (30.1, Proxy), (30.1, Proxy)];
        assert_eq!(found(BOTH, 15.0, &in_step), [Finding::Bursts(Direct, 1)]);
        assert_eq!(
            found(BOTH, 15.0, &busy),
            [Finding::Bursts(Direct, 1)],
            "the direct leg's comes later"
        );
    }

    #[test]
    fn without_a_direct_leg_bursts_have_no_side() {
        let beats = [(15.0, Leg::Proxy), (30.0, Leg::Proxy), (30.1, Leg::Proxy)];
        assert_eq!(
            found(&[Leg::Proxy], 15.0, &beats),
            [Finding::Bursts(Leg::Proxy, 1)]
        );
    }

    #[test]
    fn short_jitter_is_no_buffering() {
        let beats: Vec<_> = (0..5)
            .map(|n| (1.0 + f64::from(n) / 1000.0, Leg::Proxy))
            .collect();
        assert_eq!(found(BOTH, 0.2, &beats), [], "held back 0.8 s");
        let beats: Vec<_> = (0..7)
            .map(|n| (1.0 + f64::from(n) / 1000.0, Leg::Proxy))
            .collect();
        assert_eq!(
            found(BOTH, 0.2, &beats).first(),
            Some(&Finding::Bursts(Leg::Proxy, 6))
        );
    }

    #[test]
    fn a_stream_is_one_fault_however_often_it_bursts() {
        let start = Instant::now();
        let mut bursts = Bursts::new(BOTH, 1, Some(Duration::from_secs(15)));
        let mut faults = 0;
        for round in 1..=4_u64 {
            let now = start + Duration::from_secs(round * 100);
            if round == 4 {
                bursts.handle(now, Leg::Proxy, 0, &HELD);
            }
            bursts.handle(now, Leg::Proxy, 0, &BEAT);
            bursts.handle(now, Leg::Proxy, 0, &BEAT);
            let due = bursts.deadline().expect("a burst that waits");
            let found = bursts.tick(due);
            faults += found
                .iter()
                .filter(|finding| matches!(finding, Finding::Fault(_)))
                .count();
        }
        assert_eq!(faults, 2, "one before and one after the new stream");
    }
}
