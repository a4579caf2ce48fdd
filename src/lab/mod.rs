//! The laboratory: three small MCP replicas behind a proxy that misbehaves on schedule, with users.
//!
//! Everything runs in this process, on loopback, on ports that the kernel chooses. It gives Holter
//! something real to watch: true sockets, true cuts, and log files as nginx writes them. It knows
//! nothing of Holter: no canary, no metric, no reason.

mod clients;
mod clock;
mod fetch;
pub mod proxy;
pub mod replica;
mod schedule;
mod serve;

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::select;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use clients::{Habit, User};
use proxy::{Balance, Proxy};
use replica::Replica;
use schedule::Action;
pub use schedule::{Plan, USERS_MAX};

/// Replicas behind the proxy.
const REPLICAS: usize = 3;

/// How long, and how often within that, a replica tries to get its port back after a kill: an
/// outgoing connection of anybody's may sit on it for a while.
const RESTART_TRIES: u32 = 20;
const RESTART_PAUSE: Duration = Duration::from_millis(100);

/// The longest that an orderly stop of one part may take; what is left after it is torn down by dropping it.
const STOP_TIMEOUT: Duration = Duration::from_millis(200);

/// A laboratory whose sockets are bound and served; [`Lab::run`] makes things happen in it.
pub struct Lab {
    plan: Plan,
    replicas: Vec<Replica>,
    addrs: Vec<SocketAddr>,
    proxy: Proxy,
    access_log: PathBuf,
    error_log: PathBuf,
}

impl Lab {
    /// Starts three replicas and the proxy; `access.log` and `error.log` are created in `dir`, which
    /// should be private: session ids stand in them as nginx would write them.
    ///
    /// # Errors
    ///
    /// If no port can be bound, or a log exists in `dir` already or cannot be created.
    pub async fn start(dir: &Path, plan: Plan) -> io::Result<Self> {
        let mut replicas = Vec::with_capacity(REPLICAS);
        for _ in 0..REPLICAS {
            let settings = replica::Settings {
                heartbeat: plan.heartbeat,
            };
            replicas.push(Replica::bind(settings).await?);
        }
        let addrs: Vec<_> = replicas.iter().map(Replica::addr).collect();
        let settings = proxy::Settings {
            replicas: addrs.clone(),
            balance: Balance::RoundRobin,
            read_timeout: plan.read_timeout,
        };
        let (access_log, error_log) = (dir.join("access.log"), dir.join("error.log"));
        let proxy = Proxy::start(settings, &access_log, &error_log).await?;
        Ok(Self {
            plan,
            replicas,
            addrs,
            proxy,
            access_log,
            error_log,
        })
    }

    /// Where the replicas listen; they come back to the same addresses. Paths: `/mcp`, `/sse`.
    pub fn replicas(&self) -> &[SocketAddr] {
        &self.addrs
    }

    /// Where the proxy listens, with the same paths.
    pub fn proxy(&self) -> SocketAddr {
        self.proxy.addr()
    }

    /// The proxy's access log, in [`proxy::LOG_FORMAT`].
    pub fn access_log(&self) -> &Path {
        &self.access_log
    }

    /// The proxy's error log, in nginx's format at level info.
    pub fn error_log(&self) -> &Path {
        &self.error_log
    }

    /// Lets users in and plays the plan's faults until `stop`; then takes everything down within a
    /// second and leaves no task and no open file.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut users = self.users();
        select! {
            () = stop.cancelled() => {}
            () = self.play() => {}
            // Users never end by themselves: one that did has panicked.
            Some(ended) = users.join_next() => serve::rethrow(ended),
        }
        // The proxy first, so that its log does not blame anybody for the rest.
        let proxy = self.proxy;
        drop(timeout(STOP_TIMEOUT, proxy.stop()).await);
        users.shutdown().await;
        for mut replica in self.replicas {
            drop(timeout(STOP_TIMEOUT, replica.kill()).await);
        }
    }

    fn users(&self) -> JoinSet<()> {
        let mut users = JoinSet::new();
        for user in 0..self.plan.users.min(USERS_MAX) {
            let (proxy, beat) = (self.proxy.addr(), self.plan.heartbeat);
            users.spawn(
                User {
                    proxy,
                    beat,
                    habit: Habit::of(user),
                }
                .run(),
            );
        }
        users
    }

    /// Plays the schedule; never returns.
    async fn play(&mut self) {
        let started = clock::now();
        let mut elapsed = Duration::ZERO;
        while let Some(due) = schedule::next(&self.plan, self.replicas.len(), elapsed) {
            sleep(due.at.saturating_sub(clock::now().duration_since(started))).await;
            elapsed = due.at;
            for action in due.actions {
                self.act(action).await;
            }
        }
        std::future::pending().await
    }

    async fn act(&mut self, action: Action) {
        let (Action::Kill(nth) | Action::Start(nth) | Action::Nap(nth) | Action::CloseStreams(nth)) =
            action;
        let Some(replica) = self.replicas.get_mut(nth) else {
            return;
        };
        match action {
            Action::Kill(_) => replica.kill().await,
            Action::Start(_) => restart(replica).await,
            Action::Nap(_) => replica.nap(self.plan.nap_for),
            Action::CloseStreams(_) => replica.close_streams(),
        }
    }
}

async fn restart(replica: &mut Replica) {
    for _ in 0..RESTART_TRIES {
        match replica.start().await {
            Ok(()) => return,
            Err(error) => tracing::debug!(%error, "a replica waits for its port"),
        }
        sleep(RESTART_PAUSE).await;
    }
    tracing::warn!(addr = %replica.addr(), "a replica's port is taken, it stays down until its next turn");
}
