//! A few instructions before the allow-list, for calls that the library does not know yet.
//!
//! A program that probes for a new call must hear ENOSYS, not EPERM, to fall back to an older one:
//! `fchmodat2` is the call that taught everybody.

use super::table;

/// One BPF instruction; see linux/bpf_common.h.
struct Instruction {
    code: u16,
    on_true: u8,
    on_false: u8,
    value: u32,
}

const LOAD: u16 = 0x20;
const JUMP_IF_EQUAL: u16 = 0x15;
const JUMP_IF_AT_LEAST: u16 = 0x35;
const RETURN: u16 = 0x06;

/// Offsets in `struct seccomp_data`.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;

const ALLOW: u32 = 0x7fff_0000;
const ERRNO: u32 = 0x0005_0000;

/// Numbers from here on belong to the x32 interface.
const X32: u32 = 0x4000_0000;

#[cfg(target_arch = "x86_64")]
const NATIVE: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const NATIVE: u32 = 0xc000_00b7;

/// Answers for young calls; all others go on to the instruction behind it.
pub(super) fn prologue() -> Vec<u8> {
    let young = u8::try_from(table::YOUNG.len()).expect("a short list");
    // The two returns stand last: how far it is to them, and beyond, from each instruction.
    let mut program = vec![
        load(ARCHITECTURE),
        jump(JUMP_IF_EQUAL, NATIVE, 0, young + 5),
        load(NUMBER),
        jump(JUMP_IF_AT_LEAST, X32, young + 3, 0),
        jump(JUMP_IF_AT_LEAST, table::UNKNOWN, 0, young + 2),
    ];
    for (place, (_, number)) in (0..).zip(table::YOUNG) {
        program.push(jump(JUMP_IF_EQUAL, number, young - place, 0));
    }
    program.push(answer(ERRNO | super::ENOSYS.cast_unsigned()));
    program.push(answer(ALLOW));
    program.iter().flat_map(Instruction::bytes).collect()
}

fn load(offset: u32) -> Instruction {
    jump(LOAD, offset, 0, 0)
}

fn answer(value: u32) -> Instruction {
    jump(RETURN, value, 0, 0)
}

fn jump(code: u16, value: u32, on_true: u8, on_false: u8) -> Instruction {
    Instruction {
        code,
        on_true,
        on_false,
        value,
    }
}

impl Instruction {
    fn bytes(&self) -> [u8; 8] {
        let [a, b] = self.code.to_ne_bytes();
        let [c, d, e, f] = self.value.to_ne_bytes();
        [a, b, self.on_true, self.on_false, c, d, e, f]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Follows the jumps; `None` when it leaves the program at its very end.
    fn run(architecture: u32, number: u32) -> Option<u32> {
        let program = prologue();
        let mut accumulator = 0;
        let mut place = 0;
        while place < program.len() / 8 {
            let at = &program[place * 8..place * 8 + 8];
            let code = u16::from_ne_bytes([at[0], at[1]]);
            let value = u32::from_ne_bytes([at[4], at[5], at[6], at[7]]);
            let jump = |taken: bool| usize::from(if taken { at[2] } else { at[3] });
            place += 1;
            match code {
                LOAD if value == NUMBER => accumulator = number,
                LOAD => accumulator = architecture,
                JUMP_IF_EQUAL => place += jump(accumulator == value),
                JUMP_IF_AT_LEAST => place += jump(accumulator >= value),
                _ => return Some(value),
            }
        }
        assert_eq!(place, program.len() / 8, "a jump beyond the end");
        None
    }

    #[test]
    fn young_calls_are_answered_and_old_ones_go_on() {
        assert_eq!(run(NATIVE, 452), Some(ALLOW));
        assert_eq!(run(NATIVE, 449), Some(ALLOW));
        assert_eq!(run(NATIVE, 469), Some(ALLOW));
        assert_eq!(run(NATIVE, 457), Some(ERRNO | 38));
        assert_eq!(run(NATIVE, 900), Some(ERRNO | 38));
        assert_eq!(run(NATIVE, 1), None);
        assert_eq!(run(NATIVE, X32 + 1), None);
        assert_eq!(run(0x4000_0003, 452), None);
    }
}
