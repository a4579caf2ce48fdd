//! One line of a proxy's access log as a [`Record`], and what follows from records: which were
//! streams, why they ended, whether a session stayed on its replica.
//!
//! One file or folder a proxy, one variant of [`Format`] each. It does not know where lines come
//! from (files, syslog, a test), what time it is, or what is done with the [`event::Event`]s.

use crate::label::label;

pub mod apache;
pub mod caddy;
mod envelope;
pub mod envoy;
pub mod event;
pub mod fit;
mod format_error;
pub mod haproxy;
pub(crate) mod held;
mod joiner;
mod json;
mod key;
mod keyed;
pub mod marks;
pub mod nginx;
pub mod reader;
mod record;
pub mod rules;
mod search;
mod sketch;
mod stamp;
pub mod streams;
mod target;
mod template;
mod times;
pub mod traefik;
mod value;
pub mod wrapping;

pub use format_error::FormatError;
use marks::Line;
pub use record::{ClientConnection, Record};
pub use sketch::{Parsed, Sketch};
pub use stamp::{Stamp, Written};
pub use template::TemplateError;
use times::Times;
pub use value::unescape;

/// Longest line that is parsed, in bytes. nginx's own request line is limited to 8 KiB by default
/// (`large_client_header_buffers`), so a longer line is damage or an attack.
pub const MAX_LINE: usize = 64 * 1024;

label! {
    /// Why a line was not understood.
    pub enum UnparsedKind {
        /// Nothing on the line.
        Empty => "empty",
        /// Longer than [`MAX_LINE`].
        TooLong => "too_long",
        /// NUL bytes: a hole that a truncated or torn write left.
        Binary => "binary",
        /// Not the shape that the format describes.
        Format => "format",
        /// The shape fits, but a number or a time is none.
        Number => "number",
    }
}

label! {
    /// Whose log it is.
    pub enum Kind {
        /// nginx, ingress-nginx and their relatives.
        Nginx => "nginx",
        /// Apache httpd.
        Apache => "apache",
        /// Caddy.
        Caddy => "caddy",
        /// Traefik.
        Traefik => "traefik",
        /// HAProxy.
        HaProxy => "haproxy",
        /// Envoy, and Istio's proxies.
        Envoy => "envoy",
    }
}

impl Kind {
    /// The format that this proxy writes where its configuration says nothing.
    pub fn default_format(self) -> &'static str {
        match self {
            Self::Nginx | Self::Apache => "combined",
            Self::Caddy => "json",
            Self::Traefik => "common",
            Self::HaProxy => "httplog",
            Self::Envoy => "default",
        }
    }
}

/// A compiled access-log format, one variant a proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Format {
    /// nginx, ingress-nginx and their relatives.
    Nginx(nginx::Format),
    /// Apache httpd, in any `LogFormat`.
    Apache(apache::Format),
    /// Caddy's JSON.
    Caddy(caddy::Format),
    /// Traefik's common log format or JSON.
    Traefik(traefik::Format),
    /// HAProxy, in any `log-format`.
    HaProxy(haproxy::Format),
    /// Envoy, in any text or JSON format.
    Envoy(envoy::Format),
    /// An application's own log.
    Rules(rules::Rules),
}

impl Format {
    /// Compiles a preset's name or the proxy's own format string.
    ///
    /// # Errors
    /// What is wrong with the text, and what was expected.
    pub fn compile(kind: Kind, text: &str) -> Result<Self, FormatError> {
        Ok(match kind {
            Kind::Nginx => Self::Nginx(nginx::Format::compile(text)?),
            Kind::Apache => Self::Apache(apache::Format::compile(text)?),
            Kind::Caddy => Self::Caddy(caddy::Format::compile(text)?),
            Kind::Traefik => Self::Traefik(traefik::Format::compile(text)?),
            Kind::HaProxy => Self::HaProxy(haproxy::Format::compile(text)?),
            Kind::Envoy => Self::Envoy(envoy::Format::compile(text)?),
        })
    }

    /// Reads one line, without its line end.
    ///
    /// # Errors
    /// The kind of damage, to be counted.
    pub fn parse<'a>(&self, line: &'a [u8]) -> Result<Record<'a>, UnparsedKind> {
        match self {
            Self::Nginx(format) => format.parse(line),
            Self::Apache(format) => format.parse(line),
            Self::Caddy(format) => format.parse(line),
            Self::Traefik(format) => format.parse(line),
            Self::HaProxy(format) => format.parse(line),
            Self::Envoy(format) => format.parse(line),
            Self::Rules(rules) => Ok(rules.parse(line)),
        }
    }

    /// When a line of this proxy's second log (error, runtime) was written; `None` if it does not say.
    pub fn written(&self, line: &[u8]) -> Option<Written> {
        match self {
            Self::Nginx(_) => {
                let line = nginx::error::parse(line).ok()?;
                Some(Written::Local(line.at.saturating_mul(1000)))
            }
            Self::Apache(_) => {
                let line = apache::error::parse(line).ok()?;
                Some(Written::Local(line.at_us.div_euclid(1000)))
            }
            Self::Caddy(_) => {
                let line = caddy::runtime::parse(line).ok()?;
                Some(Written::Utc(line.at_us.div_euclid(1000)))
            }
            Self::Traefik(_) => None,
            // Every line of these stands in one log.
            Self::HaProxy(_) | Self::Envoy(_) | Self::Rules(_) => None,
        }
    }

    /// Whether this proxy says more about a stream's end in a second log.
    pub fn has_second_log(&self) -> bool {
        match self {
            Self::Nginx(_) | Self::Apache(_) | Self::Caddy(_) => true,
            Self::Traefik(_) | Self::HaProxy(_) | Self::Envoy(_) | Self::Rules(_) => false,
        }
    }

    /// Whether a line itself tells which of its two logs it is of: Caddy's default logger writes both to its
    /// standard error.
    pub fn tells_its_logs_apart(&self) -> bool {
        matches!(self, Self::Caddy(_))
    }

    /// Whether its lines can be joined with that log.
    pub fn joins(&self) -> bool {
        match self {
            Self::Nginx(format) => !format.missing().contains(&nginx::Missing::Connection),
            _ => self.has_second_log(),
        }
    }

    /// Reads one line as [`Format::parse`] does, into what is empty before; no more than its sketch where nobody asks
    /// more about such a request. `times` is the reader's memory of the line before.
    ///
    /// # Errors
    /// The kind of damage, to be counted. What is not read need not be any.
    #[inline]
    pub(crate) fn read<'a>(
        &self,
        line: &Line<'a, '_>,
        parsed: &mut Parsed<'a>,
        times: &mut Times,
        is_asked: impl Fn(&Sketch<'a>) -> bool,
    ) -> Result<(), UnparsedKind> {
        if let Self::Nginx(format) = self {
            return format.read(line, parsed, times, is_asked);
        }
        parsed.record = Some(self.parse(line.text)?);
        Ok(())
    }

    /// The byte that has to be marked in a line for it to be read quickly; the line feed where none has.
    pub(crate) fn marked(&self) -> u8 {
        match self {
            Self::Nginx(format) => format.marked(),
            _ => b'\n',
        }
    }

    /// Whether its lines may tell of a POST that was answered whether the answer was a stream.
    pub(crate) fn tells_posts(&self) -> bool {
        match self {
            Self::Nginx(format) => format.tells_posts(),
            _ => true,
        }
    }

    /// Whether its lines may tell which upstream a request was sent to.
    pub(crate) fn has_upstream(&self) -> bool {
        match self {
            Self::Nginx(format) => format.has_upstream(),
            _ => true,
        }
    }

    /// What this format cannot tell, and what to add to it: one sentence each.
    pub fn limits(&self) -> Vec<String> {
        match self {
            Self::Nginx(format) => format
                .missing()
                .iter()
                .map(|missing| {
                    format!("{} is not logged: {}", missing.variable(), missing.effect())
                })
                .collect(),
            Self::Apache(format) => format.limits(),
            Self::Caddy(format) => format.limits(),
            Self::Traefik(format) => format.limits(),
            Self::HaProxy(format) => format.limits(),
            Self::Envoy(format) => format.limits(),
            Self::Rules(_) => Vec::new(),
        }
    }
}

/// What a format cannot show that logs neither what a POST asks for nor what it is answered with: the
/// streams of MCP 2026-07-28, and those of Streamable HTTP that answer a call.
const POST_STREAMS: &str =
    "not all streams that a POST opens are seen, unless streams.methods names POST";

/// What is wrong with a line that does not have the format's shape.
#[cold]
fn damage(line: &[u8]) -> UnparsedKind {
    if line.is_empty() {
        UnparsedKind::Empty
    } else if memchr::memchr(0, line).is_some() {
        UnparsedKind::Binary
    } else {
        UnparsedKind::Format
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn second_logs_say_when_their_lines_were_written() {
        let ms = 1_795_168_851_000;
        for (kind, line, expected) in [
            (
                Kind::Nginx,
                "2026/11/20 10:00:51 [error] 7#7: x",
                Some(Written::Local(ms)),
            ),
            (
                Kind::Apache,
                "[Fri Nov 20 10:00:51.781066 2026] [x:error] x",
                Some(Written::Local(ms + 781)),
            ),
            (
                Kind::Caddy,
                r#"{"level":"info","ts":1795168851.5,"msg":"x"}"#,
                Some(Written::Utc(ms + 500)),
            ),
            (Kind::Traefik, "x", None),
            (Kind::Apache, "x", None),
        ] {
            let format = Format::compile(kind, kind.default_format()).unwrap();
            assert_eq!(format.written(line.as_bytes()), expected, "{line}");
        }
    }
}
