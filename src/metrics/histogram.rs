//! A histogram that can be set: after a crash it goes on from its last snapshot.
//!
//! `prometheus` has no way to give a histogram its past back, so the type is our own and registered as a
//! [`Collector`]. Called as the crate's own: `with_label_values`, `observe`.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus::core::{Collector, Desc};
use prometheus::proto;

/// A family of histograms that differ in their labels.
#[derive(Clone, Debug)]
pub(super) struct HistogramVec {
    desc: Desc,
    bounds: &'static [f64],
    series: Arc<Mutex<Vec<Series>>>,
}

/// One of the family, under its labels as the exposition sorts them.
type Series = (Vec<proto::LabelPair>, Histogram);

/// One histogram; its clones are the same one.
#[derive(Clone, Debug)]
pub(super) struct Histogram {
    bounds: &'static [f64],
    observed: Arc<Mutex<Observed>>,
}

/// What was observed. One lock, so that a reading never has a count without its sum.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Observed {
    /// A count for each bound, and one for what is above the last.
    pub(super) counts: Vec<u64>,
    /// The sum of all values.
    pub(super) sum: f64,
}

impl HistogramVec {
    /// A family without series; `bounds` rise.
    pub(super) fn new(
        name: &str,
        help: &str,
        labels: &[&'static str],
        bounds: &'static [f64],
    ) -> prometheus::Result<Self> {
        let labels = labels.iter().map(|&label| label.to_owned()).collect();
        Ok(Self {
            desc: Desc::new(name.to_owned(), help.to_owned(), labels, Default::default())?,
            bounds,
            series: Arc::default(),
        })
    }

    /// The histogram with these label values, in the order of the labels; created if there is none.
    pub(super) fn with_label_values(&self, values: &[&str]) -> Histogram {
        debug_assert_eq!(values.len(), self.desc.variable_labels.len());
        let mut pairs: Vec<_> = self.desc.variable_labels.iter().zip(values).collect();
        pairs.sort_unstable();
        let pairs: Vec<_> = pairs.into_iter().map(|(n, v)| pair(n, v)).collect();
        let mut series = lock(&self.series);
        if let Some((_, known)) = series.iter().find(|(labels, _)| *labels == pairs) {
            return known.clone();
        }
        let histogram = Histogram::new(self.bounds);
        series.push((pairs, histogram.clone()));
        histogram
    }
}

impl HistogramVec {
    /// The upper bounds.
    pub(super) fn bounds(&self) -> &'static [f64] {
        self.bounds
    }

    /// The histogram with these labels, sorted by name, if there is one.
    pub(super) fn known(&self, labels: &[(&str, &str)]) -> Option<Histogram> {
        let labels: Vec<_> = labels.iter().map(|(n, v)| pair(n, v)).collect();
        let series = lock(&self.series);
        let found = series.iter().find(|(known, _)| *known == labels);
        found.map(|(_, histogram)| histogram.clone())
    }
}

impl Collector for HistogramVec {
    fn desc(&self) -> Vec<&Desc> {
        vec![&self.desc]
    }

    fn collect(&self) -> Vec<proto::MetricFamily> {
        let metrics = lock(&self.series)
            .iter()
            .map(|(labels, histogram)| {
                let mut metric = proto::Metric::from_label(labels.clone());
                metric.set_histogram(histogram.reading());
                metric
            })
            .collect();
        let mut family = proto::MetricFamily::default();
        family.set_name(self.desc.fq_name.clone());
        family.set_help(self.desc.help.clone());
        family.set_field_type(proto::MetricType::HISTOGRAM);
        family.set_metric(metrics);
        vec![family]
    }
}

impl Histogram {
    fn new(bounds: &'static [f64]) -> Self {
        let observed = Observed {
            counts: vec![0; bounds.len() + 1],
            sum: 0.0,
        };
        Self {
            bounds,
            observed: Arc::new(Mutex::new(observed)),
        }
    }

    /// Counts one value; a bound belongs to the bucket below it.
    pub(super) fn observe(&self, value: f64) {
        let at = self.bounds.partition_point(|bound| value > *bound);
        let mut observed = lock(&self.observed);
        if let Some(count) = observed.counts.get_mut(at) {
            *count += 1;
        }
        observed.sum += value;
    }

    /// Goes on from there; `past` has as many counts as the histogram.
    pub(super) fn restore(&self, past: Observed) {
        *lock(&self.observed) = past;
    }

    fn reading(&self) -> proto::Histogram {
        let observed = lock(&self.observed).clone();
        let mut total = 0_u64;
        let buckets = self.bounds.iter().zip(&observed.counts);
        let buckets: Vec<_> = buckets
            .map(|(bound, count)| {
                total = total.saturating_add(*count);
                let mut bucket = proto::Bucket::default();
                bucket.set_upper_bound(*bound);
                bucket.set_cumulative_count(total);
                bucket
            })
            .collect();
        let mut reading = proto::Histogram::default();
        reading.set_bucket(buckets);
        let above = observed.counts.last().copied().unwrap_or_default();
        reading.set_sample_count(total.saturating_add(above));
        reading.set_sample_sum(observed.sum);
        reading
    }
}

fn pair(name: &str, value: &str) -> proto::LabelPair {
    let mut pair = proto::LabelPair::default();
    pair.set_name(name.to_owned());
    pair.set_value(value.to_owned());
    pair
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus::{Encoder, HistogramOpts, Registry, TextEncoder};

    const BOUNDS: &[f64] = &[0.1, 1.0, 10.0];

    fn text(collector: impl Collector + 'static) -> String {
        let registry = Registry::new();
        registry.register(Box::new(collector)).unwrap();
        let mut text = Vec::new();
        TextEncoder::new()
            .encode(&registry.gather(), &mut text)
            .unwrap();
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn reads_as_the_histogram_of_the_crate() {
        let labels = ["source", "leg"];
        let ours = HistogramVec::new("a", "Help.", &["source", "leg"], BOUNDS).unwrap();
        let opts = HistogramOpts::new("a", "Help.").buckets(BOUNDS.to_vec());
        let theirs = prometheus::HistogramVec::new(opts, &labels).unwrap();
        for values in [["x", "direct"], ["a", "proxy"], ["x", "direct"]] {
            for value in [0.0, 0.1, 0.100_001, 10.0, 11.5, 1e9] {
                ours.with_label_values(&values).observe(value);
                theirs.with_label_values(&values).observe(value);
            }
        }
        assert_eq!(text(ours), text(theirs));
    }
}
