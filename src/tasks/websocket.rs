//! A WebSocket on a connection that `dial` made: the upgrade, messages in and out, the farewell.
//!
//! tungstenite speaks RFC 6455, and answers Ping and Close frames by itself. Holter sends no Ping frames: they
//! would keep alive what cuts silent streams, and the time-outs that users meet would not be met.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_util::{Sink, StreamExt};
use http::header::{
    CONNECTION, HeaderValue, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION,
    UPGRADE,
};
use http::{Request, Uri};
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use super::cause;
use super::dial::Io;
use super::stream::Head;
use crate::canary::ending::Cause;
use crate::canary::machine::FAREWELL_TIMEOUT;
use crate::canary::protocol::websocket::Frame;

/// The largest message that is taken: Python's `websockets`, which the SDK's client is built on, takes no larger
/// one either.
const MESSAGE_MAX: usize = 1024 * 1024;

/// What a connection sets aside for reading; larger messages get their room while they last.
const READ_BUFFER: usize = 4 * 1024;

/// What waits to be sent to a server that does not read; more is not said.
const WRITE_BUFFER_MAX: usize = 64 * 1024;

/// The subprotocol of MCP, as the SDKs name it.
const SUBPROTOCOL: HeaderValue = HeaderValue::from_static("mcp");

/// An open WebSocket.
pub(super) struct WebSocket {
    socket: WebSocketStream<Io>,
    /// What broke while sending: the socket tells it once, and reading would find a mere end.
    broken: Option<Cause>,
}

impl WebSocket {
    /// Asks for the upgrade; answers with the head of the answer, and the WebSocket where it was granted.
    ///
    /// # Errors
    ///
    /// Why there is no answer, or none that RFC 6455 section 4.1 lets a client accept: a wrong
    /// `Sec-WebSocket-Accept`, or another subprotocol than the one that was asked for, or none.
    pub(super) async fn open(
        io: Io,
        request: Request<String>,
    ) -> Result<(Head, Option<Self>), Cause> {
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER)
            .write_buffer_size(0)
            .max_write_buffer_size(WRITE_BUFFER_MAX)
            .max_message_size(Some(MESSAGE_MAX))
            .max_frame_size(Some(MESSAGE_MAX));
        match client_async_with_config(upgrade(request)?, io, Some(config)).await {
            Ok((socket, answer)) => {
                let (head, _) = answer.into_parts();
                let broken = None;
                Ok(((head.status, head.headers), Some(Self { socket, broken })))
            }
            Err(Error::Http(refusal)) => {
                let (head, _) = refusal.into_parts();
                Ok(((head.status, head.headers), None))
            }
            Err(error) => Err(cause::of_websocket(&error)),
        }
    }

    /// What arrives next. Cancel-safe: nothing is kept outside of the socket.
    pub(super) fn poll_frame(&mut self, context: &mut Context<'_>) -> Poll<Result<Frame, Cause>> {
        // Sends on what did not fit before.
        if let Poll::Ready(Err(error)) = Pin::new(&mut self.socket).poll_flush(context) {
            self.broken.get_or_insert(cause::of_websocket(&error));
        }
        Poll::Ready(match ready!(self.socket.poll_next_unpin(context)) {
            Some(Ok(message)) => frame(message),
            Some(Err(error)) => Err(self.broken.unwrap_or(cause::of_websocket(&error))),
            None => Err(Cause::CleanEnd),
        })
    }

    /// Sends a text message, as soon as the server reads. What does not fit is not said; that the connection
    /// broke is found by [`Self::poll_frame`].
    pub(super) fn say(&mut self, text: String) {
        if let Err(Error::Io(error)) = Pin::new(&mut self.socket).start_send(Message::text(text)) {
            self.broken
                .get_or_insert(cause::of_websocket(&Error::Io(error)));
        }
    }

    /// Says Close, or answers the server's, and lets the server end the connection first (RFC 6455 section 7.1.1).
    pub(super) async fn leave(mut self) {
        let close = CloseFrame {
            code: CloseCode::Normal,
            reason: "".into(),
        };
        let farewell = async {
            // Refused where the server closed first: then its Close is answered while reading.
            self.socket.close(Some(close)).await.ok();
            while let Some(Ok(_)) = self.socket.next().await {}
        };
        // A server that does not answer is left all the same.
        tokio::time::timeout(FAREWELL_TIMEOUT, farewell).await.ok();
    }
}

/// The request as one for an upgrade (RFC 6455 section 4.1).
fn upgrade(request: Request<String>) -> Result<Request<()>, Cause> {
    let (mut head, _) = request.into_parts();
    let key = HeaderValue::try_from(generate_key()).map_err(|_| Cause::Other)?;
    for (name, value) in [
        (CONNECTION, HeaderValue::from_static("Upgrade")),
        (UPGRADE, HeaderValue::from_static("websocket")),
        (SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13")),
        (SEC_WEBSOCKET_KEY, key),
        (SEC_WEBSOCKET_PROTOCOL, SUBPROTOCOL),
    ] {
        head.headers.insert(name, value);
    }
    // tungstenite wants to know the scheme, although the connection is there.
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
    head.uri = Uri::try_from(format!("ws://server{path}")).map_err(|_| Cause::Other)?;
    Ok(Request::from_parts(head, ()))
}

fn frame(message: Message) -> Result<Frame, Cause> {
    Ok(match message {
        Message::Text(text) => Frame::Text(text.as_str().to_owned()),
        Message::Binary(_) => Frame::Binary,
        Message::Ping(_) => Frame::Ping,
        Message::Pong(_) => Frame::Pong,
        Message::Close(close) => Frame::Close(close.map(|close| close.code.into())),
        // Never read, says tungstenite.
        Message::Frame(_) => return Err(Cause::Other),
    })
}
