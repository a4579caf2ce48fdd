//! One stream on one connection that it owns, over HTTP/1.1, HTTP/2 or a WebSocket: every end told as it was.
//!
//! The connection is polled with the stream, in the canary's own task: its last words (GOAWAY, FIN, a broken
//! record) are then at hand when the stream ends, and dropping the stream closes the connection. HTTP/1.1 is
//! hyper's. HTTP/2 is h2's, the engine below hyper: it tells the code of a reset, and whether a broken
//! connection had said GOAWAY before.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;

use super::cause;
use super::dial::{Io, Line};
use super::last_words::LastWords;
use super::websocket::WebSocket;
use crate::canary::ending::Cause;
use crate::canary::machine::Input;

/// The read buffer of a plain stream, which its answer's head must fit into. Its size is fixed: left to adapt,
/// it stays at half a MiB after one large event. More than the 4 KiB that nginx takes of a head by default
/// (`proxy_buffer_size`, <https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_buffer_size>).
pub const READ_BUFFER: usize = 5 * 1024;

/// The same where a head did not fit.
pub const READ_BUFFER_MAX: usize = 64 * 1024;

/// The largest head that is taken over HTTP/2.
const HEAD_MAX: u32 = 16 * 1024;

/// Status and headers of an answer.
pub type Head = (StatusCode, HeaderMap);

/// A body or WebSocket that goes on for hours, and its connection.
pub struct Stream(Wire);

enum Wire {
    H1(Box<H1>),
    H2(Box<H2>),
    WebSocket(Box<WebSocket>),
}

impl Stream {
    /// Sends the request; answers with the head of its answer, for which `buffer` has to do over HTTP/1.1, and the
    /// stream behind it.
    ///
    /// # Errors
    ///
    /// Why there is no answer.
    pub async fn open(
        line: Line,
        request: Request<String>,
        buffer: usize,
    ) -> Result<(Head, Self), Cause> {
        if line.is_h2 {
            let (head, wire) = H2::open(line.io, request).await?;
            Ok((head, Self(Wire::H2(Box::new(wire)))))
        } else {
            let (head, wire) = H1::open(line.io, request, buffer).await?;
            Ok((head, Self(Wire::H1(Box::new(wire)))))
        }
    }

    /// Asks for a WebSocket; answers with the head of the answer, and the stream where it was granted.
    ///
    /// # Errors
    ///
    /// Why there is no answer, or none that a client may accept.
    pub async fn upgrade(
        line: Line,
        request: Request<String>,
    ) -> Result<(Head, Option<Self>), Cause> {
        let (head, socket) = WebSocket::open(line.io, request).await?;
        let stream = socket.map(|socket| Self(Wire::WebSocket(Box::new(socket))));
        Ok((head, stream))
    }

    /// The next bytes, never none, or the next frame; or the end, [`Cause::CleanEnd`] where nothing is wrong.
    /// Not to be called again after the end. Cancel-safe.
    pub async fn next(&mut self) -> Input {
        loop {
            let input = poll_fn(|context| match &mut self.0 {
                Wire::H1(wire) => wire.poll_chunk(context).map(chunk),
                Wire::H2(wire) => wire.poll_chunk(context).map(chunk),
                Wire::WebSocket(socket) => socket
                    .poll_frame(context)
                    .map(|frame| frame.map_or_else(Input::Ended, Input::Frame)),
            });
            match input.await {
                Input::Chunk(bytes) if bytes.is_empty() => {}
                input => return input,
            }
        }
    }

    /// Sends a text message on a WebSocket; other streams have no way back.
    pub fn say(&mut self, text: String) {
        if let Wire::WebSocket(socket) = &mut self.0 {
            socket.say(text);
        }
    }

    /// What is left to do to leave a WebSocket politely, in bounded time. Any other stream is closed at once.
    pub fn leave(self) -> Option<impl Future<Output = ()> + Send> {
        match self.0 {
            Wire::WebSocket(socket) => Some(socket.leave()),
            Wire::H1(_) | Wire::H2(_) => None,
        }
    }
}

fn chunk(bytes: Result<Bytes, Cause>) -> Input {
    bytes.map_or_else(Input::Ended, Input::Chunk)
}

struct H1 {
    /// `None` once it has ended; what remains to be told comes through the body.
    connection: Option<http1::Connection<TokioIo<Io>, String>>,
    body: Incoming,
}

impl H1 {
    async fn open(io: Io, request: Request<String>, buffer: usize) -> Result<(Head, Self), Cause> {
        let (mut sender, connection) = http1::Builder::new()
            .read_buf_exact_size(Some(buffer))
            .handshake(TokioIo::new(io))
            .await
            .map_err(|error| cause::of_chain(&error))?;
        let mut connection = Some(connection);
        let mut answer = pin!(sender.send_request(request));
        let response = poll_fn(|context| {
            drive(&mut connection, context);
            answer.as_mut().poll(context)
        });
        let response = response.await.map_err(|error| cause::of_chain(&error))?;
        let (head, body) = split(response);
        Ok((head, Self { connection, body }))
    }

    fn poll_chunk(&mut self, context: &mut Context<'_>) -> Poll<Result<Bytes, Cause>> {
        drive(&mut self.connection, context);
        match ready!(Pin::new(&mut self.body).poll_frame(context)) {
            // Trailers are of no interest, and empty.
            Some(Ok(frame)) => Poll::Ready(Ok(frame.into_data().unwrap_or_default())),
            Some(Err(error)) => Poll::Ready(Err(cause::of_chain(&error))),
            None => Poll::Ready(Err(Cause::CleanEnd)),
        }
    }
}

/// Lets the connection read and write, until it has ended.
fn drive(
    connection: &mut Option<http1::Connection<TokioIo<Io>, String>>,
    context: &mut Context<'_>,
) {
    if let Some(open) = connection
        && Pin::new(open).poll(context).is_ready()
    {
        *connection = None;
    }
}

struct H2 {
    link: Link,
    body: h2::RecvStream,
}

/// The connection under one stream.
struct Link {
    /// `None` once it has ended. Dropping it tells the stream, which h2 does not always do where a write failed.
    connection: Option<h2::client::Connection<LastWords, Bytes>>,
    /// What it ended with.
    error: Option<h2::Error>,
    sender: h2::client::SendRequest<Bytes>,
    /// What the server's GOAWAY means, where it said one.
    goaway: Option<Cause>,
}

impl H2 {
    async fn open(io: Io, request: Request<String>) -> Result<(Head, Self), Cause> {
        // No pings: a proxy may take them for traffic, and the time-outs that users meet would not be met.
        let (sender, connection) = h2::client::Builder::new()
            .enable_push(false)
            .max_header_list_size(HEAD_MAX)
            .handshake(LastWords::new(io))
            .await
            .map_err(|error| cause::of_h2(&error))?;
        let mut link = Link {
            connection: Some(connection),
            error: None,
            sender,
            goaway: None,
        };
        let mut answer = link.ask(request).map_err(|error| cause::of_h2(&error))?;
        let response = poll_fn(|context| {
            link.drive(context);
            Pin::new(&mut answer).poll(context)
        });
        let response = response.await.map_err(|error| link.end(&error))?;
        let (head, body) = split(response);
        Ok((head, Self { link, body }))
    }

    fn poll_chunk(&mut self, context: &mut Context<'_>) -> Poll<Result<Bytes, Cause>> {
        self.link.drive(context);
        match ready!(self.body.poll_data(context)) {
            Some(Ok(bytes)) => {
                // What was read makes room for more; a stream that has ended wants none.
                drop(self.body.flow_control().release_capacity(bytes.len()));
                Poll::Ready(Ok(bytes))
            }
            Some(Err(error)) => Poll::Ready(Err(self.link.end(&error))),
            None => Poll::Ready(Err(Cause::CleanEnd)),
        }
    }
}

impl Link {
    fn ask(&mut self, request: Request<String>) -> Result<h2::client::ResponseFuture, h2::Error> {
        let (head, body) = request.into_parts();
        let request = Request::from_parts(head, ());
        let (answer, mut upload) = self.sender.send_request(request, body.is_empty())?;
        if !body.is_empty() {
            upload.send_data(body.into(), true)?;
        }
        Ok(answer)
    }

    /// Lets the connection read and write, until it has ended.
    fn drive(&mut self, context: &mut Context<'_>) {
        if let Some(connection) = &mut self.connection
            && let Poll::Ready(end) = Pin::new(connection).poll(context)
        {
            self.error = end.err();
            self.connection = None;
        }
        if self.goaway.is_none()
            && let Poll::Ready(Err(error)) = self.sender.poll_ready(context)
            && error.is_go_away()
        {
            self.goaway = Some(cause::of_h2(&error));
        }
    }

    /// A stream that broke with its connection: had the server said GOAWAY, that is the cause; else the
    /// connection's own error says more.
    fn end(&self, error: &h2::Error) -> Cause {
        if !error.is_io() {
            return cause::of_h2(error);
        }
        self.goaway
            .unwrap_or_else(|| cause::of_h2(self.error.as_ref().unwrap_or(error)))
    }
}

fn split<B>(response: Response<B>) -> (Head, B) {
    let (head, body) = response.into_parts();
    ((head.status, head.headers), body)
}
