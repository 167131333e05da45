//! COPY, ADD and WORKDIR: files get into a layer by descriptor inside the root, without a container.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use kernel::tree;

use crate::dockerfile::{Copy, CopySource, Ignore};
use crate::image::AddedLayer;
use crate::oci::Digest;

use super::add::{is_address, is_git};
use super::copy::{Picker, Selection};
use super::execute::Build;
use super::sources::Origin;
use super::stage::Prepared;
use super::state::State;
use super::variables::{expand, expand_text};
use super::writer::{Attributes, Place, make_dirs};
use super::{BuildError, Context, layer};

/// Sources that come from one place.
pub(super) struct Part<'a> {
    origin: Origin<'a>,
    selection: Selection,
    /// Whether `..` above the root is an error.
    strict: bool,
    /// Archives that ADD unpacks.
    archives: Vec<PathBuf>,
}

/// What a copy does, resolved but for the root it is written to.
struct Work<'a> {
    parts: Vec<Part<'a>>,
    instruction: &'static str,
    dest: String,
    chown: Option<String>,
    mode: Option<u32>,
    parents: bool,
    exclude: Ignore,
}

impl Build<'_> {
    pub(super) fn prepare_copy(
        &self,
        index: usize,
        state: &State,
        copy: &Copy,
        instruction: &'static str,
    ) -> Result<Prepared<'_>, BuildError> {
        let escape = self.request.dockerfile.escape;
        let word = |text: &str| expand(text, escape, state.env(), &state.arguments);
        let some = |text: &Option<String>| text.as_deref().map(&word).transpose();
        let (mut paths, mut addresses, mut texts) = (Vec::new(), Vec::new(), Vec::new());
        for source in &copy.sources {
            match source {
                CopySource::Heredoc(heredoc) => {
                    let content = if heredoc.expand {
                        expand_text(&heredoc.content, escape, state.env(), &state.arguments)?
                    } else {
                        heredoc.content.clone()
                    };
                    texts.push((heredoc.name.clone(), content));
                }
                CopySource::Path(path) => match word(path)? {
                    path if instruction == "ADD" && (is_address(&path) || is_git(&path)) => {
                        addresses.push(path)
                    }
                    path => paths.push(path),
                },
            }
        }
        let written = word(&copy.dest)?;
        let dest = absolute(&state.config.config.working_dir, &written);
        let exclude: Vec<String> = copy
            .exclude
            .iter()
            .map(|pattern| word(pattern))
            .collect::<Result<_, _>>()?;
        let exclude = Ignore::of_patterns(exclude.iter().map(String::as_str))?;
        let mut parts = Vec::new();
        if !paths.is_empty() {
            let from = some(&copy.from)?;
            let origin = self.origin(index, from.as_deref())?;
            let strict = copy.from.is_none();
            let picker = Picker {
                tree: origin.tree(),
                instruction,
                strict,
                parents: copy.parents,
                exclude: &exclude,
            };
            let selection = picker.pick(&paths)?;
            let archives = if instruction == "ADD" {
                super::add::archives(origin.tree(), &selection)?
            } else {
                Vec::new()
            };
            parts.push(Part {
                origin,
                selection,
                strict,
                archives,
            });
        }
        if !texts.is_empty() {
            let mut context = Context::empty(&self.request.scratch)?;
            for (name, content) in &texts {
                context.add_file(name, content.as_bytes())?;
            }
            let names: Vec<String> = texts.into_iter().map(|(name, _)| name).collect();
            let selection = Picker {
                tree: &context,
                instruction,
                strict: true,
                parents: false,
                exclude: &exclude,
            }
            .pick(&names)?;
            parts.push(Part {
                origin: Origin::Texts(context),
                selection,
                strict: true,
                archives: Vec::new(),
            });
        }
        for address in &addresses {
            let (origin, names) = self.fetch(address, copy)?;
            let selection = Picker {
                tree: origin.tree(),
                instruction,
                strict: false,
                parents: false,
                exclude: &exclude,
            }
            .pick(&names)?;
            parts.push(Part {
                origin,
                selection,
                strict: false,
                archives: Vec::new(),
            });
        }
        if parts.len() > 1 && !dest.ends_with('/') {
            return Err(BuildError::NotADirectory(instruction));
        }
        let chown = some(&copy.chown)?;
        let mode = match some(&copy.chmod)? {
            None => None,
            Some(text) => Some(u32::from_str_radix(&text, 8).ok().filter(|mode| *mode <= 0o7777).ok_or_else(|| {
                BuildError::Value(format!("invalid chmod parameter: '{text}'. it should be octal string and between 0 and 07777"))
            })?),
        };
        let work = Work {
            parts,
            instruction,
            dest,
            chown,
            mode,
            parents: copy.parents,
            exclude,
        };
        let (word, digest) = work.digest()?;
        let hex = digest.hex().to_owned();
        let created_by = format!(
            "{} #(nop) {instruction} {word}:{hex} in {} ",
            state.shell().join(" "),
            work.dest
        );
        let flags = format!("{:?} {:?} {}", work.chown, work.mode, work.parents);
        let depends = vec![Digest::of(flags.as_bytes())];
        Ok(Prepared {
            created_by,
            depends,
            make: Box::new(move |state| self.write(state, &work)),
        })
    }

    fn write(&self, state: &State, work: &Work<'_>) -> Result<Option<AddedLayer>, BuildError> {
        let new = layer::begin(&self.batch, state)?;
        let alone = tree::Tree::open(&new.tree())?;
        let mut rests = Vec::new();
        {
            let root = layer::open(state, &new)?;
            let owner = match &work.chown {
                None => (0, 0),
                Some(text) => owner(&root, text)?,
            };
            let attributes = Attributes {
                owner,
                mode: work.mode,
                epoch: self.epoch,
            };
            // What several parts write may meet, and archives hold links.
            let is_simple = matches!(work.parts.as_slice(), [part] if part.archives.is_empty());
            let into = Place {
                root: &root,
                layer: is_simple.then_some(&alone),
            };
            for part in &work.parts {
                let plain = part.selection.without(&part.archives);
                if !plain.is_empty() {
                    let picker = work.picker(part);
                    rests.push((part, picker.write(&plain, into, &work.dest, attributes)?));
                }
                for archive in &part.archives {
                    super::add::unpack(part.origin.tree(), archive, &root, &work.dest, attributes)?;
                }
            }
        }
        for (part, rest) in rests {
            rest.write(part.origin.tree(), &alone)?;
        }
        layer::finish(&self.batch, new, state.chains().last(), self.epoch)
    }

    pub(super) fn prepare_workdir(
        &self,
        state: &mut State,
        path: &str,
    ) -> Result<Prepared<'_>, BuildError> {
        let path = expand(
            path,
            self.request.dockerfile.escape,
            state.env(),
            &state.arguments,
        )?;
        if path.is_empty() {
            return Err(BuildError::Value(
                "WORKDIR requires exactly one argument".into(),
            ));
        }
        let path = absolute(&state.config.config.working_dir, &path);
        let path = Path::new("/")
            .join(tree::clean(Path::new(&path)))
            .display()
            .to_string();
        state.config.config.working_dir.clone_from(&path);
        let created_by = format!("{} #(nop) WORKDIR {path}", state.shell().join(" "));
        let make = move |state: &State| {
            let new = layer::begin(&self.batch, state)?;
            {
                let root = layer::open(state, &new)?;
                make_dirs(&root, &tree::clean(Path::new(&path)), (0, 0))?;
            }
            layer::finish(&self.batch, new, state.chains().last(), self.epoch)
        };
        Ok(Prepared {
            created_by,
            depends: Vec::new(),
            make: Box::new(make),
        })
    }
}

impl Work<'_> {
    fn picker<'p>(&'p self, part: &'p Part<'_>) -> Picker<'p> {
        Picker {
            tree: part.origin.tree(),
            instruction: self.instruction,
            strict: part.strict,
            parents: self.parents && part.strict,
            exclude: &self.exclude,
        }
    }

    fn digest(&self) -> Result<(&'static str, Digest), BuildError> {
        let mut all = Vec::new();
        for part in &self.parts {
            all.push(self.picker(part).digest(&part.selection)?);
        }
        match all.as_slice() {
            [one] => Ok((self.parts[0].selection.word(), one.clone())),
            many => {
                let names: Vec<String> = many.iter().map(Digest::to_string).collect();
                Ok(("multi", Digest::of(names.join("\n").as_bytes())))
            }
        }
    }
}

/// A destination below the working directory; a slash at its end stays.
pub(super) fn absolute(workdir: &str, path: &str) -> String {
    if path.starts_with('/') {
        return path.to_owned();
    }
    let workdir = workdir.trim_end_matches('/');
    match path {
        "." | "./" => format!("{workdir}/"),
        path => format!("{workdir}/{}", path.strip_prefix("./").unwrap_or(path)),
    }
}

/// `user[:group]` in the files of the image; a user alone has the group of the same number.
fn owner(root: &tree::Tree, text: &str) -> Result<(u32, u32), BuildError> {
    let fail = |refusal: crate::runtime::handshake::Refusal| {
        BuildError::Value(format!(
            "unable to convert uid/gid chown string to host mapping: {}",
            refusal.message
        ))
    };
    let identity = crate::runtime::user::resolve(root.root(), text, &[]).map_err(fail)?;
    let gid = if text.contains(':') {
        identity.gid
    } else {
        identity.uid
    };
    Ok((identity.uid, gid))
}

/// The names that a set of patterns leaves; used by mounts.
pub(super) fn nothing_excluded() -> Ignore {
    let none: BTreeSet<&str> = BTreeSet::new();
    Ignore::of_patterns(none).expect("no pattern is wrong")
}

#[cfg(test)]
mod tests {
    use super::absolute;

    #[test]
    fn destinations_are_below_the_working_directory() {
        for (workdir, path, expected) in [
            ("", ".", "/"),
            ("/w", ".", "/w/"),
            ("/w", "x", "/w/x"),
            ("/w/", "./x/", "/w/x/"),
            ("/w", "/x", "/x"),
            ("", "x", "/x"),
        ] {
            assert_eq!(absolute(workdir, path), expected);
        }
    }
}
