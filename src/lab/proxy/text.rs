//! How nginx spells a client's bytes, a duration and a date in its logs: pure, in UTC.
//!
//! Does not know which field it spells.

use std::time::{Duration, SystemTime};

/// Escapes as nginx's `log_format` does by default and cuts at [`FIELD_MAX`] bytes; `-` for nothing.
pub(super) fn field(value: &[u8]) -> String {
    if value.is_empty() {
        return "-".to_owned();
    }
    let mut text = String::with_capacity(value.len());
    for byte in value.iter().take(FIELD_MAX) {
        match byte {
            b'"' | b'\\' | 0..=31 | 127.. => {
                text.push_str(&format!("\\x{byte:02X}"));
            }
            _ => text.push(char::from(*byte)),
        }
    }
    text
}

/// Bytes of one client-given field that reach the log.
const FIELD_MAX: usize = 2048;

/// Seconds with milliseconds, as `$request_time`.
pub(super) fn seconds(duration: Duration) -> String {
    format!("{:.3}", duration.as_secs_f64())
}

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// `20/Nov/2026:09:59:41 +0000`.
pub(super) fn time_local(at: SystemTime) -> String {
    let [year, month, day, time] = date(at);
    let number: usize = month.parse().unwrap_or_default();
    let name = number
        .checked_sub(1)
        .and_then(|month| MONTHS.get(month))
        .unwrap_or(&"-");
    format!("{day}/{name}/{year}:{time} +0000")
}

/// `2026/11/20 09:59:41`.
pub(super) fn time_error(at: SystemTime) -> String {
    let [year, month, day, time] = date(at);
    format!("{year}/{month}/{day} {time}")
}

/// Year, month, day and time of day, in UTC.
fn date(at: SystemTime) -> [String; 4] {
    let text = humantime::format_rfc3339_seconds(at).to_string();
    let mut parts = text.split(['-', 'T', 'Z']).map(str::to_owned);
    std::array::from_fn(|_| parts.next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn fields_are_escaped_and_capped() {
        for (raw, expected) in [
            (&b""[..], "-"),
            (b"node", "node"),
            (b"a\"b\\c", "a\\x22b\\x5Cc"),
            (b"\n\x7f\xc3\xa9", "\\x0A\\x7F\\xC3\\xA9"),
        ] {
            assert_eq!(field(raw), expected);
        }
        assert_eq!(field(&[b'a'; 5000]).len(), FIELD_MAX);
    }

    #[test]
    fn dates_cross_leap_days_and_years() {
        for (secs, local, error) in [
            (0, "01/Jan/1970:00:00:00 +0000", "1970/01/01 00:00:00"),
            (
                1_709_164_800,
                "29/Feb/2024:00:00:00 +0000",
                "2024/02/29 00:00:00",
            ),
            (
                1_798_761_599,
                "31/Dec/2026:23:59:59 +0000",
                "2026/12/31 23:59:59",
            ),
        ] {
            let at = SystemTime::UNIX_EPOCH + Duration::from_secs(secs);
            assert_eq!(time_local(at), local);
            assert_eq!(time_error(at), error);
        }
    }

    proptest! {
        #[test]
        fn no_field_can_break_out_of_its_quotes(value: Vec<u8>) {
            let text = field(&value);
            prop_assert!(text.bytes().all(|byte| (b' '..=b'~').contains(&byte) && byte != b'"'), "{text}");
            prop_assert!(text.len() <= 4 * FIELD_MAX);
        }
    }
}
