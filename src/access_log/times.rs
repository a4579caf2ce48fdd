//! The time of the line before, remembered: a busy log has many lines of one second, which write it alike.
//!
//! It does not know how a time is written.

use super::Stamp;

/// The last time that was read, and how it was written.
#[derive(Debug, Default)]
pub(crate) struct Times(Option<(Text, Stamp)>);

/// A text of 16 to 32 bytes, as `20/Nov/2026:09:59:41 +0000` is: halves that overlap compare without a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Text {
    length: usize,
    first: [u8; HALF],
    last: [u8; HALF],
}

const HALF: usize = 16;

impl Text {
    /// `None`: a time so long or short is read each time.
    #[inline(always)]
    fn of(raw: &[u8]) -> Option<Self> {
        Some(Self {
            length: Some(raw.len()).filter(|length| *length <= 2 * HALF)?,
            first: *raw.first_chunk()?,
            last: *raw.last_chunk()?,
        })
    }
}

impl Times {
    /// What `read` gives for this text: of two functions for texts that can be the same, always the same one.
    #[inline(always)]
    pub(crate) fn read(
        &mut self,
        raw: &[u8],
        read: impl FnOnce(&[u8]) -> Option<Stamp>,
    ) -> Option<Stamp> {
        let Some(written) = Text::of(raw) else {
            return read(raw);
        };
        match self.0 {
            Some((last, stamp)) if last == written => Some(stamp),
            _ => {
                let stamp = read(raw)?;
                self.0 = Some((written, stamp));
                Some(stamp)
            }
        }
    }
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
        let text = [b'x'; 40];
        for length in 0..40 {
            let text = &text[..length];
            assert_eq!(times.read(text, |_| Some(stamp)), Some(stamp));
            let again = (16..=32).contains(&length).then_some(stamp);
            assert_eq!(times.read(text, |_| None), again, "{length}");
        }
    }
}
