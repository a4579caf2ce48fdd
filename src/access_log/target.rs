//! A request's line and target, taken apart: method, path, query, and the session in the query.
//!
//! Nothing here knows a proxy.

use super::{Record, search, value};

/// The method and the target of `METHOD TARGET PROTOCOL`. A line that is none (a TLS greeting on a plain port) has
/// neither.
#[inline]
pub(crate) fn words(request: &[u8]) -> Option<(&[u8], &[u8])> {
    let (method, rest) = search::split_once(b' ', request)?;
    Some((method, search::split_once(b' ', rest)?.0))
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
    if let Some((method, target)) = words(raw) {
        record.method = Some(method);
        read_target(target, record);
    }
}

/// Takes a path, and after a `?` the query.
pub(crate) fn read_target<'a>(raw: &'a [u8], record: &mut Record<'a>) {
    let (path, query) = parts(raw);
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
