//! What stands in the way is told with its remedy.

use crate::Case;
use crate::engine::Rootless;

pub(crate) const CASES: &[Case] = &[(
    "a_user_without_subordinate_ids_is_told_how_to_get_them",
    no_ids,
)];

fn no_ids(engine: &mut Rootless) {
    // Another exec root is another engine, with namespaces of its own to make.
    let exec = engine.host.runtime("other").display().to_string();
    let data = engine.host.home("other").display().to_string();
    let socket = format!("unix://{exec}.sock");
    let words = ["--exec-root", &exec, "--data-root", &data, "-H", &socket];
    for file in ["/etc/subuid", "/etc/subgid"] {
        engine.host.replace(file, "somebody:100000:65536\n");
        let why = engine.refused(&words);
        engine.host.restore(file);
        assert!(
            why.contains(&format!("{file} gives no ids to quai-user")),
            "{why}"
        );
        assert!(why.contains("usermod --add-subuids"), "{why}");
    }
}
