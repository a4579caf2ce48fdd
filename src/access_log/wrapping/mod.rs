//! What stands around a proxy's line when something else wrote the file: a container runtime or syslog.
//!
//! Owns one file's way from wrapped lines to the lines as the process printed them: which wrapping it
//! is, and pieces of one line put together again. Does not know files, nor what a line means.

use std::borrow::Cow;

use super::{MAX_LINE, UnparsedKind};
use crate::label::{Label, label};

mod shape;

/// Lines that are looked at before a file counts as not wrapped.
pub const DETECT_LINES: u32 = 8;

label! {
    /// What may stand around each line of a file.
    pub enum Wrapping {
        /// Nothing.
        None => "none",
        /// The container runtime interface's files, as in `/var/log/containers` of Kubernetes.
        Cri => "cri",
        /// docker's `json-file` driver.
        Docker => "docker",
        /// A syslog daemon's prefix, RFC 3164 or RFC 5424.
        Syslog => "syslog",
    }
}

label! {
    /// Where the process printed a line.
    pub enum Output {
        /// Its standard output, or not told: only containers tell.
        Stdout => "stdout",
        /// Its standard error: nginx's error log in the official images.
        Stderr => "stderr",
    }
}

/// One wrapped line's content.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Content<'a> {
    output: Output,
    text: Cow<'a, [u8]>,
    /// Whether the line ends here, or a next piece follows.
    ends: bool,
}

/// What one line of the file amounts to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unwrapped<'a> {
    /// A line, as the process printed it, without its line feed.
    Line(Output, Cow<'a, [u8]>),
    /// A piece: the line goes on.
    Piece,
    /// Not in the wrapping's shape, or longer than [`MAX_LINE`] when put together.
    Damaged(UnparsedKind),
}

/// Unwraps one file's lines, in their order. Holds at most [`MAX_LINE`] bytes for each output.
#[derive(Debug)]
pub struct Unwrapper {
    wrapping: Option<Wrapping>,
    /// Lines seen without a wrapping while it is not known.
    plain: u32,
    stdout: Partial,
    stderr: Partial,
}

/// The pieces so far of an output's line.
#[derive(Debug, Default)]
struct Partial {
    bytes: Vec<u8>,
    too_long: bool,
    open: bool,
}

impl Unwrapper {
    /// For a file of this wrapping. `None`: the first line that has a wrapping's shape decides; if
    /// none of the first [`DETECT_LINES`] has, the file is not wrapped. What is decided stays.
    pub fn new(wrapping: Option<Wrapping>) -> Self {
        Self {
            wrapping,
            plain: 0,
            stdout: Partial::default(),
            stderr: Partial::default(),
        }
    }

    /// The wrapping, once it is known.
    pub fn wrapping(&self) -> Option<Wrapping> {
        self.wrapping
    }

    /// Whether a line of this output was begun and its end has not come.
    pub fn is_inside_a_line(&self, output: Output) -> bool {
        match output {
            Output::Stdout => self.stdout.open,
            Output::Stderr => self.stderr.open,
        }
    }

    /// Takes a line of the file, without its line feed.
    pub fn line<'a>(&mut self, raw: &'a [u8]) -> Unwrapped<'a> {
        let raw = raw.strip_suffix(b"\r").unwrap_or(raw);
        let content = match self.wrapping.or_else(|| self.detect(raw)) {
            None | Some(Wrapping::None) => {
                return Unwrapped::Line(Output::Stdout, Cow::Borrowed(raw));
            }
            Some(wrapping) => read(wrapping, raw),
        };
        match content {
            None if raw.is_empty() => Unwrapped::Damaged(UnparsedKind::Empty),
            None => Unwrapped::Damaged(UnparsedKind::Format),
            Some(content) => self.join(content),
        }
    }

    fn detect(&mut self, raw: &[u8]) -> Option<Wrapping> {
        let known = Wrapping::ALL.iter().copied();
        self.wrapping = known
            .filter(|wrapping| *wrapping != Wrapping::None)
            .find(|wrapping| read(*wrapping, raw).is_some());
        self.plain += u32::from(self.wrapping.is_none());
        if self.plain >= DETECT_LINES {
            self.wrapping = Some(Wrapping::None);
        }
        self.wrapping
    }

    fn join<'a>(&mut self, content: Content<'a>) -> Unwrapped<'a> {
        let output = content.output;
        let partial = match output {
            Output::Stdout => &mut self.stdout,
            Output::Stderr => &mut self.stderr,
        };
        if content.ends && !partial.open {
            return Unwrapped::Line(output, content.text);
        }
        partial.push(&content.text);
        if !content.ends {
            return Unwrapped::Piece;
        }
        match std::mem::take(partial) {
            Partial { too_long: true, .. } => Unwrapped::Damaged(UnparsedKind::TooLong),
            Partial { bytes, .. } => Unwrapped::Line(output, Cow::Owned(bytes)),
        }
    }
}

impl Partial {
    fn push(&mut self, piece: &[u8]) {
        self.open = true;
        self.too_long |= self.bytes.len() + piece.len() > MAX_LINE;
        if self.too_long {
            self.bytes = Vec::new();
        } else {
            self.bytes.extend_from_slice(piece);
        }
    }
}

fn read(wrapping: Wrapping, raw: &[u8]) -> Option<Content<'_>> {
    match wrapping {
        Wrapping::None => None,
        Wrapping::Cri => shape::cri(raw),
        Wrapping::Docker => shape::docker(raw),
        Wrapping::Syslog => shape::syslog(raw),
    }
}

#[cfg(test)]
mod tests;
