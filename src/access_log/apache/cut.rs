//! A format's literal text and directives in turn, and how a text is cut along them: a whole line, or the
//! value of one member of a JSON object.
//!
//! It does not know what a directive's value means.

use super::directive::Piece;
use super::item::Item;
use super::{FormatError, Reading};
use crate::access_log::keyed::{self, Name, Part};
use crate::access_log::nginx::scan::{self, Shape};
use crate::access_log::{UnparsedKind, damage};

/// A compiled text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cut {
    prefix: Box<[u8]>,
    steps: Box<[Step]>,
    is_json: bool,
}

/// One directive, how its value ends, and the text that follows it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Step {
    item: Item,
    name: Box<str>,
    width: Option<usize>,
    until: Box<[u8]>,
}

impl Cut {
    /// A text of its pieces. Of a JSON object no value may hold a quote, so that a member that the format does
    /// not have is not taken for a part of one.
    pub(super) fn new(pieces: Vec<Piece>, is_json: bool) -> Result<Self, FormatError> {
        let mut prefix = Box::default();
        let mut steps: Vec<Step> = Vec::new();
        for piece in pieces {
            match (piece, steps.last_mut()) {
                (Piece::Literal(text), None) => prefix = text.into_bytes().into(),
                (Piece::Literal(text), Some(step)) => step.until = text.into_bytes().into(),
                (Piece::Directive { argument, name }, last) => {
                    let item = Item::of(&name, argument.as_deref());
                    let adjacent = last.filter(|last| last.until.is_empty());
                    match adjacent {
                        Some(last) if last.is_path_before(&item) => last.item = Item::Target,
                        Some(last) if last.width.is_none() => {
                            return Err(FormatError::Adjacent(last.name.to_string()));
                        }
                        _ => steps.push(Step::of(item, name)),
                    }
                }
            }
        }
        if steps.is_empty() {
            return Err(FormatError::NoDirective);
        }
        Ok(Self {
            prefix,
            steps: steps.into(),
            is_json,
        })
    }

    /// The items.
    pub(super) fn items(&self) -> impl Iterator<Item = &Item> {
        self.steps.iter().map(|step| &step.item)
    }

    /// Whether the item is in the text.
    pub(super) fn has(&self, item: &Item) -> bool {
        self.items().any(|known| known == item)
    }

    /// Cuts a text, and reads each value into its field.
    pub(super) fn read<'a>(
        &self,
        text: &'a [u8],
        reading: &mut Reading<'a>,
    ) -> Result<(), UnparsedKind> {
        let mut rest = (text.strip_prefix(&*self.prefix)).ok_or_else(|| damage(text))?;
        let (last, steps) = self.steps.split_last().ok_or(UnparsedKind::Format)?;
        let mut take = |step: &Step, value: &'a [u8]| {
            if self.is_json && scan::end(value, Shape::Plain, b"\"").is_some() {
                return Err(UnparsedKind::Format);
            }
            (step.item).read(value, &mut reading.record, &mut reading.moment)
        };
        for step in steps {
            let (value, tail) = step.value(rest).ok_or_else(|| damage(text))?;
            take(step, value)?;
            rest = tail;
        }
        let value = (rest.strip_suffix(&*last.until)).ok_or_else(|| damage(text))?;
        take(last, value)
    }
}

impl Step {
    fn of(item: Item, name: String) -> Self {
        Self {
            width: item.width(),
            item,
            name: name.into(),
            until: Box::default(),
        }
    }

    /// `%U%q` is one value: the query brings its own `?`.
    fn is_path_before(&self, next: &Item) -> bool {
        self.item == Item::Path && *next == Item::Query
    }

    /// The value at the start of `rest`, and what follows it and the text behind it.
    fn value<'a>(&self, rest: &'a [u8]) -> Option<(&'a [u8], &'a [u8])> {
        let end = match (self.width, &self.item) {
            // A moment that could not be told is `-`.
            (Some(width), _) if !rest.starts_with(b"-") || width == 1 => width,
            (_, Item::Request) => scan::end(rest, Shape::of("request", &self.until), &self.until)?,
            _ => scan::end(rest, Shape::Plain, &self.until)?,
        };
        let (value, tail) = rest.split_at_checked(end)?;
        Some((value, tail.strip_prefix(&*self.until)?))
    }
}

/// The members of the object that a format draws, each with what its value holds; none if it draws none.
pub(super) fn members(pieces: &[Piece]) -> Result<Vec<(Name, Cut)>, FormatError> {
    let drawn = pieces.iter().map(|piece| match piece {
        Piece::Literal(text) => keyed::Piece::Text(text),
        Piece::Directive { .. } => keyed::Piece::Field,
    });
    let directives: Vec<&Piece> = (pieces.iter())
        .filter(|piece| matches!(piece, Piece::Directive { .. }))
        .collect();
    let piece = |part: &Part| match part {
        Part::Text(text) => Some(Piece::Literal(text.clone())),
        Part::Field(at) => directives.get(*at).copied().cloned(),
    };
    let cut = |member: keyed::Member| {
        let pieces = member.value.iter().filter_map(piece).collect();
        Ok((member.name, Cut::new(pieces, false)?))
    };
    let members = keyed::members(drawn).unwrap_or_default();
    members.into_iter().map(cut).collect()
}
