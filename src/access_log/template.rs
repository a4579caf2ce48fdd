//! A text format compiled: literal text and fields in turn, and how a line is cut along them.
//!
//! Shared by the proxies whose formats are such strings. It does not know what a field means, nor how
//! a proxy spells its fields.

use super::keyed::{self, Name, Part};
use super::{MAX_LINE, UnparsedKind};

/// Longest text that is accepted for a format, in bytes.
pub(super) const MAX_FORMAT: usize = 16 * 1024;

/// A format that cannot be used: where, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {problem}")]
pub struct TemplateError {
    /// Line in the text, from 1.
    pub line: usize,
    /// Column in that line in characters, from 1.
    pub column: usize,
    /// What was found; what was expected.
    pub problem: &'static str,
}

impl TemplateError {
    /// The problem at a character's index in the text.
    pub(super) fn at(text: &str, index: usize, problem: &'static str) -> Self {
        let (mut line, mut column) = (1, 1);
        for char in text.chars().take(index) {
            column += 1;
            if char == '\n' {
                (line, column) = (line + 1, 1);
            }
        }
        Self {
            line,
            column,
            problem,
        }
    }
}

/// One character of a format, and its index (in characters) in the pasted text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Letter {
    pub(super) char: char,
    pub(super) at: usize,
}

/// A piece of a format, as its proxy's compiler found it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece<F> {
    /// Text that stands as it is.
    Literal(String),
    /// A field, how its value is written, and where in the text it stands.
    Field(F, Shape, usize),
}

/// How a value is written, and so where it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// Up to the text that follows it.
    Plain,
    /// Perhaps in double quotes of its own.
    Quoted,
    /// So many bytes, as of a time with a space in it.
    Length(usize),
    /// `METHOD TARGET HTTP/x` without quotes.
    Request,
    /// Absent, with the space after it, unless it begins with this byte. One that begins with a brace
    /// ends with the closing brace.
    Optional(u8),
}

/// A compiled format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template<F> {
    prefix: Box<[u8]>,
    steps: Box<[Step<F>]>,
    is_json: bool,
}

/// A field, and the text that follows it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Step<F> {
    field: F,
    shape: Shape,
    until: Box<[u8]>,
}

impl<F: Copy + PartialEq> Template<F> {
    /// Puts the pieces together; `text` is what they were read from.
    pub(super) fn of(text: &str, pieces: Vec<Piece<F>>) -> Result<Self, TemplateError> {
        let (mut prefix, mut steps) = (Vec::new(), Vec::<(Step<F>, Vec<u8>)>::new());
        for piece in pieces {
            match (piece, steps.last_mut()) {
                (Piece::Literal(literal), None) => prefix.extend(literal.into_bytes()),
                (Piece::Literal(literal), Some((_, until))) => until.extend(literal.into_bytes()),
                (Piece::Field(_, _, at), Some((_, until))) if until.is_empty() => {
                    let problem =
                        "nothing between two fields; expected text that separates their values";
                    return Err(TemplateError::at(text, at, problem));
                }
                (Piece::Field(field, shape, _), _) => {
                    let until = Box::default();
                    steps.push((
                        Step {
                            field,
                            shape,
                            until,
                        },
                        Vec::new(),
                    ));
                }
            }
        }
        let finish = |(step, until): (Step<F>, Vec<u8>)| Step {
            until: until.into(),
            ..step
        };
        Ok(Self {
            prefix: prefix.into(),
            steps: steps.into_iter().map(finish).collect(),
            is_json: false,
        })
    }

    /// A field and nothing else.
    pub(super) fn of_field(field: F) -> Self {
        let (shape, until) = (Shape::Plain, Box::default());
        Self {
            prefix: Box::default(),
            steps: [Step {
                field,
                shape,
                until,
            }]
            .into(),
            is_json: false,
        }
    }

    /// The same for a JSON object as it is written: a member that the format does not have is not taken for
    /// a part of the value before it.
    pub(super) fn of_json(self) -> Self {
        Self {
            is_json: true,
            ..self
        }
    }

    /// The fields.
    pub(super) fn fields(&self) -> impl Iterator<Item = F> {
        self.steps.iter().map(|step| step.field)
    }

    /// Whether the field is in the format.
    pub(super) fn has(&self, field: F) -> bool {
        self.steps.iter().any(|step| step.field == field)
    }

    /// Replaces fields, as by ones that are skipped.
    pub(super) fn replace(&mut self, with: impl Fn(F) -> F) {
        for step in &mut self.steps {
            step.field = with(step.field);
        }
    }

    /// Cuts a line, and gives each field's value to `take`, in order.
    pub(super) fn read<'a>(
        &self,
        line: &'a [u8],
        mut take: impl FnMut(F, &'a [u8]) -> Result<(), UnparsedKind>,
    ) -> Result<(), UnparsedKind> {
        if line.len() > MAX_LINE {
            return Err(UnparsedKind::TooLong);
        }
        let damaged = || damage(line);
        let mut rest = line.strip_prefix(&*self.prefix).ok_or_else(damaged)?;
        let (last, steps) = self.steps.split_last().ok_or(UnparsedKind::Format)?;
        for step in steps {
            let (value, tail) = step.cut(rest).ok_or_else(damaged)?;
            if self.is_json && find(value, b"\"", 0).is_some() {
                return Err(damaged());
            }
            take(step.field, value)?;
            rest = tail;
        }
        take(last.field, last.whole(rest).ok_or_else(damaged)?)
    }
}

impl<F> Step<F> {
    /// The value at the start of `rest`, and what follows the text after it.
    fn cut<'a>(&self, rest: &'a [u8]) -> Option<(&'a [u8], &'a [u8])> {
        let end = match self.shape {
            Shape::Plain => find(rest, &self.until, 0)?,
            Shape::Quoted if rest.starts_with(b"\"") => find(rest, b"\"", 1)? + 1,
            Shape::Quoted => find(rest, &self.until, 0)?,
            Shape::Length(length) => length,
            Shape::Request => {
                // A request line that is none (`<BADREQ>`) has no protocol to look for.
                let protocol = memchr::memmem::find(rest, b" HTTP/");
                find(rest, &self.until, protocol.map_or(0, |at| at + 1))?
            }
            Shape::Optional(b'{') if rest.starts_with(b"{") => memchr::memchr(b'}', rest)? + 1,
            Shape::Optional(first) if rest.first() == Some(&first) => find(rest, &self.until, 0)?,
            Shape::Optional(_) => match self.until.strip_prefix(b" ") {
                Some(after_space) => return Some((b"", rest.strip_prefix(after_space)?)),
                None => find(rest, &self.until, 0)?,
            },
        };
        let (value, tail) = rest.split_at_checked(end)?;
        Some((self.unquoted(value), tail.strip_prefix(&*self.until)?))
    }

    /// The value, if this is the last step: all that is left but for the text after it. A quote
    /// inside it shows that a client wrote quotes into a value before, to shift the ones behind.
    fn whole<'a>(&self, rest: &'a [u8]) -> Option<&'a [u8]> {
        let value = rest.strip_suffix(&*self.until)?;
        let bare = self.unquoted(value);
        find(bare, b"\"", 0).is_none().then_some(bare)
    }

    /// The value without quotes of its own.
    fn unquoted<'a>(&self, value: &'a [u8]) -> &'a [u8] {
        let inner = (value.strip_prefix(b"\"")).and_then(|value| value.strip_suffix(b"\""));
        match self.shape {
            Shape::Quoted => inner.unwrap_or(value),
            _ => value,
        }
    }
}

/// The members of the object that a format draws, each with what its value holds; none if it draws none.
pub(super) fn members<F: Copy + PartialEq>(pieces: &[Piece<F>]) -> Vec<(Name, Template<F>)> {
    let drawn = pieces.iter().map(|piece| match piece {
        Piece::Literal(text) => keyed::Piece::Text(text),
        Piece::Field(..) => keyed::Piece::Field,
    });
    let fields: Vec<_> = (pieces.iter())
        .filter(|piece| matches!(piece, Piece::Field(..)))
        .collect();
    let piece = |part: &Part| match part {
        Part::Text(text) => Some(Piece::Literal(text.clone())),
        Part::Field(at) => match fields.get(*at)? {
            Piece::Field(field, shape, at) => Some(Piece::Field(*field, *shape, *at)),
            Piece::Literal(_) => None,
        },
    };
    let template = |member: keyed::Member| {
        let pieces = member.value.iter().filter_map(piece).collect();
        Some((member.name, Template::of("", pieces).ok()?))
    };
    let members = keyed::members(drawn).unwrap_or_default();
    members.into_iter().filter_map(template).collect()
}

/// The first place from `from` on where `until` stands, unless it is a quote that a backslash escapes.
fn find(rest: &[u8], until: &[u8], from: usize) -> Option<usize> {
    let (first, more) = until.split_first()?;
    let mut at = from;
    loop {
        at += memchr::memchr(*first, rest.get(at..)?)?;
        let fits = rest.get(at + 1..)?.starts_with(more);
        if fits && !(*first == b'"' && is_escaped(rest, at)) {
            return Some(at);
        }
        at += 1;
    }
}

/// Whether an odd number of backslashes stands before a place.
fn is_escaped(rest: &[u8], at: usize) -> bool {
    let before = rest.get(..at).unwrap_or_default();
    let slashes = before.iter().rev().take_while(|byte| **byte == b'\\');
    slashes.count() % 2 == 1
}

/// What is wrong with a line that does not have a format's shape.
#[cold]
pub(super) fn damage(line: &[u8]) -> UnparsedKind {
    if line.is_empty() {
        UnparsedKind::Empty
    } else if memchr::memchr(0, line).is_some() {
        UnparsedKind::Binary
    } else {
        UnparsedKind::Format
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cuts a line by fields of these shapes, each followed by a text.
    fn check(steps: &[(Shape, &str)], line: &str, expected: Option<&[&str]>) {
        let mut pieces = Vec::new();
        for (at, (shape, until)) in steps.iter().enumerate() {
            pieces.push(Piece::Field(at, *shape, at));
            pieces.push(Piece::Literal((*until).to_owned()));
        }
        let template = Template::of("", pieces).unwrap();
        let mut values = Vec::new();
        let read = template.read(line.as_bytes(), |_, value| {
            values.push(std::str::from_utf8(value).unwrap());
            Ok(())
        });
        assert_eq!(read.ok().map(|()| &*values), expected, "{line}");
    }

    #[test]
    fn values_end_where_the_text_after_them_begins() {
        use Shape::{Length, Optional, Plain, Quoted, Request};
        check(
            &[(Length(3), " "), (Plain, "")],
            "a b c",
            Some(&["a b", "c"]),
        );
        check(&[(Length(9), " "), (Plain, "")], "a b c", None);
        check(&[(Plain, " "), (Plain, "")], "a b c", Some(&["a", "b c"]));
        check(
            &[(Plain, "\" "), (Plain, "")],
            r#"a\" b" c"#,
            Some(&[r#"a\" b"#, "c"]),
        );
        check(&[(Plain, " "), (Plain, "x")], "a b", None);
        check(
            &[(Quoted, " "), (Plain, "")],
            r#""a b" c"#,
            Some(&["a b", "c"]),
        );
        check(&[(Quoted, " "), (Plain, "")], "a b", Some(&["a", "b"]));
        check(
            &[(Plain, " "), (Quoted, "")],
            r#"a "b c""#,
            Some(&["a", "b c"]),
        );
        check(
            &[(Request, " "), (Plain, "")],
            "GET / HTTP/1.1 2",
            Some(&["GET / HTTP/1.1", "2"]),
        );
        check(
            &[(Request, " "), (Plain, "")],
            "<BADREQ> 2",
            Some(&["<BADREQ>", "2"]),
        );
        let captures = [
            (Plain, " "),
            (Optional(b'{'), " "),
            (Optional(b'{'), " "),
            (Plain, ""),
        ];
        check(
            &captures,
            "0 {a b} {c} d",
            Some(&["0", "{a b}", "{c}", "d"]),
        );
        check(&captures, "0 {a b} d", Some(&["0", "{a b}", "", "d"]));
        check(&captures, "0 d", Some(&["0", "", "", "d"]));
        check(
            &[(Optional(b'?'), "\" "), (Plain, "")],
            "\" d",
            Some(&["", "d"]),
        );
        check(
            &[(Optional(b'?'), " "), (Plain, "")],
            "?a d",
            Some(&["?a", "d"]),
        );
    }

    #[test]
    fn a_quote_too_many_is_refused() {
        let quoted = [(Shape::Plain, "\" \""), (Shape::Plain, "\"")];
        check(&quoted, "agent\" \"host\"", Some(&["agent", "host"]));
        check(&quoted, "agent\" \"forged\" \"host\"", None);
    }

    #[test]
    fn damage_has_a_kind() {
        for (line, expected) in [
            ("", UnparsedKind::Empty),
            ("a\0", UnparsedKind::Binary),
            ("a", UnparsedKind::Format),
        ] {
            assert_eq!(damage(line.as_bytes()), expected, "{line:?}");
        }
    }
}
