//! The side of a fault, on real sockets: a server, a proxy that is a TCP relay, and the way from Holter to both.
//!
//! Each fault is brought about at each place, and only the place's own side may count. The relay forwards
//! bytes, so it breaks exactly what it is told to; what a proxy does of its own is for `scenarios`.

use super::guest::{Host, Mood};
use super::support::eventually;
use super::support::holter::Holter;
use super::support::relay::{Fault, Relay};
use std::thread;
use std::time::Duration;

/// Where the fault is.
#[derive(Clone, Copy, Debug)]
enum Place {
    Server,
    Proxy,
    /// The way from Holter to both.
    Way,
}

/// Holter, the way from it to both ends, the proxy, the server.
struct Scene {
    holter: Holter,
    ways: [Relay; 2],
    proxy: Relay,
    host: Host,
}

impl Scene {
    /// Both streams held. The proxy leg's is two seconds younger, as no two streams are of one age.
    fn start() -> Self {
        let host = Host::start(Mood::Well);
        let proxy = Relay::start(host.address, Duration::from_secs(2));
        let at_once = Duration::ZERO;
        let ways = [host.address, proxy.address].map(|to| Relay::start(to, at_once));
        let holter = Holter::start(&format!(
            "canaries:\n\
             \x20 - name: it\n\
             \x20   direct: http://{}/mcp\n\
             \x20   proxy: http://{}/mcp\n\
             \x20   transport: streamable_http\n\
             \x20   affinity: {{ interval: 0s }}\n",
            ways[0].address, ways[1].address
        ));
        holter.wait_for("holter_canary_streams", |streams| streams == 2.0);
        let learned = r#"holter_canary_heartbeat_expected_seconds{leg="direct"}"#;
        holter.wait_for(learned, |seconds| seconds > 0.0);
        Self {
            holter,
            ways,
            proxy,
            host,
        }
    }

    fn cut(&self, place: Place, fault: Fault) {
        match place {
            Place::Server => self.host.crash(fault),
            Place::Proxy => self.proxy.cut(fault),
            Place::Way => self.ways.iter().for_each(|way| way.cut(fault)),
        }
    }

    /// Waits for the fault; it and no other counts.
    fn expect(&self, what: &str, side: &str) {
        self.holter
            .wait_for("holter_canary_faults_total", |faults| faults > 0.0);
        self.holter
            .wait_for("holter_canary_streams", |streams| streams == 2.0);
        let scrape = self.holter.scrape();
        for other in ["proxy", "server", "client", "network", "unknown"] {
            let series = format!(r#"holter_canary_faults_total{{side="{other}"}}"#);
            let expected = f64::from(u8::from(other == side));
            assert_eq!(scrape.sum(&series), Ok(expected), "{what}: {other}");
        }
    }
}

#[test]
fn a_fault_counts_on_its_own_side_only() {
    thread::scope(|scope| {
        for (place, side) in [
            (Place::Server, "server"),
            (Place::Proxy, "proxy"),
            (Place::Way, "network"),
        ] {
            for fault in [Fault::Fin, Fault::Rst] {
                scope.spawn(move || {
                    let scene = Scene::start();
                    scene.cut(place, fault);
                    scene.expect(&format!("{fault:?} at {place:?}"), side);
                });
            }
        }
    });
}

/// Lets go of what was kept back for two seconds.
fn burst(scene: &Scene, relays: &[&Relay]) {
    relays.iter().for_each(|relay| relay.hold(true));
    let before = scene.host.beats();
    eventually("beats that are kept back", || {
        let beats = scene.host.beats() - before;
        (beats >= 20).then_some(()).ok_or_else(|| beats.to_string())
    });
    relays.iter().for_each(|relay| relay.hold(false));
}

#[test]
fn a_proxy_that_buffers_is_a_fault_of_the_proxy() {
    let scene = Scene::start();
    burst(&scene, &[&scene.proxy]);
    let bursts = r#"holter_canary_buffered_bursts_total{leg="proxy"}"#;
    scene.holter.wait_for(bursts, |beats| beats >= 5.0);
    scene.expect("buffering at the proxy", "proxy");
    let direct = r#"holter_canary_buffered_bursts_total{leg="direct"}"#;
    assert_eq!(scene.holter.scrape().sum(direct), Ok(0.0));
}

#[test]
fn what_both_legs_buffer_is_not_the_proxy() {
    let scene = Scene::start();
    burst(&scene, &[&scene.ways[0], &scene.ways[1]]);
    let direct = r#"holter_canary_buffered_bursts_total{leg="direct"}"#;
    scene.holter.wait_for(direct, |beats| beats >= 5.0);
    // The next fault is told after the burst, so by then it would have counted.
    scene.cut(Place::Server, Fault::Fin);
    scene.expect("buffering on the way, then a crash", "server");
    let proxy = r#"holter_canary_buffered_bursts_total{leg="proxy"}"#;
    assert_eq!(scene.holter.scrape().sum(proxy), Ok(0.0));
}
