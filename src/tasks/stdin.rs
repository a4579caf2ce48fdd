//! One log source that is read from standard input.
//!
//! Its end is no error and ends nothing: the counts stay readable. Decides nothing: `access_log` judges lines.

use std::sync::Arc;
use std::time::Instant;

use tokio::io::{AsyncReadExt, Stdin};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use super::clock;
use super::reading::Reading;
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
    reading: Arc<Mutex<Reading>>,
    unwrapper: Unwrapper,
    input: Input,
}

impl StdinTask {
    /// Counts in `reading` what comes from `input`.
    pub fn new(source: &LogSource, reading: Arc<Mutex<Reading>>, input: Input) -> Self {
        Self {
            reading,
            unwrapper: Unwrapper::new(source.wrapping),
            input,
        }
    }

    /// Reads until `stop`; gives the input back, with the line that is not yet whole.
    pub async fn run(mut self, stop: CancellationToken) -> Input {
        let mut deadline = self.reading.lock().await.tick(clock::now());
        loop {
            let read = tokio::select! {
                () = stop.cancelled() => break,
                bytes = self.input.read() => Some(bytes.len()),
                () = clock::sleep_until(deadline) => None,
            };
            let mut reading = self.reading.lock().await;
            let now = clock::now();
            if let Some(bytes) = read {
                take(
                    &mut reading.source,
                    &mut self.unwrapper,
                    &mut self.input,
                    now,
                    bytes,
                );
            }
            deadline = reading.tick(now);
        }
        self.input
    }
}

/// Takes so many bytes of the buffer; none is the end, where an unterminated line counts as one.
fn take(
    source: &mut SourceReader,
    unwrapper: &mut Unwrapper,
    input: &mut Input,
    now: Instant,
    bytes: usize,
) {
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
