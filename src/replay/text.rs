//! The report as text for a terminal of a known width: tables, and the lifetimes drawn.
//!
//! It adds nothing to the report, and leaves out sections that have nothing to say.

use super::report::{Candidate, Cluster, File, Lifetimes, Report};
use super::units::{grouped, percent, seconds, size};

/// Narrowest and widest that is drawn for.
const WIDTHS: (usize, usize) = (40, 120);

/// A full block and its eighths (Unicode "Block Elements").
const EIGHTHS: [char; 8] = ['▏', '▎', '▍', '▌', '▋', '▊', '▉', '█'];

/// The whole report, in lines of at most `width` columns where the words allow it.
pub fn render(report: &Report, width: usize) -> String {
    let width = width.clamp(WIDTHS.0, WIDTHS.1);
    let sections = [
        files(report),
        reasons(report),
        lifetimes(&report.lifetimes, report.lines.stream, width),
        clusters(&report.clusters, width),
        upstreams(report),
        sessions(report),
        list("What this log format cannot tell", &report.limits, width),
        list("Gaps", &report.gaps, width),
    ];
    let said: Vec<_> = sections
        .into_iter()
        .filter(|text| !text.is_empty())
        .collect();
    said.join("\n")
}

fn files(report: &Report) -> String {
    let mut text = String::new();
    for file in &report.files {
        line(&mut text, format_args!("{}", file_line(file)));
    }
    let lines = &report.lines;
    let kinds = [
        (lines.stream, "streams"),
        (lines.request, "other requests"),
        (lines.ignored, "of holter's own"),
        (lines.unparsed, "not understood"),
    ];
    let kinds: Vec<_> = (kinds.iter())
        .filter(|(count, _)| *count > 0)
        .map(|(count, name)| format!("{} {name}", grouped(*count)))
        .collect();
    line(
        &mut text,
        format_args!(
            "{} access lines: {}",
            grouped(lines.total),
            join(&kinds, "none")
        ),
    );
    let damage: Vec<_> = (lines.unparsed_by_kind.iter())
        .map(|kind| format!("{} {}", grouped(kind.count), kind.kind))
        .collect();
    if !damage.is_empty() {
        line(
            &mut text,
            format_args!("  not understood: {}", damage.join(", ")),
        );
    }
    if let Some(first) = &lines.first_unparsed
        && lines.are_mostly_unparsed()
    {
        line(
            &mut text,
            format_args!(
                "  Most of these lines are not in the format that was given; the first is line {} of {}.\n  Is it what this proxy writes (--format, --log-format)?",
                grouped(first.line),
                first.file
            ),
        );
    }
    if let Some(errors) = &report.error_lines {
        let (total, unparsed) = (grouped(errors.total), grouped(errors.unparsed));
        line(
            &mut text,
            format_args!("{total} error lines: {unparsed} not understood"),
        );
    }
    text
}

fn file_line(file: &File) -> String {
    let span = match (&file.first, &file.last) {
        (Some(first), Some(last)) => format!(", {first} to {last}"),
        _ => String::new(),
    };
    let File {
        file,
        log,
        lines,
        bytes,
        ..
    } = file;
    format!(
        "{file}: {log} log, {} lines, {}{span}",
        grouped(*lines),
        size(*bytes)
    )
}

fn reasons(report: &Report) -> String {
    if report.reasons.is_empty() {
        return "No stream ended in these logs.\n".to_owned();
    }
    let mut text = heading("Why streams ended");
    line(
        &mut text,
        format_args!(
            "  {:17} {:8} {:>9} {:>7}",
            "reason", "class", "ends", "share"
        ),
    );
    for share in &report.reasons {
        let (count, percent) = (grouped(share.count), percent(share.share));
        line(
            &mut text,
            format_args!(
                "  {:17} {:8} {count:>9} {percent:>7}",
                share.reason, share.class
            ),
        );
    }
    text
}

fn lifetimes(lifetimes: &Lifetimes, streams: u64, width: usize) -> String {
    if lifetimes.known == 0 {
        return String::new();
    }
    let mut text = heading("How long they lived");
    let most = lifetimes
        .buckets
        .iter()
        .map(|bucket| bucket.count)
        .max()
        .unwrap_or(0);
    // Two columns, label, gap, bar, gap, count.
    let room = width.saturating_sub(2 + 15 + 1 + 1 + 9);
    for bucket in &lifetimes.buckets {
        let from = seconds(bucket.from_seconds);
        let to = bucket.to_seconds.map_or("…".to_owned(), seconds);
        let bar = bar(bucket.count, most, room);
        let count = grouped(bucket.count);
        line(
            &mut text,
            format_args!("  {from:>6} – {to:<6} {bar} {count}"),
        );
    }
    let unknown = streams.saturating_sub(lifetimes.known);
    if unknown > 0 {
        line(
            &mut text,
            format_args!("  not logged: {}", grouped(unknown)),
        );
    }
    text
}

/// A bar of at most `room` columns; anything above nothing shows.
fn bar(count: u64, most: u64, room: usize) -> String {
    let room = u64::try_from(room).unwrap_or(0);
    let scaled = u128::from(count) * u128::from(room * 8) / u128::from(most.max(1));
    let eighths = usize::try_from(scaled)
        .unwrap_or(0)
        .max(usize::from(count > 0));
    let mut bar = "█".repeat(eighths / 8);
    bar.extend(
        (eighths % 8)
            .checked_sub(1)
            .and_then(|rest| EIGHTHS.get(rest)),
    );
    bar
}

fn clusters(clusters: &[Cluster], width: usize) -> String {
    if clusters.is_empty() {
        return String::new();
    }
    let mut text = heading("Ages that repeat, and settings that may be behind them");
    for cluster in clusters {
        let Cluster {
            reason, count, of, ..
        } = cluster;
        let (count, of, age) = (
            grouped(*count),
            grouped(*of),
            format!("{:.1} s", cluster.seconds),
        );
        let named: Vec<_> = cluster
            .candidates
            .iter()
            .map(|one| candidate(one, cluster.seconds))
            .collect();
        let named = join(&named, "no setting is known for it");
        wrap(
            &mut text,
            &format!("{count} of {of} {reason} ends at {age}: {named}"),
            width,
        );
    }
    text
}

fn candidate(candidate: &Candidate, age: f64) -> String {
    let setting = &candidate.setting;
    let name = format!("{} {}", setting.product, setting.setting);
    let default = seconds(setting.default_seconds);
    if candidate.is_default {
        return format!("{name} default {default}");
    }
    format!("{name}, if set to {age:.1} s or less (default {default})")
}

fn upstreams(report: &Report) -> String {
    if report.upstreams.is_empty() {
        return String::new();
    }
    let widths = report
        .upstreams
        .iter()
        .map(|row| row.upstream.chars().count());
    let wide = widths.max().unwrap_or(0).clamp(8, 48);
    let mut text = heading("Which upstream");
    line(
        &mut text,
        format_args!(
            "  {:wide$} {:>9} {:>9} {:>9} {:>9}",
            "upstream", "planned", "client", "abnormal", "unknown"
        ),
    );
    for row in &report.upstreams {
        let [planned, client, abnormal, unknown] =
            [row.planned, row.client, row.abnormal, row.unknown].map(grouped);
        line(
            &mut text,
            format_args!(
                "  {:wide$} {planned:>9} {client:>9} {abnormal:>9} {unknown:>9}",
                row.upstream
            ),
        );
    }
    text
}

fn sessions(report: &Report) -> String {
    let (affinity, sessions) = (&report.affinity, &report.sessions);
    let mut text = heading("Sessions");
    match affinity.share {
        Some(share) => line(
            &mut text,
            format_args!(
                "  {} requests with a known owner, {} of them sent to another upstream ({})",
                grouped(affinity.requests),
                grouped(affinity.misses),
                percent(share)
            ),
        ),
        None => line(
            &mut text,
            format_args!("  no request whose session's owner is known"),
        ),
    }
    line(
        &mut text,
        format_args!(
            "  {} opened, {} deleted, {} requests answered 404 or 400 (session not known)",
            grouped(sessions.opened),
            grouped(sessions.deleted),
            grouped(sessions.unknown)
        ),
    );
    text
}

fn list(title: &str, items: &[String], width: usize) -> String {
    if items.is_empty() {
        return String::new();
    }
    let mut text = heading(title);
    for item in items {
        wrap(&mut text, item, width);
    }
    text
}

fn heading(title: &str) -> String {
    format!("{title}\n")
}

fn line(text: &mut String, what: std::fmt::Arguments<'_>) {
    text.push_str(&std::fmt::format(what));
    text.push('\n');
}

/// A paragraph as an item of a list, its further lines indented.
fn wrap(text: &mut String, item: &str, width: usize) {
    let mut column = 0;
    for word in item.split_whitespace() {
        let length = word.chars().count();
        if column == 0 {
            text.push_str("  - ");
            column = 4;
        } else if column + 1 + length > width {
            text.push_str("\n    ");
            column = 4;
        } else {
            text.push(' ');
            column += 1;
        }
        text.push_str(word);
        column += length;
    }
    text.push('\n');
}

fn join(parts: &[String], none: &str) -> String {
    if parts.is_empty() {
        return none.to_owned();
    }
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_to_scale_and_never_hides_an_end() {
        for (count, most, room, expected) in [
            (0, 10, 4, ""),
            (10, 10, 4, "████"),
            (5, 10, 4, "██"),
            (1, 1_000_000, 4, "▏"),
            (3, 16, 4, "▊"),
            (u64::MAX, u64::MAX, 2, "██"),
            (0, 0, 4, ""),
        ] {
            assert_eq!(bar(count, most, room), expected, "{count} {most} {room}");
        }
    }

    #[test]
    fn paragraphs_keep_to_the_width() {
        let mut text = String::new();
        wrap(&mut text, "one two three four five six", 14);
        assert_eq!(text, "  - one two\n    three four\n    five six\n");
        let mut text = String::new();
        wrap(&mut text, "averyveryverylongword x", 10);
        assert_eq!(text, "  - averyveryverylongword\n    x\n");
    }
}
