//! Lines of one file, pulled one at a time: the next can be looked at before it is taken.
//!
//! Merging several files by time needs that; [`crate::tail::lines`] pushes. Reads 256 KiB at a time,
//! copies a line only where it lies across two reads, and holds nothing else.

use std::io::{ErrorKind, Read, Result};

use crate::access_log::marks::{Line, Marks};
use crate::access_log::{MAX_LINE, UnparsedKind};

/// Bytes asked for at once.
const READ: usize = 256 * 1024;

/// Bytes that are marked at once: read again soon, from the nearest cache.
const PIECE: usize = 16 * 1024;

/// Bytes behind a line that its reader may look at instead of minding where it ends. No more: what is looked for and is
/// not in a line must not be sought in all lines.
const BEHIND: usize = 64;

/// The lines of a source.
pub(super) struct Lines<R> {
    source: R,
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    marks: Marks,
    /// How far the buffer is marked.
    marked: usize,
    /// The next line is too long, and its beginning was dropped.
    is_dropped: bool,
    ended: bool,
    /// Bytes taken, line ends included.
    pub(super) bytes: u64,
    /// NUL bytes before a line: the hole that copytruncate leaves under a writer that does not append.
    pub(super) nuls: u64,
}

/// The next line, found but not taken. (What is wrong with it stands beside it: in a `Result` its places would be
/// packed anew.)
#[derive(Clone, Copy)]
pub(super) struct Next<'a> {
    pub(super) line: Line<'a, 'a>,
    pub(super) is_too_long: bool,
}

impl<'a> Next<'a> {
    /// The line's text, if it is not too long.
    pub(super) fn text(&self) -> std::result::Result<&'a [u8], UnparsedKind> {
        match self.is_too_long {
            true => Err(UnparsedKind::TooLong),
            false => Ok(self.line.text),
        }
    }
}

impl<R: Read> Lines<R> {
    /// The lines of a source, in which this byte is marked.
    pub(super) fn new(source: R, marked: u8) -> Self {
        Self {
            source,
            buffer: vec![0; READ + MAX_LINE].into(),
            start: 0,
            end: 0,
            marks: Marks::new(marked),
            marked: 0,
            is_dropped: false,
            ended: false,
            bytes: 0,
            nuls: 0,
        }
    }

    /// The next line without its line feed; `None` at the end.
    #[inline(always)]
    pub(super) fn peek(&mut self) -> Result<Option<Next<'_>>> {
        let end = match self.marks.next_end() {
            Some(end) if !self.begins_with_nul() => end,
            _ => match self.find()? {
                Some(end) => end,
                None => return Ok(None),
            },
        };
        let text = held(&self.buffer, self.start, end);
        let whole = held(&self.buffer, 0, self.buffer.len().min(end + BEHIND));
        Ok(Some(Next {
            line: self.marks.line(text, whole),
            is_too_long: end - self.start > MAX_LINE || self.is_dropped,
        }))
    }

    /// Takes the line that was looked at.
    #[inline(always)]
    pub(super) fn take(&mut self) {
        if let Some(end) = self.marks.next_end() {
            // The last one may have no line feed.
            let behind = self.end.min(end + 1);
            self.drop_front(behind - self.start);
            self.marks.take();
            self.is_dropped = false;
        }
    }

    /// Where the next line ends, which may not be read yet.
    #[inline(never)]
    fn find(&mut self) -> Result<Option<usize>> {
        loop {
            if !self.is_dropped && self.begins_with_nul() {
                self.drop_nuls();
            }
            if let Some(end) = self.marks.next_end() {
                return Ok(Some(end));
            }
            if self.marked < self.end {
                self.mark();
            } else if self.end - self.start > MAX_LINE {
                self.drop_front(self.end - self.start);
                self.marks.restart(self.end);
                self.is_dropped = true;
            } else if !self.fill()? {
                if self.start == self.end && !self.is_dropped {
                    return Ok(None);
                }
                self.marks.end(self.end);
            }
        }
    }

    /// Marks some of what is held.
    fn mark(&mut self) {
        self.marks.forget();
        let to = self.end.min(self.marked + PIECE);
        let piece = held(&self.buffer, self.marked, to);
        self.marks.add(piece, self.marked);
        self.marked = to;
    }

    #[inline(always)]
    fn begins_with_nul(&self) -> bool {
        self.start < self.end && self.buffer.get(self.start) == Some(&0)
    }

    #[cold]
    fn drop_nuls(&mut self) {
        let held = held(&self.buffer, self.start, self.end);
        let run = held.iter().take_while(|byte| **byte == 0).count();
        self.nuls += run as u64;
        self.drop_front(run);
        self.marks.skip(self.start);
    }

    fn drop_front(&mut self, count: usize) {
        self.start += count;
        self.bytes += count as u64;
    }

    /// Reads more behind what is held; says whether there was any.
    fn fill(&mut self) -> Result<bool> {
        if self.ended {
            return Ok(false);
        }
        self.buffer.copy_within(self.start..self.end, 0);
        self.marks.forget();
        self.marks.lose(self.start);
        (self.start, self.end) = (0, self.end - self.start);
        self.marked = self.end;
        loop {
            let free = self.buffer.get_mut(self.end..).unwrap_or_default();
            match self.source.read(free) {
                Ok(count) => {
                    self.ended = count == 0;
                    self.end += count;
                    return Ok(count > 0);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// What lies in the buffer between two places in it.
fn held(buffer: &[u8], start: usize, end: usize) -> &[u8] {
    buffer.get(start..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tail;
    use proptest::prelude::*;

    /// A source that gives at most so many bytes at once, and now and then is interrupted.
    struct Drip<'a>(&'a [u8], usize, bool);

    impl Read for Drip<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
            self.2 = !self.2;
            if self.2 {
                return Err(ErrorKind::Interrupted.into());
            }
            let count = self.1.min(self.0.len()).min(buffer.len());
            buffer[..count].copy_from_slice(&self.0[..count]);
            self.0 = &self.0[count..];
            Ok(count)
        }
    }

    /// The lines, of which each knows its quotes; a too long one is `!`.
    fn pulled(bytes: &[u8], step: usize) -> (Vec<Vec<u8>>, u64, u64) {
        let mut lines = Lines::new(Drip(bytes, step, false), b'"');
        let mut found = Vec::new();
        while let Some(line) = lines.peek().unwrap() {
            let quoted = |text: &[u8]| {
                let parts: Vec<_> = text.split(|byte| *byte == b'"').collect();
                assert!(line.line.has(parts.len() - 1));
                for (number, part) in parts.into_iter().enumerate() {
                    let (from, to) = line.line.between(number);
                    assert_eq!(&line.line.whole[from..to], part);
                }
                text.to_vec()
            };
            found.push(line.text().map_or_else(|_| b"!".to_vec(), quoted));
            lines.take();
        }
        (found, lines.bytes, lines.nuls)
    }

    fn pushed(bytes: &[u8]) -> Vec<Vec<u8>> {
        let mut found = Vec::new();
        let mut on = |piece: tail::lines::Piece<'_>| match piece {
            tail::lines::Piece::Line(line) => found.push(line.to_vec()),
            tail::lines::Piece::Lost {
                cause: tail::LossCause::LineTooLong,
                ..
            } => found.push(b"!".to_vec()),
            tail::lines::Piece::Lost { .. } => {}
        };
        let mut lines = tail::lines::Lines::default();
        lines.feed(bytes, &mut on);
        lines.finish(&mut on);
        found
    }

    #[test]
    fn looking_takes_nothing() {
        let mut lines = Lines::new(&b"a\nb"[..], b'"');
        let is_next = |lines: &mut Lines<_>, expected: &[u8]| {
            let next = lines.peek().unwrap().unwrap();
            assert_eq!(next.text(), Ok(expected));
        };
        is_next(&mut lines, b"a");
        is_next(&mut lines, b"a");
        lines.take();
        lines.take();
        is_next(&mut lines, b"b");
        lines.take();
        assert!(lines.peek().unwrap().is_none());
    }

    #[test]
    fn long_lines_and_holes_are_bounded() {
        let long = vec![b'x'; 3 * READ];
        let hole = vec![0; 3 * READ];
        let bytes = [&long[..], b"\na\n", &hole, b"b\n", &long].concat();
        let (found, taken, nuls) = pulled(&bytes, usize::MAX);
        assert_eq!(found, [&b"!"[..], b"a", b"b", b"!"]);
        assert_eq!((taken, nuls), (bytes.len() as u64, hole.len() as u64));
    }

    fn segment() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            4 => prop::collection::vec(prop_oneof![Just(b'\n'), Just(0), Just(b'\r'), Just(b'"'), any::<u8>()], 0..20),
            1 => (MAX_LINE - 2..MAX_LINE + 3).prop_map(|n| vec![b'x'; n]),
            1 => (MAX_LINE - 2..MAX_LINE + 3).prop_map(|n| vec![b'"'; n]),
            1 => (READ - 2..READ + 3).prop_map(|n| vec![b'x'; n]),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn pulled_lines_are_those_that_the_tail_pushes(
            segments in prop::collection::vec(segment(), 0..8),
            step in prop_oneof![1_000usize..200_000, Just(usize::MAX)],
        ) {
            let bytes = segments.concat();
            let (found, taken, _) = pulled(&bytes, step);
            prop_assert_eq!(found, pushed(&bytes));
            prop_assert_eq!(taken, bytes.len() as u64);
        }
    }
}
