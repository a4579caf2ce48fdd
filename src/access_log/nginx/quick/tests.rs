//! What is found between quotes, beside what is found from the front.

use super::super::Format;
use super::*;
use crate::access_log::marks::Marks;
use crate::access_log::{MAX_LINE, Parsed, UnparsedKind, value};
use crate::lab::proxy::LOG_FORMAT;
use proptest::prelude::*;

fn formats() -> Vec<Format> {
    let odd = [
        r#"$msec "$request" $status $request_time x="$http_mcp_session_id""#,
        r#""$http_user_agent" "$http_referer" "$request" "$upstream_addr" $status"#,
        r#"[$time_local] $request_method $request_uri "$status" $upstream_addr"#,
        r#"escape=json '{"s":$status,"l":"[$time_local] $request","u":"$upstream_addr","n":{"c":$connection}}'"#,
    ];
    let all = ["combined", "upstreaminfo", "json", LOG_FORMAT]
        .into_iter()
        .chain(odd);
    all.map(|text| Format::compile(text).unwrap()).collect()
}

/// A line of the format with these values in turn.
fn line(format: &Format, values: &[String]) -> Vec<u8> {
    let mut line = format.line.prefix().text().to_vec();
    for (step, value) in format.line.steps().iter().zip(values.iter().cycle()) {
        let value = match step.variable {
            Variable::TimeLocal => "20/Nov/2026:09:59:41 +0000",
            Variable::TimeIso => "2026-11-20T09:59:41+00:00",
            Variable::Msec => "1795168781.360",
            Variable::Status => "200",
            _ => value,
        };
        line.extend_from_slice(value.as_bytes());
        line.extend_from_slice(step.until.text());
    }
    line
}

/// What is found from the front, and between quotes.
type Found<'a> = Option<(Values<'a>, Result<Sketch<'a>, UnparsedKind>)>;

fn read<'a>(format: &Format, line: &'a [u8]) -> (Found<'a>, Found<'a>) {
    let (mut slow, mut times) = (Values::default(), Times::default());
    let slow = (format.line.values(line, &mut slow)).map(|()| {
        let sketch = slow.sketch(&mut times);
        (slow, sketch)
    });
    let (quick, mut marks) = (format.quick.as_ref().unwrap(), Marks::new(b'"'));
    let (mut sketch, mut values) = (Sketch::default(), Values::default());
    let marked = marks.alone(line);
    let read = (quick.sketch(&marked, &mut times, &mut sketch))
        .and_then(|()| quick.values(&marked, &mut values));
    (slow, read.map(|()| (values, Ok(sketch))))
}

/// What a reader gets that asks about every line or about none.
fn parse<'a>(format: &Format, line: &'a [u8], is_asked: bool) -> Result<Parsed<'a>, UnparsedKind> {
    let (mut parsed, mut marks) = (Parsed::default(), Marks::new(b'"'));
    format.read(
        &marks.alone(line),
        &mut parsed,
        &mut Times::default(),
        |_| is_asked,
    )?;
    Ok(parsed)
}

fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => "[a-zA-Z0-9.:/-]{0,90}",
        2 => "[ ,:a\\[\\]{}-]{0,9}",
        1 => r#"[a "\\\\]{0,9}"#,
    ]
}

/// Both ways find the same where both find something; the quicker one need not find what is damaged.
fn check(format: &Format, line: &[u8]) -> Result<(), TestCaseError> {
    let (Some((slow, expected)), Some((quick, sketch))) = read(format, line) else {
        return Ok(());
    };
    prop_assert_eq!(slow, quick);
    match (sketch, expected) {
        // It is read no further, and damage is found where the record is read.
        (Ok(sketch), Ok(expected)) if sketch.has_session => prop_assert!(expected.has_session),
        (Ok(sketch), Err(_)) if sketch.has_session => {}
        (sketch, expected) => prop_assert_eq!(sketch, expected),
    }
    Ok(())
}

proptest! {
    #[test]
    fn what_both_ways_find_is_the_same(
        values in prop::collection::vec(value(), 1..24),
        damage in prop::option::weighted(0.3, (any::<prop::sample::Index>(), any::<u8>())),
    ) {
        for format in formats() {
            let mut line = line(&format, &values);
            if let Some((at, byte)) = damage {
                let at = at.index(line.len());
                line[at] = byte;
            }
            check(&format, &line)?;
            let read = parse(&format, &line, true);
            let expected = format.parse(&line);
            prop_assert_eq!(read.map(|parsed| parsed.record), expected.map(Some));
        }
    }

    #[test]
    fn a_line_without_quotes_in_values_is_read_quickly(
        values in prop::collection::vec("[a-zA-Z0-9.-]{1,90}", 1..24),
    ) {
        for format in formats() {
            let line = line(&format, &values);
            let (slow, quick) = read(&format, &line);
            prop_assert!(slow.is_some() && quick.is_some());
            check(&format, &line)?;
        }
    }
}

#[test]
fn damage_beside_what_is_read_is_noticed() {
    let text = r#"$remote_addr [$time_local] "$request" a="$status" $body_bytes_sent "x" $msec b="$http_user_agent" c"#;
    let format = Format::compile(text).unwrap();
    let line = r#"::1 [20/Nov/2026:09:59:41 +0000] "GET / HTTP/1.1" a="200" 7 "x" 1.000 b="c" c"#;
    assert!(parse(&format, line.as_bytes(), false).is_ok());
    for (from, to) in [
        ("[20", "20"),
        ("[20", "(20"),
        ("] \"G", ") \"G"),
        (" a=\"", " b=\""),
        (" b=\"", " a=\""),
        ("1.000 ", "1.000 2 "),
        ("\"c", "c"),
    ] {
        let line = line.replacen(from, to, 1);
        assert!(parse(&format, line.as_bytes(), false).is_err(), "{line}");
    }
    // The end of a line is looked at where it is read whole.
    let line = line.replacen("\" c", "\" d", 1);
    assert!(parse(&format, line.as_bytes(), false).is_ok());
    assert!(parse(&format, line.as_bytes(), true).is_err());
}

#[test]
fn members_in_another_order_are_told_apart() {
    let format = Format::compile(
        r#"escape=json '{"a":"$http_referer","m":"$request_method","u":"$request_uri","s":"$status"}'"#,
    );
    let format = format.unwrap();
    let line = br#"{"u":"/mcp","m":"GET","a":"/a","s":"200"}"#;
    let sketch = parse(&format, line, false).unwrap().sketch;
    assert_eq!(
        (sketch.path, sketch.status),
        (Some(&b"/mcp"[..]), Some(200))
    );
}

#[test]
fn a_sketch_has_the_path_that_its_record_has() {
    let format = Format::compile("json").unwrap();
    let line =
        br#"{"request_uri":"/mcp?a","uri":"/index.php","request_method":"GET","status":200}"#;
    let parsed = parse(&format, line, true).unwrap();
    assert_eq!(parsed.sketch.path, Some(&b"/mcp"[..]));
    assert_eq!(parsed.record.unwrap().path, parsed.sketch.path);
}

#[test]
fn a_quote_in_a_value_is_left_to_the_cut() {
    let format = Format::compile(r#""$http_user_agent" "$request" "$status""#).unwrap();
    for agent in [r#"a\"b"#, r#"\" \""#] {
        let line = format!(r#""{agent}" "GET / HTTP/1.1" "200""#);
        let (slow, quick) = read(&format, line.as_bytes());
        assert!(slow.is_some() && quick.is_none(), "{line}");
        let record = format.parse(line.as_bytes()).unwrap();
        assert_eq!(record.user_agent, Some(agent.as_bytes()));
    }
}

#[test]
fn of_a_request_that_nobody_asks_about_no_more_is_read_than_its_sketch() {
    let format = Format::compile("$msec $connection \"$request\" $status").unwrap();
    let line = |path, msec, connection| format!("{msec} {connection} \"GET {path} HTTP/1.1\" 200");
    let read = |line: &str| {
        let is_asked = |sketch: &Sketch<'_>| sketch.path == Some(b"/mcp");
        let (mut parsed, mut times) = (Parsed::default(), Times::default());
        let mut marks = Marks::new(format.marked());
        format.read(
            &marks.alone(line.as_bytes()),
            &mut parsed,
            &mut times,
            is_asked,
        )?;
        let Parsed { sketch, record } = parsed;
        assert!((record.as_ref()).is_none_or(|record| record.ended == sketch.ended));
        Ok((record.is_some(), sketch.status, sketch.ended))
    };
    let ended = Some(value::without_zone(1_795_168_781_360));
    for (path, msec, connection, expected) in [
        ("/", "1795168781.360", "x", Ok((false, Some(200), ended))),
        ("/mcp", "1795168781.360", "7", Ok((true, Some(200), ended))),
        ("/mcp", "1795168781.360", "x", Err(UnparsedKind::Number)),
        ("/", "x", "7", Err(UnparsedKind::Number)),
    ] {
        assert_eq!(read(&line(path, msec, connection)), expected, "{path}");
    }
    assert_eq!(read("x"), Err(UnparsedKind::Format));
    let long = line(&"/".repeat(MAX_LINE), "1795168781.360", "7");
    assert_eq!(read(&long), Err(UnparsedKind::TooLong));
}

#[test]
fn whose_failure_it_was_is_read_of_failures_only() {
    let once = r#""$request" $status "$upstream_header_time""#;
    let check = |text: &str, status: u16, header_time: &str, expected| {
        let format = Format::compile(text).unwrap();
        let line = format!(r#""GET / HTTP/1.1" {status} "{header_time}""#);
        let parsed = parse(&format, line.as_bytes(), false).unwrap();
        assert_eq!(parsed.sketch.upstream_headers, expected, "{text} {line}");
    };
    check(once, 502, "0.004", Some(true));
    check(once, 504, "0.004, -", Some(false));
    check(once, 503, "-", Some(false));
    check(once, 200, "0.004", None);
    check(once, 499, "-", None);
    // Of two that may differ none is taken.
    let twice = r#""$upstream_header_time" $status "$upstream_header_time" "$request""#;
    let line = br#""0.004" 502 "-" "GET / HTTP/1.1""#;
    let format = Format::compile(twice).unwrap();
    let quick = parse(&format, line, false).unwrap().sketch;
    assert_eq!((quick.status, quick.upstream_headers), (Some(502), None));
}
