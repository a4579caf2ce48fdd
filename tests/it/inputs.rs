//! Lines that come by a socket or a pipe, written by the test: what arrives is counted, once, and nothing else.
//!
//! The real senders are in `syslog`.

use crate::support::eventually;
use crate::support::holter::{Holter, refusal};
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::Path;

const COMBINED: &str =
    r#"127.0.0.1 - - [20/Nov/2026:09:59:41 +0000] "GET /other HTTP/1.1" 200 2 "-" "curl/8""#;
const LINES: &str = "holter_log_lines_total";
const UNPARSED: &str = "holter_log_lines_unparsed_total";

fn old(line: &str) -> String {
    format!("<190>Nov 20 09:59:41 host nginx: {line}")
}

fn new(line: &str) -> String {
    format!("<190>1 2026-11-20T09:59:41.123+00:00 host nginx 7 - - \u{feff}{line}")
}

fn source(name: &str, input: &str) -> String {
    format!("- {{ name: {name}, format: nginx, log_format: combined, {input} }}\n")
}

fn start(inputs: &[(&str, &str)]) -> Holter {
    let sources: String = inputs
        .iter()
        .map(|(name, input)| source(name, input))
        .collect();
    Holter::start(&format!("logs:\n{sources}"))
}

/// The address after `udp://` or `tcp://`.
fn address(holter: &Holter, source: &str) -> SocketAddr {
    let text = holter.receives_at(source, "syslog");
    let (_, address) = text.split_once("://").unwrap();
    address.parse().unwrap()
}

fn wait_for_lines(holter: &Holter, lines: usize) {
    holter.wait_for(LINES, |value| value >= lines as f64);
    let scrape = holter.scrape();
    assert_eq!(scrape.sum(LINES), Ok(lines as f64));
}

#[test]
fn udp_takes_both_headers_and_counts_the_rest_as_unparsed() {
    let holter = start(&[("a", "syslog: 'udp://127.0.0.1:0'")]);
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    let to = address(&holter, "a");
    for message in [
        old(COMBINED),
        new(COMBINED),
        old(COMBINED) + "\n",
        old("?"),
        COMBINED.to_owned(),
    ] {
        sender.send_to(message.as_bytes(), to).unwrap();
    }
    wait_for_lines(&holter, 5);
    assert_eq!(
        holter.scrape().sum(UNPARSED),
        Ok(2.0),
        "no header, no request"
    );
}

#[test]
fn datagrams_that_the_kernel_drops_are_counted() {
    let holter = start(&[("a", "syslog: 'udp://127.0.0.1:0'")]);
    let to = address(&holter, "a");
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    let message = old(&format!("{COMBINED}{}", "x".repeat(8000)));
    // Beyond whatever buffer the system gives, while nobody reads.
    let sent = 3000;
    holter.signal("STOP");
    for _ in 0..sent {
        sender.send_to(message.as_bytes(), to).unwrap();
    }
    holter.signal("CONT");
    let all = f64::from(sent);
    let dropped = eventually("every datagram read or counted as dropped", || {
        let scrape = holter.scrape();
        let dropped = scrape.sum(r#"holter_log_datagrams_dropped_total{source="a"}"#)?;
        let read = scrape.sum(LINES)?;
        let both = format!("{read} read and {dropped} dropped of {all}");
        (read + dropped >= all).then_some(dropped).ok_or(both)
    });
    let read = holter.scrape().sum(LINES).unwrap();
    assert_eq!(read + dropped, all);
    assert!(
        read > 0.0 && dropped > 0.0,
        "{read} read and {dropped} dropped"
    );
}

#[test]
fn tcp_takes_both_framings_on_many_connections() {
    let holter = start(&[("a", "syslog: 'tcp://127.0.0.1:0'")]);
    let to = address(&holter, "a");
    let counted = |text: String| format!("{} {text}", text.len());
    let stream = counted(old(COMBINED)) + &new(COMBINED) + "\n" + &counted(new(COMBINED));
    let connections: Vec<_> = (0..10)
        .map(|_| {
            let mut connection = TcpStream::connect(to).unwrap();
            // In pieces that the receiver must put together again.
            for piece in stream.as_bytes().chunks(50) {
                connection.write_all(piece).unwrap();
            }
            connection
        })
        .collect();
    wait_for_lines(&holter, 30);
    drop(connections);
    let mut last = TcpStream::connect(to).unwrap();
    last.write_all(old(COMBINED).as_bytes()).unwrap();
    drop(last);
    wait_for_lines(&holter, 31);
    assert_eq!(holter.scrape().sum(UNPARSED), Ok(0.0));
}

#[test]
fn connections_beyond_the_cap_are_closed_and_counted() {
    let holter = start(&[("a", "syslog: 'tcp://127.0.0.1:0'")]);
    let to = address(&holter, "a");
    let refused = r#"holter_series_dropped_total{metric="holter_log_lines_total"}"#;
    let held: Vec<_> = (0..64)
        .map(|_| {
            let mut connection = TcpStream::connect(to).unwrap();
            connection
                .write_all((old(COMBINED) + "\n").as_bytes())
                .unwrap();
            connection
        })
        .collect();
    wait_for_lines(&holter, 64);
    let mut beyond = TcpStream::connect(to).unwrap();
    assert_eq!(beyond.read(&mut [0; 1]).unwrap(), 0, "closed");
    holter.wait_for(refused, |value| value == 1.0);
    drop(held);
    eventually("a place", || {
        let mut connection = TcpStream::connect(to).unwrap();
        connection
            .write_all((old(COMBINED) + "\n").as_bytes())
            .unwrap();
        let lines = holter.scrape().sum(LINES)?;
        (lines > 64.0)
            .then_some(())
            .ok_or_else(|| lines.to_string())
    });
}

#[test]
fn a_hostile_connection_costs_counters_only() {
    let holter = start(&[("a", "syslog: 'tcp://127.0.0.1:0'")]);
    let to = address(&holter, "a");
    let mut endless = TcpStream::connect(to).unwrap();
    endless.write_all(&[b'x'; 1 << 20]).unwrap();
    let mut liar = TcpStream::connect(to).unwrap();
    liar.write_all(b"999999999 <1>").unwrap();
    liar.write_all(&[b'y'; 1 << 20]).unwrap();
    drop((endless, liar));
    let lost = r#"holter_log_bytes_lost_total{cause="line_too_long"}"#;
    holter.wait_for(lost, |value| value == f64::from(2 * (1 << 20) + 3));
    let mut good = TcpStream::connect(to).unwrap();
    good.write_all((old(COMBINED) + "\n").as_bytes()).unwrap();
    wait_for_lines(&holter, 1);
}

fn unix(path: &Path) -> String {
    format!("syslog: 'unix://{}'", path.display())
}

#[test]
fn a_unix_socket_is_made_replaced_if_stale_and_removed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.sock");
    // Dropped without being removed, as by a process that was killed.
    drop(UnixDatagram::bind(&path).unwrap());
    let mut holter = start(&[("a", &unix(&path))]);
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o666);
    let sender = UnixDatagram::unbound().unwrap();
    sender.send_to(old(COMBINED).as_bytes(), &path).unwrap();
    let long = old(&"x".repeat(70_000));
    sender.send_to(long.as_bytes(), &path).unwrap();
    wait_for_lines(&holter, 1);
    let lost = r#"holter_log_bytes_lost_total{cause="line_too_long"}"#;
    holter.wait_for(lost, |value| value > 65_536.0);
    holter.terminate();
    assert!(holter.wait_for_exit().success());
    assert!(!path.exists());
}

#[test]
fn an_address_that_cannot_be_had_is_refused_by_its_key() {
    let folder = tempfile::tempdir().unwrap();
    let busy = folder.path().join("busy.sock");
    let _busy = UnixDatagram::bind(&busy).unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let udp = format!("udp://{}", taken.local_addr().unwrap());
    let check = |address: &str, why: &str| {
        let config = format!(
            "logs:\n{}{}",
            source("a", "files: [/nowhere]"),
            source("b", &format!("syslog: '{address}'"))
        );
        let files = [("holter.yaml", config.as_str())];
        let flags = [
            "--config.file",
            "holter.yaml",
            "--web.listen-address",
            "127.0.0.1:0",
        ];
        let (said, code) = refusal(&files, &flags);
        let line = format!("holter: logs[1].syslog: cannot listen on {address}: {why}\n");
        assert!(said.ends_with(&line), "{said}");
        assert_eq!(code, Some(2));
    };
    check(&udp, "Address already in use (os error 98)");
    check(&format!("unix://{}", busy.display()), "address in use");
    let no_socket = "a file that is no socket stands there";
    check(&format!("unix://{}", file.display()), no_socket);
    assert!(file.exists());
}

#[test]
fn standard_input_is_read_and_its_end_ends_nothing() {
    let config = format!("logs:\n{}", source("a", "stdin: true"));
    let (mut holter, mut stdin) = Holter::piped(&config);
    writeln!(stdin, "{COMBINED}").unwrap();
    wait_for_lines(&holter, 1);
    let (begin, end) = COMBINED.split_at(20);
    write!(stdin, "{COMBINED}\n{begin}").unwrap();
    wait_for_lines(&holter, 2);
    write!(stdin, "{end}").unwrap();
    drop(stdin);
    wait_for_lines(&holter, 3);
    assert_eq!(holter.scrape().sum(UNPARSED), Ok(0.0));
    holter.terminate();
    assert!(holter.wait_for_exit().success());
}

#[test]
fn a_pipe_that_stays_open_does_not_hold_up_the_end() {
    let config = format!("logs:\n{}", source("a", "stdin: true"));
    let (mut holter, mut stdin) = Holter::piped(&config);
    writeln!(stdin, "{COMBINED}").unwrap();
    wait_for_lines(&holter, 1);
    holter.terminate();
    assert!(holter.wait_for_exit().success());
}
