//! A container's or syslog's file as the process printed it, so that whoever reads lines need not know.
//!
//! A file in no such shape passes untouched. What is damaged passes as it is, and is counted where lines are
//! judged. It does not know what lines mean.

use std::cell::Cell;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::rc::Rc;

use crate::access_log::MAX_LINE;
use crate::access_log::wrapping::{DETECT_LINES, Output, Unwrapped, Unwrapper, Wrapping};

/// The most of one wrapped line: twice the longest line, for its frame and escapes. The rest is a line apart.
const WRAPPED_MAX: u64 = 2 * MAX_LINE as u64;

/// Which of a process's outputs is read of a container's file.
#[derive(Debug, Clone, Default)]
pub(super) struct Wanted {
    /// `None`: both.
    pub(super) output: Option<Output>,
    /// How many lines of the other were left out.
    pub(super) left_out: Rc<Cell<u64>>,
}

impl Wanted {
    /// One of them.
    pub(super) fn only(output: Output) -> Self {
        Self {
            output: Some(output),
            ..Self::default()
        }
    }
}

/// Takes the wrapping off, if the first lines show one.
pub(super) fn unwrap(source: Box<dyn Read>, wanted: Wanted) -> io::Result<Box<dyn Read>> {
    let (whole, wrapping) = looked_at(source)?;
    Ok(match wrapping {
        None | Some(Wrapping::None) => Box::new(whole),
        wrapping => Box::new(Unwrapping::new(whole, wrapping, wanted)),
    })
}

/// What a process printed to its standard error, of a file that a container runtime wrote.
pub(super) fn stderr(source: Box<dyn Read>) -> io::Result<Option<Box<dyn Read>>> {
    let (whole, wrapping) = looked_at(source)?;
    let is_containers = matches!(wrapping, Some(Wrapping::Cri | Wrapping::Docker));
    let wanted = Wanted::only(Output::Stderr);
    Ok(is_containers.then(|| Box::new(Unwrapping::new(whole, wrapping, wanted)) as Box<dyn Read>))
}

/// The source, and the wrapping that its first lines show.
fn looked_at(source: Box<dyn Read>) -> io::Result<(impl Read, Option<Wrapping>)> {
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
    Ok((Cursor::new(start).chain(source), unwrapper.wrapping()))
}

/// Appends the next line with its end, or as much of it as one may be.
fn line(source: &mut impl BufRead, into: &mut Vec<u8>) -> io::Result<usize> {
    source.take(WRAPPED_MAX).read_until(b'\n', into)
}

struct Unwrapping<R> {
    source: BufReader<R>,
    unwrapper: Unwrapper,
    wanted: Wanted,
    wrapped: Vec<u8>,
    text: Cursor<Vec<u8>>,
}

impl<R: Read> Unwrapping<R> {
    fn new(whole: R, wrapping: Option<Wrapping>, wanted: Wanted) -> Self {
        Self {
            source: BufReader::new(whole),
            unwrapper: Unwrapper::new(wrapping),
            wanted,
            wrapped: Vec::new(),
            text: Cursor::default(),
        }
    }

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
            Unwrapped::Line(output, line)
                if self.wanted.output.is_none_or(|wanted| wanted == output) =>
            {
                text.extend_from_slice(&line);
                text.push(b'\n');
            }
            Unwrapped::Line(..) => self.wanted.left_out.set(self.wanted.left_out.get() + 1),
            // It counts once, wherever the standard output is read.
            Unwrapped::Damaged(_) if self.wanted.output != Some(Output::Stderr) => {
                text.extend_from_slice(&self.wrapped);
            }
            Unwrapped::Piece | Unwrapped::Damaged(_) => {}
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

    fn source(text: &str) -> Box<dyn Read> {
        Box::new(Cursor::new(text.to_owned().into_bytes()))
    }

    fn unwrapped(text: &str, output: Option<Output>) -> String {
        let (mut out, wanted) = (String::new(), Wanted::default());
        unwrap(source(text), Wanted { output, ..wanted })
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
    fn its_error_output_can_be_read_alone() {
        let at = "2026-11-20T09:59:41.361000061Z";
        let text = format!("{at} stdout F line\ndamaged\n{at} stderr P er\n{at} stderr F ror\n");
        let mut out = String::new();
        stderr(source(&text))
            .unwrap()
            .unwrap()
            .read_to_string(&mut out)
            .unwrap();
        assert_eq!(out, "error\n");
        assert!(stderr(source("a\nb\n")).unwrap().is_none());
        let wanted = Wanted::only(Output::Stdout);
        let mut out = unwrap(source(&text), wanted.clone()).unwrap();
        io::copy(&mut out, &mut io::sink()).unwrap();
        assert_eq!(wanted.left_out.get(), 1);
    }

    #[test]
    fn an_endless_line_costs_no_memory() {
        let at = "2026-11-20T09:59:41Z stdout F ok\n";
        let text = format!("{at}{}\n{at}", "x".repeat(10 * MAX_LINE));
        let out = unwrapped(&text, None);
        assert!(out.starts_with("ok\nxxx") && out.ends_with("x\nok\n"));
    }
}
