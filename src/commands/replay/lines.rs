//! Lines of one file, pulled one at a time: the next can be looked at before it is taken.
//!
//! Merging several files by time needs that; [`crate::tail::lines`] pushes. Reads 256 KiB at a time,
//! copies a line only where it lies across two reads, and holds nothing else.

use std::io::{ErrorKind, Read, Result};

use memchr::memchr;

use crate::access_log::{MAX_LINE, UnparsedKind};

/// Bytes asked for at once.
const READ: usize = 256 * 1024;

/// The lines of a source.
pub(super) struct Lines<R> {
    source: R,
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    next: Option<Next>,
    ended: bool,
    /// Bytes taken, line ends included.
    pub(super) bytes: u64,
    /// NUL bytes before a line: the hole that copytruncate leaves under a writer that does not append.
    pub(super) nuls: u64,
}

/// The next line, found but not taken.
#[derive(Clone, Copy)]
struct Next {
    length: usize,
    /// With the line end.
    taken: usize,
    is_too_long: bool,
}

impl<R: Read> Lines<R> {
    pub(super) fn new(source: R) -> Self {
        Self {
            source,
            buffer: vec![0; READ + MAX_LINE].into(),
            start: 0,
            end: 0,
            next: None,
            ended: false,
            bytes: 0,
            nuls: 0,
        }
    }

    /// The next line without its line feed, or that it is too long; `None` at the end.
    pub(super) fn peek(&mut self) -> Result<Option<std::result::Result<&[u8], UnparsedKind>>> {
        if self.next.is_none() {
            self.next = self.find()?;
        }
        Ok(self.next.map(|next| match next.is_too_long {
            true => Err(UnparsedKind::TooLong),
            false => Ok(held(&self.buffer, self.start, self.start + next.length)),
        }))
    }

    /// Takes the line that was looked at.
    pub(super) fn take(&mut self) {
        if let Some(next) = self.next.take() {
            self.drop_front(next.taken);
        }
    }

    fn find(&mut self) -> Result<Option<Next>> {
        let (mut searched, mut dropped) = (0, false);
        loop {
            if searched == 0 && !dropped {
                self.drop_nuls();
            }
            let held = held(&self.buffer, self.start, self.end);
            let fresh = held.get(searched..).unwrap_or_default();
            if let Some(at) = memchr(b'\n', fresh) {
                let length = searched + at;
                return Ok(Some(Next {
                    length,
                    taken: length + 1,
                    is_too_long: dropped || length > MAX_LINE,
                }));
            }
            searched = held.len();
            if searched > MAX_LINE {
                self.drop_front(searched);
                (searched, dropped) = (0, true);
            }
            if !self.fill()? {
                let last = Next {
                    length: searched,
                    taken: searched,
                    is_too_long: dropped,
                };
                return Ok((searched > 0 || dropped).then_some(last));
            }
        }
    }

    #[inline(always)]
    fn drop_nuls(&mut self) {
        if self.buffer.get(self.start) == Some(&0) {
            self.drop_run_of_nuls();
        }
    }

    #[cold]
    fn drop_run_of_nuls(&mut self) {
        let held = held(&self.buffer, self.start, self.end);
        let run = held.iter().take_while(|byte| **byte == 0).count();
        self.nuls += run as u64;
        self.drop_front(run);
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
        (self.start, self.end) = (0, self.end - self.start);
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

    /// The lines; a too long one is `!`.
    fn pulled(bytes: &[u8], step: usize) -> (Vec<Vec<u8>>, u64, u64) {
        let mut lines = Lines::new(Drip(bytes, step, false));
        let mut found = Vec::new();
        while let Some(line) = lines.peek().unwrap() {
            found.push(line.map_or_else(|_| b"!".to_vec(), <[u8]>::to_vec));
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
        let mut lines = Lines::new(&b"a\nb"[..]);
        for _ in 0..2 {
            assert_eq!(lines.peek().unwrap(), Some(Ok(&b"a"[..])));
        }
        lines.take();
        lines.take();
        assert_eq!(lines.peek().unwrap(), Some(Ok(&b"b"[..])));
        lines.take();
        assert_eq!(lines.peek().unwrap(), None);
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
            4 => prop::collection::vec(prop_oneof![Just(b'\n'), Just(0), Just(b'\r'), any::<u8>()], 0..20),
            1 => (MAX_LINE - 2..MAX_LINE + 3).prop_map(|n| vec![b'x'; n]),
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
