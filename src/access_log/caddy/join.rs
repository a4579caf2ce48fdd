//! Streams' access lines joined with the runtime log, by time and by the addresses it names.
//!
//! "aborting with incomplete response" names no request: it is written by the same goroutine just
//! before the access line (less than 0.3 ms, measured), so the nearest one before counts, and it must
//! not contradict the addresses. Failures before headers name their client. What stays merged
//! (measured): a client's FIN, RST and vanishing, and the server's write timeout, all are `context
//! canceled`; an upstream that was killed and a clean end, where the body has neither length nor
//! chunks; and streams that Caddy cut when it stopped have no line.

use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::runtime::{Abort, Failed, Subject, parse};
use crate::access_log::event::{Closed, Event};
use crate::access_log::held::Held;
use crate::access_log::key::Key;
use crate::access_log::{Record, UnparsedKind};
use crate::reason::Reason;

/// How long before its access line an abort is written at most, in microseconds (measured: 8 to 223).
/// One that took longer, or is another request's, leaves the line in doubt.
const ABORT_US: u64 = 300;

/// An abort of nobody's this long before a line leaves it in doubt, in microseconds.
const DOUBT_US: u64 = 5_000;

/// The same where an address says whose line it is.
const ADDRESSED_US: u64 = 1_000_000;

/// Holds streams and entries until they meet.
#[derive(Debug, Default)]
pub(crate) struct Joiner {
    /// The runtime log is read: from its own files, or among the access lines.
    has_runtime: bool,
    /// It has shown a level at which Caddy logs aborts (error; in later versions, warn).
    shows_aborts: bool,
    streams: Held<Stream>,
    entries: Held<Entry>,
    lookup_failed_us: Option<i64>,
    lost_entries: bool,
    key: Key,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Stream {
    at_us: Option<i64>,
    status: Option<u16>,
    /// The address, hashed.
    client: Option<u64>,
    port: Option<u16>,
    closed: Closed,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Entry {
    at_us: i64,
    reason: Option<Reason>,
    /// The address, hashed, and the port.
    client: Option<(u64, u16)>,
    upstream: Option<Box<[u8]>>,
    /// The status of a failure before headers; `None` is an abort after them.
    status: Option<u16>,
}

impl Joiner {
    /// A joiner; until a runtime log is seen, every stream is decided alone and at once.
    pub(crate) fn new(has_runtime: bool) -> Self {
        Self {
            has_runtime,
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
        let stream = Stream {
            at_us: record.ended_us,
            status: record.status,
            client: record.client.map(|client| self.key.hash(client)),
            port: record.client_port,
            closed,
        };
        if let Some(reason) = record.verdict {
            return out.push(stream.closed.because(reason));
        }
        if let Some(entry) = self
            .entries
            .take_nearest(|entry| entry.distance(&stream, ABORT_US))
        {
            let reason = entry.reason.unwrap_or_else(|| stream.alone());
            return out.push(stream.closed.because(reason));
        }
        if !self.has_runtime {
            let reason = stream.alone();
            return out.push(stream.closed.because(reason));
        }
        if let Some(oldest) = self.streams.push(now, stream) {
            evicted(oldest, out);
        }
    }

    /// Says whether the runtime log covers the time of the streams that come next.
    pub(crate) fn set_error_log(&mut self, speaks: bool) {
        self.has_runtime = speaks;
    }

    /// Decides the oldest stream without waiting longer, and counts that.
    pub(crate) fn evict_stream(&mut self, out: &mut Vec<Event>) {
        if let Some(oldest) = self.streams.pop() {
            evicted(oldest, out);
        }
    }

    /// Takes a line of the runtime log, without its line end.
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
        let line = parse(line)?;
        self.has_runtime = true;
        self.shows_aborts |= line.below_error || matches!(line.subject, Subject::Abort(_));
        match line.subject {
            Subject::Abort(abort) => {
                self.entry(now, Entry::of_abort(line.at_us, abort, self.key), out)
            }
            Subject::Failed(failed) => {
                let unresolved =
                    (self.lookup_failed_us).is_some_and(|at| line.at_us.abs_diff(at) <= ABORT_US);
                self.entry(
                    now,
                    Entry::of_failure(line.at_us, failed, unresolved, self.key),
                    out,
                );
            }
            Subject::LookupFailed => self.lookup_failed_us = Some(line.at_us),
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
            let reason = self.silence(&stream);
            out.push(stream.closed.because(reason));
        }
        self.entries.forget(now);
        self.lost_entries &= self.entries.deadline().is_some();
    }

    /// Decides every stream, as at the end of both files.
    pub(crate) fn finish(&mut self, out: &mut Vec<Event>) {
        while let Some(stream) = self.streams.pop() {
            let reason = self.silence(&stream);
            out.push(stream.closed.because(reason));
        }
    }

    fn entry(&mut self, now: Instant, entry: Entry, out: &mut Vec<Event>) {
        if let Some(stream) = self
            .streams
            .take_nearest(|stream| entry.distance(stream, ABORT_US))
        {
            let reason = entry.reason.unwrap_or_else(|| stream.alone());
            out.push(stream.closed.because(reason));
        } else if self.entries.push(now, entry).is_some() {
            self.lost_entries = true;
            out.push(Event::JoinEvicted);
        }
    }

    /// Why a stream ended about which the runtime log says nothing.
    fn silence(&self, stream: &Stream) -> Reason {
        let whole = matches!(stream.status, Some(200..400));
        let doubt = |entry: &Entry| entry.distance(stream, DOUBT_US).is_some();
        let certain = !self.lost_entries && !self.entries.iter().any(doubt);
        if whole && self.shows_aborts && certain {
            Reason::ServerClose
        } else {
            stream.alone()
        }
    }
}

fn evicted(stream: Stream, out: &mut Vec<Event>) {
    let reason = stream.alone();
    out.extend([stream.closed.because(reason), Event::JoinEvicted]);
}

impl Stream {
    /// Why it ended, as far as the line alone tells.
    fn alone(&self) -> Reason {
        match self.status {
            Some(500..=599) => Reason::Http5xx,
            _ => Reason::Unknown,
        }
    }
}

impl Entry {
    fn of_abort(at_us: i64, abort: Abort<'_>, key: Key) -> Self {
        Self {
            at_us,
            reason: abort.reason,
            client: (abort.client).map(|(host, port)| (key.hash(host), port)),
            upstream: abort.upstream.map(Box::from),
            status: None,
        }
    }

    /// Dynamic upstreams whose name did not resolve leave none available.
    fn of_failure(at_us: i64, failed: Failed<'_>, unresolved: bool, key: Key) -> Self {
        let reason = match failed.reason {
            Some(Reason::NoUpstream) if unresolved => Some(Reason::DnsError),
            reason => reason,
        };
        Self {
            at_us,
            reason,
            client: (failed.client).map(|(host, port)| (key.hash(host), port)),
            upstream: None,
            // Without a status it is some failure of the server's.
            status: Some(failed.status.unwrap_or(500)),
        }
    }

    /// How long before the stream's line the entry was written; `None` if it is not the stream's.
    /// `limit` counts where no address says whose it is.
    fn distance(&self, stream: &Stream, limit: u64) -> Option<u64> {
        let before = stream.at_us?.checked_sub(self.at_us)?;
        let before = u64::try_from(before).ok()?;
        let addressed = match &self.client {
            Some((host, port)) => {
                if stream.client.as_ref() != Some(host) || stream.port != Some(*port) {
                    return None;
                }
                true
            }
            None => false,
        };
        let limit = if addressed { ADDRESSED_US } else { limit };
        (before <= limit && self.fits(stream)).then_some(before)
    }

    /// Neither the status nor the upstream contradicts.
    fn fits(&self, stream: &Stream) -> bool {
        let of_upstream = match (&self.upstream, &stream.closed.upstream) {
            (Some(named), Some(logged)) => **named == *logged.as_bytes(),
            _ => true,
        };
        let of_status = match self.status {
            Some(status) => stream.status == Some(status),
            None => stream.status.is_none_or(|status| status < 400),
        };
        of_upstream && of_status
    }
}

mod saved;

pub(crate) use saved::Saved;

#[cfg(test)]
mod tests;
