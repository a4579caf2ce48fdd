//! What one value tells of a request, and when it was: the part of a line that is read of every request.
//!
//! It does not know where the value stood.

use super::variable::{Values, Variable, has_time, status};
use crate::access_log::times::Times;
use crate::access_log::{Sketch, Stamp, UnparsedKind, search, target, value};

/// Takes a value that is present into a sketch; `None` where a number is none.
#[inline(always)]
pub(super) fn take<'a>(
    variable: Variable,
    raw: &'a [u8],
    sketch: &mut Sketch<'a>,
    moment: &mut Moment<'a>,
) -> Option<()> {
    match variable {
        Variable::TimeLocal => moment.local = Some(raw),
        Variable::TimeIso => moment.iso = Some(raw),
        Variable::Msec => moment.msec = Some(raw),
        Variable::Request => take_request(target::words(raw), sketch),
        Variable::RequestUri => take_target(target::parts(raw), sketch),
        Variable::Uri => sketch.path = Some(raw),
        Variable::Args => sketch.has_session |= target::session_of(raw).is_some(),
        Variable::Status => sketch.status = Some(status(raw)?),
        Variable::Upstream => {
            sketch.upstream = Some(raw);
            sketch.retried = search::contains(b' ', raw);
        }
        Variable::SessionSent | Variable::SessionMinted | Variable::SessionQuery => {
            sketch.has_session = true;
        }
        Variable::UserAgent => sketch.user_agent = Some(raw),
        _ => {}
    }
    Some(())
}

/// Takes a request's line, if it is one.
#[inline(always)]
pub(super) fn take_request<'a>(words: Option<target::Words<'a>>, sketch: &mut Sketch<'a>) {
    if let Some((method, parts)) = words {
        sketch.method = Some(method);
        take_target(parts, sketch);
    }
}

#[inline(always)]
fn take_target<'a>((path, query): (&'a [u8], Option<&'a [u8]>), sketch: &mut Sketch<'a>) {
    sketch.path = Some(path);
    sketch.has_session |= query.and_then(target::session_of).is_some();
}

/// When a request ended, as its line writes it.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Moment<'a> {
    pub(super) msec: Option<&'a [u8]>,
    pub(super) local: Option<&'a [u8]>,
    pub(super) iso: Option<&'a [u8]>,
}

impl Moment<'_> {
    /// The most exact moment, with the zone from wherever it is written.
    ///
    /// # Errors
    /// [`UnparsedKind::Number`] where the time is none.
    #[inline(always)]
    pub(super) fn stamp(&self, times: &mut Times) -> Result<Option<Stamp>, UnparsedKind> {
        let stamp = match (self.local, self.iso) {
            (Some(raw), _) => times.read(raw, value::common).map(Some),
            (None, Some(raw)) => times.read(raw, value::iso8601).map(Some),
            (None, None) => Some(None),
        };
        let stamp = stamp.ok_or(UnparsedKind::Number)?;
        let Some(msec) = self.msec else {
            return Ok(stamp);
        };
        Ok(Some(Stamp {
            unix_ms: value::unix_ms(msec).ok_or(UnparsedKind::Number)?,
            utc_offset: stamp.and_then(|stamp| stamp.utc_offset),
        }))
    }
}

impl<'a> Values<'a> {
    /// What the values that are there tell of the request.
    ///
    /// # Errors
    /// [`UnparsedKind::Number`] where the status or the time is none.
    pub(super) fn sketch(&self, times: &mut Times) -> Result<Sketch<'a>, UnparsedKind> {
        let (mut sketch, mut moment) = (Sketch::default(), Moment::default());
        for variable in Variable::SKETCH {
            if let Some(raw) = self.get(variable) {
                take(variable, raw, &mut sketch, &mut moment).ok_or(UnparsedKind::Number)?;
            }
        }
        if sketch.is_failure() {
            sketch.upstream_headers = self.raw(Variable::UpstreamHeaderTime).map(has_time);
        }
        sketch.ended = moment.stamp(times)?;
        Ok(sketch)
    }
}
