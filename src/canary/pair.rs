//! The legs of one canary, seen together: the side of each fault, cut-offs, buffering.
//!
//! Told every event of every slot. A fault opens a window in which the other leg may show whether it has
//! it too; at its end the fault is counted once, however many streams it took. It knows no sockets and no
//! protocol; the comparison itself is [`super::sides`].

use std::time::{Duration, Instant};

use super::bursts::Bursts;
use super::fingerprint::{Fingerprint, Sample, Suspicion};
use super::sides::{self, Fate};
use super::{End, Event, Leg};
use crate::reason::{Class, Reason, Side};

/// What the comparison found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Finding {
    /// A fault, and on whose side.
    Fault(Side),
    /// Heartbeats of this leg arrived together though sent apart.
    Bursts(Leg, u64),
    /// The time-out that this leg's ends make likely changed.
    CutOff(Leg, Option<Suspicion>),
}

/// Time for the other leg to show what it has: a session is asked for up to five seconds.
const SETTLE: Duration = Duration::from_secs(6);

/// One stream slot.
#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    opened_at: Option<Instant>,
    longest_gap: Duration,
    /// In a fault that is counted or about to be.
    down: bool,
    late: bool,
}

#[derive(Debug, Default)]
struct LegWatch {
    slots: Vec<Slot>,
    fate: Fate,
    /// Every stream was down before the fault, so it tells nothing about it.
    is_blind: bool,
    /// The last clean end, and the last lost session: they may belong to the fault that begins after them.
    closed: Option<(End, Instant)>,
    lost_at: Option<Instant>,
    fingerprint: Fingerprint,
}

/// The legs of one canary.
#[derive(Debug)]
pub struct Pair {
    direct: Option<LegWatch>,
    proxy: Option<LegWatch>,
    bursts: Bursts,
    connect_timeout: Duration,
    /// When the fault began whose side is not decided yet.
    open_since: Option<Instant>,
    is_leaving: bool,
}

/// What a canary holds.
#[derive(Clone, Copy, Debug)]
pub struct Plan<'a> {
    /// The legs that are configured.
    pub legs: &'a [Leg],
    /// Streams held on each.
    pub streams: usize,
    /// The configured heartbeat interval.
    pub interval: Option<Duration>,
    /// How long one attempt may take to fail.
    pub connect_timeout: Duration,
}

impl Pair {
    /// Nothing is held yet.
    pub fn new(plan: Plan<'_>) -> Self {
        let watch = |leg| {
            plan.legs.contains(&leg).then(|| {
                let mut watch = LegWatch {
                    slots: vec![Slot::default(); plan.streams],
                    ..LegWatch::default()
                };
                plan.interval
                    .inspect(|interval| watch.fingerprint.learned(*interval));
                watch
            })
        };
        Self {
            direct: watch(Leg::Direct),
            proxy: watch(Leg::Proxy),
            bursts: Bursts::new(plan.legs, plan.streams, plan.interval),
            connect_timeout: plan.connect_timeout,
            open_since: None,
            is_leaving: false,
        }
    }

    /// Takes in an event of this slot.
    pub fn handle(&mut self, now: Instant, leg: Leg, slot: usize, event: &Event) -> Vec<Finding> {
        let mut found = self.bursts.handle(now, leg, slot, event);
        let begins_fault = self
            .leg(leg)
            .is_some_and(|watch| watch.begins_fault(slot, event));
        if begins_fault && self.open_since.is_none() {
            self.open(now);
        }
        if let Some(watch) = self.leg(leg) {
            let cut_off = watch.cut_off(now, slot, event);
            found.extend(cut_off.map(|known| Finding::CutOff(leg, known)));
            watch.note(now, slot, event);
        }
        found.extend(self.tick(now));
        found
    }

    /// When to call [`Self::tick`].
    pub fn deadline(&self) -> Option<Instant> {
        [self.fault_due(), self.bursts.deadline()]
            .into_iter()
            .flatten()
            .min()
    }

    /// Decides what is due.
    pub fn tick(&mut self, now: Instant) -> Vec<Finding> {
        let mut found = self.bursts.tick(now);
        if self.fault_due().is_some_and(|due| now >= due) {
            found.push(self.conclude());
        }
        found
    }

    /// Holter leaves: what is open is decided by what is known, and whatever comes yet at once.
    pub fn leave(&mut self, now: Instant) -> Vec<Finding> {
        self.is_leaving = true;
        let mut found = self.bursts.leave();
        found.extend(self.tick(now));
        found
    }

    /// At once where both legs showed all they can; else the other leg is waited for, and what follows.
    fn fault_due(&self) -> Option<Instant> {
        let since = self.open_since?;
        let mut hit = self.legs().filter(|leg| leg.fate.is_hit());
        let is_followed_up = hit.all(|leg| leg.fate.is_followed_up());
        let is_whole = self.legs().all(|leg| leg.is_blind || leg.fate.is_hit());
        Some(if self.is_leaving || (is_followed_up && is_whole) {
            since
        } else if is_followed_up {
            since + SETTLE
        } else {
            since + SETTLE + self.connect_timeout
        })
    }

    /// A fault begins: from here on each leg shows its fate.
    fn open(&mut self, now: Instant) {
        self.open_since = Some(now);
        for leg in [&mut self.direct, &mut self.proxy].into_iter().flatten() {
            leg.open(now);
        }
    }

    fn conclude(&mut self) -> Finding {
        self.open_since = None;
        for leg in [&mut self.direct, &mut self.proxy].into_iter().flatten() {
            (leg.closed, leg.lost_at) = (None, None);
        }
        let told = |leg: &Option<LegWatch>| {
            let leg = leg.as_ref().filter(|leg| !leg.is_blind)?;
            let late = leg.slots.iter().any(|slot| slot.late);
            Some(Fate { late, ..leg.fate })
        };
        let (direct, proxy) = (told(&self.direct), told(&self.proxy));
        Finding::Fault(sides::side(direct.as_ref(), proxy.as_ref()))
    }

    fn leg(&mut self, leg: Leg) -> Option<&mut LegWatch> {
        match leg {
            Leg::Direct => self.direct.as_mut(),
            Leg::Proxy => self.proxy.as_mut(),
        }
    }

    fn legs(&self) -> impl Iterator<Item = &LegWatch> {
        [&self.direct, &self.proxy].into_iter().flatten()
    }
}

impl LegWatch {
    /// What came just before belongs to the fault: a proxy may tell of it first, and cleanly.
    fn open(&mut self, now: Instant) {
        let is_recent = |at: &Instant| now.saturating_duration_since(*at) <= SETTLE;
        self.is_blind = self.slots.iter().all(|slot| slot.down);
        self.fate = Fate {
            ended: self.closed.filter(|(_, at)| is_recent(at)),
            lost: self.lost_at.as_ref().is_some_and(is_recent),
            ..Fate::default()
        };
    }

    /// Whether the event is a fault that is not known yet: until the slot holds a stream again, its
    /// attempts that fail belong to the first one.
    fn begins_fault(&self, slot: usize, event: &Event) -> bool {
        let is_known = self.slots.get(slot).is_none_or(|slot| slot.down);
        match event {
            Event::Ended(end) | Event::EndedPaused(end) => is_fault(end.reason),
            Event::ConnectFailed(_) => !is_known,
            _ => false,
        }
    }

    fn note(&mut self, now: Instant, slot: usize, event: &Event) {
        let Some(slot) = self.slots.get_mut(slot) else {
            return;
        };
        match event {
            Event::Held { .. } => {
                *slot = Slot {
                    opened_at: Some(now),
                    ..Slot::default()
                };
                self.fate.held_again = true;
            }
            Event::SessionKept => self.fate.survived = true,
            Event::SessionLost(_) => {
                self.fate.lost = true;
                self.lost_at = Some(now);
            }
            Event::Late => slot.late = true,
            Event::Bytes => slot.late = false,
            Event::Gap(gap) => slot.longest_gap = slot.longest_gap.max(*gap),
            // A server without a stream is well; nothing is held that could end.
            Event::NoStream { .. } => {
                *slot = Slot::default();
                self.fate.held_again = true;
            }
            Event::Ended(end) | Event::EndedPaused(end) => {
                let at = slot.opened_at.map_or(now, |opened_at| opened_at + end.age);
                slot.late = false;
                slot.down |= is_fault(end.reason);
                if slot.down || end.reason == Reason::ServerClose {
                    self.fate.ended.get_or_insert((*end, at));
                }
                self.closed = (end.reason == Reason::ServerClose).then_some((*end, at));
            }
            Event::ConnectFailed(reason) => {
                slot.down = true;
                self.fate.failed.get_or_insert(*reason);
            }
            _ => {}
        }
    }

    /// The suspicion, where this event changed it.
    fn cut_off(&mut self, now: Instant, slot: usize, event: &Event) -> Option<Option<Suspicion>> {
        let slot = self.slots.get(slot)?;
        let before = self.fingerprint.suspicion();
        match event {
            Event::Learned(Some(interval)) => self.fingerprint.learned(*interval),
            Event::Gap(gap) => {
                let opened_at = slot.opened_at.unwrap_or(now);
                let age = now.saturating_duration_since(opened_at);
                self.fingerprint.outlived(age, *gap);
            }
            Event::Ended(end) | Event::EndedPaused(end) if is_anothers(end.reason) => {
                self.fingerprint.ended(Sample {
                    age: end.age,
                    silence: end.silence,
                    survived: slot.longest_gap,
                });
            }
            _ => {}
        }
        let after = self.fingerprint.suspicion();
        (after != before).then_some(after)
    }
}

/// An end that nobody planned, or that nobody can explain.
fn is_fault(reason: Reason) -> bool {
    matches!(reason.class(), Class::Abnormal | Class::Unknown)
}

/// Whether somebody else brought the end about, be it a clean one.
fn is_anothers(reason: Reason) -> bool {
    !matches!(
        reason,
        Reason::Rotated | Reason::Drain | Reason::HeartbeatTimeout | Reason::ProtocolError
    )
}

#[cfg(test)]
mod tests;
