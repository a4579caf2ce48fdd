//! A request's line and target, taken apart: method, path, query, and the session in the query.
//!
//! Nothing here knows a proxy.

use super::{Record, search, value};

/// `METHOD TARGET PROTOCOL`. A line that is none (a TLS greeting on a plain port) has no method.
pub(crate) fn read_request<'a>(raw: &'a [u8], record: &mut Record<'a>) {
    let words = search::split_once(b' ', raw)
        .and_then(|(method, rest)| Some((method, search::split_once(b' ', rest)?.0)));
    if let Some((method, target)) = words {
        record.method = Some(method);
        read_target(target, record);
    }
}

/// A path, and after a `?` the query.
pub(crate) fn read_target<'a>(raw: &'a [u8], record: &mut Record<'a>) {
    let Some((path, query)) = search::split_once(b'?', raw) else {
        record.path = Some(raw);
        return;
    };
    record.path = Some(path);
    read_query(query, record);
}

/// What follows the `?`.
pub(crate) fn read_query<'a>(raw: &'a [u8], record: &mut Record<'a>) {
    record.query = Some(raw);
    record.session_query = record.session_query.or_else(|| session_of(raw));
}

/// The parameter that legacy servers put the session in: `session_id` (Python SDK) or `sessionId`
/// (TypeScript and Java SDKs).
fn session_of(query: &[u8]) -> Option<&[u8]> {
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
