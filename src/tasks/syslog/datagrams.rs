//! Datagrams of UDP or of a Unix socket: one message each.

use std::fs::{self, Permissions};
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tokio::net::{UdpSocket, UnixDatagram};

use super::drops::Drops;
use super::{Found, PASS_MAX};
use crate::syslog::framing::trimmed;
use crate::tail::LossCause;
use crate::tail::lines::{LINE_MAX, Piece};

/// What the kernel is asked to hold for us between two looks; it gives at most `net.core.rmem_max` (socket(7)).
const RECEIVE_BUFFER: usize = 8 * 1024 * 1024;

/// Who may send to a Unix socket: everybody who reaches its folder, as with `/dev/log`.
const MODE: u32 = 0o666;

/// A socket, and room for its longest message.
#[derive(Debug)]
pub(super) struct Datagrams {
    kind: Kind,
    buffer: Vec<u8>,
}

#[derive(Debug)]
enum Kind {
    Udp(UdpSocket, Drops),
    Unix {
        socket: UnixDatagram,
        /// Removed with it.
        _file: SocketFile,
    },
}

impl Datagrams {
    pub(super) fn udp(at: SocketAddr) -> io::Result<Self> {
        let socket = std::net::UdpSocket::bind(at)?;
        socket.set_nonblocking(true)?;
        rustix::net::sockopt::set_socket_recv_buffer_size(&socket, RECEIVE_BUFFER)?;
        let drops = Drops::of(&socket)?;
        Ok(Self::new(Kind::Udp(UdpSocket::from_std(socket)?, drops)))
    }

    pub(super) fn unix(path: &Path) -> io::Result<Self> {
        remove_stale(path)?;
        let socket = UnixDatagram::bind(path)?;
        let file = SocketFile(path.to_owned());
        fs::set_permissions(path, Permissions::from_mode(MODE))?;
        Ok(Self::new(Kind::Unix {
            socket,
            _file: file,
        }))
    }

    fn new(kind: Kind) -> Self {
        // A byte more than fits shows what is too long.
        let buffer = vec![0; LINE_MAX + 1];
        Self { kind, buffer }
    }

    pub(super) fn local_addr(&self) -> Option<SocketAddr> {
        match &self.kind {
            Kind::Udp(socket, _) => socket.local_addr().ok(),
            Kind::Unix { .. } => None,
        }
    }

    pub(super) async fn ready(&self) {
        let ready = match &self.kind {
            Kind::Udp(socket, _) => socket.readable().await,
            Kind::Unix { socket, .. } => socket.readable().await,
        };
        // The runtime is ending; nothing can be read then.
        drop(ready);
    }

    pub(super) fn read(&mut self, on: &mut impl FnMut(Found<'_>)) -> bool {
        for _ in 0..PASS_MAX {
            let received = match &self.kind {
                Kind::Udp(socket, _) => socket.try_recv(&mut self.buffer),
                Kind::Unix { socket, .. } => socket.try_recv(&mut self.buffer),
            };
            let length = match received {
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
                Err(error) => {
                    tracing::debug!(%error, "a datagram cannot be received");
                    return false;
                }
            };
            on(Found::Bytes(length));
            let message = self.buffer.get(..length).unwrap_or_default();
            on(Found::Piece(match length <= LINE_MAX {
                true => Piece::Line(trimmed(message)),
                // What does not fit is cut off by the kernel: at least so much is lost.
                false => Piece::Lost {
                    cause: LossCause::LineTooLong,
                    bytes: length as u64,
                },
            }));
        }
        true
    }

    pub(super) fn dropped(&mut self) -> u64 {
        match &mut self.kind {
            Kind::Udp(_, drops) => drops.new_ones(),
            // The sender waits, or drops and counts for itself.
            Kind::Unix { .. } => 0,
        }
    }
}

/// The file of a Unix socket; removed with it.
#[derive(Debug)]
struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        // Gone already, or in a folder that is: nothing to do about it.
        drop(fs::remove_file(&self.0));
    }
}

/// Removes a socket's file at which nobody listens, as one that was killed leaves it.
fn remove_stale(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(found) if !found.file_type().is_socket() => {
            let message = "a file that is no socket stands there";
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, message));
        }
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    }
    let probe = std::os::unix::net::UnixDatagram::unbound()?;
    match probe.connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
        Err(error) => Err(error),
        Ok(()) => Err(io::ErrorKind::AddrInUse.into()),
    }
}
