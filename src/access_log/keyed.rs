//! JSON lines read by key: members in any order, with any space between them, some of them inside an
//! object.
//!
//! Shared by the proxies whose formats are text with fields in it: [`members`] finds the object that such
//! a text draws, and [`Keys`] reads lines of it. It does not know what a field means.

use super::json::{Members, Value};
use super::{MAX_LINE, UnparsedKind, damage};

/// A piece of a format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    /// Text that stands as it is.
    Text(&'a str),
    /// A field's value.
    Field,
}

/// A piece of a member's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    /// Text that stands as it is.
    Text(String),
    /// The value of the field with this index among the format's.
    Field(usize),
}

/// A member of the object that a format draws.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) name: Name,
    pub(super) value: Vec<Part>,
}

/// Which member of a line is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Name {
    /// The key of the object that it is in, empty for the line's own; `None` where any will do.
    within: Option<Box<[u8]>>,
    key: Box<[u8]>,
}

impl Name {
    /// The key, whatever object it is in: of a format that nobody wrote down.
    pub(super) fn anywhere(key: &str) -> Self {
        Self {
            within: None,
            key: key.as_bytes().into(),
        }
    }

    /// The key in an object of this key; of the line's own, if that is empty.
    pub(super) fn within(object: &str, key: &str) -> Self {
        Self {
            within: Some(object.as_bytes().into()),
            ..Self::anywhere(key)
        }
    }

    fn is(&self, object: &[u8], key: &[u8]) -> bool {
        *self.key == *key && (self.within.as_ref()).is_none_or(|within| **within == *object)
    }
}

/// Stands around a field's index in the object that [`members`] reads. (JSON has no such character.)
const MARK: char = '\u{1}';

/// The members of the object that a format draws, with what their values hold; `None` if it draws none.
/// Of an object inside, the members one level down. Members without a field are left out.
pub(super) fn members<'a>(pieces: impl IntoIterator<Item = Piece<'a>>) -> Option<Vec<Member>> {
    let drawn = draw(pieces);
    let mut members = Vec::new();
    for member in Members::of(drawn.as_bytes()) {
        let (key, value) = member.ok()?;
        members.extend(self::member(b"", key, value)?);
        for member in value.members() {
            let (inner, value) = member.ok()?;
            members.extend(self::member(key, inner, value)?);
        }
    }
    Some(members)
}

/// The format with a text for each field.
fn draw<'a>(pieces: impl IntoIterator<Item = Piece<'a>>) -> String {
    let (mut drawn, mut in_text, mut escaped, mut fields) = (String::new(), false, false, 0);
    for piece in pieces {
        match piece {
            Piece::Text(text) => {
                for char in text.chars() {
                    in_text ^= char == '"' && !escaped;
                    escaped = char == '\\' && !escaped;
                }
                drawn.push_str(text);
            }
            Piece::Field => {
                let quote = if in_text { "" } else { "\"" };
                drawn.push_str(&format!("{quote}{MARK}{fields}{MARK}{quote}"));
                fields += 1;
            }
        }
    }
    drawn
}

/// One member; `Some(None)` if it holds no field, `None` if a field stands where no value does.
fn member(object: &[u8], key: &[u8], value: Value<'_>) -> Option<Option<Member>> {
    let (object, key) = (str::from_utf8(object).ok()?, str::from_utf8(key).ok()?);
    if key.contains(MARK) {
        return None;
    }
    let Value::Text(text) = value else {
        return Some(None);
    };
    let texts = str::from_utf8(text).ok()?.split(MARK).enumerate();
    let parts = texts.filter(|(at, text)| at % 2 == 1 || !text.is_empty());
    let value: Vec<Part> = parts
        .map(|(at, text)| match text.parse() {
            Ok(field) if at % 2 == 1 => Part::Field(field),
            _ => Part::Text(text.to_owned()),
        })
        .collect();
    let holds = value.iter().any(|part| matches!(part, Part::Field(_)));
    let name = Name::within(object, key);
    Some(holds.then_some(Member { name, value }))
}

/// The keys of a JSON log, each with what its value holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Keys<T>(Box<[Key<T>]>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Key<T> {
    name: Name,
    holds: T,
    /// Whether it is of a request: an object without any such key is another log's.
    of_request: bool,
}

impl<T> Keys<T> {
    /// Keys, of which those that name a request are told by `of_request`.
    pub(super) fn new(
        keys: impl IntoIterator<Item = (Name, T)>,
        of_request: impl Fn(&T) -> bool,
    ) -> Self {
        let key = |(name, holds)| Key {
            of_request: of_request(&holds),
            name,
            holds,
        };
        Self(keys.into_iter().map(key).collect())
    }

    /// What the keys hold.
    pub(super) fn values(&self) -> impl Iterator<Item = &T> {
        self.0.iter().map(|key| &key.holds)
    }

    /// Reads a line, and gives `take` each known member's value as written, quotes and brackets dropped.
    /// `null` is no value.
    ///
    /// # Errors
    /// What is wrong with the line, or what `take` says.
    pub(super) fn read<'a>(
        &self,
        line: &'a [u8],
        mut take: impl FnMut(&T, &'a [u8]) -> Result<(), UnparsedKind>,
    ) -> Result<(), UnparsedKind> {
        if line.len() > MAX_LINE {
            return Err(UnparsedKind::TooLong);
        }
        let mut search = Search {
            keys: &self.0,
            next: 0,
            named: false,
        };
        for member in Members::of(line) {
            let (key, value) = member.map_err(|_| damage(line))?;
            search.member(b"", key, value, &mut take)?;
            for member in value.members() {
                let (inner, value) = member.map_err(|_| damage(line))?;
                search.member(key, inner, value, &mut take)?;
            }
        }
        search.named.then_some(()).ok_or(UnparsedKind::Format)
    }
}

/// The keys while a line is read.
struct Search<'k, T> {
    keys: &'k [Key<T>],
    /// The key behind the last one found: members mostly come in one order.
    next: usize,
    /// A key of a request was found.
    named: bool,
}

impl<T> Search<'_, T> {
    fn member<'a>(
        &mut self,
        object: &[u8],
        key: &[u8],
        value: Value<'a>,
        take: &mut impl FnMut(&T, &'a [u8]) -> Result<(), UnparsedKind>,
    ) -> Result<(), UnparsedKind> {
        let mut places = (self.next..self.keys.len()).chain(0..self.next);
        let found = places.find_map(|at| {
            let known = self.keys.get(at)?;
            known.name.is(object, key).then_some((at, known))
        });
        let Some((at, known)) = found else {
            return Ok(());
        };
        self.named |= known.of_request;
        self.next = at + 1;
        match value.letters() {
            Some(raw) if value != Value::Bare(b"null") => take(&known.holds, raw),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The members of a format whose fields are written as `$`.
    fn check(format: &str, expected: Option<&[(&str, &str, &str)]>) {
        let texts = format.split('$').map(Piece::Text);
        let pieces: Vec<_> = texts.flat_map(|text| [text, Piece::Field]).collect();
        let (_, pieces) = pieces.split_last().unwrap();
        let found = members(pieces.iter().copied()).map(|members| {
            let spell = |part: &Part| match part {
                Part::Text(text) => text.clone(),
                Part::Field(at) => format!("${at}"),
            };
            let spell = |member: &Member| {
                let value: String = member.value.iter().map(spell).collect();
                (member.name.clone(), value)
            };
            members.iter().map(spell).collect::<Vec<_>>()
        });
        let expected = expected.map(|members| {
            let spell = |(object, key, value): &(&str, &str, &str)| {
                (Name::within(object, key), (*value).to_owned())
            };
            members.iter().map(spell).collect()
        });
        assert_eq!(found, expected, "{format}");
    }

    #[test]
    fn a_format_that_draws_an_object_has_members() {
        check(
            r#"{"a":"$","b":$,"c":1}"#,
            Some(&[("", "a", "$0"), ("", "b", "$1")]),
        );
        check(
            r#" { "a" : "$/$ms" , "\"" : $ } "#,
            Some(&[("", "a", "$0/$1ms"), ("", "\\\"", "$2")]),
        );
        check(
            r#"{"a":{"b":"$","c":{"d":$}},"e":[$]}"#,
            Some(&[("a", "b", "$0")]),
        );
        for format in [
            "$ $",
            r#"{"$":1}"#,
            r#"{"a":$ms}"#,
            r#"{"a":$"#,
            "<1>{\"a\":$}",
        ] {
            check(format, None);
        }
    }

    fn read(keys: &Keys<char>, line: &str) -> Result<String, UnparsedKind> {
        let mut values = String::new();
        keys.read(line.as_bytes(), |name, raw| {
            values.push(*name);
            values.push_str(str::from_utf8(raw).unwrap());
            Ok(())
        })?;
        Ok(values)
    }

    #[test]
    fn members_are_found_in_any_order() {
        let names = [
            (Name::within("", "a"), 'A'),
            (Name::within("", "b"), 'B'),
            (Name::within("o", "a"), 'O'),
            (Name::anywhere("c"), 'C'),
        ];
        let keys = Keys::new(names, |name| *name != 'C');
        for (line, expected) in [
            (r#"{"a":1,"b":"2","c":3}"#, Ok("A1B2C3")),
            (r#" { "c" : 3 , "b" : "2" , "a" : 1 } "#, Ok("C3B2A1")),
            (r#"{"x":1,"o":{"a":1,"c":2,"b":3},"b":null}"#, Ok("O1C2")),
            (r#"{"b":{"b":1},"a":[]}"#, Ok("")),
            (r#"{"c":3}"#, Err(UnparsedKind::Format)),
            (r#"{"a":1"#, Err(UnparsedKind::Format)),
            (r#"{"o":{"a":1 2}}"#, Err(UnparsedKind::Format)),
            ("{\"a\":1\0}", Err(UnparsedKind::Binary)),
            ("", Err(UnparsedKind::Empty)),
        ] {
            assert_eq!(read(&keys, line), expected.map(str::to_owned), "{line}");
        }
        let long = format!("{{\"a\":\"{}\"}}", "x".repeat(MAX_LINE));
        assert_eq!(read(&keys, &long), Err(UnparsedKind::TooLong));
    }
}
