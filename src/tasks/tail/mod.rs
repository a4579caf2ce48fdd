//! Follows the files of one log source: opens, reads, lets go. One synchronous pass per call.
//!
//! Owns what is open and what is remembered. What a state means is judged in [`crate::tail::follow`]; what a
//! line means is the caller's. A path looks like one endless log: whatever rotation makes of its files, each
//! line is handed out once, and what cannot be is counted.

mod again;
mod beside;
mod compressed;
mod consider;
mod folders;
mod found;
mod known;
mod listing;
mod observe;
mod open;
mod pattern;
mod unpack;

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use compressed::Unpacking;
use folders::Folders;
pub use found::{Found, Place, Start};
use known::{Cut, Memory};
use listing::{Kind, Listing, look};
use open::{Open, Read, Role};
use pattern::{Pattern, Unseen};

use crate::tail::checkpoint::Checkpoint;
use crate::tail::follow::{self, Again, Step};
use crate::tail::{LossCause, RotationKind};

/// Most bytes that one pass reads of one file, so that no file starves the others or the process.
pub const READ_MAX: usize = 4 * 1024 * 1024;

/// Most files that are held open under their path.
pub const FILES_MAX: usize = 256;

/// Most rotated files that are held open until they are quiet. Others wait on disk.
pub const ROTATED_MAX: usize = 8;

/// One read, which is a part of a pass; large enough that the system call costs little per line.
const CHUNK: usize = 64 * 1024;

/// The files of one log source.
#[derive(Debug)]
pub struct Follower {
    /// As they were given.
    texts: Vec<String>,
    patterns: Vec<Pattern>,
    unseen: Unseen,
    folders: Folders,
    start: Start,
    /// Where another follower was left, until the first pass.
    left: Option<Checkpoint>,
    /// In the order of opening, so that older files of a rotation come first.
    open: Vec<Open>,
    memory: Memory,
    /// The compressed file that is being read.
    unpacking: Option<Unpacking>,
    /// How much of it this pass may still read.
    unpack_left: usize,
    /// Whether another waits for that.
    is_queueing: bool,
    /// Bytes of unknown files that cannot be opened yet.
    waiting: u64,
    /// Whether a file waits for a rotated one to be let go.
    is_crowded: bool,
    /// Whether the last listing was capped.
    is_capped: bool,
    /// What the pass that is under way has still to read, the next file last.
    due: Vec<Due>,
    /// Whether that pass leaves something to the next.
    is_waiting: bool,
    buffer: Vec<u8>,
}

/// An open file, and how much of it the pass may still read.
#[derive(Debug)]
struct Due {
    at: usize,
    left: usize,
}

impl Follower {
    /// Follows `patterns`; touches no file before the first [`Self::poll`].
    pub fn new(patterns: Vec<String>, start: Start) -> Self {
        Self::resume(patterns, start, Checkpoint::default())
    }

    /// Goes on where another follower was left: files that it knew at their offset, files that appeared since
    /// at their beginning, and files that only new patterns match at `start`.
    pub fn resume(patterns: Vec<String>, start: Start, checkpoint: Checkpoint) -> Self {
        let is_fresh = |text: &String| !checkpoint.patterns.contains(text);
        let pattern = |text: &String| Pattern::new(text.clone(), is_fresh(text));
        Self {
            patterns: patterns.iter().map(pattern).collect(),
            texts: patterns,
            unseen: Unseen::new(checkpoint.unseen.clone()),
            folders: Folders::default(),
            start,
            left: Some(checkpoint),
            open: Vec::new(),
            memory: Memory::default(),
            unpacking: None,
            unpack_left: 0,
            is_queueing: false,
            waiting: 0,
            is_crowded: false,
            is_capped: false,
            due: Vec::new(),
            is_waiting: false,
            buffer: vec![0; CHUNK],
        }
    }

    /// Where the files stand: just after the lines that have been handed out so far, in the middle of a pass too. The
    /// same as was taken up, before the first pass.
    pub fn checkpoint(&self) -> Checkpoint {
        if let Some(left) = &self.left {
            return left.clone();
        }
        let open = self.open.iter().map(Open::position);
        let unpacking = self.unpacking.as_ref().and_then(Unpacking::position);
        Checkpoint {
            patterns: self.texts.clone(),
            files: open
                .chain(self.memory.positions().cloned())
                .chain(unpacking)
                .collect(),
            cuts: self.memory.cut_positions().collect(),
            copies: self.memory.copies().collect(),
            unseen: self.unseen.paths().collect(),
            open_lines: Vec::new(),
        }
    }

    /// One pass: judges what became of each file, opens new ones, reads each up to [`READ_MAX`], lets go of
    /// rotated ones. Says whether more is waiting to be read; then poll again at once.
    pub fn poll(&mut self, now: Instant, on: &mut impl FnMut(Found<'_>)) -> bool {
        self.begin_pass(now, on);
        while self.read_part(now, on) {}
        self.end_pass(now, on)
    }

    /// The first part of [`Self::poll`]: judges what became of each file, and opens new ones.
    pub fn begin_pass(&mut self, now: Instant, on: &mut impl FnMut(Found<'_>)) {
        let left = self.left.take();
        let open_lines = left.as_ref().map(|left| left.open_lines.clone());
        if let Some(left) = left {
            self.memory.take_up(left, now);
        }
        let followed = self.followed();
        let mut listing = self.look(&followed, now, on);
        listing.find(self.memory.positions());
        self.memory.begin_pass(&listing, now);
        self.read_again(&open_lines.unwrap_or_default(), &listing, on);
        self.bind(&listing, now, on);
        self.check(now, on);
        self.waiting = 0;
        self.is_crowded = false;
        self.begin_unpacking();
        if listing.is_capped && !self.is_capped {
            on(Found::ListingCapped);
        }
        self.is_capped = listing.is_capped;
        // What only waits to be finished takes no place that another needs.
        let (last, mut first): (Vec<_>, Vec<_>) = (listing.sights.iter())
            .partition(|sight| self.again(sight, now) == Some(Again::Finish));
        // An unknown file is compared with the logs that are open.
        first.sort_by_key(|sight| (sight.kind, self.again(sight, now).is_none()));
        for sight in first.into_iter().chain(last) {
            self.consider(sight, &listing, now, on);
        }
        // Rotated files first: their lines are older.
        let (live, rotated): (Vec<_>, Vec<_>) =
            (0..self.open.len()).partition(|at| self.open.get(*at).is_some_and(Open::is_live));
        let order = rotated.into_iter().chain(live);
        let is_due = |at: &usize| self.open.get(*at).is_some_and(|file| !file.is_still);
        let due = order.filter(is_due).map(|at| Due { at, left: READ_MAX });
        self.due = due.collect();
        self.due.reverse();
        self.is_waiting = false;
    }

    /// The next part: reads some of one file. Says whether this pass has more to read.
    pub fn read_part(&mut self, now: Instant, on: &mut impl FnMut(Found<'_>)) -> bool {
        // Older than what stands there in plain text.
        if self.unpack(now, on) {
            return true;
        }
        let Some(due) = self.due.last_mut() else {
            return false;
        };
        if let Some(file) = self.open.get_mut(due.at) {
            if due.left == READ_MAX {
                file.begin_pass();
            }
            due.left = due.left.saturating_sub(CHUNK);
            match file.read(&mut self.buffer, CHUNK, now, on) {
                Read::End => {}
                Read::More if due.left > 0 => return true,
                Read::More => self.is_waiting = true,
                // What is to be read now is found by the next pass.
                Read::Truncated => {
                    cut(file, &mut self.memory, now, on);
                    self.is_waiting = true;
                }
            }
        }
        self.due.pop();
        !self.due.is_empty()
    }

    /// The last part: lets go of rotated files. Says whether more is waiting for the next pass.
    pub fn end_pass(&mut self, now: Instant, on: &mut impl FnMut(Found<'_>)) -> bool {
        self.retire(now, on);
        self.memory.forget(now, on);
        let is_next = self.is_crowded && self.open.iter().any(Open::is_in_the_way);
        self.is_waiting || self.is_queueing || self.unpacking.is_some() || is_next
    }

    /// Bytes that are written and not read, as of the last pass.
    pub fn lag_bytes(&self) -> u64 {
        self.open.iter().map(Open::unread).sum::<u64>()
            + self.memory.unread()
            + self.waiting
            + self.unpacking.as_ref().map_or(0, Unpacking::unread)
    }

    /// The logs of which something is open or remembered, where a pattern may not list all of them.
    fn followed(&self) -> HashSet<Arc<Path>> {
        if !self.patterns.iter().any(Pattern::is_glob) {
            return HashSet::new();
        }
        let open = self.open.iter().map(|file| Arc::clone(&file.base));
        open.chain(self.memory.logs()).collect()
    }

    /// Looks at everything that the patterns name.
    fn look(
        &mut self,
        followed: &HashSet<Arc<Path>>,
        now: Instant,
        on: &mut impl FnMut(Found<'_>),
    ) -> Listing {
        let mut names = self.folders.begin_pass(now);
        let (patterns, unseen) = (&mut self.patterns, &mut self.unseen);
        look(patterns, followed, unseen, &mut names, on)
    }

    /// Judges what the paths of the open files lead to now.
    fn bind(&mut self, listing: &Listing, now: Instant, on: &mut impl FnMut(Found<'_>)) {
        for file in self.open.iter_mut().filter(|file| file.is_live()) {
            if listing.is_unclear(&file.base) {
                continue;
            }
            let step = follow::step(file.id, listing.log(&file.base));
            // Nearly always, and its names would have to be asked for.
            if step == Step::Same {
                continue;
            }
            if let Some(kind) = follow::rotation(step, file.links()) {
                on(Found::Rotated(kind));
                file.role = Role::Rotated(now);
            }
        }
        for file in &mut self.open {
            let sight = listing
                .sights
                .iter()
                .find(|sight| sight.observed.id == file.id);
            if !listing.unlisted.contains(&file.base) {
                file.is_listed = sight.is_some();
            }
            file.look(sight, now);
            // The log's path leads to it again.
            if sight
                .is_some_and(|sight| sight.kind == Kind::Base && is_same(&sight.base, &file.base))
            {
                file.role = Role::Live;
            }
        }
    }

    /// Finds the files that were truncated.
    fn check(&mut self, now: Instant, on: &mut impl FnMut(Found<'_>)) {
        for file in self.open.iter_mut().filter(|file| !file.is_still) {
            if !file.is_intact() {
                cut(file, &mut self.memory, now, on);
            }
        }
    }

    /// Lets go of rotated files that are quiet, then of those beyond the bound.
    fn retire(&mut self, now: Instant, on: &mut impl FnMut(Found<'_>)) {
        for mut file in self.open.extract_if(.., |file| file.is_over(now)) {
            match file.unread() {
                0 => file.finish(on),
                _ => file.abandon(LossCause::Deleted, on),
            }
            self.memory.remember(file.position(), now, now);
        }
        // The path may lead to it yet, and what was read of it is proved there.
        for file in self.open.extract_if(.., |file| file.is_stale) {
            let last = file.last(now);
            self.memory.remember(file.position(), last, now);
        }
        while self.rotated() > ROTATED_MAX {
            // What stands on disk is gone on with later; of the rest, what is read out is no loss.
            let _ = self.give_up_one(Open::is_in_the_way, now, on)
                || self.give_up_one(|file| file.is_listed, now, on)
                || self.give_up_one(|file| file.unread() == 0, now, on)
                || self.give_up_one(|_| true, now, on);
        }
    }

    /// How many files are open that their path does not lead to.
    fn rotated(&self) -> usize {
        self.open.iter().filter(|file| !file.is_live()).count()
    }

    /// Lets go of the first rotated file that is `fit`. What stands on disk under a name that is listed is
    /// gone on with when there is room; the rest of another is lost.
    fn give_up_one(
        &mut self,
        fit: impl Fn(&Open) -> bool,
        now: Instant,
        on: &mut impl FnMut(Found<'_>),
    ) -> bool {
        let at = self
            .open
            .iter()
            .position(|file| !file.is_live() && fit(file));
        let Some(at) = at else {
            return false;
        };
        let mut file = self.open.remove(at);
        match (file.is_listed, file.unread()) {
            (true, _) => {}
            (false, 0) => file.finish(on),
            (false, _) => file.abandon(LossCause::RotatedLimit, on),
        }
        self.memory.remember(file.position(), file.last(now), now);
        true
    }

    /// The files of a log that are held open though no listing shows them.
    fn hidden(&self, base: &Path) -> impl Iterator<Item = &Open> {
        let is_it = |file: &&Open| !file.is_listed && is_same(&file.base, base);
        self.open.iter().filter(is_it)
    }

    /// The open file that a log's path leads to.
    fn live(&mut self, base: &Path) -> Option<&mut Open> {
        let is_it = |file: &&mut Open| file.is_live() && is_same(&file.base, base);
        self.open.iter_mut().find(is_it)
    }
}

/// The file does not hold what was read of it: remembers that, and begins it anew.
fn cut(file: &mut Open, memory: &mut Memory, now: Instant, on: &mut impl FnMut(Found<'_>)) {
    on(Found::Rotated(RotationKind::Truncate));
    memory.cut(Cut::of(file, now), on);
    file.restart();
}

/// Whether two paths are written alike: the same pattern made both.
fn is_same(one: &Path, other: &Path) -> bool {
    one.as_os_str() == other.as_os_str()
}
