//! Connections that stay open while nothing arrives any more.

use std::fs::File;
use std::net::TcpListener;
use std::os::fd::AsFd;
use std::process::Command;
use std::thread;
use std::time::Duration;

use holter::canary::Event;
use holter::reason::Reason::HeartbeatTimeout;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::Seen::{Ended, Failed};
use crate::hold::{Canary, Row, check};
use crate::server::Step::Hold;
use crate::server::{Begin, Script, Server, send};

const HEAD: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
const BEAT: &str = "8\r\n: beat\n\n\r\n";
const INTERVAL: Duration = Duration::from_millis(400);

#[test]
#[rustfmt::skip] // A table.
fn a_server_that_stalls() {
    let stalls = |steps| Script::new(steps);
    let hurried = |script: Script| script.within(Duration::from_millis(500));
    check(vec![
        Row("after a beat", stalls(vec![send(HEAD), send(BEAT), Hold]).beating(INTERVAL), Ended(HeartbeatTimeout)),
        Row("after the head", stalls(vec![send(HEAD), Hold]).beating(INTERVAL), Ended(HeartbeatTimeout)),
        Row("inside a chunk", stalls(vec![send(HEAD), send("ff\r\n: b"), Hold]).beating(INTERVAL), Ended(HeartbeatTimeout)),
        Row("inside the head", hurried(stalls(vec![send("HTTP/1.1 200 OK\r\n"), Hold])), Failed(HeartbeatTimeout)),
        Row("before the answer", hurried(stalls(vec![Hold])), Failed(HeartbeatTimeout)),
        Row("with the connection", hurried(stalls(vec![Hold]).from(Begin::Accept)), Failed(HeartbeatTimeout)),
    ]);
}

/// A network namespace with a cable to it; both go when it is dropped.
struct Namespace {
    name: String,
    near: String,
    address: String,
}

impl Namespace {
    fn new() -> Self {
        let id = std::process::id();
        let subnet = format!("10.213.{}", id % 256);
        let namespace = Self {
            name: format!("holter-{id}"),
            near: format!("hn{id}"),
            address: format!("{subnet}.2"),
        };
        let Self {
            name,
            near,
            address,
        } = &namespace;
        ip(&["netns", "add", name]);
        ip(&[
            "link", "add", near, "type", "veth", "peer", "name", "far", "netns", name,
        ]);
        ip(&["addr", "add", &format!("{subnet}.1/30"), "dev", near]);
        ip(&["link", "set", near, "up"]);
        ip(&[
            "-n",
            name,
            "addr",
            "add",
            &format!("{address}/30"),
            "dev",
            "far",
        ]);
        ip(&["-n", name, "link", "set", "far", "up"]);
        namespace
    }

    /// A socket lives in the namespace that its thread was in when it was made.
    fn listen(&self) -> TcpListener {
        let (path, address) = (format!("/run/netns/{}", self.name), self.address.clone());
        let bind = move || {
            let namespace = File::open(path).expect("the namespace");
            move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))
                .expect("the right to enter it");
            TcpListener::bind((address, 0)).expect("an address in it")
        };
        thread::spawn(bind).join().expect("a listener")
    }

    /// Nothing passes any more, and neither side is told.
    fn pull_the_cable(&self) {
        ip(&["-n", &self.name, "link", "set", "far", "down"]);
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // The cable goes with either end; a test that failed before there was one has said so.
        for arguments in [["link", "del", &self.near], ["netns", "del", &self.name]] {
            drop(Command::new("ip").args(arguments).output());
        }
    }
}

fn ip(arguments: &[&str]) {
    let output = Command::new("ip").args(arguments).output();
    let output = output.expect("ip of iproute2: run scripts/setup");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "ip {}: {error}(network namespaces need root)",
        arguments.join(" ")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_half_open() {
    let namespace = Namespace::new();
    let script = Script::new(vec![send(HEAD), send(BEAT), Hold]).beating(INTERVAL);
    let server = Server::at(namespace.listen(), script);
    let canary = Canary::start(server.target());
    let end = tokio::task::spawn_blocking(move || {
        canary.wait_for(|event| matches!(event, Event::Beat(_)));
        namespace.pull_the_cable();
        let seen = canary.first_end(drop);
        (canary, seen)
    });
    let (canary, seen) = end.await.expect("joined");
    assert_eq!(seen, Ended(HeartbeatTimeout));
    canary.stop().await;
}
