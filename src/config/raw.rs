//! The configuration as it is written: keys, and every default.
//!
//! Every scalar is kept as text with its position, so that all values are judged in one place
//! ([`super::check`]) and all problems come out together. Nothing is judged here, but for unknown and
//! duplicate keys, which the YAML layer refuses.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_saphyr::{Location, Spanned};

/// A scalar as written, with its position.
pub(super) type Text = Spanned<String>;

/// A text without a position: a default, or the value of a flag.
pub(super) fn text(value: &str) -> Text {
    Spanned::new(value.to_owned(), Location::UNKNOWN, Location::UNKNOWN)
}

fn texts(values: &[&str]) -> Vec<Text> {
    values.iter().map(|value| text(value)).collect()
}

/// The whole file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawConfig {
    pub(super) canaries: Vec<Spanned<RawCanary>>,
    pub(super) logs: Vec<Spanned<RawLog>>,
}

/// One entry of `canaries`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawCanary {
    pub(super) name: Option<Text>,
    pub(super) direct: Option<Text>,
    pub(super) proxy: Option<Text>,
    pub(super) transport: Text,
    pub(super) streams: Text,
    pub(super) headers: BTreeMap<String, Text>,
    pub(super) bearer_token_file: Option<Text>,
    pub(super) connect_timeout: Text,
    pub(super) max_age: Text,
    pub(super) heartbeat: RawHeartbeat,
    pub(super) affinity: RawAffinity,
}

impl Default for RawCanary {
    fn default() -> Self {
        Self {
            name: None,
            direct: None,
            proxy: None,
            transport: text("auto"),
            streams: text("1"),
            headers: BTreeMap::new(),
            bearer_token_file: None,
            connect_timeout: text("10s"),
            max_age: text("24h"),
            heartbeat: RawHeartbeat::default(),
            affinity: RawAffinity::default(),
        }
    }
}

/// `canaries[].heartbeat`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawHeartbeat {
    pub(super) expected: Text,
    pub(super) tolerance: Text,
}

impl Default for RawHeartbeat {
    fn default() -> Self {
        Self {
            expected: text("auto"),
            tolerance: text("2.5"),
        }
    }
}

/// `canaries[].affinity`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawAffinity {
    pub(super) interval: Text,
    pub(super) requests: Text,
}

impl Default for RawAffinity {
    fn default() -> Self {
        Self {
            interval: text("60s"),
            requests: text("4"),
        }
    }
}

/// One entry of `logs`. Without a `log_format` it is the proxy's own default
/// ([`crate::access_log::Kind::default_format`]).
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawLog {
    pub(super) name: Option<Text>,
    pub(super) format: Option<Text>,
    pub(super) log_format: Option<Text>,
    pub(super) files: Vec<Text>,
    pub(super) error_files: Vec<Text>,
    pub(super) syslog: Option<Text>,
    pub(super) error_syslog: Option<Text>,
    pub(super) stdin: Option<Text>,
    pub(super) wrapping: Text,
    pub(super) rules: Vec<Spanned<RawRule>>,
    pub(super) presets: Vec<Text>,
    pub(super) samples: Vec<Spanned<RawSample>>,
    pub(super) streams: RawStreamPaths,
}

impl Default for RawLog {
    fn default() -> Self {
        Self {
            name: None,
            format: None,
            log_format: None,
            files: Vec::new(),
            error_files: Vec::new(),
            syslog: None,
            error_syslog: None,
            stdin: None,
            wrapping: text("auto"),
            rules: Vec::new(),
            presets: Vec::new(),
            samples: Vec::new(),
            streams: RawStreamPaths::default(),
        }
    }
}

/// `logs[].streams`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawStreamPaths {
    pub(super) paths: Vec<Text>,
    pub(super) methods: Vec<Text>,
}

impl Default for RawStreamPaths {
    fn default() -> Self {
        Self {
            paths: texts(&["/mcp", "/sse"]),
            methods: texts(&["GET"]),
        }
    }
}

/// One entry of `logs[].rules`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawRule {
    pub(super) name: Option<Text>,
    pub(super) contains: Option<Text>,
    pub(super) pattern: Option<Text>,
    pub(super) event: Option<Text>,
    pub(super) reason: Option<Text>,
}

/// One entry of `logs[].samples`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawSample {
    pub(super) line: Option<Text>,
    pub(super) event: Option<Text>,
    pub(super) reason: Option<Text>,
}
