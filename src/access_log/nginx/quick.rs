//! The values that tell an ordinary request, taken out of its line by counting quotes; the others only where the
//! line is to be read whole.
//!
//! Where a line has as many quotes as its format's text, none of its values has one, so that each quote stands where
//! the format has it: what lies between two of them is found without a look at anything else. Other lines (a client
//! wrote quotes, a JSON object has its members in another order, damage) are cut from the front, by [`Cut`]; where
//! both find values they find the same.

use super::cut::{Cut, Step};
use super::scan::{Shape, TIME_LENGTH, Until};
use super::variable::{Values, Variable};
use crate::access_log::Sketch;
use crate::access_log::marks::Line;
use crate::access_log::target::{self, Words};
use crate::access_log::times::Times;
use glance::Glance;

mod glance;

/// A format's text, cut at its quotes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Quick {
    /// How many quotes there are.
    quotes: usize,
    /// What tells a request, and when it was.
    glance: Glance,
    /// All that there is.
    runs: Box<[Run]>,
    /// The text from the last value's quote on.
    tail: Option<Box<[u8]>>,
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
    /// A line's text; `None` if it has no quotes.
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
            true => Some(before),
            false => {
                runs.push(Run::new(before, &mut quotes, own, line));
                None
            }
        };
        quotes += tail.map_or(0, count);
        // What goes over several lines cannot be found in one.
        let is_line = |run: &Run| !run.before.text().contains(&b'\n');
        (quotes > 0 && runs.iter().all(is_line)).then(|| Self {
            quotes,
            glance: Glance::of(&runs, line),
            runs: runs.into(),
            tail: tail.map(Box::from),
        })
    }

    /// Takes what tells a request; where it has a session no more than that. `None` if the line cannot be read so; it need
    /// not be damaged.
    #[inline(never)]
    pub(super) fn sketch<'a>(
        &self,
        line: &Line<'a, '_>,
        times: &mut Times,
        sketch: &mut Sketch<'a>,
    ) -> Option<()> {
        match line.has(self.quotes) {
            true => self.glance.read(line, times, sketch),
            false => None,
        }
    }

    /// Takes all values, and looks at all of the line's text.
    #[inline(never)]
    pub(super) fn values<'a>(&self, line: &Line<'a, '_>, values: &mut Values<'a>) -> Option<()> {
        for run in &self.runs {
            let (from, to) = line.between(run.quotes);
            let text = line.whole.get(from..to)?;
            // Behind a backslash a quote may be a part of the value.
            if !run.before.stands_before(line.whole, from) || text.last() == Some(&b'\\') {
                return None;
            }
            match &run.between {
                Between::Value(variable) => values.set(*variable, text),
                Between::All(cut) => {
                    cut.values_between(line.whole, from, to, values.taker())?;
                }
                one => values.set(one.variable()?, one.value(line.whole, from, to)?),
            }
        }
        match &self.tail {
            None => Some(()),
            // As many quotes are in it as are left.
            Some(tail) => line.text.ends_with(tail).then_some(()),
        }
    }
}

impl Between {
    /// Which variable it is, if it is one value.
    fn variable(&self) -> Option<Variable> {
        match self {
            Self::Value(variable) | Self::Time(_, variable, _) => Some(*variable),
            Self::First(_, step, _) => Some(step.variable),
            Self::All(_) => None,
        }
    }

    /// The value from one place to another, if it is one.
    #[inline(always)]
    fn value<'a>(&self, line: &'a [u8], from: usize, to: usize) -> Option<&'a [u8]> {
        match self {
            Self::Value(_) => line.get(from..to),
            Self::First(head, step, extent) => {
                let value = head.strip(line.get(from..)?)?;
                let end = step.until.end(value, step.shape)?;
                let read = from + head.text().len() + end + step.until.text().len();
                let is_right = match extent {
                    Extent::Whole => read == to,
                    Extent::Part => read <= to,
                };
                if is_right { value.get(..end) } else { None }
            }
            Self::Time(head, _, until) => time(line, from, to, head, until),
            Self::All(_) => None,
        }
    }
}

/// A time with a text before it, and another that stands to the end.
#[inline(always)]
fn time<'a>(
    line: &'a [u8],
    from: usize,
    to: usize,
    head: &Until,
    until: &Until,
) -> Option<&'a [u8]> {
    let end = to.checked_sub(until.text().len())?;
    let begin = end.checked_sub(TIME_LENGTH)?;
    let is_right = begin >= from && head.ends_before(line, begin) && until.ends_before(line, to);
    if is_right { line.get(begin..end) } else { None }
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

    /// Its one value. A glance at the text before will do: there are as many quotes as there should.
    #[inline(never)]
    fn value<'a>(&self, line: &Line<'a, '_>) -> Option<&'a [u8]> {
        let (from, to) = line.between(self.quotes);
        match (line.whole.get(..from)?.last_chunk(), &self.between) {
            (Some(word), Between::Value(_)) if self.before.ends(*word) => line.whole.get(from..to),
            _ => self.other_value(line),
        }
    }

    /// The same of what does not stand between two quotes, or stands at the text's begin.
    #[inline(never)]
    fn other_value<'a>(&self, line: &Line<'a, '_>) -> Option<&'a [u8]> {
        let (from, to) = line.between(self.quotes);
        match self.before.ends_before(line.whole, from) {
            true => self.between.value(line.whole, from, to),
            false => None,
        }
    }

    /// The same of a time.
    #[inline(always)]
    fn time<'a>(&self, line: &Line<'a, '_>) -> Option<&'a [u8]> {
        let Between::Time(head, _, until) = &self.between else {
            return None;
        };
        let (from, to) = line.between(self.quotes);
        match self.before.ends_before(line.whole, from) {
            true => time(line.whole, from, to, head, until),
            false => None,
        }
    }

    /// The same of a status, which nearly always has three digits.
    #[inline(always)]
    fn status<'a>(&self, line: &Line<'a, '_>) -> Option<&'a [u8]> {
        const DIGITS: usize = 3;
        let (from, to) = line.between(self.quotes);
        if let Between::First(head, step, Extent::Part) = &self.between
            && let rest = head.strip(line.whole.get(from..to)?)?
            && let Some((digits, behind)) = rest.split_first_chunk::<DIGITS>()
            && digits.iter().all(u8::is_ascii_digit)
            && step.until.strip(behind).is_some()
            && self.before.ends_before(line.whole, from)
        {
            return rest.get(..DIGITS);
        }
        self.other_value(line)
    }

    /// The same of a request, taken apart; `None` in it where it is none.
    #[inline(always)]
    fn request<'a>(&self, line: &Line<'a, '_>) -> Option<Option<Words<'a>>> {
        let (raw, (from, _)) = (self.value(line)?, line.between(self.quotes));
        Some(target::words_before(line.whole.get(from..)?, raw.len()))
    }

    /// Gives its values.
    fn read<'a>(
        &self,
        line: &Line<'a, '_>,
        mut on: impl FnMut(Variable, &'a [u8]) -> Option<()>,
    ) -> Option<()> {
        if let Some(variable) = self.between.variable() {
            return on(variable, self.value(line)?);
        }
        let (from, to) = line.between(self.quotes);
        match (&self.between, self.before.ends_before(line.whole, from)) {
            (Between::All(cut), true) => cut.values_between(line.whole, from, to, on),
            _ => None,
        }
    }

    /// Whether it is a session's id.
    fn is_session(&self) -> bool {
        matches!(
            self.between.variable(),
            Some(Variable::SessionSent | Variable::SessionMinted | Variable::SessionQuery)
        )
    }

    /// What of it tells a request, if anything does.
    fn sketch(&self) -> Option<Self> {
        let between = match &self.between {
            Between::All(cut) => glance(cut),
            one => (one.variable().is_some_and(Variable::is_sketch)).then(|| one.clone()),
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
