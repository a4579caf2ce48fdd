//! What asks for the configuration to be read again: SIGHUP, a request, a file that changed.
//!
//! Knows neither what a configuration is nor what becomes of it.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep;

use super::wake::Watch;

/// Time between two looks at the file where no notification comes.
const PERIOD: Duration = Duration::from_secs(5);

/// How long a file must stay as it is to count as written.
const SETTLED: Duration = Duration::from_millis(250);

/// Most bytes of the file that are compared; no configuration is that long.
const COMPARED_MAX: u64 = 2 * 1024 * 1024;

/// Requests that wait while a reload is under way; more are kept waiting at their door.
const WAITING_MAX: usize = 4;

/// What became of a reload: nothing to say, or what is wrong with the configuration.
pub type Outcome = Result<(), String>;

/// One who asked for a reload, and waits for its outcome or does not.
#[derive(Debug)]
pub struct Asked(Option<oneshot::Sender<Outcome>>);

impl Asked {
    /// Tells what became of it.
    pub fn answer(self, outcome: Outcome) {
        if let Some(waiting) = self.0 {
            // Whoever went away does not want to know.
            drop(waiting.send(outcome));
        }
    }
}

/// Where requests ask.
#[derive(Clone, Debug)]
pub struct Door(mpsc::Sender<Asked>);

impl Door {
    /// Asks for a reload; `None` where the process is about to end.
    pub async fn ask(&self) -> Option<Outcome> {
        let (answer, answered) = oneshot::channel();
        self.0.send(Asked(Some(answer))).await.ok()?;
        answered.await.ok()
    }
}

/// All that asks.
#[derive(Debug)]
pub struct Reloads {
    hangups: Signal,
    requests: mpsc::Receiver<Asked>,
    door: Door,
    file: Option<Watched>,
}

impl Reloads {
    /// Listens from now on. A change of `file` is one from its content of now: to be made before it is loaded.
    ///
    /// # Errors
    ///
    /// Where the signal handler cannot be installed.
    pub fn new(file: Option<&Path>) -> io::Result<Self> {
        let (door, requests) = mpsc::channel(WAITING_MAX);
        Ok(Self {
            hangups: signal(SignalKind::hangup())?,
            requests,
            door: Door(door),
            file: file.map(Watched::new),
        })
    }

    /// Where requests ask.
    pub fn door(&self) -> Door {
        self.door.clone()
    }

    /// The next one who asks. Cancel-safe.
    pub async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.hangups.recv() => {
                tracing::info!("reloading: SIGHUP");
                self.saw_the_file();
                Asked(None)
            }
            Some(asked) = self.requests.recv() => {
                tracing::info!("reloading: asked for at /-/reload");
                self.saw_the_file();
                asked
            }
            () = changed(self.file.as_mut()) => {
                tracing::info!("reloading: the file changed");
                Asked(None)
            }
        }
    }

    /// Another reason comes with what the file holds now: that is no further one.
    fn saw_the_file(&mut self) {
        if let Some(file) = &mut self.file {
            file.seen = read(&file.path);
        }
    }
}

async fn changed(file: Option<&mut Watched>) {
    match file {
        Some(file) => file.changed().await,
        None => std::future::pending().await,
    }
}

/// A file whose content is compared. Its path is followed anew each time: a ConfigMap is changed by a symbolic link
/// in its folder that comes to lead elsewhere.
#[derive(Debug)]
struct Watched {
    path: PathBuf,
    watch: Watch,
    seen: Option<Vec<u8>>,
}

impl Watched {
    fn new(path: &Path) -> Self {
        let folder = glob::Pattern::escape(&path.display().to_string());
        Self {
            path: path.to_owned(),
            watch: Watch::new(&[folder], PERIOD),
            seen: read(path),
        }
    }

    /// Resolves when the file holds something else, and has done so for a moment: an editor may still be writing.
    async fn changed(&mut self) {
        loop {
            self.watch.changed().await;
            let found = read(&self.path);
            if found == self.seen {
                continue;
            }
            sleep(SETTLED).await;
            if read(&self.path) == found {
                self.seen = found;
                return;
            }
        }
    }
}

/// What the file holds; `None` where it cannot be read, which is a change as well.
fn read(path: &Path) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = File::open(path).ok()?;
    file.take(COMPARED_MAX).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use tokio::time::timeout;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(30);

    async fn is_asked(reloads: &mut Reloads) {
        let asked = timeout(PATIENCE, reloads.next()).await.expect("in time");
        asked.answer(Ok(()));
    }

    #[tokio::test]
    async fn a_file_that_holds_something_else_asks_and_one_that_was_touched_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("holter.yaml");
        fs::write(&file, "a").unwrap();
        let mut reloads = Reloads::new(Some(&file)).unwrap();
        fs::write(&file, "a").unwrap();
        let nothing = timeout(4 * SETTLED, reloads.next()).await;
        assert!(nothing.is_err(), "the same content is no change");
        fs::write(&file, "b").unwrap();
        is_asked(&mut reloads).await;
        fs::remove_file(&file).unwrap();
        is_asked(&mut reloads).await;
    }

    #[tokio::test]
    async fn a_config_map_that_is_swapped_asks() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for (version, text) in [("..1", "a"), ("..2", "b")] {
            fs::create_dir(at(version)).unwrap();
            fs::write(at(version).join("holter.yaml"), text).unwrap();
        }
        symlink("..1", at("..data")).unwrap();
        symlink("..data/holter.yaml", at("holter.yaml")).unwrap();
        let mut reloads = Reloads::new(Some(&at("holter.yaml"))).unwrap();
        symlink("..2", at("..data_tmp")).unwrap();
        fs::rename(at("..data_tmp"), at("..data")).unwrap();
        is_asked(&mut reloads).await;
    }

    #[tokio::test]
    async fn who_asks_is_told_the_outcome() {
        let mut reloads = Reloads::new(None).unwrap();
        let door = reloads.door();
        let (told, ()) = tokio::join!(door.ask(), async {
            let asked = reloads.next().await;
            asked.answer(Err("why".to_owned()));
        });
        assert_eq!(told, Some(Err("why".to_owned())));
        drop(reloads);
        assert_eq!(door.ask().await, None);
    }
}
