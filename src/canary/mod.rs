//! A canary: one long-lived stream that Holter holds itself, as an MCP client would.
//!
//! Everything here is pure: [`Canary`] takes what happened and the time, and answers with what to do and
//! what to tell. `tasks::canary` does it on real sockets.
//!
//! | file | owns |
//! |---|---|
//! | [`machine`] | the life of one slot: attempt, hold, end, wait, again |
//! | [`protocol`] | what to say to the server, per transport |
//! | [`rpc`] | JSON-RPC messages: the few that a monitor says and reads |
//! | [`heartbeat`] | gaps, late beats, streams that bring none any more |
//! | [`interval`] | the interval at which a server beats, learned |
//! | [`ending`] | evidence to reason and side |
//! | [`pair`] | the legs seen together: [`sides`] of faults, [`bursts`] that show buffering |
//! | [`fingerprint`] | ends that repeat at one age or silence: a time-out on the way |
//! | [`survival`] | what an end, a refusal or a silence allows to conclude; why a session is gone |
//! | [`affinity`] | refused requests to misses |

pub mod affinity;
pub mod bursts;
pub mod ending;
pub mod fingerprint;
pub mod heartbeat;
pub mod interval;
pub mod machine;
pub mod pair;
pub mod protocol;
pub mod rpc;
pub mod sides;
pub mod survival;

use std::time::{Duration, SystemTime};

use crate::label::label;
use crate::reason::{Reason, Side};

pub use heartbeat::Kind;
pub use machine::{Canary, Settings};

label! {
    /// Which way a canary reaches the server.
    pub enum Leg {
        /// Straight to the replica, past the proxy.
        Direct => "direct",
        /// Through the proxy, as users do.
        Proxy => "proxy",
    }
}

label! {
    /// Why a session that was good is gone.
    pub enum LostCause {
        /// The server ended it for idleness or age.
        Expired => "expired",
        /// The server restarted.
        Restart => "restart",
        /// Not known.
        Unknown => "unknown",
    }
}

label! {
    /// The transport that a canary speaks.
    pub enum Transport {
        /// Found out: the newest era that the server speaks and holds a stream in.
        Auto => "auto",
        /// HTTP+SSE of protocol version 2024-11-05.
        HttpSse => "http_sse",
        /// Streamable HTTP with sessions, 2025-03-26 to 2025-11-25.
        StreamableHttp => "streamable_http",
        /// `subscriptions/listen` of protocol version 2026-07-28; no sessions.
        Listen => "listen",
        /// A plain event stream, of no protocol but the WHATWG clause's.
        Sse => "sse",
        /// A WebSocket with the subprotocol `mcp`.
        WebSocket => "websocket",
    }
}

label! {
    /// A part of the way to a held stream, timed by itself.
    pub enum Phase {
        /// Resolving the name; not where the URL has an address.
        Dns => "dns",
        /// The TCP connection, whichever address it took.
        Connect => "connect",
        /// The TLS handshake.
        Tls => "tls",
        /// From the request for the stream to the head of its answer.
        Headers => "headers",
        /// From that head to the stream's first byte: for most servers a heartbeat interval.
        FirstByte => "first_byte",
        /// The whole attempt, from its first request to the held stream.
        Handshake => "handshake",
    }
}

/// What a canary tells its observers. Recorded once, by `metrics`, the journal and the log.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// An attempt to get a stream begins.
    Connecting,
    /// The attempt gave no stream.
    ConnectFailed(Reason),
    /// A phase of the attempt ended, well or not, and took this long.
    Phase(Phase, Duration),
    /// The server's certificate, and when it expires.
    Certificate(SystemTime),
    /// The stream is held: opened, and the handshake is done.
    Held {
        /// What was negotiated.
        transport: Transport,
        /// The protocol version, one of [`rpc::known_version`]'s; `none` for a plain event stream.
        version: &'static str,
        /// Whether requests carry a session; where none does, affinity does not apply.
        session: bool,
    },
    /// Bytes arrived on the stream.
    Bytes,
    /// Time since the beat before, or since the stream opened.
    Gap(Duration),
    /// A sign of life of this kind.
    Beat(Kind),
    /// The heartbeat interval was learned or changed; `None`: what was taken for a heartbeat keeps no time.
    Learned(Option<Duration>),
    /// No beat came within tolerance of the expected interval. Told once a gap.
    Late,
    /// A held stream ended.
    Ended(End),
    /// The server closed the connection of a stream that goes on (SEP-1699): it is asked for again.
    Paused,
    /// A paused stream is held again; told just before [`Self::Held`].
    Resumed,
    /// A paused stream was not to be had again: its pause was its end.
    EndedPaused(End),
    /// The server is well and offers no stream to hold.
    NoStream {
        /// What was negotiated.
        transport: Transport,
        /// The protocol version, one of [`rpc::known_version`]'s.
        version: &'static str,
        /// Whether requests carry a session; where none does, affinity does not apply.
        session: bool,
    },
    /// A server without a stream is asked for one again, or did not answer any more.
    NoStreamOver,
    /// Requests that carried a session and were answered by a replica that could tell.
    AffinityRequests(u64),
    /// Those of them that reached a replica without the session.
    AffinityMisses(u64),
    /// Those misses that carried none of the cookies that the proxy had set.
    MissesWithoutCookies(u64),
    /// A stream is about to be held on the session of the stream before: the session outlived that one.
    SessionKept,
    /// The session was gone for good.
    SessionLost(LostCause),
}

/// How a held stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// Why.
    pub reason: Reason,
    /// On whose side.
    pub side: Side,
    /// How long the stream was open.
    pub age: Duration,
    /// How long nothing had arrived on it.
    pub silence: Duration,
}
