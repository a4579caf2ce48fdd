//! nginx's logs: the access log in the user's own `log_format`, and the error log.
//!
//! [`Format`] is compiled once from the text of the configuration; a line is then read in one pass
//! that allocates nothing. Sources: nginx's manual, `ngx_http_log_module`; escaping is described
//! there under `escape=`. It does not know what a stream is, or which line belongs to which.

mod directive;
pub mod error;
mod format_error;
pub(super) mod join;
pub mod reason;
pub(super) mod scan;
mod variable;

pub use format_error::{FormatError, Problem};

use super::{MAX_LINE, Record, UnparsedKind, damage};
use crate::label::label;
use directive::Letter;
use scan::{Shape, Until};
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

/// A compiled `log_format`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Format {
    prefix: Until,
    steps: Box<[Step]>,
    missing: Box<[Missing]>,
}

/// One variable, how its value ends, and the text that follows it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Step {
    variable: Variable,
    shape: Shape,
    until: Until,
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
        }
    }

    fn supplied_by(self, variable: Variable) -> bool {
        match self {
            Self::Connection => variable == Variable::Connection,
            Self::Completion => variable == Variable::Completion,
            Self::Duration => variable == Variable::Duration,
            Self::Upstream => variable == Variable::Upstream,
            Self::SessionSent => variable == Variable::SessionSent,
            Self::SessionMinted => variable == Variable::SessionMinted,
            Self::UserAgent => variable == Variable::UserAgent,
            Self::Time => variable.is_time(),
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
        let text = preset.map_or(text, |(_, format)| format);
        let letters = directive::letters(text)?;
        let (prefix, mut steps) = steps(text, &letters)?;
        if !names_a_request(&steps) {
            return Err(FormatError::at(text, 0, Problem::NoRequest));
        }
        let missing = missing(&steps);
        variable::leave_out_redundant(&mut steps);
        Ok(Self {
            prefix: Until::new(prefix),
            steps: steps.into(),
            missing,
        })
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
        self.parse_if(line, &mut record, |_| true)?;
        Ok(record)
    }

    /// Reads one line into an empty record, its upstream, times and the connection's number only if
    /// `wanted` says so of the rest; gives what it said.
    ///
    /// # Errors
    /// The kind of damage; what is left out is not looked at.
    #[inline]
    pub fn parse_if<'a>(
        &self,
        line: &'a [u8],
        record: &mut Record<'a>,
        wanted: impl FnOnce(&Record<'a>) -> bool,
    ) -> Result<bool, UnparsedKind> {
        if line.len() > MAX_LINE {
            return Err(UnparsedKind::TooLong);
        }
        let mut values = Values::default();
        self.cut(line, &mut values).ok_or_else(|| damage(line))?;
        values.sketch(record)?;
        let is_wanted = wanted(record);
        if is_wanted {
            values.complete(record)?;
        }
        Ok(is_wanted)
    }

    /// Cuts a line into its values; `None` if it does not have the format's shape.
    fn cut<'a>(&self, line: &'a [u8], values: &mut Values<'a>) -> Option<()> {
        let mut rest = self.prefix.strip(line)?;
        let (last, steps) = self.steps.split_last()?;
        for step in steps {
            let end = step.until.end(rest, step.shape)?;
            if step.variable != Variable::Other {
                values.set(step.variable, rest.get(..end)?);
            }
            rest = rest.get(end + step.until.text().len()..)?;
        }
        let end = rest.len().checked_sub(last.until.text().len())?;
        last.until.strip(rest.get(end..)?)?;
        values.set(last.variable, rest.get(..end)?);
        Some(())
    }
}

fn names_a_request(steps: &[Step]) -> bool {
    let has = |variable| steps.iter().any(|step| step.variable == variable);
    let has_path = has(Variable::RequestUri) || has(Variable::Uri);
    has(Variable::Request) || (has(Variable::Method) && has_path)
}

fn missing(steps: &[Step]) -> Box<[Missing]> {
    let supplied =
        |missing: &Missing| (steps.iter()).any(|step| missing.supplied_by(step.variable));
    let all = <Missing as crate::label::Label>::ALL.iter().copied();
    all.filter(|missing| !supplied(missing)).collect()
}

/// Cuts the format's text into the literal before the first variable, and the steps.
fn steps(text: &str, letters: &[Letter]) -> Result<(Box<[u8]>, Vec<Step>), FormatError> {
    let (prefix, mut rest) = literal(letters);
    let mut steps: Vec<Step> = Vec::new();
    while let Some((dollar, after)) = rest.split_first() {
        let adjacent = steps
            .last()
            .is_some_and(|step| step.until.text().is_empty());
        if adjacent {
            return Err(FormatError::at(text, dollar.at, Problem::Adjacent));
        }
        let (name, after) = name(text, dollar, after)?;
        let (until, after) = literal(after);
        steps.push(Step {
            variable: Variable::named(&name),
            shape: Shape::of(&name, &until),
            until: Until::new(until),
        });
        rest = after;
    }
    if steps.is_empty() {
        return Err(FormatError::at(text, 0, Problem::NoVariable));
    }
    Ok((prefix, steps))
}

/// The text up to the next `$`, and the rest.
fn literal(letters: &[Letter]) -> (Box<[u8]>, &[Letter]) {
    let end = letters.iter().position(|letter| letter.char == '$');
    let (text, rest) = letters.split_at(end.unwrap_or(letters.len()));
    let text: String = text.iter().map(|letter| letter.char).collect();
    (text.into_bytes().into(), rest)
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
