//! The messages, each with what it means.

use super::*;
use crate::label::Label;

fn check(level: &str, message: &str, expected: Option<(Reason, Phase)>) {
    let line = format!(
        "2026/11/20 09:59:41 [{level}] 7#7: *42 {message}, client: 10.0.0.9, server: _, \
         request: \"GET /mcp HTTP/1.1\", upstream: \"http://10.0.0.1:80/mcp\", host: \"h\""
    );
    let got = match parse(line.as_bytes()).unwrap().subject {
        Subject::Request(entry) => Some((entry.reason, entry.phase)),
        _ => None,
    };
    assert_eq!(got, expected, "{message}");
}

#[test]
fn the_clients_side() {
    let closed = "epoll_wait() reported that client prematurely closed connection, so upstream connection is closed too";
    let client = |reason| Some((reason, Phase::Client));
    for (message, reason) in [
        (
            format!("{closed} while reading upstream"),
            Reason::ClientClose,
        ),
        (
            format!("{closed} while connecting to upstream"),
            Reason::ClientClose,
        ),
        (
            "client prematurely closed connection while sending to client".into(),
            Reason::ClientClose,
        ),
        (
            format!("{closed} (104: Connection reset by peer) while sending to client"),
            Reason::ClientReset,
        ),
        (
            format!("{closed} (110: Operation timed out) while reading upstream"),
            Reason::SendTimeout,
        ),
        (
            "client canceled stream 1 while reading upstream".into(),
            Reason::ClientReset,
        ),
        (
            "client terminated stream 3 with status 5 while sending to client".into(),
            Reason::ClientReset,
        ),
        (
            "client timed out (110: Connection timed out) while sending to client".into(),
            Reason::SendTimeout,
        ),
        (
            "writev() failed (32: Broken pipe) while reading upstream".into(),
            Reason::ClientClose,
        ),
        (
            "recv() failed (104: Connection reset by peer) while processing HTTP/2 connection"
                .into(),
            Reason::ClientReset,
        ),
    ] {
        check("info", &message, client(reason));
    }
}

#[test]
fn the_upstreams_side() {
    const TABLE: &str = "
        idle_timeout | Body | upstream timed out (110: Operation timed out) while reading upstream
        idle_timeout | Body | upstream timed out (110: Connection timed out) while sending to client
        idle_timeout | Headers | upstream timed out (110: Connection timed out) while reading response header from upstream
        connect_timeout | Connecting | upstream timed out (110: Connection timed out) while connecting to upstream
        connect_timeout | Connecting | upstream timed out (110: Connection timed out) while SSL handshaking to upstream
        server_cut | Body | upstream prematurely closed connection while reading upstream
        server_cut | Headers | upstream prematurely closed connection while reading response header from upstream
        server_cut | Headers | writev() failed (32: Broken pipe) while sending request to upstream
        server_reset | Body | recv() failed (104: Connection reset by peer) while reading upstream
        server_reset | Body | readv() failed (104: Connection reset by peer) while reading upstream
        server_reset | Body | SSL_read() failed (104: Connection reset by peer) while reading upstream
        server_reset | Headers | recv() failed (104: Connection reset by peer) while reading response header from upstream
        server_reset | Headers | send() failed (104: Connection reset by peer) while sending request to upstream
        connect_refused | Connecting | connect() failed (111: Connection refused) while connecting to upstream
        connect_timeout | Connecting | connect() failed (60: Operation timed out) while connecting to upstream
        connect_refused | Connecting | connect() failed (61: Connection refused) while connecting to upstream
        no_upstream | Connecting | no live upstreams while connecting to upstream
        dns_error | Connecting | mcp.internal could not be resolved (3: Host not found)
        dns_error | Connecting | mcp.internal could not be resolved (110: Operation timed out)
        tls_error | Connecting | SSL_do_handshake() failed (SSL: error:0A00010B) while SSL handshaking to upstream
        tls_error | Connecting | peer closed connection in SSL handshake while SSL handshaking to upstream
        tls_error | Connecting | upstream SSL certificate verify error: (10:certificate has expired) while SSL handshaking to upstream
        protocol_error | Body | upstream sent invalid chunked response while reading upstream
        protocol_error | Headers | upstream sent too big header while reading response header from upstream";
    for row in TABLE.lines().skip(1) {
        let columns: Vec<&str> = row.trim().splitn(3, " | ").collect();
        let [reason, phase, message] = columns[..] else {
            panic!("{row}");
        };
        let reason = Reason::ALL.iter().find(|known| known.as_str() == reason);
        let phases = [Phase::Connecting, Phase::Headers, Phase::Body];
        let phase = phases
            .into_iter()
            .find(|known| format!("{known:?}") == phase);
        check("error", message, Some((*reason.unwrap(), phase.unwrap())));
    }
}

#[test]
fn lines_that_end_nothing() {
    for (level, message) in [
        ("info", "client 10.0.0.9 closed keepalive connection"),
        ("info", "client closed connection while waiting for request"),
        (
            "info",
            "client timed out (110: Connection timed out) while waiting for request",
        ),
        (
            "info",
            "client prematurely closed connection while reading client request line",
        ),
        (
            "warn",
            "upstream server temporarily disabled while connecting to upstream",
        ),
        (
            "warn",
            "an upstream response is buffered to a temporary file /x/1 while reading upstream",
        ),
        (
            "warn",
            "upstream sent more data than specified in \"Content-Length\" header while reading upstream",
        ),
        (
            "error",
            "connect() failed (113: No route to host) while connecting to upstream",
        ),
        ("error", "access forbidden by rule"),
    ] {
        check(level, message, None);
    }
}

#[test]
fn context_names_request_and_upstream() {
    let line = b"2026/11/20 09:59:41 [error] 7#7: *42 upstream prematurely closed connection while reading upstream, client: ::1, server: _, request: \"GET /mcp?a=b HTTP/1.1\", upstream: \"http://[::1]:80/mcp\"";
    let line = parse(line).unwrap();
    assert_eq!((line.level, line.at), (Level::Error, 1_795_168_781));
    let Subject::Request(entry) = line.subject else {
        panic!("no request");
    };
    assert_eq!(entry.connection, 42);
    assert_eq!(entry.request, Some(&b"GET /mcp?a=b HTTP/1.1"[..]));
    assert_eq!(entry.upstream, Some(&b"[::1]:80/mcp"[..]));
}

#[test]
fn workers_come_and_go() {
    for (message, expected) in [
        ("gracefully shutting down", Subject::WorkerDrains),
        ("exiting", Subject::WorkerGone),
        ("worker process 7 exited on signal 9", Subject::WorkerGone),
        (
            "signal 15 (SIGTERM) received from 1, exiting",
            Subject::Other,
        ),
        ("exit", Subject::Other),
    ] {
        let line = format!("2026/11/20 09:59:41 [notice] 7#7: {message}");
        assert_eq!(parse(line.as_bytes()).unwrap().subject, expected);
    }
}

#[test]
fn damage_is_named() {
    for (line, expected) in [
        (&b""[..], UnparsedKind::Empty),
        (b"hello", UnparsedKind::Format),
        (b"2026/11/20 09:59:41 [loud] 7#7: x", UnparsedKind::Format),
        (b"2026/11/20 09:59:41 [info] seven: x", UnparsedKind::Format),
        (b"2026-11-20T09:59:41 [info] 7#7: x", UnparsedKind::Number),
        (b"2026/11\0\0\0", UnparsedKind::Binary),
    ] {
        assert_eq!(parse(line), Err(expected));
    }
    assert_eq!(parse(&vec![b'x'; MAX_LINE + 1]), Err(UnparsedKind::TooLong));
}
