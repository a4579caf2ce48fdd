//! Apache httpd's logs: the access log in the user's own `LogFormat`, and the error log.
//!
//! [`Format`] is compiled once from the text of the configuration; a line is then read in one pass
//! that allocates nothing. Sources: Apache's manual, `mod_log_config` (formats; values are escaped
//! with backslashes) and `core` (`ErrorLogFormat`). It does not know what a stream is.

mod cut;
mod directive;
pub mod error;
mod format_error;
mod item;
pub(crate) mod join;
mod time;

pub use format_error::FormatError;
pub(crate) use item::address;

use super::keyed::{Keys, Name};
use super::{MAX_LINE, POST_STREAMS, Record, UnparsedKind};
use cut::Cut;
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

/// Keys of `json` beside its own, and what they hold.
const KEYS: [(&str, &str); 28] = [
    ("timestamp", "%{%Y-%m-%dT%H:%M:%S}t.%{msec_frac}t%{%z}t"),
    ("@timestamp", "%{%Y-%m-%dT%H:%M:%S}t.%{msec_frac}t%{%z}t"),
    ("remote_addr", "%a"),
    ("remote_host", "%h"),
    ("client_ip", "%a"),
    ("cport", "%{remote}p"),
    ("remote_port", "%{remote}p"),
    ("request", "%r"),
    ("request_method", "%m"),
    ("path", "%U"),
    ("url", "%U%q"),
    ("request_uri", "%U%q"),
    ("query", "%q"),
    ("query_string", "%q"),
    ("status_code", "%>s"),
    ("duration_ms", "%{ms}T"),
    ("request_time_us", "%D"),
    ("conn_status", "%X"),
    ("connection_status", "%X"),
    ("balancer_worker_name", "%{BALANCER_WORKER_NAME}e"),
    ("upstream", "%{BALANCER_WORKER_NAME}e"),
    ("error_log_id", "%L"),
    ("http_mcp_session_id", "%{Mcp-Session-Id}i"),
    ("upstream_mcp_session_id", "%{Mcp-Session-Id}o"),
    ("http_mcp_method", "%{Mcp-Method}i"),
    ("resp_content_type", "%{Content-Type}o"),
    ("http_user_agent", "%{User-Agent}i"),
    ("ua", "%{User-Agent}i"),
];

/// A compiled `LogFormat`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Format {
    /// The whole line, as written.
    line: Cut,
    /// The same by key, if the line is a JSON object.
    keys: Option<Keys<Cut>>,
}

/// A line that is being read.
#[derive(Debug, Default)]
struct Reading<'a> {
    record: Record<'a>,
    moment: Moment,
}

/// What a format may lack: the directive that supplies it, which items count, what is lost.
type Need = (&'static str, fn(&Item) -> bool, &'static str);

/// What is needed for everything that Apache's logs can tell.
const NEEDED: [Need; 9] = [
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
    (
        "%{Content-Type}o or %{Mcp-Method}i",
        |item| matches!(item, Item::ContentType | Item::McpMethod),
        POST_STREAMS,
    ),
];

impl Format {
    /// Compiles a preset's name, a bare format string, or a whole pasted `LogFormat` directive.
    ///
    /// # Errors
    /// The first problem, and what was expected.
    pub fn compile(text: &str) -> Result<Self, FormatError> {
        let preset = PRESETS.iter().find(|(name, _)| *name == text.trim());
        let is_json = preset.is_some_and(|(name, _)| *name == "json");
        let text = preset.map_or(text, |(_, format)| format);
        let pieces = directive::pieces(text)?;
        let mut members = cut::members(&pieces)?;
        let line = Cut::new(pieces, !members.is_empty())?;
        if !names_a_request(&line) {
            return Err(FormatError::NoRequest);
        }
        if is_json {
            for (key, format) in KEYS {
                let value = Cut::new(directive::pieces(format)?, false)?;
                members.push((Name::anywhere(key), value));
            }
        }
        let of_request = |cut: &Cut| cut.has(&Item::Request) || cut.has(&Item::Method);
        let keys = (!members.is_empty()).then(|| Keys::new(members, of_request));
        Ok(Self { line, keys })
    }

    /// What this format cannot tell, and what to add to it: one sentence each.
    pub fn limits(&self) -> Vec<String> {
        let lacks = |is: fn(&Item) -> bool| !self.line.items().any(is);
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
        let mut reading = Reading::default();
        let outcome = self.line.read(line, &mut reading);
        match (outcome, &self.keys) {
            // An object whose members stand in another order, or of which there are more or fewer.
            (Err(_), Some(keys)) => {
                reading = Reading::default();
                keys.read(line, |value, raw| value.read(raw, &mut reading))?;
            }
            (outcome, _) => outcome?,
        }
        let Reading { mut record, moment } = reading;
        put_in_time(&mut record, &moment);
        Ok(record)
    }
}

fn names_a_request(line: &Cut) -> bool {
    let has = |item: Item| line.has(&item);
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
