//! The paths that a source's patterns name: plain ones, what a glob finds now, and what it found before.
//!
//! Also what could not be looked at when it was to be looked at first. Opens nothing.

use std::collections::HashSet;
use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use super::folders::Names;
use super::listing::{LISTED_MAX, Named, is_absent};
use crate::tail::follow;

/// A path, or a pattern that is listed at each pass.
#[derive(Debug)]
pub(super) struct Pattern {
    text: String,
    glob: Option<glob::Pattern>,
    /// If wildcards stand in its last part alone: the folder and that part.
    flat: Option<(PathBuf, glob::Pattern)>,
    /// Not looked at yet: what exists by now begins where the source starts.
    is_fresh: bool,
}

/// A folder or a log that could not be looked at.
pub(super) struct Failed {
    pub(super) path: PathBuf,
    /// Whether it never could.
    pub(super) is_unseen: bool,
    pub(super) error: io::Error,
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
        let is_glob = has_wildcards(&text);
        Self {
            // A bad pattern was refused with the configuration; here it is a path that leads nowhere.
            glob: glob::Pattern::new(&text).ok().filter(|_| is_glob),
            flat: flat(&text),
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
        names: &mut Names<'_>,
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
        for entry in self.entries(names) {
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
                Err((path, error)) => failed.push(Failed {
                    is_unseen: is_fresh || unseen.has(&path),
                    path,
                    error,
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

    /// What it names now, and the folders that cannot be listed.
    fn entries(&self, names: &mut Names<'_>) -> Vec<Result<PathBuf, (PathBuf, io::Error)>> {
        let Some((folder, part)) = &self.flat else {
            let entries = glob::glob(&self.text).into_iter().flatten();
            let entries = entries.map(|entry| {
                entry.map_err(|error| (error.path().to_owned(), io::Error::from(error)))
            });
            return entries.take(LISTED_MAX + 1).collect();
        };
        let here = match folder.as_os_str().is_empty() {
            true => Path::new("."),
            false => folder,
        };
        match names.of(here) {
            Ok(listed) => {
                let is_it = |name: &&OsString| name.to_str().is_some_and(|name| part.matches(name));
                let fit = listed
                    .iter()
                    .filter(is_it)
                    .map(|name| Ok(folder.join(name)));
                fit.take(LISTED_MAX + 1).collect()
            }
            Err(error) if is_absent(&error) => Vec::new(),
            Err(error) => vec![Err((here.to_owned(), error))],
        }
    }
}

fn has_wildcards(text: &str) -> bool {
    glob::Pattern::escape(text) != text
}

/// The folder and the last part of a pattern, where only that has wildcards: such a folder need not be listed at each
/// pass. Paths come out as [`glob::glob`] writes them, which leaves a folder that is written plainly as it is.
fn flat(text: &str) -> Option<(PathBuf, glob::Pattern)> {
    let (folder, part) = match text.rsplit_once('/') {
        Some(("", part)) => ("/", part),
        Some(parts) => parts,
        None => ("", text),
    };
    let (parts, path) = (Path::new(folder).components(), Path::new(folder));
    let is_plain = parts.clone().all(|part| part != Component::CurDir)
        && parts.collect::<PathBuf>().as_os_str() == path.as_os_str();
    if !is_plain || has_wildcards(folder) || !has_wildcards(part) || part.contains("**") {
        return None;
    }
    Some((path.to_owned(), glob::Pattern::new(part).ok()?))
}

#[cfg(test)]
mod tests {
    use super::super::folders::Folders;
    use super::*;
    use crate::tasks::clock;

    /// Paths as they are written.
    fn written(paths: impl IntoIterator<Item = PathBuf>) -> Vec<OsString> {
        paths.into_iter().map(PathBuf::into_os_string).collect()
    }

    #[test]
    fn names_are_those_of_the_glob() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.log", "a.log", "a.log.1", ".c.log", "d.log"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let folder = folder.path().to_str().unwrap();
        let check = |text: &str, is_flat: bool| {
            let pattern = Pattern::new(text.to_owned(), false);
            assert_eq!(pattern.flat.is_some(), is_flat, "{text}");
            let mut folders = Folders::default();
            let found = pattern.entries(&mut folders.begin_pass(clock::now()));
            let found = written(found.into_iter().map(Result::unwrap));
            assert_eq!(
                found,
                written(glob::glob(text).unwrap().flatten()),
                "{text}"
            );
            found.len()
        };
        assert_eq!(check(&format!("{folder}/*.log"), true), 4);
        assert_eq!(check(&format!("{folder}/[ab].log*"), true), 3);
        assert_eq!(check(&format!("{folder}/missing/*.log"), true), 0);
        assert_eq!(check(&format!("{folder}/a.log/*"), true), 0);
        assert_eq!(check(&format!("{folder}//?.log"), false), 3);
        assert_eq!(check(&format!("{folder}/./?.log"), false), 3);
        let begin = folder.get(..folder.len() - 1).unwrap();
        assert_eq!(check(&format!("{begin}*/?.log"), false), 3);
        assert_eq!(check(&format!("{folder}/**/?.log"), false), 3);
        check("Cargo.*", true);
        check("./Cargo.*", false);
        check("src/*.rs", true);
        check("../*", true);
        check("/*", true);
    }
}
