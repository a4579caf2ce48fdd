//! Why a stream ended: the closed set that canaries, logs, metrics and the page share.
//!
//! A source that cannot tell says [`Reason::Unknown`], or the coarser reason of the right class; it
//! never guesses.

use crate::label::label;

label! {
    /// Why a stream ended, or why none was got.
    pub enum Reason {
        /// The client hung up.
        ClientClose => "client_close",
        /// The client's connection broke (RST, HTTP/2 reset).
        ClientReset => "client_reset",
        /// The server ended the stream as the protocol foresees: final chunk, result before close.
        ServerClose => "server_close",
        /// The server's connection ended without the final chunk: killed, crashed, ungraceful deploy.
        ServerCut => "server_cut",
        /// RST or HTTP/2 reset from the server's side.
        ServerReset => "server_reset",
        /// Cut for silence, by a proxy or middlebox.
        IdleTimeout => "idle_timeout",
        /// The client did not read.
        SendTimeout => "send_timeout",
        /// Cut for age, whatever the traffic.
        MaxDuration => "max_duration",
        /// Holter's own deadline: the connection is open and nothing arrives.
        HeartbeatTimeout => "heartbeat_timeout",
        /// Nobody listens at the address.
        ConnectRefused => "connect_refused",
        /// The connection was not established in time.
        ConnectTimeout => "connect_timeout",
        /// The name did not resolve.
        DnsError => "dns_error",
        /// The TLS handshake failed.
        TlsError => "tls_error",
        /// The proxy had no upstream to send the request to.
        NoUpstream => "no_upstream",
        /// Refused with a 4xx status.
        Http4xx => "http_4xx",
        /// Refused with a 5xx status.
        Http5xx => "http_5xx",
        /// The session was gone: 404 or 400 on an id that was good.
        SessionLost => "session_lost",
        /// Wrong content type, oversize line, no `endpoint` event, unreadable answer.
        ProtocolError => "protocol_error",
        /// A proxy reload or shutdown, or a stop that Holter was told of.
        Drain => "drain",
        /// Holter renewed its own stream: maximum age, reload, shutdown.
        Rotated => "rotated",
        /// The source cannot tell.
        Unknown => "unknown",
    }
}

label! {
    /// What kind of event an end is; a function of the reason. Alerts look at `abnormal` only.
    pub enum Class {
        /// Expected: a protocol's own end, a drain, a renewal.
        Planned => "planned",
        /// The client left.
        Client => "client",
        /// Somebody cut the stream or refused it.
        Abnormal => "abnormal",
        /// The source cannot tell.
        Unknown => "unknown",
    }
}

label! {
    /// On whose side the end came about.
    pub enum Side {
        /// The proxy, or a middlebox that acts as one.
        Proxy => "proxy",
        /// The MCP server.
        Server => "server",
        /// The client.
        Client => "client",
        /// The path between them.
        Network => "network",
        /// Not known.
        Unknown => "unknown",
    }
}

impl Reason {
    /// The class of this reason.
    pub fn class(self) -> Class {
        match self {
            Self::ClientClose | Self::ClientReset => Class::Client,
            Self::ServerClose | Self::Drain | Self::Rotated => Class::Planned,
            Self::Unknown => Class::Unknown,
            Self::ServerCut
            | Self::ServerReset
            | Self::IdleTimeout
            | Self::SendTimeout
            | Self::MaxDuration
            | Self::HeartbeatTimeout
            | Self::ConnectRefused
            | Self::ConnectTimeout
            | Self::DnsError
            | Self::TlsError
            | Self::NoUpstream
            | Self::Http4xx
            | Self::Http5xx
            | Self::SessionLost
            | Self::ProtocolError => Class::Abnormal,
        }
    }

    /// Whether it is the reason of an attempt that gave no stream, rather than of a stream's end.
    pub fn is_refusal(self) -> bool {
        matches!(
            self,
            Self::ConnectRefused
                | Self::ConnectTimeout
                | Self::DnsError
                | Self::TlsError
                | Self::NoUpstream
                | Self::Http4xx
                | Self::Http5xx
                | Self::SessionLost
        )
    }

    /// On whose side the end came about, where a *proxy's own log* gave this reason: the proxy sees
    /// both of its connections, so a reason it can name has a side.
    pub fn side_in_proxy_log(self) -> Side {
        match self {
            Self::ClientClose | Self::ClientReset | Self::SendTimeout => Side::Client,
            Self::ServerClose
            | Self::ServerCut
            | Self::ServerReset
            | Self::ConnectRefused
            | Self::NoUpstream => Side::Server,
            Self::IdleTimeout | Self::MaxDuration | Self::Drain | Self::DnsError => Side::Proxy,
            Self::HeartbeatTimeout
            | Self::ConnectTimeout
            | Self::TlsError
            | Self::Http4xx
            | Self::Http5xx
            | Self::SessionLost
            | Self::ProtocolError
            | Self::Rotated
            | Self::Unknown => Side::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::label::Label;

    #[test]
    fn names_are_unique_snake_case() {
        let names: std::collections::BTreeSet<_> = Reason::ALL.iter().map(|r| r.as_str()).collect();
        assert_eq!(names.len(), Reason::ALL.len());
        for name in names {
            assert!(
                name.bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
            );
        }
    }

    #[test]
    fn only_unknown_is_of_unknown_class() {
        for reason in Reason::ALL {
            assert_eq!(reason.class() == Class::Unknown, *reason == Reason::Unknown);
        }
    }
}
