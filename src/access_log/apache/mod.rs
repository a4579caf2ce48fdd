//! Apache httpd's logs: the access log in the user's own `LogFormat`, and the error log.
//!
//! [`Format`] is compiled once from the text of the configuration; a line is then read in one pass
//! that allocates nothing. Sources: Apache's manual, `mod_log_config` (formats; values are escaped
//! with backslashes) and `core` (`ErrorLogFormat`). It does not know what a stream is.

mod directive;
pub mod error;
mod format_error;
mod item;
pub(crate) mod join;
mod time;

pub use format_error::FormatError;
pub(crate) use item::address;

use super::nginx::scan::{self, Shape};
use super::{MAX_LINE, Record, UnparsedKind, damage};
use directive::Piece;
use item::Item;
use time::Moment;

/// Formats known by name: those of Apache's and Debian's shipped configuration, and Holter's own JSON.
pub const PRESETS: [(&str, &str); 5] = [
    ("common", COMMON),
    ("combined", COMBINED),
    ("combinedio", COMBINED_IO),
    ("vhost_combined", VHOST_COMBINED),
    ("json", JSON),
];

const COMMON: &str = r#"%h %l %u %t "%r" %>s %b"#;
const COMBINED: &str = r#"%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i""#;
const COMBINED_IO: &str = r#"%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i" %I %O"#;
const VHOST_COMBINED: &str = r#"%v:%p %h %l %u %t "%r" %>s %O "%{Referer}i" "%{User-Agent}i""#;

/// All that Holter can use, for whoever wants JSON: to be pasted into Apache's configuration.
const JSON: &str = r#"LogFormat "{\"time\":\"%{%Y-%m-%dT%H:%M:%S}t.%{msec_frac}t%{%z}t\",\"client\":\"%a\",\"client_port\":%{remote}p,\"method\":\"%m\",\"uri\":\"%U%q\",\"status\":%>s,\"duration_us\":%D,\"connection\":\"%X\",\"bytes\":%B,\"worker\":\"%{BALANCER_WORKER_NAME}e\",\"mcp_session_id\":\"%{Mcp-Session-Id}i\",\"resp_mcp_session_id\":\"%{Mcp-Session-Id}o\",\"mcp_method\":\"%{Mcp-Method}i\",\"content_type\":\"%{Content-Type}o\",\"log_id\":\"%L\",\"user_agent\":\"%{User-Agent}i\"}" holter_json"#;

/// A compiled `LogFormat`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Format {
    prefix: Box<[u8]>,
    steps: Box<[Step]>,
}

/// One directive, how its value ends, and the text that follows it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Step {
    item: Item,
    name: Box<str>,
    width: Option<usize>,
    until: Box<[u8]>,
}

/// What a format may lack: the directive that supplies it, which items count, what is lost.
type Need = (&'static str, fn(&Item) -> bool, &'static str);

/// What is needed for everything that Apache's logs can tell.
const NEEDED: [Need; 8] = [
    (
        "%X",
        |item| matches!(item, Item::ClientConnection),
        "a client that left looks like a server that ended",
    ),
    (
        "%{remote}p or %L",
        |item| matches!(item, Item::ClientPort | Item::ErrorId),
        "ends are joined with the error log by the client's address, and only where that is unambiguous",
    ),
    (
        "%D",
        |item| matches!(item, Item::Duration(_)),
        "streams have no lifetime",
    ),
    (
        "%{BALANCER_WORKER_NAME}e",
        |item| matches!(item, Item::Upstream),
        "neither replicas nor session affinity can be told",
    ),
    (
        "%{Mcp-Session-Id}i",
        |item| matches!(item, Item::SessionSent),
        "session affinity cannot be told",
    ),
    (
        "%{Mcp-Session-Id}o",
        |item| matches!(item, Item::SessionMinted),
        "session affinity cannot be told",
    ),
    (
        "%{User-Agent}i",
        |item| matches!(item, Item::UserAgent),
        "Holter's own canaries cannot be left out",
    ),
    (
        "%t",
        |item| matches!(item, Item::Time(part) if part.tells()),
        "requests of one connection can be mistaken for each other",
    ),
];

impl Format {
    /// Compiles a preset's name, a bare format string, or a whole pasted `LogFormat` directive.
    ///
    /// # Errors
    /// The first problem, and what was expected.
    pub fn compile(text: &str) -> Result<Self, FormatError> {
        let preset = PRESETS.iter().find(|(name, _)| *name == text.trim());
        let text = preset.map_or(text, |(_, format)| format);
        let (prefix, steps) = steps(directive::pieces(text)?)?;
        if !names_a_request(&steps) {
            return Err(FormatError::NoRequest);
        }
        Ok(Self {
            prefix,
            steps: steps.into(),
        })
    }

    /// What this format cannot tell, and what to add to it: one sentence each.
    pub fn limits(&self) -> Vec<String> {
        let lacks = |is: fn(&Item) -> bool| !self.steps.iter().any(|step| is(&step.item));
        (NEEDED.iter())
            .filter(|(_, is, _)| lacks(*is))
            .map(|(directive, _, effect)| format!("{directive} is not logged: {effect}"))
            .collect()
    }

    /// Reads one line, without its line end.
    ///
    /// # Errors
    /// The kind of damage, to be counted.
    pub fn parse<'a>(&self, line: &'a [u8]) -> Result<Record<'a>, UnparsedKind> {
        if line.len() > MAX_LINE {
            return Err(UnparsedKind::TooLong);
        }
        let (mut record, mut moment) = (Record::default(), Moment::default());
        let mut rest = (line.strip_prefix(&*self.prefix)).ok_or_else(|| damage(line))?;
        let (last, steps) = self.steps.split_last().ok_or(UnparsedKind::Format)?;
        for step in steps {
            let (value, tail) = step.value(rest).ok_or_else(|| damage(line))?;
            step.item.read(value, &mut record, &mut moment)?;
            rest = tail;
        }
        let value = (rest.strip_suffix(&*last.until)).ok_or_else(|| damage(line))?;
        last.item.read(value, &mut record, &mut moment)?;
        put_in_time(&mut record, &moment);
        Ok(record)
    }
}

impl Step {
    /// The value at the start of `rest`, and what follows it and the text behind it.
    fn value<'a>(&self, rest: &'a [u8]) -> Option<(&'a [u8], &'a [u8])> {
        let end = match (self.width, &self.item) {
            // A moment that could not be told is `-`.
            (Some(width), _) if !rest.starts_with(b"-") || width == 1 => width,
            (_, Item::Request) => scan::end(rest, Shape::of("request", &self.until), &self.until)?,
            _ => scan::end(rest, Shape::Plain, &self.until)?,
        };
        let (value, tail) = rest.split_at_checked(end)?;
        Some((value, tail.strip_prefix(&*self.until)?))
    }
}

/// Cuts the format into the literal before the first directive, and the steps.
fn steps(pieces: Vec<Piece>) -> Result<(Box<[u8]>, Vec<Step>), FormatError> {
    let mut prefix = Box::default();
    let mut steps: Vec<Step> = Vec::new();
    for piece in pieces {
        match (piece, steps.last_mut()) {
            (Piece::Literal(text), None) => prefix = text.into_bytes().into(),
            (Piece::Literal(text), Some(step)) => step.until = text.into_bytes().into(),
            (Piece::Directive { argument, name }, last) => {
                let item = Item::of(&name, argument.as_deref());
                let adjacent = last.filter(|last| last.until.is_empty());
                match adjacent {
                    Some(last) if last.is_path_before(&item) => last.item = Item::Target,
                    Some(last) if last.width.is_none() => {
                        return Err(FormatError::Adjacent(last.name.to_string()));
                    }
                    _ => steps.push(Step::of(item, name)),
                }
            }
        }
    }
    if steps.is_empty() {
        return Err(FormatError::NoDirective);
    }
    Ok((prefix, steps))
}

impl Step {
    fn of(item: Item, name: String) -> Self {
        Self {
            width: item.width(),
            item,
            name: name.into(),
            until: Box::default(),
        }
    }

    /// `%U%q` is one value: the query brings its own `?`.
    fn is_path_before(&self, next: &Item) -> bool {
        self.item == Item::Path && *next == Item::Query
    }
}

fn names_a_request(steps: &[Step]) -> bool {
    let has = |item: Item| steps.iter().any(|step| step.item == item);
    has(Item::Request) || (has(Item::Method) && (has(Item::Path) || has(Item::Target)))
}

/// When the request began and ended: Apache stamps the line with its beginning. The end is known
/// where the duration is.
fn put_in_time(record: &mut Record<'_>, moment: &Moment) {
    let Some((us, offset, at_end)) = moment.stamp() else {
        return;
    };
    let took = record
        .duration
        .map(|took| i64::try_from(took.as_micros()).unwrap_or(i64::MAX));
    let ended = if at_end {
        Some(us)
    } else {
        record.started = Some(time::stamp(us, offset));
        took.map(|took| us.saturating_add(took))
    };
    record.ended = ended.map(|us| time::stamp(us, offset));
    record.ended_us = ended;
}

#[cfg(test)]
mod tests;
