//! The wire tap: bytes of a `text/event-stream` to [`Frame`]s.
//!
//! It sees every byte before any parser does, so heartbeats in comments, `retry` lines, over-long lines
//! and an event cut at the end are not lost. Lines and fields follow the WHATWG clause
//! <https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation>.
//! Whole, bounded, valid blocks then go to the `eventsource-stream` crate (see `event.rs`); fed raw, that
//! crate panics on a byte order mark, goes silent after one invalid byte and hides comments.
//!
//! It knows nothing of MCP, of clocks and of why a stream ended.

mod event;
mod tap;

pub use event::Message;
pub use tap::{ENDLESS_LINE, Frame, MAX_BLOCK, Tail, Tap};
