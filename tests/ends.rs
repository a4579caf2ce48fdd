//! Every way a stream can end on a real socket, and the reason that the canary gives for it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on says so by a panic"
)]

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use holter::canary::ending::Cause;
use holter::canary::heartbeat::Expectation;
use holter::canary::{Event, Leg, Settings, Transport};
use holter::reason::Reason;
use holter::tasks::{canary, cause, http};
use tokio_util::sync::CancellationToken;

const DEADLINE: Duration = Duration::from_secs(20);

const JSON: &str = concat!(
    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nmcp-session-id: s1\r\nconnection: close\r\n",
    "content-length: 66\r\n\r\n",
    r#"{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-06-18"}}"#,
);
const ACCEPTED: &str = "HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
const CHUNKED: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n8\r\n: beat\n\n\r\n";
const UNFRAMED: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n: beat\n\n";

/// What the server does to the stream's request, after it answered the handshake.
#[derive(Clone, Copy)]
enum Script {
    /// Sends these, then FIN.
    Fin(&'static [&'static str]),
    /// Sends these, then RST.
    Rst(&'static [&'static str]),
}

/// A server that answers posts as an MCP server does and plays the script to GET.
fn serve(script: Script) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let address = listener.local_addr().expect("bound");
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || answer(stream, script));
        }
    });
    address
}

fn answer(mut stream: TcpStream, script: Script) {
    let mut head = [0; 4096];
    let read = stream.peek(&mut head).unwrap_or(0);
    let head = String::from_utf8_lossy(&head[..read]).into_owned();
    if !head.starts_with("GET") {
        read_request(&mut stream);
        let reply = if head.contains("mcp-session-id") {
            ACCEPTED
        } else {
            JSON
        };
        stream
            .write_all(reply.as_bytes())
            .expect("a client that listens");
        return;
    }
    let (pieces, reset) = match script {
        Script::Fin(pieces) => (pieces, false),
        Script::Rst(pieces) => (pieces, true),
    };
    for piece in pieces {
        stream
            .write_all(piece.as_bytes())
            .expect("a client that listens");
    }
    // Closing a socket with unread bytes makes the kernel send RST; the request was only peeked at.
    if !reset {
        read_request(&mut stream);
        stream.shutdown(Shutdown::Write).expect("an open socket");
        stream.read_to_end(&mut Vec::new()).ok();
    }
}

/// Reads one request whole, so that closing the socket sends FIN and not RST.
fn read_request(stream: &mut TcpStream) {
    let mut seen = Vec::new();
    let mut byte = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&seen).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .to_lowercase()
                .lines()
                .find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
            if body.len() >= length.unwrap_or(0) {
                return;
            }
        }
        match stream.read(&mut byte) {
            Ok(0) | Err(_) => return,
            Ok(read) => seen.extend_from_slice(&byte[..read]),
        }
    }
}

fn settings(url: &str) -> Settings {
    Settings {
        leg: Leg::Direct,
        url: url.parse().expect("a URL"),
        transport: Transport::StreamableHttp,
        connect_timeout: Duration::from_millis(500),
        max_age: None,
        heartbeat: Expectation {
            interval: None,
            tolerance: 2.5,
        },
        affinity: None,
    }
}

/// Runs a canary until its first stream or attempt ended.
fn first_end(url: &str) -> Reason {
    let (sender, receiver) = mpsc::channel();
    let stop = CancellationToken::new();
    let settings = settings(url);
    let http = http::Http::new(&http::Settings {
        headers: vec![],
        bearer_token_file: None,
        connect_timeout: settings.connect_timeout,
        tls: url.starts_with("https"),
    })
    .expect("clients");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let record = move |event: &Event| {
        let reason = match event {
            Event::ConnectFailed(reason) => *reason,
            Event::Ended(end) => end.reason,
            _ => return,
        };
        sender.send(reason).ok();
    };
    let task = runtime.spawn(canary::run(settings, http, stop.clone(), record));
    let reason = receiver.recv_timeout(DEADLINE).expect("an end");
    stop.cancel();
    runtime.block_on(task).expect("a canary that leaves");
    reason
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn a_stream_over_http_1() {
    let table: &[(&str, Script, Reason)] = &[
        (
            "final chunk",
            Script::Fin(&[CHUNKED, "0\r\n\r\n"]),
            Reason::ServerClose,
        ),
        (
            "FIN between chunks",
            Script::Fin(&[CHUNKED]),
            Reason::ServerCut,
        ),
        (
            "FIN inside a chunk",
            Script::Fin(&[CHUNKED, "ff\r\n: be"]),
            Reason::ServerCut,
        ),
        (
            "FIN inside a chunk's size",
            Script::Fin(&[CHUNKED, "f"]),
            Reason::ServerCut,
        ),
        (
            "RST between chunks",
            Script::Rst(&[CHUNKED]),
            Reason::ServerReset,
        ),
        (
            "a bad chunk size",
            Script::Fin(&[CHUNKED, "zz\r\n"]),
            Reason::ProtocolError,
        ),
        (
            "FIN, nothing delimits the body",
            Script::Fin(&[UNFRAMED]),
            Reason::ServerClose,
        ),
        (
            "the same with half an event",
            Script::Fin(&[UNFRAMED, "data: half"]),
            Reason::ServerCut,
        ),
        (
            "RST, nothing delimits the body",
            Script::Rst(&[UNFRAMED]),
            Reason::ServerReset,
        ),
        ("FIN before the answer", Script::Fin(&[]), Reason::ServerCut),
        (
            "RST before the answer",
            Script::Rst(&[]),
            Reason::ServerReset,
        ),
        (
            "not HTTP",
            Script::Fin(&["SSH-2.0-OpenSSH_9.2\r\n"]),
            Reason::ProtocolError,
        ),
        (
            "no event stream",
            Script::Fin(&[
                "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 0\r\n\r\n",
            ]),
            Reason::ProtocolError,
        ),
        (
            "403",
            Script::Fin(&["HTTP/1.1 403 No\r\ncontent-length: 0\r\n\r\n"]),
            Reason::Http4xx,
        ),
        (
            "503",
            Script::Fin(&["HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n"]),
            Reason::Http5xx,
        ),
        (
            "404 on the new id",
            Script::Fin(&["HTTP/1.1 404 No\r\ncontent-length: 0\r\n\r\n"]),
            Reason::SessionLost,
        ),
    ];
    thread::scope(|scope| {
        for (name, script, expected) in table {
            scope.spawn(move || {
                let url = format!("http://{}/mcp", serve(*script));
                assert_eq!(first_end(&url), *expected, "{name}");
            });
        }
    });
}

#[test]
fn a_server_that_cannot_be_reached() {
    let closed = TcpListener::bind("127.0.0.1:0")
        .expect("loopback")
        .local_addr()
        .expect("bound");
    assert_eq!(
        first_end(&format!("http://{closed}/mcp")),
        Reason::ConnectRefused
    );
    assert_eq!(first_end("http://holter.invalid/mcp"), Reason::DnsError);
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let plain = listener.local_addr().expect("bound");
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            stream
                .write_all(ACCEPTED.as_bytes())
                .expect("a client that listens");
            stream.read_to_end(&mut Vec::new()).ok();
        }
    });
    assert_eq!(first_end(&format!("https://{plain}/mcp")), Reason::TlsError);
}

#[test]
fn a_server_whose_backlog_is_full() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let listener = runtime.block_on(async {
        let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
        socket
            .bind("127.0.0.1:0".parse().expect("an address"))
            .expect("loopback");
        socket.listen(1).expect("a listener")
    });
    let address = listener.local_addr().expect("bound");
    let connect = || TcpStream::connect_timeout(&address, Duration::from_millis(200));
    let waiting: Vec<_> = std::iter::from_fn(|| connect().ok()).collect();
    assert!(!waiting.is_empty());
    assert_eq!(
        first_end(&format!("http://{address}/mcp")),
        Reason::ConnectTimeout
    );
}

/// An HTTP/2 frame (RFC 9113 section 4.1).
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len())
        .expect("a short payload")
        .to_be_bytes();
    let mut frame = vec![length[1], length[2], length[3], kind, flags];
    frame.extend_from_slice(&stream.to_be_bytes());
    frame.extend_from_slice(payload);
    frame
}

/// Reads the client's preface and its frames up to the request's HEADERS.
fn read_h2_request(stream: &mut TcpStream) {
    const HEADERS: u8 = 1;
    stream.read_exact(&mut [0; 24]).expect("a preface");
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).expect("a frame");
        let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
        stream.read_exact(&mut vec![0; length]).expect("a payload");
        if head[3] == HEADERS {
            return;
        }
    }
}

fn end_stream() -> Vec<u8> {
    frame(0, 1, 1, b"")
}

fn rst_stream(code: u32) -> Vec<u8> {
    frame(3, 0, 1, &code.to_be_bytes())
}

/// GOAWAY that covers no stream: ours was not processed.
fn goaway(code: u32) -> Vec<u8> {
    frame(7, 0, 0, &[[0; 4], code.to_be_bytes()].concat())
}

/// Begins a stream over HTTP/2 without TLS, ends it by these bytes, and says what the client saw.
async fn h2_cause(end: Vec<u8>, then_fin: bool) -> Option<Cause> {
    const STATUS_200: &[u8] = &[0x88]; // Entry 8 of the static table, RFC 7541 appendix A.
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let url = format!("http://{}/mcp", listener.local_addr().expect("bound"));
    let (beat, beat_seen) = mpsc::channel();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client");
        read_h2_request(&mut stream);
        let begin = [
            frame(4, 0, 0, b""),
            frame(1, 4, 1, STATUS_200),
            frame(0, 0, 1, b": beat\n\n"),
        ];
        stream
            .write_all(&begin.concat())
            .expect("a client that listens");
        beat_seen
            .recv_timeout(DEADLINE)
            .expect("a client that reads");
        stream.write_all(&end).expect("a client that listens");
        if then_fin {
            stream.shutdown(Shutdown::Write).expect("an open socket");
        }
        stream.read_to_end(&mut Vec::new()).ok();
    });
    let client = reqwest::Client::builder()
        .http2_prior_knowledge()
        .build()
        .expect("a client");
    let mut response = client.get(url).send().await.expect("a head");
    assert!(response.chunk().await.expect("a beat").is_some());
    beat.send(()).expect("a server that waits");
    let end = loop {
        match response.chunk().await {
            // END_STREAM rides on an empty frame.
            Ok(Some(bytes)) if bytes.is_empty() => {}
            end => break end,
        }
    };
    drop((response, client));
    tokio::task::spawn_blocking(|| server.join().expect("a server that ends"))
        .await
        .expect("joined");
    match end {
        Ok(None) => None,
        Ok(Some(bytes)) => panic!("an end, not {bytes:?}"),
        Err(error) => Some(cause::of_body(&error)),
    }
}

#[tokio::test]
async fn a_stream_over_http_2() {
    const NO_ERROR: u32 = 0;
    const INTERNAL_ERROR: u32 = 2;
    const CANCEL: u32 = 8;
    http::install_crypto();
    let open = false;
    let fin = true;
    let table = [
        ("END_STREAM", end_stream(), open, None),
        ("RST_STREAM(NO_ERROR)", rst_stream(NO_ERROR), open, None),
        (
            "RST_STREAM(CANCEL)",
            rst_stream(CANCEL),
            open,
            Some(Cause::StreamReset),
        ),
        (
            "RST_STREAM(INTERNAL_ERROR)",
            rst_stream(INTERNAL_ERROR),
            open,
            Some(Cause::StreamReset),
        ),
        (
            "GOAWAY(INTERNAL_ERROR)",
            goaway(INTERNAL_ERROR),
            open,
            Some(Cause::StreamReset),
        ),
        ("GOAWAY(NO_ERROR)", goaway(NO_ERROR), open, None),
        // A FIN without a word, a GOAWAY that covers the stream before it and a lost PING look alike.
        ("FIN", vec![], fin, Some(Cause::Other)),
    ];
    for (name, end, then_fin, expected) in table {
        assert_eq!(h2_cause(end, then_fin).await, expected, "{name}");
    }
}

#[tokio::test]
async fn a_stream_is_asked_for_by_post_where_its_request_has_a_body() {
    for (body, expected) in [(None, "GET /mcp"), (Some("{}".to_owned()), "POST /mcp")] {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
        let url = format!("http://{}/mcp", listener.local_addr().expect("bound"));
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a client");
            let mut line = [0; 8];
            stream.read_exact(&mut line).expect("a request");
            stream
                .write_all(ACCEPTED.as_bytes())
                .expect("a client that listens");
            String::from_utf8_lossy(&line).into_owned()
        });
        let settings = http::Settings {
            headers: vec![],
            bearer_token_file: None,
            connect_timeout: DEADLINE,
            tls: false,
        };
        let request = holter::canary::protocol::Request {
            url: url.parse().expect("a URL"),
            headers: vec![],
            body,
        };
        let http = http::Http::new(&settings).expect("clients");
        assert!(http.open(request).await.is_ok());
        assert!(expected.starts_with(&server.join().expect("a server that ends")));
    }
}
