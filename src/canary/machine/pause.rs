//! Streams that a server ends without meaning it: polling after SEP-1699, and streams that never were.

use std::time::Instant;

use super::Canary;
use super::end::SUCCESS_AGE;
use crate::canary::ending::{self, Cause, Evidence};
use crate::canary::survival::Reading;
use crate::canary::{End, Event};
use crate::reason::Reason;
use crate::sse::Tail;

impl Canary {
    /// Whether a clean end is something else than the stream's; then it was dealt with.
    pub(super) fn is_no_end(&mut self, now: Instant, evidence: Evidence) -> bool {
        if evidence.cause != Cause::CleanEnd || evidence.tail != Tail::Whole {
            return false;
        }
        if self.protocol.may_pause() {
            self.pause(now, evidence);
            return true;
        }
        // A server whose streams speak may be stopped in the first second of one; it is not in that of each.
        if evidence.reading() == Reading::NoStream && !self.had_spoken {
            self.end(now, Reason::ProtocolError);
            return true;
        }
        false
    }

    /// The server ends the connection and may mean the stream to go on: whether it does shows when it is
    /// asked for again, after the time that the server named.
    fn pause(&mut self, now: Instant, evidence: Evidence) {
        if !self.has_spoken {
            // Asked to go on from a place that it does not know, rmcp answers with an empty stream.
            self.protocol.forget_place();
        }
        self.part(now, evidence.cause, evidence.tail);
        self.tell(Event::Paused);
        self.paused = Some(evidence);
        self.drop_all();
        if evidence.age >= SUCCESS_AGE {
            self.backoff.reset();
        }
        self.wait(now);
    }

    /// The stream was not to be had again: what looked like a pause was its end.
    pub(super) fn end_pause(&mut self) {
        let Some(evidence) = self.paused.take() else {
            return;
        };
        let (reason, side) = ending::of_stream(&evidence, &self.history);
        let Evidence { age, silence, .. } = evidence;
        self.tell(Event::EndedPaused(End {
            reason,
            side,
            age,
            silence,
        }));
    }
}
