//! A server that plays a script to whoever asks for the stream.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use holter::canary::{Event, Transport};
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig, ServerConnection, StreamOwned};
use socket2::SockRef;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::hold::{DEADLINE, Target};

const JSON: &str = concat!(
    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nmcp-session-id: s1\r\nconnection: close\r\n",
    "content-length: 66\r\n\r\n",
    r#"{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-06-18"}}"#,
);
const ACCEPTED: &str = "HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

/// One thing that the server does.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Sends these bytes at once.
    Send(Vec<u8>),
    /// Sends these bytes one by one.
    Drip(Vec<u8>),
    /// Grants the upgrade to a WebSocket, with these header lines about its subprotocol.
    Accept(&'static str),
    /// Sends these bytes below TLS.
    Raw(Vec<u8>),
    /// Waits until the canary has seen a heartbeat.
    AfterBeat,
    /// Sends this byte so many times.
    Flood(u8, usize),
    /// Says close_notify, then FIN.
    CloseNotify,
    /// Ends its side by FIN, without a word.
    Fin,
    /// Breaks the connection by RST.
    Rst,
    /// Keeps the connection open and is silent.
    Hold,
}

/// Bytes to send.
pub(crate) fn send(bytes: impl Into<Vec<u8>>) -> Step {
    Step::Send(bytes.into())
}

/// When the script begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Begin {
    /// With the connection; the first one is that of the stream.
    Accept,
    /// In the middle of the TLS handshake; the first connection is that of the stream.
    Handshake,
    /// Once the request for the stream was read.
    Request,
    /// Once a WebSocket was asked for.
    Upgrade,
}

/// What the server speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Speaks {
    H1,
    H1OverTls,
    H2OverTls,
}

/// Whether the server's certificate is to be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    Trusted,
    Expired,
    OtherName,
    Unknown,
}

#[derive(Clone, Debug)]
pub(crate) struct Script {
    pub(crate) begin: Begin,
    pub(crate) speaks: Speaks,
    pub(crate) trust: Trust,
    pub(crate) steps: Vec<Step>,
    /// Time for a connection, and a third of that for an attempt.
    pub(crate) connect_timeout: Duration,
    /// The heartbeat interval that the canary is told to expect.
    pub(crate) heartbeat: Option<Duration>,
}

impl Script {
    /// Over plain HTTP/1.1, once the stream was asked for.
    pub(crate) fn new(steps: Vec<Step>) -> Self {
        Self {
            begin: Begin::Request,
            speaks: Speaks::H1,
            trust: Trust::Trusted,
            steps,
            connect_timeout: DEADLINE,
            heartbeat: None,
        }
    }

    pub(crate) fn over(self, speaks: Speaks) -> Self {
        Self { speaks, ..self }
    }

    pub(crate) fn from(self, begin: Begin) -> Self {
        Self { begin, ..self }
    }

    pub(crate) fn trusted(self, trust: Trust) -> Self {
        Self { trust, ..self }
    }

    pub(crate) fn within(self, connect_timeout: Duration) -> Self {
        Self {
            connect_timeout,
            ..self
        }
    }

    pub(crate) fn beating(self, heartbeat: Duration) -> Self {
        Self {
            heartbeat: Some(heartbeat),
            ..self
        }
    }
}

/// A server that listens until the test ends.
pub(crate) struct Server {
    address: SocketAddr,
    script: Script,
    tls: Option<ClientConfig>,
    beat: mpsc::Sender<()>,
}

/// Says that the canary has seen a heartbeat.
type Beat = Arc<Mutex<mpsc::Receiver<()>>>;

impl Server {
    pub(crate) fn start(script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
        Self::at(listener, script)
    }

    pub(crate) fn at(listener: TcpListener, script: Script) -> Self {
        let address = listener.local_addr().expect("bound");
        let secure = script.speaks != Speaks::H1;
        let (server_tls, client_tls) = secure.then(|| tls(&script)).unzip();
        let played = script.clone();
        let (beat, seen) = mpsc::channel();
        let seen = Arc::new(Mutex::new(seen));
        thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                let (tls, script) = (server_tls.clone(), played.clone());
                let seen = Arc::clone(&seen);
                // A client that leaves early is an error of this side, and the client's to explain.
                thread::spawn(move || play(socket, tls, &script, &seen).ok());
            }
        });
        Self {
            address,
            script,
            tls: client_tls,
            beat,
        }
    }

    /// The canary has told this.
    pub(crate) fn hear(&self, event: &Event) {
        if let Event::Beat(_) = event {
            self.beat.send(()).ok();
        }
    }

    pub(crate) fn target(&self) -> Target {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        Target {
            tls: self.tls.clone(),
            // The one transport whose first request is that for the stream.
            transport: match self.script.begin {
                Begin::Request => Transport::StreamableHttp,
                Begin::Accept | Begin::Handshake => Transport::HttpSse,
                Begin::Upgrade => Transport::WebSocket,
            },
            connect_timeout: self.script.connect_timeout,
            heartbeat: self.script.heartbeat,
            ..Target::new(format!("{scheme}://{}/mcp", self.address))
        }
    }
}

/// A server's side and a client's side of TLS.
fn tls(script: &Script) -> (Arc<ServerConfig>, ClientConfig) {
    holter::tasks::http::install_crypto();
    let name = match script.trust {
        Trust::OtherName => "elsewhere.invalid",
        _ => "127.0.0.1",
    };
    let mut params = CertificateParams::new([name.to_owned()]).expect("a name");
    params.not_after = rcgen::date_time_ymd(2095, 1, 1);
    if script.trust == Trust::Expired {
        params.not_before = rcgen::date_time_ymd(2001, 1, 1);
        params.not_after = rcgen::date_time_ymd(2002, 1, 1);
    }
    let key = KeyPair::generate().expect("a key");
    let certificate = params.self_signed(&key).expect("a certificate");
    let certificate: CertificateDer<'static> = certificate.into();
    let mut roots = RootCertStore::empty();
    if script.trust != Trust::Unknown {
        roots.add(certificate.clone()).expect("a root");
    }
    let client = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let mut server = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate],
            PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
        )
        .expect("a certificate and its key");
    if script.speaks == Speaks::H2OverTls {
        server.alpn_protocols = vec![b"h2".to_vec()];
    }
    server.alpn_protocols.push(b"http/1.1".to_vec());
    (Arc::new(server), client)
}

/// A connection, with or without TLS.
enum Link {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ServerConnection, TcpStream>>),
}

impl Link {
    fn socket(&self) -> &TcpStream {
        match self {
            Self::Plain(socket) => socket,
            Self::Tls(stream) => stream.get_ref(),
        }
    }

    fn is_h2(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Tls(stream) => stream.conn.alpn_protocol() == Some(b"h2"),
        }
    }

    fn close_notify(&mut self) -> io::Result<()> {
        if let Self::Tls(stream) = self {
            stream.conn.send_close_notify();
            stream.flush()?;
        }
        Ok(())
    }

    fn exactly(&mut self, length: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        match self {
            Self::Plain(socket) => socket.read_exact(&mut bytes)?,
            Self::Tls(stream) => stream.read_exact(&mut bytes)?,
        }
        Ok(bytes)
    }

    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.write_all(bytes),
            Self::Tls(stream) => {
                stream.write_all(bytes)?;
                stream.flush()
            }
        }
    }
}

fn play(
    socket: TcpStream,
    tls: Option<Arc<ServerConfig>>,
    script: &Script,
    beat: &Beat,
) -> io::Result<()> {
    socket.set_nodelay(true)?;
    if let Begin::Accept | Begin::Handshake = script.begin {
        if script.begin == Begin::Handshake {
            (&socket).read_exact(&mut [0; 64])?;
        }
        return run(&mut Link::Plain(socket), "", &script.steps, beat);
    }
    let mut link = match tls {
        None => Link::Plain(socket),
        Some(tls) => {
            let connection = ServerConnection::new(tls).expect("a server");
            let mut stream = StreamOwned::new(connection, socket);
            stream.conn.complete_io(&mut stream.sock)?;
            Link::Tls(Box::new(stream))
        }
    };
    if link.is_h2() {
        read_h2_request(&mut link)?;
        return run(&mut link, "", &script.steps, beat);
    }
    let head = read_head(&mut link)?;
    if head.starts_with("GET") {
        return run(&mut link, &head, &script.steps, beat);
    }
    let head = head.to_ascii_lowercase();
    read_body(&mut link, &head)?;
    let known = head.contains("mcp-session-id");
    link.send(if known { ACCEPTED } else { JSON }.as_bytes())?;
    link.close_notify()?;
    drain(link.socket())
}

fn run(link: &mut Link, head: &str, steps: &[Step], beat: &Beat) -> io::Result<()> {
    for step in steps {
        match step {
            Step::Send(bytes) => link.send(bytes)?,
            Step::Drip(bytes) => bytes.iter().try_for_each(|byte| link.send(&[*byte]))?,
            Step::Accept(protocol) => link.send(accept(head, protocol).as_bytes())?,
            Step::Raw(bytes) => link.socket().write_all(bytes)?,
            Step::AfterBeat => {
                let seen = beat.lock().expect("one stream at a time");
                seen.recv_timeout(DEADLINE).map_err(io::Error::other)?;
            }
            Step::Flood(byte, count) => {
                let piece = vec![*byte; 64 * 1024];
                (0..count.div_ceil(piece.len())).try_for_each(|_| link.send(&piece))?;
            }
            Step::CloseNotify => {
                link.close_notify()?;
                return drain(link.socket());
            }
            Step::Fin => return drain(link.socket()),
            // Closing a socket that does not linger sends RST.
            Step::Rst => {
                return SockRef::from(link.socket()).set_linger(Some(Duration::ZERO));
            }
            Step::Hold => return wait_for_client(link.socket()),
        }
    }
    drain(link.socket())
}

/// Sends FIN, and waits for the client's: closing with bytes unread would send RST.
fn drain(socket: &TcpStream) -> io::Result<()> {
    socket.shutdown(Shutdown::Write)?;
    wait_for_client(socket)
}

fn wait_for_client(mut socket: &TcpStream) -> io::Result<()> {
    io::copy(&mut socket, &mut io::sink()).map(drop)
}

fn read_head(link: &mut Link) -> io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.extend(link.exactly(1)?);
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

/// The answer that grants an upgrade (RFC 6455 section 4.2.2).
fn accept(head: &str, protocol: &str) -> String {
    let mut lines = head.lines();
    let key = lines.find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "));
    let accept = derive_accept_key(key.unwrap_or_default().as_bytes());
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n\
         sec-websocket-accept: {accept}\r\n{protocol}\r\n"
    )
}

fn read_body(link: &mut Link, head: &str) -> io::Result<()> {
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    link.exactly(length.unwrap_or(0)).map(drop)
}

/// Reads the client's preface and its frames up to the request's HEADERS (RFC 9113 section 3.4).
fn read_h2_request(link: &mut Link) -> io::Result<()> {
    const HEADERS: u8 = 1;
    link.exactly(24)?;
    loop {
        let head = link.exactly(9)?;
        let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
        link.exactly(length)?;
        if head[3] == HEADERS {
            return Ok(());
        }
    }
}
