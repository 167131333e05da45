//! The scripts of `docker completion`, sourced by the real shells.

use std::io::Write;
use std::os::unix::fs::symlink;
use std::process::{Command, Stdio};

use tests::scratch::Scratch;

use crate::client::Client;

/// Asks the function that bash would call when Tab is pressed at the end of each line.
const BASH: &str = r#"
source <(docker completion bash)
while IFS= read -r line; do
    function=$(complete -p "${line%% *}" | sed 's/.*-F \([^ ]*\).*/\1/')
    read -ra COMP_WORDS <<<"$line"
    [[ $line != *' ' ]] || COMP_WORDS+=('')
    COMP_LINE=$line COMP_POINT=${#line} COMP_CWORD=$((${#COMP_WORDS[@]} - 1)) COMPREPLY=()
    "$function" docker "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
    echo "$line: ${COMPREPLY[*]}"
done
"#;

/// Asks fish itself what Tab would offer.
const FISH: &str = r#"
docker completion fish | source
while read -l line
    echo "$line:" (complete -C $line | string replace -r '\t.*' '' | sort)
end
"#;

/// Gives the shell lines, with `docker` and `quai` on its path; what it said of them.
fn said(shell: &str, arguments: &[&str], lines: &str) -> Option<String> {
    let name = format!("{shell}_completes_words_by_the_script");
    if Command::new(shell).arg("--version").output().is_err() {
        tests::host::report(&name, &format!("{shell} is not installed"));
        return None;
    }
    let scratch = Scratch::create("cli-completion").expect("the scratch directory can be made");
    let client = Client::ours();
    client.link_into(scratch.path());
    symlink(client.program(), scratch.join("quai")).expect("the directory is the test's own");
    std::fs::write(scratch.join("some.env"), "").expect("the directory is the test's own");
    let mut shell = Command::new(shell)
        .args(arguments)
        .current_dir(scratch.path())
        .env(
            "PATH",
            format!("{}:/usr/bin:/bin", scratch.path().display()),
        )
        .env("HOME", scratch.path())
        .env("TERM", "xterm")
        .env("DOCKER_HOST", "unix:///nonexistent.sock")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it can be run");
    let mut stdin = shell.stdin.take().expect("it is piped");
    stdin.write_all(lines.as_bytes()).expect("it reads");
    drop(stdin);
    let output = shell.wait_with_output().expect("it ends");
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn bash_completes_words_by_the_script() {
    let lines = "docker ru\ndocker run --cpuset-c\ndocker container ren\ndocker system \n\
                 quai doct\nquai docker ru\nquai completion \n";
    let Some(said) = said("bash", &["--norc", "-c", BASH], lines) else {
        return;
    };
    assert_eq!(
        said,
        "docker ru: run\ndocker run --cpuset-c: --cpuset-cpus\ndocker container ren: rename\n\
         docker system : df events info prune\nquai doct: doctor\nquai docker ru: run\n\
         quai completion : bash fish zsh\n"
    );
}

#[test]
fn fish_completes_words_by_the_script() {
    let lines = "docker ru\ndocker run --cpuset-c\ndocker system \ndocker run --env-file som\n\
                 quai doct\nquai compose sto\n";
    let Some(said) = said("fish", &["--no-config", "-c", FISH], lines) else {
        return;
    };
    assert_eq!(
        said,
        "docker ru: run\ndocker run --cpuset-c: --cpuset-cpus\n\
         docker system : df events info prune\ndocker run --env-file som: some.env\n\
         quai doct: doctor\nquai compose sto: stop\n"
    );
}

#[test]
fn zsh_completes_words_by_the_script() {
    let lines = "docker ru\ndocker run --cpuset-c\ndocker container ren\n\
                 docker run --env-file som\nquai doct\nquai compose sto\n";
    let script = include_str!("completion.zsh");
    let Some(said) = said("zsh", &["-f", "-c", script], lines) else {
        return;
    };
    assert_eq!(
        said,
        "docker ru: docker run \ndocker run --cpuset-c: docker run --cpuset-cpus \n\
         docker container ren: docker container rename \n\
         docker run --env-file som: docker run --env-file some.env \n\
         quai doct: quai doctor \nquai compose sto: quai compose stop \n"
    );
}
