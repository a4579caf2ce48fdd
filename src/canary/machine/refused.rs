//! A session that is refused with 404 or 400 while a stream is asked for: it is elsewhere, or gone, or it is
//! not what was refused.

use std::time::Instant;

use super::{Canary, Do, Purpose};
use crate::canary::Leg;
use crate::canary::protocol::{Answer, Request};
use crate::reason::Reason;

impl Canary {
    /// Another replica may have the session: ask again on a fresh connection, within reason.
    pub(super) fn refused_joining(&mut self, now: Instant, request: Request) {
        let is_stream = request.body.is_none();
        if is_stream {
            // What follows the head of a refusal is no stream.
            self.act(Do::Close);
        }
        self.count_refused();
        if !self.affinity.is_open(self.settings.leg == Leg::Direct) {
            return self.refused_everywhere(now, is_stream);
        }
        if is_stream {
            self.act(Do::Open(request));
        } else {
            self.outbox.push_back((Purpose::Handshake, request));
        }
    }

    /// A GET may be refused although the session lives: C#'s SDK answers 400 to a second one, and where there is
    /// no stream, 404 is said for 405. So the session is asked for by POST. What was refused before is then no
    /// sign of misses.
    fn refused_everywhere(&mut self, now: Instant, is_stream: bool) {
        if is_stream && self.protocol.has_session() {
            self.affinity.ask();
            return self.push_probe(Purpose::Known);
        }
        self.gone_joining(now);
    }

    /// The session was asked for by POST, after the GETs were refused.
    pub(super) fn known_replied(&mut self, now: Instant, answer: &Answer) {
        if !answer.is_session_refusal() {
            if answer.is_success() {
                self.count_found();
            }
            // As after a 409: the session is used again, and given up after a few attempts.
            return self.fail(now, Reason::Http4xx);
        }
        self.count_refused();
        if self.affinity.is_open(self.settings.leg == Leg::Direct) {
            self.push_probe(Purpose::Known);
        } else {
            self.gone_joining(now);
        }
    }

    fn gone_joining(&mut self, now: Instant) {
        let reason = if self.protocol.has_session() {
            Reason::SessionLost
        } else {
            Reason::Http4xx
        };
        let was_good = self.session_was_good && reason == Reason::SessionLost;
        if !was_good {
            // Where it was minted it may live.
            self.give_up_session();
            return self.fail(now, reason);
        }
        self.end_pause();
        // A client must ask for a new session, at once and without the lost one's id.
        self.lose_refused_session();
        self.ask_for_stream(now);
    }
}
