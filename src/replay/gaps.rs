//! What the logs do not cover, in words: one sentence a gap.
//!
//! It does not read anything; it is told what was met.

use super::coverage::Coverage;
use super::span::moment;
use super::tally::Tally;
use super::units::{counted, grouped};
use crate::label::label;
use crate::reason::Reason;

/// What it means that the join was full.
pub const CUT_SHORT: &str =
    "streams decided, or error lines dropped, before their time because too many came at once";

label! {
    /// Why the error log's silence about a stream means nothing.
    pub enum Why {
        /// The access line has no time.
        Timeless => "timeless",
        /// The access log names no time zone.
        Zoneless => "zoneless",
        /// The line stands in the file long after later ones.
        Late => "late",
        /// The error log may not cover its time.
        Outside => "outside",
    }
}

/// Streams for which the error log's silence meant nothing, by why.
#[derive(Debug, Default)]
pub struct Unheard(super::tally::Counts<Why>);

impl Unheard {
    /// Counts one stream, if there was a reason.
    pub fn add(&mut self, why: Option<Why>) {
        if let Some(why) = why {
            self.0.add(why);
        }
    }
}

/// What was met, beside the counts.
#[derive(Debug, Default)]
pub struct Met<'a> {
    /// Streams that the error log could not speak about.
    pub unheard: Unheard,
    /// What the error log covers; `None` without one.
    pub coverage: Option<Coverage>,
    /// Whether an error log would have told more.
    pub wants_error_log: bool,
    /// Files without a line.
    pub empty: Vec<&'a str>,
    /// Files with holes, and how many NUL bytes.
    pub holes: Vec<(&'a str, u64)>,
    /// Lines of a container's standard error that were left out: a pipe's.
    pub left_out: u64,
}

/// One sentence a gap; empty where the logs are whole.
pub fn gaps(tally: &Tally, met: &Met<'_>) -> Vec<String> {
    let mut gaps: Vec<String> = Vec::new();
    gaps.extend(met.empty.iter().map(|file| format!("{file} is empty")));
    let hole = |(file, bytes): &(&str, u64)| {
        let holes = counted(*bytes, "NUL byte");
        format!(
            "{file} has {holes} where lines should be: a log that was truncated under its writer"
        )
    };
    gaps.extend(met.holes.iter().map(hole));
    if met.left_out > 0 {
        let lines = counted(met.left_out, "line");
        gaps.push(format!(
            "{lines} of a container's standard error left out: from a pipe they cannot be put in order of time (give the file itself)"
        ));
    }
    let unknown = tally.reasons.of(Reason::Unknown);
    if met.coverage.is_none() && met.wants_error_log && unknown > 0 {
        gaps.push(format!(
            "no error log was given: it may tell why {unknown} of these streams ended (--error-log)"
        ));
    }
    gaps.extend(
        met.unheard
            .0
            .seen()
            .map(|(why, count)| unheard(why, count, met.coverage)),
    );
    let caps = [
        (CUT_SHORT, tally.join_evicted),
        (
            "sessions forgotten because the table was full, whose next requests are not judged",
            tally.sessions_evicted,
        ),
    ];
    let reached = caps.iter().filter(|(_, count)| *count > 0);
    gaps.extend(reached.map(|(what, count)| format!("{what}: {}", grouped(*count))));
    gaps
}

fn unheard(why: Why, count: u64, coverage: Option<Coverage>) -> String {
    let count = counted(count, "stream");
    let streams = format!("{count} judged without the error log");
    match why {
        Why::Timeless => format!("{streams}: their lines have no time"),
        Why::Zoneless => format!(
            "{count} cannot be called ended well because the error log is silent: the access log names no time zone, so the error log's times are read as UTC (log $time_iso8601 too)"
        ),
        Why::Late => format!("{streams}: their lines stand after later ones (a buffered log)"),
        Why::Outside => {
            let coverage = coverage.unwrap_or_default();
            let speaks = match (coverage.first, coverage.last) {
                (Some(first), Some(last)) => {
                    format!("it speaks from {} to {}", moment(first), moment(last))
                }
                _ => "it has no line with a time".to_owned(),
            };
            format!("{streams}: {speaks} (if it is complete, add --error-log-complete)")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tally::Log;
    use super::*;
    use crate::access_log::event::Event;

    fn check(why: Why, coverage: Coverage, expected: &str) {
        let mut met = Met {
            coverage: Some(coverage),
            ..Met::default()
        };
        met.unheard.add(None);
        met.unheard.add(Some(why));
        assert_eq!(gaps(&Tally::default(), &met), [expected]);
    }

    #[test]
    fn each_gap_is_a_sentence() {
        let day = 86_400_000;
        let spans = Coverage {
            complete: false,
            first: Some(day),
            last: Some(2 * day),
        };
        check(
            Why::Outside,
            spans,
            "1 stream judged without the error log: it speaks from 1970-01-02T00:00:00Z to 1970-01-03T00:00:00Z (if it is complete, add --error-log-complete)",
        );
        check(
            Why::Outside,
            Coverage::default(),
            "1 stream judged without the error log: it has no line with a time (if it is complete, add --error-log-complete)",
        );
        check(
            Why::Late,
            spans,
            "1 stream judged without the error log: their lines stand after later ones (a buffered log)",
        );
    }

    #[test]
    fn whole_logs_have_none() {
        assert_eq!(gaps(&Tally::default(), &Met::default()), [""; 0]);
        let met = Met {
            wants_error_log: true,
            empty: vec!["a.log"],
            holes: vec![("b.log", 7)],
            ..Met::default()
        };
        let found = gaps(&Tally::default(), &met);
        assert_eq!(found.len(), 2);
        assert!(found[0].starts_with("a.log ") && found[1].starts_with("b.log has 7 NUL"));
    }

    #[test]
    fn caps_that_were_reached_are_said() {
        let mut tally = Tally::default();
        for event in [
            Event::JoinEvicted,
            Event::SessionsEvicted,
            Event::JoinEvicted,
        ] {
            tally.event(Log::Access, &event);
        }
        let found = gaps(&tally, &Met::default());
        assert_eq!(found[0], format!("{CUT_SHORT}: 2"));
        assert!(found[1].starts_with("sessions forgotten") && found[1].ends_with(": 1"));
    }

    #[test]
    fn a_missing_error_log_is_named_where_reasons_are_missing() {
        let mut tally = Tally::default();
        tally.reasons.add(Reason::Unknown);
        let mut met = Met {
            wants_error_log: true,
            ..Met::default()
        };
        assert!(gaps(&tally, &met)[0].contains("--error-log"));
        met.coverage = Some(Coverage::default());
        assert_eq!(gaps(&tally, &met).len(), 0);
    }
}
