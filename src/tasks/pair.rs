//! What comparing a canary's legs finds: told to the metrics and the log as it is decided.
//!
//! Every slot tells its events here; a small task waits for the comparison's deadline. It decides nothing.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use super::clock;
use crate::canary::fingerprint::Suspicion;
use crate::canary::pair::{Finding, Pair};
use crate::canary::{Event, Leg};
use crate::metrics::{CanaryMetrics, LegMetrics};
use crate::verdict::settings;

/// Compares the legs of one canary and tells what that finds.
#[derive(Debug)]
pub struct PairRecorder {
    pair: Mutex<Pair>,
    changed: Notify,
    canary: CanaryMetrics,
    legs: Vec<Arc<LegMetrics>>,
    /// How often the server beats, as the direct leg learned it.
    server_beats: watch::Sender<Option<Duration>>,
}

impl PairRecorder {
    /// A canary of which nothing is known yet.
    pub fn new(pair: Pair, canary: CanaryMetrics, legs: Vec<Arc<LegMetrics>>) -> Self {
        Self {
            pair: Mutex::new(pair),
            changed: Notify::new(),
            canary,
            legs,
            server_beats: watch::Sender::default(),
        }
    }

    /// How often the server beats, once the direct leg has learned it: what a proxy has to keep.
    pub fn server_beats(&self) -> watch::Receiver<Option<Duration>> {
        self.server_beats.subscribe()
    }

    /// Takes in one event of one slot.
    pub fn record(&self, leg: Leg, slot: usize, event: &Event) {
        let found = {
            let mut pair = self.lock();
            let before = pair.deadline();
            let found = pair.handle(clock::now(), leg, slot, event);
            if pair.deadline() != before {
                self.changed.notify_one();
            }
            found
        };
        self.tell(&found);
        if let (Leg::Direct, Event::Learned(interval)) = (leg, event) {
            self.server_beats.send_replace(*interval);
        }
    }

    /// Decides what is due until `stop`, then whatever is open: no fault is lost by leaving.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        loop {
            let deadline = self.lock().deadline();
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                () = self.changed.notified() => {}
                () = clock::sleep_until(deadline) => {
                    let found = self.lock().tick(clock::now());
                    self.tell(&found);
                }
            }
        }
        let found = self.lock().leave(clock::now());
        self.tell(&found);
    }

    fn tell(&self, found: &[Finding]) {
        let canary = self.canary.name();
        for finding in found {
            match finding {
                Finding::Fault(side) => {
                    self.canary.fault(*side);
                    tracing::warn!(canary, %side, "fault");
                }
                Finding::Bursts(leg, beats) => {
                    if let Some(metrics) = self.leg(*leg) {
                        metrics.burst(*beats);
                    }
                }
                Finding::CutOff(leg, suspicion) => self.suspect(*leg, *suspicion),
            }
        }
    }

    /// Said once when it first stands, and once when it falls.
    fn suspect(&self, leg: Leg, suspicion: Option<Suspicion>) {
        let Some(metrics) = self.leg(leg) else {
            return;
        };
        let canary = self.canary.name();
        let before = metrics.observed().suspicion;
        metrics.suspect(suspicion);
        match (before.map(|known| known.kind), suspicion) {
            (before, Some(Suspicion { kind, after })) if before != Some(kind) => {
                let seconds = after.as_secs_f64();
                let candidates = settings::behind_cut_off(leg, kind, seconds);
                let candidates: Vec<_> = candidates.iter().map(ToString::to_string).collect();
                let candidates = candidates.join(", ");
                tracing::warn!(canary, %leg, %kind, seconds, candidates, "streams end at one time-out");
            }
            (Some(kind), None) => {
                tracing::info!(canary, %leg, %kind, "time-out no longer suspected")
            }
            _ => {}
        }
    }

    fn leg(&self, leg: Leg) -> Option<&LegMetrics> {
        self.legs
            .iter()
            .find(|known| known.leg() == leg)
            .map(AsRef::as_ref)
    }

    fn lock(&self) -> MutexGuard<'_, Pair> {
        self.pair.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
