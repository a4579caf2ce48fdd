//! One answer of `/metrics`, and sums over the series in it.
//!
//! A selector is written as a series stands in the exposition, with as many labels as matter:
//! `holter_canary_streams{leg="proxy"}`. It does not know which metrics exist.

use std::collections::BTreeMap;

/// The samples of a text exposition (format 0.0.4).
pub(crate) struct Scrape {
    samples: Vec<(Series, f64)>,
}

/// A metric's name and labels.
#[derive(Debug, PartialEq, Eq)]
struct Series {
    name: String,
    labels: BTreeMap<String, String>,
}

impl Scrape {
    /// Reads an exposition; a line that cannot be read is an error.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let lines = text
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'));
        let samples = lines.map(|line| sample(line).ok_or_else(|| format!("not a sample: {line}")));
        Ok(Self {
            samples: samples.collect::<Result<_, _>>()?,
        })
    }

    /// The sum of all series that `selector` fits, or the metric's series if it fits none: a series that
    /// is absent is not 0.
    pub(crate) fn sum(&self, selector: &str) -> Result<f64, String> {
        let wanted = series(selector).unwrap_or_else(|| panic!("not a selector: {selector}"));
        let fitting: Vec<f64> = self
            .samples
            .iter()
            .filter(|(series, _)| series.fits(&wanted))
            .map(|(_, v)| *v)
            .collect();
        if fitting.is_empty() {
            return Err(format!(
                "no {selector}; there are {:?}",
                self.named(&wanted.name)
            ));
        }
        Ok(fitting.iter().sum())
    }

    fn named(&self, name: &str) -> Vec<&(Series, f64)> {
        self.samples
            .iter()
            .filter(|(series, _)| series.name == name)
            .collect()
    }
}

impl Series {
    fn fits(&self, wanted: &Self) -> bool {
        let has = |(key, value)| self.labels.get(key) == Some(value);
        self.name == wanted.name && wanted.labels.iter().all(has)
    }
}

/// `name{label="value",…} value`, as the format writes it.
fn sample(line: &str) -> Option<(Series, f64)> {
    let (head, value) = line.rsplit_once(' ')?;
    Some((series(head)?, value.parse().ok()?))
}

/// `name` or `name{label="value",…}`. Escapes in values are not undone: no test needs them.
fn series(text: &str) -> Option<Series> {
    let (name, labels) = match text.split_once('{') {
        Some((name, rest)) => (name, rest.strip_suffix('}')?),
        None => (text, ""),
    };
    let pairs = labels.split_terminator("\",").map(|pair| {
        let (key, value) = pair.split_once("=\"")?;
        Some((key.to_owned(), value.trim_end_matches('"').to_owned()))
    });
    let labels = pairs.collect::<Option<_>>()?;
    let name = name.to_owned();
    Some(Series { name, labels })
}

#[test]
fn a_selector_sums_the_series_it_fits() {
    let text = "# HELP a_total Things.\n# TYPE a_total counter\n\
                a_total{leg=\"direct\",reason=\"x\"} 1\na_total{leg=\"proxy\",reason=\"x\"} 2\n\
                a_total{leg=\"proxy\",reason=\"y, z\"} 4\nb 0.5\nc_bucket{le=\"+Inf\"} 3e2\n";
    let scrape = Scrape::parse(text).unwrap();
    let check = |selector: &str, expected: Option<f64>| {
        assert_eq!(scrape.sum(selector).ok(), expected, "{selector}");
    };
    check("a_total", Some(7.0));
    check(r#"a_total{leg="proxy"}"#, Some(6.0));
    check(r#"a_total{reason="x",leg="proxy"}"#, Some(2.0));
    check(r#"a_total{reason="y, z"}"#, Some(4.0));
    check("b", Some(0.5));
    check(r#"c_bucket{le="+Inf"}"#, Some(300.0));
    check(r#"a_total{leg="sideways"}"#, None);
    check(r#"b{leg="proxy"}"#, None);
    check("a", None);
    assert!(Scrape::parse("a_total{leg=\"proxy\" 1").is_err());
    assert!(Scrape::parse("a_total one").is_err());
}
