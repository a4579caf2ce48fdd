//! What one log source has read and counted, as of one moment.
//!
//! Whoever holds the lock of a [`Reading`] sees positions and counts that belong together: that is what snapshots
//! are made of. The source's task locks it for each part that it reads and counts, and waits for nothing meanwhile.
//! It decides nothing: `tail` judges files, `access_log` judges lines.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::clock;
use super::record::SourceRecorder;
use super::source::{Log, SourceReader};
use super::tail::{Follower, Found, Start};
use super::unwrap::Unwrappers;
use crate::config::{Input, LogSource};
use crate::snapshot::Source;
use crate::tail::{Checkpoint, FileError, LossCause};

/// Most paths of which is remembered that people were told that they cannot be read.
const TOLD_MAX: usize = 1024;

/// How far a source is read, and all that is not counted yet.
pub struct Reading {
    pub(super) source: SourceReader,
    /// `None` where lines are received: they cannot be read again.
    files: Option<Files>,
    told: Told,
}

/// What people were told already: once is enough, the metrics go on.
#[derive(Default)]
struct Told {
    failed: HashSet<PathBuf>,
    lost: Vec<LossCause>,
}

impl Told {
    fn failed(&mut self, source: &str, path: &Path, error: &io::Error) {
        if self.failed.len() < TOLD_MAX && !self.failed.contains(path) {
            self.failed.insert(path.to_owned());
            tracing::warn!(source, path = %path.display(), %error, "a log cannot be read; tried again and again");
        }
    }

    /// Of a cause that somebody can do something about.
    fn lost(&mut self, source: &str, cause: LossCause) {
        let is_telling = match cause {
            LossCause::LineTooLong | LossCause::NulRun | LossCause::TornLine => false,
            LossCause::Truncated
            | LossCause::Deleted
            | LossCause::Compressed
            | LossCause::RotatedLimit
            | LossCause::FileLimit => true,
        };
        if is_telling && !self.lost.contains(&cause) {
            self.lost.push(cause);
            tracing::warn!(source, %cause, "parts of a log are lost: see holter_log_bytes_lost_total");
        }
    }
}

/// A part of a pass: as [`Follower::poll`] has them.
#[derive(Clone, Copy)]
pub(super) enum Part {
    Begin,
    Read,
    End,
}

struct Files {
    access: Follower,
    error: Follower,
    unwrappers: Unwrappers,
}

impl Reading {
    /// Prepares the source and takes its first look: what its files hold by now is not counted, but for what came
    /// after they were left as `stored`.
    pub fn new(source: &LogSource, recorder: SourceRecorder, stored: Option<Source>) -> Self {
        let now = clock::now();
        let mut reader = SourceReader::new(source, recorder);
        let (access, error) = match stored {
            Some(stored) => {
                reader.resume(now, stored.held);
                (stored.access, stored.error)
            }
            None => <(Checkpoint, Checkpoint)>::default(),
        };
        let follow = |files: &[String], left| Follower::resume(files.to_vec(), Start::End, left);
        let files = match &source.input {
            Input::Files {
                access: accesses,
                error: errors,
            } => Some(Files {
                access: follow(accesses, access),
                error: follow(errors, error),
                unwrappers: Unwrappers::new(source.wrapping),
            }),
            Input::Syslog { .. } | Input::Stdin => None,
        };
        let mut reading = Self {
            source: reader,
            files,
            told: Told::default(),
        };
        reading.look();
        reading
    }

    /// Goes on by what is configured now from where it was left.
    pub(super) fn change(&mut self, source: &LogSource, recorder: SourceRecorder) {
        let left = self.save();
        *self = Self::new(source, recorder, Some(left));
    }

    /// What a snapshot has to hold beside the counts. Between two parts, nothing is read that is not in it.
    pub fn save(&self) -> Source {
        let places = |which: fn(&Files) -> &Follower| {
            let files = self.files.as_ref();
            files.map_or_else(Checkpoint::default, |files| {
                let places = files.unwrappers.open_lines();
                which(files).checkpoint().with_open_lines(places)
            })
        };
        Source {
            name: self.source.metrics().name().to_owned(),
            access: places(|files| &files.access),
            error: places(|files| &files.error),
            held: self.source.held(),
        }
    }

    /// Decides all that is held: no line will follow, and nobody goes on from here.
    pub fn finish(&mut self) {
        self.source.finish();
    }

    /// One look at all files, without a pause.
    fn look(&mut self) {
        let now = clock::now();
        for log in [Log::Error, Log::Access] {
            self.pass(now, log, Part::Begin);
            while self.pass(now, log, Part::Read) {}
            self.pass(now, log, Part::End);
        }
        self.tick(now);
    }

    /// Decides what is due, after a look at both logs. Gives when that has to be done again.
    pub(super) fn tick(&mut self, now: Instant) -> Option<Instant> {
        self.source.tick(now);
        if let Some(files) = &self.files {
            let lag = files.access.lag_bytes() + files.error.lag_bytes();
            self.source.metrics().lag(lag);
        }
        self.source.deadline()
    }

    /// Does a part of a pass over the files of one log, and counts what it finds. Says whether more is waiting: of
    /// [`Part::Read`] for this pass, of [`Part::End`] for the next.
    pub(super) fn pass(&mut self, now: Instant, log: Log, part: Part) -> bool {
        let Self {
            source,
            files,
            told,
        } = self;
        let Some(files) = files else {
            return false;
        };
        let follower = match log {
            Log::Access => &mut files.access,
            Log::Error => &mut files.error,
        };
        let unwrappers = &mut files.unwrappers;
        let wall = clock::wall();
        let mut on = |found: Found<'_>| match found {
            Found::Line(line) => source.line(now, wall, log, unwrappers.line(line)),
            Found::Again(line) => unwrappers.again(line),
            Found::File(place) => unwrappers.file(place),
            Found::Bytes(bytes) => source.metrics().read(bytes),
            Found::Rotated(kind) => source.metrics().rotated(kind),
            Found::Lost { cause, bytes } => {
                source.metrics().lost(cause, bytes);
                told.lost(source.metrics().name(), cause);
            }
            Found::Failed { path, error } => {
                source.metrics().file_failed(FileError::of(error));
                told.failed(source.metrics().name(), path, error);
            }
            Found::ListingCapped => {
                source.metrics().files_capped();
                let source = source.metrics().name();
                tracing::warn!(
                    source,
                    "more files match than are looked at; the rest is not read"
                );
            }
        };
        let more = match part {
            Part::Begin => {
                follower.begin_pass(now, &mut on);
                true
            }
            Part::Read => follower.read_part(now, &mut on),
            Part::End => follower.end_pass(now, &mut on),
        };
        // Before the lock is let go: what a snapshot holds as read has to be counted.
        source.tell();
        more
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, OpenOptions};
    use std::io::Write;

    use tempfile::TempDir;

    use super::*;
    use crate::config::Config;
    use crate::metrics::Metrics;
    use crate::reason::Reason;
    use crate::status::journal::SharedJournal;

    fn source(folder: &Path, path: &str) -> LogSource {
        let text = format!(
            "logs:\n- name: edge\n  format: nginx\n  log_format: '$msec $connection \"$request\" $status $request_time'\n\
             \x20 files: [{0}/a.log]\n  error_files: [{0}/e.log]\n  streams: {{ paths: [/mcp, {path}] }}\n",
            folder.display()
        );
        Config::parse(&text, "holter.yaml").unwrap().logs.remove(0)
    }

    fn append(file: &Path, text: &str) {
        let mut file = OpenOptions::new().append(true).open(file).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    /// Whoever takes up a source by another configuration neither reads a half line twice nor decides for want of
    /// an entry that may still come.
    #[test]
    fn a_change_counts_nothing_twice_and_decides_nothing() {
        let folder = TempDir::new().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("a.log"), "").unwrap();
        fs::write(at("e.log"), "").unwrap();
        let all = Metrics::new([], ["edge"]);
        let recorder = SourceRecorder {
            metrics: all.source("edge").unwrap(),
            journal: SharedJournal::default(),
        };
        let mut reading = Reading::new(&source(folder.path(), "/a"), recorder.clone(), None);
        let line = "1795168781.360 7 \"GET /mcp HTTP/1.1\" 200 60.001\n";
        let entry = "2026/11/20 09:59:41 [error] 7#7: *7 upstream timed out (110: Connection timed out) while reading \
                     upstream, client: 10.9.9.9, server: _, request: \"GET /mcp HTTP/1.1\", upstream: \"http://10.0.0.1:80/mcp\"\n";
        let (half, rest) = line.split_at(20);
        append(&at("a.log"), &format!("{line}{half}"));
        reading.look();
        reading.change(&source(folder.path(), "/b"), recorder.clone());
        assert_eq!(recorder.metrics.closed(), [], "the stream waits on");
        append(&at("a.log"), rest);
        append(&at("e.log"), entry);
        reading.look();
        let ends: Vec<_> = recorder.metrics.closed();
        assert_eq!(ends, [(Reason::IdleTimeout, 1)]);
        let bytes = 2 * line.len() + entry.len();
        let text = all.render();
        let bytes = format!("holter_log_bytes_total{{source=\"edge\"}} {bytes}\n");
        assert!(text.contains(&bytes), "{text}");
        assert_eq!(recorder.metrics.lines().0, 3);
    }

    /// What cannot be read shows in the metrics, at each look.
    #[test]
    fn a_log_that_cannot_be_read_is_counted_by_its_error() {
        let folder = TempDir::new().unwrap();
        fs::create_dir(folder.path().join("a.log")).unwrap();
        let all = Metrics::new([], ["edge"]);
        let recorder = SourceRecorder {
            metrics: all.source("edge").unwrap(),
            journal: SharedJournal::default(),
        };
        let mut reading = Reading::new(&source(folder.path(), "/a"), recorder, None);
        reading.look();
        let errors = r#"holter_log_file_errors_total{error="no_file",source="edge"} 2"#;
        let text = all.render();
        assert!(text.contains(errors), "{text}");
        assert_eq!(reading.told.failed.len(), 1);
    }
}
