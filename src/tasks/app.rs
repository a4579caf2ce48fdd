//! The sidecar as a whole: all wiring in one read.
//!
//! Binds before anything runs, so that an address in use is a start-up error; changes what runs when the
//! configuration does; ends the admin server last, so that the last counts can still be scraped.

use std::net::SocketAddr;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::watch;

use super::admin::routes::{Views, router};
use super::admin::{Admin, BindError};
use super::reload::{Asked, Reloads};
use super::running::{self, Left, Prepared, Running, legs};
use super::snapshots::{self, Readings, Snapshots};
use super::storage::{self, Durability, Storage};
use super::supervisor::{Failure, Supervisor};
use super::{clock, http, signal};
use crate::config::Config;
use crate::metrics::Metrics;
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
    metrics: Arc<Metrics>,
    running: Running,
    /// The configuration that runs, as the page shows it.
    current: watch::Sender<Arc<Config>>,
    reloading: Option<Reloading>,
}

/// How the configuration is read again, and who may ask for it.
pub struct Reloading {
    /// Reads and checks it; an error is every problem in it.
    pub load: Box<dyn Fn() -> Result<Config, String> + Send>,
    /// Who asks.
    pub asked: Reloads,
    /// Whether requests may.
    pub by_request: bool,
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
        reloading: Option<Reloading>,
    ) -> Result<Self, StartError> {
        let admin = Admin::bind(listen_address).await?;
        let address = admin.local_addr();
        let storage = storage_path.map(Storage::open).transpose()?;
        let names = config.logs.iter().map(|source| source.name.as_str());
        let metrics = Arc::new(Metrics::new(running::plans(&config), names));
        let journal = SharedJournal::default();
        let mut supervisor = Supervisor::new();
        let readings = Readings::default();
        let mut running = Running::new(Arc::clone(&metrics), journal.clone(), readings.clone());
        let prepared = running.prepare(&config)?;
        // The last that can fail: that a snapshot was set aside is told by a process that goes on, or never.
        let stored = storage.as_ref().map(|from| snapshots::open(from, &metrics));
        let left = Left::stored(stored.transpose()?.unwrap_or_default());
        metrics.config().accepted(clock::wall());
        running
            .start(&config, prepared, left, &mut supervisor)
            .await;
        let (current, shown) = watch::channel(Arc::new(config));
        let picture = picture(shown, &metrics, &journal);
        let snapshots = Snapshots::new(Arc::clone(&metrics), readings, storage, picture);
        let snapshots = Arc::new(snapshots);
        snapshots.store_now(Durability::Process).await;
        let mut views = views(&snapshots);
        if let Some(allowed) = reloading.as_ref().filter(|one| one.by_request) {
            views = views.allow_reload(allowed.asked.door());
        }
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
            metrics,
            running,
            current,
            reloading,
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
        let served = self.serve(asked).await;
        self.supervisor.stop_workers(served, WORKERS_GRACE).await?;
        let asked_at = clock::now();
        self.snapshots.leave().await;
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

    /// Runs until `asked`, and reloads meanwhile.
    async fn serve(&mut self, asked: impl Future<Output = ()>) -> Result<(), Failure> {
        let mut asked = pin!(asked);
        loop {
            let (supervisor, reloading) = (&mut self.supervisor, &mut self.reloading);
            let next = async {
                tokio::select! {
                    () = asked.as_mut() => None,
                    one = asked_to_reload(reloading.as_mut()) => Some(one),
                }
            };
            match supervisor.watch(next).await? {
                None => return Ok(()),
                Some(one) => self.reload(one).await?,
            }
        }
    }

    /// Changes to the configuration of now, or to nothing if that is refused.
    async fn reload(&mut self, one: Asked) -> Result<(), Failure> {
        let loaded = match &self.reloading {
            Some(reloading) => (reloading.load)(),
            None => return Ok(()),
        };
        let prepared = loaded.and_then(|config| {
            let prepared = self.running.prepare(&config);
            let prepared = prepared.map_err(|error| error.to_string());
            prepared.map(|prepared| (Arc::new(config), prepared))
        });
        let outcome = match prepared {
            Ok((config, prepared)) => Ok(self.change(config, prepared).await?),
            Err(problems) => Err(problems),
        };
        match &outcome {
            Ok(()) => {
                self.metrics.config().accepted(clock::wall());
                tracing::info!("reloaded");
            }
            Err(problems) => {
                self.metrics.config().refused();
                problems.lines().for_each(|line| tracing::error!("{line}"));
                tracing::error!("not reloaded; what was configured before runs on");
            }
        }
        self.snapshots.renew().await;
        one.answer(outcome);
        Ok(())
    }

    async fn change(&mut self, config: Arc<Config>, prepared: Prepared) -> Result<(), Failure> {
        let (running, supervisor) = (&mut self.running, &mut self.supervisor);
        let left = running.retire(&config, supervisor, WORKERS_GRACE).await?;
        running.start(&config, prepared, left, supervisor).await;
        self.current.send_replace(config);
        Ok(())
    }
}

async fn asked_to_reload(reloading: Option<&mut Reloading>) -> Asked {
    match reloading {
        Some(reloading) => reloading.asked.next().await,
        None => std::future::pending().await,
    }
}

fn views(snapshots: &Arc<Snapshots>) -> Views {
    let (texts, pictures) = (Arc::clone(snapshots), Arc::clone(snapshots));
    let text = move || {
        let snapshots = Arc::clone(&texts);
        async move { snapshots.text().await }
    };
    let status = move || {
        let snapshots = Arc::clone(&pictures);
        async move { snapshots.status().await }
    };
    Views::new(text, status)
}

/// What makes the page's picture of the configuration that runs.
fn picture(
    config: watch::Receiver<Arc<Config>>,
    metrics: &Arc<Metrics>,
    journal: &SharedJournal,
) -> impl Fn() -> Status + Send + Sync + 'static {
    let started_at = clock::wall();
    let (metrics, journal) = (Arc::clone(metrics), journal.clone());
    move || {
        let config = Arc::clone(&config.borrow());
        status(&config, &metrics, &journal, started_at)
    }
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
