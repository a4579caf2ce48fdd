//! A socket whose reader has to keep up.
//!
//! Owns one deadline: from the first write that finds the socket full until everything is handed over,
//! which is one answer, since hyper flushes when its buffer is empty. A reader that takes a byte now
//! and then does not move it. Reading has its own limit, in hyper.

use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

#[derive(Debug)]
pub(super) struct WriteDeadline<S> {
    stream: S,
    allowed: Duration,
    running: Option<Pin<Box<Sleep>>>,
}

impl<S: Unpin> WriteDeadline<S> {
    pub(super) fn new(stream: S, allowed: Duration) -> Self {
        let running = None;
        Self {
            stream,
            allowed,
            running,
        }
    }

    fn stream(&mut self) -> Pin<&mut S> {
        Pin::new(&mut self.stream)
    }

    /// The socket is full: starts the deadline, or finds that it is over.
    fn late(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        let allowed = self.allowed;
        let deadline = self.running.get_or_insert_with(|| Box::pin(sleep(allowed)));
        deadline
            .as_mut()
            .poll(cx)
            .map(|()| io::ErrorKind::TimedOut.into())
    }

    fn unless_late(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        match written {
            Poll::Ready(written) => Poll::Ready(written),
            Poll::Pending => self.late(cx).map(Err),
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for WriteDeadline<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.stream().poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for WriteDeadline<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = self.stream().poll_write(cx, bytes);
        self.unless_late(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = self.stream().poll_write_vectored(cx, pieces);
        self.unless_late(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = ready!(self.stream().poll_flush(cx));
        self.running = None;
        Poll::Ready(flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    #[tokio::test]
    async fn a_reader_that_takes_a_byte_now_and_then_is_late() {
        let (near, mut far) = duplex(1);
        let mut near = WriteDeadline::new(near, Duration::from_millis(200));
        let write = async {
            loop {
                if let Err(error) = near.write_u8(b'x').await {
                    return error.kind();
                }
            }
        };
        let read = async {
            while far.read_u8().await.is_ok() {}
            std::future::pending::<()>().await;
        };
        let ended = tokio::select! {
            kind = write => kind,
            () = read => unreachable!(),
            () = sleep(Duration::from_secs(20)) => panic!("never late"),
        };
        assert_eq!(ended, io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn an_answer_handed_over_ends_its_deadline() {
        let (near, mut far) = duplex(1);
        let mut near = WriteDeadline::new(near, Duration::from_secs(60));
        let (written, read) = tokio::join!(near.write_all(b"xy"), far.read_u16());
        assert!(written.is_ok() && read.is_ok());
        assert!(near.running.is_some());
        near.flush().await.unwrap();
        assert!(near.running.is_none());
    }
}
