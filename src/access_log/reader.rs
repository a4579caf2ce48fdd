//! The machine that a log source drives: lines in, [`Event`]s out, in the order of reading.
//!
//! Where both logs have grown, feed the error log first: fewer streams are held. It does not know
//! files, and reads no clock.

use std::time::Instant;

use super::event::{Event, LineKind};
use super::join::Joiner;
use super::nginx::error::{self, Level, Subject};
use super::streams::StreamRule;
use super::{Format, Record};
use crate::affinity::{Request, Table, Verdict};

/// How Holter's own canaries begin their `User-Agent`.
pub const OWN_USER_AGENT: &[u8] = b"holter/";

/// One source: a proxy's access log, and its error log if there is one.
#[derive(Debug)]
pub struct Reader {
    format: Format,
    rule: StreamRule,
    join: Joiner,
    sessions: Table,
    lines: u64,
}

impl Reader {
    /// A reader for one source.
    pub fn new(format: Format, rule: StreamRule, has_error_log: bool, sessions: Table) -> Self {
        Self {
            format,
            rule,
            join: Joiner::new(has_error_log),
            sessions,
            lines: 0,
        }
    }

    /// Takes a line of the access log, without its line feed.
    pub fn access(&mut self, now: Instant, line: &[u8], out: &mut Vec<Event>) -> LineKind {
        self.lines += 1;
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let wanted = |record: &Record<'_>| record.has_session() || self.rule.asks(record);
        let record = match self.format.parse_if(line, wanted) {
            Ok(record) => record,
            Err(kind) => {
                out.push(Event::Unparsed(kind));
                return LineKind::Unparsed;
            }
        };
        if (record.user_agent).is_some_and(|agent| agent.starts_with(OWN_USER_AGENT)) {
            return LineKind::Ignored;
        }
        observe(&mut self.sessions, now, &record, out);
        if !self.rule.holds(&record) {
            return LineKind::Request;
        }
        self.join.stream(now, self.lines, &record, out);
        LineKind::Stream
    }

    /// Takes a line of the error log, without its line feed.
    pub fn error(&mut self, now: Instant, line: &[u8], out: &mut Vec<Event>) {
        // Streams whose window is over are judged by what the error log had shown until then.
        self.join.tick(now, out);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let line = match error::parse(line) {
            Ok(line) => line,
            Err(kind) => return out.push(Event::Unparsed(kind)),
        };
        if line.level <= Level::Info {
            self.join.shows_clients();
        }
        match line.subject {
            Subject::Request(entry) => self.join.entry(now, line.at, &entry, out),
            Subject::WorkerDrains => self.join.worker_drains(),
            Subject::WorkerGone => self.join.worker_gone(now),
            Subject::Other => {}
        }
    }

    /// When [`Reader::tick`] is due, if no line comes before.
    pub fn deadline(&self) -> Option<Instant> {
        self.join.deadline()
    }

    /// Decides the streams for which no entry of the error log came in time.
    pub fn tick(&mut self, now: Instant, out: &mut Vec<Event>) {
        self.join.tick(now, out);
    }

    /// Decides every stream that is held: no line will follow.
    pub fn finish(&mut self, out: &mut Vec<Event>) {
        self.join.finish(out);
    }
}

/// Looks at a record's session, if it has one.
fn observe(sessions: &mut Table, now: Instant, record: &Record<'_>, out: &mut Vec<Event>) {
    if !record.has_session() {
        return;
    }
    let carried = record.session_sent.or(record.session_query);
    let request = Request {
        carried,
        legacy: record.session_sent.is_none() && record.method == Some(b"POST"),
        minted: record.session_minted,
        upstream: record.upstream_address(),
        retried: record.retried,
        success: matches!(record.status, Some(200..300)),
        delete: record.method == Some(b"DELETE"),
    };
    let Some(seen) = sessions.observe(now, &request) else {
        return;
    };
    let (verdict, session) = (seen.verdict, seen.session);
    out.push(Event::Session { verdict, session });
    let unknown = carried.is_some() && matches!(record.status, Some(400 | 404));
    let also = [
        (verdict == Verdict::Opened, Event::SessionOpened),
        (seen.deleted, Event::SessionDeleted),
        (unknown, Event::SessionUnknown),
        (seen.evicted, Event::SessionsEvicted),
    ];
    out.extend(
        also.into_iter()
            .filter_map(|(is, event)| is.then_some(event)),
    );
}

#[cfg(test)]
mod tests;
