//! One socket that receives syslog, of whatever kind.

use std::io;

use super::Found;
use super::datagrams::Datagrams;
use super::stream::Stream;
use crate::syslog::Address;

/// A bound socket, with what was begun to be received.
#[derive(Debug)]
pub struct Socket {
    address: Address,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Datagrams(Datagrams),
    Stream(Stream),
}

impl Socket {
    /// Binds it. A Unix socket's file that nobody listens at any more is replaced.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn bind(address: &Address) -> io::Result<Self> {
        let kind = match address {
            Address::Udp(at) => Kind::Datagrams(Datagrams::udp(*at)?),
            Address::Unix(path) => Kind::Datagrams(Datagrams::unix(path)?),
            Address::Tcp(at) => Kind::Stream(Stream::bind(*at)?),
        };
        let address = address.clone();
        Ok(Self { address, kind })
    }

    /// Where it was asked to listen.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Where it listens, with the port that the system chose for port 0.
    pub fn bound(&self) -> Address {
        let bound = match (&self.kind, &self.address) {
            (Kind::Datagrams(socket), Address::Udp(_)) => socket.local_addr().map(Address::Udp),
            (Kind::Stream(socket), _) => socket.local_addr().map(Address::Tcp),
            _ => None,
        };
        bound.unwrap_or_else(|| self.address.clone())
    }

    /// Resolves when there may be something to read. Cancel-safe.
    pub(super) async fn ready(&mut self) {
        match &mut self.kind {
            Kind::Datagrams(socket) => socket.ready().await,
            Kind::Stream(socket) => socket.ready().await,
        }
    }

    /// Reads what is there, up to a bound; says whether more may be waiting.
    pub(super) fn read(&mut self, on: &mut impl FnMut(Found<'_>)) -> bool {
        match &mut self.kind {
            Kind::Datagrams(socket) => socket.read(on),
            Kind::Stream(socket) => socket.read(on),
        }
    }

    /// Datagrams that the kernel dropped since the last call.
    pub(super) fn dropped(&mut self) -> u64 {
        match &mut self.kind {
            Kind::Datagrams(socket) => socket.dropped(),
            Kind::Stream(_) => 0,
        }
    }
}
