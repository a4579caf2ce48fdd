//! What the user pasted for HAProxy: a preset's name, a log-format string, or the lines of the
//! configuration file that decide how it logs.
//!
//! Lines: `log-format …`, `option httplog`, `capture request header NAME len N` (their order says what
//! `%hr` holds), and what `haproxy -v` prints first. Quoting as in HAProxy's configuration manual,
//! "Quoting and escaping". It does not know what a variable is.

use super::field::Capture;
use crate::access_log::template::{Letter, MAX_FORMAT, TemplateError};

/// Formats known by name: HAProxy's own (configuration manual, "HTTP log format", "HTTPS log format").
const PRESETS: [(&str, &str); 2] = [("httplog", HTTPLOG), ("httpslog", HTTPSLOG)];

const HTTPLOG: &str = "%ci:%cp [%tr] %ft %b/%s %TR/%Tw/%Tc/%Tr/%Ta %ST %B %CC %CS %tsc %ac/%fc/%bc/%sc/%rc %sq/%bq %hr %hs %{+Q}r";

const HTTPSLOG: &str = "%ci:%cp [%tr] %ft %b/%s %TR/%Tw/%Tc/%Tr/%Ta %ST %B %CC %CS %tsc %ac/%fc/%bc/%sc/%rc %sq/%bq %hr %hs %{+Q}r %[fc_err]/%[ssl_fc_err,hex]/%[ssl_c_err]/%[ssl_c_ca_err]/%[ssl_fc_is_resumed] %[ssl_fc_sni]/%sslv/%sslc";

/// All that Holter can use, for whoever wants JSON: lines for the frontend, before any other `capture`.
pub const JSON: &str = r#"capture request header Mcp-Session-Id len 128
capture request header User-Agent len 128
capture request header Mcp-Method len 64
capture response header Mcp-Session-Id len 128
capture response header Content-Type len 64
log-format '{"time":"%tr","client":"%ci","client_port":%cp,"frontend":"%f","backend":"%b","server":"%s","server_addr":"%si:%sp","duration_ms":%Ta,"status":%ST,"bytes":%B,"term":"%tsc","retries":"%rc","method":"%HM","path":"%HP","query":"%HQ","mcp_session_id":"%[capture.req.hdr(0),json(utf8s)]","user_agent":"%[capture.req.hdr(1),json(utf8s)]","mcp_method":"%[capture.req.hdr(2),json(utf8s)]","resp_mcp_session_id":"%[capture.res.hdr(0),json(utf8s)]","content_type":"%[capture.res.hdr(1),json(utf8s)]"}'"#;

/// What was pasted, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Setup {
    /// The format string.
    pub(super) letters: Vec<Letter>,
    /// What the captures hold, if that was given.
    pub(super) captures: Option<Captures>,
    /// HAProxy's major version, if that was given.
    pub(super) major: Option<u8>,
    /// The preset `json`: what of it a line has is not known.
    pub(super) is_json: bool,
}

/// What the captures hold, in the order in which HAProxy logs them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Captures {
    /// Of requests: `%hr`, `%[capture.req.hdr(N)]`.
    pub(super) request: Vec<Capture>,
    /// Of answers: `%hs`, `%[capture.res.hdr(N)]`.
    pub(super) response: Vec<Capture>,
}

impl Setup {
    /// Takes the pasted text apart.
    pub(super) fn of(text: &str) -> Result<Self, TemplateError> {
        if text.len() > MAX_FORMAT {
            return Err(TemplateError::at(
                text,
                0,
                "too long; expected at most 16384 bytes",
            ));
        }
        if text.trim().is_empty() {
            return Err(TemplateError::at(
                text,
                0,
                "empty; expected httplog, a log-format string, or lines of haproxy.cfg",
            ));
        }
        let mut setup = Self {
            letters: preset("httplog").unwrap_or_default(),
            captures: None,
            major: None,
            is_json: text.trim() == "json",
        };
        if setup.is_json {
            setup.read_lines(JSON)?;
        } else if let Some(letters) = preset(text.trim()) {
            setup.letters = letters;
        } else if is_lines(text) {
            setup.read_lines(text)?;
        } else {
            let skipped = text.chars().take_while(|char| char.is_whitespace()).count();
            setup.letters = bare(text, &letters(text.trim(), skipped))?;
        }
        Ok(setup)
    }

    fn read_lines(&mut self, text: &str) -> Result<(), TemplateError> {
        let mut at = 0;
        for line in text.split('\n') {
            self.read_line(text, line, at)?;
            at += line.chars().count() + 1;
        }
        Ok(())
    }

    fn read_line(&mut self, text: &str, line: &str, at: usize) -> Result<(), TemplateError> {
        let words: Vec<&str> = line.split_whitespace().collect();
        match *words {
            [] | ["global" | "defaults", ..] => {}
            [word, ..] if word.starts_with('#') => {}
            ["capture", "request", "header", name, ..] => self.request(Capture::named(name)),
            ["capture", "response", "header", name, ..] => self.response(Capture::named(name)),
            ["declare", "capture", "request", ..] => self.request(Capture::Other),
            ["declare", "capture", "response", ..] => self.response(Capture::Other),
            ["http-request", "capture", expression, "len", ..] => {
                self.request(Capture::of(expression))
            }
            ["option", name] if preset(name).is_some() => {
                self.letters = preset(name).unwrap_or_default();
            }
            ["log-format", _, ..] => self.letters = argument(text, line, at)?,
            ["HAProxy" | "HA-Proxy", "version", version, ..] => {
                self.major = version
                    .split('.')
                    .next()
                    .and_then(|major| major.parse().ok());
            }
            _ => {
                let problem = "not understood; expected lines such as log-format, option httplog, capture request header NAME len N";
                return Err(TemplateError::at(text, at, problem));
            }
        }
        Ok(())
    }

    fn request(&mut self, capture: Capture) {
        let captures = self.captures.get_or_insert_default();
        captures.request.push(capture);
    }

    fn response(&mut self, capture: Capture) {
        let captures = self.captures.get_or_insert_default();
        captures.response.push(capture);
    }
}

fn preset(name: &str) -> Option<Vec<Letter>> {
    let (_, format) = PRESETS.iter().find(|(known, _)| *known == name)?;
    Some(letters(format, 0))
}

/// Whether the text is lines of a configuration file, and no format string.
fn is_lines(text: &str) -> bool {
    const WORDS: [&str; 9] = [
        "#",
        "capture",
        "declare",
        "http-request",
        "log-format",
        "option",
        "global",
        "HAProxy",
        "HA-Proxy",
    ];
    (text.split_whitespace().next()).is_some_and(|first| WORDS.contains(&first))
}

fn letters(text: &str, from: usize) -> Vec<Letter> {
    (text.chars().enumerate())
        .map(|(index, char)| Letter {
            char,
            at: from + index,
        })
        .collect()
}

/// The argument of `log-format`, on the line that begins at this index.
fn argument(text: &str, line: &str, at: usize) -> Result<Vec<Letter>, TemplateError> {
    let all = letters(line, at);
    let is_space = |letter: &&Letter| letter.char.is_whitespace();
    let indent = all.iter().take_while(is_space).count();
    let rest = all.get(indent + "log-format".len()..).unwrap_or_default();
    let space = rest.iter().take_while(is_space).count();
    let (argument, rest) = unquote(text, rest.get(space..).unwrap_or_default())?;
    match rest.iter().find(|letter| !letter.char.is_whitespace()) {
        Some(extra) if extra.char != '#' => {
            let problem =
                "text after the format; expected quotes around the format, or \\ before its spaces";
            Err(TemplateError::at(text, extra.at, problem))
        }
        _ => Ok(argument),
    }
}

/// A format without `log-format` before it: in quotes, or as it stands but for escapes.
fn bare(text: &str, letters: &[Letter]) -> Result<Vec<Letter>, TemplateError> {
    let first = letters.first().map(|letter| letter.char);
    if first == letters.last().map(|letter| letter.char)
        && matches!(first, Some('"' | '\''))
        && let Ok((inner, [])) = unquote(text, letters)
    {
        return Ok(inner);
    }
    let mut meant = Vec::new();
    let mut letters = letters.iter().peekable();
    while let Some(letter) = letters.next() {
        let escaped = letters.next_if(|next| letter.char == '\\' && is_escapable(next.char));
        meant.push(*escaped.unwrap_or(letter));
    }
    Ok(meant)
}

/// Undoes quoting up to the first space outside quotes; gives the rest.
fn unquote<'a>(
    text: &str,
    letters: &'a [Letter],
) -> Result<(Vec<Letter>, &'a [Letter]), TemplateError> {
    let mut meant = Vec::new();
    let mut quote: Option<Letter> = None;
    let mut rest = letters;
    while let Some((letter, after)) = rest.split_first() {
        let escaped = after.first().filter(|next| is_escapable(next.char));
        rest = after;
        match (letter.char, quote.map(|quote| quote.char)) {
            (char, None) if char.is_whitespace() => return Ok((meant, after)),
            ('"' | '\'', None) => quote = Some(*letter),
            (char, Some(open)) if char == open => quote = None,
            ('\\', None | Some('"')) if escaped.is_some() => {
                meant.extend(escaped);
                rest = after.get(1..).unwrap_or_default();
            }
            _ => meant.push(*letter),
        }
    }
    match quote {
        Some(open) => Err(TemplateError::at(
            text,
            open.at,
            "the quote is not closed; expected the same quote at the end of the format",
        )),
        None => Ok((meant, rest)),
    }
}

/// What a backslash before it stands for.
fn is_escapable(char: char) -> bool {
    matches!(char, '"' | '\'' | '\\' | ' ' | '#' | '$')
}
