//! What was read of a log and stands in none of its files now, and the copies in which it may stand.
//!
//! Knows no content: what a file is a copy of is proved where files are read.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use super::super::found::Found;
use super::super::is_same;
use super::{CUTS_MAX, Copy, Cut, Known, Memory};
use crate::tail::RotationKind;
use crate::tail::checkpoint::Position;
use crate::tail::follow::Identity;

impl Memory {
    /// This file begins as `of` does: it is being copied.
    pub(in crate::tasks::tail) fn copy(&mut self, id: Identity, of: Identity, now: Instant) {
        let copy = Copy {
            of,
            cuts: self.cut_count,
            sighted: now,
        };
        self.copies.insert(id, copy);
    }

    /// What a file was seen to be a copy of.
    pub(in crate::tasks::tail) fn is_copy_of(&self, id: Identity) -> Option<Identity> {
        self.copies.get(&id).map(|copy| copy.of)
    }

    /// Where more was read than was copied, only what was seen while the copy was made tells of what: the file
    /// that was truncated next, or that is gone.
    pub(in crate::tasks::tail) fn copied(&self, id: Identity, size: u64) -> Option<Position> {
        let copy = self.copies.get(&id)?;
        let is_it = |cut: &&Cut| cut.serial >= copy.cuts && cut.position.id == copy.of;
        let cut = self.cuts.iter().find(is_it).map(|cut| &cut.position);
        let gone = self
            .known
            .get(&copy.of)
            .filter(|known| known.pass != self.pass);
        let position = cut.or(gone.map(|known| &known.position))?;
        (position.offset() >= size).then(|| position.clone())
    }

    /// What was read of a log and stands in none of its files now: of files that the listing of this pass does
    /// not show, and what was truncated. The newest truncation last.
    pub(in crate::tasks::tail) fn missing(&self, base: &Path) -> Vec<Position> {
        let path = base.to_string_lossy();
        let absent = self
            .known
            .values()
            .map(|known| (known.pass, &known.position));
        let absent = absent
            .filter(|(pass, position)| *pass != self.pass && position.path == path)
            .map(|(_, position)| position);
        let cuts = self.cuts.iter().filter(|cut| is_same(&cut.base, base));
        absent
            .chain(cuts.map(|cut| &cut.position))
            .cloned()
            .collect()
    }

    /// The logs of which something is missing.
    pub(in crate::tasks::tail) fn missing_of(&self) -> impl Iterator<Item = Arc<Path>> {
        let absent = (self.known.values()).filter(|known| known.pass != self.pass);
        let absent = absent.map(|known| Path::new(&known.position.path).into());
        absent.chain(self.cuts.iter().map(|cut| Arc::clone(&cut.base)))
    }

    /// What is missing of a log may still turn up.
    pub(in crate::tasks::tail) fn keep(&mut self, base: &Path, now: Instant) {
        let path = base.to_string_lossy();
        for known in self
            .known
            .values_mut()
            .filter(|known| known.position.path == path)
        {
            known.sighted = now;
        }
        for cut in self.cuts.iter_mut().filter(|cut| is_same(&cut.base, base)) {
            cut.since = now;
        }
    }

    /// Whether a file that the log's path led to when it was left was rotated away since; says so once.
    pub(in crate::tasks::tail) fn left_its_path(&mut self, id: Identity) -> bool {
        let known = self.known.get_mut(&id);
        known.is_some_and(|known| std::mem::take(&mut known.position.is_live))
    }

    /// What was missing is found, from `offset` on; that is all of it, unless the copy ends before.
    pub(in crate::tasks::tail) fn found(
        &mut self,
        missing: &Position,
        offset: u64,
        on: &mut impl FnMut(Found<'_>),
    ) {
        if offset < missing.offset() {
            return;
        }
        match self.cuts.iter().position(|cut| cut.position == *missing) {
            Some(at) => drop(self.cuts.remove(at)),
            None => {
                if self.left_its_path(missing.id) {
                    on(Found::Rotated(RotationKind::Rename));
                }
                self.known.remove(&missing.id);
            }
        }
    }

    /// A file was truncated: a copy of what it held may turn up.
    pub(in crate::tasks::tail) fn cut(&mut self, cut: Cut, on: &mut impl FnMut(Found<'_>)) {
        if self.cuts.len() >= CUTS_MAX {
            self.cuts.remove(0).lose(on);
        }
        self.push(cut);
    }

    pub(super) fn push(&mut self, mut cut: Cut) {
        cut.serial = self.cut_count;
        self.cut_count += 1;
        self.cuts.push(cut);
    }

    /// A file of a log is read from its first byte: so what was truncated before anything was read of it is in
    /// there. Else it was rotated away without being seen under the log's path.
    pub(in crate::tasks::tail) fn found_unread(
        &mut self,
        base: &Path,
        on: &mut impl FnMut(Found<'_>),
    ) {
        let is_it = |cut: &Cut| is_same(&cut.base, base) && cut.position.offset() == 0;
        match self.cuts.iter().position(is_it) {
            Some(at) => drop(self.cuts.remove(at)),
            None => on(Found::Rotated(RotationKind::Rename)),
        }
    }

    /// Whether a file of this size, as text, is one that was compressed before there was room to read it.
    pub(in crate::tasks::tail) fn found_waiting(&mut self, base: &Path, size: u64) -> bool {
        let path = base.to_string_lossy();
        let is_it = |known: &&Known| {
            let position = &known.position;
            let is_absent = known.pass != self.pass && position.path == path;
            is_absent && position.offset() == 0 && position.seen == size
        };
        let found = self
            .known
            .values()
            .find(is_it)
            .map(|known| known.position.id);
        found.is_some_and(|id| self.known.remove(&id).is_some())
    }

    /// Whether a file that this process saw, and that is gone, may be what a compressed one was made of: then it is
    /// known how much of that was read. Each is so for one.
    pub(in crate::tasks::tail) fn accounts_for(&mut self, base: &Path) -> bool {
        let (path, pass) = (base.to_string_lossy(), self.pass);
        let is_it = |known: &&mut Known| {
            let is_absent = known.pass != pass && known.pass > 0 && known.position.path == path;
            is_absent && !known.is_compressed
        };
        let known = self.known.values_mut().find(is_it);
        known.is_some_and(|known| !std::mem::replace(&mut known.is_compressed, true))
    }
}
