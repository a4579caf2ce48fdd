//! Streams whose end was told: an application may write of the same dead stream again and again.
//!
//! Ids are hashed with a random key on entry and forgotten in the order of their coming.

use std::collections::{HashSet, VecDeque};

use serde::{Deserialize, Serialize};

use crate::access_log::key::Key;

/// Most streams that are remembered. One forgotten, and told of again, is counted again.
const ENDED_MAX: usize = 16_384;

/// The streams whose end was told, by the id that their lines name.
#[derive(Debug, Default)]
pub struct Ended {
    key: Key,
    known: HashSet<u64>,
    order: VecDeque<u64>,
}

/// What a restart goes on from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Saved {
    key: Key,
    order: Vec<u64>,
}

impl Ended {
    /// What is remembered.
    pub(crate) fn save(&self) -> Saved {
        Saved {
            key: self.key,
            order: self.order.iter().copied().collect(),
        }
    }

    /// Goes on from there.
    pub(crate) fn resume(saved: Saved) -> Self {
        Self {
            key: saved.key,
            known: saved.order.iter().copied().collect(),
            order: saved.order.into(),
        }
    }

    /// Notes an end; says whether it is news. An end without an id always is.
    pub fn closed(&mut self, session: Option<&[u8]>) -> bool {
        let Some(session) = session.map(|session| self.key.hash(session)) else {
            return true;
        };
        if !self.known.insert(session) {
            return false;
        }
        self.order.push_back(session);
        if self.order.len() > ENDED_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        true
    }

    /// Notes that a stream was opened, so that its next end is news.
    pub fn opened(&mut self, session: Option<&[u8]>) {
        let session = session.map(|session| self.key.hash(session));
        if let Some(session) = session.filter(|session| self.known.remove(session)) {
            self.order.retain(|known| *known != session);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_news_once_until_it_is_opened_again() {
        let mut ended = Ended::default();
        let a: Option<&[u8]> = Some(b"a");
        assert!(ended.closed(None) && ended.closed(None));
        assert!(ended.closed(a) && !ended.closed(a));
        ended.opened(None);
        ended.opened(Some(b"b"));
        assert!(!ended.closed(a));
        ended.opened(a);
        assert!(ended.closed(a) && !ended.closed(a));
    }

    #[test]
    fn the_table_is_bounded() {
        let mut ended = Ended::default();
        for id in 0..=ENDED_MAX {
            assert!(ended.closed(Some(&id.to_be_bytes())));
        }
        assert_eq!(
            (ended.known.len(), ended.order.len()),
            (ENDED_MAX, ENDED_MAX)
        );
        assert!(!ended.closed(Some(&1usize.to_be_bytes())));
        assert!(ended.closed(Some(&0usize.to_be_bytes())));
    }
}
