//! One finished request as nginx writes it: access line and error line, pure.
//!
//! Texts, levels and their pairing are those measured on nginx 1.22.1 with `proxy_http_version 1.1`
//! and `proxy_buffering off`. Does not know sockets, files or the clock.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, SystemTime};

use super::text::{seconds, time_error, time_local};

/// The access log's format, in the syntax of nginx's `log_format` directive.
pub const LOG_FORMAT: &str = concat!(
    "$remote_addr - $remote_user [$time_local] \"$request\" $status $body_bytes_sent ",
    "\"$http_referer\" \"$http_user_agent\" conn=$connection ",
    "completion=\"$request_completion\" rt=$request_time upstream=\"$upstream_addr\" ",
    "us_status=\"$upstream_status\" uht=\"$upstream_header_time\" ",
    "sid=\"$http_mcp_session_id\" up_sid=\"$upstream_http_mcp_session_id\" ",
    "mcp=\"$http_mcp_method\" ct=\"$sent_http_content_type\" uct=\"$upstream_connect_time\""
);

/// How a request through the proxy ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The response was sent whole.
    Whole,
    /// The client hung up. A reset is written as a hang-up too: the server library does not tell.
    ClientGone,
    /// The upstream was silent for the read timeout.
    TimedOut,
    /// The upstream's connection ended before its response did.
    UpstreamClosed,
    /// The upstream's connection was reset.
    UpstreamReset,
}

/// What the client asked, as it stands in the log: escaped, capped, `-` where it said nothing.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    /// Number of the client's connection: `$connection`, and `*N` in the error log.
    pub(super) connection: u64,
    /// The client's address.
    pub(super) client: IpAddr,
    /// Method, target and version.
    pub(super) request: String,
    /// The target alone.
    pub(super) uri: String,
    /// `Host`.
    pub(super) host: String,
    /// `Referer`.
    pub(super) referer: String,
    /// `User-Agent`.
    pub(super) user_agent: String,
    /// `Mcp-Session-Id`.
    pub(super) session: String,
    /// `Mcp-Method`.
    pub(super) mcp_method: String,
}

/// One try at one upstream.
#[derive(Clone, Debug)]
pub(super) struct Attempt {
    /// The upstream.
    pub(super) addr: SocketAddr,
    /// Its status, or the one that nginx gives to its failure; none where the client left first.
    pub(super) status: Option<u16>,
    /// It took the connection.
    pub(super) is_connected: bool,
    /// From connecting to the last byte of the head.
    pub(super) header_time: Option<Duration>,
}

/// A request and its answer so far.
#[derive(Clone, Debug)]
pub(super) struct Record {
    /// What the client asked.
    pub(super) asked: Asked,
    /// The tries, in order; the last one answered.
    pub(super) attempts: Vec<Attempt>,
    /// What the client was answered; none before the head was sent.
    pub(super) status: Option<u16>,
    /// Bytes of the response's content, without chunk framing.
    pub(super) body_bytes: u64,
    /// `Mcp-Session-Id` of the response, escaped.
    pub(super) minted: String,
    /// `Content-Type` of the response, escaped.
    pub(super) content_type: String,
    /// How it ended.
    pub(super) end: End,
}

/// Status of nginx for a client that left before any head was sent.
const CLIENT_CLOSED_REQUEST: u16 = 499;

impl Record {
    /// The access line, without its newline: [`LOG_FORMAT`] with every variable filled in.
    pub(super) fn access_line(&self, at: SystemTime, took: Duration) -> String {
        let mut pieces = LOG_FORMAT.split('$');
        let mut line = pieces.next().unwrap_or_default().to_owned();
        for piece in pieces {
            let name = piece
                .split(|c: char| !c.is_ascii_lowercase() && c != '_')
                .next();
            let name = name.unwrap_or_default();
            line.push_str(&self.variable(name, at, took));
            line.push_str(piece.strip_prefix(name).unwrap_or_default());
        }
        line
    }

    fn variable(&self, name: &str, at: SystemTime, took: Duration) -> String {
        match name {
            "remote_addr" => self.asked.client.to_string(),
            "time_local" => time_local(at),
            "request" => self.asked.request.clone(),
            "status" => self.status.unwrap_or(CLIENT_CLOSED_REQUEST).to_string(),
            "body_bytes_sent" => self.body_bytes.to_string(),
            "http_referer" => self.asked.referer.clone(),
            "http_user_agent" => self.asked.user_agent.clone(),
            "connection" => self.asked.connection.to_string(),
            "request_completion" if self.end == End::ClientGone => String::new(),
            "request_completion" => "OK".to_owned(),
            "request_time" => seconds(took),
            "upstream_addr" => self.list(|attempt| attempt.addr.to_string()),
            "upstream_status" => self.list(|attempt| {
                attempt
                    .status
                    .map_or_else(|| "-".to_owned(), |status| status.to_string())
            }),
            "upstream_header_time" => {
                self.list(|attempt| attempt.header_time.map_or_else(|| "-".to_owned(), seconds))
            }
            // To a replica on the same host it takes less than a millisecond.
            "upstream_connect_time" => self.list(|attempt| match attempt.is_connected {
                true => seconds(Duration::ZERO),
                false => "-".to_owned(),
            }),
            "http_mcp_session_id" => self.asked.session.clone(),
            "http_mcp_method" => self.asked.mcp_method.clone(),
            "sent_http_content_type" => self.content_type.clone(),
            "upstream_http_mcp_session_id" => self.minted.clone(),
            _ => "-".to_owned(),
        }
    }

    fn list(&self, field: impl Fn(&Attempt) -> String) -> String {
        if self.attempts.is_empty() {
            return "-".to_owned();
        }
        self.attempts
            .iter()
            .map(field)
            .collect::<Vec<_>>()
            .join(", ")
    }

    /// The error log's line about the end, without its newline; none for an ordinary one.
    pub(super) fn end_line(&self, at: SystemTime) -> Option<String> {
        let doing = if self.status.is_some() {
            "reading upstream"
        } else {
            "reading response header from upstream"
        };
        let (level, what) = match self.end {
            End::Whole => return None,
            End::ClientGone => return Some(self.client_gone_line(at)),
            End::TimedOut => ("error", "upstream timed out (110: Connection timed out)"),
            End::UpstreamClosed => ("error", "upstream prematurely closed connection"),
            End::UpstreamReset => ("error", "recv() failed (104: Connection reset by peer)"),
        };
        Some(self.error_line(at, level, &format!("{what} while {doing}")))
    }

    fn client_gone_line(&self, at: SystemTime) -> String {
        let doing = match (self.status, self.body_bytes) {
            (None, _) => "sending request to upstream",
            (Some(_), 0) => "sending to client",
            (Some(_), _) => "reading upstream",
        };
        let text = format!(
            "epoll_wait() reported that client prematurely closed connection, \
             so upstream connection is closed too while {doing}"
        );
        self.error_line(at, "info", &text)
    }

    /// The error log's line about a connection to the last upstream that did not come about; `error`
    /// as nginx writes it, such as `111: Connection refused`.
    pub(super) fn connect_line(&self, at: SystemTime, error: &str) -> String {
        let text = format!("connect() failed ({error}) while connecting to upstream");
        self.error_line(at, "error", &text)
    }

    fn error_line(&self, at: SystemTime, level: &str, text: &str) -> String {
        let Asked {
            client,
            request,
            uri,
            host,
            ..
        } = &self.asked;
        let head = error_head(at, level, self.asked.connection);
        let upstream = self
            .attempts
            .last()
            .map(|attempt| format!(", upstream: \"http://{}{uri}\"", attempt.addr));
        let upstream = upstream.unwrap_or_default();
        let host = if host == "-" {
            String::new()
        } else {
            format!(", host: \"{host}\"")
        };
        format!("{head}{text}, client: {client}, server: _, request: \"{request}\"{upstream}{host}")
    }
}

/// The error log's line about a client that left between two requests.
pub(super) fn keepalive_line(at: SystemTime, connection: u64, client: IpAddr) -> String {
    error_head(at, "info", connection) + &format!("client {client} closed keepalive connection")
}

fn error_head(at: SystemTime, level: &str, connection: u64) -> String {
    let pid = std::process::id();
    format!("{} [{level}] {pid}#{pid}: *{connection} ", time_error(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_168_781)
    }

    fn record(end: End, status: Option<u16>, body_bytes: u64) -> Record {
        let addr = SocketAddr::from(([127, 0, 0, 1], 20211));
        Record {
            asked: Asked {
                connection: 9,
                client: IpAddr::from([127, 0, 0, 1]),
                request: "GET /mcp?a=1 HTTP/1.1".to_owned(),
                uri: "/mcp?a=1".to_owned(),
                host: "mcp.example.test".to_owned(),
                referer: "-".to_owned(),
                user_agent: "node".to_owned(),
                session: "abc".to_owned(),
                mcp_method: "tools/list".to_owned(),
            },
            attempts: vec![Attempt {
                addr,
                status,
                is_connected: status.is_some(),
                header_time: status.map(|_| Duration::from_millis(2)),
            }],
            status,
            body_bytes,
            minted: "-".to_owned(),
            content_type: "text/event-stream".to_owned(),
            end,
        }
    }

    #[test]
    fn the_access_line_is_the_format_filled_in() {
        let mut streamed = record(End::TimedOut, Some(200), 48);
        assert_eq!(
            streamed.access_line(at(), Duration::from_millis(4003)),
            "127.0.0.1 - - [20/Nov/2026:09:59:41 +0000] \"GET /mcp?a=1 HTTP/1.1\" 200 48 \"-\" \"node\" \
             conn=9 completion=\"OK\" rt=4.003 upstream=\"127.0.0.1:20211\" us_status=\"200\" \
             uht=\"0.002\" sid=\"abc\" up_sid=\"-\" mcp=\"tools/list\" ct=\"text/event-stream\" uct=\"0.000\""
        );
        let refused = Attempt {
            addr: ([127, 0, 0, 1], 20210).into(),
            status: Some(502),
            is_connected: false,
            header_time: None,
        };
        streamed.attempts.insert(0, refused);
        let line = streamed.access_line(at(), Duration::ZERO);
        let lists =
            "upstream=\"127.0.0.1:20210, 127.0.0.1:20211\" us_status=\"502, 200\" uht=\"-, 0.002\"";
        assert!(
            line.contains(lists) && line.ends_with(" uct=\"-, 0.000\""),
            "{line}"
        );
    }

    #[test]
    fn a_client_that_left_shows_in_completion_and_before_the_head_in_status() {
        for (status, expected) in [
            (
                None,
                "\" 499 0 \"-\" \"node\" conn=9 completion=\"\" rt=0.000",
            ),
            (
                Some(200),
                "\" 200 0 \"-\" \"node\" conn=9 completion=\"\" rt=0.000",
            ),
        ] {
            let line = record(End::ClientGone, status, 0).access_line(at(), Duration::ZERO);
            assert!(line.contains(expected), "{line}");
        }
        let line = record(End::ClientGone, None, 0).access_line(at(), Duration::ZERO);
        assert!(line.contains("us_status=\"-\" uht=\"-\""), "{line}");
    }

    #[test]
    fn every_variable_of_the_format_is_known() {
        let mut unset = record(End::Whole, Some(200), 1);
        unset.minted = "minted".to_owned();
        unset.asked.referer = "from".to_owned();
        let line = unset.access_line(at(), Duration::ZERO);
        // Only $remote_user has no value here.
        assert_eq!(
            line.replace("event-stream", "").matches('-').count(),
            2,
            "{line}"
        );
        assert!(!line.contains('$'), "{line}");
    }

    #[test]
    fn each_end_has_the_text_and_level_of_nginx() {
        let gone = "epoll_wait() reported that client prematurely closed connection, so upstream connection is closed too while ";
        for (end, status, bytes, level, text) in [
            (End::ClientGone, Some(200), 9, "info", format!("{gone}reading upstream")),
            (End::ClientGone, Some(200), 0, "info", format!("{gone}sending to client")),
            (End::ClientGone, None, 0, "info", format!("{gone}sending request to upstream")),
            (End::TimedOut, Some(200), 9, "error", "upstream timed out (110: Connection timed out) while reading upstream".to_owned()),
            (End::TimedOut, None, 0, "error", "upstream timed out (110: Connection timed out) while reading response header from upstream".to_owned()),
            (End::UpstreamClosed, Some(200), 9, "error", "upstream prematurely closed connection while reading upstream".to_owned()),
            (End::UpstreamClosed, None, 0, "error", "upstream prematurely closed connection while reading response header from upstream".to_owned()),
            (End::UpstreamReset, Some(200), 9, "error", "recv() failed (104: Connection reset by peer) while reading upstream".to_owned()),
        ] {
            let pid = std::process::id();
            let expected = format!(
                "2026/11/20 09:59:41 [{level}] {pid}#{pid}: *9 {text}, client: 127.0.0.1, server: _, request: \"GET /mcp?a=1 HTTP/1.1\", upstream: \"http://127.0.0.1:20211/mcp?a=1\", host: \"mcp.example.test\""
            );
            assert_eq!(record(end, status, bytes).end_line(at()), Some(expected));
        }
        assert_eq!(record(End::Whole, Some(200), 9).end_line(at()), None);
    }

    #[test]
    fn a_refused_connection_is_an_error_of_its_own() {
        let line = record(End::Whole, None, 0).connect_line(at(), "111: Connection refused");
        let expected = "*9 connect() failed (111: Connection refused) while connecting to upstream, client: 127.0.0.1, ";
        assert!(line.contains(expected), "{line}");
        let line = keepalive_line(at(), 13, IpAddr::from([127, 0, 10, 142]));
        assert!(
            line.ends_with(": *13 client 127.0.10.142 closed keepalive connection"),
            "{line}"
        );
    }
}
