//! Bytes to lines, whatever the chunks they arrive in.
//!
//! Owns the cap on a line and the partial line between two reads. Does not know what a line means: a `\r`
//! before the `\n` is the parser's business, as is invalid UTF-8.

use memchr::memchr;

use super::LossCause;

/// Longest line in bytes, its newline not counted; far above nginx's own limit for a header line
/// (`large_client_header_buffers`, 8 KiB), which bounds what one log variable can hold.
pub const LINE_MAX: usize = 64 * 1024;

/// What the bytes of a file amount to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// A line, without its newline.
    Line(&'a [u8]),
    /// Bytes that gave no line.
    Lost {
        /// Why.
        cause: LossCause,
        /// How many, a skipped line's newline not counted.
        bytes: u64,
    },
}

/// Where in a line the next byte falls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// At its start, after so many NULs.
    Start { nuls: u64 },
    /// Inside, with bytes in `partial`.
    Inside,
    /// In a line that is too long, after so many of its bytes.
    Skipping { bytes: u64 },
}

/// Splits a stream of bytes into lines; holds at most [`LINE_MAX`] bytes between reads.
#[derive(Debug)]
pub struct Lines {
    partial: Vec<u8>,
    at: At,
}

impl Default for Lines {
    fn default() -> Self {
        Self {
            partial: Vec::new(),
            at: At::Start { nuls: 0 },
        }
    }
}

impl Lines {
    /// Takes the next bytes and reports what they complete.
    pub fn feed(&mut self, mut bytes: &[u8], on: &mut impl FnMut(Piece<'_>)) {
        while !bytes.is_empty() {
            bytes = match self.at {
                At::Start { nuls } => self.start(nuls, bytes, on),
                At::Inside => self.inside(bytes, on),
                At::Skipping { bytes: skipped } => self.skip(skipped, bytes, on),
            };
        }
    }

    /// The end of the file for good: an unterminated tail counts as a line.
    pub fn finish(&mut self, on: &mut impl FnMut(Piece<'_>)) {
        match self.at {
            At::Start { nuls } => lost(LossCause::NulRun, nuls, on),
            At::Inside => on(Piece::Line(&self.partial)),
            At::Skipping { bytes } => lost(LossCause::LineTooLong, bytes, on),
        }
        *self = Self::default();
    }

    /// The file was cut under the reader: what is held of a line is lost.
    pub fn cut(&mut self, on: &mut impl FnMut(Piece<'_>)) {
        let held = self.pending();
        lost(LossCause::TornLine, held, on);
        *self = Self::default();
    }

    /// Bytes taken since the end of the last whole line.
    pub fn pending(&self) -> u64 {
        match self.at {
            At::Start { nuls } => nuls,
            At::Inside => self.partial.len() as u64,
            At::Skipping { bytes } => bytes,
        }
    }

    fn start<'a>(
        &mut self,
        nuls: u64,
        bytes: &'a [u8],
        on: &mut impl FnMut(Piece<'_>),
    ) -> &'a [u8] {
        let run = bytes.iter().take_while(|b| **b == 0).count();
        let nuls = nuls + run as u64;
        let (_, rest) = bytes.split_at(run);
        if rest.is_empty() {
            self.at = At::Start { nuls };
            return rest;
        }
        lost(LossCause::NulRun, nuls, on);
        self.at = At::Inside;
        // Most lines lie whole in the chunk: they are reported from it, without a copy.
        if let Some(end) = memchr(b'\n', rest).filter(|end| *end <= LINE_MAX) {
            let (line, after) = rest.split_at(end);
            on(Piece::Line(line));
            return self.next_line(after);
        }
        rest
    }

    fn inside<'a>(&mut self, bytes: &'a [u8], on: &mut impl FnMut(Piece<'_>)) -> &'a [u8] {
        let end = memchr(b'\n', bytes);
        let (more, after) = bytes.split_at(end.unwrap_or(bytes.len()));
        let length = self.partial.len() + more.len();
        if length > LINE_MAX {
            self.partial = Vec::new();
            self.at = At::Skipping {
                bytes: length as u64,
            };
            return after;
        }
        self.partial.extend_from_slice(more);
        if end.is_none() {
            return after;
        }
        on(Piece::Line(&self.partial));
        self.next_line(after)
    }

    fn skip<'a>(
        &mut self,
        skipped: u64,
        bytes: &'a [u8],
        on: &mut impl FnMut(Piece<'_>),
    ) -> &'a [u8] {
        let end = memchr(b'\n', bytes);
        let (more, after) = bytes.split_at(end.unwrap_or(bytes.len()));
        let skipped = skipped + more.len() as u64;
        self.at = At::Skipping { bytes: skipped };
        if end.is_none() {
            return after;
        }
        lost(LossCause::LineTooLong, skipped, on);
        self.next_line(after)
    }

    /// Goes to the next line; `at_newline` starts with the newline that ended this one.
    fn next_line<'a>(&mut self, at_newline: &'a [u8]) -> &'a [u8] {
        self.partial.clear();
        self.at = At::Start { nuls: 0 };
        at_newline.get(1..).unwrap_or(&[])
    }
}

fn lost(cause: LossCause, bytes: u64, on: &mut impl FnMut(Piece<'_>)) {
    if bytes > 0 {
        on(Piece::Lost { cause, bytes });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Pieces as owned text: a line as it is, a loss as `!cause bytes`.
    fn owned(piece: Piece<'_>) -> Vec<u8> {
        match piece {
            Piece::Line(line) => line.to_vec(),
            Piece::Lost { cause, bytes } => format!("!{cause} {bytes}").into_bytes(),
        }
    }

    fn run(chunks: &[&[u8]]) -> Vec<Vec<u8>> {
        let mut found = Vec::new();
        let mut lines = Lines::default();
        for chunk in chunks {
            lines.feed(chunk, &mut |piece| found.push(owned(piece)));
            assert!(lines.partial.capacity() <= 2 * LINE_MAX);
        }
        lines.finish(&mut |piece| found.push(owned(piece)));
        found
    }

    #[test]
    fn lines_and_losses() {
        let check = |chunks: &[&[u8]], expected: &[&str]| {
            let found = run(chunks);
            let found: Vec<_> = found.iter().map(|f| String::from_utf8_lossy(f)).collect();
            assert_eq!(found, expected, "{chunks:?}");
        };
        check(&[], &[]);
        check(&[b"a\nb\n"], &["a", "b"]);
        check(&[b"a\n\nb"], &["a", "", "b"]);
        check(&[b"a\r\n"], &["a\r"]);
        check(&[b"a", b"b\nc", b"", b"d", b"\n"], &["ab", "cd"]);
        check(&[b"\0\0a\nb\0\n"], &["!nul_run 2", "a", "b\0"]);
        check(&[b"\0", b"\0", b"a\n"], &["!nul_run 2", "a"]);
        check(&[b"\0\n"], &["!nul_run 1", ""]);
        check(&[b"a\n\0\0"], &["a", "!nul_run 2"]);
    }

    #[test]
    fn the_cap_is_exact_and_counted() {
        let longest = vec![b'x'; LINE_MAX];
        let too_long = vec![b'x'; LINE_MAX + 1];
        let lost = format!("!line_too_long {}", LINE_MAX + 1).into_bytes();
        let whole = [longest.clone()];
        assert_eq!(run(&[&longest, b"\n"]), whole);
        assert_eq!(run(&[&[&longest[..], b"\n"].concat()]), whole);
        assert_eq!(run(&[&too_long, b"\na\n"]), [lost.clone(), b"a".to_vec()]);
        assert_eq!(
            run(&[&[&too_long[..], b"\na\n"].concat()]),
            [lost.clone(), b"a".to_vec()]
        );
        assert_eq!(run(&[&too_long]), [lost]);
        let hole = vec![0; 3 * LINE_MAX];
        let nuls = format!("!nul_run {}", 3 * LINE_MAX).into_bytes();
        assert_eq!(run(&[&hole, b"a\n"]), [nuls, b"a".to_vec()]);
    }

    #[test]
    fn a_cut_loses_what_was_held() {
        let mut found = Vec::new();
        let mut lines = Lines::default();
        lines.feed(b"a\nbcd", &mut |piece| found.push(owned(piece)));
        assert_eq!(lines.pending(), 3);
        lines.cut(&mut |piece| found.push(owned(piece)));
        lines.feed(b"e\n", &mut |piece| found.push(owned(piece)));
        assert_eq!(
            found,
            [b"a".to_vec(), b"!torn_line 3".to_vec(), b"e".to_vec()]
        );
        assert_eq!(lines.pending(), 0);
    }

    /// Segments with what makes lines hard: newlines, NULs, and runs about the cap.
    fn segment() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            4 => prop::collection::vec(prop_oneof![Just(b'\n'), Just(0), Just(b'\r'), any::<u8>()], 0..20),
            1 => (LINE_MAX - 2..LINE_MAX + 3).prop_map(|n| vec![b'x'; n]),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn chunks_make_no_difference(
            segments in prop::collection::vec(segment(), 0..8),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
        ) {
            let bytes = segments.concat();
            let mut cuts: Vec<_> = cuts.iter().map(|c| c.index(bytes.len() + 1)).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let chunks: Vec<_> = cuts.windows(2).map(|w| &bytes[w[0]..w[1]]).collect();
            prop_assert_eq!(run(&chunks), run(&[&bytes]));
        }

        #[test]
        fn every_byte_is_in_a_line_or_counted(segments in prop::collection::vec(segment(), 0..8)) {
            let bytes = segments.concat();
            let mut total = bytes.iter().filter(|b| **b == b'\n').count() as u64;
            let mut lines = Lines::default();
            let mut count = |piece: Piece<'_>| total += match piece {
                Piece::Line(line) => line.len() as u64,
                Piece::Lost { bytes, .. } => bytes,
            };
            lines.feed(&bytes, &mut count);
            lines.finish(&mut count);
            prop_assert_eq!(total, bytes.len() as u64);
        }
    }
}
