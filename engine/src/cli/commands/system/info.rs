//! `docker info`.

use serde_json::{Value, json};

use crate::cli::commands::{Command, Operands};
use crate::cli::error::CliError;
use crate::cli::flags::{Flag, Matches, Order};
use crate::cli::format::{amount, document};
use crate::cli::path::Query;
use crate::cli::{Session, output};

/// The command.
pub(crate) static COMMAND: Command = Command {
    paths: &["system info", "info"],
    about: "Display system-wide information",
    synopsis: "[OPTIONS]",
    flags: &[&[Flag::text("format", "\"json\" or a Go template").short('f')]],
    operands: Operands::None,
    order: Order::Anywhere,
    run: |session, matches| Box::pin(run(session, matches)),
};

async fn run(session: &Session, matches: &Matches) -> Result<u8, CliError> {
    let answer = session.client.get(&Query::new(&["info"])).await;
    let client = json!({ "Version": env!("CARGO_PKG_VERSION"), "Context": session.context });
    if let Some(format) = matches.text("format") {
        let mut info = answer?;
        info["ClientInfo"] = client;
        document::print_named(&info, format, "", "system.dockerInfo")?;
        return Ok(0);
    }
    output::print(&format!(
        "Client:\n Version:    {}\n Context:    {}\n Debug Mode: {}\n\nServer:\n",
        env!("CARGO_PKG_VERSION"),
        session.context,
        session.global.on("debug")
    ))?;
    let info = answer?;
    output::print(&text(&info))?;
    for warning in info["Warnings"].as_array().into_iter().flatten() {
        output::complain(warning.as_str().unwrap_or_default());
    }
    Ok(0)
}

fn text(info: &Value) -> String {
    let mut out = Lines(String::new());
    let joined = |value: &Value| -> String {
        let words: Vec<&str> = value
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        words.join(" ")
    };
    out.value(" Containers", &info["Containers"]);
    out.value("  Running", &info["ContainersRunning"]);
    out.value("  Paused", &info["ContainersPaused"]);
    out.value("  Stopped", &info["ContainersStopped"]);
    out.value(" Images", &info["Images"]);
    out.value(" Server Version", &info["ServerVersion"]);
    out.value(" Storage Driver", &info["Driver"]);
    for pair in info["DriverStatus"].as_array().into_iter().flatten() {
        out.value(
            &format!("  {}", pair[0].as_str().unwrap_or_default()),
            &pair[1],
        );
    }
    out.value(" Logging Driver", &info["LoggingDriver"]);
    out.value(" Cgroup Driver", &info["CgroupDriver"]);
    out.value(" Cgroup Version", &info["CgroupVersion"]);
    out.line(" Plugins:");
    out.value("  Volume", &joined(&info["Plugins"]["Volume"]).into());
    out.value("  Network", &joined(&info["Plugins"]["Network"]).into());
    out.value("  Log", &joined(&info["Plugins"]["Log"]).into());
    let swarm = info["Swarm"]["LocalNodeState"]
        .as_str()
        .filter(|state| !state.is_empty());
    out.value(" Swarm", &swarm.unwrap_or("inactive").into());
    if let Some(runtimes) = info["Runtimes"].as_object() {
        let mut names: Vec<&str> = runtimes.keys().map(String::as_str).collect();
        names.sort_unstable();
        out.value(" Runtimes", &names.join(" ").into());
    }
    out.value(" Default Runtime", &info["DefaultRuntime"]);
    out.value(" Init Binary", &info["InitBinary"]);
    out.value(" containerd version", &info["ContainerdCommit"]["ID"]);
    out.value(" runc version", &info["RuncCommit"]["ID"]);
    out.value(" init version", &info["InitCommit"]["ID"]);
    security(info, &mut out);
    for (title, key) in [
        ("Kernel Version", "KernelVersion"),
        ("Operating System", "OperatingSystem"),
        ("OSType", "OSType"),
        ("Architecture", "Architecture"),
        ("CPUs", "NCPU"),
    ] {
        out.value(&format!(" {title}"), &info[key]);
    }
    let memory = amount::binary(info["MemTotal"].as_f64().unwrap_or_default());
    out.value(" Total Memory", &memory.into());
    out.value(" Name", &info["Name"]);
    out.value(" ID", &info["ID"]);
    out.value(" Docker Root Dir", &info["DockerRootDir"]);
    out.value(" Debug Mode", &info["Debug"]);
    if info["Labels"]
        .as_array()
        .is_some_and(|labels| !labels.is_empty())
    {
        out.line(" Labels:");
        for label in info["Labels"].as_array().into_iter().flatten() {
            out.line(&format!("  {}", label.as_str().unwrap_or_default()));
        }
    }
    out.value(" Experimental", &info["ExperimentalBuild"]);
    registries(&info["RegistryConfig"], &mut out);
    out.value(" Live Restore Enabled", &info["LiveRestoreEnabled"]);
    out.line("");
    out.0
}

/// `name=seccomp,profile=builtin` → the name, and its details below it.
fn security(info: &Value, out: &mut Lines) {
    let options = info["SecurityOptions"].as_array().into_iter().flatten();
    let options: Vec<&str> = options.filter_map(Value::as_str).collect();
    if options.is_empty() {
        return;
    }
    out.line(" Security Options:");
    for option in options {
        for part in option.split(',') {
            match part.split_once('=') {
                Some(("name", name)) => out.line(&format!("  {name}")),
                Some(("profile", profile)) => out.line(&format!("   Profile: {profile}")),
                _ => out.line(&format!("   {part}")),
            }
        }
    }
}

fn registries(registries: &Value, out: &mut Lines) {
    let insecure = registries["IndexConfigs"].as_object().into_iter().flatten();
    let mut insecure: Vec<&str> = insecure
        .filter(|(_, index)| index["Secure"] == false)
        .map(|(name, _)| name.as_str())
        .collect();
    let ranges = registries["InsecureRegistryCIDRs"]
        .as_array()
        .into_iter()
        .flatten();
    insecure.extend(ranges.filter_map(Value::as_str));
    let mirrors = registries["Mirrors"].as_array().into_iter().flatten();
    let mirrors: Vec<&str> = mirrors.filter_map(Value::as_str).collect();
    for (title, names) in [
        (" Insecure Registries:", insecure),
        (" Registry Mirrors:", mirrors),
    ] {
        if !names.is_empty() {
            out.line(title);
            names.iter().for_each(|name| out.line(&format!("  {name}")));
        }
    }
}

/// A text that grows line by line.
struct Lines(String);

impl Lines {
    fn line(&mut self, line: &str) {
        self.0.push_str(line);
        self.0.push('\n');
    }

    /// `title: value`; what the engine does not say is left out.
    fn value(&mut self, title: &str, value: &Value) {
        match value {
            Value::Null => {}
            Value::String(text) => self.line(&format!("{title}: {text}")),
            other => self.line(&format!("{title}: {other}")),
        }
    }
}
