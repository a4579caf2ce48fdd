//! Ids and clients' addresses as keyed hashes: equal ones are told, and none is kept.
//!
//! The key is random. It is stored with what it hashed, so that both still match after a restart.

use std::hash::{BuildHasher, DefaultHasher, Hasher, RandomState};

use serde::{Deserialize, Serialize};

/// A random key.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Key([u64; 2]);

impl Key {
    /// The hash of these bytes. Another release of the standard library may give another one.
    pub(crate) fn hash(self, bytes: &[u8]) -> u64 {
        let mut hasher = DefaultHasher::new();
        for half in self.0 {
            hasher.write_u64(half);
        }
        hasher.write(bytes);
        hasher.finish()
    }
}

impl Default for Key {
    fn default() -> Self {
        let random = RandomState::new();
        Self([random.hash_one(0), random.hash_one(1)])
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_hashes_otherwise_and_stays_itself_when_stored() {
        let (key, other) = (Key::default(), Key::default());
        assert_ne!(key.hash(b"a"), other.hash(b"a"));
        let stored = serde_json::to_string(&key).unwrap();
        let read: Key = serde_json::from_str(&stored).unwrap();
        assert_eq!(read.hash(b"a"), key.hash(b"a"));
        assert_ne!(key.hash(b"a"), key.hash(b"b"));
        assert_eq!(format!("{key:?}"), "Key");
    }
}
