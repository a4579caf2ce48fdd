//! The proxy's two log files: opened for their owner only, one write a line.
//!
//! Session ids stand in the access log as nginx would write them, so the files are private to the
//! user (mode 0600) and belong into a private directory. Does not know what a line says.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use tokio_util::sync::CancellationToken;

/// Access log and error log of one proxy.
pub(super) struct Logs {
    access: Mutex<File>,
    error: Mutex<File>,
    /// Cancelled when the proxy stops: as with nginx's fast stop, what ends by that leaves no line.
    stop: CancellationToken,
}

impl Logs {
    /// Creates both files, which must not exist yet.
    pub(super) fn create(access: &Path, error: &Path, stop: CancellationToken) -> io::Result<Self> {
        Ok(Self {
            access: Mutex::new(create(access)?),
            error: Mutex::new(create(error)?),
            stop,
        })
    }

    /// Appends to the access log.
    pub(super) fn access(&self, line: String) {
        self.append(&self.access, line);
    }

    /// Appends to the error log.
    pub(super) fn error(&self, line: String) {
        self.append(&self.error, line);
    }

    fn append(&self, file: &Mutex<File>, mut line: String) {
        if self.stop.is_cancelled() {
            return;
        }
        line.push('\n');
        let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = file.write_all(line.as_bytes()) {
            tracing::warn!(%error, "the laboratory's proxy lost a log line");
        }
    }
}

fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .append(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}
