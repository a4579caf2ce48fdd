//! Lines read.

use std::time::Duration;

use proptest::prelude::*;

use super::*;

const LINE: &str = r#"{"level":"info","ts":1795169153.0755625,"logger":"http.log.access.log0","msg":"handled request","request":{"remote_ip":"10.0.0.9","remote_port":"4321","proto":"HTTP/2.0","method":"GET","host":"h","uri":"/mcp?sessionId=q","headers":{"User-Agent":["a \"b\""],"Mcp-Session-Id":["s"],"X-Upstream-Addr":["10.6.6.6:1"]}},"duration":30.5,"size":1,"status":200,"resp_headers":{"Content-Type":["text/event-stream"],"Mcp-Session-Id":["t"],"X-Upstream-Addr":["10.0.0.1:80"]}}"#;

fn parse(line: &str) -> Record<'_> {
    Format.parse(line.as_bytes()).unwrap()
}

#[test]
fn a_line_is_read() {
    let record = parse(LINE);
    assert_eq!(
        (record.ended_us, record.ended.unwrap().unix_ms),
        (Some(1_795_169_153_075_563), 1_795_169_153_075)
    );
    assert_eq!(
        (record.method, record.path),
        (Some(&b"GET"[..]), Some(&b"/mcp"[..]))
    );
    assert_eq!(
        (record.session_query, record.session_sent),
        (Some(&b"q"[..]), Some(&b"s"[..]))
    );
    assert_eq!(
        (record.session_minted, record.status),
        (Some(&b"t"[..]), Some(200))
    );
    assert_eq!(
        (record.client, record.client_port),
        (Some(&b"10.0.0.9"[..]), Some(4321))
    );
    assert_eq!(record.content_type, Some(&b"text/event-stream"[..]));
    assert_eq!(record.user_agent, Some(&br#"a \"b\""#[..]));
    assert_eq!(record.duration, Some(Duration::from_millis(30_500)));
    // Not the one that the client sent.
    assert_eq!(record.upstream_address(), Some(&b"10.0.0.1:80"[..]));
}

#[test]
fn other_spellings_are_read() {
    let old = LINE.replace(
        r#""remote_ip":"10.0.0.9","remote_port":"4321""#,
        r#""remote_addr":"[::1]:4321""#,
    );
    let record = parse(&old);
    assert_eq!(
        (record.client, record.client_port),
        (Some(&b"::1"[..]), Some(4321))
    );
    for (from, to, upstream) in [
        (
            r#""X-Upstream-Addr":["10.0.0.1:80"]"#,
            r#""X-Served-By":["[::1]:80"]"#,
            Some("[::1]:80"),
        ),
        (
            r#""X-Upstream-Addr":["10.0.0.1:80"]"#,
            r#""X-Upstream-Addr":["pool"]"#,
            None,
        ),
        (
            r#","resp_headers""#,
            r#","upstream":"10.0.0.1:80","resp_headers""#,
            Some("10.0.0.1:80"),
        ),
    ] {
        let line = LINE.replace(from, to);
        assert_eq!(parse(&line).upstream, upstream.map(str::as_bytes), "{to}");
    }
}

#[test]
fn times_and_durations_of_all_spellings_agree() {
    let us = 1_795_168_781_391_000;
    for (text, expected) in [
        ("1795168781.391", Some(us)),
        ("1795168781391.0", Some(us)),
        ("1795168781391000000", Some(us)),
        (r#""2026-11-20T09:59:41.391Z""#, Some(us)),
        (r#""2026-11-20T15:29:41.391000000+05:30""#, Some(us)),
        (r#""2026-11-20T09:59:41Z""#, Some(us - 391_000)),
        ("1e300", None),
        ("null", None),
        (r#""2026/11/20 09:59:41""#, None),
    ] {
        let line = LINE.replace("1795169153.0755625", text);
        let got = Format.parse(line.as_bytes()).map(|record| record.ended_us);
        assert_eq!(
            got,
            expected.map(Some).ok_or(UnparsedKind::Number),
            "{text}"
        );
    }
    for (text, expected) in [
        ("0.000088652", Some(Duration::from_nanos(88_652))),
        (r#""1h2m3.5s""#, Some(Duration::from_millis(3_723_500))),
        (r#""850ms""#, Some(Duration::from_millis(850))),
        (r#""3s4""#, None),
        ("-1", None),
    ] {
        let line = LINE.replace("30.5", text);
        let got = Format.parse(line.as_bytes()).map(|record| record.duration);
        assert_eq!(
            got,
            expected.map(Some).ok_or(UnparsedKind::Number),
            "{text}"
        );
    }
}

#[test]
fn a_status_tells_what_it_tells() {
    for (status, expected) in [
        ("0", Some(Reason::ClientClose)),
        ("499", Some(Reason::ClientClose)),
        ("404", Some(Reason::Http4xx)),
        ("502", None),
        ("200", None),
    ] {
        let line = LINE.replace(r#""status":200"#, &format!(r#""status":{status}"#));
        assert_eq!(parse(&line).verdict, expected, "{status}");
    }
}

#[test]
fn the_runtime_log_is_told_from_the_access_log() {
    for (line, expected) in [
        (LINE, false),
        (
            r#"{"level":"info","ts":1,"msg":"serving initial configuration"}"#,
            true,
        ),
        (
            r#"{"logger":"http.log.error","msg":"EOF","request":{"headers":{"Msg":["handled request"]}}}"#,
            true,
        ),
        (
            r#"{"logger":"http.log.error","msg":"\"msg\":\"handled request\"","request":{}}"#,
            true,
        ),
        (
            r#"{"ts":1,"logger":"http.log.access","message":"handled request","request":{}}"#,
            false,
        ),
        (r#"{"ts":1,"request":{"method":"GET"}}"#, false),
        (r#"{"ts":1,"msg":"x","request":{"method":"GET"}}"#, false),
        (r#"{"ts":1,"request":{"method":"GET"},"msg":"x"}"#, false),
        (
            r#"{"request":{"method":"GET"},"msg":"EOF","logger":"http.log.error.log0"}"#,
            true,
        ),
        ("panic: x", false),
        ("", false),
    ] {
        assert_eq!(is_runtime(line.as_bytes()), expected, "{line}");
    }
}

#[test]
fn damage_is_named() {
    for (line, kind) in [
        ("", UnparsedKind::Empty),
        ("\0", UnparsedKind::Binary),
        ("2026/11/20 x", UnparsedKind::Format),
        ("{}", UnparsedKind::Format),
        (r#"{"status":"x"}"#, UnparsedKind::Number),
    ] {
        assert_eq!(Format.parse(line.as_bytes()), Err(kind), "{line}");
    }
    assert_eq!(Format::compile(" json "), Ok(Format));
    assert!(Format::compile("console").is_err());
}

proptest! {
    #[test]
    fn any_damage_is_read_without_a_panic(cut in 0..500usize, byte: u8, at in 0..500usize, raw: Vec<u8>) {
        Format.parse(&raw).ok();
        is_runtime(&raw);
        let mut line = LINE.as_bytes().to_vec();
        if let Some(place) = line.get_mut(at) { *place = byte; }
        line.truncate(cut);
        Format.parse(&line).ok();
        is_runtime(&line);
    }

    #[test]
    fn any_number_and_time_is_read_without_a_panic(number: f64, text in "[-0-9.TZ:+hmsnuµ]{0,40}", name: String) {
        for value in [number.to_string(), format!("{number:e}"), format!("\"{text}\"")] {
            for key in ["ts", "duration", "status"] {
                Format.parse(format!("{{\"{key}\":{value}}}").as_bytes()).ok();
            }
        }
        Format::compile(&name).ok();
    }
}
