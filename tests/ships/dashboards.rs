//! The dashboards: generated as committed, and built by the rules that keep them readable and importable.

use std::collections::BTreeSet;

use regex::Regex;
use serde_json::Value;

use crate::files::{items, list, root, string, text};
use crate::queries::{Query, of_dashboards};
use crate::tools::{run, tool};

fn boards() -> Vec<Value> {
    let boards: Vec<_> = list("dashboards", ".json")
        .iter()
        .map(|path| serde_json::from_str(&text(path)).unwrap())
        .collect();
    assert!(!boards.is_empty());
    boards
}

/// Panels that ask something, so not headings and not text.
fn asking(board: &Value) -> impl Iterator<Item = &Value> {
    items(board, "/panels")
        .iter()
        .filter(|panel| !matches!(string(panel, "/type"), "row" | "text"))
}

#[test]
fn committed_dashboards_are_the_generated_ones() {
    let printed = run(tool("python3").args(["scripts/dashboards.py", "--print"]));
    assert!(
        printed == text("dashboards/streams.json"),
        "run scripts/dashboards.py"
    );
}

#[test]
fn dashboards_are_importable_as_they_are() {
    let fixed = Regex::new(r#""uid": "[^$"][^"]*""#).unwrap();
    for board in boards() {
        assert_eq!(board["editable"], false);
        assert!(
            board.get("__inputs").is_none(),
            "provisioning does not fill __inputs"
        );
        let uids: Vec<_> = fixed
            .find_iter(&format!("{board:#}"))
            .map(|found| found.as_str().to_owned())
            .collect();
        assert_eq!(
            uids.len(),
            1,
            "only the dashboard's own uid is fixed: {uids:?}"
        );
    }
}

#[test]
fn variables_let_everyone_in() {
    for board in boards() {
        let variables = items(&board, "/templating/list");
        let names: Vec<_> = variables
            .iter()
            .map(|variable| string(variable, "/name"))
            .collect();
        assert_eq!(
            names,
            ["datasource", "cluster", "namespace", "job", "instance"]
        );
        assert_eq!(string(&variables[0], "/type"), "datasource");
        for variable in &variables[1..] {
            // Targets outside Kubernetes have no cluster and no namespace.
            let every = if matches!(string(variable, "/name"), "cluster" | "namespace") {
                ".*"
            } else {
                ".+"
            };
            assert_eq!(string(variable, "/allValue"), every);
            assert_eq!(variable["multi"], true);
            assert_eq!(variable["refresh"], 2);
            assert!(string(variable, "/query/query").starts_with("label_values(holter_build_info"));
        }
    }
}

#[test]
fn panels_are_described_and_have_units() {
    for board in boards() {
        assert!(
            items(&board, "/panels")
                .iter()
                .any(|panel| string(panel, "/type") == "text")
        );
        for panel in asking(&board) {
            let title = string(panel, "/title");
            assert!(
                string(panel, "/description").ends_with('.'),
                "{title}: a sentence"
            );
            assert!(
                !string(panel, "/fieldConfig/defaults/unit").is_empty(),
                "{title}"
            );
            assert!(!items(panel, "/targets").is_empty(), "{title}");
            assert_eq!(string(panel, "/datasource/uid"), "${datasource}", "{title}");
        }
    }
}

#[test]
fn panels_have_a_place_of_their_own() {
    for board in boards() {
        let panels = items(&board, "/panels");
        let ids: BTreeSet<_> = panels
            .iter()
            .map(|panel| panel["id"].as_u64().unwrap())
            .collect();
        assert_eq!(ids.len(), panels.len());
        let mut taken = BTreeSet::new();
        for panel in panels {
            let at = |side: &str| panel["gridPos"][side].as_u64().unwrap();
            assert!(at("x") + at("w") <= 24, "{}", panel["title"]);
            for x in at("x")..at("x") + at("w") {
                for y in at("y")..at("y") + at("h") {
                    assert!(
                        taken.insert((x, y)),
                        "{} overlaps at {x}, {y}",
                        panel["title"]
                    );
                }
            }
        }
    }
}

/// Why the query breaks a rule, if it does.
fn complaint(expr: &str) -> Option<&'static str> {
    let range = Regex::new(r"\[[^\]]+\]").unwrap();
    let counted = Regex::new(r"(\w*\()?\bholter_\w+_(?:total|bucket)\b").unwrap();
    let selector = Regex::new(r"\b(?:holter|process)_\w+(\{[^}]*\})?").unwrap();
    let chosen = [
        "cluster=~\"$cluster\"",
        "namespace=~\"$namespace\"",
        "job=~\"$job\"",
        "instance=~\"$instance\"",
    ];
    if range
        .find_iter(expr)
        .any(|found| found.as_str() != "[$__rate_interval]")
    {
        return Some("a range other than $__rate_interval");
    }
    let under_rate = |prefix: &str| matches!(prefix, "rate(" | "increase(");
    if counted.captures_iter(expr).any(|found| {
        !found
            .get(1)
            .is_some_and(|prefix| under_rate(prefix.as_str()))
    }) {
        return Some("a counter that is not under rate or increase");
    }
    let picks = |selector: &str| chosen.iter().all(|label| selector.contains(label));
    let exempt = |found: &str| found == "holter_build_info";
    if selector
        .find_iter(expr)
        .any(|found| !picks(found.as_str()) && !exempt(found.as_str()))
    {
        return Some("a selector without the variables");
    }
    None
}

#[test]
fn complaints_are_made() {
    let all =
        "cluster=~\"$cluster\",namespace=~\"$namespace\",job=~\"$job\",instance=~\"$instance\"";
    let check = |expr: &str, expected: Option<&str>| {
        assert_eq!(complaint(&expr.replace("ALL", all)), expected, "{expr}");
    };
    check("sum(rate(holter_a_total{ALL}[$__rate_interval]))", None);
    check(
        "sum(increase(holter_a_total{ALL,leg=\"proxy\"}[$__rate_interval]))",
        None,
    );
    check("sum(holter_a{ALL}) + on () holter_build_info", None);
    check(
        "sum(rate(holter_a_total{ALL}[5m]))",
        Some("a range other than $__rate_interval"),
    );
    check(
        "sum(holter_a_total{ALL})",
        Some("a counter that is not under rate or increase"),
    );
    check(
        "holter_a_total{ALL}",
        Some("a counter that is not under rate or increase"),
    );
    check("sum(holter_a)", Some("a selector without the variables"));
    check(
        "sum(holter_a{job=~\"$job\"})",
        Some("a selector without the variables"),
    );
}

#[test]
fn queries_follow_the_rules() {
    for Query { place, expr } in of_dashboards() {
        assert_eq!(complaint(&expr), None, "{place}: {expr}");
    }
}

#[test]
fn thresholds_on_panels_are_those_of_the_alerts() {
    let rules = text(root("alerts/holter.yaml"));
    for board in boards() {
        for panel in asking(&board) {
            let steps = items(panel, "/fieldConfig/defaults/thresholds/steps").iter();
            for step in steps
                .filter_map(|step| step["value"].as_f64())
                .filter(|value| *value < 1.0)
            {
                assert!(
                    rules.contains(&format!("> {step}")),
                    "{}: {step} is no alert's",
                    panel["title"]
                );
            }
        }
    }
}
