//! A container's or syslog's file as the process printed it, so that whoever reads lines need not know.
//!
//! A file in no such shape passes untouched. What is damaged passes as it is, and is counted where lines are
//! judged. It does not know what lines mean.

use std::io::{self, BufRead, BufReader, Cursor, Read};

use crate::access_log::MAX_LINE;
use crate::access_log::wrapping::{DETECT_LINES, Output, Unwrapped, Unwrapper, Wrapping};

/// The most of one wrapped line: twice the longest line, for its frame and escapes. The rest is a line apart.
const WRAPPED_MAX: u64 = 2 * MAX_LINE as u64;

/// Takes the wrapping off, if the first lines show one. `only` leaves the process's other output out.
pub(super) fn unwrap(source: Box<dyn Read>, only: Option<Output>) -> io::Result<Box<dyn Read>> {
    let mut source = BufReader::with_capacity(256 * 1024, source);
    let (mut start, mut unwrapper) = (Vec::new(), Unwrapper::new(None));
    for _ in 0..DETECT_LINES {
        let begin = start.len();
        line(&mut source, &mut start)?;
        let first = start.get(begin..).unwrap_or_default();
        unwrapper.line(first.strip_suffix(b"\n").unwrap_or(first));
        if unwrapper.wrapping().is_some() || first.is_empty() {
            break;
        }
    }
    let whole = Cursor::new(start).chain(source);
    Ok(match unwrapper.wrapping() {
        None | Some(Wrapping::None) => Box::new(whole),
        wrapping => Box::new(Unwrapping {
            source: BufReader::new(whole),
            unwrapper: Unwrapper::new(wrapping),
            only,
            wrapped: Vec::new(),
            text: Cursor::default(),
        }),
    })
}

/// Appends the next line with its end, or as much of it as one may be.
fn line(source: &mut impl BufRead, into: &mut Vec<u8>) -> io::Result<usize> {
    source.take(WRAPPED_MAX).read_until(b'\n', into)
}

struct Unwrapping<R> {
    source: BufReader<R>,
    unwrapper: Unwrapper,
    only: Option<Output>,
    wrapped: Vec<u8>,
    text: Cursor<Vec<u8>>,
}

impl<R: Read> Unwrapping<R> {
    /// Makes the next line ready; false at the end.
    fn next(&mut self) -> io::Result<bool> {
        self.wrapped.clear();
        if line(&mut self.source, &mut self.wrapped)? == 0 {
            return Ok(false);
        }
        let mut text = std::mem::take(&mut self.text).into_inner();
        text.clear();
        let raw = self.wrapped.strip_suffix(b"\n").unwrap_or(&self.wrapped);
        match self.unwrapper.line(raw) {
            Unwrapped::Line(output, line) if self.only.is_none_or(|only| only == output) => {
                text.extend_from_slice(&line);
                text.push(b'\n');
            }
            Unwrapped::Line(..) | Unwrapped::Piece => {}
            Unwrapped::Damaged(_) => text.extend_from_slice(&self.wrapped),
        }
        self.text = Cursor::new(text);
        Ok(true)
    }
}

impl<R: Read> Read for Unwrapping<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let count = self.text.read(buffer)?;
            if count > 0 || buffer.is_empty() || !self.next()? {
                return Ok(count);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unwrapped(text: &str, only: Option<Output>) -> String {
        let source: Box<dyn Read> = Box::new(Cursor::new(text.to_owned().into_bytes()));
        let mut out = String::new();
        unwrap(source, only)
            .unwrap()
            .read_to_string(&mut out)
            .unwrap();
        out
    }

    #[test]
    fn a_plain_file_passes_untouched() {
        for text in ["", "a", "a\nb\n", "1\n2\n3\n4\n5\n6\n7\n8\n9\n10"] {
            assert_eq!(unwrapped(text, Some(Output::Stdout)), text);
        }
    }

    #[test]
    fn a_containers_file_is_its_processs_output() {
        let at = "2026-11-20T09:59:41.361000061Z";
        let text = format!(
            "{at} stdout P one \n{at} stderr F error\n{at} stdout F line\ndamaged\n{at} stdout F two"
        );
        assert_eq!(
            unwrapped(&text, Some(Output::Stdout)),
            "one line\ndamaged\ntwo\n"
        );
        assert_eq!(unwrapped(&text, None), "error\none line\ndamaged\ntwo\n");
        let docker = "{\"log\":\"a\\n\",\"stream\":\"stdout\",\"time\":\"2026-11-20T09:59:41Z\"}\n";
        assert_eq!(unwrapped(docker, Some(Output::Stdout)), "a\n");
    }

    #[test]
    fn an_endless_line_costs_no_memory() {
        let at = "2026-11-20T09:59:41Z stdout F ok\n";
        let text = format!("{at}{}\n{at}", "x".repeat(10 * MAX_LINE));
        let out = unwrapped(&text, None);
        assert!(out.starts_with("ok\nxxx") && out.ends_with("x\nok\n"));
    }
}
