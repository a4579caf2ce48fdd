//! The binary under test: started with a configuration, asked through `/metrics`.
//!
//! It knows the command line, the line that says where Holter listens, and how a configuration is
//! written. What the metrics mean is for the scenarios.

use super::nginx::{LOG_FORMAT, Nginx};
use super::processes::Process;
use super::scrape::Scrape;
use super::{eventually, http};
use std::fs::{self, Permissions};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, ExitStatus};
use tempfile::TempDir;

/// A user and a group to whom nothing belongs.
const NOBODY: u32 = 65534;

/// A running Holter.
pub(crate) struct Holter {
    pub(crate) address: SocketAddr,
    process: Process,
    folder: TempDir,
}

impl Holter {
    /// Starts it with `configuration` and waits until it says where it listens.
    pub(crate) fn start(configuration: &str) -> Self {
        Self::start_with(configuration, &[])
    }

    /// The same with more flags.
    pub(crate) fn start_with(configuration: &str, flags: &[&str]) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let mut command = command(folder.path(), configuration);
        command.args(flags);
        let process = Process::start("holter", folder.path(), &mut command);
        Self::running(process, folder)
    }

    /// The same with something to read on its standard input.
    pub(crate) fn piped(configuration: &str) -> (Self, ChildStdin) {
        let folder = TempDir::new().expect("a temporary folder");
        let mut command = command(folder.path(), configuration);
        let (process, stdin) = Process::piped("holter", folder.path(), &mut command);
        (Self::running(process, folder), stdin)
    }

    fn running(mut process: Process, folder: TempDir) -> Self {
        let address = process.wait_until("its address", |p| listening(&p.stderr()));
        Self {
            address,
            process,
            folder,
        }
    }

    /// Its configuration file.
    pub(crate) fn file(&self) -> PathBuf {
        self.folder().join("holter.yaml")
    }

    /// The folder of that.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Where the `key` (`syslog`, `error_syslog`) of a source listens, as it said at its start.
    pub(crate) fn receives_at(&self, source: &str, key: &str) -> String {
        eventually(&format!("{key} of {source}"), || {
            let log = self.log();
            let said = format!("receiving {key} source=\"{source}\" address=");
            let line = log.lines().rev().find_map(|line| line.split_once(&said));
            let address = line.map(|(_, rest)| rest.trim().to_owned());
            address.ok_or(log)
        })
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, name: &str) {
        self.process.signal(name);
    }

    /// Starts `holter demo` in a folder of its own and waits until it says where it listens.
    pub(crate) fn demo() -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let mut command = Command::new(env!("CARGO_BIN_EXE_holter"));
        command
            .args(["demo", "--web.listen-address", "127.0.0.1:0"])
            .env("TMPDIR", folder.path());
        let mut process = Process::start("demo", folder.path(), &mut command);
        let address = process.wait_until("its address", |p| introduced(&p.stdout()));
        Self {
            address,
            process,
            folder,
        }
    }

    /// What it wrote for its user so far.
    pub(crate) fn stdout(&self) -> String {
        self.process.stdout()
    }

    /// The folders that it made for itself and left behind.
    pub(crate) fn leftovers(&self) -> usize {
        let entries = fs::read_dir(self.folder.path()).expect("its folder");
        entries
            .filter(|entry| entry.as_ref().expect("an entry").path().is_dir())
            .count()
    }

    /// The text of `/metrics`, or why there is none.
    pub(crate) fn metrics(&self) -> Result<String, String> {
        let answer = http::get(self.address, "/metrics").map_err(|error| error.to_string())?;
        if answer.status == 200 {
            Ok(answer.body)
        } else {
            Err(format!("{}: {}", answer.status, answer.body))
        }
    }

    /// One scrape; no answer fails the test.
    pub(crate) fn scrape(&self) -> Scrape {
        let text = self.metrics().expect("an answer of /metrics");
        Scrape::parse(&text).expect("an exposition")
    }

    /// Waits until the sum of the series that `selector` fits is `good`, and gives it.
    pub(crate) fn wait_for(&self, selector: &str, good: impl Fn(f64) -> bool) -> f64 {
        eventually(selector, || {
            let sum = Scrape::parse(&self.metrics()?)?.sum(selector)?;
            good(sum).then_some(sum).ok_or_else(|| sum.to_string())
        })
    }

    /// Waits until the access log is followed. Without a stored position it is followed from its end, so
    /// lines written before that are rightly not counted: requests go out until one is.
    pub(crate) fn wait_until_it_follows(&self, nginx: &Nginx) {
        eventually("a line read from the access log", || {
            http::get(nginx.address, "/nowhere").map_err(|error| error.to_string())?;
            let lines = self
                .scrape()
                .sum(r#"holter_log_lines_total{source="edge"}"#)?;
            (lines > 0.0)
                .then_some(())
                .ok_or_else(|| "no line".to_owned())
        });
    }

    /// What it logged so far.
    pub(crate) fn log(&self) -> String {
        self.process.stderr()
    }

    /// Starts it so that it stores what it counts in `storage`.
    pub(crate) fn storing(configuration: &str, storage: &Path) -> Self {
        let storage = storage.to_str().expect("a path in UTF-8");
        Self::start_with(configuration, &["--storage.path", storage])
    }

    /// Starts it as a user who may read only what others may: the superuser reads everything.
    pub(crate) fn unprivileged(configuration: &str, flags: &[&str]) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let mut command = unprivileged(folder.path(), configuration);
        command.args(flags);
        let process = Process::start("holter", folder.path(), &mut command);
        Self::running(process, folder)
    }

    /// SIGKILL: it gets no chance to store anything.
    pub(crate) fn kill(&mut self) {
        self.process.kill();
    }

    /// SIGTERM.
    pub(crate) fn terminate(&self) {
        self.process.terminate();
    }

    /// Waits until it ends by itself.
    pub(crate) fn wait_for_exit(&mut self) -> ExitStatus {
        self.process.wait_for_exit()
    }
}

fn command(folder: &Path, configuration: &str) -> Command {
    let file = folder.join("holter.yaml");
    fs::write(&file, configuration).expect("holter.yaml");
    with_flags(Command::new(env!("CARGO_BIN_EXE_holter")), &file)
}

fn with_flags(mut command: Command, file: &Path) -> Command {
    command
        .arg("--config.file")
        .arg(file)
        .args(["--web.listen-address", "127.0.0.1:0"])
        .env("NO_COLOR", "1");
    command
}

/// The same for a user who may read only what others may; the program is run from where that user may run it.
fn unprivileged(folder: &Path, configuration: &str) -> Command {
    let may = |mode| Permissions::from_mode(mode);
    let file = folder.join("holter.yaml");
    fs::write(&file, configuration).expect("holter.yaml");
    fs::set_permissions(&file, may(0o644)).expect("a file for all");
    fs::set_permissions(folder, may(0o755)).expect("a folder for all");
    let program = folder.join("holter");
    // By another process: a test beside this one that forks now would take a file that is open for writing with
    // it, and a program that is open for writing cannot be run (ETXTBSY).
    let mut copy = Command::new("install");
    copy.args(["-m", "755", env!("CARGO_BIN_EXE_holter")]);
    let copied = copy.arg(&program).status().expect("install");
    assert!(copied.success(), "a copy of the program for all");
    let mut command = with_flags(Command::new(program), &file);
    if rustix::process::geteuid().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}

/// What `holter check` says to that user of this configuration, and its exit code.
pub(crate) fn checked_unprivileged(configuration: &str) -> (String, Option<i32>) {
    let folder = TempDir::new().expect("a temporary folder");
    let started = unprivileged(folder.path(), configuration);
    let mut command = Command::new(started.get_program());
    command.arg("check").arg("--config.file");
    command.arg(folder.path().join("holter.yaml"));
    if rustix::process::geteuid().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    let said = command.output().expect("checked");
    let text = String::from_utf8_lossy(&said.stderr).into_owned();
    (text, said.status.code())
}

/// The address in the demo's introduction.
fn introduced(stdout: &str) -> Result<SocketAddr, String> {
    let url = stdout
        .split_whitespace()
        .find_map(|word| word.strip_prefix("http://")?.strip_suffix("/metrics"));
    url.and_then(|address| address.parse().ok())
        .ok_or_else(|| stdout.to_owned())
}

/// What a Holter that cannot start says on stderr, and its exit code. It runs in a folder with
/// `files` (name, content), so that texts name `holter.yaml` and no path of this machine.
pub(crate) fn refusal(files: &[(&str, &str)], arguments: &[&str]) -> (String, Option<i32>) {
    let folder = TempDir::new().expect("a temporary folder");
    for (name, content) in files {
        fs::write(folder.path().join(name), content).expect("a file");
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_holter"));
    command
        .current_dir(folder.path())
        .args(arguments)
        .env("NO_COLOR", "1");
    let mut process = Process::start("holter", folder.path(), &mut command);
    let status = process.wait_for_exit();
    (process.stderr(), status.code())
}

impl Drop for Holter {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let text = self.metrics().unwrap_or_else(|error| error);
            let moved = |line: &&str| {
                line.starts_with("holter_") && !line.ends_with(" 0") && !line.contains("_bucket{")
            };
            eprintln!("--- /metrics, what is not 0");
            text.lines()
                .filter(moved)
                .for_each(|line| eprintln!("{line}"));
        }
    }
}

/// The configuration of every scenario: canary `it` on both legs, source `edge` on nginx's logs.
pub(crate) fn configuration(direct: &str, proxy: &str, transport: &str, nginx: &Nginx) -> String {
    let access = nginx.access_log();
    let error = nginx.error_log();
    format!(
        "canaries:\n\
         \x20 - name: it\n\
         \x20   direct: {direct}\n\
         \x20   proxy: {proxy}\n\
         \x20   transport: {transport}\n\
         \x20   affinity: {{ interval: 1s, requests: 6 }}\n\
         logs:\n\
         \x20 - name: edge\n\
         \x20   format: nginx\n\
         \x20   log_format: '{LOG_FORMAT}'\n\
         \x20   files: [{}]\n\
         \x20   error_files: [{}]\n",
        access.display(),
        error.display()
    )
}

fn listening(stderr: &str) -> Result<SocketAddr, String> {
    let line = stderr
        .lines()
        .find_map(|line| line.split_once("listening address="));
    let address = line.and_then(|(_, rest)| rest.split_whitespace().next());
    address
        .and_then(|address| address.parse().ok())
        .ok_or_else(|| stderr.to_owned())
}

#[test]
fn the_address_is_found_in_the_log() {
    fn check(stderr: &str, expected: Option<u16>) {
        assert_eq!(
            listening(stderr).ok().map(|address| address.port()),
            expected,
            "{stderr}"
        );
    }
    check(
        "2026-11-20T10:00:00Z  INFO holter: listening address=127.0.0.1:4321 tls=false\n",
        Some(4321),
    );
    check("started\nINFO listening address=127.0.0.1:1\n", Some(1));
    check("listening address=127.0.0.1", None);
    check("", None);
}
