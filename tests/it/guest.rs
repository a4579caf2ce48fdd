//! Holter as a guest: never more than configured, gone when asked, as patient as it is told.
//!
//! The host is a server that counts. It speaks as much of Streamable HTTP as a canary needs.

use super::support::eventually;
use super::support::holter::Holter;
use super::support::relay::{Fault, reset};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

const RESULT: &str = r#"{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-06-18"}}"#;
const BEAT: Duration = Duration::from_millis(200);

/// What the host answers to requests for a stream.
#[derive(Clone, Copy)]
pub(crate) enum Mood {
    /// Streams that beat, for as long as the guest stays.
    Well,
    /// The first stream says `retry: 3000` and ends cleanly.
    Retry,
    /// The first `initialize` is answered 503 with `Retry-After: 3`.
    Busy,
}

/// What the host does with the beats that are due.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Pace {
    /// It sends them.
    #[default]
    Beats,
    /// It keeps them, and sends them together when it beats again.
    Collects,
    /// It hangs: nothing is sent, and no request is answered.
    Hangs,
}

/// What the host saw.
#[derive(Default)]
struct Guestbook {
    pace: Pace,
    streams: usize,
    most_streams: usize,
    /// Streams by session.
    held: BTreeMap<u64, usize>,
    sessions: BTreeSet<u64>,
    beats: usize,
    /// How it crashed, if it did, and how often.
    crash: (usize, Option<Fault>),
    most_sessions: usize,
    minted: u64,
    deleted: usize,
    last_deleted: Option<Instant>,
    agents: BTreeMap<String, usize>,
    initialized: Vec<Instant>,
    opened: Vec<Instant>,
}

#[derive(Clone)]
pub(crate) struct Host {
    pub(crate) address: SocketAddr,
    /// One heartbeat.
    beat: Arc<str>,
    book: Arc<Mutex<Guestbook>>,
}

impl Host {
    pub(crate) fn start(mood: Mood) -> Self {
        Self::beating(mood, "beat")
    }

    /// Its heartbeats are comments of this text.
    pub(crate) fn beating(mood: Mood, text: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
        let host = Self {
            address: listener.local_addr().expect("bound"),
            beat: format!(": {text}\n\n").into(),
            book: Arc::default(),
        };
        let serving = host.clone();
        thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                let host = serving.clone();
                // A guest that leaves in the middle is no concern of the host's.
                thread::spawn(move || drop(host.answer(socket, mood)));
            }
        });
        host
    }

    /// Beats that were due, on all streams.
    pub(crate) fn beats(&self) -> usize {
        self.read(|book| book.beats)
    }

    /// From now on it does so.
    pub(crate) fn turn(&self, pace: Pace) {
        self.read(|book| book.pace = pace);
    }

    /// Streams break and sessions are forgotten, as when the process dies and is started again.
    pub(crate) fn crash(&self, fault: Fault) {
        self.read(|book| {
            book.sessions.clear();
            book.crash = (book.crash.0 + 1, Some(fault));
        });
    }

    fn read<T>(&self, look: impl FnOnce(&mut Guestbook) -> T) -> T {
        look(&mut self.book.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn answer(&self, mut socket: TcpStream, mood: Mood) -> std::io::Result<()> {
        let mut reader = BufReader::new(socket.try_clone()?);
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let mut headers = BTreeMap::new();
        loop {
            let mut header = String::new();
            reader.read_line(&mut header)?;
            let Some((name, value)) = header.split_once(':') else {
                break;
            };
            headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
        }
        let length = headers.get("content-length").and_then(|n| n.parse().ok());
        let mut body = vec![0; length.unwrap_or(0)];
        reader.read_exact(&mut body)?;
        while self.read(|book| book.pace == Pace::Hangs) {
            thread::sleep(BEAT);
        }
        let agent = headers.get("user-agent").cloned().unwrap_or_default();
        self.read(|book| *book.agents.entry(agent).or_default() += 1);
        let session = headers.get("mcp-session-id").and_then(|id| id.parse().ok());
        let is_chunked = line.trim_end().ends_with("HTTP/1.1");
        match (line.split(' ').next(), session) {
            (Some("POST"), None) => self.initialize(&mut socket, mood),
            (Some("POST"), Some(id)) => self.known(&mut socket, id),
            (Some("GET"), Some(id)) => self.stream(socket, id, mood, is_chunked),
            (Some("DELETE"), Some(id)) => self.delete(&mut socket, id),
            _ => reply(&mut socket, "405 Method Not Allowed", "", ""),
        }
    }

    fn initialize(&self, socket: &mut TcpStream, mood: Mood) -> std::io::Result<()> {
        let is_first = self.read(|book| {
            book.initialized.push(clock());
            book.initialized.len() == 1
        });
        if is_first && matches!(mood, Mood::Busy) {
            return reply(socket, "503 Service Unavailable", "retry-after: 3\r\n", "");
        }
        let id = self.read(|book| {
            book.minted += 1;
            book.sessions.insert(book.minted);
            book.most_sessions = book.most_sessions.max(book.sessions.len());
            book.minted
        });
        let headers = format!("content-type: application/json\r\nmcp-session-id: {id}\r\n");
        reply(socket, "200 OK", &headers, RESULT)
    }

    fn known(&self, socket: &mut TcpStream, id: u64) -> std::io::Result<()> {
        let status = if self.read(|book| book.sessions.contains(&id)) {
            "202 Accepted"
        } else {
            "404 Not Found"
        };
        reply(socket, status, "", "")
    }

    fn delete(&self, socket: &mut TcpStream, id: u64) -> std::io::Result<()> {
        self.read(|book| {
            if book.sessions.remove(&id) {
                book.deleted += 1;
            }
            book.last_deleted = Some(clock());
        });
        reply(socket, "200 OK", "", "")
    }

    fn stream(
        &self,
        mut socket: TcpStream,
        id: u64,
        mood: Mood,
        is_chunked: bool,
    ) -> std::io::Result<()> {
        if !self.read(|book| book.sessions.contains(&id)) {
            return reply(&mut socket, "404 Not Found", "", "");
        }
        self.wait_for_farewell(id);
        let count = self.read(|book| {
            book.opened.push(clock());
            *book.held.entry(id).or_default() += 1;
            book.streams += 1;
            book.most_streams = book.most_streams.max(book.streams);
            book.opened.len()
        });
        let how = if is_chunked {
            "transfer-encoding: chunked"
        } else {
            "connection: close"
        };
        let head = format!("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n{how}\r\n\r\n");
        socket.write_all(head.as_bytes())?;
        let result = if count == 1 && matches!(mood, Mood::Retry) {
            socket.write_all(b"d\r\nretry: 3000\n\n\r\n0\r\n\r\n")
        } else {
            self.beat(&mut socket, is_chunked)
        };
        self.read(|book| {
            *book.held.entry(id).or_default() -= 1;
            book.streams -= 1;
        });
        result
    }

    /// Beats until the guest hangs up, or the host crashes.
    fn beat(&self, socket: &mut TcpStream, is_chunked: bool) -> std::io::Result<()> {
        socket.set_read_timeout(Some(BEAT))?;
        let crashes = self.read(|book| book.crash.0);
        let mut kept = 0;
        loop {
            let pace = self.read(|book| book.pace);
            if pace != Pace::Hangs {
                kept += 1;
                self.read(|book| book.beats += 1);
            }
            if pace == Pace::Beats {
                let mut beats = self.beat.repeat(std::mem::take(&mut kept));
                if is_chunked {
                    beats = format!("{:x}\r\n{beats}\r\n", beats.len());
                }
                socket.write_all(beats.as_bytes())?;
            }
            match socket.read(&mut [0; 64]) {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
            let (crashed, fault) = self.read(|book| book.crash);
            if crashed > crashes {
                if fault == Some(Fault::Rst) {
                    reset(socket);
                }
                return Ok(());
            }
        }
    }

    /// A guest that hung up before it asked again may be seen to in the other order, by threads that race.
    fn wait_for_farewell(&self, id: u64) {
        let asked = clock();
        let is_held = || self.read(|book| book.held.get(&id).is_some_and(|held| *held > 0));
        while is_held() && asked.elapsed() < 5 * BEAT {
            thread::yield_now();
        }
    }
}

fn reply(socket: &mut TcpStream, status: &str, headers: &str, body: &str) -> std::io::Result<()> {
    let length = body.len();
    let answer = format!(
        "HTTP/1.1 {status}\r\n{headers}connection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    socket.write_all(answer.as_bytes())
}

#[expect(clippy::disallowed_methods, reason = "the host times its guest")]
fn clock() -> Instant {
    Instant::now()
}

fn visit(host: &Host, streams: usize) -> Holter {
    Holter::start(&format!(
        "canaries:\n\
         \x20 - name: guest\n\
         \x20   direct: http://{}/mcp\n\
         \x20   transport: streamable_http\n\
         \x20   streams: {streams}\n\
         \x20   max_age: 2s\n\
         \x20   affinity: {{ interval: 1s, requests: 4 }}\n",
        host.address
    ))
}

#[test]
fn never_more_streams_or_sessions_than_configured_and_all_of_them_given_back() {
    const STREAMS: usize = 4;
    let host = Host::start(Mood::Well);
    let mut holter = visit(&host, STREAMS);
    // Each stream is renewed several times, which is when a second one could be open beside it.
    eventually("renewed streams", || {
        let opened = host.read(|book| book.opened.len());
        (opened >= 4 * STREAMS)
            .then_some(())
            .ok_or_else(|| opened.to_string())
    });
    let asked = clock();
    holter.terminate();
    let last = eventually("a DELETE for each session", || {
        host.read(|book| {
            let open = (book.streams, book.sessions.len());
            let last = book.last_deleted.filter(|_| open == (0, 0));
            last.ok_or_else(|| format!("{open:?} streams and sessions open"))
        })
    });
    assert!(last - asked < Duration::from_secs(2), "{:?}", last - asked);
    assert_eq!(holter.wait_for_exit().code(), Some(0));
    host.read(|book| {
        assert_eq!(book.most_sessions, STREAMS);
        assert_eq!(book.most_streams, STREAMS);
        assert_eq!((book.minted as usize, book.deleted), (STREAMS, STREAMS));
        let agents: Vec<&String> = book.agents.keys().collect();
        assert_eq!(agents, [&format!("holter/{}", env!("CARGO_PKG_VERSION"))]);
    });
}

#[test]
fn the_pause_that_a_stream_asks_for_is_kept() {
    let host = Host::start(Mood::Retry);
    let _holter = visit(&host, 1);
    let opened = second(&host, |book| &book.opened);
    assert!(opened >= Duration::from_millis(2900), "{opened:?}");
}

#[test]
fn a_host_that_is_busy_is_left_alone_for_as_long_as_it_says() {
    let host = Host::start(Mood::Busy);
    let _holter = visit(&host, 1);
    let asked = second(&host, |book| &book.initialized);
    assert!(asked >= Duration::from_millis(2900), "{asked:?}");
}

/// The time between the first and the second of these.
fn second(host: &Host, of: impl Fn(&Guestbook) -> &Vec<Instant>) -> Duration {
    eventually("another try", || {
        host.read(|book| match of(book)[..] {
            [first, second, ..] => Ok(second - first),
            ref tries => Err(format!("{} tries", tries.len())),
        })
    })
}
