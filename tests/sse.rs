//! Properties of the wire tap, with `eventsource-stream` as the oracle for what dispatches.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on says so by a panic"
)]

use std::convert::Infallible;

use eventsource_stream::Eventsource;
use futures_util::{FutureExt, StreamExt, stream};
use holter::sse::{Frame, Tail, Tap};
use proptest::prelude::*;

fn tap_frames<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Frame>, Tail) {
    let mut tap = Tap::default();
    let mut frames = Vec::new();
    for chunk in chunks {
        tap.feed(chunk, &mut |frame| frames.push(frame));
    }
    (frames, tap.finish())
}

/// Splits at the given places, taken modulo the length.
fn split<'a>(bytes: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).collect();
    cuts.sort_unstable();
    let mut rest = bytes;
    let mut chunks = Vec::new();
    let mut taken = 0;
    for cut in cuts {
        let (chunk, more) = rest.split_at(cut - taken);
        chunks.push(chunk);
        (rest, taken) = (more, cut);
    }
    chunks.push(rest);
    chunks
}

fn oracle_events(text: &str) -> Vec<(String, String)> {
    stream::iter([Ok::<_, Infallible>(text.to_owned())])
        .eventsource()
        .map(|event| event.expect("the oracle reads valid streams"))
        .map(|event| (event.event, event.data))
        .collect::<Vec<_>>()
        .now_or_never()
        .expect("ready at once")
}

/// Pieces that event streams are made of, joined at random.
fn stream_text(ends: &'static [&'static str]) -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just(": keepalive".to_owned()),
        Just(":".to_owned()),
        Just("data".to_owned()),
        Just("data:".to_owned()),
        Just("event: endpoint".to_owned()),
        Just("retry: 3000".to_owned()),
        Just("id: 7".to_owned()),
        Just(String::new()),
        Just(String::new()),
        "data: [ -~é漢]{0,12}",
        "[a-z]{1,5}:[ -~]{0,8}",
    ];
    prop::collection::vec((piece, prop::sample::select(ends)), 0..40)
        .prop_map(|lines| lines.into_iter().map(|(line, end)| line + end).collect())
}

/// Bytes that break parsers, often enough to matter.
fn hostile_bytes() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![
        Just(b'\r'),
        Just(b'\n'),
        Just(b':'),
        Just(0),
        Just(0xEF),
        Just(0xBB),
        Just(0xBF),
        Just(b'd'),
        Just(b'a'),
        Just(b't'),
        any::<u8>(),
    ];
    prop::collection::vec(byte, 0..200)
}

proptest! {
    #[test]
    fn any_chunking_gives_the_same_frames(
        text in stream_text(&["\n", "\r\n", "\r"]),
        cuts in prop::collection::vec(any::<usize>(), 0..12),
    ) {
        let whole = tap_frames([text.as_bytes()]);
        prop_assert_eq!(tap_frames(split(text.as_bytes(), &cuts)), whole);
    }

    #[test]
    fn no_bytes_panic_and_chunking_does_not_matter(
        bytes in hostile_bytes(),
        cuts in prop::collection::vec(any::<usize>(), 0..12),
    ) {
        let whole = tap_frames([bytes.as_slice()]);
        prop_assert_eq!(tap_frames(split(&bytes, &cuts)), whole);
    }

    #[test]
    fn the_tap_sees_every_event_that_the_crate_yields(text in stream_text(&["\n", "\r\n"])) {
        let (frames, _) = tap_frames([text.as_bytes()]);
        let seen: Vec<_> = frames
            .into_iter()
            .filter_map(|frame| match frame {
                Frame::Event(message) => Some((message.name, message.data)),
                _ => None,
            })
            .collect();
        prop_assert_eq!(seen, oracle_events(&text));
    }

    #[test]
    fn every_comment_line_is_a_heartbeat(beats in 0_usize..20, end in prop::sample::select(vec!["\n", "\r\n", "\r"])) {
        let text = format!(": beat{end}{end}").repeat(beats);
        let (frames, tail) = tap_frames([text.as_bytes()]);
        prop_assert_eq!(frames, vec![Frame::Comment; beats]);
        prop_assert_eq!(tail, Tail::Whole);
    }
}

#[test]
fn a_16_mib_line_is_one_oversize_event() {
    let mut text = b"data: ".to_vec();
    text.resize(16 * 1024 * 1024, b'x');
    text.extend_from_slice(b"\n\n");
    let (frames, tail) = tap_frames(text.chunks(65_536));
    assert_eq!(frames, [Frame::Endless, Frame::Oversize]);
    assert_eq!(tail, Tail::Whole);
}

#[test]
fn a_long_comment_does_not_hide_the_event_behind_it() {
    let mut text = vec![b':'; 100_000];
    text.extend_from_slice(b"\ndata: x\n\n");
    let (frames, _) = tap_frames([text.as_slice()]);
    assert!(
        matches!(&frames[..], [Frame::Comment, Frame::Event(message)] if message.data == "x"),
        "{frames:?}"
    );
}
