//! A bar on the terminal: how much is read, of how much, how fast.
//!
//! One line on standard error, drawn at most ten times a second and wiped at the end; nothing where
//! standard error is no terminal. (A crate for it would bring more than these lines.)

use std::cell::Cell;
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use crate::replay::units::size;
use crate::tasks::clock;

/// Time between two drawings.
const PERIOD: Duration = Duration::from_millis(100);
/// Blocks in the bar.
const BLOCKS: u64 = 24;

/// The bar, and what is counted for it.
pub(super) struct Bar {
    shown: bool,
    total: u64,
    done: Cell<u64>,
    began: Instant,
    drawn: Cell<Option<Instant>>,
}

impl Bar {
    /// A bar for so many bytes, 0 if not known; drawn on a terminal that nothing else is printed to.
    pub(super) fn new(total: u64, wanted: bool) -> Self {
        Self {
            shown: wanted && std::io::stderr().is_terminal(),
            total,
            done: Cell::new(0),
            began: clock::now(),
            drawn: Cell::new(None),
        }
    }

    /// So many more bytes are read.
    pub(super) fn read(&self, count: u64) {
        self.done.set(self.done.get() + count);
        if !self.shown {
            return;
        }
        let now = clock::now();
        let last = self.drawn.get().unwrap_or(self.began);
        if now.duration_since(last) >= PERIOD {
            self.drawn.set(Some(now));
            let line = line(self.done.get(), self.total, now.duration_since(self.began));
            // A bar that cannot be drawn is no reason to stop.
            drop(write!(std::io::stderr(), "\r\x1b[K{line}"));
        }
    }

    /// Wipes the line.
    pub(super) fn clear(&self) {
        if self.drawn.take().is_some() {
            drop(write!(std::io::stderr(), "\r\x1b[K"));
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rate to look at"
)]
fn line(done: u64, total: u64, since: Duration) -> String {
    let rate = size((done as f64 / since.as_secs_f64().max(0.001)) as u64);
    let read = size(done);
    if total == 0 {
        return format!("{read} read, {rate}/s");
    }
    let share = u128::from(done.min(total)) * 1000 / u128::from(total);
    let full = usize::try_from(share * u128::from(BLOCKS) / 1000).unwrap_or(0);
    let empty = usize::try_from(BLOCKS).unwrap_or(0).saturating_sub(full);
    let (full, empty) = ("█".repeat(full), "░".repeat(empty));
    format!(
        "{full}{empty} {:>3} % of {}, {rate}/s",
        share / 10,
        size(total)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_says_how_much_and_how_fast() {
        let check = |done, total, expected: &str| {
            assert_eq!(line(done, total, Duration::from_secs(2)), expected);
        };
        check(0, 0, "0 B read, 0 B/s");
        check(4096, 0, "4.0 KiB read, 2.0 KiB/s");
        check(
            1024,
            2048,
            "████████████░░░░░░░░░░░░  50 % of 2.0 KiB, 512 B/s",
        );
        check(
            4096,
            2048,
            "████████████████████████ 100 % of 2.0 KiB, 2.0 KiB/s",
        );
    }
}
