//! The host: namespaces of this process, in which a user may be made without touching the real one.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};
use kernel::namespace::{Namespaces, unshare};
use tests::scratch::Scratch;

/// The user's number and name.
pub(crate) const USER: u32 = 61_234;
const NAME: &str = "quai-user";
/// The first of the ids that the user may give away.
pub(crate) const SUBORDINATE: u32 = 7_000_000;
/// Where the neighbour is reached, and the host from there.
pub(crate) const NEIGHBOUR: &str = "198.51.100.1";
pub(crate) const HOST: &str = "198.51.100.2";

/// Programs of the packages that the tests need.
const PROGRAMS: [(&str, &str); 7] = [
    ("newuidmap", "uidmap"),
    ("pasta", "passt"),
    ("setpriv", "util-linux"),
    ("nsenter", "util-linux"),
    ("ip", "iproute2"),
    ("mount", "mount"),
    ("busybox", "busybox-static"),
];

/// What is missing here, if anything is.
pub(crate) fn missing() -> Option<String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let is_there = |name: &str| std::env::split_paths(&path).any(|dir| dir.join(name).is_file());
    PROGRAMS
        .iter()
        .find(|(program, _)| !is_there(program))
        .map(|(program, package)| format!("{program} is not installed (package {package})"))
        .or_else(|| {
            (!Path::new("/dev/net/tun").exists()).then(|| "this kernel has no /dev/net/tun".into())
        })
}

/// The user's home and the neighbour.
pub(crate) struct Host {
    pub(crate) scratch: Scratch,
    neighbour: Child,
}

impl Host {
    /// Makes the namespaces of this process the host.
    pub(crate) fn make() -> Result<Self> {
        unshare(Namespaces::NETWORK | Namespaces::MOUNT)?;
        let scratch = Scratch::create("rootless")?;
        fs::set_permissions(scratch.path(), fs::Permissions::from_mode(0o755))?;
        mount(&["--make-rprivate", "/"])?;
        mount(&["-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run"])?;
        let user_line = format!("{NAME}:x:{USER}:{USER}::/home:/bin/sh\n");
        let ids = format!("{NAME}:{SUBORDINATE}:65536\n");
        for (name, text) in [
            (
                "/etc/passwd",
                fs::read_to_string("/etc/passwd")? + &user_line,
            ),
            ("/etc/subuid", ids.clone()),
            ("/etc/subgid", ids),
            ("/etc/resolv.conf", "nameserver 127.0.0.53\n".into()),
        ] {
            replace(&scratch, name, &text)?;
        }
        // udev lets everybody open it; where udev is not, root only may.
        let tun = scratch.join("tun");
        kernel::fs::make_char_device(kernel::fs::Dir::Here, &tun, 0o666, 10, 200)?;
        fs::set_permissions(&tun, fs::Permissions::from_mode(0o666))?;
        mount(&["--bind", &tun.display().to_string(), "/dev/net/tun"])?;
        for dir in ["home", "runtime"] {
            let dir = scratch.join(dir);
            fs::create_dir(&dir)?;
            fs::set_permissions(&dir, fs::Permissions::from_mode(0o700))?;
            chown(&dir, Some(USER), Some(USER))?;
        }
        let neighbour = make_network()?;
        Ok(Self { scratch, neighbour })
    }

    /// A path in the user's home.
    pub(crate) fn home(&self, name: &str) -> PathBuf {
        self.scratch.join("home").join(name)
    }

    /// A path in the user's runtime directory.
    pub(crate) fn runtime(&self, name: &str) -> PathBuf {
        self.scratch.join("runtime").join(name)
    }

    /// A command of the user's.
    pub(crate) fn as_user(&self, program: &Path) -> Command {
        let mut command = Command::new("setpriv");
        let number = USER.to_string();
        command
            .args([
                "--reuid",
                &number,
                "--regid",
                &number,
                "--clear-groups",
                "--",
            ])
            .arg(program)
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("HOME", self.scratch.join("home"))
            .env("XDG_RUNTIME_DIR", self.scratch.join("runtime"))
            .current_dir(self.scratch.join("home"));
        command
    }

    /// A command of the neighbour's.
    pub(crate) fn as_neighbour(&self, words: &[&str]) -> Command {
        let mut command = Command::new("nsenter");
        let pid = self.neighbour.id().to_string();
        command.args(["-t", &pid, "-n", "--"]).args(words);
        command
    }

    /// Puts other text in the place of a file of the host.
    pub(crate) fn replace(&self, name: &str, text: &str) {
        replace(&self.scratch, name, text).unwrap();
    }

    /// Has a program not be there: a device is no file that could be executed.
    pub(crate) fn hide(&self, program: &str) {
        mount(&["--bind", "/dev/null", program]).unwrap();
    }

    /// The first text, or the program, again.
    pub(crate) fn restore(&self, name: &str) {
        run(Command::new("umount").arg(name)).unwrap();
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.neighbour.kill();
        let _ = self.neighbour.wait();
        // These belong to others than root; the namespace that hides them ends with this process.
        for name in [
            "/dev/net/tun",
            "/etc/passwd",
            "/etc/subuid",
            "/etc/subgid",
            "/etc/resolv.conf",
        ] {
            let _ = run(Command::new("umount").arg(name));
        }
    }
}

fn replace(scratch: &Scratch, name: &str, text: &str) -> Result<()> {
    let number = fs::read_dir(scratch.path())?.count();
    let file = scratch.join(format!("file-{number}"));
    fs::write(&file, text)?;
    mount(&["--bind", &file.display().to_string(), name])
}

fn make_network() -> Result<Child> {
    let neighbour = Command::new("unshare")
        .args(["-n", "--", "sleep", "infinity"])
        .stdin(Stdio::null())
        .spawn()
        .context("unshare cannot be executed")?;
    let pid = neighbour.id().to_string();
    // It is in its own namespace only once it sleeps.
    crate::wait_until("the neighbour has a network of its own", || {
        let of = |pid: &str| fs::read_link(format!("/proc/{pid}/ns/net")).ok();
        of(&pid).is_some_and(|found| Some(found) != of("self"))
    });
    let ip = |words: &[&str]| run(Command::new("ip").args(words));
    ip(&["link", "set", "lo", "up"])?;
    ip(&[
        "link", "add", "lan0", "type", "veth", "peer", "name", "far0", "netns", &pid,
    ])?;
    ip(&["address", "add", &format!("{HOST}/24"), "dev", "lan0"])?;
    ip(&["link", "set", "lan0", "up"])?;
    ip(&["route", "add", "default", "via", NEIGHBOUR])?;
    for words in [
        vec!["address", "add", "198.51.100.1/24", "dev", "far0"],
        vec!["link", "set", "far0", "up"],
        vec!["link", "set", "lo", "up"],
    ] {
        run(Command::new("nsenter")
            .args(["-t", &pid, "-n", "--", "ip"])
            .args(words))?;
    }
    Ok(neighbour)
}

fn mount(words: &[&str]) -> Result<()> {
    run(Command::new("mount").args(words))
}

fn run(command: &mut Command) -> Result<()> {
    let output = command.output().with_context(|| format!("{command:?}"))?;
    ensure!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}
