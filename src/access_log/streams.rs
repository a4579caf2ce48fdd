//! Which requests are streams.
//!
//! A rule over one record: it knows neither sessions nor why anything ended.

use std::time::Duration;

use super::{Record, Sketch};

/// Paths that hold MCP streams by convention: Streamable HTTP at `/mcp`, HTTP+SSE at `/sse`.
pub const DEFAULT_PATHS: [&str; 2] = ["/mcp", "/sse"];

/// The method that opens them: both transports' streams are a `GET`'s answer.
pub const DEFAULT_METHOD: &str = "GET";

/// A POST's answer that goes on for so long after its headers is a stream, where the content type is not
/// logged. An answer in JSON is written at once, behind the headers: however long the call took, and
/// until a proxy has handed it to the kernel's buffers, that takes milliseconds. The bound is a choice
/// far above these, and below any heartbeat.
const AFTER_HEADERS: Duration = Duration::from_millis(250);

/// What counts as a stream: one of these methods on one of these paths, or a POST there that asks for
/// `subscriptions/listen`, unless the answer shows that it was none; whatever is answered there
/// with `text/event-stream`, or shows in time that it is no answer in JSON; and a POST that no upstream
/// answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamRule {
    methods: Vec<String>,
    paths: Vec<Paths>,
    /// How long a path must be to be one of them, a bit each: most paths need no further look.
    lengths: u64,
}

/// One path or several.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Paths {
    /// This one, without the slash at its end.
    One(Box<[u8]>),
    /// All that begin so.
    Under(Box<[u8]>),
}

impl Default for StreamRule {
    fn default() -> Self {
        Self::new(
            vec![DEFAULT_METHOD.to_owned()],
            &DEFAULT_PATHS.map(String::from),
        )
    }
}

impl StreamRule {
    /// Methods, in upper case. Paths, compared whole; one that ends in `*` is a prefix. A trailing slash is
    /// ignored.
    pub fn new(methods: Vec<String>, paths: &[String]) -> Self {
        let path = |path: &String| match path.as_bytes() {
            [prefix @ .., b'*'] => Paths::Under(prefix.into()),
            path => Paths::One(trim(path).into()),
        };
        let paths: Vec<Paths> = paths.iter().map(path).collect();
        let lengths = paths.iter().map(|path| match path {
            Paths::One(path) => length(path),
            Paths::Under(_) => u64::MAX,
        });
        Self {
            methods,
            lengths: lengths.fold(0, |all, one| all | one),
            paths,
        }
    }

    /// Whether the record is a stream, held or refused.
    ///
    /// A server without this stream answers `405` (MCP 2025-03-26, "Listening for messages from the
    /// server"), which is an answer and not a broken stream. A redirect or an upgrade is none
    /// either. A success of another content type is a page; an error's content type says nothing.
    pub fn holds(&self, record: &Record<'_>) -> bool {
        record.path.is_some_and(|path| self.matches(path)) && {
            let asked = self.is_method(record.method) || is_listen(record);
            answered(record, asked)
        }
    }

    /// Whether a request may be a stream, by as much as a sketch of it tells. `tells_posts`: the lines of its format
    /// can tell of a POST that was answered whether the answer was a stream.
    #[inline]
    pub fn may_hold(&self, sketch: &Sketch<'_>, tells_posts: bool) -> bool {
        sketch.path.is_some_and(|path| self.matches(path))
            && (tells_posts
                || sketch
                    .method
                    .is_none_or(|method| self.is_method(Some(method)))
                || sketch.is_failure())
    }

    fn is_method(&self, method: Option<&[u8]>) -> bool {
        method.is_some_and(|method| self.methods.iter().any(|known| known.as_bytes() == method))
    }

    fn matches(&self, path: &[u8]) -> bool {
        let whole = trim(path);
        self.lengths & length(whole) != 0
            && self.paths.iter().any(|known| match known {
                Paths::One(known) => **known == *whole,
                Paths::Under(prefix) => path.starts_with(prefix),
            })
    }
}

/// The bit of a path's length; long ones share the last.
fn length(path: &[u8]) -> u64 {
    1 << path.len().min(63)
}

/// Whether the answer is a stream, or the refusal of one that was asked for; where the content type is
/// not logged, what was asked for decides, and how the answer came.
fn answered(record: &Record<'_>, asked: bool) -> bool {
    let posted = record.method == Some(b"POST");
    match record.status {
        Some(405 | 100..200 | 300..400) => false,
        None | Some(200..300) => match record.content_type {
            Some(content_type) => is_event_stream(content_type),
            None => asked || posted && goes_on(record),
        },
        // Each POST of Streamable HTTP asks for a stream or an answer in JSON, by the server's choice
        // (MCP 2025-03-26, "Sending Messages to the Server"). Here no server got to choose.
        Some(_) => asked || posted && record.is_unanswered(),
    }
}

/// Whether the answer went on after its headers as no answer in JSON does. That it was broken off there
/// shows the same: nginx writes 499 until the headers are out, and afterwards an empty
/// `$request_completion` beside their status. Apache's `%X` does not show it: a client that left before
/// the headers is found out when they are written.
fn goes_on(record: &Record<'_>) -> bool {
    match record.after_headers {
        Some(after) => after >= AFTER_HEADERS,
        None => record.completed == Some(false) && record.client_connection.is_none(),
    }
}

/// The method of MCP 2026-07-28 that opens a stream; JSON may escape its slash (HAProxy's `json` does).
const ASKED: [&[u8]; 2] = [b"subscriptions/listen", br"subscriptions\/listen"];

/// Whether a POST asks for the stream of the stateless protocol, where the log shows it: `Mcp-Method:
/// subscriptions/listen` (MCP 2026-07-28, Streamable HTTP).
pub(super) fn is_listen(record: &Record<'_>) -> bool {
    let asked = record
        .mcp_method
        .is_some_and(|asked| ASKED.contains(&asked));
    record.method == Some(b"POST") && asked
}

fn trim(path: &[u8]) -> &[u8] {
    path.strip_suffix(b"/").unwrap_or(path)
}

/// `text/event-stream`, whatever parameters follow.
fn is_event_stream(content_type: &[u8]) -> bool {
    const TYPES: [&[u8]; 2] = [b"text/event-stream", br"text\/event-stream"];
    TYPES.into_iter().any(|known| {
        let start = content_type.get(..known.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(known))
    })
}

#[cfg(test)]
mod tests {
    use super::super::ClientConnection;
    use super::*;

    fn check(method: &str, path: &str, status: u16, content_type: Option<&str>, expected: bool) {
        let record = Record {
            method: Some(method.as_bytes()),
            path: Some(path.as_bytes()),
            status: Some(status),
            content_type: content_type.map(str::as_bytes),
            ..Record::default()
        };
        let paths = ["/mcp", "/sse", "/team/*"].map(String::from);
        let rule = StreamRule::new(vec!["GET".to_owned()], &paths);
        let got = rule.holds(&record);
        assert_eq!(got, expected, "{method} {path} {status} {content_type:?}");
    }

    #[test]
    fn get_on_a_known_path_is_a_stream() {
        check("GET", "/mcp", 200, None, true);
        check("GET", "/sse/", 200, None, true);
        check("GET", "/team/a/mcp", 200, None, true);
        check("POST", "/mcp", 200, None, false);
        check("GET", "/mcp/x", 200, None, false);
        check("GET", "/mcpx", 200, None, false);
        check("GET", "/", 200, None, false);
    }

    #[test]
    fn an_event_stream_is_one_whatever_asked_for_it() {
        check("POST", "/mcp", 200, Some("text/event-stream"), true);
        check("POST", "/mcp", 200, Some(r"text\/event-stream"), true);
        check("POST", "/mcp", 200, Some("application/json"), false);
        check("POST", "/mcp", 404, Some("text/event-stream"), false);
        check("POST", "/x", 200, Some("text/event-stream"), false);
    }

    #[test]
    fn a_post_whose_answer_goes_on_after_its_headers_is_a_stream() {
        let (ms, aborted) = (Duration::from_millis, Some(ClientConnection::Aborted));
        let post = Record {
            method: Some(b"POST"),
            path: Some(b"/mcp"),
            status: Some(200),
            duration: Some(ms(90_000)),
            ..Record::default()
        };
        let after = |after| Record {
            after_headers: Some(after),
            ..post.clone()
        };
        let broken_off = Record {
            completed: Some(false),
            ..post.clone()
        };
        for (record, expected) in [
            // A call that took long, answered in JSON.
            (post.clone(), false),
            (after(ms(2)), false),
            (after(ms(249)), false),
            (after(ms(250)), true),
            (broken_off.clone(), true),
            (
                Record {
                    after_headers: Some(ms(2)),
                    ..broken_off.clone()
                },
                false,
            ),
            // Apache: the client may have left before the headers.
            (
                Record {
                    client_connection: aborted,
                    ..broken_off.clone()
                },
                false,
            ),
            (
                Record {
                    content_type: Some(b"application/json"),
                    ..after(ms(900))
                },
                false,
            ),
            (
                Record {
                    method: Some(b"DELETE"),
                    ..after(ms(900))
                },
                false,
            ),
            (
                Record {
                    path: Some(b"/messages/"),
                    ..after(ms(900))
                },
                false,
            ),
        ] {
            assert_eq!(StreamRule::default().holds(&record), expected, "{record:?}");
        }
    }

    #[test]
    fn a_post_that_no_upstream_answered_is_a_refused_stream() {
        for (method, status, upstream_headers, expected) in [
            ("POST", 502, None, true),
            ("POST", 503, Some(false), true),
            ("POST", 504, Some(false), true),
            ("POST", 503, Some(true), false),
            ("POST", 500, None, false),
            ("POST", 404, None, false),
            ("POST", 499, None, false),
            ("DELETE", 502, None, false),
            ("GET", 503, Some(true), true),
        ] {
            let record = Record {
                method: Some(method.as_bytes()),
                path: Some(b"/mcp"),
                status: Some(status),
                upstream_headers,
                content_type: Some(b"text/html"),
                ..Record::default()
            };
            let got = StreamRule::default().holds(&record);
            assert_eq!(got, expected, "{method} {status} {upstream_headers:?}");
        }
    }

    #[test]
    fn the_answer_can_show_that_it_was_none() {
        check("GET", "/mcp", 200, Some("text/event-stream"), true);
        check(
            "GET",
            "/mcp",
            200,
            Some("Text/Event-Stream; charset=utf-8"),
            true,
        );
        check("GET", "/mcp", 200, Some("text/html"), false);
        check("GET", "/mcp", 502, Some("text/html"), true);
        check("GET", "/mcp", 404, Some("application/json"), true);
        check("GET", "/mcp", 499, None, true);
        check("GET", "/mcp", 405, None, false);
        check("GET", "/mcp", 301, None, false);
        check("GET", "/mcp", 101, None, false);
    }

    #[test]
    fn methods_and_what_a_post_asks_for_decide() {
        let rule = |methods: &[&str]| {
            let methods = methods.iter().map(ToString::to_string).collect();
            StreamRule::new(methods, &DEFAULT_PATHS.map(String::from))
        };
        for (methods, method, path, mcp_method, expected) in [
            (
                &["GET"][..],
                "POST",
                "/mcp",
                Some("subscriptions/listen"),
                true,
            ),
            (
                &["GET"],
                "POST",
                "/mcp",
                Some(r"subscriptions\/listen"),
                true,
            ),
            (&["GET"], "POST", "/mcp", Some("tools/call"), false),
            (&["GET"], "POST", "/mcp", None, false),
            (&["GET"], "POST", "/x", Some("subscriptions/listen"), false),
            (&["GET"], "PUT", "/mcp", Some("subscriptions/listen"), false),
            (&["GET", "POST"], "POST", "/mcp", None, true),
            (&["POST"], "GET", "/mcp", None, false),
        ] {
            let record = Record {
                method: Some(method.as_bytes()),
                path: Some(path.as_bytes()),
                mcp_method: mcp_method.map(str::as_bytes),
                status: Some(200),
                ..Record::default()
            };
            let got = rule(methods).holds(&record);
            assert_eq!(got, expected, "{methods:?} {method} {path} {mcp_method:?}");
        }
    }

    #[test]
    fn a_sketch_is_asked_about_where_its_record_may_be_a_stream() {
        let rule = StreamRule::default();
        for (method, path, status, tells_posts, expected) in [
            (Some("GET"), "/mcp", 200, false, true),
            (Some("GET"), "/mcp/", 499, false, true),
            (Some("GET"), "/mc", 200, true, false),
            (Some("GET"), "/sse", 200, true, true),
            (Some("POST"), "/mcp", 200, true, true),
            (Some("POST"), "/mcp", 200, false, false),
            (Some("POST"), "/mcp", 502, false, true),
            (None, "/mcp", 200, false, true),
        ] {
            let sketch = Sketch {
                method: method.map(str::as_bytes),
                path: Some(path.as_bytes()),
                status: Some(status),
                ..Sketch::default()
            };
            let got = rule.may_hold(&sketch, tells_posts);
            assert_eq!(got, expected, "{method:?} {path} {status} {tells_posts}");
        }
        assert!(!rule.may_hold(&Sketch::default(), true));
    }

    #[test]
    fn paths_of_any_length_are_compared() {
        let long = format!("/{}", "x".repeat(90));
        for (path, asked, expected) in [
            (&*long, &*long, true),
            (&long, "/x", false),
            ("/team/*", "/team/a", true),
            ("/team/*", "/tea", false),
            ("/", "/", true),
        ] {
            let rule = StreamRule::new(vec!["GET".to_owned()], &[path.to_owned()]);
            assert_eq!(rule.matches(asked.as_bytes()), expected, "{path} {asked}");
        }
    }

    #[test]
    fn a_record_without_a_request_is_none() {
        assert!(!StreamRule::default().holds(&Record::default()));
    }
}
