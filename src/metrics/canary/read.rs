//! What the page reads of a leg's series.

use super::{LegMetrics, Observed};
use crate::canary::Kind;
use crate::reason::Reason;

impl LegMetrics {
    /// Whether every stream is held, or rightly not: none is offered, or the server paused it.
    pub fn is_up(&self) -> bool {
        self.held() + self.not_offered() + self.paused() == self.wanted
    }

    /// Streams that the server does not offer, though it is well.
    pub fn not_offered(&self) -> usize {
        self.absent.not_offered()
    }

    /// Streams that the server paused, to be polled.
    pub fn paused(&self) -> usize {
        self.absent.paused()
    }

    /// Streams held now.
    pub fn held(&self) -> usize {
        usize::try_from(self.streams.get()).unwrap_or(0)
    }

    /// Streams to hold.
    pub fn wanted(&self) -> usize {
        self.wanted
    }

    /// Attempts, and those that gave no stream.
    pub fn connects(&self) -> (u64, u64) {
        (self.connects.get(), self.connects_failed.total())
    }

    /// Failed attempts by reason, zeros left out.
    pub fn failures(&self) -> Vec<(Reason, u64)> {
        self.connects_failed.counts()
    }

    /// Ended streams by reason, zeros left out.
    pub fn disconnects(&self) -> Vec<(Reason, u64)> {
        self.disconnects.counts()
    }

    /// Signs of life by kind, zeros left out.
    pub fn heartbeats(&self) -> Vec<(Kind, u64)> {
        self.heartbeats.counts()
    }

    /// Gaps over the tolerance.
    pub fn late(&self) -> u64 {
        self.late.get()
    }

    /// Affinity requests and misses.
    pub fn affinity(&self) -> (u64, u64) {
        (self.affinity_requests.get(), self.affinity_misses.get())
    }

    /// Sessions that were gone for good.
    pub fn sessions_lost(&self) -> u64 {
        self.sessions_lost.total()
    }

    /// What no single series holds.
    pub fn observed(&self) -> Observed {
        *self.lock()
    }
}
