//! A compressed file beside a log: which of the files that are gone it was, and the lines of it that were not
//! read. Of the compressors, gzip is known: logrotate's and the kubelet's own.
//!
//! Goes through such a file in parts: once for what it holds, then again for the lines. Does not know what else is
//! followed.

use std::cmp::Reverse;
use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;

use flate2::read::MultiGzDecoder;

use super::found::{Found, Place};
use super::listing::Sight;
use super::open::open;
use crate::tail::checkpoint::Position;
use crate::tail::lines::Lines;
use crate::tail::print::{Anchor, Print, Trace};

type Decoder = MultiGzDecoder<BufReader<File>>;

/// A compressed file that is being read.
#[derive(Debug)]
pub(super) struct Unpacking {
    pub(super) sight: Sight,
    text: Decoder,
    /// Of the text that went by.
    pub(super) trace: Trace,
    phase: Phase,
}

#[derive(Debug)]
enum Phase {
    /// What it holds is found out.
    Examine {
        /// All that was missing.
        missing: Vec<Position>,
        candidates: Vec<Candidate>,
    },
    /// Its lines are handed out, from where this position stands.
    Lines { left: Position, lines: Lines },
}

/// What a compressed file may have been made of.
#[derive(Debug)]
struct Candidate {
    position: Position,
    anchor: Anchor,
    /// Whether the text has its anchor at its place.
    is_there: bool,
}

/// What came of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// There is more.
    More,
    /// All went by: now it shows what it was made of.
    Examined,
    /// All is handed out.
    Done,
}

/// Whether it is one that can be read.
pub(super) fn is_gzip(sight: &Sight) -> bool {
    sight.path.as_os_str().as_bytes().ends_with(b".gz")
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

impl Unpacking {
    /// Begins to find out which of these it was made of. `None` if the path leads to another file by now.
    pub(super) fn examine(sight: &Sight, missing: Vec<Position>) -> io::Result<Option<Self>> {
        let candidates = candidates(missing.clone(), size(sight)?);
        let phase = Phase::Examine {
            missing,
            candidates,
        };
        Self::begin(sight, phase)
    }

    /// Goes on with its lines where it was left.
    pub(super) fn go_on(sight: &Sight, left: Position) -> io::Result<Option<Self>> {
        let lines = Lines::default();
        Self::begin(sight, Phase::Lines { left, lines })
    }

    fn begin(sight: &Sight, phase: Phase) -> io::Result<Option<Self>> {
        let file = open(sight)?;
        Ok(file.map(|file| Self {
            sight: sight.clone(),
            text: MultiGzDecoder::new(BufReader::new(file)),
            trace: Trace::begin(0, Vec::new(), &[]),
            phase,
        }))
    }

    /// Whether this was missing when it was begun.
    pub(super) fn knows(&self, position: &Position) -> bool {
        match &self.phase {
            Phase::Examine { missing, .. } => missing.contains(position),
            Phase::Lines { .. } => true,
        }
    }

    /// What it was made of, by what it holds. Of two places in one content the later counts.
    pub(super) fn source(&self) -> Option<&Position> {
        let Phase::Examine { candidates, .. } = &self.phase else {
            return None;
        };
        let proves = |candidate: &&Candidate| candidate.is_there && self.has_head(candidate);
        candidates.iter().find(proves).map(|found| &found.position)
    }

    /// A copy that ends within the head has only the anchor to show.
    fn has_head(&self, candidate: &Candidate) -> bool {
        let head = candidate.position.head;
        let length = usize::try_from(head.length).unwrap_or(usize::MAX);
        let own = self.trace.head().get(..length).map(Print::of);
        head.length > candidate.anchor.offset || own == Some(head)
    }

    /// Where its lines have been handed out to; none while it is not known what they are.
    pub(super) fn position(&self) -> Option<Position> {
        let Phase::Lines { left, .. } = &self.phase else {
            return None;
        };
        if self.trace.at() <= left.offset() {
            return Some(left.clone());
        }
        let now = self
            .trace
            .position(left.id, left.path.clone(), left.seen, left.is_copy);
        Some(Position {
            stood: left.stood.clone(),
            is_text: true,
            ..now
        })
    }

    /// Bytes that are not read, as far as it is known how many there are.
    pub(super) fn unread(&self) -> u64 {
        match &self.phase {
            Phase::Examine { .. } => self.sight.observed.size,
            Phase::Lines { left, .. } => {
                left.seen.saturating_sub(left.offset().max(self.trace.at()))
            }
        }
    }

    /// Takes the next part.
    pub(super) fn read(
        &mut self,
        buffer: &mut [u8],
        on: &mut impl FnMut(Found<'_>),
    ) -> io::Result<Part> {
        let read = loop {
            // Up to where the lines begin, and not beyond.
            let length = match &self.phase {
                Phase::Lines { left, .. } if left.offset() > self.trace.at() => {
                    usize::try_from(left.offset() - self.trace.at()).unwrap_or(usize::MAX)
                }
                _ => usize::MAX,
            };
            let end = length.min(buffer.len());
            match self.text.read(buffer.get_mut(..end).unwrap_or_default()) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    self.finish(on);
                    return Err(error);
                }
                Ok(read) => break read,
            }
        };
        if read == 0 {
            return Ok(self.finish(on));
        }
        self.take(buffer.get(..read).unwrap_or(&[]), on);
        Ok(Part::More)
    }

    fn take(&mut self, bytes: &[u8], on: &mut impl FnMut(Found<'_>)) {
        let Self {
            sight,
            trace,
            phase,
            ..
        } = self;
        match phase {
            Phase::Examine { candidates, .. } => {
                for candidate in candidates {
                    candidate.is_there |= trace.is_reached(&candidate.anchor, bytes);
                }
                trace.advance(bytes, 0);
            }
            Phase::Lines { left, .. } if trace.at() < left.offset() => trace.advance(bytes, 0),
            Phase::Lines { lines, .. } => {
                // A place that is never gone back to: pieces are not looked for in a compressed file.
                on(Found::File(Place {
                    path: &sight.base,
                    id: sight.observed.id,
                    from: 0,
                }));
                lines.feed(bytes, &mut |piece| on(piece.into()));
                let settled = trace.settled();
                trace.advance(bytes, lines.pending());
                on(Found::Bytes(trace.settled().saturating_sub(settled)));
            }
        }
    }

    /// The end of the text, or of what can be read of it.
    fn finish(&mut self, on: &mut impl FnMut(Found<'_>)) -> Part {
        let Phase::Lines { left, lines } = &mut self.phase else {
            return Part::Examined;
        };
        let pending = lines.pending();
        if left.is_copy {
            lines.cut(&mut |piece| on(piece.into()));
        } else {
            lines.finish(&mut |piece| on(piece.into()));
        }
        on(Found::Bytes(pending));
        Part::Done
    }
}

/// The places at which a text of this size has to show what it was made of, the latest first. Where it ends before
/// the last, an earlier one will do.
fn candidates(mut missing: Vec<Position>, size: u64) -> Vec<Candidate> {
    missing.sort_by_key(|position| Reverse(position.offset()));
    let places = |position: Position| {
        let last = position
            .anchors
            .last()
            .copied()
            .filter(|last| last.offset > 0);
        let anchors: Vec<_> = last.into_iter().chain(position.proof(size)).collect();
        anchors.into_iter().map(move |anchor| Candidate {
            position: position.clone(),
            anchor,
            is_there: false,
        })
    };
    missing.into_iter().flat_map(places).collect()
}
