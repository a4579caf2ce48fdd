//! A replica's HTTP surface: legacy HTTP+SSE (2024-11-05) and Streamable HTTP (2025-06-18).
//!
//! Statuses and bodies are those of the official SDKs' servers. Does not decide what a message means
//! (`rpc`) nor which sessions exist (`sessions`).

use std::sync::Arc;

use axum::Router;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;

use super::Life;
use super::rpc::{self, Reply};
use super::sessions::Refusal;
use super::sessions::Transport::{HttpSse, StreamableHttp};
use super::stream;

/// The session header (spec 2025-06-18, basic/transports, "Session Management").
const SESSION: &str = "mcp-session-id";

const JSON: [(header::HeaderName, &str); 1] = [(header::CONTENT_TYPE, "application/json")];

/// The routes of one life of a replica.
pub(super) fn routes(life: Arc<Life>) -> Router {
    Router::new()
        .route("/sse", get(open_legacy))
        .route("/messages", post(post_legacy))
        .route(
            "/mcp",
            post(post_message).get(open_stream).delete(end_session),
        )
        .with_state(life)
}

async fn open_legacy(State(life): State<Arc<Life>>) -> Response {
    let mut sessions = life.sessions();
    let opened = sessions.open(HttpSse).and_then(|id| {
        let inbox = sessions.hold(&id, HttpSse)?;
        let endpoint = format!("event: endpoint\ndata: /messages?session_id={id}\n\n");
        sessions.send(&id, HttpSse, Bytes::from(endpoint))?;
        Ok(inbox)
    });
    drop(sessions);
    match opened {
        Ok(inbox) => stream::events(life, inbox),
        Err(refusal) => refused(refusal),
    }
}

#[derive(Deserialize)]
struct Endpoint {
    session_id: Option<String>,
}

async fn post_legacy(
    State(life): State<Arc<Life>>,
    Query(endpoint): Query<Endpoint>,
    body: Bytes,
) -> Response {
    let Some(id) = endpoint.session_id else {
        return (StatusCode::BAD_REQUEST, "session_id is required").into_response();
    };
    let mut sessions = life.sessions();
    if !sessions.knows(&id, HttpSse) {
        return unknown_legacy();
    }
    let Ok(message) = serde_json::from_slice::<Value>(&body) else {
        return (StatusCode::BAD_REQUEST, "Could not parse message").into_response();
    };
    let sent = match rpc::reply(&message) {
        Reply::Accepted => Ok(()),
        Reply::Answer(answer) => {
            let event = Bytes::from(format!("event: message\ndata: {answer}\n\n"));
            sessions.send(&id, HttpSse, event)
        }
    };
    match sent {
        Ok(()) => (StatusCode::ACCEPTED, "Accepted").into_response(),
        Err(Refusal::Unknown) => unknown_legacy(),
        Err(refusal) => refused(refusal),
    }
}

async fn post_message(State(life): State<Arc<Life>>, headers: HeaderMap, body: Bytes) -> Response {
    let Ok(message) = serde_json::from_slice::<Value>(&body) else {
        return failed(StatusCode::BAD_REQUEST, -32700, "Parse error");
    };
    if rpc::is_initialize(&message) {
        return open_session(&life, &message);
    }
    if let Err(response) = known_session(&life, &headers) {
        return *response;
    }
    match rpc::reply(&message) {
        Reply::Accepted => StatusCode::ACCEPTED.into_response(),
        Reply::Answer(answer) => (JSON, answer.to_string()).into_response(),
    }
}

fn open_session(life: &Life, message: &Value) -> Response {
    let id = match life.sessions().open(StreamableHttp) {
        Ok(id) => id,
        Err(refusal) => return refused(refusal),
    };
    match rpc::reply(message) {
        Reply::Answer(answer) => (JSON, [(SESSION, id)], answer.to_string()).into_response(),
        Reply::Accepted => StatusCode::ACCEPTED.into_response(),
    }
}

async fn open_stream(State(life): State<Arc<Life>>, headers: HeaderMap) -> Response {
    let id = match known_session(&life, &headers) {
        Ok(id) => id,
        Err(response) => return *response,
    };
    let held = life.sessions().hold(&id, StreamableHttp);
    match held {
        Ok(inbox) => stream::events(life, inbox),
        Err(refusal) => refused(refusal),
    }
}

async fn end_session(State(life): State<Arc<Life>>, headers: HeaderMap) -> Response {
    match known_session(&life, &headers) {
        Ok(id) => {
            life.sessions().remove(&id, StreamableHttp);
            StatusCode::OK.into_response()
        }
        Err(response) => *response,
    }
}

/// The request's session, or why it is refused: missing id 400, unknown id 404.
fn known_session(life: &Life, headers: &HeaderMap) -> Result<String, Box<Response>> {
    let Some(id) = headers.get(SESSION).and_then(|id| id.to_str().ok()) else {
        let text = "Bad Request: Mcp-Session-Id header is required";
        return Err(Box::new(failed(StatusCode::BAD_REQUEST, -32000, text)));
    };
    if life.sessions().knows(id, StreamableHttp) {
        Ok(id.to_owned())
    } else {
        Err(Box::new(refused(Refusal::Unknown)))
    }
}

fn refused(refusal: Refusal) -> Response {
    match refusal {
        Refusal::Unknown => failed(StatusCode::NOT_FOUND, -32001, "Session not found"),
        Refusal::Held => {
            let text = "Conflict: Only one SSE stream is allowed per session";
            failed(StatusCode::CONFLICT, -32000, text)
        }
        Refusal::Full => failed(
            StatusCode::SERVICE_UNAVAILABLE,
            -32603,
            "Too many open sessions",
        ),
    }
}

fn failed(status: StatusCode, code: i64, text: &str) -> Response {
    (
        status,
        JSON,
        rpc::error(&Value::Null, code, text).to_string(),
    )
        .into_response()
}

fn unknown_legacy() -> Response {
    (StatusCode::NOT_FOUND, "Could not find session").into_response()
}
