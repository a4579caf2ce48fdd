//! One HTTP/1.1 request on a connection of its own: the proxy's upstream side and the users' way in.
//!
//! A fresh connection per request, because reuse hides affinity misses. The connection is driven by
//! whoever waits for its bytes, so that there is no task to own: dropping the response closes it.
//! Knows no deadline; callers put their own around each wait.

use std::error::Error;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};

use axum::body::{Body, BodyDataStream};
use bytes::Bytes;
use futures_util::StreamExt;
use hyper::client::conn::http1::{Connection, handshake};
use hyper::{Request, http::response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// How an exchange with a server broke, as far as its bytes tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Broken {
    /// The connection ended before the response did.
    Closed,
    /// The connection was reset.
    Reset,
}

/// A response whose body is still to come.
pub(super) struct Fetched {
    /// Status and headers.
    pub(super) head: response::Parts,
    /// The body, as it arrives.
    pub(super) body: Chunks,
    /// The body's length in bytes where the head states it.
    pub(super) length: Option<u64>,
}

/// A response body, chunk by chunk.
pub(super) struct Chunks {
    data: BodyDataStream,
    driver: Driver,
}

impl Chunks {
    /// The next bytes, or `None` at the clean end. Cancel-safe: what was not returned is still there.
    pub(super) async fn next(&mut self) -> Option<Result<Bytes, Broken>> {
        let chunk = self.driver.drive(self.data.next()).await?;
        Some(chunk.map_err(|error| broken(&error)))
    }
}

/// Sends `request` on `stream` and waits for the response's head.
pub(super) async fn fetch(stream: TcpStream, request: Request<Body>) -> Result<Fetched, Broken> {
    let (mut sender, connection) = handshake(TokioIo::new(stream))
        .await
        .map_err(|error| broken(&error))?;
    let mut driver = Driver(Some(Box::pin(connection)));
    let sent = driver.drive(sender.send_request(request)).await;
    let (head, body) = sent.map_err(|error| broken(&error))?.into_parts();
    let body = Body::new(body);
    let length = hyper::body::Body::size_hint(&body).exact();
    Ok(Fetched {
        head,
        body: Chunks {
            data: body.into_data_stream(),
            driver,
        },
        length,
    })
}

/// The connection behind a response: hyper moves bytes only while this is polled.
struct Driver(Option<Pin<Box<Wire>>>);

type Wire = Connection<TokioIo<TcpStream>, Body>;

impl Driver {
    /// Waits for `work` while moving the connection's bytes. An error of the connection reaches
    /// `work` through hyper, so its own result adds nothing.
    async fn drive<F: Future>(&mut self, work: F) -> F::Output {
        let mut work = pin!(work);
        poll_fn(|cx| {
            if let Some(connection) = &mut self.0
                && connection.as_mut().poll(cx).is_ready()
            {
                self.0 = None;
            }
            work.as_mut().poll(cx)
        })
        .await
    }
}

fn broken(error: &(dyn Error + 'static)) -> Broken {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(io) = error.downcast_ref::<io::Error>()
            && io.kind() == io::ErrorKind::ConnectionReset
        {
            return Broken::Reset;
        }
        cause = error.source();
    }
    Broken::Closed
}
