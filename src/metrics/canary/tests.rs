//! What a leg's events do to its series.

use super::*;
use crate::metrics::Metrics;
use crate::reason::Side;

#[test]
fn a_leg_is_up_while_every_stream_is_held() {
    let plan = LegPlan {
        canary: "a",
        leg: Leg::Direct,
        streams: 2,
        interval: None,
    };
    let metrics = Metrics::new([plan], []);
    let leg = metrics.leg("a", Leg::Direct).unwrap();
    let held = Event::Held {
        transport: Transport::HttpSse,
        version: "2024-11-05",
        session: true,
    };
    let end = End {
        reason: Reason::ServerCut,
        side: Side::Server,
        age: Duration::from_secs(9),
        silence: Duration::from_secs(1),
    };
    let up = |expected: u8| {
        let line = format!("holter_canary_up{{canary=\"a\",leg=\"direct\"}} {expected}\n");
        assert!(metrics.render().contains(&line), "{}", metrics.render());
    };
    let wall = SystemTime::UNIX_EPOCH;
    leg.record(&held, wall);
    up(0);
    leg.record(&held, wall);
    up(1);
    leg.record(&Event::Ended(end), wall);
    up(0);
    assert_eq!(
        (leg.held(), leg.disconnects()),
        (1, vec![(Reason::ServerCut, 1)])
    );
}

#[test]
fn what_was_negotiated_is_one_series() {
    let plan = LegPlan {
        canary: "a",
        leg: Leg::Proxy,
        streams: 1,
        interval: None,
    };
    let metrics = Metrics::new([plan], []);
    let leg = metrics.leg("a", Leg::Proxy).unwrap();
    for transport in [Transport::HttpSse, Transport::StreamableHttp] {
        leg.record(
            &Event::Held {
                transport,
                version: "2025-06-18",
                session: true,
            },
            SystemTime::UNIX_EPOCH,
        );
    }
    let text = metrics.render();
    let series: Vec<_> = text
        .lines()
        .filter(|line| line.starts_with("holter_canary_info"))
        .collect();
    assert_eq!(series.len(), 1, "{series:?}");
    assert!(series[0].contains("streamable_http"), "{series:?}");
}

#[test]
fn a_leg_without_a_stream_is_up_where_that_is_right() {
    let plan = LegPlan {
        canary: "a",
        leg: Leg::Direct,
        streams: 1,
        interval: None,
    };
    let metrics = Metrics::new([plan], []);
    let leg = metrics.leg("a", Leg::Direct).unwrap();
    let (transport, version, session) = (Transport::StreamableHttp, "2025-11-25", true);
    let held = Event::Held {
        transport,
        version,
        session,
    };
    let none = Event::NoStream {
        transport,
        version,
        session,
    };
    let end = End {
        reason: Reason::ServerClose,
        side: Side::Server,
        age: Duration::from_secs(9),
        silence: Duration::from_secs(1),
    };
    let steps = [
        (none, true, 0),
        (Event::NoStreamOver, false, 0),
        (held.clone(), true, 1),
        (Event::Paused, true, 0),
        (Event::Resumed, false, 0),
        (held, true, 1),
        (Event::Paused, true, 0),
        (Event::EndedPaused(end), false, 0),
    ];
    for (event, up, streams) in steps {
        leg.record(&event, SystemTime::UNIX_EPOCH);
        assert_eq!((leg.is_up(), leg.held()), (up, streams), "{event:?}");
    }
    assert_eq!(leg.disconnects(), [(Reason::ServerClose, 1)]);
}

#[test]
fn an_interval_that_is_unlearned_is_shown_no_more() {
    let plan = LegPlan {
        canary: "a",
        leg: Leg::Direct,
        streams: 1,
        interval: None,
    };
    let metrics = Metrics::new([plan], []);
    let leg = metrics.leg("a", Leg::Direct).unwrap();
    let shown = |interval: Option<u64>| {
        let event = Event::Learned(interval.map(Duration::from_secs));
        leg.record(&event, SystemTime::UNIX_EPOCH);
        let text = metrics.render();
        text.contains("holter_canary_heartbeat_expected_seconds{")
    };
    assert!(!shown(None), "none was known");
    assert!(shown(Some(30)));
    assert!(!shown(None));
}
