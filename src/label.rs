//! Closed label sets.
//!
//! Every label value that Holter exports is a variant of an enum that implements [`Label`], or a name
//! from the configuration. Nothing that clients send can become a label value.

use std::borrow::Cow;

use serde::de::Error;
use serde::{Deserialize, Deserializer};

/// A closed set of label values: lets a metric create every series at 0 before the first event.
pub trait Label: Copy + 'static {
    /// Every variant, in the order of declaration.
    const ALL: &'static [Self];

    /// The value as it stands in the exposition: lower case, `snake_case`.
    fn as_str(self) -> &'static str;
}

/// Reads a value of a closed set.
pub(crate) fn read<'de, L: Label, D: Deserializer<'de>>(from: D) -> Result<L, D::Error> {
    let text = <Cow<'_, str>>::deserialize(from)?;
    let mut all = L::ALL.iter().copied();
    all.find(|label| label.as_str() == text)
        .ok_or_else(|| D::Error::custom("not a value of this label"))
}

/// Declares a closed set of label values once: the enum, its [`Label`], its `Display`, and how it is stored.
macro_rules! label {
    ($(#[$meta:meta])* $vis:vis enum $name:ident { $($(#[$doc:meta])* $variant:ident => $text:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        $vis enum $name {
            $($(#[$doc])* $variant,)+
        }

        impl $crate::label::Label for $name {
            const ALL: &'static [Self] = &[$(Self::$variant,)+];

            fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_str($crate::label::Label::as_str(*self))
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                $crate::label::read(from)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad($crate::label::Label::as_str(*self))
            }
        }
    };
}
pub(crate) use label;
