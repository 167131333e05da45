//! `quai network rules`: the live packet rules of an engine's networks, in words and in nftables' own.
//!
//! A client like any other: it asks the engine's socket, of this machine or of `DOCKER_HOST`.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use serde::Deserialize;
use web::messages::say;

/// A rule as the engine tells it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Rule {
    chain: String,
    purpose: BTreeMap<String, String>,
    text: String,
    packets: Option<u64>,
    bytes: Option<u64>,
}

/// Runs the command.
pub(crate) fn run(words: &[OsString]) -> ExitCode {
    let socket = match words {
        [verb] if verb == "rules" => default_socket(),
        [verb, option, host] if verb == "rules" && option == "-H" => socket_of(host.to_str()),
        _ => None,
    };
    let Some(socket) = socket else {
        eprintln!("{}", say("network.usage", &[]));
        return ExitCode::from(2);
    };
    match ask(&socket) {
        Ok(rules) => {
            tell(&rules);
            ExitCode::SUCCESS
        }
        Err(why) => {
            let place = socket.display().to_string();
            let words = [("socket", place.as_str()), ("why", &why)];
            eprintln!("{}", say("network.unreachable", &words));
            ExitCode::FAILURE
        }
    }
}

fn default_socket() -> Option<PathBuf> {
    match std::env::var("DOCKER_HOST") {
        Ok(host) if !host.is_empty() => socket_of(Some(&host)),
        _ => Some(PathBuf::from("/var/run/docker.sock")),
    }
}

/// Rules are those of a host: only its own socket is asked.
fn socket_of(host: Option<&str>) -> Option<PathBuf> {
    host?.strip_prefix("unix://").map(PathBuf::from)
}

fn ask(socket: &std::path::Path) -> Result<Vec<Rule>, String> {
    let answer = fetch(socket).map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&answer);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    if !head.starts_with("HTTP/1.0 200") && !head.starts_with("HTTP/1.1 200") {
        return Err(head.lines().next().unwrap_or_default().to_owned());
    }
    serde_json::from_str(body).map_err(|error| error.to_string())
}

/// One request of HTTP/1.0: the answer ends with the connection.
fn fetch(socket: &std::path::Path) -> std::io::Result<Vec<u8>> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    stream.write_all(b"GET /quai/network-rules HTTP/1.0\r\nHost: engine\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(answer)
}

#[expect(clippy::print_stdout, reason = "this is the command's answer")]
fn tell(rules: &[Rule]) {
    if rules.is_empty() {
        println!("{}", say("network.none", &[]));
    }
    let mut chain = "";
    for rule in rules {
        if rule.chain != chain {
            chain = &rule.chain;
            let title = say(&format!("network.chain.{chain}"), &[]);
            println!(
                "{}{title}",
                if std::ptr::eq(rule, &raw const rules[0]) {
                    ""
                } else {
                    "\n"
                }
            );
        }
        println!("  {}", sentence(rule));
        println!("      {}", rule.text);
        println!("      {}", counted(rule));
    }
}

fn sentence(rule: &Rule) -> String {
    let kind = rule.purpose.get("kind").map_or("", String::as_str);
    let words: Vec<(&str, &str)> = rule
        .purpose
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    say(&format!("network.purpose.{kind}"), &words)
}

fn counted(rule: &Rule) -> String {
    match (rule.packets, rule.bytes) {
        (Some(packets), Some(bytes)) => {
            let (packets, bytes) = (packets.to_string(), bytes.to_string());
            let words = [("packets", packets.as_str()), ("bytes", bytes.as_str())];
            say("network.counted", &words)
        }
        _ => say("network.gone", &[]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_purpose_and_chain_has_its_words() {
        let kinds = [
            "lookup",
            "publish",
            "masquerade",
            "hairpin",
            "localhost",
            "guard",
            "answers",
            "published",
            "separate",
            "internal",
        ];
        for kind in kinds {
            let words = ["network", "subnet", "host", "protocol", "container"].map(|n| (n, "x"));
            let said = say(&format!("network.purpose.{kind}"), &words);
            assert!(
                !said.starts_with("network.") && !said.contains('{'),
                "{said}"
            );
        }
        for chain in [
            "published",
            "arrival",
            "prerouting",
            "output",
            "postrouting",
            "forward",
        ] {
            let said = say(&format!("network.chain.{chain}"), &[]);
            assert!(!said.starts_with("network."), "{chain}");
        }
    }

    #[test]
    fn only_a_socket_of_this_host_is_asked() {
        assert!(socket_of(Some("unix:///run/x.sock")).is_some());
        assert!(socket_of(Some("tcp://127.0.0.1:2375")).is_none());
    }
}
