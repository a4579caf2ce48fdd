//! How streams through the proxy end, on the wire and in both logs.

use std::io::Read;
use std::net::TcpListener;
use std::time::Duration;

use crate::stage::*;
use crate::wire::*;

#[test]
fn silence_is_cut_by_the_proxy_and_logged_as_nginx_does() {
    let runtime = runtime();
    let replica = bind(&runtime);
    let stage = Stage::before(&[replica.addr()], Duration::from_millis(300), runtime);
    let mut stream = get(stage.proxy.addr(), "/sse");
    stream.until(HEARTBEAT);
    replica.nap(LONG);
    assert_eq!(stream.ending(), Ended::WithoutFinalChunk);
    let addr = replica.addr();
    stage.pair(
        &[
            "\"GET /sse HTTP/1.1\" 200 ",
            "\"raw/1\"",
            "completion=\"OK\" rt=",
            &format!("upstream=\"{addr}\" us_status=\"200\" uht=\"0."),
        ],
        "error",
        &format!(
            "upstream timed out (110: Connection timed out) while reading upstream, client: 127.0.0.1, \
             server: _, request: \"GET /sse HTTP/1.1\", upstream: \"http://{addr}/sse\", host: \"mcp.example.test\""
        ),
    );
}

#[test]
fn a_killed_replica_cuts_the_client_of_the_proxy() {
    let runtime = runtime();
    let mut replica = bind(&runtime);
    let stage = Stage::before(&[replica.addr()], LONG, runtime);
    let mut stream = get(stage.proxy.addr(), "/sse");
    stream.until(HEARTBEAT);
    stage.runtime.block_on(replica.kill());
    assert_eq!(stream.ending(), Ended::WithoutFinalChunk);
    stage.pair(
        &["GET /sse", "completion=\"OK\"", "us_status=\"200\""],
        "error",
        "upstream prematurely closed connection while reading upstream, client: ",
    );
}

#[test]
fn an_orderly_end_passes_the_proxy_and_leaves_no_error() {
    let runtime = runtime();
    let replica = bind(&runtime);
    let stage = Stage::before(&[replica.addr()], LONG, runtime);
    let mut stream = get(stage.proxy.addr(), "/sse");
    stream.until(HEARTBEAT);
    replica.close_streams();
    assert_eq!(stream.ending(), Ended::WithFinalChunk);
    stage.line(
        "access.log",
        &["\"GET /sse HTTP/1.1\" 200 ", "completion=\"OK\""],
    );
    drop(stream);
    stage.line(
        "error.log",
        &[
            "[info] ",
            ": *1 client 127.0.0.1 closed keepalive connection",
        ],
    );
    let errors = std::fs::read_to_string(stage.log("error.log")).expect("log");
    assert_eq!(errors.lines().count(), 1, "{errors}");
}

#[test]
fn a_client_that_hangs_up_leaves_an_empty_completion_and_an_info_line() {
    let runtime = runtime();
    let replica = bind(&runtime);
    let stage = Stage::before(&[replica.addr()], LONG, runtime);
    let mut stream = get(stage.proxy.addr(), "/sse");
    stream.until(HEARTBEAT);
    drop(stream);
    stage.pair(
        &["\"GET /sse HTTP/1.1\" 200 ", "completion=\"\""],
        "info",
        &format!("{GONE}reading upstream"),
    );
}

#[test]
fn a_client_that_hangs_up_before_the_head_is_499() {
    let runtime = runtime();
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let stage = Stage::before(&[silent.local_addr().expect("addr")], LONG, runtime);
    let stream = get(stage.proxy.addr(), "/mcp");
    let (mut upstream, _) = silent.accept().expect("the proxy");
    assert!(upstream.read(&mut [0; 1024]).expect("a request") > 0);
    drop(stream);
    stage.pair(
        &[
            "\"GET /mcp HTTP/1.1\" 499 0 ",
            "completion=\"\"",
            "us_status=\"-\" uht=\"-\"",
        ],
        "info",
        &format!("{GONE}sending request to upstream"),
    );
    while upstream
        .read(&mut [0; 1024])
        .expect("the proxy hangs up too")
        > 0
    {}
}

#[test]
fn an_upstream_without_a_head_is_502_or_504() {
    let runtime = runtime();
    let upstream = TcpListener::bind("127.0.0.1:0").expect("a port");
    let addr = upstream.local_addr().expect("addr");
    let stage = Stage::before(&[addr], Duration::from_millis(100), runtime);
    let asked = get(stage.proxy.addr(), "/silent");
    assert_eq!(asked.answer().0, 504);
    stage.pair(
        &["\"GET /silent HTTP/1.1\" 504 ", "completion=\"OK\"", "us_status=\"504\" uht=\"-\""],
        "error",
        "upstream timed out (110: Connection timed out) while reading response header from upstream",
    );
    drop(upstream.accept().expect("the silent one's connection"));
    let asked = get(stage.proxy.addr(), "/closed");
    let (mut connection, _) = upstream.accept().expect("the proxy");
    assert!(connection.read(&mut [0; 1024]).expect("a request") > 0);
    drop(connection);
    assert_eq!(asked.answer().0, 502);
    stage.pair(
        &[
            "\"GET /closed HTTP/1.1\" 502 ",
            "completion=\"OK\"",
            "us_status=\"502\" uht=\"-\"",
        ],
        "error",
        "upstream prematurely closed connection while reading response header from upstream",
    );
}

#[test]
fn a_stopped_proxy_blames_nobody() {
    let runtime = runtime();
    let replica = bind(&runtime);
    let stage = Stage::before(&[replica.addr()], LONG, runtime);
    let mut stream = get(stage.proxy.addr(), "/sse");
    stream.until(HEARTBEAT);
    let Stage {
        proxy,
        dir,
        runtime,
    } = stage;
    runtime.block_on(proxy.stop());
    assert_eq!(stream.ending(), Ended::WithoutFinalChunk);
    for log in ["access.log", "error.log"] {
        assert_eq!(
            std::fs::read_to_string(dir.path().join(log)).expect("log"),
            "",
            "{log}"
        );
    }
}
