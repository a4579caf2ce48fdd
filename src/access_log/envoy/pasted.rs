//! What was pasted from Envoy's configuration: a text format, or the map of a JSON format, as JSON or as
//! YAML, with or without the keys above it (`log_format`, `json_format` …).
//!
//! It does not know what an operator means.

use serde_json::Value;

use super::operator::{self, Field};
use crate::access_log::keyed::Name;
use crate::access_log::template::Template;

/// What was pasted.
pub(super) enum Pasted {
    /// The map of a JSON format: its members, with what their values hold.
    Members(Vec<(Name, Template<Field>)>),
    /// A text format out of the configuration around it.
    Inner(String),
    /// A text format as it stands.
    Text,
}

/// The keys around a format (Envoy's API, `SubstitutionFormatString`).
const AROUND: [&str; 4] = [
    "log_format",
    "json_format",
    "typed_json_format",
    "text_format_source",
];

/// The keys of a text format there.
const TEXT: [&str; 2] = ["inline_string", "text_format"];

type Map = serde_json::Map<String, Value>;

impl Pasted {
    /// Recognises what was pasted.
    pub(super) fn of(text: &str) -> Self {
        let json = serde_json::from_str::<Map>(text).ok();
        // A map of YAML stands on several lines; on one, a text format may look like `key: value`.
        let lines = Some(text).filter(|text| text.trim().contains('\n'));
        let yaml = || serde_saphyr::from_str::<Map>(lines?).ok();
        match json.or_else(yaml) {
            Some(map) => Self::of_map(map),
            None => Self::Text,
        }
    }

    fn of_map(mut map: Map) -> Self {
        loop {
            let mut nodes = map.into_iter();
            match (nodes.next(), nodes.next()) {
                (Some((key, Value::Object(inner))), None) if AROUND.contains(&&*key) => map = inner,
                (Some((key, Value::String(text))), None) if TEXT.contains(&&*key) => {
                    return Self::Inner(text);
                }
                (first, second) => {
                    let all = first.into_iter().chain(second).chain(nodes);
                    return Self::Members(
                        all.flat_map(|(key, value)| members(&key, &value)).collect(),
                    );
                }
            }
        }
    }
}

/// The member of this key, or of a nested object those one level down.
fn members(key: &str, value: &Value) -> Vec<(Name, Template<Field>)> {
    match value {
        Value::Object(map) => (map.iter())
            .filter_map(|(inner, value)| member(key, inner, value))
            .collect(),
        value => member("", key, value).into_iter().collect(),
    }
}

/// What the value of this key holds, if that is operators.
fn member(object: &str, key: &str, value: &Value) -> Option<(Name, Template<Field>)> {
    let text = value.as_str()?;
    let value = Template::of(text, operator::pieces(text).ok()?).ok()?;
    let holds = value.fields().next().is_some();
    holds.then_some((Name::within(object, key), value))
}
