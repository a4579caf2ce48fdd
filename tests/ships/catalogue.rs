//! What ships names only metrics that Holter exports, and configurations that Holter accepts.

use std::collections::BTreeSet;
use std::process::Command;

use holter::metrics::Metrics;

use crate::files::root;
use crate::metrics::unknown;
use crate::queries::metrics_in_use;

#[test]
fn rules_dashboards_and_runbooks_name_real_metrics() {
    let metrics = Metrics::new([], []);
    let catalogue: BTreeSet<&str> = metrics
        .catalogue()
        .iter()
        .map(|family| family.name.as_str())
        .collect();
    let in_use = metrics_in_use();
    assert!(in_use.len() > 15, "only {} names found", in_use.len());
    assert_eq!(unknown(&in_use, &catalogue), [""; 0]);
}

#[test]
fn holter_accepts_the_shipped_configurations() {
    for path in [
        "deploy/compose/holter.yaml",
        "deploy/kubernetes/example/holter.yaml",
        "docs/holter.example.yaml",
    ] {
        let checked = Command::new(env!("CARGO_BIN_EXE_holter"))
            .args(["check", "--config.file"])
            .arg(root(path))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&checked.stderr).into_owned();
        // A secret's file is where it will be deployed, not here; every other problem counts.
        let problems: Vec<_> = said
            .lines()
            .filter(|line| !line.contains("bearer_token_file"))
            .collect();
        assert_eq!(problems, [""; 0], "{path}");
    }
}
