//! One log source that is read from standard input.
//!
//! Its end is no error and ends nothing: the counts stay readable. Decides nothing: `access_log` judges lines.

use std::time::Instant;

use tokio::io::{AsyncReadExt, Stdin};
use tokio_util::sync::CancellationToken;

use super::clock;
use super::record::SourceRecorder;
use super::source::{Log, SourceReader};
use crate::access_log::wrapping::Unwrapper;
use crate::config::LogSource;
use crate::tail::lines::{Lines, Piece};

/// One read.
const CHUNK: usize = 64 * 1024;

/// Standard input, and the line that is being read of it. There is one in a process: a second reader would take
/// bytes from the first.
#[derive(Debug)]
pub struct Input {
    /// `None` at its end.
    stdin: Option<Stdin>,
    lines: Lines,
    buffer: Vec<u8>,
}

impl Default for Input {
    fn default() -> Self {
        Self {
            stdin: Some(tokio::io::stdin()),
            lines: Lines::default(),
            buffer: vec![0; CHUNK],
        }
    }
}

impl Input {
    /// The next bytes; none at the end, and for ever pending after it. Cancel-safe: what a cancelled read took is
    /// kept for the next.
    async fn read(&mut self) -> &[u8] {
        let Some(stdin) = &mut self.stdin else {
            return std::future::pending().await;
        };
        let read = stdin.read(&mut self.buffer).await;
        let length = read.unwrap_or_else(|error| {
            tracing::warn!(%error, "standard input cannot be read");
            0
        });
        if length == 0 {
            self.stdin = None;
        }
        self.buffer.get(..length).unwrap_or_default()
    }
}

/// Such a source at work.
pub struct StdinTask {
    source: SourceReader,
    unwrapper: Unwrapper,
    input: Input,
}

impl StdinTask {
    /// Prepares the source.
    pub fn new(source: &LogSource, input: Input, recorder: SourceRecorder) -> Self {
        Self {
            source: SourceReader::new(source, recorder),
            unwrapper: Unwrapper::new(source.wrapping),
            input,
        }
    }

    /// Reads until `stop`; gives the input back, with the line that is not yet whole.
    pub async fn run(mut self, stop: CancellationToken) -> Input {
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                bytes = self.input.read() => {
                    let bytes = bytes.len();
                    self.take(clock::now(), bytes);
                }
                () = clock::sleep_until(self.source.deadline()) => {}
            }
            self.source.tick(clock::now());
        }
        self.source.finish();
        self.input
    }

    /// Takes so many bytes of the buffer; none is the end, where an unterminated line counts as one.
    fn take(&mut self, now: Instant, bytes: usize) {
        let Self {
            source,
            unwrapper,
            input,
        } = self;
        let wall = clock::wall();
        let mut on = |piece: Piece<'_>| match piece {
            Piece::Line(line) => source.line(now, wall, Log::Access, unwrapper.line(line)),
            Piece::Lost { cause, bytes } => source.metrics().lost(cause, bytes),
        };
        if bytes > 0 {
            input
                .lines
                .feed(input.buffer.get(..bytes).unwrap_or_default(), &mut on);
            source.metrics().read(bytes as u64);
        } else {
            if input.lines.pending() > 0 {
                input.lines.finish(&mut on);
            }
            tracing::info!(source = source.metrics().name(), "standard input ended");
        }
    }
}
