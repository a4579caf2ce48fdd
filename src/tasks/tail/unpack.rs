//! Which compressed file is read next, and what is made of what it holds.
//!
//! One at a time, in parts like other files: it comes once a rotation, and most often nothing of it is new.

use std::io;
use std::time::Instant;

use super::compressed::{self, Part, Unpacking};
use super::found::{Found, lost};
use super::listing::Sight;
use super::{Follower, READ_MAX};
use crate::tail::LossCause;
use crate::tail::checkpoint::Position;

impl Follower {
    /// An unknown compressed file beside a log.
    pub(super) fn begin_compressed(
        &mut self,
        sight: &Sight,
        now: Instant,
        on: &mut impl FnMut(Found<'_>),
    ) -> io::Result<()> {
        let id = sight.observed.id;
        if !compressed::is_gzip(sight) {
            self.pass_over(sight, now, on);
            return Ok(());
        }
        self.memory.keep(&sight.base, now);
        let current = self.unpacking.as_ref();
        if current.is_some_and(|current| current.sight.observed.id == id) {
            return Ok(());
        }
        // What is held open is read there; how much of this was, shows when that is let go.
        let is_held = self.hidden(&sight.base).next().is_some();
        if let (true, Some(of)) = (is_held, self.memory.is_copy_of(id)) {
            self.memory.copy(id, of, now);
            return Ok(());
        }
        if !is_held && self.memory.copied(id, compressed::size(sight)?).is_some() {
            self.is_unpacked(sight, now);
            return Ok(());
        }
        if self.has_to_wait() {
            self.waiting += sight.observed.size;
            return Ok(());
        }
        let missing = self.memory.missing(&sight.base);
        self.unpacking = Unpacking::examine(sight, missing)?;
        Ok(())
    }

    /// A compressed file of which lines were handed out.
    pub(super) fn unpack_on(&mut self, sight: &Sight, left: Position) -> io::Result<()> {
        if !self.has_to_wait() {
            self.unpacking = Unpacking::go_on(sight, left)?;
            if self.unpacking.is_some() {
                self.memory.forget_one(sight.observed.id);
            }
        }
        Ok(())
    }

    /// Whether another compressed file is being read.
    fn has_to_wait(&mut self) -> bool {
        self.is_queueing |= self.unpacking.is_some();
        self.is_queueing
    }

    /// Reads a part of the compressed file that is being read. Says whether this pass has more of it to read.
    pub(super) fn unpack(&mut self, now: Instant, on: &mut impl FnMut(Found<'_>)) -> bool {
        let Some(unpacking) = self.unpacking.as_mut().filter(|_| self.unpack_left > 0) else {
            return false;
        };
        self.unpack_left = self.unpack_left.saturating_sub(self.buffer.len());
        match unpacking.read(&mut self.buffer, on) {
            Ok(Part::More) => {}
            Ok(Part::Examined) => self.examined(now, on),
            // Whatever came of it, it is not looked at again.
            Ok(Part::Done) => self.end_unpacking(now),
            // Damaged from here on; what was handed out was there.
            Err(error) => {
                let path = &unpacking.sight.path;
                on(Found::Failed {
                    path,
                    error: &error,
                });
                self.end_unpacking(now);
            }
        }
        true
    }

    fn end_unpacking(&mut self, now: Instant) {
        if let Some(done) = self.unpacking.take() {
            self.is_unpacked(&done.sight, now);
        }
    }

    /// All of a compressed file is settled.
    fn is_unpacked(&mut self, sight: &Sight, now: Instant) {
        let (id, size) = (sight.observed.id, sight.observed.size);
        let end = Position::unread_at(id, &sight.base, size);
        self.memory.remember(end, now, now);
    }

    /// All of a compressed file went by once.
    fn examined(&mut self, now: Instant, on: &mut impl FnMut(Found<'_>)) {
        let Some(done) = self.unpacking.take() else {
            return;
        };
        let (id, base) = (done.sight.observed.id, &done.sight.base);
        self.memory.keep(base, now);
        let trace = &done.trace;
        if self.hidden(base).next().is_some() {
            let of = self
                .hidden(base)
                .find(|open| open.begins_with(trace.head(), trace));
            let of = of.map_or(id, |of| of.id);
            self.memory.copy(id, of, now);
            return;
        }
        let missing = self.memory.missing(base);
        // Something was let go meanwhile, and this may be what became of it: the next pass begins anew.
        if missing.iter().any(|missing| !done.knows(missing)) {
            self.is_queueing = true;
            return;
        }
        let source = done
            .source()
            .filter(|source| missing.contains(source))
            .cloned();
        let size = trace.at();
        match &source {
            Some(source) => self.memory.found(source, source.offset(), on),
            None if self.memory.found_waiting(base, size) => {}
            None => self.memory.found_unread(base, on),
        }
        let from = source.unwrap_or_else(|| Position::unread_at(id, base, 0));
        let left = Position {
            id,
            stood: Some(done.sight.path.to_string_lossy().into_owned()),
            read: from.offset(),
            seen: size,
            is_live: false,
            is_text: true,
            ..from
        };
        match Unpacking::go_on(&done.sight, left.clone()) {
            Ok(unpacking @ Some(_)) => self.unpacking = unpacking,
            // It has another name by now.
            Ok(None) | Err(_) => self.memory.remember(left, now, now),
        }
    }

    /// A file in a compression that is not read. What it was made of was read, or known to be unread, unless nobody
    /// saw that.
    fn pass_over(&mut self, sight: &Sight, now: Instant, on: &mut impl FnMut(Found<'_>)) {
        let size = sight.observed.size;
        let is_accounted_for =
            self.hidden(&sight.base).next().is_some() || self.memory.accounts_for(&sight.base);
        if !is_accounted_for {
            lost(LossCause::Compressed, size, on);
        }
        self.is_unpacked(sight, now);
    }

    /// A pass begins.
    pub(super) fn begin_unpacking(&mut self) {
        self.unpack_left = READ_MAX;
        self.is_queueing = false;
    }
}
