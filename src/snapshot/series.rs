//! Counts as they are stored: by the names and labels of the exposition.
//!
//! Does not know what is counted, nor by whom. Sums are stored as their bits and bounds as their text,
//! because JSON's numbers would not give every one back.

use serde::{Deserialize, Serialize};

/// The series of one metric.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Family {
    /// The metric's name.
    pub name: String,
    /// Those that are not 0.
    pub series: Vec<Series>,
}

/// One series.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Series {
    /// Names and values of the labels, sorted by name.
    pub labels: Vec<(String, String)>,
    /// What was counted.
    pub value: Value,
}

/// What was counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Value {
    /// A counter's.
    Counter(u64),
    /// A histogram's.
    Histogram {
        /// Upper bounds, as in `le`, and their own counts; not those that are 0.
        buckets: Vec<(String, u64)>,
        /// The sum of all values, as the bits of an IEEE 754 double.
        sum_bits: u64,
    },
}
