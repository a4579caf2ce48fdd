//! A server of endless event streams, with a heartbeat a second. A line on its standard input makes it send one
//! event of 1 MiB on every stream.

use std::io::BufRead;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rcgen::{CertificateParams, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast;
use tokio::time::{Interval, interval};
use tokio_rustls::TlsAcceptor;

const HEAD: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
/// Time between two heartbeats of one stream.
const INTERVAL: Duration = Duration::from_secs(1);

/// What a stream sends, and when.
struct Script {
    beat: Interval,
    asked: broadcast::Receiver<()>,
    large: Bytes,
}

impl Script {
    /// The next event.
    async fn next(&mut self) -> Bytes {
        tokio::select! {
            _ = self.beat.tick() => Bytes::from_static(b": beat\n\n"),
            _ = self.asked.recv() => self.large.clone(),
        }
    }
}

/// Runs until it is killed. Prints its address first, then its certificate in hexadecimal.
pub(crate) fn serve(speaks: &str) {
    let (asked, _) = broadcast::channel(1);
    let ask = asked.clone();
    std::thread::spawn(move || {
        for _ in std::io::stdin().lock().lines() {
            ask.send(()).expect("streams");
        }
    });
    let (tls, certificate) = tls(speaks);
    let large = Bytes::from(format!("data: {}\n\n", "x".repeat(1 << 20)));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        println!("{}", listener.local_addr().expect("bound"));
        let hex: String = certificate
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        println!("{hex}");
        loop {
            let (socket, _) = listener.accept().await.expect("a client");
            let script = Script {
                beat: interval(INTERVAL),
                asked: asked.subscribe(),
                large: large.clone(),
            };
            tokio::spawn(welcome(socket, tls.clone(), speaks.to_owned(), script));
        }
    });
}

/// A client that leaves ends its stream, and nothing else.
async fn welcome(socket: TcpStream, tls: TlsAcceptor, speaks: String, script: Script) {
    drop(socket.set_nodelay(true));
    match speaks.as_str() {
        "http/1.1" => drop(hold(socket, script).await),
        "http/1.1+tls" => drop(hold(tls.accept(socket).await.expect("TLS"), script).await),
        _ => drop(hold_h2(tls.accept(socket).await.expect("TLS"), script).await),
    }
}

async fn hold(
    mut io: impl AsyncRead + AsyncWrite + Unpin,
    mut script: Script,
) -> std::io::Result<()> {
    let mut request = [0; 4096];
    let _ = io.read(&mut request).await?;
    io.write_all(HEAD.as_bytes()).await?;
    loop {
        let event = script.next().await;
        // A chunk in one write, as the SDKs' servers do: in three, each heartbeat would come as three segments.
        let mut chunk = format!("{:x}\r\n", event.len()).into_bytes();
        chunk.extend_from_slice(&event);
        chunk.extend_from_slice(b"\r\n");
        io.write_all(&chunk).await?;
        io.flush().await?;
    }
}

async fn hold_h2(
    io: impl AsyncRead + AsyncWrite + Unpin,
    mut script: Script,
) -> Result<(), h2::Error> {
    let mut connection = h2::server::handshake(io).await?;
    let Some(asked) = connection.accept().await else {
        return Ok(());
    };
    let (_, mut respond) = asked?;
    let head = http::Response::builder().header("content-type", "text/event-stream");
    let mut body = respond.send_response(head.body(()).expect("a head"), false)?;
    // The connection is driven while the script goes on; it ends with the client.
    let serve = async { while connection.accept().await.is_some() {} };
    let send = async { while body.send_data(script.next().await, false).is_ok() {} };
    tokio::select! { () = serve => {}, () = send => {} }
    Ok(())
}

fn tls(speaks: &str) -> (TlsAcceptor, CertificateDer<'static>) {
    holter::tasks::http::install_crypto();
    let params = CertificateParams::new(["127.0.0.1".to_owned()]).expect("a name");
    let key = KeyPair::generate().expect("a key");
    let certificate: CertificateDer<'static> =
        params.self_signed(&key).expect("a certificate").into();
    let mut config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.clone()],
            PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
        )
        .expect("a certificate and its key");
    let spoken = if speaks == "http/2+tls" {
        "h2"
    } else {
        "http/1.1"
    };
    config.alpn_protocols = vec![spoken.into()];
    (TlsAcceptor::from(Arc::new(config)), certificate)
}
