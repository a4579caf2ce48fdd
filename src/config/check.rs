//! Raw to checked: every value judged, every problem kept.
//!
//! Does not stop at the first problem, and knows no file system.

use std::collections::HashMap;

use serde_saphyr::{Location, Spanned};

use super::address;
use super::raw::{RawCanary, RawConfig, RawLog, RawStreamPaths, Text};
use super::value::{self, Checked, LogKind};
use super::{
    Affinity, Canary, Config, ENTRIES_MAX, FileRole, Heartbeat, LogSource, NamedFile, Place,
    Problem,
};
use crate::access_log::streams::StreamRule;
use crate::access_log::{Format, Kind};
use crate::canary::Transport;
use crate::label::Label;

mod input;
mod rules;

/// Checks a whole configuration.
pub(super) fn config(raw: &RawConfig, file: &str) -> Result<Config, Vec<Problem>> {
    let mut check = Check {
        file,
        problems: Vec::new(),
        named_files: Vec::new(),
    };
    let canaries = check.list(&raw.canaries, "canaries", Check::canary);
    let logs = check.list(&raw.logs, "logs", Check::log);
    check.unique(
        "canary",
        "canaries",
        raw.canaries.iter().map(|c| &c.value.name),
    );
    check.unique("log", "logs", raw.logs.iter().map(|l| &l.value.name));
    check.inputs(&raw.logs);
    if raw.canaries.is_empty() && raw.logs.is_empty() {
        let place = Place {
            line: 1,
            column: 1,
            ..Place::new(file, Location::UNKNOWN, "")
        };
        check
            .problems
            .push(place.problem("nothing is configured; expected canaries or logs"));
    }
    check.finish(canaries, logs)
}

/// The problems so far, and where the configuration came from.
struct Check<'a> {
    file: &'a str,
    problems: Vec<Problem>,
    named_files: Vec<NamedFile>,
}

impl Check<'_> {
    fn finish(
        mut self,
        canaries: Vec<Canary>,
        logs: Vec<LogSource>,
    ) -> Result<Config, Vec<Problem>> {
        if self.problems.is_empty() {
            return Ok(Config {
                canaries,
                logs,
                named_files: self.named_files,
            });
        }
        // Stable: problems without a position keep the order in which they were found.
        self.problems
            .sort_by_key(|p| (p.place.line, p.place.column));
        Err(self.problems)
    }

    fn place(&self, at: Location, path: &str) -> Place {
        Place::new(self.file, at, path)
    }

    fn report(&mut self, at: Location, path: &str, message: impl Into<String>) {
        let problem = self.place(at, path).problem(message);
        self.problems.push(problem);
    }

    /// Judges one value; a bad one is reported and `None`.
    fn value<T>(&mut self, text: &Text, path: &str, judge: fn(&str) -> Checked<T>) -> Option<T> {
        match judge(&text.value) {
            Ok(value) => Some(value),
            Err(message) => {
                self.report(text.referenced, path, message);
                None
            }
        }
    }

    /// Judges a value that may be absent: the outer `None` is a reported problem.
    fn optional<T>(
        &mut self,
        text: Option<&Text>,
        path: &str,
        judge: fn(&str) -> Checked<T>,
    ) -> Option<Option<T>> {
        match text {
            Some(text) => self.value(text, path, judge).map(Some),
            None => Some(None),
        }
    }

    /// Judges a value that must be given; `of` is where its absence is reported.
    fn required<T>(
        &mut self,
        text: Option<&Text>,
        of: Location,
        path: &str,
        judge: fn(&str) -> Checked<T>,
    ) -> Option<T> {
        if let Some(text) = text {
            return self.value(text, path, judge);
        }
        // What is expected is what the judge says of nothing.
        let message = judge("").err().unwrap_or_default();
        let expected = message
            .split_once("; ")
            .map_or("", |(_, expected)| expected);
        self.report(of, path, format!("missing; {expected}"));
        None
    }

    /// Judges the entries of a list, up to the cap.
    fn list<R, T>(
        &mut self,
        entries: &[Spanned<R>],
        path: &str,
        judge: fn(&mut Self, &Spanned<R>, &str) -> Option<T>,
    ) -> Vec<T> {
        if let Some(over) = entries.get(ENTRIES_MAX) {
            let message = format!("{} entries; expected at most {ENTRIES_MAX}", entries.len());
            self.report(over.referenced, path, message);
        }
        let judged = entries.iter().take(ENTRIES_MAX).enumerate();
        judged
            .filter_map(|(i, entry)| judge(self, entry, &format!("{path}[{i}]")))
            .collect()
    }

    fn unique<'t>(
        &mut self,
        noun: &str,
        list: &str,
        names: impl Iterator<Item = &'t Option<Text>>,
    ) {
        let mut first: HashMap<&str, Location> = HashMap::new();
        for (i, name) in names.take(ENTRIES_MAX).enumerate() {
            let Some(name) = name else { continue };
            match first.get(name.value.as_str()) {
                Some(at) => {
                    let message = format!(
                        "duplicate {noun} name {}; expected another, line {} has it",
                        super::problem::quote(&name.value),
                        at.line()
                    );
                    self.report(name.referenced, &format!("{list}[{i}].name"), message);
                }
                None => {
                    first.insert(&name.value, name.referenced);
                }
            }
        }
    }

    fn canary(&mut self, raw: &Spanned<RawCanary>, path: &str) -> Option<Canary> {
        let at = raw.referenced;
        let raw = &raw.value;
        let key = |key: &str| format!("{path}.{key}");
        if raw.direct.is_none() && raw.proxy.is_none() {
            self.report(at, path, "no URL; expected direct, proxy, or both");
        }
        // Every field is judged before the first `?`, so that one run shows every problem.
        let name = self.required(raw.name.as_ref(), at, &key("name"), value::name);
        let url = if raw.transport.value == Transport::WebSocket.as_str() {
            address::websocket
        } else {
            address::http
        };
        let direct = self.optional(raw.direct.as_ref(), &key("direct"), url);
        let proxy = self.optional(raw.proxy.as_ref(), &key("proxy"), url);
        let transport = self.value(&raw.transport, &key("transport"), value::transport);
        let streams = self.value(&raw.streams, &key("streams"), value::streams);
        let headers = self.headers(raw, &key("headers"));
        let token_file = raw.bearer_token_file.as_ref();
        let bearer_token_file = self.optional(token_file, &key("bearer_token_file"), value::path);
        self.secret(token_file, &key("bearer_token_file"));
        let connect_timeout = self.value(
            &raw.connect_timeout,
            &key("connect_timeout"),
            value::duration,
        );
        let max_age = self.value(&raw.max_age, &key("max_age"), value::max_age);
        let heartbeat = self.heartbeat(raw, path);
        let affinity = self.affinity(raw, path);
        Some(Canary {
            name: name?,
            direct: direct?,
            proxy: proxy?,
            transport: transport?,
            streams: streams?,
            headers,
            bearer_token_file: bearer_token_file?,
            connect_timeout: connect_timeout?,
            max_age: max_age?,
            heartbeat: heartbeat?,
            affinity: affinity?,
        })
    }

    fn heartbeat(&mut self, raw: &RawCanary, path: &str) -> Option<Heartbeat> {
        let raw = &raw.heartbeat;
        let expected_at = format!("{path}.heartbeat.expected");
        let expected = self.value(&raw.expected, &expected_at, value::expected_heartbeat);
        let tolerance_at = format!("{path}.heartbeat.tolerance");
        let tolerance = self.value(&raw.tolerance, &tolerance_at, value::tolerance);
        Some(Heartbeat {
            expected: expected?,
            tolerance: tolerance?,
        })
    }

    fn affinity(&mut self, raw: &RawCanary, path: &str) -> Option<Affinity> {
        let raw = &raw.affinity;
        let interval_at = format!("{path}.affinity.interval");
        let interval = self.value(&raw.interval, &interval_at, value::affinity_interval);
        let requests_at = format!("{path}.affinity.requests");
        let requests = self.value(&raw.requests, &requests_at, value::affinity_requests);
        Some(Affinity {
            interval: interval?,
            requests: requests?,
        })
    }

    fn headers(&mut self, raw: &RawCanary, path: &str) -> Vec<(String, String)> {
        let mut headers = Vec::new();
        for (name, value) in raw.headers.iter().take(ENTRIES_MAX) {
            let path = format!("{path}.{}", name.escape_debug());
            let judged = self.value(value, &path, value::header_value);
            match (value::header_name(name), judged) {
                (Ok(name), Some(value)) => headers.push((name, value)),
                (Err(message), _) => self.report(value.referenced, &path, message),
                (Ok(_), None) => {}
            }
        }
        if raw.headers.len() > ENTRIES_MAX {
            let message = format!(
                "{} headers; expected at most {ENTRIES_MAX}",
                raw.headers.len()
            );
            let at = raw
                .headers
                .values()
                .next()
                .map_or(Location::UNKNOWN, |v| v.referenced);
            self.report(at, path, message);
        }
        headers
    }

    fn secret(&mut self, text: Option<&Text>, path: &str) {
        let Some(text) = text else { return };
        self.named_files.push(NamedFile {
            place: self.place(text.referenced, path),
            role: FileRole::Secret(text.value.clone().into()),
        });
    }

    fn log(&mut self, raw: &Spanned<RawLog>, path: &str) -> Option<LogSource> {
        let at = raw.referenced;
        let raw = &raw.value;
        let key = |key: &str| format!("{path}.{key}");
        let name = self.required(raw.name.as_ref(), at, &key("name"), value::name);
        let kind = self.required(raw.format.as_ref(), at, &key("format"), value::log_kind);
        let format = match kind {
            Some(LogKind::Rules) => self.rules(raw, at, path).map(Format::Rules),
            Some(LogKind::Proxy(kind)) => {
                self.no_rules(raw, path);
                self.log_format(raw, kind, path)
            }
            None => None,
        };
        let input = self.input(raw, at, path);
        let wrapping = self.wrapping(raw, path);
        let streams = self.streams(&raw.streams, at, &key("streams"));
        Some(LogSource {
            name: name?,
            format: format?,
            input: input?,
            wrapping: wrapping?,
            streams,
        })
    }

    fn log_format(&mut self, raw: &RawLog, kind: Kind, path: &str) -> Option<Format> {
        if let (Kind::HaProxy | Kind::Envoy, Some((key, at))) = (kind, input::second_log(raw)) {
            let message = format!("{kind} has no second log; expected no {key}");
            self.report(at, &format!("{path}.{key}"), message);
        }
        let Some(text) = &raw.log_format else {
            return value::log_format(kind, kind.default_format()).ok();
        };
        match value::log_format(kind, &text.value) {
            Ok(format) => Some(format),
            Err(message) => {
                self.report(text.referenced, &format!("{path}.log_format"), message);
                None
            }
        }
    }

    fn streams(&mut self, raw: &RawStreamPaths, at: Location, path: &str) -> StreamRule {
        let (paths, methods) = (format!("{path}.paths"), format!("{path}.methods"));
        if raw.paths.is_empty() {
            self.report(at, &paths, "no paths; expected request paths such as /mcp");
        }
        if raw.methods.is_empty() {
            self.report(at, &methods, "no methods; expected such as GET");
        }
        let paths: Vec<String> = self.list(&raw.paths, &paths, |check, text, path| {
            check.value(text, path, value::stream_path)
        });
        let methods = self.list(&raw.methods, &methods, |check, text, path| {
            check.value(text, path, value::method)
        });
        StreamRule::new(methods, &paths)
    }
}
