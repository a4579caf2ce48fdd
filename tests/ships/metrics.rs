//! Which of Holter's metrics a text names, and which of those Holter does not export.
//!
//! Knows no metric itself: the set of names is the caller's, so that it can come from the code.

use std::collections::BTreeSet;

use regex::Regex;

/// The `holter_…` metrics in a PromQL expression or in prose. Strings are left out, and so are recorded
/// series (`level:holter_…`), which are not exported.
pub(crate) fn named(text: &str) -> BTreeSet<String> {
    let without_strings = Regex::new(r#""(?:[^"\\]|\\.)*""#)
        .unwrap()
        .replace_all(text, "");
    let token = Regex::new(r"[A-Za-z_:][A-Za-z0-9_:]*").unwrap();
    let tokens = token
        .find_iter(&without_strings)
        .map(|found| found.as_str().trim_end_matches(':'));
    tokens
        .filter(|name| name.starts_with("holter_") && !name.contains(':'))
        .map(str::to_owned)
        .collect()
}

/// The recorded series that a text names.
pub(crate) fn recorded(text: &str) -> BTreeSet<String> {
    let name = Regex::new(r"[a-z_]+:holter_[a-z0-9_]+:[a-z0-9]+").unwrap();
    name.find_iter(text)
        .map(|found| found.as_str().to_owned())
        .collect()
}

/// The names that are not in `catalogue`. A histogram stands there once, without `_bucket`, `_sum`, `_count`.
pub(crate) fn unknown<'a>(names: &'a BTreeSet<String>, catalogue: &BTreeSet<&str>) -> Vec<&'a str> {
    let known = |name: &str| {
        let histogram = ["_bucket", "_sum", "_count"]
            .iter()
            .find_map(|suffix| name.strip_suffix(suffix));
        catalogue.contains(name) || histogram.is_some_and(|base| catalogue.contains(base))
    };
    names
        .iter()
        .map(String::as_str)
        .filter(|name| !known(name))
        .collect()
}

#[test]
fn finds_the_metrics_in_an_expression() {
    let check = |expr: &str, expected: &[&str]| {
        assert_eq!(
            named(expr).iter().map(String::as_str).collect::<Vec<_>>(),
            expected,
            "{expr}"
        );
    };
    check("up == 0", &[]);
    check(
        "sum(rate(holter_a_total{leg=\"holter_no\"}[5m]))",
        &["holter_a_total"],
    );
    check(
        "holter_b_bucket / holter_a",
        &["holter_a", "holter_b_bucket"],
    );
    check("job:holter_a:rate5m > 1", &[]);
    check(r#"x{l="a\"holter_no"} + holter_a"#, &["holter_a"]);
    check(
        "read `holter_a`: it grows, holter_b: too",
        &["holter_a", "holter_b"],
    );
}

#[test]
fn finds_the_recorded_series() {
    let expected = BTreeSet::from(["job_leg:holter_a:ratio5m".to_owned()]);
    assert_eq!(recorded("job_leg:holter_a:ratio5m > holter_a"), expected);
}

#[test]
fn tells_unknown_names() {
    let catalogue = BTreeSet::from(["holter_a_total", "holter_gap_seconds"]);
    let check = |name: &str, known: bool| {
        let names = BTreeSet::from([name.to_owned()]);
        assert_eq!(unknown(&names, &catalogue).is_empty(), known, "{name}");
    };
    check("holter_a_total", true);
    check("holter_gap_seconds_bucket", true);
    check("holter_gap_seconds_count", true);
    check("holter_gap_seconds_total", false);
    check("holter_a", false);
    check("holter_bucket", false);
}
