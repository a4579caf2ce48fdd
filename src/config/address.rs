//! The URLs of canaries: judged here, requested elsewhere.

use url::Url;

use super::problem::quote;
use super::value::Checked;

/// An absolute `http` or `https` URL with a host and without user, password or fragment.
pub(super) fn http(text: &str) -> Checked<Url> {
    of(text, &["http", "https"])
}

/// The same for a WebSocket, whose own schemes are as good: `ws` is `http`, `wss` is `https`, ports included
/// (RFC 6455 section 3).
pub(super) fn websocket(text: &str) -> Checked<Url> {
    let mut url = of(text, &["http", "https", "ws", "wss"])?;
    let same = if matches!(url.scheme(), "https" | "wss") {
        "https"
    } else {
        "http"
    };
    url.set_scheme(same).map_err(|()| {
        format!(
            "URL is not valid: {}; expected ws://HOST[:PORT]/PATH",
            quote(text)
        )
    })?;
    Ok(url)
}

fn of(text: &str, schemes: &[&str]) -> Checked<Url> {
    const EXPECTED: &str = "expected http://HOST[:PORT]/PATH";
    let (scheme, rest) = text.split_once("://").unwrap_or(("", text));
    let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or("");
    if authority.contains('@') {
        // Not repeated: it holds a secret.
        return Err(
            "URL holds a user or password; expected none, give bearer_token_file".to_owned(),
        );
    }
    if !schemes.contains(&scheme.to_ascii_lowercase().as_str()) {
        return Err(format!(
            "URL is not http or https: {}; {EXPECTED}",
            quote(text)
        ));
    }
    // The URL standard reads `http:///mcp` as host `mcp`: the author forgot the host.
    if authority.is_empty() || authority.starts_with(':') {
        return Err(format!("URL has no host: {}; {EXPECTED}", quote(text)));
    }
    if text.contains(|c: char| c.is_whitespace() || c.is_control() || c == '#' || c == '\\') {
        return Err(format!(
            "URL holds a blank, \"#\" or \"\\\": {}; {EXPECTED}",
            quote(text)
        ));
    }
    Url::parse(text)
        .map_err(|error| format!("URL is not valid ({error}): {}; {EXPECTED}", quote(text)))
}
