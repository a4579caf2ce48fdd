//! A WebSocket server that is as it should be, made with tungstenite: what it hears from a canary.

use futures_util::{SinkExt, StreamExt};
use holter::canary::{Event, Kind, Transport};
use holter::tasks::http::USER_AGENT;
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::{WebSocketStream, accept_hdr_async};

use crate::hold::{Canary, Target};

const RESULT: &str = r#"{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-06-18"}}"#;

struct Server(WebSocketStream<TcpStream>);

impl Server {
    /// Accepts the canary, and checks what its upgrade carries.
    #[expect(clippy::result_large_err, reason = "tungstenite's callback")]
    async fn accept(listener: &TcpListener) -> Self {
        let (socket, _) = listener.accept().await.expect("a client");
        let check = |request: &Request, mut answer: Response| -> Result<_, ErrorResponse> {
            let header = |name: &str| request.headers()[name].to_str().expect("text");
            assert_eq!(request.uri().path(), "/mcp");
            assert_eq!(header("user-agent"), USER_AGENT);
            assert_eq!(header("sec-websocket-protocol"), "mcp");
            let protocol = "mcp".parse().expect("a value");
            answer
                .headers_mut()
                .insert("sec-websocket-protocol", protocol);
            Ok(answer)
        };
        let socket = accept_hdr_async(socket, check).await;
        Self(socket.expect("an upgrade"))
    }

    async fn say(&mut self, message: Message) {
        self.0.send(message).await.expect("a client");
    }

    async fn hear(&mut self) -> Message {
        self.0.next().await.expect("a client").expect("a message")
    }

    /// The JSON-RPC message that comes next.
    async fn hear_json(&mut self) -> Value {
        let message = self.hear().await;
        serde_json::from_str(message.to_text().expect("text")).expect("JSON")
    }

    async fn shake_hands(&mut self) {
        let initialize = self.hear_json().await;
        assert_eq!(initialize["method"], "initialize");
        assert_eq!(initialize["params"]["clientInfo"]["name"], "holter");
        self.say(Message::text(RESULT)).await;
        let initialized = self.hear_json().await;
        assert_eq!(initialized["method"], "notifications/initialized");
    }

    /// Sends a Ping, and hears its Pong.
    async fn ping(&mut self) {
        self.say(Message::Ping("beat".into())).await;
        assert_eq!(self.hear().await, Message::Pong("beat".into()));
    }
}

async fn start() -> (TcpListener, Canary) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let address = listener.local_addr().expect("bound");
    let canary = Canary::start(Target {
        transport: Transport::WebSocket,
        ..Target::new(format!("http://{address}/mcp"))
    });
    (listener, canary)
}

#[tokio::test(flavor = "multi_thread")]
async fn pings_are_answered_and_the_farewell_is_a_close_frame() {
    let (listener, canary) = start().await;
    let mut server = Server::accept(&listener).await;
    server.shake_hands().await;
    server.ping().await;
    server
        .say(Message::text(
            r#"{"jsonrpc":"2.0","id":"p-1","method":"ping"}"#,
        ))
        .await;
    let pong = server.hear_json().await;
    assert_eq!(
        (&pong["id"], pong["result"].is_object()),
        (&"p-1".into(), true)
    );
    canary.wait_for(|event| *event == Event::Beat(Kind::Ping));

    let (heard, ()) = tokio::join!(
        async {
            let heard = server.hear().await;
            // tungstenite answers the Close, and ends the connection: the canary need not wait longer.
            assert!(server.0.next().await.is_none());
            heard
        },
        canary.stop()
    );
    let Message::Close(Some(close)) = heard else {
        panic!("{heard:?}")
    };
    assert_eq!(close.code, CloseCode::Normal);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_close_frame_is_answered_and_the_canary_comes_back() {
    let (listener, canary) = start().await;
    let mut server = Server::accept(&listener).await;
    server.shake_hands().await;
    server.0.close(None).await.expect("a client");
    let answer = server.hear().await;
    assert_eq!(answer, Message::Close(None));

    let mut again = Server::accept(&listener).await;
    again.shake_hands().await;
    let leave = async { while again.0.next().await.is_some_and(|heard| heard.is_ok()) {} };
    tokio::join!(leave, canary.stop());
}
