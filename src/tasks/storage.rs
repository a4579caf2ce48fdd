//! The folder of `--storage.path`: one snapshot in it, replaced as a whole, and a lock against a second holter.
//!
//! Knows files, not what stands in them. A snapshot is written beside the old one and renamed over it, so
//! that whoever is killed leaves the one or the other. It is not forced to the disk at each scrape: the kernel
//! has it, which survives any end of the process. Losing power is another matter (`docs/storage.md`).

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Largest snapshot that is read; far above any that is written.
const SNAPSHOT_MAX: u64 = 64 * 1024 * 1024;

/// Names that are tried for what is set aside.
const ASIDE_MAX: u32 = 10;

/// Why the folder cannot be used; one line that names it.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It is not there, and cannot be created or written to.
    #[error("--storage.path {}: {cause}", path.display())]
    Unusable {
        /// What cannot be used.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// Another process has it: two that count the same lines would count them twice.
    #[error("--storage.path {}: in use by another holter", .0.display())]
    Locked(PathBuf),
}

/// The folder, while this process has it.
#[derive(Debug)]
pub struct Storage {
    folder: PathBuf,
    /// Held open: the lock goes with it.
    _lock: File,
}

/// Whether a snapshot has to survive the loss of power, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// It survives the end of the process, whatever the cause.
    Process,
    /// It is on the disk.
    Power,
}

impl Storage {
    /// Takes the folder, which is created if need be.
    ///
    /// # Errors
    /// It cannot be used, or another process has it.
    pub fn open(folder: &Path) -> Result<Self, OpenError> {
        let unusable = |path: &Path| {
            let path = path.to_owned();
            move |cause| OpenError::Unusable { path, cause }
        };
        let mut builder = DirBuilder::new();
        let created = builder.recursive(true).mode(0o700).create(folder);
        created.map_err(unusable(folder))?;
        let path = folder.join("lock");
        let lock = private().create(true).open(&path);
        let lock = lock.map_err(unusable(&path))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self {
                folder: folder.to_owned(),
                _lock: lock,
            }),
            Err(TryLockError::WouldBlock) => Err(OpenError::Locked(folder.to_owned())),
            Err(TryLockError::Error(cause)) => Err(unusable(&path)(cause)),
        }
    }

    /// Where the snapshot stands.
    pub fn path(&self) -> PathBuf {
        self.folder.join("snapshot")
    }

    /// The snapshot that the process before left, if there is one.
    ///
    /// # Errors
    /// It is there and cannot be read.
    pub fn read(&self) -> Result<Option<Vec<u8>>, OpenError> {
        let path = self.path();
        let mut bytes = Vec::new();
        // A folder or a pipe holds no snapshot. To open a pipe is to wait for its writer.
        if fs::metadata(&path).is_ok_and(|meta| !meta.is_file()) {
            return Ok(Some(bytes));
        }
        let read = File::open(&path).and_then(|file| {
            // One that is longer is cut, and so refused by its checksum.
            file.take(SNAPSHOT_MAX).read_to_end(&mut bytes)
        });
        match read {
            Ok(_) => Ok(Some(bytes)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(cause) => Err(OpenError::Unusable { path, cause }),
        }
    }

    /// Moves a snapshot that cannot be gone on from out of the way, for people to look at; says where to.
    ///
    /// # Errors
    /// It cannot be moved.
    pub fn set_aside(&self) -> Result<PathBuf, OpenError> {
        let path = self.path();
        let aside = path.with_extension("rejected");
        // A file takes another's place, but not a folder's, and a folder only an empty one's.
        let more = (1..ASIDE_MAX).map(|number| path.with_extension(format!("rejected.{number}")));
        let mut refused = None;
        for aside in [aside].into_iter().chain(more) {
            match fs::rename(&path, &aside) {
                Ok(()) => return Ok(aside),
                Err(cause) => refused.get_or_insert(cause),
            };
        }
        let cause = refused.unwrap_or_else(|| ErrorKind::AlreadyExists.into());
        Err(OpenError::Unusable { path, cause })
    }

    /// Replaces the snapshot.
    ///
    /// # Errors
    /// It cannot be written; the one before stays.
    pub fn write(&self, bytes: &[u8], durability: Durability) -> io::Result<()> {
        let next = self.path().with_extension("next");
        let written = self.replace(&next, bytes, durability);
        if written.is_err() {
            // What could not be written whole must not fill the disk further; it may not be there at all.
            fs::remove_file(&next).ok();
        }
        written
    }

    fn replace(&self, next: &Path, bytes: &[u8], durability: Durability) -> io::Result<()> {
        let mut file = private().create(true).truncate(true).open(next)?;
        file.write_all(bytes)?;
        if durability == Durability::Power {
            file.sync_all()?;
        }
        fs::rename(next, self.path())?;
        if durability == Durability::Power {
            File::open(&self.folder)?.sync_all()?;
        }
        Ok(())
    }
}

/// Files for this user alone.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).mode(0o600);
    options
}
