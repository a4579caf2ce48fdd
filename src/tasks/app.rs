//! The sidecar as a whole: all wiring in one read.
//!
//! Binds before anything runs, so that an address in use is a start-up error; starts one task a canary slot
//! and a log source; ends the admin server last, so that the last counts can still be scraped.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::Mutex;

use super::admin::routes::{Views, router};
use super::admin::{Admin, BindError};
use super::http::{self, Http};
use super::log::{LogTask, Reading};
use super::pair::PairRecorder;
use super::record::{LegRecorder, SourceRecorder};
use super::snapshots::{self, Readings, Snapshots};
use super::stdin::{self, StdinTask};
use super::storage::{self, Durability, Storage};
use super::supervisor::{Failure, Supervisor};
use super::syslog::{Socket, SyslogTask};
use super::{canary, clock, signal};
use crate::canary::heartbeat::Expectation;
use crate::canary::pair::{Pair, Plan};
use crate::canary::{Leg, Settings};
use crate::config::{self, Config, Input};
use crate::metrics::{LegPlan, Metrics};
use crate::snapshot;
use crate::status::journal::SharedJournal;
use crate::status::{Status, view};
use crate::syslog::Address;

/// The longest that canaries may take to say farewell: their own limit is two seconds.
const WORKERS_GRACE: Duration = Duration::from_secs(4);
/// The longest that open scrapes may take after that.
const SERVERS_GRACE: Duration = Duration::from_secs(3);

/// Why the sidecar did not start; one line.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address cannot be listened at.
    #[error("holter: {0}")]
    Bind(#[from] BindError),
    /// The HTTP client cannot be set up.
    #[error("holter: {0}")]
    Http(#[from] http::BuildError),
    /// The folder of the snapshots cannot be used.
    #[error("holter: {0}")]
    Storage(#[from] storage::OpenError),
    /// A source's address cannot be listened at.
    #[error("holter: {key}: cannot listen on {address}: {cause}")]
    Syslog {
        /// The key in the configuration.
        key: String,
        /// The address.
        address: Address,
        /// What the system said.
        #[source]
        cause: std::io::Error,
    },
}

/// A sidecar that is bound and about to run.
pub struct App {
    supervisor: Supervisor,
    views: Views,
    address: SocketAddr,
    journal: SharedJournal,
    snapshots: Arc<Snapshots>,
}

impl App {
    /// Binds the address and starts every task. With a folder to store in, goes on from what is there.
    ///
    /// # Errors
    ///
    /// When the address cannot be bound, the HTTP client cannot be set up, or the folder cannot be used.
    pub async fn start(
        config: Config,
        listen_address: &str,
        storage_path: Option<&Path>,
    ) -> Result<Self, StartError> {
        let admin = Admin::bind(listen_address).await?;
        let address = admin.local_addr();
        let metrics = Arc::new(metrics(&config));
        let storage = storage_path.map(Storage::open).transpose()?;
        let stored = storage.as_ref().map(|from| snapshots::open(from, &metrics));
        let stored = stored.transpose()?.unwrap_or_default();
        metrics.config().accepted(clock::wall());
        let journal = SharedJournal::default();
        let mut supervisor = Supervisor::new();
        for canary in &config.canaries {
            spawn_canary(&mut supervisor, canary, &metrics, &journal)?;
        }
        let readings = Readings::default();
        for (i, source) in config.logs.iter().enumerate() {
            let stored = stored.source(&source.name).cloned();
            let started = spawn_source(&mut supervisor, i, source, &metrics, &journal, stored)?;
            if let Some(reading) = started {
                readings.add(reading);
            }
        }
        let snapshots = Arc::new(Snapshots::new(Arc::clone(&metrics), readings, storage));
        snapshots.store_now(Durability::Process).await;
        let views = views(config, &metrics, &journal, &snapshots);
        let serving = admin.serve(router(views.clone()), supervisor.servers_stop());
        supervisor.spawn_server("admin", serving);
        views.set_ready();
        tracing::info!(%address, "listening");
        Ok(Self {
            supervisor,
            views,
            address,
            journal,
            snapshots,
        })
    }

    /// Where the page and the metrics are served.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The newest ends of streams.
    pub fn journal(&self) -> SharedJournal {
        self.journal.clone()
    }

    /// Runs until `asked`, then leaves: canaries first, then one more scrape, then the server. A signal
    /// after that ends it at once.
    ///
    /// # Errors
    ///
    /// A task that ended early, panicked or did not end.
    pub async fn run(mut self, asked: impl Future<Output = ()>) -> Result<(), Failure> {
        self.supervisor.run(asked, WORKERS_GRACE).await?;
        let asked_at = clock::now();
        self.snapshots.store_now(Durability::Power).await;
        let leave = async {
            let scrape = self.views.scrapes().final_scrape(asked_at).await;
            tracing::info!(?scrape, "waited for a last scrape");
            self.supervisor.finish(SERVERS_GRACE).await
        };
        let Ok(asked_again) = signal::asked_to_stop(1) else {
            return leave.await;
        };
        tracing::info!("stopping; the counts stay readable until the next scrape");
        tokio::select! {
            left = leave => left,
            () = asked_again => Err(Failure::Aborted),
        }
    }
}

/// The legs of a canary that are configured, and where they go.
fn legs(canary: &config::Canary) -> impl Iterator<Item = (Leg, &url::Url)> {
    [(Leg::Direct, &canary.direct), (Leg::Proxy, &canary.proxy)]
        .into_iter()
        .filter_map(|(leg, url)| Some((leg, url.as_ref()?)))
}

fn metrics(config: &Config) -> Metrics {
    let plans = config.canaries.iter().flat_map(|canary| {
        legs(canary).map(|(leg, _)| LegPlan {
            canary: &canary.name,
            leg,
            streams: canary.streams,
            interval: canary.heartbeat.expected,
        })
    });
    Metrics::new(plans, config.logs.iter().map(|source| source.name.as_str()))
}

fn spawn_canary(
    supervisor: &mut Supervisor,
    canary: &config::Canary,
    metrics: &Metrics,
    journal: &SharedJournal,
) -> Result<(), StartError> {
    let Some(pair) = pair(canary, metrics).map(Arc::new) else {
        return Ok(());
    };
    let comparing = Arc::clone(&pair).run(supervisor.workers_stop());
    supervisor.spawn(format!("canary {} pair", canary.name), comparing);
    for (leg, url) in legs(canary) {
        let Some(metrics) = metrics.leg(&canary.name, leg) else {
            continue;
        };
        let http_settings = http::Settings {
            headers: canary.headers.clone(),
            bearer_token_file: canary.bearer_token_file.clone(),
            connect_timeout: canary.connect_timeout,
            tls: url.scheme() == "https",
        };
        let shared = Http::new(&http_settings)?;
        for slot in 0..canary.streams {
            let settings = settings(canary, leg, url.clone());
            // Over HTTP/2 a client puts all its streams on one connection, and each should have its own.
            let http = if http_settings.tls {
                Http::new(&http_settings)?
            } else {
                shared.clone()
            };
            let recorder = LegRecorder {
                slot,
                pair: Arc::clone(&pair),
                metrics: Arc::clone(&metrics),
                journal: journal.clone(),
            };
            let stop = supervisor.workers_stop();
            let task = canary::run(settings, http, stop, move |event| recorder.record(event));
            supervisor.spawn(format!("canary {} {leg} {slot}", canary.name), task);
        }
    }
    Ok(())
}

fn pair(canary: &config::Canary, metrics: &Metrics) -> Option<PairRecorder> {
    let configured: Vec<Leg> = legs(canary).map(|(leg, _)| leg).collect();
    let pair = Pair::new(Plan {
        legs: &configured,
        streams: canary.streams,
        interval: canary.heartbeat.expected,
        connect_timeout: canary.connect_timeout,
    });
    let legs: Vec<_> = configured
        .iter()
        .filter_map(|leg| metrics.leg(&canary.name, *leg))
        .collect();
    let shared = legs.first()?.shared().clone();
    Some(PairRecorder::new(pair, shared, legs))
}

fn settings(canary: &config::Canary, leg: Leg, url: url::Url) -> Settings {
    let affinity = canary.affinity;
    Settings {
        leg,
        url,
        transport: canary.transport,
        connect_timeout: canary.connect_timeout,
        max_age: canary.max_age,
        heartbeat: Expectation {
            interval: canary.heartbeat.expected,
            tolerance: canary.heartbeat.tolerance,
        },
        affinity: (!affinity.interval.is_zero()).then_some((affinity.interval, affinity.requests)),
    }
}

/// Starts a source; gives the state of one whose lines can be read again.
fn spawn_source(
    supervisor: &mut Supervisor,
    number: usize,
    source: &config::LogSource,
    metrics: &Metrics,
    journal: &SharedJournal,
    stored: Option<snapshot::Source>,
) -> Result<Option<Arc<Mutex<Reading>>>, StartError> {
    let Some(metrics) = metrics.source(&source.name) else {
        return Ok(None);
    };
    for note in source.format.limits() {
        tracing::warn!(source = source.name, "log_format: {note}");
    }
    let recorder = SourceRecorder {
        metrics,
        journal: journal.clone(),
    };
    let (name, stop) = (format!("log {}", source.name), supervisor.workers_stop());
    match &source.input {
        Input::Files { access, error } => {
            let task = LogTask::new(source, access, error, recorder, stored);
            let reading = task.reading();
            supervisor.spawn(name, task.run(stop));
            return Ok(Some(reading));
        }
        Input::Syslog { access, error } => {
            let bind = |key: &str, address: &Address| bind(number, source, key, address);
            let access = bind("syslog", access)?;
            let error = error
                .as_ref()
                .map(|at| bind("error_syslog", at))
                .transpose()?;
            let task = SyslogTask::new(source, access, error, recorder);
            supervisor.spawn(name, async { drop(task.run(stop).await) });
        }
        Input::Stdin => {
            let task = StdinTask::new(source, stdin::Input::default(), recorder);
            supervisor.spawn(name, async { drop(task.run(stop).await) });
        }
    }
    Ok(None)
}

fn bind(
    number: usize,
    source: &config::LogSource,
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

fn views(
    config: Config,
    metrics: &Arc<Metrics>,
    journal: &SharedJournal,
    snapshots: &Arc<Snapshots>,
) -> Views {
    let started_at = clock::wall();
    let (metrics, journal) = (Arc::clone(metrics), journal.clone());
    let snapshots = Arc::clone(snapshots);
    let answer = move || {
        let snapshots = Arc::clone(&snapshots);
        async move { snapshots.answer().await }
    };
    let status = move || status(&config, &metrics, &journal, started_at);
    Views::new(answer, status)
}

fn status(
    config: &Config,
    metrics: &Metrics,
    journal: &SharedJournal,
    started_at: SystemTime,
) -> Status {
    let at = clock::wall();
    Status {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started_at,
        at,
        legs: config
            .canaries
            .iter()
            .flat_map(|canary| legs(canary).map(move |(leg, url)| (canary, leg, url)))
            .filter_map(|(canary, leg, url)| {
                Some(view::leg(
                    &*metrics.leg(&canary.name, leg)?,
                    canary,
                    url,
                    at,
                ))
            })
            .collect(),
        sources: config
            .logs
            .iter()
            .filter_map(|source| Some(view::source(&*metrics.source(&source.name)?, source, at)))
            .collect(),
        disconnects: journal.since(0),
    }
}
