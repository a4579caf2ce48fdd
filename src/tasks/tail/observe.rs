//! What the file system tells of a file or a folder, as a value to judge.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::time::UNIX_EPOCH;

use crate::tail::follow::{Identity, Observed, Times};

pub(super) fn observe(meta: &Metadata) -> Observed {
    let born = meta.created().ok();
    Observed {
        id: Identity {
            dev: meta.dev(),
            ino: meta.ino(),
            born: born.and_then(|at| at.duration_since(UNIX_EPOCH).ok()),
        },
        size: meta.len(),
        times: Times {
            modified: (meta.mtime(), meta.mtime_nsec()),
            changed: (meta.ctime(), meta.ctime_nsec()),
        },
    }
}
