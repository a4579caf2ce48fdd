//! Known cut-offs that are noticed up to one heartbeat late.
//!
//! A proxy that learns of the cut only when it writes the next heartbeat, or a server that looks at its clock
//! only then, ends streams anywhere between the cut-off and one interval more. Few values in so wide a window
//! prove little, but three things help: the window begins at a value that is known to cut streams; no stream
//! lives beyond it while the cut-off is in force; and where it is the only cause, no other ends come in
//! between. A leg that showed only such ends needs three; each other end lately costs one more.

use std::collections::VecDeque;
use std::time::Duration;

use super::{CutOff, Sample, slack};

/// Other ends are forgotten after so many.
const REMEMBERED: usize = 32;
/// An interval of at most this share of the cut-off, and the ends in a row that it takes. The wider the
/// window, the more ends are within by chance; what is wider yet is none.
const ROWS: [(f64, usize); 2] = [(0.3, 3), (0.5, 5)];
/// Other ends cost no more than this.
const ODD_MAX: usize = 4;

/// What the streams of a leg lived through, end by end.
#[derive(Debug, Default)]
pub(super) struct Lives(VecDeque<Chapter>);

/// One end, and all that was lived through since the end before it.
#[derive(Clone, Copy, Debug, Default)]
struct Chapter {
    end: Option<Sample>,
    age: Duration,
    silence: Duration,
}

impl Lives {
    /// A stream reached this age, and lived through this silence or died of it.
    pub(super) fn lived(&mut self, age: Duration, silence: Duration) {
        if self.0.back().is_none_or(|last| last.end.is_some()) {
            if self.0.len() == REMEMBERED {
                self.0.pop_front();
            }
            self.0.push_back(Chapter::default());
        }
        if let Some(now) = self.0.back_mut() {
            now.age = now.age.max(age);
            now.silence = now.silence.max(silence);
        }
    }

    /// A stream ended.
    pub(super) fn ended(&mut self, end: Sample) {
        self.lived(end.age, end.silence.max(end.survived));
        if let Some(now) = self.0.back_mut() {
            now.end = Some(end);
        }
    }

    /// The cut-off that explains the longest row of the newest ends; of several the latest, as it needs the
    /// least lateness.
    pub(super) fn explained_by(
        &self,
        kind: CutOff,
        interval: Duration,
        cut_offs: impl Iterator<Item = Duration>,
    ) -> Option<Duration> {
        let rows = cut_offs.filter_map(|after| {
            let share = interval.as_secs_f64() / after.as_secs_f64();
            let (_, needed) = ROWS.iter().find(|(most, _)| share <= *most)?;
            let to = after + interval + slack(after);
            let explained = |chapter: &&Chapter| chapter.fits(kind, after - slack(after), to);
            let row = self.0.iter().rev().take_while(explained).count();
            if row < *needed {
                return None;
            }
            let odd = self.0.len() - self.0.iter().filter(explained).count();
            (row >= needed + odd.min(ODD_MAX)).then_some((row, after))
        });
        rows.max().map(|(_, after)| after)
    }
}

impl Chapter {
    /// Whether the end lies within, and no stream lived longer meanwhile.
    fn fits(&self, kind: CutOff, from: Duration, to: Duration) -> bool {
        let longest = match kind {
            CutOff::Idle => self.silence,
            CutOff::Total => self.age,
        };
        longest <= to && self.end.is_some_and(|end| kind.of(&end) >= from)
    }
}
