//! The eras on real sockets: a canary against a server that plays its part of each, as `tests/ends` does
//! for the ends.

use std::collections::VecDeque;
use std::fmt::Debug;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use holter::canary::heartbeat::Expectation;
use holter::canary::{Event, Leg, Settings, Transport};
use holter::reason::Reason;
use holter::tasks::canary::{self, Era, Hearsay};
use holter::tasks::http;
use tokio_util::sync::CancellationToken;

use super::replies::*;

const DEADLINE: Duration = Duration::from_secs(20);

/// What the server expects of a request's text, and what it answers.
struct Turn {
    expects: &'static [&'static str],
    answer: Reply,
    /// Whether the answer is a stream, and how it goes on.
    stream: Option<Stream>,
}

/// How a stream goes on after its first bytes.
#[derive(Clone, Copy)]
enum Stream {
    /// It is left open until the canary leaves.
    Open,
    /// It ends at once, with the final chunk.
    Ends,
    /// The connection ends at once, without it.
    Cut,
}

fn turn(expects: &'static [&'static str], answer: Reply) -> Turn {
    Turn {
        expects,
        answer,
        stream: None,
    }
}

fn streams(expects: &'static [&'static str], answer: Reply, stream: Stream) -> Turn {
    Turn {
        stream: Some(stream),
        ..turn(expects, answer)
    }
}

impl Turn {
    fn play(&self, mut socket: TcpStream) {
        let request = read_request(&mut socket);
        for expected in self.expects {
            assert!(request.contains(expected), "{expected} in {request}");
        }
        let Reply {
            status,
            content_type,
            session,
            body,
        } = self.answer;
        let session = session.map_or(String::new(), |id| format!("mcp-session-id: {id}\r\n"));
        let head = format!("HTTP/1.1 {status} X\r\ncontent-type: {content_type}\r\n{session}");
        let Some(stream) = self.stream else {
            let length = body.len();
            let answer =
                format!("{head}content-length: {length}\r\nconnection: close\r\n\r\n{body}");
            return socket.write_all(answer.as_bytes()).expect("a client");
        };
        let chunk = match body.len() {
            0 => String::new(),
            length => format!("{length:x}\r\n{body}\r\n"),
        };
        let answer = format!("{head}transfer-encoding: chunked\r\n\r\n{chunk}");
        socket.write_all(answer.as_bytes()).expect("a client");
        match stream {
            Stream::Open => {}
            Stream::Ends => socket.write_all(b"0\r\n\r\n").expect("a client"),
            Stream::Cut => socket.shutdown(Shutdown::Write).expect("an open socket"),
        }
        // Until the canary leaves.
        socket.read_to_end(&mut Vec::new()).ok();
    }
}

fn read_request(socket: &mut TcpStream) -> String {
    let mut seen = Vec::new();
    let mut bytes = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&seen).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
            if body.len() >= length.unwrap_or(0) {
                return text;
            }
        }
        match socket.read(&mut bytes) {
            Ok(0) | Err(_) => return text,
            Ok(read) => seen.extend_from_slice(&bytes[..read]),
        }
    }
}

/// Plays the turns in order, one a connection; runs the canary meanwhile until it told `last`, stops it, and
/// gives back what it told but for bytes and affinity. Panics where a request was not what its turn expects.
fn told(transport: Transport, turns: Vec<Turn>, last: fn(&Event) -> bool) -> Vec<Event> {
    playing(turns, |url| run(url, transport, &Arc::default(), last))
}

/// Plays the turns to what `visit` does with the server's URL.
fn playing<T: Debug>(turns: Vec<Turn>, visit: impl FnOnce(&str) -> T) -> T {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let address = listener.local_addr().expect("bound");
    let wrong = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&wrong);
    thread::spawn(move || {
        let mut turns: VecDeque<Turn> = turns.into();
        for socket in listener.incoming().flatten() {
            // What comes after the last turn is the farewell.
            let Some(turn) = turns.pop_front() else {
                continue;
            };
            let seen = Arc::clone(&seen);
            thread::spawn(move || {
                let played =
                    std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| turn.play(socket)));
                if let Err(panic) = played {
                    let text = panic.downcast_ref::<String>().cloned();
                    seen.lock().expect("no poison").push(text);
                }
            });
        }
    });
    let seen = visit(&format!("http://{address}/mcp"));
    assert_eq!(*wrong.lock().expect("no poison"), [], "{seen:?}");
    seen
}

fn run(url: &str, transport: Transport, era: &Arc<Era>, last: fn(&Event) -> bool) -> Vec<Event> {
    let settings = Settings {
        leg: Leg::Direct,
        url: url.parse().expect("a URL"),
        transport,
        connect_timeout: Duration::from_secs(5),
        max_age: None,
        heartbeat: Expectation {
            interval: None,
            tolerance: 2.5,
        },
        affinity: None,
    };
    let clients = http::Http::new(&http::Settings {
        headers: vec![],
        bearer_token_file: None,
        connect_timeout: settings.connect_timeout,
        tls: None,
    });
    let (sender, receiver) = mpsc::channel();
    let stop = CancellationToken::new();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let record = move |event: &Event| {
        sender.send(event.clone()).ok();
    };
    let hearsay = Hearsay {
        era: Arc::clone(era),
        ..Hearsay::default()
    };
    let task = canary::run(
        settings,
        clients.expect("clients"),
        hearsay,
        stop.clone(),
        record,
    );
    let task = runtime.spawn(task);
    let mut events = vec![];
    while !events.last().is_some_and(last) {
        events.push(receiver.recv_timeout(DEADLINE).expect("an event"));
    }
    stop.cancel();
    runtime.block_on(task).expect("a canary that leaves");
    events.retain(|event| {
        !matches!(
            event,
            Event::Bytes | Event::AffinityRequests(_) | Event::Phase(..)
        )
    });
    events
}

fn is_held(event: &Event) -> bool {
    matches!(event, Event::Held { .. })
}

fn has_ended(event: &Event) -> bool {
    matches!(event, Event::Ended(_) | Event::ConnectFailed(_))
}

fn reason(events: &[Event]) -> Option<Reason> {
    match events.last()? {
        Event::Ended(end) => Some(end.reason),
        Event::ConnectFailed(reason) => Some(*reason),
        _ => None,
    }
}

const DISCOVER: &[&str] = &[
    "POST /mcp HTTP/1.1\r\n",
    "mcp-method: server/discover\r\n",
    "mcp-protocol-version: 2026-07-28\r\n",
    "accept: application/json, text/event-stream\r\n",
];
const LISTEN: &[&str] = &[
    "POST /mcp HTTP/1.1\r\n",
    "mcp-method: subscriptions/listen\r\n",
];
const INITIALIZE: &[&str] = &["POST /mcp HTTP/1.1\r\n", "\"initialize\""];
const INITIALIZED: &[&str] = &["POST /mcp HTTP/1.1\r\n", "notifications/initialized"];
const GET: &[&str] = &["GET /mcp HTTP/1.1\r\n", "accept: text/event-stream\r\n"];

#[test]
fn auto_holds_a_listener_by_post() {
    let turns = vec![
        turn(DISCOVER, TS2_DISCOVER),
        streams(LISTEN, TS2_LISTEN, Stream::Open),
    ];
    let events = told(Transport::Auto, turns, is_held);
    let [Event::Connecting, Event::Held { transport, .. }] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!(*transport, Transport::Listen);
}

#[test]
fn a_listener_ends_with_its_result_or_is_cut() {
    const DISMISSED: Reply = reply(
        200,
        SSE,
        concat!(
            "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/subscriptions/acknowledged\",",
            "\"params\":{\"_meta\":{\"io.modelcontextprotocol/subscriptionId\":\"listen-1\"}}}\n\n",
            "data: {\"jsonrpc\":\"2.0\",\"id\":\"listen-1\",\"result\":{\"resultType\":\"complete\"}}\n\n",
        ),
    );
    for (answer, stream, expected) in [
        (DISMISSED, Stream::Ends, Reason::ServerClose),
        (DISMISSED, Stream::Cut, Reason::ServerClose),
        (TS2_LISTEN, Stream::Ends, Reason::ServerCut),
        (TS2_LISTEN, Stream::Cut, Reason::ServerCut),
    ] {
        let turns = vec![
            turn(DISCOVER, PY2_DISCOVER),
            streams(LISTEN, answer, stream),
        ];
        let events = told(Transport::Listen, turns, has_ended);
        assert_eq!(reason(&events), Some(expected), "{events:?}");
    }
}

#[test]
fn auto_goes_down_to_a_session_where_nothing_is_to_be_listened_to() {
    let turns = vec![
        turn(DISCOVER, RMCP_DISCOVER),
        turn(LISTEN, METHOD_NOT_FOUND),
        turn(INITIALIZE, RMCP_INITIALIZE),
        turn(INITIALIZED, ACCEPTED),
        streams(GET, RMCP_GET, Stream::Open),
    ];
    let events = told(Transport::Auto, turns, is_held);
    let [
        Event::Connecting,
        Event::Held {
            transport, session, ..
        },
    ] = &events[..]
    else {
        panic!("{events:?}")
    };
    assert_eq!((*transport, *session), (Transport::StreamableHttp, true));
}

/// In order: of the two streams only the first sends a discovery.
#[test]
fn streams_of_one_leg_find_the_era_once() {
    let held = || {
        [
            turn(INITIALIZE, TS1_INITIALIZE),
            turn(INITIALIZED, ACCEPTED),
            streams(GET, RMCP_GET, Stream::Open),
        ]
    };
    let first = turn(DISCOVER, TS1_VERSION);
    let turns = [first].into_iter().chain(held()).chain(held()).collect();
    let era = Arc::default();
    playing(turns, |url| {
        run(url, Transport::Auto, &era, is_held);
        run(url, Transport::Auto, &era, is_held);
    });
}

#[test]
fn a_server_without_a_stream_is_well() {
    let turns = vec![
        turn(DISCOVER, TS1_VERSION),
        turn(INITIALIZE, TS1_INITIALIZE),
        turn(INITIALIZED, ACCEPTED),
        turn(GET, NO_GET),
    ];
    let events = told(Transport::Auto, turns, |event| {
        matches!(event, Event::NoStream { .. })
    });
    assert!(
        matches!(&events[..], [Event::Connecting, Event::NoStream { .. }]),
        "{events:?}"
    );
}

#[test]
fn a_polled_stream_goes_on_from_its_last_event() {
    let polled = reply(200, SSE, "id: e-7\nretry: 10\ndata: \n\n");
    let turns = vec![
        turn(INITIALIZE, RMCP_INITIALIZE),
        turn(INITIALIZED, ACCEPTED),
        streams(GET, polled, Stream::Ends),
        streams(
            &["GET /mcp HTTP/1.1\r\n", "last-event-id: e-7\r\n"],
            polled,
            Stream::Open,
        ),
    ];
    let events = told(Transport::StreamableHttp, turns, |event| {
        *event == Event::Resumed
    });
    assert!(
        matches!(
            &events[..],
            [
                Event::Connecting,
                Event::Held { .. },
                Event::Paused,
                Event::Connecting,
                Event::SessionKept,
                Event::Resumed
            ]
        ),
        "{events:?}"
    );
}

#[test]
fn a_plain_stream_is_held() {
    let get = &["GET /mcp HTTP/1.1\r\n", "accept: text/event-stream\r\n"];
    let turns = vec![streams(get, reply(200, SSE, "data: 1\n\n"), Stream::Ends)];
    let events = told(Transport::Sse, turns, has_ended);
    assert_eq!(reason(&events), Some(Reason::ServerClose), "{events:?}");
}
