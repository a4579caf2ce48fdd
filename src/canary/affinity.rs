//! Requests of one session on fresh connections: which of them reached a replica without it.
//!
//! One refusal proves nothing: the id may have expired. It is a miss once the same id is good elsewhere,
//! or while the session's own stream is open (a server ends the stream with the session).

use super::survival::{self, Observation, Reading};

/// The fewest refusals in a row that may mean "gone from every replica".
const TRIES_MIN: u32 = 12;
/// The most requests that a question about one session may cost the server.
const TRIES_MAX: u32 = 32;
/// With so much chance left that a good replica was just never met, nothing is concluded.
const DOUBT: f64 = 0.01;

/// The session requests of one leg's slot.
#[derive(Debug, Default)]
pub struct Affinity {
    requests: u64,
    misses: u64,
    /// Refusals since the last request that found the session, not yet understood.
    refused: u32,
    /// Refusals in a row, understood or not.
    row: u32,
    /// Refusals of requests without the proxy's cookies, not yet understood.
    bare: u32,
}

/// What an answered request adds to the counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Requests whose answer is now understood.
    pub requests: u64,
    /// Those of them that missed.
    pub misses: u64,
    /// Those misses that went without the cookies that the proxy had set.
    pub bare: u64,
}

impl Affinity {
    /// A new question: earlier refusals, understood or not, say nothing about it.
    pub fn ask(&mut self) {
        (self.refused, self.row, self.bare) = (0, 0, 0);
    }

    /// A request reached a replica that has the session: now it is known what refusals before it were.
    pub fn found(&mut self) -> Count {
        let (refused, bare) = (self.refused, self.bare);
        self.ask();
        let seen = Observation::Refused {
            is_known_elsewhere: true,
            stream_is_open: false,
        };
        if survival::read(&seen) != Reading::Miss {
            return self.count(1, 0);
        }
        let (misses, bare) = (u64::from(refused), u64::from(bare));
        let count = self.count(misses + 1, misses);
        Count {
            requests: count.requests + bare,
            misses: count.misses + bare,
            bare,
        }
    }

    /// A request without the proxy's cookies was refused. That says nothing of where those with them go.
    pub fn refused_bare(&mut self) {
        self.bare += 1;
    }

    /// The refusals without cookies are certainly misses.
    pub fn missed_bare(&mut self) -> Count {
        let bare = u64::from(std::mem::take(&mut self.bare));
        Count {
            requests: bare,
            misses: bare,
            bare,
        }
    }

    /// A request was refused with 404 or 400 while nothing proves that the session lives.
    pub fn refused(&mut self) {
        self.refused += 1;
        self.row += 1;
    }

    /// A request was refused while the session's own stream is open: certainly a miss.
    pub fn missed(&mut self) -> Count {
        self.row += 1;
        self.count(1, 1)
    }

    /// Whether to ask again after a refusal; on the direct leg one replica answers, so twice is enough.
    pub fn is_open(&self, direct: bool) -> bool {
        self.row < self.limit(direct)
    }

    /// How many refusals in a row end a question.
    pub fn limit(&self, direct: bool) -> u32 {
        if direct { 2 } else { self.tries() }
    }

    /// Whether the refusals prove that no replica has the session. Resets them.
    pub fn concludes_gone(&mut self, direct: bool) -> bool {
        let refused = std::mem::take(&mut self.refused);
        self.row = 0;
        if direct {
            return refused >= 2;
        }
        refused >= TRIES_MIN && self.chance_of_missing(refused) <= DOUBT
    }

    fn count(&mut self, requests: u64, misses: u64) -> Count {
        self.requests += requests;
        self.misses += misses;
        Count {
            requests,
            misses,
            bare: 0,
        }
    }

    fn tries(&self) -> u32 {
        (TRIES_MIN..TRIES_MAX)
            .find(|tries| self.chance_of_missing(*tries) <= DOUBT)
            .unwrap_or(TRIES_MAX)
    }

    /// How likely a living session is refused so often in a row, by the share of misses so far.
    fn chance_of_missing(&self, tries: u32) -> f64 {
        if self.requests == 0 {
            return 0.0;
        }
        let share = self.misses as f64 / self.requests as f64;
        share.powf(f64::from(tries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_before_a_success_are_misses() {
        let mut affinity = Affinity::default();
        affinity.refused();
        affinity.refused();
        assert_eq!(
            affinity.found(),
            Count {
                requests: 3,
                misses: 2,
                bare: 0
            }
        );
        assert_eq!(
            affinity.found(),
            Count {
                requests: 1,
                misses: 0,
                bare: 0
            }
        );
    }

    #[test]
    fn refusals_that_never_end_are_a_lost_session_and_no_misses() {
        let mut affinity = Affinity::default();
        let mut asked = 0;
        while affinity.is_open(false) {
            affinity.refused();
            asked += 1;
        }
        assert_eq!(asked, TRIES_MIN);
        assert!(affinity.concludes_gone(false));
        assert_eq!(affinity.found().misses, 0);
    }

    #[test]
    fn among_ten_replicas_without_affinity_nothing_is_concluded() {
        let mut affinity = Affinity::default();
        for _ in 0..9 {
            affinity.missed();
        }
        affinity.found();
        while affinity.is_open(false) {
            affinity.refused();
        }
        assert!(!affinity.concludes_gone(false));
    }

    #[test]
    fn the_direct_leg_has_one_replica() {
        let mut affinity = Affinity::default();
        affinity.refused();
        assert!(affinity.is_open(true));
        affinity.refused();
        assert!(!affinity.is_open(true));
        assert!(affinity.concludes_gone(true));
    }
}
