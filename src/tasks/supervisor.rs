//! All tasks of the process, watched.
//!
//! Owns the rule that a task which ends or panics before shutdown is a bug: it ends the process with a
//! failure that names it, and whoever runs the process restarts it. Nothing is restarted in here.
//! Stops in two phases, so that the servers still answer the last scrape after the workers ended.
//! Knows nothing of what the tasks do.

use std::collections::{HashMap, HashSet};
use std::future::pending;
use std::time::Duration;

use thiserror::Error;
use tokio::select;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::error;

/// Why the process must not report success.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum Failure {
    /// A task returned although nobody had asked it to.
    #[error("task {task} ended before shutdown, which is a bug")]
    EndedEarly {
        /// The name given to [`Supervisor::spawn`].
        task: String,
    },
    /// A task panicked; the panic's own message is on standard error.
    #[error("task {task} panicked, which is a bug")]
    Panicked {
        /// The name given to [`Supervisor::spawn`].
        task: String,
    },
    /// Tasks that did not stop in time.
    #[error("shut down without waiting any longer for {}", tasks.join(", "))]
    Stuck {
        /// Their names, sorted.
        tasks: Vec<String>,
    },
    /// A second signal came while the first was being obeyed.
    #[error("stopped at once, by a second signal")]
    Aborted,
}

/// A worker that can be stopped while the others go on.
#[derive(Debug)]
pub struct Worker {
    id: Id,
    stop: CancellationToken,
}

/// Two groups of tasks: workers, and servers that outlive them. Dropping it aborts all.
#[derive(Debug, Default)]
pub struct Supervisor {
    workers: Group,
    servers: Group,
}

impl Supervisor {
    /// No tasks yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Cancelled when the workers are to stop.
    pub fn workers_stop(&self) -> CancellationToken {
        self.workers.stop.clone()
    }

    /// Cancelled when the servers are to stop, after the workers did.
    pub fn servers_stop(&self) -> CancellationToken {
        self.servers.stop.clone()
    }

    /// Starts a worker. It must run until [`Self::workers_stop`] is cancelled, and then end.
    pub fn spawn(
        &mut self,
        name: impl Into<String>,
        task: impl Future<Output = ()> + Send + 'static,
    ) {
        self.workers.spawn(name.into(), task);
    }

    /// Starts a worker that [`Self::retire`] can stop. It must run until its token is cancelled, and then end.
    pub fn spawn_worker<T: Future<Output = ()> + Send + 'static>(
        &mut self,
        name: impl Into<String>,
        task: impl FnOnce(CancellationToken) -> T,
    ) -> Worker {
        let stop = self.workers.stop.child_token();
        let id = self.workers.spawn(name.into(), task(stop.clone()));
        Worker { id, stop }
    }

    /// Stops these workers alone, waiting at most `grace`.
    ///
    /// # Errors
    ///
    /// One of them did not end or panicked, or another worker ended meanwhile.
    pub async fn retire(&mut self, workers: Vec<Worker>, grace: Duration) -> Result<(), Failure> {
        workers.iter().for_each(|worker| worker.stop.cancel());
        let mut leaving: HashSet<Id> = workers.into_iter().map(|worker| worker.id).collect();
        let left = timeout(grace, self.workers.leave(&mut leaving)).await;
        left.unwrap_or_else(|_| {
            let mut tasks: Vec<_> = leaving.iter().map(|id| self.workers.name(*id)).collect();
            tasks.sort();
            Err(Failure::Stuck { tasks })
        })
    }

    /// Waits for `event`, which gives its value, or for a task to end, which is a failure.
    ///
    /// # Errors
    ///
    /// A task ended first. The others run on, until [`Self::stop_workers`].
    pub async fn watch<T>(&mut self, event: impl Future<Output = T>) -> Result<T, Failure> {
        select! {
            value = event => Ok(value),
            failure = self.workers.first_end() => Err(failure),
            failure = self.servers.first_end() => Err(failure),
        }
    }

    /// Stops the workers, waiting at most `grace`. The servers run on until [`Self::finish`].
    ///
    /// # Errors
    ///
    /// What happened `so_far`, else the first failure; any later one is logged.
    pub async fn stop_workers(
        &mut self,
        so_far: Result<(), Failure>,
        grace: Duration,
    ) -> Result<(), Failure> {
        let mut outcome = Outcome(so_far);
        self.workers.stop(grace, &mut outcome).await;
        outcome.0
    }

    /// Starts a server. It must run until [`Self::servers_stop`] is cancelled, and then end.
    pub fn spawn_server(
        &mut self,
        name: impl Into<String>,
        task: impl Future<Output = ()> + Send + 'static,
    ) {
        self.servers.spawn(name.into(), task);
    }

    /// Runs until `signal` resolves or a task ends, then stops the workers, waiting at most `grace`.
    /// The servers run on until [`Self::finish`].
    ///
    /// # Errors
    ///
    /// The first failure; any later one is logged.
    pub async fn run(
        &mut self,
        signal: impl Future<Output = ()>,
        grace: Duration,
    ) -> Result<(), Failure> {
        let so_far = self.watch(signal).await;
        self.stop_workers(so_far, grace).await
    }

    /// Stops the servers, waiting at most `grace`.
    ///
    /// # Errors
    ///
    /// The first failure; any later one is logged.
    pub async fn finish(mut self, grace: Duration) -> Result<(), Failure> {
        let mut outcome = Outcome(Ok(()));
        self.servers.stop(grace, &mut outcome).await;
        outcome.0
    }
}

/// The first failure, since later ones tend to follow from it.
struct Outcome(Result<(), Failure>);

impl Outcome {
    fn add(&mut self, failure: Failure) {
        match self.0 {
            Ok(()) => self.0 = Err(failure),
            Err(_) => error!("{failure}"),
        }
    }
}

#[derive(Debug, Default)]
struct Group {
    tasks: JoinSet<()>,
    names: HashMap<Id, String>,
    stop: CancellationToken,
}

impl Group {
    fn spawn(&mut self, name: String, task: impl Future<Output = ()> + Send + 'static) -> Id {
        let id = self.tasks.spawn(task).id();
        self.names.insert(id, name);
        id
    }

    /// Waits until all of `leaving` ended; no other may.
    async fn leave(&mut self, leaving: &mut HashSet<Id>) -> Result<(), Failure> {
        while !leaving.is_empty() {
            match self.tasks.join_next_with_id().await {
                Some(Ok((id, ()))) if leaving.remove(&id) => drop(self.name(id)),
                Some(Ok((id, ()))) => {
                    let task = self.name(id);
                    return Err(Failure::EndedEarly { task });
                }
                Some(Err(error)) => return Err(self.broken(&error)),
                None => return Ok(()),
            }
        }
        Ok(())
    }

    /// Waits for a task to end, which none may do yet. Cancel-safe, as `join_next_with_id` is.
    async fn first_end(&mut self) -> Failure {
        match self.tasks.join_next_with_id().await {
            None => pending().await,
            Some(Ok((id, ()))) => Failure::EndedEarly {
                task: self.name(id),
            },
            Some(Err(error)) => self.broken(&error),
        }
    }

    async fn stop(&mut self, grace: Duration, outcome: &mut Outcome) {
        self.stop.cancel();
        if timeout(grace, self.join(outcome)).await.is_err() {
            self.tasks.abort_all();
            let mut tasks: Vec<String> = self.names.drain().map(|(_, name)| name).collect();
            tasks.sort();
            outcome.add(Failure::Stuck { tasks });
        }
    }

    async fn join(&mut self, outcome: &mut Outcome) {
        while let Some(ended) = self.tasks.join_next_with_id().await {
            match ended {
                Ok((id, ())) => drop(self.name(id)),
                Err(error) => outcome.add(self.broken(&error)),
            }
        }
    }

    fn broken(&mut self, error: &JoinError) -> Failure {
        let task = self.name(error.id());
        match error.is_panic() {
            true => Failure::Panicked { task },
            // Only the runtime's own end cancels a task that is still in the set.
            false => Failure::EndedEarly { task },
        }
    }

    /// Forgets the task, so that the names left are those of running tasks.
    fn name(&mut self, id: Id) -> String {
        self.names.remove(&id).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
