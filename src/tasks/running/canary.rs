//! A canary's tasks: one a stream, and one that compares its legs.

use std::sync::Arc;

use url::Url;

use super::Running;
use crate::canary::heartbeat::Expectation;
use crate::canary::pair::{Pair, Plan};
use crate::canary::{Leg, Settings};
use crate::config::{self, Config};
use crate::metrics::{LegPlan, Metrics};
use crate::tasks::canary::{Era, Hearsay};
use crate::tasks::http::{self, Http};
use crate::tasks::pair::PairRecorder;
use crate::tasks::record::LegRecorder;
use crate::tasks::supervisor::{Supervisor, Worker};
use crate::tasks::{canary, dial};

/// A canary that runs, as it was configured.
pub(super) struct RunningCanary {
    pub(super) config: config::Canary,
    pub(super) workers: Vec<Worker>,
}

/// One leg's way out.
pub(super) struct LegClients {
    leg: Leg,
    url: Url,
    http: Http,
}

impl RunningCanary {
    /// Starts it.
    pub(super) fn start(
        canary: &config::Canary,
        legs: Vec<LegClients>,
        beside: &Running,
        supervisor: &mut Supervisor,
    ) -> Self {
        let mut running = Self {
            config: canary.clone(),
            workers: Vec::new(),
        };
        let Some(pair) = pair(canary, &beside.metrics).map(Arc::new) else {
            return running;
        };
        let name = format!("canary {} pair", canary.name);
        let comparing = supervisor.spawn_worker(name, |stop| Arc::clone(&pair).run(stop));
        running.workers.push(comparing);
        for LegClients { leg, url, http } in legs {
            let Some(metrics) = beside.metrics.leg(&canary.name, leg) else {
                continue;
            };
            let era = Arc::<Era>::default();
            for slot in 0..canary.streams {
                let http = http.clone();
                let settings = settings(canary, leg, url.clone());
                let recorder = LegRecorder {
                    slot,
                    pair: Arc::clone(&pair),
                    metrics: Arc::clone(&metrics),
                    journal: beside.journal.clone(),
                };
                let name = format!("canary {} {leg} {slot}", canary.name);
                let hearsay = Hearsay {
                    era: Arc::clone(&era),
                    server_beats: (leg == Leg::Proxy).then(|| pair.server_beats()),
                };
                let worker = supervisor.spawn_worker(name, |stop| {
                    canary::run(settings, http, hearsay, stop, move |event| {
                        recorder.record(event);
                    })
                });
                running.workers.push(worker);
            }
        }
        running
    }
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

/// The legs of a canary that are configured, and where they go.
pub(in crate::tasks) fn legs(canary: &config::Canary) -> impl Iterator<Item = (Leg, &Url)> {
    [(Leg::Direct, &canary.direct), (Leg::Proxy, &canary.proxy)]
        .into_iter()
        .filter_map(|(leg, url)| Some((leg, url.as_ref()?)))
}

/// The series that a configuration's canaries need.
pub(in crate::tasks) fn plans(config: &Config) -> impl Iterator<Item = LegPlan<'_>> {
    config.canaries.iter().flat_map(|canary| {
        legs(canary).map(|(leg, _)| LegPlan {
            canary: &canary.name,
            leg,
            streams: canary.streams,
            interval: canary.heartbeat.expected,
        })
    })
}

pub(super) fn clients(canary: &config::Canary) -> Result<Vec<LegClients>, http::BuildError> {
    let leg = |(leg, url): (Leg, &Url)| {
        let settings = http::Settings {
            headers: canary.headers.clone(),
            bearer_token_file: canary.bearer_token_file.clone(),
            connect_timeout: canary.connect_timeout,
            // Only where it is needed, so that a container without certificates can watch plain HTTP.
            tls: (url.scheme() == "https")
                .then(dial::system_tls)
                .transpose()?,
        };
        let http = Http::new(&settings)?;
        let url = url.clone();
        Ok(LegClients { leg, url, http })
    };
    legs(canary).map(leg).collect()
}

fn settings(canary: &config::Canary, leg: Leg, url: Url) -> Settings {
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
