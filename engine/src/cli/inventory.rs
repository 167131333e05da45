//! What the command line offers, as data: for the page of the documentation that lists it.

use super::commands;
use super::flags::Flag;

/// A command or an option, and why it cannot be had when it cannot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// `container run`, or `--name`.
    pub name: String,
    /// Why it is refused; `None` when it works.
    pub refusal: Option<&'static str>,
}

/// A command, by every name it has, and its options.
#[derive(Clone, Debug)]
pub struct Offer {
    /// `container ls`, `ps`: the one with its group first.
    pub names: Vec<&'static str>,
    /// Its options, by name.
    pub options: Vec<Entry>,
}

/// Every command that works.
pub fn commands() -> Vec<Offer> {
    let mut offers: Vec<Offer> = commands::all()
        .filter(|command| !command.is_hidden())
        .map(|command| Offer {
            names: command.paths.to_vec(),
            options: entries(command.flags.iter().flat_map(|group| group.iter())),
        })
        .collect();
    offers.sort_by(|a, b| a.names.cmp(&b.names));
    offers
}

/// The options that stand before the command.
pub fn global_options() -> Vec<Entry> {
    entries(super::GLOBAL.iter())
}

/// The families of commands that are refused.
pub fn refused_families() -> Vec<Entry> {
    commands::REFUSED
        .iter()
        .map(|family| Entry {
            name: family.name.to_owned(),
            refusal: Some(family.why),
        })
        .collect()
}

fn entries<'f>(flags: impl Iterator<Item = &'f Flag>) -> Vec<Entry> {
    let mut entries: Vec<Entry> = flags
        .map(|flag| Entry {
            name: format!("--{}", flag.name),
            refusal: Some(flag.refusal).filter(|why| !why.is_empty()),
        })
        .collect();
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    entries
}
