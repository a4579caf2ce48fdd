//! A connection that is heard out before its end is told.
//!
//! h2 gives up at the first error, and what breaks a connection would hide what was said on it last: a GOAWAY, or
//! END_STREAM. So an end is read one turn later than the bytes before it, and what cannot be written any more is
//! dropped until all is read. Knows nothing of HTTP.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::dial::Io;

/// Bytes both ways; see above.
pub(super) struct LastWords {
    io: Io,
    end: Option<io::Result<()>>,
    /// What broke while writing: the kernel tells it once, and reading would find a mere end.
    broken: Option<io::Error>,
}

impl LastWords {
    pub(super) fn new(io: Io) -> Self {
        Self {
            io,
            end: None,
            broken: None,
        }
    }

    fn can_write(&self) -> bool {
        self.broken.is_none() && self.end.is_none()
    }

    /// What reading ended with, unless writing knew better.
    fn end(&mut self, read: io::Result<()>) -> io::Result<()> {
        let is_eof = match &read {
            Ok(()) => true,
            Err(error) => error.kind() == io::ErrorKind::UnexpectedEof,
        };
        match self.broken.take_if(|_| is_eof) {
            Some(error) => Err(error),
            None => read,
        }
    }
}

impl AsyncRead for LastWords {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(end) = self.end.take() {
            return Poll::Ready(end);
        }
        let before = buffer.filled().len();
        let read = ready!(Pin::new(&mut self.io).poll_read(context, buffer));
        if read.is_ok() && buffer.filled().len() > before {
            return Poll::Ready(Ok(()));
        }
        self.end = Some(self.end(read));
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

impl AsyncWrite for LastWords {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.can_write() {
            match ready!(Pin::new(&mut self.io).poll_write(context, bytes)) {
                Ok(written) => return Poll::Ready(Ok(written)),
                Err(error) => self.broken = Some(error),
            }
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.can_write()
            && let Err(error) = ready!(Pin::new(&mut self.io).poll_flush(context))
        {
            self.broken = Some(error);
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::{TcpListener, TcpStream};
    use std::time::Duration;

    use socket2::SockRef;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn all_is_heard_though_nothing_can_be_said_any_more() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let ours = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut theirs, _) = listener.accept().unwrap();
        theirs.write_all(b"farewell").unwrap();
        // Closing a socket that does not linger sends RST.
        let socket = SockRef::from(&theirs);
        socket.set_linger(Some(Duration::ZERO)).unwrap();
        drop(theirs);
        ours.set_nonblocking(true).unwrap();
        let ours = tokio::net::TcpStream::from_std(ours).unwrap();
        let mut ours = LastWords::new(Io::Left(ours));
        for _ in 0..2 {
            ours.write_all(b"too late").await.unwrap();
            ours.flush().await.unwrap();
        }
        let mut heard = Vec::new();
        let end = ours.read_to_end(&mut heard).await.unwrap_err();
        assert_eq!(heard, b"farewell");
        assert_eq!(end.kind(), io::ErrorKind::ConnectionReset);
    }
}
