//! Short searches: where a byte stands in a value or not far behind it.
//!
//! What is looked for in a log line is a few bytes away nearly always, nearer than `memchr` takes to
//! begin. It knows blocks of bytes and no log.

use wide::u8x16;

/// Bytes that are looked at together.
const BLOCK: usize = 16;

/// From here on the longer vectors of `memchr` pay for their beginning.
const FAR: usize = 8 * BLOCK;

/// Bytes whose places fit a word, a bit each.
const ROW: usize = 64;

/// The first place of a byte. Most values are shorter than a block: that one is looked at in place, the
/// rest by a call.
#[inline(always)]
pub(crate) fn position(byte: u8, bytes: &[u8]) -> Option<usize> {
    let near = (bytes.first_chunk()).and_then(|block| first_of(places(byte, block)));
    near.or_else(|| farther(byte, bytes))
}

/// The same where the first block, if there is a whole one, does not have it.
#[inline(never)]
fn farther(byte: u8, bytes: &[u8]) -> Option<usize> {
    let Some(last) = bytes.last_chunk() else {
        return first_of(short(byte, bytes));
    };
    let mut at = BLOCK;
    while let Some(block) = bytes.get(at..).and_then(<[u8]>::first_chunk) {
        let found = places(byte, block);
        if found != 0 {
            return first_of(found).map(|more| at + more);
        }
        at += BLOCK;
        if at >= FAR {
            return memchr::memchr(byte, bytes.get(at..)?).map(|more| at + more);
        }
    }
    // It overlaps those before, which do not have the byte.
    first_of(places(byte, last)).map(|at| bytes.len() - BLOCK + at)
}

/// The lowest bit's number.
fn first_of(places: u64) -> Option<usize> {
    (places != 0).then(|| places.trailing_zeros() as usize)
}

/// Where a byte stands in less than a block. Halves that overlap cost less than to go byte by byte, for how many
/// there are is hard to foretell.
fn short(byte: u8, bytes: &[u8]) -> u64 {
    if let (Some(first), Some(last)) = (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
        let found = places_in_word(byte, u64::from_le_bytes(*first));
        return found | places_in_word(byte, u64::from_le_bytes(*last)) << (bytes.len() - 8);
    }
    if let (Some(first), Some(last)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        let word = |half: &[u8; 4]| u64::from(u32::from_le_bytes(*half));
        let found = places_in_word(byte, word(first)) & 0xf;
        return found | (places_in_word(byte, word(last)) & 0xf) << (bytes.len() - 4);
    }
    one_by_one(byte, bytes)
}

/// The same in the eight bytes of a word.
fn places_in_word(byte: u8, word: u64) -> u64 {
    places(byte, &u128::from(word).to_le_bytes()) & 0xff
}

/// Where a byte stands in a block: a bit for each place, the first the lowest.
#[inline(always)]
fn places(byte: u8, block: &[u8; BLOCK]) -> u64 {
    let same = u8x16::new(*block).simd_eq(u8x16::splat(byte));
    same.to_bitmask().into()
}

/// Most places that are noted.
pub(crate) const MAX_PLACES: usize = 126;

/// The places of one byte in a text: what comes behind each, and after them the text's end and one.
pub(crate) struct Places([u16; MAX_PLACES + 2]);

impl Default for Places {
    fn default() -> Self {
        Self([0; MAX_PLACES + 2])
    }
}

impl Places {
    /// Notes those of this byte, if it stands in the text just so often: at most [`MAX_PLACES`] times, in a text
    /// shorter than 64 KiB.
    #[inline(always)]
    pub(crate) fn find(&mut self, byte: u8, text: &[u8], count: usize) -> Option<()> {
        let (known, after) = (self.0.get_mut(1..)?).split_at_mut_checked(count)?;
        *after.first_mut()? = u16::try_from(text.len() + 1).ok()?;
        let (mut free, mut from) = (known.iter_mut(), 1);
        while from <= text.len() {
            let (mut found, begin) = (row(byte, text, from - 1), u16::try_from(from).ok()?);
            while found != 0 {
                let more = u16::try_from(found.trailing_zeros()).ok()?;
                // No further than the text's end, which fits.
                *free.next()? = begin.wrapping_add(more);
                found &= found - 1;
            }
            from += ROW;
        }
        free.next().is_none().then_some(())
    }

    /// From where to where the text goes behind so many of the places, to the next or to its end.
    #[inline(always)]
    pub(crate) fn between(&self, number: usize) -> (usize, usize) {
        let two = self.0.get(number..).and_then(<[u16]>::first_chunk);
        let [from, behind] = *two.unwrap_or(&[0, 1]);
        (from.into(), usize::from(behind).saturating_sub(1))
    }
}

/// The places of a byte in the row that begins here: a bit each, the first the lowest.
#[inline(always)]
fn row(byte: u8, text: &[u8], from: usize) -> u64 {
    let rest = text.get(from..).unwrap_or_default();
    if let Some(row) = rest.first_chunk::<ROW>() {
        return places_in_row(byte, row);
    }
    let missing = ROW - rest.len();
    match text.last_chunk::<ROW>() {
        // The last row overlaps those before: their places are shifted out.
        Some(row) => (places_in_row(byte, row))
            .checked_shr(u32::try_from(missing).unwrap_or(u32::MAX))
            .unwrap_or(0),
        None => one_by_one(byte, rest),
    }
}

#[inline(always)]
fn places_in_row(byte: u8, row: &[u8; ROW]) -> u64 {
    let (blocks, _) = row.as_chunks::<BLOCK>();
    let bits = |(number, block)| places(byte, block) << (number * BLOCK);
    blocks
        .iter()
        .enumerate()
        .map(bits)
        .fold(0, |all, bits| all | bits)
}

/// The same of less than a row.
#[inline(never)]
fn one_by_one(byte: u8, rest: &[u8]) -> u64 {
    let same = rest.iter().enumerate().filter(|(_, other)| **other == byte);
    same.fold(0, |all, (at, _)| all | 1 << at)
}

/// What stands before and after the first place of a byte.
#[inline]
pub(crate) fn split_once(byte: u8, bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (before, after) = bytes.split_at_checked(position(byte, bytes)?)?;
    Some((before, after.get(1..)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_first_of_several_is_found(
            bytes in prop::collection::vec(prop_oneof![0..4u8, 0x7e..0x82u8, any::<u8>()], 0..90),
            byte in prop_oneof![0..4u8, 0x7e..0x82u8],
        ) {
            let expected = bytes.iter().position(|other| *other == byte);
            prop_assert_eq!(position(byte, &bytes), expected);
            let halves = expected.map(|at| (&bytes[..at], &bytes[at + 1..]));
            prop_assert_eq!(split_once(byte, &bytes), halves);
        }

        #[test]
        fn places_are_all_there_are(
            bytes in prop::collection::vec(prop_oneof![9 => any::<u8>(), 1 => Just(b'"')], 0..600),
            more in 1..3usize,
        ) {
            let at = |(at, byte): (usize, &u8)| (*byte == b'"').then_some(at);
            let expected: Vec<_> = bytes.iter().enumerate().filter_map(at).collect();
            let count = expected.len();
            let mut places = Places::default();
            prop_assert_eq!(places.find(b'"', &bytes, count).is_some(), count <= MAX_PLACES);
            if count <= MAX_PLACES {
                let begins = [0].into_iter().chain(expected.iter().map(|at| at + 1));
                let ends = expected.iter().copied().chain([bytes.len()]);
                for (number, between) in begins.zip(ends).enumerate() {
                    prop_assert_eq!(places.between(number), between);
                }
            }
            prop_assert!(places.find(b'"', &bytes, count + more).is_none());
            prop_assert!(count == 0 || places.find(b'"', &bytes, count - 1).is_none());
        }

        #[test]
        fn far_ones_are_found_too(before in 0..200usize, after in 0..20usize) {
            let bytes = [vec![b'x'; before], vec![b' '], vec![b'x'; after]].concat();
            prop_assert_eq!(position(b' ', &bytes), Some(before));
            prop_assert_eq!(position(b'\n', &bytes), None);
        }
    }
}
