//! Cookies of one session: how many balancers keep affinity. Knows no domains, paths or expiry.

use std::fmt;

use super::Answer;

/// Cookies that the proxy or server set for this session: how many balancers keep affinity.
///
/// Attributes are ignored: the session is short-lived and goes to one origin. At most 16 cookies of 4 KiB
/// (RFC 6265 section 6.1 asks clients for that size); further ones are dropped.
#[derive(Default)]
pub(super) struct Cookies(Vec<(String, String)>);

/// Cookies are secrets.
impl fmt::Debug for Cookies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cookies({})", self.0.len())
    }
}

impl Cookies {
    const MAX: usize = 16;
    const MAX_LEN: usize = 4096;

    pub(super) fn take(&mut self, answer: &Answer) {
        for cookie in &answer.cookies {
            let pair = cookie.split(';').next().unwrap_or_default();
            let Some((name, value)) = pair.split_once('=') else {
                continue;
            };
            let (name, value) = (name.trim(), value.trim());
            self.0.retain(|(known, _)| known != name);
            if !name.is_empty() && pair.len() <= Self::MAX_LEN && self.0.len() < Self::MAX {
                self.0.push((name.to_owned(), value.to_owned()));
            }
        }
    }

    pub(super) fn header(&self) -> Option<(&'static str, String)> {
        let pairs: Vec<_> = self
            .0
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        (!pairs.is_empty()).then(|| ("cookie", pairs.join("; ")))
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_are_kept_by_name_and_bounded() {
        let mut cookies = Cookies::default();
        let mut set = |values: &[&str]| {
            cookies.take(&Answer {
                cookies: values.iter().map(|&value| value.to_owned()).collect(),
                ..Answer::default()
            });
            cookies.header().map(|(_, value)| value)
        };
        assert_eq!(set(&["bare"]), None);
        assert_eq!(
            set(&["route=a; Path=/; HttpOnly"]).as_deref(),
            Some("route=a")
        );
        assert_eq!(set(&["x=1", "route=b"]).as_deref(), Some("x=1; route=b"));
        let many: Vec<String> = (0..40).map(|n| format!("c{n}=v")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(set(&many).unwrap().split("; ").count(), Cookies::MAX);
    }
}
