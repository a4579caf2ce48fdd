//! `holter`: the sidecar.

use super::load::{self, LoadError};
use crate::cli::{ConfigArgs, RunArgs};
use crate::config::Config;
use crate::tasks::app::{App, Reloading, StartError};
use crate::tasks::reload::Reloads;
use crate::tasks::signal;
use crate::tasks::supervisor::Failure;

/// Why the sidecar did not start, or did not end well; one line a problem.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The configuration cannot be used.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// It did not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// Signals cannot be listened for.
    #[error("holter: cannot listen for signals: {0}")]
    Signal(#[from] std::io::Error),
    /// A task ended that should not have, or did not end that should have.
    #[error("holter: {0}")]
    Failure(#[from] Failure),
}

impl RunError {
    /// 2 for what the user can mend before a start, 1 for what went wrong after it.
    pub fn code(&self) -> u8 {
        match self {
            Self::Load(_) | Self::Start(_) => 2,
            Self::Signal(_) | Self::Failure(_) => 1,
        }
    }
}

/// Runs until asked to stop.
///
/// # Errors
///
/// See [`RunError`].
pub async fn run(args: &RunArgs) -> Result<(), RunError> {
    let asked = signal::asked_to_stop(1)?;
    let reloads = Reloads::new(args.config.config_file.as_deref())?;
    let config = load(&args.config)?;
    let from = args.config.clone();
    let reloading = Reloading {
        load: Box::new(move || load(&from).map_err(|error| error.to_string())),
        asked: reloads,
        by_request: args.web_enable_lifecycle,
    };
    let address = args.web_listen_address.to_string();
    let storage = args.storage_path.as_deref();
    let app = App::start(config, &address, storage, Some(reloading)).await?;
    app.run(asked).await?;
    Ok(())
}

/// The configuration; says which logs cannot be read yet, which keeps nothing from starting.
fn load(args: &ConfigArgs) -> Result<Config, LoadError> {
    let loaded = load::load(args)?;
    for problem in &loaded.unreadable {
        tracing::warn!("{problem}; it is read as soon as it is one");
    }
    Ok(loaded.config)
}
