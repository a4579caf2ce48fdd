//! Ends that are there before the request is said: of two that meet on the way no peer can fix the order.

use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use holter::canary::ending::Cause;
use holter::tasks::dial::{Io, Line};
use holter::tasks::stream::Stream;
use http::Request;
use socket2::SockRef;
use tokio::io::Interest;

/// What is made of a request on a connection whose other side has left already.
async fn ask(reset: bool) -> Option<Cause> {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let ours = TcpStream::connect(listener.local_addr().expect("bound")).expect("connected");
    let (theirs, _) = listener.accept().expect("accepted");
    if reset {
        // Closing a socket that does not linger sends RST.
        let socket = SockRef::from(&theirs);
        socket.set_linger(Some(Duration::ZERO)).expect("an option");
    }
    drop(theirs);
    ours.set_nonblocking(true).expect("a socket");
    let ours = tokio::net::TcpStream::from_std(ours).expect("a socket");
    let ready = ours.ready(Interest::READABLE).await.expect("a socket");
    assert!(ready.is_read_closed(), "the end has arrived");
    let line = Line {
        io: Io::Left(ours),
        is_h2: false,
    };
    let request = Request::get("/mcp").body(String::new());
    let opened = Stream::open(line, request.expect("a request"), 4096).await;
    opened.err()
}

#[tokio::test]
async fn a_request_that_cannot_be_said_has_no_answer() {
    assert_eq!(ask(false).await, Some(Cause::NoAnswer));
    assert_eq!(ask(true).await, Some(Cause::Reset));
}
