//! The values that tell an ordinary request, taken out of its line by counting quotes; the others only where the
//! line is to be read whole.
//!
//! Where a line has as many quotes as its format's text, none of its values has one, so that each quote stands where
//! the format has it: what lies between two of them is found without a look at anything else. Other lines (a client
//! wrote quotes, a JSON object has its members in another order, damage) are cut from the front, by [`Cut`]; where
//! both find values they find the same.

use super::cut::{Cut, Step};
use super::scan::{Shape, TIME_LENGTH, Until};
use super::sketch::{Moment, take};
use super::variable::{Values, Variable};
use crate::access_log::search::{MAX_PLACES, Places};
use crate::access_log::times::Times;
use crate::access_log::{Sketch, value};

/// A format's text, cut at its quotes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Quick {
    /// How many quotes there are.
    quotes: usize,
    /// What tells a request, and when it was.
    sketch: Box<[Run]>,
    /// All that there is.
    runs: Box<[Run]>,
    /// The text from the last value's quote on, and the number of that quote.
    tail: Option<(usize, Until)>,
}

/// Values that no quote parts from each other: mostly one.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Run {
    /// The text before them, up to the last quote in it.
    before: Until,
    /// How many quotes the line has by then. The next one ends them, or the line.
    quotes: usize,
    between: Between,
}

/// What of the text between two quotes is read.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Between {
    /// It is a value.
    Value(Variable),
    /// The value between the text at its begin and another text, or with that all of it.
    First(Until, Step, Extent),
    /// The time between another text and the text at its end.
    Time(Until, Variable, Until),
    /// All values.
    All(Cut),
}

/// How far a text goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Extent {
    /// To where it is read.
    Whole,
    /// Farther.
    Part,
}

impl Quick {
    /// A line's text; `None` if it has no quotes, or too many.
    pub(super) fn of(line: &Cut) -> Option<Self> {
        let (mut before, mut own) = (line.prefix().text(), Vec::new());
        let (mut runs, mut quotes) = (Vec::new(), 0);
        for step in line.steps() {
            let until = step.until.text();
            let head = until.split(|byte| *byte == b'"').next()?;
            own.push(step.before(head));
            if head.len() < until.len() {
                let own = std::mem::take(&mut own);
                runs.push(Run::new(before, &mut quotes, own, line));
                before = until.get(head.len()..)?;
            }
        }
        let tail = match own.is_empty() {
            true => Some((quotes, Until::new(before.into()))),
            false => {
                runs.push(Run::new(before, &mut quotes, own, line));
                None
            }
        };
        quotes += tail.as_ref().map_or(0, |(_, tail)| count(tail.text()));
        (1..=MAX_PLACES).contains(&quotes).then(|| Self {
            quotes,
            sketch: runs.iter().filter_map(Run::sketch).collect(),
            runs: runs.into(),
            tail,
        })
    }

    /// Takes what tells a request, and notes where the line's quotes are, for the values. `None` if the line cannot
    /// be read so; it need not be damaged.
    #[inline(always)]
    pub(super) fn sketch<'a>(
        &self,
        line: &'a [u8],
        places: &mut Places,
        times: &mut Times,
        sketch: &mut Sketch<'a>,
    ) -> Option<()> {
        places.find(b'"', line, self.quotes)?;
        let mut moment = Moment::default();
        for run in &self.sketch {
            let (from, to) = places.between(run.quotes);
            // A glance at the text before will do: there are as many quotes as there should.
            if !run.before.ends_before(line, from) {
                return None;
            }
            run.between
                .read(line, from, to, |variable, raw| match value::present(raw) {
                    Some(raw) => take(variable, raw, sketch, &mut moment),
                    None => Some(()),
                })?;
        }
        sketch.ended = moment.stamp(times).ok()?;
        Some(())
    }

    /// Takes all values, and looks at all of the line's text.
    pub(super) fn values<'a>(
        &self,
        line: &'a [u8],
        places: &Places,
        values: &mut Values<'a>,
    ) -> Option<()> {
        for run in &self.runs {
            let (from, to) = places.between(run.quotes);
            let begin = from.checked_sub(run.before.text().len())?;
            run.before.strip(line.get(begin..)?)?;
            // Behind a backslash a quote may be a part of the value.
            if line.get(from..to)?.ends_with(b"\\") {
                return None;
            }
            run.between.read(line, from, to, values.taker())?;
        }
        match &self.tail {
            None => Some(()),
            Some((quote, tail)) => {
                (line.get(places.between(*quote).1..)? == tail.text()).then_some(())
            }
        }
    }
}

impl Between {
    /// Whether it is one value that tells a request.
    fn is_sketch(&self) -> bool {
        match self {
            Self::Value(variable) => variable.is_sketch(),
            Self::First(_, step, _) => step.variable.is_sketch(),
            Self::Time(..) | Self::All(_) => false,
        }
    }

    /// Gives the values of what stands from one place to another.
    #[inline(always)]
    fn read<'a>(
        &self,
        line: &'a [u8],
        from: usize,
        to: usize,
        mut on: impl FnMut(Variable, &'a [u8]) -> Option<()>,
    ) -> Option<()> {
        match self {
            Self::Value(variable) => on(*variable, line.get(from..to)?),
            Self::First(head, step, extent) => {
                let value = head.strip(line.get(from..)?)?;
                let end = step.until.end(value, step.shape)?;
                let read = from + head.text().len() + end + step.until.text().len();
                match *extent == Extent::Whole && read != to {
                    true => None,
                    false => on(step.variable, value.get(..end)?),
                }
            }
            Self::Time(head, variable, until) => {
                let end = to.checked_sub(until.text().len())?;
                let begin = end.checked_sub(TIME_LENGTH)?;
                let value = line.get(begin..end)?;
                match begin >= from && head.ends_before(line, begin) && until.ends_before(line, to)
                {
                    true => on(*variable, value),
                    false => None,
                }
            }
            Self::All(cut) => cut.values_between(line, from, to, on),
        }
    }
}

impl Run {
    /// Values and the text before them, of which the part behind its last quote is theirs.
    fn new(before: &[u8], quotes: &mut usize, own: Vec<Step>, line: &Cut) -> Self {
        *quotes += count(before);
        let last = before.iter().rposition(|byte| *byte == b'"');
        let (before, head) = before.split_at(last.map_or(0, |at| at + 1));
        let between = match &*own {
            [step] if head.is_empty() && step.until.text().is_empty() => {
                Between::Value(step.variable)
            }
            [step] if !step.until.text().is_empty() => {
                Between::First(Until::new(head.into()), step.clone(), Extent::Whole)
            }
            _ => Between::All(line.part(head, own)),
        };
        Self {
            before: Until::new(before.into()),
            quotes: *quotes,
            between,
        }
    }

    /// What of it tells a request, if anything does.
    fn sketch(&self) -> Option<Self> {
        let between = match &self.between {
            Between::All(cut) => glance(cut),
            whole => whole.is_sketch().then(|| whole.clone()),
        };
        Some(Self {
            between: between?,
            ..self.clone()
        })
    }
}

/// What of several values is read to tell a request.
fn glance(cut: &Cut) -> Option<Between> {
    let is_wanted = |step: &&Step| step.variable.is_sketch();
    let wanted: Vec<&Step> = cut.steps().iter().filter(is_wanted).collect();
    let all = || Some(Between::All(cut.clone()));
    let [wanted] = *wanted else {
        return if wanted.is_empty() { None } else { all() };
    };
    match cut.steps() {
        [first, _, ..] if first == wanted => {
            let head = cut.prefix().clone();
            Some(Between::First(head, first.clone(), Extent::Part))
        }
        [.., before, last] if last == wanted && last.shape == Shape::Time => {
            let (head, until) = (before.until.clone(), last.until.clone());
            Some(Between::Time(head, last.variable, until))
        }
        _ => all(),
    }
}

fn count(text: &[u8]) -> usize {
    text.iter().filter(|byte| **byte == b'"').count()
}

#[cfg(test)]
mod tests;
