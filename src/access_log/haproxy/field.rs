//! HAProxy's variables and sample expressions: which fills which field of a record.
//!
//! Names: HAProxy's configuration manual, "Custom log format" and "Fetching data samples". Those that
//! are not listed are skipped. It does not know how a format string is written, nor what a line means.

use super::setup::Captures;
use crate::access_log::keyed::Name;
use crate::access_log::template::{Shape, Template};

/// Keys of `json`: what HAProxy's manual calls the variables, and what else people do. (`cp` and others that fill
/// no field are not among them.)
const KEYS: [(&str, Field); 69] = [
    ("time", Field::TimeNaive),
    ("date_time", Field::TimeNaive),
    ("request_date", Field::TimeNaive),
    ("tr", Field::TimeNaive),
    ("t", Field::TimeNaive),
    ("T", Field::TimeZoned),
    ("Tl", Field::TimeZoned),
    ("trg", Field::TimeZoned),
    ("trl", Field::TimeZoned),
    ("Ts", Field::TimeUnix),
    ("timestamp", Field::TimeUnix),
    ("Ta", Field::Duration),
    ("duration_ms", Field::Duration),
    ("time_active", Field::Duration),
    ("TR", Field::Phase),
    ("Tw", Field::Phase),
    ("Tc", Field::Phase),
    ("Tr", Field::Phase),
    ("Td", Field::Data),
    ("ci", Field::Client),
    ("client", Field::Client),
    ("client_ip", Field::Client),
    ("Tt", Field::Total),
    ("time_total", Field::Total),
    ("ST", Field::Status),
    ("status", Field::Status),
    ("status_code", Field::Status),
    ("tsc", Field::State),
    ("ts", Field::State),
    ("term", Field::State),
    ("termination_state", Field::State),
    ("s", Field::Server),
    ("srv", Field::Server),
    ("server", Field::Server),
    ("server_name", Field::Server),
    ("srv_addr", Field::ServerAddress),
    ("server_addr", Field::ServerAddress),
    ("rc", Field::Retries),
    ("retries", Field::Retries),
    ("r", Field::Request),
    ("request", Field::Request),
    ("http_request", Field::Request),
    ("HM", Field::Method),
    ("method", Field::Method),
    ("http_method", Field::Method),
    ("HU", Field::Target),
    ("HP", Field::Target),
    ("HPO", Field::Target),
    ("path", Field::Target),
    ("uri", Field::Target),
    ("url", Field::Target),
    ("http_uri", Field::Target),
    ("http_path", Field::Target),
    ("HQ", Field::Query),
    ("query", Field::Query),
    ("http_query", Field::Query),
    ("hr", Field::RequestCaptures),
    ("hs", Field::ResponseCaptures),
    ("mcp_session_id", Field::SessionSent),
    ("req_mcp_session_id", Field::SessionSent),
    ("resp_mcp_session_id", Field::SessionMinted),
    ("res_mcp_session_id", Field::SessionMinted),
    ("upstream_mcp_session_id", Field::SessionMinted),
    ("user_agent", Field::Agent),
    ("ua", Field::Agent),
    ("content_type", Field::ContentType),
    ("resp_content_type", Field::ContentType),
    ("res_content_type", Field::ContentType),
    ("mcp_method", Field::McpMethod),
];

/// The same as values to be read by key.
pub(super) fn keys() -> impl Iterator<Item = (Name, Template<Field>)> {
    let value = |(key, field)| (Name::anywhere(key), Template::of_field(field));
    KEYS.into_iter().map(value)
}

/// What a capture holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Capture {
    /// The header `Mcp-Session-Id`.
    Session,
    /// The header `User-Agent`.
    Agent,
    /// The header `Content-Type`.
    ContentType,
    /// The header `Mcp-Method`.
    McpMethod,
    /// Anything else.
    Other,
}

impl Capture {
    /// Of the header of this name.
    pub(super) fn named(header: &str) -> Self {
        match header.to_ascii_lowercase().as_str() {
            "mcp-session-id" => Self::Session,
            "user-agent" => Self::Agent,
            "content-type" => Self::ContentType,
            "mcp-method" => Self::McpMethod,
            _ => Self::Other,
        }
    }

    /// Of an expression such as `req.hdr(Mcp-Session-Id)`.
    pub(super) fn of(expression: &str) -> Self {
        let (function, argument) = call(expression);
        match function {
            "req.hdr" | "req.fhdr" | "hdr" | "fhdr" | "res.hdr" | "res.fhdr" => {
                Self::named(argument)
            }
            _ => Self::Other,
        }
    }

    /// By the text before it, as in `"mcp_session_id":"%[capture.req.hdr(0)]"`.
    fn labelled(label: &str) -> Self {
        match label {
            label if label.contains("session") || label.ends_with("sid") => Self::Session,
            label if label.contains("agent") || label == "ua" => Self::Agent,
            label if label.contains("content_type") => Self::ContentType,
            label if label.contains("mcp_method") => Self::McpMethod,
            _ => Self::Other,
        }
    }

    fn sent(self) -> Field {
        match self {
            Self::Session => Field::SessionSent,
            Self::Agent => Field::Agent,
            Self::McpMethod => Field::McpMethod,
            Self::ContentType | Self::Other => Field::Other,
        }
    }

    fn answered(self) -> Field {
        match self {
            Self::Session => Field::SessionMinted,
            Self::ContentType => Field::ContentType,
            Self::Agent | Self::McpMethod | Self::Other => Field::Other,
        }
    }
}

/// A variable that fills a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    /// `%tr`, `%t`: milliseconds, without a zone.
    TimeNaive,
    /// `%T`, `%Tl`, `%trg`, `%trl`: seconds, with a zone.
    TimeZoned,
    /// `%Ts`: seconds since 1970.
    TimeUnix,
    /// `%Ta`: the request's time in milliseconds.
    Duration,
    /// `%Tt`: the same with the time before the request; second best.
    Total,
    /// `%TR`, `%Tw`, `%Tc` and `%Tr`: the phases up to the answer's headers.
    Phase,
    /// `%Td`: from there to the end.
    Data,
    /// `%ST`.
    Status,
    /// `%tsc` or `%ts`.
    State,
    /// `%b/%s`.
    BackendServer,
    /// `%s`.
    Server,
    /// `%si:%sp`.
    ServerAddress,
    /// `%rc`: a plus where another server was tried in the end.
    Retries,
    /// `%r`.
    Request,
    /// `%HM`.
    Method,
    /// `%HU`, `%HPO`, `%HP`: a path, perhaps with what is before and behind it.
    Target,
    /// `%HQ`, with its `?`.
    Query,
    /// `%hr`.
    RequestCaptures,
    /// `%hs`.
    ResponseCaptures,
    /// The request's session id.
    SessionSent,
    /// The answer's session id.
    SessionMinted,
    /// The user agent.
    Agent,
    /// The answer's content type.
    ContentType,
    /// The request's `Mcp-Method`.
    McpMethod,
    /// `%b`, until it is joined with `%s`.
    Backend,
    /// `%ci`.
    Client,
    /// `%ci:%cp`.
    ClientAddress,
    /// An address, until it is joined with its port.
    Ip { server: bool },
    /// A port, until it is joined with its address.
    Port { server: bool },
    /// Any other.
    Other,
}

impl Field {
    /// The variable of this name, without its `%`.
    pub(super) fn named(name: &str) -> Self {
        match name {
            "tr" | "t" => Self::TimeNaive,
            "T" | "Tl" | "trg" | "trl" => Self::TimeZoned,
            "Ts" => Self::TimeUnix,
            "Ta" => Self::Duration,
            "Tt" => Self::Total,
            "TR" | "Tw" | "Tc" | "Tr" => Self::Phase,
            "Td" => Self::Data,
            "ST" => Self::Status,
            "tsc" | "ts" => Self::State,
            "s" => Self::Server,
            "b" => Self::Backend,
            "rc" => Self::Retries,
            "r" => Self::Request,
            "HM" => Self::Method,
            "HU" | "HP" | "HPO" => Self::Target,
            "HQ" => Self::Query,
            "hr" => Self::RequestCaptures,
            "hs" => Self::ResponseCaptures,
            "si" => Self::Ip { server: true },
            "ci" => Self::Client,
            "fi" | "bi" => Self::Ip { server: false },
            "sp" => Self::Port { server: true },
            "cp" | "fp" | "bp" => Self::Port { server: false },
            _ => Self::Other,
        }
    }

    /// Of a sample expression, in the place that this label names.
    pub(super) fn expressed(expression: &str, label: &str, captures: Option<&Captures>) -> Self {
        let (function, argument) = call(expression);
        let capture = |of: fn(&Captures) -> &Vec<Capture>| match captures {
            Some(captures) => {
                let index = argument.parse::<usize>().ok();
                let known = index.and_then(|index| of(captures).get(index).copied());
                known.unwrap_or(Capture::Other)
            }
            None => Capture::labelled(label),
        };
        match function {
            "capture.req.hdr" => capture(|captures| &captures.request).sent(),
            "capture.res.hdr" => capture(|captures| &captures.response).answered(),
            "req.hdr" | "req.fhdr" | "hdr" | "fhdr" => Capture::named(argument).sent(),
            "res.hdr" | "res.fhdr" => Capture::named(argument).answered(),
            "var" => Self::variable(argument, label),
            "capture.req.method" | "method" => Self::Method,
            "capture.req.uri" | "path" | "pathq" | "url" => Self::Target,
            "query" => Self::Query,
            "status" | "txn.status" => Self::Status,
            _ => Self::Other,
        }
    }

    /// Of `var(txn.…)`, by its name or label: of the answer, if one of them says so.
    fn variable(name: &str, label: &str) -> Self {
        let name = name.to_ascii_lowercase();
        let capture = match Capture::labelled(label) {
            Capture::Other => Capture::labelled(&name),
            capture => capture,
        };
        let answer = ["res", "mint", "upstream", "sent_"];
        if answer
            .iter()
            .any(|word| label.starts_with(word) || name.contains(word))
        {
            capture.answered()
        } else {
            capture.sent()
        }
    }

    /// How exactly it names the upstream.
    pub(super) fn exactness(self) -> u8 {
        match self {
            Self::ServerAddress => 3,
            Self::BackendServer => 2,
            Self::Server => 1,
            _ => 0,
        }
    }

    /// How its value is written.
    pub(super) fn shape(self, quoted: bool) -> Shape {
        match self {
            _ if quoted => Shape::Quoted,
            // `20/Nov/2026:10:15:03 +0000`.
            Self::TimeZoned => Shape::Length(26),
            Self::Request => Shape::Request,
            Self::RequestCaptures | Self::ResponseCaptures => Shape::Optional(b'{'),
            Self::Query => Shape::Optional(b'?'),
            _ => Shape::Plain,
        }
    }
}

/// `name(argument),converters` as name and argument.
fn call(expression: &str) -> (&str, &str) {
    let expression = expression.trim();
    match expression.split_once('(') {
        Some((name, rest)) => (name, rest.split([')', ',']).next().unwrap_or(rest).trim()),
        None => (expression.split(',').next().unwrap_or(expression), ""),
    }
}
