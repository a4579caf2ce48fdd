//! The only place that reads a clock.
//!
//! Pure code gets the time as an argument. Monotonic time goes through tokio's clock, so that a test
//! that pauses tokio's time pauses all of it.

use std::pin::Pin;
use std::time::{Instant, SystemTime};

use tokio::time::{Sleep, sleep_until as ring_at};

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

/// A timer whose deadline moves away with each heartbeat, as a canary's does: it is set anew only where it would
/// ring too late, and one that rings too early is set again. Setting it costs as much as reading a heartbeat.
#[derive(Debug, Default)]
pub struct Alarm {
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Alarm {
    /// Waits until `deadline`; for ever where there is none. Cancel-safe.
    pub async fn at(&mut self, deadline: Option<Instant>) {
        let Some(deadline) = deadline.map(tokio::time::Instant::from_std) else {
            return std::future::pending().await;
        };
        let sleep = self
            .sleep
            .get_or_insert_with(|| Box::pin(ring_at(deadline)));
        if sleep.deadline() > deadline || sleep.is_elapsed() {
            sleep.as_mut().reset(deadline);
        }
        sleep.as_mut().await;
        while sleep.deadline() < deadline {
            sleep.as_mut().reset(deadline);
            sleep.as_mut().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::time::Duration;

    use futures_util::FutureExt;

    use super::*;

    /// When the alarm rings that was set to these, one after the other.
    async fn rings(deadlines: &[Instant]) -> Instant {
        let mut alarm = Alarm::default();
        let (last, earlier) = deadlines.split_last().unwrap();
        for deadline in earlier {
            let mut ringing = pin!(alarm.at(Some(*deadline)));
            let _: Option<()> = ringing.as_mut().now_or_never();
        }
        alarm.at(Some(*last)).await;
        now()
    }

    #[tokio::test]
    async fn an_alarm_rings_at_its_last_deadline() {
        let start = now();
        let [soon, later] = [2, 20].map(|millis| start + Duration::from_millis(millis));
        let never = start + Duration::from_hours(100);
        assert!(rings(&[later]).await >= later);
        assert!(
            rings(&[soon, later]).await >= later,
            "not when it was set first"
        );
        // Would be waited for.
        rings(&[never, soon]).await;
        rings(&[soon, never, soon]).await;
    }
}
