//! One answer for each access line, in the order of reading, though a stream's reason comes late.
//!
//! [`Queue`] holds the answers that stand behind an undecided one; the session is a keyed hash whose
//! key is this process's own. It does not write anywhere.

use std::collections::VecDeque;
use std::time::Duration;

use serde::Serialize;

use crate::access_log::Record;
use crate::access_log::event::{Closed, Event, LineKind};
use crate::affinity::Verdict;
use crate::label::Label;
use crate::reason::Reason;

/// Most answers that wait; then the oldest stream is decided as it is.
pub const MAX_WAITING: usize = 65_536;

/// What is said of one access line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Which file, by the caller's numbering.
    pub file: usize,
    /// The line's number in its file, from 1.
    pub line: u64,
    /// What it is.
    pub kind: LineKind,
    /// Why the stream ended, once known.
    pub reason: Option<Reason>,
    /// How long the request took, where logged.
    pub duration: Option<Duration>,
    /// The upstream's address as the proxy writes it.
    pub upstream: Option<Box<str>>,
    /// A keyed hash of the session's id, and whether its owner was reached.
    pub session: Option<(u64, Verdict)>,
    /// A later line may show that the owner was missed.
    pub waits: bool,
}

impl Answer {
    /// What is known of a line as soon as it is read: from its record, and the events that it gave. The
    /// reader's `number` of it tells its own events from those that concern earlier lines.
    pub fn new(
        number: u64,
        (file, line): (usize, u64),
        kind: LineKind,
        record: Option<&Record<'_>>,
        events: &[Event],
    ) -> Self {
        let record = record.filter(|_| kind != LineKind::Unparsed);
        let address = record.and_then(Record::upstream_address);
        let own = events.iter().find_map(|event| match *event {
            Event::Session {
                line,
                verdict,
                session,
                waits,
            } if line == number => Some((session, verdict, waits)),
            _ => None,
        });
        Self {
            file,
            line,
            kind,
            reason: None,
            duration: record.and_then(|record| record.duration),
            upstream: address.map(|address| String::from_utf8_lossy(address).into()),
            session: own.map(|(session, verdict, _)| (session, verdict)),
            waits: own.is_some_and(|(_, _, waits)| waits),
        }
    }

    /// The answer as one JSON object, for a file of this name.
    ///
    /// # Errors
    /// What the writer says.
    pub fn write(&self, file: &str, out: &mut impl std::io::Write) -> std::io::Result<()> {
        let session = self.session.map(|(hash, _)| short(hash));
        let object = Object {
            file,
            line: self.line,
            kind: self.kind.as_str(),
            reason: self.reason.map(|reason| reason.as_str()),
            class: self.reason.map(|reason| reason.class().as_str()),
            duration_seconds: self.duration.map(|duration| duration.as_secs_f64()),
            upstream: self.upstream.as_deref(),
            session: session.as_deref(),
            affinity: self.session.map_or("none", |(_, verdict)| verdict.as_str()),
        };
        serde_json::to_writer(&mut *out, &object)?;
        out.write_all(b"\n")
    }

    fn is_decided(&self) -> bool {
        (self.kind != LineKind::Stream || self.reason.is_some()) && !self.waits
    }
}

/// The contract of `--each`, key by key.
#[derive(Serialize)]
struct Object<'a> {
    file: &'a str,
    line: u64,
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    class: Option<&'static str>,
    duration_seconds: Option<f64>,
    upstream: Option<&'a str>,
    session: Option<&'a str>,
    affinity: &'static str,
}

/// 48 bits: short to read, and 65,536 sessions share one by chance once in 130,000 runs.
fn short(hash: u64) -> String {
    format!("{:012x}", hash >> 16)
}

/// Answers in the order of reading, at most [`MAX_WAITING`].
#[derive(Debug)]
pub struct Queue {
    /// The reader's number of the first that waits.
    first: u64,
    waiting: VecDeque<Answer>,
}

impl Default for Queue {
    fn default() -> Self {
        Self {
            first: 1,
            waiting: VecDeque::new(),
        }
    }
}

impl Queue {
    /// Takes the answer of the line that the reader just numbered.
    pub fn push(&mut self, answer: Answer) {
        self.waiting.push_back(answer);
    }

    /// Completes the answer of a stream.
    pub fn decide(&mut self, closed: &Closed) {
        if let Some(answer) = self.of(closed.line) {
            answer.reason = Some(closed.reason);
        }
    }

    /// A line's session, as a later line shows it.
    pub fn judge(&mut self, line: u64, verdict: Verdict) {
        if let Some(answer) = self.of(line) {
            answer.session = answer.session.map(|(session, _)| (session, verdict));
            answer.waits = false;
        }
    }

    /// No more is shown of sessions: what still waits stays as it is.
    pub fn stop_waiting(&mut self) {
        self.waiting
            .iter_mut()
            .for_each(|answer| answer.waits = false);
    }

    /// The answer of the line with the reader's number.
    fn of(&mut self, line: u64) -> Option<&mut Answer> {
        let at = usize::try_from(line.checked_sub(self.first)?).ok()?;
        self.waiting.get_mut(at)
    }

    /// The next answer in order, if it is complete.
    pub fn pop(&mut self) -> Option<Answer> {
        if !self.waiting.front()?.is_decided() {
            return None;
        }
        self.first += 1;
        self.waiting.pop_front()
    }

    /// Whether the oldest stream must be decided before more is taken.
    pub fn is_full(&self) -> bool {
        self.waiting.len() >= MAX_WAITING
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(line: u64, kind: LineKind) -> Answer {
        Answer::new(line, (0, line), kind, None, &[])
    }

    fn closed(line: u64) -> Closed {
        Closed {
            line,
            reason: Reason::IdleTimeout,
            duration: None,
            upstream: None,
        }
    }

    fn lines(queue: &mut Queue) -> Vec<u64> {
        std::iter::from_fn(|| queue.pop())
            .map(|answer| answer.line)
            .collect()
    }

    #[test]
    fn answers_wait_for_the_one_before() {
        let mut queue = Queue::default();
        for (line, kind) in [
            (1, LineKind::Request),
            (2, LineKind::Stream),
            (3, LineKind::Ignored),
            (4, LineKind::Stream),
            (5, LineKind::Unparsed),
        ] {
            queue.push(answer(line, kind));
        }
        assert_eq!(lines(&mut queue), [1]);
        queue.decide(&closed(4));
        assert_eq!(lines(&mut queue), [0; 0]);
        queue.decide(&closed(2));
        assert_eq!(lines(&mut queue), [2, 3, 4, 5]);
        queue.decide(&closed(2));
        queue.decide(&closed(99));
        queue.push(answer(6, LineKind::Stream));
        queue.decide(&closed(6));
        assert_eq!(lines(&mut queue), [6]);
    }

    #[test]
    fn a_suspected_miss_waits_for_its_verdict() {
        let mut queue = Queue::default();
        for line in 1..=3 {
            let mut waiting = answer(line, LineKind::Request);
            waiting.session = Some((7, Verdict::Unknown));
            waiting.waits = true;
            queue.push(waiting);
        }
        assert_eq!(lines(&mut queue), [0; 0]);
        queue.judge(1, Verdict::Moved);
        let judged = queue.pop().map(|answer| answer.session);
        assert_eq!(judged, Some(Some((7, Verdict::Moved))));
        queue.stop_waiting();
        assert_eq!(lines(&mut queue), [2, 3]);
    }

    #[test]
    fn it_is_full_at_its_cap() {
        let mut queue = Queue::default();
        for line in 1..=MAX_WAITING as u64 {
            assert!(!queue.is_full());
            queue.push(answer(line, LineKind::Stream));
        }
        assert!(queue.is_full());
    }

    fn check(answer: &Answer, expected: &str) {
        let mut out = Vec::new();
        answer.write("access.log", &mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), format!("{expected}\n"));
    }

    #[test]
    fn an_answer_is_one_json_object() {
        let stream = Answer {
            file: 0,
            line: 12,
            kind: LineKind::Stream,
            reason: Some(Reason::IdleTimeout),
            duration: Some(Duration::from_secs(60)),
            upstream: Some("10.0.0.1:8080".into()),
            session: Some((0x0123_4567_89ab_cdef, Verdict::Kept)),
            waits: false,
        };
        check(
            &stream,
            r#"{"file":"access.log","line":12,"kind":"stream","reason":"idle_timeout","class":"abnormal","duration_seconds":60.0,"upstream":"10.0.0.1:8080","session":"0123456789ab","affinity":"kept"}"#,
        );
        check(
            &answer(7, LineKind::Unparsed),
            r#"{"file":"access.log","line":7,"kind":"unparsed","duration_seconds":null,"upstream":null,"session":null,"affinity":"none"}"#,
        );
    }

    #[test]
    fn a_lines_record_and_events_are_told() {
        let record = Record {
            duration: Some(Duration::from_millis(1_250)),
            upstream: Some(b"group"),
            ..Record::default()
        };
        let session = |line, session| Event::Session {
            line,
            verdict: Verdict::Moved,
            session,
            waits: false,
        };
        let events = [session(5, 1), session(9, 7)];
        let got = Answer::new(9, (1, 2), LineKind::Request, Some(&record), &events);
        assert_eq!(got.duration, record.duration);
        assert_eq!(got.upstream, None);
        assert_eq!(got.session, Some((7, Verdict::Moved)));
    }
}
