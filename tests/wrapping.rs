//! Files as a container runtime writes them give, line by line, what the process printed.
//!
//! `tests/golden/wrapping`: nginx's access and error log in CRI and docker wrapping, every 40th line split.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::Read;

use flate2::read::GzDecoder;
use holter::access_log::wrapping::{Output, Unwrapped, Unwrapper, Wrapping};

fn golden(path: &str) -> String {
    let path = format!("tests/golden/{path}.gz");
    let file = std::fs::File::open(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let mut text = String::new();
    GzDecoder::new(file).read_to_string(&mut text).unwrap();
    text
}

#[test]
fn unwrapped_files_equal_the_plain_ones() {
    for (log, output) in [("upstreaminfo", Output::Stdout), ("error", Output::Stderr)] {
        let plain = golden(&format!("access_log/nginx/{log}.log"));
        for wrapping in [Wrapping::Cri, Wrapping::Docker] {
            let wrapped = golden(&format!("wrapping/{log}.{wrapping}.log"));
            for given in [Some(wrapping), None] {
                let mut unwrapper = Unwrapper::new(given);
                let (mut lines, mut pieces) = (Vec::new(), 0);
                for line in wrapped.lines() {
                    match unwrapper.line(line.as_bytes()) {
                        Unwrapped::Line(from, text) => {
                            assert_eq!(from, output);
                            lines.push(String::from_utf8(text.into_owned()).unwrap());
                        }
                        Unwrapped::Piece => pieces += 1,
                        Unwrapped::Damaged(kind) => panic!("{kind}: {line}"),
                    }
                }
                assert!(pieces > 0, "{log}.{wrapping}: no line was split");
                assert_eq!(lines, plain.lines().collect::<Vec<_>>(), "{log}.{wrapping}");
                assert_eq!(unwrapper.wrapping(), Some(wrapping));
            }
        }
    }
}
