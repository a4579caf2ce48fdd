//! Files that nobody read yet: whether one is a log of its own, or a copy of what stands beside it.
//!
//! Gathers the evidence. What it amounts to is judged in [`crate::tail::follow`].

use std::collections::{BTreeSet, HashSet};
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use super::Follower;
use super::found::Found;
use super::listing::{Kind, Listing, Sight};
use super::open::{Open, Role, open, proves};
use crate::tail::checkpoint::Position;
use crate::tail::follow::{self, Beside, Evidence, Sibling};

/// What a file was found to be.
struct Judged {
    verdict: Sibling,
    beside: Beside,
    size: u64,
    /// What it is a copy of.
    missing: Option<Position>,
}

impl Follower {
    /// A log that was not there before, unless it is a copy of one that stands beside it: copytruncate's copies may
    /// have names that the pattern matches.
    pub(super) fn begin(
        &mut self,
        sight: &Sight,
        listing: &Listing,
        now: Instant,
        on: &mut impl FnMut(Found<'_>),
    ) -> io::Result<()> {
        // What stood there when the source was looked at first is taken as it is.
        let missing: HashSet<_> = self.memory.missing_of().collect();
        let others = match sight.is_fresh || self.has_no_room(sight) {
            true => BTreeSet::new(),
            false => self.logs_beside(sight, &missing),
        };
        let Some(file) = open(sight)? else {
            return Ok(());
        };
        for base in others {
            let sight = Sight {
                base,
                kind: Kind::Sibling,
                ..sight.clone()
            };
            let missing = match missing.contains(&sight.base) {
                true => self.memory.missing(&sight.base),
                false => Vec::new(),
            };
            let judged = self.judge(&file, &sight, &missing, listing)?;
            // Two unknown logs do not wait for each other: the older is opened first, and a copy is younger.
            let is_alone = judged.beside == Beside::Unclear && self.live(&sight.base).is_none();
            let is_undecided = judged.verdict == Sibling::Undecided && judged.size > 0;
            if judged.verdict != Sibling::New && !(is_alone && is_undecided) {
                return self.begin_judged(judged, &sight, now, on);
            }
        }
        if self.has_room(sight, 0, now, on) {
            self.open.extend(Open::begin(sight, 0, Role::Live)?);
        }
        Ok(())
    }

    /// The other logs of which something in the same folder is held open or missing.
    fn logs_beside(&self, sight: &Sight, missing: &HashSet<Arc<Path>>) -> BTreeSet<Arc<Path>> {
        let open = self.open.iter().map(|file| Arc::clone(&file.base));
        let is_beside =
            |base: &Arc<Path>| *base != sight.base && base.parent() == sight.base.parent();
        open.chain(missing.iter().cloned())
            .filter(is_beside)
            .collect()
    }

    /// An unknown file beside a log.
    pub(super) fn begin_sibling(
        &mut self,
        sight: &Sight,
        listing: &Listing,
        now: Instant,
        on: &mut impl FnMut(Found<'_>),
    ) -> io::Result<()> {
        let Some(file) = open(sight)? else {
            return Ok(());
        };
        let missing = self.memory.missing(&sight.base);
        let judged = self.judge(&file, sight, &missing, listing)?;
        self.begin_judged(judged, sight, now, on)
    }

    /// Compares a file with a log and with what is missing of it.
    fn judge(
        &mut self,
        file: &File,
        sight: &Sight,
        missing: &[Position],
        listing: &Listing,
    ) -> io::Result<Judged> {
        let size = file.metadata()?.len();
        let missing = proved(file, missing, size);
        let missing = missing.or(self.memory.copied(sight.observed.id, size));
        let beside = self.beside(file, sight, size, listing);
        let evidence = Evidence {
            size,
            has_missing_content: missing.is_some(),
            beside,
        };
        Ok(Judged {
            verdict: follow::sibling(evidence),
            beside,
            size,
            missing,
        })
    }

    fn begin_judged(
        &mut self,
        judged: Judged,
        sight: &Sight,
        now: Instant,
        on: &mut impl FnMut(Found<'_>),
    ) -> io::Result<()> {
        match (judged.verdict, judged.missing) {
            (Sibling::Undecided, _) => {
                let of = self.live(&sight.base).map(|live| live.id);
                if let (Some(of), Beside::Beginning) = (of, judged.beside) {
                    self.memory.copy(sight.observed.id, of, now);
                }
            }
            (Sibling::Copy, Some(missing)) => {
                if self.has_room(sight, missing.offset(), now, on) {
                    // What was read beyond the copy's end was read before the truncation.
                    let offset = missing.offset().min(judged.size);
                    self.memory.found(&missing, offset, on);
                    self.open
                        .extend(Open::begin(sight, offset, Role::Copy(now))?);
                } else {
                    self.waiting += judged.size.saturating_sub(missing.offset());
                }
            }
            (Sibling::Copy | Sibling::New, _) => {
                self.memory.found_unread(&sight.base, on);
                if self.has_room(sight, 0, now, on) {
                    self.open.extend(Open::begin(sight, 0, Role::Rotated(now))?);
                } else {
                    // It may be gone before there is room.
                    self.memory.remember(unread(sight, judged.size), now, now);
                }
            }
        }
        Ok(())
    }

    fn beside(&mut self, file: &File, sight: &Sight, size: u64, listing: &Listing) -> Beside {
        let is_hidden = |hidden: &Open| hidden.has_in_common(file, size);
        if self.hidden(&sight.base).any(is_hidden) {
            return Beside::Beginning;
        }
        if let Some(live) = self.live(&sight.base) {
            return live.beside(file, size);
        }
        let is_there = listing.log(&sight.base).is_some() || listing.is_unclear(&sight.base);
        if is_there {
            Beside::Unclear
        } else {
            Beside::Nothing
        }
    }
}

/// The position of a file of which nothing was read.
fn unread(sight: &Sight, size: u64) -> Position {
    Position {
        stood: Some(sight.path.to_string_lossy().into_owned()),
        seen: size,
        ..Position::unread_at(sight.observed.id, &sight.base, 0)
    }
}

/// Of what is missing, what is proved to stand in this file.
fn proved(file: &File, missing: &[Position], size: u64) -> Option<Position> {
    let is_in = |position: &&Position| {
        let anchor = position.proof(size);
        anchor.is_some() && proves(file, position, anchor)
    };
    let proved = missing.iter().filter(is_in);
    proved.max_by_key(|position| position.offset()).cloned()
}
