//! The end of a stream: what is known, what is asked, what is concluded.

use std::time::{Duration, Instant};

use super::{Canary, Purpose, State};
use crate::canary::ending::{self, Cause, Evidence, Survival};
use crate::canary::protocol::Answer;
use crate::canary::{End, Event, Leg};
use crate::reason::Reason;
use crate::sse::Tail;

/// A stream that lived this long was a success: the waits start anew.
pub(super) const SUCCESS_AGE: Duration = Duration::from_secs(2);
/// Time for asking whether a session outlived its stream.
const CHECK_TIMEOUT: Duration = Duration::from_secs(5);
/// This many requests without an answer from a server end the question.
const UNREACHABLE_MAX: u32 = 3;
/// Time for the farewell: the session's DELETE, or a WebSocket's Close.
pub const FAREWELL_TIMEOUT: Duration = Duration::from_secs(2);

impl Canary {
    pub(super) fn stream_ended(&mut self, now: Instant, cause: Cause) {
        let tail = self.tap.finish();
        match self.state {
            State::Held => {}
            State::Joining { .. } => return self.fail(now, ending::of_attempt(cause)),
            _ => return,
        }
        let cause = self.protocol.read_end(cause);
        let evidence = self.evidence(now, cause, tail);
        if self.is_no_end(now, evidence) {
            return;
        }
        self.part(now, cause, tail);
        self.drop_all();
        let may_ask = self.protocol.has_session() && now >= self.not_before;
        if ending::is_broken(cause, tail) && may_ask {
            self.state = State::Checking {
                evidence,
                unreachable: 0,
                deadline: now + CHECK_TIMEOUT,
            };
            self.affinity.ask();
            self.push_probe(Purpose::Check);
        } else {
            self.conclude(now, evidence);
        }
    }

    fn evidence(&self, now: Instant, cause: Cause, tail: Tail) -> Evidence {
        let opened_at = self.opened_at.unwrap_or(now);
        Evidence {
            leg: self.settings.leg,
            cause,
            tail,
            age: now.saturating_duration_since(opened_at),
            silence: self.heartbeats.silence(now),
            has_spoken: self.has_spoken,
            survival: Survival::Unasked,
        }
    }

    /// The session was asked for after a cut or a reset.
    pub(super) fn checked(&mut self, now: Instant, answer: &Answer) {
        match answer.status {
            200..=299 => {
                self.count_found();
                return self.conclude_check(now, Survival::Alive);
            }
            // Asked to wait: an answer about the session would come too late.
            _ if self.not_before > now => return self.conclude_check(now, Survival::Undecided),
            500..=599 => return self.unreachable(now, Survival::Unreachable),
            400 | 404 => self.affinity.refused(),
            _ => return self.conclude_check(now, Survival::Undecided),
        }
        let direct = self.settings.leg == Leg::Direct;
        if self.affinity.is_open(direct) {
            return self.push_probe(Purpose::Check);
        }
        let gone = self.affinity.concludes_gone(direct);
        self.conclude_check(
            now,
            if gone {
                Survival::Gone
            } else {
                Survival::Undecided
            },
        );
    }

    /// Nobody answered: on the direct leg only a refused connection says that the process is gone.
    pub(super) fn check_failed(&mut self, now: Instant, cause: Cause) {
        let verdict = match (self.settings.leg, cause) {
            (Leg::Proxy, _) => Survival::ProxyGone,
            (Leg::Direct, Cause::Refused) => Survival::Unreachable,
            (Leg::Direct, _) => Survival::Undecided,
        };
        self.unreachable(now, verdict);
    }

    fn unreachable(&mut self, now: Instant, verdict: Survival) {
        let State::Checking { unreachable, .. } = &mut self.state else {
            return;
        };
        *unreachable += 1;
        if *unreachable < UNREACHABLE_MAX {
            return self.push_probe(Purpose::Check);
        }
        self.affinity
            .concludes_gone(self.settings.leg == Leg::Direct);
        self.conclude_check(now, verdict);
    }

    pub(super) fn conclude_check(&mut self, now: Instant, survival: Survival) {
        if let State::Checking { evidence, .. } = self.state {
            // Where no server is reached, the session is asked for again when one is.
            if survival == Survival::Gone {
                self.lose_session();
            }
            self.conclude(
                now,
                Evidence {
                    survival,
                    ..evidence
                },
            );
        }
    }

    fn conclude(&mut self, now: Instant, evidence: Evidence) {
        let (reason, side) = ending::of_stream(&evidence, &self.history);
        if ending::is_broken(evidence.cause, evidence.tail) {
            self.history.cut(evidence.age, evidence.silence);
        }
        let (age, silence) = (evidence.age, evidence.silence);
        self.tell(Event::Ended(End {
            reason,
            side,
            age,
            silence,
        }));
        if age >= SUCCESS_AGE {
            self.backoff.reset();
        }
        self.wait(now);
    }

    /// Holter itself ends the stream.
    pub(super) fn end(&mut self, now: Instant, reason: Reason) {
        if !matches!(self.state, State::Held) {
            return self.fail(now, reason);
        }
        self.tell_own_end(now, reason);
        self.drop_all();
        self.wait(now);
    }

    pub(super) fn tell_own_end(&mut self, now: Instant, reason: Reason) {
        let Evidence {
            leg, age, silence, ..
        } = self.evidence(now, Cause::Other, Tail::Whole);
        let side = ending::side(leg, reason);
        self.tell(Event::Ended(End {
            reason,
            side,
            age,
            silence,
        }));
    }

    pub(super) fn stop(&mut self, now: Instant) {
        match self.state {
            State::Leaving { .. } | State::Over => return,
            State::Held => self.tell_own_end(now, Reason::Rotated),
            State::Checking { .. } => self.conclude_check(now, Survival::Undecided),
            State::Resting { .. } => self.tell(Event::NoStreamOver),
            State::Waiting { .. } | State::Joining { .. } => {}
        }
        self.end_pause();
        self.state = State::Leaving {
            deadline: now + FAREWELL_TIMEOUT,
        };
        // An `initialize` in flight may yet mint a session: its answer is awaited, to delete it.
        let handshake = self
            .in_flight
            .take_if(|(purpose, _)| *purpose == Purpose::Handshake);
        self.drop_all();
        match handshake {
            Some(pending) => self.in_flight = Some(pending),
            None => self.give_up_session(),
        }
    }
}
