//! Every way a stream can end under TLS, and the cause that is read from the error's type.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on says so by a panic"
)]

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use holter::canary::ending::Cause;
use holter::tasks::{cause, http};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

const CHUNKED: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n8\r\n: beat\n\n\r\n";
const UNFRAMED: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n: beat\n\n";

/// How the server ends what it began.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    CloseNotify,
    Fin,
    Rst,
    Garbage,
    /// FIN in the middle of the handshake.
    Handshake,
}

/// A server with a certificate of its own, and that certificate.
fn serve(begin: &'static str, end: End) -> (SocketAddr, reqwest::Certificate) {
    let issued = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let trusted = reqwest::Certificate::from_der(issued.cert.der()).unwrap();
    let key = PrivatePkcs8KeyDer::from(issued.signing_key.serialize_der());
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![issued.cert.der().clone()], key.into())
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let (socket, _) = listener.accept().unwrap();
        play(socket, Arc::new(config), begin, end);
    });
    (address, trusted)
}

fn play(mut socket: TcpStream, config: Arc<ServerConfig>, begin: &str, end: End) {
    if end == End::Handshake {
        socket.read_exact(&mut [0; 64]).unwrap();
        return socket.shutdown(Shutdown::Both).unwrap();
    }
    let mut stream = StreamOwned::new(ServerConnection::new(config).unwrap(), socket);
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if stream.read_exact(&mut byte).is_err() {
            return; // A client that does not trust the certificate leaves here.
        }
        request.extend_from_slice(&byte);
    }
    stream.write_all(begin.as_bytes()).unwrap();
    stream.flush().unwrap();
    // The client says that it has the beat; what it sent stays unread where RST is wanted.
    stream.sock.peek(&mut [0]).ok();
    match end {
        End::CloseNotify => {
            stream.conn.send_close_notify();
            stream.flush().unwrap();
        }
        End::Garbage => stream
            .sock
            .write_all(&[
                0x17, 3, 3, 0, 32, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9,
                9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9,
            ])
            .unwrap(),
        End::Fin | End::Rst | End::Handshake => {}
    }
    if end != End::Rst {
        stream.sock.shutdown(Shutdown::Write).unwrap();
        stream.sock.read_to_end(&mut Vec::new()).ok();
    }
}

/// What the client sees: `None` is a clean end.
async fn seen(begin: &'static str, end: End, trust: bool) -> Option<Cause> {
    http::install_crypto();
    let (address, certificate) = serve(begin, end);
    let trusted = trust.then_some(certificate);
    let client = reqwest::Client::builder()
        .tls_certs_only(trusted)
        .http1_only()
        .build()
        .unwrap();
    let (upload, body) = upload();
    let request = client.post(format!("https://{address}/mcp")).body(body);
    let mut response = match request.send().await {
        Ok(response) => response,
        Err(error) => return Some(cause::of_request(&error)),
    };
    assert!(response.chunk().await.unwrap().is_some());
    upload.send(()).unwrap();
    loop {
        match response.chunk().await {
            Ok(Some(_)) => {}
            Ok(None) => return None,
            Err(error) => return Some(cause::of_body(&error)),
        }
    }
}

/// A body whose bytes are sent once the sender says so: the client's word that it has the beat.
fn upload() -> (tokio::sync::oneshot::Sender<()>, reqwest::Body) {
    let (sender, receiver) = tokio::sync::oneshot::channel::<()>();
    let bytes = futures_util::stream::once(async move {
        receiver
            .await
            .map(|()| "seen")
            .map_err(|_| std::io::ErrorKind::BrokenPipe)
    });
    let bytes = futures_util::StreamExt::map(bytes, |item| item.map_err(std::io::Error::from));
    (sender, reqwest::Body::wrap_stream(bytes))
}

#[tokio::test]
async fn a_stream_under_tls() {
    let table = [
        (
            "close_notify, nothing delimits the body",
            UNFRAMED,
            End::CloseNotify,
            None,
        ),
        (
            "FIN without close_notify",
            UNFRAMED,
            End::Fin,
            Some(Cause::Truncated),
        ),
        (
            "the same between chunks",
            CHUNKED,
            End::Fin,
            Some(Cause::Truncated),
        ),
        (
            "close_notify between chunks",
            CHUNKED,
            End::CloseNotify,
            Some(Cause::Truncated),
        ),
        ("RST", CHUNKED, End::Rst, Some(Cause::Reset)),
        (
            "a record that does not decrypt",
            CHUNKED,
            End::Garbage,
            Some(Cause::Garbage),
        ),
        (
            "FIN in the handshake",
            CHUNKED,
            End::Handshake,
            Some(Cause::Tls),
        ),
    ];
    for (name, begin, end, expected) in table {
        assert_eq!(seen(begin, end, true).await, expected, "{name}");
    }
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted() {
    assert_eq!(seen(CHUNKED, End::Fin, false).await, Some(Cause::Tls));
}
