//! The interval at which a server beats, learned from the gaps between its beats.
//!
//! Comments and pings are sent by a timer and for no other reason: their median is the interval, whatever
//! jitter and missing beats do. An event may be anything: events are a heartbeat where they keep time as one does,
//! and no longer than that.

use std::time::{Duration, Instant};

use super::heartbeat::{Kind, scale};

/// Gaps that an interval is learned from: few enough to follow a change, enough to outvote an odd one.
const LEARN_FROM: usize = 8;
/// Fewer gaps than this are no interval yet.
const LEARN_MIN: usize = 3;
/// An interval is taken anew only when it moved by more than this share.
const LEARN_STEP: f64 = 0.1;
/// Beats closer together than this share of the interval came as one burst.
const BURST_SHARE: f64 = 0.1;
/// Events keep time where no gap is further than this share from the others. Of gaps at random five in a row are
/// so about once in 8,000 times.
const REGULAR: f64 = 0.15;
/// So many gaps in a row.
const REGULAR_MIN: usize = 5;
/// For so long: an answer that comes piece by piece, or progress told every second, is over by then.
const REGULAR_FOR: Duration = Duration::from_secs(120);

/// What the beats of one slot teach; it outlives a stream.
#[derive(Debug, Default)]
pub struct Intervals {
    timed: Gaps,
    events: Gaps,
    /// How long events have kept time.
    regular_for: Duration,
}

/// The last gaps between beats of one sort.
#[derive(Debug, Default)]
struct Gaps {
    last: Option<Instant>,
    gaps: Vec<Duration>,
    interval: Option<Duration>,
}

impl Intervals {
    /// A new stream opens: the time between two streams is no gap.
    pub fn open(&mut self) {
        (self.timed.last, self.events.last) = (None, None);
    }

    /// A whole frame arrived.
    pub fn beat(&mut self, now: Instant, kind: Kind) {
        match kind {
            Kind::Comment | Kind::Ping => self.timed.beat(now),
            Kind::Event => self.event(now),
            // Traffic comes when there is some.
            Kind::Data => {}
        }
    }

    /// The interval, where one is known.
    pub fn interval(&self) -> Option<Duration> {
        self.timed.interval.or(self.events.interval)
    }

    /// Events did not come on: whatever kept time may be over, and has to show itself again.
    pub fn doubt_events(&mut self) {
        self.events = Gaps::default();
        self.regular_for = Duration::ZERO;
    }

    fn event(&mut self, now: Instant) {
        let Some(gap) = self.events.since_last(now) else {
            return;
        };
        if let Some(usual) = self.events.median() {
            if gap < scale(usual, BURST_SHARE) {
                return;
            }
            if gap.abs_diff(usual) > scale(usual, REGULAR) {
                self.doubt_events();
                self.events.last = Some(now);
            }
        }
        self.events.push(gap);
        self.regular_for = self.regular_for.saturating_add(gap);
        if self.events.gaps.len() >= REGULAR_MIN && self.regular_for >= REGULAR_FOR {
            self.events.take();
        }
    }
}

impl Gaps {
    fn since_last(&mut self, now: Instant) -> Option<Duration> {
        let before = self.last.replace(now)?;
        Some(now.saturating_duration_since(before))
    }

    fn beat(&mut self, now: Instant) {
        let Some(gap) = self.since_last(now) else {
            return;
        };
        let known = self.interval.unwrap_or_default();
        if gap >= scale(known, BURST_SHARE) {
            self.push(gap);
            self.take();
        }
    }

    fn push(&mut self, gap: Duration) {
        if self.gaps.len() == LEARN_FROM {
            self.gaps.remove(0);
        }
        self.gaps.push(gap);
    }

    /// Late or missing beats do not move it. Gaps that are short beside the longest were within a burst.
    fn median(&self) -> Option<Duration> {
        middle(&self.apart()?)
    }

    /// The gaps between bursts, the shortest first.
    fn apart(&self) -> Option<Vec<Duration>> {
        let longest = *self.gaps.iter().max()?;
        let mut sorted = self.gaps.clone();
        sorted.retain(|gap| *gap >= scale(longest, BURST_SHARE));
        sorted.sort_unstable();
        Some(sorted)
    }

    /// Takes the median for the interval, where enough gaps stand behind it and it is another.
    fn take(&mut self) {
        let gaps = self.apart().filter(|gaps| gaps.len() >= LEARN_MIN);
        let median = gaps.and_then(|gaps| middle(&gaps));
        let Some(median) = median.filter(|gap| !gap.is_zero()) else {
            return;
        };
        let has_moved = |known: Duration| median.abs_diff(known) > scale(known, LEARN_STEP);
        if self.interval.is_none_or(has_moved) {
            self.interval = Some(median);
        }
    }
}

fn middle(sorted: &[Duration]) -> Option<Duration> {
    sorted.get(sorted.len().checked_sub(1)? / 2).copied()
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

    /// Beats at these seconds; the interval that was learned in the end.
    fn learned(kind: Kind, at: &[f64]) -> Option<Duration> {
        let (mut beats, start) = (Intervals::default(), Instant::now());
        for second in at {
            beats.beat(start + seconds(*second), kind);
        }
        beats.interval()
    }

    /// The seconds at which beats come that are so far apart.
    fn at(gaps: &[f64]) -> Vec<f64> {
        let mut second = 0.0;
        let mut at = vec![second];
        for gap in gaps {
            second += gap;
            at.push(second);
        }
        at
    }

    #[test]
    fn learns_the_interval_from_three_gaps() {
        let learned = |at| learned(Kind::Comment, at);
        assert_eq!(learned(&[15.0, 30.0, 45.0]), None);
        assert_eq!(learned(&[15.0, 30.0, 45.0, 60.0]), Some(seconds(15.0)));
        // One missing beat and jitter do not move it by a tenth.
        let jitter = learned(&[15.0, 30.2, 45.1, 75.0, 90.1, 105.0]).unwrap();
        assert!((jitter.as_secs_f64() - 15.0).abs() < 1.5, "{jitter:?}");
    }

    #[test]
    fn a_burst_is_not_taken_for_the_interval() {
        let learned = |at| learned(Kind::Ping, at);
        assert_eq!(learned(&[15.0, 30.0, 30.01, 30.02]), None);
        let later = [15.0, 30.0, 30.01, 30.02, 45.0, 60.0];
        assert!((learned(&later).unwrap().as_secs_f64() - 15.0).abs() < 0.1);
    }

    #[test]
    fn follows_a_changed_interval() {
        let gaps = [[15.0; 8], [5.0; 8]].concat();
        assert_eq!(learned(Kind::Comment, &at(&gaps)), Some(seconds(5.0)));
        let gaps = [vec![15.0; 9], vec![5.0; 25]].concat();
        assert_eq!(learned(Kind::Event, &at(&gaps)), Some(seconds(5.0)));
    }

    #[test]
    #[rustfmt::skip] // A table.
    fn events_are_a_heartbeat_where_they_keep_time() {
        let thirty = Some(30.0);
        for (name, gaps, interval) in [
            ("a few", vec![1.0; 4], None),
            ("a burst, told every second", vec![1.0; 100], None),
            ("a burst, then quiet, again and again", [[1.0, 1.0, 1.0, 60.0, 1.0, 1.0, 1.0, 200.0]; 20].concat(), None),
            ("bursts by a timer", [[1.0, 1.0, 58.0]; 6].concat(), Some(58.0)),
            ("at random", vec![3.0, 40.0, 7.0, 55.0, 90.0, 12.0, 31.0, 2.0, 70.0], None),
            ("regular, not often enough yet", vec![30.0; 4], None),
            ("regular", vec![30.0; 5], thirty),
            ("regular and fast", vec![1.0; 121], Some(1.0)),
            ("with some jitter", vec![30.0, 31.0, 29.0, 30.5, 28.5, 30.0], thirty),
            ("with much of it", vec![30.0, 40.0, 25.0, 36.0, 22.0, 30.0], None),
            ("several at a time", [[30.0, 0.0, 0.01]; 6].concat(), thirty),
            ("regular, then once not", vec![30.0, 30.0, 30.0, 30.0, 30.0, 75.0], None),
            ("regular again", [vec![30.0; 6], vec![75.0], vec![30.0; 6]].concat(), thirty),
        ] {
            let found = learned(Kind::Event, &at(&gaps)).map(|found| found.as_secs_f64());
            let is_close = match (found, interval) {
                (Some(found), Some(interval)) => (found - interval).abs() < 1.0,
                (found, interval) => found == interval,
            };
            assert!(is_close, "{name}: {found:?}");
        }
    }

    #[test]
    fn comments_are_believed_before_events() {
        let (mut beats, start) = (Intervals::default(), Instant::now());
        for second in 0..200_u64 {
            let now = start + Duration::from_secs(second);
            beats.beat(now, Kind::Event);
            if second % 15 == 0 {
                beats.beat(now, Kind::Comment);
            }
        }
        assert_eq!(beats.interval(), Some(seconds(15.0)));
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
            let off = learned(Kind::Comment, &beats).unwrap().as_secs_f64() / interval;
            prop_assert!((0.7..1.35).contains(&off), "{off} of the interval");
        }

        #[test]
        fn a_timer_behind_events_is_found(
            jitter in prop::collection::vec(0.95..1.05, 13..60),
            interval in 10.0..120.0,
        ) {
            let gaps: Vec<f64> = jitter.iter().map(|off| off * interval).collect();
            let off = learned(Kind::Event, &at(&gaps)).unwrap().as_secs_f64() / interval;
            prop_assert!((0.9..1.1).contains(&off), "{off} of the interval");
        }

        /// At least every fourth gap is another than the one before.
        #[test]
        fn events_that_keep_no_time_teach_nothing(
            gaps in prop::collection::vec((0.1..100.0, 1_usize..4, 1.4..5.0), 1..40),
        ) {
            let mut all = vec![];
            for (gap, times, factor) in gaps {
                all.extend(std::iter::repeat_n(gap, times));
                all.push(gap * factor);
            }
            prop_assert_eq!(learned(Kind::Event, &at(&all)), None);
        }
    }
}
