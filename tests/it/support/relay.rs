//! A relay of TCP connections that breaks them when it is told to: a proxy, or the way to one.

use rustix::net::listen;
use rustix::net::sockopt::set_socket_linger;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

/// How often a pump looks whether it is to break.
const LOOK: Duration = Duration::from_millis(20);

/// No answer to a connection on loopback for this long: none will come. The kernel asks again after a second, and
/// is heard then if the one that accepts was only late.
const NO_ANSWER: Duration = Duration::from_millis(1500);

/// How connections are broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Fin,
    Rst,
}

/// A listening relay.
pub(crate) struct Relay {
    pub(crate) address: SocketAddr,
    listener: Arc<TcpListener>,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    /// Connections of an earlier epoch are broken.
    epoch: AtomicUsize,
    resets: AtomicBool,
    /// Answers are kept back.
    holds: AtomicBool,
    /// Answers are kept back from after the first bytes of each.
    holds_streams: AtomicBool,
    /// No connection is accepted.
    is_deaf: AtomicBool,
}

/// What the two pumps of a connection share.
struct Connection {
    epoch: usize,
    is_broken: Arc<AtomicBool>,
    state: Arc<State>,
}

impl Relay {
    /// Relays to `target`, from after `pause` on.
    pub(crate) fn start(target: SocketAddr, pause: Duration) -> Self {
        let listener = Arc::new(TcpListener::bind("127.0.0.1:0").expect("loopback"));
        let address = listener.local_addr().expect("bound");
        let state = Arc::new(State::default());
        let (shared, door) = (Arc::clone(&state), Arc::clone(&listener));
        thread::spawn(move || {
            thread::sleep(pause);
            for client in door.incoming().flatten() {
                while shared.is_deaf.load(Ordering::SeqCst) {
                    thread::sleep(LOOK);
                }
                if let Ok(server) = TcpStream::connect(target) {
                    connect(client, server, &shared);
                }
            }
        });
        Self {
            address,
            listener,
            state,
        }
    }

    /// Breaks the connections that are open.
    pub(crate) fn cut(&self, fault: Fault) {
        self.state
            .resets
            .store(fault == Fault::Rst, Ordering::SeqCst);
        self.state.epoch.fetch_add(1, Ordering::SeqCst);
    }

    /// Keeps answers back, or lets them go.
    pub(crate) fn hold(&self, holds: bool) {
        self.state.holds.store(holds, Ordering::SeqCst);
    }

    /// Keeps back what comes after the first bytes of each answer: the head of a stream gets through, and nothing else.
    pub(crate) fn hold_streams(&self) {
        self.state.holds_streams.store(true, Ordering::SeqCst);
    }

    /// Swallows whatever comes, as a dead network does: answers, and attempts to connect. Or no longer.
    pub(crate) fn swallow(&self, swallows: bool) {
        self.hold(swallows);
        self.state.is_deaf.store(swallows, Ordering::SeqCst);
        listen(&self.listener, if swallows { 0 } else { 128 }).expect("a listening socket");
        // With its queue full, of connections gone by now, the kernel drops what asks for another.
        while swallows && TcpStream::connect_timeout(&self.address, NO_ANSWER).is_ok() {}
    }
}

fn connect(client: TcpStream, server: TcpStream, state: &Arc<State>) {
    let (client, server) = (Arc::new(client), Arc::new(server));
    let is_broken = Arc::new(AtomicBool::new(false));
    for (from, to, is_answer) in [(&client, &server, false), (&server, &client, true)] {
        from.set_read_timeout(Some(LOOK)).expect("an open socket");
        let (from, to, state) = (Arc::clone(from), Arc::clone(to), Arc::clone(state));
        let connection = Connection {
            epoch: state.epoch.load(Ordering::SeqCst),
            is_broken: Arc::clone(&is_broken),
            state,
        };
        thread::spawn(move || {
            if pump(&from, &to, is_answer, &connection).is_err() {
                // RST goes out when both pumps let go of the socket.
                reset(&to);
                connection.is_broken.store(true, Ordering::SeqCst);
            }
        });
    }
}

/// Forwards until the end; an error is a reset, and to be passed on.
fn pump(
    from: &TcpStream,
    to: &TcpStream,
    is_answer: bool,
    connection: &Connection,
) -> std::io::Result<()> {
    let state = &connection.state;
    let (mut from_half, mut to_half) = (from, to);
    let (mut buffer, mut kept) = ([0; 4096], Vec::new());
    let mut has_begun = false;
    loop {
        if connection.is_broken.load(Ordering::SeqCst) {
            return Ok(());
        }
        if state.epoch.load(Ordering::SeqCst) != connection.epoch {
            if state.resets.load(Ordering::SeqCst) {
                reset(from);
                reset(to);
            } else {
                to.shutdown(Shutdown::Both).ok();
            }
            return Ok(());
        }
        match from_half.read(&mut buffer) {
            Ok(0) => {
                to.shutdown(Shutdown::Write).ok();
                return Ok(());
            }
            Ok(read) => kept.extend_from_slice(&buffer[..read]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(error) => return Err(error),
        }
        let holds = state.holds.load(Ordering::SeqCst)
            || (has_begun && state.holds_streams.load(Ordering::SeqCst));
        if !(is_answer && holds) {
            to_half.write_all(&kept)?;
            has_begun |= !kept.is_empty();
            kept.clear();
        }
    }
}

/// Closed from now on by RST: nothing lingers.
pub(crate) fn reset(socket: &TcpStream) {
    set_socket_linger(socket, Some(Duration::ZERO)).ok();
}
