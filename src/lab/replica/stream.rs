//! A replica's SSE stream: its messages, and a heartbeat comment each interval.
//!
//! Ends with the final chunk when its session lets go of the outbox; ends without when the
//! connection's task is torn down. Knows neither session ids nor HTTP paths.

use std::sync::Arc;

use axum::body::Body;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;
use tokio::select;
use tokio::sync::mpsc::Receiver;
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::Life;

/// The TypeScript SDK's comment, byte for byte.
const HEARTBEAT: &[u8] = b": keepalive\n\n";

/// The response that carries what comes out of `inbox`, with heartbeats in between.
pub(super) fn events(life: Arc<Life>, inbox: Receiver<Bytes>) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-cache, no-transform"),
    ];
    let events = stream::unfold(Events::new(life, inbox), |mut events| async {
        let event = events.next().await?;
        Some((Ok::<_, std::convert::Infallible>(event), events))
    });
    (headers, Body::from_stream(events)).into_response()
}

struct Events {
    life: Arc<Life>,
    inbox: Receiver<Bytes>,
    beats: Interval,
}

impl Events {
    fn new(life: Arc<Life>, inbox: Receiver<Bytes>) -> Self {
        let mut beats = interval(life.heartbeat);
        // The first beat is due after an interval, and a late one does not pull others along.
        beats.reset();
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { life, inbox, beats }
    }

    async fn next(&mut self) -> Option<Bytes> {
        loop {
            select! {
                event = self.inbox.recv() => return event,
                _ = self.beats.tick() => if !self.life.is_napping() {
                    return Some(Bytes::from_static(HEARTBEAT));
                },
            }
        }
    }
}
