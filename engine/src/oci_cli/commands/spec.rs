//! `spec`: a `config.json` to begin with.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::{Call, Command};
use crate::oci::runtime_spec::VERSION;
use crate::oci_cli::error::CliError;
use crate::oci_cli::flags::{switch, value};

pub(super) const COMMAND: Command = Command {
    name: "spec",
    help: "create a new specification file",
    arguments: "",
    flags: &[
        value(&["bundle", "b"], "path to the root of the bundle directory"),
        switch(
            &["rootless"],
            "generate a configuration for a rootless container",
        ),
    ],
    run,
};

fn run(call: &Call<'_>) -> Result<i32, CliError> {
    let bundle = Path::new(call.given.last("bundle").unwrap_or("."));
    let path = bundle.join("config.json");
    let mut document = document();
    if call.given.is_on("rootless") {
        make_rootless(&mut document);
    }
    let text = serde_json::to_string_pretty(&document).expect("a document has string keys only");
    write_new(&path, &(text + "\n"))?;
    Ok(0)
}

fn write_new(path: &Path, text: &str) -> Result<(), CliError> {
    use std::io::Write;
    let mut options = std::fs::OpenOptions::new();
    let file = options.write(true).create_new(true).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|source| CliError::File {
            what: "write",
            path: PathBuf::from(path),
            source,
        })
}

fn document() -> Value {
    let capabilities = json!(["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"]);
    let namespaces = ["pid", "network", "ipc", "uts", "mount", "cgroup"];
    json!({
        "ociVersion": VERSION,
        "process": {
            "terminal": true,
            "user": {"uid": 0, "gid": 0},
            "args": ["sh"],
            "env": [crate::runtime::process::PATH, "TERM=xterm"],
            "cwd": "/",
            "capabilities": {
                "bounding": capabilities,
                "effective": capabilities,
                "permitted": capabilities,
            },
            "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024}],
            "noNewPrivileges": true,
        },
        "root": {"path": "rootfs", "readonly": true},
        "hostname": "quai",
        "mounts": [
            mount("/proc", "proc", "proc", &[]),
            mount("/dev", "tmpfs", "tmpfs", &["nosuid", "strictatime", "mode=755", "size=65536k"]),
            mount(
                "/dev/pts",
                "devpts",
                "devpts",
                &["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
            ),
            mount(
                "/dev/shm",
                "tmpfs",
                "shm",
                &["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"],
            ),
            mount("/dev/mqueue", "mqueue", "mqueue", &["nosuid", "noexec", "nodev"]),
            mount("/sys", "sysfs", "sysfs", &["nosuid", "noexec", "nodev", "ro"]),
            mount(
                "/sys/fs/cgroup",
                "cgroup",
                "cgroup",
                &["nosuid", "noexec", "nodev", "relatime", "ro"],
            ),
        ],
        "linux": {
            "resources": {"devices": [{"allow": false, "access": "rwm"}]},
            "namespaces": namespaces.map(|kind| json!({"type": kind})),
            "maskedPaths": crate::runtime::mounts::MASKED,
            "readonlyPaths": crate::runtime::mounts::READ_ONLY,
        },
    })
}

fn mount(destination: &str, kind: &str, source: &str, options: &[&str]) -> Value {
    let mut mount = json!({"destination": destination, "type": kind, "source": source});
    if !options.is_empty() {
        mount["options"] = json!(options);
    }
    mount
}

/// What an ordinary user may do: its own ids, the host's network, no limits.
fn make_rootless(document: &mut Value) {
    let id = |n: u32| json!([{"containerID": 0, "hostID": n, "size": 1}]);
    let linux = &mut document["linux"];
    linux["uidMappings"] = id(kernel::process::effective_uid());
    linux["gidMappings"] = id(kernel::process::effective_gid());
    linux["namespaces"] = ["pid", "ipc", "uts", "mount", "cgroup", "user"]
        .map(|kind| json!({"type": kind}))
        .to_vec()
        .into();
    if let Some(linux) = linux.as_object_mut() {
        linux.remove("resources");
    }
    let sys = mount(
        "/sys",
        "none",
        "/sys",
        &["rbind", "nosuid", "noexec", "nodev", "ro"],
    );
    if let Some(mounts) = document["mounts"].as_array_mut() {
        mounts.retain(|mount| mount["destination"] != "/sys/fs/cgroup");
        for mount in mounts.iter_mut() {
            if mount["destination"] == "/sys" {
                *mount = sys.clone();
            }
            if let Some(options) = mount["options"].as_array_mut() {
                options.retain(|option| option != "gid=5");
            }
        }
    }
}
