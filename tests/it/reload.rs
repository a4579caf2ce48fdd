//! A configuration that changes under a running Holter.
//!
//! Lines are nginx's `combined`; the servers of canaries are the test's own: each answers a GET with an endless stream.

use crate::support::eventually;
use crate::support::holter::Holter;
use crate::support::http;
use std::fs::{self, OpenOptions};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::mpsc::channel;
use std::time::Duration;

const LINE: &str =
    r#"127.0.0.1 - - [20/Nov/2026:09:59:41 +0000] "GET /other HTTP/1.1" 200 2 "-" "curl/8""#;
const OK: &str = "holter_config_last_reload_successful";
const SINCE: &str = "holter_config_last_reload_success_timestamp_seconds";

/// The files of a test, and a Holter on them that can be told to reload.
struct Scene {
    folder: tempfile::TempDir,
    holter: Holter,
}

impl Scene {
    /// `configuration` may name files in the test's folder as `@name`; those of `logs` exist, empty.
    fn start(configuration: &str, logs: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for log in logs {
            fs::write(folder.path().join(log), "").unwrap();
        }
        let text = placed(configuration, folder.path());
        let holter = Holter::start_with(&text, &["--web.enable-lifecycle"]);
        Self { folder, holter }
    }

    /// The same with a place to store its counts.
    fn storing(configuration: &str, logs: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for log in logs {
            fs::write(folder.path().join(log), "").unwrap();
        }
        let text = placed(configuration, folder.path());
        let holter = Self::stored(&text, folder.path());
        Self { folder, holter }
    }

    fn stored(text: &str, folder: &Path) -> Holter {
        let storage = folder.join("storage").display().to_string();
        Holter::start_with(
            text,
            &["--web.enable-lifecycle", "--storage.path", &storage],
        )
    }

    fn killed_and_started_again(mut self, configuration: &str) -> Self {
        self.holter.kill();
        let text = placed(configuration, self.folder.path());
        let holter = Self::stored(&text, self.folder.path());
        Self { holter, ..self }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn append(&self, log: &str, text: &str) {
        let file = OpenOptions::new().append(true).open(self.path(log));
        file.unwrap().write_all(text.as_bytes()).unwrap();
    }

    /// Writes the configuration and asks for it to be read; the answer's status and text.
    fn reload(&self, configuration: &str) -> (u16, String) {
        let text = placed(configuration, self.folder.path());
        fs::write(self.holter.file(), text).unwrap();
        let answer = http::request(self.holter.address, "POST /-/reload", &[], "").unwrap();
        (answer.status, answer.body)
    }

    fn reloads(&self, configuration: &str) {
        assert_eq!(self.reload(configuration), (200, "Reloaded.\n".to_owned()));
    }

    fn lines(&self, source: &str) -> Result<f64, String> {
        self.holter
            .scrape()
            .sum(&series("holter_log_lines_total", source))
    }

    fn wait_for_lines(&self, source: &str, lines: usize) {
        let series = series("holter_log_lines_total", source);
        self.holter.wait_for(&series, |value| value >= lines as f64);
        assert_eq!(self.lines(source), Ok(lines as f64));
    }
}

fn placed(configuration: &str, folder: &Path) -> String {
    configuration.replace('@', &format!("{}/", folder.display()))
}

fn series(metric: &str, source: &str) -> String {
    format!(r#"{metric}{{source="{source}"}}"#)
}

fn file_source(name: &str) -> String {
    format!("- {{ name: {name}, format: nginx, log_format: combined, files: [@{name}.log] }}\n")
}

/// A server whose every answer is a stream without end.
fn server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut held = Vec::new();
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            if stream.read(&mut [0; 4096]).unwrap_or(0) > 0 {
                let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n";
                let event = "event: endpoint\ndata: /messages\n\n";
                drop(stream.write_all(format!("{head}{event}").as_bytes()));
            }
            held.push(stream);
        }
    });
    address
}

fn canary(name: &str, at: SocketAddr) -> String {
    format!(
        "- {{ name: {name}, direct: 'http://{at}/sse', transport: sse, affinity: {{ interval: off }} }}\n"
    )
}

fn of_canary(metric: &str, canary: &str) -> String {
    format!(r#"{metric}{{canary="{canary}"}}"#)
}

#[test]
fn what_is_unchanged_is_untouched_in_the_middle_of_a_line() {
    let before = format!("logs:\n{}{}", file_source("a"), file_source("b"));
    let scene = Scene::start(&before, &["a.log", "b.log", "c.log"]);
    let (begin, end) = LINE.split_at(30);
    scene.append("a.log", &format!("{LINE}\n{begin}"));
    scene.append("b.log", &format!("{LINE}\n{begin}"));
    scene.wait_for_lines("a", 1);
    scene.wait_for_lines("b", 1);
    // `b` changes, and `c` comes.
    let changed = file_source("b").replace("combined", "combined, streams: { paths: [/x] }");
    scene.reloads(&format!(
        "logs:\n{}{}{changed}",
        file_source("c"),
        file_source("a")
    ));
    for log in ["a.log", "b.log"] {
        scene.append(log, &format!("{end}\n{LINE}\n"));
    }
    scene.wait_for_lines("a", 3);
    scene.wait_for_lines("b", 3);
    let unparsed = scene.holter.scrape().sum("holter_log_lines_unparsed_total");
    assert_eq!(unparsed, Ok(0.0), "every line was whole");
    scene.append("c.log", &format!("{LINE}\n"));
    scene.wait_for_lines("c", 1);
}

/// The reload waits for a socket at which messages keep coming, and lines are written meanwhile.
#[test]
fn what_was_written_while_a_source_changed_is_counted_once() {
    let with = |path: &str| {
        let streams = format!("streams: {{ paths: [{path}] }}");
        let file = file_source("a").replace("combined", &format!("combined, {streams}"));
        let socket = "name: s, format: nginx, syslog: 'udp://127.0.0.1:0'";
        format!("logs:\n{file}- {{ {socket}, {streams} }}\n")
    };
    let scene = Scene::start(&with("/0"), &["a.log"]);
    let at = scene
        .holter
        .receives_at("s", "syslog")
        .replace("udp://", "");
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    let (files, sender, at) = (&scene, &sender, &at);
    let written = std::thread::scope(|scope| {
        let (stop, stopped) = channel::<()>();
        let writer = scope.spawn(move || {
            let mut written = 0;
            while stopped.recv_timeout(Duration::from_millis(1)).is_err() {
                sender.send_to(b"<190>", at).unwrap();
                files.append("a.log", &format!("{LINE}\n"));
                written += 1;
                assert!(written < 1_000_000, "nobody stops the writer");
            }
            written
        });
        for turn in 1..=5 {
            scene.reloads(&with(&format!("/{turn}")));
        }
        stop.send(()).unwrap();
        writer.join().unwrap()
    });
    scene.wait_for_lines("a", written);
}

#[test]
fn a_source_that_is_taken_out_vanishes_and_goes_on_counting_when_put_back() {
    let both = format!("logs:\n{}{}", file_source("a"), file_source("b"));
    let scene = Scene::start(&both, &["a.log", "b.log"]);
    scene.append("b.log", &format!("{LINE}\n"));
    scene.wait_for_lines("b", 1);
    scene.reloads(&format!("logs:\n{}", file_source("a")));
    assert!(scene.lines("b").is_err(), "its series are gone");
    scene.append("b.log", &format!("{LINE}\n"));
    scene.reloads(&both);
    scene.append("b.log", &format!("{LINE}\n"));
    scene.wait_for_lines("b", 2);
    let page = http::get(scene.holter.address, "/api/v1/status").unwrap();
    assert!(page.body.contains(r#""source":"b""#), "{}", page.body);
}

#[test]
fn canaries_come_go_and_stay() {
    let (one, two) = (server(), server());
    let before = format!("canaries:\n{}{}", canary("stays", one), canary("goes", one));
    let scene = Scene::start(&before, &[]);
    let held = |name: &str| of_canary("holter_canary_streams", name);
    scene.holter.wait_for(&held("stays"), |value| value == 1.0);
    scene.holter.wait_for(&held("goes"), |value| value == 1.0);
    scene.reloads(&format!(
        "canaries:\n{}{}",
        canary("stays", one),
        canary("comes", two)
    ));
    scene.holter.wait_for(&held("comes"), |value| value == 1.0);
    let scrape = scene.holter.scrape();
    let of = |metric: &str, name: &str| scrape.sum(&of_canary(metric, name));
    assert_eq!(of("holter_canary_connects_total", "stays"), Ok(1.0));
    assert_eq!(of("holter_canary_disconnects_total", "stays"), Ok(0.0));
    assert!(of("holter_canary_up", "goes").is_err(), "gone is not down");
    // One that goes elsewhere is renewed: planned, and its counts stay.
    scene.reloads(&format!("canaries:\n{}", canary("stays", two)));
    let connects = of_canary("holter_canary_connects_total", "stays");
    scene.holter.wait_for(&connects, |value| value == 2.0);
    scene.holter.wait_for(&held("stays"), |value| value == 1.0);
    let planned = r#"holter_canary_disconnects_total{canary="stays",reason="rotated"}"#;
    assert_eq!(scene.holter.scrape().sum(planned), Ok(1.0));
}

#[test]
fn a_bad_file_changes_nothing_and_says_so() {
    let good = format!("logs:\n{}", file_source("a"));
    let scene = Scene::start(&good, &["a.log"]);
    let since = scene.holter.scrape().sum(SINCE).unwrap();
    assert!(since > 0.0);
    assert_eq!(scene.holter.scrape().sum(OK), Ok(1.0));
    let (status, said) = scene.reload("logs:\n- { name: b, format: nginx }\n");
    assert_eq!(status, 500);
    let problem = "holter.yaml:2:3: logs[0]: no input; expected files, syslog or stdin\n";
    assert!(said.ends_with(problem), "{said}");
    assert_eq!(scene.holter.scrape().sum(OK), Ok(0.0));
    assert_eq!(scene.holter.scrape().sum(SINCE), Ok(since));
    assert!(scene.holter.log().contains("no input; expected files"));
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let at = taken.local_addr().unwrap();
    let busy = format!("{good}- {{ name: b, format: haproxy, syslog: 'udp://{at}' }}\n");
    let (status, said) = scene.reload(&busy);
    assert_eq!(status, 500);
    assert!(said.contains("logs[1].syslog: cannot listen on"), "{said}");
    scene.append("a.log", &format!("{LINE}\n"));
    scene.wait_for_lines("a", 1);
    scene.reloads(&good);
    assert_eq!(scene.holter.scrape().sum(OK), Ok(1.0));
}

/// What a source that was added has read is shown by no scrape yet, and must survive all the same.
#[test]
fn what_an_added_source_reads_survives_a_crash_before_the_first_scrape() {
    let scene = Scene::storing(&format!("logs:\n{}", file_source("a")), &["a.log", "b.log"]);
    scene.append("b.log", &format!("{LINE}\n"));
    let both = format!("logs:\n{}{}", file_source("a"), file_source("b"));
    scene.reloads(&both);
    scene.append("b.log", &format!("{LINE}\n").repeat(100));
    let scene = scene.killed_and_started_again(&both);
    scene.wait_for_lines("b", 100);
}

/// Scrapes that come close together share an answer; none after a reload may be from before it.
#[test]
fn a_scrape_at_once_after_a_reload_knows_of_it() {
    let good = format!("logs:\n{}", file_source("a"));
    let scene = Scene::storing(&good, &["a.log"]);
    for _ in 0..5 {
        assert_eq!(scene.holter.scrape().sum(OK), Ok(1.0));
        assert_eq!(scene.reload("logs: [\n").0, 500);
        assert_eq!(scene.holter.scrape().sum(OK), Ok(0.0));
        scene.reloads(&good);
    }
}

#[test]
fn a_syslog_source_that_changes_keeps_its_socket() {
    let with = |path: &str| {
        format!(
            "logs:\n- {{ name: a, format: nginx, log_format: combined, syslog: 'udp://127.0.0.1:0', \
             streams: {{ paths: [{path}] }} }}\n"
        )
    };
    let scene = Scene::start(&with("/mcp"), &[]);
    let at = scene
        .holter
        .receives_at("a", "syslog")
        .replace("udp://", "");
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    let message = format!("<190>Nov 20 09:59:41 host nginx: {LINE}");
    for turn in 1..=5 {
        for _ in 0..20 {
            sender.send_to(message.as_bytes(), &at).unwrap();
        }
        scene.reloads(&with(&format!("/{turn}")));
    }
    scene.wait_for_lines("a", 100);
    scene.reloads(&format!("logs:\n{}", file_source("b")));
    let free = eventually("the port is free", || {
        UdpSocket::bind(&at).map_err(|error| error.to_string())
    });
    drop(free);
}

#[test]
fn standard_input_is_handed_on_in_the_middle_of_a_line() {
    let with = |path: &str| {
        format!(
            "logs:\n- {{ name: a, format: nginx, log_format: combined, stdin: true, streams: {{ paths: [{path}] }} }}\n"
        )
    };
    let (holter, mut stdin) = Holter::piped(&with("/mcp"));
    let lines = series("holter_log_lines_total", "a");
    let (begin, end) = LINE.split_at(30);
    write!(stdin, "{LINE}\n{begin}").unwrap();
    holter.wait_for(&lines, |value| value == 1.0);
    let since = holter.scrape().sum(SINCE).unwrap();
    fs::write(holter.file(), with("/sse")).unwrap();
    holter.wait_for(SINCE, |value| value > since);
    write!(stdin, "{end}\n{LINE}\n").unwrap();
    holter.wait_for(&lines, |value| value == 3.0);
    let unparsed = holter.scrape().sum("holter_log_lines_unparsed_total");
    assert_eq!(unparsed, Ok(0.0));
}

#[test]
fn a_signal_and_a_changed_file_reload() {
    let config = |name: &str| format!("logs:\n{}", file_source(name));
    let scene = Scene::start(&config("a"), &["a.log"]);
    let place = |name: &str| placed(&config(name), scene.folder.path());
    let shown = |name: &str| {
        let lines = series("holter_log_lines_total", name);
        scene.holter.wait_for(&lines, |value| value == 0.0);
    };
    fs::write(scene.holter.file(), place("b")).unwrap();
    shown("b");
    // Swapped as a ConfigMap is: the path stays, what it leads to is another.
    for (version, name) in [("..1", "c"), ("..2", "d")] {
        fs::create_dir(scene.holter.folder().join(version)).unwrap();
        let file = scene.holter.folder().join(version).join("holter.yaml");
        fs::write(file, place(name)).unwrap();
    }
    let at = |name: &str| scene.holter.folder().join(name);
    symlink("..1", at("..data")).unwrap();
    symlink("..data/holter.yaml", at("new")).unwrap();
    fs::rename(at("new"), scene.holter.file()).unwrap();
    shown("c");
    symlink("..2", at("..data_tmp")).unwrap();
    fs::rename(at("..data_tmp"), at("..data")).unwrap();
    shown("d");
    let since = scene.holter.scrape().sum(SINCE).unwrap();
    scene.holter.signal("HUP");
    scene.holter.wait_for(SINCE, |value| value > since);
    shown("d");
}

#[test]
fn the_door_is_shut_unless_it_is_opened() {
    let holter = Holter::start("logs:\n- { name: a, format: nginx, files: [/nowhere.log] }\n");
    let answer = http::request(holter.address, "POST /-/reload", &[], "").unwrap();
    assert_eq!(answer.status, 403);
    assert!(answer.body.contains("--web.enable-lifecycle"));
    let answer = http::request(holter.address, "GET /-/reload", &[], "").unwrap();
    assert_eq!(answer.status, 405);
}
