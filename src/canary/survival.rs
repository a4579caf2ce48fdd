//! What an end, a refusal or a silence allows to conclude: one table, [`read`], by which everything here decides.
//!
//! The rows are what servers and proxies were seen to do. Where several causes look alike the reading says
//! so, and nothing is concluded from it.
//!
//! | row | who asks |
//! |---|---|
//! | a clean end and what becomes of the session; the same for a cut | [`ending`](super::ending), [`lost_cause`] |
//! | a clean end within a second, without a byte | the machine, before it takes the end for one |
//! | an id refused here and known there, or beside its own stream | [`affinity`](super::affinity), the machine |
//! | an id that nobody minted is accepted | nobody: Holter invents no ids, a server's log would count them |
//! | no byte for a time, with and without a heartbeat | [`heartbeat`](super::heartbeat) |
//! | the time in a Python server's comments against that of their arrival | nobody: it needs two clocks that agree, and the other leg tells of a delay without |

use std::time::Duration;

use super::LostCause;

/// Whether the session outlived its stream, as connections after the end say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Survival {
    /// There is no session that could be asked, or it was not asked yet.
    Unasked,
    /// A request with its id was answered: the process that knows it lives.
    Alive,
    /// No replica knows its id any more.
    Gone,
    /// Nobody is there who could know it: the server's port refuses, or the proxy reaches no server.
    Unreachable,
    /// Not even the proxy answers.
    ProxyGone,
    /// Asked, without a conclusion.
    Undecided,
}

/// Something that was seen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Observation {
    /// A stream ended.
    Ended {
        /// Before its end: without the final chunk, or by a reset.
        is_cut: bool,
        /// Whether a byte came on it before.
        has_spoken: bool,
        /// How long it was open.
        age: Duration,
        /// What followed.
        survival: Survival,
    },
    /// A request with a good id was refused with 404 or 400.
    Refused {
        /// The id is known on other connections.
        is_known_elsewhere: bool,
        /// The session is one that cannot outlive its stream (HTTP+SSE), and the stream is open.
        stream_is_open: bool,
    },
    /// Nothing arrived for a time.
    Silent {
        /// For how long.
        silence: Duration,
        /// How long it may be, where the server ever beat.
        allowed: Option<Duration>,
    },
}

/// What an observation allows to conclude.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// The session ended too: DELETE, expiry, a graceful close, or a crash behind HTTP/1.0.
    SessionEnded,
    /// The server closed the connection and keeps the session: polling, rotation.
    StreamClosed,
    /// There never was a stream: the server meant 405, or hides a 409.
    NoStream,
    /// The process is gone; how it went nobody can tell.
    ProcessGone,
    /// The proxy is gone.
    ProxyGone,
    /// The process lives, so the stream was cut on the way, or given up alone.
    CutOnTheWay,
    /// The process that knew the session is gone, and others answer.
    Restarted,
    /// The session tells nothing.
    Untold,
    /// The request reached another replica.
    Miss,
    /// Not known yet: expiry, restart or another replica.
    AskAgain,
    /// Normal.
    Normal,
    /// Heartbeats are missing.
    HeartbeatLost,
}

/// A stream that ends cleanly this soon, without a byte, was none: the server meant 405, or a 409 that its
/// framework could not say any more after the 200.
const STILLBORN: Duration = Duration::from_secs(1);

/// The table.
pub fn read(seen: &Observation) -> Reading {
    match *seen {
        Observation::Ended {
            is_cut: false,
            has_spoken: false,
            age,
            ..
        } if age < STILLBORN => Reading::NoStream,
        Observation::Ended {
            is_cut, survival, ..
        } => match (survival, is_cut) {
            (Survival::Unasked | Survival::Undecided, _) => Reading::Untold,
            (Survival::Unreachable, _) => Reading::ProcessGone,
            (Survival::ProxyGone, _) => Reading::ProxyGone,
            (Survival::Alive, true) => Reading::CutOnTheWay,
            (Survival::Alive, false) => Reading::StreamClosed,
            (Survival::Gone, true) => Reading::Restarted,
            (Survival::Gone, false) => Reading::SessionEnded,
        },
        Observation::Refused {
            is_known_elsewhere: false,
            stream_is_open: false,
        } => Reading::AskAgain,
        Observation::Refused { .. } => Reading::Miss,
        Observation::Silent { silence, allowed } => match allowed {
            Some(allowed) if silence >= allowed => Reading::HeartbeatLost,
            _ => Reading::Normal,
        },
    }
}

/// What is known of a session when no replica knows it any more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Parting {
    /// The stream was cut, or ended cleanly.
    pub is_cut: bool,
    /// Since the stream ended, nobody listened, or the proxy reached nobody (502, 503).
    pub nobody_listened: bool,
    /// Sessions of this slot end after one time, again and again, with a clean end.
    pub repeats: bool,
    /// The server's own stream of the session is still open: the process lives.
    pub process_lives: bool,
}

/// Why the session is gone, now that its id was answered so; `None` where it lives. Said only where it is certain.
pub fn lost_cause(parting: Parting, answered: Survival) -> Option<LostCause> {
    let seen = Observation::Ended {
        is_cut: parting.is_cut,
        has_spoken: true,
        age: Duration::MAX,
        survival: match answered {
            Survival::Gone if parting.nobody_listened => Survival::Unreachable,
            answered => answered,
        },
    };
    match read(&seen) {
        Reading::CutOnTheWay | Reading::StreamClosed => None,
        _ if parting.process_lives => Some(LostCause::Expired),
        Reading::ProcessGone => Some(LostCause::Restart),
        Reading::SessionEnded if parting.repeats => Some(LostCause::Expired),
        // After a cut: a restart behind a proxy, or a proxy that now sends the id elsewhere for good.
        _ => Some(LostCause::Unknown),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(is_cut: bool, survival: Survival) -> Observation {
        Observation::Ended {
            is_cut,
            has_spoken: true,
            age: Duration::from_secs(60),
            survival,
        }
    }

    fn soon(is_cut: bool, has_spoken: bool) -> Observation {
        Observation::Ended {
            is_cut,
            has_spoken,
            age: Duration::from_millis(300),
            survival: Survival::Unasked,
        }
    }

    fn refused(is_known_elsewhere: bool, stream_is_open: bool) -> Observation {
        Observation::Refused {
            is_known_elsewhere,
            stream_is_open,
        }
    }

    /// At the tolerance of 2.5 that is the default.
    fn silent(seconds: f64, interval: Option<u64>) -> Observation {
        Observation::Silent {
            silence: Duration::from_secs_f64(seconds),
            allowed: interval.map(|interval| Duration::from_secs(interval) * 5 / 2),
        }
    }

    #[test]
    #[rustfmt::skip] // A table.
    fn every_row_of_the_table() {
        use Reading as R;
        use Survival::{Alive, Gone, ProxyGone, Unasked, Undecided, Unreachable};
        for (row, seen, reading) in [
            ("clean end, later 404", ended(false, Gone), R::SessionEnded),
            ("clean end, id still 200", ended(false, Alive), R::StreamClosed),
            ("clean end within 1 s, no events", soon(false, false), R::NoStream),
            ("clean end within 1 s, after an event", soon(false, true), R::Untold),
            ("truncation within 1 s, no events", soon(true, false), R::Untold),
            ("truncation, next connect refused", ended(true, Unreachable), R::ProcessGone),
            ("truncation, the proxy refuses", ended(true, ProxyGone), R::ProxyGone),
            ("truncation, next connect fine, id 200", ended(true, Alive), R::CutOnTheWay),
            ("truncation, id 404 everywhere", ended(true, Gone), R::Restarted),
            ("truncation, no session", ended(true, Unasked), R::Untold),
            ("truncation, no answer in time", ended(true, Undecided), R::Untold),
            ("id 404, not yet asked elsewhere", refused(false, false), R::AskAgain),
            ("id alternates 404/200", refused(true, false), R::Miss),
            ("SSE: POST 4xx while own GET is open", refused(false, true), R::Miss),
            // "id unknown but 200" is not seen: see the top of this file.
            ("headers, no body byte within 1 s", silent(1.0, None), R::Normal),
            ("modern call silent for more than 15 s", silent(16.0, None), R::Normal),
            ("gap of more than the tolerance", silent(37.5, Some(15)), R::HeartbeatLost),
            ("gap of 2.4 intervals", silent(36.0, Some(15)), R::Normal),
            ("a server that never beat", silent(86_400.0, None), R::Normal),
            // "Python ping timestamp against arrival" is not used: see the top of this file.
        ] {
            assert_eq!(read(&seen), reading, "{row}");
        }
    }

    #[test]
    fn a_cause_is_named_where_it_is_certain() {
        let none = Parting::default();
        let nobody_listened = Parting {
            nobody_listened: true,
            ..none
        };
        for (parting, cause) in [
            (none, LostCause::Unknown),
            (
                Parting {
                    is_cut: true,
                    ..none
                },
                LostCause::Unknown,
            ),
            (nobody_listened, LostCause::Restart),
            (
                Parting {
                    is_cut: true,
                    ..nobody_listened
                },
                LostCause::Restart,
            ),
            (
                Parting {
                    repeats: true,
                    ..none
                },
                LostCause::Expired,
            ),
            (
                Parting {
                    repeats: true,
                    is_cut: true,
                    ..none
                },
                LostCause::Unknown,
            ),
            (
                Parting {
                    repeats: true,
                    ..nobody_listened
                },
                LostCause::Restart,
            ),
            (
                Parting {
                    process_lives: true,
                    ..none
                },
                LostCause::Expired,
            ),
        ] {
            assert_eq!(
                lost_cause(parting, Survival::Gone),
                Some(cause),
                "{parting:?}"
            );
            assert_eq!(lost_cause(parting, Survival::Alive), None, "{parting:?}");
        }
    }
}
