//! Short searches: where a byte stands in a value or not far behind it.
//!
//! What is looked for in a log line is a few bytes away nearly always, nearer than `memchr` takes to
//! begin. It knows blocks of bytes and no log.

use fearless_simd::prelude::*;
use fearless_simd::{Level, Simd, u8x16, u8x64};

/// Bytes that are looked at together.
const BLOCK: usize = 16;

/// From here on the longer vectors of `memchr` pay for their beginning.
const FAR: usize = 8 * BLOCK;

/// A word of which each byte is one.
const LOWS: u64 = u64::from_ne_bytes([1; 8]);

/// Bytes whose places fit a word, a bit each.
pub(crate) const ROW: usize = 64;

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

/// The first place of either of two bytes.
#[inline]
pub(crate) fn either(one: u8, other: u8, bytes: &[u8]) -> Option<usize> {
    let found = |block| first_of(places(one, block) | places(other, block));
    let mut at = 0;
    while let Some(block) = bytes.get(at..).and_then(<[u8]>::first_chunk) {
        if let Some(more) = found(block) {
            return Some(at + more);
        }
        at += BLOCK;
    }
    match bytes.last_chunk() {
        // It overlaps those before, which have neither.
        Some(last) => found(last).map(|at| bytes.len() - BLOCK + at),
        None => bytes.iter().position(|byte| *byte == one || *byte == other),
    }
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

/// The same of a few bytes.
#[inline(never)]
fn one_by_one(byte: u8, rest: &[u8]) -> u64 {
    let same = rest.iter().enumerate().filter(|(_, other)| **other == byte);
    same.fold(0, |all, (at, _)| all | 1 << at)
}

/// The same in the eight bytes of a word.
fn places_in_word(byte: u8, word: u64) -> u64 {
    places(byte, &u128::from(word).to_le_bytes()) & 0xff
}

/// Where a byte stands in a block: a bit for each place, the first the lowest.
#[inline(always)]
fn places(byte: u8, block: &[u8; BLOCK]) -> u64 {
    #[cfg(target_arch = "x86_64")]
    if let Some(simd) = Level::baseline().as_sse2() {
        return places_in_block(simd, byte, block);
    }
    #[cfg(target_arch = "aarch64")]
    if let Some(simd) = Level::baseline().as_neon() {
        return places_in_block(simd, byte, block);
    }
    one_by_one(byte, block)
}

#[inline(always)]
fn places_in_block<S: Simd>(simd: S, byte: u8, block: &[u8; BLOCK]) -> u64 {
    let same = u8x16::simd_from(simd, *block).simd_eq(u8x16::splat(simd, byte));
    same.to_bitmask()
}

/// The same in a row.
#[inline(always)]
pub(super) fn places_in_row<S: Simd>(simd: S, byte: u8, row: &[u8; ROW]) -> u64 {
    let same = u8x64::simd_from(simd, *row).simd_eq(u8x64::splat(simd, byte));
    same.to_bitmask()
}

/// Where a byte stands in a row: a bit for each place, the first the lowest.
#[inline(always)]
pub(crate) fn row(byte: u8, row: &[u8; ROW]) -> u64 {
    let (blocks, _) = row.as_chunks();
    let bits = |(number, block)| places(byte, block) << (number * BLOCK);
    blocks
        .iter()
        .enumerate()
        .map(bits)
        .fold(0, |all, bits| all | bits)
}

/// Whether a byte stands in a short value.
#[inline(always)]
pub(crate) fn contains(byte: u8, bytes: &[u8]) -> bool {
    let has = |word: u64| {
        let same = word ^ (u64::from(byte) * LOWS);
        same.wrapping_sub(LOWS) & !same & (LOWS << 7) != 0
    };
    match (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
        (Some(first), Some(last)) if bytes.len() <= BLOCK => {
            has(u64::from_ne_bytes(*first)) || has(u64::from_ne_bytes(*last))
        }
        (None, _) => bytes.contains(&byte),
        _ => position(byte, bytes).is_some(),
    }
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
            prop_assert_eq!(contains(byte, &bytes), expected.is_some());
            let expected = bytes.iter().position(|one| *one == byte || *one == 1);
            prop_assert_eq!(either(byte, 1, &bytes), expected);
        }

        #[test]
        fn far_ones_are_found_too(before in 0..200usize, after in 0..20usize) {
            let bytes = [vec![b'x'; before], vec![b' '], vec![b'x'; after]].concat();
            prop_assert_eq!(position(b' ', &bytes), Some(before));
            prop_assert_eq!(position(b'\n', &bytes), None);
        }
    }
}
