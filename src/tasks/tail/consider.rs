//! What to do with each file that a listing shows: go on with it, begin it, or leave it alone.

use std::fs::File;
use std::io;
use std::time::Instant;

use super::compressed;
use super::found::{Found, Start, lost};
use super::known::Cut;
use super::listing::{Kind, Listing, Sight};
use super::open::{Open, Role, open, proves};
use super::{FILES_MAX, Follower, ROTATED_MAX};
use crate::tail::checkpoint::Position;
use crate::tail::follow::{self, Again, Beside, Evidence, Sibling};
use crate::tail::{LossCause, RotationKind};

impl Follower {
    pub(super) fn consider(
        &mut self,
        sight: &Sight,
        listing: &Listing,
        now: Instant,
        on: &mut impl FnMut(Found<'_>),
    ) {
        let Sight { observed, kind, .. } = sight;
        if self.open.iter().any(|file| file.id == observed.id) {
            return;
        }
        let known = self.memory.position(observed.id).cloned();
        let done = match (kind, known) {
            (Kind::Compressed, Some(_)) => Ok(()),
            (_, Some(position)) => match self.again(sight, now) {
                Some(Again::Finish) if self.rotated() >= ROTATED_MAX => Ok(()),
                Some(Again::Finish | Again::GoOn) => self.go_on(sight, position, now, on),
                Some(Again::Done | Again::Wait) | None => Ok(()),
            },
            (_, None) if sight.is_fresh && self.start == Start::End => self.skip(sight, now, on),
            (Kind::Base, None) => self.begin(sight, now, on),
            (Kind::Sibling, None) => self.begin_sibling(sight, listing, now, on),
            (Kind::Compressed, None) => self.begin_compressed(sight, now, on),
        };
        if let Err(error) = done {
            on(Found::OpenFailed(error.kind()));
        }
    }

    /// What is to be done with a file that was read before. The one that a log's path leads to is held open.
    pub(super) fn again(&self, sight: &Sight, now: Instant) -> Option<Again> {
        let (id, size) = (sight.observed.id, sight.observed.size);
        let position = self.memory.position(id)?;
        let is_its_log =
            sight.kind == Kind::Base && *sight.base.to_string_lossy() == *position.path;
        if is_its_log {
            return Some(Again::GoOn);
        }
        let last = self.memory.last(id)?;
        Some(follow::again(
            position.offset(),
            position.read(),
            size,
            last,
            now,
        ))
    }

    /// A file that was read before.
    fn go_on(
        &mut self,
        sight: &Sight,
        position: Position,
        now: Instant,
        on: &mut impl FnMut(Found<'_>),
    ) -> io::Result<()> {
        let last = self.memory.last(sight.observed.id).unwrap_or(now);
        let role = match (sight.kind, position.is_copy) {
            (Kind::Base, _) => Role::Live,
            (_, true) => Role::Copy(last),
            (_, false) => Role::Rotated(last),
        };
        if !self.has_room(sight, position.offset(), now, on) {
            return Ok(());
        }
        let Some(file) = open(sight)? else {
            return Ok(());
        };
        let is_intact = proves(&file, &position, position.anchors.last().copied());
        let offset = if is_intact { position.offset() } else { 0 };
        let Some(mut open) = Open::begin(sight, offset, role)? else {
            return Ok(());
        };
        self.memory.forget_one(sight.observed.id);
        if is_intact {
            open.recall(&position);
        } else {
            on(Found::Rotated(RotationKind::Truncate));
            self.memory.cut(Cut::left(&sight.base, position, now), on);
        }
        self.open.push(open);
        Ok(())
    }

    /// A file that existed before the source was looked at first.
    fn skip(
        &mut self,
        sight: &Sight,
        now: Instant,
        on: &mut impl FnMut(Found<'_>),
    ) -> io::Result<()> {
        let size = sight.observed.size;
        let is_log = sight.kind == Kind::Base;
        if is_log && !self.has_room(sight, size, now, on) {
            return Ok(());
        }
        let opened = match is_log {
            true => Open::begin_at_end(sight, Role::Live),
            false => Open::begin(sight, size, Role::Rotated(now)),
        };
        match opened {
            Ok(Some(file)) if is_log => self.open.push(file),
            Ok(Some(file)) => self.memory.remember(file.position(), now, now),
            // Another file came to stand there meanwhile: the next pass sees it.
            Ok(None) => {}
            Err(error) => {
                let end = Position::unread_at(sight.observed.id, &sight.base, size);
                self.memory.remember(end, now, now);
                return Err(error);
            }
        }
        Ok(())
    }

    /// A log that was not there before.
    fn begin(
        &mut self,
        sight: &Sight,
        now: Instant,
        on: &mut impl FnMut(Found<'_>),
    ) -> io::Result<()> {
        if self.has_room(sight, 0, now, on) {
            self.open.extend(Open::begin(sight, 0, Role::Live)?);
        }
        Ok(())
    }

    /// An unknown file beside a log.
    fn begin_sibling(
        &mut self,
        sight: &Sight,
        listing: &Listing,
        now: Instant,
        on: &mut impl FnMut(Found<'_>),
    ) -> io::Result<()> {
        let Some(file) = open(sight)? else {
            return Ok(());
        };
        let size = file.metadata()?.len();
        let missing = self.missing_in(&file, sight, size);
        let copied = self.memory.copied(sight.observed.id, size);
        let evidence = Evidence {
            size,
            has_missing_content: missing.is_some() || copied.is_some(),
            beside: self.beside(&file, sight, size, listing),
        };
        match (follow::sibling(evidence), missing.or(copied)) {
            (Sibling::Undecided, _) => {
                let of = self.live(&sight.base).map(|live| live.id);
                if let (Some(of), Beside::Beginning) = (of, evidence.beside) {
                    self.memory.copy(sight.observed.id, of, now);
                }
            }
            (Sibling::Copy, Some(missing)) => {
                if self.has_room(sight, missing.offset(), now, on) {
                    // What was read beyond the copy's end was read before the truncation.
                    let offset = missing.offset().min(size);
                    self.memory.found(&missing, offset);
                    self.open
                        .extend(Open::begin(sight, offset, Role::Copy(now))?);
                }
            }
            (Sibling::Copy | Sibling::New, _) => {
                if self.has_room(sight, 0, now, on) {
                    self.memory.found_unread(&sight.base);
                    self.open.extend(Open::begin(sight, 0, Role::Rotated(now))?);
                }
            }
        }
        Ok(())
    }

    /// What was read before, is missing now, and is proved to stand in this file.
    fn missing_in(&self, file: &File, sight: &Sight, size: u64) -> Option<Position> {
        let is_in = |position: &Position| {
            let anchor = position.proof(size);
            anchor.is_some() && proves(file, position, anchor)
        };
        let missing = self.memory.missing(&sight.base);
        let proved = missing.iter().filter(|position| is_in(position));
        proved.max_by_key(|position| position.offset()).cloned()
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

    /// An unknown compressed file beside a log.
    fn begin_compressed(
        &mut self,
        sight: &Sight,
        now: Instant,
        on: &mut impl FnMut(Found<'_>),
    ) -> io::Result<()> {
        let id = sight.observed.id;
        compressed::check(sight)?;
        // What is held open is read there; how much of this was, shows when that is let go.
        if self.hidden(&sight.base).next().is_some() {
            let of = match self.memory.is_copy_of(id) {
                Some(of) => of,
                None => compressed::copy_of(sight, self.hidden(&sight.base))?.unwrap_or(id),
            };
            self.memory.copy(id, of, now);
            self.memory.keep(&sight.base, now);
            return Ok(());
        }
        // Whatever comes of it, it is not looked at again.
        let Some(end) = Open::begin(sight, sight.observed.size, Role::Copy(now))? else {
            return Ok(());
        };
        self.memory.remember(end.position(), now, now);
        let missing = self.memory.missing(&sight.base);
        let copied = self.memory.copied(id, compressed::size(sight)?);
        let missing = match copied {
            Some(_) => return Ok(()),
            None => compressed::source(sight, missing)?,
        };
        match &missing {
            Some(missing) => self.memory.found(missing, missing.offset()),
            None => self.memory.found_unread(&sight.base),
        }
        compressed::read(sight, missing.as_ref(), on)
    }

    /// Whether one more file may be held open. Where not, a log is passed over and that is counted; a file
    /// beside it waits.
    fn has_room(
        &mut self,
        sight: &Sight,
        offset: u64,
        now: Instant,
        on: &mut impl FnMut(Found<'_>),
    ) -> bool {
        let (id, size) = (sight.observed.id, sight.observed.size);
        if sight.kind == Kind::Base {
            let has_room = self.open.iter().filter(|file| file.is_live()).count() < FILES_MAX;
            if !has_room {
                lost(LossCause::FileLimit, size.saturating_sub(offset), on);
                let end = Position::unread_at(id, &sight.base, size);
                self.memory.remember(end, now, now);
            }
            return has_room;
        }
        let has_room =
            self.rotated() < ROTATED_MAX || self.give_up_one(Open::is_in_the_way, now, on);
        if !has_room && self.memory.position(id).is_none() {
            self.waiting += size.saturating_sub(offset);
        }
        has_room
    }
}
