//! The admin server over real sockets and real time: short limits, and waiting for conditions only.

use std::future::pending;
use std::time::{Duration, SystemTime};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::routes::{Views, router};
use super::*;
use crate::status::Status;
use crate::tasks::supervisor::{Failure, Supervisor};

/// Far more than a loaded machine needs, far less than for ever.
const PATIENCE: Duration = Duration::from_secs(20);

const SOON: Duration = Duration::from_millis(50);

/// More than the sockets between the two ends can hold.
const HUGE: usize = 64 << 20;

async fn within<T>(future: impl Future<Output = T>) -> T {
    timeout(PATIENCE, future).await.expect("in time")
}

fn views(metrics: impl Fn() -> String + Send + Sync + 'static) -> Views {
    let status = || Status {
        version: "1.2.3".to_owned(),
        started_at: SystemTime::UNIX_EPOCH,
        at: SystemTime::UNIX_EPOCH,
        legs: Vec::new(),
        sources: Vec::new(),
        disconnects: Vec::new(),
    };
    let metrics = move || std::future::ready(metrics().into());
    Views::new(metrics, move || std::future::ready(status()))
}

fn small() -> Views {
    views(|| "holter_up 1\n".to_owned())
}

fn huge() -> Views {
    views(|| "x".repeat(HUGE))
}

/// A server under test. `tasks` ends when the server did.
struct Running {
    address: SocketAddr,
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

async fn start(views: &Views, limits: Limits) -> Running {
    let mut admin = Admin::bind("127.0.0.1:0").await.unwrap();
    admin.limits = limits;
    let stop = CancellationToken::new();
    let address = admin.local_addr();
    let mut tasks = JoinSet::new();
    tasks.spawn(admin.serve(router(views.clone()), stop.clone()));
    Running {
        address,
        stop,
        tasks,
    }
}

impl Running {
    async fn connect(&self) -> TcpStream {
        within(TcpStream::connect(self.address)).await.unwrap()
    }

    /// A connection on which a huge answer has begun to come.
    async fn slow_reader(&self) -> TcpStream {
        let mut client = self.connect().await;
        send(&mut client, "GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n").await;
        within(client.read_u8()).await.unwrap();
        client
    }

    async fn ended(&mut self) {
        within(self.tasks.join_next()).await.unwrap().unwrap();
    }
}

async fn send(client: &mut TcpStream, text: &str) {
    within(client.write_all(text.as_bytes())).await.unwrap();
}

/// All that comes until the server closes.
async fn rest(client: &mut TcpStream) -> String {
    let mut text = String::new();
    within(client.read_to_string(&mut text)).await.unwrap();
    text
}

/// One request on a connection of its own; the answer's head in lower case, and its body.
async fn ask(address: SocketAddr, method: &str, path: &str) -> (String, String) {
    let mut client = within(TcpStream::connect(address)).await.unwrap();
    let request = format!("{method} {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    send(&mut client, &request).await;
    let answer = rest(&mut client).await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_ascii_lowercase(), body.to_owned())
}

/// One request on a connection that stays open.
async fn ask_again(client: &mut TcpStream) {
    send(client, "GET /-/healthy HTTP/1.1\r\nHost: h\r\n\r\n").await;
    let mut answer = Vec::new();
    while !answer.ends_with(b"Healthy.\n") {
        answer.push(within(client.read_u8()).await.unwrap());
    }
}

#[tokio::test]
async fn every_path_has_its_answer() {
    let views = small();
    views.set_ready();
    let server = start(&views, LIMITS).await;
    let plain = "text/plain; charset=utf-8";
    for (method, path, status, kind, body) in [
        (
            "GET",
            "/metrics",
            200,
            "text/plain; version=0.0.4; charset=utf-8",
            "holter_up 1\n",
        ),
        (
            "GET",
            "/",
            200,
            "text/html; charset=utf-8",
            "Nothing is watched",
        ),
        (
            "GET",
            "/api/v1/status",
            200,
            "application/json",
            "\"version\":\"1.2.3\"",
        ),
        ("GET", "/-/healthy", 200, plain, "Healthy.\n"),
        ("GET", "/-/ready", 200, plain, "Ready.\n"),
        ("GET", "/metrics/", 404, plain, "Not found.\n"),
        ("GET", "/nowhere/else", 404, plain, "Not found.\n"),
        ("POST", "/metrics", 405, plain, "Method not allowed.\n"),
        ("DELETE", "/", 405, plain, "Method not allowed.\n"),
        ("PUT", "/nowhere", 404, plain, "Not found.\n"),
    ] {
        let (head, answer) = ask(server.address, method, path).await;
        let told = format!("{method} {path}: {head}\n{answer}");
        assert!(head.starts_with(&format!("http/1.1 {status} ")), "{told}");
        assert!(
            head.contains(&format!("\r\ncontent-type: {kind}\r\n")),
            "{told}"
        );
        assert!(
            head.contains("\r\nx-content-type-options: nosniff"),
            "{told}"
        );
        assert!(head.contains("\r\nreferrer-policy: no-referrer"), "{told}");
        assert!(
            head.contains("\r\ncontent-security-policy: default-src 'none'; "),
            "{told}"
        );
        assert!(answer.contains(body), "{told}");
        assert_eq!(
            status == 405,
            head.contains("\r\nallow: get,head"),
            "{told}"
        );
    }
}

#[tokio::test]
async fn head_has_no_body_and_is_no_scrape() {
    let views = small();
    let server = start(&views, LIMITS).await;
    for path in ["/metrics", "/", "/api/v1/status", "/-/healthy"] {
        let (head, body) = ask(server.address, "HEAD", path).await;
        assert!(head.starts_with("http/1.1 200 "), "{path}: {head}");
        assert_eq!(body, "", "{path}");
    }
    assert_eq!(views.scrapes().count(), 0);
    ask(server.address, "GET", "/metrics").await;
    assert_eq!(views.scrapes().count(), 1);
}

#[tokio::test]
async fn ready_once_started() {
    let views = small();
    let server = start(&views, LIMITS).await;
    let (head, body) = ask(server.address, "GET", "/-/ready").await;
    assert!(head.starts_with("http/1.1 503 "), "{head}");
    assert_eq!(body, "Starting.\n");
    let (_, healthy) = ask(server.address, "GET", "/-/healthy").await;
    assert_eq!(healthy, "Healthy.\n");
    views.set_ready();
    assert_eq!(ask(server.address, "GET", "/-/ready").await.1, "Ready.\n");
}

#[tokio::test]
async fn addresses() {
    for address in [":0", "127.0.0.1:0"] {
        let admin = Admin::bind(address).await.unwrap();
        assert_ne!(admin.local_addr().port(), 0, "{address}");
        let port = admin.local_addr().port();
        assert!(
            TcpStream::connect(("127.0.0.1", port)).await.is_ok(),
            "{address}"
        );
    }
    for address in ["", ":", ":http", ":65536", "127.0.0.1", "[::1]"] {
        let told = Admin::bind(address).await.unwrap_err().to_string();
        let expected = "expected HOST:PORT or :PORT, such as 127.0.0.1:10048";
        assert_eq!(told, format!("cannot listen on {address}: {expected}"));
    }
}

#[tokio::test]
async fn a_port_in_use_is_told_in_one_line() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = taken.local_addr().unwrap().port();
    for address in [format!("127.0.0.1:{port}"), format!(":{port}")] {
        let told = Admin::bind(&address).await.unwrap_err().to_string();
        let expected = "Address already in use (os error 98)";
        assert_eq!(told, format!("cannot listen on {address}: {expected}"));
    }
}

#[tokio::test]
async fn half_a_head_is_not_waited_for() {
    let limits = Limits {
        head: SOON,
        ..LIMITS
    };
    let server = start(&small(), limits).await;
    for half in ["", "GET /metrics HT", "GET / HTTP/1.1\r\nHost: h\r\n"] {
        let mut client = server.connect().await;
        send(&mut client, half).await;
        assert_eq!(rest(&mut client).await, "", "{half:?}");
    }
}

#[tokio::test]
async fn a_connection_that_asks_nothing_more_is_closed() {
    let limits = Limits {
        head: SOON,
        ..LIMITS
    };
    let server = start(&small(), limits).await;
    let mut client = server.connect().await;
    ask_again(&mut client).await;
    assert_eq!(rest(&mut client).await, "");
}

#[tokio::test]
async fn the_65th_connection_waits_for_a_place() {
    let limits = Limits {
        head: PATIENCE * 2,
        ..LIMITS
    };
    let server = start(&small(), limits).await;
    let mut clients = Vec::new();
    for _ in 0..64 {
        let mut client = server.connect().await;
        ask_again(&mut client).await;
        clients.push(client);
    }
    let mut waiting = server.connect().await;
    send(&mut waiting, "GET /-/healthy HTTP/1.0\r\n\r\n").await;
    for client in &mut clients {
        ask_again(client).await;
    }
    let nothing = waiting.try_read(&mut [0]).unwrap_err();
    assert_eq!(nothing.kind(), io::ErrorKind::WouldBlock);
    drop(clients.pop());
    assert!(rest(&mut waiting).await.ends_with("Healthy.\n"));
}

#[tokio::test]
async fn a_slow_reader_does_not_keep_its_place() {
    let limits = Limits {
        answer: SOON,
        connections: 1,
        ..LIMITS
    };
    let server = start(&huge(), limits).await;
    let slow = server.slow_reader().await;
    assert_eq!(
        ask(server.address, "GET", "/-/healthy").await.1,
        "Healthy.\n"
    );
    drop(slow);
}

#[tokio::test]
async fn a_slow_reader_does_not_hang_the_shutdown() {
    let limits = Limits {
        answer: PATIENCE * 2,
        grace: SOON,
        ..LIMITS
    };
    let mut server = start(&huge(), limits).await;
    let slow = server.slow_reader().await;
    server.stop.cancel();
    server.ended().await;
    drop(slow);
}

#[tokio::test]
async fn half_a_head_does_not_hang_the_shutdown() {
    let limits = Limits {
        head: PATIENCE * 2,
        grace: SOON,
        ..LIMITS
    };
    let mut server = start(&small(), limits).await;
    let mut half = server.connect().await;
    send(&mut half, "GET / HTTP/1.1\r\n").await;
    // Answered after it, so the server has the half by now.
    ask(server.address, "GET", "/-/healthy").await;
    server.stop.cancel();
    server.ended().await;
}

#[tokio::test]
async fn an_answer_under_way_is_finished_before_the_end() {
    let limits = Limits {
        answer: PATIENCE * 2,
        grace: PATIENCE * 2,
        ..LIMITS
    };
    let mut server = start(&huge(), limits).await;
    let mut client = server.slow_reader().await;
    server.stop.cancel();
    let answer = rest(&mut client).await;
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    assert_eq!(body.len(), HUGE);
    server.ended().await;
    let refused = TcpStream::connect(server.address).await.unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
}

#[tokio::test]
async fn a_panic_in_an_answer_is_a_bug_of_the_task() {
    let admin = Admin::bind("127.0.0.1:0").await.unwrap();
    let address = admin.local_addr();
    let router = router(views(|| panic!("expected by the test")));
    let mut supervisor = Supervisor::new();
    supervisor.spawn_server("admin", admin.serve(router, supervisor.servers_stop()));
    let mut client = within(TcpStream::connect(address)).await.unwrap();
    send(&mut client, "GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n").await;
    let outcome = within(supervisor.run(pending(), PATIENCE)).await;
    let task = "admin".to_owned();
    assert_eq!(outcome, Err(Failure::Panicked { task }));
}
