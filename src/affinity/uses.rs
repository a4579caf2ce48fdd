//! The order in which sessions were used, longest ago first.
//!
//! A session that is used again keeps its older uses here until they come to the front, or are too many: to note one is to
//! write one. Whether a use was a session's last is for whoever knows the sessions.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Uses that are kept beyond twice the number of sessions, before the older ones are left out.
const SPARE: usize = 64;

/// One use.
#[derive(Debug, Clone, Copy)]
pub(super) struct Use {
    pub(super) session: u64,
    /// Which use of all it is, from 1.
    pub(super) number: u64,
    at: Instant,
}

/// All uses.
#[derive(Debug, Default)]
pub(super) struct Uses {
    in_order: VecDeque<Use>,
    count: u64,
}

impl Uses {
    /// Notes a use that is not before the others; gives its number.
    pub(super) fn add(&mut self, now: Instant, session: u64) -> u64 {
        self.count += 1;
        let number = self.count;
        self.in_order.push_back(Use {
            session,
            number,
            at: now,
        });
        number
    }

    /// Takes the first.
    pub(super) fn take_first(&mut self) -> Option<Use> {
        self.in_order.pop_front()
    }

    /// Takes the first, if it is longer ago than this.
    pub(super) fn take_idle(&mut self, now: Instant, idle: Duration) -> Option<Use> {
        let first = self.in_order.front()?;
        match now.saturating_duration_since(first.at) > idle {
            true => self.take_first(),
            false => None,
        }
    }

    /// Leaves out the uses that are none's last, if they are many beside so many sessions.
    pub(super) fn tidy(&mut self, sessions: usize, is_last: impl Fn(&Use) -> bool) {
        if self.in_order.len() > 2 * sessions + SPARE {
            self.in_order.retain(is_last);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::start;
    use super::*;

    #[test]
    fn uses_come_out_in_order_and_idle_ones_only() {
        let (mut uses, now, second) = (Uses::default(), start(), Duration::from_secs(1));
        assert_eq!([uses.add(now, 7), uses.add(now + second, 8)], [1, 2]);
        assert!(uses.take_idle(now + second, second).is_none());
        let first = uses.take_idle(now + 2 * second, second).unwrap();
        assert_eq!((first.session, first.number), (7, 1));
        assert!(uses.take_idle(now + 2 * second, second).is_none());
        assert_eq!(uses.take_first().unwrap().session, 8);
        assert!(uses.take_first().is_none());
    }

    #[test]
    fn uses_that_do_not_count_are_bounded() {
        let (mut uses, now) = (Uses::default(), start());
        for _ in 0..10_000 {
            let last = uses.add(now, 7);
            uses.tidy(1, |used| used.number == last);
            assert!(uses.in_order.len() <= 2 + SPARE);
        }
        assert_eq!(uses.in_order.back().unwrap().number, 10_000);
    }
}
