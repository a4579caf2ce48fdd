//! One row: holds streams in this process, and measures what that costs it.

use std::fs;
use std::io::{BufRead, BufReader, Lines, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use rustls::{ClientConfig, RootCertStore};

use crate::clients::{self, Counts, LIMIT};

/// Heartbeats over which processor time is measured, for each stream.
const BEATS: u64 = 5;

/// Streams that are held before memory is first read.
const FIRST: usize = 20;

/// Starts a server, holds streams, and prints one row.
pub(crate) fn measure(client: &str, speaks: &str, streams: usize) {
    // As the sidecar has it.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let _inside = runtime.enter();
    let mut server = Server::start(speaks);
    let (url, tls) = server.target(speaks);
    let counts = Arc::new(Counts::default());
    let hold = |streams| match client {
        "holter" => clients::holter(streams, &url, tls.clone(), &counts),
        "sockets" => clients::sockets(streams, &url, &counts),
        "epoll" => clients::epoll(streams, &url, &counts),
        _ => clients::reqwest(streams, &url, tls.clone(), &counts),
    };
    // What a process needs once, its code above all, is no stream's.
    hold(FIRST);
    reach(&counts.beats, 2 * FIRST as u64);
    let first = resident_kib();
    hold(streams);
    let all = (FIRST + streams) as u64;
    // Until each interval is learned.
    reach(&counts.beats, 5 * all);
    let held = resident_kib();
    let cpu = per_beat(&counts.beats, BEATS * all);
    writeln!(server.orders, "large").expect("a server");
    reach(&counts.large, all);
    reach(
        &counts.beats,
        counts.beats.load(Ordering::Relaxed) + 2 * all,
    );
    let after = resident_kib();
    let killed_at = Instant::now();
    server.process.kill().expect("a server");
    reach(&counts.ends, all);
    let noticed = killed_at.elapsed().as_millis();
    let right = match client {
        "holter" => counts.right.load(Ordering::Relaxed).to_string(),
        _ => "-".to_owned(),
    };
    let each = |kib: u64| kib.saturating_sub(first) as f64 / streams as f64;
    let (held, after) = (each(held), each(after));
    println!(
        "{client:<8} {speaks:<12} {streams:>8} {held:>11.1} {after:>12.1} {cpu:>12.2} {noticed:>9} ms {right:>8}"
    );
    server.process.wait().expect("a server");
    runtime.shutdown_background();
}

/// The server's process; it ends with its standard input.
struct Server {
    process: Child,
    orders: ChildStdin,
    says: Lines<BufReader<ChildStdout>>,
}

impl Server {
    fn start(speaks: &str) -> Self {
        let mut process = Command::new(std::env::current_exe().expect("this program"))
            .args(["--serve", speaks])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a server");
        let orders = process.stdin.take().expect("piped");
        let says = BufReader::new(process.stdout.take().expect("piped")).lines();
        Self {
            process,
            orders,
            says,
        }
    }

    /// Its URL, and whom to trust.
    fn target(&mut self, speaks: &str) -> (String, Option<ClientConfig>) {
        let mut line = || self.says.next().expect("a line").expect("text");
        let (address, hex) = (line(), line());
        if speaks == "http/1.1" {
            return (format!("http://{address}/mcp"), None);
        }
        holter::tasks::http::install_crypto();
        let byte = |at: usize| u8::from_str_radix(hex.get(at..at + 2).expect("ASCII"), 16);
        let certificate: Result<Vec<u8>, _> = (0..hex.len()).step_by(2).map(byte).collect();
        let mut roots = RootCertStore::empty();
        let certificate = certificate.expect("a certificate").into();
        roots.add(certificate).expect("a root");
        let config = ClientConfig::builder()
            .with_root_certificates(roots)
            .with_no_client_auth();
        (format!("https://{address}/mcp"), Some(config))
    }
}

/// Processor time of this process for each of so many heartbeats, in microseconds.
fn per_beat(beats: &AtomicU64, wanted: u64) -> f64 {
    let (before, spent) = (beats.load(Ordering::Relaxed), processor_time());
    // Looking seldom: it is this process that looks.
    reach_by(beats, before + wanted, Duration::from_millis(200));
    let spent = processor_time() - spent;
    let beats = beats.load(Ordering::Relaxed) - before;
    spent.as_secs_f64() * 1e6 / beats as f64
}

fn reach(count: &AtomicU64, wanted: u64) {
    reach_by(count, wanted, Duration::from_millis(5));
}

fn reach_by(count: &AtomicU64, wanted: u64, pause: Duration) {
    let start = Instant::now();
    while count.load(Ordering::Relaxed) < wanted {
        assert!(start.elapsed() < LIMIT, "a step that takes too long");
        std::thread::sleep(pause);
    }
}

/// Resident memory of this process (proc(5), `VmRSS`).
fn resident_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("proc");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
    kib.and_then(|kib| kib.parse().ok()).expect("a size")
}

/// Of all threads, in user space and in the kernel.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    let seconds = u64::try_from(time.tv_sec).expect("positive");
    let nanos = u32::try_from(time.tv_nsec).expect("below a second");
    Duration::new(seconds, nanos)
}
