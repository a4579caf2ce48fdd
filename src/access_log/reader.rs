//! The machine that a log source drives: lines in, [`Event`]s out, in the order of reading.
//!
//! Where both logs have grown, feed the error log first: fewer streams are held. It does not know
//! files, and reads no clock.

use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::envelope::{self, Envelope};
use super::event::{Closed, Event, LineKind};
use super::joiner::{self, Joiner};
use super::marks::{Line, Marks};
use super::rules::{Ended, Told, ended};
use super::streams::{self, StreamRule};
use super::times::Times;
use super::{Format, Parsed, Record, Sketch, UnparsedKind, Written, caddy};
use crate::affinity::{Request, Table, Verdict};

/// How Holter's own canaries begin their `User-Agent`; JSON may escape the slash (HAProxy's `json` does).
const OWN_USER_AGENT: [&[u8]; 2] = [b"holter/", br"holter\/"];

/// One source: a proxy's access log, and its error log if there is one.
#[derive(Debug)]
pub struct Reader {
    format: Format,
    rule: StreamRule,
    join: Joiner,
    sessions: Table,
    ended: Ended,
    lines: u64,
    times: Times,
    /// Of a line that comes alone.
    marks: Marks,
    /// Whether upstreams are logged, so that sessions can be judged.
    judges: bool,
    /// Whether more than its method and status can make a request a stream.
    tells_posts: bool,
}

impl Reader {
    /// A reader for one source.
    pub fn new(format: Format, rule: StreamRule, has_error_log: bool, sessions: Table) -> Self {
        Self {
            join: Joiner::new(&format, has_error_log),
            judges: format.has_upstream(),
            tells_posts: format.tells_posts(),
            marks: Marks::new(format.marked()),
            format,
            rule,
            sessions,
            ended: Ended::default(),
            lines: 0,
            times: Times::default(),
        }
    }

    /// Takes a line of the access log, without its line feed.
    pub fn access(&mut self, now: Instant, line: &[u8], out: &mut Vec<Event>) -> LineKind {
        if self.is_aside(line) {
            return self.aside(now, line, out);
        }
        let mut parsed = Parsed::default();
        let mut marks = std::mem::take(&mut self.marks);
        let read = self.read(&marks.alone(line), &mut parsed);
        let kind = self.record(now, &parsed, read, out);
        self.marks = marks;
        kind
    }

    /// The byte that has to be marked in lines for [`Reader::read`] to be quick.
    pub fn marked(&self) -> u8 {
        self.format.marked()
    }

    /// Lines of the access log taken so far: the number of the newest.
    pub fn lines(&self) -> u64 {
        self.lines
    }

    /// Whether a line of the access log belongs to the second log: Caddy may write both to one file.
    #[inline]
    pub fn is_aside(&self, line: &[u8]) -> bool {
        matches!(self.format, Format::Caddy(_)) && caddy::is_runtime(line)
    }

    /// Takes such a line.
    pub fn aside(&mut self, now: Instant, line: &[u8], out: &mut Vec<Event>) -> LineKind {
        self.lines += 1;
        self.error(now, line, out);
        LineKind::Ignored
    }

    /// When a line of the second log was written.
    pub fn written(&self, line: &[u8]) -> Option<Written> {
        self.format.written(without_return(line))
    }

    /// Reads a line of the access log, and takes nothing of it: for whoever needs its record too, or
    /// first its time.
    ///
    /// # Errors
    /// The kind of damage.
    pub fn parse<'a>(&self, line: &'a [u8]) -> Result<Record<'a>, UnparsedKind> {
        self.format.parse(without_return(line))
    }

    /// The same into what is empty before; of an ordinary request's line no more than its sketch.
    ///
    /// # Errors
    /// The kind of damage; what is left out is not looked at.
    #[inline]
    pub fn read<'a>(
        &mut self,
        line: &Line<'a, '_>,
        parsed: &mut Parsed<'a>,
    ) -> Result<(), UnparsedKind> {
        let (rule, sessions, judges) = (&self.rule, &self.sessions, self.judges);
        let tells_posts = self.tells_posts;
        let is_asked = |sketch: &Sketch<'_>| {
            sketch.has_session
                || rule.may_hold(sketch, tells_posts)
                || judges
                    && is_witness(
                        sketch.is_unanswered(),
                        sketch.retried,
                        sketch.upstream,
                        sessions,
                    )
        };
        let trimmed = line.without_return();
        let line = trimmed.as_ref().unwrap_or(line);
        (self.format).read(line, parsed, &mut self.times, is_asked)
    }

    /// Takes what a line of the access log was read as: [`Reader::access`] in two steps.
    pub fn record(
        &mut self,
        now: Instant,
        parsed: &Parsed<'_>,
        read: Result<(), UnparsedKind>,
        out: &mut Vec<Event>,
    ) -> LineKind {
        match (read, &parsed.record) {
            (Ok(()), None) => self.ordinary(&parsed.sketch),
            (Ok(()), Some(record)) => {
                self.lines += 1;
                self.take(now, record, out)
            }
            (Err(kind), _) => {
                self.lines += 1;
                unparsed(kind, out)
            }
        }
    }

    /// The same of a line of which there is no more than a sketch.
    #[inline]
    pub fn ordinary(&mut self, sketch: &Sketch<'_>) -> LineKind {
        self.lines += 1;
        match sketch.user_agent.is_some_and(is_own) {
            true => LineKind::Ignored,
            false => LineKind::Request,
        }
    }

    fn take(&mut self, now: Instant, record: &Record<'_>, out: &mut Vec<Event>) -> LineKind {
        if let Some(told) = record.told {
            return self.told(told, record, out);
        }
        if record.no_request {
            return LineKind::Ignored;
        }
        // Its session is its own affair; that the upstream answers it is a fact about that.
        let is_own = (record.user_agent).is_some_and(is_own);
        if record.has_session() && !is_own {
            self.session(now, record, out);
        } else if is_witness(
            record.is_unanswered(),
            record.retried,
            record.upstream,
            &self.sessions,
        ) {
            self.sessions.note(now, &request(self.lines, record));
            self.late_verdicts(out);
        }
        if is_own {
            return LineKind::Ignored;
        }
        if !self.rule.holds(record) {
            return LineKind::Request;
        }
        if record.method == Some(b"GET") && !record.has_session() {
            self.sessions.stream(now, &request(self.lines, record));
            self.late_verdicts(out);
        }
        self.join.stream(now, self.lines, record, out);
        LineKind::Stream
    }

    /// Looks at a request's session.
    fn session(&mut self, now: Instant, record: &Record<'_>, out: &mut Vec<Event>) {
        let [mut sent, mut minted] = <[Envelope; 2]>::default();
        let carried = record.session_sent.or(record.session_query);
        let request = Request {
            carried: carried.map(|id| envelope::open(id, &mut sent)),
            minted: (record.session_minted).map(|id| envelope::open(id, &mut minted)),
            ..request(self.lines, record)
        };
        observe(&mut self.sessions, now, &request, out);
        self.late_verdicts(out);
    }

    /// The misses that this line made certain.
    fn late_verdicts(&mut self, out: &mut Vec<Event>) {
        out.extend(self.sessions.confirmed().map(|miss| Event::Session {
            line: miss.line,
            verdict: Verdict::Moved,
            session: miss.session,
            waits: false,
        }));
    }

    /// What an application's own line says of a stream. A server may tell of the same dead stream for
    /// ever, so that one with an id is counted once, until it is opened again.
    fn told(&mut self, told: Told, record: &Record<'_>, out: &mut Vec<Event>) -> LineKind {
        match told {
            Told::Opened => self.ended.opened(record.session_sent),
            Told::Heartbeat => {}
            Told::Closed(reason) if self.ended.closed(record.session_sent) => {
                out.push(Event::StreamClosed(Closed {
                    line: self.lines,
                    reason,
                    duration: None,
                    upstream: None,
                }));
                return LineKind::Stream;
            }
            Told::Closed(_) => {}
        }
        LineKind::Request
    }

    /// Takes a line of the error log, without its line feed.
    pub fn error(&mut self, now: Instant, line: &[u8], out: &mut Vec<Event>) {
        self.join.error(now, without_return(line), out);
    }

    /// Says whether the error log covers the time of the lines that come next. It does from the start
    /// where there is one; a replay knows where it begins and ends.
    pub fn set_error_log(&mut self, speaks: bool) {
        self.join.set_error_log(speaks);
    }

    /// Decides the stream that is held longest, by what is known by now.
    pub fn evict(&mut self, out: &mut Vec<Event>) {
        self.join.evict_stream(out);
    }

    /// When [`Reader::tick`] is due, if no line comes before.
    pub fn deadline(&self) -> Option<Instant> {
        self.join.deadline()
    }

    /// Decides the streams for which no entry of the error log came in time.
    pub fn tick(&mut self, now: Instant, out: &mut Vec<Event>) {
        self.join.tick(now, out);
    }

    /// What is read and not yet told, to be gone on from after a restart.
    pub fn held(&self) -> Held {
        Held {
            join: self.join.save(),
            ended: self.ended.save(),
        }
    }

    /// Goes on from what another reader held. Numbers of lines begin anew.
    pub fn resume(&mut self, now: Instant, held: Held, out: &mut Vec<Event>) {
        self.ended = Ended::resume(held.ended);
        self.join.resume(now, held.join, out);
    }

    /// Decides every stream that is held: no line will follow.
    pub fn finish(&mut self, out: &mut Vec<Event>) {
        self.join.finish(out);
        self.sessions.finish();
        self.late_verdicts(out);
    }
}

/// What a reader has read and not yet told.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Held {
    join: joiner::Saved,
    ended: ended::Saved,
}

fn unparsed(kind: UnparsedKind, out: &mut Vec<Event>) -> LineKind {
    out.push(Event::Unparsed(kind));
    LineKind::Unparsed
}

/// Whether a line without a session tells something of others': a failure does, and whatever shows
/// that an upstream answers for which somebody waits.
fn is_witness(
    is_unanswered: bool,
    retried: bool,
    upstream: Option<&[u8]>,
    sessions: &Table,
) -> bool {
    is_unanswered || retried || sessions.awaits(upstream)
}

/// Whether this is how Holter's own canaries name themselves.
pub(super) fn is_own(user_agent: &[u8]) -> bool {
    (OWN_USER_AGENT.iter()).any(|own| user_agent.starts_with(own))
}

/// A line without the carriage return that may end it.
fn without_return(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// What of a record concerns its upstream, and any session.
fn request<'a>(line: u64, record: &Record<'a>) -> Request<'a> {
    Request {
        carried: None,
        legacy: record.session_sent.is_none() && record.method == Some(b"POST"),
        minted: None,
        upstream: record.upstream_address(),
        retried: record.retried,
        status: record.status,
        delete: record.method == Some(b"DELETE"),
        line,
        tried: record.tried,
        upstream_headers: record.upstream_headers,
        completed: record.completed,
        stream: record.method == Some(b"GET") || streams::is_listen(record),
        client: record.client,
        span: span(record),
    }
}

/// When a request began and ended, in milliseconds since 1970, where its line tells both.
fn span(record: &Record<'_>) -> Option<(i64, i64)> {
    let lasted = i64::try_from(record.duration?.as_millis()).ok()?;
    let began = record.started.map(|began| began.unix_ms);
    let ended = (record.ended.map(|ended| ended.unix_ms)).or_else(|| began?.checked_add(lasted))?;
    Some((ended.checked_sub(lasted)?, ended))
}

/// Looks at a request's session, if it has one.
fn observe(sessions: &mut Table, now: Instant, request: &Request<'_>, out: &mut Vec<Event>) {
    let Some(seen) = sessions.observe(now, request) else {
        return;
    };
    let (line, verdict, session) = (request.line, seen.verdict, seen.session);
    out.push(Event::Session {
        line,
        verdict,
        session,
        waits: seen.waits,
    });
    let also = [
        (verdict == Verdict::Opened, Event::SessionOpened),
        (seen.deleted, Event::SessionDeleted),
        (
            request.carried.is_some() && request.refused(),
            Event::SessionUnknown,
        ),
        (seen.evicted, Event::SessionsEvicted),
    ];
    out.extend(
        also.into_iter()
            .filter_map(|(is, event)| is.then_some(event)),
    );
}

#[cfg(test)]
mod tests;
