//! One log source that is received as syslog.
//!
//! Decides nothing: `syslog` divides what comes into messages, `access_log` judges them.

mod datagrams;
mod drops;
mod socket;
mod stream;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

pub use socket::Socket;

use super::clock;
use super::reading::Reading;
use super::source::Log;
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
    reading: Arc<Mutex<Reading>>,
    unwrapper: Unwrapper,
    access: Socket,
    error: Option<Socket>,
    /// When to look at the count of drops.
    look: Instant,
}

impl SyslogTask {
    /// Counts in `reading` what comes at the sockets.
    pub fn new(
        source: &LogSource,
        reading: Arc<Mutex<Reading>>,
        access: Socket,
        error: Option<Socket>,
    ) -> Self {
        Self {
            reading,
            unwrapper: Unwrapper::new(source.wrapping),
            access,
            error,
            look: clock::now(),
        }
    }

    /// Receives until `stop`, then what was sent by then; gives the sockets back.
    pub async fn run(mut self, stop: CancellationToken) -> Vec<Socket> {
        while !stop.is_cancelled() {
            let (more, deadline) = self.poll().await;
            if more {
                // More is waiting, but other tasks share this thread.
                tokio::task::yield_now().await;
                continue;
            }
            let due = deadline.map_or(self.look, |due| due.min(self.look));
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
            self.poll().await;
        }
        self.look = clock::now();
        self.poll().await;
        [self.access].into_iter().chain(self.error).collect()
    }

    /// One look at both sockets; says whether more may be waiting, and when something is due. The error log first, so
    /// that a stream's end finds its cause there. What is taken from a socket is counted before a scrape can look.
    async fn poll(&mut self) -> (bool, Option<Instant>) {
        let mut reading = self.reading.lock().await;
        let (now, wall) = (clock::now(), clock::wall());
        let source = &mut reading.source;
        let unwrapper = &mut self.unwrapper;
        let mut more = false;
        let sockets = self.error.iter_mut().map(|socket| (Log::Error, socket));
        for (log, socket) in sockets.chain([(Log::Access, &mut self.access)]) {
            more |= socket.read(&mut |found| match found {
                Found::Bytes(bytes) => source.metrics().read(bytes as u64),
                Found::Piece(Piece::Line(line)) => {
                    source.line(now, wall, log, unwrapper.line(line));
                }
                Found::Piece(Piece::Lost { cause, bytes }) => source.metrics().lost(cause, bytes),
                Found::Refused => source.metrics().connection_refused(),
            });
        }
        if now >= self.look {
            self.look = now + DROPS_PERIOD;
            for socket in self.error.iter_mut().chain([&mut self.access]) {
                source.metrics().dropped(socket.dropped());
            }
        }
        (more, reading.tick(now))
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
