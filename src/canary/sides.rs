//! On whose side a fault is, by comparison of the legs: one table, no state.
//!
//! A leg that goes on while the other one ends takes itself out of question, and what it shares with the
//! other one too. The rows and their reasons stand in `docs/verdicts.md`, section "Side".

use std::time::{Duration, Instant};

use super::End;
use crate::reason::{Reason, Side};

/// What one leg showed around a fault.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Fate {
    /// The first stream that ended, and when.
    pub ended: Option<(End, Instant)>,
    /// The first attempt that failed.
    pub failed: Option<Reason>,
    /// A stream is silent for longer than its heartbeat allows.
    pub late: bool,
    /// No replica knows the session any more.
    pub lost: bool,
    /// A stream was held again on the session of before.
    pub survived: bool,
    /// A stream was held again.
    pub held_again: bool,
}

/// Ends this close together have one cause, where the streams' ages are further apart.
const TOGETHER: Duration = Duration::from_millis(500);

impl Fate {
    /// Whether the fault touched this leg.
    pub fn is_hit(&self) -> bool {
        self.ended.is_some() || self.failed.is_some() || self.late
    }

    /// Whether it showed what came after: a stream, a refusal, a lost session.
    pub fn is_followed_up(&self) -> bool {
        self.held_again || self.failed.is_some() || self.lost
    }

    fn is_unreachable(&self) -> bool {
        matches!(
            self.failed,
            Some(Reason::ConnectTimeout | Reason::DnsError | Reason::TlsError)
        )
    }

    /// What the leg's own end says, before any comparison.
    fn own_side(&self) -> Side {
        if self.lost {
            return Side::Server;
        }
        self.ended.map_or(Side::Unknown, |(end, _)| end.side)
    }
}

/// The side of a fault; a leg that is not configured, or was down before, is `None`.
pub fn side(direct: Option<&Fate>, proxy: Option<&Fate>) -> Side {
    let hit = |leg: &&Fate| leg.is_hit();
    match (direct.filter(hit), proxy.filter(hit)) {
        (Some(direct), Some(proxy)) => of_both(direct, proxy),
        (Some(direct), None) => of_direct(direct, proxy.is_some()),
        // The replica forgot the session; the proxy had no part in that.
        (None, Some(proxy)) if direct.is_some() && proxy.lost => Side::Server,
        (None, Some(_)) if direct.is_some() => Side::Proxy,
        (None, Some(proxy)) => proxy.own_side(),
        (None, None) => Side::Unknown,
    }
}

/// The proxy leg goes on, or tells nothing.
fn of_direct(direct: &Fate, proxy_lives: bool) -> Side {
    match (direct.own_side(), direct.failed) {
        // Nobody listens any more, or somebody answers, and it is the replica.
        (
            Side::Unknown,
            Some(
                Reason::ConnectRefused | Reason::Http4xx | Reason::Http5xx | Reason::ProtocolError,
            ),
        ) => Side::Server,
        // It accepts and says nothing, unless it serves the proxy at the same moment.
        (Side::Unknown, Some(Reason::HeartbeatTimeout)) if !proxy_lives => Side::Server,
        (side, _) => side,
    }
}

/// Both legs share the server, and the way out of here.
fn of_both(direct: &Fate, proxy: &Fate) -> Side {
    if direct.lost || proxy.lost {
        return Side::Server;
    }
    if direct.is_unreachable() {
        // Alone it may be the replica's host or its name.
        return if proxy.is_unreachable() {
            Side::Network
        } else {
            Side::Unknown
        };
    }
    if is_torn_on_the_way(direct, proxy) {
        return Side::Network;
    }
    Side::Server
}

/// Streams of different ages, broken at one moment without a final chunk while the server kept both
/// sessions: neither a timer nor a server that died. One that means to end a stream sends the final chunk.
fn is_torn_on_the_way(direct: &Fate, proxy: &Fate) -> bool {
    let (Some((one, one_at)), Some((other, other_at))) = (direct.ended, proxy.ended) else {
        return false;
    };
    let apart = one_at.max(other_at).duration_since(one_at.min(other_at));
    let by_age = one.age.abs_diff(other.age);
    matches!(one.reason, Reason::ServerCut | Reason::ServerReset)
        && other.reason != Reason::ServerClose
        && apart <= TOGETHER
        && by_age > apart + TOGETHER
        && direct.survived
        && proxy.survived
}

#[cfg(test)]
#[expect(
    clippy::disallowed_methods,
    reason = "an origin for the test's own time line"
)]
mod tests {
    use super::*;

    fn ended(reason: Reason, side: Side, age: u64) -> Fate {
        let end = End {
            reason,
            side,
            age: Duration::from_secs(age),
            silence: Duration::ZERO,
        };
        Fate {
            ended: Some((end, Instant::now())),
            ..Fate::default()
        }
    }

    fn failed(reason: Reason) -> Fate {
        Fate {
            failed: Some(reason),
            ..Fate::default()
        }
    }

    fn after(fate: Fate, reason: Reason) -> Fate {
        Fate {
            failed: Some(reason),
            ..fate
        }
    }

    fn survived(fate: Fate) -> Fate {
        Fate {
            survived: true,
            held_again: true,
            ..fate
        }
    }

    fn lost(fate: Fate) -> Fate {
        Fate { lost: true, ..fate }
    }

    #[test]
    #[expect(clippy::too_many_lines, reason = "a table")]
    fn the_rows_of_the_table() {
        let lives = Fate::default();
        let alone = ended(Reason::ServerCut, Side::Unknown, 9);
        let direct = ended(Reason::ServerCut, Side::Server, 9);
        let proxy = ended(Reason::Unknown, Side::Unknown, 20);
        let gone = ended(Reason::ServerCut, Side::Server, 20);
        let stalled = ended(Reason::HeartbeatTimeout, Side::Unknown, 90);
        let late = Fate {
            late: true,
            ..lives
        };
        let table = [
            (
                "proxy leg cut, direct lives",
                Some(lives),
                Some(proxy),
                Side::Proxy,
            ),
            (
                "proxy leg stalled, direct lives",
                Some(lives),
                Some(stalled),
                Side::Proxy,
            ),
            (
                "proxy refuses, direct lives",
                Some(lives),
                Some(failed(Reason::ConnectRefused)),
                Side::Proxy,
            ),
            (
                "proxy answers 502, direct lives",
                Some(lives),
                Some(after(gone, Reason::Http5xx)),
                Side::Proxy,
            ),
            (
                "another replica lost the session",
                Some(lives),
                Some(lost(gone)),
                Side::Server,
            ),
            (
                "direct cut, proxy lives",
                Some(direct),
                Some(lives),
                Side::Server,
            ),
            (
                "direct cut, its session and the proxy live",
                Some(survived(alone)),
                Some(lives),
                Side::Unknown,
            ),
            (
                "direct stalled, proxy lives",
                Some(stalled),
                Some(lives),
                Side::Unknown,
            ),
            (
                "server gone",
                Some(after(direct, Reason::ConnectRefused)),
                Some(gone),
                Side::Server,
            ),
            (
                "server restarted",
                Some(lost(direct)),
                Some(survived(proxy)),
                Side::Server,
            ),
            ("server hangs", Some(stalled), Some(late), Side::Server),
            (
                "server hangs at new requests",
                Some(failed(Reason::HeartbeatTimeout)),
                Some(failed(Reason::Http5xx)),
                Side::Server,
            ),
            (
                "both torn, both sessions live",
                Some(survived(direct)),
                Some(survived(proxy)),
                Side::Network,
            ),
            (
                "same age: a timer",
                Some(survived(direct)),
                Some(survived(ended(Reason::Unknown, Side::Unknown, 9))),
                Side::Server,
            ),
            (
                "no names resolve",
                Some(failed(Reason::DnsError)),
                Some(failed(Reason::DnsError)),
                Side::Network,
            ),
            (
                "stalled, and no connection to either",
                Some(after(stalled, Reason::ConnectTimeout)),
                Some(after(stalled, Reason::ConnectTimeout)),
                Side::Network,
            ),
            (
                "two different faults",
                Some(failed(Reason::DnsError)),
                Some(failed(Reason::ConnectRefused)),
                Side::Unknown,
            ),
            ("no direct leg", None, Some(proxy), Side::Unknown),
            (
                "no direct leg, the session is gone",
                None,
                Some(gone),
                Side::Server,
            ),
            (
                "no direct leg, an idle time-out",
                None,
                Some(ended(Reason::IdleTimeout, Side::Proxy, 60)),
                Side::Proxy,
            ),
            ("no proxy leg", Some(direct), None, Side::Server),
            (
                "no proxy leg, nobody listens",
                Some(failed(Reason::ConnectRefused)),
                None,
                Side::Server,
            ),
            (
                "no proxy leg, no name",
                Some(failed(Reason::DnsError)),
                None,
                Side::Unknown,
            ),
            (
                "no proxy leg, no answer",
                Some(failed(Reason::HeartbeatTimeout)),
                None,
                Side::Server,
            ),
        ];
        for (name, direct, proxy, expected) in table {
            assert_eq!(side(direct.as_ref(), proxy.as_ref()), expected, "{name}");
        }
    }
}
