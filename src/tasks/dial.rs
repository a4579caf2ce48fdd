//! From a URL to a connection: resolve, connect, TLS; each phase timed, failed ones too, under one limit.
//!
//! Every stream gets a connection of its own, without proxy variables of the environment, without a TLS session
//! resumed from an earlier one. Knows no HTTP beyond the names that ALPN carries.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use rustls::ClientConfig;
use rustls::client::Resumption;
use rustls::pki_types::ServerName;
use rustls_platform_verifier::ConfigVerifierExt;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::either::Either;
use url::{Host, Url};
use x509_cert::Certificate;
use x509_cert::der::Decode;

use super::{cause, clock};
use crate::canary::ending::Cause;
use crate::canary::{Event, Phase};

/// What HTTP is spoken over.
pub type Io = Either<TcpStream, Box<TlsStream<TcpStream>>>;

/// HTTP/2 in ALPN (RFC 9113 section 3.1).
const H2: &[u8] = b"h2";
/// HTTP/1.1 there (RFC 7301 section 6).
const H1: &[u8] = b"http/1.1";

/// The most addresses of one name that are tried.
const ADDRESSES_MAX: usize = 8;

/// A silent connection is probed after this long, this often, and given up after [`USER_TIMEOUT`] without
/// an acknowledgement: a dead peer is found although nothing is sent. reqwest has the same.
const KEEPALIVE: Duration = Duration::from_secs(15);
const USER_TIMEOUT: Duration = Duration::from_secs(30);

/// TLS as the system trusts it.
///
/// # Errors
///
/// When the system's certificates cannot be loaded.
pub fn system_tls() -> Result<ClientConfig, rustls::Error> {
    super::http::install_crypto();
    ClientConfig::with_platform_verifier()
}

/// A connection that is ready for a request.
#[derive(Debug)]
pub struct Line {
    /// The bytes.
    pub io: Io,
    /// Whether the server chose HTTP/2.
    pub is_h2: bool,
}

/// What an attempt has told so far: it outlives an attempt that is abandoned.
#[derive(Clone, Debug, Default)]
pub struct Told(Arc<Mutex<Vec<Event>>>);

impl Told {
    /// A phase that began then has ended, well or not.
    pub(super) fn phase(&self, phase: Phase, start: Instant) {
        self.push(Event::Phase(phase, clock::now() - start));
    }

    /// What was told since the last time.
    pub fn take(&self) -> Vec<Event> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn push(&self, event: Event) {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        told.push(event);
    }
}

/// Makes connections.
#[derive(Clone)]
pub struct Dialer {
    tls: Option<TlsConnector>,
    /// The same, without HTTP/2 on offer.
    tls_h1: Option<TlsConnector>,
    limit: Duration,
}

impl Dialer {
    /// Connections within `limit`, name resolution and TLS included; `https` needs `tls`.
    pub fn new(tls: Option<&ClientConfig>, limit: Duration) -> Self {
        Self {
            tls: tls.map(|config| connector(config, &[H2, H1])),
            tls_h1: tls.map(|config| connector(config, &[H1])),
            limit,
        }
    }

    /// The same for what only HTTP/1.1 has: upgrades.
    pub fn h1_only(mut self) -> Self {
        self.tls.clone_from(&self.tls_h1);
        self
    }

    /// Connects. Each phase is told as it ends, the one that failed too.
    ///
    /// # Errors
    ///
    /// The phase that failed, as far as [`Cause`] tells phases apart.
    pub async fn dial(&self, url: &Url, told: &Told) -> Result<Line, Cause> {
        let deadline = clock::now() + self.limit;
        let addresses = resolve(url, deadline, told).await?;
        let start = clock::now();
        let socket = connect(&addresses, deadline).await;
        told.phase(Phase::Connect, start);
        let socket = socket?;
        match (&self.tls, url.scheme()) {
            (_, "http") => Ok(Line {
                io: Either::Left(socket),
                is_h2: false,
            }),
            (Some(tls), "https") => secure(tls, url, socket, deadline, told).await,
            _ => Err(Cause::Tls),
        }
    }
}

fn connector(config: &ClientConfig, speaks: &[&[u8]]) -> TlsConnector {
    let mut config = config.clone();
    config.alpn_protocols = speaks.iter().map(|name| name.to_vec()).collect();
    // A resumed session shows the certificate of the first one, and its handshake is another.
    config.resumption = Resumption::disabled();
    TlsConnector::from(Arc::new(config))
}

async fn resolve(url: &Url, deadline: Instant, told: &Told) -> Result<Vec<SocketAddr>, Cause> {
    let port = url.port_or_known_default().unwrap_or(443);
    let name = match url.host() {
        Some(Host::Domain(name)) => name,
        Some(Host::Ipv4(address)) => return Ok(vec![(address, port).into()]),
        Some(Host::Ipv6(address)) => return Ok(vec![(address, port).into()]),
        None => return Err(Cause::Dns),
    };
    let start = clock::now();
    let found = within(deadline, tokio::net::lookup_host((name, port))).await;
    told.phase(Phase::Dns, start);
    match found {
        Some(Ok(addresses)) => Ok(addresses.take(ADDRESSES_MAX).collect()),
        Some(Err(_)) | None => Err(Cause::Dns),
    }
}

/// Tries one address after the other; those left share the time that is left. The last failure counts.
async fn connect(addresses: &[SocketAddr], deadline: Instant) -> Result<TcpStream, Cause> {
    let mut cause = Cause::Dns;
    for (tried, address) in addresses.iter().enumerate() {
        let now = clock::now();
        let left = deadline.saturating_duration_since(now);
        let share = left / u32::try_from(addresses.len() - tried).unwrap_or(1);
        match within(now + share, TcpStream::connect(address)).await {
            Some(Ok(socket)) => return prepare(socket),
            Some(Err(error)) => cause = cause::of_connect(&error),
            None => cause = Cause::ConnectTimeout,
        }
    }
    Err(cause)
}

fn prepare(socket: TcpStream) -> Result<TcpStream, Cause> {
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE)
        .with_interval(KEEPALIVE);
    let options = SockRef::from(&socket);
    socket
        .set_nodelay(true)
        .and_then(|()| options.set_tcp_keepalive(&keepalive))
        .and_then(|()| options.set_tcp_user_timeout(Some(USER_TIMEOUT)))
        .map_err(|error| cause::of_connect(&error))?;
    Ok(socket)
}

async fn secure(
    tls: &TlsConnector,
    url: &Url,
    socket: TcpStream,
    deadline: Instant,
    told: &Told,
) -> Result<Line, Cause> {
    let name = server_name(url).ok_or(Cause::Tls)?;
    let start = clock::now();
    let stream = within(deadline, tls.connect(name, socket)).await;
    told.phase(Phase::Tls, start);
    let stream = stream
        .ok_or(Cause::ConnectTimeout)?
        .map_err(|error| cause::of_connect(&error))?;
    let (_, session) = stream.get_ref();
    let leaf = session.peer_certificates().and_then(<[_]>::first);
    if let Some(not_after) = leaf.and_then(|leaf| not_after(leaf)) {
        told.push(Event::Certificate(not_after));
    }
    Ok(Line {
        is_h2: session.alpn_protocol() == Some(H2),
        io: Either::Right(Box::new(stream)),
    })
}

fn server_name(url: &Url) -> Option<ServerName<'static>> {
    match url.host()? {
        Host::Domain(name) => ServerName::try_from(name.to_owned()).ok(),
        Host::Ipv4(address) => Some(ServerName::IpAddress(address.into())),
        Host::Ipv6(address) => Some(ServerName::IpAddress(address.into())),
    }
}

/// When a certificate expires (RFC 5280 section 4.1.2.5).
fn not_after(der: &[u8]) -> Option<SystemTime> {
    let certificate = Certificate::from_der(der).ok()?;
    let validity = certificate.tbs_certificate().validity();
    Some(validity.not_after.to_system_time())
}

/// `None` when the deadline passed first.
async fn within<T>(deadline: Instant, work: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout_at(deadline.into(), work).await.ok()
}
