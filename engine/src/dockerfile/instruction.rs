//! What each instruction means: one variant per instruction, its flags read.

use super::error::{ParseErrorKind, closest};
use super::flags::Flags;
use super::health::Healthcheck;
use super::lexer::Heredoc;
use super::mount::BuildMount;
use super::node::Node;

/// Every instruction there is.
pub(super) const KEYWORDS: [&str; 18] = [
    "FROM",
    "RUN",
    "CMD",
    "LABEL",
    "EXPOSE",
    "ENV",
    "ADD",
    "COPY",
    "ENTRYPOINT",
    "VOLUME",
    "USER",
    "WORKDIR",
    "ARG",
    "ONBUILD",
    "STOPSIGNAL",
    "HEALTHCHECK",
    "SHELL",
    "MAINTAINER",
];

/// An instruction inside a stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Instruction {
    /// ADD.
    Add(Copy),
    /// ARG: names with their defaults.
    Arg(Vec<(String, Option<String>)>),
    /// CMD.
    Cmd(Command),
    /// COPY.
    Copy(Copy),
    /// ENTRYPOINT.
    Entrypoint(Command),
    /// ENV.
    Env(Vec<KeyValue>),
    /// EXPOSE: ports, ranges and protocols.
    Expose(Vec<String>),
    /// HEALTHCHECK.
    Healthcheck(Healthcheck),
    /// LABEL.
    Label(Vec<KeyValue>),
    /// MAINTAINER.
    Maintainer(String),
    /// ONBUILD: the text of the trigger.
    Onbuild(String),
    /// RUN.
    Run(Run),
    /// SHELL.
    Shell(Vec<String>),
    /// STOPSIGNAL.
    Stopsignal(String),
    /// USER.
    User(String),
    /// VOLUME.
    Volume(Vec<String>),
    /// WORKDIR.
    Workdir(String),
}

/// `name=value`, not expanded, quotes kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyValue {
    /// Before the `=`.
    pub name: String,
    /// After it.
    pub value: String,
}

/// How a command is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// One line for a shell.
    Shell,
    /// A JSON list, executed as it is.
    Exec,
}

/// A command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// How it is written.
    pub form: Form,
    /// One word in the shell form.
    pub words: Vec<String>,
}

/// RUN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// What runs.
    pub command: Command,
    /// Texts that follow the line.
    pub heredocs: Vec<Heredoc>,
    /// `--mount`, not expanded.
    pub mounts: Vec<String>,
    /// `--network`.
    pub network: Network,
}

/// The network of one RUN.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Network {
    /// That of the build.
    #[default]
    Default,
    /// Only loopback.
    None,
    /// The host's.
    Host,
}

/// COPY and ADD.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copy {
    /// What is copied.
    pub sources: Vec<CopySource>,
    /// Where to.
    pub dest: String,
    /// A stage, an image or a named context instead of the context.
    pub from: Option<String>,
    /// Owner.
    pub chown: Option<String>,
    /// Mode.
    pub chmod: Option<String>,
    /// The layer does not depend on those below it.
    pub link: bool,
    /// Parent directories of the sources are kept.
    pub parents: bool,
    /// Patterns of what is left out.
    pub exclude: Vec<String>,
    /// ADD: the `.git` directory is kept.
    pub keep_git_dir: bool,
    /// ADD: digest of what is fetched.
    pub checksum: Option<String>,
}

/// One source of COPY and ADD.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CopySource {
    /// A path or pattern, or with ADD an address.
    Path(String),
    /// A text in the Dockerfile.
    Heredoc(Heredoc),
}

impl Instruction {
    /// Reads a node inside a stage.
    pub(super) fn of(node: &Node, escape: char) -> Result<Self, ParseErrorKind> {
        let name = node.name();
        let known = KEYWORDS.iter().find(|known| **known == name).copied();
        let Some(name) = known else {
            return Err(ParseErrorKind::Unknown {
                word: node.keyword.clone(),
                closest: closest(&name, &KEYWORDS),
            });
        };
        let words = &node.words;
        let none = || Flags::of(node, &[], &[], &[]);
        let some = || {
            if words.is_empty() {
                Err(ParseErrorKind::AtLeastOne(name))
            } else {
                Ok(())
            }
        };
        let one = || match words.as_slice() {
            [word] => Ok(word.clone()),
            _ => Err(ParseErrorKind::ExactlyOne(name)),
        };
        Ok(match name {
            "ADD" | "COPY" => {
                let copy = Copy::of(node, name)?;
                if name == "ADD" {
                    Self::Add(copy)
                } else {
                    Self::Copy(copy)
                }
            }
            "ARG" => {
                some()?;
                none()?;
                Self::Arg(
                    words
                        .iter()
                        .map(|word| arg(word))
                        .collect::<Result<_, _>>()?,
                )
            }
            "CMD" | "ENTRYPOINT" => {
                none()?;
                let command = Command::of(node, words);
                if name == "CMD" {
                    Self::Cmd(command)
                } else {
                    Self::Entrypoint(command)
                }
            }
            "ENV" | "LABEL" => {
                some()?;
                none()?;
                let pairs = pairs(words, if name == "ENV" { "ENV" } else { "LABEL" })?;
                if name == "ENV" {
                    Self::Env(pairs)
                } else {
                    Self::Label(pairs)
                }
            }
            "EXPOSE" => {
                some()?;
                none()?;
                Self::Expose(words.clone())
            }
            "HEALTHCHECK" => Self::Healthcheck(Healthcheck::of(node)?),
            "MAINTAINER" => {
                none()?;
                Self::Maintainer(one()?)
            }
            "ONBUILD" => Self::Onbuild(onbuild(node, escape)?),
            "RUN" => Self::Run(Run::of(node)?),
            "SHELL" => {
                none()?;
                if !node.json {
                    return Err(if words.is_empty() {
                        ParseErrorKind::AtLeastOne(name)
                    } else {
                        ParseErrorKind::ShellForm
                    });
                }
                some()?;
                Self::Shell(words.clone())
            }
            "STOPSIGNAL" => {
                none()?;
                Self::Stopsignal(one()?)
            }
            "USER" => {
                none()?;
                Self::User(one()?)
            }
            "VOLUME" => {
                some()?;
                none()?;
                if words.iter().any(|word| word.trim().is_empty()) {
                    return Err(ParseErrorKind::EmptyVolume);
                }
                Self::Volume(words.clone())
            }
            "WORKDIR" => {
                none()?;
                Self::Workdir(one()?)
            }
            _ => return Err(ParseErrorKind::From),
        })
    }
}

impl Command {
    fn of(node: &Node, words: &[String]) -> Self {
        Self {
            form: if node.json { Form::Exec } else { Form::Shell },
            words: words.to_vec(),
        }
    }
}

impl Run {
    fn of(node: &Node) -> Result<Self, ParseErrorKind> {
        let flags = Flags::of(node, &["network", "security"], &["mount"], &[])?;
        let network = match flags.text("network").as_deref() {
            None | Some("default") => Network::Default,
            Some("none") => Network::None,
            Some("host") => Network::Host,
            Some(other) => return Err(ParseErrorKind::NetworkMode(other.to_owned())),
        };
        if let Some(mode) = flags.text("security").filter(|mode| mode != "sandbox") {
            return Err(ParseErrorKind::SecurityMode(mode));
        }
        let mounts = flags.all("mount");
        for text in mounts.iter().filter(|text| !text.contains('$')) {
            BuildMount::parse(text).map_err(|why| ParseErrorKind::Mount {
                text: text.clone(),
                why,
            })?;
        }
        if node.json && !node.heredocs.is_empty() {
            return Err(ParseErrorKind::HeredocExec);
        }
        Ok(Self {
            command: Command::of(node, &node.words),
            heredocs: node.heredocs.clone(),
            mounts,
            network,
        })
    }

    /// The script that a shell gets: the line, or the here-document that stands alone in it.
    pub fn script(&self) -> String {
        let line = self.command.words.first().cloned().unwrap_or_default();
        if let [only] = self.heredocs.as_slice()
            && line.trim() == only.written
        {
            return only.content.clone();
        }
        let mut script = line;
        for heredoc in &self.heredocs {
            script.push('\n');
            script.push_str(&heredoc.content);
            script.push_str(&heredoc.name);
        }
        script
    }
}

impl Copy {
    fn of(node: &Node, name: &'static str) -> Result<Self, ParseErrorKind> {
        let flags = if name == "COPY" {
            Flags::of(
                node,
                &["from", "chown", "chmod"],
                &["exclude"],
                &["link", "parents"],
            )?
        } else {
            Flags::of(
                node,
                &["chown", "chmod", "checksum"],
                &["exclude"],
                &["link", "keep-git-dir"],
            )?
        };
        match node.words.as_slice() {
            [] => return Err(ParseErrorKind::AtLeastOne(name)),
            [_] => return Err(ParseErrorKind::NoDestination(name)),
            _ => {}
        }
        let (dest, sources) = node
            .words
            .split_last()
            .expect("there are two words or more");
        let sources = sources
            .iter()
            .map(|word| {
                match node
                    .heredocs
                    .iter()
                    .find(|heredoc| heredoc.written == *word)
                {
                    Some(heredoc) => CopySource::Heredoc(heredoc.clone()),
                    None => CopySource::Path(word.clone()),
                }
            })
            .collect();
        let checksum = flags.text("checksum");
        if let Some(value) = checksum
            .as_ref()
            .filter(|value| !value.starts_with("sha256:"))
        {
            return Err(ParseErrorKind::FlagValue {
                flag: "checksum",
                value: value.clone(),
                why: "expected sha256:DIGITS",
            });
        }
        Ok(Self {
            sources,
            dest: dest.clone(),
            from: flags.text("from"),
            chown: flags.text("chown"),
            chmod: flags.text("chmod"),
            link: flags.on("link")?,
            parents: flags.on("parents")?,
            exclude: flags.all("exclude"),
            keep_git_dir: flags.on("keep-git-dir")?,
            checksum,
        })
    }
}

fn arg(word: &str) -> Result<(String, Option<String>), ParseErrorKind> {
    let (name, value) = match word.split_once('=') {
        Some((name, value)) => (name, Some(value.to_owned())),
        None => (word, None),
    };
    if name.is_empty() {
        return Err(ParseErrorKind::BlankName("ARG"));
    }
    Ok((name.to_owned(), value))
}

fn pairs(words: &[String], name: &'static str) -> Result<Vec<KeyValue>, ParseErrorKind> {
    words
        .chunks_exact(3)
        .map(|pair| {
            if pair[0].is_empty() {
                return Err(ParseErrorKind::BlankName(name));
            }
            Ok(KeyValue {
                name: pair[0].clone(),
                value: pair[1].clone(),
            })
        })
        .collect()
}

fn onbuild(node: &Node, escape: char) -> Result<String, ParseErrorKind> {
    Flags::of(node, &[], &[], &[])?;
    let child = node
        .child
        .as_deref()
        .ok_or(ParseErrorKind::AtLeastOne("ONBUILD"))?;
    match child.name().as_str() {
        "ONBUILD" => return Err(ParseErrorKind::OnbuildChain),
        trigger @ ("FROM" | "MAINTAINER") => {
            return Err(ParseErrorKind::OnbuildTrigger(trigger.to_owned()));
        }
        _ => {}
    }
    Instruction::of(child, escape)?;
    let mut text = child.original.clone();
    for heredoc in &child.heredocs {
        text.push('\n');
        text.push_str(&heredoc.content);
        text.push_str(&heredoc.name);
    }
    Ok(text)
}
