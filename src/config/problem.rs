//! What is wrong with a configuration, and where: one line per problem.
//!
//! Owns the shape of that line and the reduction of a YAML error to it. Does not know what a valid
//! configuration is.

use std::fmt;

use serde_saphyr::{Error, Location, MessageFormatter, UserMessageFormatter};

/// Longest piece of the configuration that a message repeats, in characters.
const QUOTE_MAX: usize = 80;

/// Where a value stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file as it was named on the command line; `holter` where a flag gave the value.
    pub file: String,
    /// Line, from 1; 0 where the value has no position (a flag, a default).
    pub line: u64,
    /// Column in characters, from 1; 0 where the value has no position.
    pub column: u64,
    /// `canaries[0].direct`, or the flag's name; empty where the error precedes any key.
    pub path: String,
}

impl Place {
    pub(super) fn new(file: &str, at: Location, path: &str) -> Self {
        Self {
            file: file.to_owned(),
            line: at.line(),
            column: at.column(),
            path: path.to_owned(),
        }
    }

    /// A problem at this place: what was found, and what was expected.
    pub fn problem(&self, message: impl Into<String>) -> Problem {
        Problem {
            place: self.clone(),
            message: message.into(),
        }
    }
}

/// One problem; its `Display` is one line, `holter.yaml:4:13: canaries[0].direct: URL has no host…`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub place: Place,
    /// What was found, and what was expected.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Place {
            file,
            line,
            column,
            path,
        } = &self.place;
        f.write_str(file)?;
        if *line > 0 {
            write!(f, ":{line}:{column}")?;
        }
        if !path.is_empty() {
            write!(f, ": {path}")?;
        }
        write!(f, ": {}", self.message)
    }
}

/// Reduces an error of the YAML parser, or of serde, to a problem.
pub(super) fn from_yaml(file: &str, error: &Error) -> Problem {
    let error = error.without_snippet();
    let at = error.location().unwrap_or(Location::UNKNOWN);
    Place::new(file, at, "").problem(yaml_message(error))
}

fn yaml_message(error: &Error) -> String {
    match error {
        Error::SerdeUnknownField {
            field, expected, ..
        } => format!(
            "unknown key {}; expected one of: {}",
            quote(field),
            expected.join(", ")
        ),
        Error::DuplicateMappingKey { key, .. } => match key {
            Some(key) => format!("duplicate key {}; expected it once", quote(key)),
            None => "duplicate key; expected it once".to_owned(),
        },
        Error::Unexpected { expected, .. } => wrong_kind(expected),
        Error::SerdeInvalidType { expected, .. } => wrong_kind(expected),
        Error::NullIntoString { .. } => "nothing stands here; expected a text".to_owned(),
        Error::MultipleDocuments { .. } => "a second document; expected one".to_owned(),
        other => {
            let message = UserMessageFormatter.format_message(other);
            format!("{}; expected valid YAML", one_line(&message))
        }
    }
}

/// The parser's names of its own events are not the words of people who write YAML.
fn wrong_kind(expected: &str) -> String {
    let expected = match expected {
        "mapping start" => "a mapping, key: value",
        "sequence start" => "a list, [...] or lines with -",
        "string scalar" => "a text",
        other => other,
    };
    format!("another kind of value; expected {expected}")
}

/// A message on one line: everything that breaks a line becomes a space.
fn one_line(text: &str) -> String {
    text.split(|c: char| c.is_control() || c == ' ')
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

/// A piece of the configuration as it may stand in a message: quoted, escaped, capped, and without the
/// query of a URL, which may carry a secret.
pub(super) fn quote(text: &str) -> String {
    let query = text.find("://").and(text.split_once('?'));
    let (shown, more) = query.map_or((text, false), |(before, _)| (before, true));
    let mut out: String = shown.chars().take(QUOTE_MAX).collect();
    if more || out.len() < shown.len() {
        out.push('…');
    }
    format!("{out:?}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_are_short_and_keep_queries_back() {
        let check = |input: &str, expected: &str| assert_eq!(quote(input), expected, "{input}");
        check("abc", "\"abc\"");
        check("a\nb\"", "\"a\\nb\\\"\"");
        check("ftp://h/p?key=secret", "\"ftp://h/p…\"");
        check("what?", "\"what?\"");
        check(&"é".repeat(81), &format!("\"{}…\"", "é".repeat(80)));
    }

    #[test]
    fn messages_stay_on_one_line() {
        assert_eq!(one_line("a\n  b\r\n\tc\u{1b}[0m"), "a b c [0m");
    }
}
