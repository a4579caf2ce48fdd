//! Where everything that happened is told: the metrics, the journal behind the page, the log.
//!
//! One place, so that the three can never differ. Session ids never get here.

use std::sync::Arc;

use super::clock;
use super::pair::PairRecorder;
use crate::access_log::event::{Closed, Event as LogEvent};
use crate::canary::{End, Event};
use crate::metrics::{LegMetrics, SourceMetrics};
use crate::status::journal::{self, Origin, SharedJournal};

/// Tells of one canary slot.
#[derive(Clone, Debug)]
pub struct LegRecorder {
    /// Which of the leg's streams.
    pub slot: usize,
    /// Shared by the slots of both legs.
    pub pair: Arc<PairRecorder>,
    /// Its series.
    pub metrics: Arc<LegMetrics>,
    /// Shared by all recorders.
    pub journal: SharedJournal,
}

impl LegRecorder {
    /// Tells one event.
    pub fn record(&self, event: &Event) {
        self.metrics.record(event, clock::wall());
        let (canary, leg) = (self.metrics.canary(), self.metrics.leg());
        match event {
            Event::Held {
                transport, version, ..
            } => {
                tracing::info!(canary, %leg, %transport, version, "stream held");
            }
            Event::NoStream {
                transport, version, ..
            } => {
                tracing::info!(canary, %leg, %transport, version, "the server offers no stream");
            }
            Event::Paused => {
                tracing::debug!(canary, %leg, "the server ended the connection to be polled")
            }
            Event::ConnectFailed(reason) => tracing::warn!(canary, %leg, %reason, "no stream"),
            Event::SessionLost(cause) => tracing::warn!(canary, %leg, %cause, "session lost"),
            Event::MissesWithoutCookies(count)
                if self.metrics.observed().misses_without_cookies == *count =>
            {
                tracing::warn!(canary, %leg, "clients that keep no cookies lose their session");
            }
            Event::Late => tracing::warn!(canary, %leg, "heartbeat late"),
            Event::Ended(end) | Event::EndedPaused(end) => self.ended(*end),
            _ => {}
        }
        self.pair.record(leg, self.slot, event);
    }

    fn ended(&self, end: End) {
        let (canary, leg) = (self.metrics.canary(), self.metrics.leg());
        let End {
            reason,
            side,
            age,
            silence,
        } = end;
        let (age, silence) = (age.as_secs_f64(), silence.as_secs_f64());
        tracing::info!(canary, %leg, %reason, %side, age, silence, "stream ended");
        self.journal.push(journal::End {
            at: clock::wall(),
            origin: Origin::Canary {
                canary: canary.to_owned(),
                leg,
            },
            reason,
            side,
            age_seconds: Some(age),
            silence_seconds: Some(silence),
        });
    }
}

/// Tells of one log source.
#[derive(Clone, Debug)]
pub struct SourceRecorder {
    /// Its series.
    pub metrics: Arc<SourceMetrics>,
    /// Shared by all recorders.
    pub journal: SharedJournal,
}

impl SourceRecorder {
    /// Tells one event.
    pub fn record(&self, event: &LogEvent) {
        let upstream = self.metrics.record(event);
        if let LogEvent::StreamClosed(closed) = event {
            self.closed(closed, upstream);
        }
    }

    /// A refused attempt is counted, but is no end: under round robin they would fill the journal.
    fn closed(&self, closed: &Closed, upstream: Option<String>) {
        if closed.reason.is_refusal() {
            return;
        }
        let source = self.metrics.name();
        let reason = closed.reason;
        let age_seconds = closed.duration.map(|age| age.as_secs_f64());
        tracing::debug!(source, %reason, age = age_seconds, upstream, "stream ended");
        self.journal.push(journal::End {
            at: clock::wall(),
            origin: Origin::Log {
                source: source.to_owned(),
                upstream,
            },
            reason,
            side: reason.side_in_proxy_log(),
            age_seconds,
            silence_seconds: None,
        });
    }
}
