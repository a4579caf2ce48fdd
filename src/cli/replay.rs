//! Flags of `holter replay`.
//!
//! Does not open the files, nor compile the format.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::access_log::Kind;
use crate::access_log::streams::DEFAULT_PATHS;

/// Flags of `holter replay`.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub struct ReplayArgs {
    /// The proxy that wrote the logs.
    #[arg(long, value_name = "PROXY", value_enum)]
    pub format: Proxy,

    /// The proxy's own format string, or a preset such as combined; the proxy's default where not given.
    #[arg(long = "log-format", value_name = "FORMAT", allow_hyphen_values = true)]
    pub log_format: Option<String>,

    /// Read this error log too, which tells why streams ended; may be given several times.
    #[arg(long = "error-log", value_name = "FILE")]
    pub error_log: Vec<PathBuf>,

    /// The error log covers all of the access log's time, though its first or last line lies far inside.
    #[arg(long = "error-log-complete", requires = "error_log")]
    pub error_log_complete: bool,

    /// Print one JSON object for each access line instead of a summary.
    #[arg(long)]
    pub each: bool,

    /// Shape of the summary.
    #[arg(
        long,
        value_name = "SHAPE",
        value_enum,
        default_value_t,
        conflicts_with = "each"
    )]
    pub output: Output,

    /// Request paths that are streams; one that ends in * is a prefix.
    #[arg(
        long = "streams.paths",
        value_name = "PATH,…",
        value_delimiter = ',',
        default_values = DEFAULT_PATHS,
        value_parser = path
    )]
    pub streams_paths: Vec<String>,

    /// Request methods that are streams.
    #[arg(
        long = "streams.methods",
        value_name = "METHOD,…",
        value_delimiter = ',',
        default_value = "GET"
    )]
    pub streams_methods: Vec<String>,

    /// Access logs, plain or gzip, in any order; - is standard input.
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
}

/// A proxy whose logs are known.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // The names say it, and a comment here would stand in --help.
pub enum Proxy {
    Nginx,
    Haproxy,
    Envoy,
    Apache,
    Caddy,
    Traefik,
}

impl Proxy {
    /// The proxy as the readers know it.
    pub fn kind(self) -> Kind {
        match self {
            Self::Nginx => Kind::Nginx,
            Self::Haproxy => Kind::HaProxy,
            Self::Envoy => Kind::Envoy,
            Self::Apache => Kind::Apache,
            Self::Caddy => Kind::Caddy,
            Self::Traefik => Kind::Traefik,
        }
    }
}

/// Shape of the summary: for people, as data, or as the sidecar's metrics.
#[derive(ValueEnum, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)] // As above.
pub enum Output {
    #[default]
    Text,
    Json,
    Metrics,
}

fn path(text: &str) -> Result<String, &'static str> {
    if text.starts_with('/') && !text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Ok(text.to_owned());
    }
    Err("expected a request path such as /mcp")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Command, parse};

    fn args(line: &str) -> Result<ReplayArgs, String> {
        let words = line.split_whitespace();
        match parse(["holter", "replay"].into_iter().chain(words)) {
            Ok(cli) => match cli.command {
                Some(Command::Replay(args)) => Ok(args),
                other => panic!("{other:?}"),
            },
            Err(refusal) => Err(refusal.text),
        }
    }

    #[test]
    fn flags_have_defaults() {
        let found = args("--format nginx a.log -").expect("parsed");
        assert_eq!(found.files, [PathBuf::from("a.log"), PathBuf::from("-")]);
        assert_eq!(found.streams_paths, DEFAULT_PATHS);
        assert_eq!(
            (found.output, found.each, found.log_format),
            (Output::Text, false, None)
        );
        let found = args("--format envoy --streams.paths /a,/b/* --error-log e --error-log f a")
            .expect("parsed");
        assert_eq!(
            (found.format.kind(), found.error_log.len()),
            (Kind::Envoy, 2)
        );
        assert_eq!(found.streams_paths, ["/a", "/b/*"]);
    }

    #[test]
    fn refusals_name_the_flag() {
        for (line, expected) in [
            (
                "a.log",
                "the following required arguments were not provided: --format <PROXY>",
            ),
            (
                "--format nginx",
                "the following required arguments were not provided: <FILE>...",
            ),
            (
                "--format iis a",
                "invalid value 'iis' for '--format <PROXY>' [possible values: nginx, haproxy, envoy, apache, caddy, traefik]",
            ),
            (
                "--format nginx --each --output json a",
                "the argument '--each' cannot be used with '--output <SHAPE>'",
            ),
            (
                "--format nginx --streams.paths mcp a",
                "invalid value 'mcp' for '--streams.paths <PATH,…>': expected a request path such as /mcp",
            ),
        ] {
            let refused = args(line).expect_err(line);
            assert_eq!(
                refused,
                format!("holter: {expected}; see holter --help"),
                "{line}"
            );
        }
    }
}
