//! Why Envoy ended a stream: its response code, flags and code details, from one line.
//!
//! Source: Envoy's manual, "Access logging" (`%RESPONSE_FLAGS%`) and "Response code details", and what
//! 1.36.2 and 1.40.0 were seen to write. What details cannot tell apart: a client's FIN, RST and loss
//! (`downstream_remote_disconnect`); silence and a client that does not read (`stream_idle_timeout`); a
//! missing host and a name that does not resolve (`UH`); an upstream's FIN without the last chunk and
//! its RST (`protocol_error`); where a body has no length and no chunks, a cut and a clean end. Without
//! details also: `DC` is a client or a drain, `-` an end or `max_stream_duration`, `UF` a refusal or,
//! unless it came at once, a timeout. It does not know how lines are cut.

use std::time::Duration;

use memchr::memmem;

use crate::reason::Reason;

/// A connection that failed sooner was answered. `connect_timeout` is 5 s unless configured, and a
/// request that joins a connection under way hardly ever does so just before it times out.
const ANSWERED: Duration = Duration::from_millis(10);

/// What of a line decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct End<'a> {
    /// `%RESPONSE_CODE%`; 0 is none.
    pub(super) status: Option<u16>,
    /// `%RESPONSE_FLAGS%`, where logged: `-` or a list such as `URX,UT`.
    pub(super) flags: Option<&'a [u8]>,
    /// `%RESPONSE_CODE_DETAILS%`, where logged and set.
    pub(super) details: Option<&'a [u8]>,
    /// `%DURATION%`.
    pub(super) duration: Option<Duration>,
}

impl End<'_> {
    /// Why the stream ended.
    pub(super) fn reason(self) -> Reason {
        let by_details = self.details.and_then(|details| self.of_details(details));
        let by_flags = || self.flags.and_then(|flags| self.of_flags(flags));
        by_details
            .or_else(by_flags)
            .unwrap_or_else(|| self.of_status())
    }

    fn of_details(self, details: &[u8]) -> Option<Reason> {
        let (name, cause) = match memchr::memchr2(b'{', b'(', details) {
            Some(at) => details.split_at_checked(at)?,
            None => (details, &[][..]),
        };
        Some(match name {
            b"via_upstream" => self.complete(),
            b"downstream_remote_disconnect" => Reason::ClientClose,
            b"downstream_local_disconnect" => Reason::Drain,
            b"max_duration_timeout"
            | b"response_timeout"
            | b"upstream_max_stream_duration_reached"
            | b"duration_timeout" => Reason::MaxDuration,
            b"stream_idle_timeout" => Reason::IdleTimeout,
            b"no_healthy_upstream" | b"cluster_not_found" => Reason::NoUpstream,
            b"dns_resolution_failure" => Reason::DnsError,
            b"http2.remote_reset" | b"http2.remote_refuse" | b"http3.remote_reset" => {
                Reason::ClientReset
            }
            b"upstream_per_try_timeout" => self.of_status(),
            b"upstream_reset_before_response_started" => self.before_headers(cause),
            b"upstream_reset_after_response_started" => after_headers(cause),
            _ => return None,
        })
    }

    /// The upstream or the way to it failed before its headers came.
    fn before_headers(self, cause: &[u8]) -> Reason {
        let says = |word: &str| memmem::find(cause, word.as_bytes()).is_some();
        if says("connection_failure") {
            return match () {
                // Older versions write the error's number, 111 on Linux.
                () if says("Connection_refused") || says("delayed_connect_error:_111") => {
                    Reason::ConnectRefused
                }
                () if says("TLS_error") => Reason::TlsError,
                () => self.of_status(),
            };
        }
        match () {
            () if says("connection_timeout") => Reason::ConnectTimeout,
            () if says("connection_termination") => Reason::ServerCut,
            () if says("remote_reset") => Reason::ServerReset,
            () if says("overflow") => Reason::NoUpstream,
            () => self.of_status(),
        }
    }

    /// The first flag that tells, as far as it tells.
    fn of_flags(self, flags: &[u8]) -> Option<Reason> {
        if flags == b"-" {
            return Some(self.complete());
        }
        let has = |flag: &[u8]| flags.split(|byte| *byte == b',').any(|one| one == flag);
        // The retries are used up, whatever the last of them failed of.
        if has(b"URX") {
            return None;
        }
        let reasons = [
            (&b"DC"[..], Reason::ClientClose),
            (b"DR", Reason::ClientReset),
            (b"DT", Reason::MaxDuration),
            (b"UMSDR", Reason::MaxDuration),
            (b"UT", Reason::MaxDuration),
            (b"SI", Reason::IdleTimeout),
            (b"UPE", Reason::ServerCut),
            (b"UC", Reason::ServerCut),
            (b"UR", Reason::ServerReset),
            (b"UH", Reason::NoUpstream),
            (b"UO", Reason::NoUpstream),
            (b"NC", Reason::NoUpstream),
            (b"DF", Reason::DnsError),
            (b"UF", self.connect()),
        ];
        let found = reasons.into_iter().find(|(flag, _)| has(flag));
        found.map(|(_, reason)| reason)
    }

    /// No connection, and no details.
    fn connect(self) -> Reason {
        match self.duration {
            Some(duration) if duration < ANSWERED => Reason::ConnectRefused,
            _ => self.of_status(),
        }
    }

    /// The upstream's own answer, to its end.
    fn complete(self) -> Reason {
        match self.status {
            Some(200..300) => Reason::ServerClose,
            _ => self.of_status(),
        }
    }

    fn of_status(self) -> Reason {
        match self.status {
            Some(400..=499) => Reason::Http4xx,
            Some(500..=599) => Reason::Http5xx,
            _ => Reason::Unknown,
        }
    }
}

/// The upstream broke off its answer.
fn after_headers(cause: &[u8]) -> Reason {
    if memmem::find(cause, b"remote_reset").is_some() {
        Reason::ServerReset
    } else {
        Reason::ServerCut
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(status: u16, flags: &str, details: &str, expected: Reason) {
        let end = End {
            status: Some(status),
            flags: Some(flags.as_bytes()),
            details: Some(details.as_bytes()).filter(|details| !details.is_empty()),
            duration: None,
        };
        assert_eq!(end.reason(), expected, "{status} {flags} {details}");
    }

    #[test]
    fn details_decide() {
        for (status, flags, details, expected) in [
            (200, "-", "via_upstream", Reason::ServerClose),
            (404, "-", "via_upstream", Reason::Http4xx),
            (503, "-", "via_upstream", Reason::Http5xx),
            (0, "DC", "downstream_remote_disconnect", Reason::ClientClose),
            (
                200,
                "DC",
                "downstream_local_disconnect(purging_socket)",
                Reason::Drain,
            ),
            (200, "-", "max_duration_timeout", Reason::MaxDuration),
            (504, "-", "max_duration_timeout", Reason::MaxDuration),
            (200, "UT", "response_timeout", Reason::MaxDuration),
            (
                200,
                "UMSDR",
                "upstream_max_stream_duration_reached",
                Reason::MaxDuration,
            ),
            (200, "SI", "stream_idle_timeout", Reason::IdleTimeout),
            (200, "DR", "http2.remote_reset", Reason::ClientReset),
            (504, "URX,UT", "upstream_per_try_timeout", Reason::Http5xx),
            (503, "UH", "no_healthy_upstream", Reason::NoUpstream),
            (503, "NC", "cluster_not_found", Reason::NoUpstream),
            (404, "NR", "route_not_found", Reason::Http4xx),
            (
                503,
                "DF",
                "dns_resolution_failure{not_found}",
                Reason::DnsError,
            ),
            (403, "UAEX", "ext_authz_denied", Reason::Http4xx),
            (200, "-", "direct_response", Reason::ServerClose),
        ] {
            check(status, flags, details, expected);
        }
    }

    #[test]
    fn a_reset_has_a_cause() {
        for (flags, cause, expected) in [
            ("UC", "connection_termination", Reason::ServerCut),
            ("UR", "remote_reset", Reason::ServerReset),
            ("UF", "connection_timeout", Reason::ConnectTimeout),
            (
                "UF",
                "remote_connection_failure|delayed_connect_error:_Connection_refused",
                Reason::ConnectRefused,
            ),
            (
                "UF",
                "connection_failure,delayed_connect_error:_111",
                Reason::ConnectRefused,
            ),
            (
                "UF",
                "remote_connection_failure|TLS_error:_x",
                Reason::TlsError,
            ),
            (
                "UF",
                "remote_connection_failure|No_route_to_host",
                Reason::Http5xx,
            ),
            ("UO", "overflow", Reason::NoUpstream),
            ("UPE", "protocol_error", Reason::Http5xx),
        ] {
            let details = format!("upstream_reset_before_response_started{{{cause}}}");
            check(503, flags, &details, expected);
        }
        check(
            200,
            "UPE",
            "upstream_reset_after_response_started{protocol_error}",
            Reason::ServerCut,
        );
        check(
            200,
            "UR",
            "upstream_reset_after_response_started{remote_reset}",
            Reason::ServerReset,
        );
    }

    #[test]
    fn flags_decide_without_details() {
        for (status, flags, expected) in [
            (200, "-", Reason::ServerClose),
            (404, "-", Reason::Http4xx),
            (200, "DC", Reason::ClientClose),
            (200, "DR", Reason::ClientReset),
            (200, "SI", Reason::IdleTimeout),
            (200, "UT", Reason::MaxDuration),
            (504, "URX,UT", Reason::Http5xx),
            (200, "UPE", Reason::ServerCut),
            (503, "UC", Reason::ServerCut),
            (503, "UF", Reason::Http5xx),
            (503, "UH", Reason::NoUpstream),
            (503, "DF", Reason::DnsError),
            (404, "NR", Reason::Http4xx),
            (200, "XYZ", Reason::Unknown),
        ] {
            check(status, flags, "", expected);
        }
    }

    #[test]
    fn a_refusal_comes_at_once() {
        for (millis, expected) in [
            (0, Reason::ConnectRefused),
            (9, Reason::ConnectRefused),
            (10, Reason::Http5xx),
            (2000, Reason::Http5xx),
        ] {
            let end = End {
                status: Some(503),
                flags: Some(b"UF"),
                duration: Some(Duration::from_millis(millis)),
                ..End::default()
            };
            assert_eq!(end.reason(), expected, "{millis}");
        }
    }

    #[test]
    fn without_flags_only_a_refusal_is_told() {
        for (status, expected) in [(200, Reason::Unknown), (503, Reason::Http5xx)] {
            let end = End {
                status: Some(status),
                ..End::default()
            };
            assert_eq!(end.reason(), expected);
        }
    }
}
