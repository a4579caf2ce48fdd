//! What the next connections say of an end, a refusal or a silence: one table, and why a session is gone.
//!
//! The rows are what servers and proxies were seen to do. Where several causes look alike the reading says
//! so, and nothing is concluded from it.

use std::time::Duration;

use super::LostCause;

/// What connections after an end say of the session's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Later {
    /// Nobody listens, or the proxy reaches nobody.
    NobodyListens,
    /// Accepted.
    Known,
    /// Refused with 404 or 400 on every connection.
    Unknown,
}

/// Something that was seen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Observation {
    /// A stream ended.
    Ended {
        /// Without the final chunk.
        is_cut: bool,
        /// Whether a byte came on it before.
        has_spoken: bool,
        /// How long it was open.
        age: Duration,
        /// What followed.
        later: Later,
    },
    /// A request with a good id was refused with 404 or 400.
    Refused {
        /// The id is known on other connections.
        is_known_elsewhere: bool,
        /// The session is one that cannot outlive its stream (HTTP+SSE), and the stream is open.
        stream_is_open: bool,
    },
    /// An id that nobody minted was accepted.
    StrangeIdAccepted,
    /// Nothing arrived for a time.
    Silent {
        /// For how long.
        silence: Duration,
        /// The heartbeat's interval, where the server ever beat.
        interval: Option<Duration>,
        /// A silence of more intervals than this is too long.
        tolerance: f64,
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
    /// Somebody between cut the stream.
    CutOnTheWay,
    /// The process that knew the session is gone, behind a proxy that reaches others.
    Restarted,
    /// The request reached another replica.
    Miss,
    /// Not known yet: expiry, restart or another replica.
    AskAgain,
    /// Sessions are shared or mean nothing here: no miss can be seen.
    MissesInvisible,
    /// Normal.
    Normal,
    /// Heartbeats are missing.
    HeartbeatLost,
}

/// A stream that ends cleanly this soon, without a byte, was none: the server meant 405, or a 409 that its
/// framework could not say any more after the 200.
pub const STILLBORN: Duration = Duration::from_secs(1);

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
            later: Later::NobodyListens,
            ..
        } => Reading::ProcessGone,
        Observation::Ended {
            is_cut: true,
            later: Later::Known,
            ..
        } => Reading::CutOnTheWay,
        Observation::Ended {
            is_cut: true,
            later: Later::Unknown,
            ..
        } => Reading::Restarted,
        Observation::Ended {
            is_cut: false,
            later: Later::Known,
            ..
        } => Reading::StreamClosed,
        Observation::Ended {
            is_cut: false,
            later: Later::Unknown,
            ..
        } => Reading::SessionEnded,
        Observation::Refused {
            is_known_elsewhere,
            stream_is_open,
        } => {
            if is_known_elsewhere || stream_is_open {
                Reading::Miss
            } else {
                Reading::AskAgain
            }
        }
        Observation::StrangeIdAccepted => Reading::MissesInvisible,
        Observation::Silent {
            silence,
            interval,
            tolerance,
        } => {
            let limit = interval.map(|interval| interval.as_secs_f64() * tolerance);
            match limit {
                Some(limit) if silence.as_secs_f64() >= limit => Reading::HeartbeatLost,
                _ => Reading::Normal,
            }
        }
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

/// Why the session is gone; said only where it is certain.
pub fn lost_cause(parting: Parting) -> LostCause {
    let seen = Observation::Ended {
        is_cut: parting.is_cut,
        has_spoken: true,
        age: Duration::MAX,
        later: if parting.nobody_listened {
            Later::NobodyListens
        } else {
            Later::Unknown
        },
    };
    match read(&seen) {
        _ if parting.process_lives => LostCause::Expired,
        Reading::ProcessGone => LostCause::Restart,
        Reading::SessionEnded if parting.repeats => LostCause::Expired,
        // After a cut: a restart behind a proxy, or a proxy that now sends the id elsewhere for good.
        _ => LostCause::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(is_cut: bool, later: Later) -> Observation {
        Observation::Ended {
            is_cut,
            has_spoken: true,
            age: Duration::from_secs(60),
            later,
        }
    }

    fn stillborn() -> Observation {
        Observation::Ended {
            is_cut: false,
            has_spoken: false,
            age: Duration::from_millis(300),
            later: Later::Known,
        }
    }

    fn refused(is_known_elsewhere: bool, stream_is_open: bool) -> Observation {
        Observation::Refused {
            is_known_elsewhere,
            stream_is_open,
        }
    }

    fn silent(seconds: f64, interval: Option<u64>) -> Observation {
        Observation::Silent {
            silence: Duration::from_secs_f64(seconds),
            interval: interval.map(Duration::from_secs),
            tolerance: 2.0,
        }
    }

    #[test]
    #[expect(clippy::too_many_lines, reason = "a table")]
    fn every_row_of_the_table() {
        for (row, seen, reading) in [
            (
                "clean end, later 404",
                ended(false, Later::Unknown),
                Reading::SessionEnded,
            ),
            (
                "clean end, id still 200",
                ended(false, Later::Known),
                Reading::StreamClosed,
            ),
            (
                "clean end within 1 s, no events",
                stillborn(),
                Reading::NoStream,
            ),
            (
                "truncation, next connect refused",
                ended(true, Later::NobodyListens),
                Reading::ProcessGone,
            ),
            (
                "truncation, next connect fine, id 200",
                ended(true, Later::Known),
                Reading::CutOnTheWay,
            ),
            (
                "truncation, id 404 everywhere",
                ended(true, Later::Unknown),
                Reading::Restarted,
            ),
            (
                "id 404, not yet asked elsewhere",
                refused(false, false),
                Reading::AskAgain,
            ),
            ("id alternates 404/200", refused(true, false), Reading::Miss),
            (
                "SSE: POST 4xx while own GET is open",
                refused(false, true),
                Reading::Miss,
            ),
            (
                "id unknown but 200",
                Observation::StrangeIdAccepted,
                Reading::MissesInvisible,
            ),
            (
                "headers, no body byte within 1 s",
                silent(1.0, None),
                Reading::Normal,
            ),
            (
                "modern call silent for more than 15 s",
                silent(16.0, None),
                Reading::Normal,
            ),
            (
                "gap of more than 2 intervals after comments",
                silent(31.0, Some(15)),
                Reading::HeartbeatLost,
            ),
            ("gap of 1 interval", silent(15.0, Some(15)), Reading::Normal),
            (
                "a server that never beat",
                silent(86_400.0, None),
                Reading::Normal,
            ),
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
            assert_eq!(lost_cause(parting), cause, "{parting:?}");
        }
    }
}
