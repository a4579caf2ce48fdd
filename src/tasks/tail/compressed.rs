//! A compressed file beside a log: which of the files that are gone it was, and the lines of it that were not
//! read. Of the compressors, gzip is known: logrotate's and the kubelet's own.
//!
//! Reads such a file to its end in one go: it comes once a rotation, and most often nothing of it is new.

use std::cmp::Reverse;
use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;

use flate2::read::MultiGzDecoder;

use super::CHUNK;
use super::found::{Found, Place};
use super::listing::Sight;
use super::open::{Open, open};
use crate::tail::checkpoint::Position;
use crate::tail::follow::Identity;
use crate::tail::lines::Lines;
use crate::tail::print::{Anchor, HEAD_MAX, Print, Trace};

/// Whether it is one that can be read.
pub(super) fn is_gzip(sight: &Sight) -> bool {
    sight.path.as_os_str().as_bytes().ends_with(b".gz")
}

/// Finds the open file whose beginning this is.
pub(super) fn copy_of<'a>(
    sight: &Sight,
    mut open: impl Iterator<Item = &'a Open>,
) -> io::Result<Option<Identity>> {
    let Some(mut text) = decoder(sight)? else {
        return Ok(None);
    };
    let head = take(&mut text, HEAD_MAX as u64)?;
    let (mut trace, mut buffer) = (Trace::begin(0, Vec::new(), &[]), vec![0; CHUNK]);
    trace.advance(&head, 0);
    while let read @ 1.. = text.read(&mut buffer)? {
        trace.advance(buffer.get(..read).unwrap_or(&[]), 0);
    }
    let found = open.find(|open| open.begins_with(&head, &trace));
    Ok(found.map(|open| open.id))
}

/// How many bytes were compressed, modulo 2^32 (RFC 1952, section 2.3.1, `ISIZE`).
pub(super) fn size(sight: &Sight) -> io::Result<u64> {
    let mut size = [0; 4];
    let at = sight.observed.size.saturating_sub(size.len() as u64);
    if let Some(file) = open(sight)? {
        file.read_exact_at(&mut size, at)?;
    }
    Ok(u64::from(u32::from_le_bytes(size)))
}

/// Finds, of what is missing, what a compressed file was made of: its head must be the same, and its anchor at
/// the place where it was left.
pub(super) fn source(sight: &Sight, mut missing: Vec<Position>) -> io::Result<Option<Position>> {
    // Of two places in one content the later counts.
    missing.sort_by_key(|position| Reverse(position.offset()));
    // Where it ends before that place, an earlier one will do.
    let size = size(sight)?;
    for position in missing {
        let last = position.anchors.last().filter(|last| last.offset > 0);
        for anchor in last.copied().into_iter().chain(position.proof(size)) {
            if proves(sight, &position, anchor)? {
                return Ok(Some(position));
            }
        }
    }
    Ok(None)
}

/// Hands out the lines behind what was read.
pub(super) fn read(
    sight: &Sight,
    missing: Option<&Position>,
    on: &mut impl FnMut(Found<'_>),
) -> io::Result<()> {
    let Some(mut text) = decoder(sight)? else {
        return Ok(());
    };
    skip(&mut text, missing.map_or(0, Position::offset))?;
    // A place that is never gone back to: pieces are not looked for in a compressed file.
    on(Found::File(Place {
        path: &sight.base,
        id: sight.observed.id,
        from: 0,
    }));
    let mut lines = Lines::default();
    let mut buffer = vec![0; CHUNK];
    loop {
        let read = match text.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            // Damaged from here on; what was handed out was there.
            Err(error) => {
                let path = &sight.path;
                on(Found::Failed {
                    path,
                    error: &error,
                });
                break;
            }
        };
        on(Found::Bytes(read as u64));
        lines.feed(buffer.get(..read).unwrap_or(&[]), &mut |piece| {
            on(piece.into())
        });
    }
    if missing.is_some_and(|missing| missing.is_copy) {
        lines.cut(&mut |piece| on(piece.into()));
    } else {
        lines.finish(&mut |piece| on(piece.into()));
    }
    Ok(())
}

type Decoder = MultiGzDecoder<BufReader<File>>;

fn decoder(sight: &Sight) -> io::Result<Option<Decoder>> {
    let file = open(sight)?;
    Ok(file.map(|file| MultiGzDecoder::new(BufReader::new(file))))
}

fn proves(sight: &Sight, position: &Position, anchor: Anchor) -> io::Result<bool> {
    let Some(mut text) = decoder(sight)? else {
        return Ok(false);
    };
    let head = take(&mut text, position.head.length)?;
    // A copy that ends within the head has only the anchor to show.
    if position.head.length <= anchor.offset && Print::of(&head) != position.head {
        return Ok(false);
    }
    // The anchor may begin within the head.
    let gap = anchor.start().saturating_sub(head.len() as u64);
    skip(&mut text, gap)?;
    let behind = anchor.offset.saturating_sub(head.len() as u64 + gap);
    let end = usize::try_from(anchor.offset).unwrap_or(usize::MAX);
    let mut bytes = [head, take(&mut text, behind)?].concat();
    bytes.truncate(end);
    let length = usize::try_from(anchor.print.length).unwrap_or(0);
    let from = bytes.len().saturating_sub(length);
    Ok(bytes
        .get(from..)
        .is_some_and(|bytes| Print::of(bytes) == anchor.print))
}

fn take(text: &mut Decoder, length: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    text.take(length).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn skip(text: &mut Decoder, length: u64) -> io::Result<()> {
    io::copy(&mut text.take(length), &mut io::sink()).map(drop)
}
