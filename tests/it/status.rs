//! The status page and its JSON, whole, against what is on file. `UPDATE_GOLDEN=1` rewrites the files;
//! look at the page in a browser then.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::time::{Duration, SystemTime};

use holter::canary::Leg;
use holter::canary::fingerprint::CutOff;
use holter::reason::{Reason, Side};
use holter::status::journal::{End, Journal, Origin};
use holter::status::place::Place;
use holter::status::{Heartbeats, LegRow, SourceRow, Status, SuspectedTimeout, page};
use holter::verdict::settings;

/// 2026-11-20T03:00:00Z
fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_143_600)
}

fn ago(seconds: u64) -> SystemTime {
    now() - Duration::from_secs(seconds)
}

fn weather_direct() -> LegRow {
    LegRow {
        canary: "weather".to_owned(),
        leg: Leg::Direct,
        url: Place::of("http://127.0.0.1:3001/mcp"),
        transport: "streamable_http".to_owned(),
        up: true,
        streams_held: 1,
        streams_wanted: 1,
        streams_not_offered: 0,
        streams_paused: 0,
        connects: 3,
        connects_failed: vec![],
        disconnects: vec![(Reason::Rotated, 2)],
        heartbeats: Heartbeats {
            comment: 12_204,
            ping: 61,
            ..Heartbeats::default()
        },
        last_byte_age_seconds: Some(4.2),
        longest_gap_seconds: Some(16.3),
        expected_heartbeat_seconds: Some(15.0),
        late_after_seconds: Some(37.5),
        late_heartbeats: 0,
        affinity_applies: Some(true),
        affinity_requests: 240,
        affinity_misses: 0,
        misses_with_cookies: 0,
        misses_without_cookies: 0,
        sessions_lost: 0,
        suspected_timeout: None,
    }
}

fn weather_proxy() -> LegRow {
    LegRow {
        leg: Leg::Proxy,
        url: Place::of("https://user:secret@mcp.example.com/mcp?token=secret"),
        up: false,
        streams_held: 0,
        connects: 1_408,
        connects_failed: vec![(Reason::ConnectRefused, 2), (Reason::Http5xx, 12)],
        disconnects: vec![
            (Reason::ServerCut, 3),
            (Reason::IdleTimeout, 1_371),
            (Reason::Rotated, 2),
        ],
        heartbeats: Heartbeats {
            comment: 5_470,
            event: 2,
            ping: 3,
            data: 1,
        },
        last_byte_age_seconds: Some(13.0),
        longest_gap_seconds: Some(60.4),
        late_heartbeats: 17,
        affinity_misses: 161,
        misses_without_cookies: 161,
        sessions_lost: 3,
        suspected_timeout: Some(SuspectedTimeout {
            kind: CutOff::Idle,
            seconds: 60.0,
            candidates: settings::behind_cut_off(Leg::Proxy, CutOff::Idle, 60.0),
        }),
        ..weather_direct()
    }
}

/// Held, and silent for longer than its heartbeat allows.
fn search_direct() -> LegRow {
    LegRow {
        canary: "search".to_owned(),
        url: Place::of("http://[::1]:8080/sse"),
        transport: "http_sse".to_owned(),
        disconnects: vec![],
        last_byte_age_seconds: Some(95.4),
        affinity_requests: 0,
        suspected_timeout: Some(SuspectedTimeout {
            kind: CutOff::Total,
            seconds: 47.0,
            candidates: vec![],
        }),
        ..weather_direct()
    }
}

/// A name that would be markup, and a server that never beat.
fn odd() -> LegRow {
    LegRow {
        canary: "<b>odd</b> & \"quoted\"".to_owned(),
        leg: Leg::Proxy,
        transport: "sse".to_owned(),
        connects: 1,
        disconnects: vec![],
        heartbeats: Heartbeats::default(),
        last_byte_age_seconds: None,
        longest_gap_seconds: None,
        expected_heartbeat_seconds: None,
        late_after_seconds: None,
        affinity_applies: Some(false),
        affinity_requests: 0,
        ..weather_direct()
    }
}

fn edge() -> SourceRow {
    SourceRow {
        source: "edge".to_owned(),
        lines: 1_204_557,
        unparsed: 12,
        streams_closed: vec![
            (Reason::ClientClose, 8_120),
            (Reason::IdleTimeout, 4_113),
            (Reason::Unknown, 96),
        ],
        session_requests: 90_411,
        affinity_misses: 30_102,
        last_line_age_seconds: Some(0.4),
        lag_bytes: 16_384,
        notes: vec![
            "without $request_time the age of a stream is not known".to_owned(),
            "without the error log a reset looks like a close".to_owned(),
        ],
    }
}

fn balancer() -> SourceRow {
    SourceRow {
        source: "balancer".to_owned(),
        lines: 0,
        unparsed: 0,
        streams_closed: vec![],
        session_requests: 0,
        affinity_misses: 0,
        last_line_age_seconds: None,
        lag_bytes: 0,
        notes: vec![],
    }
}

fn canary_end(seconds: u64, reason: Reason, side: Side, silence: Option<f64>) -> End {
    End {
        at: ago(seconds),
        origin: Origin::Canary {
            canary: "weather".to_owned(),
            leg: Leg::Proxy,
        },
        reason,
        side,
        age_seconds: Some(75.1),
        silence_seconds: silence,
    }
}

fn log_end(seconds: u64, reason: Reason, upstream: Option<&str>) -> End {
    End {
        at: ago(seconds),
        origin: Origin::Log {
            source: "edge".to_owned(),
            upstream: upstream.map(str::to_owned),
        },
        reason,
        side: reason.side_in_proxy_log(),
        age_seconds: upstream.map(|_| 1_802.0),
        silence_seconds: None,
    }
}

fn journal() -> Journal {
    let mut journal = Journal::default();
    for minutes in (1..=20).rev() {
        journal.push(canary_end(
            minutes * 97,
            Reason::IdleTimeout,
            Side::Proxy,
            Some(60.0),
        ));
    }
    for end in [
        log_end(61, Reason::ClientClose, Some("10.0.0.1:8080")),
        log_end(40, Reason::Unknown, None),
        canary_end(25, Reason::ServerCut, Side::Server, Some(2.4)),
        canary_end(12, Reason::IdleTimeout, Side::Proxy, Some(60.0)),
        canary_end(3, Reason::Rotated, Side::Client, None),
    ] {
        journal.push(end);
    }
    journal
}

fn busy() -> Status {
    Status {
        version: "0.1.0".to_owned(),
        started_at: ago(2 * 86_400 + 5),
        at: now(),
        legs: vec![weather_direct(), weather_proxy(), search_direct(), odd()],
        sources: vec![edge(), balancer()],
        disconnects: journal().since(0).cloned().collect(),
    }
}

fn well() -> Status {
    Status {
        legs: vec![
            weather_direct(),
            LegRow {
                leg: Leg::Proxy,
                url: Place::of("https://mcp.example.com/mcp"),
                disconnects: vec![],
                ..weather_direct()
            },
        ],
        sources: vec![balancer()],
        disconnects: vec![],
        ..busy()
    }
}

fn empty() -> Status {
    Status {
        legs: vec![],
        sources: vec![],
        disconnects: vec![],
        ..busy()
    }
}

fn check(name: &str, actual: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/status");
    let path = folder.join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(&path, actual).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    for (number, (actual, expected)) in actual.lines().zip(expected.lines()).enumerate() {
        assert_eq!(actual, expected, "{name}, line {}", number + 1);
    }
    assert_eq!(actual.len(), expected.len(), "{name}, length");
}

#[test]
fn the_page_is_as_on_file() {
    check("page.html", &page::render(&busy()));
    check("well.html", &page::render(&well()));
    check("empty.html", &page::render(&empty()));
}

#[test]
fn the_json_is_as_on_file() {
    let json = serde_json::to_string_pretty(&busy()).unwrap();
    check("status.json", &format!("{json}\n"));
}

#[test]
fn the_page_shows_no_secret_and_loads_nothing() {
    let page = page::render(&busy());
    let json = serde_json::to_string(&busy()).unwrap();
    assert!(!page.contains("secret") && !json.contains("secret"));
    for loads in ["<script", "src=", "<link", "url(", "@import", "<b>odd"] {
        assert!(!page.contains(loads), "{loads}");
    }
}
