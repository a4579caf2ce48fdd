//! The names in folders. A folder is listed again only where that may show other names.
//!
//! Whether its times tell that is judged in [`crate::tail::still`]. Does not know which names are wanted.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use super::observe::observe;
use crate::tail::still::Still;

/// The folders that were asked for by the last pass.
#[derive(Debug, Default)]
pub(super) struct Folders {
    known: HashMap<PathBuf, Folder>,
}

#[derive(Debug, Default)]
struct Folder {
    still: Still,
    names: Arc<[OsString]>,
    is_asked_for: bool,
}

/// The folders during one pass.
pub(super) struct Names<'a> {
    folders: &'a mut Folders,
    now: Instant,
}

impl Folders {
    /// A pass begins: what the last did not ask for is forgotten.
    pub(super) fn begin_pass(&mut self, now: Instant) -> Names<'_> {
        self.known
            .retain(|_, folder| std::mem::take(&mut folder.is_asked_for));
        Names { folders: self, now }
    }
}

impl Names<'_> {
    /// The names in a folder, in their order.
    pub(super) fn of(&mut self, path: &Path) -> io::Result<Arc<[OsString]>> {
        // Through symlinks, so that one that is switched leads to another folder.
        let seen = observe(&fs::metadata(path)?);
        let folder = self.folders.known.entry(path.to_owned()).or_default();
        folder.is_asked_for = true;
        if !folder.still.look(seen, self.now) {
            folder.names = list(path)?;
            folder.still.read(self.now);
        }
        Ok(Arc::clone(&folder.names))
    }
}

fn list(path: &Path) -> io::Result<Arc<[OsString]>> {
    let names = fs::read_dir(path)?.map(|entry| entry.map(|entry| entry.file_name()));
    let mut names = names.collect::<io::Result<Vec<_>>>()?;
    names.sort_unstable();
    Ok(names.into())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::tail::still::{BELIEVED, TICK};
    use crate::tasks::clock;

    /// Whether a pass at that time finds the names that it found before without a listing, and them.
    fn look(folders: &mut Folders, path: &Path, now: Instant) -> (bool, Vec<OsString>) {
        let before = folders
            .known
            .get(path)
            .map(|folder| Arc::clone(&folder.names));
        let names = folders.begin_pass(now).of(path).unwrap();
        let is_spared = before.is_some_and(|before| Arc::ptr_eq(&before, &names));
        (is_spared, names.to_vec())
    }

    #[test]
    fn a_folder_is_listed_again_where_it_may_have_changed() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("b"), "").unwrap();
        let (mut folders, mut now) = (Folders::default(), clock::now());
        let mut after = |folders: &mut Folders, by: Duration| {
            now += by;
            look(folders, folder.path(), now)
        };
        let soon = Duration::from_secs(1);
        for by in [Duration::ZERO, soon, TICK] {
            assert_eq!(after(&mut folders, by), (false, vec!["b".into()]));
        }
        assert_eq!(after(&mut folders, soon), (true, vec!["b".into()]));
        fs::write(folder.path().join("a"), "").unwrap();
        let two = vec![OsString::from("a"), "b".into()];
        assert_eq!(after(&mut folders, soon), (false, two.clone()));
        for (by, is_spared) in [
            (soon, false),
            (TICK, false),
            (soon, true),
            (BELIEVED, false),
        ] {
            assert_eq!(after(&mut folders, by), (is_spared, two.clone()));
        }
    }

    #[test]
    fn what_is_not_asked_for_any_more_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let (mut folders, now) = (Folders::default(), clock::now());
        look(&mut folders, folder.path(), now);
        look(&mut folders, Path::new("/"), now);
        look(&mut folders, Path::new("/"), now);
        assert_eq!(folders.known.len(), 1);
    }
}
