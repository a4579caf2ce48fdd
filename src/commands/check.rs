//! `holter check`: every problem of the configuration, or that there is none.
//!
//! Does not know what a problem is: [`super::load`] finds them.

use super::load;
use crate::cli::{ConfigArgs, Source};
use crate::config::{Config, LogSource};

/// What `holter check` says: the text for standard output with code 0, or for standard error with code 2.
pub fn check(args: &ConfigArgs) -> Result<String, load::LoadError> {
    let load::Loaded { config, unreadable } = load::load(args)?;
    if !unreadable.is_empty() {
        return Err(load::LoadError::Problems(unreadable));
    }
    let name = match args.source()? {
        Source::File(file) => file.display().to_string(),
        Source::Flags(_) => "flags".to_owned(),
    };
    let mut lines = vec![format!("{name}: ok: {}", summary(&config))];
    lines.extend(limits(&config));
    Ok(lines.join("\n"))
}

/// What the sources cannot tell: no problems, but what somebody will miss later.
fn limits(config: &Config) -> impl Iterator<Item = String> {
    let of = |source: &LogSource| {
        let name = source.name.clone();
        let limits = source.limits().into_iter();
        limits.map(move |limit| format!("log {name}: {limit}"))
    };
    config.logs.iter().flat_map(of)
}

fn summary(config: &Config) -> String {
    let canaries = match config.canaries.len() {
        1 => "1 canary".to_owned(),
        n => format!("{n} canaries"),
    };
    let logs = match config.logs.len() {
        1 => "1 log source".to_owned(),
        n => format!("{n} log sources"),
    };
    format!("{canaries}, {logs}")
}
