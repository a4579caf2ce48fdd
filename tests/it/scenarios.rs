//! Holter in the scenery: what it says about ends and misses that the test brings about.
//!
//! The canary `it` holds a stream to one replica and one through nginx; clients of the test, `it-client`,
//! are what the log source `edge` counts, as Holter leaves its own canaries out of the log families.

use crate::support::client::{Client, Cookies};
use crate::support::eventually;
use crate::support::holter::{Holter, configuration};
use crate::support::http::{self, End};
use crate::support::nginx::{Balance, Nginx};
use crate::support::node::{BEATING, Replicas, SILENT};
use crate::support::processes::read;
use crate::support::prometheus::{Prometheus, check_metrics};
use crate::support::scrape::Scrape;
use std::fs::OpenOptions;
use std::io::Write;
use std::net::Ipv4Addr;
use std::time::Duration;

/// Long enough never to matter.
const NO_TIMEOUT: u32 = 300;

const CLIENTS: u8 = 6;
const PINGS: usize = 6;

/// The transport that the canary speaks, and the path for it.
#[derive(Clone, Copy)]
enum Transport {
    StreamableHttp,
    HttpSse,
}

/// Holter before real servers. Dropped in this order.
pub(crate) struct Scene {
    pub(crate) holter: Holter,
    nginx: Nginx,
    replicas: Replicas,
    /// The replica of the canary's direct leg. With `ip_hash` nginx chooses it too, for whoever comes
    /// from 127.0.0.1: the proxy leg and clients that name no other address.
    owner: String,
}

impl Scene {
    pub(crate) fn start(balance: Balance, heartbeat: Duration, read_timeout_seconds: u32) -> Self {
        let transport = Transport::StreamableHttp;
        Self::start_with(transport, balance, heartbeat, read_timeout_seconds)
    }

    fn start_with(
        transport: Transport,
        balance: Balance,
        heartbeat: Duration,
        read_timeout_seconds: u32,
    ) -> Self {
        let mut replicas = Replicas::start(heartbeat);
        let nginx = Nginx::start(&replicas, balance, read_timeout_seconds);
        let mut scout = Client::new(nginx.address, None, Cookies::Kept);
        let owner = scout.initialize();
        scout.delete();
        let (name, path) = match transport {
            Transport::StreamableHttp => ("streamable_http", "mcp"),
            Transport::HttpSse => ("http_sse", "sse"),
        };
        let direct = format!("http://{}/{path}", replicas.named(&owner).address);
        let proxy = format!("http://{}/{path}", nginx.address);
        let holter = Holter::start(&configuration(&direct, &proxy, name, &nginx));
        holter.wait_until_it_follows(&nginx);
        Self {
            holter,
            nginx,
            replicas,
            owner,
        }
    }

    /// A client that comes from 127.0.0.1, with a session.
    pub(crate) fn client(&self) -> Client {
        let mut client = Client::new(self.nginx.address, None, Cookies::Kept);
        client.initialize();
        client
    }

    /// Clients from several networks, each with a session and some requests in it; how many missed.
    pub(crate) fn clients(&self) -> usize {
        let statuses = (1..=CLIENTS).flat_map(|network| {
            let from = Ipv4Addr::new(10, 0, network, 1);
            let mut client = Client::new(self.nginx.address, Some(from), Cookies::Kept);
            client.initialize();
            client.pings(PINGS)
        });
        statuses.filter(|status| *status == 404).count()
    }

    /// Waits until the log source has counted what `clients` did, and `misses` of it as misses. A request that went
    /// astray counts once its session's owner is seen answering after it: new sessions see to that, whichever
    /// replicas the last clients left waiting.
    fn wait_for_log_affinity(&self, misses: usize) {
        let requests = usize::from(CLIENTS) * PINGS;
        let expected = [
            ("holter_log_session_requests_total", requests as f64),
            ("holter_log_session_affinity_misses_total", misses as f64),
        ];
        eventually("the sessions' requests and misses", || {
            self.client();
            let scrape = Scrape::parse(&self.holter.metrics()?)?;
            let wrong = expected
                .into_iter()
                .find(|(name, count)| scrape.sum(name) != Ok(*count));
            wrong.map_or(Ok(()), |wrong| Err(format!("not {wrong:?}")))
        });
    }

    fn wait_for_count(&self, selector: &str, count: usize) {
        self.holter
            .wait_for(selector, |value| value == count as f64);
    }

    fn wait_for_some(&self, selector: &str) {
        self.holter.wait_for(selector, |value| value > 0.0);
    }

    /// Waits until the status page says so.
    fn wait_for_page(&self, text: &str) {
        eventually(text, || {
            let page = http::get(self.holter.address, "/").map_err(|error| error.to_string())?;
            page.body.contains(text).then_some(()).ok_or(page.body)
        });
    }

    /// Waits until both legs hold their stream.
    pub(crate) fn wait_for_both_legs(&self) {
        self.wait_for_count(r#"holter_canary_streams{canary="it",leg="direct"}"#, 1);
        self.wait_for_count(r#"holter_canary_streams{canary="it",leg="proxy"}"#, 1);
    }

    /// Kills the replica that the direct leg and, with `ip_hash`, everybody from 127.0.0.1 is on.
    pub(crate) fn kill_owner(&mut self) {
        self.replicas.named(&self.owner).kill();
    }

    /// Waits until the canary has sent a full round of affinity requests on each leg.
    fn wait_for_affinity_requests(&self) {
        for leg in ["direct", "proxy"] {
            let requests = format!(r#"holter_canary_affinity_requests_total{{leg="{leg}"}}"#);
            self.holter.wait_for(&requests, |count| count >= 6.0);
        }
    }

    /// What is 0 now.
    fn assert_none(&self, selectors: &[&str]) {
        let scrape = self.holter.scrape();
        for selector in selectors {
            assert_eq!(scrape.sum(selector), Ok(0.0), "{selector}");
        }
    }
}

#[test]
fn round_robin_without_affinity_gives_misses() {
    let scene = Scene::start(Balance::RoundRobin, BEATING, NO_TIMEOUT);
    let misses = scene.clients();
    assert!(misses > 0);
    scene.wait_for_log_affinity(misses);
    scene.wait_for_some(r#"holter_canary_affinity_misses_total{leg="proxy"}"#);
    scene.wait_for_some(r#"holter_canary_affinity_requests_total{leg="direct"}"#);
    scene.assert_none(&[r#"holter_canary_affinity_misses_total{leg="direct"}"#]);
}

#[test]
fn ip_hash_gives_no_misses() {
    let scene = Scene::start(Balance::IpHash, BEATING, NO_TIMEOUT);
    assert_eq!(scene.clients(), 0);
    scene.wait_for_log_affinity(0);
    scene.wait_for_both_legs();
    scene.wait_for_affinity_requests();
    scene.assert_none(&[
        "holter_canary_affinity_misses_total",
        "holter_canary_disconnects_total",
        "holter_log_session_affinity_misses_total",
    ]);
}

#[test]
fn affinity_that_rests_on_a_cookie_is_said_so() {
    let scene = Scene::start(Balance::Cookie, BEATING, NO_TIMEOUT);
    scene.wait_for_some(r#"holter_canary_affinity_misses_total{leg="proxy"}"#);
    scene.wait_for_page("only without cookies: clients that keep no cookies lose their session");
}

/// Only the log source is asked: whether a canary keeps cookies is its own choice.
#[test]
fn a_cookie_gives_no_misses_to_clients_that_keep_it() {
    let scene = Scene::start(Balance::Cookie, BEATING, NO_TIMEOUT);
    assert_eq!(scene.clients(), 0);
    scene.wait_for_log_affinity(0);
}

#[test]
fn the_legacy_transport_misses_under_round_robin() {
    let scene = Scene::start_with(Transport::HttpSse, Balance::RoundRobin, BEATING, NO_TIMEOUT);
    scene.wait_for_some(r#"holter_canary_affinity_misses_total{leg="proxy"}"#);
    scene.wait_for_some(r#"holter_canary_affinity_requests_total{leg="direct"}"#);
    scene.assert_none(&[r#"holter_canary_affinity_misses_total{leg="direct"}"#]);
}

#[test]
fn the_legacy_transport_is_held_under_ip_hash() {
    let scene = Scene::start_with(Transport::HttpSse, Balance::IpHash, BEATING, NO_TIMEOUT);
    scene.wait_for_both_legs();
    scene.wait_for_affinity_requests();
    scene.wait_for_some(r#"holter_canary_heartbeats_total{leg="direct",kind="comment"}"#);
    scene.wait_for_some(r#"holter_canary_heartbeats_total{leg="proxy",kind="comment"}"#);
    scene.assert_none(&[
        "holter_canary_affinity_misses_total",
        "holter_canary_disconnects_total",
    ]);
}

#[test]
fn a_read_timeout_on_silence_is_idle_timeout() {
    let scene = Scene::start(Balance::IpHash, SILENT, 3);
    assert_eq!(scene.client().stream().wait_for_end(), End::Cut);
    scene.wait_for_count(
        r#"holter_log_streams_closed_total{reason="idle_timeout"}"#,
        1,
    );
    scene.wait_for_some(
        r#"holter_canary_disconnects_total{leg="proxy",reason="idle_timeout",class="abnormal"}"#,
    );
    let suspected = r#"holter_canary_suspected_timeout_seconds{leg="proxy",kind="idle"}"#;
    scene.wait_for_some(suspected);
    scene.wait_for_page(r#"streams of the proxy leg of &quot;it&quot; end after 3 s of silence"#);
    scene.wait_for_count(r#"holter_canary_streams{leg="direct"}"#, 1);
    scene.assert_none(&[
        r#"holter_log_streams_closed_total{reason="server_cut"}"#,
        r#"holter_canary_disconnects_total{leg="proxy",reason="server_cut"}"#,
        r#"holter_canary_disconnects_total{leg="direct"}"#,
    ]);
}

#[test]
fn a_killed_replica_is_server_cut() {
    let mut scene = Scene::start(Balance::IpHash, BEATING, NO_TIMEOUT);
    scene.wait_for_both_legs();
    let mut stream = scene.client().stream();
    stream.wait_for_line(": keepalive");
    scene.kill_owner();
    assert_eq!(stream.wait_for_end(), End::Cut);
    scene.wait_for_count(r#"holter_log_streams_closed_total{reason="server_cut"}"#, 1);
    scene.wait_for_count(
        r#"holter_canary_disconnects_total{leg="direct",reason="server_cut"}"#,
        1,
    );
    scene.wait_for_count(
        r#"holter_canary_disconnects_total{leg="proxy",reason="server_cut"}"#,
        1,
    );
    scene.assert_none(&[
        r#"holter_log_streams_closed_total{reason="idle_timeout"}"#,
        r#"holter_canary_disconnects_total{reason="idle_timeout"}"#,
    ]);
}

#[test]
fn a_client_that_hangs_up_is_client_close() {
    let scene = Scene::start(Balance::IpHash, BEATING, NO_TIMEOUT);
    let mut stream = scene.client().stream();
    stream.wait_for_line(": keepalive");
    stream.hang_up().unwrap();
    scene.wait_for_count(
        r#"holter_log_streams_closed_total{reason="client_close",class="client"}"#,
        1,
    );
    scene.assert_none(&[r#"holter_log_streams_closed_total{class="abnormal"}"#]);
}

#[test]
fn prometheus_gets_the_series() {
    let scene = Scene::start(Balance::IpHash, BEATING, NO_TIMEOUT);
    let prometheus = Prometheus::start(Some(scene.holter.address));
    prometheus.wait_for(r#"up{job="holter"}"#, |up| up == 1.0);
    prometheus.wait_for(r#"holter_canary_up{canary="it"}"#, |up| up == 1.0);
    prometheus.wait_for("sum(holter_canary_streams)", |streams| streams == 2.0);
    prometheus.wait_for(
        r#"rate(holter_canary_heartbeats_total{kind="comment"}[10s])"#,
        |rate| rate > 0.0,
    );
    assert_eq!(check_metrics(&scene.holter.metrics().unwrap()), "");
    for path in ["/", "/api/v1/status", "/-/healthy", "/-/ready"] {
        assert_eq!(
            http::get(scene.holter.address, path).unwrap().status,
            200,
            "{path}"
        );
    }
}

#[test]
fn a_stop_deletes_the_sessions_and_allows_a_last_scrape() {
    let mut scene = Scene::start(Balance::IpHash, BEATING, NO_TIMEOUT);
    scene.wait_for_both_legs();
    let deleted_before: usize = scene
        .replicas
        .all()
        .iter()
        .map(|r| r.sessions_deleted())
        .sum();
    scene.holter.terminate();
    let mut last = scene.holter.metrics().unwrap();
    eventually("the end of /metrics", || match scene.holter.metrics() {
        Ok(text) => {
            last = text;
            Err("still answering".to_owned())
        }
        Err(_) => Ok(()),
    });
    assert_eq!(scene.holter.wait_for_exit().code(), Some(0));
    let rotated = Scrape::parse(&last)
        .unwrap()
        .sum(r#"holter_canary_disconnects_total{reason="rotated"}"#);
    assert_eq!(rotated, Ok(2.0), "one for each leg");
    let deleted = scene.replicas.wait_until_all_sessions_are_deleted();
    assert!(deleted >= deleted_before + 2, "one for each leg: {deleted}");
}

/// Whatever stands in a log costs a counter, and the lines behind it still count.
#[test]
fn lines_that_do_not_parse_are_counted_and_stop_nothing() {
    let scene = Scene::start(Balance::IpHash, BEATING, NO_TIMEOUT);
    let mut log = OpenOptions::new()
        .append(true)
        .open(scene.nginx.access_log())
        .unwrap();
    let long = vec![b'x'; 100_000];
    let garbage: &[&[u8]] = &[
        b"not a log line\n",
        b"\n",
        b"half \x00 of \xff it\n",
        &long,
        b"\n",
    ];
    log.write_all(&garbage.concat()).unwrap();
    scene.wait_for_count(r#"holter_log_lines_unparsed_total{kind="format"}"#, 1);
    scene.wait_for_count(r#"holter_log_lines_unparsed_total{kind="empty"}"#, 1);
    scene.wait_for_count(r#"holter_log_lines_unparsed_total{kind="binary"}"#, 1);
    scene.wait_for_count(
        r#"holter_log_bytes_lost_total{cause="line_too_long"}"#,
        100_000,
    );
    let misses = scene.clients();
    scene.wait_for_log_affinity(misses);
}

/// The log says the ids in clear; Holter must not.
#[test]
fn no_session_id_leaves_holter() {
    let scene = Scene::start(Balance::RoundRobin, BEATING, NO_TIMEOUT);
    let misses = scene.clients();
    scene.wait_for_log_affinity(misses);
    let log = read(&scene.nginx.access_log());
    let ids: Vec<&str> = log
        .split('"')
        .filter(|field| is_session_id(field))
        .collect();
    assert!(ids.len() > usize::from(CLIENTS), "the log has no ids");
    for path in ["/metrics", "/", "/api/v1/status"] {
        let page = http::get(scene.holter.address, path).unwrap().body;
        assert!(!ids.iter().any(|id| page.contains(id)), "an id on {path}");
    }
    let said = scene.holter.log();
    assert!(!ids.iter().any(|id| said.contains(id)), "an id in the log");
}

/// A UUID, which is what the replicas mint.
fn is_session_id(field: &str) -> bool {
    let fits = |(at, byte): (usize, u8)| {
        if [8, 13, 18, 23].contains(&at) {
            byte == b'-'
        } else {
            byte.is_ascii_hexdigit()
        }
    };
    field.len() == 36 && field.bytes().enumerate().all(fits)
}
