//! Which stages are built, and on what: decided before anything is done.

use std::collections::{BTreeMap, BTreeSet};

use crate::dockerfile::{BuildMount, Dockerfile, Instruction, Stage};

use super::variables::{Arguments, expand};
use super::{BuildError, Platform};

/// Stages of one Dockerfile; more are refused.
const STAGE_LIMIT: usize = 500;

/// What a stage stands on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Base {
    /// Nothing.
    Scratch,
    /// An earlier stage.
    Stage(usize),
    /// An image.
    Image(String),
}

/// One stage of the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedStage {
    /// Its number in the file.
    pub index: usize,
    /// What it stands on.
    pub base: Base,
    /// `--platform`.
    pub platform: Option<Platform>,
    /// Earlier stages that have to be there, its base included.
    pub needs: BTreeSet<usize>,
    /// Number of its FROM among all steps, from 1.
    pub first: usize,
}

/// The stages that the target needs, in the order of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The stages; the target is the last one.
    pub stages: Vec<PlannedStage>,
    /// Steps in all.
    pub total: usize,
}

/// What comes from outside the file.
#[derive(Debug)]
pub(super) struct Outside<'a> {
    pub(super) target: Option<&'a str>,
    pub(super) build_args: &'a BTreeMap<String, Option<String>>,
    pub(super) labels: bool,
}

/// The arguments before the first FROM.
pub(super) fn global_arguments(
    file: &Dockerfile,
    outside: &Outside<'_>,
    platform: &Platform,
) -> Result<Arguments, BuildError> {
    let mut arguments = Arguments::automatic(platform, outside.target);
    let pairs = file.args.iter().filter_map(|step| match &step.instruction {
        Instruction::Arg(pairs) => Some(pairs),
        _ => None,
    });
    for (name, default) in pairs.flatten() {
        let given = outside.build_args.get(name).cloned().flatten();
        let value = match (given, default) {
            (Some(value), _) => Some(value),
            (None, Some(default)) => Some(expand(default, file.escape, &[], &arguments)?),
            (None, None) => None,
        };
        arguments.set(name, value);
    }
    Ok(arguments)
}

impl Plan {
    /// Decides.
    pub(super) fn of(
        file: &Dockerfile,
        outside: &Outside<'_>,
        arguments: &Arguments,
    ) -> Result<Self, BuildError> {
        if file.stages.len() > STAGE_LIMIT {
            return Err(BuildError::Unsupported(format!(
                "a Dockerfile of more than {STAGE_LIMIT} stages"
            )));
        }
        let target = match outside.target {
            None => file.stages.len() - 1,
            Some(name) => {
                find(&file.stages, name).ok_or_else(|| BuildError::Target(name.to_owned()))?
            }
        };
        let mut all = Vec::new();
        for (index, stage) in file.stages.iter().enumerate().take(target + 1) {
            all.push(planned(file, index, stage, arguments)?);
        }
        let mut wanted = BTreeSet::from([target]);
        let mut todo = vec![target];
        while let Some(index) = todo.pop() {
            for need in &all[index].needs {
                if wanted.insert(*need) {
                    todo.push(*need);
                }
            }
        }
        all.retain(|stage| wanted.contains(&stage.index));
        let mut next = file.args.len() + 1;
        for stage in &mut all {
            stage.first = next;
            next += 1 + file.stages[stage.index].steps.len();
        }
        Ok(Self {
            stages: all,
            total: next - 1 + usize::from(outside.labels),
        })
    }
}

fn planned(
    file: &Dockerfile,
    index: usize,
    stage: &Stage,
    arguments: &Arguments,
) -> Result<PlannedStage, BuildError> {
    let before = &file.stages[..index];
    let name = expand(&stage.base, file.escape, &[], arguments)?;
    if name.is_empty() {
        return Err(BuildError::BlankBase(stage.base.clone()));
    }
    let platform = match &stage.platform {
        None => None,
        Some(text) => {
            Some(expand(text, file.escape, &[], arguments)?).filter(|text| !text.is_empty())
        }
    };
    let base = match before
        .iter()
        .rposition(|other| other.name.as_deref() == Some(name.to_ascii_lowercase().as_str()))
    {
        Some(stage) => Base::Stage(stage),
        None if name == "scratch" => Base::Scratch,
        None => Base::Image(name),
    };
    let mut needs = BTreeSet::new();
    if let Base::Stage(stage) = base {
        needs.insert(stage);
    }
    for step in &stage.steps {
        match &step.instruction {
            Instruction::Copy(copy) => {
                needs.extend(copy.from.as_deref().and_then(|from| find(before, from)))
            }
            Instruction::Run(run) => {
                let froms = run
                    .mounts
                    .iter()
                    .filter_map(|mount| BuildMount::parse(mount).ok()?.from);
                needs.extend(froms.filter_map(|from| find(before, &from)));
            }
            _ => {}
        }
    }
    Ok(PlannedStage {
        index,
        base,
        platform: platform.map(|text| Platform::parse(&text)).transpose()?,
        needs,
        first: 0,
    })
}

/// A stage by name or number.
pub(super) fn find(stages: &[Stage], name: &str) -> Option<usize> {
    let lower = name.to_ascii_lowercase();
    let named = stages
        .iter()
        .rposition(|stage| stage.name.as_deref() == Some(lower.as_str()));
    named.or_else(|| {
        name.parse::<usize>()
            .ok()
            .filter(|number| *number < stages.len())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(text: &str, target: Option<&str>) -> Result<Plan, BuildError> {
        let file = crate::dockerfile::parse(text.as_bytes()).unwrap();
        let args = BTreeMap::from([("V".to_owned(), Some("2".to_owned()))]);
        let outside = Outside {
            target,
            build_args: &args,
            labels: false,
        };
        let arguments = global_arguments(&file, &outside, &Platform::own())?;
        Plan::of(&file, &outside, &arguments)
    }

    const FILE: &str = "ARG V=1\nFROM a:$V AS one\nRUN x\nFROM b AS unused\nRUN y\nFROM scratch AS two\n\
        COPY --from=one /x /\nFROM two\nRUN --mount=type=bind,from=3,target=/m true\n";

    #[test]
    fn stages_that_nothing_needs_are_left_out() {
        let plan = plan(FILE, None).unwrap();
        let stages: Vec<_> = plan
            .stages
            .iter()
            .map(|stage| (stage.index, stage.first))
            .collect();
        assert_eq!(stages, [(0, 2), (2, 4), (3, 6)]);
        assert_eq!(plan.total, 7);
        assert_eq!(plan.stages[0].base, Base::Image("a:2".into()));
        assert_eq!(plan.stages[1].needs, BTreeSet::from([0]));
        assert_eq!(plan.stages[2].base, Base::Stage(2));
    }

    #[test]
    fn a_target_ends_the_plan() {
        let plan = plan(FILE, Some("UNUSED")).unwrap();
        assert_eq!(
            plan.stages
                .iter()
                .map(|stage| stage.index)
                .collect::<Vec<_>>(),
            [1]
        );
        assert!(matches!(
            super::tests::plan(FILE, Some("nope")),
            Err(BuildError::Target(_))
        ));
        assert!(matches!(
            super::tests::plan("FROM $X", None),
            Err(BuildError::BlankBase(_))
        ));
    }
}
