//! Things that wait for their counterpart in another log: bounded, and each for a window of the
//! reader's time.
//!
//! It does not know what waits, nor what makes two things belong together.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How long a stream waits for its entry, and an entry for its stream.
pub(crate) const WINDOW: Duration = Duration::from_secs(2);

/// Most streams, and most entries, that are held.
pub(crate) const MAX_HELD: usize = 4096;

/// What waits, oldest first.
#[derive(Debug)]
pub(crate) struct Held<T> {
    queue: VecDeque<(Instant, T)>,
}

impl<T> Default for Held<T> {
    fn default() -> Self {
        Self {
            queue: VecDeque::new(),
        }
    }
}

impl<T> Held<T> {
    /// Holds these again, each for a whole window: what was not read while nobody ran is read now.
    pub(crate) fn resume(now: Instant, items: Vec<T>) -> Self {
        let mut held = Self::default();
        for item in items {
            held.push(now, item);
        }
        held
    }

    /// Holds one more; gives the oldest back if there is no room.
    pub(crate) fn push(&mut self, now: Instant, item: T) -> Option<T> {
        let full = self.queue.len() >= MAX_HELD;
        let evicted = full.then(|| self.pop()).flatten();
        let until = now.checked_add(WINDOW).unwrap_or(now);
        self.queue.push_back((until, item));
        evicted
    }

    /// When the oldest has waited long enough.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.queue.front().map(|(until, _)| *until)
    }

    /// The oldest, if it has waited long enough.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<T> {
        let due = self.deadline().is_some_and(|until| until <= now);
        due.then(|| self.pop()).flatten()
    }

    /// The oldest, if it has waited long enough, and until when it was to.
    pub(crate) fn pop_due_at(&mut self, now: Instant) -> Option<(Instant, T)> {
        let until = self.deadline()?;
        Some((until, self.pop_due(now)?))
    }

    /// Forgets what has waited twice as long: it is there for the whole window of whatever came
    /// within its own.
    pub(crate) fn forget(&mut self, now: Instant) {
        let is_old = |until: Instant| now.saturating_duration_since(until) >= WINDOW;
        while self.deadline().is_some_and(is_old) {
            self.pop();
        }
    }

    /// The oldest.
    pub(crate) fn pop(&mut self) -> Option<T> {
        self.queue.pop_front().map(|(_, item)| item)
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.queue.len()
    }

    /// All, oldest first.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.queue.iter().map(|(_, item)| item)
    }

    /// Takes out the oldest that fits.
    pub(crate) fn take_oldest(&mut self, fits: impl Fn(&T) -> bool) -> Option<T> {
        let at = self.iter().position(fits)?;
        self.queue.remove(at).map(|(_, item)| item)
    }

    /// Takes out the newest that fits.
    pub(crate) fn take_newest(&mut self, fits: impl Fn(&T) -> bool) -> Option<T> {
        self.take_nearest(|item| fits(item).then_some(0))
    }

    /// Takes out the one that is nearest, of equals the newest; `None` is out of reach.
    pub(crate) fn take_nearest(&mut self, distance: impl Fn(&T) -> Option<u64>) -> Option<T> {
        let reach = (self.queue.iter().enumerate().rev())
            .filter_map(|(at, (_, item))| Some((distance(item)?, at)));
        let (_, at) = reach.min_by_key(|(distance, _)| *distance)?;
        self.queue.remove(at).map(|(_, item)| item)
    }

    /// Takes out the only one that fits; of several, none.
    pub(crate) fn take_only(&mut self, fits: impl Fn(&T) -> bool) -> Option<T> {
        let mut fitting = self
            .queue
            .iter()
            .enumerate()
            .filter(|(_, (_, item))| fits(item));
        let (Some((at, _)), None) = (fitting.next(), fitting.next()) else {
            return None;
        };
        self.queue.remove(at).map(|(_, item)| item)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(
        clippy::disallowed_methods,
        reason = "a test needs some moment to begin"
    )]
    fn start() -> Instant {
        Instant::now()
    }

    #[test]
    fn each_waits_for_the_window_and_no_longer() {
        let (mut held, now) = (Held::default(), start());
        assert_eq!(held.push(now, 'a'), None);
        assert_eq!(held.push(now + WINDOW / 2, 'b'), None);
        assert_eq!(held.pop_due(now + WINDOW / 2), None);
        assert_eq!(held.pop_due(now + WINDOW), Some('a'));
        assert_eq!(held.pop_due(now + WINDOW), None);
        assert_eq!(held.deadline(), Some(now + WINDOW / 2 + WINDOW));
        held.forget(now + 2 * WINDOW);
        assert_eq!(held.iter().count(), 1);
        held.forget(now + WINDOW / 2 + 2 * WINDOW);
        assert_eq!((held.pop(), held.iter().count()), (None, 0));
    }

    #[test]
    fn a_full_queue_gives_its_oldest_back() {
        let (mut held, now) = (Held::default(), start());
        let evicted: Vec<_> = (0..=MAX_HELD).filter_map(|n| held.push(now, n)).collect();
        assert_eq!((evicted, held.iter().count()), (vec![0], MAX_HELD));
    }

    #[test]
    fn the_nearest_is_taken_and_of_equals_the_newest() {
        let (mut held, now) = (Held::default(), start());
        for item in [(7, 'a'), (3, 'b'), (3, 'c'), (1, 'd')] {
            held.push(now, item);
        }
        let mut take = |least| {
            held.take_nearest(|(far, _)| (*far >= least).then_some(*far))
                .map(|(_, name)| name)
        };
        assert_eq!(
            [take(2), take(2), take(2), take(2)],
            [Some('c'), Some('b'), Some('a'), None]
        );
    }

    #[test]
    fn of_two_that_fit_none_is_taken() {
        let (mut held, now) = (Held::default(), start());
        for item in [1, 2, 2] {
            held.push(now, item);
        }
        assert_eq!(held.take_only(|item| *item == 2), None);
        assert_eq!(held.take_only(|item| *item == 1), Some(1));
    }
}
