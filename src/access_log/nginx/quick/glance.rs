//! What tells a request and when it was, read where the format has it.
//!
//! What most formats have has a place of its own here: to find out what a run tells would take longer than to read it.

use super::{Between, Run};
use crate::access_log::marks::Line;
use crate::access_log::nginx::cut::Cut;
use crate::access_log::nginx::sketch::{Moment, take, take_request};
use crate::access_log::nginx::variable::{Variable, has_time};
use crate::access_log::times::Times;
use crate::access_log::{Sketch, value};

/// The runs that tell it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Glance {
    time_local: Option<Run>,
    request: Option<Run>,
    status: Option<Run>,
    user_agent: Option<Run>,
    upstream: Option<Run>,
    /// Read of failures only.
    header_time: Option<Run>,
    /// Of a header each.
    sessions: Vec<Run>,
    /// What stands there a second time, in an unusual way, or in few formats.
    others: Vec<Run>,
}

impl Glance {
    /// Of all runs of a format's line.
    pub(super) fn of(runs: &[Run], line: &Cut) -> Self {
        let header_time = Variable::UpstreamHeaderTime;
        let is_once = line.variables().filter(|it| *it == header_time).count() == 1;
        let is_it = |run: &&Run| run.between == Between::Value(header_time);
        let mut glance = Self {
            header_time: runs.iter().find(is_it).filter(|_| is_once).cloned(),
            ..Self::default()
        };
        for run in runs.iter().filter_map(Run::sketch) {
            match glance.place(&run) {
                Some(place @ None) => *place = Some(run),
                _ if run.is_session() => glance.sessions.push(run),
                _ => glance.others.push(run),
            }
        }
        glance
    }

    /// The place that a run would have of its own.
    fn place(&mut self, run: &Run) -> Option<&mut Option<Run>> {
        match (&run.between, run.between.variable()?) {
            (Between::Time(..), Variable::TimeLocal) => Some(&mut self.time_local),
            (Between::First(_, step, _), Variable::Status) if !step.goes_on_with_a_digit() => {
                Some(&mut self.status)
            }
            (Between::Value(_), Variable::Request) => Some(&mut self.request),
            (Between::Value(_), Variable::UserAgent) => Some(&mut self.user_agent),
            (Between::Value(_), Variable::Upstream) => Some(&mut self.upstream),
            _ => None,
        }
    }

    /// Takes it out of a line that has as many quotes as the format. No more than that there is a session where there is
    /// one: all of such a line will be read. `None` if the line cannot be read so.
    #[inline(always)]
    pub(super) fn read<'a>(
        &self,
        line: &Line<'a, '_>,
        times: &mut Times,
        sketch: &mut Sketch<'a>,
    ) -> Option<()> {
        for run in &self.sessions {
            sketch.has_session |= value::present(run.value(line)?).is_some();
        }
        if sketch.has_session {
            return Some(());
        }
        let mut moment = Moment::default();
        if let Some(run) = &self.time_local {
            moment.local = Some(run.time(line)?);
        }
        if let Some(run) = &self.request {
            take_request(run.request(line)?, sketch);
        }
        if let Some(run) = &self.status {
            tell(Variable::Status, run.status(line)?, sketch, &mut moment)?;
        }
        if let Some(run) = &self.user_agent {
            sketch.user_agent = value::present(run.value(line)?);
        }
        if let Some(run) = &self.upstream {
            tell(Variable::Upstream, run.value(line)?, sketch, &mut moment)?;
        }
        for run in &self.others {
            run.read(line, |variable, raw| {
                tell(variable, raw, sketch, &mut moment)
            })?;
        }
        if let Some(run) = &self.header_time
            && sketch.is_failure()
        {
            sketch.upstream_headers = Some(has_time(run.value(line)?));
        }
        sketch.ended = moment.stamp(times).ok()?;
        Some(())
    }
}

#[inline(always)]
fn tell<'a>(
    variable: Variable,
    raw: &'a [u8],
    sketch: &mut Sketch<'a>,
    moment: &mut Moment<'a>,
) -> Option<()> {
    match value::present(raw) {
        Some(raw) => take(variable, raw, sketch, moment),
        None => Some(()),
    }
}
