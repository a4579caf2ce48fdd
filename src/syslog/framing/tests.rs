//! Messages out of chunks: tables, every split, and a property.

use proptest::prelude::*;

use super::*;

const OLD: &str = "<190>Nov 20 09:59:41 host nginx: a b";
const NEW: &str = "<134>1 2026-11-20T10:15:03.123+00:00 lb haproxy 11971 - - a b";

/// Messages as text, a loss as `!cause bytes`.
fn run<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Vec<String> {
    let mut found = Vec::new();
    let mut frames = Frames::default();
    let mut on = |piece: Piece<'_>| {
        found.push(match piece {
            Piece::Line(line) => String::from_utf8_lossy(line).into_owned(),
            Piece::Lost { cause, bytes } => format!("!{cause} {bytes}"),
        });
    };
    for chunk in chunks {
        frames.feed(chunk, &mut on);
        if let At::Counted { message, .. } | At::Head(message) = &frames.at {
            assert!(message.capacity() <= 2 * LINE_MAX);
        }
    }
    frames.finish(&mut on);
    found
}

fn counted(message: &str) -> String {
    format!("{} {message}", message.len())
}

#[test]
fn both_framings_and_both_headers_however_they_are_split() {
    let check = |stream: &str, expected: &[&str]| {
        let bytes = stream.as_bytes();
        assert_eq!(run([bytes]), expected, "{stream:?}");
        for at in 0..bytes.len() {
            let (a, b) = bytes.split_at(at);
            assert_eq!(run([a, b]), expected, "{stream:?} split at {at}");
        }
        assert_eq!(run(bytes.chunks(1)), expected, "{stream:?} byte by byte");
    };
    check("", &[]);
    check(&format!("{OLD}\n{NEW}\n"), &[OLD, NEW]);
    check(&format!("{OLD}\r\n"), &[&format!("{OLD}\r")]);
    check(&(counted(OLD) + &counted(NEW)), &[OLD, NEW]);
    // One sender may be behind another: each message says its own framing.
    check(
        &format!("{}{OLD}\n{}", counted(NEW), counted(OLD)),
        &[NEW, OLD, OLD],
    );
    // A line feed inside a count is part of the message; at its end, or after it, it is none.
    check(&counted("<1>a\nb\n"), &["<1>a\nb"]);
    check(
        &(counted("<1>a") + "\n" + &counted("<1>b") + "\n"),
        &["<1>a", "<1>b"],
    );
    check(&counted("<1>a\0"), &["<1>a"]);
    // An unterminated line is a line; a counted message that is not whole is lost.
    check(OLD, &[OLD]);
    check("9 <1>ab", &["!torn_line 5"]);
    // No lengths: lines of text.
    check(
        "127.0.0.1 - - [x]\n12 a\n012 <1>a\n1234567890 <1>a\n",
        &["127.0.0.1 - - [x]", "12 a", "012 <1>a", "1234567890 <1>a"],
    );
    check("{\"a\":1}\n\n42", &["{\"a\":1}", "42"]);
}

#[test]
fn a_length_beyond_the_cap_is_skipped_and_counted() {
    let long = format!("<1>{}", "x".repeat(LINE_MAX));
    let lost = format!("!line_too_long {}", long.len());
    let stream = counted(&long) + &counted("<1>b");
    let expected = [lost.clone(), "<1>b".to_owned()];
    assert_eq!(run([stream.as_bytes()]), expected);
    assert_eq!(run(stream.as_bytes().chunks(1000)), expected);
    let line = format!("{long}\n<1>b\n");
    assert_eq!(run([line.as_bytes()]), expected);
    assert_eq!(run(["999999999 <1>abc".as_bytes()]), ["!line_too_long 6"]);
}

#[test]
fn a_broken_connection_loses_what_is_held() {
    let check = |stream: &str, bytes: u64| {
        let mut frames = Frames::default();
        frames.feed(stream.as_bytes(), &mut |_| panic!("a message in {stream}"));
        let mut found = Vec::new();
        frames.cut(&mut |piece| match piece {
            Piece::Line(_) => panic!("a message in {stream}"),
            Piece::Lost { bytes, .. } => found.push(bytes),
        });
        assert_eq!(found.iter().sum::<u64>(), bytes, "{stream}");
    };
    check("", 0);
    check("<1>abc", 6);
    check("9", 1);
    check("9 <1>ab", 5);
    check("70000 <1>ab", 5);
}

#[test]
fn the_longest_message_that_fits_is_whole() {
    let message = format!("<1>{}", "x".repeat(LINE_MAX - 3));
    assert_eq!(run([counted(&message).as_bytes()]), [message]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn chunks_make_no_difference(
        parts in prop::collection::vec(
            prop_oneof![
                "[0-9]{1,11} ?<?[a-z \n]{0,20}",
                "<[0-9]{1,3}>[ -~]{0,40}\n",
                Just(counted(OLD)),
                Just(counted(NEW)),
                Just("70000 <".to_owned() + &"y".repeat(70_000)),
            ],
            0..8,
        ),
        noise: Vec<u8>,
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let bytes = [parts.concat().into_bytes(), noise].concat();
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let chunks = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]);
        prop_assert_eq!(run(chunks), run([bytes.as_slice()]));
    }
}
