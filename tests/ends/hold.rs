//! Runs canaries against scripted servers, all rows of a table at once.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use holter::canary::heartbeat::Expectation;
use holter::canary::{Event, Leg, Settings, Transport};
use holter::tasks::canary::{self, Hearsay};
use holter::tasks::http;
use rustls::ClientConfig;
use tokio_util::sync::CancellationToken;

use crate::Seen;
use crate::server::{Script, Server};

/// Far beyond what any row takes.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// One row: what the server does, as words and as a script, and what the canary must make of it.
pub(crate) struct Row(pub(crate) &'static str, pub(crate) Script, pub(crate) Seen);

/// What a canary is pointed at.
pub(crate) struct Target {
    pub(crate) url: String,
    pub(crate) tls: Option<ClientConfig>,
    pub(crate) transport: Transport,
    pub(crate) connect_timeout: Duration,
    pub(crate) heartbeat: Option<Duration>,
}

impl Target {
    /// A target with time limits that no healthy server meets.
    pub(crate) fn new(url: String) -> Self {
        Self {
            url,
            tls: None,
            transport: Transport::StreamableHttp,
            connect_timeout: DEADLINE,
            heartbeat: None,
        }
    }
}

/// A canary that runs, and everything that it tells.
pub(crate) struct Canary {
    told: mpsc::Receiver<Event>,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

impl Canary {
    #[expect(clippy::disallowed_methods, reason = "the test is the supervisor")]
    pub(crate) fn start(target: Target) -> Self {
        let settings = Settings {
            leg: Leg::Direct,
            url: target.url.parse().expect("a URL"),
            transport: target.transport,
            connect_timeout: target.connect_timeout,
            max_age: None,
            heartbeat: Expectation {
                interval: target.heartbeat,
                tolerance: 2.5,
            },
            affinity: None,
        };
        let http = http::Http::new(&http::Settings {
            headers: vec![],
            bearer_token_file: None,
            connect_timeout: target.connect_timeout,
            tls: target.tls,
        });
        let (sender, told) = mpsc::channel();
        let stop = CancellationToken::new();
        let record = move |event: &Event| drop(sender.send(event.clone()));
        let task = canary::run(
            settings,
            http.expect("clients"),
            Hearsay::default(),
            stop.clone(),
            record,
        );
        let task = tokio::spawn(task);
        Self { told, stop, task }
    }

    /// The first end; every event before it goes to `hear`.
    #[expect(
        clippy::disallowed_methods,
        reason = "a limit, or a canary that tries on would be listened to for ever"
    )]
    pub(crate) fn first_end(&self, mut hear: impl FnMut(Event)) -> Seen {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.told.recv_timeout(left).expect("an end") {
                Event::ConnectFailed(reason) => return Seen::Failed(reason),
                Event::Ended(end) => return Seen::Ended(end.reason),
                event => hear(event),
            }
        }
    }

    /// Waits for such an event.
    pub(crate) fn wait_for(&self, is_it: impl Fn(&Event) -> bool) {
        while !is_it(&self.told.recv_timeout(DEADLINE).expect("the event")) {}
    }

    pub(crate) async fn stop(self) {
        self.stop.cancel();
        self.task.await.expect("a canary that leaves");
    }
}

/// Plays all rows side by side and compares.
pub(crate) fn check(rows: Vec<Row>) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let _inside = runtime.enter();
    let running: Vec<_> = rows
        .into_iter()
        .map(|Row(name, script, expected)| {
            let server = Server::start(script);
            let canary = Canary::start(server.target());
            (name, canary, server, expected)
        })
        .collect();
    let mut wrong = Vec::new();
    for (name, canary, server, expected) in running {
        println!("{name}"); // Shown where it has no end.
        let seen = canary.first_end(|event| server.hear(&event));
        if seen != expected {
            wrong.push(format!("{name}: {seen:?}, expected {expected:?}"));
        }
        runtime.block_on(canary.stop());
        drop(server);
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
