//! Where the proxy sends requests, and what its access log says of it.

use std::io::{ErrorKind, Write};
use std::os::unix::fs::PermissionsExt;

use holter::lab::proxy::{Balance, Proxy, Settings};

use crate::stage::*;
use crate::wire::*;

#[test]
fn a_refused_replica_is_passed_over_and_all_refused_is_502() {
    let runtime = runtime();
    let (mut first, mut second) = (bind(&runtime), bind(&runtime));
    runtime.block_on(first.kill());
    let stage = Stage::before(&[first.addr(), second.addr()], LONG, runtime);
    initialize(stage.proxy.addr());
    let list = format!("upstream=\"{}, {}\"", first.addr(), second.addr());
    stage.pair(
        &[&list, "us_status=\"502, 200\"", "uht=\"-, 0."],
        "error",
        "connect() failed (111: Connection refused) while connecting to upstream, client: ",
    );
    let blamed = format!("upstream: \"http://{}/mcp\"", first.addr());
    stage.line("error.log", &["[error] ", "connect() failed", &blamed]);
    stage.runtime.block_on(second.kill());
    assert_eq!(
        Wire::send(stage.proxy.addr(), "POST /mcp", "", PING)
            .answer()
            .0,
        502
    );
    stage.line(
        "access.log",
        &[
            "\" 502 ",
            "completion=\"OK\"",
            "us_status=\"502, 502\" uht=\"-, -\"",
        ],
    );
}

#[test]
fn round_robin_loses_sessions_and_affinity_keeps_them() {
    for (balance, expected) in [
        (Balance::RoundRobin, [404, 200, 404, 200]),
        (Balance::ClientAddress, [200, 200, 200, 200]),
    ] {
        let runtime = runtime();
        let replicas = [bind(&runtime), bind(&runtime)];
        let addrs = [replicas[0].addr(), replicas[1].addr()];
        let stage = Stage::balanced(&addrs, LONG, balance, runtime);
        let id = initialize(stage.proxy.addr());
        stage.line("access.log", &["sid=\"-\"", &format!("up_sid=\"{id}\"")]);
        let got = [(); 4].map(|()| status(stage.proxy.addr(), "POST", &id, PING));
        assert_eq!(got, expected, "{balance:?}");
        stage.line(
            "access.log",
            &[
                &format!("sid=\"{id}\""),
                "us_status=\"200\"",
                "up_sid=\"-\"",
            ],
        );
    }
}

#[test]
fn one_connection_keeps_its_number_and_a_large_body_is_refused() {
    let runtime = runtime();
    let replica = bind(&runtime);
    let stage = Stage::before(&[replica.addr()], LONG, runtime);
    let mut wire = Wire::send(stage.proxy.addr(), "POST /mcp?one", "", PING);
    wire.until("required");
    wire.socket
        .write_all(b"GET /two HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .expect("write");
    wire.until("HTTP/1.1 404");
    for target in ["one", "two"] {
        stage.line("access.log", &[target, "conn=1 completion=\"OK\""]);
    }
    let socket = Wire::send(
        stage.proxy.addr(),
        "POST /mcp?large",
        "",
        &"x".repeat(1024 * 1024 + 1),
    );
    assert_eq!(socket.answer().0, 413);
    stage.line(
        "access.log",
        &[
            "large",
            "\" 413 ",
            "conn=2 ",
            "upstream=\"-\" us_status=\"-\"",
        ],
    );
}

#[test]
fn the_logs_are_private_and_never_somebody_elses() {
    let stage = Stage::before(&[], LONG, runtime());
    for log in ["access.log", "error.log"] {
        let mode = std::fs::metadata(stage.log(log))
            .expect("log")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{log}");
    }
    let settings = Settings {
        replicas: vec![],
        balance: Balance::RoundRobin,
        read_timeout: LONG,
    };
    let (access, error) = (stage.log("access.log"), stage.log("new.log"));
    let again = stage
        .runtime
        .block_on(Proxy::start(settings, &access, &error));
    let error = again.err().expect("refused");
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
}
