//! A small reverse proxy that ends streams and logs them as nginx does.
//!
//! It behaves like nginx with `proxy_http_version 1.1`, `proxy_buffering off`, `max_fails=0` and
//! `proxy_next_upstream` for refused connections only: a request that reached a replica is never
//! sent twice. Does not know the schedule, nor what MCP is beyond one header in its log.

mod exchange;
mod line;
mod log;
mod text;

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header, request};
use bytes::Bytes;
use futures_util::stream;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::fetch::{Broken, Chunks, Fetched, fetch};
use super::{clock, serve};
use exchange::Exchange;
pub use line::LOG_FORMAT;
use line::{End, keepalive_line};
use log::Logs;

/// Bytes of a request's body; it is read whole before an upstream is chosen (nginx
/// `client_max_body_size`, default 1m).
const REQUEST_MAX: usize = 1024 * 1024;

/// Linux's number for a connection that timed out, as it stands in the error log.
const ETIMEDOUT: i32 = 110;

/// How the proxy chooses a replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Balance {
    /// Each request to the next replica: what breaks sessions.
    RoundRobin,
    /// By the client's address (nginx `ip_hash`): what keeps them.
    ClientAddress,
}

/// What the proxy forwards to, and how.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The replicas; one that refuses is passed over.
    pub replicas: Vec<SocketAddr>,
    /// How one is chosen.
    pub balance: Balance,
    /// The longest silence of an upstream, head or body (nginx `proxy_read_timeout`); also the limit
    /// for connecting (`proxy_connect_timeout`).
    pub read_timeout: Duration,
}

/// A running proxy. Dropping it stops it at once and leaves no log line for what was cut by that.
pub struct Proxy {
    addr: SocketAddr,
    // Before `tasks`: the stop must be known when the connections are torn down.
    stop: DropGuard,
    tasks: JoinSet<()>,
}

impl Proxy {
    /// Starts a proxy on a free port of 127.0.0.1 that writes to two new files, readable by their
    /// owner only.
    ///
    /// # Errors
    ///
    /// If no port can be bound, or a log file exists already or cannot be created.
    pub async fn start(settings: Settings, access: &Path, error: &Path) -> io::Result<Self> {
        let stop = CancellationToken::new();
        let logs = Arc::new(Logs::create(access, error, stop.clone())?);
        let (listener, addr) = serve::listen(0).await?;
        let proxy = Arc::new(Forwarder {
            settings,
            turn: AtomicUsize::new(0),
            logs,
        });
        let mut connections = 0;
        let mut tasks = JoinSet::new();
        tasks.spawn(serve::accept(
            listener,
            stop.clone(),
            move |stream, addr| {
                connections += 1;
                let client = Client {
                    connection: connections,
                    addr,
                    keep: AtomicBool::new(false),
                };
                connection(stream, Arc::clone(&proxy), Arc::new(client))
            },
        ));
        Ok(Self {
            addr,
            stop: stop.drop_guard(),
            tasks,
        })
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Tears every connection down, and returns when all are gone and the files are closed.
    pub async fn stop(self) {
        let Self {
            stop, mut tasks, ..
        } = self;
        drop(stop);
        while let Some(ended) = tasks.join_next().await {
            serve::rethrow(ended);
        }
    }
}

/// One accepted connection.
struct Client {
    /// Counted from 1 in the order of arrival.
    connection: u64,
    addr: SocketAddr,
    /// Whether its last request left the connection open for another.
    keep: AtomicBool,
}

async fn connection(stream: TcpStream, proxy: Arc<Forwarder>, client: Arc<Client>) {
    let service = service_fn(|request| {
        let (proxy, client) = (Arc::clone(&proxy), Arc::clone(&client));
        async move { Ok::<_, Infallible>(proxy.forward(&client, request).await) }
    });
    let served = serve::http()
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if served.is_ok() && client.keep.load(Ordering::Relaxed) {
        let line = keepalive_line(clock::calendar(), client.connection, client.addr.ip());
        proxy.logs.error(line);
    }
}

struct Forwarder {
    settings: Settings,
    turn: AtomicUsize,
    logs: Arc<Logs>,
}

impl Forwarder {
    async fn forward(&self, client: &Client, request: Request<Incoming>) -> Response<Body> {
        let (head, body) = request.into_parts();
        client.keep.store(keeps_alive(&head), Ordering::Relaxed);
        let mut exchange = Exchange::begin(Arc::clone(&self.logs), client, &head);
        let Ok(body) = to_bytes(Body::new(body), REQUEST_MAX).await else {
            return answer(exchange, StatusCode::PAYLOAD_TOO_LARGE);
        };
        for upstream in self.order(client.addr.ip()) {
            exchange.attempt(upstream);
            match self.connect(upstream).await {
                Ok(stream) => {
                    return self
                        .exchange(exchange, stream, upstream_request(upstream, &head, body))
                        .await;
                }
                Err(error) => exchange.refused(&error),
            }
        }
        answer(exchange, StatusCode::BAD_GATEWAY)
    }

    async fn connect(&self, upstream: SocketAddr) -> io::Result<TcpStream> {
        match timeout(self.settings.read_timeout, TcpStream::connect(upstream)).await {
            Ok(connected) => connected,
            Err(_) => Err(io::Error::from_raw_os_error(ETIMEDOUT)),
        }
    }

    async fn exchange(
        &self,
        mut exchange: Exchange,
        stream: TcpStream,
        request: Request<Body>,
    ) -> Response<Body> {
        match timeout(self.settings.read_timeout, fetch(stream, request)).await {
            Ok(Ok(fetched)) => relay(exchange, fetched, self.settings.read_timeout),
            Ok(Err(broken)) => {
                exchange.failed(broken.into());
                answer(exchange, StatusCode::BAD_GATEWAY)
            }
            Err(_) => {
                exchange.failed(End::TimedOut);
                answer(exchange, StatusCode::GATEWAY_TIMEOUT)
            }
        }
    }

    /// Every replica once, the chosen one first.
    fn order(&self, client: IpAddr) -> Vec<SocketAddr> {
        let mut order = self.settings.replicas.clone();
        let first = match self.settings.balance {
            Balance::RoundRobin => self.turn.fetch_add(1, Ordering::Relaxed),
            Balance::ClientAddress => address_hash(client),
        };
        if !order.is_empty() {
            let first = first % order.len();
            order.rotate_left(first);
        }
        order
    }
}

impl From<Broken> for End {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::Closed => Self::UpstreamClosed,
            Broken::Reset => Self::UpstreamReset,
        }
    }
}

/// One number per client address, the same in every run.
fn address_hash(client: IpAddr) -> usize {
    let fold = |sum: usize, byte: u8| sum.wrapping_mul(31).wrapping_add(byte.into());
    match client {
        IpAddr::V4(v4) => v4.octets().into_iter().fold(0, fold),
        IpAddr::V6(v6) => v6.octets().into_iter().fold(0, fold),
    }
}

/// The proxy's own answer.
fn answer(mut exchange: Exchange, status: StatusCode) -> Response<Body> {
    let page = format!("{status}\n");
    exchange.reply(status.as_u16(), Some(page.len() as u64));
    exchange.sent(page.len());
    let mut response = Response::new(Body::from(page));
    *response.status_mut() = status;
    response
}

/// The upstream's answer, its body passed on chunk by chunk.
fn relay(mut exchange: Exchange, fetched: Fetched, read_timeout: Duration) -> Response<Body> {
    let Fetched {
        mut head,
        body,
        length,
    } = fetched;
    exchange.answered(head.status.as_u16(), &head.headers, length);
    strip_hop_headers(&mut head.headers);
    // nginx obeys this header of the upstream's and keeps it to itself.
    head.headers
        .remove(HeaderName::from_static("x-accel-buffering"));
    let chunks = stream::unfold(Some((exchange, body)), move |stream| async move {
        let (exchange, body) = stream?;
        pass_on(exchange, body, read_timeout).await
    });
    Response::from_parts(head, Body::from_stream(chunks))
}

/// What to give to the client, and the stream behind it if that was not its end.
type Passed = (io::Result<Bytes>, Option<(Exchange, Chunks)>);

/// Waits for the next chunk. An error makes hyper close the client's connection without the final
/// chunk, and the exchange writes its lines as it goes out of scope.
async fn pass_on(mut exchange: Exchange, mut body: Chunks, silence: Duration) -> Option<Passed> {
    let end = match timeout(silence, body.next()).await {
        Ok(Some(Ok(chunk))) => {
            exchange.sent(chunk.len());
            return Some((Ok(chunk), Some((exchange, body))));
        }
        Ok(None) => End::Whole,
        Ok(Some(Err(broken))) => broken.into(),
        Err(_) => End::TimedOut,
    };
    exchange.end(end);
    (end != End::Whole).then(|| (Err(io::ErrorKind::ConnectionAborted.into()), None))
}

fn upstream_request(upstream: SocketAddr, head: &request::Parts, body: Bytes) -> Request<Body> {
    let mut request = Request::new(Body::from(body));
    *request.method_mut() = head.method.clone();
    if let Some(target) = head.uri.path_and_query() {
        *request.uri_mut() = target.clone().into();
    }
    let headers = request.headers_mut();
    *headers = head.headers.clone();
    strip_hop_headers(headers);
    headers.remove(header::CONTENT_LENGTH);
    // nginx's default `proxy_set_header Host $proxy_host`.
    if let Ok(host) = HeaderValue::from_str(&upstream.to_string()) {
        headers.insert(header::HOST, host);
    }
    request
}

/// Headers that belong to one connection (RFC 9110, section 7.6.1).
fn strip_hop_headers(headers: &mut HeaderMap) {
    for name in [
        header::CONNECTION,
        HeaderName::from_static("keep-alive"),
        header::PROXY_AUTHENTICATE,
        header::PROXY_AUTHORIZATION,
        header::TE,
        header::TRAILER,
        header::TRANSFER_ENCODING,
        header::UPGRADE,
    ] {
        headers.remove(name);
    }
}

fn keeps_alive(head: &request::Parts) -> bool {
    let connection = head
        .headers
        .get(header::CONNECTION)
        .map(HeaderValue::as_bytes);
    head.version == hyper::Version::HTTP_11
        && !connection.is_some_and(|value| value.eq_ignore_ascii_case(b"close"))
}
