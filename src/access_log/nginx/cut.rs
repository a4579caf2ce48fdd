//! A format's literal text and variables in turn, and how a text is cut along them: a whole line, or the
//! value of one member of a JSON object.
//!
//! It does not know what a variable's value means.

use super::scan::{Shape, Until};
use super::variable::{Values, Variable, leave_out_redundant};
use crate::access_log::keyed::{self, Name, Part, Piece};

/// A variable, and the text that follows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) name: String,
    pub(super) until: String,
}

/// A compiled text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cut {
    prefix: Until,
    steps: Box<[Step]>,
    is_json: bool,
}

/// One variable, how its value ends, and the text that follows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) variable: Variable,
    pub(super) shape: Shape,
    pub(super) until: Until,
}

impl Step {
    /// Whether a number might not end where its digits do.
    pub(super) fn goes_on_with_a_digit(&self) -> bool {
        self.until.text().first().is_some_and(u8::is_ascii_digit)
    }

    /// The same before another text.
    pub(super) fn before(&self, until: &[u8]) -> Self {
        Self {
            until: Until::new(until.into()),
            ..*self
        }
    }
}

impl Cut {
    /// A text of its pieces. Of a JSON object each value has to end where its member ends, so that a member
    /// that the format does not have is not taken for a part of one.
    pub(super) fn new(prefix: &str, variables: &[Named], is_json: bool) -> Self {
        let step = |Named { name, until }: &Named| Step {
            variable: Variable::named(name),
            shape: match Shape::of(name, until.as_bytes()) {
                Shape::Plain if is_json => Shape::Member,
                shape => shape,
            },
            until: Until::new(until.as_bytes().into()),
        };
        Self {
            prefix: Until::new(prefix.as_bytes().into()),
            steps: variables.iter().map(step).collect(),
            is_json,
        }
    }

    /// A variable and nothing else.
    pub(super) fn of(name: &str) -> Self {
        let (name, until) = (name.to_owned(), String::new());
        Self::new("", &[Named { name, until }], false)
    }

    /// The text before the first variable.
    pub(super) fn prefix(&self) -> &Until {
        &self.prefix
    }

    /// The variables, and the text after each.
    pub(super) fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// A part of the text: of an object, as far as a member's own end is in it.
    pub(super) fn part(&self, prefix: &[u8], steps: Vec<Step>) -> Self {
        let ends = steps
            .last()
            .is_some_and(|last| !last.until.text().is_empty());
        Self {
            prefix: Until::new(prefix.into()),
            steps: steps.into(),
            is_json: self.is_json && ends,
        }
    }

    /// The variables.
    pub(super) fn variables(&self) -> impl Iterator<Item = Variable> {
        self.steps.iter().map(|step| step.variable)
    }

    /// Whether the variable is in the text.
    pub(super) fn has(&self, variable: Variable) -> bool {
        self.variables().any(|known| known == variable)
    }

    /// The same without variables whose value another one gives better.
    pub(super) fn without_redundant(mut self) -> Self {
        leave_out_redundant(&mut self.steps);
        self
    }

    /// Cuts a text into its values; `None` if it does not have this shape.
    pub(super) fn values<'a>(&self, text: &'a [u8], values: &mut Values<'a>) -> Option<()> {
        self.values_between(text, 0, text.len(), values.taker())
    }

    /// The same from one place of a line to another. What lies behind is looked at, which is quicker than to mind
    /// where the text ends, but for the last value nothing is found there.
    pub(super) fn values_between<'a>(
        &self,
        line: &'a [u8],
        from: usize,
        to: usize,
        mut on: impl FnMut(Variable, &'a [u8]) -> Option<()>,
    ) -> Option<()> {
        let mut rest = self.prefix.strip(line.get(from..)?)?;
        let (last, steps) = self.steps.split_last()?;
        for step in steps {
            let end = step.until.end(rest, step.shape)?;
            on(step.variable, rest.get(..end)?)?;
            rest = rest.get(end + step.until.text().len()..)?;
        }
        let length = to.checked_sub(line.len() - rest.len())?;
        let end = match self.is_json || last.shape == Shape::Time {
            true => last.until.end(rest, last.shape)?,
            false => length.checked_sub(last.until.text().len())?,
        };
        let behind = last.until.strip(rest.get(end..)?)?;
        match line.len() - behind.len() == to {
            true => on(last.variable, rest.get(..end)?),
            false => None,
        }
    }
}

/// The members of the object that a format draws; none if it draws none.
pub(super) fn members(prefix: &str, variables: &[Named]) -> Vec<(Name, Cut)> {
    let pieces = variables
        .iter()
        .flat_map(|variable| [Piece::Field, Piece::Text(&variable.until)]);
    let members = keyed::members([Piece::Text(prefix)].into_iter().chain(pieces));
    let cut = |value: &[Part]| {
        let (mut prefix, mut own) = (String::new(), Vec::<Named>::new());
        for part in value {
            match (part, own.last_mut()) {
                (Part::Text(text), None) => prefix.push_str(text),
                (Part::Text(text), Some(last)) => last.until.push_str(text),
                (Part::Field(at), _) => own.extend(variables.get(*at).map(|variable| Named {
                    name: variable.name.clone(),
                    until: String::new(),
                })),
            }
        }
        Cut::new(&prefix, &own, false)
    };
    let members = members.unwrap_or_default();
    (members.into_iter())
        .map(|member| (member.name, cut(&member.value)))
        .collect()
}
