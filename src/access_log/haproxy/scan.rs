//! HAProxy's log-format strings, cut into text and fields.
//!
//! Grammar: HAProxy's configuration manual, "Custom log format". It does not know which variable
//! fills what, nor where a value ends in a line.

use super::field::Field;
use super::setup::Captures;
use crate::access_log::template::{Letter, Piece, Shape, TemplateError};

/// A format string, cut.
pub(super) struct Scanned {
    pub(super) pieces: Vec<Piece<Field>>,
    /// Only HAProxy 3.0 and later understand it: items have names.
    pub(super) is_of_3: bool,
}

/// Cuts a format string into pieces.
pub(super) fn scan(
    text: &str,
    letters: &[Letter],
    captures: Option<&Captures>,
) -> Result<Scanned, TemplateError> {
    let mut scan = Scan {
        text,
        rest: letters,
        quote: false,
        json: false,
        literal: String::new(),
        pieces: Vec::new(),
        named: Vec::new(),
        is_of_3: false,
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
    let is_of_3 = scan.is_of_3 || scan.json;
    let pieces = match scan.json {
        true => object(scan.named),
        false => join(scan.pieces),
    };
    Ok(Scanned { pieces, is_of_3 })
}

/// The object that `%{+json}o` writes: of items with a name, and of nothing else (manual, "Custom log format").
fn object(named: Vec<(String, Field, usize)>) -> Vec<Piece<Field>> {
    let mut pieces = Vec::new();
    for (name, field, at) in named {
        let before = if pieces.is_empty() { "{" } else { "," };
        pieces.push(Piece::Literal(format!("{before}\"{name}\":")));
        pieces.push(Piece::Field(field, Shape::Plain, at));
    }
    pieces.push(Piece::Literal("}".to_owned()));
    pieces
}

/// A format string that is being read.
struct Scan<'a> {
    text: &'a str,
    rest: &'a [Letter],
    /// `%{+Q}o` was seen.
    quote: bool,
    /// `%{+json}o` was seen.
    json: bool,
    literal: String,
    pieces: Vec<Piece<Field>>,
    /// Items with a name, and where they stand.
    named: Vec<(String, Field, usize)>,
    is_of_3: bool,
}

/// What flags ask for.
#[derive(Default)]
struct Flags {
    /// Whether quotes are asked for or refused.
    quote: Option<bool>,
    json: bool,
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

    /// What follows a `%`: `%%`, or `(NAME:TYPE)`, `{FLAGS}`, and a variable's name or an expression.
    fn variable(&mut self, at: usize, captures: Option<&Captures>) -> Result<(), TemplateError> {
        if self.next_is('%') {
            self.literal.push('%');
            return Ok(());
        }
        let mut name = None;
        if self.next_is('(') {
            let inner = self.enclosed(at, ')')?;
            let (before, _type) = inner.split_once(':').unwrap_or((&inner, ""));
            name = Some(before.to_owned()).filter(|name| !name.is_empty());
            self.is_of_3 = true;
        }
        let mut flags = Flags::default();
        if self.next_is('{') {
            let inner = self.enclosed(at, '}')?;
            flags = self.flags(at, &inner)?;
        }
        let quote = flags.quote.unwrap_or(self.quote);
        if self.next_is('[') {
            let expression = self.enclosed(at, ']')?;
            let label = label(name.as_deref().unwrap_or(&self.literal));
            let field = Field::expressed(&expression, &label, captures);
            let shape = if quote { Shape::Quoted } else { Shape::Plain };
            self.push(name, field, shape, at);
            return Ok(());
        }
        match &*self.name() {
            "" => Err(self.error(
                at,
                "a % without a name; expected a variable such as %ST, or %% for a percent sign",
            )),
            "o" => {
                self.quote = quote;
                self.json |= flags.json;
                Ok(())
            }
            variable => {
                let field = Field::named(variable);
                self.push(name, field, field.shape(quote), at);
                Ok(())
            }
        }
    }

    fn push(&mut self, name: Option<String>, field: Field, shape: Shape, at: usize) {
        self.named.extend(name.map(|name| (name, field, at)));
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

    fn flags(&self, at: usize, text: &str) -> Result<Flags, TemplateError> {
        let mut flags = Flags::default();
        for flag in text.split(',') {
            match flag.trim() {
                "+Q" => flags.quote = Some(true),
                "-Q" => flags.quote = Some(false),
                "+json" => flags.json = true,
                "+cbor" | "+bin" => {
                    return Err(self.error(at, "an encoding that is not read; expected a format without +cbor and +bin, such as %{+json}o"));
                }
                _ => {}
            }
        }
        Ok(flags)
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
        (Field::Client, ":", Field::Port { server: false }) => Some(Field::ClientAddress),
        (Field::Ip { .. } | Field::Client, ":", Field::Port { .. }) => Some(Field::Other),
        _ => None,
    }
}
