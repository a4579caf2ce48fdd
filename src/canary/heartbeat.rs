//! Signs of life on one stream: gaps, the interval that the server keeps, late beats, bursts.
//!
//! A server that never beat has no interval, so nothing about it is late and nothing is stalled.

use std::time::{Duration, Instant};

use super::survival::{self, Observation, Reading};
use crate::label::label;

label! {
    /// What kind of sign of life arrived.
    pub enum Kind {
        /// A comment line of the event stream.
        Comment => "comment",
        /// An event or message that is no JSON-RPC, for example one named `heartbeat`.
        Event => "event",
        /// A JSON-RPC `ping` request, or a Ping or Pong frame of a WebSocket.
        Ping => "ping",
        /// Any other JSON-RPC message: traffic, not a heartbeat, but a sign of life.
        Data => "data",
    }
}

impl Kind {
    /// Whether the kind is sent on a timer, so that an interval can be learned from it.
    fn is_periodic(self) -> bool {
        self != Self::Data
    }
}

/// What is expected of a server's heartbeat.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Expectation {
    /// The interval; `None`: learned from the stream.
    pub interval: Option<Duration>,
    /// A gap longer than this many intervals is late.
    pub tolerance: f64,
}

/// A silence of this many late limits means that nothing comes any more.
const STALLED_AFTER: f64 = 2.0;
/// But where the interval was learned no stream is given up before this silence: a busy server may skip a few
/// short beats. A configured interval is a promise, and taken at its word.
const STALLED_FLOOR: Duration = Duration::from_secs(30);
/// Gaps that the interval is learned from: few enough to follow a change, enough to outvote an odd one.
const LEARN_FROM: usize = 8;
/// Fewer gaps than this are no interval yet.
const LEARN_MIN: usize = 3;
/// A learned interval is told again only when it moved by more than this share.
const LEARN_STEP: f64 = 0.1;
/// Beats closer together than this share of the interval came as one burst.
const BURST_SHARE: f64 = 0.1;

/// What [`Heartbeats::tick`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overdue {
    /// The gap passed the tolerance.
    Late,
    /// The stream is open and nothing arrives: give it up.
    Stalled,
}

/// What a beat told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Beat {
    /// Time since the beat before it, or since the stream opened.
    pub gap: Option<Duration>,
    /// The interval as learned now, where it is new.
    pub learned: Option<Duration>,
    /// The beat came together with the one before it, though the server sends them apart.
    pub burst: bool,
}

/// The heartbeat of one stream slot; the learned interval outlives a stream.
#[derive(Debug)]
pub struct Heartbeats {
    expectation: Expectation,
    /// As it leaves the server, where the direct leg learned that: what this leg has to keep.
    sent_every: Option<Duration>,
    learned: Option<Duration>,
    gaps: Vec<Duration>,
    last_byte: Instant,
    last_beat: Instant,
    last_periodic: Option<Instant>,
    told_late: bool,
}

impl Heartbeats {
    /// A slot whose stream opens at `now`.
    pub fn new(expectation: Expectation, now: Instant) -> Self {
        Self {
            expectation,
            sent_every: None,
            learned: None,
            gaps: Vec::with_capacity(LEARN_FROM),
            last_byte: now,
            last_beat: now,
            last_periodic: None,
            told_late: false,
        }
    }

    /// A new stream opens: silence is counted from here.
    pub fn open(&mut self, now: Instant) {
        (self.last_byte, self.last_beat) = (now, now);
        self.last_periodic = None;
        self.told_late = false;
    }

    /// Any bytes arrived.
    pub fn bytes(&mut self, now: Instant) {
        self.last_byte = now;
        self.told_late = false;
    }

    /// A whole frame arrived.
    pub fn beat(&mut self, now: Instant, kind: Kind) -> Beat {
        let gap = now.saturating_duration_since(self.last_beat);
        self.last_beat = now;
        let mut beat = Beat {
            gap: Some(gap),
            ..Beat::default()
        };
        if kind.is_periodic()
            && let Some(before) = self.last_periodic.replace(now)
        {
            let apart = now.saturating_duration_since(before);
            beat.burst = self.is_burst(apart);
            if !beat.burst {
                beat.learned = self.learn(apart);
            }
        }
        beat
    }

    /// The direct leg learned how often the server beats; whether that is what is expected from now on. A proxy
    /// that keeps every beat back gives this leg nothing to learn from, and one that collects them the wrong thing.
    pub fn sent_every(&mut self, interval: Duration) -> bool {
        self.sent_every = Some(interval);
        self.expectation.interval.is_none()
    }

    /// How long nothing has arrived.
    pub fn silence(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.last_byte)
    }

    /// The interval as configured, else as the direct leg learned it, else as learned here.
    pub fn interval(&self) -> Option<Duration> {
        let configured = self.expectation.interval;
        configured.or(self.sent_every).or(self.learned)
    }

    /// When [`Self::tick`] has something to say.
    pub fn deadline(&self) -> Option<Instant> {
        let limit = if self.told_late {
            self.stalled_after()?
        } else {
            self.late_after()?
        };
        self.last_byte.checked_add(limit)
    }

    /// Whether a beat is overdue; each gap is told late once.
    pub fn tick(&mut self, now: Instant) -> Option<Overdue> {
        let silence = self.silence(now);
        let seen = Observation::Silent {
            silence,
            allowed: self.late_after(),
        };
        if survival::read(&seen) != Reading::HeartbeatLost {
            return None;
        }
        if !std::mem::replace(&mut self.told_late, true) {
            return Some(Overdue::Late);
        }
        (silence >= self.stalled_after()?).then_some(Overdue::Stalled)
    }

    fn late_after(&self) -> Option<Duration> {
        Some(scale(self.interval()?, self.expectation.tolerance))
    }

    fn stalled_after(&self) -> Option<Duration> {
        let floor = match self.expectation.interval {
            Some(_) => Duration::ZERO,
            None => STALLED_FLOOR,
        };
        Some(scale(self.late_after()?, STALLED_AFTER).max(floor))
    }

    fn is_burst(&self, apart: Duration) -> bool {
        self.interval()
            .is_some_and(|interval| apart < scale(interval, BURST_SHARE))
    }

    /// The median of the last gaps: late or missing beats do not move it. Gaps that are short beside the longest
    /// were within a burst.
    fn learn(&mut self, apart: Duration) -> Option<Duration> {
        if self.gaps.len() == LEARN_FROM {
            self.gaps.remove(0);
        }
        self.gaps.push(apart);
        let longest = *self.gaps.iter().max()?;
        let mut sorted = self.gaps.clone();
        sorted.retain(|gap| *gap >= scale(longest, BURST_SHARE));
        sorted.sort_unstable();
        let median = *sorted.get((sorted.len() - 1) / 2)?;
        let is_told = self.expectation.interval.or(self.sent_every).is_some();
        if sorted.len() < LEARN_MIN || is_told || median.is_zero() {
            return None;
        }
        let moved = self.learned.is_none_or(|known| {
            let (known, median) = (known.as_secs_f64(), median.as_secs_f64());
            (median - known).abs() > known * LEARN_STEP
        });
        moved.then(|| {
            self.learned = Some(median);
            median
        })
    }
}

/// `duration * factor`, saturating: a configured interval may be as long as it likes.
fn scale(duration: Duration, factor: f64) -> Duration {
    Duration::try_from_secs_f64(duration.as_secs_f64() * factor).unwrap_or(Duration::MAX)
}

#[cfg(test)]
#[expect(
    clippy::disallowed_methods,
    reason = "an origin for the test's own time line"
)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn seconds(value: f64) -> Duration {
        Duration::from_secs_f64(value)
    }

    fn slot(interval: Option<f64>) -> (Heartbeats, Instant) {
        let start = Instant::now();
        let expectation = Expectation {
            interval: interval.map(seconds),
            tolerance: 2.5,
        };
        (Heartbeats::new(expectation, start), start)
    }

    /// Beats at these seconds; the interval that was learned in the end.
    fn learned(at: &[f64]) -> Option<Duration> {
        let (mut beats, start) = slot(None);
        for second in at {
            beats.bytes(start + seconds(*second));
            beats.beat(start + seconds(*second), Kind::Comment);
        }
        beats.interval()
    }

    #[test]
    fn learns_the_interval_from_three_gaps() {
        assert_eq!(learned(&[15.0, 30.0, 45.0]), None);
        assert_eq!(learned(&[15.0, 30.0, 45.0, 60.0]), Some(seconds(15.0)));
        // One missing beat and jitter do not move it by a tenth.
        let jitter = learned(&[15.0, 30.2, 45.1, 75.0, 90.1, 105.0]).unwrap();
        assert!((jitter.as_secs_f64() - 15.0).abs() < 1.5, "{jitter:?}");
    }

    #[test]
    fn a_burst_is_not_taken_for_the_interval() {
        assert_eq!(learned(&[15.0, 30.0, 30.01, 30.02]), None);
        let later = [15.0, 30.0, 30.01, 30.02, 45.0, 60.0];
        assert!((learned(&later).unwrap().as_secs_f64() - 15.0).abs() < 0.1);
    }

    proptest! {
        /// Each gap up to 30 % off; every third beat missing, from the first, second or third on; a burst of three.
        #[test]
        fn jitter_missing_beats_and_a_burst_do_not_hide_the_interval(
            gaps in prop::collection::vec(0.7..1.3, 24..60),
            missing in prop::option::of(0_usize..3),
            burst in prop::option::of(0_usize..20),
            interval in 0.2..120.0,
        ) {
            let mut at = 0.0;
            let mut beats: Vec<f64> = vec![];
            for (number, gap) in gaps.iter().enumerate() {
                at += gap * interval;
                if missing.is_none_or(|phase| number % 3 != phase) {
                    beats.push(at);
                }
            }
            if let Some(number) = burst {
                let first = beats[number / 2];
                let together = [first, first + interval / 1000.0, first + interval / 500.0];
                beats.splice(number / 2..=number / 2, together);
            }
            let off = learned(&beats).unwrap().as_secs_f64() / interval;
            prop_assert!((0.7..1.35).contains(&off), "{off} of the interval");
        }
    }

    #[test]
    fn the_proxy_leg_has_to_keep_what_the_direct_leg_learned() {
        let (mut beats, start) = slot(None);
        assert_eq!(beats.deadline(), None);
        assert!(beats.sent_every(seconds(15.0)));
        assert_eq!(beats.deadline(), Some(start + seconds(37.5)));
        // Beats that a proxy collects for a minute would teach another interval.
        for minute in 1..=6 {
            let now = start + seconds(60.0 * f64::from(minute));
            assert_eq!(beats.beat(now, Kind::Comment).learned, None);
        }
        assert_eq!(beats.interval(), Some(seconds(15.0)));
        let (mut configured, _) = slot(Some(5.0));
        assert!(!configured.sent_every(seconds(15.0)));
        assert_eq!(configured.interval(), Some(seconds(5.0)));
    }

    #[test]
    fn follows_a_changed_interval() {
        let at: Vec<f64> = (1..=8)
            .map(|n| f64::from(n) * 15.0)
            .chain((1..=12).map(|n| 120.0 + f64::from(n) * 5.0))
            .collect();
        assert_eq!(learned(&at), Some(seconds(5.0)));
    }

    #[test]
    fn a_server_that_never_beat_is_never_late() {
        let (mut beats, start) = slot(None);
        assert_eq!(beats.deadline(), None);
        assert_eq!(beats.tick(start + seconds(86_400.0)), None);
    }

    #[test]
    fn a_gap_is_late_once_and_then_stalled() {
        let (mut beats, start) = slot(Some(15.0));
        assert_eq!(beats.deadline(), Some(start + seconds(37.5)));
        assert_eq!(beats.tick(start + seconds(37.0)), None);
        assert_eq!(beats.tick(start + seconds(37.5)), Some(Overdue::Late));
        assert_eq!(beats.tick(start + seconds(38.0)), None);
        assert_eq!(beats.deadline(), Some(start + seconds(75.0)));
        assert_eq!(beats.tick(start + seconds(75.0)), Some(Overdue::Stalled));
    }

    #[test]
    fn a_short_interval_is_taken_at_its_word_where_it_is_configured() {
        let stalled = |beats: &Heartbeats| beats.stalled_after().unwrap();
        assert_eq!(stalled(&slot(Some(1.0)).0), seconds(5.0));
        let (mut learned, start) = slot(None);
        for second in 1..=4 {
            learned.beat(start + seconds(f64::from(second)), Kind::Comment);
        }
        assert_eq!(learned.interval(), Some(seconds(1.0)));
        assert_eq!(stalled(&learned), STALLED_FLOOR);
    }

    #[test]
    fn bytes_make_up_for_a_late_beat() {
        let (mut beats, start) = slot(Some(15.0));
        beats.tick(start + seconds(40.0));
        beats.bytes(start + seconds(41.0));
        assert_eq!(beats.tick(start + seconds(76.0)), None);
        assert_eq!(beats.tick(start + seconds(78.5)), Some(Overdue::Late));
    }

    #[test]
    fn beats_that_come_together_are_a_burst() {
        let (mut beats, start) = slot(Some(15.0));
        assert!(!beats.beat(start + seconds(15.0), Kind::Comment).burst);
        assert!(!beats.beat(start + seconds(30.0), Kind::Comment).burst);
        assert!(beats.beat(start + seconds(30.1), Kind::Comment).burst);
    }

    #[test]
    fn time_going_backwards_is_no_gap() {
        let (mut beats, start) = slot(Some(15.0));
        let later = start + seconds(10.0);
        beats.open(later);
        assert_eq!(beats.beat(start, Kind::Ping).gap, Some(Duration::ZERO));
        assert_eq!(beats.silence(start), Duration::ZERO);
    }
}
