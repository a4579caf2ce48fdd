//! Where a value ends in a line.
//!
//! Nearly always where the format's next literal text begins. Two things make it harder: a quote
//! that `escape=json` escaped, and values that contain the separator themselves because the format
//! does not quote them (ingress-nginx's lists of upstreams). It does not know what values mean.

use crate::access_log::search;

/// How a value can contain the text that ends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::access_log) enum Shape {
    /// It cannot.
    Plain,
    /// A list of upstreams' values: `a, b : c`.
    List,
    /// `$time_local`, which has a space and a known length.
    Time,
    /// `$request`, which has two.
    Request,
    /// It cannot, and nothing but this text stands where the value ends: a member of a JSON object, behind
    /// which another member may come.
    Member,
}

/// The length of `$time_local`: `20/Nov/2026:09:59:41 +0000`.
pub(super) const TIME_LENGTH: usize = 26;

impl Shape {
    /// How the value of a variable ends before this text.
    pub(in crate::access_log) fn of(name: &str, until: &[u8]) -> Self {
        if name == "time_local" {
            return Self::Time;
        }
        if !matches!(until.first(), Some(b' ' | b',' | b':')) {
            return Self::Plain;
        }
        match name {
            "request" => Self::Request,
            _ if is_list(name) => Self::List,
            _ => Self::Plain,
        }
    }
}

/// `$upstream_…` holds one value for each upstream tried, except for headers and cookies, which are
/// the last answer's.
fn is_list(name: &str) -> bool {
    name.strip_prefix("upstream_").is_some_and(|rest| {
        let of_last = ["http_", "cookie_", "trailer_"];
        !of_last.iter().any(|kind| rest.starts_with(kind))
    })
}

/// The text that ends a value, made ready to be looked for: one byte is searched, the rest is
/// compared in words, for both are too short for a call to pay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Until<T = Box<[u8]>> {
    text: T,
    first: u8,
    /// The first bytes of the text, and which of them count.
    head: u64,
    mask: u64,
    /// The last ones, the same way.
    tail: u64,
    tail_mask: u64,
}

/// Bytes that are looked at together.
const WORD: usize = 8;
const DOUBLE: usize = 2 * WORD;
const QUAD: usize = 2 * DOUBLE;

impl<T: AsRef<[u8]>> Until<T> {
    /// Makes a text ready.
    pub(super) fn new(text: T) -> Self {
        let bytes = text.as_ref();
        let (mut head, mut mask, mut tail, mut tail_mask) =
            ([0; WORD], [0; WORD], [0; WORD], [0; WORD]);
        for ((byte, head), mask) in bytes.iter().zip(&mut head).zip(&mut mask) {
            (*head, *mask) = (*byte, 0xff);
        }
        let (mut from, mut from_mask) = (tail.iter_mut().rev(), tail_mask.iter_mut().rev());
        for ((byte, tail), mask) in bytes.iter().rev().zip(&mut from).zip(&mut from_mask) {
            (*tail, *mask) = (*byte, 0xff);
        }
        Self {
            first: bytes.first().copied().unwrap_or_default(),
            head: u64::from_ne_bytes(head),
            mask: u64::from_ne_bytes(mask),
            tail: u64::from_ne_bytes(tail),
            tail_mask: u64::from_ne_bytes(tail_mask),
            text,
        }
    }

    /// The text.
    pub(super) fn text(&self) -> &[u8] {
        self.text.as_ref()
    }

    /// What follows the text, if `from` starts with it.
    #[inline(always)]
    pub(super) fn strip<'a>(&self, from: &'a [u8]) -> Option<&'a [u8]> {
        (self.starts(from)).then(|| from.get(self.text().len()..).unwrap_or_default())
    }

    /// Whether the text's end, as much of it as a word holds, stands before this place of a line.
    #[inline(always)]
    pub(super) fn ends_before(&self, line: &[u8], at: usize) -> bool {
        let Some(before) = line.get(..at) else {
            return false;
        };
        match before.last_chunk::<WORD>() {
            Some(word) => self.ends(*word),
            None => before.ends_with(self.text()),
        }
    }

    /// The same of what stands there.
    #[inline(always)]
    pub(super) fn ends(&self, word: [u8; WORD]) -> bool {
        u64::from_ne_bytes(word) & self.tail_mask == self.tail
    }

    /// Whether the text stands before this place of a line.
    #[inline(always)]
    pub(super) fn stands_before(&self, line: &[u8], at: usize) -> bool {
        let length = self.text().len();
        self.ends_before(line, at)
            && (length <= WORD || {
                let begin = at.checked_sub(length).and_then(|begin| line.get(begin..at));
                match (length, begin) {
                    (_, None) => false,
                    // The two words overlap, and cover it.
                    (..=DOUBLE, Some(text)) => text
                        .first_chunk()
                        .is_some_and(|head| u64::from_ne_bytes(*head) == self.head),
                    (_, Some(text)) => text == self.text(),
                }
            })
    }

    /// Whether `from` starts with the text.
    #[inline(always)]
    fn starts(&self, from: &[u8]) -> bool {
        let Some(head) = from.first_chunk::<WORD>() else {
            return from.len() >= self.text().len()
                && from
                    .iter()
                    .zip(self.text())
                    .all(|(one, other)| one == other);
        };
        if u64::from_ne_bytes(*head) & self.mask != self.head {
            return false;
        }
        match self.text().len() {
            ..=WORD => true,
            // The two words overlap, and cover it.
            length @ ..=DOUBLE => (from.get(..length))
                .is_some_and(|from| from.last_chunk::<WORD>() == self.text().last_chunk::<WORD>()),
            length @ ..=QUAD => (from.get(..length)).is_some_and(|from| {
                from.first_chunk::<DOUBLE>() == self.text().first_chunk::<DOUBLE>()
                    && from.last_chunk::<DOUBLE>() == self.text().last_chunk::<DOUBLE>()
            }),
            _ => from.starts_with(self.text()),
        }
    }

    /// Whether the text stands at this place of `rest`, and no backslash escapes it.
    #[inline(always)]
    fn stands_at(&self, rest: &[u8], at: usize) -> bool {
        let Some((before, after)) = rest.split_at_checked(at) else {
            return false;
        };
        self.starts(after) && !(self.first == b'"' && is_escaped(before))
    }

    /// The length of the value at the start of `rest` that the text ends.
    #[inline(always)]
    pub(super) fn end(&self, rest: &[u8], shape: Shape) -> Option<usize> {
        match shape {
            Shape::Plain => find(rest, self, 0),
            Shape::Member => end_of_member(rest, self),
            shape => self.end_of(rest, shape),
        }
    }

    /// The same for the values that few formats have.
    #[inline(never)]
    fn end_of(&self, rest: &[u8], shape: Shape) -> Option<usize> {
        match shape {
            Shape::Plain | Shape::Member => find_farther(rest, self, 0),
            Shape::List => end_of_list(rest, self),
            Shape::Time => (self.starts(rest.get(TIME_LENGTH..)?)).then_some(TIME_LENGTH),
            Shape::Request => {
                // A request line that is none (`-`, a TLS greeting) has no protocol to look for.
                let protocol = memchr::memmem::find(rest, b" HTTP/");
                find(rest, self, protocol.map_or(0, |at| at + 1))
            }
        }
    }
}

/// The length of the value at the start of `rest` that `until` ends, for formats that keep that text
/// as it is; nothing ends where no text does.
pub(in crate::access_log) fn end(rest: &[u8], shape: Shape, until: &[u8]) -> Option<usize> {
    until.first()?;
    Until::new(until).end(rest, shape)
}

/// The first place from `from` on where `until` stands, unless a backslash escapes it. Nearly always that
/// is the first place of its first byte: this one is looked at in place, others by a call.
#[inline(always)]
fn find(rest: &[u8], until: &Until<impl AsRef<[u8]>>, from: usize) -> Option<usize> {
    let at = from + search::position(until.first, rest.get(from..)?)?;
    match until.stands_at(rest, at) {
        true => Some(at),
        false => find_farther(rest, until, at + 1),
    }
}

#[inline(never)]
fn find_farther(rest: &[u8], until: &Until<impl AsRef<[u8]>>, from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        at += search::position(until.first, rest.get(at..)?)?;
        if until.stands_at(rest, at) {
            return Some(at);
        }
        at += 1;
    }
}

/// Whether an odd number of backslashes ends a value: `escape=json` writes `\"`. Under
/// `escape=default` no value has a backslash but as `\xHH`, so there it is never true.
#[inline]
fn is_escaped(value: &[u8]) -> bool {
    value.last() == Some(&b'\\') && {
        let slashes = value.iter().rev().take_while(|byte| **byte == b'\\');
        slashes.count() % 2 == 1
    }
}

/// The first place of the text's first byte, if the text stands there; none after a space, which is no
/// part of a number.
#[inline(always)]
fn end_of_member(rest: &[u8], until: &Until<impl AsRef<[u8]>>) -> Option<usize> {
    let mut at = 0;
    loop {
        at += search::position(until.first, rest.get(at..)?)?;
        let (before, after) = rest.split_at_checked(at)?;
        if until.first != b'"' {
            return (until.starts(after) && before.last() != Some(&b' ')).then_some(at);
        }
        if !is_escaped(before) {
            return until.starts(after).then_some(at);
        }
        at += 1;
    }
}

/// As [`find`], but not inside a list's own separators.
fn end_of_list(rest: &[u8], until: &Until<impl AsRef<[u8]>>) -> Option<usize> {
    let mut at = find(rest, until, 0)?;
    while in_separator(rest, at, until.text()) {
        at = find(rest, until, at + 1)?;
    }
    Some(at)
}

fn in_separator(rest: &[u8], at: usize, until: &[u8]) -> bool {
    let before = rest.get(..at).unwrap_or_default();
    let from = rest.get(at..).unwrap_or_default();
    let starts = |separator: &[u8]| from.starts_with(separator) && !until.starts_with(separator);
    starts(b", ")
        || starts(b" : ")
        || before.ends_with(b",")
        || before.ends_with(b" :")
        || (before.ends_with(b" ") && from.starts_with(b": "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, until: &str, rest: &str, expected: Option<&str>) {
        let shape = Shape::of(name, until.as_bytes());
        let got = end(rest.as_bytes(), shape, until.as_bytes());
        let got = got.and_then(|end| rest.as_bytes().get(..end));
        assert_eq!(got, expected.map(str::as_bytes), "{name} {rest}");
    }

    #[test]
    fn lists_keep_their_separators() {
        check("upstream_addr", " ", "a:1 x y", Some("a:1"));
        check("upstream_addr", " ", "a:1, b:2 x", Some("a:1, b:2"));
        check(
            "upstream_addr",
            " ",
            "a:1 : b:2, c:3 x",
            Some("a:1 : b:2, c:3"),
        );
        check("upstream_addr", ",", "a:1, b:2,x", Some("a:1, b:2"));
        check("upstream_addr", " : ", "a:1 : x", Some("a:1"));
        check("upstream_addr", "\" ", "a:1, b:2\" x", Some("a:1, b:2"));
        check("upstream_status", " ", "- x", Some("-"));
        check("upstream_status", " ", "-, - x", Some("-, -"));
        check("upstream_status", " ", " x", Some(""));
        check("upstream_status", " ", "200", None);
        check("upstream_http_x", " ", "a, b", Some("a,"));
    }

    #[test]
    fn unquoted_times_and_requests_keep_their_spaces() {
        check(
            "time_local",
            " ",
            "20/Nov/2026:09:59:41 +0000 x",
            Some("20/Nov/2026:09:59:41 +0000"),
        );
        check("time_local", " ", "20/Nov/2026 x", None);
        check(
            "request",
            " ",
            "GET /mcp HTTP/1.1 200",
            Some("GET /mcp HTTP/1.1"),
        );
        check("request", " ", "- 400", Some("-"));
    }

    #[test]
    fn an_escaped_quote_ends_nothing() {
        check(
            "http_user_agent",
            "\",\"x\":",
            r#"a\",\"x\":b","x":1"#,
            Some(r#"a\",\"x\":b"#),
        );
        check("http_user_agent", "\"}", r#"a\"}"}"#, Some(r#"a\"}"#));
        check("http_user_agent", "\"}", r#"a\\"}"#, Some(r"a\\"));
    }

    #[test]
    fn no_text_ends_nothing() {
        check("status", "", "a\0", None);
    }

    #[test]
    fn a_text_is_recognised_whatever_its_length() {
        let line: Vec<u8> = (b' '..=b'~').collect();
        for length in 1..40 {
            let until = Until::new(&line[..length]);
            for have in 0..48 {
                let expected = (have >= length).then(|| &line[length..have]);
                assert_eq!(until.strip(&line[..have]), expected, "{length} of {have}");
            }
            for at in 0..48 {
                let stands = (until.ends_before(&line, at), until.stands_before(&line, at));
                assert_eq!(stands, (at == length, at == length), "{length} before {at}");
            }
            for wrong in 0..length {
                let mut line = line.clone();
                line[wrong] = b'\x7f';
                assert_eq!(until.strip(&line), None, "{length}, {wrong}");
                assert!(!until.stands_before(&line, length), "{length}, {wrong}");
                assert_eq!(until.strip(&line[..length]), None, "{length}, {wrong}");
            }
        }
    }
}
