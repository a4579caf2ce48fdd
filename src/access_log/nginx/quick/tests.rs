//! What is found between quotes, beside what is found from the front.

use super::super::Format;
use super::*;
use crate::access_log::{Parsed, UnparsedKind};
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
    let (quick, mut places) = (format.quick.as_ref().unwrap(), Places::default());
    let (mut sketch, mut values) = (Sketch::default(), Values::default());
    let read = (quick.sketch(line, &mut places, &mut times, &mut sketch))
        .and_then(|()| quick.values(line, &places, &mut values));
    (slow, read.map(|()| (values, Ok(sketch))))
}

/// What a reader gets that asks about every line or about none.
fn parse<'a>(format: &Format, line: &'a [u8], is_asked: bool) -> Result<Parsed<'a>, UnparsedKind> {
    let mut parsed = Parsed::default();
    format.read(line, &mut parsed, &mut Times::default(), |_| is_asked)?;
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
    prop_assert_eq!(expected, sketch);
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
            prop_assert!(slow.is_some());
            prop_assert_eq!(slow, quick);
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
