//! What `/metrics` says of one leg, in the words of the matrix.

/// The kinds of heartbeat that are sent on a timer.
const PERIODIC: [&str; 3] = ["comment", "event", "ping"];

/// One leg of one canary in one scrape.
pub(crate) struct Reading<'a> {
    text: &'a str,
    canary: &'a str,
    leg: &'a str,
}

impl<'a> Reading<'a> {
    /// The leg's part of the exposition `text`.
    pub(crate) fn new(text: &'a str, canary: &'a str, leg: &'a str) -> Self {
        Self { text, canary, leg }
    }

    /// What `auto` found, `transport version`; else why no stream was opened.
    pub(crate) fn found(&self) -> String {
        let info = self.moved("holter_canary_info").find_map(|(line, _)| {
            let transport = label(line, "transport")?;
            Some(format!("{transport} {}", label(line, "protocol_version")?))
        });
        info.unwrap_or_else(|| {
            let reasons = self.labels("holter_canary_connects_failed_total", "reason");
            format!("nothing: {}", reasons.join(", "))
        })
    }

    /// Whether its stream is held.
    pub(crate) fn is_held(&self) -> bool {
        self.moved("holter_canary_streams").next().is_some()
    }

    /// The heartbeat's kind and interval in whole seconds, or `silent`.
    pub(crate) fn heartbeat(&self) -> String {
        let interval = self
            .moved("holter_canary_heartbeat_expected_seconds")
            .next();
        let Some((_, seconds)) = interval else {
            return "silent".to_owned();
        };
        let counts = self.moved("holter_canary_heartbeats_total");
        let kinds = counts.filter_map(|(line, count)| Some((label(line, "kind")?, count)));
        let most = kinds
            .filter(|(kind, _)| PERIODIC.contains(kind))
            .max_by(|a, b| a.1.total_cmp(&b.1));
        format!(
            "{} every {seconds:.0} s",
            most.map_or("nothing", |(kind, _)| kind)
        )
    }

    /// The reasons of the ends so far, each with its class; empty if nothing ended.
    pub(crate) fn ends(&self) -> String {
        let series = self.moved("holter_canary_disconnects_total");
        let ends = series.filter_map(|(line, _)| {
            Some(format!(
                "{} ({})",
                label(line, "reason")?,
                label(line, "class")?
            ))
        });
        ends.collect::<Vec<_>>().join(", ")
    }

    /// Whether requests of a session miss its replica.
    pub(crate) fn affinity(&self) -> String {
        let count = |metric| self.moved(metric).map(|(_, value)| value).sum::<f64>();
        let requests = count("holter_canary_affinity_requests_total");
        let misses = count("holter_canary_affinity_misses_total");
        let verdict = match (requests > 0.0, misses > 0.0) {
            (false, _) => "not applicable",
            (true, false) => "kept",
            (true, true) => "misses",
        };
        verdict.to_owned()
    }

    /// The values of `name` among the leg's series of `metric` that are not 0.
    fn labels(&self, metric: &str, name: &str) -> Vec<&'a str> {
        self.moved(metric)
            .filter_map(|(line, _)| label(line, name))
            .collect()
    }

    /// The leg's series of `metric` that are not 0.
    fn moved(&self, metric: &str) -> impl Iterator<Item = (&'a str, f64)> {
        self.text.lines().filter_map(move |line| {
            let rest = line.strip_prefix(metric)?.strip_prefix('{')?;
            let (_, value) = rest.rsplit_once(' ')?;
            let value: f64 = value.parse().ok()?;
            let is_ours = label(rest, "canary")? == self.canary && label(rest, "leg")? == self.leg;
            (is_ours && value != 0.0).then_some((rest, value))
        })
    }
}

/// The value of a label in a series' text. Names that end alike (`a`, `aa`) do not occur in one series here.
fn label<'a>(series: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = series.split_once(&format!("{name}=\""))?;
    rest.split('"').next()
}
