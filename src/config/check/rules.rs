//! `rules`, `presets` and `samples` of a log source: judged, and the samples put to the rules.
//!
//! Does not know how a rule reads a line.

use serde_saphyr::{Location, Spanned};

use super::{Check, input};
use crate::access_log::rules::{EventKind, Preset, Rule, Rules, Told};
use crate::config::problem::quote;
use crate::config::raw::{RawLog, RawRule, RawSample};
use crate::config::value;
use crate::label::Label;
use crate::reason::Reason;

impl Check<'_> {
    /// The rules of a source whose format is `rules`.
    pub(super) fn rules(&mut self, raw: &RawLog, at: Location, path: &str) -> Option<Rules> {
        let key = |key: &str| format!("{path}.{key}");
        if let Some((second, at)) = input::second_log(raw) {
            let first = second.trim_start_matches("error_");
            let message = format!("{second} with format rules; expected all in {first}");
            self.report(at, &key(second), message);
        }
        if raw.rules.is_empty() && raw.presets.is_empty() {
            let known: Vec<_> = Preset::ALL.iter().map(|preset| preset.as_str()).collect();
            let message = format!(
                "no rules; expected rules, or presets of: {}",
                known.join(", ")
            );
            self.report(at, &key("rules"), message);
        }
        let before = self.problems.len();
        let rules = self.list(&raw.rules, &key("rules"), Check::rule);
        let presets = self.list(&raw.presets, &key("presets"), |check, text, path| {
            check.value(text, path, value::preset)
        });
        let rules = Rules::new(rules, &presets);
        // Beside a rule that is refused, what the others say of a sample means nothing.
        let is_whole = self.problems.len() == before;
        for sample in self.list(&raw.samples, &key("samples"), Check::sample) {
            if let Some(message) = sample.mismatch(&rules).filter(|_| is_whole) {
                self.report(sample.at, &sample.path, message);
            }
        }
        Some(rules)
    }

    /// No rules where the format is another.
    pub(super) fn no_rules(&mut self, raw: &RawLog, path: &str) {
        let given = [
            ("rules", raw.rules.first().map(|rule| rule.referenced)),
            (
                "presets",
                raw.presets.first().map(|preset| preset.referenced),
            ),
            (
                "samples",
                raw.samples.first().map(|sample| sample.referenced),
            ),
        ];
        for (key, at) in given {
            if let Some(at) = at {
                let message = format!("{key} for another format; expected format: rules");
                self.report(at, &format!("{path}.{key}"), message);
            }
        }
    }

    fn rule(&mut self, raw: &Spanned<RawRule>, path: &str) -> Option<Rule> {
        let at = raw.referenced;
        let raw = &raw.value;
        let key = |key: &str| format!("{path}.{key}");
        let name = self.optional(raw.name.as_ref(), &key("name"), value::name);
        let contains = self.required(raw.contains.as_ref(), at, &key("contains"), value::literal);
        let pattern = self.required(raw.pattern.as_ref(), at, &key("pattern"), value::expression);
        let event = self.required(raw.event.as_ref(), at, &key("event"), value::event);
        let reason = self.optional(raw.reason.as_ref(), &key("reason"), value::reason);
        let event = event?;
        if let (Some(reason), EventKind::Opened | EventKind::Heartbeat) = (&raw.reason, event) {
            let message = format!("a reason for event {event}; expected one for closed only");
            self.report(reason.referenced, &key("reason"), message);
        }
        name?;
        let reason = reason?.unwrap_or(Reason::Unknown);
        Rule::new(&contains?, &pattern?, event, reason).ok()
    }

    fn sample(&mut self, raw: &Spanned<RawSample>, path: &str) -> Option<Sample> {
        let at = raw.referenced;
        let raw = &raw.value;
        let key = |key: &str| format!("{path}.{key}");
        let line = self.required(raw.line.as_ref(), at, &key("line"), value::sample_line);
        let event = self.required(raw.event.as_ref(), at, &key("event"), value::sample_event);
        let reason = self.optional(raw.reason.as_ref(), &key("reason"), value::reason);
        let event = event?;
        if let Some(reason) = raw
            .reason
            .as_ref()
            .filter(|_| event != Some(EventKind::Closed))
        {
            let message = "a reason for an event that has none; expected one for closed only";
            self.report(reason.referenced, &key("reason"), message);
        }
        Some(Sample {
            at: raw.line.as_ref()?.referenced,
            path: key("line"),
            line: line?,
            event,
            reason: reason?,
        })
    }
}

/// A line, and what the rules are expected to say of it.
struct Sample {
    at: Location,
    path: String,
    line: String,
    event: Option<EventKind>,
    reason: Option<Reason>,
}

impl Sample {
    /// What the rules say instead.
    fn mismatch(&self, rules: &Rules) -> Option<String> {
        let told = rules.read(self.line.as_bytes()).map(|(told, _)| told);
        let named = |event: Option<EventKind>| event.map_or("none", Label::as_str);
        let (found, line) = (told.map(Told::kind), quote(&self.line));
        if found != self.event {
            let (found, expected) = (named(found), named(self.event));
            return Some(format!(
                "the rules say {found} of {line}; expected {expected}"
            ));
        }
        let found = told.and_then(Told::reason)?;
        let expected = self.reason.filter(|reason| *reason != found)?;
        Some(format!(
            "the rules say reason {found} of {line}; expected {expected}"
        ))
    }
}
