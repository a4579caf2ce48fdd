//! `holter demo`: the laboratory in this process, and the ordinary exporter on it.
//!
//! Everything that is shown is measured: the canaries, the log source, the page and the metrics are those
//! of the sidecar, configured as a user would configure them.

use std::io;
use std::path::Path;
use std::time::Duration;

use super::run::RunError;
use crate::cli::DemoArgs;
use crate::config::{Config, Problem};
use crate::lab::proxy::LOG_FORMAT;
use crate::lab::{Lab, Plan};
use crate::status::journal::{Disconnect, Origin, SharedJournal};
use crate::tasks::app::App;
use crate::tasks::supervisor::Supervisor;
use crate::tasks::{clock, signal};

/// How often the journal is looked at for new ends.
const LOOK: Duration = Duration::from_millis(200);

/// Why there was no demo.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The laboratory did not start.
    #[error("holter: the laboratory did not start: {0}")]
    Lab(#[from] io::Error),
    /// The laboratory's own configuration was refused, which is a bug.
    #[error("holter: {}", .0.first().map_or_else(String::new, Problem::to_string))]
    Config(Vec<Problem>),
    /// The exporter failed.
    #[error(transparent)]
    Run(#[from] RunError),
}

impl DemoError {
    /// As for the sidecar.
    pub fn code(&self) -> u8 {
        match self {
            Self::Run(error) => error.code(),
            Self::Lab(_) | Self::Config(_) => 1,
        }
    }
}

/// Runs the demo until it is stopped, or for the time asked for.
///
/// # Errors
///
/// See [`DemoError`].
pub async fn run(args: &DemoArgs) -> Result<(), DemoError> {
    let dir = tempfile::Builder::new().prefix("holter-demo-").tempdir()?;
    let lab = Lab::start(dir.path(), Plan::default()).await?;
    let config = Config::parse(&configuration(&lab), "demo.yaml").map_err(DemoError::Config)?;
    let asked = signal::asked_to_stop(1)?;
    let app = App::start(config, &args.web_listen_address.to_string(), None, None)
        .await
        .map_err(RunError::from)?;
    introduce(&app, &lab, dir.path());

    let mut scenery = Supervisor::new();
    let stop = scenery.workers_stop();
    scenery.spawn("laboratory", lab.run(stop.clone()));
    scenery.spawn("narrator", narrate(app.journal(), stop));
    let over = async {
        match args.duration {
            Some(duration) => drop(tokio::time::timeout(duration, asked).await),
            None => asked.await,
        }
    };
    // The exporter leaves first, as it would beside a server that goes on.
    app.run(over).await.map_err(RunError::from)?;
    scenery
        .run(std::future::ready(()), Duration::from_secs(3))
        .await
        .map_err(RunError::from)?;
    Ok(())
}

/// What a user would write to watch the laboratory.
fn configuration(lab: &Lab) -> String {
    let replica = lab
        .replicas()
        .first()
        .map(ToString::to_string)
        .unwrap_or_default();
    let proxy = lab.proxy();
    let access_log = lab.access_log().display();
    let error_log = lab.error_log().display();
    let log_format = LOG_FORMAT.replace('\'', "''");
    format!(
        "canaries:
  - name: streamable
    direct: http://{replica}/mcp
    proxy: http://{proxy}/mcp
    transport: streamable_http
    affinity: {{ interval: 5s, requests: 4 }}
  - name: legacy
    direct: http://{replica}/sse
    proxy: http://{proxy}/sse
    transport: http_sse
    affinity: {{ interval: 5s, requests: 4 }}
logs:
  - name: proxy
    format: nginx
    log_format: '{log_format}'
    files: ['{access_log}']
    error_files: ['{error_log}']
"
    )
}

fn introduce(app: &App, lab: &Lab, dir: &Path) {
    let address = app.address();
    say(&format!(
        "Three MCP replicas stand behind a round-robin proxy at http://{proxy}; it cuts silent streams after 4 s,
and now and then a replica dies, naps or closes its streams. Holter watches them with two canaries on two
legs, and reads the proxy's log ({dir}).

  http://{address}/          the status page: start here
  http://{address}/metrics   what Prometheus scrapes; look for
      holter_canary_disconnects_total    why Holter's own streams ended
      holter_log_streams_closed_total    why the users' streams ended
      holter_canary_heartbeat_gap_seconds, holter_canary_affinity_misses_total

Every stream that ends, with its reason and on whose side; requests that were refused a stream are on the page.
Ctrl-C stops.
",
        proxy = lab.proxy(),
        dir = dir.display(),
    ));
}

/// A line for each end, until `stop`.
async fn narrate(journal: SharedJournal, stop: tokio_util::sync::CancellationToken) {
    let mut told = 0;
    loop {
        for disconnect in journal.since(told) {
            told = disconnect.seq;
            say(&line(&disconnect));
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = clock::sleep_until(Some(clock::now() + LOOK)) => {}
        }
    }
}

fn line(disconnect: &Disconnect) -> String {
    let end = &disconnect.end;
    let time = humantime::format_rfc3339_seconds(end.at).to_string();
    let time = time.get(11..19).unwrap_or_default();
    let who = match &end.origin {
        Origin::Canary { canary, leg } => format!("canary {canary}, {leg} leg"),
        Origin::Log {
            source,
            upstream: Some(upstream),
        } => format!("user via {source} to {upstream}"),
        Origin::Log {
            source,
            upstream: None,
        } => format!("user via {source}"),
    };
    let age = end
        .age_seconds
        .map(|age| format!("after {age:.1} s"))
        .unwrap_or_default();
    let silence = end
        .silence_seconds
        .map(|silence| format!(", silent for {silence:.1} s"))
        .unwrap_or_default();
    format!(
        "{time}  {:<17} side: {:<8} {who:<34} {age}{silence}",
        end.reason, end.side
    )
}

/// To standard output; a reader that left (`holter demo | head`) is no error.
fn say(text: &str) {
    use io::Write as _;
    drop(writeln!(io::stdout(), "{text}"));
}
