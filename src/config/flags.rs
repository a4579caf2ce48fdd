//! The simple case without a file: one canary, one nginx log, from flags.
//!
//! Flags become the same raw configuration and pass the same checks; only the names in messages differ.

use clap::Args;

use super::raw::{RawCanary, RawConfig, RawLog, text};
use super::{Config, Problem, check};

/// Label `canary` of the canary given by flags.
const CANARY: &str = "mcp";

/// Label `source` of the log given by flags.
const SOURCE: &str = "nginx";

/// One canary and one nginx log; stands in for a configuration file.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// Hold a stream through the proxy at this URL.
    #[arg(long = "canary.proxy", value_name = "URL")]
    pub canary_proxy: Option<String>,

    /// Hold a stream to the replica itself at this URL.
    #[arg(long = "canary.direct", value_name = "URL")]
    pub canary_direct: Option<String>,

    /// Read this nginx access log; a pattern such as /var/log/nginx/access*.log is allowed.
    #[arg(long = "log.nginx", value_name = "FILE")]
    pub log_nginx: Vec<String>,

    /// Read this nginx error log, which tells why streams ended.
    #[arg(long = "log.nginx-error", value_name = "FILE", requires = "log_nginx")]
    pub log_nginx_error: Vec<String>,

    /// The string of nginx's log_format, or combined.
    #[arg(
        long = "log.nginx-format",
        value_name = "FORMAT",
        requires = "log_nginx"
    )]
    pub log_nginx_format: Option<String>,
}

impl Flags {
    /// Whether no flag was given.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The names of the flags that were given.
    pub fn given(&self) -> Vec<&'static str> {
        [
            (self.canary_proxy.is_some(), "--canary.proxy"),
            (self.canary_direct.is_some(), "--canary.direct"),
            (!self.log_nginx.is_empty(), "--log.nginx"),
            (!self.log_nginx_error.is_empty(), "--log.nginx-error"),
            (self.log_nginx_format.is_some(), "--log.nginx-format"),
        ]
        .into_iter()
        .filter_map(|(given, name)| given.then_some(name))
        .collect()
    }

    /// Checks the flags as a configuration.
    ///
    /// # Errors
    ///
    /// Every problem, each with its flag's name and no position.
    pub fn config(&self) -> Result<Config, Vec<Problem>> {
        let mut checked = check::config(&self.raw(), "holter");
        match &mut checked {
            Ok(config) => config
                .named_files
                .iter_mut()
                .for_each(|f| rename(&mut f.place.path)),
            Err(problems) => problems.iter_mut().for_each(|p| rename(&mut p.place.path)),
        }
        checked
    }

    fn raw(&self) -> RawConfig {
        RawConfig {
            canaries: self.canary().into_iter().map(unplaced).collect(),
            logs: self.log().into_iter().map(unplaced).collect(),
        }
    }

    fn canary(&self) -> Option<RawCanary> {
        if self.canary_direct.is_none() && self.canary_proxy.is_none() {
            return None;
        }
        Some(RawCanary {
            name: Some(text(CANARY)),
            direct: self.canary_direct.as_deref().map(text),
            proxy: self.canary_proxy.as_deref().map(text),
            ..RawCanary::default()
        })
    }

    fn log(&self) -> Option<RawLog> {
        if self.log_nginx.is_empty() {
            return None;
        }
        let mut log = RawLog {
            name: Some(text(SOURCE)),
            format: Some(text("nginx")),
            files: self.log_nginx.iter().map(|f| text(f)).collect(),
            error_files: self.log_nginx_error.iter().map(|f| text(f)).collect(),
            ..RawLog::default()
        };
        if let Some(format) = &self.log_nginx_format {
            log.log_format = Some(text(format));
        }
        Some(log)
    }
}

fn unplaced<T>(value: T) -> serde_saphyr::Spanned<T> {
    let nowhere = serde_saphyr::Location::UNKNOWN;
    serde_saphyr::Spanned::new(value, nowhere, nowhere)
}

/// A path in the file to the name of the flag that stands for it.
fn rename(path: &mut String) {
    let flag = match path.as_str() {
        "canaries[0].direct" => "--canary.direct",
        "canaries[0].proxy" => "--canary.proxy",
        "logs[0].log_format" => "--log.nginx-format",
        p if p.starts_with("logs[0].files") => "--log.nginx",
        p if p.starts_with("logs[0].error_files") => "--log.nginx-error",
        _ => return,
    };
    flag.clone_into(path);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags() -> Flags {
        Flags {
            canary_proxy: Some("https://mcp.example.com/mcp".into()),
            log_nginx: vec!["/var/log/nginx/access*.log".into()],
            log_nginx_error: vec!["/var/log/nginx/error.log".into()],
            ..Flags::default()
        }
    }

    fn lines(flags: &Flags) -> Vec<String> {
        let problems = flags.config().expect_err("a problem");
        problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn flags_equal_the_file_that_says_the_same() {
        let from_flags = flags().config().expect("checked");
        let file = "
canaries: [{ name: mcp, proxy: 'https://mcp.example.com/mcp' }]
logs:
- { name: nginx, format: nginx, files: ['/var/log/nginx/access*.log'], error_files: [/var/log/nginx/error.log] }";
        let from_file = Config::parse(file, "holter.yaml").expect("checked");
        assert_eq!(from_flags.canaries, from_file.canaries);
        assert_eq!(from_flags.logs, from_file.logs);
    }

    #[test]
    fn all_problems_name_their_flag() {
        let bad = Flags {
            canary_proxy: Some("http:///mcp".into()),
            canary_direct: Some("127.0.0.1:3001".into()),
            log_nginx: vec!["ok".into(), "a[".into()],
            log_nginx_error: vec![String::new()],
            log_nginx_format: Some(" ".into()),
        };
        let mut found = lines(&bad);
        found.sort();
        assert_eq!(
            found,
            [
                "holter: --canary.direct: URL is not http or https: \"127.0.0.1:3001\"; expected http://HOST[:PORT]/PATH",
                "holter: --canary.proxy: URL has no host: \"http:///mcp\"; expected http://HOST[:PORT]/PATH",
                "holter: --log.nginx-error: bad file \"\"; expected a path or a pattern",
                "holter: --log.nginx-format: bad log_format: line 1, column 1: empty; expected `combined`, a format string, or a whole log_format directive",
                "holter: --log.nginx: bad pattern \"a[\" at character 2 (invalid range pattern); expected *, ?, [...] or **/",
            ]
        );
    }

    #[test]
    fn places_carry_the_flag() {
        let config = flags().config().expect("checked");
        let named: Vec<_> = config
            .named_files
            .iter()
            .map(|f| f.place.path.as_str())
            .collect();
        assert_eq!(named, ["--log.nginx", "--log.nginx-error"]);
    }

    #[test]
    fn given_names_what_was_given() {
        assert!(Flags::default().is_empty() && Flags::default().given().is_empty());
        assert_eq!(
            flags().given(),
            ["--canary.proxy", "--log.nginx", "--log.nginx-error"]
        );
    }
}
