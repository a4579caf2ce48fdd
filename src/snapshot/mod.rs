//! What survives a crash, as bytes: every count, and how far each log was read for it.
//!
//! One line that says what the file is, then JSON. The line holds the format's version, and length and
//! CRC-32 of what follows: a file that was cut, altered or written by something else is refused, never
//! half believed. Does not know files: `tasks::storage` does.

pub mod series;

use std::str;

use flate2::Crc;
use serde::{Deserialize, Serialize};

use crate::access_log::reader;
use crate::label::label;
use crate::tail::Checkpoint;
use series::Family;

/// What a snapshot begins with.
const MAGIC: &str = "holter-snapshot";
/// The format that is written, and the only one that is read.
const VERSION: &str = "1";
/// Longest first line.
const HEADER_MAX: usize = 64;

/// All that is to survive, as of one moment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Counters and histograms that are not 0.
    pub families: Vec<Family>,
    /// The log sources.
    pub sources: Vec<Source>,
}

/// One log source: what was read for its counts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Source {
    /// The source's name.
    pub name: String,
    /// Positions in the access log.
    pub access: Checkpoint,
    /// Positions in the error log.
    pub error: Checkpoint,
    /// What was read and is not counted yet.
    pub held: reader::Held,
}

label! {
    /// Why a file is no snapshot to go on from.
    pub enum Rejected {
        /// It does not begin as a snapshot does.
        Foreign => "foreign",
        /// It is of another version of the format.
        Version => "version",
        /// It was cut or altered.
        Corrupt => "corrupt",
    }
}

impl Rejected {
    /// What is wrong, for people.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Foreign => "is not a snapshot of holter",
            Self::Version => "was written by a version of holter that stores another format",
            Self::Corrupt => "is damaged: length or checksum do not match",
        }
    }
}

impl Snapshot {
    /// The file's content.
    pub fn encode(&self) -> Vec<u8> {
        // Only a map with keys that are no text would fail, and there is none.
        let body = serde_json::to_vec(self).unwrap_or_default();
        let (length, sum) = (body.len(), checksum(&body));
        let mut file = format!("{MAGIC} {VERSION} {length} {sum:08x}\n").into_bytes();
        file.extend(body);
        file
    }

    /// Reads a file's content.
    ///
    /// # Errors
    /// Why it cannot be gone on from.
    pub fn decode(file: &[u8]) -> Result<Self, Rejected> {
        let head = file.get(..HEADER_MAX).unwrap_or(file);
        if !head.starts_with(MAGIC.as_bytes()) {
            return Err(Rejected::Foreign);
        }
        let end = memchr::memchr(b'\n', head).ok_or(Rejected::Corrupt)?;
        let (head, body) = file.split_at(end);
        let head = str::from_utf8(head).map_err(|_| Rejected::Corrupt)?;
        let mut words = head.split(' ').skip(1);
        if words.next() != Some(VERSION) {
            return Err(Rejected::Version);
        }
        let body = body.get(1..).unwrap_or_default();
        let expected = format!("{} {:08x}", body.len(), checksum(body));
        if words.collect::<Vec<_>>().join(" ") != expected {
            return Err(Rejected::Corrupt);
        }
        serde_json::from_slice(body).map_err(|_| Rejected::Corrupt)
    }

    /// What is stored of the log source of this name.
    pub fn source(&self, name: &str) -> Option<&Source> {
        self.sources.iter().find(|source| source.name == name)
    }
}

fn checksum(bytes: &[u8]) -> u32 {
    let mut sum = Crc::new();
    sum.update(bytes);
    sum.sum()
}

#[cfg(test)]
mod tests;
