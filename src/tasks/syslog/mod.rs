//! One log source that is received as syslog.
//!
//! Decides nothing: `syslog` divides what comes into messages, `access_log` judges them.

mod datagrams;
mod drops;
mod socket;
mod stream;

use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

pub use socket::Socket;

use super::clock;
use super::record::SourceRecorder;
use super::source::{Log, SourceReader};
use crate::access_log::wrapping::Unwrapper;
use crate::config::LogSource;
use crate::tail::lines::Piece;

/// Most messages of one socket between two looks at the others.
const PASS_MAX: usize = 1024;

/// Time between two looks at the kernel's count of dropped datagrams: well below a scrape's interval.
const DROPS_PERIOD: Duration = Duration::from_secs(1);

/// How long a source that stops waits for what the kernel still holds for it.
const LINGER: Duration = Duration::from_millis(20);

/// Most such waits: a sender that never pauses cannot hold up the end.
const LINGER_MAX: usize = 50;

/// What was found at a socket.
#[derive(Debug)]
enum Found<'a> {
    /// So many bytes were received.
    Bytes(usize),
    /// A message, or bytes that give none.
    Piece(Piece<'a>),
    /// A connection beyond the cap, closed unread.
    Refused,
}

/// Such a source at work.
pub struct SyslogTask {
    source: SourceReader,
    unwrapper: Unwrapper,
    access: Socket,
    error: Option<Socket>,
    /// When to look at the count of drops.
    look: Instant,
}

impl SyslogTask {
    /// Prepares the source.
    pub fn new(
        source: &LogSource,
        access: Socket,
        error: Option<Socket>,
        recorder: SourceRecorder,
    ) -> Self {
        Self {
            source: SourceReader::new(source, recorder),
            unwrapper: Unwrapper::new(source.wrapping),
            access,
            error,
            look: clock::now(),
        }
    }

    /// Receives until `stop`, then what was sent by then; gives the sockets back.
    pub async fn run(mut self, stop: CancellationToken) -> Vec<Socket> {
        while !stop.is_cancelled() {
            if self.poll(clock::now()) {
                // More is waiting, but other tasks share this thread.
                tokio::task::yield_now().await;
                continue;
            }
            let due = self
                .source
                .deadline()
                .map_or(self.look, |due| due.min(self.look));
            tokio::select! {
                () = stop.cancelled() => {}
                () = ready(&mut self.access, self.error.as_mut()) => {}
                () = clock::sleep_until(Some(due)) => {}
            }
        }
        for _ in 0..LINGER_MAX {
            let more = ready(&mut self.access, self.error.as_mut());
            if tokio::time::timeout(LINGER, more).await.is_err() {
                break;
            }
            self.poll(clock::now());
        }
        self.look_at_drops(clock::now());
        self.source.finish();
        [self.access].into_iter().chain(self.error).collect()
    }

    /// One look at both sockets; says whether more may be waiting. The error log first, so that a stream's end finds
    /// its cause there.
    fn poll(&mut self, now: Instant) -> bool {
        let Self {
            source,
            unwrapper,
            access,
            error,
            ..
        } = self;
        let wall = clock::wall();
        let mut more = false;
        let sockets = error.iter_mut().map(|socket| (Log::Error, socket));
        for (log, socket) in sockets.chain([(Log::Access, access)]) {
            more |= socket.read(&mut |found| match found {
                Found::Bytes(bytes) => source.metrics().read(bytes as u64),
                Found::Piece(Piece::Line(line)) => {
                    source.line(now, wall, log, unwrapper.line(line));
                }
                Found::Piece(Piece::Lost { cause, bytes }) => source.metrics().lost(cause, bytes),
                Found::Refused => source.metrics().connection_refused(),
            });
        }
        source.tick(now);
        if now >= self.look {
            self.look_at_drops(now);
        }
        more
    }

    fn look_at_drops(&mut self, now: Instant) {
        self.look = now + DROPS_PERIOD;
        for socket in self.error.iter_mut().chain([&mut self.access]) {
            self.source.metrics().dropped(socket.dropped());
        }
    }
}

/// Resolves when one of them can be read. Cancel-safe.
async fn ready(access: &mut Socket, error: Option<&mut Socket>) {
    match error {
        None => access.ready().await,
        Some(error) => tokio::select! {
            () = access.ready() => {}
            () = error.ready() => {}
        },
    }
}
