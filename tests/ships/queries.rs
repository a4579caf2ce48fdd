//! Every PromQL expression that ships: in rules, on dashboards, in runbooks.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::files::{items, list, string, temporary, text, yaml};
use crate::metrics::{named, recorded};
use crate::tools::{run, tool};

/// An expression and where it stands.
pub(crate) struct Query {
    pub(crate) place: String,
    pub(crate) expr: String,
}

/// Those of the alert and recording rules.
pub(crate) fn of_rules() -> Vec<Query> {
    let rules = yaml("alerts/holter.yaml");
    let groups = items(&rules, "/groups").iter();
    groups
        .flat_map(|group| items(group, "/rules"))
        .map(|rule| Query {
            place: rule
                .get("alert")
                .or(rule.get("record"))
                .unwrap()
                .to_string(),
            expr: string(rule, "/expr").to_owned(),
        })
        .collect()
}

/// Those of the dashboards: panels and annotations.
pub(crate) fn of_dashboards() -> Vec<Query> {
    let mut queries = Vec::new();
    for path in list("dashboards", ".json") {
        let board: Value = serde_json::from_str(&text(&path)).unwrap();
        for panel in items(&board, "/panels") {
            let targets = panel
                .get("targets")
                .and_then(Value::as_array)
                .into_iter()
                .flatten();
            queries.extend(targets.map(|target| Query {
                place: string(panel, "/title").to_owned(),
                expr: string(target, "/expr").to_owned(),
            }));
        }
        let marks = items(&board, "/annotations/list").iter();
        queries.extend(marks.map(|mark| Query {
            place: string(mark, "/name").to_owned(),
            expr: string(mark, "/target/expr").to_owned(),
        }));
    }
    queries
}

/// Those of the runbooks: each fenced block of `promql` is one expression.
pub(crate) fn of_runbooks() -> Vec<Query> {
    let block = regex::Regex::new(r"(?s)```promql\n(.*?)```").unwrap();
    let runbooks = list("docs/runbooks", ".md").into_iter();
    runbooks
        .flat_map(|path| {
            let page = text(&path);
            let blocks = block.captures_iter(&page).map(|found| found[1].to_owned());
            blocks
                .map(|expr| Query {
                    place: path.display().to_string(),
                    expr,
                })
                .collect::<Vec<_>>()
        })
        .collect()
}

/// Every metric of Holter's that shipped text names, prose of runbooks included.
///
/// To be compared with the names that the code exports, by [`crate::metrics::unknown`].
pub(crate) fn metrics_in_use() -> BTreeSet<String> {
    let queries = of_rules().into_iter().chain(of_dashboards());
    let mut names: BTreeSet<_> = queries.flat_map(|query| named(&query.expr)).collect();
    names.extend(
        list("docs/runbooks", ".md")
            .iter()
            .flat_map(|path| named(&text(path))),
    );
    names
}

/// Prometheus's own parser reads each one, as the expression of a rule.
#[test]
fn every_query_of_a_dashboard_or_runbook_is_promql() {
    let queries: Vec<_> = of_dashboards().into_iter().chain(of_runbooks()).collect();
    assert!(queries.len() > 30, "only {} queries found", queries.len());
    let rules: Vec<_> = queries
        .iter()
        .map(|query| query.expr.replace("$__rate_interval", "1m"))
        .enumerate()
        .map(|(n, expr)| serde_json::json!({"record": format!("query_{n}"), "expr": expr}))
        .collect();
    let file = serde_json::json!({"groups": [{"name": "queries", "rules": rules}]});
    let (_folder, path) = temporary("queries.yaml", &file.to_string());
    run(tool("promtool").args(["check", "rules"]).arg(path));
}

#[test]
fn recorded_series_in_use_are_recorded() {
    let rules = of_rules();
    let written: BTreeSet<_> = rules
        .iter()
        .map(|rule| rule.place.trim_matches('"').to_owned())
        .collect();
    let pages = list("docs/runbooks", ".md").into_iter().map(text);
    let queries = rules
        .into_iter()
        .chain(of_dashboards())
        .map(|query| query.expr);
    let used: BTreeSet<_> = pages
        .chain(queries)
        .flat_map(|text| recorded(&text))
        .collect();
    assert!(!used.is_empty());
    assert_eq!(
        used.difference(&written).collect::<Vec<_>>(),
        Vec::<&String>::new()
    );
}

/// A query that names no metric of ours watches something else by mistake.
#[test]
fn queries_name_metrics() {
    assert!(metrics_in_use().len() > 15, "{:?}", metrics_in_use());
    for query in of_rules().into_iter().chain(of_dashboards()) {
        let names = named(&query.expr).len() + recorded(&query.expr).len();
        assert!(
            names > 0 || query.expr.contains("ALERTS"),
            "{}: {}",
            query.place,
            query.expr
        );
    }
}
