//! Syslog over TCP: connections that each carry a stream of messages.
//!
//! Owns what a peer may cost: how many connections there are, and how soon one whose peer vanished is let go. How long
//! a message may be is `syslog::framing`'s.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};
use std::time::Duration;

use rustix::net::sockopt;
use tokio::net::{TcpListener, TcpStream};

use super::Found;
use crate::syslog::framing::Frames;

/// Connections served at a time: proxies open one for each of their threads. More are closed unread.
const CONNECTIONS_MAX: usize = 64;

/// Most bytes of one read.
const CHUNK: usize = 16 * 1024;

/// Most reads of one connection between two looks at the others.
const READS_MAX: usize = 16;

/// Pause after a failed accept: the usual cause is that file descriptors ran out, which takes a moment.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A proxy may have nothing to log for hours, so that silence ends no connection: only a peer that no longer answers
/// the kernel does, after one period of silence and some probes (tcp(7), `TCP_KEEPIDLE`).
const KEEPALIVE: Duration = Duration::from_secs(60);

/// A listening socket and its connections.
#[derive(Debug)]
pub(super) struct Stream {
    listener: TcpListener,
    connections: Vec<Connection>,
    /// Connections closed unread since the last look.
    refused: usize,
    buffer: Vec<u8>,
}

#[derive(Debug)]
struct Connection {
    stream: TcpStream,
    frames: Frames,
}

impl Stream {
    pub(super) fn bind(at: SocketAddr) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind(at)?;
        listener.set_nonblocking(true)?;
        Ok(Self {
            listener: TcpListener::from_std(listener)?,
            connections: Vec::new(),
            refused: 0,
            buffer: vec![0; CHUNK],
        })
    }

    pub(super) fn local_addr(&self) -> Option<SocketAddr> {
        self.listener.local_addr().ok()
    }

    pub(super) async fn ready(&mut self) {
        if poll_fn(|context| self.poll_ready(context)).await.is_err() {
            tokio::time::sleep(ACCEPT_PAUSE).await;
        }
    }

    /// Every source of readiness is asked until one has it, so that each that has not will wake the task.
    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Poll::Ready(accepted) = self.listener.poll_accept(context) {
            let accepted = accepted.map(|(stream, _)| self.take(stream));
            return Poll::Ready(accepted.inspect_err(|error| {
                tracing::warn!(%error, "a syslog connection cannot be accepted");
            }));
        }
        let mut connections = self.connections.iter();
        match connections.any(|one| one.stream.poll_read_ready(context).is_ready()) {
            true => Poll::Ready(Ok(())),
            false => Poll::Pending,
        }
    }

    fn take(&mut self, stream: TcpStream) {
        if self.connections.len() >= CONNECTIONS_MAX {
            self.refused += 1;
            return;
        }
        if let Err(error) = keep_alive(&stream) {
            tracing::debug!(%error, "no keep-alive on a syslog connection");
        }
        self.connections.push(Connection {
            stream,
            frames: Frames::default(),
        });
    }

    pub(super) fn read(&mut self, on: &mut impl FnMut(Found<'_>)) -> bool {
        for _ in 0..std::mem::take(&mut self.refused) {
            on(Found::Refused);
        }
        let mut more = false;
        let buffer = &mut self.buffer;
        self.connections
            .retain_mut(|one| match one.read(buffer, on) {
                After::Quiet => true,
                After::More => {
                    more = true;
                    true
                }
                After::Over => false,
            });
        more
    }
}

/// How a connection was left.
enum After {
    Quiet,
    More,
    Over,
}

impl Connection {
    fn read(&mut self, buffer: &mut [u8], on: &mut impl FnMut(Found<'_>)) -> After {
        for _ in 0..READS_MAX {
            match self.stream.try_read(buffer) {
                Ok(0) => {
                    self.frames.finish(&mut |piece| on(Found::Piece(piece)));
                    return After::Over;
                }
                Ok(length) => {
                    on(Found::Bytes(length));
                    let bytes = buffer.get(..length).unwrap_or_default();
                    self.frames
                        .feed(bytes, &mut |piece| on(Found::Piece(piece)));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return After::Quiet,
                Err(error) => {
                    tracing::debug!(%error, "a syslog connection broke");
                    self.frames.cut(&mut |piece| on(Found::Piece(piece)));
                    return After::Over;
                }
            }
        }
        After::More
    }
}

fn keep_alive(stream: &TcpStream) -> io::Result<()> {
    sockopt::set_tcp_keepidle(stream, KEEPALIVE)?;
    sockopt::set_tcp_keepintvl(stream, KEEPALIVE / 4)?;
    sockopt::set_tcp_keepcnt(stream, 4)?;
    sockopt::set_socket_keepalive(stream, true)?;
    Ok(())
}
