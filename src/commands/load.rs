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

/// A configuration that can be used.
#[derive(Debug)]
pub struct Loaded {
    /// What it says.
    pub config: Config,
    /// Logs that cannot be read now. That may pass, and must keep nothing from starting: rotation creates a file before
    /// it gives it away.
    pub unreadable: Vec<Problem>,
}

/// Loads the configuration that the flags name, and checks the files it names.
///
/// # Errors
///
/// Whatever keeps the configuration from being used; every problem at once.
pub fn load(args: &ConfigArgs) -> Result<Loaded, LoadError> {
    let config = match args.source()? {
        Source::File(file) => Config::parse(&read(file)?, &file.display().to_string()),
        Source::Flags(flags) => flags.config(),
    }
    .map_err(LoadError::Problems)?;
    let found = named_files(&config);
    let may_pass = found.iter().all(|(_, may_pass)| *may_pass);
    let problems = found.into_iter().map(|(problem, _)| problem).collect();
    if may_pass {
        Ok(Loaded {
            config,
            unreadable: problems,
        })
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

/// What is wrong with the files that it names, and whether that may pass.
fn named_files(config: &Config) -> Vec<(Problem, bool)> {
    let mut problems = Vec::new();
    for named in &config.named_files {
        let found = match &named.role {
            FileRole::Secret(file) => {
                let unreadable = readable(file).err();
                unreadable.map(|why| (cannot_read(file, &why), false))
            }
            FileRole::Log(pattern) => log(pattern),
        };
        problems.extend(found.map(|(message, may_pass)| (named.place.problem(message), may_pass)));
    }
    problems
}

/// Why a file cannot be read.
enum Unreadable {
    /// What stands there is no file: a mistake, as long as nobody mends it.
    NoFile(&'static str),
    /// The system refuses it now.
    Refused(io::Error),
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoFile(what) => f.write_str(what),
            Self::Refused(error) => error.fmt(f),
        }
    }
}

fn cannot_read(file: &Path, why: &Unreadable) -> String {
    format!(
        "cannot read {}: {why}; expected a readable file",
        file.display()
    )
}

/// An existing file of a pattern that cannot be read, and whether that may pass; a mistake, if there is one. None at all is
/// normal: a log may appear later.
fn log(pattern: &str) -> Option<(String, bool)> {
    // Without wildcards the pattern is the file: a directory there is a mistake, not a bystander.
    if glob::Pattern::escape(pattern) == pattern {
        return unreadable_log(Path::new(pattern));
    }
    let matches = glob::glob(pattern).ok()?.take(MATCHES_MAX);
    matches
        .filter_map(|found| match found {
            Ok(file) if file.is_dir() => None,
            Ok(file) => unreadable_log(&file),
            Err(error) => {
                let folder = error.path().to_owned();
                let why = Unreadable::Refused(error.into());
                Some((cannot_read(&folder, &why), true))
            }
        })
        .min_by_key(|(_, may_pass)| *may_pass)
}

fn unreadable_log(file: &Path) -> Option<(String, bool)> {
    match readable(file).err()? {
        Unreadable::Refused(error) if error.kind() == io::ErrorKind::NotFound => None,
        why => {
            let may_pass = matches!(why, Unreadable::Refused(_));
            Some((cannot_read(file, &why), may_pass))
        }
    }
}

/// Whether `file` can be opened as a file. Never opens a pipe, which would wait for a writer.
fn readable(file: &Path) -> Result<(), Unreadable> {
    let kind = fs::metadata(file).map_err(Unreadable::Refused)?;
    if kind.is_dir() {
        return Err(Unreadable::NoFile("is a directory"));
    }
    if !kind.is_file() {
        return Err(Unreadable::NoFile("is not a regular file"));
    }
    File::open(file).map(drop).map_err(Unreadable::Refused)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::check::check;

    fn args(file: &Path) -> ConfigArgs {
        ConfigArgs {
            config_file: Some(file.to_owned()),
            ..ConfigArgs::default()
        }
    }

    /// What `holter check` says of a file with this content, the folder's name left out.
    fn said(content: &[u8]) -> String {
        let folder = tempfile::tempdir().expect("folder");
        let file = folder.path().join("holter.yaml");
        let here = folder.path().display().to_string();
        let content = String::from_utf8_lossy(content).replace("HERE", &here);
        fs::create_dir(folder.path().join("folder.log")).expect("folder");
        fs::write(folder.path().join("token"), "t").expect("written");
        fs::write(&file, content).expect("written");
        said_of(&file).replace(&format!("{here}/"), "")
    }

    fn said_of(file: &Path) -> String {
        check(&args(file)).unwrap_or_else(|error| error.to_string())
    }

    #[test]
    fn files_that_cannot_be_read() {
        let folder = tempfile::tempdir().expect("folder");
        let here = folder.path().display().to_string();
        let missing = folder.path().join("holter.yaml");
        assert_eq!(
            said_of(&missing),
            format!(
                "holter: cannot read configuration {here}/holter.yaml: No such file or directory (os error 2)"
            )
        );
        assert_eq!(
            said_of(folder.path()),
            format!("holter: cannot read configuration {here}: Is a directory (os error 21)")
        );
        fs::write(&missing, b"canaries: \xff\n").expect("written");
        assert_eq!(
            said_of(&missing),
            format!("holter: cannot read configuration {here}/holter.yaml: not UTF-8 at byte 10")
        );
        fs::write(&missing, vec![b'#'; FILE_MAX as usize + 1]).expect("written");
        assert_eq!(
            said_of(&missing),
            format!("holter: cannot read configuration {here}/holter.yaml: larger than 1 MiB")
        );
        fs::write(
            &missing,
            [vec![b'#'; FILE_MAX as usize - 1], vec![b'\n']].concat(),
        )
        .expect("written");
        assert_eq!(
            said_of(&missing),
            format!("{here}/holter.yaml:1:1: nothing is configured; expected canaries or logs")
        );
    }

    #[test]
    fn good_configurations_are_summed_up() {
        let canary =
            "canaries: [{ name: a, direct: 'http://h/', bearer_token_file: HERE/token }]\n";
        let log = "logs: [{ name: a, format: nginx, files: [HERE/not/yet.log, 'HERE/*.log'] }]\n";
        let check = |content: &str, expected: &str| {
            let said = said(content.as_bytes());
            assert_eq!(said.lines().next(), Some(expected));
        };
        check(canary, "holter.yaml: ok: 1 canary, 0 log sources");
        check(log, "holter.yaml: ok: 0 canaries, 1 log source");
        check(
            &format!("{canary}{log}"),
            "holter.yaml: ok: 1 canary, 1 log source",
        );
    }

    #[test]
    fn named_files_are_looked_at() {
        let content = "
canaries: [{ name: a, direct: 'http://h/', bearer_token_file: HERE/missing }]
logs: [{ name: a, format: nginx, files: [HERE/folder.log, /dev/null], error_files: [/dev/nul?] }]";
        let column = |part: &str| {
            let line = content
                .lines()
                .find(|line| line.contains(part))
                .expect(part);
            line.find(part).expect(part) + 1
        };
        // Columns behind the first path depend on the folder's name: only ends are compared there.
        let found = said(content.as_bytes());
        let lines: Vec<_> = found.lines().collect();
        let place = |line: u64, part: &str| format!("holter.yaml:{line}:{}: ", column(part));
        assert_eq!(
            lines.first().copied(),
            Some(
                &*(place(2, "HERE/missing")
                    + "canaries[0].bearer_token_file: cannot read missing: No such file or directory (os error 2); expected a readable file")
            )
        );
        assert_eq!(
            lines.get(1).copied(),
            Some(
                &*(place(3, "HERE/folder")
                    + "logs[0].files[0]: cannot read folder.log: is a directory; expected a readable file")
            )
        );
        let ends = [
            "logs[0].files[1]: cannot read /dev/null: is not a regular file; expected a readable file",
            "logs[0].error_files[0]: cannot read /dev/null: is not a regular file; expected a readable file",
        ];
        assert_eq!(lines.len(), 4, "{found}");
        assert!(
            lines[2].ends_with(ends[0]) && lines[3].ends_with(ends[1]),
            "{found}"
        );
    }

    /// What the system refuses may pass, and is said; what is no file at all is a mistake, whatever comes before it.
    #[test]
    fn a_log_that_is_refused_is_no_reason_not_to_start() {
        let folder = tempfile::tempdir().expect("folder");
        let at = |name: &str| folder.path().join(name);
        // A link to itself is refused to the superuser, too.
        std::os::unix::fs::symlink("a.log", at("a.log")).expect("linked");
        let found = |pattern: &str| log(&at(pattern).display().to_string());
        let (said, may_pass) = found("a.log").expect("refused");
        assert!(
            may_pass && said.contains("Too many levels of symbolic links"),
            "{said}"
        );
        assert!(found("*.log").is_some_and(|(_, may_pass)| may_pass));
        std::os::unix::net::UnixListener::bind(at("b.log")).expect("a socket");
        let (said, may_pass) = found("*.log").expect("a mistake");
        assert!(
            !may_pass && said.contains("b.log: is not a regular file"),
            "{said}"
        );
        assert!(found("missing.log").is_none());
    }

    #[test]
    fn flags_are_loaded_and_looked_at() {
        let folder = tempfile::tempdir().expect("folder");
        let here = folder.path().display().to_string();
        let flags = |log: &str| crate::config::Flags {
            canary_proxy: Some("http://h/mcp".to_owned()),
            log_nginx: vec![log.to_owned()],
            ..crate::config::Flags::default()
        };
        let said = |log: &str| {
            let args = ConfigArgs {
                config_file: None,
                flags: flags(log),
            };
            check(&args).unwrap_or_else(|error| error.to_string())
        };
        let said_of_log = said(&format!("{here}/a.log"));
        let mut lines = said_of_log.lines();
        assert_eq!(lines.next(), Some("flags: ok: 1 canary, 1 log source"));
        let limit =
            "log nginx: $connection is not logged: ends cannot be joined with the error log";
        assert_eq!(
            lines.next(),
            Some(limit),
            "what the log cannot tell is said too"
        );
        assert_eq!(
            said(&here),
            format!(
                "holter: --log.nginx: cannot read {here}: is a directory; expected a readable file"
            )
        );
        let neither = check(&ConfigArgs::default())
            .expect_err("refused")
            .to_string();
        assert!(
            neither.contains("holter demo") && !neither.contains('\n'),
            "{neither}"
        );
    }
}
