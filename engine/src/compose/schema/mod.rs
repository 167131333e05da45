//! What may stand where in a Compose file: one row for each attribute of the specification.
//!
//! A value of the wrong kind is refused in the words of docker compose; a text where a number or a boolean is
//! meant (what interpolation leaves) becomes one. What only another kind of host can do is refused with a reason.

mod check;
mod sections;
mod service;

pub(super) use check::Checker;
#[cfg(test)]
pub(super) use service::SERVICE;

/// What an attribute may hold.
#[derive(Debug)]
pub(super) enum Kind {
    /// Anything: something else reads it.
    Any,
    /// A text.
    Text,
    /// A text, a number, a boolean or nothing.
    Scalar,
    /// `true`, `false`, or a text that says it.
    Flag,
    /// A whole number, or a text that is one.
    Whole,
    /// A decimal number, or a text that is one.
    Decimal,
    /// A number or a text.
    Size,
    /// A text or a number.
    TextOrNumber,
    /// One of these texts.
    Word(&'static [&'static str]),
    /// A list of these.
    List(&'static Kind),
    /// A text, or a list of texts.
    Texts,
    /// A text, a list of texts, or nothing.
    Command,
    /// A list `NAME=value`, or a mapping of scalars.
    Pairs,
    /// A list of names, or a mapping of these; `bool` says whether one may be empty.
    Names(&'static Kind, bool),
    /// A text, or this.
    TextOr(&'static Kind),
    /// A number, or this.
    NumberOr(&'static Kind),
    /// A text, or a list of these.
    TextOrList(&'static Kind),
    /// A mapping with keys of its own.
    Dictionary(&'static Kind),
    /// A mapping with these keys and no others.
    Map(&'static [Row]),
    /// This, or nothing.
    Nullable(&'static Kind),
    /// In the specification, and refused here.
    Refused(&'static str),
}

/// One attribute.
#[derive(Debug)]
pub(super) struct Row {
    /// Its key.
    pub(super) key: &'static str,
    /// What it may hold.
    pub(super) kind: Kind,
    /// Whether it must be there.
    pub(super) is_required: bool,
    /// Why it changes nothing on one host; nothing when it does.
    pub(super) idle: &'static str,
}

impl Row {
    const fn of(key: &'static str, kind: Kind) -> Self {
        Self {
            key,
            kind,
            is_required: false,
            idle: "",
        }
    }

    const fn required(key: &'static str, kind: Kind) -> Self {
        Self {
            is_required: true,
            ..Self::of(key, kind)
        }
    }

    /// Understood, and told that it changes nothing.
    const fn idle(key: &'static str, kind: Kind, why: &'static str) -> Self {
        Self {
            idle: why,
            ..Self::of(key, kind)
        }
    }
}

#[cfg(test)]
mod tests;
