//! What the project promises in several places at once, held together: metric names, the README's table, the
//! layers rule.
//!
//! `UPDATE_GOLDEN=1 cargo test --test contract` rewrites what is generated; read the difference.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on says so by a panic"
)]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::CommandFactory;
use holter::access_log::Kind;
use holter::access_log::nginx::Format;
use holter::canary::Leg;
use holter::cli::Cli;
use holter::config::Config;
use holter::lab::proxy::LOG_FORMAT;
use holter::label::Label;
use holter::metrics::{LegPlan, Metrics};
use regex::Regex;

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn metrics() -> Metrics {
    let plan = LegPlan {
        canary: "weather",
        leg: Leg::Proxy,
        streams: 1,
        interval: None,
    };
    Metrics::new([plan], ["edge"])
}

/// Compares a file with what the code says, or rewrites it.
fn check_golden(path: &Path, expected: &str) {
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(path, expected).unwrap();
    }
    assert!(
        read(path) == expected,
        "{} is out of date: UPDATE_GOLDEN=1 cargo test --test contract",
        path.display()
    );
}

#[test]
fn the_catalogue_is_as_on_file() {
    let mut text = String::new();
    for family in metrics().catalogue() {
        writeln!(
            text,
            "{} {} [{}] {}",
            family.name,
            family.kind,
            family.labels.join(","),
            family.help
        )
        .unwrap();
    }
    check_golden(&root("tests/golden/metrics.txt"), &text);
}

#[test]
fn every_proxys_formats_have_golden_lines() {
    for kind in Kind::ALL {
        let folder = root("tests/golden/access_log").join(kind.as_str());
        let files = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{kind}: {error}"));
        let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
        assert!(
            names.into_iter().any(|name| name.ends_with(".log.gz")),
            "{kind}"
        );
    }
}

#[test]
fn the_readme_has_the_table_of_metrics() {
    const BEGIN: &str = "<!-- metrics: generated from the code, see CONTRIBUTING.md -->\n";
    const END: &str = "<!-- end of metrics -->";
    let mut table = String::from("| metric | type | labels | meaning |\n|---|---|---|---|\n");
    for family in metrics().catalogue() {
        let labels = family.labels.join(", ");
        writeln!(
            table,
            "| `{}` | {} | {labels} | {} |",
            family.name, family.kind, family.help
        )
        .unwrap();
    }
    let path = root("README.md");
    let readme = read(&path);
    let (before, rest) = readme.split_once(BEGIN).expect("the begin mark");
    let (_, after) = rest.split_once(END).expect("the end mark");
    check_golden(&path, &format!("{before}{BEGIN}{table}{END}{after}"));
}

/// The fenced block of the README that begins with this line.
fn readme_block(begin: &str) -> String {
    let readme = read(&root("README.md"));
    let (_, rest) = readme
        .split_once(begin)
        .unwrap_or_else(|| panic!("no block {begin:?}"));
    rest.split("```").next().unwrap_or_default().to_owned()
}

#[test]
fn the_readme_shows_a_configuration_that_works() {
    let config = Config::parse(&readme_block("```yaml\n"), "README.md").expect("accepted");
    assert_eq!((config.canaries.len(), config.logs.len()), (1, 1));
    assert_eq!(
        config.logs[0].format.limits(),
        [""; 0],
        "the recommended format can tell everything"
    );
    let nginx = readme_block("```nginx\n");
    assert_eq!(
        Format::compile(nginx.lines().next().unwrap()),
        Format::compile(LOG_FORMAT)
    );
}

#[test]
fn prose_names_only_metrics_that_exist() {
    let catalogue = metrics()
        .catalogue()
        .iter()
        .map(|family| family.name.clone())
        .collect::<BTreeSet<_>>();
    let name = Regex::new(r"\bholter_[a-z_]+[a-z]\b").unwrap();
    for path in [
        "README.md",
        "ARCHITECTURE.md",
        "CHANGELOG.md",
        "src/commands/demo.rs",
    ] {
        for found in name.find_iter(&read(&root(path))) {
            assert!(
                catalogue.contains(found.as_str()),
                "{path}: {}",
                found.as_str()
            );
        }
    }
}

#[test]
fn every_family_is_in_the_catalogue_and_every_series_starts_at_0() {
    let metrics = metrics();
    let names: BTreeSet<_> = metrics
        .catalogue()
        .iter()
        .map(|family| family.name.as_str())
        .collect();
    let text = metrics.render();
    let families = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next());
    let families: BTreeSet<_> = families
        .filter(|name| !name.starts_with("process_"))
        .collect();
    assert!(
        families.is_subset(&names),
        "{:?}",
        families.difference(&names)
    );
    // Known only once seen: what was negotiated, the learned interval, a suspected time-out, the upstreams.
    let later = [
        "holter_canary_heartbeat_expected_seconds",
        "holter_canary_info",
        "holter_canary_suspected_timeout_seconds",
        "holter_canary_tls_not_after_timestamp_seconds",
        "holter_log_upstream_streams_closed_total",
    ];
    let absent: Vec<_> = names.difference(&families).copied().collect();
    assert_eq!(absent, later);
    for line in text.lines().filter(|line| line.starts_with("holter_")) {
        let value = line.rsplit(' ').next().unwrap();
        assert!(
            value == "0" || line.starts_with("holter_build_info"),
            "{line}"
        );
    }
}

#[test]
fn names_follow_the_conventions() {
    for family in metrics().catalogue() {
        assert!(family.name.starts_with("holter_"), "{}", family.name);
        assert_eq!(
            family.name.ends_with("_total"),
            family.kind == "counter",
            "{}",
            family.name
        );
        assert!(
            family.help.ends_with('.'),
            "{}: {}",
            family.name,
            family.help
        );
    }
}

fn sources() -> Vec<PathBuf> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(&root("src"), &mut found);
    assert!(found.len() > 50, "only {} files found", found.len());
    found
}

/// The text without the tests, which stand last.
fn product_code(path: &Path) -> String {
    let text = read(path);
    text.split(
        "
#[cfg(test)]
",
    )
    .next()
    .unwrap_or_default()
    .to_owned()
}

#[test]
fn only_the_shell_waits_and_only_metrics_knows_prometheus() {
    let shell = Regex::new(r"^(tasks|commands|lab)/|^main\.rs$").unwrap();
    let waits = Regex::new(r"\b(tokio|reqwest|axum|hyper)::|\basync (fn|move|\{)|\bstd::fs\b|Instant::now|SystemTime::now").unwrap();
    let prometheus = Regex::new(r"\bprometheus::").unwrap();
    for path in sources() {
        let name = path
            .strip_prefix(root("src"))
            .unwrap()
            .to_string_lossy()
            .into_owned();
        let is_test = name.ends_with("tests.rs");
        let code = product_code(&path);
        let code: String = code
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"))
            .map(|line| format!("{line}\n"))
            .collect();
        if !shell.is_match(&name) && !is_test {
            assert!(
                !waits.is_match(&code),
                "{name} is pure, but has {:?}",
                waits.find(&code).map(|m| m.as_str())
            );
        }
        if !name.starts_with("metrics/") {
            assert!(!prometheus.is_match(&code), "{name} knows prometheus");
        }
    }
}

#[test]
fn files_stay_readable() {
    for path in sources() {
        let text = read(&path);
        let lines = text.lines().count();
        assert!(lines <= 400, "{}: {lines} lines; split it", path.display());
        assert!(
            text.starts_with("//!"),
            "{}: says not what it owns",
            path.display()
        );
    }
}

/// The README names every flag of the sidecar in its table, and none that there is not.
#[test]
fn the_readme_lists_every_flag() {
    let readme = read(&root("README.md"));
    let rows = readme.lines().filter(|line| line.starts_with("| `--"));
    let named = Regex::new("`(--[a-z.-]+)").unwrap();
    let listed: BTreeSet<String> = rows
        .flat_map(|row| named.captures_iter(row).map(|found| found[1].to_owned()))
        .collect();
    let command = Cli::command();
    let flags: BTreeSet<String> = command
        .get_arguments()
        .filter_map(|flag| flag.get_long())
        .map(|long| format!("--{long}"))
        .collect();
    assert_eq!(listed, flags);
}

/// The tail's safety rules can be switched off one by one (`make torture-mutations`) as long as the patches fit.
#[test]
fn the_mutations_of_the_tail_still_apply() {
    let folder = root("tests/torture/mutations");
    let patches = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let patches: Vec<_> = patches
        .filter(|path| path.extension().is_some_and(|end| end == "patch"))
        .collect();
    assert!(patches.len() >= 12, "{patches:?}");
    for patch in patches {
        let mut git = Command::new("git");
        git.current_dir(root(""))
            .args(["apply", "--check"])
            .arg(&patch);
        // Sources in a folder of somebody else's repository are no part of it.
        git.env(
            "GIT_CEILING_DIRECTORIES",
            root("..").canonicalize().unwrap(),
        );
        let output = git.output().expect("git is installed");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {said}", patch.display());
    }
}
