//! Streams' access lines joined with the error log's entries, by connection number and time.
//!
//! The two files are read by different polls, so either line can come first: streams and entries are
//! held for a window of the reader's time. One connection carries several requests, so an entry
//! must also be of the same second, upstream and phase. It does not know what lines look like.

use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::error::{Entry, Phase};
use super::reason::{self, Line, Silence};
use crate::access_log::event::{Closed, Event};
use crate::access_log::held::{Held, WINDOW};
use crate::access_log::{Record, Stamp};
use crate::reason::Reason;

/// All zones are whole quarters of an hour apart: the error log's naive local time and the access
/// log's are compared within one.
const QUARTER: i64 = 15 * 60;

/// Holds streams and entries until they meet.
#[derive(Debug, Default)]
pub(crate) struct Joiner {
    has_error_log: bool,
    streams: Held<HeldStream>,
    entries: Held<HeldEntry>,
    shows_clients: bool,
    draining: u32,
    worker_gone: Option<Instant>,
    /// When workers that had drained were gone, in naive local seconds.
    gone: Held<i64>,
    entry_evicted: Option<Instant>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct HeldStream {
    connection: u64,
    /// Whether it is a POST's: a connection may carry one and a GET within a second.
    posts: bool,
    ended: Option<Stamp>,
    facts: Line,
    /// The last one tried, as written: a group's name where none was live.
    upstream: Option<Box<str>>,
    closed: Closed,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct HeldEntry {
    connection: u64,
    at: i64,
    reason: Reason,
    phase: Phase,
    /// Whether the request is a POST. Where none is named, it ends every stream on its connection.
    posts: Option<bool>,
    /// Its address, without the path: clients write that.
    upstream: Option<Box<[u8]>>,
}

impl Joiner {
    /// A joiner; without an error log every stream is decided alone and at once.
    pub(crate) fn new(has_error_log: bool) -> Self {
        Self {
            has_error_log,
            ..Self::default()
        }
    }

    /// Takes a stream's record: decides it, or holds it.
    pub(crate) fn stream(
        &mut self,
        now: Instant,
        record: &Record<'_>,
        closed: Closed,
        out: &mut Vec<Event>,
    ) {
        self.tick(now, out);
        let stream = HeldStream {
            connection: record.connection.unwrap_or_default(),
            posts: record.method == Some(b"POST"),
            ended: record.ended,
            facts: Line::of(record),
            upstream: (record.upstream).map(|raw| String::from_utf8_lossy(raw).into()),
            closed,
        };
        let joins = record.connection.is_some() && stream.facts.is_open();
        let found = joins.then(|| self.take_entry(&stream)).flatten();
        if let Some(reason) = found {
            out.push(stream.closed.because(reason));
        } else if joins && self.has_error_log {
            self.hold_stream(now, stream, out);
        } else {
            let reason = reason::unjoined(stream.facts, Silence::default());
            out.push(stream.closed.because(reason));
        }
    }

    /// Says whether, for the streams that come next, the error log's silence means anything. Where
    /// it does not, a stream is decided at once, by an entry that came before or alone.
    pub(crate) fn set_error_log(&mut self, speaks: bool) {
        self.has_error_log = speaks;
    }

    /// Takes an entry of the error log, written at this naive local second.
    pub(crate) fn entry(&mut self, now: Instant, at: i64, entry: &Entry<'_>, out: &mut Vec<Event>) {
        self.tick(now, out);
        let posts = match entry.request {
            None => None,
            Some(request) if request.starts_with(b"GET ") => Some(false),
            Some(request) if request.starts_with(b"POST ") => Some(true),
            // No stream is opened so.
            Some(_) => return,
        };
        let entry = HeldEntry {
            connection: entry.connection,
            at,
            reason: entry.reason,
            phase: entry.phase,
            posts,
            upstream: entry.upstream.map(|upstream| address(upstream).into()),
        };
        while let Some(stream) = self.streams.take_oldest(|stream| entry.ends(stream)) {
            out.push(stream.closed.because(entry.reason));
            if entry.posts.is_some() {
                return;
            }
        }
        self.hold_entry(now, entry, out);
    }

    /// Notes that there is an error log that shows errors, configured or not: in a container's output
    /// its lines stand among the access log's.
    pub(crate) fn shows_errors(&mut self) {
        self.has_error_log = true;
    }

    /// Notes that the error log shows messages about clients: it has shown one of level `info`.
    pub(crate) fn shows_clients(&mut self) {
        self.shows_clients = true;
    }

    /// Notes that a worker began to shut down.
    pub(crate) fn worker_drains(&mut self) {
        self.draining = self.draining.saturating_add(1);
    }

    /// Notes that a worker is gone, at this naive local second; the streams that it cut are logged about
    /// then.
    pub(crate) fn worker_gone(&mut self, now: Instant, at: i64) {
        if self.draining > 0 {
            self.draining -= 1;
            self.worker_gone = Some(now);
            self.gone.push(now, at);
        }
    }

    /// When [`Joiner::tick`] is due.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.streams.deadline()
    }

    /// Decides the streams whose window is over, and forgets old entries.
    pub(crate) fn tick(&mut self, now: Instant, out: &mut Vec<Event>) {
        while let Some((until, stream)) = self.streams.pop_due_at(now) {
            self.decide(until, stream, out);
        }
        while self.entries.pop_due(now).is_some() {}
        self.gone.forget(now);
    }

    /// Decides every stream, as at the end of both files.
    pub(crate) fn finish(&mut self, out: &mut Vec<Event>) {
        while let Some(until) = self.streams.deadline() {
            if let Some(stream) = self.streams.pop() {
                self.decide(until, stream, out);
            }
        }
    }

    fn decide(&self, until: Instant, stream: HeldStream, out: &mut Vec<Event>) {
        let silence = Silence {
            worker_gone: stream.ended.is_some()
                && self.gone.iter().any(|at| is_of_the_time(*at, stream.ended)),
            ..self.silence(until)
        };
        let reason = reason::unjoined(stream.facts, silence);
        out.push(stream.closed.because(reason));
    }

    /// What it means that a stream's window, which ended then, passed without an entry: nothing, if
    /// its entry may have been evicted. (The end of the window counts, not the moment of deciding:
    /// a tick can be late.)
    fn silence(&self, until: Instant) -> Silence {
        let near = |at: Option<Instant>| {
            at.is_some_and(|at| {
                at.saturating_duration_since(until) <= WINDOW
                    && until.saturating_duration_since(at) <= 2 * WINDOW
            })
        };
        if near(self.entry_evicted) {
            return Silence::default();
        }
        Silence {
            would_show_upstream: true,
            would_show_client: self.shows_clients,
            workers_drain: self.draining > 0 || near(self.worker_gone),
            worker_gone: false,
        }
    }

    /// The newest entry that ends this stream; older ones are tries that failed before.
    fn take_entry(&mut self, stream: &HeldStream) -> Option<Reason> {
        let entry = (self.entries.iter().rev()).find(|entry| entry.ends(stream))?;
        let (reason, of_one) = (entry.reason, entry.posts.is_some());
        if of_one {
            self.entries.take_newest(|entry| entry.ends(stream));
        }
        Some(reason)
    }

    fn hold_stream(&mut self, now: Instant, stream: HeldStream, out: &mut Vec<Event>) {
        if let Some(oldest) = self.streams.push(now, stream) {
            evicted(oldest, out);
        }
    }

    /// Decides the oldest stream without waiting longer, and counts that.
    pub(crate) fn evict_stream(&mut self, out: &mut Vec<Event>) {
        if let Some(oldest) = self.streams.pop() {
            evicted(oldest, out);
        }
    }

    fn hold_entry(&mut self, now: Instant, entry: HeldEntry, out: &mut Vec<Event>) {
        if self.entries.push(now, entry).is_some() {
            self.entry_evicted = Some(now);
            out.push(Event::JoinEvicted);
        }
    }
}

fn evicted(stream: HeldStream, out: &mut Vec<Event>) {
    let reason = reason::unjoined(stream.facts, Silence::default());
    out.extend([stream.closed.because(reason), Event::JoinEvicted]);
}

/// Whether a line of the error log is of the second in which a stream ended. nginx writes both lines in the
/// same turn of its loop; a second may begin between them.
fn is_of_the_time(at: i64, ended: Option<Stamp>) -> bool {
    ended.is_none_or(|ended| {
        let apart = at - ended.unix_ms.div_euclid(1000);
        (apart + 1).rem_euclid(QUARTER) <= 2
    })
}

/// An upstream's address out of `address/path`; a socket's ends before the second colon.
fn address(upstream: &[u8]) -> &[u8] {
    let (scheme, rest, end) = match upstream.strip_prefix(b"unix:") {
        Some(rest) => (5, rest, b':'),
        None => (0, upstream, b'/'),
    };
    let length = memchr::memchr(end, rest).unwrap_or(rest.len());
    upstream.get(..scheme + length).unwrap_or(upstream)
}

impl HeldEntry {
    /// Whether this is what ended the stream.
    fn ends(&self, stream: &HeldStream) -> bool {
        self.connection == stream.connection
            && self.posts.is_none_or(|posts| posts == stream.posts)
            && self.explains(stream.facts)
            && is_of_the_time(self.at, stream.ended)
            && self.is_of_the_upstream(stream.upstream.as_deref())
    }

    /// A try that failed before headers explains an error of the proxy's own, and not a stream that
    /// another upstream served. A client's message explains an incomplete answer, an upstream's a
    /// complete one: nginx calls an answer complete that an upstream broke off.
    fn explains(&self, line: Line) -> bool {
        match (self.phase, line.status) {
            (Phase::Connecting | Phase::Headers, Some(status)) => (502..=504).contains(&status),
            (Phase::Connecting | Phase::Headers, None) => line.upstream_headers == Some(false),
            (Phase::Body, None | Some(..400)) => line.completed != Some(false),
            (Phase::Client, None | Some(..400 | 499)) => line.completed != Some(true),
            (Phase::Body | Phase::Client, Some(_)) => false,
        }
    }

    /// The last upstream tried is the one that counts. (`address/path` against `address`.)
    fn is_of_the_upstream(&self, last: Option<&str>) -> bool {
        match (&self.upstream, last) {
            (Some(url), Some(last)) => url
                .strip_prefix(last.as_bytes())
                .is_some_and(|path| matches!(path.first(), None | Some(b'/' | b':' | b'?'))),
            _ => true,
        }
    }
}

mod saved;

pub(crate) use saved::Saved;

#[cfg(test)]
mod tests;
