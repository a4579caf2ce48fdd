//! The matrix: on the terminal, as a page of the documentation, and against what was expected.

use crate::Outcome;
use crate::expected::{Expected, Server};
use crate::folder;
use crate::scene::{GRACE_SECONDS, HOLD, Row};
use std::fs;

type Outcomes<'a> = [(&'a Server, Outcome)];

const HEAD: [&str; 8] = [
    "server",
    "version",
    "path",
    "era found by `auto`",
    "heartbeat",
    "SIGTERM",
    "SIGKILL",
    "affinity",
];

/// The table with its columns lined up, and a line for each server that did not run.
pub(crate) fn text(outcomes: &Outcomes<'_>) -> String {
    let lines: Vec<_> = std::iter::once(HEAD.map(str::to_owned))
        .chain(cells(outcomes))
        .collect();
    let widths: Vec<usize> = (0..HEAD.len())
        .map(|column| {
            lines
                .iter()
                .map(|line| line[column].len())
                .max()
                .unwrap_or(0)
        })
        .collect();
    let mut text = String::new();
    for line in lines {
        let padded = line
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:width$}"));
        text += padded.collect::<Vec<_>>().join("  ").trim_end();
        text += "\n";
    }
    for (server, outcome) in outcomes {
        match outcome {
            Outcome::Seen(_) => {}
            Outcome::NotRun(why) => text += &format!("{}: not run: {why}\n", server.name),
            Outcome::Broken => {
                text += &format!("{}: could not be watched, see above\n", server.name)
            }
        }
    }
    text
}

/// Each cell that is not as expected, in words.
pub(crate) fn mismatches(outcomes: &Outcomes<'_>) -> Vec<String> {
    let mut found = Vec::new();
    for (server, row, expected) in rows(outcomes) {
        let cells = [
            ("era", &row.found, expected.found),
            ("heartbeat", &row.heartbeat, expected.heartbeat),
            ("SIGTERM", &row.sigterm, expected.sigterm),
            ("SIGKILL", &row.sigkill, expected.sigkill),
            ("affinity", &row.affinity, expected.affinity),
        ];
        for (what, seen, wanted) in cells.into_iter().filter(|(_, seen, wanted)| seen != wanted) {
            found.push(format!(
                "{} {}: {what}: {seen}, not {wanted}",
                server.name, row.path
            ));
        }
    }
    found
}

/// `docs/interop.md`.
pub(crate) fn page(outcomes: &Outcomes<'_>) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let head = line(&HEAD.map(str::to_owned)) + &line(&HEAD.map(|_| "---".to_owned()));
    let table: String = cells(outcomes).map(|cells| line(&cells)).collect();
    let notes: String = rows(outcomes)
        .map(|(server, row, expected)| {
            format!("- **{} `{}`**: {}\n", server.name, row.path, expected.why)
        })
        .collect();
    let hold = HOLD.as_secs();
    include_str!("page.md")
        .replace("{hold}", &hold.to_string())
        .replace("{grace}", &GRACE_SECONDS.to_string())
        .replace("{table}\n", &(head + &table))
        .replace("{notes}\n", &notes)
}

fn cells<'a>(outcomes: &'a Outcomes<'_>) -> impl Iterator<Item = [String; 8]> + 'a {
    rows(outcomes).map(|(server, row, _)| {
        [
            server.name.to_owned(),
            version(server),
            row.path.to_owned(),
            row.found.clone(),
            row.heartbeat.clone(),
            row.sigterm.clone(),
            row.sigkill.clone(),
            row.affinity.clone(),
        ]
    })
}

fn rows<'a>(
    outcomes: &'a Outcomes<'_>,
) -> impl Iterator<Item = (&'a Server, &'a Row, &'a Expected)> + 'a {
    outcomes.iter().flat_map(|(server, outcome)| {
        let rows: &[Row] = if let Outcome::Seen(rows) = outcome {
            rows
        } else {
            &[]
        };
        let server: &Server = server;
        rows.iter()
            .zip(server.paths)
            .map(move |(row, expected)| (server, row, expected))
    })
}

/// The version that the server's manifest pins: what begins with the first digit after the package's name.
fn version(server: &Server) -> String {
    let (file, package) = server.pinned;
    let manifest = fs::read_to_string(folder(server).join(file)).expect("the manifest");
    let (_, rest) = manifest
        .split_once(package)
        .expect("the package in the manifest");
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-';
    rest.chars()
        .skip_while(|c| !c.is_ascii_digit())
        .take_while(|c| is_part(*c))
        .collect()
}
