//! What to do with each file that a listing shows: go on with it, begin it, or leave it alone.

use std::io;
use std::path::Path;
use std::time::Instant;

use super::found::{Found, Start, lost};
use super::known::Cut;
use super::listing::{Kind, Listing, Sight};
use super::open::{Open, Role, open, proves};
use super::{FILES_MAX, Follower, ROTATED_MAX};
use crate::tail::checkpoint::Position;
use crate::tail::follow::{self, Again};
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
        let is_elsewhere = |position: &Position| !is_its_log(sight, position);
        if known.as_ref().is_some_and(is_elsewhere) && self.memory.left_its_path(observed.id) {
            on(Found::Rotated(RotationKind::Rename));
        }
        let done = match (kind, known) {
            (Kind::Compressed, Some(left)) if left.is_text => self.unpack_on(sight, left),
            (Kind::Compressed, Some(_)) => Ok(()),
            (_, Some(position)) => match self.again(sight, now) {
                Some(Again::Finish) if self.rotated() >= ROTATED_MAX => Ok(()),
                Some(Again::Finish | Again::GoOn) => self.go_on(sight, position, now, on),
                Some(Again::Done | Again::Wait) | None => Ok(()),
            },
            (_, None) if sight.is_fresh && self.start == Start::End => self.skip(sight, now, on),
            (Kind::Base, None) => self.begin(sight, listing, now, on),
            (Kind::Sibling, None) => self.begin_sibling(sight, listing, now, on),
            (Kind::Compressed, None) => self.begin_compressed(sight, now, on),
        };
        if let Err(error) = done {
            let path = &sight.path;
            on(Found::Failed {
                path,
                error: &error,
            });
            if self.memory.position(observed.id).is_none() {
                self.waiting += observed.size;
            }
        }
    }

    /// What is to be done with a file that was read before. The one that a log's path leads to is held open.
    pub(super) fn again(&self, sight: &Sight, now: Instant) -> Option<Again> {
        let (id, size) = (sight.observed.id, sight.observed.size);
        let position = self.memory.position(id)?;
        if is_its_log(sight, position) {
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
        let (base, role) = match sight.kind {
            Kind::Base if is_its_log(sight, &position) => (sight.base.clone(), Role::Live),
            // Also where a pattern matches the copy's own name.
            _ if position.is_copy => (Path::new(&position.path).into(), Role::Copy(last)),
            Kind::Base => (sight.base.clone(), Role::Live),
            _ => (sight.base.clone(), Role::Rotated(last)),
        };
        let sight = &Sight {
            base,
            ..sight.clone()
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

    /// Whether this is one log too many.
    pub(super) fn has_no_room(&self, sight: &Sight) -> bool {
        let live = self.open.iter().filter(|file| file.is_live());
        sight.kind == Kind::Base && live.count() >= FILES_MAX
    }

    /// Whether one more file may be held open. Where not, a log is passed over and that is counted; a file
    /// beside it waits.
    pub(super) fn has_room(
        &mut self,
        sight: &Sight,
        offset: u64,
        now: Instant,
        on: &mut impl FnMut(Found<'_>),
    ) -> bool {
        let (id, size) = (sight.observed.id, sight.observed.size);
        if sight.kind == Kind::Base {
            let has_room = !self.has_no_room(sight);
            if !has_room {
                lost(LossCause::FileLimit, size.saturating_sub(offset), on);
                let end = Position::unread_at(id, &sight.base, size);
                self.memory.remember(end, now, now);
            }
            return has_room;
        }
        let has_room =
            self.rotated() < ROTATED_MAX || self.give_up_one(Open::is_in_the_way, now, on);
        self.is_crowded |= !has_room;
        has_room
    }
}

/// Whether the log's path that the file was followed under leads to it.
fn is_its_log(sight: &Sight, position: &Position) -> bool {
    sight.kind == Kind::Base && *sight.base.to_string_lossy() == *position.path
}
