//! What the server reads when a stream is asked for.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

use holter::canary::protocol::Request;
use holter::tasks::dial::{Io, Line, Told};
use holter::tasks::http::{Http, Settings, USER_AGENT};
use holter::tasks::stream::Stream;

use crate::hold::DEADLINE;

const ANSWER: &str = "HTTP/1.1 204 No Content\r\n\r\n";

/// Asks a server for the stream, and returns the head of the request, its lines in any order.
async fn head(body: Option<&str>) -> BTreeSet<String> {
    asked(body, async |http, request| {
        http.open(request, Told::default()).await.is_ok()
    })
    .await
}

async fn asked(
    body: Option<&str>,
    ask: impl AsyncFnOnce(Http, Request) -> bool,
) -> BTreeSet<String> {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let address = listener.local_addr().expect("bound");
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).expect("a request");
            head.extend(byte);
        }
        stream.write_all(ANSWER.as_bytes()).expect("a client");
        String::from_utf8(head).expect("text")
    });
    let token = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(token.path(), "secret\n").expect("a token");
    let settings = Settings {
        headers: vec![("X-Team".into(), "search".into())],
        bearer_token_file: Some(token.path().to_owned()),
        connect_timeout: DEADLINE,
        tls: None,
    };
    let request = Request {
        url: format!("http://{address}/mcp?a=b").parse().expect("a URL"),
        headers: vec![("mcp-session-id", "s1".into())],
        body: body.map(str::to_owned),
    };
    let http = Http::new(&settings).expect("clients");
    assert!(ask(http, request).await);
    let head = server.join().expect("a server that ends");
    let head = head.replace(&address.to_string(), "ADDRESS");
    head.trim_end().lines().map(str::to_owned).collect()
}

fn expected(more: &[&str]) -> BTreeSet<String> {
    let agent = format!("user-agent: {USER_AGENT}");
    let same = [
        "host: ADDRESS",
        "x-team: search",
        "authorization: Bearer secret",
        "mcp-session-id: s1",
        "accept: */*",
        &agent,
    ];
    let lines = same.iter().chain(more);
    lines.map(|&line| line.to_owned()).collect()
}

#[tokio::test]
async fn over_http_1_by_get_or_by_post_where_there_is_a_body() {
    assert_eq!(head(None).await, expected(&["GET /mcp?a=b HTTP/1.1"]));
    let post = ["POST /mcp?a=b HTTP/1.1", "content-length: 2"];
    assert_eq!(head(Some("{}")).await, expected(&post));
}

#[tokio::test]
async fn an_upgrade_to_a_websocket_carries_the_same() {
    let seen = asked(None, async |http, request| {
        http.upgrade(request, Told::default()).await.is_ok()
    })
    .await;
    let is_key = |line: &String| line.starts_with("Sec-WebSocket-Key: ");
    let (keys, seen): (BTreeSet<_>, _) = seen.into_iter().partition(is_key);
    // 16 bytes in base64.
    assert!(
        keys.len() == 1 && keys.iter().all(|key| key.ends_with("==")),
        "{keys:?}"
    );
    let mut upgrade = expected(&[
        "GET /mcp?a=b HTTP/1.1",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Protocol: mcp",
        "Host: ADDRESS",
    ]);
    upgrade.remove("host: ADDRESS");
    assert_eq!(seen, upgrade);
}

#[tokio::test]
async fn over_http_2_the_body_follows() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
    let listener = listener.expect("loopback");
    let address = listener.local_addr().expect("bound");
    let server = async {
        let (socket, _) = listener.accept().await.expect("a client");
        let mut connection = h2::server::handshake(socket).await.expect("a preface");
        let (request, mut respond) = connection
            .accept()
            .await
            .expect("a request")
            .expect("valid");
        let (head, mut body) = request.into_parts();
        let serve = async { while connection.accept().await.is_some() {} };
        let answer = async {
            let text = body.data().await.expect("a body").expect("whole");
            respond
                .send_response(http::Response::new(()), true)
                .expect("a client");
            text
        };
        let text = tokio::select! { text = answer => text, () = serve => panic!("no body") };
        (head.method, head.uri.to_string(), text)
    };
    let client = async {
        let socket = tokio::net::TcpStream::connect(address).await;
        let line = Line {
            io: Io::Left(socket.expect("a server")),
            is_h2: true,
        };
        let mut request = http::Request::post("http://h/mcp").body("{}".to_owned());
        *request.as_mut().expect("valid").version_mut() = http::Version::HTTP_2;
        Stream::open(line, request.expect("valid"), 4096).await
    };
    let (seen, _answer) = tokio::join!(server, client);
    let expected = (http::Method::POST, "http://h/mcp".to_owned(), "{}".into());
    assert_eq!(seen, expected);
}
