//! When the error log speaks: for which streams it means something that it says nothing.
//!
//! An error log that was rotated apart from the access log is silent about the rest of the time, and
//! that silence is no evidence that a server ended its streams well. It does not know lines.

/// How far before its first line and after its last an error log is taken to speak, in milliseconds:
/// ten minutes. logrotate moves both logs in one run, so their quiet ends differ by chance only;
/// the number is a choice.
pub const MARGIN: i64 = 10 * 60 * 1000;

/// What is known of the time that the error log covers.
#[derive(Debug, Clone, Copy, Default)]
pub struct Coverage {
    /// The user says that it covers everything.
    pub complete: bool,
    /// Its first line's time, in milliseconds since 1970.
    pub first: Option<i64>,
    /// Its last line's; `None` while more may follow.
    pub last: Option<i64>,
}

impl Coverage {
    /// Whether it speaks about a stream that ended then.
    pub fn holds(&self, ended: i64) -> bool {
        if self.complete {
            return true;
        }
        let begun = (self.first).is_some_and(|first| ended >= first.saturating_sub(MARGIN));
        begun && (self.last).is_none_or(|last| ended <= last.saturating_add(MARGIN))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_speaks_from_its_first_line_to_its_last() {
        const HOUR: i64 = 3_600_000;
        let check = |complete, first, last, ended, expected| {
            let coverage = Coverage {
                complete,
                first,
                last,
            };
            assert_eq!(coverage.holds(ended), expected, "{coverage:?} {ended}");
        };
        check(false, None, None, HOUR, false);
        check(true, None, None, HOUR, true);
        check(false, Some(HOUR), None, HOUR, true);
        check(false, Some(HOUR), None, HOUR - MARGIN, true);
        check(false, Some(HOUR), None, HOUR - MARGIN - 1, false);
        check(false, Some(HOUR), None, 9 * HOUR, true);
        check(false, Some(HOUR), Some(2 * HOUR), 2 * HOUR + MARGIN, true);
        check(
            false,
            Some(HOUR),
            Some(2 * HOUR),
            2 * HOUR + MARGIN + 1,
            false,
        );
        check(true, Some(HOUR), Some(2 * HOUR), 9 * HOUR, true);
    }
}
