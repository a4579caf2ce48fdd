//! nginx's logs: the access log in the user's own `log_format`, and the error log.
//!
//! [`Format`] is compiled once from the text of the configuration; a line is then read in one pass
//! that allocates nothing. Sources: nginx's manual, `ngx_http_log_module`; escaping is described
//! there under `escape=`. It does not know what a stream is, or which line belongs to which.

mod cut;
mod directive;
pub mod error;
mod format_error;
pub(super) mod join;
mod quick;
pub mod reason;
pub(super) mod scan;
mod sketch;
mod variable;

pub use format_error::{FormatError, Problem};

use super::keyed::{Keys, Name};
use super::marks::Line;
use super::times::Times;
use super::{MAX_LINE, POST_STREAMS, Parsed, Record, Sketch, UnparsedKind, damage};
use crate::label::label;
use cut::{Cut, Named};
use directive::Letter;
use quick::Quick;
use variable::{Values, Variable};

/// Formats known by name.
pub const PRESETS: [(&str, &str); 3] = [
    ("combined", COMBINED),
    ("upstreaminfo", UPSTREAMINFO),
    ("json", JSON),
];

/// nginx's built-in format (`ngx_http_log_module`, `log_format`).
const COMBINED: &str = r#"$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent""#;

/// The default of ingress-nginx (its `log-format.md`).
const UPSTREAMINFO: &str = r#"$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" $request_length $request_time [$proxy_upstream_name] [$proxy_alternative_upstream_name] $upstream_addr $upstream_response_length $upstream_response_time $upstream_status $req_id"#;

/// All that Holter can use, for whoever wants JSON: to be pasted into nginx's configuration.
const JSON: &str = r#"log_format holter_json escape=json '{"time":"$time_iso8601","msec":$msec,"connection":$connection,"remote_addr":"$remote_addr","request_method":"$request_method","request_uri":"$request_uri","status":$status,"request_completion":"$request_completion","request_time":$request_time,"body_bytes_sent":$body_bytes_sent,"upstream_addr":"$upstream_addr","upstream_status":"$upstream_status","upstream_connect_time":"$upstream_connect_time","upstream_header_time":"$upstream_header_time","mcp_session_id":"$http_mcp_session_id","upstream_mcp_session_id":"$upstream_http_mcp_session_id","mcp_method":"$http_mcp_method","content_type":"$sent_http_content_type","user_agent":"$http_user_agent"}';"#;

/// Keys of `json` that are no variables' names.
const KEYS: [(&str, &str); 18] = [
    ("@timestamp", "time_iso8601"),
    ("timestamp", "time_iso8601"),
    ("time", "time_iso8601"),
    ("method", "request_method"),
    ("path", "request_uri"),
    ("url", "request_uri"),
    ("completion", "request_completion"),
    ("upstream", "upstream_addr"),
    ("mcp_session_id", "http_mcp_session_id"),
    ("upstream_mcp_session_id", "upstream_http_mcp_session_id"),
    ("sent_mcp_session_id", "sent_http_mcp_session_id"),
    ("resp_mcp_session_id", "upstream_http_mcp_session_id"),
    ("mcp_method", "http_mcp_method"),
    ("content_type", "sent_http_content_type"),
    ("sent_content_type", "sent_http_content_type"),
    ("upstream_content_type", "upstream_http_content_type"),
    ("user_agent", "http_user_agent"),
    ("ua", "http_user_agent"),
];

/// A compiled `log_format`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Format {
    /// The whole line, as written.
    line: Cut,
    /// The same, as most lines can be read.
    quick: Option<Box<Quick>>,
    /// The same by key, if the line is a JSON object.
    keys: Option<Keys<Cut>>,
    missing: Box<[Missing]>,
}

label! {
    /// What a format does not log, and what Holter therefore cannot tell.
    pub enum Missing {
        /// No join with the error log.
        Connection => "connection",
        /// Client and server cannot be told apart without the error log.
        Completion => "completion",
        /// No lifetimes.
        Duration => "duration",
        /// No upstream, so neither affinity nor a replica beside an end.
        Upstream => "upstream",
        /// No session id from the request: no affinity.
        SessionSent => "session_sent",
        /// No session id from the answer: no owner of a session, so no affinity.
        SessionMinted => "session_minted",
        /// Holter's own canaries cannot be left out.
        UserAgent => "user_agent",
        /// Lines cannot be put in order of time with the error log's.
        Time => "time",
        /// Not all streams that a POST opens are seen.
        PostStreams => "post_streams",
        /// A 504 of nginx's own is not told further.
        UpstreamTimes => "upstream_times",
    }
}

impl Missing {
    /// The variable that supplies it.
    pub fn variable(self) -> &'static str {
        match self {
            Self::Connection => "$connection",
            Self::Completion => "$request_completion",
            Self::Duration => "$request_time",
            Self::Upstream => "$upstream_addr",
            Self::SessionSent => "$http_mcp_session_id",
            Self::SessionMinted => "$upstream_http_mcp_session_id",
            Self::UserAgent => "$http_user_agent",
            Self::Time => "$msec",
            Self::PostStreams => "$sent_http_content_type or $http_mcp_method",
            Self::UpstreamTimes => "$upstream_connect_time or $upstream_header_time",
        }
    }

    /// What is lost without it, as a clause for a message.
    pub fn effect(self) -> &'static str {
        match self {
            Self::Connection => "ends cannot be joined with the error log",
            Self::Completion => "a client that left looks like a server that ended",
            Self::Duration => "streams have no lifetime",
            Self::Upstream => "neither replicas nor session affinity can be told",
            Self::SessionSent | Self::SessionMinted => "session affinity cannot be told",
            Self::UserAgent => "Holter's own canaries cannot be left out",
            Self::Time => "requests of one connection can be mistaken for each other",
            Self::PostStreams => POST_STREAMS,
            Self::UpstreamTimes => {
                "where the error log is silent, a 504 may be of connecting or of waiting"
            }
        }
    }

    fn is_supplied_by(self, line: &Cut) -> bool {
        match self {
            Self::Connection => line.has(Variable::Connection),
            Self::Completion => line.has(Variable::Completion),
            Self::Duration => line.has(Variable::Duration),
            Self::Upstream => line.has(Variable::Upstream),
            Self::SessionSent => line.has(Variable::SessionSent),
            Self::SessionMinted => line.has(Variable::SessionMinted),
            Self::UserAgent => line.has(Variable::UserAgent),
            Self::Time => line.variables().any(Variable::is_time),
            Self::PostStreams => line.has(Variable::ContentType) || line.has(Variable::McpMethod),
            Self::UpstreamTimes => {
                line.has(Variable::UpstreamConnectTime) && line.has(Variable::UpstreamHeaderTime)
            }
        }
    }
}

impl Format {
    /// Compiles a preset's name, a bare format string, or a whole pasted `log_format` directive.
    ///
    /// # Errors
    /// The place of the first problem, and what was expected there.
    pub fn compile(text: &str) -> Result<Self, FormatError> {
        let preset = PRESETS.iter().find(|(name, _)| *name == text.trim());
        let is_json = preset.is_some_and(|(name, _)| *name == "json");
        let text = preset.map_or(text, |(_, format)| format);
        let letters = directive::letters(text)?;
        let (prefix, variables) = variables(text, &letters)?;
        let mut members = cut::members(&prefix, &variables);
        let line = Cut::new(&prefix, &variables, !members.is_empty());
        if !names_a_request(&line) {
            return Err(FormatError::at(text, 0, Problem::NoRequest));
        }
        if is_json {
            members.extend(known_keys());
        }
        let of_request = |cut: &Cut| cut.has(Variable::Request) || cut.has(Variable::Method);
        let missing = missing(&line);
        let line = line.without_redundant();
        Ok(Self {
            missing,
            quick: Quick::of(&line).map(Box::new),
            line,
            keys: (!members.is_empty()).then(|| Keys::new(members, of_request)),
        })
    }

    /// The byte that has to be marked in a line for it to be read quickly.
    pub(super) fn marked(&self) -> u8 {
        self.quick.as_ref().map_or(b'\n', |_| b'"')
    }

    /// Whether it tells of a POST that was answered whether the answer was a stream.
    pub(super) fn tells_posts(&self) -> bool {
        let telling = [
            Variable::ContentType,
            Variable::McpMethod,
            Variable::Completion,
            Variable::UpstreamResponseTime,
        ];
        self.keys.is_some() || telling.iter().any(|variable| self.line.has(*variable))
    }

    /// Whether it tells which upstream a request was sent to.
    pub(super) fn has_upstream(&self) -> bool {
        !self.missing.contains(&Missing::Upstream)
    }

    /// What this format cannot serve, worst first.
    pub fn missing(&self) -> &[Missing] {
        &self.missing
    }

    /// Reads one line, without its line end.
    ///
    /// # Errors
    /// The kind of damage, to be counted.
    pub fn parse<'a>(&self, line: &'a [u8]) -> Result<Record<'a>, UnparsedKind> {
        let mut record = Record::default();
        (self.values(line)?).fill(&mut record, &mut Times::default())?;
        Ok(record)
    }

    /// Reads one line into what is empty before; no more than its sketch where nobody asks more.
    ///
    /// # Errors
    /// The kind of damage; what is left out is not looked at.
    #[inline]
    pub(super) fn read<'a>(
        &self,
        line: &Line<'a, '_>,
        parsed: &mut Parsed<'a>,
        times: &mut Times,
        is_asked: impl Fn(&Sketch<'a>) -> bool,
    ) -> Result<(), UnparsedKind> {
        if let Some(read) = self.read_quickly(line, parsed, times, &is_asked) {
            return read;
        }
        let values = self.values(line.text)?;
        parsed.sketch = values.sketch(times)?;
        match is_asked(&parsed.sketch) {
            true => values.fill(parsed.record.insert(Record::default()), times),
            false => Ok(()),
        }
    }

    /// The same for most lines; `None` where a line is none of these.
    #[inline(always)]
    fn read_quickly<'a>(
        &self,
        line: &Line<'a, '_>,
        parsed: &mut Parsed<'a>,
        times: &mut Times,
        is_asked: impl Fn(&Sketch<'a>) -> bool,
    ) -> Option<Result<(), UnparsedKind>> {
        let quick = self.quick.as_ref()?;
        quick.sketch(line, times, &mut parsed.sketch)?;
        if !is_asked(&parsed.sketch) {
            return Some(Ok(()));
        }
        let mut values = Values::default();
        quick.values(line, &mut values)?;
        Some(values.fill(parsed.record.insert(Record::default()), times))
    }

    /// Cuts any line into its values.
    fn values<'a>(&self, line: &'a [u8]) -> Result<Values<'a>, UnparsedKind> {
        if line.len() > MAX_LINE {
            return Err(UnparsedKind::TooLong);
        }
        let mut values = Values::default();
        match self.line.values(line, &mut values) {
            Some(()) => Ok(values),
            None => self.by_key(line),
        }
    }

    /// Reads a line that is not written as the format has it: an object whose members stand in another
    /// order, or with space between them, or of which there are more or fewer.
    #[inline(never)]
    fn by_key<'a>(&self, line: &'a [u8]) -> Result<Values<'a>, UnparsedKind> {
        let keys = self.keys.as_ref().ok_or_else(|| damage(line))?;
        let mut values = Values::default();
        keys.read(line, |cut, raw| {
            cut.values(raw, &mut values).ok_or(UnparsedKind::Format)
        })?;
        Ok(values)
    }
}

fn names_a_request(line: &Cut) -> bool {
    let has_path = line.has(Variable::RequestUri) || line.has(Variable::Uri);
    line.has(Variable::Request) || (line.has(Variable::Method) && has_path)
}

fn missing(line: &Cut) -> Box<[Missing]> {
    let all = <Missing as crate::label::Label>::ALL.iter().copied();
    all.filter(|missing| !missing.is_supplied_by(line))
        .collect()
}

/// The keys that `json` knows beside its own: every variable's name, and [`KEYS`].
fn known_keys() -> impl Iterator<Item = (Name, Cut)> {
    let own = variable::NAMES.iter().map(|(name, _)| (*name, *name));
    let all = own.chain(KEYS);
    all.map(|(key, name)| (Name::anywhere(key), Cut::of(name)))
}

/// Cuts the format's text into the literal before the first variable, and the variables.
fn variables(text: &str, letters: &[Letter]) -> Result<(String, Vec<Named>), FormatError> {
    let (prefix, mut rest) = literal(letters);
    let mut variables: Vec<Named> = Vec::new();
    while let Some((dollar, after)) = rest.split_first() {
        if variables.last().is_some_and(|last| last.until.is_empty()) {
            return Err(FormatError::at(text, dollar.at, Problem::Adjacent));
        }
        let (name, after) = name(text, dollar, after)?;
        let (until, after) = literal(after);
        variables.push(Named { name, until });
        rest = after;
    }
    if variables.is_empty() {
        return Err(FormatError::at(text, 0, Problem::NoVariable));
    }
    Ok((prefix, variables))
}

/// The text up to the next `$`, and the rest.
fn literal(letters: &[Letter]) -> (String, &[Letter]) {
    let end = letters.iter().position(|letter| letter.char == '$');
    let (text, rest) = letters.split_at(end.unwrap_or(letters.len()));
    (text.iter().map(|letter| letter.char).collect(), rest)
}

/// The name after a `$`, in braces or not, and the rest.
fn name<'a>(
    text: &str,
    dollar: &Letter,
    after: &'a [Letter],
) -> Result<(String, &'a [Letter]), FormatError> {
    let braced = after.first().is_some_and(|letter| letter.char == '{');
    let start = after.get(usize::from(braced)..).unwrap_or_default();
    let is_name = |letter: &&Letter| letter.char.is_ascii_alphanumeric() || letter.char == '_';
    let name: String = (start.iter().take_while(is_name).map(|letter| letter.char)).collect();
    let rest = start.get(name.len()..).unwrap_or_default();
    if name.is_empty() {
        return Err(FormatError::at(text, dollar.at, Problem::Nameless));
    }
    match (braced, rest.split_first()) {
        (false, _) => Ok((name, rest)),
        (true, Some((brace, rest))) if brace.char == '}' => Ok((name, rest)),
        (true, _) => Err(FormatError::at(text, dollar.at, Problem::UnclosedBrace)),
    }
}

#[cfg(test)]
mod tests;
