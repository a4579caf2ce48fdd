//! A request's line and target, taken apart: method, path, query, and the session in the query.
//!
//! Nothing here knows a proxy.

use super::{Record, search, value};

/// A method, a path and a query.
pub(crate) type Words<'a> = (&'a [u8], (&'a [u8], Option<&'a [u8]>));

/// The method of `METHOD TARGET PROTOCOL`, and the target's path and query. A line that is none (a TLS greeting on a
/// plain port) has nothing of it.
#[inline]
pub(crate) fn words(request: &[u8]) -> Option<Words<'_>> {
    let (method, rest) = search::split_once(b' ', request)?;
    let (path, behind) = rest.split_at_checked(search::either(b' ', b'?', rest)?)?;
    let query = match behind.split_first()? {
        (b'?', query) => Some(search::split_once(b' ', query)?.0),
        _ => None,
    };
    Some((method, (path, query)))
}

/// The same where more text follows the request: most have all their ends in one row, which is looked at in no loop.
#[inline(always)]
pub(crate) fn words_before(text: &[u8], length: usize) -> Option<Words<'_>> {
    let request = text.get(..length)?;
    words_in_row(text, length).or_else(|| words(request))
}

/// `None` if they go beyond it.
#[inline(always)]
fn words_in_row(text: &[u8], length: usize) -> Option<Words<'_>> {
    let row = text.first_chunk()?;
    let (spaces, marks) = (search::row(b' ', row), search::row(b'?', row));
    let method = spaces.trailing_zeros();
    let behind = u64::MAX.checked_shl(method + 1)?;
    let path = ((spaces | marks) & behind).trailing_zeros();
    let target = (spaces & behind).trailing_zeros();
    let [method, path, target] = [method, path, target].map(|at| at as usize);
    if target >= length.min(search::ROW) {
        return None;
    }
    Some((
        text.get(..method)?,
        (text.get(method + 1..path)?, text.get(path + 1..target)),
    ))
}

/// A target's path, and after a `?` its query.
#[inline]
pub(crate) fn parts(target: &[u8]) -> (&[u8], Option<&[u8]>) {
    match search::split_once(b'?', target) {
        None => (target, None),
        Some((path, query)) => (path, Some(query)),
    }
}

/// Takes a request's line.
pub(crate) fn read_request<'a>(raw: &'a [u8], record: &mut Record<'a>) {
    if let Some((method, parts)) = words(raw) {
        record.method = Some(method);
        read_parts(parts, record);
    }
}

/// Takes a path, and after a `?` the query.
pub(crate) fn read_target<'a>(raw: &'a [u8], record: &mut Record<'a>) {
    read_parts(parts(raw), record);
}

fn read_parts<'a>((path, query): (&'a [u8], Option<&'a [u8]>), record: &mut Record<'a>) {
    record.path = Some(path);
    if let Some(query) = query {
        read_query(query, record);
    }
}

/// Takes what follows the `?`.
pub(crate) fn read_query<'a>(raw: &'a [u8], record: &mut Record<'a>) {
    record.query = Some(raw);
    record.session_query = record.session_query.or_else(|| session_of(raw));
}

/// The parameter that legacy servers put the session in: `session_id` (Python SDK) or `sessionId`
/// (TypeScript and Java SDKs).
pub(crate) fn session_of(query: &[u8]) -> Option<&[u8]> {
    let mut rest = query;
    loop {
        let (pair, more) = match search::split_once(b'&', rest) {
            Some((pair, more)) => (pair, Some(more)),
            None => (rest, None),
        };
        let id = pair
            .strip_prefix(b"session_id=")
            .or_else(|| pair.strip_prefix(b"sessionId="));
        if let Some(id) = id {
            return value::present(id);
        }
        rest = more?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_method_path_and_query() {
        for (request, expected) in [
            ("GET /mcp HTTP/1.1", Some(("GET", "/mcp", None))),
            (
                "GET /mcp?a=b?c HTTP/1.1",
                Some(("GET", "/mcp", Some("a=b?c"))),
            ),
            ("GET /mcp? HTTP/1.1", Some(("GET", "/mcp", Some("")))),
            ("GET ?a HTTP/1.1", Some(("GET", "", Some("a")))),
            ("GET /a b?c HTTP/1.1", Some(("GET", "/a", None))),
            ("GET  /mcp HTTP/1.1", Some(("GET", "", None))),
            ("GET /mcp", None),
            ("GET /mcp?a", None),
            ("-", None),
            ("", None),
        ] {
            let got = words(request.as_bytes());
            let longer = [request.as_bytes(), &[b' '; 64]].concat();
            assert_eq!(words_before(&longer, request.len()), got, "{request}");
            let bytes = |text: &'static str| text.as_bytes();
            let expected = expected
                .map(|(method, path, query)| (bytes(method), (bytes(path), query.map(bytes))));
            assert_eq!(got, expected, "{request}");
        }
    }

    #[test]
    fn the_session_is_found_in_the_query() {
        for (query, expected) in [
            ("session_id=a", Some("a")),
            ("x=1&sessionId=b&y=2", Some("b")),
            ("xsession_id=a", None),
            ("session_id=", None),
            ("", None),
        ] {
            let got = session_of(query.as_bytes());
            assert_eq!(got, expected.map(str::as_bytes), "{query}");
        }
    }
}
