//! Streams' access lines joined with the error log's entries, by the client's address and port or by
//! the id that both logs have for the request.
//!
//! Either line can be read first: both are held for a window of the reader's time. One port serves
//! several requests, so of several entries the one nearest to the stream's end counts. Without a
//! port or an id, the address alone joins, and only what is unambiguous. What stays merged
//! (measured): a client that left a silent stream is found out at `ProxyTimeout` only, and is logged
//! as that time-out; a client that does not read is logged as one that left.

use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::error::{Entry, Subject};
use crate::access_log::event::{Closed, Event};
use crate::access_log::held::Held;
use crate::access_log::key::Key;
use crate::access_log::{ClientConnection, Record, UnparsedKind};
use crate::reason::Reason;

/// How far an entry may be from its stream's end, in microseconds. Apache writes both lines when the
/// request ends; a duration in whole seconds is rounded down.
const NEAR_US: u64 = 1_500_000;

/// How long around a stop or restart a broken client connection is the server's own doing, in
/// microseconds. The parent writes "caught SIGTERM" after its children are gone, which takes it up to
/// about two seconds (`ap_reclaim_child_processes`), and "SIGHUP received" before.
const CUT_US: i64 = 2_000_000;

/// All zones are whole quarters of an hour apart: the error log's naive local time and the access
/// log's are compared within one.
const QUARTER_US: i64 = 15 * 60 * 1_000_000;

/// Holds streams and entries until they meet.
#[derive(Debug, Default)]
pub(crate) struct Joiner {
    has_error_log: bool,
    streams: Held<Stream>,
    entries: Held<HeldEntry>,
    failures: Held<Failure>,
    notices: Held<Notice>,
    lost_entries: bool,
    key: Key,
}

/// A thread's failed connection, and why if that is known.
type Failure = (Box<[u8]>, Option<Reason>);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Stream {
    facts: Facts,
    /// The address, hashed.
    client: Option<u64>,
    port: Option<u16>,
    error_id: Option<Box<[u8]>>,
    ended_us: Option<i64>,
    closed: Closed,
}

/// What of a line decides.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Facts {
    status: Option<u16>,
    connection: Option<ClientConnection>,
    /// Certain that nothing was logged in the error log: `%L` is `-`.
    nothing_logged: bool,
    /// Certain that something was: `%L` is an id.
    #[serde(default)]
    logged: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct HeldEntry {
    at_us: i64,
    /// The address, hashed.
    client: Option<u64>,
    port: Option<u16>,
    /// Without the client's address.
    head: Box<[u8]>,
    reason: Reason,
    after_headers: bool,
}

/// The server cut its streams about then.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Notice {
    from_us: i64,
    until_us: i64,
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
        let stream = Stream::of(record, closed, self.key);
        if stream.facts.is_settled() {
            let reason = stream.facts.alone();
            return out.push(stream.closed.because(reason));
        }
        if let Some(entry) = self.entries.take_nearest(|entry| entry.distance(&stream)) {
            let reason = stream.facts.with(entry.reason);
            return out.push(stream.closed.because(reason));
        }
        if !self.has_error_log {
            let reason = stream.facts.alone();
            return out.push(stream.closed.because(reason));
        }
        if let Some(oldest) = self.streams.push(now, stream) {
            evicted(oldest, out);
        }
    }

    /// Says whether the error log covers the time of the streams that come next.
    pub(crate) fn set_error_log(&mut self, speaks: bool) {
        self.has_error_log = speaks;
    }

    /// Decides the oldest stream without waiting longer, and counts that.
    pub(crate) fn evict_stream(&mut self, out: &mut Vec<Event>) {
        if let Some(oldest) = self.streams.pop() {
            evicted(oldest, out);
        }
    }

    /// Takes a line of the error log, without its line end.
    ///
    /// # Errors
    /// The kind of damage, to be counted.
    pub(crate) fn error(
        &mut self,
        now: Instant,
        line: &[u8],
        out: &mut Vec<Event>,
    ) -> Result<(), UnparsedKind> {
        self.tick(now, out);
        let line = super::error::parse(line)?;
        match line.subject {
            Subject::Request(entry) => self.entry(now, line.at_us, &entry, out),
            Subject::Connect { thread, reason } => {
                self.failures.push(now, (thread.into(), reason));
            }
            Subject::Stopped => self.notice(now, line.at_us - CUT_US, line.at_us),
            Subject::Restarts => self.notice(now, line.at_us, line.at_us + CUT_US),
            Subject::Other => {}
        }
        Ok(())
    }

    /// When [`Joiner::tick`] is due.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.streams.deadline()
    }

    /// Decides the streams whose window is over, and forgets what is old.
    pub(crate) fn tick(&mut self, now: Instant, out: &mut Vec<Event>) {
        while let Some(stream) = self.streams.pop_due(now) {
            let reason = self.decide(&stream);
            out.push(stream.closed.because(reason));
        }
        self.entries.forget(now);
        self.failures.forget(now);
        self.notices.forget(now);
        self.lost_entries &= self.entries.deadline().is_some();
    }

    /// Decides every stream, as at the end of both files.
    pub(crate) fn finish(&mut self, out: &mut Vec<Event>) {
        while let Some(stream) = self.streams.pop() {
            let reason = self.decide(&stream);
            out.push(stream.closed.because(reason));
        }
    }

    fn notice(&mut self, now: Instant, from_us: i64, until_us: i64) {
        // Of more notices than are held within the window, the newest matter.
        self.notices.push(now, Notice { from_us, until_us });
    }

    fn entry(&mut self, now: Instant, at_us: i64, entry: &Entry<'_>, out: &mut Vec<Event>) {
        let of_thread = |(thread, _): &(Box<[u8]>, _)| (**thread == *entry.thread).then_some(0);
        let reason = entry
            .reason
            .or_else(|| self.failures.take_nearest(of_thread)?.1);
        let Some(reason) = reason else { return };
        let entry = HeldEntry {
            at_us,
            client: entry.client.map(|client| self.key.hash(client)),
            port: entry.port,
            head: super::error::without_client(entry.head),
            reason,
            after_headers: entry.after_headers,
        };
        if let Some(stream) = self.streams.take_nearest(|stream| entry.distance(stream)) {
            let reason = stream.facts.with(reason);
            out.push(stream.closed.because(reason));
        } else if self.entries.push(now, entry).is_some() {
            self.lost_entries = true;
            out.push(Event::JoinEvicted);
        }
    }

    /// Why a stream ended for which no certain entry came: one that is the only candidate counts;
    /// where several could belong to several, none does, for none of them.
    fn decide(&mut self, stream: &Stream) -> Reason {
        let alone = !(self.streams.iter()).any(|other| other.client == stream.client);
        if alone && let Some(entry) = self.entries.take_only(|entry| entry.may_be_of(stream)) {
            return stream.facts.with(entry.reason);
        }
        let mine = |entry: &HeldEntry| entry.may_be_of(stream).then_some(0);
        while self.entries.take_nearest(mine).is_some() {
            self.lost_entries = true;
        }
        self.silence(stream)
    }

    /// Why a stream ended about which the error log says nothing.
    fn silence(&self, stream: &Stream) -> Reason {
        let cut = |notice: &Notice| {
            stream.ended_us.is_some_and(|ended| {
                apart(ended, notice.from_us) >= 0 && apart(ended, notice.until_us) <= 0
            })
        };
        match (stream.facts.status, stream.facts.connection) {
            (None | Some(..400), Some(ClientConnection::Aborted))
                if self.notices.iter().any(cut) =>
            {
                Reason::Drain
            }
            (None | Some(..400), Some(ClientConnection::Closed)) if !self.lost_entries => {
                Reason::ServerClose
            }
            _ => stream.facts.alone(),
        }
    }
}

impl Facts {
    /// Whether the error log could add nothing: not to a refusal by a rule or by the upstream, nor to
    /// an answer that is complete.
    fn is_settled(self) -> bool {
        match self.status {
            Some(400..=499) => true,
            None | Some(..400) => {
                self.connection == Some(ClientConnection::Kept)
                    || (self.nothing_logged && self.connection == Some(ClientConnection::Closed))
            }
            Some(_) => self.nothing_logged,
        }
    }

    /// Why the stream ended, if the error log is not read.
    fn alone(self) -> Reason {
        match (self.status, self.connection) {
            (Some(400..=499), _) => Reason::Http4xx,
            (Some(500..), _) => Reason::Http5xx,
            // On HTTP/2 the stream to the client is reset when the upstream fails. Of a client that left,
            // nothing is logged.
            (_, Some(ClientConnection::Aborted)) if self.logged => Reason::Unknown,
            (_, Some(ClientConnection::Aborted)) => Reason::ClientClose,
            (_, Some(ClientConnection::Kept)) => Reason::ServerClose,
            (_, Some(ClientConnection::Closed)) if self.nothing_logged => Reason::ServerClose,
            _ => Reason::Unknown,
        }
    }

    /// Why the stream ended, if the error log says this about it. On HTTP/2 the stream to the client
    /// is reset when the upstream fails, and then looks aborted; but where the upstream was only
    /// silent, it may as well be that the client had left.
    fn with(self, reason: Reason) -> Reason {
        match (self.connection, reason) {
            (Some(ClientConnection::Aborted), Reason::IdleTimeout) => Reason::Unknown,
            _ => reason,
        }
    }

    /// A try that failed before headers explains an error of the proxy's own, and not a stream that
    /// another upstream served. Apache answers 502 or 503, 504 in newer versions, and 500 to a name
    /// that does not resolve.
    fn fit(self, after_headers: bool) -> bool {
        match self.status {
            Some(500 | 502..=504) => !after_headers,
            None | Some(..400) => after_headers,
            Some(_) => false,
        }
    }
}

fn evicted(stream: Stream, out: &mut Vec<Event>) {
    let reason = stream.facts.alone();
    out.extend([stream.closed.because(reason), Event::JoinEvicted]);
}

impl HeldEntry {
    /// How far the entry is from the end of a stream that is certainly its own; `None` if it is not.
    fn distance(&self, stream: &Stream) -> Option<u64> {
        let by_id = (stream.error_id.as_ref())
            .is_some_and(|id| memchr::memmem::find(&self.head, id).is_some());
        let by_port =
            self.port.is_some() && self.port == stream.port && self.client == stream.client;
        if !(by_id || by_port) || !stream.facts.fit(self.after_headers) {
            return None;
        }
        let distance = stream
            .ended_us
            .map_or(0, |ended| apart(ended, self.at_us).unsigned_abs());
        if by_id {
            // Nothing is nearer than the same request.
            return Some(0);
        }
        (distance <= NEAR_US).then_some(distance)
    }

    /// Whether it may be this stream's, as far as the client's address tells.
    fn may_be_of(&self, stream: &Stream) -> bool {
        let unsure = stream.port.is_none() || self.port.is_none();
        unsure
            && self.client.is_some()
            && self.client == stream.client
            && stream.facts.fit(self.after_headers)
            && stream
                .ended_us
                .is_none_or(|ended| apart(ended, self.at_us).unsigned_abs() <= NEAR_US)
    }
}

impl Stream {
    fn of(record: &Record<'_>, closed: Closed, key: Key) -> Self {
        let id = record.error_id.filter(|id| *id != b"-" && !id.is_empty());
        Self {
            facts: Facts {
                status: record.status,
                connection: record.client_connection,
                nothing_logged: record.error_id == Some(b"-"),
                logged: id.is_some(),
            },
            client: record.client.map(|client| key.hash(client)),
            port: record.client_port,
            error_id: id.map(Box::from),
            ended_us: record.ended_us,
            closed,
        }
    }
}

/// How long after `since` a moment is, whatever the zone of either.
fn apart(at: i64, since: i64) -> i64 {
    let apart = at.wrapping_sub(since).rem_euclid(QUARTER_US);
    if apart > QUARTER_US / 2 {
        apart - QUARTER_US
    } else {
        apart
    }
}

mod saved;

pub(crate) use saved::Saved;

#[cfg(test)]
mod tests;
