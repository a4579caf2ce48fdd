//! What is remembered of files that are not open, and of content that was truncated.
//!
//! Bounded in time by [`follow::GRACE`] and in number; what is forgotten unread is counted. Touches no file.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use super::found::{Found, lost};
use super::listing::{LISTED_MAX, Listing};
use super::open::Open;
use crate::tail::checkpoint::{Checkpoint, Copying, Position};
use crate::tail::follow::{self, Identity};
use crate::tail::{LossCause, RotationKind};

mod missing;

/// Most truncations of which the copy is awaited.
const CUTS_MAX: usize = 64;

/// Most files that are remembered: what one listing can show, and as much again that none shows.
const KNOWN_MAX: usize = 2 * LISTED_MAX;

/// Everything that is remembered.
#[derive(Debug, Default)]
pub(super) struct Memory {
    known: HashMap<Identity, Known>,
    /// Counts the passes: two of them may have the same time.
    pass: u64,
    /// In the order of truncation.
    cuts: Vec<Cut>,
    /// How many truncations there were.
    cut_count: u64,
    copies: HashMap<Identity, Copy>,
    /// Bytes that were not read of files that had to be forgotten.
    evicted: u64,
}

/// A file that is being copied.
#[derive(Debug)]
struct Copy {
    of: Identity,
    /// How many truncations there had been when it was sighted last.
    cuts: u64,
    sighted: Instant,
}

/// A file that is not open.
#[derive(Debug)]
struct Known {
    position: Position,
    /// When it last gave bytes.
    last: Instant,
    /// When a listing last showed it, and in which pass.
    sighted: Instant,
    pass: u64,
    /// Since when its folder does not exist.
    away: Option<Instant>,
    /// Whether a compressed file was taken for it.
    is_compressed: bool,
}

impl Known {
    fn unread(&self) -> u64 {
        self.position.seen.saturating_sub(self.position.read())
    }
}

/// What a file held that was truncated, as far as it was read.
#[derive(Debug)]
pub(super) struct Cut {
    pub(super) base: Arc<Path>,
    pub(super) position: Position,
    /// Bytes that were read of an unfinished line.
    torn: u64,
    since: Instant,
    /// How many truncations there had been.
    serial: u64,
}

impl Cut {
    pub(super) fn of(file: &Open, now: Instant) -> Self {
        Self {
            base: Arc::clone(&file.base),
            position: Position {
                is_live: false,
                is_copy: true,
                ..file.position()
            },
            torn: file.pending(),
            since: now,
            serial: 0,
        }
    }

    /// Of a file that was truncated while nobody looked.
    pub(super) fn left(base: &Arc<Path>, position: Position, now: Instant) -> Self {
        Self {
            base: Arc::clone(base),
            position: Position {
                is_live: false,
                is_copy: true,
                ..position
            },
            torn: 0,
            since: now,
            serial: 0,
        }
    }

    fn lose(&self, on: &mut impl FnMut(Found<'_>)) {
        let unread = self.position.unread().saturating_sub(self.torn);
        lost(LossCause::TornLine, self.torn, on);
        lost(LossCause::Truncated, unread, on);
    }
}

impl Memory {
    /// A new pass begins, with what its listing shows.
    pub(super) fn begin_pass(&mut self, listing: &Listing, now: Instant) {
        self.pass += 1;
        for sight in &listing.sights {
            if let Some(known) = self.known.get_mut(&sight.observed.id) {
                known.sighted = now;
                known.pass = self.pass;
                known.away = None;
                let position = &mut known.position;
                if !position.is_text {
                    position.seen = position.seen.max(sight.observed.size);
                }
                if position.stood() != sight.path {
                    position.stood = Some(sight.path.to_string_lossy().into_owned());
                }
            }
        }
        self.keep_hidden(listing, now);
    }

    /// What could not be looked at is not known to be gone: it grows no older meanwhile.
    fn keep_hidden(&mut self, listing: &Listing, now: Instant) {
        for known in self
            .known
            .values_mut()
            .filter(|known| known.pass != self.pass)
        {
            let path = Path::new(&known.position.path);
            if listing.unlisted.contains(path) {
                known.sighted = now;
                known.pass = self.pass;
            } else if !listing.away.contains(path) {
                known.away = None;
            } else if follow::is_away(*known.away.get_or_insert(now), now) {
                known.sighted = now;
            }
        }
        for cut in &mut self.cuts {
            if listing.unlisted.contains(&cut.base) {
                cut.since = now;
            }
        }
        if !listing.unlisted.is_empty() {
            for copy in self.copies.values_mut() {
                copy.sighted = now;
            }
        }
    }

    /// The paths of the logs of which something is remembered.
    pub(super) fn logs(&self) -> impl Iterator<Item = Arc<Path>> {
        let known = self
            .known
            .values()
            .map(|known| Path::new(&known.position.path).into());
        known.chain(self.cuts.iter().map(|cut| Arc::clone(&cut.base)))
    }

    /// Takes up what another follower left.
    pub(super) fn take_up(&mut self, left: Checkpoint, now: Instant) {
        for position in left.files {
            self.remember(position, now, now);
        }
        let cut = |position: Position| {
            Cut::left(&Path::new(&position.path).into(), position.clone(), now)
        };
        for cut in left.cuts.into_iter().map(cut) {
            self.push(cut);
        }
        let copy = |left: &Copying| Copy {
            of: left.of,
            cuts: left.cuts,
            sighted: now,
        };
        let copies = left.copies.iter();
        self.copies = copies.map(|left| (left.copy, copy(left))).collect();
    }

    pub(super) fn positions(&self) -> impl Iterator<Item = &Position> {
        self.known.values().map(|known| &known.position)
    }

    pub(super) fn cut_positions(&self) -> impl Iterator<Item = Position> {
        self.cuts.iter().map(|cut| cut.position.clone())
    }

    pub(super) fn copies(&self) -> impl Iterator<Item = Copying> {
        self.copies.iter().map(|(id, copy)| Copying {
            copy: *id,
            of: copy.of,
            cuts: self
                .cuts
                .iter()
                .filter(|cut| cut.serial < copy.cuts)
                .count() as u64,
        })
    }

    /// Remembers a file that is not open and last gave bytes at `last`; beyond [`KNOWN_MAX`], the one that was sighted longest ago is
    /// forgotten.
    pub(super) fn remember(&mut self, position: Position, last: Instant, now: Instant) {
        if self.known.len() >= KNOWN_MAX {
            let oldest = self.known.iter().min_by_key(|(_, known)| known.sighted);
            let oldest = oldest
                .map(|(id, _)| *id)
                .and_then(|id| self.known.remove(&id));
            self.evicted += oldest.map_or(0, |oldest| oldest.position.unread());
        }
        let known = Known {
            position,
            last,
            sighted: now,
            pass: self.pass,
            away: None,
            is_compressed: false,
        };
        self.known.insert(known.position.id, known);
    }

    /// Where a file was left, if it is remembered.
    pub(super) fn position(&self, id: Identity) -> Option<&Position> {
        self.known.get(&id).map(|known| &known.position)
    }

    /// When a file last gave bytes, if it is remembered.
    pub(super) fn last(&self, id: Identity) -> Option<Instant> {
        self.known.get(&id).map(|known| known.last)
    }

    /// Bytes that were seen of files that are not open, and not read.
    pub(super) fn unread(&self) -> u64 {
        self.known.values().map(Known::unread).sum()
    }

    /// Hands a file over to who opened it.
    pub(super) fn forget_one(&mut self, id: Identity) {
        self.known.remove(&id);
    }

    /// Forgets what was not seen for long, and counts what was not read of it.
    pub(super) fn forget(&mut self, now: Instant, on: &mut impl FnMut(Found<'_>)) {
        lost(LossCause::FileLimit, std::mem::take(&mut self.evicted), on);
        self.known.retain(|_, known| {
            let is_forgotten = follow::is_forgotten(known.sighted, now);
            if is_forgotten {
                if known.position.is_live {
                    on(Found::Rotated(RotationKind::Replaced));
                }
                lost(LossCause::Deleted, known.position.unread(), on);
            }
            !is_forgotten
        });
        self.copies
            .retain(|_, copy| !follow::is_forgotten(copy.sighted, now));
        self.cuts.retain(|cut| {
            let is_forgotten = follow::is_forgotten(cut.since, now);
            if is_forgotten {
                cut.lose(on);
            }
            !is_forgotten
        });
    }
}
