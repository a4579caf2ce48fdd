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
    /// HTTP/2 RST_STREAM or GOAWAY with an error code. RST_STREAM with NO_ERROR is a clean end.
    StreamReset,
    /// A Close frame with a complaint: policy, internal error, overload. The server's own words, so no timer's.
    Complaint,
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
    /// The head of the answer is larger than there is room for.
    LargeHead,
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
            is_cut: is_broken(self.cause, self.tail),
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
    /// Age and silence of the last streams that broke.
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

    /// The stream was cut or reset.
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

/// Cut or reset, so that asking the session can tell more. Timers of proxies do either: nginx sends FIN, Envoy over
/// HTTP/2 RST_STREAM, and load balancers RST.
pub fn is_broken(cause: Cause, tail: Tail) -> bool {
    is_cut(cause, tail) || is_reset(cause)
}

fn is_reset(cause: Cause) -> bool {
    matches!(cause, Cause::Reset | Cause::StreamReset)
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
        Cause::Reset | Cause::StreamReset | Cause::Complaint => Reason::ServerReset,
        Cause::Drain => Reason::Drain,
        Cause::AnswerTimeout | Cause::DeadPeer => Reason::HeartbeatTimeout,
        // A stream that ends cleanly before it said what the protocol demands.
        Cause::CleanEnd | Cause::Garbage | Cause::LargeHead => Reason::ProtocolError,
        Cause::Other => Reason::Unknown,
    }
}

/// Why a held stream ended, and on whose side.
pub fn of_stream(evidence: &Evidence, history: &History) -> (Reason, Side) {
    if is_broken(evidence.cause, evidence.tail) {
        return match evidence.leg {
            Leg::Direct => (by_the_wire(evidence), side_of_direct(evidence.reading())),
            Leg::Proxy => broken_through_proxy(evidence, history),
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

/// What breaks a stream, where a server did.
fn by_the_wire(evidence: &Evidence) -> Reason {
    if is_reset(evidence.cause) {
        Reason::ServerReset
    } else {
        Reason::ServerCut
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

/// A stream that broke on the proxy leg: the proxy, or the server behind it?
fn broken_through_proxy(evidence: &Evidence, history: &History) -> (Reason, Side) {
    let silent = evidence.silence >= IDLE_MIN && evidence.silence > history.longest_survived();
    let repeated = history.repeats_silence(evidence.silence);
    match evidence.reading() {
        Reading::CutOnTheWay if silent => (Reason::IdleTimeout, Side::Proxy),
        Reading::CutOnTheWay if history.repeats_age(evidence.age) => {
            (Reason::MaxDuration, Side::Proxy)
        }
        Reading::ProcessGone | Reading::Restarted => (by_the_wire(evidence), Side::Server),
        Reading::Untold if silent && repeated => (Reason::IdleTimeout, Side::Proxy),
        // A reset is one, whoever sent it; and a server that lives may reset a single stream, which a proxy relays.
        Reading::ProxyGone if is_reset(evidence.cause) => (Reason::ServerReset, Side::Proxy),
        _ if is_reset(evidence.cause) => (Reason::ServerReset, Side::Unknown),
        Reading::CutOnTheWay | Reading::ProxyGone => (Reason::Unknown, Side::Proxy),
        _ => (Reason::Unknown, Side::Unknown),
    }
}

#[cfg(test)]
mod tests;
