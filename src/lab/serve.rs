//! Accepts connections and owns their tasks, for replicas and proxy alike.
//!
//! Stopping tears every connection down at once and waits until each is gone: no final chunk, the
//! kernel sends FIN, as for a killed process. Knows nothing of HTTP but the limits of its heads.

use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper_util::rt::TokioTimer;
use tokio::net::{TcpListener, TcpStream};
use tokio::select;
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

/// Connections that one listener serves at a time; more wait in the kernel's queue.
const CONNECTIONS_MAX: usize = 512;

/// How long a connection may take over a request's head, or idle between two requests.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// Bytes that one connection may buffer, its head included.
const BUFFER_MAX: usize = 64 * 1024;

/// Pause after a failed accept: out of file descriptors is not cured by asking again at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Listens on loopback; port 0 lets the kernel choose.
pub(super) async fn listen(port: u16) -> io::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    let addr = listener.local_addr()?;
    Ok((listener, addr))
}

/// The HTTP/1.1 server settings of every laboratory connection.
pub(super) fn http() -> http1::Builder {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(BUFFER_MAX);
    http
}

/// Serves each accepted connection in a task of its own until `stop`, then ends them all.
pub(super) async fn accept<S, F>(listener: TcpListener, stop: CancellationToken, mut serve: S)
where
    S: FnMut(TcpStream, SocketAddr) -> F,
    F: Future<Output = ()> + Send + 'static,
{
    let mut connections = JoinSet::new();
    loop {
        select! {
            () = stop.cancelled() => break,
            Some(ended) = connections.join_next() => rethrow(ended),
            accepted = listener.accept(), if connections.len() < CONNECTIONS_MAX => match accepted {
                Ok((stream, peer)) => { connections.spawn(serve(stream, peer)); }
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            },
        }
    }
    // The port refuses before the first client notices its cut and tries again.
    drop(listener);
    connections.shutdown().await;
}

/// A task that panicked is a bug of ours: carry the panic on to whoever waits for the task.
pub(super) fn rethrow(ended: Result<(), JoinError>) {
    if let Err(error) = ended
        && let Ok(panic) = error.try_into_panic()
    {
        std::panic::resume_unwind(panic);
    }
}
