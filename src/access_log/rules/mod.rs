//! Application logs read by rules: a literal, a regular expression, and what a line that has both says.
//!
//! The literal stands before the expression, so that a line which concerns no stream costs a search
//! and nothing more. It does not know where rules are written, nor who counts.

use std::collections::BTreeSet;
use std::sync::Arc;

use memchr::memmem::Finder;
use regex::bytes::{Captures, Regex, RegexBuilder};

use super::Record;
use crate::label::{Label, label};
use crate::reason::Reason;

pub(crate) mod ended;
mod preset;

pub use ended::Ended;
pub use preset::Preset;

/// How much of a line is looked at, in bytes: the rest is a stack trace or a dump.
pub const LINE_MAX: usize = 4 * 1024;

/// Longest literal or expression, in bytes.
const TEXT_MAX: usize = 1024;

/// Most memory of one compiled expression, and of its cache, in bytes.
const COMPILED_MAX: usize = 512 * 1024;

/// The names that captures may have.
const CAPTURES: [&str; 2] = ["session", "reason"];

label! {
    /// What a rule's line says of a stream.
    pub enum EventKind {
        /// It was opened: an end told of before is over.
        Opened => "opened",
        /// It ended.
        Closed => "closed",
        /// It was written to. Nothing is counted but the line.
        Heartbeat => "heartbeat",
    }
}

/// What a line says of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// It was opened.
    Opened,
    /// It ended, for this reason.
    Closed(Reason),
    /// It was written to.
    Heartbeat,
}

impl Told {
    /// Its kind.
    pub fn kind(self) -> EventKind {
        match self {
            Self::Opened => EventKind::Opened,
            Self::Closed(_) => EventKind::Closed,
            Self::Heartbeat => EventKind::Heartbeat,
        }
    }

    /// Why the stream ended, if it did.
    pub fn reason(self) -> Option<Reason> {
        match self {
            Self::Closed(reason) => Some(reason),
            Self::Opened | Self::Heartbeat => None,
        }
    }
}

/// One rule.
#[derive(Debug, Clone)]
pub struct Rule {
    contains: Finder<'static>,
    pattern: Regex,
    event: EventKind,
    reason: Reason,
}

impl PartialEq for Rule {
    fn eq(&self, other: &Self) -> bool {
        let parts = |rule: &Self| (rule.event, rule.reason);
        parts(self) == parts(other)
            && self.contains.needle() == other.contains.needle()
            && self.pattern.as_str() == other.pattern.as_str()
    }
}

impl Eq for Rule {}

/// Rules in the order in which they are tried: the first that fits a line decides. Shared, not copied:
/// each copy of an expression would have to warm up caches of its own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rules(Arc<[Rule]>);

impl Rule {
    /// A rule for lines that contain a literal and match an expression. `reason` counts for `Closed`,
    /// where no capture `reason` names one of the closed set.
    ///
    /// # Errors
    /// What is wrong with the expression or the literal, and what was expected, on one line.
    pub fn new(
        contains: &str,
        pattern: &str,
        event: EventKind,
        reason: Reason,
    ) -> Result<Self, String> {
        Ok(Self {
            contains: Finder::new(literal(contains)?).into_owned(),
            pattern: expression(pattern)?,
            event,
            reason,
        })
    }

    fn read<'a>(&self, line: &'a [u8]) -> Option<(Told, Option<&'a [u8]>)> {
        self.contains.find(line)?;
        let captures = self.pattern.captures(line)?;
        let session = captures.name("session").map(|found| found.as_bytes());
        let told = match self.event {
            EventKind::Opened => Told::Opened,
            EventKind::Heartbeat => Told::Heartbeat,
            EventKind::Closed => Told::Closed(named_reason(&captures).unwrap_or(self.reason)),
        };
        Some((told, session.filter(|session| !session.is_empty())))
    }
}

impl Rules {
    /// The user's own rules, then those of presets.
    pub fn new(mut rules: Vec<Rule>, presets: &[Preset]) -> Self {
        rules.extend(presets.iter().flat_map(|preset| preset.rules()));
        Self(rules.into())
    }

    /// What a line says, and the id of the session it names. Looks at the first [`LINE_MAX`] bytes.
    pub fn read<'a>(&self, line: &'a [u8]) -> Option<(Told, Option<&'a [u8]>)> {
        let line = line.get(..LINE_MAX).unwrap_or(line);
        self.0.iter().find_map(|rule| rule.read(line))
    }

    /// A line as a record; of one that no rule fits, an empty one: applications write of much else.
    pub fn parse<'a>(&self, line: &'a [u8]) -> Record<'a> {
        let (told, session_sent) = match self.read(line) {
            Some((told, session)) => (Some(told), session),
            None => (None, None),
        };
        Record {
            told,
            session_sent,
            ..Record::default()
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The reason of the closed set that the capture `reason` spells, in any case.
fn named_reason(captures: &Captures<'_>) -> Option<Reason> {
    let text = captures.name("reason")?.as_bytes();
    let spells = |reason: &&Reason| reason.as_str().as_bytes().eq_ignore_ascii_case(text);
    Reason::ALL.iter().find(spells).copied()
}

/// Judges a rule's literal.
///
/// # Errors
/// What is wrong, and what was expected.
pub fn literal(text: &str) -> Result<&[u8], String> {
    match text.len() {
        1..=TEXT_MAX => Ok(text.as_bytes()),
        0 => Err("nothing to look for; expected a text that every such line contains".to_owned()),
        long => Err(format!("{long} bytes; expected at most {TEXT_MAX}")),
    }
}

/// Judges and compiles a rule's expression.
///
/// # Errors
/// What is wrong, and what was expected.
pub fn expression(text: &str) -> Result<Regex, String> {
    if text.is_empty() || text.len() > TEXT_MAX {
        return Err(format!(
            "bad pattern of {} bytes; expected a regular expression of 1 to {TEXT_MAX} bytes",
            text.len()
        ));
    }
    let compiled = RegexBuilder::new(text)
        .size_limit(COMPILED_MAX)
        .dfa_size_limit(COMPILED_MAX)
        .build();
    let regex = compiled.map_err(|error| {
        // Over several lines the error shows the place; its last line says what is wrong.
        let text = error.to_string();
        let what = text.lines().last().unwrap_or_default();
        let what = what
            .trim()
            .trim_start_matches("error: ")
            .trim_end_matches('.');
        format!("bad pattern: {what}; expected a regular expression of the crate regex")
    })?;
    let names: BTreeSet<&str> = regex.capture_names().flatten().collect();
    match names.iter().find(|name| !CAPTURES.contains(name)) {
        None => Ok(regex),
        Some(name) => Err(format!(
            "unknown capture {name:?}; expected only {}",
            CAPTURES.join(" and ")
        )),
    }
}

#[cfg(test)]
mod tests;
