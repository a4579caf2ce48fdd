//! `--storage.path` beside files: what is received, what waits for its other log, and that what is shown is what is
//! stored.

use std::net::UdpSocket;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use tempfile::TempDir;

use crate::storage::{LINES, Seen, Stage, access, timed_out};
use crate::support::holter::Holter;
use crate::support::scrape::Scrape;

const CLOSED: &str = "holter_log_streams_closed_total";

/// Each line is a stream, counted in one family as a line and in the other as an end: a scrape that saw a half of what
/// was received would show two different numbers. What came after the last scrape goes with the process.
#[test]
fn received_lines_are_counted_whole_and_never_fall() {
    let configuration = "logs:
- name: edge
  format: nginx
  log_format: '$msec $connection \"$request\" $status \"$request_completion\" $request_time $upstream_addr'
  syslog: 'udp://127.0.0.1:0'
";
    let folder = TempDir::new().unwrap();
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut seen = Seen::default();
    let mut before = 0.0;
    for _ in 0..5 {
        let mut holter = Holter::storing(configuration, &folder.path().join("storage"));
        let at = holter.receives_at("edge", "syslog");
        let (at, sender) = (at.strip_prefix("udp://").unwrap(), &sender);
        std::thread::scope(|scope| {
            let (stop, stopped) = channel::<()>();
            scope.spawn(move || {
                let message = format!("<190>Nov 20 09:59:41 host nginx: {}", access(1));
                while stopped.recv_timeout(Duration::from_millis(1))
                    == Err(RecvTimeoutError::Timeout)
                {
                    for _ in 0..100 {
                        sender.send_to(message.as_bytes(), at).unwrap();
                    }
                }
            });
            holter.wait_for(LINES, |lines| lines > before);
            for _ in 0..20 {
                let text = holter.metrics().unwrap();
                seen.take(&text);
                let scrape = Scrape::parse(&text).unwrap();
                assert_eq!(scrape.sum(LINES), scrape.sum(CLOSED));
                before = scrape.sum(LINES).unwrap();
            }
            holter.kill();
            drop(stop);
        });
    }
    assert_eq!(seen.fallen, Vec::<String>::new());
}

/// Asked to stop, it does not decide without its entry a stream that the next process can decide with it.
#[test]
fn what_waits_for_its_entry_waits_over_a_restart() {
    let stage = Stage::new();
    let mut holter = stage.start();
    stage.append("access.log", &access(1));
    holter.terminate();
    assert!(holter.wait_for_exit().success());
    stage.append("error.log", &timed_out(1));
    let holter = stage.start();
    holter.wait_for(CLOSED, |ends| ends == 1.0);
    let scrape = holter.scrape();
    assert_eq!(
        scrape.sum(&format!("{CLOSED}{{reason=\"idle_timeout\"}}")),
        Ok(1.0)
    );
    assert_eq!(scrape.sum(LINES), Ok(2.0));
}
