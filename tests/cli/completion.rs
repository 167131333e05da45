//! The script of `docker completion bash`, sourced by a real bash.

use std::process::{Command, Stdio};

use tests::scratch::Scratch;

use crate::client::Client;

/// Asks the function that bash would call when Tab is pressed at the end of each line.
const SCRIPT: &str = r#"
source <(docker completion bash)
function=$(complete -p docker | sed 's/.*-F \([^ ]*\).*/\1/')
while IFS= read -r line; do
    read -ra COMP_WORDS <<<"$line"
    [[ $line != *' ' ]] || COMP_WORDS+=('')
    COMP_LINE=$line COMP_POINT=${#line} COMP_CWORD=$((${#COMP_WORDS[@]} - 1)) COMPREPLY=()
    "$function" docker "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
    echo "$line: ${COMPREPLY[*]}"
done
"#;

#[test]
fn bash_completes_words_by_the_script() {
    const NAME: &str = "bash_completes_words_by_the_script";
    if Command::new("bash").arg("--version").output().is_err() {
        return tests::host::report(NAME, "bash is not installed");
    }
    let scratch = Scratch::create("cli-completion").expect("the scratch directory can be made");
    Client::ours().link_into(scratch.path());
    let mut bash = Command::new("bash")
        .args(["--norc", "-c", SCRIPT])
        .env(
            "PATH",
            format!("{}:/usr/bin:/bin", scratch.path().display()),
        )
        .env("HOME", scratch.path())
        .env("DOCKER_HOST", "unix:///nonexistent.sock")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("bash can be run");
    let lines = "docker ru\ndocker run --cpuset-c\ndocker container ren\ndocker system \n";
    std::io::Write::write_all(bash.stdin.as_mut().expect("it is piped"), lines.as_bytes())
        .expect("bash reads");
    let said = bash.wait_with_output().expect("bash ends").stdout;
    let said = String::from_utf8_lossy(&said);
    assert_eq!(
        said,
        "docker ru: run\ndocker run --cpuset-c: --cpuset-cpus\ndocker container ren: rename\n\
         docker system : df events info prune\n"
    );
}
