//! What was handed out before the follower was left, read once more: for pieces of lines that were not whole then.
//!
//! Hands out nothing to be counted. What is not found, or not proved to be the same, is passed over.

use std::io;
use std::os::unix::fs::FileExt;

use super::found::{Found, Place};
use super::listing::{Kind, Listing, Sight};
use super::open::{open, proves};
use super::{CHUNK, Follower};
use crate::tail::checkpoint::{OpenLine, Position};
use crate::tail::lines::{Lines, Piece};

impl Follower {
    /// Reads each of these files from there to where it was left.
    pub(super) fn read_again(
        &self,
        open_lines: &[OpenLine],
        listing: &Listing,
        on: &mut impl FnMut(Found<'_>),
    ) {
        for line in open_lines {
            let is_it = |sight: &&Sight| sight.observed.id == line.id;
            let sight = listing.sights.iter().find(is_it);
            let sight = sight.filter(|sight| sight.kind != Kind::Compressed);
            let (Some(sight), Some(left)) = (sight, self.memory.position(line.id)) else {
                continue;
            };
            if let Err(error) = read(sight, left, line, on) {
                let path = &sight.path;
                on(Found::Failed {
                    path,
                    error: &error,
                });
            }
        }
    }
}

fn read(
    sight: &Sight,
    left: &Position,
    line: &OpenLine,
    on: &mut impl FnMut(Found<'_>),
) -> io::Result<()> {
    let Some(file) = open(sight)? else {
        return Ok(());
    };
    if !proves(&file, left, left.anchors.last().copied()) {
        return Ok(());
    }
    let (mut lines, mut buffer) = (Lines::default(), vec![0; CHUNK]);
    let mut at = line.from;
    while at < left.offset() {
        let rest = usize::try_from(left.offset() - at).unwrap_or(CHUNK);
        let part = buffer.get_mut(..rest.min(CHUNK)).unwrap_or_default();
        file.read_exact_at(part, at)?;
        on(Found::File(Place {
            path: line.path.as_ref(),
            id: line.id,
            from: at - lines.pending(),
        }));
        lines.feed(part, &mut |piece| {
            if let Piece::Line(line) = piece {
                on(Found::Again(line));
            }
        });
        at += part.len() as u64;
    }
    Ok(())
}
