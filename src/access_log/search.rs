//! Short searches: where a byte stands in a value or not far behind it.
//!
//! What is looked for in a log line is a few bytes away nearly always, nearer than `memchr` takes to
//! begin. It knows words of bytes and no log.

/// Bytes that are looked at together.
const WORD: usize = 8;

/// The first place of a byte. Most values are shorter than a word: that one is looked at in place, the
/// rest by a call.
#[inline(always)]
pub(crate) fn position(byte: u8, bytes: &[u8]) -> Option<usize> {
    match bytes
        .first_chunk::<WORD>()
        .and_then(|word| first_in(byte, word))
    {
        None => farther(byte, bytes),
        near => near,
    }
}

/// The same where the first word, if there is a whole one, does not have it.
#[inline(never)]
fn farther(byte: u8, bytes: &[u8]) -> Option<usize> {
    let Some((_, rest)) = bytes.split_first_chunk::<WORD>() else {
        return bytes.iter().position(|other| *other == byte);
    };
    let Some(second) = rest.first_chunk::<WORD>() else {
        // The last word overlaps the first, which does not have it.
        let at = first_in(byte, bytes.last_chunk::<WORD>()?)?;
        return Some(rest.len() + at);
    };
    if let Some(at) = first_in(byte, second) {
        return Some(WORD + at);
    }
    // Farther away, vectors pay for their beginning.
    memchr::memchr(byte, rest.get(WORD..)?).map(|at| 2 * WORD + at)
}

/// A word with the byte wanted at a place has a zero there once each byte is XORed with it, and the
/// lowest zero byte of a word is found by Mycroft's subtraction.
#[inline(always)]
fn first_in(byte: u8, word: &[u8; WORD]) -> Option<usize> {
    const LOW: u64 = u64::from_ne_bytes([0x01; WORD]);
    const HIGH: u64 = u64::from_ne_bytes([0x80; WORD]);
    let other = u64::from_le_bytes(*word) ^ (LOW * u64::from(byte));
    let zero = other.wrapping_sub(LOW) & !other & HIGH;
    (zero != 0).then(|| (zero.trailing_zeros() / u8::BITS) as usize)
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
        fn far_ones_are_found_too(before in 0..200usize, after in 0..20usize) {
            let bytes = [vec![b'x'; before], vec![b' '], vec![b'x'; after]].concat();
            prop_assert_eq!(position(b' ', &bytes), Some(before));
            prop_assert_eq!(position(b'\n', &bytes), None);
        }
    }
}
