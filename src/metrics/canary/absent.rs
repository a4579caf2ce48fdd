//! Streams of a leg that are rightly not held: what `up` and the page need beside those held. Not exported.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::canary::Event;

/// How many, by why.
#[derive(Debug, Default)]
pub(super) struct Absent {
    not_offered: AtomicUsize,
    paused: AtomicUsize,
}

impl Absent {
    pub(super) fn record(&self, event: &Event) {
        let (count, more) = match event {
            Event::NoStream { .. } => (&self.not_offered, true),
            Event::NoStreamOver => (&self.not_offered, false),
            Event::Paused => (&self.paused, true),
            Event::Resumed | Event::EndedPaused(_) => (&self.paused, false),
            _ => return,
        };
        if more {
            count.fetch_add(1, Ordering::Relaxed);
        } else {
            count.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Streams that the server does not offer, though it is well.
    pub(super) fn not_offered(&self) -> usize {
        self.not_offered.load(Ordering::Relaxed)
    }

    /// Streams that the server paused, to be polled.
    pub(super) fn paused(&self) -> usize {
        self.paused.load(Ordering::Relaxed)
    }
}
