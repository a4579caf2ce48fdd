//! The paths that a source's patterns name: plain ones, what a glob finds now, and what it found before.
//!
//! Also what could not be looked at when it was to be looked at first. Opens nothing.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use std::os::unix::ffi::OsStrExt;

use super::listing::{LISTED_MAX, Named};
use crate::tail::follow;

/// A path, or a pattern that is listed at each pass.
#[derive(Debug)]
pub(super) struct Pattern {
    text: String,
    glob: Option<glob::Pattern>,
    /// Not looked at yet: what exists by now begins where the source starts.
    is_fresh: bool,
}

/// A folder or a log that could not be looked at.
pub(super) struct Failed {
    pub(super) path: PathBuf,
    /// Whether it never could.
    pub(super) is_unseen: bool,
    pub(super) error: std::io::Error,
}

/// Folders and logs that could not be looked at yet: what stands there when they can be is what stood there at
/// the start, as far as anybody can tell.
#[derive(Clone, Debug, Default)]
pub(super) struct Unseen(Vec<PathBuf>);

impl Unseen {
    pub(super) fn new(paths: Vec<String>) -> Self {
        Self(paths.into_iter().map(PathBuf::from).collect())
    }

    pub(super) fn paths(&self) -> impl Iterator<Item = String> {
        self.0
            .iter()
            .map(|path| path.to_string_lossy().into_owned())
    }

    /// Whether this very path is one.
    pub(super) fn has(&self, path: &Path) -> bool {
        self.0.iter().any(|unseen| unseen == path)
    }

    /// Whether it stands in such a folder.
    fn holds(&self, path: &Path) -> bool {
        self.0.iter().any(|unseen| path.starts_with(unseen))
    }

    /// What fails still, and what fails at its first look.
    pub(super) fn update(&mut self, failed: &[Failed]) {
        let unseen = failed.iter().filter(|failed| failed.is_unseen);
        self.0 = unseen.map(|failed| failed.path.clone()).collect();
        self.0.sort();
        self.0.dedup();
    }
}

impl Pattern {
    pub(super) fn new(text: String, is_fresh: bool) -> Self {
        let is_glob = glob::Pattern::escape(&text) != text;
        Self {
            // A bad pattern was refused with the configuration; here it is a path that leads nowhere.
            glob: glob::Pattern::new(&text).ok().filter(|_| is_glob),
            text,
            is_fresh,
        }
    }

    /// Whether it lists folders.
    pub(super) fn is_glob(&self) -> bool {
        self.glob.is_some()
    }

    /// Adds the files that it names, but compressed ones, whose bytes are no lines. A log that was followed before
    /// is named also while nothing stands there: what rotation made of it is found by its name.
    pub(super) fn name(
        &mut self,
        followed: &HashSet<Arc<Path>>,
        unseen: &Unseen,
        all: &mut Vec<Named>,
        failed: &mut Vec<Failed>,
    ) {
        let is_fresh = std::mem::take(&mut self.is_fresh);
        let Some(glob) = &self.glob else {
            let path = PathBuf::from(&self.text);
            let is_fresh = is_fresh || unseen.has(&path);
            return all.push(Named::new(path, false, is_fresh));
        };
        let mut found = HashSet::new();
        for entry in glob::glob(&self.text)
            .into_iter()
            .flatten()
            .take(LISTED_MAX + 1)
        {
            match entry {
                Ok(path) if follow::uncompressed(path.as_os_str().as_bytes()).is_some() => {}
                Ok(path) => {
                    all.push(Named::new(
                        path.clone(),
                        true,
                        is_fresh || unseen.holds(&path),
                    ));
                    found.insert(path);
                }
                Err(error) => failed.push(Failed {
                    path: error.path().to_owned(),
                    is_unseen: is_fresh || unseen.has(error.path()),
                    error: error.into(),
                }),
            }
        }
        let options = glob::MatchOptions {
            require_literal_separator: true,
            ..glob::MatchOptions::default()
        };
        let is_it =
            |path: &&Arc<Path>| !found.contains(&***path) && glob.matches_path_with(path, options);
        let absent = followed.iter().filter(is_it);
        all.extend(absent.map(|path| Named::new(path.to_path_buf(), true, false)));
    }
}
