//! Whether a source's lines are in the format that it was given: a wrong format must not look like a log
//! without streams.
//!
//! It counts kinds of lines, and does not know what a line is.

use super::event::LineKind;

/// Lines before anything is said: a log may begin with some that are no requests.
const ENOUGH: u64 = 20;

/// Counts, and says once that most lines are not understood.
#[derive(Debug, Default)]
pub struct Fit {
    lines: u64,
    unparsed: u64,
    is_said: bool,
}

impl Fit {
    /// Takes a line; whether it is now to be said that most are not understood.
    pub fn line(&mut self, kind: LineKind) -> bool {
        self.lines += 1;
        self.unparsed += u64::from(kind == LineKind::Unparsed);
        let say = !self.is_said && self.lines >= ENOUGH && 2 * self.unparsed > self.lines;
        self.is_said |= say;
        say
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The line, from 1, at which it is said, of so many not understood behind so many that are.
    fn check(understood: u64, not: u64, expected: Option<usize>) {
        let mut fit = Fit::default();
        let kinds = (0..understood + not).map(|at| match at < understood {
            true => LineKind::Request,
            false => LineKind::Unparsed,
        });
        let said: Vec<bool> = kinds.map(|kind| fit.line(kind)).collect();
        assert_eq!(
            said.iter().position(|said| *said).map(|at| at + 1),
            expected
        );
        assert!(said.iter().filter(|said| **said).count() <= 1);
    }

    #[test]
    fn a_wrong_format_is_said_once() {
        check(0, 19, None);
        check(0, 100, Some(20));
        check(20, 20, None);
        check(20, 40, Some(41));
        check(100, 0, None);
    }
}
