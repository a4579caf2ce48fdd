//! `holter replay`: existing logs to a report, or to one answer a line.
//!
//! Opens what the command line names and prints what comes out; `drive` reads, `crate::replay`
//! judges and draws. One thread, 256 KiB a file, and nothing that grows with the files.

mod access;
mod bar;
mod drive;
mod errors;
mod input;
mod lines;
mod output;
mod recorder;
mod unwrap;

use std::hash::RandomState;
use std::io::{self, BufWriter, ErrorKind, IsTerminal};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use access::AccessFiles;
use bar::Bar;
use drive::Drive;
use errors::ErrorFiles;
use recorder::{Mode, Recorder};

use crate::access_log::reader::Reader;
use crate::access_log::streams::StreamRule;
use crate::access_log::{Format, FormatError, wrapping};
use crate::affinity::{DEFAULT_IDLE, DEFAULT_SESSIONS, Table};
use crate::cli::{Output, ReplayArgs};
use crate::label::Label;
use crate::metrics::{Metrics, SourceMetrics};
use crate::replay::each::Queue;
use crate::replay::gaps::Unheard;
use crate::replay::times::Clock;
use crate::tasks::clock;

/// Most files of either kind. Those that overlap in time are open together, 320 KiB each.
pub const MAX_FILES: usize = 256;

/// Why there is no report; one line.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The format string cannot be used.
    #[error("holter: --log-format: {0}")]
    Format(#[from] FormatError),
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
    let about = output::About::of(&format);
    let bar = Rc::new(bar(args));
    let metrics = Metrics::new([], [args.format.kind().as_str()]);
    // Of a container's file the two outputs are the two logs, as for the sidecar: unless the error log is
    // elsewhere, or a line itself tells which it is of.
    let is_mixed = !args.error_log.is_empty() || format.tells_its_logs_apart();
    let output = (!is_mixed).then_some(wrapping::Output::Stdout);
    let errors = errors(args, &format, output, &bar)?;
    let reader = reader(args, format, !errors.is_empty());
    let mut files = AccessFiles::new(&args.files, &reader, output, &bar)?;
    let mut drive = Drive {
        reader,
        errors,
        recorder: Recorder::new(mode(args, &metrics)),
        bar: Rc::clone(&bar),
        clock: Clock::new(clock::now()),
        events: Vec::new(),
        zone: None,
        unheard: Unheard::default(),
        is_each: args.each,
    };
    let done = drive.run(&mut files);
    bar.clear();
    done?;
    output::print(args, &metrics, drive, &files, about)
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

fn compile(args: &ReplayArgs) -> Result<Format, ReplayError> {
    let kind = args.format.kind();
    let text = args.log_format.as_deref().unwrap_or(kind.default_format());
    Ok(Format::compile(kind, text)?)
}

/// The error logs: those that were given, or the access logs' own, where containers wrote both to one file.
fn errors(
    args: &ReplayArgs,
    format: &Format,
    output: Option<wrapping::Output>,
    bar: &Rc<Bar>,
) -> Result<ErrorFiles, ReplayError> {
    let mut errors = match output.is_some() && format.has_second_log() {
        true => ErrorFiles::of_containers(&args.files)?,
        false => ErrorFiles::new(&args.error_log, bar)?,
    };
    errors.coverage.complete = args.error_log_complete;
    Ok(errors)
}

fn reader(args: &ReplayArgs, format: Format, has_error_log: bool) -> Reader {
    let sessions = Table::new(RandomState::new(), DEFAULT_SESSIONS, DEFAULT_IDLE);
    let rule = StreamRule::new(args.streams_methods.clone(), &args.streams_paths);
    Reader::new(format, rule, has_error_log, sessions)
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
    let source: Option<Arc<SourceMetrics>> = metrics.sources().into_iter().next();
    match (args.output, source) {
        (Output::Metrics, Some(source)) => Mode::Metrics(source),
        _ => Mode::Summary,
    }
}

/// A file's name as it was given.
fn name(path: &Path) -> String {
    path.display().to_string()
}
