//! A small MCP server on loopback that can be killed, put to sleep and made to close its streams.
//!
//! Speaks legacy HTTP+SSE and Streamable HTTP with sessions in memory, as the official SDKs' examples
//! do. Does not know the proxy, the schedule or who watches.

mod routes;
mod rpc;
mod sessions;
mod stream;

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{clock, serve};
use sessions::Sessions;

/// How a replica behaves while nothing is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Between two heartbeats of a stream; at least a millisecond is used.
    pub heartbeat: Duration,
}

/// A replica: its address stays, its lives come and go.
pub struct Replica {
    settings: Settings,
    addr: SocketAddr,
    running: Option<Running>,
}

struct Running {
    life: Arc<Life>,
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

impl Replica {
    /// Starts a replica on a free port of 127.0.0.1.
    ///
    /// # Errors
    ///
    /// If no port can be bound.
    pub async fn bind(settings: Settings) -> io::Result<Self> {
        let mut replica = Self {
            settings,
            addr: SocketAddr::from(([127, 0, 0, 1], 0)),
            running: None,
        };
        replica.start().await?;
        Ok(replica)
    }

    /// Where it listens, dead or alive.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Starts again on the same port with every session forgotten. No effect while it runs.
    ///
    /// # Errors
    ///
    /// If somebody else took the port while the replica was down; it may be tried again.
    pub async fn start(&mut self) -> io::Result<()> {
        if self.running.is_some() {
            return Ok(());
        }
        let (listener, addr) = serve::listen(self.addr.port()).await?;
        self.addr = addr;
        let life = Arc::new(Life::new(self.settings.heartbeat));
        let stop = CancellationToken::new();
        let app = routes::routes(Arc::clone(&life));
        let mut tasks = JoinSet::new();
        tasks.spawn(serve::accept(listener, stop.clone(), move |stream, _| {
            connection(stream, app.clone())
        }));
        self.running = Some(Running { life, stop, tasks });
        Ok(())
    }

    /// Tears every connection down without a final chunk and refuses new ones, as SIGKILL would.
    /// When it returns, no connection and no listener is left.
    pub async fn kill(&mut self) {
        if let Some(mut running) = self.running.take() {
            running.stop.cancel();
            while let Some(ended) = running.tasks.join_next().await {
                serve::rethrow(ended);
            }
        }
    }

    /// Stops the heartbeats of all streams for `duration` from now; a longer nap stays as it is.
    pub fn nap(&self, duration: Duration) {
        if let Some(running) = &self.running {
            running.life.nap_until(clock::now() + duration);
        }
    }

    /// Ends every open stream in order, with the final chunk.
    pub fn close_streams(&self) {
        if let Some(running) = &self.running {
            running.life.sessions().close_streams();
        }
    }
}

async fn connection(stream: TcpStream, app: Router) {
    let service = TowerToHyperService::new(app);
    // How a client's connection ends is the client's business: there is nobody to tell.
    drop(
        serve::http()
            .serve_connection(TokioIo::new(stream), service)
            .await,
    );
}

/// What a replica remembers between two kills.
struct Life {
    heartbeat: Duration,
    sessions: Mutex<Sessions>,
    asleep_until: Mutex<Option<Instant>>,
}

impl Life {
    fn new(heartbeat: Duration) -> Self {
        Self {
            heartbeat: heartbeat.max(Duration::from_millis(1)),
            sessions: Mutex::default(),
            asleep_until: Mutex::default(),
        }
    }

    fn sessions(&self) -> MutexGuard<'_, Sessions> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn nap_until(&self, end: Instant) {
        let mut asleep = self
            .asleep_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *asleep = (*asleep).max(Some(end));
    }

    fn is_napping(&self) -> bool {
        let asleep = self
            .asleep_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        asleep.is_some_and(|end| clock::now() < end)
    }
}
