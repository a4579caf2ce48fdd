//! Cut-offs from bytes to the metric and the settings named, on a virtual time line: hours take no time.

use std::time::{Duration, SystemTime};

use holter::canary::ending::Cause;
use holter::canary::fingerprint::CutOff;
use holter::canary::machine::Input;
use holter::canary::pair::{Finding, Pair, Plan};
use holter::canary::{Leg, Transport};
use holter::config::Config;
use holter::metrics::{LegPlan, Metrics};
use holter::status::view;
use holter::verdict::settings;

use super::play::Play;

const KNOWN: [f64; 9] = [30.0, 55.0, 60.0, 100.0, 120.0, 230.0, 240.0, 300.0, 350.0];
const NAME: &str = "weather";
/// Traffic that is no heartbeat.
const MESSAGE: &str = "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\"}\n\n";

/// A canary behind a proxy, what compares its legs, and its metrics.
struct Line {
    play: Play,
    pair: Pair,
    metrics: Metrics,
}

impl Line {
    fn new() -> Self {
        let plan = Plan {
            legs: &[Leg::Proxy],
            streams: 1,
            interval: None,
            connect_timeout: Duration::from_secs(10),
        };
        let leg = LegPlan {
            canary: NAME,
            leg: Leg::Proxy,
            streams: 1,
            interval: None,
        };
        Self {
            play: Play::new(Leg::Proxy, Transport::Sse),
            pair: Pair::new(plan),
            metrics: Metrics::new([leg], []),
        }
    }

    /// A stream on which this arrives at these seconds, cut at the last.
    fn stream(&mut self, bytes: &'static str, at: &[f64], cut: f64) {
        self.play.tick().opened();
        self.record();
        let opened_at = self.play.now;
        for second in at {
            self.to(opened_at + Duration::from_secs_f64(*second));
            self.play.bytes(bytes);
            self.record();
        }
        self.to(opened_at + Duration::from_secs_f64(cut));
        self.play.say(Input::Ended(Cause::Truncated));
        self.record();
    }

    fn to(&mut self, then: std::time::Instant) {
        while self.play.canary.deadline().is_some_and(|due| due <= then) {
            self.play.tick();
            self.record();
        }
        self.play.now = then;
    }

    /// Tells the events as the recorder does.
    fn record(&mut self) {
        let leg = self.metrics.leg(NAME, Leg::Proxy).unwrap();
        for event in self.play.events.drain(..) {
            leg.record(&event, SystemTime::UNIX_EPOCH);
            let found = self.pair.handle(self.play.now, Leg::Proxy, 0, &event);
            for finding in found {
                if let Finding::CutOff(_, suspicion) = finding {
                    leg.suspect(suspicion);
                }
            }
        }
    }

    /// The series of suspected time-outs, and the settings that the status names with it.
    fn told(&self) -> (Vec<String>, Vec<String>) {
        let text = self.metrics.render();
        let series = text
            .lines()
            .filter(|line| line.starts_with("holter_canary_suspected_timeout_seconds{"));
        let yaml = format!("canaries:\n  - name: {NAME}\n    proxy: http://127.0.0.1:1/sse\n");
        let config = Config::parse(&yaml, "test").unwrap();
        let url = "http://127.0.0.1:1/sse".parse().unwrap();
        let leg = self.metrics.leg(NAME, Leg::Proxy).unwrap();
        let row = view::leg(&leg, &config.canaries[0], &url, SystemTime::UNIX_EPOCH);
        let candidates = row.suspected_timeout.map(|found| found.candidates);
        let named = candidates.unwrap_or_default();
        (
            series.map(str::to_owned).collect(),
            named.iter().map(ToString::to_string).collect(),
        )
    }

    fn check(&self, kind: CutOff, seconds: f64) {
        let line = format!(
            "holter_canary_suspected_timeout_seconds{{canary=\"{NAME}\",kind=\"{kind}\",leg=\"proxy\"}} {seconds}"
        );
        let expected = settings::behind_cut_off(Leg::Proxy, kind, seconds);
        let expected: Vec<_> = expected.iter().map(ToString::to_string).collect();
        assert_eq!(self.told(), (vec![line], expected));
        let is_named = kind == CutOff::Idle || [30.0, 240.0, 300.0].contains(&seconds);
        assert_eq!(!self.told().1.is_empty(), is_named, "{kind} {seconds}");
    }

    fn check_silent(&self) {
        assert_eq!(self.told(), (vec![], vec![]));
    }
}

#[test]
fn silence_that_is_cut_is_told_with_the_settings_at_the_third_end() {
    for cut in KNOWN {
        let mut line = Line::new();
        for (number, last) in [1.0, 4.0, 2.5].into_iter().enumerate() {
            line.check_silent();
            // One message in all, at another time on each: only the silence repeats.
            line.stream(MESSAGE, &[last], last + cut);
            assert_eq!(line.told().0.len(), number / 2);
        }
        line.check(CutOff::Idle, cut);
    }
}

#[test]
fn age_that_is_cut_while_messages_flow_is_told_at_the_third_end() {
    for cut in KNOWN {
        let mut line = Line::new();
        for apart in [7.0, 4.0, 5.5] {
            line.check_silent();
            let at = |number: u32| f64::from(number * number) / 9.0 + apart * f64::from(number);
            let at: Vec<_> = (1..).map(at).take_while(|at| *at < cut).collect();
            line.stream(MESSAGE, &at, cut);
        }
        line.check(CutOff::Total, cut);
    }
}

/// The proxy finds the time over when it passes on the next heartbeat: up to a heartbeat late.
#[test]
fn age_that_is_cut_at_a_heartbeat_is_told_at_the_third_end() {
    for beat in [5.0, 15.0] {
        for cut in KNOWN {
            // Fewer beats than it takes to learn the interval, and half of the cut-off: see docs/verdicts.md.
            let needed = if (cut, beat) == (30.0, 15.0) { 5 } else { 3 };
            let mut line = Line::new();
            for late in &[0.9, 0.0, 0.4, 0.7, 0.2][..needed] {
                line.check_silent();
                let noticed = cut + late * beat;
                let beats = (1..).map(|number| noticed - beat * f64::from(number));
                let mut at: Vec<_> = beats.take_while(|at| *at > 0.0).collect();
                at.reverse();
                line.stream(": keepalive\n\n", &at, noticed);
            }
            line.check(CutOff::Total, cut);
        }
    }
}

#[test]
fn a_stream_that_lives_longer_takes_it_back() {
    let mut line = Line::new();
    for _ in 0..3 {
        line.stream("", &[], 60.0);
    }
    line.check(CutOff::Idle, 60.0);
    line.stream(MESSAGE, &[200.0], 201.0);
    line.check_silent();
}

/// The server's own limit is named for both: silent, it looks idle; commenting, total.
#[test]
fn rmcp_is_named_whether_its_comments_flow_or_not() {
    let mut silent = Line::new();
    let mut beating = Line::new();
    for _ in 0..3 {
        silent.stream("", &[], 300.0);
        let at: Vec<_> = (1..20).map(|number| 15.0 * f64::from(number)).collect();
        beating.stream(": \n\n", &at, 300.0);
    }
    for (line, kind) in [(silent, CutOff::Idle), (beating, CutOff::Total)] {
        line.check(kind, 300.0);
        let named = line.told().1;
        assert!(named.iter().any(|name| name.contains("rmcp")), "{named:?}");
    }
}
