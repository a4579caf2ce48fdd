//! From the pasted text to the format's own characters: nginx's quoting undone, each character with
//! its place in the text, so that a problem can be pointed at.
//!
//! Rules as nginx's configuration reader applies them (its manual, "Configuration file's structure",
//! and `log_format`): several quoted pieces are joined without a space between. It does not know
//! what a variable is.

use std::iter::Peekable;
use std::slice::Iter;

use super::format_error::{FormatError, Problem};

/// Longest text that is accepted, in bytes.
const MAX_FORMAT: usize = 16 * 1024;

/// One character of the format, and its index (in characters) in the pasted text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Letter {
    pub(super) char: char,
    pub(super) at: usize,
}

type Letters<'a> = Peekable<Iter<'a, Letter>>;

/// One argument of the directive.
struct Token {
    letters: Vec<Letter>,
    at: usize,
    quoted: bool,
}

impl Token {
    fn text(&self) -> String {
        self.letters.iter().map(|letter| letter.char).collect()
    }
}

/// The format's characters: of a bare format string as they stand, of a directive (or of its
/// quoted pieces) with the quoting undone.
pub(super) fn letters(text: &str) -> Result<Vec<Letter>, FormatError> {
    if text.len() > MAX_FORMAT {
        return Err(FormatError::at(text, 0, Problem::TooLong));
    }
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return Err(FormatError::at(text, 0, Problem::Empty));
    }
    let skipped = text.chars().take_while(|char| char.is_whitespace()).count();
    let letters: Vec<Letter> = (trimmed.chars().enumerate())
        .map(|(index, char)| Letter {
            char,
            at: skipped + index,
        })
        .collect();
    if trimmed.split_whitespace().next() == Some("log_format") {
        directive(text, &letters, 2)
    } else if trimmed.starts_with('\'') || trimmed.starts_with("escape=") {
        directive(text, &letters, 0)
    } else {
        Ok(letters)
    }
}

/// Joins the pieces after `head` arguments (`log_format` and the name) and an `escape=`.
fn directive(text: &str, letters: &[Letter], head: usize) -> Result<Vec<Letter>, FormatError> {
    let tokens = tokens(text, letters)?;
    let start = letters.first().map_or(0, |letter| letter.at);
    let incomplete = || FormatError::at(text, start, Problem::Incomplete);
    let mut pieces = tokens.get(head..).ok_or_else(incomplete)?;
    if let Some((token, rest)) = pieces.split_first()
        && !token.quoted
        && let Some(escape) = token.text().strip_prefix("escape=")
    {
        // The value is checked and not kept: a line is read alike under all three, and `unescape`
        // understands both ways of escaping.
        if !matches!(escape, "default" | "json" | "none") {
            return Err(FormatError::at(text, token.at, Problem::Escape));
        }
        pieces = rest;
    }
    if pieces.is_empty() {
        return Err(incomplete());
    }
    Ok((pieces.iter().flat_map(|token| &token.letters).copied()).collect())
}

/// The arguments up to the `;`, after which only space and comments may stand.
fn tokens(text: &str, letters: &[Letter]) -> Result<Vec<Token>, FormatError> {
    let mut letters = letters.iter().peekable();
    let mut tokens = Vec::new();
    while let Some(first) = skip_space(&mut letters) {
        match first.char {
            ';' => {
                letters.next();
                return match skip_space(&mut letters) {
                    Some(extra) => Err(FormatError::at(text, extra.at, Problem::Trailing)),
                    None => Ok(tokens),
                };
            }
            '\'' | '"' => tokens.push(quoted(text, &mut letters)?),
            _ => tokens.push(bare(&mut letters)),
        }
    }
    Ok(tokens)
}

/// Skips space and comments; gives the next letter without taking it.
fn skip_space(letters: &mut Letters<'_>) -> Option<Letter> {
    loop {
        while letters
            .next_if(|letter| letter.char.is_whitespace())
            .is_some()
        {}
        let next = **letters.peek()?;
        if next.char != '#' {
            return Some(next);
        }
        while letters.next_if(|letter| letter.char != '\n').is_some() {}
    }
}

/// A quoted piece, its quotes dropped and its escapes undone.
fn quoted(text: &str, letters: &mut Letters<'_>) -> Result<Token, FormatError> {
    let Some(quote) = letters.next().copied() else {
        return Err(FormatError::at(text, 0, Problem::Incomplete));
    };
    let mut token = Token {
        letters: Vec::new(),
        at: quote.at,
        quoted: true,
    };
    while let Some(letter) = letters.next() {
        if letter.char == quote.char {
            return match letters.peek() {
                Some(next) if !next.char.is_whitespace() && next.char != ';' => {
                    Err(FormatError::at(text, next.at, Problem::AfterQuote))
                }
                _ => Ok(token),
            };
        }
        push(&mut token.letters, *letter, letters);
    }
    Err(FormatError::at(text, quote.at, Problem::UnclosedQuote))
}

/// An argument without quotes, up to space or `;`.
fn bare(letters: &mut Letters<'_>) -> Token {
    let mut token = Token {
        letters: Vec::new(),
        at: letters.peek().map_or(0, |letter| letter.at),
        quoted: false,
    };
    while let Some(letter) =
        letters.next_if(|letter| !letter.char.is_whitespace() && letter.char != ';')
    {
        push(&mut token.letters, *letter, letters);
    }
    token
}

/// Adds a letter, or what a backslash and the letter after it mean. nginx drops the backslash
/// before quotes and a backslash, knows `\t`, `\r` and `\n`, and keeps any other backslash.
fn push(piece: &mut Vec<Letter>, letter: Letter, letters: &mut Letters<'_>) {
    let meant = match (letter.char, letters.peek().map(|next| next.char)) {
        ('\\', Some(next @ ('"' | '\'' | '\\'))) => Some(next),
        ('\\', Some('t')) => Some('\t'),
        ('\\', Some('r')) => Some('\r'),
        ('\\', Some('n')) => Some('\n'),
        _ => None,
    };
    if meant.is_some() {
        letters.next();
    }
    piece.push(Letter {
        char: meant.unwrap_or(letter.char),
        at: letter.at,
    });
}
