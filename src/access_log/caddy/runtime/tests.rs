//! Lines read.

use proptest::prelude::*;

use super::*;

fn check(logger: &str, message: &str, error: &str, expected: Subject<'_>) {
    let line = format!(
        r#"{{"level":"error","ts":1795169153.5,"logger":"{logger}","msg":"{message}","error":"{error}"}}"#
    );
    let parsed = parse(line.as_bytes()).unwrap();
    assert_eq!(parsed.subject, expected, "{line}");
    assert_eq!(
        (parsed.at_us, parsed.below_error),
        (1_795_169_153_500_000, false)
    );
}

#[test]
fn an_abort_says_why_and_to_whom() {
    use Reason::*;
    let up: Option<&[u8]> = Some(b"10.0.0.1:80");
    let client: Option<(&[u8], u16)> = Some((b"2001:db8::1", 9));
    for (error, reason, client, upstream) in [
        ("context canceled", Some(ClientClose), None, None),
        (
            "read tcp a:1->10.0.0.1:80: i/o timeout",
            Some(IdleTimeout),
            None,
            up,
        ),
        (
            "read tcp a:1->10.0.0.1:80: read: connection reset by peer",
            Some(ServerReset),
            None,
            up,
        ),
        ("unexpected EOF", Some(ServerCut), None, None),
        (
            "stream error: stream ID 1; CANCEL; received from peer",
            Some(ServerReset),
            None,
            None,
        ),
        (
            "write tcp a:1->[2001:db8::1]:9: i/o timeout",
            Some(SendTimeout),
            client,
            None,
        ),
        (
            "write tcp a:1->[2001:db8::1]:9: write: broken pipe",
            Some(ClientClose),
            client,
            None,
        ),
        (
            "write tcp a:1->[2001:db8::1]:9: write: connection reset by peer",
            Some(ClientReset),
            client,
            None,
        ),
        ("something new", None, None, None),
    ] {
        let expected = Subject::Abort(Abort {
            reason,
            client,
            upstream,
        });
        let message = "aborting with incomplete response";
        check("http.handlers.reverse_proxy", message, error, expected);
    }
}

#[test]
fn a_failure_says_why() {
    use Reason::*;
    for (error, reason) in [
        (
            "dial tcp 10.0.0.1:80: connect: connection refused",
            Some(ConnectRefused),
        ),
        ("dial tcp 10.0.0.1:80: i/o timeout", Some(ConnectTimeout)),
        (
            "dial tcp: lookup nx on 10.0.0.2:53: dial tcp 10.0.0.2:53: connect: connection refused",
            Some(DnsError),
        ),
        ("dial tcp 10.0.0.1:80: connect: no route to host", None),
        ("no upstreams available", Some(NoUpstream)),
        ("EOF", Some(ServerCut)),
        (
            "read tcp a:1->b:2: read: connection reset by peer",
            Some(ServerReset),
        ),
        ("read tcp a:1->b:2: i/o timeout", Some(IdleTimeout)),
        (
            "net/http: timeout awaiting response headers",
            Some(IdleTimeout),
        ),
        ("http: server closed idle connection", Some(ServerCut)),
        (
            "tls: failed to verify certificate: x509: certificate has expired",
            Some(TlsError),
        ),
        ("context canceled", Some(ClientClose)),
        (
            "net/http: HTTP/1.x transport connection broken: malformed HTTP response",
            Some(ProtocolError),
        ),
    ] {
        let expected = Failed {
            reason,
            client: None,
            status: None,
        };
        check("http.log.error.log0", error, "", Subject::Failed(expected));
    }
}

#[test]
fn a_failure_names_its_client() {
    let line = br#"{"level":"error","ts":1.5,"logger":"http.log.error","msg":"EOF","request":{"remote_ip":"10.0.0.9","remote_port":"4321"},"status":502}"#;
    let expected = Failed {
        reason: Some(Reason::ServerCut),
        client: Some((b"10.0.0.9", 4321)),
        status: Some(502),
    };
    assert_eq!(parse(line).unwrap().subject, Subject::Failed(expected));
}

#[test]
fn other_lines_are_other() {
    check(
        "http.handlers.reverse_proxy",
        "reading from backend",
        "unexpected EOF",
        Subject::Other,
    );
    let dynamic = "failed getting dynamic upstreams; falling back to static upstreams";
    check(
        "http.handlers.reverse_proxy",
        dynamic,
        "lookup nx",
        Subject::LookupFailed,
    );
    let info =
        parse(br#"{"level":"info","ts":1.5,"msg":"serving initial configuration"}"#).unwrap();
    assert!(info.below_error && info.subject == Subject::Other);
}

#[test]
fn damage_is_named() {
    for (line, kind) in [
        (&b""[..], UnparsedKind::Empty),
        (b"\0", UnparsedKind::Binary),
        (b"panic: runtime error", UnparsedKind::Format),
        (br#"{"level":"info"}"#, UnparsedKind::Number),
    ] {
        assert_eq!(parse(line), Err(kind));
    }
}

proptest! {
    #[test]
    fn any_damage_is_read_without_a_panic(cut in 0..200usize, byte: u8, at in 0..200usize, raw: Vec<u8>, error: String) {
        parse(&raw).ok();
        let error = serde_json::to_string(&error)?;
        let mut line = format!(r#"{{"level":"error","ts":1.5,"logger":"http.log.error","msg":{error},"error":{error},"request":{{"remote_ip":"10.0.0.9"}}}}"#).into_bytes();
        parse(&line).ok();
        if let Some(place) = line.get_mut(at) { *place = byte; }
        line.truncate(cut);
        parse(&line).ok();
    }
}
