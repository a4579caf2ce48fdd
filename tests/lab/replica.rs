//! What a client of one replica sees.

use crate::stage::*;
use crate::wire::*;

#[test]
fn a_legacy_stream_names_its_endpoint_answers_and_beats() {
    let runtime = runtime();
    let replica = bind(&runtime);
    let mut stream = get(replica.addr(), "/sse");
    let head = stream.until("\r\n\r\n").to_ascii_lowercase();
    assert_eq!(header(&head, "content-type"), Some("text/event-stream"));
    stream.until("event: endpoint\ndata: ");
    let endpoint = stream.until("\n\n");
    assert!(endpoint.starts_with("/messages?session_id="), "{endpoint}");
    let (status, _, body) =
        Wire::send(replica.addr(), &format!("POST {endpoint}"), "", INITIALIZE).answer();
    assert_eq!((status, body.as_str()), (202, "Accepted"));
    stream.until("event: message\ndata: {");
    stream.until(HEARTBEAT);
    stream.until(HEARTBEAT);
    for (target, expected) in [
        ("/messages?session_id=0", (404, "Could not find session")),
        ("/messages", (400, "session_id is required")),
    ] {
        let (status, _, body) =
            Wire::send(replica.addr(), &format!("POST {target}"), "", PING).answer();
        assert_eq!((status, body.as_str()), expected);
    }
    drop(stream);
    eventually("the session to go with its stream", || {
        let (status, ..) =
            Wire::send(replica.addr(), &format!("POST {endpoint}"), "", PING).answer();
        (status == 404).then_some(())
    });
}

#[test]
fn a_streamable_session_lives_from_initialize_to_delete() {
    let runtime = runtime();
    let replica = bind(&runtime);
    let addr = replica.addr();
    let id = initialize(addr);
    assert_eq!(status(addr, "POST", &id, NOTICE), 202);
    let (code, _, body) = call(addr, "POST", &id, PING).answer();
    assert_eq!(
        (code, body.as_str()),
        (200, r#"{"id":2,"jsonrpc":"2.0","result":{}}"#)
    );
    let (code, _, body) = call(addr, "POST", "unknown", PING).answer();
    assert_eq!(code, 404);
    assert!(
        body.contains("-32001") && body.contains("Session not found"),
        "{body}"
    );
    assert_eq!(Wire::send(addr, "POST /mcp", "", PING).answer().0, 400);
    assert_eq!(Wire::send(addr, "POST /mcp", "", "no JSON").answer().0, 400);
    let mut stream = call(addr, "GET", &id, "");
    stream.until(HEARTBEAT);
    assert_eq!(status(addr, "GET", &id, ""), 409);
    assert_eq!(status(addr, "DELETE", &id, ""), 200);
    assert_eq!(stream.ending(), Ended::WithFinalChunk);
    assert_eq!(status(addr, "POST", &id, PING), 404);
}

#[test]
fn a_kill_cuts_refuses_and_forgets() {
    let runtime = runtime();
    let mut replica = bind(&runtime);
    let addr = replica.addr();
    let id = initialize(addr);
    let mut streams = [get(addr, "/sse"), call(addr, "GET", &id, "")];
    for stream in &mut streams {
        stream.until(HEARTBEAT);
    }
    runtime.block_on(replica.kill());
    assert!(is_refused(addr));
    for stream in &mut streams {
        assert_eq!(stream.ending(), Ended::WithoutFinalChunk);
    }
    start(&runtime, &mut replica);
    assert_eq!(replica.addr(), addr);
    assert_eq!(status(addr, "POST", &id, PING), 404);
    get(addr, "/sse").until(HEARTBEAT);
}

#[test]
fn closing_streams_ends_them_with_the_final_chunk() {
    let runtime = runtime();
    let replica = bind(&runtime);
    let id = initialize(replica.addr());
    let mut streams = [
        get(replica.addr(), "/sse"),
        call(replica.addr(), "GET", &id, ""),
    ];
    for stream in &mut streams {
        stream.until(HEARTBEAT);
    }
    replica.close_streams();
    for stream in &mut streams {
        assert_eq!(stream.ending(), Ended::WithFinalChunk);
    }
    call(replica.addr(), "GET", &id, "").until(HEARTBEAT);
}

#[test]
fn a_nap_is_over_after_its_time() {
    let runtime = runtime();
    let replica = bind(&runtime);
    let mut stream = get(replica.addr(), "/sse");
    stream.until(HEARTBEAT);
    replica.nap(BEAT * 3);
    stream.until(HEARTBEAT);
    stream.until(HEARTBEAT);
}
