//! The first line of the page: is it well, and if not, what was cut last and by whom.
//!
//! Owns the order in which bad news is told. Judges nothing itself: holds, silences, reasons and
//! sides were decided elsewhere.

use super::journal::Disconnect;
use super::{Status, words};
use crate::reason::Class;

/// How the page is coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    /// Every stream is held and none is late.
    Well,
    /// A stream is missing or late.
    Ill,
    /// Nothing is held that could tell.
    NotWatched,
}

/// The verdict in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Headline {
    /// How it stands.
    pub mood: Mood,
    /// Sentences, the most urgent first.
    pub sentences: Vec<String>,
}

/// The verdict on one picture.
pub fn headline(status: &Status) -> Headline {
    let silent: Vec<String> = silences(status).collect();
    let (held, wanted) = totals(status);
    let mood = match (wanted, held == wanted && silent.is_empty()) {
        (0, _) if !offers_none(status) => Mood::NotWatched,
        (_, true) => Mood::Well,
        (_, false) => Mood::Ill,
    };
    let mut sentences = vec![streams(status, held, wanted)];
    sentences.extend(silent);
    if !(status.legs.is_empty() && status.sources.is_empty()) {
        sentences.push(last_cut(status));
    }
    sentences.extend(time_outs(status));
    sentences.extend(misses(status));
    Headline { mood, sentences }
}

/// Streams held or paused, and wanted: all but those that no server offers. A leg that holds one too many while it renews does not make up for another.
fn totals(status: &Status) -> (u64, u64) {
    let held = status
        .legs
        .iter()
        .map(|leg| (leg.streams_held + leg.streams_paused).min(leg.streams_wanted))
        .sum();
    let wanted = status
        .legs
        .iter()
        .map(|leg| leg.streams_wanted.saturating_sub(leg.streams_not_offered));
    (held, wanted.sum())
}

/// Whether a server is well and has no stream to hold: none is wanted of it.
fn offers_none(status: &Status) -> bool {
    status.legs.iter().any(|leg| leg.streams_not_offered > 0)
}

fn streams(status: &Status, held: u64, wanted: u64) -> String {
    match (wanted, status.sources.is_empty()) {
        (0, _) if offers_none(status) => {
            "The server is well and offers no stream to hold.".to_owned()
        }
        (0, true) => "Nothing is watched: no canary and no log is configured.".to_owned(),
        (0, false) => "No canary is configured; what follows is what the logs tell.".to_owned(),
        (1, _) if held == 1 => "The stream is held.".to_owned(),
        _ => format!("{held} of {wanted} streams held."),
    }
}

fn silences(status: &Status) -> impl Iterator<Item = String> {
    status.legs.iter().filter(|leg| leg.is_silent()).map(|leg| {
        let silence = words::span(leg.last_byte_age_seconds.unwrap_or(f64::NAN));
        let expected = words::span(leg.expected_heartbeat_seconds.unwrap_or(f64::NAN));
        format!(
            "Silent: {} leg of \"{}\", nothing for {silence} (heartbeat expected every {expected}).",
            leg.leg, leg.canary
        )
    })
}

fn last_cut(status: &Status) -> String {
    let newest = |class| {
        status
            .disconnects
            .iter()
            .rev()
            .find(move |d| d.class == class)
    };
    if let Some(cut) = newest(Class::Abnormal) {
        return format!("Last cut: {}.", cut_in_words(status, cut));
    }
    let since = words::ago_at(status.started_at, status.at);
    match (status.disconnects.first(), newest(Class::Unknown)) {
        (_, Some(end)) => format!("Last end: {}.", cut_in_words(status, end)),
        (Some(oldest), None) if oldest.seq > 1 => {
            format!("No cut among the last {} ends.", status.disconnects.len())
        }
        _ => format!("No cut since the start {since}."),
    }
}

fn cut_in_words(status: &Status, cut: &Disconnect) -> String {
    let ago = words::ago_at(cut.end.at, status.at);
    let side = words::side(cut.end.side);
    format!("{ago}, {}: {} ({side})", cut.end.origin, cut.end.reason)
}

fn time_outs(status: &Status) -> impl Iterator<Item = String> {
    status.legs.iter().filter_map(|leg| {
        let after = words::time_out(leg.suspected_timeout.as_ref()?);
        let (leg, canary) = (leg.leg, &leg.canary);
        Some(format!(
            "A time-out is suspected: streams of the {leg} leg of \"{canary}\" end after {after}."
        ))
    })
}

fn misses(status: &Status) -> Option<String> {
    let of_legs: u64 = status.legs.iter().map(|leg| leg.affinity_misses).sum();
    let of_logs: u64 = status
        .sources
        .iter()
        .map(|source| source.affinity_misses)
        .sum();
    let tell = |n, whose: &str| {
        let requests = words::counted(n, "request", "requests");
        format!("{requests} {whose} reached a replica without the session.")
    };
    // Canary requests are left out of the logs' counts, but the two are still never added up.
    match (of_legs, of_logs) {
        (0, 0) => None,
        (0, n) => Some(tell(n, "of clients")),
        (n, _) => Some(tell(n, "of canaries")),
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::super::journal::{End, Journal, Origin};
    use super::super::place::Place;
    use super::super::{Heartbeats, LegRow, SourceRow};
    use super::*;
    use crate::canary::Leg;
    use crate::reason::{Reason, Side};

    const START: SystemTime = SystemTime::UNIX_EPOCH;

    fn after(seconds: u64) -> SystemTime {
        START + Duration::from_secs(seconds)
    }

    /// A leg whose newest byte is 20 s old and is late from 37.5 s.
    fn leg(held: u64, wanted: u64) -> LegRow {
        LegRow {
            canary: "weather".to_owned(),
            leg: Leg::Proxy,
            url: Place::of("http://a/mcp"),
            transport: "http_sse".to_owned(),
            up: held >= wanted,
            streams_held: held,
            streams_wanted: wanted,
            streams_not_offered: 0,
            streams_paused: 0,
            connects: 1,
            connects_failed: Vec::new(),
            disconnects: Vec::new(),
            heartbeats: Heartbeats::default(),
            last_byte_age_seconds: Some(20.0),
            longest_gap_seconds: None,
            expected_heartbeat_seconds: Some(15.0),
            late_after_seconds: Some(37.5),
            late_heartbeats: 0,
            affinity_applies: Some(true),
            affinity_requests: 0,
            affinity_misses: 0,
            misses_with_cookies: 0,
            misses_without_cookies: 0,
            sessions_lost: 0,
            suspected_timeout: None,
        }
    }

    fn silent(age: f64, held: u64) -> LegRow {
        LegRow {
            last_byte_age_seconds: Some(age),
            ..leg(held, 1)
        }
    }

    fn source(misses: u64) -> SourceRow {
        SourceRow {
            source: "edge".to_owned(),
            lines: 1,
            unparsed: 0,
            streams_closed: Vec::new(),
            session_requests: 9,
            affinity_misses: misses,
            last_line_age_seconds: None,
            lag_bytes: 0,
            notes: Vec::new(),
        }
    }

    fn ends(reasons: &[(Reason, Side)]) -> Vec<Disconnect> {
        let mut journal = Journal::default();
        for (second, (reason, side)) in reasons.iter().enumerate() {
            journal.push(End {
                at: after(second as u64),
                origin: Origin::Canary {
                    canary: "weather".to_owned(),
                    leg: Leg::Proxy,
                },
                reason: *reason,
                side: *side,
                age_seconds: None,
                silence_seconds: None,
            });
        }
        journal.since(0).cloned().collect()
    }

    fn check(
        legs: &[LegRow],
        sources: &[SourceRow],
        disconnects: &[Disconnect],
        mood: Mood,
        text: &str,
    ) {
        let status = Status {
            version: "1.2.3".to_owned(),
            started_at: START,
            at: after(12),
            legs: legs.to_vec(),
            sources: sources.to_vec(),
            disconnects: disconnects.to_vec(),
        };
        let headline = headline(&status);
        assert_eq!(headline.sentences.join(" "), text);
        assert_eq!(headline.mood, mood, "{text}");
    }

    #[test]
    fn tells_what_is_held() {
        let quiet = "No cut since the start 12 s ago.";
        for (legs, mood, text) in [
            (vec![leg(1, 1)], Mood::Well, "The stream is held."),
            (
                vec![LegRow {
                    streams_not_offered: 1,
                    ..leg(0, 1)
                }],
                Mood::Well,
                "The server is well and offers no stream to hold.",
            ),
            (
                vec![LegRow {
                    streams_paused: 1,
                    ..leg(0, 1)
                }],
                Mood::Well,
                "The stream is held.",
            ),
            (vec![leg(0, 1)], Mood::Ill, "0 of 1 streams held."),
            (
                vec![leg(2, 2), leg(2, 2)],
                Mood::Well,
                "4 of 4 streams held.",
            ),
            (
                vec![leg(1, 2), leg(2, 2)],
                Mood::Ill,
                "3 of 4 streams held.",
            ),
            (
                vec![leg(2, 1), leg(0, 1)],
                Mood::Ill,
                "1 of 2 streams held.",
            ),
        ] {
            check(&legs, &[], &[], mood, &format!("{text} {quiet}"));
        }
    }

    #[test]
    fn tells_when_nothing_is_watched() {
        check(
            &[],
            &[],
            &[],
            Mood::NotWatched,
            "Nothing is watched: no canary and no log is configured.",
        );
        check(
            &[],
            &[source(0)],
            &[],
            Mood::NotWatched,
            "No canary is configured; what follows is what the logs tell. No cut since the start 12 s ago.",
        );
    }

    #[test]
    fn a_held_stream_that_is_silent_is_ill() {
        let quiet = "No cut since the start 12 s ago.";
        let told = "The stream is held. Silent: proxy leg of \"weather\", nothing for 40 s \
                    (heartbeat expected every 15 s).";
        check(
            &[silent(40.0, 1)],
            &[],
            &[],
            Mood::Ill,
            &format!("{told} {quiet}"),
        );
        check(
            &[silent(37.5, 1)],
            &[],
            &[],
            Mood::Well,
            &format!("The stream is held. {quiet}"),
        );
        check(
            &[silent(40.0, 0)],
            &[],
            &[],
            Mood::Ill,
            &format!("0 of 1 streams held. {quiet}"),
        );
    }

    #[test]
    fn tells_the_last_cut_past_planned_ends() {
        let cut = (Reason::IdleTimeout, Side::Proxy);
        let planned = (Reason::Rotated, Side::Client);
        let unknown = (Reason::Unknown, Side::Unknown);
        let told = "Last cut: 12 s ago, proxy leg of \"weather\": idle_timeout (proxy side).";
        for (reasons, text) in [
            (vec![cut, planned, unknown], told),
            (
                vec![cut, (Reason::ServerCut, Side::Server)],
                "Last cut: 11 s ago, proxy leg of \"weather\": server_cut (server side).",
            ),
            (vec![planned], "No cut since the start 12 s ago."),
            (
                vec![unknown, planned],
                "Last end: 12 s ago, proxy leg of \"weather\": unknown (side not known).",
            ),
            (vec![planned; 257], "No cut among the last 256 ends."),
        ] {
            let text = format!("The stream is held. {text}");
            check(&[leg(1, 1)], &[], &ends(&reasons), Mood::Well, &text);
        }
    }

    #[test]
    fn misses_of_canaries_and_clients_are_not_added_up() {
        let missing = LegRow {
            affinity_misses: 1,
            ..leg(1, 1)
        };
        let quiet = "The stream is held. No cut since the start 12 s ago.";
        for (leg, misses, text) in [
            (
                leg(1, 1),
                2,
                "2 requests of clients reached a replica without the session.",
            ),
            (
                missing,
                2,
                "1 request of canaries reached a replica without the session.",
            ),
        ] {
            check(
                &[leg],
                &[source(misses)],
                &[],
                Mood::Well,
                &format!("{quiet} {text}"),
            );
        }
    }
}
