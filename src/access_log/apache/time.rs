//! The parts of a moment as `%t`, `%{sec}t`, `%{msec_frac}t` and `%{strftime}t` write them, put
//! together.
//!
//! Apache stamps a line with the moment the request *began*, unless a part says `end:` (manual,
//! `mod_log_config`, `%{format}t`). It does not know where a value ends.

use crate::access_log::{Stamp, value};

/// One `%…t`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    at_end: bool,
    what: What,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum What {
    /// `[20/Nov/2026:09:59:41 +0000]`.
    Common,
    /// Whole units since 1970, with so many microseconds each.
    Since(i64),
    /// Digits behind the second's decimal point, with so many microseconds each.
    Fraction(i64),
    /// A pattern.
    Strftime(Box<[Token]>),
    /// A pattern with something in it whose length varies or that tells no time.
    Opaque,
}

/// One piece of a `strftime` pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Literal(u8),
    Year,
    Month,
    MonthName,
    Day,
    Hour,
    Minute,
    Second,
    Zone,
    WeekdayName,
}

impl Token {
    fn width(&self) -> usize {
        match self {
            Self::Literal(_) => 1,
            Self::Month | Self::Day | Self::Hour | Self::Minute | Self::Second => 2,
            Self::MonthName | Self::WeekdayName => 3,
            Self::Year => 4,
            Self::Zone => 5,
        }
    }
}

/// What is known of a moment so far.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Moment {
    year: Option<i64>,
    month: Option<i64>,
    day: Option<i64>,
    hour: i64,
    minute: i64,
    second: i64,
    fraction_us: Option<i64>,
    since_us: Option<i64>,
    offset: Option<i32>,
    at_end: bool,
}

impl Moment {
    /// The moment in microseconds since 1970, its zone, and whether it is the request's end.
    pub(super) fn stamp(&self) -> Option<(i64, Option<i32>, bool)> {
        let us = match (self.since_us, self.local_seconds()) {
            (Some(since), _) if since % 1_000_000 == 0 => {
                since.saturating_add(self.fraction_us.unwrap_or(0))
            }
            (Some(since), _) => since,
            (None, Some(local)) => {
                let utc = local - i64::from(self.offset.unwrap_or(0));
                utc * 1_000_000 + self.fraction_us.unwrap_or(0)
            }
            (None, None) => return None,
        };
        Some((us, self.offset, self.at_end))
    }

    fn local_seconds(&self) -> Option<i64> {
        let days = value::days([self.year?, self.month?, self.day?])?;
        Some(days * 86_400 + self.hour * 3600 + self.minute * 60 + self.second)
    }
}

/// A moment of microseconds as a record has it.
pub(super) fn stamp(us: i64, utc_offset: Option<i32>) -> Stamp {
    Stamp {
        unix_ms: us.div_euclid(1000),
        utc_offset,
    }
}

impl Part {
    /// The part that `%{argument}t` writes.
    pub(super) fn of(argument: Option<&str>) -> Self {
        let argument = argument.unwrap_or_default();
        let (at_end, argument) = match argument.strip_prefix("end:") {
            Some(rest) => (true, rest),
            None => (false, argument.strip_prefix("begin:").unwrap_or(argument)),
        };
        let what = match argument {
            "" => What::Common,
            "sec" => What::Since(1_000_000),
            "msec" => What::Since(1000),
            "usec" => What::Since(1),
            "msec_frac" => What::Fraction(1000),
            "usec_frac" => What::Fraction(1),
            pattern => tokens(pattern).map_or(What::Opaque, What::Strftime),
        };
        Self { at_end, what }
    }

    /// How many bytes it writes.
    pub(super) fn width(&self) -> Option<usize> {
        match &self.what {
            What::Common => Some(28),
            What::Fraction(1000) => Some(3),
            What::Fraction(_) => Some(6),
            What::Strftime(tokens) => Some(tokens.iter().map(Token::width).sum()),
            What::Since(_) | What::Opaque => None,
        }
    }

    /// Whether it can tell a moment.
    pub(super) fn tells(&self) -> bool {
        !matches!(self.what, What::Opaque | What::Fraction(_))
    }

    /// Reads a value into what is known; `None` if it is none. Of two moments, the request's end wins.
    pub(super) fn read(&self, raw: &[u8], moment: &mut Moment) -> Option<()> {
        if moment.at_end && !self.at_end {
            return Some(());
        }
        if self.at_end && !moment.at_end {
            *moment = Moment {
                at_end: true,
                ..Moment::default()
            };
        }
        match &self.what {
            What::Common => {
                let raw = raw.strip_prefix(b"[")?.strip_suffix(b"]")?;
                let stamp = value::common(raw)?;
                moment.since_us = Some(stamp.unix_ms.checked_mul(1000)?);
                moment.offset = stamp.utc_offset;
            }
            What::Since(unit) => {
                let us = count(raw)?.checked_mul(*unit)?;
                // The most exact of several.
                moment.since_us = Some(moment.since_us.map_or(us, |known| known.max(us)));
            }
            What::Fraction(unit) => moment.fraction_us = Some(count(raw)?.checked_mul(*unit)?),
            What::Strftime(tokens) => read_tokens(tokens, raw, moment)?,
            What::Opaque => {}
        }
        Some(())
    }
}

fn count(raw: &[u8]) -> Option<i64> {
    // Far beyond any date, and far from an overflow of what is computed with it.
    let count = value::integer(raw)?;
    i64::try_from(count).ok().filter(|count| *count < 1 << 53)
}

/// Compiles a pattern; `None` if a piece of it is not known here.
fn tokens(pattern: &str) -> Option<Box<[Token]>> {
    let expanded = pattern
        .replace("%F", "%Y-%m-%d")
        .replace("%T", "%H:%M:%S")
        .replace("%R", "%H:%M");
    let mut tokens = Vec::new();
    let mut bytes = expanded.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            tokens.push(Token::Literal(byte));
            continue;
        }
        tokens.push(match bytes.next()? {
            b'%' => Token::Literal(b'%'),
            b'Y' => Token::Year,
            b'm' => Token::Month,
            b'b' | b'h' => Token::MonthName,
            b'd' | b'e' => Token::Day,
            b'H' => Token::Hour,
            b'M' => Token::Minute,
            b'S' => Token::Second,
            b'z' => Token::Zone,
            b'a' => Token::WeekdayName,
            _ => return None,
        });
    }
    Some(tokens.into())
}

fn read_tokens(tokens: &[Token], raw: &[u8], moment: &mut Moment) -> Option<()> {
    let mut rest = raw;
    for token in tokens {
        let (text, after) = rest.split_at_checked(token.width())?;
        rest = after;
        let number = || count(text.trim_ascii_start());
        match token {
            Token::Literal(byte) => (text == [*byte]).then_some(())?,
            Token::Year => moment.year = Some(number()?),
            Token::Month => moment.month = Some(number()?),
            Token::MonthName => moment.month = Some(value::month(text)?),
            Token::Day => moment.day = Some(number()?),
            Token::Hour => moment.hour = number()?,
            Token::Minute => moment.minute = number()?,
            Token::Second => moment.second = number()?,
            Token::Zone => moment.offset = Some(value::offset(text)?),
            Token::WeekdayName => {}
        }
    }
    rest.is_empty().then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(parts: &[(Option<&str>, &str)], expected: Option<(i64, Option<i32>, bool)>) {
        let mut moment = Moment::default();
        let read = parts.iter().try_for_each(|(argument, value)| {
            Part::of(*argument).read(value.as_bytes(), &mut moment)
        });
        assert_eq!(read.and_then(|()| moment.stamp()), expected, "{parts:?}");
    }

    const SECOND: i64 = 1_795_168_781_000_000;

    #[test]
    fn parts_make_a_moment() {
        let begin = |us, offset| Some((us, offset, false));
        check(
            &[(None, "[20/Nov/2026:15:29:41 +0530]")],
            begin(SECOND, Some(19_800)),
        );
        check(
            &[
                (Some("%Y-%m-%dT%H:%M:%S"), "2026-11-20T09:59:41"),
                (Some("msec_frac"), "391"),
                (Some("%z"), "+0000"),
            ],
            begin(SECOND + 391_000, Some(0)),
        );
        check(
            &[
                (Some("%d/%b/%Y %T"), "20/Nov/2026 09:59:41"),
                (Some("usec_frac"), "000391"),
            ],
            begin(SECOND + 391, None),
        );
        check(&[(Some("sec"), "1795168781")], begin(SECOND, None));
        check(
            &[(Some("msec"), "1795168781391")],
            begin(SECOND + 391_000, None),
        );
        check(
            &[
                (Some("begin:usec"), "1795168781000391"),
                (Some("sec"), "1795168781"),
            ],
            begin(SECOND + 391, None),
        );
        check(
            &[(Some("end:sec"), "1795168781")],
            Some((SECOND, None, true)),
        );
        check(
            &[
                (None, "[20/Nov/2026:09:00:00 +0000]"),
                (Some("end:sec"), "1795168781"),
            ],
            Some((SECOND, None, true)),
        );
        check(&[(Some("%A"), "Friday")], None);
        check(&[(Some("%H:%M"), "09:59")], None);
        let parts = [
            (Some("end:sec"), "1795168781"),
            (None, "[20/Nov/2026:09:00:00 +0000]"),
        ];
        check(&parts, Some((SECOND, None, true)));
    }

    #[test]
    fn broken_parts_are_none() {
        for (argument, value) in [
            (None, "20/Nov/2026:09:59:41 +0000"),
            (Some("sec"), "17951x"),
            (Some("sec"), "18446744073709551615"),
            (Some("%Y-%m-%d"), "2026/11/20"),
            (Some("%Y-%m-%d"), "2026-11-2"),
            (Some("%Y-%m-%d"), "2026-13-20"),
            (Some("%z"), "00000"),
        ] {
            check(&[(argument, value)], None);
        }
    }
}
