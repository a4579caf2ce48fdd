//! One whole block of an event stream to a [`Message`], by the `eventsource-stream` crate.

use std::convert::Infallible;

use eventsource_stream::Eventsource as _;
use futures_util::{FutureExt as _, StreamExt as _, stream};

/// One dispatched server-sent event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// The event's name; `message` where the server gave none.
    pub name: String,
    /// The data lines, joined by line feeds.
    pub data: String,
    /// The event's id; empty where the block had none.
    pub id: String,
}

/// Parses one block: field lines that each end in a line feed, then an empty line.
///
/// Invalid UTF-8 is replaced, as the WHATWG decoder does. `None` where the block dispatches nothing.
pub(super) fn parse(block: &[u8]) -> Option<Message> {
    let text = String::from_utf8_lossy(block).into_owned();
    // The block is whole and in memory, so the stream is ready at the first poll: no await happens.
    let mut events = stream::iter([Ok::<_, Infallible>(text)]).eventsource();
    let event = events.next().now_or_never()??.ok()?;
    Some(Message {
        name: event.event,
        data: event.data,
        id: event.id,
    })
}
