//! Servers that cannot be reached.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use holter::canary::Transport;
use holter::reason::Reason;

use crate::Seen;
use crate::hold::{Canary, Target};

/// A canary whose first request is that for the stream.
async fn failure(url: &str, connect_timeout: Duration) -> Seen {
    let canary = Canary::start(Target {
        transport: Transport::HttpSse,
        connect_timeout,
        ..Target::new(url.to_owned())
    });
    let (canary, seen) = tokio::task::spawn_blocking(|| {
        let seen = canary.first_end(drop);
        (canary, seen)
    })
    .await
    .expect("joined");
    canary.stop().await;
    seen
}

const LONG: Duration = Duration::from_secs(30);
const SHORT: Duration = Duration::from_millis(500);

fn closed_port() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    listener.local_addr().expect("bound")
}

#[tokio::test]
async fn a_closed_port() {
    let url = format!("http://{}/mcp", closed_port());
    assert_eq!(
        failure(&url, LONG).await,
        Seen::Failed(Reason::ConnectRefused)
    );
}

/// `localhost` is two addresses on most machines; each is tried.
#[tokio::test]
async fn a_closed_port_by_name() {
    let url = format!("http://localhost:{}/mcp", closed_port().port());
    assert_eq!(
        failure(&url, LONG).await,
        Seen::Failed(Reason::ConnectRefused)
    );
}

#[tokio::test]
async fn a_name_that_does_not_exist() {
    assert_eq!(
        failure("http://holter.invalid/mcp", LONG).await,
        Seen::Failed(Reason::DnsError)
    );
}

#[tokio::test]
async fn a_backlog_that_is_full() {
    let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
    socket
        .bind("127.0.0.1:0".parse().expect("an address"))
        .expect("loopback");
    let listener = socket.listen(1).expect("a listener");
    let address = listener.local_addr().expect("bound");
    let connect = || TcpStream::connect_timeout(&address, Duration::from_millis(200));
    let waiting: Vec<_> = std::iter::from_fn(|| connect().ok()).collect();
    assert!(!waiting.is_empty());
    assert_eq!(
        failure(&format!("http://{address}/mcp"), SHORT).await,
        Seen::Failed(Reason::ConnectTimeout)
    );
}
