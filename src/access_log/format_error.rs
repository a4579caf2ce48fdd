//! Why a format's text cannot be used, whichever proxy it is for.
//!
//! It does not know the configuration file around the text.

use super::{TemplateError, apache, nginx};

/// A `log_format` that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// An nginx `log_format`.
    #[error(transparent)]
    Nginx(#[from] nginx::FormatError),
    /// An Apache `LogFormat`.
    #[error(transparent)]
    Apache(#[from] apache::FormatError),
    /// A proxy whose formats are known by name only.
    #[error("unknown name; expected {expected}")]
    Name {
        /// The names that there are.
        expected: &'static str,
    },
    /// An HAProxy `log-format`, or an Envoy format string.
    #[error(transparent)]
    Template(#[from] TemplateError),
}
