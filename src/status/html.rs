//! Markup that cannot be injected into.
//!
//! Owns escaping: text gets into an [`Html`] through [`Html::text`] only, everything else is `'static`,
//! so written by us. Knows nothing of what is shown.

/// A piece of well-formed markup.
#[derive(Clone, Debug, Default)]
pub(super) struct Html(String);

impl Html {
    /// Text from outside. Control characters, which HTML forbids, become U+FFFD.
    pub(super) fn text(text: &str) -> Self {
        let mut escaped = String::with_capacity(text.len());
        for c in text.chars() {
            match c {
                '&' => escaped.push_str("&amp;"),
                '<' => escaped.push_str("&lt;"),
                '>' => escaped.push_str("&gt;"),
                '"' => escaped.push_str("&quot;"),
                '\'' => escaped.push_str("&#39;"),
                c if c.is_control() => escaped.push(char::REPLACEMENT_CHARACTER),
                c => escaped.push(c),
            }
        }
        Self(escaped)
    }

    /// Markup of our own.
    pub(super) fn fixed(markup: &'static str) -> Self {
        Self(markup.to_owned())
    }

    /// `<name>inner</name>`
    pub(super) fn tag(name: &'static str, inner: Self) -> Self {
        Self(format!("<{name}>{}</{name}>", inner.0))
    }

    /// A link out of the page, to where something of ours says; it tells nobody where it was followed.
    pub(super) fn link(to: &'static str, text: &str) -> Self {
        let text = Self::text(text).0;
        Self(format!("<a href=\"{to}\" rel=\"noreferrer\">{text}</a>"))
    }

    /// `<name class="class">inner</name>`
    pub(super) fn classed(name: &'static str, class: &'static str, inner: Self) -> Self {
        Self(format!("<{name} class=\"{class}\">{}</{name}>", inner.0))
    }

    /// The pieces one after the other.
    pub(super) fn all(pieces: impl IntoIterator<Item = Self>) -> Self {
        Self(pieces.into_iter().map(|piece| piece.0).collect())
    }

    /// A table; each cell repeats its column's name, for screens too narrow for columns.
    pub(super) fn table<const N: usize>(
        columns: [&'static str; N],
        rows: impl IntoIterator<Item = [Self; N]>,
    ) -> Self {
        let head = columns.map(|column| Self::tag("th", Self::fixed(column)));
        let rows = rows.into_iter().map(|cells| {
            let cells = columns.into_iter().zip(cells).map(|(column, cell)| {
                Self(format!(
                    "<td data-label=\"{column}\"><div>{}</div></td>",
                    cell.0
                ))
            });
            Self(format!("{}\n", Self::tag("tr", Self::all(cells)).0))
        });
        Self(format!(
            "<table>\n<thead><tr>{}</tr></thead>\n<tbody>\n{}</tbody>\n</table>\n",
            Self::all(head).0,
            Self::all(rows).0
        ))
    }

    /// A section under its question.
    pub(super) fn section(question: &'static str, inner: Self) -> Self {
        Self(format!(
            "<section>\n<h2>{question}</h2>\n{}</section>\n",
            inner.0
        ))
    }

    pub(super) fn into_string(self) -> String {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped() {
        for (text, expected) in [
            ("<script>", "&lt;script&gt;"),
            ("a & b", "a &amp; b"),
            ("\" onload='x'", "&quot; onload=&#39;x&#39;"),
            ("a\0b\u{1b}[31m\nc", "a\u{fffd}b\u{fffd}[31m\u{fffd}c"),
            ("Wetter 😀", "Wetter 😀"),
        ] {
            assert_eq!(Html::text(text).into_string(), expected);
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_opens_a_tag_or_leaves_an_attribute(text: String) {
            let escaped = Html::text(&text).into_string();
            proptest::prop_assert!(!escaped.contains(['<', '>', '"', '\'']));
        }
    }
}
