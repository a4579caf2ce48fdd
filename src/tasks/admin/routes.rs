//! What the admin server answers.
//!
//! Owns paths, content types and headers. Gets the texts from closures and knows nothing of metrics,
//! targets or the state behind the page. Readiness is about this process alone: were it to depend on a
//! target, an unready sidecar would take the server beside it out of service.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::State;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::middleware::map_response;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use bytes::Bytes;
use futures_util::future::BoxFuture;

use super::lifecycle;
use super::scrapes::Scrapes;
use crate::status::{Status, page};
use crate::tasks::clock;
use crate::tasks::reload::Door;

/// The text format's version 0.0.4, as Prometheus negotiates it.
const EXPOSITION: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The page holds its own style and nothing else, so nothing else may load.
const PAGE_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; \
                           form-action 'none'; frame-ancestors 'none'";

/// Where the answers come from.
#[derive(Clone)]
pub struct Views {
    metrics: Arc<dyn Fn() -> BoxFuture<'static, Bytes> + Send + Sync>,
    status: Arc<dyn Fn() -> BoxFuture<'static, Status> + Send + Sync>,
    scrapes: Arc<Scrapes>,
    ready: Arc<AtomicBool>,
    reload: Option<Door>,
}

impl Views {
    /// `metrics` gives the exposition, `status` the picture for the page; both are called once per request, and may wait
    /// for a disk.
    pub fn new<M, S>(
        metrics: impl Fn() -> M + Send + Sync + 'static,
        status: impl Fn() -> S + Send + Sync + 'static,
    ) -> Self
    where
        M: Future<Output = Bytes> + Send + 'static,
        S: Future<Output = Status> + Send + 'static,
    {
        Self {
            metrics: Arc::new(move || Box::pin(metrics())),
            status: Arc::new(move || Box::pin(status())),
            scrapes: Arc::default(),
            ready: Arc::default(),
            reload: None,
        }
    }

    /// Allows `/-/reload`, which asks at this door.
    pub fn allow_reload(mut self, door: Door) -> Self {
        self.reload = Some(door);
        self
    }

    pub(super) fn reload(&self) -> Option<&Door> {
        self.reload.as_ref()
    }

    /// The scrapes seen so far.
    pub fn scrapes(&self) -> Arc<Scrapes> {
        Arc::clone(&self.scrapes)
    }

    /// From now on `/-/ready` says so: the configuration was accepted and every task runs.
    pub fn set_ready(&self) {
        self.ready.store(true, Ordering::Release);
    }
}

impl fmt::Debug for Views {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Views")
            .field("scrapes", &self.scrapes)
            .field("ready", &self.ready)
            .finish_non_exhaustive()
    }
}

/// All paths. `HEAD` is answered as `GET` without the body, any other method with 405.
pub fn router(views: Views) -> Router {
    Router::new()
        .route("/", get(status_page))
        .route("/metrics", get(metrics))
        .route("/api/v1/status", get(status_json))
        .route("/-/healthy", get("Healthy.\n"))
        .route("/-/ready", get(ready))
        .route("/-/reload", post(lifecycle::reload).put(lifecycle::reload))
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(map_response(with_safe_headers))
        .with_state(views)
}

async fn metrics(State(views): State<Views>, method: Method) -> Response {
    let text = (views.metrics)().await;
    // Noted after the rendering: whoever waits for a scrape waits for one with the newest counts.
    if method == Method::GET {
        views.scrapes.record(clock::now());
    }
    ([(CONTENT_TYPE, EXPOSITION)], text).into_response()
}

async fn status_page(State(views): State<Views>) -> Html<String> {
    Html(page::render(&(views.status)().await))
}

async fn status_json(State(views): State<Views>) -> Json<Status> {
    Json((views.status)().await)
}

async fn ready(State(views): State<Views>) -> (StatusCode, &'static str) {
    match views.ready.load(Ordering::Acquire) {
        true => (StatusCode::OK, "Ready.\n"),
        false => (StatusCode::SERVICE_UNAVAILABLE, "Starting.\n"),
    }
}

async fn not_found() -> (StatusCode, &'static str) {
    (StatusCode::NOT_FOUND, "Not found.\n")
}

async fn method_not_allowed() -> (StatusCode, &'static str) {
    (StatusCode::METHOD_NOT_ALLOWED, "Method not allowed.\n")
}

async fn with_safe_headers(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in [
        (CONTENT_SECURITY_POLICY, PAGE_POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (CACHE_CONTROL, "no-store"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}
