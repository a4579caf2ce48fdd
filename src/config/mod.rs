//! The configuration: text to checked values, or every problem in it.
//!
//! `raw` is what is written, with all defaults; `check` makes it a [`Config`] whose values need no
//! further checks. Does not read files: `commands::load` does.

mod address;
mod check;
mod flags;
mod problem;
mod raw;
mod value;

use std::path::PathBuf;
use std::time::Duration;

use url::Url;

pub use flags::Flags;
pub use problem::{Place, Problem};

use crate::access_log::Format;
use crate::access_log::streams::StreamRule;
use crate::access_log::wrapping::Wrapping;
use crate::canary::Transport;
use crate::syslog::Address;

/// Most entries of any list in the configuration.
pub const ENTRIES_MAX: usize = 100;

/// A checked configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Streams to hold.
    pub canaries: Vec<Canary>,
    /// Logs to read.
    pub logs: Vec<LogSource>,
    /// Every file that the configuration names, and where: what only the shell can check.
    pub named_files: Vec<NamedFile>,
}

/// One canary: streams held through one or two legs.
#[derive(Clone, Debug, PartialEq)]
pub struct Canary {
    /// Label `canary`; unique.
    pub name: String,
    /// URL of the replica itself. At least one of `direct` and `proxy` is given.
    pub direct: Option<Url>,
    /// URL through the proxy.
    pub proxy: Option<Url>,
    /// How to open a stream.
    pub transport: Transport,
    /// Streams held per leg, 1 to 1000.
    pub streams: usize,
    /// Headers sent with every request: valid names and values, none of them the canary's own.
    pub headers: Vec<(String, String)>,
    /// File with the bearer token.
    pub bearer_token_file: Option<PathBuf>,
    /// Limit for establishing a connection.
    pub connect_timeout: Duration,
    /// Age at which a stream is renewed; `None` is never.
    pub max_age: Option<Duration>,
    /// When a heartbeat is late.
    pub heartbeat: Heartbeat,
    /// The affinity check.
    pub affinity: Affinity,
}

/// When a heartbeat is late: after `tolerance` times the expected interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Heartbeat {
    /// Expected interval; `None` is learned from the stream.
    pub expected: Option<Duration>,
    /// Factor, above 1 and at most 100.
    pub tolerance: f64,
}

/// The affinity check: requests of one session on fresh connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Affinity {
    /// Time between checks; zero is off.
    pub interval: Duration,
    /// Requests per check, 1 to 100.
    pub requests: usize,
}

/// One log source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSource {
    /// Label `source`; unique.
    pub name: String,
    /// Format of the access log.
    pub format: Format,
    /// Where its lines come from.
    pub input: Input,
    /// What stands around each line; `None` is found out from each file's first lines.
    pub wrapping: Option<Wrapping>,
    /// Which requests are streams.
    pub streams: StreamRule,
}

impl LogSource {
    /// Whether an error log is read beside the access log.
    pub fn has_error_log(&self) -> bool {
        match &self.input {
            Input::Files { error, .. } => !error.is_empty(),
            Input::Syslog { error, .. } => error.is_some(),
            Input::Stdin => false,
        }
    }

    /// What it cannot tell, and what to add: one sentence each. It is said at start, in `holter check` and on
    /// the status page.
    pub fn limits(&self) -> Vec<String> {
        let mut limits = self.format.limits();
        if self.format.has_second_log() && !self.has_error_log() {
            limits.push("no error log: most ends stay unknown, unless its lines come with the access log's (a container's output)".to_owned());
        }
        limits
    }
}

/// Where the lines of a log source come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// From files that are followed.
    Files {
        /// Paths or patterns of the access log; at least one.
        access: Vec<String>,
        /// Paths or patterns of the error log.
        error: Vec<String>,
    },
    /// From sockets.
    Syslog {
        /// Where the access log is received.
        access: Address,
        /// Where the error log is received.
        error: Option<Address>,
    },
    /// From standard input; of one source at most.
    Stdin,
}

/// A file that the configuration names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedFile {
    /// Where it is named.
    pub place: Place,
    /// What it is for.
    pub role: FileRole,
}

/// What a named file is for, and so what must hold of it at start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileRole {
    /// Holds a secret: must exist and be readable.
    Secret(PathBuf),
    /// A log's path or pattern: may appear later, must be readable where it exists.
    Log(String),
}

impl Config {
    /// Reads `text`, the content of `file`; the file's name only stands in messages.
    ///
    /// # Errors
    ///
    /// Every problem, in the order of the file. A text that is not YAML, or holds an unknown or duplicate
    /// key, gives that one problem.
    pub fn parse(text: &str, file: &str) -> Result<Self, Vec<Problem>> {
        let options = serde_saphyr::options! { with_snippet: false };
        match serde_saphyr::from_str_with_options::<Option<raw::RawConfig>>(text, options) {
            Ok(raw) => check::config(&raw.unwrap_or_default(), file),
            Err(error) => Err(vec![problem::from_yaml(file, &error)]),
        }
    }
}
