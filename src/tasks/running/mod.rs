//! The tasks of a configuration, and what becomes of them when it changes.
//!
//! Owns the rule of a reload: what can fail is done before anything changes; what is configured as before is not
//! touched; what changed takes up where it was left. Reads no configuration and decides nothing about one.

mod canary;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, oneshot};

use super::app::StartError;
use super::log::LogTask;
use super::reading::Reading;
use super::record::SourceRecorder;
use super::snapshots::Readings;
use super::stdin::{self, StdinTask};
use super::supervisor::{Failure, Supervisor, Worker};
use super::syslog::{Socket, SyslogTask};
use crate::config::{self, Config, Input, LogSource};
use crate::metrics::Metrics;
use crate::snapshot::Snapshot;
use crate::status::journal::SharedJournal;
use crate::syslog::Address;

use canary::{LegClients, RunningCanary, clients};
pub(super) use canary::{legs, plans};

/// All that runs for the configuration.
pub(super) struct Running {
    metrics: Arc<Metrics>,
    journal: SharedJournal,
    readings: Readings,
    canaries: Vec<RunningCanary>,
    sources: Vec<RunningSource>,
    /// Standard input, while no source reads it: a second reader would miss what the first has begun to read.
    stdin: Option<stdin::Input>,
}

struct RunningSource {
    config: LogSource,
    worker: Worker,
    reading: Arc<Mutex<Reading>>,
    leaves: Leaves,
}

/// What a source leaves beside its reading when its task has ended.
enum Leaves {
    Nothing,
    Sockets(oneshot::Receiver<Vec<Socket>>),
    Stdin(oneshot::Receiver<stdin::Input>),
}

/// What a new configuration needs that may not be had.
pub(super) struct Prepared {
    /// Of each canary that is not running as it is configured now.
    clients: Vec<Vec<LegClients>>,
    /// At the addresses that no source listens at yet.
    sockets: Vec<Socket>,
}

/// What is there to be taken up.
#[derive(Default)]
pub(super) struct Left {
    stored: Snapshot,
    readings: Vec<(String, Arc<Mutex<Reading>>)>,
    sockets: Vec<Socket>,
}

impl Left {
    /// What the process before stored.
    pub(super) fn stored(stored: Snapshot) -> Self {
        Self {
            stored,
            ..Self::default()
        }
    }

    fn reading(&mut self, source: &str) -> Option<Arc<Mutex<Reading>>> {
        let at = self.readings.iter().position(|(name, _)| name == source)?;
        Some(self.readings.swap_remove(at).1)
    }

    fn socket(&mut self, address: &Address) -> Option<Socket> {
        let at = self
            .sockets
            .iter()
            .position(|one| one.address() == address)?;
        Some(self.sockets.swap_remove(at))
    }
}

impl Running {
    /// Nothing runs yet.
    pub(super) fn new(metrics: Arc<Metrics>, journal: SharedJournal, readings: Readings) -> Self {
        Self {
            metrics,
            journal,
            readings,
            canaries: Vec::new(),
            sources: Vec::new(),
            stdin: None,
        }
    }

    /// Does all that can fail, and changes nothing.
    ///
    /// # Errors
    ///
    /// A client cannot be set up, or an address not be listened at.
    pub(super) fn prepare(&self, config: &Config) -> Result<Prepared, StartError> {
        let new = config.canaries.iter().filter(|one| !self.has_canary(one));
        let clients = new.map(clients).collect::<Result<_, _>>()?;
        let is_leaving = |one: &&RunningSource| !config.logs.contains(&one.config);
        let leaving: Vec<_> = self.sources.iter().filter(is_leaving).collect();
        let is_held = |address: &Address| {
            let mut held = leaving.iter().flat_map(|one| addresses(&one.config));
            held.any(|(_, other)| other == address)
        };
        let mut sockets = Vec::new();
        for (number, source) in config.logs.iter().enumerate() {
            let free = addresses(source).filter(|(_, address)| !is_held(address));
            for (key, address) in free.filter(|_| !self.has_source(source)) {
                sockets.push(bind(number, source, key, address)?);
            }
        }
        Ok(Prepared { clients, sockets })
    }

    /// Stops what is not configured any more, or otherwise; gives what it leaves.
    ///
    /// # Errors
    ///
    /// A task that did not end, or another that did.
    pub(super) async fn retire(
        &mut self,
        config: &Config,
        supervisor: &mut Supervisor,
        grace: Duration,
    ) -> Result<Left, Failure> {
        let mut gone = Vec::new();
        let is_leaving = |one: &mut RunningCanary| !config.canaries.contains(&one.config);
        let canaries: Vec<_> = self.canaries.extract_if(.., is_leaving).collect();
        let is_leaving = |one: &mut RunningSource| !config.logs.contains(&one.config);
        let sources: Vec<_> = self.sources.extract_if(.., is_leaving).collect();
        let mut workers = Vec::new();
        for canary in canaries {
            let legs = legs(&canary.config);
            gone.extend(legs.filter_map(|(leg, _)| self.metrics.leg(&canary.config.name, leg)));
            workers.extend(canary.workers);
        }
        let mut leaves = Vec::new();
        for source in sources {
            workers.push(source.worker);
            leaves.push((source.config.name, source.reading, source.leaves));
        }
        supervisor.retire(workers, grace).await?;
        gone.iter().for_each(|leg| leg.retire());
        let mut left = Left::default();
        for (name, reading, leaves) in leaves {
            if !config.logs.iter().any(|source| source.name == name) {
                reading.lock().await.finish();
            }
            left.readings.push((name, reading));
            match leaves {
                Leaves::Nothing => {}
                Leaves::Sockets(sockets) => left.sockets.extend(sockets.await.unwrap_or_default()),
                Leaves::Stdin(stdin) => self.stdin = stdin.await.ok(),
            }
        }
        Ok(left)
    }

    /// Starts what is not running yet.
    pub(super) async fn start(
        &mut self,
        config: &Config,
        prepared: Prepared,
        mut left: Left,
        supervisor: &mut Supervisor,
    ) {
        let names = config.logs.iter().map(|source| source.name.as_str());
        self.metrics.configure(plans(config), names);
        left.sockets.extend(prepared.sockets);
        let mut clients = prepared.clients.into_iter();
        for canary in &config.canaries {
            if !self.has_canary(canary) {
                let legs = clients.next().unwrap_or_default();
                let running = RunningCanary::start(canary, legs, self, supervisor);
                self.canaries.push(running);
            }
        }
        for source in &config.logs {
            if !self.has_source(source)
                && let Some(running) = self.source(source, &mut left, supervisor).await
            {
                self.sources.push(running);
            }
        }
        for (_, reading) in left.readings {
            self.readings.remove(&reading);
        }
    }

    fn has_canary(&self, canary: &config::Canary) -> bool {
        self.canaries.iter().any(|one| one.config == *canary)
    }

    fn has_source(&self, source: &LogSource) -> bool {
        self.sources.iter().any(|one| one.config == *source)
    }

    /// Starts a source; `None` if it has no series, or a socket was not prepared: neither can be.
    async fn source(
        &mut self,
        source: &LogSource,
        left: &mut Left,
        supervisor: &mut Supervisor,
    ) -> Option<RunningSource> {
        for note in source.limits() {
            tracing::warn!(source = source.name, "{note}");
        }
        let recorder = SourceRecorder {
            metrics: self.metrics.source(&source.name)?,
            journal: self.journal.clone(),
        };
        let reading = match left.reading(&source.name) {
            Some(reading) => {
                // Whoever asks it for what to store finds positions and counts of one moment meanwhile, too.
                reading.lock().await.change(source, recorder);
                reading
            }
            None => {
                let stored = left.stored.source(&source.name).cloned();
                let reading = Arc::new(Mutex::new(Reading::new(source, recorder, stored)));
                self.readings.add(Arc::clone(&reading));
                reading
            }
        };
        let (worker, leaves) = self.worker(source, Arc::clone(&reading), left, supervisor)?;
        Some(RunningSource {
            config: source.clone(),
            worker,
            reading,
            leaves,
        })
    }

    fn worker(
        &mut self,
        source: &LogSource,
        reading: Arc<Mutex<Reading>>,
        left: &mut Left,
        supervisor: &mut Supervisor,
    ) -> Option<(Worker, Leaves)> {
        let name = format!("log {}", source.name);
        Some(match &source.input {
            Input::Files { access, error } => {
                let task = LogTask::new(reading, &[&access[..], error].concat());
                let worker = supervisor.spawn_worker(name, |stop| task.run(stop));
                (worker, Leaves::Nothing)
            }
            Input::Syslog { access, error } => {
                let access = left.socket(access)?;
                let error = error.as_ref().and_then(|address| left.socket(address));
                let task = SyslogTask::new(source, reading, access, error);
                let (leave, leaves) = oneshot::channel();
                let worker = supervisor.spawn_worker(name, |stop| async move {
                    drop(leave.send(task.run(stop).await));
                });
                (worker, Leaves::Sockets(leaves))
            }
            Input::Stdin => {
                let stdin = self.stdin.take().unwrap_or_default();
                let task = StdinTask::new(source, reading, stdin);
                let (leave, leaves) = oneshot::channel();
                let worker = supervisor.spawn_worker(name, |stop| async move {
                    drop(leave.send(task.run(stop).await));
                });
                (worker, Leaves::Stdin(leaves))
            }
        })
    }
}

/// The addresses that a source listens at, each with its key.
fn addresses(source: &LogSource) -> impl Iterator<Item = (&'static str, &Address)> {
    let (access, error) = match &source.input {
        Input::Syslog { access, error } => (Some(access), error.as_ref()),
        Input::Files { .. } | Input::Stdin => (None, None),
    };
    let access = access.map(|address| ("syslog", address));
    let error = error.map(|address| ("error_syslog", address));
    access.into_iter().chain(error)
}

fn bind(
    number: usize,
    source: &LogSource,
    key: &str,
    address: &Address,
) -> Result<Socket, StartError> {
    let socket = Socket::bind(address).map_err(|cause| StartError::Syslog {
        key: format!("logs[{number}].{key}"),
        address: address.clone(),
        cause,
    })?;
    tracing::info!(source = source.name, address = %socket.bound(), "receiving {key}");
    Ok(socket)
}
