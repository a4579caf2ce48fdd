//! Simulated users: they come through the proxy, hold streams, ask things and hang up.
//!
//! They stand for everybody's real clients, so they name themselves as such and never as Holter.
//! They do what clients do about a lost session, which is to try again. Does not know the replicas.

use std::net::SocketAddr;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderValue, Method, Request, StatusCode, header};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::select;
use tokio::time::{sleep, timeout};

use super::fetch::{Chunks, Fetched, fetch};

const SESSION: &str = "mcp-session-id";

/// Tries to get one stream before a user gives the session up and opens another.
const STREAM_TRIES: u32 = 8;

/// The longest wait for one answer, in heartbeats.
const PATIENCE: u32 = 10;

/// Bytes of an answer or a first event that a user reads.
const ANSWER_MAX: usize = 16 * 1024;

/// How a user uses the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Habit {
    /// Streamable HTTP, back and forth within a few heartbeats.
    Brief,
    /// Streamable HTTP, a stream left open until somebody cuts it or a minute is over.
    Patient,
    /// HTTP+SSE of 2024-11-05.
    Legacy,
}

impl Habit {
    /// Every third user has the same habit.
    pub(super) fn of(user: usize) -> Self {
        match user % 3 {
            0 => Self::Brief,
            1 => Self::Patient,
            _ => Self::Legacy,
        }
    }

    fn user_agent(self) -> &'static str {
        match self {
            Self::Brief => "demo-client/1.0",
            Self::Patient => "demo-desktop/2.3",
            Self::Legacy => "demo-legacy/0.9",
        }
    }

    /// How many heartbeats such a user stays.
    fn stay(self) -> u32 {
        match self {
            Self::Brief | Self::Legacy => fastrand::u32(2..8),
            Self::Patient => fastrand::u32(30..60),
        }
    }

    /// How many heartbeats pass between two requests of a session.
    fn pause(self) -> u32 {
        match self {
            Self::Brief | Self::Legacy => 1,
            Self::Patient => 5,
        }
    }
}

/// One user.
pub(super) struct User {
    /// Where to knock.
    pub(super) proxy: SocketAddr,
    /// A heartbeat: the unit of this user's time.
    pub(super) beat: Duration,
    /// What this user is like.
    pub(super) habit: Habit,
}

impl User {
    /// Visits again and again, with pauses; never ends by itself.
    pub(super) async fn run(self) {
        loop {
            self.jittered(1).await;
            // A visit that came to nothing is what the laboratory is there to show.
            let _: Option<()> = match self.habit {
                Habit::Brief | Habit::Patient => self.visit().await,
                Habit::Legacy => self.visit_legacy().await,
            };
        }
    }

    async fn visit(&self) -> Option<()> {
        let opened = self.ask(self.post("/mcp", &initialize())).await?;
        let id = opened.head.headers.get(SESSION)?.clone();
        let notice = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
        self.ask(in_session(self.post("/mcp", &notice), &id))
            .await?;
        let stream = self.open_stream(&id).await?;
        self.stay(stream, || in_session(self.post("/mcp", &question()), &id))
            .await;
        if fastrand::u32(..3) == 0 {
            self.ask(in_session(
                self.request(Method::DELETE, "/mcp", Body::empty()),
                &id,
            ))
            .await?;
        }
        Some(())
    }

    /// Round robin loses most tries at another replica.
    async fn open_stream(&self, id: &HeaderValue) -> Option<Chunks> {
        for _ in 0..STREAM_TRIES {
            let request = in_session(self.request(Method::GET, "/mcp", Body::empty()), id);
            let fetched = self.fetch(request).await?;
            if fetched.head.status == StatusCode::OK {
                return Some(fetched.body);
            }
            sleep(self.beat / 10).await;
        }
        None
    }

    async fn visit_legacy(&self) -> Option<()> {
        let fetched = self
            .fetch(self.request(Method::GET, "/sse", Body::empty()))
            .await?;
        let mut stream = fetched.body;
        let first = timeout(self.beat * PATIENCE, stream.next())
            .await
            .ok()??
            .ok()?;
        let endpoint = endpoint(&first)?;
        self.ask(self.post(&endpoint, &initialize())).await?;
        self.stay(stream, || self.post(&endpoint, &question()))
            .await;
        Some(())
    }

    /// Holds the stream and asks things until it ends or this user has had enough, then hangs up.
    async fn stay(&self, mut stream: Chunks, question: impl Fn() -> Request<Body>) {
        let listen = async { while let Some(Ok(_)) = stream.next().await {} };
        let talk = async {
            loop {
                self.jittered(self.habit.pause()).await;
                self.ask(question()).await;
            }
        };
        let stay = self.beat * self.habit.stay();
        select! {
            () = listen => {}
            () = talk => {}
            () = sleep(stay) => {}
        }
    }

    /// Asks and reads the answer to its end, whatever it says.
    async fn ask(&self, request: Request<Body>) -> Option<Fetched> {
        let mut fetched = self.fetch(request).await?;
        let read = async {
            let mut bytes = 0;
            while let Some(Ok(chunk)) = fetched.body.next().await
                && bytes < ANSWER_MAX
            {
                bytes += chunk.len();
            }
        };
        timeout(self.beat * PATIENCE, read).await.ok()?;
        Some(fetched)
    }

    async fn fetch(&self, request: Request<Body>) -> Option<Fetched> {
        let fetched = async {
            fetch(TcpStream::connect(self.proxy).await.ok()?, request)
                .await
                .ok()
        };
        timeout(self.beat * PATIENCE, fetched).await.ok()?
    }

    fn post(&self, target: &str, message: &Value) -> Request<Body> {
        let mut request = self.request(Method::POST, target, Body::from(message.to_string()));
        let json = HeaderValue::from_static("application/json");
        request.headers_mut().insert(header::CONTENT_TYPE, json);
        request
    }

    /// A request to a target of the proxy's; one that is no URI goes to `/`.
    fn request(&self, method: Method, target: &str, body: Body) -> Request<Body> {
        let mut request = Request::new(body);
        *request.method_mut() = method;
        *request.uri_mut() = target.parse().unwrap_or_default();
        let headers = request.headers_mut();
        headers.insert(header::HOST, HeaderValue::from_static("mcp.demo.test"));
        headers.insert(
            header::USER_AGENT,
            HeaderValue::from_static(self.habit.user_agent()),
        );
        let accept = HeaderValue::from_static("application/json, text/event-stream");
        headers.insert(header::ACCEPT, accept);
        request
    }

    /// Waits `beats` heartbeats, give or take a half, so that users do not march in step.
    async fn jittered(&self, beats: u32) {
        sleep(
            self.beat
                .mul_f64(f64::from(beats) * (0.5 + fastrand::f64())),
        )
        .await;
    }
}

fn in_session(mut request: Request<Body>, id: &HeaderValue) -> Request<Body> {
    request.headers_mut().insert(SESSION, id.clone());
    let version = HeaderValue::from_static("2025-06-18");
    request
        .headers_mut()
        .insert("mcp-protocol-version", version);
    request
}

fn initialize() -> Value {
    json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": { "name": "demo-client", "version": "1.0" },
    }})
}

fn question() -> Value {
    let method = if fastrand::bool() {
        "ping"
    } else {
        "tools/list"
    };
    json!({ "jsonrpc": "2.0", "id": fastrand::u32(2..), "method": method })
}

/// Where a legacy stream's first event sends the client's messages.
fn endpoint(event: &[u8]) -> Option<String> {
    let event = std::str::from_utf8(event.get(..ANSWER_MAX.min(event.len()))?).ok()?;
    let mut lines = event.lines();
    lines.find(|line| *line == "event: endpoint")?;
    Some(lines.next()?.strip_prefix("data: ")?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_endpoint_is_read_from_the_first_event() {
        for (event, expected) in [
            (
                &b"event: endpoint\ndata: /messages?session_id=1\n\n"[..],
                Some("/messages?session_id=1"),
            ),
            (b": keepalive\n\nevent: endpoint\ndata: /m\n\n", Some("/m")),
            (b"event: message\ndata: /m\n\n", None),
            (b"event: endpoint\n", None),
            (b"\xff", None),
            (b"", None),
        ] {
            assert_eq!(endpoint(event).as_deref(), expected);
        }
    }

    #[test]
    fn no_user_passes_for_holter_and_all_habits_occur() {
        let habits: Vec<_> = (0..3).map(Habit::of).collect();
        assert_eq!(habits, [Habit::Brief, Habit::Patient, Habit::Legacy]);
        for habit in habits {
            assert!(habit.user_agent().starts_with("demo-"));
        }
    }
}
