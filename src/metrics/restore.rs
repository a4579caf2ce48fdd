//! Counts to and from a snapshot.
//!
//! What is stored is taken from the very families that the answer is made of, so that both are the same
//! by construction. Gauges and the process's own metrics are not stored: they say what is now.

use std::collections::{BTreeMap, HashMap, HashSet};

use prometheus::core::Collector;
use prometheus::{IntCounterVec, TextEncoder, proto};

use super::histogram::{HistogramVec, Observed};
use super::{Metrics, log};
use crate::snapshot::series::{Family, Series, Value};

/// A family whose series are stored.
#[derive(Clone, Debug)]
pub(super) enum Stored {
    Counter(IntCounterVec),
    Histogram(HistogramVec),
}

/// Every metric's value as of one moment.
#[derive(Debug)]
pub struct Gathered(pub(super) Vec<proto::MetricFamily>);

impl Gathered {
    /// The exposition in the Prometheus text format, version 0.0.4.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        // Encoding fails on a family without metrics or with a duplicate; `gather` gives neither.
        if let Err(error) = TextEncoder::new().encode_utf8(&self.0, &mut text) {
            tracing::error!(%error, "the exposition is incomplete");
        }
        text
    }
}

impl Metrics {
    /// The counts among these values, for a snapshot.
    pub fn stored(&self, gathered: &Gathered) -> Vec<Family> {
        gathered
            .0
            .iter()
            .filter(|family| self.stored.contains_key(family.name()))
            .map(|family| Family {
                name: family.name().to_owned(),
                series: family.get_metric().iter().filter_map(series).collect(),
            })
            .filter(|family| !family.series.is_empty())
            .collect()
    }

    /// Goes on from what was stored. To be called once, before anything is counted. Series that the
    /// configuration does not have are dropped, and so is a histogram that had other bounds.
    pub fn restore(&self, families: &[Family]) {
        for family in families {
            if family.name == log::UPSTREAM_CLOSED {
                self.restore_upstreams(family);
            }
            match self.stored.get(&family.name) {
                Some(Stored::Counter(counter)) => restore_counter(counter, family),
                Some(Stored::Histogram(histogram)) => restore_histogram(histogram, family),
                None => {}
            }
        }
    }

    /// Upstreams are the only labels that the configuration does not name.
    fn restore_upstreams(&self, family: &Family) {
        for series in &family.series {
            let label = |name: &str| {
                let found = series.labels.iter().find(|(known, _)| known == name);
                found.map_or("", |(_, value)| value)
            };
            if let Some(source) = self.source(label("source")) {
                source.restore_upstream(label("upstream"));
            }
        }
    }
}

/// One series as it is stored, unless it is 0.
fn series(metric: &proto::Metric) -> Option<Series> {
    let value = match metric.get_histogram() {
        histogram if histogram.get_bucket().is_empty() => {
            // Counts are whole, and exact as doubles up to 2^53.
            match metric.get_counter().get_value() as u64 {
                0 => return None,
                count => Value::Counter(count),
            }
        }
        histogram if histogram.get_sample_count() == 0 => return None,
        histogram => {
            let mut before = 0;
            let mut buckets: Vec<_> = histogram
                .get_bucket()
                .iter()
                .map(|bucket| {
                    let count = bucket.cumulative_count() - before;
                    before = bucket.cumulative_count();
                    (bucket.upper_bound().to_string(), count)
                })
                .collect();
            buckets.push((ABOVE.to_owned(), histogram.get_sample_count() - before));
            buckets.retain(|(_, count)| *count > 0);
            Value::Histogram {
                buckets,
                sum_bits: histogram.get_sample_sum().to_bits(),
            }
        }
    };
    let labels = metric.get_label().iter();
    Some(Series {
        labels: labels
            .map(|pair| (pair.name().to_owned(), pair.value().to_owned()))
            .collect(),
        value,
    })
}

/// The bound above all.
const ABOVE: &str = "+Inf";

fn restore_counter(counter: &IntCounterVec, family: &Family) {
    let mut known = HashSet::new();
    for family in counter.collect() {
        for metric in family.get_metric() {
            known.insert(owned(metric.get_label()));
        }
    }
    for series in &family.series {
        let Value::Counter(count) = series.value else {
            continue;
        };
        if !known.contains(&series.labels) {
            continue;
        }
        let labels = series.labels.iter().map(|(n, v)| (n.as_str(), v.as_str()));
        let labels: HashMap<&str, &str> = labels.collect();
        if let Ok(counter) = counter.get_metric_with(&labels) {
            counter.inc_by(count);
        }
    }
}

fn restore_histogram(histogram: &HistogramVec, family: &Family) {
    for series in &family.series {
        let Value::Histogram { buckets, sum_bits } = &series.value else {
            continue;
        };
        let counts = counts_for(histogram.bounds(), buckets);
        let sum = f64::from_bits(*sum_bits);
        let labels: Vec<_> = series.labels.iter().map(|(n, v)| (&**n, &**v)).collect();
        if let (Some(known), Some(counts)) = (histogram.known(&labels), counts) {
            known.restore(Observed { counts, sum });
        }
    }
}

/// A count for each bound and one for what is above; `None` if a stored bound is none of these.
fn counts_for(bounds: &[f64], stored: &[(String, u64)]) -> Option<Vec<u64>> {
    let names = bounds.iter().map(f64::to_string).chain([ABOVE.to_owned()]);
    let names: BTreeMap<String, usize> = names.enumerate().map(|(at, name)| (name, at)).collect();
    let mut counts = vec![0; names.len()];
    for (name, count) in stored {
        *counts.get_mut(*names.get(name)?)? = *count;
    }
    Some(counts)
}

fn owned(labels: &[proto::LabelPair]) -> Vec<(String, String)> {
    labels
        .iter()
        .map(|pair| (pair.name().to_owned(), pair.value().to_owned()))
        .collect()
}

#[cfg(test)]
mod tests;
