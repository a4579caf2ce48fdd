//! Syslog on the wire: where it is received, messages out of a stream of bytes, datagrams that the kernel dropped.
//!
//! Does not know what a message says, nor the header before it: `access_log::wrapping` takes that off, for files
//! and sockets alike. Opens and reads nothing: `tasks::syslog` does.

mod address;
pub mod drops;
pub mod framing;

pub use address::Address;
