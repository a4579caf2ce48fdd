//! The admin server: `/metrics`, the status page and the probes.
//!
//! Owns the listening socket and what one client may cost: how long it may take to ask and to read,
//! how many may be connected, how long shutdown waits for them. axum's own `serve` has none of these
//! limits: half a request head holds its connection, and shutdown, for ever.
//! What is answered is in [`routes`]; this file knows nothing of it.

mod lifecycle;
pub mod routes;
pub mod scrapes;
#[cfg(test)]
mod tests;
mod write_deadline;

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::pin;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use thiserror::Error;
use tokio::net::{TcpListener, TcpStream};
use tokio::select;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use write_deadline::WriteDeadline;

/// Pause after a failed accept: the usual cause is that file descriptors ran out, which takes a moment.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Why the server cannot listen. Tells the address as it was given.
#[derive(Debug, Error)]
pub enum BindError {
    /// Not an address.
    #[error("cannot listen on {address}: expected HOST:PORT or :PORT, such as 127.0.0.1:10048")]
    Malformed {
        /// As given.
        address: String,
    },
    /// The system refused.
    #[error("cannot listen on {address}: {cause}")]
    Refused {
        /// As given.
        address: String,
        /// What it said.
        #[source]
        cause: io::Error,
    },
}

/// What clients may cost. Scrapers are few and quick; anything else must not take their place.
#[derive(Clone, Copy, Debug)]
struct Limits {
    /// For a request's head, from the connection's start or from the answer before.
    head: Duration,
    /// For a client to take an answer.
    answer: Duration,
    /// Connections served at a time; more wait in the kernel's queue.
    connections: usize,
    /// For answers under way when the server stops.
    grace: Duration,
}

const LIMITS: Limits = Limits {
    head: Duration::from_secs(5),
    answer: Duration::from_secs(10),
    connections: 64,
    grace: Duration::from_secs(2),
};

/// A listening socket that nobody answers yet.
#[derive(Debug)]
pub struct Admin {
    listener: TcpListener,
    address: SocketAddr,
    limits: Limits,
}

impl Admin {
    /// Listens on `HOST:PORT`, or on `:PORT` for all addresses of both families.
    ///
    /// # Errors
    ///
    /// [`BindError`], in one line that names the address.
    pub async fn bind(address: &str) -> Result<Self, BindError> {
        Self::listen(address).await.map_err(|cause| {
            let address = address.to_owned();
            match cause.kind() {
                io::ErrorKind::InvalidInput => BindError::Malformed { address },
                _ => BindError::Refused { address, cause },
            }
        })
    }

    async fn listen(address: &str) -> io::Result<Self> {
        let listener = match address.strip_prefix(':') {
            Some(port) => TcpListener::bind(&everywhere(port)?[..]).await?,
            None => TcpListener::bind(address).await?,
        };
        Ok(Self {
            address: listener.local_addr()?,
            listener,
            limits: LIMITS,
        })
    }

    /// Where it listens, with the port that the system chose for port 0.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Answers with `router` until `stop`, then ends within 2 s.
    ///
    /// # Panics
    ///
    /// With the panic of a handler, which is a bug.
    pub async fn serve(self, router: Router, stop: CancellationToken) {
        let service = TowerToHyperService::new(router);
        let mut clients = JoinSet::new();
        loop {
            select! {
                () = stop.cancelled() => break,
                Some(ended) = clients.join_next() => pass_on_panic(ended),
                accepted = self.listener.accept(), if clients.len() < self.limits.connections => match accepted {
                    Ok((stream, _)) => {
                        clients.spawn(converse(stream, service.clone(), self.limits, stop.clone()));
                    }
                    Err(error) => pause(&error, &stop).await,
                },
            }
        }
        drop(self.listener);
        if timeout(self.limits.grace, join(&mut clients))
            .await
            .is_err()
        {
            debug!(
                "closing {} connections that did not end in time",
                clients.len()
            );
        }
    }
}

/// IPv6 first, which takes IPv4 too unless the system forbids; IPv4 where there is no IPv6.
fn everywhere(port: &str) -> io::Result<[SocketAddr; 2]> {
    let port: u16 = port.parse().map_err(|_| io::ErrorKind::InvalidInput)?;
    Ok([
        (Ipv6Addr::UNSPECIFIED, port).into(),
        (Ipv4Addr::UNSPECIFIED, port).into(),
    ])
}

/// One connection, from its first request to its end.
async fn converse(
    stream: TcpStream,
    service: TowerToHyperService<Router>,
    limits: Limits,
    stop: CancellationToken,
) {
    let io = TokioIo::new(WriteDeadline::new(stream, limits.answer));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .serve_connection(io, service);
    let mut connection = pin!(connection);
    let ended = select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        debug!("admin connection: {error}");
    }
}

async fn pause(error: &io::Error, stop: &CancellationToken) {
    warn!("cannot accept a connection: {error}");
    select! {
        () = stop.cancelled() => {}
        () = sleep(ACCEPT_PAUSE) => {}
    }
}

async fn join(clients: &mut JoinSet<()>) {
    while let Some(ended) = clients.join_next().await {
        pass_on_panic(ended);
    }
}

fn pass_on_panic(ended: Result<(), JoinError>) {
    if let Err(error) = ended
        && let Ok(panic) = error.try_into_panic()
    {
        std::panic::resume_unwind(panic);
    }
}
