//! One container after another.

use engine::runtime::request::Keeping;

use crate::Test;
use crate::place::Place;

pub(crate) const TESTS: [Test; 6] = [
    ("a_program_runs_and_its_code_is_kept", exit_code),
    ("a_missing_program_is_127", missing_program),
    ("a_32_bit_program_runs_below_the_filter", narrow),
    ("a_container_that_ended_leaves_no_group", nothing_left),
    (
        "a_container_is_in_its_group_in_every_hierarchy",
        in_its_group,
    ),
    ("a_root_that_ends_with_the_host_starts_again", volatile),
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

fn in_its_group() {
    let place = Place::new("group");
    let created = place.create(&place.request(&["sleep", "100"])).unwrap();
    created.shim.start().unwrap();
    let groups = std::fs::read_to_string(format!("/proc/{}/cgroup", created.engine_pid)).unwrap();
    let mounted = place.groups().len();
    assert!(mounted > 0);
    let inside = |line: &&str| line.ends_with(&format!("/docker/{}", place.id));
    assert_eq!(groups.lines().filter(inside).count(), mounted, "{groups}");
}

fn volatile() {
    let place = Place::new("volatile");
    let mut request = place.request(&["sh", "-c", "cat /kept || echo first > /kept"]);
    let writable = request.root.writable.as_mut().unwrap();
    writable.keeping = Keeping::UntilReboot;
    assert_eq!(place.run(&request).exit.code, 0);
    std::fs::remove_dir_all(place.paths.container(&place.id)).unwrap();
    assert_eq!(place.run(&request).out, "first\n");
    // `docker cp` looks into the same layer after the end.
    request.root.writable.as_mut().unwrap().keeping = Keeping::AsFiles;
    std::fs::remove_dir_all(place.paths.container(&place.id)).unwrap();
    assert_eq!(place.run(&request).out, "first\n");
}
