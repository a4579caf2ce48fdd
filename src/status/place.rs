//! Where a leg goes, with everything secret left out.
//!
//! Owns the rule that user, password, query and fragment of a URL are never shown: tokens travel in
//! all of them. Does not check that the URL makes sense; the configuration did.

use serde::Serialize;

/// Host, port and path of a URL.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Place(String);

impl Place {
    /// From a URL in its serialized form. Of text without `://` nothing is shown.
    pub fn of(url: &str) -> Self {
        let Some((_scheme, rest)) = url.split_once("://") else {
            return Self(String::new());
        };
        let bare = rest.split(['?', '#']).next().unwrap_or_default();
        let (authority, path) = match bare.split_once('/') {
            Some((authority, path)) => (authority, Some(path)),
            None => (bare, None),
        };
        let host = authority.rsplit('@').next().unwrap_or_default();
        Self(match path {
            Some(path) => format!("{host}/{path}"),
            None => host.to_owned(),
        })
    }

    /// The text to show.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_left_out() {
        for (url, expected) in [
            ("http://127.0.0.1:3001/mcp", "127.0.0.1:3001/mcp"),
            (
                "https://user:pass@mcp.example.com/a/b",
                "mcp.example.com/a/b",
            ),
            ("https://a@b@host/x", "host/x"),
            ("https://host/sse?token=t#frag", "host/sse"),
            ("https://host?token=user@t/x", "host"),
            ("https://host#token", "host"),
            ("http://[::1]:80/", "[::1]:80/"),
            ("https://host/p@q", "host/p@q"),
            ("user:pass@host/x", ""),
            ("", ""),
        ] {
            assert_eq!(Place::of(url).as_str(), expected, "{url}");
        }
    }
}
