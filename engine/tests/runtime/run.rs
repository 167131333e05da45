//! One container after another.

use crate::Test;
use crate::place::Place;

pub(crate) const TESTS: [Test; 4] = [
    ("a_program_runs_and_its_code_is_kept", exit_code),
    ("a_missing_program_is_127", missing_program),
    ("a_32_bit_program_runs_below_the_filter", narrow),
    ("a_container_that_ended_leaves_no_group", nothing_left),
];

fn exit_code() {
    let place = Place::new("code");
    let done = place.sh("echo hello; echo bad >&2; hostname; id -u; exit 7");
    assert_eq!(done.out, "hello\nbox\n0\n");
    assert_eq!(done.err, "bad\n");
    assert_eq!(done.exit.code, 7);
}

fn missing_program() {
    let place = Place::new("missing");
    let error = place
        .create(&place.request(&["nothing-of-the-kind"]))
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("executable file not found in $PATH"),
        "{error}"
    );
}

/// A whole program of 32 bits, made by hand: it exits with its user id plus seven, which it asks
/// for by the call that only such programs have (`getuid32`).
#[cfg(target_arch = "x86_64")]
fn narrow() {
    const CODE: [u8; 18] = [
        0xb8, 199, 0, 0, 0, // mov eax, 199
        0xcd, 0x80, // int 0x80
        0x8d, 0x58, 0x07, // lea ebx, [eax + 7]
        0xb8, 1, 0, 0, 0, // mov eax, 1
        0xcd, 0x80, // int 0x80
        0x90,
    ];
    let word = |n: u32| n.to_le_bytes();
    let (base, header) = (0x0804_8000_u32, 84_u32);
    let size = header + 18;
    let mut program = b"\x7fELF\x01\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    // Type 2, machine 3 (i386), version, entry, place of the program headers.
    program.extend([2, 0, 3, 0, 1, 0, 0, 0]);
    program.extend([word(base + header), word(52), word(0), word(0)].concat());
    program.extend([52, 0, 32, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
    let segment = [1, 0, base, base, size, size, 5, 0x1000];
    program.extend(segment.map(word).concat());
    program.extend(CODE);
    let place = Place::new("narrow");
    let file = place.path("lower/bin/narrow");
    std::fs::write(&file, program).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&file, mode).unwrap();
    assert_eq!(place.sh("narrow").exit.code, 7);
}

#[cfg(not(target_arch = "x86_64"))]
fn narrow() {}

fn nothing_left() {
    let place = Place::new("left");
    assert_eq!(place.sh("true").exit.code, 0);
    assert_eq!(place.groups(), Vec::<std::path::PathBuf>::new());
}
