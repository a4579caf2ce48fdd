//! Wrapped lines in, printed lines out.

use proptest::prelude::*;

use super::*;

/// What a file's lines amount to: `out` and `err` lines, `…` a piece, `!` damage.
fn unwrap(wrapping: Option<Wrapping>, lines: &[&str]) -> Vec<String> {
    let mut unwrapper = Unwrapper::new(wrapping);
    let show = |line: Unwrapped<'_>| match line {
        Unwrapped::Line(Output::Stdout, text) => format!("out {}", String::from_utf8_lossy(&text)),
        Unwrapped::Line(Output::Stderr, text) => format!("err {}", String::from_utf8_lossy(&text)),
        Unwrapped::Piece => "…".to_owned(),
        Unwrapped::Damaged(kind) => format!("!{kind}"),
    };
    (lines.iter())
        .map(|line| show(unwrapper.line(line.as_bytes())))
        .collect()
}

fn check(wrapping: Wrapping, line: &str, expected: &str) {
    for given in [Some(wrapping), None] {
        assert_eq!(unwrap(given, &[line]), [expected], "{wrapping}: {line}");
    }
}

const T: &str = "2026-11-20T09:59:41.361000061Z";

#[test]
fn cri_lines_are_read() {
    use Wrapping::Cri;
    check(Cri, &format!("{T} stdout F a  b "), "out a  b ");
    check(Cri, &format!("{T} stderr F x"), "err x");
    check(Cri, &format!("{T} stdout F "), "out ");
    check(Cri, &format!("{T} stdout F"), "out ");
    check(Cri, &format!("{T} stdout F:tag x"), "out x");
    check(Cri, "2026-11-20T09:59:41+01:00 stdout F x\r", "out x");
    check(Cri, &format!("{T} stdout P x"), "…");
}

#[test]
fn docker_lines_are_read() {
    let docker = |log: &str| format!(r#"{{"log":"{log}","stream":"stderr","time":"{T}"}}"#);
    use Wrapping::Docker;
    check(Docker, &docker(r"plain\n"), "err plain");
    check(
        Docker,
        &docker(r#"a \"q\" \u003c\u2028\n"#),
        "err a \"q\" <\u{2028}",
    );
    check(Docker, &docker(r"two\r\n"), "err two\r");
    check(Docker, &docker(r"\n"), "err ");
    check(Docker, &docker("piece"), "…");
    let more = format!(r#"{{"log":"x\n","attrs":{{"a":"b"}},"stream":"stdout","time":"{T}"}}"#);
    check(Docker, &more, "out x");
}

#[test]
fn syslog_prefixes_are_read() {
    use Wrapping::Syslog;
    for (line, expected) in [
        ("<190>Nov 20 09:59:41 web nginx: x y", "x y"),
        ("<190>Nov  2 09:59:41 nginx: x", "x"),
        ("<134>Nov 20 10:15:03 haproxy[11971]: x: y", "x: y"),
        ("Nov 20 10:15:03 web haproxy[11971]: x", "x"),
        ("2026-11-20T09:59:41.123456+00:00 web nginx[7]: x", "x"),
        ("<165>1 2026-11-20T09:59:41Z web nginx 7 ID47 - x y", "x y"),
        ("<165>1 - - - - - - x", "x"),
        ("<165>1 - - - - - -", ""),
        ("<165>1 - web app 7 m [a b=\"] \\\" [\"][c] \u{feff}x", "x"),
    ] {
        check(Syslog, line, &format!("out {expected}"));
    }
}

#[test]
fn other_shapes_are_damage_where_the_wrapping_is_given() {
    for (wrapping, line) in [
        (Wrapping::Cri, "x"),
        (Wrapping::Cri, "2026-11-20T09:59:41Z stdin F x"),
        (Wrapping::Cri, "2026-11-20T09:59:41Z stdout Q x"),
        (Wrapping::Cri, "2026-11-20 09:59:41Z stdout F x"),
        (Wrapping::Docker, r#"{"log":"x\n","stream":"stdout"}"#),
        (
            Wrapping::Docker,
            r#"{"log":"x\n","stream":"o","time":"2026-11-20T09:59:41Z"}"#,
        ),
        (
            Wrapping::Docker,
            r#"{"log":"x\n","stream":"stdout","time":"now"}"#,
        ),
        (Wrapping::Syslog, "<190>x"),
        (Wrapping::Syslog, "<1900>Nov 20 09:59:41 nginx: x"),
        (Wrapping::Syslog, "Nov 20 09:59:41 no tag here"),
        (Wrapping::Syslog, "<165>1 - web app 7 m [open x"),
        (Wrapping::Syslog, "<165>1 - web app 7 m [a]x"),
    ] {
        assert_eq!(unwrap(Some(wrapping), &[line]), ["!format"], "{line}");
        assert_eq!(unwrap(None, &[line]), [format!("out {line}")]);
    }
    assert_eq!(unwrap(Some(Wrapping::Cri), &[""]), ["!empty"]);
    assert_eq!(unwrap(Some(Wrapping::None), &["a: b"]), ["out a: b"]);
}

#[test]
fn pieces_are_joined_for_each_output_apart() {
    let lines = [
        "stdout P a",
        "stderr P 1",
        "stdout P b",
        "stderr F 2",
        "stderr F 3",
        "stdout F c",
        "stdout F d",
    ]
    .map(|rest| format!("{T} {rest}"));
    let lines = lines.each_ref().map(String::as_str);
    let expected = ["…", "…", "…", "err 12", "err 3", "out abc", "out d"];
    assert_eq!(unwrap(None, &lines), expected);
}

#[test]
fn a_line_without_end_is_dropped_and_the_next_one_read() {
    let piece = format!("{T} stdout P {}", "x".repeat(MAX_LINE / 4));
    let mut unwrapper = Unwrapper::new(None);
    for _ in 0..100 {
        assert_eq!(unwrapper.line(piece.as_bytes()), Unwrapped::Piece);
        assert!(
            unwrapper.stdout.bytes.len() <= MAX_LINE && unwrapper.is_inside_a_line(Output::Stdout)
        );
    }
    let end = format!("{T} stdout F x");
    let damage = Unwrapped::Damaged(UnparsedKind::TooLong);
    assert_eq!(unwrapper.line(end.as_bytes()), damage);
    let next = Unwrapped::Line(Output::Stdout, Cow::Borrowed(&b"x"[..]));
    assert_eq!(unwrapper.line(end.as_bytes()), next);
    assert!(!unwrapper.is_inside_a_line(Output::Stdout));
}

#[test]
fn the_first_lines_decide_for_good() {
    let (plain, cri) = ("x", format!("{T} stdout F y"));
    let mut late: Vec<&str> = vec![plain; 7];
    late.extend([cri.as_str(), plain]);
    assert_eq!(unwrap(None, &late)[7..], ["out y", "!format"]);
    let mut never: Vec<&str> = vec![plain; 8];
    never.push(&cri);
    assert_eq!(unwrap(None, &never)[8], format!("out {cri}"));
}

proptest! {
    #[test]
    fn any_bytes_are_taken(lines in prop::collection::vec(any::<Vec<u8>>(), 0..20), given in 0usize..5) {
        let mut unwrapper = Unwrapper::new(Wrapping::ALL.get(given).copied());
        for line in &lines {
            unwrapper.line(line);
        }
    }

    #[test]
    fn what_was_split_comes_back(
        text in "[ -~é]{0,60}",
        at in 0usize..60,
        prefix in prop::sample::select(&["<1>", "<165>1 ", "Nov 20 09:59:41 ", "{\"log\":"][..]),
    ) {
        let text = format!("{prefix}{text}");
        let at = (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap();
        let (head, tail) = text.split_at(at);
        let cri = [format!("{T} stdout P {head}"), format!("{T} stdout F {tail}")];
        let json = |log: &str| serde_json::json!({ "log": log, "stream": "stdout", "time": T }).to_string();
        let docker = [json(head), json(&format!("{tail}\n"))];
        for lines in [cri, docker] {
            let got = unwrap(None, &[&lines[0], &lines[1]]);
            prop_assert_eq!(&got[1], &format!("out {text}"));
        }
    }
}
