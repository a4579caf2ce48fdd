//! Where a value ends in a line.
//!
//! Nearly always where the format's next literal text begins. Two things make it harder: a quote
//! that `escape=json` escaped, and values that contain the separator themselves because the format
//! does not quote them (ingress-nginx's lists of upstreams). It does not know what values mean.

/// How a value can contain the text that ends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::access_log) enum Shape {
    /// It cannot.
    Plain,
    /// A list of upstreams' values: `a, b : c`.
    List,
    /// `$time_local`, which has a space.
    Time,
    /// `$request`, which has two.
    Request,
}

/// The length of `$time_local`: `20/Nov/2026:09:59:41 +0000`.
const TIME_LENGTH: usize = 26;

impl Shape {
    /// How the value of a variable ends before this text.
    pub(in crate::access_log) fn of(name: &str, until: &[u8]) -> Self {
        if !matches!(until.first(), Some(b' ' | b',' | b':')) {
            return Self::Plain;
        }
        match name {
            "time_local" => Self::Time,
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

/// The length of the value at the start of `rest` that `until` ends.
pub(in crate::access_log) fn end(rest: &[u8], shape: Shape, until: &[u8]) -> Option<usize> {
    match shape {
        Shape::Plain => find(rest, until, 0),
        Shape::List => end_of_list(rest, until),
        Shape::Time => {
            let fits = rest.get(TIME_LENGTH..)?.starts_with(until);
            fits.then_some(TIME_LENGTH)
        }
        Shape::Request => {
            // A request line that is none (`-`, a TLS greeting) has no protocol to look for.
            let protocol = memchr::memmem::find(rest, b" HTTP/");
            find(rest, until, protocol.map_or(0, |at| at + 1))
        }
    }
}

/// The first place from `from` on where `until` stands, unless a backslash escapes it.
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

/// Whether an odd number of backslashes stands before a place: `escape=json` writes `\"`. Under
/// `escape=default` no value has a backslash but as `\xHH`, so there it is never true.
fn is_escaped(rest: &[u8], at: usize) -> bool {
    let before = rest.get(..at).unwrap_or_default();
    let slashes = before.iter().rev().take_while(|byte| **byte == b'\\');
    slashes.count() % 2 == 1
}

/// As [`find`], but not inside a list's own separators.
fn end_of_list(rest: &[u8], until: &[u8]) -> Option<usize> {
    let mut at = find(rest, until, 0)?;
    while in_separator(rest, at, until) {
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
}
