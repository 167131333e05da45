//! Which devices a group may use: a list of rules, written to a file (version 1) or compiled to a program that the
//! kernel asks (version 2); see Documentation/admin-guide/cgroup-v2.rst, "Device controller".

use std::path::Path;

use crate::bpf::{self, Instruction};
use crate::error::SysError;
use crate::fs::{Access, open};

/// One line of a list of allowed devices, such as `c 1:3 rwm`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceRule(pub String);

/// A rule, understood. `None` stands for any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Allowed {
    kind: Option<i32>,
    major: Option<i32>,
    minor: Option<i32>,
    access: i32,
}

/// Of `struct bpf_cgroup_dev_ctx`.
const BLOCK: i32 = 1;
const CHAR: i32 = 2;
const MAKE: i32 = 1;
const READ: i32 = 2;
const WRITE: i32 = 4;
const EVERYTHING: i32 = MAKE | READ | WRITE;

impl Allowed {
    /// `None`: the kernel of version 1 would refuse this line.
    fn parse(rule: &DeviceRule) -> Option<Self> {
        let mut words = rule.0.split(' ');
        let kind = match words.next()? {
            "a" => None,
            "b" => Some(BLOCK),
            "c" => Some(CHAR),
            _ => return None,
        };
        let number = |word: &str| match word {
            "*" => Some(None),
            digits => digits.parse::<i32>().ok().filter(|n| *n >= 0).map(Some),
        };
        // `a` alone means all of it.
        let Some(numbers) = words.next() else {
            let access = EVERYTHING;
            return kind.is_none().then_some(Self {
                kind,
                major: None,
                minor: None,
                access,
            });
        };
        let (major, minor) = numbers.split_once(':')?;
        let mut access = 0;
        for letter in words.next()?.chars() {
            access |= match letter {
                'm' => MAKE,
                'r' => READ,
                'w' => WRITE,
                _ => return None,
            };
        }
        let whole = access != 0 && words.next().is_none();
        whole.then_some(Self {
            kind,
            major: number(major)?,
            minor: number(minor)?,
            access,
        })
    }
}

// Registers: 0 answers, 1 is the question, the others are ours.
const KIND: u8 = 2;
const ACCESS: u8 = 3;
const MAJOR: u8 = 4;
const MINOR: u8 = 5;
const SPARE: u8 = 6;

const LOAD_WORD: u8 = 0x61;
const MOVE: u8 = 0xbc;
const SHIFT_RIGHT: u8 = 0x74;
const AND: u8 = 0x54;
const SET: u8 = 0xb7;
const JUMP_UNLESS_VALUE: u8 = 0x56;
const JUMP_UNLESS_REGISTER: u8 = 0x5e;
const EXIT: u8 = 0x95;

fn op(code: u8, to: u8, from: u8, value: i32) -> Instruction {
    Instruction {
        code,
        registers: to | from << 4,
        offset: 0,
        value,
    }
}

/// Everything not allowed by one of the rules is refused.
fn program(rules: &[Allowed]) -> Vec<Instruction> {
    let load = |to, offset| Instruction {
        offset,
        ..op(LOAD_WORD, to, 1, 0)
    };
    let mut all = vec![
        load(KIND, 0),
        op(MOVE, ACCESS, KIND, 0),
        op(SHIFT_RIGHT, ACCESS, 0, 16),
        op(AND, KIND, 0, 0xffff),
        load(MAJOR, 4),
        load(MINOR, 8),
    ];
    for rule in rules {
        all.extend(one(rule));
    }
    all.extend([op(SET, 0, 0, 0), op(EXIT, 0, 0, 0)]);
    all
}

fn one(rule: &Allowed) -> Vec<Instruction> {
    let mut part = Vec::new();
    let mut unless = |register, value: Option<i32>| {
        part.extend(value.map(|value| op(JUMP_UNLESS_VALUE, register, 0, value)));
    };
    unless(KIND, rule.kind);
    unless(MAJOR, rule.major);
    unless(MINOR, rule.minor);
    if rule.access != EVERYTHING {
        // All that is asked for must be in this one rule, as in version 1.
        part.push(op(MOVE, SPARE, ACCESS, 0));
        part.push(op(AND, SPARE, 0, rule.access));
        part.push(op(JUMP_UNLESS_REGISTER, SPARE, ACCESS, 0));
    }
    part.extend([op(SET, 0, 0, 1), op(EXIT, 0, 0, 0)]);
    // Each jump leads to the next rule.
    let length = part.len();
    for (place, instruction) in part.iter_mut().enumerate() {
        if matches!(instruction.code, JUMP_UNLESS_VALUE | JUMP_UNLESS_REGISTER) {
            instruction.offset = i16::try_from(length - place - 1).expect("a rule is short");
        }
    }
    part
}

/// Attaches the list to a group of version 2.
pub(super) fn attach(group: &Path, rules: &[DeviceRule]) -> Result<(), SysError> {
    let understood = rules.iter().map(|rule| {
        Allowed::parse(rule).ok_or_else(|| {
            let source = std::io::Error::from_raw_os_error(libc::EINVAL);
            SysError::io("device rule", source).on(&*rule.0)
        })
    });
    let rules = understood.collect::<Result<Vec<_>, _>>()?;
    let group = open(group, Access::Directory)?;
    let program = bpf::load_device_program(&program(&rules))?;
    bpf::attach_device_program(
        std::os::fd::AsFd::as_fd(&program),
        std::os::fd::AsFd::as_fd(&group),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the kernel's machine would answer.
    fn ask(rules: &[&str], kind: i32, numbers: (i32, i32), access: i32) -> bool {
        let rules: Vec<_> = rules
            .iter()
            .map(|rule| Allowed::parse(&DeviceRule((*rule).to_owned())).unwrap())
            .collect();
        let program = program(&rules);
        let context = [access << 16 | kind, numbers.0, numbers.1];
        let mut registers = [0_i32; 7];
        let mut place = 0;
        loop {
            let Instruction {
                code,
                registers: r,
                offset,
                value,
            } = program[place];
            let (to, from) = (usize::from(r & 15), usize::from(r >> 4));
            place += 1;
            let far = usize::try_from(offset).unwrap();
            match code {
                LOAD_WORD => registers[to] = context[far / 4],
                MOVE => registers[to] = registers[from],
                SHIFT_RIGHT => registers[to] >>= value,
                AND => registers[to] &= value,
                SET => registers[to] = value,
                JUMP_UNLESS_VALUE if registers[to] != value => place += far,
                JUMP_UNLESS_REGISTER if registers[to] != registers[from] => place += far,
                JUMP_UNLESS_VALUE | JUMP_UNLESS_REGISTER => {}
                EXIT => return registers[0] == 1,
                other => panic!("{other:#x}"),
            }
        }
    }

    #[test]
    fn only_what_a_rule_names_is_allowed() {
        let usual = ["c *:* m", "b *:* m", "c 1:3 rwm", "c 136:* rw"];
        assert!(ask(&usual, CHAR, (1, 3), READ | WRITE));
        assert!(ask(&usual, CHAR, (136, 7), READ));
        assert!(ask(&usual, BLOCK, (8, 0), MAKE));
        assert!(!ask(&usual, BLOCK, (8, 0), READ));
        assert!(!ask(&usual, CHAR, (1, 1), READ));
        // Two rules allow it together, none of them alone.
        assert!(!ask(&usual, CHAR, (136, 7), READ | MAKE));
        assert!(!ask(&usual, CHAR, (1, 4), WRITE));
        assert!(ask(&["a"], BLOCK, (8, 0), EVERYTHING));
        assert!(ask(&["a *:* rwm"], BLOCK, (8, 0), EVERYTHING));
        assert!(!ask(&[], CHAR, (1, 3), READ));
    }

    #[test]
    fn what_version_1_would_refuse_is_no_rule() {
        for rule in [
            "",
            "x 1:3 r",
            "c 1 r",
            "c 1:3",
            "c 1:3 q",
            "c 1:3 ",
            "c 1:-3 r",
            "c 1:3 r w",
        ] {
            assert_eq!(Allowed::parse(&DeviceRule(rule.into())), None, "{rule:?}");
        }
    }
}
