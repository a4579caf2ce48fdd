//! `holter replay`: existing logs to a report, or to one answer a line.
//!
//! Opens what the command line names and prints what comes out; [`drive`] reads, `crate::replay`
//! judges and draws. One thread, 256 KiB a file, and nothing that grows with the files.

mod access;
mod bar;
mod drive;
mod errors;
mod input;
mod lines;
mod recorder;

use std::hash::RandomState;
use std::io::{self, BufWriter, ErrorKind, IsTerminal, Write};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use access::AccessFiles;
use bar::Bar;
use drive::Drive;
use errors::ErrorFiles;
use recorder::{Mode, Recorder};

use crate::access_log::Format;
use crate::access_log::nginx::{self, FormatError};
use crate::access_log::reader::Reader;
use crate::access_log::streams::StreamRule;
use crate::affinity::{DEFAULT_IDLE, DEFAULT_SESSIONS, Table};
use crate::cli::{Output, Proxy, ReplayArgs};
use crate::metrics::{Metrics, SourceMetrics};
use crate::replay::each::Queue;
use crate::replay::gaps::{Met, Unheard, gaps};
use crate::replay::report::{Context, Report};
use crate::replay::text;
use crate::replay::times::Clock;
use crate::tasks::clock;

/// Most files of either kind. Those that overlap in time are open together, 320 KiB each.
pub const MAX_FILES: usize = 256;

/// Columns where standard output is no terminal.
const WIDTH: usize = 80;

/// Families that `--output metrics` prints: what logs give, and the caps that they reached.
const FAMILIES: [&str; 2] = ["holter_log_", "holter_series_dropped_total"];

/// Why there is no report; one line.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The format string cannot be used.
    #[error("holter: --log-format: {0}")]
    Format(#[from] FormatError),
    /// No parser for this proxy yet.
    #[error("holter: --format {0} is not in this version; expected nginx")]
    Proxy(&'static str),
    /// More than [`MAX_FILES`].
    #[error("holter: {0} files; expected at most {MAX_FILES}")]
    Files(usize),
    /// `-` twice.
    #[error("holter: standard input (-) can be read once only")]
    StdinTwice,
    /// A file cannot be opened or read.
    #[error("holter: {file}: cannot be read: {error}")]
    Read {
        /// As it was given.
        file: String,
        /// Why.
        error: io::Error,
    },
    /// Standard output cannot be written.
    #[error("holter: cannot write: {0}")]
    Write(#[from] io::Error),
}

impl ReplayError {
    fn read(file: &str, error: io::Error) -> Self {
        Self::Read {
            file: file.to_owned(),
            error,
        }
    }
}

/// Reads the logs and prints what was asked for. A reader that closes the pipe early is no error.
///
/// # Errors
///
/// See [`ReplayError`].
pub fn run(args: &ReplayArgs) -> Result<(), ReplayError> {
    match replay(args) {
        Err(ReplayError::Write(error)) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

fn replay(args: &ReplayArgs) -> Result<(), ReplayError> {
    check_files(args)?;
    let format = compile(args)?;
    let limits = format.limits();
    let bar = Rc::new(bar(args));
    let metrics = Metrics::new([], [args.format.as_str()]);
    let errors = ErrorFiles::new(&args.error_log, args.error_log_complete, &bar)?;
    let reader = reader(args, format);
    let mut files = AccessFiles::new(&args.files, &reader, &bar)?;
    let mut drive = Drive {
        reader,
        errors,
        recorder: Recorder::new(mode(args, &metrics)),
        bar: Rc::clone(&bar),
        clock: Clock::new(clock::now()),
        events: Vec::new(),
        zone: None,
        unheard: Unheard::default(),
    };
    let done = drive.run(&mut files);
    bar.clear();
    done?;
    print(args, &metrics, drive, &files, limits)
}

fn check_files(args: &ReplayArgs) -> Result<(), ReplayError> {
    let all = || args.files.iter().chain(&args.error_log);
    let most = args.files.len().max(args.error_log.len());
    if most > MAX_FILES {
        return Err(ReplayError::Files(most));
    }
    let stdin = all().filter(|path| path.as_os_str() == input::STDIN);
    if stdin.count() > 1 {
        return Err(ReplayError::StdinTwice);
    }
    Ok(())
}

/// The one place that knows which proxies there are.
fn compile(args: &ReplayArgs) -> Result<Format, ReplayError> {
    let text = args.log_format.as_deref();
    match args.format {
        Proxy::Nginx => {
            let format = nginx::Format::compile(text.unwrap_or("combined"))?;
            Ok(Format::Nginx(format))
        }
        other => Err(ReplayError::Proxy(other.as_str())),
    }
}

fn reader(args: &ReplayArgs, format: Format) -> Reader {
    let sessions = Table::new(RandomState::new(), DEFAULT_SESSIONS, DEFAULT_IDLE);
    let rule = StreamRule {
        paths: args.streams_paths.clone(),
    };
    Reader::new(format, rule, !args.error_log.is_empty(), sessions)
}

/// A bar, unless answers are printed to the same screen.
fn bar(args: &ReplayArgs) -> Bar {
    let total = args
        .files
        .iter()
        .chain(&args.error_log)
        .map(|path| input::size(path));
    Bar::new(total.sum(), !(args.each && io::stdout().is_terminal()))
}

fn mode(args: &ReplayArgs, metrics: &Metrics) -> Mode {
    if args.each {
        return Mode::Each {
            queue: Queue::default(),
            names: args.files.iter().map(|path| name(path)).collect(),
            out: Box::new(BufWriter::with_capacity(64 * 1024, io::stdout().lock())),
        };
    }
    let source: Option<&Arc<SourceMetrics>> = metrics.sources().first();
    match (args.output, source) {
        (Output::Metrics, Some(source)) => Mode::Metrics(Arc::clone(source)),
        _ => Mode::Summary,
    }
}

fn print(
    args: &ReplayArgs,
    metrics: &Metrics,
    drive: Drive,
    files: &AccessFiles,
    limits: Vec<String>,
) -> Result<(), ReplayError> {
    if args.each {
        return Ok(warn(&drive.recorder)?);
    }
    let report = report(args, drive, files, limits);
    let text = match args.output {
        Output::Text => text::render(&report, width()),
        Output::Json => {
            let mut json = serde_json::to_string_pretty(&report).map_err(io::Error::from)?;
            json.push('\n');
            json
        }
        Output::Metrics => {
            let bytes = report.files.iter().map(|file| file.bytes).sum();
            metrics
                .sources()
                .iter()
                .for_each(|source| source.read(bytes));
            families(&metrics.render())
        }
    };
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}

fn report(args: &ReplayArgs, drive: Drive, files: &AccessFiles, limits: Vec<String>) -> Report {
    let has_error_log = !drive.errors.is_empty();
    let holes = (files.0.iter().map(|file| (&*file.name, file.nuls))).chain(
        drive
            .errors
            .files
            .iter()
            .map(|file| (&*file.name, file.lines.nuls)),
    );
    let empty = (files.0.iter().map(|file| (&*file.name, file.number))).chain(
        drive
            .errors
            .files
            .iter()
            .map(|file| (&*file.name, file.number)),
    );
    let met = Met {
        unheard: drive.unheard,
        coverage: has_error_log.then_some(drive.errors.coverage),
        wants_error_log: args.format == Proxy::Nginx,
        empty: empty
            .filter(|(_, lines)| *lines == 0)
            .map(|(name, _)| name)
            .collect(),
        holes: holes.filter(|(_, bytes)| *bytes > 0).collect(),
    };
    let tally = &drive.recorder.tally;
    let access = files.0.iter().map(access::AccessFile::report);
    let context = Context {
        product: args.format.as_str(),
        files: access.chain(drive.errors.report()).collect(),
        has_error_log,
        limits,
        gaps: gaps(tally, &met),
    };
    Report::new(tally, context)
}

/// Says on standard error where answers are less exact than they could be.
fn warn(recorder: &Recorder) -> io::Result<()> {
    let evicted = recorder.tally.join_evicted;
    if evicted > 0 {
        let what = "times a stream was decided, or an error line dropped, before its time: too many at once";
        writeln!(io::stderr(), "holter: {evicted} {what}")?;
    }
    Ok(())
}

/// The lines of an exposition that are about [`FAMILIES`].
fn families(exposition: &str) -> String {
    let is_ours = |line: &&str| {
        let rest = ["# HELP ", "# TYPE "]
            .iter()
            .find_map(|start| line.strip_prefix(start));
        FAMILIES
            .iter()
            .any(|family| rest.unwrap_or(line).starts_with(family))
    };
    let lines = exposition.lines().filter(is_ours);
    lines.flat_map(|line| [line, "\n"]).collect()
}

/// The columns of the terminal that standard output is.
fn width() -> usize {
    let size = rustix::termios::tcgetwinsize(io::stdout());
    size.map_or(WIDTH, |size| usize::from(size.ws_col)).max(1)
}

/// A file's name as it was given.
fn name(path: &Path) -> String {
    path.display().to_string()
}
