//! Closed label sets.
//!
//! Every label value that Holter exports is a variant of an enum that implements [`Label`], or a name
//! from the configuration. Nothing that clients send can become a label value.

/// A closed set of label values: lets a metric create every series at 0 before the first event.
pub trait Label: Copy + 'static {
    /// Every variant, in the order of declaration.
    const ALL: &'static [Self];

    /// The value as it stands in the exposition: lower case, `snake_case`.
    fn as_str(self) -> &'static str;
}

/// Declares a closed set of label values once: the enum, its [`Label`] and its `Display`.
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

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad($crate::label::Label::as_str(*self))
            }
        }
    };
}
pub(crate) use label;
