//! What a file's content is recognised by: hashes of its first bytes and of those before a place.
//!
//! Identities do not tell a truncated file from a grown one, nor a copy from a new log; content does. Does not
//! read files: bytes come in as they were read.

use std::collections::VecDeque;

use memchr::memchr;
use serde::{Deserialize, Serialize};

use super::checkpoint::Position;
use super::follow::Identity;

/// Most bytes of a file's beginning that are remembered.
pub const HEAD_MAX: usize = 1024;

/// Most bytes before a place that are remembered: about one line of a log, which no other place has.
pub const ANCHOR_MAX: usize = 64;

/// Places that are remembered beside the last, the end of the first line and one a pass: a copy may end before the last, where lines were
/// read between the copier's last read and its truncation.
const EARLIER_MAX: usize = 8;

/// A hash of some bytes. Not secret and not safe against who forges files: it tells accidents apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Print {
    /// How many bytes.
    pub length: u64,
    hash: u64,
}

impl Print {
    /// FNV-1a with 64 bits (<http://www.isthe.com/chongo/tech/comp/fnv/>): the same in every build, because
    /// prints outlive the process.
    pub fn of(bytes: &[u8]) -> Self {
        let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Self {
            length: bytes.len() as u64,
            hash,
        }
    }
}

/// The bytes before a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Anchor {
    /// The place.
    pub offset: u64,
    /// Of at most [`ANCHOR_MAX`] bytes that end there.
    pub print: Print,
}

impl Anchor {
    /// At `offset`, after `bytes`, of which only the last count.
    pub fn after(offset: u64, bytes: &[u8]) -> Self {
        Self {
            offset,
            print: Print::of(last(bytes)),
        }
    }

    /// Where its bytes begin.
    pub fn start(&self) -> u64 {
        self.offset.saturating_sub(self.print.length)
    }
}

/// What is remembered of the content of a file that is being read.
#[derive(Clone, Debug)]
pub struct Trace {
    head: Vec<u8>,
    /// The last bytes that were read, at most [`ANCHOR_MAX`].
    tail: Vec<u8>,
    /// Up to where it was read.
    at: u64,
    settled: Anchor,
    earlier: VecDeque<Anchor>,
}

impl Trace {
    /// Nothing read; begins at `offset`, behind these first and last bytes.
    pub fn begin(offset: u64, head: Vec<u8>, tail: &[u8]) -> Self {
        Self {
            head,
            tail: last(tail).to_vec(),
            at: offset,
            settled: Anchor::after(offset, tail),
            earlier: VecDeque::new(),
        }
    }

    /// Takes over places that were remembered before, but the last, where it begins.
    pub fn recall(&mut self, anchors: &[Anchor]) {
        let earlier = anchors.iter().filter(|anchor| anchor.offset < self.at);
        self.earlier = earlier.copied().rev().take(EARLIER_MAX).collect();
        self.earlier.make_contiguous().reverse();
    }

    /// A pass over the file begins here.
    pub fn begin_pass(&mut self) {
        if self.earlier.back() != Some(&self.settled) {
            self.earlier.push_back(self.settled);
        }
        if self.earlier.len() > EARLIER_MAX {
            self.earlier.pop_front();
        }
    }

    /// The next bytes were read, of which the last `pending` belong to an unfinished line.
    pub fn advance(&mut self, bytes: &[u8], pending: u64) {
        let room = HEAD_MAX.saturating_sub(self.head.len());
        if self.at == self.head.len() as u64 {
            self.head.extend(bytes.iter().take(room));
        }
        let settled_at = (self.at + bytes.len() as u64).saturating_sub(pending);
        if let (0, 1.., Some(end)) = (self.settled.offset, settled_at, memchr(b'\n', &self.head)) {
            let first = self.head.get(..=end).unwrap_or(&self.head);
            self.earlier
                .push_back(Anchor::after(first.len() as u64, first));
        }
        if settled_at > self.settled.offset {
            self.settle(settled_at, bytes, pending);
        }
        self.at += bytes.len() as u64;
        self.tail = join(&self.tail, bytes);
    }

    fn settle(&mut self, offset: u64, bytes: &[u8], pending: u64) {
        let kept =
            usize::try_from(pending).map_or(0, |pending| bytes.len().saturating_sub(pending));
        let before = join(&self.tail, bytes.get(..kept).unwrap_or(bytes));
        self.settled = Anchor::after(offset, &before);
    }

    /// The rest of an unfinished line was given up or handed out: all that was read is settled.
    pub fn settle_all(&mut self) {
        self.settled = Anchor::after(self.at, &self.tail);
    }

    /// Up to where it was read.
    pub fn at(&self) -> u64 {
        self.at
    }

    /// Just after the last line that was handed out.
    pub fn settled(&self) -> u64 {
        self.settled.offset
    }

    /// The first bytes that were read, if it began at the first.
    pub fn head(&self) -> &[u8] {
        &self.head
    }

    /// Whether a place within these next bytes, or at their end, has what is remembered before it.
    pub fn is_reached(&self, anchor: &Anchor, bytes: &[u8]) -> bool {
        let end = self.at + bytes.len() as u64;
        if anchor.offset <= self.at || anchor.offset > end {
            return false;
        }
        let kept = usize::try_from(anchor.offset - self.at).unwrap_or(0);
        let before = join(&self.tail, bytes.get(..kept).unwrap_or(bytes));
        let length = usize::try_from(anchor.print.length).unwrap_or(0);
        let from = before.len().saturating_sub(length);
        Print::of(before.get(from..).unwrap_or(&before)) == anchor.print
    }

    /// The last bytes that were read.
    pub fn tail(&self) -> &[u8] {
        &self.tail
    }

    /// As it can be kept.
    pub fn position(&self, id: Identity, path: String, seen: u64, is_copy: bool) -> Position {
        let settled = usize::try_from(self.settled.offset).unwrap_or(usize::MAX);
        let head = self.head.get(..settled).unwrap_or(&self.head);
        Position {
            id,
            path,
            stood: None,
            head: Print::of(head),
            anchors: (self.earlier.iter().copied())
                .filter(|anchor| anchor.offset < self.settled.offset)
                .chain([self.settled])
                .collect(),
            read: self.at,
            seen,
            is_live: false,
            is_text: false,
            is_copy,
        }
    }
}

fn last(bytes: &[u8]) -> &[u8] {
    let from = bytes.len().saturating_sub(ANCHOR_MAX);
    bytes.get(from..).unwrap_or(bytes)
}

/// The last bytes of two runs that follow each other.
fn join(before: &[u8], bytes: &[u8]) -> Vec<u8> {
    if bytes.len() >= ANCHOR_MAX {
        return last(bytes).to_vec();
    }
    last(&[before, bytes].concat()).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    const ID: Identity = Identity {
        dev: 1,
        ino: 2,
        born: Some(Duration::ZERO),
    };

    #[test]
    fn the_hash_is_the_published_one() {
        assert_eq!(Print::of(b"").hash, 0xcbf2_9ce4_8422_2325);
        assert_eq!(Print::of(b"foobar").hash, 0x8594_4171_f739_67e8);
    }

    proptest! {
        /// Whatever the chunks: head, tail and anchors are those of the bytes at these places.
        #[test]
        fn prints_are_those_of_the_content(
            content in prop::collection::vec(prop_oneof![9 => any::<u8>(), 1 => Just(b'\n')], 0..3000),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
        ) {
            let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(content.len() + 1)).collect();
            cuts.extend([0, content.len()]);
            cuts.sort_unstable();
            let mut trace = Trace::begin(0, Vec::new(), &[]);
            let line_start = |end: usize| content[..end].iter().rposition(|b| *b == b'\n').map_or(0, |i| i + 1);
            for pair in cuts.windows(2) {
                trace.begin_pass();
                trace.advance(&content[pair[0]..pair[1]], (pair[1] - line_start(pair[1])) as u64);
            }
            let position = trace.position(ID, String::new(), 0, false);
            let settled = line_start(content.len());
            prop_assert_eq!(position.offset(), settled as u64);
            prop_assert_eq!(trace.tail(), last(&content));
            prop_assert_eq!(position.head, Print::of(&content[..settled.min(HEAD_MAX)]));
            prop_assert!(position.anchors.len() <= EARLIER_MAX + 2);
            for anchor in &position.anchors {
                let end = usize::try_from(anchor.offset).unwrap();
                prop_assert_eq!(anchor.print, Print::of(last(&content[..end])));
            }
        }
    }
}
