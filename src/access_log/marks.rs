//! Where the lines of a text end and where their quotes stand, found for many lines in one pass: a reader then
//! looks at those places and not at every byte.
//!
//! It does not know what is between them.

use fearless_simd::{Level, Simd, dispatch};

use super::MAX_LINE;
use super::search::{ROW, places_in_row};

/// The line feeds of a text, and where one more byte stands in it. The text may grow, and lose its beginning.
#[derive(Debug, Default)]
pub struct Marks {
    byte: u8,
    /// What comes behind each of them, and room. The first is the beginning of the line that is next.
    behind: Vec<u32>,
    /// How many there are.
    count: usize,
    /// Which of these are behind a line feed.
    ends: Vec<u32>,
    /// Lines that were taken.
    taken: usize,
    /// Where the marks of the next line begin.
    first: usize,
}

/// A line, and where the marked byte stands in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'a, 'm> {
    /// The line, without its line feed.
    pub text: &'a [u8],
    /// The text that it stands in: what is before, and perhaps something of what is behind.
    pub whole: &'a [u8],
    /// Where it begins in that, what comes behind each of its marks, and behind its end; empty if nothing was marked.
    behind: &'m [u32],
}

/// Marks that are noted at once, whether there are so many or not: how many a row has cannot be foretold.
const FEW: usize = 4;

impl Marks {
    /// Of an empty text. The byte may be the line feed again, but no NUL.
    pub fn new(byte: u8) -> Self {
        let mut marks = Self {
            byte,
            ..Self::default()
        };
        marks.restart(0);
        marks
    }

    /// The text goes on with these bytes, which stand there in it: less than 4 GiB from its beginning.
    pub fn add(&mut self, bytes: &[u8], at: usize) {
        let room = self.count + bytes.len() + ROW;
        if self.behind.len() < room {
            self.behind.resize(room, 0);
        }
        dispatch!(Level::new(), simd => self.add_with(simd, bytes, at));
    }

    #[inline(always)]
    fn add_with(&mut self, simd: impl Simd, bytes: &[u8], at: usize) {
        let (rows, rest) = bytes.as_chunks();
        let mut last = [0; ROW];
        for (byte, rest) in last.iter_mut().zip(rest) {
            *byte = *rest;
        }
        let behind = place(at + 1);
        self.rows(simd, rows, behind);
        self.rows(simd, &[last], behind.wrapping_add(place(rows.len() * ROW)));
    }

    #[inline(always)]
    fn rows(&mut self, simd: impl Simd, rows: &[[u8; ROW]], mut behind: u32) {
        let byte = self.byte;
        let mut count = self.count;
        let (free, ends) = (self.behind.as_mut_slice(), &mut self.ends);
        for row in rows {
            let mut feeds = places_in_row(simd, b'\n', row);
            let mut found = feeds | places_in_row(simd, byte, row);
            while feeds != 0 {
                let before = found & (feeds - 1) & !feeds;
                ends.push(place(count) + before.count_ones());
                feeds &= feeds - 1;
            }
            let many = count + found.count_ones() as usize;
            while let Some(few) = free.get_mut(count..count + FEW) {
                for free in few {
                    *free = behind.wrapping_add(found.trailing_zeros());
                    found &= found.wrapping_sub(1);
                }
                count += FEW;
                if count >= many {
                    break;
                }
            }
            count = many;
            behind = behind.wrapping_add(place(ROW));
        }
        self.count = count;
    }

    /// The text ends here: what comes behind its last line feed is a line too.
    pub fn end(&mut self, at: usize) {
        self.ends.push(place(self.count));
        self.push(place(at + 1));
    }

    fn push(&mut self, behind: u32) {
        match self.behind.get_mut(self.count) {
            Some(free) => *free = behind,
            None => self.behind.push(behind),
        }
        self.count += 1;
    }

    /// Where the next line ends, if it does.
    #[inline(always)]
    pub fn next_end(&self) -> Option<usize> {
        let end = self.ends.get(self.taken)?;
        let behind = self.behind.get(*end as usize)?;
        Some(*behind as usize - 1)
    }

    /// The next line, which is this part of the text.
    #[inline(always)]
    pub fn line<'a>(&self, text: &'a [u8], whole: &'a [u8]) -> Line<'a, '_> {
        let end = self.ends.get(self.taken).map(|end| *end as usize);
        let behind = end.and_then(|end| self.behind.get(self.first..=end));
        Line {
            text,
            whole,
            behind: behind.unwrap_or_default(),
        }
    }

    /// Goes on to the line after the next one.
    #[inline(always)]
    pub fn take(&mut self) {
        if let Some(end) = self.ends.get(self.taken) {
            (self.first, self.taken) = (*end as usize, self.taken + 1);
        }
    }

    /// The next line begins no sooner than here: there was nothing before.
    pub fn skip(&mut self, to: usize) {
        if let Some(begin) = self.behind.get_mut(self.first) {
            *begin = place(to);
        }
    }

    /// Forgets all lines that end: they were taken.
    pub fn forget(&mut self) {
        self.behind.copy_within(self.first..self.count, 0);
        self.count -= self.first;
        self.ends.clear();
        (self.first, self.taken) = (0, 0);
    }

    /// The text loses so many bytes at its beginning, all of lines that are forgotten.
    pub fn lose(&mut self, bytes: usize) {
        for behind in self.behind.iter_mut().take(self.count) {
            *behind = behind.saturating_sub(place(bytes));
        }
    }

    /// Leaves out all that is marked: the next line begins here.
    pub fn restart(&mut self, at: usize) {
        self.ends.clear();
        (self.count, self.first, self.taken) = (0, 0, 0);
        self.push(place(at));
    }

    /// A line that stands alone. It is not marked if it is too long, if it goes over several lines, or if nothing but
    /// line feeds is looked for.
    pub fn alone<'a>(&mut self, text: &'a [u8]) -> Line<'a, '_> {
        self.restart(0);
        if self.byte != b'\n' && text.len() <= MAX_LINE {
            self.add(text, 0);
            // One that goes over several lines has other marks than the byte's.
            match self.ends.is_empty() {
                true => self.end(text.len()),
                false => self.restart(0),
            }
        }
        self.line(text, text)
    }
}

impl Line<'_, '_> {
    /// Whether the byte stands so often in it; never for one that is not marked.
    #[inline(always)]
    pub fn has(&self, count: usize) -> bool {
        self.behind.len() == count + 2
    }

    /// From where to where in the whole text the line goes behind so many of the bytes, to the next or to its end.
    #[inline(always)]
    pub fn between(&self, number: usize) -> (usize, usize) {
        match (self.behind.get(number), self.behind.get(number + 1)) {
            (Some(from), Some(behind)) => (*from as usize, *behind as usize - 1),
            _ => (0, 0),
        }
    }

    /// The line without the carriage return that ends it, if one does. Those are seldom, and not marked.
    #[inline(always)]
    pub fn without_return(&self) -> Option<Self> {
        let text = self.text.strip_suffix(b"\r")?;
        Some(Self {
            text,
            behind: &[],
            ..*self
        })
    }
}

/// A place in a text that is shorter than 4 GiB.
#[inline(always)]
fn place(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Each line, and what is between its quotes.
    fn expected(text: &[u8]) -> Vec<(Vec<u8>, Vec<Vec<u8>>)> {
        let parts = |line: &[u8]| {
            line.split(|byte| *byte == b'"')
                .map(<[u8]>::to_vec)
                .collect()
        };
        text.split(|byte| *byte == b'\n')
            .map(|line| (line.to_vec(), parts(line)))
            .collect()
    }

    fn parts(line: &Line<'_, '_>, count: usize) -> Vec<Vec<u8>> {
        (0..=count)
            .map(|number| line.between(number))
            .map(|(from, to)| line.whole[from..to].to_vec())
            .collect()
    }

    /// Takes all lines of a text that comes in such pieces; of it no more is kept than needed.
    fn taken(text: &[u8], piece: usize) -> Vec<(Vec<u8>, Vec<Vec<u8>>)> {
        let (mut marks, mut found) = (Marks::new(b'"'), Vec::new());
        let (mut lost, mut marked, mut begin) = (0, 0, 0);
        loop {
            while let Some(end) = marks.next_end() {
                let whole = &text[lost..marked];
                let line = marks.line(&whole[begin..end.min(whole.len())], whole);
                let count = line.text.iter().filter(|byte| **byte == b'"').count();
                assert!(line.has(count) && !line.has(count + 1));
                found.push((line.text.to_vec(), parts(&line, count)));
                marks.take();
                begin = end + 1;
            }
            if marked == text.len() {
                if lost + begin > marked {
                    return found;
                }
                marks.end(marked - lost);
                continue;
            }
            marks.forget();
            marks.lose(begin);
            (lost, begin) = (lost + begin, 0);
            let added = &text[marked..text.len().min(marked + piece)];
            marks.add(added, marked - lost);
            marked += added.len();
        }
    }

    fn text() -> impl Strategy<Value = Vec<u8>> {
        let byte = prop_oneof![6 => any::<u8>(), 1 => Just(b'"'), 1 => Just(b'\n')];
        let row = prop_oneof![
            8 => prop::collection::vec(byte, 0..90),
            1 => Just(vec![b'"'; 70]),
            1 => Just(vec![b'\n'; 70]),
        ];
        prop::collection::vec(row, 0..9).prop_map(|rows| rows.concat())
    }

    proptest! {
        #[test]
        fn lines_and_quotes_are_all_there_are(text in text(), piece in 1..200usize) {
            prop_assert_eq!(taken(&text, piece), expected(&text));
        }

        #[test]
        fn a_line_alone_is_as_one_among_others(text in text()) {
            let mut marks = Marks::new(b'"');
            for (text, expected) in expected(&text) {
                let line = marks.alone(&text);
                prop_assert!(line.has(expected.len() - 1));
                prop_assert_eq!(parts(&line, expected.len() - 1), expected);
            }
        }
    }

    #[test]
    fn what_is_no_line_of_its_own_is_not_marked() {
        let mut marks = Marks::new(b'"');
        assert!(marks.alone(b"\"").has(1));
        for text in [&b"\"\n"[..], &[b'"'; MAX_LINE + 1]] {
            let line = marks.alone(text);
            assert_eq!(line.text, text);
            assert!((0..3).all(|count| !line.has(count)));
        }
        let mut feeds = Marks::new(b'\n');
        assert!(!feeds.alone(b"a").has(0));
        let line = marks.alone(b"\"\r");
        let line = line.without_return().unwrap();
        assert_eq!((line.text, line.has(1)), (&b"\""[..], false));
    }

    #[test]
    fn what_is_skipped_or_left_out_is_in_no_line() {
        let mut marks = Marks::new(b'"');
        marks.add(b"\0\0\"a\n", 0);
        marks.skip(2);
        assert_eq!(marks.line(b"\"a", b"\0\0\"a\n").between(0), (2, 2));
        marks.take();
        marks.add(b"\"\"\"", 5);
        marks.restart(8);
        marks.add(b"b\n", 8);
        let whole = b"\0\0\"a\n\"\"\"b\n";
        assert_eq!(marks.next_end(), Some(9));
        assert!(marks.line(b"b", whole).has(0));
    }
}
