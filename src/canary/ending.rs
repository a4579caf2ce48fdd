//! Evidence to reason and side: the only judge of why a canary's stream ended.
//!
//! The wire alone tells little through a proxy: nginx relays a killed server, its own read time-out and its
//! own shutdown as the same end without a final chunk. So the session is asked after the end, and earlier
//! ends of the same leg are remembered. What that does not decide is [`Reason::Unknown`].

use std::collections::VecDeque;
use std::time::Duration;

use super::Leg;
pub use super::survival::Survival;
use super::survival::{self, Observation, Reading};
use crate::reason::{Reason, Side};
use crate::sse::Tail;

/// What the transport saw, by type and never by message text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The final chunk, END_STREAM, a Close frame without complaint, or the end of a body that only the
    /// connection's end delimits.
    CleanEnd,
    /// The connection ended inside the body: FIN without the final chunk or Close frame, TLS end without
    /// close_notify.
    Truncated,
    /// RST.
    Reset,
    /// HTTP/2 RST_STREAM or GOAWAY with an error code, or such a Close frame. RST_STREAM with NO_ERROR is a
    /// clean end.
    StreamReset,
    /// HTTP/2 GOAWAY with NO_ERROR, and no END_STREAM after it; a Close frame that says "service restart".
    Drain,
    /// The connection ended before any answer.
    NoAnswer,
    /// No answer within the time allowed.
    AnswerTimeout,
    /// The kernel gave up on a peer that acknowledges nothing.
    DeadPeer,
    /// Connection refused.
    Refused,
    /// No connection within the time allowed.
    ConnectTimeout,
    /// The name did not resolve.
    Dns,
    /// The TLS handshake failed.
    Tls,
    /// The peer does not speak HTTP, broke its framing, or says that we did.
    Garbage,
    /// None of these.
    Other,
}

/// All that is known about one end.
#[derive(Clone, Copy, Debug)]
pub struct Evidence {
    /// Which way the stream went.
    pub leg: Leg,
    /// What the transport saw.
    pub cause: Cause,
    /// Whether the last event was whole.
    pub tail: Tail,
    /// How long the stream was open.
    pub age: Duration,
    /// How long nothing had arrived.
    pub silence: Duration,
    /// Whether a byte came on it.
    pub has_spoken: bool,
    /// Whether the session outlived the stream.
    pub survival: Survival,
}

impl Evidence {
    /// What it allows to conclude of the process that served the stream.
    pub fn reading(&self) -> Reading {
        survival::read(&Observation::Ended {
            is_cut: is_cut(self.cause, self.tail),
            has_spoken: self.has_spoken,
            age: self.age,
            survival: self.survival,
        })
    }
}

/// A cut after less silence than this is no idle time-out: no proxy's default is below it.
const IDLE_MIN: Duration = Duration::from_secs(1);
/// How many ends of a leg are remembered.
const REMEMBERED: usize = 8;

/// What earlier streams of the same slot showed.
#[derive(Debug, Default)]
pub struct History {
    /// Age and silence of the last ends without a final chunk.
    cuts: VecDeque<(Duration, Duration)>,
    /// The longest silence that each of the last streams lived through; the current one is last.
    survived: VecDeque<Duration>,
}

impl History {
    /// A stream opens.
    pub fn open(&mut self) {
        if self.survived.len() == REMEMBERED {
            self.survived.pop_front();
        }
        self.survived.push_back(Duration::ZERO);
    }

    /// Whether any stream of the slot was ever open.
    pub fn has_streams(&self) -> bool {
        !self.survived.is_empty()
    }

    /// Bytes arrived after this silence, so nobody cut the stream for it.
    pub fn survive(&mut self, silence: Duration) {
        if let Some(longest) = self.survived.back_mut() {
            *longest = (*longest).max(silence);
        }
    }

    /// The stream was cut.
    pub fn cut(&mut self, age: Duration, silence: Duration) {
        if self.cuts.len() == REMEMBERED {
            self.cuts.pop_front();
        }
        self.cuts.push_back((age, silence));
    }

    fn longest_survived(&self) -> Duration {
        self.survived.iter().copied().max().unwrap_or_default()
    }

    fn repeats_silence(&self, silence: Duration) -> bool {
        self.cuts
            .iter()
            .any(|(_, earlier)| is_close(*earlier, silence))
    }

    fn repeats_age(&self, age: Duration) -> bool {
        self.cuts.iter().any(|(earlier, _)| is_close(*earlier, age))
    }
}

/// Within a quarter of a second or two percent: timers of proxies are that exact.
fn is_close(one: Duration, other: Duration) -> bool {
    let slack = Duration::from_millis(250).max(one.mul_f64(0.02));
    one.abs_diff(other) <= slack
}

/// Whether asking the session can tell more.
pub fn needs_check(cause: Cause, tail: Tail) -> bool {
    is_cut(cause, tail)
}

/// An end without the final chunk, or with half an event where nothing delimits the body.
pub fn is_cut(cause: Cause, tail: Tail) -> bool {
    cause == Cause::Truncated || (cause == Cause::CleanEnd && tail == Tail::Cut)
}

/// Why an attempt gave no stream.
pub fn of_attempt(cause: Cause) -> Reason {
    match cause {
        Cause::Refused => Reason::ConnectRefused,
        Cause::ConnectTimeout => Reason::ConnectTimeout,
        Cause::Dns => Reason::DnsError,
        Cause::Tls => Reason::TlsError,
        Cause::Truncated | Cause::NoAnswer => Reason::ServerCut,
        Cause::Reset | Cause::StreamReset => Reason::ServerReset,
        Cause::Drain => Reason::Drain,
        Cause::AnswerTimeout | Cause::DeadPeer => Reason::HeartbeatTimeout,
        // A stream that ends cleanly before it said what the protocol demands.
        Cause::CleanEnd | Cause::Garbage => Reason::ProtocolError,
        Cause::Other => Reason::Unknown,
    }
}

/// Why a held stream ended, and on whose side.
pub fn of_stream(evidence: &Evidence, history: &History) -> (Reason, Side) {
    if is_cut(evidence.cause, evidence.tail) {
        return match evidence.leg {
            Leg::Direct => (Reason::ServerCut, side_of_direct(evidence.reading())),
            Leg::Proxy => cut_through_proxy(evidence, history),
        };
    }
    let reason = match evidence.cause {
        Cause::CleanEnd => Reason::ServerClose,
        cause => of_attempt(cause),
    };
    (reason, side(evidence.leg, reason))
}

/// On whose side an end is that needs no more evidence than the leg.
pub fn side(leg: Leg, reason: Reason) -> Side {
    match (reason, leg) {
        (Reason::Rotated, _) => Side::Client,
        (Reason::IdleTimeout | Reason::MaxDuration | Reason::NoUpstream, _) => Side::Proxy,
        (Reason::ServerClose | Reason::ServerCut | Reason::ServerReset, Leg::Direct) => {
            Side::Server
        }
        _ => Side::Unknown,
    }
}

/// A session that outlived its stream lives in a process that was not killed: it gave up that stream alone, or
/// something on the way did, a service mesh or address translation.
fn side_of_direct(reading: Reading) -> Side {
    match reading {
        Reading::CutOnTheWay => Side::Unknown,
        _ => Side::Server,
    }
}

/// A cut on the proxy leg: the proxy, or the server behind it?
fn cut_through_proxy(evidence: &Evidence, history: &History) -> (Reason, Side) {
    let silent = evidence.silence >= IDLE_MIN && evidence.silence > history.longest_survived();
    let repeated = history.repeats_silence(evidence.silence);
    match evidence.reading() {
        Reading::CutOnTheWay if silent => (Reason::IdleTimeout, Side::Proxy),
        Reading::CutOnTheWay if history.repeats_age(evidence.age) => {
            (Reason::MaxDuration, Side::Proxy)
        }
        Reading::CutOnTheWay | Reading::ProxyGone => (Reason::Unknown, Side::Proxy),
        Reading::ProcessGone | Reading::Restarted => (Reason::ServerCut, Side::Server),
        _ if silent && repeated => (Reason::IdleTimeout, Side::Proxy),
        _ => (Reason::Unknown, Side::Unknown),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(value: f64) -> Duration {
        Duration::from_secs_f64(value)
    }

    fn cut(leg: Leg, age: f64, silence: f64, survival: Survival) -> Evidence {
        Evidence {
            leg,
            cause: Cause::Truncated,
            tail: Tail::Whole,
            age: seconds(age),
            silence: seconds(silence),
            has_spoken: true,
            survival,
        }
    }

    /// A slot that lived through 15 s of silence and was cut twice before.
    fn history() -> History {
        let mut history = History::default();
        history.open();
        history.survive(seconds(15.0));
        history.cut(seconds(300.0), seconds(60.1));
        history.cut(seconds(120.2), seconds(7.0));
        history.open();
        history
    }

    fn check(evidence: Evidence, reason: Reason, side: Side) {
        assert_eq!(
            of_stream(&evidence, &history()),
            (reason, side),
            "{evidence:?}"
        );
    }

    #[test]
    fn a_cut_is_judged_by_leg_silence_and_survival() {
        use Survival::{Alive, Gone, ProxyGone, Unasked, Undecided, Unreachable};
        check(
            cut(Leg::Direct, 300.0, 60.0, Unasked),
            Reason::ServerCut,
            Side::Server,
        );
        check(
            cut(Leg::Direct, 300.0, 60.0, Gone),
            Reason::ServerCut,
            Side::Server,
        );
        check(
            cut(Leg::Direct, 300.0, 60.0, Unreachable),
            Reason::ServerCut,
            Side::Server,
        );
        check(
            cut(Leg::Direct, 300.0, 60.0, Alive),
            Reason::ServerCut,
            Side::Unknown,
        );
        check(
            cut(Leg::Proxy, 99.0, 45.0, Alive),
            Reason::IdleTimeout,
            Side::Proxy,
        );
        check(
            cut(Leg::Proxy, 99.0, 14.0, Alive),
            Reason::Unknown,
            Side::Proxy,
        );
        check(
            cut(Leg::Proxy, 120.0, 3.0, Alive),
            Reason::MaxDuration,
            Side::Proxy,
        );
        check(
            cut(Leg::Proxy, 99.0, 45.0, Gone),
            Reason::ServerCut,
            Side::Server,
        );
        check(
            cut(Leg::Proxy, 99.0, 3.0, Unreachable),
            Reason::ServerCut,
            Side::Server,
        );
        check(
            cut(Leg::Proxy, 99.0, 3.0, ProxyGone),
            Reason::Unknown,
            Side::Proxy,
        );
        check(
            cut(Leg::Proxy, 99.0, 60.0, Unasked),
            Reason::IdleTimeout,
            Side::Proxy,
        );
        check(
            cut(Leg::Proxy, 99.0, 60.0, Undecided),
            Reason::IdleTimeout,
            Side::Proxy,
        );
        check(
            cut(Leg::Proxy, 99.0, 45.0, Unasked),
            Reason::Unknown,
            Side::Unknown,
        );
        check(
            cut(Leg::Proxy, 99.0, 7.0, Unasked),
            Reason::Unknown,
            Side::Unknown,
        );
    }

    #[test]
    fn other_ends_are_what_the_wire_says() {
        let of = |leg, cause, tail| {
            let evidence = Evidence {
                cause,
                tail,
                ..cut(leg, 9.0, 1.0, Survival::Unasked)
            };
            of_stream(&evidence, &History::default())
        };
        let (direct, proxy) = (Leg::Direct, Leg::Proxy);
        assert_eq!(
            of(direct, Cause::CleanEnd, Tail::Whole),
            (Reason::ServerClose, Side::Server)
        );
        assert_eq!(
            of(proxy, Cause::CleanEnd, Tail::Whole),
            (Reason::ServerClose, Side::Unknown)
        );
        assert_eq!(
            of(direct, Cause::CleanEnd, Tail::Cut),
            (Reason::ServerCut, Side::Server)
        );
        assert_eq!(
            of(proxy, Cause::CleanEnd, Tail::Cut),
            (Reason::Unknown, Side::Unknown)
        );
        assert_eq!(
            of(direct, Cause::Reset, Tail::Whole),
            (Reason::ServerReset, Side::Server)
        );
        assert_eq!(
            of(proxy, Cause::DeadPeer, Tail::Whole),
            (Reason::HeartbeatTimeout, Side::Unknown)
        );
        assert_eq!(
            of(proxy, Cause::Other, Tail::Whole),
            (Reason::Unknown, Side::Unknown)
        );
    }

    #[test]
    fn history_is_bounded() {
        let mut history = History::default();
        for _ in 0..100 {
            history.open();
            history.cut(seconds(1.0), seconds(1.0));
        }
        assert_eq!(
            (history.cuts.len(), history.survived.len()),
            (REMEMBERED, REMEMBERED)
        );
    }
}
