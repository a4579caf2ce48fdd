//! When to look at the files again: after a period, or earlier when something changed in their folders.
//!
//! Notifications only save time. One that is lost, merged with others or never comes costs at most the period,
//! so nothing here counts, queues or trusts them. Does not know what changed, nor what files are.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use notify::{Event, EventHandler, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;

/// Time between two looks where nothing is reported.
pub const PERIOD: Duration = Duration::from_millis(250);

/// Shortest time between two looks: a busy file reports each write, and a look per write is waste.
const PAUSE: Duration = Duration::from_millis(20);

/// Most folders that are watched; the system's own limit is per user (`fs.inotify.max_user_watches`, inotify(7)).
const FOLDERS_MAX: usize = 64;

/// Wakes a reader of files.
#[derive(Debug)]
pub struct Watch {
    period: Duration,
    changed: Arc<Notify>,
    /// Kept alive for its notifications; absent where the system refuses one.
    _watcher: Option<RecommendedWatcher>,
}

impl Watch {
    /// Watches the folders of `patterns`, those that exist and need no listing to be known.
    pub fn new(patterns: &[String], period: Duration) -> Self {
        let changed = Arc::new(Notify::new());
        Self {
            period,
            _watcher: watcher(patterns, waker(&changed)),
            changed,
        }
    }

    /// Resolves after the period, or earlier when something changed since the last call, but not before the pause. Whoever
    /// does not wait for it to the end has to look all the same: it may have heard of a change already.
    pub async fn changed(&self) {
        // Before it waits: where nothing is reported, one timer rings for each look.
        let pause = tokio::time::sleep(PAUSE.min(self.period));
        let change = tokio::time::timeout(self.period, self.changed.notified()).await;
        if change.is_ok() {
            pause.await;
        }
    }
}

/// Wakes who waits, if an event can mean a change.
fn waker(changed: &Arc<Notify>) -> impl Fn(notify::Result<Event>) + Send + 'static {
    let changed = Arc::clone(changed);
    move |event| {
        if is_change(&event) {
            changed.notify_one();
        }
    }
}

fn watcher(patterns: &[String], on: impl EventHandler) -> Option<RecommendedWatcher> {
    let mut watcher = notify::recommended_watcher(on)
        .inspect_err(|error| tracing::warn!(%error, "no file notifications; polling alone"))
        .ok()?;
    for folder in folders(patterns) {
        if let Err(error) = watcher.watch(&folder, RecursiveMode::NonRecursive) {
            tracing::debug!(%error, "folder not watched; polling alone");
        }
    }
    Some(watcher)
}

/// Whether an event can mean new bytes or files. Accesses do not: our own reading causes them, and to wake on
/// those would be to run in circles. Errors and overflows do: something was missed.
fn is_change(event: &notify::Result<Event>) -> bool {
    event
        .as_ref()
        .map_or(true, |event| event.need_rescan() || !event.kind.is_access())
}

/// The folders in which the files of `patterns` stand, up to the first wildcard.
fn folders(patterns: &[String]) -> Vec<PathBuf> {
    let mut folders: Vec<_> = patterns.iter().map(|pattern| folder(pattern)).collect();
    folders.sort();
    folders.dedup();
    folders.truncate(FOLDERS_MAX);
    folders
}

fn folder(pattern: &str) -> PathBuf {
    let plain = pattern.split(['*', '?', '[']).next().unwrap_or("");
    let folder = plain.rsplit_once('/').map_or(".", |(folder, _)| folder);
    Path::new(if folder.is_empty() { "/" } else { folder }).to_path_buf()
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use notify::EventKind;
    use notify::event::{AccessKind, CreateKind, Flag, ModifyKind};

    #[test]
    fn folders_of_patterns() {
        let check = |pattern: &str, expected: &str| {
            assert_eq!(folder(pattern), Path::new(expected), "{pattern}")
        };
        check("/var/log/nginx/access.log", "/var/log/nginx");
        check("/var/log/nginx/access*.log", "/var/log/nginx");
        check("/var/log/*/access.log", "/var/log");
        check("/access.log", "/");
        check("access.log", ".");
        check("logs/[ab].log", "logs");
        let two = ["/a/x*".to_owned(), "/a/y".to_owned()];
        assert_eq!(folders(&two), [Path::new("/a")]);
    }

    #[test]
    fn changes_wake_and_accesses_do_not() {
        let check = |kind: EventKind, expected: bool| {
            assert_eq!(is_change(&Ok(Event::new(kind))), expected)
        };
        check(EventKind::Access(AccessKind::Read), false);
        check(EventKind::Modify(ModifyKind::Any), true);
        check(EventKind::Create(CreateKind::File), true);
        check(EventKind::Other, true);
        let overflow = Event::new(EventKind::Access(AccessKind::Any)).set_flag(Flag::Rescan);
        assert!(is_change(&Ok(overflow)));
        assert!(is_change(&Err(notify::Error::generic("broken"))));
    }

    fn run(future: impl Future<Output = ()>) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .expect("runtime");
        let deadline = Duration::from_secs(30);
        let done = runtime.block_on(async { tokio::time::timeout(deadline, future).await });
        assert!(done.is_ok(), "still waiting after {deadline:?}");
    }

    #[test]
    fn a_write_wakes_long_before_the_period() {
        let folder = tempfile::tempdir().expect("folder");
        let pattern = folder.path().join("*.log").display().to_string();
        let watch = Watch::new(&[pattern], Duration::from_secs(3600));
        std::fs::write(folder.path().join("a.log"), "x\n").expect("written");
        run(watch.changed());
    }

    /// Writes to two files in turn, which are not merged, while the events of the first are not taken: more than the
    /// kernel's queue holds. All that comes of the rest is that something was missed, and that wakes.
    #[test]
    fn an_overflow_of_the_kernel_s_queue_wakes() {
        let folder = tempfile::tempdir().expect("folder");
        let pattern = folder.path().join("*.log").display().to_string();
        let changed = Arc::new(Notify::new());
        let wake = waker(&changed);
        let (release, held) = std::sync::mpsc::channel::<()>();
        let on = move |event: notify::Result<Event>| {
            // Once, until the other end is let go.
            held.recv().ok();
            if event.as_ref().is_ok_and(Event::need_rescan) {
                wake(event);
            }
        };
        let watch = Watch {
            period: Duration::from_secs(3600),
            _watcher: watcher(&[pattern], on),
            changed,
        };
        let limit = std::fs::read_to_string("/proc/sys/fs/inotify/max_queued_events");
        let limit: usize = limit.expect("a limit").trim().parse().expect("a number");
        let mut files = ["a.log", "b.log"]
            .map(|name| std::fs::File::create(folder.path().join(name)).expect("a log"));
        for _ in 0..limit {
            for file in &mut files {
                file.write_all(b"x").expect("written");
            }
        }
        drop(release);
        run(watch.changed());
    }

    #[test]
    fn without_a_folder_the_period_remains() {
        let folder = tempfile::tempdir().expect("folder");
        let pattern = folder.path().join("missing/a.log").display().to_string();
        let watch = Watch::new(&[pattern], Duration::from_millis(30));
        run(watch.changed());
    }
}
