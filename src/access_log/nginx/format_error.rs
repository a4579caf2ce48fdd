//! What is wrong with a `log_format`, and where: one line for the person who pasted it.
//!
//! It does not know the configuration file around the text; lines and columns count in the text.

/// A `log_format` that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {problem}")]
pub struct FormatError {
    /// Line in the text, from 1.
    pub line: usize,
    /// Column in that line in characters, from 1.
    pub column: usize,
    /// What is wrong, and what was expected.
    pub problem: Problem,
}

/// What is wrong with a `log_format`, and what was expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// Nothing but space.
    #[error("empty; expected `combined`, a format string, or a whole log_format directive")]
    Empty,
    /// Longer than the cap.
    #[error("too long; expected at most 16384 bytes")]
    TooLong,
    /// Only literal text.
    #[error("no variable; expected `combined` or text with variables such as $status")]
    NoVariable,
    /// Two variables that cannot be told apart in a line.
    #[error("nothing between two variables; expected text that separates their values")]
    Adjacent,
    /// `$` and no name.
    #[error("a `$` without a name; expected a variable such as $status")]
    Nameless,
    /// `${` without `}`.
    #[error("`${{` is not closed; expected `}}` after the variable's name")]
    UnclosedBrace,
    /// A quote that is never closed.
    #[error("the quote is not closed; expected the same quote before the end")]
    UnclosedQuote,
    /// Text glued to a closing quote.
    #[error("text after a closing quote; expected a space, a line end or `;`")]
    AfterQuote,
    /// `escape=` with another value.
    #[error("unknown escaping; expected escape=default, escape=json or escape=none")]
    Escape,
    /// `log_format` and nothing, or no name.
    #[error("the directive is incomplete; expected log_format NAME 'FORMAT';")]
    Incomplete,
    /// Text after the directive.
    #[error("text after the directive's `;`; expected one log_format directive and nothing else")]
    Trailing,
    /// Neither the request nor its parts are logged.
    #[error(
        "no request in the format; expected $request, or $request_method with $request_uri: without them no stream can be recognised"
    )]
    NoRequest,
}

impl FormatError {
    /// The problem at a character's index in the text.
    pub(super) fn at(text: &str, index: usize, problem: Problem) -> Self {
        let (mut line, mut column) = (1, 1);
        for char in text.chars().take(index) {
            column += 1;
            if char == '\n' {
                (line, column) = (line + 1, 1);
            }
        }
        Self {
            line,
            column,
            problem,
        }
    }
}
