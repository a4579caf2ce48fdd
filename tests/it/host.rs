//! A server that counts its guests, in several moods. It speaks as much of Streamable HTTP as a canary needs.

use super::support::relay::{Fault, reset};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

const RESULT: &str = r#"{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-06-18"}}"#;
const ERROR: &str = r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"not today"}}"#;
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
    /// Streams are refused with this status, as on a session that has one, or by a server without streams.
    Refuses(u16),
    /// Streams are cut after the first beat.
    Cuts,
    /// `initialize` is answered with an error, and an id all the same.
    Breaks,
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
pub(crate) struct Guestbook {
    pace: Pace,
    /// Every second request of a session finds another replica, which does not know it.
    pub(crate) takes_turns: bool,
    turn: usize,
    pub(crate) streams: usize,
    pub(crate) most_streams: usize,
    /// Streams by session.
    held: BTreeMap<u64, usize>,
    pub(crate) sessions: BTreeSet<u64>,
    beats: usize,
    /// How it crashed, if it did, and how often.
    crash: (usize, Option<Fault>),
    pub(crate) most_sessions: usize,
    pub(crate) minted: u64,
    pub(crate) deleted: usize,
    pub(crate) last_deleted: Option<Instant>,
    pub(crate) agents: BTreeMap<String, usize>,
    pub(crate) initialized: Vec<Instant>,
    pub(crate) opened: Vec<Instant>,
}

impl Guestbook {
    fn is_others_turn(&mut self) -> bool {
        self.turn += 1;
        self.takes_turns && self.turn.is_multiple_of(2)
    }
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

    pub(crate) fn read<T>(&self, look: impl FnOnce(&mut Guestbook) -> T) -> T {
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
        if session.is_some() && self.read(Guestbook::is_others_turn) {
            return reply(&mut socket, "404 Not Found", "", "");
        }
        let is_chunked = line.trim_end().ends_with("HTTP/1.1");
        match (line.split(' ').next(), session) {
            (Some("POST"), None) if body.windows(12).any(|text| text == b"\"initialize\"") => {
                self.initialize(&mut socket, mood)
            }
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
        let body = if matches!(mood, Mood::Breaks) {
            ERROR
        } else {
            RESULT
        };
        reply(socket, "200 OK", &headers, body)
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
        if let Mood::Refuses(status) = mood {
            return reply(&mut socket, &format!("{status} X"), "", "");
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
            self.beat(&mut socket, is_chunked, mood)
        };
        self.read(|book| {
            *book.held.entry(id).or_default() -= 1;
            book.streams -= 1;
        });
        result
    }

    /// Beats until the guest hangs up, or the host crashes.
    fn beat(&self, socket: &mut TcpStream, is_chunked: bool, mood: Mood) -> std::io::Result<()> {
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
            if matches!(mood, Mood::Cuts) {
                return Ok(());
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
pub(crate) fn clock() -> Instant {
    Instant::now()
}
