//! Known mistakes, with the line they stand on. A warning never stops a build.

use std::collections::BTreeSet;
use std::fmt::{self, Display};

use super::build::Dockerfile;
use super::instruction::{Command, CopySource, Form, Instruction, KeyValue};
use super::lint_shell;
use super::{Stage, Step};

/// A rule; the names that Docker's own checks have are Docker's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "each is told by its sentence below")]
pub enum Rule {
    FromAsCasing,
    ConsistentInstructionCasing,
    DuplicateStageName,
    ReservedStageName,
    UndefinedArgInFrom,
    UndefinedStage,
    UndefinedVar,
    JSONArgsRecommended,
    MaintainerDeprecated,
    WorkdirRelativePath,
    MultipleInstructionsDisallowed,
    LegacyKeyValueFormat,
    SecretsUsedInArgOrEnv,
    ExposeProtoCasing,
    LatestTag,
    AddInsteadOfCopy,
    AptGetNoYes,
    AptGetNoClean,
    AptGetUpgrade,
    AptGetUpdateAlone,
    AptInsteadOfAptGet,
    Sudo,
    ChangeDirectoryInRun,
    RootUser,
}

/// A mistake.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Warning {
    /// First line of the instruction, from 1.
    pub line: usize,
    /// Last line of it.
    pub end: usize,
    /// Which rule.
    pub rule: Rule,
    /// What is wrong here, and what to do.
    pub message: String,
}

impl Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {} (line {})", self.rule, self.message, self.line)
    }
}

/// Finds the mistakes of a Dockerfile, in the order of its lines.
///
/// `# check=skip=Rule,Rule` leaves rules out, `skip=all` leaves all out.
pub fn lint(file: &Dockerfile) -> Vec<Warning> {
    let mut linter = Linter {
        file,
        warnings: Vec::new(),
    };
    linter.casing();
    linter.stages();
    for (index, stage) in file.stages.iter().enumerate() {
        linter.stage(index, stage);
    }
    let skipped = skipped(file.check.as_deref().unwrap_or_default());
    let mut warnings = linter.warnings;
    warnings.retain(|warning| {
        let name = format!("{:?}", warning.rule);
        !skipped.iter().any(|skip| skip == "all" || *skip == name)
    });
    warnings.sort();
    warnings.dedup();
    warnings
}

fn skipped(check: &str) -> Vec<String> {
    let skip = check
        .split(';')
        .filter_map(|part| part.trim().strip_prefix("skip="));
    skip.flat_map(|rules| rules.split(','))
        .map(|rule| rule.trim().to_owned())
        .collect()
}

struct Linter<'a> {
    file: &'a Dockerfile,
    warnings: Vec<Warning>,
}

impl Linter<'_> {
    fn warn(&mut self, lines: (usize, usize), rule: Rule, message: impl Into<String>) {
        self.warnings.push(Warning {
            line: lines.0,
            end: lines.1,
            rule,
            message: message.into(),
        });
    }

    fn casing(&mut self) {
        let file = self.file;
        let upper = file
            .nodes
            .iter()
            .filter(|node| node.keyword == node.name())
            .count();
        let mostly_upper = upper * 2 >= file.nodes.len();
        for node in &file.nodes {
            let lower = node.keyword.to_ascii_lowercase();
            let (right, word) = if mostly_upper {
                (node.name(), "uppercase")
            } else {
                (lower, "lowercase")
            };
            if node.keyword != right {
                let text = format!(
                    "Command '{}' should match the case of the command majority ({word})",
                    node.keyword
                );
                self.warn(node.lines, Rule::ConsistentInstructionCasing, text);
            }
            if let ("FROM", [_, word, _]) = (node.name().as_str(), node.words.as_slice()) {
                let right = if node.keyword == node.name() {
                    "AS"
                } else {
                    "as"
                };
                if word != right {
                    let text = format!(
                        "'{word}' and '{}' keywords' casing do not match",
                        node.keyword
                    );
                    self.warn(node.lines, Rule::FromAsCasing, text);
                }
            }
            let old = |node: &super::Node| {
                matches!(node.name().as_str(), "ENV" | "LABEL")
                    && node.words.get(2).is_some_and(String::is_empty)
            };
            if old(node) {
                let name = node.name();
                let text = format!(
                    "\"{name} key=value\" should be used instead of legacy \"{name} key value\" format"
                );
                self.warn(node.lines, Rule::LegacyKeyValueFormat, text);
            }
        }
    }

    fn stages(&mut self) {
        let file = self.file;
        let global: BTreeSet<&str> = file
            .args
            .iter()
            .filter_map(|step| match &step.instruction {
                Instruction::Arg(args) => Some(args),
                _ => None,
            })
            .flatten()
            .map(|(name, _)| name.as_str())
            .collect();
        let mut names: Vec<&str> = Vec::new();
        for stage in &file.stages {
            if let Some(name) = stage.name.as_deref() {
                if names.contains(&name) {
                    let text =
                        format!("Duplicate stage name {name:?}, stage names should be unique");
                    self.warn(stage.lines, Rule::DuplicateStageName, text);
                }
                if matches!(name, "context" | "scratch") {
                    let text =
                        format!("'{name}' is reserved and should not be used as a stage name");
                    self.warn(stage.lines, Rule::ReservedStageName, text);
                }
            }
            for name in variables(&stage.base) {
                if !global.contains(name.as_str()) && !is_automatic(&name) {
                    let text = format!("FROM argument '{name}' is not declared");
                    self.warn(stage.lines, Rule::UndefinedArgInFrom, text);
                }
            }
            let is_stage = names.contains(&stage.base.to_ascii_lowercase().as_str());
            let last = stage.base.rsplit('/').next().unwrap_or_default();
            if !is_stage && stage.base != "scratch" && !stage.base.contains(['$', '@']) {
                match last.split_once(':') {
                    None => {
                        let text = format!(
                            "{} has no tag, which means latest: name a version",
                            stage.base
                        );
                        self.warn(stage.lines, Rule::LatestTag, text);
                    }
                    Some((_, "latest")) => {
                        let text = format!("{} changes without notice: name a version", stage.base);
                        self.warn(stage.lines, Rule::LatestTag, text);
                    }
                    Some(_) => {}
                }
            }
            names.extend(stage.name.as_deref());
        }
    }

    fn stage(&mut self, index: usize, stage: &Stage) {
        let mut known: BTreeSet<String> = BTreeSet::new();
        // Variables of an image that is not at hand are not known; then only stages on scratch can be judged.
        let mut complete = stage.base == "scratch";
        let (mut workdir, mut user) = (false, None);
        let mut once: Vec<(&'static str, &Step)> = Vec::new();
        for step in &stage.steps {
            self.undefined(step, &known, complete);
            match &step.instruction {
                Instruction::Arg(args) => {
                    for (name, value) in args {
                        known.insert(name.clone());
                        self.secret(step, name, "ARG");
                        if value.is_none() && self.file.args.is_empty() {
                            continue;
                        }
                    }
                }
                Instruction::Env(pairs) => {
                    for KeyValue { name, .. } in pairs {
                        known.insert(name.clone());
                        self.secret(step, name, "ENV");
                    }
                }
                Instruction::Workdir(path) => {
                    if !path.starts_with(['/', '$', '"']) && !workdir {
                        let text = format!(
                            "Relative workdir {path:?} can have unexpected results if the base image changes"
                        );
                        self.warn(step.lines, Rule::WorkdirRelativePath, text);
                    }
                    workdir = true;
                }
                Instruction::Cmd(command) => {
                    self.shell_form(step, "CMD", command, &stage.steps);
                    once.push(("CMD", step));
                }
                Instruction::Entrypoint(command) => {
                    self.shell_form(step, "ENTRYPOINT", command, &stage.steps);
                    once.push(("ENTRYPOINT", step));
                }
                Instruction::Healthcheck(_) => once.push(("HEALTHCHECK", step)),
                Instruction::Maintainer(_) => self.warn(
                    step.lines,
                    Rule::MaintainerDeprecated,
                    "Maintainer instruction is deprecated in favor of using label",
                ),
                Instruction::User(name) => user = Some((step, name.clone())),
                Instruction::Expose(ports) => {
                    for port in ports.iter().filter(|port| {
                        port.split_once('/')
                            .is_some_and(|(_, proto)| proto != proto.to_ascii_lowercase())
                    }) {
                        let text = format!(
                            "Defined protocol '{port}' in EXPOSE instruction should be lowercase"
                        );
                        self.warn(step.lines, Rule::ExposeProtoCasing, text);
                    }
                }
                Instruction::Add(copy) => {
                    let plain = copy.sources.iter().all(|source| match source {
                        CopySource::Path(path) => {
                            !path.contains("://")
                                && !path.starts_with("git@")
                                && !path.contains(".git")
                                && !is_archive(path)
                        }
                        CopySource::Heredoc(_) => true,
                    });
                    if plain {
                        let text = "ADD does more than copying here is meant to do: use COPY";
                        self.warn(step.lines, Rule::AddInsteadOfCopy, text);
                    }
                }
                Instruction::Copy(copy) => {
                    if let Some(from) = &copy.from
                        && let Ok(number) = from.parse::<usize>()
                        && number >= index
                    {
                        let text = format!("stage {number} does not come before this one");
                        self.warn(step.lines, Rule::UndefinedStage, text);
                    }
                }
                Instruction::Run(run) if run.command.form == Form::Shell => {
                    for (rule, message) in lint_shell::mistakes(&run.script()) {
                        self.warn(step.lines, rule, message);
                    }
                }
                Instruction::Onbuild(_) => complete = false,
                _ => {}
            }
        }
        for (name, step) in &once {
            if once.iter().filter(|(other, _)| other == name).count() > 1 {
                let text = format!(
                    "Multiple {name} instructions should not be used in the same stage because only the last one will be used"
                );
                self.warn(step.lines, Rule::MultipleInstructionsDisallowed, text);
            }
        }
        if let Some((step, name)) = user
            && matches!(name.as_str(), "root" | "0")
            && index + 1 == self.file.stages.len()
        {
            self.warn(
                step.lines,
                Rule::RootUser,
                "the program will run as root: end with an ordinary user",
            );
        }
    }

    fn shell_form(&mut self, step: &Step, name: &str, command: &Command, steps: &[Step]) {
        let own_shell = steps
            .iter()
            .any(|step| matches!(step.instruction, Instruction::Shell(_)));
        if command.form == Form::Shell && !command.words.is_empty() && !own_shell {
            let text = format!(
                "JSON arguments recommended for {name} to prevent unintended behavior related to OS signals"
            );
            self.warn(step.lines, Rule::JSONArgsRecommended, text);
        }
    }

    fn secret(&mut self, step: &Step, name: &str, instruction: &str) {
        let lower = name.to_ascii_lowercase();
        let mut words = lower.split(['_', '-', '.']);
        let secret = words.any(|word| {
            matches!(
                word,
                "apikey"
                    | "auth"
                    | "credential"
                    | "credentials"
                    | "key"
                    | "password"
                    | "pword"
                    | "passwd"
                    | "secret"
                    | "token"
            )
        });
        let public = lower.split('_').any(|word| word == "public");
        if secret && !public {
            let text = format!(
                "Do not use ARG or ENV instructions for sensitive data ({instruction} {name:?}): anybody can read them in the image"
            );
            self.warn(step.lines, Rule::SecretsUsedInArgOrEnv, text);
        }
    }

    fn undefined(&mut self, step: &Step, known: &BTreeSet<String>, complete: bool) {
        let used = match &step.instruction {
            Instruction::Copy(copy) | Instruction::Add(copy) => {
                let sources = copy.sources.iter().filter_map(|source| match source {
                    CopySource::Path(path) => Some(path.clone()),
                    CopySource::Heredoc(_) => None,
                });
                sources
                    .chain([copy.dest.clone()])
                    .collect::<Vec<_>>()
                    .join(" ")
            }
            Instruction::Workdir(text) | Instruction::User(text) => text.clone(),
            Instruction::Env(pairs) | Instruction::Label(pairs) => pairs
                .iter()
                .map(|pair| pair.value.as_str())
                .collect::<Vec<_>>()
                .join(" "),
            _ => return,
        };
        for name in variables(&used) {
            let is_known = known.contains(&name) || is_automatic(&name) || name == "PATH";
            // A variable may come from the base image; only names that nearly match a known one are surely wrong.
            let names: Vec<&String> = known.iter().collect();
            let near = names.iter().find(|other| similar(other, &name));
            if is_known || !(complete || near.is_some()) {
                continue;
            }
            let hint = near.map_or_else(String::new, |near| format!(" (did you mean ${near}?)"));
            self.warn(
                step.lines,
                Rule::UndefinedVar,
                format!("Usage of undefined variable '${name}'{hint}"),
            );
        }
    }
}

fn similar(a: &str, b: &str) -> bool {
    a.len() > 3 && a.len().abs_diff(b.len()) <= 1 && {
        let common = a.chars().zip(b.chars()).take_while(|(x, y)| x == y).count();
        let tail = a
            .chars()
            .rev()
            .zip(b.chars().rev())
            .take_while(|(x, y)| x == y)
            .count();
        common + tail + 1 >= a.len().max(b.len())
    }
}

/// Names after `$` and `${`; those with a default in braces are fine either way.
fn variables(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    for (at, _) in text.match_indices('$') {
        if at > 0 && text[..at].ends_with('\\') {
            continue;
        }
        let rest = &text[at + 1..];
        let (braces, rest) = match rest.strip_prefix('{') {
            Some(rest) => (true, rest),
            None => (false, rest),
        };
        let end = rest
            .find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_')
            .unwrap_or(rest.len());
        let has_default = braces && !rest[end..].starts_with('}');
        if end > 0 && !has_default && !rest.starts_with(|first: char| first.is_ascii_digit()) {
            names.push(rest[..end].to_owned());
        }
    }
    names
}

fn is_automatic(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    matches!(
        lower.as_str(),
        "http_proxy" | "https_proxy" | "ftp_proxy" | "no_proxy" | "all_proxy"
    ) || ["TARGET", "BUILD"].iter().any(|side| {
        ["PLATFORM", "OS", "ARCH", "VARIANT"]
            .iter()
            .any(|part| name == format!("{side}{part}"))
    }) || matches!(name, "TARGETSTAGE" | "SOURCE_DATE_EPOCH")
}

fn is_archive(path: &str) -> bool {
    [".tar", ".gz", ".tgz", ".xz", ".bz2", ".zst", ".txz"]
        .iter()
        .any(|end| path.ends_with(end))
        || path.contains(['*', '$'])
}
