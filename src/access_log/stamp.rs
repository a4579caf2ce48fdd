//! Moments as logs write them.
//!
//! It does not know how.

use serde::{Deserialize, Serialize};

/// A moment of a second log, in milliseconds since 1970-01-01.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// In UTC.
    Utc(i64),
    /// In a local time whose zone is not written.
    Local(i64),
}

/// A moment as a log wrote it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// Milliseconds since 1970-01-01 UTC.
    pub unix_ms: i64,
    /// Seconds east of UTC, where written: naive local times beside it can be aligned.
    pub utc_offset: Option<i32>,
}
