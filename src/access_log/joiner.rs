//! The join that a proxy's logs need: which of them, behind one face.
//!
//! It does not know what lines look like, nor what the joins go by.

use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::event::{Closed, Event};
use super::nginx::error::{self, Level, Subject};
use super::{Format, Record, UnparsedKind, apache, caddy, nginx};

/// Streams, and what a second log says about them.
#[derive(Debug)]
pub(super) enum Joiner {
    /// nginx: access and error log.
    Nginx(nginx::join::Joiner),
    /// Apache: access and error log.
    Apache(apache::join::Joiner),
    /// Caddy: access and runtime log, in two files or in one.
    Caddy(caddy::join::Joiner),
    /// Every line tells what it tells alone.
    Alone,
}

/// What a restart goes on from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Saved {
    /// Nothing is held.
    #[default]
    Nothing,
    /// nginx's.
    Nginx(nginx::join::Saved),
    /// Apache's.
    Apache(apache::join::Saved),
    /// Caddy's.
    Caddy(caddy::join::Saved),
}

impl Joiner {
    /// The join for this format.
    pub(super) fn new(format: &Format, has_error_log: bool) -> Self {
        match format {
            Format::Nginx(_) => Self::Nginx(nginx::join::Joiner::new(has_error_log)),
            Format::Apache(_) => Self::Apache(apache::join::Joiner::new(has_error_log)),
            Format::Caddy(_) => Self::Caddy(caddy::join::Joiner::new(has_error_log)),
            Format::HaProxy(_) | Format::Envoy(_) | Format::Traefik(_) | Format::Rules(_) => {
                Self::Alone
            }
        }
    }

    /// Takes a stream's record: decides it, or holds it.
    pub(super) fn stream(
        &mut self,
        now: Instant,
        line: u64,
        record: &Record<'_>,
        out: &mut Vec<Event>,
    ) {
        match self {
            Self::Nginx(join) => join.stream(now, record, Closed::of(line, record), out),
            Self::Apache(join) => join.stream(now, record, Closed::of(line, record), out),
            Self::Caddy(join) => join.stream(now, record, Closed::of(line, record), out),
            Self::Alone => out.push(Event::StreamClosed(Closed::of(line, record))),
        }
    }

    /// Takes a line of the error log, without its line end.
    pub(super) fn error(&mut self, now: Instant, line: &[u8], out: &mut Vec<Event>) {
        let read = match self {
            Self::Nginx(join) => nginx_error(join, now, line, out),
            Self::Apache(join) => join.error(now, line, out),
            Self::Caddy(join) => join.error(now, line, out),
            Self::Alone => Ok(()),
        };
        if let Err(kind) = read {
            out.push(Event::Unparsed(kind));
        }
    }

    /// Says whether the second log covers the time of the lines that come next.
    pub(super) fn set_error_log(&mut self, speaks: bool) {
        match self {
            Self::Nginx(join) => join.set_error_log(speaks),
            Self::Apache(join) => join.set_error_log(speaks),
            Self::Caddy(join) => join.set_error_log(speaks),
            Self::Alone => {}
        }
    }

    /// Decides the oldest stream without waiting longer, and counts that.
    pub(super) fn evict_stream(&mut self, out: &mut Vec<Event>) {
        match self {
            Self::Nginx(join) => join.evict_stream(out),
            Self::Apache(join) => join.evict_stream(out),
            Self::Caddy(join) => join.evict_stream(out),
            Self::Alone => {}
        }
    }

    /// When [`Joiner::tick`] is due.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Nginx(join) => join.deadline(),
            Self::Apache(join) => join.deadline(),
            Self::Caddy(join) => join.deadline(),
            Self::Alone => None,
        }
    }

    /// Decides the streams whose window is over.
    pub(super) fn tick(&mut self, now: Instant, out: &mut Vec<Event>) {
        match self {
            Self::Nginx(join) => join.tick(now, out),
            Self::Apache(join) => join.tick(now, out),
            Self::Caddy(join) => join.tick(now, out),
            Self::Alone => {}
        }
    }

    /// What is held.
    pub(super) fn save(&self) -> Saved {
        match self {
            Self::Nginx(join) => Saved::Nginx(join.save()),
            Self::Apache(join) => Saved::Apache(join.save()),
            Self::Caddy(join) => Saved::Caddy(join.save()),
            Self::Alone => Saved::Nothing,
        }
    }

    /// Goes on from what was held; what another format's join held is decided.
    pub(super) fn resume(&mut self, now: Instant, saved: Saved, out: &mut Vec<Event>) {
        match (self, saved) {
            (Self::Nginx(join), Saved::Nginx(saved)) => join.resume(now, saved),
            (Self::Apache(join), Saved::Apache(saved)) => join.resume(now, saved),
            (Self::Caddy(join), Saved::Caddy(saved)) => join.resume(now, saved),
            (_, Saved::Nginx(saved)) => saved.decide(out),
            (_, Saved::Apache(saved)) => saved.decide(out),
            (_, Saved::Caddy(saved)) => saved.decide(out),
            (_, Saved::Nothing) => {}
        }
    }

    /// Decides every stream that is held.
    pub(super) fn finish(&mut self, out: &mut Vec<Event>) {
        match self {
            Self::Nginx(join) => join.finish(out),
            Self::Apache(join) => join.finish(out),
            Self::Caddy(join) => join.finish(out),
            Self::Alone => {}
        }
    }
}

fn nginx_error(
    join: &mut nginx::join::Joiner,
    now: Instant,
    line: &[u8],
    out: &mut Vec<Event>,
) -> Result<(), UnparsedKind> {
    // Streams whose window is over are judged by what the error log had shown until then.
    join.tick(now, out);
    let line = error::parse(line)?;
    if line.level <= Level::Info {
        join.shows_clients();
    }
    if line.level <= Level::Error {
        join.shows_errors();
    }
    match line.subject {
        Subject::Request(entry) => join.entry(now, line.at, &entry, out),
        Subject::WorkerDrains => join.worker_drains(),
        Subject::WorkerGone => join.worker_gone(now, line.at),
        Subject::Other => {}
    }
    Ok(())
}
