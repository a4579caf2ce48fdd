//! Answers scrapes and gives the page its picture: with `--storage.path`, of exactly what is stored by then.
//!
//! One cut of all counts and all positions, written, then shown. So a value that was shown is never above
//! the stored one: whoever kills the process at any moment finds it going on from what the last scrape saw, or
//! from later, and nothing read since is lost, because the positions are of the same moment.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync;
use tokio::time::timeout;

use super::clock;
use super::reading::Reading;
use super::storage::{Durability, OpenError, Storage};
use crate::metrics::{Gathered, Metrics};
use crate::snapshot::Snapshot;
use crate::status::Status;

/// Scrapes that come within this time of a cut are answered from it: each costs a write.
const COALESCED: Duration = Duration::from_millis(100);

/// How long a scrape waits for what it is to be answered from to be stored. A disk that hangs must not make Holter look
/// dead: Prometheus gives up after 10 s by default.
const STORED_WITHIN: Duration = Duration::from_secs(4);

/// The sources that snapshots hold, as they come and go.
#[derive(Clone, Default)]
pub struct Readings(Arc<Mutex<Vec<Arc<sync::Mutex<Reading>>>>>);

impl Readings {
    /// From now on snapshots hold this source.
    pub fn add(&self, reading: Arc<sync::Mutex<Reading>>) {
        self.lock().push(reading);
    }

    /// From now on snapshots do not hold this source.
    pub fn remove(&self, reading: &Arc<sync::Mutex<Reading>>) {
        self.lock().retain(|one| !Arc::ptr_eq(one, reading));
    }

    /// Decides what the sources hold: no line will follow, and nobody goes on from there.
    async fn finish(&self) {
        let readings = self.lock().clone();
        for reading in readings {
            reading.lock().await.finish();
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Arc<sync::Mutex<Reading>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes the picture of this moment.
type Picture = Box<dyn Fn() -> Status + Send + Sync>;

/// What answers scrapes, and who looks at the page.
pub struct Snapshots {
    metrics: Arc<Metrics>,
    readings: Readings,
    storage: Option<Arc<Storage>>,
    picture: Picture,
    newest: Arc<sync::Mutex<Option<Answer>>>,
}

/// What is shown, and of when it is.
#[derive(Clone)]
struct Answer {
    cut_at: Instant,
    text: Bytes,
    status: Arc<Status>,
}

impl Snapshots {
    /// Answers from these metrics and this picture of them; stores them and the readings where there is a place.
    pub fn new(
        metrics: Arc<Metrics>,
        readings: Readings,
        storage: Option<Storage>,
        picture: impl Fn() -> Status + Send + Sync + 'static,
    ) -> Self {
        Self {
            metrics,
            readings,
            storage: storage.map(Arc::new),
            picture: Box::new(picture),
            newest: Arc::default(),
        }
    }

    /// The exposition for a scrape that came just now.
    pub async fn text(&self) -> Bytes {
        match self.answer().await {
            Some(answer) => answer.text,
            None => self.metrics.render().into(),
        }
    }

    /// The picture for whoever looks just now: what it shows does not fall either.
    pub async fn status(&self) -> Status {
        match self.answer().await {
            Some(answer) => Arc::unwrap_or_clone(answer.status),
            None => (self.picture)(),
        }
    }

    /// What is stored; `None` where nothing is, or not in time.
    async fn answer(&self) -> Option<Answer> {
        let storage = self.storage.as_ref()?;
        let answer = self.stored(storage, clock::now());
        self.in_time(answer).await
    }

    async fn in_time<T>(&self, stored: impl Future<Output = T>) -> Option<T> {
        let stored = timeout(STORED_WITHIN, stored).await;
        stored
            .inspect_err(|_| self.note(Err(io::ErrorKind::TimedOut.into())))
            .ok()
    }

    async fn stored(&self, storage: &Arc<Storage>, asked_at: Instant) -> Answer {
        let newest = Arc::clone(&self.newest).lock_owned().await;
        let fresh = newest
            .as_ref()
            .filter(|answer| asked_at.saturating_duration_since(answer.cut_at) < COALESCED);
        match fresh {
            Some(answer) => answer.clone(),
            None => self.store(storage, Durability::Process, newest).await,
        }
    }

    /// Nothing is read any more. What is not decided yet is left to whoever goes on from what is stored, with the
    /// lines that come until then; where nothing is stored, it is decided by what is known.
    pub async fn leave(&self) {
        match self.storage {
            Some(_) => self.store_now(Durability::Power).await,
            None => self.readings.finish().await,
        }
    }

    /// Stores the counts and positions as they are now: at the start, so that what is read before the first
    /// scrape is not lost; at the end. What is shown from then on is not older than that.
    pub async fn store_now(&self, durability: Durability) {
        if let Some(storage) = &self.storage {
            let newest = Arc::clone(&self.newest).lock_owned().await;
            self.store(storage, durability, newest).await;
        }
    }

    /// The same after a reload: what was added is to survive, and nobody is to be answered from before it. Whoever waits
    /// for the reload must not wait for a disk that hangs.
    pub async fn renew(&self) {
        self.in_time(self.store_now(Durability::Process)).await;
    }

    /// The lock on `newest` goes with the write: a scraper that goes away, or waits no longer, drops this future, and the next
    /// write must not overtake the one that is under way.
    async fn store(
        &self,
        storage: &Arc<Storage>,
        durability: Durability,
        newest: sync::OwnedMutexGuard<Option<Answer>>,
    ) -> Answer {
        let cut_at = clock::now();
        let (status, gathered, snapshot) = self.cut().await;
        let storage = Arc::clone(storage);
        let write = move || (storage.write(&snapshot.encode(), durability), newest);
        let (written, newest) = match tokio::task::spawn_blocking(write).await {
            Ok((written, newest)) => (written, Some(newest)),
            Err(error) => (Err(io::Error::other(error)), None),
        };
        self.note(written);
        let answer = Answer {
            cut_at,
            text: self.metrics.text(gathered).into(),
            status: Arc::new(status),
        };
        if let Some(mut newest) = newest {
            *newest = Some(answer.clone());
        }
        answer
    }

    /// All counts, and how far each source was read for them. No source is in a pass while it is taken;
    /// a pass waits for nothing but its own lock, so that taking all of them ends.
    async fn cut(&self) -> (Status, Gathered, Snapshot) {
        let readings = self.readings.lock().clone();
        let mut held = Vec::with_capacity(readings.len());
        for reading in &readings {
            held.push(reading.lock().await);
        }
        // First: canaries count on meanwhile, and it must show no more than is stored.
        let status = (self.picture)();
        let gathered = self.metrics.gather();
        let snapshot = Snapshot {
            families: self.metrics.stored(&gathered),
            sources: held.iter().map(|reading| reading.save()).collect(),
        };
        (status, gathered, snapshot)
    }

    fn note(&self, written: io::Result<()>) {
        match written {
            Ok(()) => self.metrics.storage().written(clock::wall()),
            Err(error) => {
                if self.metrics.storage().failed() {
                    tracing::error!(%error, "the counts cannot be stored; a crash would lose what comes now");
                }
            }
        }
    }
}

/// Takes the folder and what the process before left in it. What cannot be gone on from is set aside and
/// counted: counting starts anew, at the end of the files.
///
/// # Errors
/// The folder cannot be used.
pub fn open(storage: &Storage, metrics: &Metrics) -> Result<Snapshot, OpenError> {
    let Some(bytes) = storage.read()? else {
        return Ok(Snapshot::default());
    };
    match Snapshot::decode(&bytes) {
        Ok(snapshot) => {
            metrics.restore(&snapshot.families);
            Ok(snapshot)
        }
        Err(rejected) => {
            metrics.storage().rejected(rejected);
            let (path, aside) = (storage.path(), storage.set_aside()?);
            let (path, aside) = (path.display(), aside.display());
            tracing::error!(
                "{path} {}; moved to {aside}; counting starts at 0 and at the end of the logs",
                rejected.in_words()
            );
            Ok(Snapshot::default())
        }
    }
}
