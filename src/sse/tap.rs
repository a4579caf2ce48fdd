//! The byte scanner behind [`crate::sse`].

use std::time::Duration;

use memchr::memchr2;

use super::event::{self, Message};

/// The most bytes of one event that are kept for parsing; also the most memory a tap holds.
///
/// A larger event is counted and seen ([`Frame::Oversize`]) but its content is dropped: what a monitor
/// must read (the `endpoint` event, answers to `initialize`, pings) is far smaller.
pub const MAX_BLOCK: usize = 64 * 1024;

/// A line longer than this without an end is no event stream any more ([`Frame::Endless`]).
pub const ENDLESS_LINE: usize = 16 * 1024 * 1024;

/// What is kept of the buffer's capacity between events.
const IDLE_CAPACITY: usize = 1024;

/// What is kept of a line whose event is dropped: the name of any field, and a whole `retry`.
const DROPPED_LINE_MAX: usize = 32;

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Something the tap saw go by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// A comment line: how most MCP servers beat.
    Comment,
    /// A dispatched event.
    Event(Message),
    /// A `retry` line: the reconnection time that the server asks for.
    Retry(Duration),
    /// A dispatched event larger than what is kept ([`MAX_BLOCK`]); its content was dropped.
    Oversize,
    /// A line passed [`ENDLESS_LINE`] bytes without an end. Told once a line.
    Endless,
}

/// What stood unfinished when the stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tail {
    /// Nothing: the last event or comment was whole.
    Whole,
    /// A line or an event was cut.
    Cut,
}

/// A bounded scanner over the bytes of one event stream.
///
/// Any chunking of the same bytes gives the same frames. Memory is at most [`MAX_BLOCK`] plus one line's
/// field name, whatever comes.
#[derive(Debug)]
pub struct Tap {
    /// The most bytes of one event that are kept.
    max_block: usize,
    /// Field lines of the current block, each ended by a line feed; then the current partial line.
    block: Vec<u8>,
    /// Where in `block` the current line starts.
    line_start: usize,
    /// Bytes of the current line so far, kept or not.
    line_len: usize,
    /// Bytes of the stream so far, up to the length of a byte order mark.
    preamble: usize,
    /// A carriage return ended the last line: a line feed right behind it belongs to it.
    after_cr: bool,
    /// The current line, or an earlier one of this block, did not fit.
    overflow: bool,
    /// The block has a `data` field, so it dispatches an event.
    has_data: bool,
    /// The block has any field.
    has_fields: bool,
}

impl Default for Tap {
    fn default() -> Self {
        Self {
            max_block: MAX_BLOCK,
            block: Vec::new(),
            line_start: 0,
            line_len: 0,
            preamble: 0,
            after_cr: false,
            overflow: false,
            has_data: false,
            has_fields: false,
        }
    }
}

impl Tap {
    /// From now on keeps at most `bytes` of an event, and no more than [`MAX_BLOCK`]: larger ones are
    /// [`Frame::Oversize`].
    pub fn keep_at_most(&mut self, bytes: usize) {
        self.max_block = bytes.min(MAX_BLOCK);
    }

    /// Feeds the next bytes of the stream; every frame that they complete goes to `on`.
    pub fn feed(&mut self, bytes: &[u8], on: &mut impl FnMut(Frame)) {
        let mut rest = bytes;
        if self.after_cr && !rest.is_empty() {
            self.after_cr = false;
            rest = rest.strip_prefix(b"\n").unwrap_or(rest);
        }
        while let Some(end) = memchr2(b'\n', b'\r', rest) {
            let (line, more) = rest.split_at(end);
            self.extend_line(line, on);
            self.end_line(on);
            rest = match more {
                [b'\r', b'\n', more @ ..] | [_, more @ ..] => more,
                [] => more,
            };
            // The line feed of this pair may come with the next chunk.
            self.after_cr = more == b"\r";
        }
        self.extend_line(rest, on);
    }

    /// What stands unfinished: call when the stream has ended.
    pub fn finish(&self) -> Tail {
        if self.line_len > 0 || self.has_fields {
            Tail::Cut
        } else {
            Tail::Whole
        }
    }

    /// Appends to the current line, as far as its bytes are of use and fit.
    fn extend_line(&mut self, bytes: &[u8], on: &mut impl FnMut(Frame)) {
        if bytes.is_empty() {
            return;
        }
        if self.line_len < ENDLESS_LINE && self.line_len + bytes.len() >= ENDLESS_LINE {
            on(Frame::Endless);
        }
        self.line_len += bytes.len();
        let first = self.block.get(self.line_start).or(bytes.first());
        let kept = if first == Some(&b':') {
            // Of a comment its first byte is enough.
            usize::from(self.line_len == bytes.len())
        } else {
            self.overflow |= bytes.len() > self.max_block.saturating_sub(self.block.len());
            if self.overflow {
                let known = self.block.len() - self.line_start;
                bytes.len().min(DROPPED_LINE_MAX.saturating_sub(known))
            } else {
                bytes.len()
            }
        };
        self.block
            .extend_from_slice(bytes.get(..kept).unwrap_or(bytes));
        self.strip_byte_order_mark();
    }

    /// Drops a byte order mark at the very start of the stream (WHATWG: "one leading U+FEFF").
    fn strip_byte_order_mark(&mut self) {
        if self.preamble >= BYTE_ORDER_MARK.len() {
            return;
        }
        self.preamble = self.block.len();
        if self.block.starts_with(BYTE_ORDER_MARK) {
            self.block.drain(..BYTE_ORDER_MARK.len());
            self.line_len -= BYTE_ORDER_MARK.len();
        }
    }

    /// The current line is whole: takes its meaning, keeps it if it is a field of an event.
    fn end_line(&mut self, on: &mut impl FnMut(Frame)) {
        self.preamble = BYTE_ORDER_MARK.len();
        if self.line_len == 0 {
            return self.end_block(on);
        }
        let line = self.block.get(self.line_start..).unwrap_or_default();
        let keep = match Field::of(line) {
            Field::Comment => {
                on(Frame::Comment);
                false
            }
            Field::Data => {
                self.has_data = true;
                true
            }
            Field::Retry(time) => {
                on(Frame::Retry(time));
                false
            }
            Field::Named => true,
            Field::Ignored => false,
        };
        self.has_fields |= keep;
        if self.overflow {
            self.block.clear();
        } else if keep {
            self.block.push(b'\n');
        } else {
            self.block.truncate(self.line_start);
        }
        self.line_start = self.block.len();
        self.line_len = 0;
    }

    /// An empty line: dispatches the event, if the block has data.
    fn end_block(&mut self, on: &mut impl FnMut(Frame)) {
        if self.has_data && self.overflow {
            on(Frame::Oversize);
        } else if self.has_data {
            self.block.push(b'\n');
            if let Some(message) = event::parse(&self.block) {
                on(Frame::Event(message));
            }
        }
        self.block.clear();
        self.block.shrink_to(IDLE_CAPACITY);
        self.line_start = 0;
        (self.overflow, self.has_data, self.has_fields) = (false, false, false);
    }
}

/// What a line is, by its field name.
enum Field {
    Comment,
    Data,
    Retry(Duration),
    /// `event` or `id`.
    Named,
    Ignored,
}

impl Field {
    fn of(line: &[u8]) -> Self {
        let colon = memchr::memchr(b':', line).unwrap_or(line.len());
        let (name, value) = line.split_at(colon);
        match name {
            b"" => Self::Comment,
            b"data" => Self::Data,
            b"retry" => retry_time(value).map_or(Self::Ignored, Self::Retry),
            b"event" | b"id" => Self::Named,
            _ => Self::Ignored,
        }
    }
}

/// `:3000` or `: 3000` to three seconds; digits only, as the WHATWG clause has it.
fn retry_time(value: &[u8]) -> Option<Duration> {
    let digits = value.strip_prefix(b":")?;
    let digits = digits.strip_prefix(b" ").unwrap_or(digits);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let millis = std::str::from_utf8(digits).ok()?.parse().ok()?;
    Some(Duration::from_millis(millis))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(chunks: &[&[u8]]) -> (Vec<Frame>, Tail) {
        let mut tap = Tap::default();
        let mut seen = Vec::new();
        for chunk in chunks {
            tap.feed(chunk, &mut |frame| seen.push(frame));
        }
        (seen, tap.finish())
    }

    fn check(stream: &str, expected: &[Frame], tail: Tail) {
        let bytes = stream.as_bytes();
        assert_eq!(frames(&[bytes]), (expected.to_vec(), tail), "{stream:?}");
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(
            frames(&single),
            (expected.to_vec(), tail),
            "bytewise {stream:?}"
        );
    }

    fn message(name: &str, data: &str) -> Frame {
        Frame::Event(Message {
            name: name.into(),
            data: data.into(),
            id: String::new(),
        })
    }

    #[test]
    fn reads_what_real_servers_send() {
        use Tail::{Cut, Whole};
        let endpoint = message("endpoint", "/messages?sessionId=1");
        check(": keepalive\n\n", &[Frame::Comment], Whole);
        check(": ping\r\n\r\n", &[Frame::Comment], Whole);
        check(":\n\n", &[Frame::Comment], Whole);
        check(":\r\r", &[Frame::Comment], Whole);
        check(
            "event: endpoint\ndata: /messages?sessionId=1\n\n",
            &[endpoint],
            Whole,
        );
        check("data: a\ndata: b\n\n", &[message("message", "a\nb")], Whole);
        check("data: a\rdata: b\r\r", &[message("message", "a\nb")], Whole);
        check(
            "retry: 3000\n\n",
            &[Frame::Retry(Duration::from_secs(3))],
            Whole,
        );
        check("retry: soon\n\n", &[], Whole);
        check("event: named\n\n", &[], Whole);
        check("\u{feff}data: x\n\n", &[message("message", "x")], Whole);
        check("\u{feff}", &[], Whole);
        check("\n\u{feff}data: x\n\n", &[], Whole);
        check("data: x\n", &[], Cut);
        check("data: x", &[], Cut);
        check("", &[], Whole);
    }

    #[test]
    fn priming_event_has_id_and_empty_data() {
        let primed = Frame::Event(Message {
            name: "message".into(),
            data: String::new(),
            id: "0".into(),
        });
        let retry = Frame::Retry(Duration::from_secs(3));
        check(
            "data: \nid: 0\nretry: 3000\n\n",
            &[retry, primed],
            Tail::Whole,
        );
    }

    #[test]
    fn invalid_bytes_do_not_stop_the_stream() {
        let (seen, tail) = frames(&[b": \xff\x00\n\ndata: a\xffb\n\n"]);
        assert_eq!(seen, [Frame::Comment, message("message", "a\u{fffd}b")]);
        assert_eq!(tail, Tail::Whole);
    }

    #[test]
    fn a_large_event_is_seen_and_its_memory_given_back() {
        let mut tap = Tap::default();
        let mut seen = Vec::new();
        let mut on = |frame| seen.push(frame);
        tap.feed(b"data: ", &mut on);
        for _ in 0..256 {
            tap.feed(&[b'x'; 4096], &mut on);
            assert!(tap.block.capacity() <= 2 * MAX_BLOCK);
        }
        tap.feed(b"\n\n: beat\n\n", &mut on);
        assert_eq!(seen, [Frame::Oversize, Frame::Comment]);
        assert!(tap.block.capacity() <= IDLE_CAPACITY);
    }

    #[test]
    fn of_a_large_event_every_line_is_read_and_none_kept() {
        let mut tap = Tap::default();
        let mut seen = Vec::new();
        tap.keep_at_most(16);
        let mut on = |frame| seen.push(frame);
        tap.feed(b"data: 0123456789abcdef\n", &mut on);
        for _ in 0..1000 {
            tap.feed(b"data: x\n", &mut on);
            assert!(tap.block.capacity() <= 64);
        }
        tap.feed(b"retry: 3000\n: beat\ndata\n\n", &mut on);
        let retry = Frame::Retry(Duration::from_secs(3));
        assert_eq!(seen, [retry, Frame::Comment, Frame::Oversize]);
    }

    #[test]
    fn less_may_be_kept() {
        let mut tap = Tap::default();
        let mut seen = Vec::new();
        tap.keep_at_most(16);
        for text in [
            "data: 0123456789\n\n",
            "data: 0123456789a\n\n",
            "data: b\n\n",
        ] {
            tap.feed(text.as_bytes(), &mut |frame| seen.push(frame));
        }
        let kept = |data| message("message", data);
        assert_eq!(seen, [kept("0123456789"), Frame::Oversize, kept("b")]);
    }

    #[test]
    fn an_endless_line_is_told_once_and_costs_no_memory() {
        let mut tap = Tap::default();
        let mut seen = Vec::new();
        for _ in 0..(2 * ENDLESS_LINE / MAX_BLOCK) {
            tap.feed(&[b':'; MAX_BLOCK], &mut |frame| seen.push(frame));
        }
        assert_eq!(seen, [Frame::Endless]);
        assert!(tap.block.capacity() <= 2 * MAX_BLOCK);
    }
}
