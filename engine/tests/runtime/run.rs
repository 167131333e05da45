//! One container after another.

use crate::Test;
use crate::place::Place;

pub(crate) const TESTS: [Test; 3] = [
    ("a_program_runs_and_its_code_is_kept", exit_code),
    ("a_missing_program_is_127", missing_program),
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

fn nothing_left() {
    let place = Place::new("left");
    assert_eq!(place.sh("true").exit.code, 0);
    assert_eq!(place.groups(), Vec::<std::path::PathBuf>::new());
}
