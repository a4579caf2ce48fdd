//! Lines read.

use proptest::prelude::*;

use super::*;

const CLIENT: &[u8] = b"127.0.2.13";

/// What a line is about, with its time checked.
fn subject_of(rest: &str) -> Subject<'_> {
    parse(rest.as_bytes()).unwrap().subject
}

fn check(rest: &str, reason: Option<Reason>, after_headers: bool) {
    let line = format!("[Fri Nov 20 10:00:51.844921 2026] [proxy:error] [pid 7:tid 8] {rest}");
    let Subject::Request(entry) = subject_of(&line) else {
        panic!("{line}");
    };
    assert_eq!(
        (entry.reason, entry.after_headers),
        (reason, after_headers),
        "{line}"
    );
    assert_eq!(
        (entry.client, entry.port),
        (Some(CLIENT), Some(33767)),
        "{line}"
    );
    assert_eq!(entry.thread, b"7:tid 8", "{line}");
}

#[test]
fn messages_say_why() {
    use Reason::*;
    for (rest, reason, after_headers) in [
        (
            "(104)Connection reset by peer: [client 127.0.2.13:33767] AH01110: error reading response",
            Some(ServerReset),
            true,
        ),
        (
            "(54)Connection reset by peer: [client 127.0.2.13:33767] AH01110: error reading response",
            Some(ServerReset),
            true,
        ),
        (
            "(70007)The timeout specified has expired: [client 127.0.2.13:33767] AH01110: error reading response",
            Some(IdleTimeout),
            true,
        ),
        (
            "(70008)Partial results are valid but processing is incomplete: [remote 127.0.2.13:33767] AH01110: error reading response",
            Some(ServerCut),
            true,
        ),
        (
            "(20014)Internal error (specific information not available): [client 127.0.2.13:33767] AH01102: error reading status line from remote server a:1",
            Some(ServerCut),
            false,
        ),
        (
            "(70007)The timeout specified has expired: [client 127.0.2.13:33767] AH01102: error reading status line from remote server a:1",
            Some(IdleTimeout),
            false,
        ),
        (
            "[client 127.0.2.13:33767] AH01114: HTTP: failed to make connection to backend: a",
            None,
            false,
        ),
        (
            "[client 127.0.2.13:33767] AH01170: balancer://none: All workers are in error state",
            Some(NoUpstream),
            false,
        ),
        (
            "(EAI 3)Temporary failure in name resolution: [client 127.0.2.13:33767] AH00898: DNS lookup failure for: nx returned by /mcp",
            Some(DnsError),
            false,
        ),
        (
            "[client 127.0.2.13:33767] AH00898: Error during SSL Handshake with remote server returned by /mcp",
            Some(TlsError),
            false,
        ),
    ] {
        check(rest, reason, after_headers);
    }
}

#[test]
fn a_failed_connection_is_the_threads() {
    for (error, reason) in [
        ("(111)Connection refused", Some(Reason::ConnectRefused)),
        ("(61)Connection refused", Some(Reason::ConnectRefused)),
        (
            "(70007)The timeout specified has expired",
            Some(Reason::ConnectTimeout),
        ),
        ("(110)Connection timed out", Some(Reason::ConnectTimeout)),
        ("(113)No route to host", None),
    ] {
        let line = format!(
            "[Fri Nov 20 10:00:51 2026] [proxy:error] [pid 7:tid 8] {error}: AH00957: http: attempt to connect to a:1 (a:1) failed"
        );
        let thread = b"7:tid 8";
        assert_eq!(
            subject_of(&line),
            Subject::Connect { thread, reason },
            "{line}"
        );
    }
}

#[test]
fn the_servers_own_notices_are_known() {
    for (message, expected) in [
        ("AH00491: caught SIGTERM, shutting down", Subject::Stopped),
        (
            "AH00494: SIGHUP received.  Attempting to restart",
            Subject::Restarts,
        ),
        (
            "AH00493: SIGUSR1 received.  Doing graceful restart",
            Subject::Other,
        ),
        ("no number", Subject::Other),
        ("AH0x491: no number", Subject::Other),
        (
            "AH00898: Error reading from remote server returned by /mcp",
            Subject::Other,
        ),
    ] {
        let line = format!("[Fri Nov 20 10:00:51.844921 2026] [x:notice] [pid 7:tid 7] {message}");
        assert_eq!(subject_of(&line), expected, "{line}");
    }
}

#[test]
fn parts_are_found_wherever_they_stand() {
    let line = b"[2026-11-20 10:00:51.844921] [proxy_http:error] [R:XSPfUbqSrsw] AH01114: x, [client [2001:db8::1]:443]";
    let parsed = parse(line).unwrap();
    assert_eq!(parsed.at_us, 1_795_168_851_844_921);
    let Subject::Request(entry) = parsed.subject else {
        panic!();
    };
    assert_eq!(
        (entry.client, entry.port),
        (Some(&b"2001:db8::1"[..]), Some(443))
    );
    assert!(has(entry.head, "XSPfUbqSrsw"));
    let ctime = parse(b"[Fri Nov  6 10:00:51 2026] x").unwrap();
    assert_eq!(ctime.at_us, (1_795_168_851 - 14 * 86_400) * 1_000_000);
}

#[test]
fn damage_is_named() {
    for (line, kind) in [
        (&b""[..], UnparsedKind::Empty),
        (b"\0\0", UnparsedKind::Binary),
        (b"Traceback (most recent call last):", UnparsedKind::Format),
        (b"[Fri Nov 20 2026] x", UnparsedKind::Format),
    ] {
        assert_eq!(parse(line), Err(kind));
    }
}

proptest! {
    #[test]
    fn any_damage_is_read_without_a_panic(cut in 0..160usize, byte: u8, at in 0..160usize, raw: Vec<u8>) {
        parse(&raw).ok();
        let mut line = b"[Fri Nov 20 10:00:53.507513 2026] [proxy_http:error] [pid 1:tid 2] (104)Connection reset by peer: [client [::1]:47737] AH01110: error reading response".to_vec();
        if let Some(place) = line.get_mut(at) { *place = byte; }
        line.truncate(cut);
        parse(&line).ok();
    }
}
