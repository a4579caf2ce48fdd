//! A replica's sessions: the bounded table, and which of them hold a stream.
//!
//! A stream lives as long as its session keeps the sending half of its outbox: dropping that half
//! ends the stream in order. A client that hung up shows as an outbox without a receiver. Knows no
//! HTTP and no time.

use bytes::Bytes;
use tokio::sync::mpsc::{self, Receiver, Sender};

/// Sessions that one replica remembers.
pub(super) const SESSIONS_MAX: usize = 256;

/// Messages that may wait on one stream for its client.
const OUTBOX_MAX: usize = 16;

/// How a session was opened, hence what is left of it without a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transport {
    /// HTTP+SSE, 2024-11-05: the stream is the session.
    HttpSse,
    /// Streamable HTTP: the session outlives its streams.
    StreamableHttp,
}

/// Why a session gave no stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// No session of that id and transport.
    Unknown,
    /// Its stream is held already.
    Held,
    /// Too many messages wait, or too many sessions are open.
    Full,
}

struct Session {
    id: String,
    transport: Transport,
    outbox: Option<Sender<Bytes>>,
}

impl Session {
    fn is_held(&self) -> bool {
        self.outbox
            .as_ref()
            .is_some_and(|outbox| !outbox.is_closed())
    }
}

/// The sessions of one life of a replica, oldest first.
#[derive(Default)]
pub(super) struct Sessions(Vec<Session>);

impl Sessions {
    /// Remembers a new session and returns its id. The oldest session that holds no stream makes
    /// room; if all hold one, the newcomer is refused.
    ///
    /// The id is 128 bits of `fastrand`: not fit for secrets, enough among the laboratory's own clients.
    pub(super) fn open(&mut self, transport: Transport) -> Result<String, Refusal> {
        if self.0.len() >= SESSIONS_MAX {
            let idle = self.0.iter().position(|session| !session.is_held());
            self.0.remove(idle.ok_or(Refusal::Full)?);
        }
        let id = format!("{:032x}", fastrand::u128(..));
        self.0.push(Session {
            id: id.clone(),
            transport,
            outbox: None,
        });
        Ok(id)
    }

    /// Whether this replica knows the session.
    pub(super) fn knows(&self, id: &str, transport: Transport) -> bool {
        self.0
            .iter()
            .any(|session| session.id == id && session.transport == transport)
    }

    /// Gives the session its stream, one at a time.
    pub(super) fn hold(
        &mut self,
        id: &str,
        transport: Transport,
    ) -> Result<Receiver<Bytes>, Refusal> {
        let session = self.find(id, transport).ok_or(Refusal::Unknown)?;
        if session.is_held() {
            return Err(Refusal::Held);
        }
        let (outbox, inbox) = mpsc::channel(OUTBOX_MAX);
        session.outbox = Some(outbox);
        Ok(inbox)
    }

    /// Puts `event` on the session's stream.
    pub(super) fn send(
        &mut self,
        id: &str,
        transport: Transport,
        event: Bytes,
    ) -> Result<(), Refusal> {
        let session = self.find(id, transport).ok_or(Refusal::Unknown)?;
        let outbox = session.outbox.as_ref().ok_or(Refusal::Unknown)?;
        outbox.try_send(event).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => Refusal::Full,
            mpsc::error::TrySendError::Closed(_) => Refusal::Unknown,
        })
    }

    /// Forgets the session and ends its stream; false if it was unknown.
    pub(super) fn remove(&mut self, id: &str, transport: Transport) -> bool {
        let before = self.0.len();
        self.0
            .retain(|session| session.id != id || session.transport != transport);
        self.0.len() < before
    }

    /// Ends every stream in order. Sessions of [`Transport::HttpSse`] end with theirs.
    pub(super) fn close_streams(&mut self) {
        self.0
            .retain(|session| session.transport == Transport::StreamableHttp);
        for session in &mut self.0 {
            session.outbox = None;
        }
    }

    fn find(&mut self, id: &str, transport: Transport) -> Option<&mut Session> {
        self.0
            .iter_mut()
            .find(|session| session.id == id && session.transport == transport)
    }
}

#[cfg(test)]
mod tests {
    use super::Transport::{HttpSse, StreamableHttp};
    use super::*;

    #[test]
    fn a_session_holds_one_stream_and_another_after_the_client_left() {
        let mut sessions = Sessions::default();
        let id = sessions.open(StreamableHttp).expect("room");
        let first = sessions.hold(&id, StreamableHttp).expect("first stream");
        assert_eq!(
            sessions.hold(&id, StreamableHttp).err(),
            Some(Refusal::Held)
        );
        drop(first);
        assert!(sessions.hold(&id, StreamableHttp).is_ok());
    }

    #[test]
    fn a_session_of_one_transport_is_unknown_to_the_other() {
        let mut sessions = Sessions::default();
        let id = sessions.open(StreamableHttp).expect("room");
        assert!(sessions.knows(&id, StreamableHttp));
        assert!(!sessions.knows(&id, HttpSse));
        assert_eq!(sessions.hold(&id, HttpSse).err(), Some(Refusal::Unknown));
        assert!(!sessions.remove(&id, HttpSse));
        assert!(sessions.remove(&id, StreamableHttp));
        assert!(!sessions.knows(&id, StreamableHttp));
    }

    #[test]
    fn the_outbox_is_bounded_and_gone_with_the_client() {
        let mut sessions = Sessions::default();
        let id = sessions.open(HttpSse).expect("room");
        let inbox = sessions.hold(&id, HttpSse).expect("stream");
        for _ in 0..OUTBOX_MAX {
            assert_eq!(sessions.send(&id, HttpSse, Bytes::new()), Ok(()));
        }
        assert_eq!(
            sessions.send(&id, HttpSse, Bytes::new()),
            Err(Refusal::Full)
        );
        drop(inbox);
        assert_eq!(
            sessions.send(&id, HttpSse, Bytes::new()),
            Err(Refusal::Unknown)
        );
    }

    #[test]
    fn closing_streams_ends_them_and_keeps_streamable_sessions() {
        let mut sessions = Sessions::default();
        let stays = sessions.open(StreamableHttp).expect("room");
        let goes = sessions.open(HttpSse).expect("room");
        let mut streams = [
            sessions.hold(&stays, StreamableHttp).expect("stream"),
            sessions.hold(&goes, HttpSse).expect("stream"),
        ];
        sessions.close_streams();
        for stream in &mut streams {
            assert_eq!(
                stream.try_recv(),
                Err(mpsc::error::TryRecvError::Disconnected)
            );
        }
        assert!(sessions.knows(&stays, StreamableHttp));
        assert!(!sessions.knows(&goes, HttpSse));
    }

    #[test]
    fn the_oldest_idle_session_makes_room_and_a_held_one_never_does() {
        let mut sessions = Sessions::default();
        let held = sessions.open(StreamableHttp).expect("room");
        let mut streams = vec![sessions.hold(&held, StreamableHttp).expect("stream")];
        let idle = sessions.open(StreamableHttp).expect("room");
        for _ in 2..=SESSIONS_MAX {
            let id = sessions.open(StreamableHttp).expect("room");
            streams.push(sessions.hold(&id, StreamableHttp).expect("stream"));
        }
        assert_eq!(sessions.0.len(), SESSIONS_MAX);
        assert!(sessions.knows(&held, StreamableHttp));
        assert!(!sessions.knows(&idle, StreamableHttp));
        assert_eq!(sessions.open(StreamableHttp), Err(Refusal::Full));
    }
}
