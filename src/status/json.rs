//! How values that are not ours to derive look in `/api/v1/status`.
//!
//! Owns three spellings: a closed label as its exported text, counts as an object keyed by that text,
//! a time as RFC 3339 in UTC. Knows nothing of rows.

use std::time::SystemTime;

use serde::Serializer;

use super::words;
use crate::label::Label;

pub(super) fn label<L: Label, S: Serializer>(label: &L, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(label.as_str())
}

pub(super) fn by_label<L: Label, S: Serializer>(
    counts: &[(L, u64)],
    to: S,
) -> Result<S::Ok, S::Error> {
    to.collect_map(counts.iter().map(|(label, count)| (label.as_str(), count)))
}

/// RFC 3339 in UTC; null for a time that has no such form.
pub(super) fn time<S: Serializer>(at: &SystemTime, to: S) -> Result<S::Ok, S::Error> {
    match words::rfc3339(*at) {
        Some(text) => to.serialize_str(&text),
        None => to.serialize_none(),
    }
}
