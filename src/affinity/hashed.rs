//! Maps by what is a keyed hash already: to hash it again would say nothing.
//!
//! It does not know what was hashed.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// A map by keyed hashes, as [`super::Table`] makes them: evenly spread, and not to be foreseen by clients.
pub(super) type Hashed<V> = HashMap<u64, V, BuildHasherDefault<AsItIs>>;

/// Takes the key for its hash.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }
}
