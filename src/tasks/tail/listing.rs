//! What the file system shows of a source's logs: the files that the patterns name, and beside each the files
//! that rotation made of it.
//!
//! Looks once and answers; remembers nothing, but asks for the names in folders where these are remembered. What an
//! answer means is judged in [`crate::tail::follow`].

use std::collections::{HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::fs::{self, Metadata};
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::folders::Names;
use super::found::Found;
use super::is_same;
use super::observe::observe;
use super::pattern::{Failed, Pattern, Unseen};
use crate::tail::checkpoint::Position;
use crate::tail::follow::{self, Identity, Observed};

/// Most files that one listing takes.
pub(super) const LISTED_MAX: usize = 4096;

/// Symlinks in a row that are followed, as many as the kernel follows (path_resolution(7)).
const LINKS_MAX: usize = 40;

/// A path that a pattern names, whether it leads to a file or not.
pub(super) struct Named {
    path: Arc<Path>,
    /// What it leads to, if that was seen.
    seen: Option<Metadata>,
    /// Behind symlinks: rotated files stand beside the target.
    target: PathBuf,
    is_listed: bool,
    is_fresh: bool,
}

impl Named {
    pub(super) fn new(path: PathBuf, is_listed: bool, is_fresh: bool) -> Self {
        let seen = fs::symlink_metadata(&path).ok();
        // Most are no symlinks, and that is all that there is to know of them.
        let is_link = seen.as_ref().is_none_or(Metadata::is_symlink);
        Self {
            target: if is_link { target(&path) } else { path.clone() },
            seen: seen.filter(|_| !is_link),
            path: path.into(),
            is_listed,
            is_fresh,
        }
    }
}

/// One file that a listing shows.
#[derive(Clone, Debug)]
pub(super) struct Sight {
    /// Where it stands.
    pub(super) path: PathBuf,
    /// The log's path that it was found for; its own unless it is a sibling.
    pub(super) base: Arc<Path>,
    pub(super) kind: Kind,
    pub(super) observed: Observed,
    /// Found by a pattern that was not looked at before.
    pub(super) is_fresh: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// A pattern names it.
    Base,
    /// Rotation made it, by its name.
    Sibling,
    /// The same, compressed; the file that it was made of is gone.
    Compressed,
}

/// One look.
#[derive(Default)]
pub(super) struct Listing {
    /// Logs first, then what stands beside them, oldest first.
    pub(super) sights: Vec<Sight>,
    /// What the patterns name.
    logs: HashSet<Arc<Path>>,
    /// Logs that may exist and could not be looked at.
    unclear: Vec<Arc<Path>>,
    /// Logs of which something may stand in a folder that could not be listed.
    pub(super) unlisted: HashSet<Arc<Path>>,
    /// Logs whose folder does not exist.
    pub(super) away: HashSet<Arc<Path>>,
    failed: Vec<Failed>,
    /// Whether there are more files than it took.
    pub(super) is_capped: bool,
}

/// The logs of each folder by their names.
type Beside<'a> = HashMap<PathBuf, HashMap<OsString, &'a Named>>;

/// Looks at everything that the patterns name.
pub(super) fn look(
    patterns: &mut [Pattern],
    followed: &HashSet<Arc<Path>>,
    unseen: &mut Unseen,
    names: &mut Names<'_>,
    on: &mut impl FnMut(Found<'_>),
) -> Listing {
    let mut listing = Listing::default();
    let mut named = Vec::new();
    for pattern in patterns.iter_mut() {
        pattern.name(followed, unseen, names, &mut named, &mut listing.failed);
    }
    if named.len() > LISTED_MAX {
        listing.is_capped = true;
        let rest = named.split_off(LISTED_MAX);
        listing
            .unlisted
            .extend(rest.into_iter().map(|log| log.path));
    }
    let mut beside = Beside::new();
    for log in &named {
        if let Some((folder, name)) = split(&log.target) {
            beside.entry(folder).or_default().entry(name).or_insert(log);
        }
    }
    listing.logs = named.iter().map(|log| Arc::clone(&log.path)).collect();
    for log in named.iter().filter(|log| !is_sibling(&beside, log)) {
        listing.look_at(log, on);
    }
    for (folder, logs) in &beside {
        listing.folder(folder, logs, unseen, names);
    }
    for Failed { path, error, .. } in &listing.failed {
        on(Found::Failed { path, error });
    }
    unseen.update(&listing.failed);
    listing
        .sights
        .sort_by_key(|sight| (sight.kind, sight.observed.id.born));
    listing
}

impl Listing {
    /// The file that a log's path leads to.
    pub(super) fn log(&self, base: &Path) -> Option<Identity> {
        let is_it = |sight: &&Sight| sight.kind == Kind::Base && is_same(&sight.base, base);
        self.sights
            .iter()
            .find(is_it)
            .map(|sight| sight.observed.id)
    }

    /// Adds, of the files that were left somewhere, those that stand there and are not shown: a symlink led there,
    /// and leads elsewhere now.
    pub(super) fn find<'a>(&mut self, left: impl Iterator<Item = &'a Position>) {
        let shown: HashSet<_> = self.sights.iter().map(|sight| sight.observed.id).collect();
        for position in left.filter(|position| !shown.contains(&position.id)) {
            let Some(base) = self.logs.get(Path::new(&position.path)) else {
                continue;
            };
            let log = (Arc::clone(base), false);
            let found = sibling(position.stood().to_owned(), log);
            self.sights
                .extend(found.filter(|sight| sight.observed.id == position.id));
        }
    }

    /// Whether a log may exist and could not be looked at.
    pub(super) fn is_unclear(&self, base: &Path) -> bool {
        self.unclear.iter().any(|path| is_same(path, base))
    }

    /// Looks at a log. Only regular files are opened: to open a pipe is to wait for its writer.
    fn look_at(&mut self, log: &Named, on: &mut impl FnMut(Found<'_>)) {
        let seen = log.seen.clone();
        match seen.map_or_else(|| fs::metadata(&log.path), Ok) {
            Ok(meta) if meta.is_file() => self.sights.push(Sight {
                path: log.target.clone(),
                base: Arc::clone(&log.path),
                kind: Kind::Base,
                observed: observe(&meta),
                is_fresh: log.is_fresh,
            }),
            // A folder that happens to match a pattern is no log; one that was named is a mistake.
            Ok(meta) if meta.is_dir() && log.is_listed => {}
            Ok(meta) => on(Found::Failed {
                path: &log.path,
                error: &io::Error::from(match meta.is_dir() {
                    true => ErrorKind::IsADirectory,
                    false => ErrorKind::Unsupported,
                }),
            }),
            Err(error) if is_absent(&error) => {}
            // Unknown is not gone.
            Err(error) => {
                self.unclear.push(Arc::clone(&log.path));
                self.unlisted.insert(Arc::clone(&log.path));
                self.failed.push(Failed {
                    path: log.path.to_path_buf(),
                    is_unseen: log.is_fresh,
                    error,
                });
            }
        }
    }

    /// Finds the siblings of the logs in a folder.
    fn folder(
        &mut self,
        folder: &Path,
        logs: &HashMap<OsString, &Named>,
        unseen: &Unseen,
        names: &mut Names<'_>,
    ) {
        let paths = || logs.values().map(|log| Arc::clone(&log.path));
        let is_unseen = unseen.has(folder);
        let names = match names.of(folder) {
            Ok(names) => names,
            Err(error) if is_absent(&error) => return self.away.extend(paths()),
            Err(error) => {
                self.unlisted.extend(paths());
                return self.failed.push(Failed {
                    path: folder.to_owned(),
                    is_unseen: is_unseen || logs.values().any(|log| log.is_fresh),
                    error,
                });
            }
        };
        for name in names.iter() {
            let Some(log) = log_of(name, logs) else {
                continue;
            };
            if self.sights.len() >= LISTED_MAX {
                self.unlisted.extend(paths());
                self.is_capped = true;
                return;
            }
            let path = folder.join(name);
            let is_fresh = log.is_fresh || is_unseen;
            let log = (Arc::clone(&log.path), is_fresh);
            self.sights.extend(sibling(path, log));
        }
    }
}

fn sibling(path: PathBuf, (base, is_fresh): (Arc<Path>, bool)) -> Option<Sight> {
    let kind = match follow::uncompressed(path.as_os_str().as_bytes()) {
        None => Kind::Sibling,
        // While both stand there, the compressed one is being written.
        Some(plain) if fs::symlink_metadata(OsStr::from_bytes(plain)).is_ok() => return None,
        Some(_) => Kind::Compressed,
    };
    let meta = fs::symlink_metadata(&path).ok().filter(Metadata::is_file)?;
    Some(Sight {
        path,
        base,
        kind,
        observed: observe(&meta),
        is_fresh,
    })
}

fn is_sibling(beside: &Beside<'_>, log: &Named) -> bool {
    let Some((folder, name)) = split(&log.target) else {
        return false;
    };
    beside
        .get(&folder)
        .is_some_and(|logs| log_of(&name, logs).is_some())
}

/// The log that a name belongs to as a rotated file's: the one with the shortest name.
fn log_of<'a>(name: &OsStr, logs: &HashMap<OsString, &'a Named>) -> Option<&'a Named> {
    let bytes = name.as_bytes();
    let ends = (1..bytes.len()).filter(|i| matches!(bytes.get(*i), Some(b'.' | b'-')));
    ends.filter_map(|end| bytes.get(..end))
        .filter(|base| follow::is_sibling(base, bytes))
        .find_map(|base| logs.get(OsStr::from_bytes(base)).copied())
}

fn split(path: &Path) -> Option<(PathBuf, OsString)> {
    let folder = path.parent()?;
    let folder = if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    };
    Some((folder.to_owned(), path.file_name()?.to_owned()))
}

/// Where symlinks lead, also where nothing stands there yet.
fn target(path: &Path) -> PathBuf {
    let mut path = path.to_owned();
    for _ in 0..LINKS_MAX {
        let Ok(next) = fs::read_link(&path) else {
            break;
        };
        path = path
            .parent()
            .map_or_else(|| next.clone(), |folder| folder.join(&next));
    }
    path
}

pub(super) fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}
