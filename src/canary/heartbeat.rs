//! Signs of life on one stream: gaps, late beats, and the silence after which nothing comes any more.
//!
//! A server that never beat has no interval, so nothing about it is late and nothing is stalled.

use std::time::{Duration, Instant};

use super::interval::Intervals;
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
    /// Whether [`Heartbeats::interval`] is another now.
    pub has_taught: bool,
}

/// The heartbeat of one stream slot; the learned interval outlives a stream.
#[derive(Debug)]
pub struct Heartbeats {
    expectation: Expectation,
    /// As it leaves the server, where the direct leg learned that: what this leg has to keep.
    sent_every: Option<Duration>,
    learned: Intervals,
    last_byte: Instant,
    last_beat: Instant,
    told_late: bool,
}

impl Heartbeats {
    /// A slot whose stream opens at `now`.
    pub fn new(expectation: Expectation, now: Instant) -> Self {
        Self {
            expectation,
            sent_every: None,
            learned: Intervals::default(),
            last_byte: now,
            last_beat: now,
            told_late: false,
        }
    }

    /// A new stream opens: silence is counted from here.
    pub fn open(&mut self, now: Instant) {
        (self.last_byte, self.last_beat) = (now, now);
        self.learned.open();
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
        let known = self.interval();
        self.learned.beat(now, kind);
        Beat {
            gap: Some(gap),
            has_taught: self.interval() != known,
        }
    }

    /// The direct leg learned how often the server beats, or that it does not; whether that changes what is expected.
    /// A proxy that keeps every beat back gives this leg nothing to learn from, and one that collects them the wrong
    /// thing.
    pub fn sent_every(&mut self, interval: Option<Duration>) -> bool {
        let known = self.interval();
        self.sent_every = interval;
        self.interval() != known
    }

    /// How long nothing has arrived.
    pub fn silence(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.last_byte)
    }

    /// The interval as configured, else as the direct leg learned it, else as learned here.
    pub fn interval(&self) -> Option<Duration> {
        let configured = self.expectation.interval;
        configured.or(self.sent_every).or(self.learned.interval())
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
        let is_stalled = silence >= self.stalled_after()?;
        if is_stalled {
            // Once: events that kept time and stopped may have been no heartbeat.
            self.learned.doubt_events();
        }
        is_stalled.then_some(Overdue::Stalled)
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
}

/// `duration * factor`, saturating: a configured interval may be as long as it likes.
pub(super) fn scale(duration: Duration, factor: f64) -> Duration {
    Duration::try_from_secs_f64(duration.as_secs_f64() * factor).unwrap_or(Duration::MAX)
}

#[cfg(test)]
#[expect(
    clippy::disallowed_methods,
    reason = "an origin for the test's own time line"
)]
mod tests {
    use super::*;

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

    #[test]
    fn the_proxy_leg_has_to_keep_what_the_direct_leg_learned() {
        let (mut beats, start) = slot(None);
        assert_eq!(beats.deadline(), None);
        assert!(beats.sent_every(Some(seconds(15.0))));
        assert_eq!(beats.deadline(), Some(start + seconds(37.5)));
        // Beats that a proxy collects for a minute would teach another interval.
        for minute in 1..=6 {
            let now = start + seconds(60.0 * f64::from(minute));
            assert!(!beats.beat(now, Kind::Comment).has_taught);
        }
        assert_eq!(beats.interval(), Some(seconds(15.0)));
        assert!(beats.sent_every(None), "the server keeps no time after all");
        assert_eq!(beats.interval(), Some(seconds(60.0)), "as learned here");
        let (mut configured, _) = slot(Some(5.0));
        assert!(!configured.sent_every(Some(seconds(15.0))));
        assert_eq!(configured.interval(), Some(seconds(5.0)));
    }

    /// Events at these seconds; what was told of the silence until an hour after the last.
    fn overdue(events: &[f64]) -> Vec<Overdue> {
        let (mut beats, start) = slot(None);
        let mut told = vec![];
        for second in events.iter().chain(&[7200.0]) {
            let now = start + seconds(*second);
            while let Some(due) = beats.deadline().filter(|due| *due <= now) {
                told.extend(beats.tick(due));
                if told.last() == Some(&Overdue::Stalled) {
                    beats.open(due);
                }
            }
            beats.bytes(now);
            beats.beat(now, Kind::Event);
        }
        told
    }

    #[test]
    fn events_that_are_no_heartbeat_are_never_late() {
        assert_eq!(overdue(&[1.0, 2.0, 3.0, 4.0]), []);
        let burst: Vec<f64> = (0..60).map(f64::from).collect();
        assert_eq!(overdue(&burst), []);
        assert_eq!(overdue(&[5.0, 61.0, 64.0, 300.0, 301.0, 302.0, 900.0]), []);
    }

    #[test]
    fn events_that_keep_time_are_missed_once() {
        use Overdue::{Late, Stalled};
        let regular: Vec<f64> = (0..10).map(|beat| f64::from(beat) * 30.0).collect();
        assert_eq!(
            overdue(&regular),
            [Late, Stalled],
            "and not on the next stream"
        );
        // They come again before the stream is given up: they keep no time, so nothing more is expected of them.
        let resumed = [regular, vec![370.0, 380.0]].concat();
        assert_eq!(overdue(&resumed), [Late]);
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
    fn time_going_backwards_is_no_gap() {
        let (mut beats, start) = slot(Some(15.0));
        let later = start + seconds(10.0);
        beats.open(later);
        assert_eq!(beats.beat(start, Kind::Ping).gap, Some(Duration::ZERO));
        assert_eq!(beats.silence(start), Duration::ZERO);
    }
}
