//! What is wrong with a `LogFormat`: one line for the person who pasted it.
//!
//! It does not know the configuration file around the text.

/// What is wrong with a `LogFormat`, and what was expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FormatError {
    /// Nothing but space.
    #[error("empty; expected `combined`, a format string, or a whole LogFormat directive")]
    Empty,
    /// Longer than the cap.
    #[error("too long; expected at most 16384 bytes")]
    TooLong,
    /// `LogFormat` without a format, or with a quote that is never closed.
    #[error("the directive is incomplete; expected LogFormat \"FORMAT\" NAME")]
    Incomplete,
    /// Text after the directive.
    #[error("text after the format's name; expected one LogFormat directive and nothing else")]
    Trailing,
    /// Only literal text.
    #[error("no directive; expected `combined` or text with directives such as %>s")]
    NoDirective,
    /// `%` and no name.
    #[error("a `%` without a name; expected a directive such as %>s, or %% for a percent sign")]
    Nameless,
    /// `%{` without `}`.
    #[error("`%{{` is not closed; expected `}}` after the argument")]
    UnclosedBrace,
    /// Two directives that cannot be told apart in a line.
    #[error(
        "nothing between %{0} and the next directive; expected text that separates their values"
    )]
    Adjacent(String),
    /// Neither the request nor its parts are logged.
    #[error(
        "no request in the format; expected %r, or %m with %U: without them no stream can be recognised"
    )]
    NoRequest,
}
