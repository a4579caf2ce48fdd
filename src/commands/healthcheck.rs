//! `holter healthcheck`: asks a running Holter whether it is healthy, for images without a shell.
//!
//! Owns one question and how long an answer may take. Speaks just enough HTTP for it: whoever probes
//! every few seconds should not have to start a client with TLS and a connection pool.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use thiserror::Error;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Longer than this is not healthy. Less than Kubernetes' and Docker's usual period.
const PATIENCE: Duration = Duration::from_secs(2);

/// `HTTP/1.1 200 `: all that is read of the answer. The space is there even without a reason phrase
/// (RFC 9112, section 4).
const STATUS_LENGTH: usize = 13;

/// Why it is not healthy.
#[derive(Debug, Error)]
pub enum Unhealthy {
    /// No connection, or it broke.
    #[error("unhealthy: {address}: {cause}")]
    Unreachable {
        /// As given.
        address: String,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// No answer in time.
    #[error("unhealthy: {address}: no answer within {} s", PATIENCE.as_secs())]
    Silent {
        /// As given.
        address: String,
    },
    /// Another answer than 200.
    #[error("unhealthy: {address}: answered {status:?}, expected HTTP 200")]
    Answered {
        /// As given.
        address: String,
        /// The beginning of the answer.
        status: String,
    },
}

/// Asks `/-/healthy` at `address`, which is written as for `--web.listen-address`: `:PORT` is this host.
///
/// # Errors
///
/// [`Unhealthy`], in one line.
pub async fn check(address: &str) -> Result<(), Unhealthy> {
    check_within(PATIENCE, address).await
}

async fn check_within(patience: Duration, address: &str) -> Result<(), Unhealthy> {
    let named = || address.to_owned();
    match timeout(patience, ask(address)).await {
        Err(_) => Err(Unhealthy::Silent { address: named() }),
        Ok(Err(cause)) => Err(Unhealthy::Unreachable {
            address: named(),
            cause,
        }),
        Ok(Ok(status)) if is_ok(&status) => Ok(()),
        Ok(Ok(status)) => {
            let status = String::from_utf8_lossy(&status).into_owned();
            Err(Unhealthy::Answered {
                address: named(),
                status,
            })
        }
    }
}

fn is_ok(status: &[u8]) -> bool {
    matches!(status, b"HTTP/1.1 200 " | b"HTTP/1.0 200 ")
}

async fn ask(address: &str) -> io::Result<Vec<u8>> {
    let stream = match address.strip_prefix(':') {
        Some(port) => TcpStream::connect(&this_host(port)?[..]).await?,
        None => TcpStream::connect(address).await?,
    };
    let question = "GET /-/healthy HTTP/1.1\r\nHost: holter\r\nConnection: close\r\n\r\n";
    send(&stream, question.as_bytes()).await?;
    receive(&stream).await
}

fn this_host(port: &str) -> io::Result<[SocketAddr; 2]> {
    let port: u16 = port.parse().map_err(|_| io::ErrorKind::InvalidInput)?;
    Ok([
        (Ipv4Addr::LOCALHOST, port).into(),
        (Ipv6Addr::LOCALHOST, port).into(),
    ])
}

async fn send(stream: &TcpStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        stream.writable().await?;
        match stream.try_write(bytes) {
            Ok(sent) => bytes = bytes.get(sent..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// The status line's beginning, shorter where the answer ends before.
async fn receive(stream: &TcpStream) -> io::Result<Vec<u8>> {
    let mut status = Vec::with_capacity(STATUS_LENGTH);
    while status.len() < STATUS_LENGTH {
        stream.readable().await?;
        let mut buffer = [0; STATUS_LENGTH];
        let room = buffer.get_mut(status.len()..).unwrap_or_default();
        match stream.try_read(room) {
            Ok(0) => break,
            Ok(read) => status.extend(room.iter().take(read)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(status)
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpListener;
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::status::Status;
    use crate::tasks::admin::Admin;
    use crate::tasks::admin::routes::{Views, router};

    async fn listen() -> (TcpListener, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        (listener, address)
    }

    fn picture() -> Status {
        Status {
            version: String::new(),
            started_at: SystemTime::UNIX_EPOCH,
            at: SystemTime::UNIX_EPOCH,
            legs: Vec::new(),
            sources: Vec::new(),
            disconnects: Vec::new(),
        }
    }

    #[tokio::test]
    async fn a_running_holter_is_healthy() {
        let admin = Admin::bind(":0").await.unwrap();
        let port = admin.local_addr().port();
        let router = router(Views::new(
            || std::future::ready(bytes::Bytes::new()),
            || std::future::ready(picture()),
        ));
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(admin.serve(router, CancellationToken::new()));
        for address in [
            format!(":{port}"),
            format!("127.0.0.1:{port}"),
            format!("0.0.0.0:{port}"),
        ] {
            assert!(check(&address).await.is_ok(), "{address}");
        }
    }

    #[tokio::test]
    async fn any_other_answer_is_not() {
        for (answer, told) in [
            ("HTTP/1.1 503 Service Unavailable\r\n\r\n", "HTTP/1.1 503 "),
            ("HTTP/1.1 2000\r\n\r\n", "HTTP/1.1 2000"),
            ("SSH-2.0-OpenSSH_9.2", "SSH-2.0-OpenS"),
            ("HTTP/1.1", "HTTP/1.1"),
            ("", ""),
        ] {
            let (listener, address) = listen().await;
            let answering = async {
                let (mut stream, _) = listener.accept().await.unwrap();
                stream.write_all(answer.as_bytes()).await.unwrap();
                stream.shutdown().await.unwrap();
                std::future::pending::<()>().await
            };
            let outcome = tokio::select! { outcome = check(&address) => outcome, () = answering => unreachable!() };
            let expected = format!("unhealthy: {address}: answered {told:?}, expected HTTP 200");
            assert_eq!(outcome.unwrap_err().to_string(), expected);
        }
    }

    #[tokio::test]
    async fn no_answer_is_not() {
        let (listener, address) = listen().await;
        let silent = check_within(Duration::from_millis(20), &address);
        let silent = timeout(Duration::from_secs(20), silent).await.unwrap();
        let expected = format!("unhealthy: {address}: no answer within 2 s");
        assert_eq!(silent.unwrap_err().to_string(), expected);
        drop(listener);
        let refused = check(&address).await.unwrap_err().to_string();
        let expected = "Connection refused (os error 111)";
        assert_eq!(refused, format!("unhealthy: {address}: {expected}"));
    }
}
