//! The command line: what was asked for, or one line that says what is wrong with it.
//!
//! Owns flag names and their defaults. Does not read the configuration, nor do what is asked.

mod listen;
mod replay;

use std::path::PathBuf;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{Args, Parser, Subcommand, ValueEnum};

pub use listen::ListenAddress;
pub use replay::{Output, Proxy, ReplayArgs};

use crate::config::Flags;

/// Records the heartbeat of long-lived MCP streams, and says who cut them and why.
#[derive(Parser, Clone, Debug, PartialEq)]
#[command(name = "holter", version, args_conflicts_with_subcommands = true)]
#[command(disable_help_subcommand = true)]
pub struct Cli {
    /// What to do; the sidecar where none is given.
    #[command(subcommand)]
    pub command: Option<Command>,

    /// Flags of the sidecar.
    #[command(flatten)]
    pub run: RunArgs,
}

/// A command beside the sidecar itself.
#[derive(Subcommand, Clone, Debug, PartialEq)]
pub enum Command {
    /// Check the configuration and print every problem in it.
    Check(ConfigArgs),
    /// Run a laboratory in this process: replicas, a misbehaving proxy, and the exporter on them.
    Demo(DemoArgs),
    /// Ask a running holter whether it is healthy, for images without a shell.
    Healthcheck(HealthcheckArgs),
    /// Read existing logs to their end, and report why their streams ended.
    Replay(ReplayArgs),
}

/// Flags of the sidecar.
#[derive(Args, Clone, Debug, PartialEq)]
pub struct RunArgs {
    /// What to watch.
    #[command(flatten)]
    pub config: ConfigArgs,

    /// Serve the page and the metrics at this address.
    #[arg(
        long = "web.listen-address",
        value_name = "[HOST]:PORT",
        default_value = ":10048"
    )]
    pub web_listen_address: ListenAddress,

    /// Allow POST /-/reload, which reads the configuration again.
    #[arg(long = "web.enable-lifecycle")]
    pub web_enable_lifecycle: bool,

    /// Store counts and positions in this folder, and go on from there after a restart.
    #[arg(long = "storage.path", value_name = "FOLDER")]
    pub storage_path: Option<PathBuf>,

    /// Log messages of this level and above.
    #[arg(long = "log.level", value_name = "LEVEL", value_enum, default_value_t)]
    pub log_level: LogLevel,

    /// Shape of log messages.
    #[arg(long = "log.format", value_name = "SHAPE", value_enum, default_value_t)]
    pub log_format: LogShape,
}

/// Where the configuration comes from: a file, or flags.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct ConfigArgs {
    /// Read the configuration from this YAML file.
    #[arg(long = "config.file", value_name = "FILE")]
    pub config_file: Option<PathBuf>,

    /// The simple case without a file.
    #[command(flatten)]
    pub flags: Flags,
}

/// Flags of `holter demo`.
#[derive(Args, Clone, Debug, PartialEq)]
pub struct DemoArgs {
    /// Serve the page and the metrics at this address.
    #[arg(
        long = "web.listen-address",
        value_name = "[HOST]:PORT",
        default_value = "127.0.0.1:10048"
    )]
    pub web_listen_address: ListenAddress,

    /// Stop after this time, such as 60s; without it, run until stopped.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub duration: Option<Duration>,
}

/// Flags of `holter healthcheck`.
#[derive(Args, Clone, Debug, PartialEq)]
pub struct HealthcheckArgs {
    /// The address that the running holter serves at.
    #[arg(
        long = "web.listen-address",
        value_name = "[HOST]:PORT",
        default_value = ":10048"
    )]
    pub web_listen_address: ListenAddress,
}

/// Least level of the messages that are logged.
#[derive(ValueEnum, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)] // The names say it, and a comment here would stand in --help.
pub enum LogLevel {
    Error,
    Warn,
    #[default]
    Info,
    Debug,
    Trace,
}

/// Shape of log messages: lines for people, or JSON for collectors.
#[derive(ValueEnum, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)] // As above.
pub enum LogShape {
    #[default]
    Text,
    Json,
}

fn duration(text: &str) -> Result<Duration, &'static str> {
    match humantime::parse_duration(text) {
        Ok(found) if !found.is_zero() => Ok(found),
        _ => Err("expected a duration above zero such as 60s"),
    }
}

/// Where a configuration is to come from.
#[derive(Debug, PartialEq, Eq)]
pub enum Source<'a> {
    /// From a file.
    File(&'a std::path::Path),
    /// From flags.
    Flags(&'a Flags),
}

/// Why the flags name no source; its `Display` is one line.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// Both a file and flags.
    #[error(
        "holter: --config.file and {0} exclude each other; put it into the file, or leave --config.file out"
    )]
    Both(&'static str),
    /// Neither.
    #[error(
        "holter: nothing to watch; give --config.file FILE, or --canary.proxy URL, --canary.direct URL, --log.nginx FILE; to see it work: holter demo"
    )]
    Neither,
}

impl ConfigArgs {
    /// Where the configuration is to come from.
    ///
    /// # Errors
    ///
    /// A file and flags together, or neither.
    pub fn source(&self) -> Result<Source<'_>, SourceError> {
        match (&self.config_file, self.flags.given().first()) {
            (Some(_), Some(flag)) => Err(SourceError::Both(flag)),
            (Some(file), None) => Ok(Source::File(file)),
            (None, Some(_)) => Ok(Source::Flags(&self.flags)),
            (None, None) => Err(SourceError::Neither),
        }
    }
}

/// What to print instead of running, and the exit code.
#[derive(Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Help or version for standard output, or one line for standard error.
    pub text: String,
    /// 0 for help and version, else 2.
    pub code: u8,
}

/// Reads a command line, the program's name first.
///
/// # Errors
///
/// Help or version that was asked for, or one line that says what is wrong.
pub fn parse<I, T>(args: I) -> Result<Cli, Refusal>
where
    I: IntoIterator<Item = T>,
    T: Into<std::ffi::OsString> + Clone,
{
    Cli::try_parse_from(args).map_err(|error| match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Refusal {
            text: error.to_string(),
            code: 0,
        },
        _ => Refusal {
            text: short(&error.to_string()),
            code: 2,
        },
    })
}

/// clap's message without usage and tips: its first paragraph on one line.
fn short(message: &str) -> String {
    let first = message.split("\n\n").next().unwrap_or(message);
    let words: Vec<_> = first.split_whitespace().collect();
    let line = words.join(" ");
    let line = line.strip_prefix("error: ").unwrap_or(&line);
    format!("holter: {line}; see holter --help")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(line: &str) -> Result<Cli, Refusal> {
        parse(std::iter::once("holter").chain(line.split_whitespace()))
    }

    #[test]
    fn defaults() {
        let cli = args("").expect("parsed");
        assert_eq!(cli.command, None);
        assert_eq!(cli.run.web_listen_address.to_string(), ":10048");
        assert_eq!(cli.run.log_level, LogLevel::Info);
        assert_eq!(cli.run.log_format, LogShape::Text);
    }

    #[test]
    fn commands() {
        let check = |line: &str, expected: Command| {
            assert_eq!(args(line).expect(line).command, Some(expected));
        };
        let at = |text: &str| text.parse::<ListenAddress>().expect("address");
        check(
            "check --config.file a.yaml",
            Command::Check(ConfigArgs {
                config_file: Some("a.yaml".into()),
                ..ConfigArgs::default()
            }),
        );
        check(
            "demo --duration 60s",
            Command::Demo(DemoArgs {
                web_listen_address: at("127.0.0.1:10048"),
                duration: Some(Duration::from_secs(60)),
            }),
        );
        check(
            "healthcheck --web.listen-address [::1]:9",
            Command::Healthcheck(HealthcheckArgs {
                web_listen_address: at("[::1]:9"),
            }),
        );
    }

    #[test]
    fn refusals_are_one_line_with_code_2() {
        let check = |line: &str, expected: &str| {
            let refusal = args(line).expect_err(line);
            assert_eq!((refusal.text.as_str(), refusal.code), (expected, 2));
        };
        check(
            "--confg.file a",
            "holter: unexpected argument '--confg.file' found; see holter --help",
        );
        check(
            "frobnicate",
            "holter: unrecognized subcommand 'frobnicate'; see holter --help",
        );
        check(
            "--web.listen-address 80",
            "holter: invalid value '80' for '--web.listen-address <[HOST]:PORT>': expected :PORT, HOST:PORT or [IPV6]:PORT; see holter --help",
        );
        check(
            "--log.level loud",
            "holter: invalid value 'loud' for '--log.level <LEVEL>' [possible values: error, warn, info, debug, trace]; see holter --help",
        );
        check(
            "demo --duration 0s",
            "holter: invalid value '0s' for '--duration <DURATION>': expected a duration above zero such as 60s; see holter --help",
        );
        check(
            "--log.nginx-error e.log",
            "holter: the following required arguments were not provided: --log.nginx <FILE>; see holter --help",
        );
    }

    #[test]
    fn help_and_version_are_no_errors() {
        assert_eq!(args("--help").expect_err("help").code, 0);
        let version = args("--version").expect_err("version");
        assert_eq!(
            (version.text.as_str(), version.code),
            (concat!("holter ", env!("CARGO_PKG_VERSION"), "\n"), 0)
        );
    }

    #[test]
    fn a_file_or_flags() {
        let refused = |line: &str| {
            args(line)
                .expect("parsed")
                .run
                .config
                .source()
                .expect_err(line)
                .to_string()
        };
        assert_eq!(
            refused("--config.file a --log.nginx b"),
            "holter: --config.file and --log.nginx exclude each other; put it into the file, or leave --config.file out"
        );
        assert_eq!(
            refused(""),
            "holter: nothing to watch; give --config.file FILE, or --canary.proxy URL, --canary.direct URL, --log.nginx FILE; to see it work: holter demo"
        );
        let cli = args("--log.nginx b").expect("parsed");
        assert_eq!(
            cli.run.config.source(),
            Ok(Source::Flags(&cli.run.config.flags))
        );
        let cli = args("--config.file a").expect("parsed");
        assert_eq!(cli.run.config.source(), Ok(Source::File("a".as_ref())));
    }
}
