//! Who holds the streams: Holter's canaries as the sidecar runs them, a plain reqwest client, bare sockets on the same runtime,
//! or bare sockets on no runtime at all.

use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use holter::canary::heartbeat::Expectation;
use holter::canary::pair::{Pair, Plan};
use holter::canary::{Event, Kind, Leg, Settings, Transport};
use holter::metrics::{LegPlan, Metrics};
use holter::reason::Reason;
use holter::status::journal::SharedJournal;
use holter::tasks::canary::{self, Hearsay};
use holter::tasks::http;
use holter::tasks::pair::PairRecorder;
use holter::tasks::record::LegRecorder;
use holter::tasks::stream::READ_BUFFER;
use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustls::ClientConfig;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

const REQUEST: &[u8] = b"GET /mcp HTTP/1.1\r\nhost: localhost\r\n\r\n";

/// Longer than any step takes.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// What the streams have brought so far.
#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) beats: AtomicU64,
    pub(crate) large: AtomicU64,
    pub(crate) ends: AtomicU64,
    /// Ends with the reason that a killed server leaves; reqwest knows none.
    pub(crate) right: AtomicU64,
}

/// As the sidecar does: one task a stream, every event told to the metrics, the journal, the log and the comparison.
pub(crate) fn holter(streams: usize, url: &str, tls: Option<ClientConfig>, counts: &Arc<Counts>) {
    // The second call finds it set.
    drop(
        tracing_subscriber::fmt()
            .with_writer(std::io::sink)
            .try_init(),
    );
    let plan = LegPlan {
        canary: "bench",
        leg: Leg::Direct,
        streams,
        interval: None,
    };
    let metrics = Metrics::new([plan], []);
    let leg = metrics.leg("bench", Leg::Direct).expect("as planned");
    let compared = Pair::new(Plan {
        legs: &[Leg::Direct],
        streams,
        interval: None,
        connect_timeout: LIMIT,
    });
    let pair = Arc::new(PairRecorder::new(
        compared,
        leg.shared().clone(),
        vec![Arc::clone(&leg)],
    ));
    tokio::spawn(Arc::clone(&pair).run(CancellationToken::new()));
    let journal = SharedJournal::default();
    let http = http::Http::new(&http::Settings {
        headers: vec![],
        bearer_token_file: None,
        connect_timeout: LIMIT,
        tls,
    });
    let http = http.expect("clients");
    for slot in 0..streams {
        let recorder = LegRecorder {
            slot,
            pair: Arc::clone(&pair),
            metrics: Arc::clone(&leg),
            journal: journal.clone(),
        };
        let counts = Arc::clone(counts);
        let record = move |event: &Event| {
            recorder.record(event);
            counts.add(event);
        };
        let stop = CancellationToken::new();
        let hearsay = Hearsay::default();
        tokio::spawn(canary::run(
            settings(url),
            http.clone(),
            hearsay,
            stop,
            record,
        ));
    }
}

fn settings(url: &str) -> Settings {
    Settings {
        leg: Leg::Direct,
        url: url.parse().expect("a URL"),
        transport: Transport::Sse,
        connect_timeout: LIMIT,
        max_age: None,
        heartbeat: Expectation {
            interval: None,
            tolerance: 2.5,
        },
        affinity: None,
    }
}

impl Counts {
    fn add(&self, event: &Event) {
        let counter = match event {
            Event::Beat(Kind::Comment) => &self.beats,
            Event::Beat(_) => &self.large,
            Event::Ended(end) => {
                let right = u64::from(end.reason == Reason::ServerCut);
                self.right.fetch_add(right, Ordering::Relaxed);
                &self.ends
            }
            _ => return,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// A small read is a heartbeat; of others, a MiB in all is an event.
    fn took(&self, read: usize, bytes: &mut usize) {
        if read < 64 {
            self.beats.fetch_add(1, Ordering::Relaxed);
            return;
        }
        *bytes += read;
        if *bytes >= 1 << 20 {
            *bytes = 0;
            self.large.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// As a simple exporter would: one client, reads on, counts chunks until the first error.
pub(crate) fn reqwest(streams: usize, url: &str, tls: Option<ClientConfig>, counts: &Arc<Counts>) {
    http::install_crypto();
    let builder = reqwest::Client::builder().no_proxy().http1_only();
    let builder = match tls {
        Some(tls) => builder.tls_backend_preconfigured(tls),
        None => builder.tls_certs_only([]),
    };
    let client = builder.build().expect("a client");
    for _ in 0..streams {
        let (client, counts, url) = (client.clone(), Arc::clone(counts), url.to_owned());
        tokio::spawn(async move {
            spread().await;
            let mut response = client.get(url).send().await.expect("a head");
            let mut bytes = 0;
            while let Ok(Some(chunk)) = response.chunk().await {
                if chunk.len() == b": beat\n\n".len() {
                    counts.beats.fetch_add(1, Ordering::Relaxed);
                } else {
                    bytes += chunk.len();
                }
                if bytes >= 1 << 20 {
                    bytes = 0;
                    counts.large.fetch_add(1, Ordering::Relaxed);
                }
            }
            counts.ends.fetch_add(1, Ordering::Relaxed);
        });
    }
}

/// The least that anything on this runtime can do: reads bytes, understands none, counts reads as heartbeats.
pub(crate) fn sockets(streams: usize, url: &str, counts: &Arc<Counts>) {
    let address = url.trim_start_matches("http://").trim_end_matches("/mcp");
    for _ in 0..streams {
        let (counts, address) = (Arc::clone(counts), address.to_owned());
        tokio::spawn(async move {
            spread().await;
            let mut socket = TcpStream::connect(address).await.expect("a server");
            socket.write_all(REQUEST).await.expect("a server");
            let (mut buffer, mut bytes) = (vec![0; READ_BUFFER], 0);
            while let Ok(read @ 1..) = socket.read(&mut buffer).await {
                counts.took(read, &mut bytes);
            }
            counts.ends.fetch_add(1, Ordering::Relaxed);
        });
    }
}

/// The least that anything on this machine can do: one thread that waits in the kernel, reads, and counts as `sockets` does.
pub(crate) fn epoll(streams: usize, url: &str, counts: &Arc<Counts>) {
    let address = url.trim_start_matches("http://").trim_end_matches("/mcp");
    let (counts, address) = (Arc::clone(counts), address.to_owned());
    std::thread::spawn(move || {
        let waits = epoll::create(CreateFlags::CLOEXEC).expect("an epoll");
        let connect = |at: usize| {
            std::thread::sleep(Duration::from_secs(1).div_f64(streams as f64));
            let mut socket = std::net::TcpStream::connect(&address).expect("a server");
            socket.write_all(REQUEST).expect("a server");
            let data = EventData::new_u64(at as u64);
            epoll::add(&waits, &socket, data, EventFlags::IN).expect("waited for");
            Some((socket, 0))
        };
        let mut sockets: Vec<_> = (0..streams).map(connect).collect();
        let (mut events, mut buffer) = (Vec::with_capacity(streams), vec![0; READ_BUFFER]);
        loop {
            events.clear();
            epoll::wait(&waits, spare_capacity(&mut events), None).expect("waited");
            for event in &events {
                let held = usize::try_from(event.data.u64()).ok();
                let Some(slot) = held.and_then(|at| sockets.get_mut(at)) else {
                    continue;
                };
                let Some((socket, bytes)) = slot else {
                    continue;
                };
                match socket.read(&mut buffer) {
                    Ok(read @ 1..) => counts.took(read, bytes),
                    _ => {
                        *slot = None;
                        counts.ends.fetch_add(1, Ordering::Relaxed);
                    }
                }
            }
        }
    });
}

/// Canaries begin at a moment of their own within a second, and so their servers beat: each heartbeat wakes a thread that
/// sleeps. Streams that begin together are beaten together, a dozen of them for each waking.
async fn spread() {
    tokio::time::sleep(Duration::from_millis(fastrand::u64(0..1000))).await;
}
