//! Whatever was encoded is read back as it was, and nothing else is.

use super::series::{Series, Value};
use super::*;
use proptest::prelude::*;

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<u64>().prop_map(Value::Counter),
        (
            prop::collection::vec((any::<f64>(), any::<u64>()), 0..4),
            any::<f64>()
        )
            .prop_map(|(buckets, sum)| Value::Histogram {
                buckets: buckets
                    .into_iter()
                    .map(|(bound, count)| (bound.to_string(), count))
                    .collect(),
                sum_bits: sum.to_bits(),
            }),
    ]
}

fn family() -> impl Strategy<Value = Family> {
    let labels = prop::collection::vec((any::<String>(), any::<String>()), 0..3);
    let series = (labels, value()).prop_map(|(labels, value)| Series { labels, value });
    (any::<String>(), prop::collection::vec(series, 0..4))
        .prop_map(|(name, series)| Family { name, series })
}

fn snapshot() -> impl Strategy<Value = Snapshot> {
    let source = any::<String>().prop_map(|name| Source {
        name,
        access: Checkpoint::default(),
        error: Checkpoint::default(),
        held: reader::Held::default(),
    });
    (
        prop::collection::vec(family(), 0..4),
        prop::collection::vec(source, 0..3),
    )
        .prop_map(|(families, sources)| Snapshot { families, sources })
}

proptest! {
    #[test]
    fn reads_what_was_written(snapshot in snapshot()) {
        prop_assert_eq!(Snapshot::decode(&snapshot.encode()), Ok(snapshot));
    }

    #[test]
    fn never_panics(bytes in any::<Vec<u8>>(), tail in any::<Vec<u8>>()) {
        prop_assert!(Snapshot::decode(&bytes).is_err());
        let like = [b"holter-snapshot 1 ", &tail[..]].concat();
        prop_assert!(Snapshot::decode(&like).is_err());
    }
}

fn small() -> Vec<u8> {
    let labels = vec![("source".to_owned(), "edge".to_owned())];
    let series = vec![Series {
        labels,
        value: Value::Counter(7),
    }];
    let name = "holter_log_lines_total".to_owned();
    let families = vec![Family { name, series }];
    Snapshot {
        families,
        sources: Vec::new(),
    }
    .encode()
}

#[test]
fn every_cut_and_every_flipped_bit_is_refused() {
    let whole = small();
    assert!(Snapshot::decode(&whole).is_ok());
    for length in 0..whole.len() {
        assert!(Snapshot::decode(&whole[..length]).is_err(), "{length}");
    }
    for bit in 0..8 * whole.len() {
        let mut flipped = whole.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(Snapshot::decode(&flipped).is_err(), "bit {bit}");
    }
    let longer = [&whole[..], b"\n"].concat();
    assert_eq!(Snapshot::decode(&longer), Err(Rejected::Corrupt));
}

#[test]
fn says_why_it_refuses() {
    let whole = String::from_utf8(small()).unwrap();
    let check = |text: &str, expected: Rejected| {
        assert_eq!(Snapshot::decode(text.as_bytes()), Err(expected), "{text:?}");
    };
    check("", Rejected::Foreign);
    check("{}", Rejected::Foreign);
    check("logs:\n- name: edge\n", Rejected::Foreign);
    check(&whole.replacen(" 1 ", " 2 ", 1), Rejected::Version);
    check(&whole.replace('7', "8"), Rejected::Corrupt);
}
