//! The scenery is right: what the scenarios rely on, shown on the real servers without Holter.
//!
//! A scenario that fails while these pass says something about Holter.

use crate::support::client::{Client, Cookies};
use crate::support::http::End;
use crate::support::nginx::{Balance, Nginx};
use crate::support::node::{BEATING, Replicas, SILENT};
use crate::support::prometheus::{Prometheus, check_metrics};
use std::collections::BTreeSet;
use std::net::Ipv4Addr;

/// Long enough never to matter.
const NO_TIMEOUT: u32 = 300;

/// What several clients met, each with a session of its own.
struct Met {
    replicas: BTreeSet<String>,
    statuses: Vec<u16>,
}

impl Met {
    fn misses(&self) -> usize {
        self.statuses
            .iter()
            .filter(|status| **status == 404)
            .count()
    }
}

/// Six clients from six networks (`ip_hash` looks at the first three octets), six requests each.
fn six_clients(nginx: &Nginx, cookies: Cookies) -> Met {
    let mut met = Met {
        replicas: BTreeSet::new(),
        statuses: Vec::new(),
    };
    for network in 1..=6 {
        let from = Ipv4Addr::new(10, 0, network, 1);
        let mut client = Client::new(nginx.address, Some(from), cookies);
        met.replicas.insert(client.initialize());
        met.statuses.extend(client.pings(6));
    }
    met
}

#[test]
fn round_robin_sends_one_session_to_all_replicas() {
    let replicas = Replicas::start(BEATING);
    let nginx = Nginx::start(&replicas, Balance::RoundRobin, NO_TIMEOUT);
    let mut client = Client::new(nginx.address, None, Cookies::Kept);
    client.initialize();
    let statuses = client.pings(6);
    assert_eq!(statuses, [404, 404, 200, 404, 404, 200]);
    let id = client.session();
    nginx.wait_for_access(&["it-client", r#"sid="-""#, &format!(r#"up_sid="{id}""#)]);
    nginx.wait_for_access(&["it-client", " 404 ", &format!(r#"sid="{id}" up_sid="-""#)]);
}

#[test]
fn ip_hash_keeps_each_client_on_its_replica() {
    let replicas = Replicas::start(BEATING);
    let nginx = Nginx::start(&replicas, Balance::IpHash, NO_TIMEOUT);
    let met = six_clients(&nginx, Cookies::Dropped);
    assert!(met.replicas.len() > 1, "all on {:?}", met.replicas);
    assert_eq!(met.statuses, [200; 36]);
}

#[test]
fn a_cookie_keeps_clients_that_keep_it() {
    let replicas = Replicas::start(BEATING);
    let nginx = Nginx::start(&replicas, Balance::Cookie, NO_TIMEOUT);
    let met = six_clients(&nginx, Cookies::Kept);
    assert!(met.replicas.len() > 1, "all on {:?}", met.replicas);
    assert_eq!(met.statuses, [200; 36]);
    assert_eq!(six_clients(&nginx, Cookies::Dropped).misses(), 24);
}

#[test]
fn the_legacy_transport_needs_affinity_too() {
    let replicas = Replicas::start(BEATING);
    let check = |balance, status, body: &str| {
        let nginx = Nginx::start(&replicas, balance, NO_TIMEOUT);
        let client = Client::new(nginx.address, None, Cookies::Kept);
        let (mut stream, endpoint) = client.legacy_stream();
        let answer = client.legacy_initialize(&endpoint);
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (status, body),
            "{balance:?}"
        );
        stream.wait_for_line(": keepalive");
    };
    check(Balance::RoundRobin, 400, "No transport found for sessionId");
    check(Balance::IpHash, 202, "Accepted");
}

#[test]
fn heartbeats_pass_and_a_delete_ends_the_stream_cleanly() {
    let replicas = Replicas::start(BEATING);
    let nginx = Nginx::start(&replicas, Balance::IpHash, NO_TIMEOUT);
    let mut client = Client::new(nginx.address, None, Cookies::Kept);
    client.initialize();
    let mut stream = client.stream();
    stream.wait_for_line(": keepalive");
    assert_eq!(client.delete(), 200);
    assert_eq!(stream.wait_for_end(), End::Clean);
    assert_eq!(replicas.wait_until_all_sessions_are_deleted(), 1);
    assert_eq!(client.ping(), 404);
}

#[test]
fn silence_is_cut_by_the_read_timeout() {
    let replicas = Replicas::start(SILENT);
    let nginx = Nginx::start(&replicas, Balance::IpHash, 1);
    let mut client = Client::new(nginx.address, None, Cookies::Kept);
    client.initialize();
    let stream = client.stream();
    assert_eq!(stream.wait_for_end(), End::Cut);
    nginx.wait_for_error(&[
        "[error]",
        "upstream timed out (110: Connection timed out) while reading upstream",
    ]);
    nginx.wait_for_access(&["GET /mcp", " 200 ", r#"completion="OK""#]);
    assert_eq!(client.ping(), 200, "the session outlives the cut");
}

#[test]
fn a_killed_replica_cuts_its_streams() {
    let mut replicas = Replicas::start(BEATING);
    let nginx = Nginx::start(&replicas, Balance::IpHash, NO_TIMEOUT);
    let mut client = Client::new(nginx.address, None, Cookies::Kept);
    let owner = client.initialize();
    let mut stream = client.stream();
    stream.wait_for_line(": keepalive");
    replicas.named(&owner).kill();
    assert_eq!(stream.wait_for_end(), End::Cut);
    nginx.wait_for_error(&["upstream prematurely closed connection while reading upstream"]);
    assert_eq!(
        client.ping(),
        404,
        "another replica answers, and does not know the session"
    );
}

#[test]
fn a_client_that_hangs_up_is_seen_by_nginx() {
    let replicas = Replicas::start(BEATING);
    let nginx = Nginx::start(&replicas, Balance::IpHash, NO_TIMEOUT);
    let mut client = Client::new(nginx.address, None, Cookies::Kept);
    client.initialize();
    let mut stream = client.stream();
    stream.wait_for_line(": keepalive");
    stream.hang_up().unwrap();
    nginx.wait_for_error(&["[info]", "client prematurely closed connection"]);
    nginx.wait_for_access(&["GET /mcp", " 200 ", r#"completion="""#]);
}

#[test]
fn prometheus_scrapes_and_answers() {
    let prometheus = Prometheus::start(None);
    prometheus.wait_for(r#"up{job="holter"}"#, |up| up == 1.0);
    prometheus.wait_for("rate(prometheus_http_requests_total[10s]) > 0", |rate| {
        rate > 0.0
    });
    assert_eq!(prometheus.query("no_such_metric"), Ok(vec![]));
    assert!(prometheus.query("rate(").is_err());
}

#[test]
fn promtool_finds_faults() {
    let good = "# HELP a_total Things.\n# TYPE a_total counter\na_total 1\n";
    assert_eq!(check_metrics(good), "");
    let nameless = good.replace("# HELP a_total Things.\n", "");
    assert!(
        check_metrics(&nameless).contains("no help text"),
        "{}",
        check_metrics(&nameless)
    );
}
