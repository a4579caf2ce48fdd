//! From the pasted text to the format's own pieces: Apache's quoting undone, literal text and
//! `%` directives told apart.
//!
//! Rules: Apache's manual, "Configuration Files" (quotes, continued lines) and `mod_log_config`,
//! "Custom Log Formats". It does not know what a directive's value means.

use super::FormatError;

/// Longest text that is accepted, in bytes.
const MAX_FORMAT: usize = 16 * 1024;

/// A piece of a format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    /// Text that stands in every line.
    Literal(String),
    /// `%{argument}name`; the name is `>s` where a modifier matters.
    Directive {
        argument: Option<String>,
        name: String,
    },
}

/// The format's pieces: of a bare format string as it stands, of a `LogFormat` directive or its
/// quoted part with the quoting undone.
pub(super) fn pieces(text: &str) -> Result<Vec<Piece>, FormatError> {
    if text.len() > MAX_FORMAT {
        return Err(FormatError::TooLong);
    }
    let joined = text.replace("\\\r\n", "").replace("\\\n", "");
    let text = joined.trim();
    if text.is_empty() {
        return Err(FormatError::Empty);
    }
    split(&format(text)?)
}

/// The format string in the text, its escapes undone.
fn format(text: &str) -> Result<String, FormatError> {
    let is_directive = |word: &str| word.eq_ignore_ascii_case("LogFormat");
    let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let meant = if is_directive(word) {
        match argument(rest.trim_start()) {
            Some((format, rest)) if is_name(rest) => format,
            Some(_) => return Err(FormatError::Trailing),
            None => return Err(FormatError::Incomplete),
        }
    } else {
        match argument(text) {
            Some((format, rest)) if text.starts_with(['"', '\'']) && is_name(rest) => format,
            // Pasted from between the quotes: `\"` is a quote there.
            _ => text.replace("\\\"", "\""),
        }
    };
    Ok(unescape(&meant))
}

/// Nothing, or the name of the format.
fn is_name(rest: &str) -> bool {
    let rest = rest.trim();
    !rest.contains(|c: char| c.is_whitespace() || matches!(c, '%' | '"' | '\'' | '\\'))
}

/// The first argument of a directive, in quotes or not, and what follows it. In quotes, a backslash
/// hides the quote and itself, and nothing else (`ap_getword_conf`).
fn argument(text: &str) -> Option<(String, &str)> {
    let quote = text.chars().next()?;
    if !matches!(quote, '"' | '\'') {
        let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        return Some((word.to_owned(), rest));
    }
    let mut meant = String::new();
    let mut letters = text.char_indices().skip(1).peekable();
    while let Some((at, letter)) = letters.next() {
        let hidden = |next: char| letter == '\\' && (next == quote || next == '\\');
        if letter == quote {
            return Some((meant, text.get(at + 1..)?));
        }
        match letters.next_if(|(_, next)| hidden(*next)) {
            Some((_, next)) => meant.push(next),
            None => meant.push(letter),
        }
    }
    None
}

/// What `mod_log_config` makes of `\n`, `\t` and `\\`; any other backslash stands.
fn unescape(text: &str) -> String {
    let mut meant = String::new();
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        let hidden = match (letter, letters.peek()) {
            ('\\', Some('n')) => Some('\n'),
            ('\\', Some('r')) => Some('\r'),
            ('\\', Some('t')) => Some('\t'),
            ('\\', Some('\\')) => Some('\\'),
            _ => None,
        };
        if hidden.is_some() {
            letters.next();
        }
        meant.push(hidden.unwrap_or(letter));
    }
    meant
}

/// Cuts a format string at its directives.
fn split(format: &str) -> Result<Vec<Piece>, FormatError> {
    let mut pieces = Vec::new();
    let mut literal = String::new();
    let mut rest = format;
    while let Some((before, after)) = rest.split_once('%') {
        literal.push_str(before);
        if let Some(after) = after.strip_prefix('%') {
            literal.push('%');
            rest = after;
            continue;
        }
        if !literal.is_empty() {
            pieces.push(Piece::Literal(std::mem::take(&mut literal)));
        }
        let (piece, after) = directive(after)?;
        pieces.push(piece);
        rest = after;
    }
    literal.push_str(rest);
    if !literal.is_empty() {
        pieces.push(Piece::Literal(literal));
    }
    Ok(pieces)
}

/// The directive behind a `%`, and the rest. Conditions by status (`%400,501{…}i`, `%!200…`) print
/// `-` where they do not hold, and need no care.
fn directive(text: &str) -> Result<(Piece, &str), FormatError> {
    let is_condition = |c: char| c.is_ascii_digit() || matches!(c, ',' | '!' | '<' | '>');
    let mut rest = text.trim_start_matches(is_condition);
    let of_last = (text.get(..text.len() - rest.len())).is_some_and(|all| all.contains('>'));
    let mut argument = None;
    if let Some(braced) = rest.strip_prefix('{') {
        let (inner, after) = braced.split_once('}').ok_or(FormatError::UnclosedBrace)?;
        argument = Some(inner.to_owned());
        rest = after.trim_start_matches(is_condition);
    }
    let length = if rest.starts_with('^') { 3 } else { 1 };
    let name: String = rest.chars().take(length).collect();
    let is_letter = |c: char| c.is_ascii_alphabetic() || c == '^';
    if name.chars().count() < length || !name.chars().all(is_letter) {
        return Err(FormatError::Nameless);
    }
    let after = rest.get(name.len()..).unwrap_or_default();
    // After an internal redirect only the last status is what the client got.
    let name = match name.as_str() {
        "s" if of_last => ">s".to_owned(),
        _ => name,
    };
    Ok((Piece::Directive { argument, name }, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn literal(text: &str) -> Piece {
        Piece::Literal(text.to_owned())
    }

    fn directive(argument: Option<&str>, name: &str) -> Piece {
        let argument = argument.map(str::to_owned);
        let name = name.to_owned();
        Piece::Directive { argument, name }
    }

    #[test]
    fn all_ways_of_pasting_give_the_same() {
        let expected = vec![
            directive(None, "h"),
            literal(" \""),
            directive(None, "r"),
            literal("\" "),
            directive(None, ">s"),
        ];
        for text in [
            r#"%h "%r" %>s"#,
            r#"%h \"%r\" %>s"#,
            r#""%h \"%r\" %>s""#,
            r#"LogFormat "%h \"%r\" %>s" short"#,
            "logformat \"%h \\\"%r\\\" \\\n%>s\"",
            r#"  LogFormat '%h "%r" %>s' short  "#,
        ] {
            assert_eq!(pieces(text), Ok(expected.clone()), "{text}");
        }
    }

    #[test]
    fn directives_are_read_with_their_modifiers() {
        for (text, argument, name) in [
            ("%{User-Agent}i", Some("User-Agent"), "i"),
            ("%!200,304{Referer}i", Some("Referer"), "i"),
            ("%400,501{User-agent}i", Some("User-agent"), "i"),
            ("%{ms}T", Some("ms"), "T"),
            ("%^FB", None, "^FB"),
            ("%{X}^ti", Some("X"), "^ti"),
            ("%<s", None, "s"),
            ("%s", None, "s"),
        ] {
            assert_eq!(pieces(text), Ok(vec![directive(argument, name)]), "{text}");
        }
        let expected = vec![literal("100%\t\\x "), directive(None, "b")];
        assert_eq!(pieces(r"100%%\t\\x %b"), Ok(expected));
    }

    #[test]
    fn broken_texts_are_refused() {
        for (text, expected) in [
            ("  ", FormatError::Empty),
            ("LogFormat", FormatError::Incomplete),
            ("LogFormat \"%h", FormatError::Incomplete),
            ("LogFormat \"%h\" a b", FormatError::Trailing),
            ("%{User-Agent", FormatError::UnclosedBrace),
            ("%h %", FormatError::Nameless),
            ("%h %{x}", FormatError::Nameless),
            ("%h % b", FormatError::Nameless),
        ] {
            assert_eq!(pieces(text), Err(expected), "{text}");
        }
        assert_eq!(
            pieces(&"x".repeat(MAX_FORMAT + 1)),
            Err(FormatError::TooLong)
        );
    }
}
