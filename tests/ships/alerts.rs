//! The rules: promtool's verdict on them and on their tests, and that every alert is complete.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::files::{items, list, root, string, text, yaml};
use crate::tools::{run, tool};

/// The sections that a runbook has, in order.
const SECTIONS: [&str; 4] = ["## Meaning", "## Impact", "## Diagnosis", "## Mitigation"];

fn rules(kind: &str) -> Vec<Value> {
    let file = yaml("alerts/holter.yaml");
    let groups = items(&file, "/groups").iter();
    let rules = groups.flat_map(|group| items(group, "/rules").iter().cloned());
    rules.filter(|rule| rule.get(kind).is_some()).collect()
}

fn names(kind: &str) -> BTreeSet<String> {
    rules(kind)
        .iter()
        .map(|rule| string(rule, &format!("/{kind}")).to_owned())
        .collect()
}

/// Every test of the files in alerts/tests.
fn tests() -> Vec<Value> {
    let files = list("alerts/tests", ".yaml").into_iter().map(yaml);
    files
        .flat_map(|file| items(&file, "/tests").to_vec())
        .collect()
}

#[test]
fn promtool_accepts_the_rules_with_every_lint() {
    run(tool("promtool").args([
        "check",
        "rules",
        "--lint=all",
        "--lint-fatal",
        "alerts/holter.yaml",
    ]));
}

/// The long baselines take half a minute, so the files run side by side.
#[test]
fn rules_do_what_their_tests_say() {
    std::thread::scope(|scope| {
        for path in list("alerts/tests", ".yaml") {
            scope.spawn(|| run(tool("promtool").args(["test", "rules"]).arg(path)));
        }
    });
}

/// promtool takes the groups that a file does not order in a random order, all before the second one it does.
#[test]
fn every_test_file_orders_all_groups() {
    let groups = items(&yaml("alerts/holter.yaml"), "/groups")
        .iter()
        .map(|group| group["name"].clone())
        .collect::<Vec<_>>();
    assert!(groups.len() > 3, "{groups:?}");
    for path in list("alerts/tests", ".yaml") {
        assert_eq!(
            items(&yaml(&path), "/group_eval_order"),
            groups,
            "{}",
            path.display()
        );
    }
}

#[test]
fn every_alert_says_what_why_how_bad_and_what_to_do() {
    for alert in rules("alert") {
        let name = string(&alert, "/alert");
        assert!(name.starts_with("Holter"), "{name}");
        assert!(
            !string(&alert, "/annotations/summary").contains("{{"),
            "{name}: the summary is static"
        );
        assert!(
            string(&alert, "/annotations/description").contains("{{ $labels."),
            "{name}: which one?"
        );
        let severity = string(&alert, "/labels/severity");
        assert!(
            ["critical", "warning", "info"].contains(&severity),
            "{name}: {severity}"
        );
        assert!(!string(&alert, "/for").is_empty(), "{name}");
        assert_eq!(
            string(&alert, "/annotations/runbook_url"),
            format!("docs/runbooks/{name}.md")
        );
    }
}

#[test]
fn every_alert_has_a_runbook_and_every_runbook_an_alert() {
    let runbooks = list("docs/runbooks", ".md");
    let written: BTreeSet<_> = runbooks
        .iter()
        .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    assert_eq!(written, names("alert"));
    for path in runbooks {
        let page = text(&path);
        let headings: Vec<_> = page
            .lines()
            .filter(|line| line.starts_with("## "))
            .collect();
        assert_eq!(headings, SECTIONS, "{}", path.display());
        assert!(page.contains("```promql"), "{}: no query", path.display());
    }
}

#[test]
fn links_in_runbooks_lead_somewhere() {
    let link = regex::Regex::new(r"\]\(([^)#:]+)\)").unwrap();
    for path in list("docs/runbooks", ".md") {
        for found in link.captures_iter(&text(&path)) {
            let target = root("docs/runbooks").join(&found[1]);
            assert!(target.exists(), "{}: {}", path.display(), &found[1]);
        }
    }
}

#[test]
fn every_alert_is_tested_to_fire_and_to_stay_quiet() {
    let cases: Vec<_> = tests()
        .iter()
        .filter_map(|test| test.get("alert_rule_test").cloned())
        .collect();
    let cases: Vec<_> = cases.iter().filter_map(Value::as_array).flatten().collect();
    for name in names("alert") {
        let mine = cases
            .iter()
            .filter(|case| string(case, "/alertname") == name);
        let (fires, quiet): (Vec<&&Value>, Vec<_>) =
            mine.partition(|case| !items(case, "/exp_alerts").is_empty());
        assert!(!fires.is_empty(), "{name}: no test fires it");
        assert!(!quiet.is_empty(), "{name}: no test keeps it quiet");
    }
}

/// A rule whose two sides keep different labels records nothing, and only its value shows it.
#[test]
fn every_recorded_value_is_tested() {
    let cases: Vec<_> = tests()
        .iter()
        .filter_map(|test| test.get("promql_expr_test").cloned())
        .collect();
    let with_value = cases.iter().filter_map(Value::as_array).flatten();
    let tested: BTreeSet<_> = with_value
        .filter(|case| case.get("exp_samples").is_some())
        .map(|case| string(case, "/expr").to_owned())
        .collect();
    assert_eq!(
        names("record").difference(&tested).collect::<Vec<_>>(),
        Vec::<&String>::new()
    );
}
