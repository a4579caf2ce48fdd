//! What is printed at the end: the report in one of its shapes, or a word about what was cut short.
//!
//! It does not read logs.

use std::io::{self, Write};

use super::ReplayError;
use super::access::{AccessFile, AccessFiles};
use super::drive::Drive;
use super::recorder::Recorder;
use crate::access_log::Format;
use crate::cli::{Output, ReplayArgs};
use crate::label::Label;
use crate::metrics::Metrics;
use crate::replay::gaps::{CUT_SHORT, Met, gaps};
use crate::replay::report::{Context, Report};
use crate::replay::text;
use crate::tail::LossCause;

/// Columns where standard output is no terminal.
const WIDTH: usize = 80;

/// Families that `--output metrics` prints: what logs give, and the caps that they reached.
const FAMILIES: [&str; 2] = ["holter_log_", "holter_series_dropped_total"];

/// What the report says of a format.
pub(super) struct About {
    limits: Vec<String>,
    /// Whether its lines can be joined with an error log.
    joins: bool,
    has_second_log: bool,
}

impl About {
    pub(super) fn of(format: &Format) -> Self {
        Self {
            limits: format.limits(),
            joins: format.joins(),
            has_second_log: format.has_second_log(),
        }
    }
}

/// Prints the report; with `--each` everything was printed by then.
pub(super) fn print(
    args: &ReplayArgs,
    metrics: &Metrics,
    drive: Drive,
    files: &AccessFiles,
    about: About,
) -> Result<(), ReplayError> {
    if args.each {
        return Ok(warn(&drive.recorder)?);
    }
    let holes = files.nuls() + drive.errors.nuls();
    let report = report(args, drive, files, about);
    let text = match args.output {
        Output::Text => text::render(&report, width()),
        Output::Json => {
            let mut json = serde_json::to_string_pretty(&report).map_err(io::Error::from)?;
            json.push('\n');
            json
        }
        Output::Metrics => {
            let bytes = report.files.iter().map(|file| file.bytes).sum();
            for source in metrics.sources() {
                source.read(bytes);
                source.lost(LossCause::NulRun, holes);
            }
            families(&metrics.render())
        }
    };
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}

fn report(args: &ReplayArgs, drive: Drive, files: &AccessFiles, about: About) -> Report {
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
        wants_error_log: about.joins,
        empty: empty
            .filter(|(_, lines)| *lines == 0)
            .map(|(name, _)| name)
            .collect(),
        holes: holes.filter(|(_, bytes)| *bytes > 0).collect(),
        left_out: match args.error_log.is_empty() && about.has_second_log {
            true => files.0.iter().map(AccessFile::left_out).sum(),
            false => 0,
        },
    };
    let tally = &drive.recorder.tally;
    let access = files.0.iter().map(AccessFile::report);
    let context = Context {
        product: args.format.kind().as_str(),
        files: access.chain(drive.errors.report()).collect(),
        has_error_log,
        limits: about.limits,
        gaps: gaps(tally, &met),
    };
    Report::new(tally, context)
}

/// Says on standard error where answers are less exact than they could be.
fn warn(recorder: &Recorder) -> io::Result<()> {
    let evicted = recorder.tally.join_evicted;
    if evicted > 0 {
        writeln!(io::stderr(), "holter: {CUT_SHORT}: {evicted}")?;
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
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok();
    let columns = size.map(|size| usize::from(size.ws_col));
    columns.filter(|columns| *columns > 0).unwrap_or(WIDTH)
}
