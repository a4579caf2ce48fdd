//! Where a source's lines come from: files, syslog or standard input, and nothing that excludes another.
//!
//! Does not know whether an address is free or a file there: the shell finds out.

use serde_saphyr::{Location, Spanned};

use super::Check;
use crate::access_log::wrapping::Wrapping;
use crate::config::raw::{RawLog, Text};
use crate::config::{FileRole, Input, NamedFile, value};
use crate::label::Label;
use crate::syslog::Address;

/// The key of the second log, if one is given, and where.
pub(super) fn second_log(raw: &RawLog) -> Option<(&'static str, Location)> {
    let file = raw.error_files.first().map(|text| ("error_files", text));
    let address = raw.error_syslog.as_ref().map(|text| ("error_syslog", text));
    file.or(address).map(|(key, text)| (key, text.referenced))
}

/// The keys that say where lines come from, of which a source has one.
fn inputs(raw: &RawLog) -> impl Iterator<Item = (&'static str, Location)> {
    let keys = [
        ("files", raw.files.first()),
        ("syslog", raw.syslog.as_ref()),
        ("stdin", raw.stdin.as_ref()),
    ];
    keys.into_iter()
        .filter_map(|(key, text)| Some((key, text?.referenced)))
}

impl Check<'_> {
    /// Where the lines of one source come from.
    pub(super) fn input(&mut self, raw: &RawLog, at: Location, path: &str) -> Option<Input> {
        let key = |key: &str| format!("{path}.{key}");
        let first = inputs(raw).next().map(|(key, _)| key);
        if first.is_none() {
            self.report(at, path, "no input; expected files, syslog or stdin");
        }
        for (second, at) in inputs(raw).skip(1) {
            let message = "a second input; expected one of files, syslog, stdin";
            self.report(at, &key(second), message);
        }
        if let Some((second, at)) = second_log(raw) {
            let wanted = second.trim_start_matches("error_");
            if first != Some(wanted) {
                self.report(
                    at,
                    &key(second),
                    format!("no {wanted}; expected both or neither"),
                );
            }
        }
        let access = self.list(&raw.files, &key("files"), Check::log_file);
        let error = self.list(&raw.error_files, &key("error_files"), Check::log_file);
        let socket = self.optional(raw.syslog.as_ref(), &key("syslog"), value::syslog);
        let second = raw.error_syslog.as_ref();
        let second = self.optional(second, &key("error_syslog"), value::syslog);
        let stdin = self.optional(raw.stdin.as_ref(), &key("stdin"), value::stdin);
        match (socket?, stdin?) {
            (Some(access), _) => Some(Input::Syslog {
                access,
                error: second?,
            }),
            (None, Some(())) => Some(Input::Stdin),
            (None, None) => Some(Input::Files { access, error }),
        }
    }

    /// What stands around each line. A message of syslog has its header, unless the sender leaves it out.
    pub(super) fn wrapping(&mut self, raw: &RawLog, path: &str) -> Option<Option<Wrapping>> {
        let path = format!("{path}.wrapping");
        let wrapping = self.value(&raw.wrapping, &path, value::wrapping)?;
        if raw.syslog.is_none() {
            return Some(wrapping);
        }
        match wrapping {
            None | Some(Wrapping::Syslog) => Some(Some(Wrapping::Syslog)),
            Some(Wrapping::None) => Some(wrapping),
            Some(other @ (Wrapping::Cri | Wrapping::Docker)) => {
                let message = format!("{} in syslog; expected syslog or none", other.as_str());
                self.report(raw.wrapping.referenced, &path, message);
                None
            }
        }
    }

    /// What sources cannot share: an address, and standard input.
    pub(super) fn inputs(&mut self, logs: &[Spanned<RawLog>]) {
        let mut taken: Vec<(Address, Location)> = Vec::new();
        let mut stdin: Option<Location> = None;
        for (i, raw) in logs.iter().take(super::ENTRIES_MAX).enumerate() {
            let raw = &raw.value;
            for (key, text) in [("syslog", &raw.syslog), ("error_syslog", &raw.error_syslog)] {
                let path = format!("logs[{i}].{key}");
                self.address(text.as_ref(), &path, &mut taken);
            }
            let Some(text) = &raw.stdin else { continue };
            match stdin {
                None => stdin = Some(text.referenced),
                Some(first) => {
                    let message = format!(
                        "standard input twice; expected one source, line {} has it",
                        first.line()
                    );
                    self.report(text.referenced, &format!("logs[{i}].stdin"), message);
                }
            }
        }
    }

    fn address(&mut self, text: Option<&Text>, path: &str, taken: &mut Vec<(Address, Location)>) {
        // One that cannot be read is reported with its source.
        let Some((text, Ok(address))) = text.map(|text| (text, text.value.parse())) else {
            return;
        };
        match taken.iter().find(|(other, _)| *other == address) {
            // Port 0 is another one each time.
            Some((_, first)) if !has_port_0(&address) => {
                let message = format!(
                    "address {address} twice; expected another, line {} has it",
                    first.line()
                );
                self.report(text.referenced, path, message);
            }
            _ => taken.push((address, text.referenced)),
        }
    }

    fn log_file(&mut self, text: &Text, path: &str) -> Option<String> {
        let pattern = self.value(text, path, value::pattern)?;
        self.named_files.push(NamedFile {
            place: self.place(text.referenced, path),
            role: FileRole::Log(pattern.clone()),
        });
        Some(pattern)
    }
}

fn has_port_0(address: &Address) -> bool {
    matches!(address, Address::Udp(at) | Address::Tcp(at) if at.port() == 0)
}
