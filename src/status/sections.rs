//! The page's sections, one for each question an operator asks, in the order in which they ask.
//!
//! Owns which numbers answer which question, and the words for "nothing yet". Judges nothing.

use super::html::Html;
use super::journal::Disconnect;
use super::{Heartbeats, LegRow, SourceRow, Status, words};
use crate::label::Label;
use crate::reason::{Class, Reason, Side};

/// Ends shown on the page; the API has all that are kept.
const ENDS_SHOWN: usize = 20;

/// Reading aid for a cell that has nothing to say.
const NOTHING: &str = "<span class=\"quiet\">–</span>";

/// Affinity that rests on cookies, which most MCP clients do not keep.
const COOKIES_NEEDED: &str =
    "; only without cookies: clients that keep no cookies lose their session";

/// 1. Are the streams up now, and how many are held?
pub(super) fn streams(status: &Status) -> Html {
    let rows = status.legs.iter().map(|leg| {
        [
            leg_name(leg),
            held(leg),
            text(&leg.transport),
            connects(leg),
            Html::classed("span", "path", text(leg.url.as_str())),
        ]
    });
    let columns = ["Leg", "Streams", "Transport", "Connects", "Goes to"];
    Html::section(
        "Are the streams up?",
        table_or("No canary is configured.", columns, rows),
    )
}

fn held(leg: &LegRow) -> Html {
    let why = match (leg.streams_not_offered, leg.streams_paused) {
        (0, 0) => "",
        (0, _) => "; paused by the server",
        _ => "; the server offers none",
    };
    let numbers = text(&format!(
        " {} of {} held{why}",
        leg.streams_held, leg.streams_wanted
    ));
    let state = match (leg.up, leg.is_silent()) {
        (true, false) => Html::classed("span", "well", Html::fixed("up")),
        (true, true) => Html::classed("span", "ill", Html::fixed("silent")),
        (false, _) => Html::classed("span", "ill", Html::fixed("down")),
    };
    Html::all([state, numbers])
}

fn connects(leg: &LegRow) -> Html {
    let failed: u64 = leg.connects_failed.iter().map(|(_, n)| n).sum();
    let tried = words::count(leg.connects);
    if failed == 0 {
        return text(&format!("{tried} tried, none failed"));
    }
    let told = text(&format!("{tried} tried, {} failed ", words::count(failed)));
    Html::all([told, reasons(&leg.connects_failed)])
}

/// 2. Why did they end, and on whose side?
pub(super) fn ends(status: &Status) -> Html {
    let legs = status
        .legs
        .iter()
        .map(|leg| (leg_name(leg), &leg.disconnects));
    let sources = status
        .sources
        .iter()
        .map(|source| (source_name(source), &source.streams_closed));
    let rows = legs.chain(sources).map(|(name, counts)| {
        let all: u64 = counts.iter().map(|(_, n)| n).sum();
        [name, text(&words::count(all)), reasons(counts)]
    });
    let columns = ["Seen by", "Ends", "Reasons"];
    let counts = table_or("Nothing is configured that could see one.", columns, rows);
    Html::section(
        "Why did they end, and on whose side?",
        Html::all([counts, newest_ends(status)]),
    )
}

fn newest_ends(status: &Status) -> Html {
    let all = status.disconnects.len();
    let rows = status.disconnects.iter().rev().take(ENDS_SHOWN);
    let rows = rows.map(|disconnect| end_row(status, disconnect));
    let columns = ["When", "Seen by", "Reason", "Side", "Age", "Silence before"];
    let title = match all {
        0 => "Last ends".to_owned(),
        n if n <= ENDS_SHOWN => format!("Last ends ({n})"),
        n => format!("Last ends ({ENDS_SHOWN} of {n} kept)"),
    };
    Html::all([
        Html::tag("h3", text(&title)),
        table_or("No stream has ended since the start.", columns, rows),
    ])
}

fn end_row(status: &Status, disconnect: &Disconnect) -> [Html; 6] {
    let end = &disconnect.end;
    let clock = text(&format!("{} UTC", words::time_of_day(end.at)));
    [
        Html::all([
            text(&words::ago_at(end.at, status.at)),
            Html::fixed(" "),
            Html::classed("span", "quiet", clock),
        ]),
        text(&end.origin.to_string()),
        reason(end.reason),
        match end.side {
            Side::Unknown => Html::classed("span", "quiet", Html::fixed("not known")),
            side => text(side.as_str()),
        },
        span_or_nothing(end.age_seconds),
        span_or_nothing(end.silence_seconds),
    ]
}

/// 3. Do heartbeats get through, and how long are the silences?
pub(super) fn heartbeats(status: &Status) -> Html {
    let rows = status.legs.iter().map(|leg| {
        [
            leg_name(leg),
            last_byte(leg),
            expected(leg),
            span_or_nothing(leg.longest_gap_seconds),
            alarming(leg.late_heartbeats),
            kinds(leg.heartbeats),
        ]
    });
    let columns = [
        "Leg",
        "Newest byte",
        "Expected every",
        "Longest silence",
        "Late",
        "Heartbeats",
    ];
    Html::section(
        "Do heartbeats get through?",
        table_or("No canary is configured.", columns, rows),
    )
}

fn last_byte(leg: &LegRow) -> Html {
    let Some(age) = leg.last_byte_age_seconds else {
        return quiet("none yet");
    };
    let age = text(&words::ago(age));
    if leg.is_silent() {
        Html::classed("span", "ill", age)
    } else {
        age
    }
}

fn expected(leg: &LegRow) -> Html {
    match leg.expected_heartbeat_seconds {
        Some(seconds) => text(&words::span(seconds)),
        None => quiet("not known, so none is late"),
    }
}

fn kinds(heartbeats: Heartbeats) -> Html {
    let Heartbeats {
        comment,
        event,
        ping,
        data,
    } = heartbeats;
    let kinds = [
        ("comment", comment),
        ("event", event),
        ("ping", ping),
        ("data", data),
    ];
    let seen: Vec<String> = kinds
        .into_iter()
        .filter(|(_, n)| *n > 0)
        .map(|(kind, n)| format!("{kind} {}", words::count(n)))
        .collect();
    if seen.is_empty() {
        return quiet("none yet");
    }
    text(&seen.join(", "))
}

/// 4. Do all requests of a session reach the replica that owns it?
pub(super) fn affinity(status: &Status) -> Html {
    let legs = status.legs.iter().map(|leg| {
        let mut misses = missed(leg.affinity_requests, leg.affinity_misses);
        if leg.misses_only_without_cookies() {
            misses = Html::all([misses, Html::fixed(COOKIES_NEEDED)]);
        }
        let requests = match leg.affinity_applies {
            Some(false) => quiet("not applicable: no session"),
            _ => requests(leg.affinity_requests),
        };
        [leg_name(leg), requests, misses, alarming(leg.sessions_lost)]
    });
    let sources = status.sources.iter().map(|source| {
        let misses = missed(source.session_requests, source.affinity_misses);
        let requests = requests(source.session_requests);
        [source_name(source), requests, misses, Html::fixed(NOTHING)]
    });
    let columns = [
        "Seen by",
        "Requests with a session",
        "Reached another replica",
        "Sessions lost",
    ];
    Html::section(
        "Do requests reach the replica that owns the session?",
        table_or(
            "Nothing is configured that could see one.",
            columns,
            legs.chain(sources),
        ),
    )
}

fn requests(n: u64) -> Html {
    if n == 0 {
        quiet("none seen")
    } else {
        text(&words::count(n))
    }
}

fn missed(requests: u64, misses: u64) -> Html {
    match (requests, misses) {
        (0, 0) => Html::fixed(NOTHING),
        (_, 0) => Html::fixed("none"),
        (requests, misses) => {
            let percent = (misses as f64 / requests.max(misses) as f64 * 100.0).round();
            let told = format!("{} ({percent} %)", words::count(misses));
            Html::classed("span", "ill", text(&told))
        }
    }
}

/// What the log sources can be trusted with.
pub(super) fn sources(status: &Status) -> Html {
    let rows = status.sources.iter().map(|source| {
        [
            text(&source.source),
            text(&words::count(source.lines)),
            alarming(source.unparsed),
            match source.last_line_age_seconds {
                Some(age) => text(&words::ago(age)),
                None => quiet("none yet"),
            },
            match source.lag_bytes {
                0 => Html::fixed("all read"),
                n => text(&words::counted(n, "byte", "bytes")),
            },
            notes(&source.notes),
        ]
    });
    let columns = [
        "Source",
        "Lines",
        "Not understood",
        "Newest line",
        "Behind by",
        "Cannot tell",
    ];
    let table = table_or("No log is read.", columns, rows);
    Html::section(
        "What do the logs say?",
        Html::all([table, uncountable(&status.sources)]),
    )
}

/// What no reader of a log can count, so that nobody takes these counts for more than they are.
fn uncountable(sources: &[SourceRow]) -> Html {
    const IT: [&str; 7] = [
        "copytruncate: what is written between the copy and the truncation; a line cut there leaves two fragments.",
        "Files that are rotated and deleted while Holter is down.",
        "A truncated file that grows again with the same first and last bytes.",
        "What the proxy never wrote: buffered lines of a killed proxy.",
        "Without --storage.path, or where its volume is lost: what is written while Holter is down.",
        "Loss of power can set the stored counts and positions back, together.",
        "Datagrams of syslog that never arrived.",
    ];
    if sources.is_empty() {
        return Html::all([]);
    }
    let items = IT.map(|what| Html::tag("li", Html::fixed(what)));
    Html::all([
        Html::fixed("<h3>What no tail can count</h3>\n"),
        Html::classed("ul", "quiet", Html::all(items)),
        Html::fixed("\n"),
    ])
}

fn notes(notes: &[String]) -> Html {
    if notes.is_empty() {
        return Html::fixed(NOTHING);
    }
    let items = notes.iter().map(|note| Html::tag("li", text(note)));
    Html::tag("ul", Html::all(items))
}

fn leg_name(leg: &LegRow) -> Html {
    text(&format!("{}, {} leg", leg.canary, leg.leg))
}

fn source_name(source: &SourceRow) -> Html {
    text(&format!("log {}", source.source))
}

/// Counts by reason, the most frequent first.
fn reasons(counts: &[(Reason, u64)]) -> Html {
    if counts.is_empty() {
        return Html::fixed(NOTHING);
    }
    let mut counts = counts.to_vec();
    counts.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    Html::all(counts.into_iter().map(|(why, n)| {
        let number = text(&format!(" {}", words::count(n)));
        Html::classed("span", "count", Html::all([reason(why), number]))
    }))
}

fn reason(reason: Reason) -> Html {
    let class = match reason.class() {
        Class::Abnormal => "reason ill",
        Class::Unknown => "reason unsure",
        Class::Planned | Class::Client => "reason",
    };
    Html::classed("span", class, text(reason.as_str()))
}

/// A count that should be 0.
fn alarming(n: u64) -> Html {
    match n {
        0 => Html::fixed("0"),
        n => Html::classed("span", "ill", text(&words::count(n))),
    }
}

fn span_or_nothing(seconds: Option<f64>) -> Html {
    match seconds {
        Some(seconds) => text(&words::span(seconds)),
        None => Html::fixed(NOTHING),
    }
}

fn quiet(words: &'static str) -> Html {
    Html::classed("span", "quiet", Html::fixed(words))
}

fn text(text: &str) -> Html {
    Html::text(text)
}

fn table_or<const N: usize>(
    nothing: &'static str,
    columns: [&'static str; N],
    rows: impl Iterator<Item = [Html; N]>,
) -> Html {
    let mut rows = rows.peekable();
    if rows.peek().is_none() {
        return Html::classed("p", "quiet", Html::fixed(nothing));
    }
    Html::table(columns, rows)
}
