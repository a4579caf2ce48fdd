//! The kernel's count of the datagrams that it dropped at one UDP socket.
//!
//! From `/proc/net`, which everybody may read: the socket option that tells the same (`SO_RXQ_OVFL`) tells it with the
//! next datagram only, and so not after the last.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;

use crate::syslog::drops;

/// Where the kernel shows its UDP sockets.
const TABLES: [&str; 2] = ["/proc/net/udp", "/proc/net/udp6"];

/// What was seen of one socket's count.
#[derive(Debug)]
pub(super) struct Drops {
    inode: u64,
    last: u32,
    /// Whether it was said already that the count is not to be had.
    told: bool,
}

impl Drops {
    /// Of a socket that was just bound.
    pub(super) fn of(socket: impl AsFd) -> io::Result<Self> {
        let socket = File::from(socket.as_fd().try_clone_to_owned()?);
        let inode = socket.metadata()?.ino();
        Ok(Self {
            inode,
            last: 0,
            told: false,
        })
    }

    /// Datagrams dropped since the last call.
    pub(super) fn new_ones(&mut self) -> u64 {
        let tables = TABLES
            .iter()
            .filter_map(|path| fs::read_to_string(path).ok());
        let Some(count) = tables
            .filter_map(|table| drops::of(&table, self.inode))
            .next()
        else {
            if !std::mem::replace(&mut self.told, true) {
                tracing::warn!("no /proc/net/udp: datagrams that the kernel drops are not counted");
            }
            return 0;
        };
        let new = count.wrapping_sub(self.last);
        self.last = count;
        u64::from(new)
    }
}
