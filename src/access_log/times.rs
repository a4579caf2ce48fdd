//! The time of the line before, remembered: a busy log has many lines of one second, which write it alike.
//!
//! It does not know how a time is written.

use super::Stamp;

/// The last time that was read, and how it was written.
#[derive(Debug, Default)]
pub(crate) struct Times(Option<([u8; TIME], Stamp)>);

/// Bytes of `20/Nov/2026:09:59:41 +0000`; a time of another length is read each time.
const TIME: usize = 26;

impl Times {
    /// What `read` gives for this text, the same function each time.
    #[inline]
    pub(crate) fn read(
        &mut self,
        raw: &[u8],
        read: impl FnOnce(&[u8]) -> Option<Stamp>,
    ) -> Option<Stamp> {
        let Ok(raw) = <&[u8; TIME]>::try_from(raw) else {
            return read(raw);
        };
        match self.0 {
            Some((last, stamp)) if is_same(&last, raw) => Some(stamp),
            _ => {
                let stamp = read(raw)?;
                self.0 = Some((*raw, stamp));
                Some(stamp)
            }
        }
    }
}

/// Whether both are the same: two overlapping halves need no call.
#[inline(always)]
fn is_same(one: &[u8; TIME], other: &[u8; TIME]) -> bool {
    one.first_chunk::<16>() == other.first_chunk::<16>()
        && one.last_chunk::<16>() == other.last_chunk::<16>()
}

#[cfg(test)]
mod tests {
    use super::super::value;
    use super::*;

    #[test]
    fn each_text_gives_its_own_time() {
        let mut times = Times::default();
        let texts = [
            "20/Nov/2026:09:59:41 +0000",
            "20/Nov/2026:09:59:41 +0000",
            "20/Nov/2026:09:59:42 +0000",
            "20/Nov/2026:09:59:42 +0100",
            "21/Nov/2026:09:59:42 +0100",
            "21/Nov/2026:09:59:42 +010",
            "21/Xxx/2026:09:59:42 +0100",
        ];
        for text in texts {
            let read = times.read(text.as_bytes(), value::common);
            assert_eq!(read, value::common(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn a_text_that_was_read_is_not_read_again() {
        let (mut times, stamp) = (Times::default(), value::without_zone(7));
        let text = [b'x'; TIME];
        assert_eq!(times.read(&text, |_| Some(stamp)), Some(stamp));
        assert_eq!(times.read(&text, |_| None), Some(stamp));
        assert_eq!(times.read(&text[1..], |_| None), None);
    }
}
