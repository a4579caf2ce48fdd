//! The only place that reads a clock.
//!
//! Pure code gets the time as an argument. Monotonic time goes through tokio's clock, so that a test
//! that pauses tokio's time pauses all of it.

use std::time::{Instant, SystemTime};

/// Monotonic time, for spans.
#[expect(
    clippy::disallowed_methods,
    reason = "the one read of the monotonic clock"
)]
pub fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// Calendar time, for what people and other programs read. May be set back.
#[expect(clippy::disallowed_methods, reason = "the one read of the wall clock")]
pub fn wall() -> SystemTime {
    SystemTime::now()
}

/// Waits until `deadline`; for ever where there is none. Cancel-safe.
pub async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}
