//! Numbers and times in words, for somebody who was just woken up.
//!
//! Owns how a span, an age, a time of day, a number and a side read. Knows nothing of HTML: the
//! results are plain text.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::SuspectedTimeout;
use crate::canary::fingerprint::CutOff;
use crate::reason::Side;

/// The first second that RFC 3339 cannot write: 10000-01-01T00:00:00Z.
const YEAR_10000: u64 = 253_402_300_800;

const UNKNOWN: &str = "not known";

/// A measured span. Seconds up to 10 000, because the cut-offs that proxies are set to (60, 300, 3600)
/// are known by their seconds.
pub(super) fn span(seconds: f64) -> String {
    if !(seconds.is_finite() && seconds >= 0.0) {
        return UNKNOWN.to_owned();
    }
    if seconds < 10_000.0 {
        let text = format!("{seconds:.1}");
        return format!("{} s", text.strip_suffix(".0").unwrap_or(&text));
    }
    coarse(seconds)
}

/// After what a suspected time-out cuts.
pub(super) fn time_out(found: &SuspectedTimeout) -> String {
    let seconds = span(found.seconds);
    match found.kind {
        CutOff::Idle => format!("{seconds} of silence"),
        CutOff::Total => format!("{seconds}, whatever is sent"),
    }
}

/// How long ago something was: coarse, since it is read once and grows older.
pub(super) fn ago(seconds: f64) -> String {
    if !(seconds.is_finite() && seconds >= 0.0) {
        return UNKNOWN.to_owned();
    }
    format!("{} ago", coarse(seconds))
}

/// The same for a time, seen from `now`. A time in the future (a clock that was set back) is now.
pub(super) fn ago_at(at: SystemTime, now: SystemTime) -> String {
    let age = now.duration_since(at).unwrap_or(Duration::ZERO);
    ago(age.as_secs_f64())
}

fn coarse(seconds: f64) -> String {
    const MINUTE: f64 = 60.0;
    const HOUR: f64 = 60.0 * MINUTE;
    const DAY: f64 = 24.0 * HOUR;
    // Each unit lasts until two of the next are full; rounding down never claims more than there was.
    let (unit, name) = match seconds {
        s if s < 2.0 * MINUTE => (1.0, "s"),
        s if s < 2.0 * HOUR => (MINUTE, "min"),
        s if s < 2.0 * DAY => (HOUR, "h"),
        _ => (DAY, "days"),
    };
    format!("{} {name}", (seconds / unit).floor())
}

/// Time of day in UTC, to find the moment in other logs.
pub(super) fn time_of_day(at: SystemTime) -> String {
    let Ok(since_epoch) = at.duration_since(UNIX_EPOCH) else {
        return UNKNOWN.to_owned();
    };
    let second = since_epoch.as_secs() % 86_400;
    let (hour, minute) = (second / 3600, second / 60 % 60);
    format!("{hour:02}:{minute:02}:{:02}", second % 60)
}

/// RFC 3339 in UTC with milliseconds; nothing for a time outside the years 1970 to 9999.
pub(super) fn rfc3339(at: SystemTime) -> Option<String> {
    let seconds = at.duration_since(UNIX_EPOCH).ok()?.as_secs();
    (seconds < YEAR_10000).then(|| humantime::format_rfc3339_millis(at).to_string())
}

/// A count with its thousands apart: `1 234 567`.
pub(super) fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() * 2);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// One noun with its number.
pub(super) fn counted(n: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(n), if n == 1 { one } else { many })
}

/// A side, as it follows a reason in brackets.
pub(super) fn side(side: Side) -> String {
    match side {
        Side::Unknown => "side not known".to_owned(),
        known => format!("{known} side"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn spans_keep_the_seconds_that_settings_are_known_by() {
        for (seconds, expected) in [
            (0.0, "0 s"),
            (0.25, "0.2 s"),
            (60.04, "60 s"),
            (300.1, "300.1 s"),
            (3600.0, "3600 s"),
            (9_999.9, "9999.9 s"),
            (10_000.0, "2 h"),
            (86_400.0, "24 h"),
            (-1.0, UNKNOWN),
            (f64::NAN, UNKNOWN),
            (f64::INFINITY, UNKNOWN),
        ] {
            assert_eq!(span(seconds), expected, "{seconds}");
        }
    }

    #[test]
    fn ages_round_down() {
        for (seconds, expected) in [
            (0.9, "0 s ago"),
            (119.9, "119 s ago"),
            (120.0, "2 min ago"),
            (7199.0, "119 min ago"),
            (7200.0, "2 h ago"),
            (172_800.0, "2 days ago"),
            (f64::NAN, UNKNOWN),
        ] {
            assert_eq!(ago(seconds), expected, "{seconds}");
        }
        assert_eq!(ago_at(at(100), at(112)), "12 s ago");
        assert_eq!(ago_at(at(112), at(100)), "0 s ago");
    }

    #[test]
    fn times_out_of_range_are_not_known() {
        assert_eq!(time_of_day(at(86_400 + 3661)), "01:01:01");
        assert_eq!(time_of_day(UNIX_EPOCH - Duration::from_secs(1)), UNKNOWN);
        assert_eq!(rfc3339(at(0)).as_deref(), Some("1970-01-01T00:00:00.000Z"));
        assert_eq!(
            rfc3339(at(YEAR_10000 - 1)).as_deref(),
            Some("9999-12-31T23:59:59.000Z")
        );
        assert_eq!(rfc3339(at(YEAR_10000)), None);
        assert_eq!(rfc3339(UNIX_EPOCH - Duration::from_secs(1)), None);
    }

    #[test]
    fn counts_are_grouped() {
        for (n, expected) in [
            (0, "0"),
            (999, "999"),
            (1000, "1\u{202f}000"),
            (1_234_567, "1\u{202f}234\u{202f}567"),
        ] {
            assert_eq!(count(n), expected);
        }
        assert_eq!(counted(1, "line", "lines"), "1 line");
        assert_eq!(counted(0, "line", "lines"), "0 lines");
    }
}
