//! HAProxy's log-format strings: which variable or expression fills which field of a record.
//!
//! Names and grammar: HAProxy's configuration manual, "Custom log format". Those that are not listed
//! are skipped. It does not know where a value ends in the line, nor what a line means.

use super::setup::Captures;
use crate::access_log::template::{Letter, Piece, Shape, TemplateError};

/// What a capture holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Capture {
    /// The header `Mcp-Session-Id`.
    Session,
    /// The header `User-Agent`.
    Agent,
    /// The header `Content-Type`.
    ContentType,
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
            _ => Self::Other,
        }
    }

    fn sent(self) -> Field {
        match self {
            Self::Session => Field::SessionSent,
            Self::Agent => Field::Agent,
            Self::ContentType | Self::Other => Field::Other,
        }
    }

    fn answered(self) -> Field {
        match self {
            Self::Session => Field::SessionMinted,
            Self::ContentType => Field::ContentType,
            Self::Agent | Self::Other => Field::Other,
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
    /// `%b`, until it is joined with `%s`.
    Backend,
    /// An address, until it is joined with its port.
    Ip { server: bool },
    /// A port, until it is joined with its address.
    Port { server: bool },
    /// Any other.
    Other,
}

impl Field {
    fn named(name: &str) -> Self {
        match name {
            "tr" | "t" => Self::TimeNaive,
            "T" | "Tl" | "trg" | "trl" => Self::TimeZoned,
            "Ts" => Self::TimeUnix,
            "Ta" => Self::Duration,
            "Tt" => Self::Total,
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
            "ci" | "fi" | "bi" => Self::Ip { server: false },
            "sp" => Self::Port { server: true },
            "cp" | "fp" | "bp" => Self::Port { server: false },
            _ => Self::Other,
        }
    }

    /// Of a sample expression, in the place that this label names.
    fn expressed(expression: &str, label: &str, captures: Option<&Captures>) -> Self {
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

    fn shape(self, quoted: bool) -> Shape {
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

/// Cuts a format string into pieces.
pub(super) fn pieces(
    text: &str,
    letters: &[Letter],
    captures: Option<&Captures>,
) -> Result<Vec<Piece<Field>>, TemplateError> {
    let mut scan = Scan {
        text,
        rest: letters,
        quote: false,
        literal: String::new(),
        pieces: Vec::new(),
    };
    while let Some((letter, after)) = scan.rest.split_first() {
        scan.rest = after;
        if letter.char == '%' {
            scan.variable(letter.at, captures)?;
        } else {
            scan.text_char(letter.char);
        }
    }
    scan.flush();
    Ok(join(scan.pieces))
}

/// A format string that is being read.
struct Scan<'a> {
    text: &'a str,
    rest: &'a [Letter],
    /// `%{+Q}o` was seen.
    quote: bool,
    literal: String,
    pieces: Vec<Piece<Field>>,
}

impl Scan<'_> {
    /// HAProxy writes one space where a format has several, and none at its ends.
    fn text_char(&mut self, char: char) {
        let space = char.is_whitespace();
        let first = self.literal.is_empty() && self.pieces.is_empty();
        if !space {
            self.literal.push(char);
        } else if !first && !self.literal.ends_with(' ') {
            self.literal.push(' ');
        }
    }

    fn flush(&mut self) {
        let mut literal = std::mem::take(&mut self.literal);
        literal.truncate(literal.trim_end().len());
        if !literal.is_empty() {
            self.pieces.push(Piece::Literal(literal));
        }
    }

    fn error(&self, at: usize, problem: &'static str) -> TemplateError {
        TemplateError::at(self.text, at, problem)
    }

    /// What stands up to a closing character, which is taken too.
    fn enclosed(&mut self, at: usize, close: char) -> Result<String, TemplateError> {
        let mut depth = 0usize;
        let end = self.rest.iter().position(|letter| {
            match letter.char {
                '(' => depth += 1,
                ')' if close != ')' => depth = depth.saturating_sub(1),
                _ => {}
            }
            letter.char == close && depth == 0
        });
        let end = end.ok_or_else(|| {
            self.error(
                at,
                "not closed; expected the bracket that closes what this % opens",
            )
        })?;
        let inner = self
            .rest
            .iter()
            .take(end)
            .map(|letter| letter.char)
            .collect();
        self.rest = self.rest.get(end + 1..).unwrap_or_default();
        Ok(inner)
    }

    fn next_is(&mut self, char: char) -> bool {
        let is = self.rest.first().is_some_and(|letter| letter.char == char);
        if is {
            self.rest = self.rest.get(1..).unwrap_or_default();
        }
        is
    }

    /// What follows a `%`: `%%`, or `(NAME)`, `{FLAGS}`, and a name or an expression.
    fn variable(&mut self, at: usize, captures: Option<&Captures>) -> Result<(), TemplateError> {
        if self.next_is('%') {
            self.literal.push('%');
            return Ok(());
        }
        if self.next_is('(') {
            self.enclosed(at, ')')?;
        }
        let mut quote = self.quote;
        if self.next_is('{') {
            let flags = self.enclosed(at, '}')?;
            quote = self.flags(at, &flags)?.unwrap_or(quote);
        }
        if self.next_is('[') {
            let expression = self.enclosed(at, ']')?;
            let field = Field::expressed(&expression, &label(&self.literal), captures);
            let shape = if quote { Shape::Quoted } else { Shape::Plain };
            self.push(field, shape, at);
            return Ok(());
        }
        match &*self.name() {
            "" => Err(self.error(
                at,
                "a % without a name; expected a variable such as %ST, or %% for a percent sign",
            )),
            "o" => {
                self.quote = quote;
                Ok(())
            }
            name => {
                let field = Field::named(name);
                self.push(field, field.shape(quote), at);
                Ok(())
            }
        }
    }

    fn push(&mut self, field: Field, shape: Shape, at: usize) {
        let literal = std::mem::take(&mut self.literal);
        if !literal.is_empty() {
            self.pieces.push(Piece::Literal(literal));
        }
        self.pieces.push(Piece::Field(field, shape, at));
    }

    fn name(&mut self) -> String {
        let is_name = |letter: &&Letter| letter.char.is_ascii_alphanumeric();
        let name: String = (self
            .rest
            .iter()
            .take_while(is_name)
            .map(|letter| letter.char))
        .collect();
        self.rest = self.rest.get(name.len()..).unwrap_or_default();
        name
    }

    /// Whether quotes are asked for or refused.
    fn flags(&self, at: usize, flags: &str) -> Result<Option<bool>, TemplateError> {
        let mut quote = None;
        for flag in flags.split(',') {
            match flag.trim() {
                "+Q" => quote = Some(true),
                "-Q" => quote = Some(false),
                "+json" | "+cbor" | "+bin" => {
                    return Err(self.error(at, "an encoding that is not read; expected a format without +json, +cbor and +bin"));
                }
                _ => {}
            }
        }
        Ok(quote)
    }
}

/// The last word of the text before a value, in lower case: `mcp_session_id` of `,"mcp_session_id":"`.
fn label(literal: &str) -> String {
    let is_word = |char: char| char.is_ascii_alphanumeric() || matches!(char, '_' | '-' | '.');
    let end = literal.trim_end_matches(|char| !is_word(char));
    let word = end.rsplit(|char| !is_word(char)).next().unwrap_or("");
    word.to_ascii_lowercase().replace('-', "_")
}

/// Joins what belongs together: an address and its port, a backend and its server, a path and its query.
fn join(pieces: Vec<Piece<Field>>) -> Vec<Piece<Field>> {
    let mut joined: Vec<Piece<Field>> = Vec::new();
    for piece in pieces {
        let one = match (&*joined, &piece) {
            (
                [
                    ..,
                    Piece::Field(first, Shape::Plain, _),
                    Piece::Literal(between),
                ],
                Piece::Field(second, Shape::Plain, _),
            ) => pair(*first, between, *second).map(|field| (field, 2)),
            (
                [.., Piece::Field(Field::Target, Shape::Plain, _)],
                Piece::Field(Field::Query, _, _),
            ) => Some((Field::Target, 1)),
            _ => None,
        };
        match (one, &piece) {
            (Some((field, length)), Piece::Field(_, _, at)) => {
                joined.truncate(joined.len() - length);
                joined.push(Piece::Field(field, Shape::Plain, *at));
            }
            _ => joined.push(piece),
        }
    }
    joined
}

/// The field that two with this text between them are.
fn pair(first: Field, between: &str, second: Field) -> Option<Field> {
    match (first, between, second) {
        (Field::Backend, "/", Field::Server) => Some(Field::BackendServer),
        (Field::Ip { server: true }, ":", Field::Port { server: true }) => {
            Some(Field::ServerAddress)
        }
        (Field::Ip { .. }, ":", Field::Port { .. }) => Some(Field::Other),
        _ => None,
    }
}
