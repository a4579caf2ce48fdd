//! Small values as access logs write them: numbers, durations, times, absent and escaped text.
//!
//! Decimals are read as integers: a float would round a millisecond. Nothing here knows a proxy.

use std::borrow::Cow;
use std::time::Duration;

use super::{Stamp, search};

/// The value, unless it stands for nothing: `-` or empty.
pub(crate) fn present(raw: &[u8]) -> Option<&[u8]> {
    match raw {
        b"" | b"-" => None,
        raw => Some(raw),
    }
}

/// Decimal digits and nothing else.
pub(crate) fn integer(raw: &[u8]) -> Option<u64> {
    /// The longest number that always fits.
    const SAFE: usize = 19;
    if raw.is_empty() || raw.len() > SAFE {
        return long_integer(raw);
    }
    let (mut sum, mut odd) = (0u64, false);
    for byte in raw {
        let digit = byte.wrapping_sub(b'0');
        odd |= digit > 9;
        // It can wrap only where it is not taken.
        sum = sum.wrapping_mul(10).wrapping_add(u64::from(digit));
    }
    (!odd).then_some(sum)
}

#[cold]
fn long_integer(raw: &[u8]) -> Option<u64> {
    if raw.is_empty() {
        return None;
    }
    raw.iter().try_fold(0u64, |sum, byte| {
        let digit = byte.checked_sub(b'0').filter(|digit| *digit <= 9)?;
        sum.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

/// Seconds with up to nine decimals, as in `60.003`.
pub(crate) fn seconds(raw: &[u8]) -> Option<Duration> {
    const NANOS: [u64; 10] = [
        1_000_000_000,
        100_000_000,
        10_000_000,
        1_000_000,
        100_000,
        10_000,
        1000,
        100,
        10,
        1,
    ];
    // As nginx writes it.
    if let Some((whole, [b'.', millis @ ..])) = raw.split_last_chunk::<4>() {
        let millis = u32::try_from(integer(millis)?).ok()?;
        return Some(Duration::new(integer(whole)?, millis * 1_000_000));
    }
    let Some((whole, fraction)) = search::split_once(b'.', raw) else {
        return integer(raw).map(Duration::from_secs);
    };
    let nanos = integer(fraction)? * NANOS.get(fraction.len())?;
    Some(Duration::new(integer(whole)?, u32::try_from(nanos).ok()?))
}

/// Seconds since 1970 with decimals, as in `1795168781.360`, in milliseconds.
pub(crate) fn unix_ms(raw: &[u8]) -> Option<i64> {
    // As nginx writes it.
    if let Some((whole, [b'.', millis @ ..])) = raw.split_last_chunk::<4>() {
        let ms = integer(whole)?
            .checked_mul(1000)?
            .checked_add(integer(millis)?)?;
        return i64::try_from(ms).ok();
    }
    i64::try_from(seconds(raw)?.as_millis()).ok()
}

/// A moment whose zone is not written.
pub(crate) fn without_zone(unix_ms: i64) -> Stamp {
    Stamp {
        unix_ms,
        utc_offset: None,
    }
}

/// `2026-11-20T09:59:41+00:00`.
pub(crate) fn iso8601(raw: &[u8]) -> Option<Stamp> {
    let (time, zone) = raw.split_first_chunk::<19>()?;
    let [y1, y2, y3, y4, _, m1, m2, _, d1, d2, _, clock @ ..] = time;
    let date = [year([*y1, *y2, *y3, *y4])?, two(*m1, *m2)?, two(*d1, *d2)?];
    stamp(date, self::clock(clock)?, offset(zone)?)
}

/// The common log format's time: `20/Nov/2026:09:59:41 +0000`.
pub(crate) fn common(raw: &[u8]) -> Option<Stamp> {
    let (time, zone) = raw.split_first_chunk::<21>()?;
    let [d1, d2, _, m1, m2, m3, _, y1, y2, y3, y4, _, clock @ .., _] = time;
    let date = [
        year([*y1, *y2, *y3, *y4])?,
        month(&[*m1, *m2, *m3])?,
        two(*d1, *d2)?,
    ];
    stamp(date, self::clock(clock)?, offset(zone)?)
}

/// `2026/11/20 09:59:41`, without a zone: naive seconds since 1970, comparable only among themselves.
pub(crate) fn naive(raw: &[u8]) -> Option<i64> {
    let [y1, y2, y3, y4, b'/', m1, m2, b'/', d1, d2, b' ', clock @ ..] = raw.first_chunk::<19>()?
    else {
        return None;
    };
    let date = [year([*y1, *y2, *y3, *y4])?, two(*m1, *m2)?, two(*d1, *d2)?];
    Some(days(date)? * 86_400 + self::clock(clock)?)
}

fn stamp(date: [i64; 3], clock: i64, offset: i32) -> Option<Stamp> {
    let local = days(date)? * 86_400 + clock;
    Some(Stamp {
        unix_ms: (local - i64::from(offset)) * 1000,
        utc_offset: Some(offset),
    })
}

/// `09:59:41` as seconds of the day; 60 is a leap second.
pub(crate) fn clock(raw: &[u8]) -> Option<i64> {
    let [h1, h2, b':', m1, m2, b':', s1, s2] = raw else {
        return None;
    };
    let (hour, minute, second) = (two(*h1, *h2)?, two(*m1, *m2)?, two(*s1, *s2)?);
    (hour < 24 && minute < 60 && second <= 60).then_some(hour * 3600 + minute * 60 + second)
}

/// `+0530`, `-08:00` or `Z` as seconds.
pub(crate) fn offset(raw: &[u8]) -> Option<i32> {
    let (sign, digits) = match raw {
        b"Z" => return Some(0),
        [sign, h1, h2, m1, m2] | [sign, h1, h2, _, m1, m2] => (sign, [h1, h2, m1, m2]),
        _ => return None,
    };
    let [h1, h2, m1, m2] = digits.map(|digit| *digit);
    let seconds = i32::try_from(two(h1, h2)? * 3600 + two(m1, m2)? * 60).ok()?;
    match sign {
        b'+' => Some(seconds),
        b'-' => Some(-seconds),
        _ => None,
    }
}

/// `Jan` to `Dec`, from 1.
pub(crate) fn month(name: &[u8]) -> Option<i64> {
    Some(match name {
        b"Jan" => 1,
        b"Feb" => 2,
        b"Mar" => 3,
        b"Apr" => 4,
        b"May" => 5,
        b"Jun" => 6,
        b"Jul" => 7,
        b"Aug" => 8,
        b"Sep" => 9,
        b"Oct" => 10,
        b"Nov" => 11,
        b"Dec" => 12,
        _ => return None,
    })
}

fn year([y1, y2, y3, y4]: [u8; 4]) -> Option<i64> {
    Some(two(y1, y2)? * 100 + two(y3, y4)?)
}

/// Two decimal digits.
#[inline]
fn two(tens: u8, ones: u8) -> Option<i64> {
    let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
    (tens <= 9 && ones <= 9).then_some(i64::from(tens) * 10 + i64::from(ones))
}

/// Decimal digits at a place, and nothing else there.
pub(crate) fn number(raw: &[u8], at: usize, width: usize) -> Option<i64> {
    i64::try_from(integer(raw.get(at..at + width)?)?).ok()
}

/// Days from 1970-01-01 to a date of the Gregorian calendar.
pub(crate) fn days([year, month, day]: [i64; 3]) -> Option<i64> {
    const BEFORE: [i64; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    if !(1..=31).contains(&day) {
        return None;
    }
    let leaps = |year: i64| year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    let leap = leaps(year) > leaps(year - 1);
    let before = BEFORE.get(usize::try_from(month - 1).ok()?)?;
    let years = 365 * (year - 1970) + leaps(year - 1) - leaps(1969);
    Some(years + before + i64::from(leap && month > 2) + day - 1)
}

/// Undoes the escaping of a value: `\xHH` (nginx `escape=default`) and JSON's escapes. The two do
/// not overlap, so one reading serves both. A broken escape stands as written.
pub fn unescape(raw: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(b'\\', raw).is_none() {
        return Cow::Borrowed(raw);
    }
    let mut meant = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        let (plain, escaped) = rest.split_at(at);
        meant.extend_from_slice(plain);
        rest = unescape_one(escaped, &mut meant);
    }
    meant.extend_from_slice(rest);
    Cow::Owned(meant)
}

/// Reads the escape at the start of `raw`, which is a backslash, and gives what follows it.
fn unescape_one<'a>(raw: &'a [u8], meant: &mut Vec<u8>) -> &'a [u8] {
    let (byte, length) = match raw.get(1) {
        Some(b'x') => (
            hex(raw.get(2..4)).and_then(|code| u8::try_from(code).ok()),
            4,
        ),
        // nginx writes \u00XX for control characters only; other text is written as it is.
        Some(b'u') => (
            hex(raw.get(2..6)).and_then(|code| u8::try_from(code).ok()),
            6,
        ),
        Some(b'n') => (Some(b'\n'), 2),
        Some(b'r') => (Some(b'\r'), 2),
        Some(b't') => (Some(b'\t'), 2),
        Some(b'b') => (Some(8), 2),
        Some(b'f') => (Some(12), 2),
        Some(byte @ (b'"' | b'\\' | b'/')) => (Some(*byte), 2),
        _ => (None, 1),
    };
    meant.push(byte.unwrap_or(b'\\'));
    let length = if byte.is_some() { length } else { 1 };
    raw.get(length..).unwrap_or_default()
}

fn hex(digits: Option<&[u8]>) -> Option<u32> {
    digits?.iter().try_fold(0, |sum, byte| {
        Some(sum * 16 + char::from(*byte).to_digit(16)?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_integers() {
        for (text, expected) in [
            ("0.000", Some(Duration::ZERO)),
            ("60.003", Some(Duration::from_millis(60_003))),
            ("7", Some(Duration::from_secs(7))),
            ("1.123456789", Some(Duration::new(1, 123_456_789))),
            ("1.1234567890", None),
            ("1.", None),
            (".5", None),
            ("-1.0", None),
            ("1.2.3", None),
            ("99999999999999999999.0", None),
            (
                "9999999999999999999",
                Some(Duration::from_secs(9_999_999_999_999_999_999)),
            ),
            ("zzzzzzzzzzzzzzzzzzz", None),
        ] {
            assert_eq!(seconds(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn integers_are_digits_and_fit() {
        for (text, expected) in [
            ("0", Some(0)),
            ("9999999999999999999", Some(9_999_999_999_999_999_999)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("000000000000000000000001", Some(1)),
            ("", None),
            ("+1", None),
            ("1 ", None),
            ("~~~~~~~~~~~~~~~~~~~", None),
        ] {
            assert_eq!(integer(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn times_of_all_spellings_agree() {
        let expected = |offset| {
            Some(Stamp {
                unix_ms: 1_795_168_781_000,
                utc_offset: Some(offset),
            })
        };
        assert_eq!(iso8601(b"2026-11-20T09:59:41+00:00"), expected(0));
        assert_eq!(iso8601(b"2026-11-20T09:59:41Z"), expected(0));
        assert_eq!(common(b"20/Nov/2026:09:59:41 +0000"), expected(0));
        assert_eq!(common(b"20/Nov/2026:15:29:41 +0530"), expected(19_800));
        assert_eq!(iso8601(b"2026-11-20T01:59:41-08:00"), expected(-28_800));
        assert_eq!(naive(b"2026/11/20 09:59:41"), Some(1_795_168_781));
        assert_eq!(unix_ms(b"1795168781.360"), Some(1_795_168_781_360));
        assert_eq!(unix_ms(b"1795168781.3"), Some(1_795_168_781_300));
        // Whole seconds that fit, with milliseconds that do not any more.
        assert_eq!(unix_ms(b"18446744073709551.999"), None);
    }

    #[test]
    fn leap_days_count() {
        for (text, expected) in [
            ("1970/01/01 00:00:00", 0),
            ("2000/02/29 00:00:00", 951_782_400),
            ("2000/03/01 00:00:00", 951_868_800),
            ("2024/12/31 23:59:59", 1_735_689_599),
            ("2100/03/01 00:00:00", 4_107_542_400),
        ] {
            assert_eq!(naive(text.as_bytes()), Some(expected), "{text}");
        }
    }

    #[test]
    fn broken_times_are_none() {
        for text in [
            "20/Nox/2026:09:59:41 +0000",
            "20/Nov/2026:29:59:41 +0000",
            "20/Nov/2026:09:59:41",
            "20/Nov/2026:09:59:41 0000",
            "20/Nov/2026:09-59:41 +0000",
            "00/Nov/2026:09:59:41 +0000",
            "",
        ] {
            assert_eq!(common(text.as_bytes()), None, "{text}");
        }
        assert_eq!(naive(b"2026-11-20 09:59:41"), None);
    }

    #[test]
    fn both_kinds_of_escapes_are_undone() {
        for (written, meant) in [
            ("plain", "plain"),
            (r"a\x22b\x5Cc", "a\"b\\c"),
            (r#"a\"b\\c\/"#, "a\"b\\c/"),
            (r"\t\u0001", "\t\u{1}"),
            (r"\x2", r"\x2"),
            (r"\xZZ", r"\xZZ"),
            (r"\u0", r"\u0"),
            ("\\", "\\"),
        ] {
            assert_eq!(
                &*unescape(written.as_bytes()),
                meant.as_bytes(),
                "{written}"
            );
        }
    }
}
