//! The side of a fault, on real sockets: a server, a proxy that is a TCP relay, and the way from Holter to both.
//!
//! Each fault is brought about at each place, and only the place's own side may count; what both legs buffer has none
//! (`docs/verdicts.md`, section "Side"). The relay forwards bytes, so it breaks exactly what it is told to; what a
//! proxy does of its own is for `scenarios`.

use super::host::{Host, Mood, Pace};
use super::support::eventually;
use super::support::holter::Holter;
use super::support::nginx::Nginx;
use super::support::relay::{Fault, Relay};
use std::net::SocketAddr;
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

/// Each place has one side, whatever the fault.
const SIDES: [(Place, &str); 3] = [
    (Place::Server, "server"),
    (Place::Proxy, "proxy"),
    (Place::Way, "network"),
];

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
        let scene = Self::set("");
        let learned = r#"holter_canary_heartbeat_expected_seconds{leg="direct"}"#;
        scene.holter.wait_for(learned, |seconds| seconds > 0.0);
        scene
    }

    fn set(more: &str) -> Self {
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
             \x20   affinity: {{ interval: 0s }}\n{more}",
            ways[0].address, ways[1].address
        ));
        holter.wait_for("holter_canary_streams", |streams| streams == 2.0);
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

    /// Nothing gets through, and nothing is closed. Or no longer.
    fn stall(&self, place: Place, stalls: bool) {
        match place {
            Place::Server if stalls => self.host.turn(Pace::Hangs),
            Place::Server => self.host.turn(Pace::Beats),
            Place::Proxy => self.proxy.hold(stalls),
            Place::Way => thread::scope(|scope| {
                for way in &self.ways {
                    scope.spawn(|| way.swallow(stalls));
                }
            }),
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
        for (place, side) in SIDES {
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

#[test]
fn a_stall_counts_on_its_own_side_only() {
    // Long beside the host's beats, so that a busy machine stalls nothing.
    const MORE: &str = "\x20   heartbeat: { expected: 1s }\n\x20   connect_timeout: 2s\n";
    thread::scope(|scope| {
        for (place, side) in SIDES {
            scope.spawn(move || {
                let scene = Scene::set(MORE);
                scene.stall(place, true);
                scene
                    .holter
                    .wait_for("holter_canary_faults_total", |faults| faults > 0.0);
                scene.stall(place, false);
                let stalled = r#"holter_canary_disconnects_total{reason="heartbeat_timeout"}"#;
                let legs = if matches!(place, Place::Proxy) {
                    1.0
                } else {
                    2.0
                };
                assert_eq!(scene.holter.scrape().sum(stalled), Ok(legs), "{place:?}");
                scene.expect(&format!("a stall at {place:?}"), side);
            });
        }
    });
}

/// The direct leg alone can learn how often the server beats: health is green, and the stream is dead.
#[test]
fn a_stream_that_never_brings_a_beat_is_a_fault_of_the_proxy() {
    let host = Host::start(Mood::Well);
    let proxy = Relay::start(host.address, Duration::ZERO);
    proxy.hold_streams();
    let holter = watch(&host, proxy.address);
    let expected = r#"holter_canary_heartbeat_expected_seconds{leg="proxy"}"#;
    holter.wait_for(expected, |seconds| seconds > 0.0 && seconds < 1.0);
    holter.wait_for(r#"holter_canary_faults_total{side="proxy"}"#, |faults| {
        faults == 1.0
    });
    let scrape = holter.scrape();
    let reasons = r#"holter_canary_disconnects_total{leg="proxy",reason="heartbeat_timeout"}"#;
    assert_eq!(scrape.sum(reasons), Ok(1.0));
    assert_eq!(scrape.sum("holter_canary_faults_total"), Ok(1.0));
}

/// Holter before this host and a proxy in front of it.
fn watch(host: &Host, proxy: SocketAddr) -> Holter {
    Holter::start(&format!(
        "canaries:\n\
         \x20 - name: it\n\
         \x20   direct: http://{}/mcp\n\
         \x20   proxy: http://{proxy}/mcp\n\
         \x20   transport: streamable_http\n\
         \x20   connect_timeout: 2s\n\
         \x20   affinity: {{ interval: 0s }}\n",
        host.address
    ))
}

/// With HTTP/1.0 to its upstreams, its default, nginx sends what filled a buffer of 4 kB: here ten beats, two
/// seconds long.
#[test]
fn nginx_that_buffers_is_told_as_such_and_nginx_that_does_not_is_not() {
    let text = "b".repeat(400);
    thread::scope(|scope| {
        for is_on in [true, false] {
            let host = Host::beating(Mood::Well, &text);
            scope.spawn(move || {
                let nginx = Nginx::buffering(host.address, is_on);
                let holter = watch(&host, nginx.address);
                let beats = r#"holter_canary_heartbeats_total{leg="proxy"}"#;
                holter.wait_for(beats, |beats| beats >= 60.0);
                let bursts = r#"holter_canary_buffered_bursts_total{leg="proxy"}"#;
                let faults = r#"holter_canary_faults_total{side="proxy"}"#;
                if is_on {
                    holter.wait_for(bursts, |beats| beats >= 5.0);
                    holter.wait_for(faults, |faults| faults == 1.0);
                }
                let scrape = holter.scrape();
                let direct = r#"holter_canary_buffered_bursts_total{leg="direct"}"#;
                assert_eq!(scrape.sum(direct), Ok(0.0), "{is_on}");
                let expected = f64::from(u8::from(is_on));
                assert_eq!(scrape.sum("holter_canary_faults_total"), Ok(expected));
                assert_eq!(scrape.sum(bursts).map(|beats| beats > 0.0), Ok(is_on));
            });
        }
    });
}

/// Small heartbeats do not fill a buffer for hours, and the head of the answer waits with them.
#[test]
fn nginx_that_buffers_small_heartbeats_is_a_fault_of_the_proxy() {
    let host = Host::start(Mood::Well);
    let nginx = Nginx::buffering(host.address, true);
    let holter = watch(&host, nginx.address);
    let failed = r#"holter_canary_connects_failed_total{leg="proxy",reason="heartbeat_timeout"}"#;
    holter.wait_for(failed, |attempts| attempts >= 1.0);
    holter.wait_for(r#"holter_canary_faults_total{side="proxy"}"#, |faults| {
        faults == 1.0
    });
    let scrape = holter.scrape();
    assert_eq!(scrape.sum("holter_canary_faults_total"), Ok(1.0));
    let direct = r#"holter_canary_up{leg="direct"}"#;
    assert_eq!(scrape.sum(direct), Ok(1.0));
}

/// Lets go of what was kept back for two seconds.
fn burst(scene: &Scene, keep: impl Fn(bool)) {
    keep(true);
    let before = scene.host.beats();
    eventually("beats that are kept back", || {
        let beats = scene.host.beats() - before;
        (beats >= 20).then_some(()).ok_or_else(|| beats.to_string())
    });
    keep(false);
}

#[test]
fn a_proxy_that_buffers_is_a_fault_of_the_proxy() {
    let scene = Scene::start();
    burst(&scene, |holds| scene.proxy.hold(holds));
    let bursts = r#"holter_canary_buffered_bursts_total{leg="proxy"}"#;
    scene.holter.wait_for(bursts, |beats| beats >= 5.0);
    scene.expect("buffering at the proxy", "proxy");
    let direct = r#"holter_canary_buffered_bursts_total{leg="direct"}"#;
    assert_eq!(scene.holter.scrape().sum(direct), Ok(0.0));
}

/// On the way, or at the server: nothing tells the two apart, and it is not the proxy.
#[test]
fn what_both_legs_buffer_is_not_the_proxy() {
    thread::scope(|scope| {
        for place in [Place::Server, Place::Way] {
            scope.spawn(move || {
                let scene = Scene::start();
                burst(&scene, |keeps| match place {
                    Place::Server if keeps => scene.host.turn(Pace::Collects),
                    Place::Server => scene.host.turn(Pace::Beats),
                    _ => scene.ways.iter().for_each(|way| way.hold(keeps)),
                });
                let direct = r#"holter_canary_buffered_bursts_total{leg="direct"}"#;
                scene.holter.wait_for(direct, |beats| beats >= 5.0);
                // The next fault is told after the burst, so by then it would have counted.
                scene.cut(Place::Server, Fault::Fin);
                scene.expect(&format!("buffering at {place:?}, then a crash"), "server");
                let proxy = r#"holter_canary_buffered_bursts_total{leg="proxy"}"#;
                assert_eq!(scene.holter.scrape().sum(proxy), Ok(0.0), "{place:?}");
            });
        }
    });
}
