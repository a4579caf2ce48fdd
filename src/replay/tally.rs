//! Counts over all lines of a replay: what the report is made of.
//!
//! Everything has a cap: closed sets, bins of ages, and at most [`MAX_UPSTREAMS`] addresses. It does
//! not know files, times or formats.

use super::ages::Ages;
use crate::access_log::UnparsedKind;
use crate::access_log::event::{Closed, Event, LineKind};
use crate::affinity::Verdict;
use crate::label::Label;
use crate::reason::{Class, Reason};

/// Most upstream addresses that are counted each for itself; the rest is [`OTHER`].
pub const MAX_UPSTREAMS: usize = 16;

/// The name of the rest.
pub const OTHER: &str = "other";

/// A count for each value of a closed set.
#[derive(Debug, Clone)]
pub struct Counts<L: Label>(Vec<(L, u64)>);

impl<L: Label + PartialEq> Default for Counts<L> {
    fn default() -> Self {
        Self(L::ALL.iter().map(|value| (*value, 0)).collect())
    }
}

impl<L: Label + PartialEq> Counts<L> {
    /// Counts one.
    pub fn add(&mut self, value: L) {
        if let Some((_, count)) = self.0.iter_mut().find(|(known, _)| *known == value) {
            *count += 1;
        }
    }

    /// How many of this value.
    pub fn of(&self, value: L) -> u64 {
        let found = self.0.iter().find(|(known, _)| *known == value);
        found.map_or(0, |(_, count)| *count)
    }

    /// The values that occurred, in the set's order.
    pub fn seen(&self) -> impl Iterator<Item = (L, u64)> {
        self.0.iter().copied().filter(|(_, count)| *count > 0)
    }

    /// How many in all.
    pub fn total(&self) -> u64 {
        self.0.iter().map(|(_, count)| count).sum()
    }
}

/// Which of the two logs a line stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Log {
    /// The access log.
    Access,
    /// The error log.
    Error,
}

/// All counts.
#[derive(Debug)]
pub struct Tally {
    /// Access lines by kind.
    pub kinds: Counts<LineKind>,
    /// Access lines that were not understood, by what is wrong with them.
    pub unparsed: Counts<UnparsedKind>,
    /// The first of them: its file's index, and its number there.
    pub first_unparsed: Option<(usize, u64)>,
    /// Lines of the error log.
    pub error_lines: u64,
    /// Those of them that were not understood.
    pub error_unparsed: u64,
    /// Ends by reason.
    pub reasons: Counts<Reason>,
    /// The ages of all ends, where logged.
    pub ages: Ages,
    /// The same, by reason.
    pub by_reason: Vec<(Reason, Ages)>,
    /// Ends by upstream and class, the busiest not first.
    pub upstreams: Vec<(Box<str>, Counts<Class>)>,
    /// Session requests by verdict.
    pub verdicts: Counts<Verdict>,
    /// Sessions that were deleted.
    pub deleted: u64,
    /// Requests whose session was not known where they went.
    pub unknown: u64,
    /// Streams that were decided without waiting for the error log, and entries forgotten.
    pub join_evicted: u64,
    /// Sessions that were forgotten to make room.
    pub sessions_evicted: u64,
}

impl Default for Tally {
    fn default() -> Self {
        let ages = |reason: &Reason| (*reason, Ages::default());
        Self {
            by_reason: Reason::ALL.iter().map(ages).collect(),
            kinds: Counts::default(),
            unparsed: Counts::default(),
            first_unparsed: None,
            error_lines: 0,
            error_unparsed: 0,
            reasons: Counts::default(),
            ages: Ages::default(),
            upstreams: Vec::new(),
            verdicts: Counts::default(),
            deleted: 0,
            unknown: 0,
            join_evicted: 0,
            sessions_evicted: 0,
        }
    }
}

impl Tally {
    /// Counts an access line, which stands at this place.
    pub fn access(&mut self, kind: LineKind, place: (usize, u64)) {
        self.kinds.add(kind);
        if kind == LineKind::Unparsed {
            self.first_unparsed.get_or_insert(place);
        }
    }

    /// Counts what a line of this log gave.
    pub fn event(&mut self, log: Log, event: &Event) {
        match event {
            Event::StreamClosed(closed) => self.closed(closed),
            // A suspected miss comes again when it is certain.
            Event::Session { waits: true, .. } => {}
            Event::Session { verdict, .. } => self.verdicts.add(*verdict),
            Event::SessionOpened => {}
            Event::SessionDeleted => self.deleted += 1,
            Event::SessionUnknown => self.unknown += 1,
            Event::Unparsed(kind) if log == Log::Access => self.unparsed.add(*kind),
            Event::Unparsed(_) => self.error_unparsed += 1,
            Event::JoinEvicted => self.join_evicted += 1,
            Event::SessionsEvicted => self.sessions_evicted += 1,
        }
    }

    /// Requests whose session and upstream are known, and those of them that went elsewhere.
    pub fn affinity(&self) -> (u64, u64) {
        let moved = self.verdicts.of(Verdict::Moved);
        (self.verdicts.of(Verdict::Kept) + moved, moved)
    }

    fn closed(&mut self, closed: &Closed) {
        self.reasons.add(closed.reason);
        if let Some(age) = closed.duration {
            self.ages.add(age);
            let mut known = self.by_reason.iter_mut();
            if let Some((_, ages)) = known.find(|(reason, _)| *reason == closed.reason) {
                ages.add(age);
            }
        }
        if let Some(address) = closed.upstream.as_deref() {
            self.upstream(address, closed.reason.class());
        }
    }

    fn upstream(&mut self, address: &str, class: Class) {
        let known = |upstreams: &[(Box<str>, _)], name: &str| {
            upstreams.iter().any(|(known, _)| **known == *name)
        };
        let has_room = self.upstreams.len() < MAX_UPSTREAMS || known(&self.upstreams, address);
        let name = if has_room { address } else { OTHER };
        if !known(&self.upstreams, name) {
            self.upstreams.push((name.into(), Counts::default()));
        }
        let found = self
            .upstreams
            .iter_mut()
            .find(|(known, _)| **known == *name);
        if let Some((_, counts)) = found {
            counts.add(class);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn closed(reason: Reason, seconds: Option<u64>, upstream: &str) -> Event {
        Event::StreamClosed(Closed {
            line: 1,
            reason,
            duration: seconds.map(Duration::from_secs),
            upstream: Some(upstream.into()),
        })
    }

    #[test]
    fn ends_are_counted_by_reason_age_and_upstream() {
        let mut tally = Tally::default();
        for event in [
            closed(Reason::IdleTimeout, Some(60), "a:1"),
            closed(Reason::IdleTimeout, None, "a:1"),
            closed(Reason::ClientClose, Some(3), "b:1"),
        ] {
            tally.event(Log::Access, &event);
        }
        let reasons: Vec<_> = tally.reasons.seen().collect();
        assert_eq!(
            reasons,
            [(Reason::ClientClose, 1), (Reason::IdleTimeout, 2)]
        );
        assert_eq!((tally.ages.total(), tally.reasons.total()), (2, 3));
        let of_reason = |reason| tally.by_reason.iter().find(|(known, _)| *known == reason);
        assert_eq!(of_reason(Reason::IdleTimeout).unwrap().1.total(), 1);
        let (name, counts) = &tally.upstreams[0];
        assert_eq!((&**name, counts.of(Class::Abnormal)), ("a:1", 2));
        assert_eq!(tally.upstreams[1].1.of(Class::Client), 1);
    }

    #[test]
    fn upstreams_are_capped() {
        let mut tally = Tally::default();
        for n in 0..100 {
            tally.event(Log::Access, &closed(Reason::Drain, None, &format!("a:{n}")));
        }
        assert_eq!(tally.upstreams.len(), MAX_UPSTREAMS + 1);
        let (name, counts) = tally.upstreams.last().unwrap();
        assert_eq!(
            (&**name, counts.total()),
            (OTHER, 100 - MAX_UPSTREAMS as u64)
        );
    }

    #[test]
    fn what_is_not_understood_is_counted_by_log() {
        let mut tally = Tally::default();
        tally.event(Log::Access, &Event::Unparsed(UnparsedKind::Format));
        tally.event(Log::Error, &Event::Unparsed(UnparsedKind::Format));
        tally.event(Log::Error, &Event::Unparsed(UnparsedKind::Empty));
        assert_eq!((tally.unparsed.total(), tally.error_unparsed), (1, 2));
    }

    #[test]
    fn affinity_counts_only_what_can_be_judged() {
        let mut tally = Tally::default();
        for verdict in [
            Verdict::Opened,
            Verdict::Kept,
            Verdict::Kept,
            Verdict::Moved,
            Verdict::Unknown,
        ] {
            tally.event(
                Log::Access,
                &Event::Session {
                    line: 1,
                    verdict,
                    session: 7,
                    waits: false,
                },
            );
        }
        assert_eq!(tally.affinity(), (3, 1));
    }
}
