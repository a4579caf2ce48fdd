//! Holter's reader on a file, as a sidecar drives it: reads of 256 KiB, lines, events.

use std::collections::BTreeMap;
use std::fs::File;
use std::hash::RandomState;
use std::io::Read as _;
use std::path::Path;
use std::time::Instant;

use holter::access_log::event::Event;
use holter::access_log::reader::Reader;
use holter::access_log::streams::StreamRule;
use holter::access_log::{Format, nginx};
use holter::affinity::{DEFAULT_IDLE, DEFAULT_SESSIONS, Table};
use holter::label::Label as _;
use holter::tail::lines::{Lines, Piece};

use super::generate::Kind;

const BUFFER: usize = 256 * 1024;

/// Reads the file and prints what was counted.
#[expect(
    clippy::disallowed_methods,
    reason = "a replay needs some moment to begin"
)]
pub(crate) fn print(kind: Kind, path: &Path) {
    let format = Format::Nginx(nginx::Format::compile(kind.format()).expect("a format"));
    let sessions = Table::new(RandomState::new(), DEFAULT_SESSIONS, DEFAULT_IDLE);
    let mut reader = Reader::new(format, StreamRule::default(), false, sessions);
    let mut file = File::open(path).expect("the log");
    let (mut lines, mut events, mut counts) = (Lines::default(), Vec::new(), BTreeMap::new());
    let (mut buffer, now, mut read) = (vec![0; BUFFER], Instant::now(), 0u64);
    loop {
        let length = file.read(&mut buffer).expect("the log read");
        if length == 0 {
            break;
        }
        lines.feed(&buffer[..length], &mut |piece| {
            if let Piece::Line(line) = piece {
                read += 1;
                reader.access(now, line, &mut events);
            }
        });
        for event in events.drain(..) {
            *counts.entry(name(&event)).or_insert(0u64) += 1;
        }
    }
    println!("{read} lines {counts:?}");
}

fn name(event: &Event) -> &'static str {
    match event {
        Event::StreamClosed(closed) => closed.reason.as_str(),
        Event::Session { verdict, .. } => verdict.as_str(),
        Event::Unparsed(kind) => kind.as_str(),
        Event::SessionOpened => "session opened",
        Event::SessionUnknown => "session unknown",
        _ => "other",
    }
}
