//! The members of a JSON object, borrowed from the line: no copy, no allocation, no recursion.
//!
//! It checks only as much as it needs to find where values end; escapes stay as written
//! ([`super::unescape`] undoes them). It does not know what any key means.

use super::UnparsedKind;

/// A value as written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    /// What stands between the quotes.
    Text(&'a [u8]),
    /// A number, `true`, `false` or `null`.
    Bare(&'a [u8]),
    /// An object with its braces.
    Object(&'a [u8]),
    /// An array with its brackets.
    Array(&'a [u8]),
}

impl<'a> Value<'a> {
    /// A text's or a number's letters; of an array, its first text's.
    pub(crate) fn letters(self) -> Option<&'a [u8]> {
        match self {
            Self::Text(raw) | Self::Bare(raw) => Some(raw),
            Self::Array(raw) => match value(raw.get(1..)?)?.0 {
                Self::Text(text) => Some(text),
                _ => None,
            },
            Self::Object(_) => None,
        }
    }

    /// The members, if this is an object.
    pub(crate) fn members(self) -> Members<'a> {
        match self {
            Self::Object(raw) => Members::of(raw),
            _ => Members::of(b"{}"),
        }
    }
}

/// The members of an object, in the order written. After a broken one there is none.
#[derive(Debug, Clone)]
pub(crate) struct Members<'a> {
    rest: Option<&'a [u8]>,
}

impl<'a> Members<'a> {
    /// The members of the object that is the whole of `raw`.
    pub(crate) fn of(raw: &'a [u8]) -> Self {
        Self { rest: Some(raw) }
    }

    /// Reads the separator, and the member after it; `Ok(None)` at the end.
    fn step(&mut self, raw: &'a [u8]) -> Option<Option<(&'a [u8], Value<'a>)>> {
        let (mark, rest) = raw.trim_ascii_start().split_first()?;
        let rest = rest.trim_ascii_start();
        match (mark, rest.first()) {
            (b'}', None) | (b'{', Some(b'}')) => return Some(None),
            (b'{' | b',', Some(b'"')) => {}
            _ => return None,
        }
        let (Value::Text(key), rest) = value(rest)? else {
            return None;
        };
        let rest = rest.trim_ascii_start().strip_prefix(b":")?;
        let (value, rest) = value(rest)?;
        self.rest = Some(rest);
        Some(Some((key, value)))
    }
}

impl<'a> Iterator for Members<'a> {
    type Item = Result<(&'a [u8], Value<'a>), UnparsedKind>;

    fn next(&mut self) -> Option<Self::Item> {
        let raw = self.rest.take()?;
        match self.step(raw) {
            Some(member) => member.map(Ok),
            None => Some(Err(UnparsedKind::Format)),
        }
    }
}

/// The value at the start of `raw`, and what follows it.
fn value(raw: &[u8]) -> Option<(Value<'_>, &[u8])> {
    let raw = raw.trim_ascii_start();
    let (first, rest) = raw.split_first()?;
    let (end, kind): (_, fn(_) -> _) = match first {
        b'"' => {
            let (text, rest) = rest.split_at_checked(text_end(rest)?)?;
            return Some((Value::Text(text), rest.get(1..)?));
        }
        b'{' => (nested_end(raw)?, Value::Object),
        b'[' => (nested_end(raw)?, Value::Array),
        _ => (bare_end(raw)?, Value::Bare),
    };
    let (value, rest) = raw.split_at_checked(end)?;
    Some((kind(value), rest))
}

/// Where the quote is that closes the text at the start of `raw`.
fn text_end(raw: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += memchr::memchr2(b'"', b'\\', raw.get(at..)?)?;
        if raw.get(at) == Some(&b'"') {
            return Some(at);
        }
        at += 2;
    }
}

/// The length of the object or array at the start of `raw`.
fn nested_end(raw: &[u8]) -> Option<usize> {
    let (mut at, mut depth) = (0, 0usize);
    loop {
        match raw.get(at)? {
            b'"' => at += 1 + text_end(raw.get(at + 1..)?)?,
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.checked_sub(1)?,
            _ => {}
        }
        at += 1;
        if depth == 0 {
            return Some(at);
        }
    }
}

/// The length of the number or word at the start of `raw`.
fn bare_end(raw: &[u8]) -> Option<usize> {
    let is_bare = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    let end = raw.iter().position(|byte| !is_bare(byte));
    end.filter(|end| *end > 0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(raw: &[u8]) -> Result<Vec<(&[u8], Value<'_>)>, UnparsedKind> {
        Members::of(raw).collect()
    }

    #[test]
    fn values_end_where_they_end() {
        let raw = br#" { "a" : "x\"}\\" ,"b":-1.5e3,"c":{"d":["}",{}]},"e":["f","g"],"h":null}"#;
        let expected: [(&[u8], Value<'_>); 5] = [
            (b"a", Value::Text(br#"x\"}\\"#)),
            (b"b", Value::Bare(b"-1.5e3")),
            (b"c", Value::Object(br#"{"d":["}",{}]}"#)),
            (b"e", Value::Array(br#"["f","g"]"#)),
            (b"h", Value::Bare(b"null")),
        ];
        let got = read(raw).unwrap();
        assert_eq!(got, expected);
        let letters = got.iter().map(|(_, value)| value.letters());
        assert_eq!(letters.flatten().count(), 4);
        assert_eq!(got[3].1.letters(), Some(&b"f"[..]));
        assert_eq!(got[2].1.members().count(), 1);
        assert_eq!(read(b"{}").unwrap(), []);
    }

    #[test]
    fn broken_objects_are_refused() {
        for raw in [
            "",
            "{",
            "[]",
            "{a:1}",
            r#"{"a"}"#,
            r#"{"a":}"#,
            r#"{"a":1"#,
            r#"{"a":1,}"#,
            r#"{"a":1}x"#,
            r#"{"a":"x}"#,
            r#"{"a":[1}"#,
            r#"{"a":"\"#,
            r#"{"a":1 "b":2}"#,
        ] {
            assert_eq!(read(raw.as_bytes()), Err(UnparsedKind::Format), "{raw}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(raw: Vec<u8>, text in "[{}\\[\\]\":,\\\\a1 ]{0,40}") {
            read(&raw).ok();
            read(text.as_bytes()).ok();
            read(format!("{{{text}}}").as_bytes()).ok();
        }

        #[test]
        fn what_is_written_reads_back(key in "\\PC{0,9}", text in any::<String>(), number: i64) {
            let raw = serde_json::json!({ key.clone(): [text.clone()], "n": { "x": number } }).to_string();
            prop_assume!(key != "n");
            let got = read(raw.as_bytes()).unwrap();
            let quoted = |text: &str| serde_json::to_string(text).unwrap();
            let array = got.iter().find(|(_, value)| matches!(value, Value::Array(_))).unwrap();
            let letters = String::from_utf8(array.1.letters().unwrap().to_vec()).unwrap();
            prop_assert_eq!(format!("\"{letters}\""), quoted(&text));
            prop_assert_eq!(got.len(), 2);
        }
    }
}
