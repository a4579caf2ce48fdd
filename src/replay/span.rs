//! From when to when a file's lines are.
//!
//! It does not know what wrote them.

use std::time::{Duration, UNIX_EPOCH};

use super::report::File;

/// The earliest and the latest time in a file, in milliseconds since 1970.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Span {
    /// The earliest.
    pub first: Option<i64>,
    /// The latest.
    pub last: Option<i64>,
}

impl Span {
    /// Takes a line's time.
    pub fn add(&mut self, time: i64) {
        self.first = Some(self.first.map_or(time, |first| first.min(time)));
        self.last = self.last.max(Some(time));
    }

    /// The file that it spans, as the report has it.
    pub fn file(&self, file: &str, log: &'static str, lines: u64, bytes: u64) -> File {
        File {
            file: file.to_owned(),
            log,
            lines,
            bytes,
            first: self.first.map(moment),
            last: self.last.map(moment),
        }
    }
}

/// A time as RFC 3339, in UTC and whole seconds; before 1970 or after 9999 it is shown as those.
pub fn moment(unix_ms: i64) -> String {
    const LAST_MS: u64 = 253_402_300_799_000;
    let ms = u64::try_from(unix_ms).unwrap_or(0).min(LAST_MS);
    let at = UNIX_EPOCH.checked_add(Duration::from_millis(ms));
    humantime::format_rfc3339_seconds(at.unwrap_or(UNIX_EPOCH)).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_grows_both_ways() {
        let mut span = Span::default();
        assert_eq!(span.file("a", "access", 0, 0).first, None);
        for time in [2_000, 1_000, 3_000] {
            span.add(time);
        }
        assert_eq!((span.first, span.last), (Some(1_000), Some(3_000)));
    }

    #[test]
    fn moments_are_written_whatever_they_are() {
        for (time, expected) in [
            (1_795_168_781_360, "2026-11-20T09:59:41Z"),
            (i64::MIN, "1970-01-01T00:00:00Z"),
            (i64::MAX, "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(moment(time), expected);
        }
    }
}
