//! What stands around HAProxy's lines: the syslog prefix before them, and the messages of its own
//! among them.
//!
//! It does not know the format of the lines.

use memchr::memmem;

/// Longest syslog prefix, in bytes: PRI, time, host name (255 by RFC 5424, section 6) and tag.
const MAX_PREFIX: usize = 400;

/// The line without the syslog prefix that a local socket, a file of rsyslog's or UDP puts before it:
/// `<PRI>` (RFC 3164 or 5424) or nothing, a time, perhaps a host, and `TAG[PID]:`.
pub(super) fn content(line: &[u8]) -> &[u8] {
    let header = pri(line).unwrap_or(line);
    let stripped = match header.first() {
        Some(b'A'..=b'Z') => bsd_time(header).and_then(tagged),
        Some(b'1') if header.len() < line.len() => header.strip_prefix(b"1 ").and_then(fields),
        Some(b'0'..=b'9') => iso_time(header).and_then(tagged),
        _ => None,
    };
    stripped.unwrap_or(line)
}

/// What follows `<PRI>`.
fn pri(line: &[u8]) -> Option<&[u8]> {
    let digits = line.strip_prefix(b"<")?;
    let end = digits.iter().take(4).position(|byte| *byte == b'>')?;
    let is_number = end > 0 && digits.iter().take(end).all(u8::is_ascii_digit);
    digits.get(end + 1..).filter(|_| is_number)
}

/// What follows `Nov 20 10:15:03 `.
fn bsd_time(raw: &[u8]) -> Option<&[u8]> {
    let marks = [(3, b' '), (6, b' '), (9, b':'), (12, b':'), (15, b' ')];
    let fits = (marks.iter()).all(|(at, mark)| raw.get(*at) == Some(mark));
    raw.get(16..).filter(|_| fits)
}

/// What follows `2026-11-20T10:15:03.123456+00:00 `.
fn iso_time(raw: &[u8]) -> Option<&[u8]> {
    let marks = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    let fits = (marks.iter()).all(|(at, mark)| raw.get(*at) == Some(mark));
    let space = raw.iter().take(36).position(|byte| *byte == b' ')?;
    raw.get(space + 1..).filter(|_| fits)
}

/// What follows `HOST TAG[PID]: ` or `TAG[PID]: `.
fn tagged(raw: &[u8]) -> Option<&[u8]> {
    let head = raw.get(..MAX_PREFIX).unwrap_or(raw);
    let colon = memmem::find(head, b": ")?;
    let words = head.get(..colon)?.split(|byte| *byte == b' ');
    raw.get(colon + 2..).filter(|_| words.count() <= 2)
}

/// What follows RFC 5424's `TIME HOST APP PROCID MSGID -`; HAProxy has no structured data unless
/// `log-format-sd` is set.
fn fields(raw: &[u8]) -> Option<&[u8]> {
    let mut rest = raw;
    for _ in 0..5 {
        let head = rest.get(..MAX_PREFIX).unwrap_or(rest);
        rest = rest.get(memchr::memchr(b' ', head)? + 1..)?;
    }
    rest.strip_prefix(b"- ")
}

/// Whether a line is a message of HAProxy's own: a proxy that starts or stops, a server that goes up
/// or down, a check, or the master's notices on the same output.
pub(super) fn is_notice(line: &[u8]) -> bool {
    const BEGIN: [&[u8]; 12] = [
        b"Proxy ",
        b"Server ",
        b"Backup Server ",
        b"Health check for ",
        b"Backup Health check for ",
        b"backend ",
        b"Pausing ",
        b"Stopping ",
        b"soft-stop ",
        b"[NOTICE]",
        b"[WARNING]",
        b"[ALERT]",
    ];
    BEGIN.iter().any(|begin| line.starts_with(begin))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn syslog_prefixes_are_taken_off() {
        for prefix in [
            "",
            "<134>Nov 20 10:15:03 haproxy[11971]: ",
            "<134>Nov  2 10:15:03 lb-1 haproxy[11971]: ",
            "Nov 20 10:15:03 lb-1 haproxy[11971]: ",
            "2026-11-20T10:15:03.123456+00:00 lb-1 haproxy[1]: ",
            "<134>1 2026-11-20T10:15:03.123+00:00 lb-1 haproxy 11971 - - ",
        ] {
            for body in [
                "127.0.0.1:1 [20/Nov/2026:10:15:03.339] f b/s",
                "{\"a\": 1}",
                "::1:2 x",
            ] {
                let line = format!("{prefix}{body}");
                let got = content(line.as_bytes());
                assert_eq!(got, body.as_bytes(), "{line}");
            }
        }
    }

    #[test]
    fn what_is_no_prefix_stays() {
        for line in [
            "",
            "<",
            "<>Nov 20 10:15:03 haproxy[1]: x",
            "<134>",
            "Nov 20 10:15:03",
            "Nov 20 10:15:03 a b c: x",
            "<134>1 2026 a",
            "20/Nov/2026:10:15:03.339 x: y",
        ] {
            assert_eq!(content(line.as_bytes()), line.as_bytes(), "{line}");
        }
    }

    #[test]
    fn messages_are_told_from_requests() {
        for (line, expected) in [
            ("Proxy f stopped (cumulated conns: FE: 0, BE: 0).", true),
            (
                "Server b/s1 is DOWN, reason: Layer4 connection problem",
                true,
            ),
            ("[NOTICE]   (1) : New worker (8) forked", true),
            ("127.0.0.1:1 [20/Nov/2026:10:15:03.339] f b/s", false),
            ("Connect from 127.0.0.1:1 to 127.0.0.1:2 (f/HTTP)", false),
            ("", false),
        ] {
            assert_eq!(is_notice(line.as_bytes()), expected, "{line}");
        }
    }
}
