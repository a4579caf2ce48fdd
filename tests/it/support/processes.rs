//! One child process: its output in files, waits with a deadline, and a certain end.
//!
//! Dropped, it is killed and reaped; dropped by a failing test, it shows the end of its output first.
//! It does not know what the process is.

use super::eventually;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};

/// Lines of each output that a failing test shows.
const SHOWN_LINES: usize = 40;

/// A running child, or one that ended and is kept for its output.
pub(crate) struct Process {
    name: String,
    child: Child,
    stdout: PathBuf,
    stderr: PathBuf,
}

impl Process {
    /// Starts `command` with its output in `folder` and nothing to read.
    pub(crate) fn start(name: &str, folder: &Path, command: &mut Command) -> Self {
        Self::spawn(name, folder, command.stdin(Stdio::null()))
    }

    /// Starts it with something to read: what is written to the second value.
    pub(crate) fn piped(name: &str, folder: &Path, command: &mut Command) -> (Self, ChildStdin) {
        let mut process = Self::spawn(name, folder, command.stdin(Stdio::piped()));
        let stdin = process.child.stdin.take().expect("a pipe");
        (process, stdin)
    }

    fn spawn(name: &str, folder: &Path, command: &mut Command) -> Self {
        let stdout = folder.join(format!("{name}.stdout"));
        let stderr = folder.join(format!("{name}.stderr"));
        let child = command
            .stdout(File::create(&stdout).expect("a file for stdout"))
            .stderr(File::create(&stderr).expect("a file for stderr"))
            .spawn()
            .unwrap_or_else(|error| panic!("{name} does not start: {error}"));
        Self {
            name: name.to_owned(),
            child,
            stdout,
            stderr,
        }
    }

    /// What it wrote to stdout so far.
    pub(crate) fn stdout(&self) -> String {
        read(&self.stdout)
    }

    /// What it wrote to stderr so far.
    pub(crate) fn stderr(&self) -> String {
        read(&self.stderr)
    }

    /// Waits for a condition that the process brings about; fails at once if the process ends first.
    pub(crate) fn wait_until<T>(
        &mut self,
        what: &str,
        mut look: impl FnMut(&Self) -> Result<T, String>,
    ) -> T {
        eventually(&format!("{}: {what}", self.name), || {
            let ended = self.child.try_wait().expect("the child's state");
            look(self).inspect_err(|seen| {
                if let Some(status) = ended {
                    panic!(
                        "{} ended ({status}) before: {what}; seen: {seen}",
                        self.name
                    );
                }
            })
        })
    }

    /// Asks it to stop: SIGTERM.
    pub(crate) fn terminate(&self) {
        self.signal("TERM");
    }

    /// Sends it a signal. std has no call for it, the shell has.
    pub(crate) fn signal(&self, name: &str) {
        let done = Command::new("sh")
            .args(["-c", r#"kill -s "$1" "$2""#, "sh", name])
            .arg(self.child.id().to_string())
            .status()
            .expect("a shell");
        assert!(done.success(), "{} is gone already", self.name);
    }

    /// Ends it without a chance to say anything: SIGKILL, and reaps it.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("SIGKILL");
        self.child.wait().expect("the killed child's status");
    }

    /// Waits until it ends by itself.
    pub(crate) fn wait_for_exit(&mut self) -> ExitStatus {
        eventually(&format!("{}: its exit", self.name), || {
            let status = self.child.try_wait().map_err(|error| error.to_string())?;
            status.ok_or_else(|| "still running".to_owned())
        })
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only when it ended before, which is no concern here.
        drop(self.child.kill());
        drop(self.child.wait());
        if std::thread::panicking() {
            show(&self.stdout);
            show(&self.stderr);
        }
    }
}

/// Shows the end of a file in the output of a failing test.
pub(crate) fn show(file: &Path) {
    let text = read(file);
    let skipped = text.lines().count().saturating_sub(SHOWN_LINES);
    eprintln!("--- {} ({skipped} lines skipped)", file.display());
    text.lines()
        .skip(skipped)
        .for_each(|line| eprintln!("{line}"));
}

/// A file that a process is writing: absent is empty.
pub(crate) fn read(file: &Path) -> String {
    String::from_utf8_lossy(&fs::read(file).unwrap_or_default()).into_owned()
}
