//! The laboratory's clock read: the one place of `lab` that asks what time it is.
//!
//! Everything that formats or judges a time takes it as an argument.

use std::time::{Instant, SystemTime};

/// The monotonic time, for durations.
#[expect(
    clippy::disallowed_methods,
    reason = "the laboratory's only monotonic clock read"
)]
pub(super) fn now() -> Instant {
    Instant::now()
}

/// The calendar time, for log lines.
#[expect(
    clippy::disallowed_methods,
    reason = "the laboratory's only calendar clock read"
)]
pub(super) fn calendar() -> SystemTime {
    SystemTime::now()
}
