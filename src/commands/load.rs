//! From flags to a checked configuration: reads the file, and looks at the files it names.
//!
//! Does not judge values: [`crate::config`] does.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::cli::{ConfigArgs, Source, SourceError};
use crate::config::{Config, FileRole, Problem};

/// Largest configuration file in bytes; far above any real one.
const FILE_MAX: u64 = 1024 * 1024;

/// Most files of one pattern that are looked at.
const MATCHES_MAX: usize = 1000;

/// Why there is no configuration; its `Display` is one line per problem.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The flags name no source.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The file cannot be read.
    #[error("holter: cannot read configuration {}: {cause}", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// The file is larger than a configuration can be.
    #[error("holter: cannot read configuration {}: larger than 1 MiB", .0.display())]
    TooLarge(PathBuf),
    /// The file is not text.
    #[error("holter: cannot read configuration {}: not UTF-8 at byte {at}", file.display())]
    NotUtf8 {
        /// The file.
        file: PathBuf,
        /// First byte that is not UTF-8, from 0.
        at: usize,
    },
    /// What the configuration says is wrong.
    #[error("{}", Lines(.0))]
    Problems(Vec<Problem>),
}

struct Lines<'a>(&'a [Problem]);

impl fmt::Display for Lines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.0.iter().enumerate() {
            let separator = if i == 0 { "" } else { "\n" };
            write!(f, "{separator}{problem}")?;
        }
        Ok(())
    }
}

/// Loads the configuration that the flags name, and checks the files it names.
///
/// # Errors
///
/// Whatever keeps the configuration from being used; every problem at once.
pub fn load(args: &ConfigArgs) -> Result<Config, LoadError> {
    let config = match args.source()? {
        Source::File(file) => Config::parse(&read(file)?, &file.display().to_string()),
        Source::Flags(flags) => flags.config(),
    }
    .map_err(LoadError::Problems)?;
    let problems = named_files(&config);
    if problems.is_empty() {
        Ok(config)
    } else {
        Err(LoadError::Problems(problems))
    }
}

fn read(file: &Path) -> Result<String, LoadError> {
    let mut bytes = Vec::new();
    File::open(file)
        .and_then(|open| open.take(FILE_MAX + 1).read_to_end(&mut bytes))
        .map_err(|cause| LoadError::Read {
            file: file.to_owned(),
            cause,
        })?;
    if bytes.len() as u64 > FILE_MAX {
        return Err(LoadError::TooLarge(file.to_owned()));
    }
    String::from_utf8(bytes).map_err(|error| LoadError::NotUtf8 {
        file: file.to_owned(),
        at: error.utf8_error().valid_up_to(),
    })
}

fn named_files(config: &Config) -> Vec<Problem> {
    let mut problems = Vec::new();
    for named in &config.named_files {
        let found = match &named.role {
            FileRole::Secret(file) => readable(file).err().map(|why| cannot_read(file, &why)),
            FileRole::Log(pattern) => log(pattern),
        };
        problems.extend(found.map(|message| named.place.problem(message)));
    }
    problems
}

fn cannot_read(file: &Path, why: &str) -> String {
    format!(
        "cannot read {}: {why}; expected a readable file",
        file.display()
    )
}

/// The first existing file of a pattern that cannot be read. None at all is normal: a log may appear later.
fn log(pattern: &str) -> Option<String> {
    // Without wildcards the pattern is the file: a directory there is a mistake, not a bystander.
    if glob::Pattern::escape(pattern) == pattern {
        return unreadable_log(Path::new(pattern));
    }
    let matches = glob::glob(pattern).ok()?.take(MATCHES_MAX);
    matches
        .filter_map(|found| match found {
            Ok(file) if file.is_dir() => None,
            Ok(file) => unreadable_log(&file),
            Err(error) => Some(cannot_read(error.path(), &error.error().to_string())),
        })
        .next()
}

fn unreadable_log(file: &Path) -> Option<String> {
    match fs::metadata(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        _ => readable(file).err().map(|why| cannot_read(file, &why)),
    }
}

/// Whether `file` can be opened as a file. Never opens a pipe, which would wait for a writer.
fn readable(file: &Path) -> Result<(), String> {
    let kind = fs::metadata(file).map_err(|error| error.to_string())?;
    if kind.is_dir() {
        return Err("is a directory".to_owned());
    }
    if !kind.is_file() {
        return Err("is not a regular file".to_owned());
    }
    File::open(file)
        .map(drop)
        .map_err(|error| error.to_string())
}
