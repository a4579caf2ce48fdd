//! Ends that repeat at one silence or at one age: the fingerprint of a timer somewhere on the way.
//!
//! One for each leg, fed with the ends of all its streams. It knows no products: of
//! [`crate::verdict::settings`] it takes the values that are known to cut, nothing else. Ends that Holter
//! brings about itself must not be fed.
//!
//! # The rule
//!
//! Timers are exact, so three ends in a row at one value, within `EXACT`, are one; so are four of the
//! last eight, where other ends come in between. Some proxies notice a cut only when they write the next
//! heartbeat, so the values may lie apart by up to one heartbeat. Where a known value explains them all,
//! three do again (`late.rs`); else it takes more ends in a row, the more the wider (`ROWS`). Lifetimes at
//! random lie so close by chance too: `n` in a row within a share `r` of their value with a chance of
//! `r^(n-1)` if they are uniform, less if they are exponential. The table keeps each row at about 1 in
//! 100,000; a test measures the whole.

use std::collections::VecDeque;
use std::time::Duration;

use crate::label::label;
use crate::verdict::settings;

mod late;

label! {
    /// What a cut-off counts.
    pub enum CutOff {
        /// Silence.
        Idle => "idle",
        /// Age.
        Total => "total",
    }
}

/// A cut-off that repeated ends make likely.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Suspicion {
    /// What is counted.
    pub kind: CutOff,
    /// After how long the stream is cut.
    pub after: Duration,
}

/// One end that somebody else brought about.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// How long the stream was open.
    pub age: Duration,
    /// How long nothing had arrived.
    pub silence: Duration,
    /// The longest silence that the stream lived through.
    pub survived: Duration,
}

/// How many ends are remembered.
const REMEMBERED: usize = 8;
/// No proxy's time-out is below it, and streams that die at once would repeat at any age.
const SHORTEST: Duration = Duration::from_secs(1);
/// Values of one timer lie within this share of the longest, but never need to be closer than
/// [`EXACT_FLOOR`] where that is at most twice the share.
const EXACT: f64 = 0.005;
/// So many such ends in a row are a timer.
const EXACT_ROW: usize = 3;
/// What a busy machine and a network add.
const EXACT_FLOOR: f64 = 0.25;
/// Ends in a row, and the share of the value that they may lie apart.
const ROWS: [(usize, f64); 5] = [(4, 0.02), (5, 0.05), (6, 0.1), (7, 0.14), (8, 0.19)];
/// Out of order, one more end is asked for.
const SCATTERED: usize = 4;
/// A stream that lives this much longer than the cut-off (and by a heartbeat) disproves it.
const OUTLIVED: f64 = 1.1;

/// The ends of one leg.
#[derive(Debug, Default)]
pub struct Fingerprint {
    ends: VecDeque<Sample>,
    /// The same and more, for longer: they are not forgotten with a suspicion that was wrong.
    lives: late::Lives,
    interval: Option<Duration>,
    suspicion: Option<Suspicion>,
}

impl Fingerprint {
    /// What stands now.
    pub fn suspicion(&self) -> Option<Suspicion> {
        self.suspicion
    }

    /// Whether this end is one of those that make the cut-off likely.
    pub fn explains(&self, end: &Sample) -> bool {
        self.suspicion.is_some_and(|known| self.fits(&known, end))
    }

    /// The heartbeat interval was learned, or changed.
    pub fn learned(&mut self, interval: Duration) {
        self.interval = Some(interval);
    }

    /// A stream ended.
    pub fn ended(&mut self, sample: Sample) {
        self.outlived(sample.age, sample.silence.max(sample.survived));
        self.lives.ended(sample);
        if self.ends.len() == REMEMBERED {
            self.ends.pop_front();
        }
        self.ends.push_back(sample);
        let found = self.idle().or_else(|| self.total());
        self.suspicion = found.or_else(|| self.suspicion.filter(|known| self.is_remembered(known)));
    }

    /// A stream is alive at this age, and lived through this silence: a cut-off well below was none, and
    /// the ends that made it likely are forgotten.
    pub fn outlived(&mut self, age: Duration, silence: Duration) {
        self.lives.lived(age, silence);
        let Some(known) = self.suspicion else {
            return;
        };
        let lived = match known.kind {
            CutOff::Idle => silence,
            CutOff::Total => age,
        };
        let limit = known.after.mul_f64(OUTLIVED) + self.interval.unwrap_or_default();
        if lived > limit {
            self.suspicion = None;
            self.ends.clear();
        }
    }

    /// Ages that repeat.
    fn total(&self) -> Option<Suspicion> {
        self.repeated(CutOff::Total)
    }

    /// Silences that repeat. With a server that never beats they are the ages, and nothing tells the two
    /// apart: a limit of idle time is the common one.
    fn idle(&self) -> Option<Suspicion> {
        let mut last = self.ends.iter().rev().take(3);
        let is_silent = last.all(|end| self.is_unusual(end));
        self.repeated(CutOff::Idle).filter(|_| is_silent)
    }

    /// Whether the silence before an end can have been its cause: longer than any that the stream lived
    /// through, and than a heartbeat.
    fn is_unusual(&self, end: &Sample) -> bool {
        let usual = end.survived.max(self.interval.unwrap_or_default());
        end.silence > usual + slack(end.silence)
    }

    /// The value at which the last ends repeat.
    fn repeated(&self, kind: CutOff) -> Option<Suspicion> {
        let newest_first = self.ends.iter().rev().map(|end| kind.of(end));
        let values: Vec<Duration> = newest_first.collect();
        let after = exact(&values)
            .or_else(|| self.known(kind))
            .or_else(|| self.in_a_row(&values))
            .or_else(|| scattered(&values))?;
        Some(Suspicion { kind, after })
    }

    /// The known cut-off that explains the last ends, noticed up to a heartbeat late.
    fn known(&self, kind: CutOff) -> Option<Duration> {
        let cut_offs = settings::cut_offs(kind);
        self.lives.explained_by(kind, self.interval?, cut_offs)
    }

    /// The value of a cut-off that is not known, noticed up to a heartbeat late.
    fn in_a_row(&self, values: &[Duration]) -> Option<Duration> {
        ROWS.iter().find_map(|(ends, share)| {
            let interval = self.interval?;
            close(values, *ends, |most| interval.min(most.mul_f64(*share)))
        })
    }

    fn is_remembered(&self, known: &Suspicion) -> bool {
        self.ends.iter().any(|end| self.fits(known, end))
    }

    /// Within the heartbeat that noticing may take.
    fn fits(&self, known: &Suspicion, end: &Sample) -> bool {
        let value = known.kind.of(end);
        value.abs_diff(known.after) <= slack(value) + self.interval.unwrap_or_default()
    }
}

impl CutOff {
    fn of(self, end: &Sample) -> Duration {
        match self {
            Self::Idle => end.silence,
            Self::Total => end.age,
        }
    }
}

/// The value of an exact timer.
fn exact(values: &[Duration]) -> Option<Duration> {
    close(values, EXACT_ROW, slack)
}

/// The middle of the newest `ends` values, if they lie no further apart than is allowed for the longest.
fn close(
    values: &[Duration],
    ends: usize,
    allowed: impl Fn(Duration) -> Duration,
) -> Option<Duration> {
    let row = values.get(..ends)?;
    let (least, most) = (*row.iter().min()?, *row.iter().max()?);
    (least >= SHORTEST && most - least <= allowed(most)).then(|| middle(row))
}

/// The newest value, if enough of the others lie with it.
fn scattered(values: &[Duration]) -> Option<Duration> {
    let newest = *values.first()?;
    let same: Vec<Duration> = values
        .iter()
        .copied()
        .filter(|value| value.abs_diff(newest) <= slack(newest) / 2)
        .collect();
    (newest >= SHORTEST && same.len() >= SCATTERED).then(|| middle(&same))
}

/// How far values of one exact timer may lie apart.
fn slack(value: Duration) -> Duration {
    let seconds = value.as_secs_f64();
    let floor = EXACT_FLOOR.min(seconds * 2.0 * EXACT);
    Duration::from_secs_f64(floor.max(seconds * EXACT))
}

fn middle(values: &[Duration]) -> Duration {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests;
