//! Lines in, what they say out.

use proptest::prelude::*;

use super::*;

fn show(rules: &Rules, line: &str) -> String {
    match rules.read(line.as_bytes()) {
        None => "-".to_owned(),
        Some((told, session)) => {
            let reason = told.reason().map_or("", Reason::as_str);
            let session = String::from_utf8_lossy(session.unwrap_or_default()).into_owned();
            format!("{} {reason} {session}", told.kind())
        }
    }
}

fn rule(contains: &str, pattern: &str, reason: Reason) -> Rule {
    Rule::new(contains, pattern, EventKind::Closed, reason).unwrap()
}

#[test]
fn spring_s_lines_are_known() {
    let rules = Rules::new(Vec::new(), &[Preset::Spring]);
    for (line, expected) in [
        (
            "INFO c.e.SseController : SSE connection cancelled",
            "closed client_close ",
        ),
        (
            "SSE connection canceled, sessionId=4f1c2d3e-aa",
            "closed client_close 4f1c2d3e-aa",
        ),
        (
            "SSE connection cancelled for session 4f1c2d3e-aa",
            "closed client_close 4f1c2d3e-aa",
        ),
        ("SSE connection completed", "closed server_close "),
        (
            "SSE connection error: java.io.IOException: Broken pipe",
            "closed unknown ",
        ),
        ("SSE connection timed out", "closed unknown "),
        (
            "SSE connection established session_id: 4f1c2d3e",
            "opened  4f1c2d3e",
        ),
        ("DEBUG Sending heartbeat", "heartbeat  "),
        ("DEBUG heartbeat interval is 30s", "-"),
        ("SSE connection pool is empty", "-"),
    ] {
        assert_eq!(show(&rules, line), expected, "{line}");
    }
}

#[test]
fn sdks_lines_are_known() {
    let rules = Rules::new(Vec::new(), &[Preset::Sdk]);
    for (line, expected) in [
        (
            "rmcp::transport::worker: worker quit with reason: IdleTimeout(300s)",
            "closed idle_timeout ",
        ),
        ("worker quit with reason: Cancelled", "-"),
        (
            "ERROR:    ASGI callable returned without completing response.",
            "closed server_cut ",
        ),
        (
            "Failed to send keep-alive ping to session a-1: Stream unavailable for session a-1",
            "closed unknown a-1",
        ),
        (
            "Failed to send keep-alive ping to session a-1: timeout",
            "-",
        ),
        (
            "info: Closing idle session Xy_-1.",
            "closed idle_timeout Xy_-1",
        ),
        (
            "SSE error: TypeError: terminated: Body Timeout Error",
            "closed idle_timeout ",
        ),
        (
            "Error: SSE stream disconnected: TypeError: terminated",
            "closed unknown ",
        ),
        ("TypeError: terminated", "-"),
        // At shutdown, before any stream ends.
        (
            "INFO:     Waiting for connections to close. (CTRL+C to force quit)",
            "-",
        ),
    ] {
        assert_eq!(show(&rules, line), expected, "{line}");
    }
}

#[test]
fn the_first_rule_that_fits_decides_and_own_rules_come_first() {
    let own = vec![
        rule("cancelled", "cancelled by operator", Reason::Drain),
        rule("SSE", "SSE .*cancelled", Reason::ClientReset),
    ];
    let rules = Rules::new(own, &[Preset::Spring]);
    let check = |line, expected| assert_eq!(show(&rules, line), expected, "{line}");
    check("SSE connection cancelled by operator", "closed drain ");
    check("SSE connection cancelled", "closed client_reset ");
    check("SSE connection completed", "closed server_close ");
}

#[test]
fn without_the_literal_the_expression_is_not_asked() {
    let rules = Rules::new(vec![rule("other", "gone", Reason::Drain)], &[]);
    assert_eq!(show(&rules, "gone"), "-");
    assert_eq!(show(&rules, "gone other"), "closed drain ");
}

#[test]
fn a_captured_reason_counts_if_it_is_one() {
    let rules = Rules::new(
        vec![rule("end", r"end=(?<reason>\w+)", Reason::ServerClose)],
        &[],
    );
    let check = |line, expected| assert_eq!(show(&rules, line), expected, "{line}");
    check("end=idle_timeout", "closed idle_timeout ");
    check("end=DRAIN", "closed drain ");
    check("end=tired", "closed server_close ");
}

#[test]
fn only_the_start_of_a_long_line_is_looked_at() {
    let rules = Rules::new(vec![rule("end", "end", Reason::Drain)], &[]);
    let check = |before: usize, expected| {
        assert_eq!(
            show(&rules, &format!("{}end", "x".repeat(before))),
            expected
        );
    };
    check(LINE_MAX - 3, "closed drain ");
    check(LINE_MAX - 2, "-");
}

#[test]
fn bad_rules_say_what_is_wrong() {
    let problem = |contains: &str, pattern: &str| {
        Rule::new(contains, pattern, EventKind::Closed, Reason::Unknown).unwrap_err()
    };
    let long = "x".repeat(TEXT_MAX + 1);
    for (contains, pattern, expected) in [
        ("", "x", "nothing to look for"),
        (&*long, "x", "1025 bytes"),
        ("x", "", "bad pattern of 0 bytes"),
        ("x", &*long, "bad pattern of 1025 bytes"),
        ("x", "a(", "bad pattern: unclosed group"),
        ("x", "(?<who>x)", "unknown capture \"who\""),
        (
            "x",
            r"(\w{500}){500}",
            "bad pattern: Compiled regex exceeds size limit",
        ),
    ] {
        let found = problem(contains, pattern);
        assert!(found.starts_with(expected), "{found}");
        assert!(
            found.contains("expected") && !found.contains('\n'),
            "{found}"
        );
    }
}

proptest! {
    #[test]
    fn any_line_is_read(line in any::<Vec<u8>>()) {
        let rules = Rules::new(Vec::new(), Preset::ALL);
        rules.read(&line);
    }

    #[test]
    fn any_rule_is_judged(contains in any::<String>(), pattern in any::<String>()) {
        let found = Rule::new(&contains, &pattern, EventKind::Closed, Reason::Unknown);
        prop_assert!(found.err().is_none_or(|problem| problem.contains("expected")));
    }
}
