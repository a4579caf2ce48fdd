//! A stream of bytes to syslog messages: RFC 6587's two framings, told apart for each message.
//!
//! `MSG-LEN SP <PRI>…` is counted in octets (section 3.4.1); anything else ends at its line feed (section 3.4.2), as
//! does a line without any header. Owns the caps: a sender can make a connection hold one message, no more.

use crate::tail::LossCause;
use crate::tail::lines::{LINE_MAX, Lines, Piece};

/// Most digits of a length. Beyond, it is no length but text.
const DIGITS_MAX: usize = 9;

/// Splits a connection's bytes into messages.
#[derive(Debug, Default)]
pub struct Frames {
    at: At,
    lines: Lines,
}

/// Where in a message the next byte falls.
#[derive(Debug)]
enum At {
    /// Before it, or in a length that may turn out to be text.
    Head(Vec<u8>),
    /// In one that ends at a line feed.
    Line,
    /// In one that is counted, with so many bytes to come.
    Counted { message: Vec<u8>, left: usize },
    /// In one that is counted and too long, with so many bytes to come.
    Skipping { length: usize, left: usize },
}

impl Default for At {
    fn default() -> Self {
        Self::Head(Vec::new())
    }
}

/// What the first bytes of a message say of its framing.
#[derive(Debug, PartialEq, Eq)]
enum Head {
    Undecided,
    Line,
    Counted(usize),
}

/// `NONZERO-DIGIT *DIGIT SP "<"`: a message begins with its priority, which keeps a plain line that begins with a
/// number from being taken for a length.
fn head(bytes: &[u8]) -> Head {
    let digits = bytes
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    let (length, rest) = bytes.split_at(digits);
    match rest {
        [] if digits <= DIGITS_MAX && length.first() != Some(&b'0') => Head::Undecided,
        [b' '] if (1..=DIGITS_MAX).contains(&digits) => Head::Undecided,
        [b' ', b'<', ..] => std::str::from_utf8(length)
            .ok()
            .and_then(|length| length.parse().ok())
            .map_or(Head::Line, Head::Counted),
        _ => Head::Line,
    }
}

impl Frames {
    /// Takes the next bytes and reports the messages that they complete, without what ends them.
    pub fn feed(&mut self, mut bytes: &[u8], on: &mut impl FnMut(Piece<'_>)) {
        while !bytes.is_empty() {
            bytes = match std::mem::take(&mut self.at) {
                At::Head(head) => self.head(head, bytes, on),
                At::Line => self.line(bytes, on),
                At::Counted { message, left } => self.counted(message, left, bytes, on),
                At::Skipping { length, left } => self.skip(length, left, bytes, on),
            };
        }
    }

    /// The connection's end: an unterminated line counts as one; a counted message that is not whole is lost.
    pub fn finish(&mut self, on: &mut impl FnMut(Piece<'_>)) {
        match std::mem::take(&mut self.at) {
            At::Head(begun) => self.lines.feed(&begun, on),
            At::Line => {}
            At::Counted { message, .. } => lost(LossCause::TornLine, message.len(), on),
            At::Skipping { length, left } => lost(LossCause::LineTooLong, length - left, on),
        }
        if self.lines.pending() > 0 {
            self.lines.finish(on);
        }
    }

    /// The connection broke: what is held of a message is lost.
    pub fn cut(&mut self, on: &mut impl FnMut(Piece<'_>)) {
        match std::mem::take(&mut self.at) {
            At::Head(message) | At::Counted { message, .. } => {
                lost(LossCause::TornLine, message.len(), on);
            }
            At::Line => {}
            At::Skipping { length, left } => lost(LossCause::LineTooLong, length - left, on),
        }
        self.lines.cut(on);
    }

    /// Takes one byte of a message's first ones. Line feeds between messages are nothing.
    fn head<'a>(
        &mut self,
        mut begun: Vec<u8>,
        bytes: &'a [u8],
        on: &mut impl FnMut(Piece<'_>),
    ) -> &'a [u8] {
        let (byte, rest) = bytes.split_at(1);
        if begun.is_empty() && byte == b"\n" {
            return rest;
        }
        begun.extend_from_slice(byte);
        match head(&begun) {
            Head::Undecided => {
                self.at = At::Head(begun);
                rest
            }
            Head::Line => {
                begun.pop();
                self.lines.feed(&begun, on);
                self.at = At::Line;
                bytes
            }
            // The `<` is taken already.
            Head::Counted(length) if length > LINE_MAX => {
                let left = length - 1;
                self.at = At::Skipping { length, left };
                rest
            }
            Head::Counted(length) => self.counted(Vec::new(), length, bytes, on),
        }
    }

    fn line<'a>(&mut self, bytes: &'a [u8], on: &mut impl FnMut(Piece<'_>)) -> &'a [u8] {
        let end = memchr::memchr(b'\n', bytes).map(|at| at + 1);
        let (line, rest) = bytes.split_at(end.unwrap_or(bytes.len()));
        self.lines.feed(line, on);
        if end.is_none() {
            self.at = At::Line;
        }
        rest
    }

    fn counted<'a>(
        &mut self,
        mut message: Vec<u8>,
        left: usize,
        bytes: &'a [u8],
        on: &mut impl FnMut(Piece<'_>),
    ) -> &'a [u8] {
        let (more, rest) = bytes.split_at(left.min(bytes.len()));
        message.extend_from_slice(more);
        let left = left - more.len();
        if left > 0 {
            self.at = At::Counted { message, left };
        } else {
            on(Piece::Line(trimmed(&message)));
        }
        rest
    }

    fn skip<'a>(
        &mut self,
        length: usize,
        left: usize,
        bytes: &'a [u8],
        on: &mut impl FnMut(Piece<'_>),
    ) -> &'a [u8] {
        let (more, rest) = bytes.split_at(left.min(bytes.len()));
        let left = left - more.len();
        if left > 0 {
            self.at = At::Skipping { length, left };
        } else {
            lost(LossCause::LineTooLong, length, on);
        }
        rest
    }
}

/// A message without the line feed or NUL that some senders put at its end, inside the datagram or the count.
pub fn trimmed(message: &[u8]) -> &[u8] {
    let end = message
        .iter()
        .rposition(|byte| !matches!(byte, b'\n' | b'\r' | 0));
    end.and_then(|end| message.get(..=end)).unwrap_or_default()
}

fn lost(cause: LossCause, bytes: usize, on: &mut impl FnMut(Piece<'_>)) {
    if bytes > 0 {
        let bytes = bytes as u64;
        on(Piece::Lost { cause, bytes });
    }
}

#[cfg(test)]
mod tests;
