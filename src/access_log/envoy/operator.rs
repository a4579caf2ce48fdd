//! Envoy's command operators: which fills which field of a record, and how a format string is cut.
//!
//! Names and grammar: Envoy's manual, "Access logging", "Command operators". Those that are not listed
//! are skipped. It does not know where a value ends in a line, nor what a line means.

use crate::access_log::keyed::Name;
use crate::access_log::template::{Letter, Piece, Shape, Template, TemplateError};

/// An operator that fills a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    /// `%START_TIME%`: ISO 8601 in UTC with milliseconds.
    TimeIso,
    /// `%START_TIME(%s)%` or `%START_TIME(%s.%3f)%`.
    TimeUnix,
    /// `%DURATION%`, milliseconds.
    Duration,
    /// `%RESPONSE_DURATION%` or `X-ENVOY-UPSTREAM-SERVICE-TIME`: milliseconds to the answer's headers.
    UntilHeaders,
    /// `%RESPONSE_TX_DURATION%`: milliseconds from there to the end.
    AfterHeaders,
    /// `%RESPONSE_CODE%`.
    Status,
    /// `%RESPONSE_FLAGS%`.
    Flags,
    /// `%RESPONSE_CODE_DETAILS%`.
    Details,
    /// `%DOWNSTREAM_REMOTE_ADDRESS%`, with its port.
    ClientAddress,
    /// `%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%`.
    Client,
    /// `%UPSTREAM_HOST%`.
    Upstream,
    /// `%UPSTREAM_REQUEST_ATTEMPT_COUNT%`.
    Attempts,
    /// `%REQ(:METHOD)%`.
    Method,
    /// `%REQ(:PATH)%`, with or without its query.
    Target,
    /// `%REQ(USER-AGENT)%`.
    Agent,
    /// `%REQ(MCP-SESSION-ID)%`.
    SessionSent,
    /// `%RESP(MCP-SESSION-ID)%`.
    SessionMinted,
    /// `%RESP(CONTENT-TYPE)%`.
    ContentType,
    /// `%REQ(MCP-METHOD)%`.
    McpMethod,
    /// Any other.
    Other,
}

/// The keys that a JSON line has by default: the operators' names in lower case, headers by name,
/// those of the answer behind `resp_`.
const KEYS: [(&str, Field); 33] = [
    ("start_time", Field::TimeIso),
    ("duration", Field::Duration),
    ("response_duration", Field::UntilHeaders),
    ("upstream_service_time", Field::UntilHeaders),
    ("x_envoy_upstream_service_time", Field::UntilHeaders),
    ("response_tx_duration", Field::AfterHeaders),
    ("response_code", Field::Status),
    ("response_flags", Field::Flags),
    ("response_code_details", Field::Details),
    ("downstream_remote_address", Field::ClientAddress),
    ("downstream_remote_address_without_port", Field::Client),
    ("upstream_host", Field::Upstream),
    ("upstream_request_attempt_count", Field::Attempts),
    ("method", Field::Method),
    (":method", Field::Method),
    ("req_method", Field::Method),
    ("path", Field::Target),
    (":path", Field::Target),
    ("req_path", Field::Target),
    ("user_agent", Field::Agent),
    ("user-agent", Field::Agent),
    ("req_user_agent", Field::Agent),
    ("mcp_session_id", Field::SessionSent),
    ("mcp-session-id", Field::SessionSent),
    ("req_mcp_session_id", Field::SessionSent),
    ("resp_mcp_session_id", Field::SessionMinted),
    ("response_mcp_session_id", Field::SessionMinted),
    ("upstream_mcp_session_id", Field::SessionMinted),
    ("resp_content_type", Field::ContentType),
    ("content_type", Field::ContentType),
    ("mcp_method", Field::McpMethod),
    ("mcp-method", Field::McpMethod),
    ("req_mcp_method", Field::McpMethod),
];

/// The default keys, with what they hold.
pub(super) fn keys() -> Vec<(Name, Template<Field>)> {
    KEYS.iter()
        .map(|(key, field)| (Name::anywhere(key), Template::of_field(*field)))
        .collect()
}

impl Field {
    /// The operator of this name with these arguments.
    fn named(name: &str, arguments: Option<&str>) -> Self {
        let headers = || arguments.unwrap_or_default().to_ascii_lowercase();
        match (name, arguments) {
            ("START_TIME", None | Some("")) => Self::TimeIso,
            ("START_TIME", Some("%s" | "%s.%3f" | "%s.%6f" | "%s.%9f")) => Self::TimeUnix,
            ("DURATION", None) => Self::Duration,
            ("RESPONSE_DURATION", None) => Self::UntilHeaders,
            ("RESPONSE_TX_DURATION", None) => Self::AfterHeaders,
            ("RESPONSE_CODE", _) => Self::Status,
            ("RESPONSE_FLAGS", _) => Self::Flags,
            ("RESPONSE_CODE_DETAILS", _) => Self::Details,
            ("DOWNSTREAM_REMOTE_ADDRESS", _) => Self::ClientAddress,
            ("DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT", _) => Self::Client,
            ("UPSTREAM_HOST", _) => Self::Upstream,
            ("UPSTREAM_REQUEST_ATTEMPT_COUNT", _) => Self::Attempts,
            ("PATH", _) => Self::Target,
            ("REQ" | "REQUEST_HEADER" | "REQ_WITHOUT_QUERY", _) => Self::sent(&headers()),
            ("RESP" | "RESPONSE_HEADER", _) => Self::answered(&headers()),
            _ => Self::Other,
        }
    }

    /// `X?Y`: the header X, or else Y.
    fn sent(headers: &str) -> Self {
        let has = |name| headers.split('?').any(|header| header == name);
        match () {
            () if has(":method") => Self::Method,
            () if has(":path") => Self::Target,
            () if has("user-agent") => Self::Agent,
            () if has("mcp-session-id") => Self::SessionSent,
            () if has("mcp-method") => Self::McpMethod,
            () => Self::Other,
        }
    }

    fn answered(headers: &str) -> Self {
        let has = |name| headers.split('?').any(|header| header == name);
        match () {
            () if has("mcp-session-id") => Self::SessionMinted,
            () if has("content-type") => Self::ContentType,
            () if has("x-envoy-upstream-service-time") => Self::UntilHeaders,
            () => Self::Other,
        }
    }
}

/// Cuts a format string into pieces.
pub(super) fn pieces(text: &str) -> Result<Vec<Piece<Field>>, TemplateError> {
    let all: Vec<Letter> = (text.chars().enumerate())
        .map(|(at, char)| Letter { char, at })
        .collect();
    let (mut pieces, mut literal, mut rest) = (Vec::new(), String::new(), &*all);
    while let Some((letter, after)) = rest.split_first() {
        rest = after;
        match (letter.char, after.first().map(|next| next.char)) {
            ('%', Some('%')) => {
                literal.push('%');
                rest = after.get(1..).unwrap_or_default();
            }
            ('%', _) => {
                let problem = "not an operator; expected such as %RESPONSE_CODE% or %REQ(:PATH)%, or %% for a percent sign";
                let found =
                    operator(after).ok_or_else(|| TemplateError::at(text, letter.at, problem))?;
                if !literal.is_empty() {
                    pieces.push(Piece::Literal(std::mem::take(&mut literal)));
                }
                pieces.push(Piece::Field(found.0, Shape::Plain, letter.at));
                rest = found.1;
            }
            (char, _) => literal.push(char),
        }
    }
    if !literal.is_empty() {
        pieces.push(Piece::Literal(literal));
    }
    Ok(pieces)
}

/// Reads `NAME%`, `NAME(ARGUMENTS)%` or `NAME(ARGUMENTS):LENGTH%`, and gives what follows.
fn operator(letters: &[Letter]) -> Option<(Field, &[Letter])> {
    let is_name = |char: char| char.is_ascii_uppercase() || char.is_ascii_digit() || char == '_';
    let (name, mut rest) = take_while(letters, is_name);
    let mut arguments = None;
    if rest.first()?.char == '(' {
        let (inside, after) = take_while(rest.get(1..)?, |char| char != ')');
        arguments = Some(inside);
        rest = after.get(1..)?;
    }
    if rest.first()?.char == ':' {
        rest = take_while(rest.get(1..)?, |char| char.is_ascii_digit()).1;
    }
    let (end, rest) = rest.split_first()?;
    let field = Field::named(&name, arguments.as_deref());
    (end.char == '%' && !name.is_empty()).then_some((field, rest))
}

fn take_while(letters: &[Letter], is: impl Fn(char) -> bool) -> (String, &[Letter]) {
    let end = letters
        .iter()
        .position(|letter| !is(letter.char))
        .unwrap_or(letters.len());
    let (taken, rest) = letters.split_at(end);
    (taken.iter().map(|letter| letter.char).collect(), rest)
}
