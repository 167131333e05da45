//! Hosts that are network namespaces, joined by a bridge in one more.

use std::fs::File;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use kernel::namespace::{Namespaces, setns};
use tests::engine::{Engine, catalogue};
use tests::host::{self, Need};
use tests::scratch::Scratch;

/// How long something that follows from something else may take on a loaded host.
pub(crate) const PATIENCE: Duration = Duration::from_secs(40);

/// A namespace of a name, which goes with the value.
pub(crate) struct Host {
    name: String,
}

impl Host {
    /// An empty one.
    pub(crate) fn new(role: &str) -> Self {
        let name = format!("quai-{}-{role}-{:x}", std::process::id(), unique());
        run("ip", &["netns", "add", &name]);
        let host = Self { name };
        host.ip(&["link", "set", "lo", "up"]);
        host
    }

    /// The file that stands for it.
    pub(crate) fn path(&self) -> PathBuf {
        PathBuf::from("/run/netns").join(&self.name)
    }

    /// `ip ARGUMENTS…` in it; it must succeed.
    #[track_caller]
    pub(crate) fn ip(&self, arguments: &[&str]) -> String {
        run("ip", &[&["-n", &self.name], arguments].concat())
    }

    /// Any program in it; it must succeed.
    #[track_caller]
    pub(crate) fn run(&self, program: &str, arguments: &[&str]) -> String {
        checked(self.command(program, arguments).output(), program)
    }

    /// A program in it that has not been started.
    pub(crate) fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name, program]);
        command.args(arguments);
        command
    }

    /// Does something on a thread that is in it.
    pub(crate) fn within<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        inside(&self.path(), work)
    }
}

/// Does something on a thread that is in the network namespace that this file stands for.
pub(crate) fn inside<T: Send>(path: &Path, work: impl FnOnce() -> T + Send) -> T {
    let namespace = File::open(path).expect("the namespace is there");
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            setns(namespace.as_fd(), Namespaces::NETWORK).expect("root may");
            work()
        });
        match thread.join() {
            Ok(value) => value,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

/// The catalogue, where a test here can run; else `None` with a printed reason.
pub(crate) fn needed(test: &str) -> Option<PathBuf> {
    if host::lacks(test, &[Need::Root, Need::Overlay, Need::Nftables]) {
        return None;
    }
    let catalogue = catalogue();
    if catalogue.is_none() {
        host::report(test, "QUAI_STORE names no store with the base images");
    }
    catalogue
}

impl Drop for Host {
    fn drop(&mut self) {
        let removed = Command::new("ip")
            .args(["netns", "del", &self.name])
            .status();
        let is_gone = removed.is_ok_and(|status| status.success());
        assert!(
            is_gone || std::thread::panicking(),
            "the namespace {} stays",
            self.name
        );
    }
}

/// What hosts are joined by.
pub(crate) struct Wire {
    host: Host,
    joined: std::cell::Cell<u8>,
}

impl Wire {
    /// A bridge in a namespace of its own.
    pub(crate) fn new() -> Self {
        let host = Host::new("wire");
        host.ip(&["link", "add", "wire", "type", "bridge"]);
        host.ip(&["link", "set", "wire", "up"]);
        Self {
            host,
            joined: std::cell::Cell::new(0),
        }
    }

    /// A new host with this address at its `eth0`: `10.200.0.N`, or `fd00:200::N`.
    pub(crate) fn host(&self, role: &str, address: &str) -> Host {
        let host = Host::new(role);
        let number = self.joined.replace(self.joined.get() + 1);
        let port = format!("port{number}");
        let peer = host.name.as_str();
        self.host.ip(&[
            "link", "add", &port, "type", "veth", "peer", "name", "eth0", "netns", peer,
        ]);
        self.host
            .ip(&["link", "set", &port, "master", "wire", "up"]);
        let (prefix, rest): (_, &[&str]) = if address.contains(':') {
            // At once, without asking whether somebody has it.
            ("64", &["nodad"])
        } else {
            ("24", &[])
        };
        let address = format!("{address}/{prefix}");
        host.ip(&[&["addr", "add", &address, "dev", "eth0"], rest].concat());
        host.ip(&["link", "set", "eth0", "up"]);
        host
    }

    /// The namespace in between, where all that hosts send each other comes by.
    pub(crate) fn between(&self) -> &Host {
        &self.host
    }
}

/// A real etcd on a host of its own.
pub(crate) struct Store {
    host: Host,
    /// Where it listens.
    address: SocketAddr,
    /// The folder of its certificate, where it wants one of everybody.
    identity: Option<PathBuf>,
    directory: Scratch,
    process: Child,
}

impl Store {
    pub(crate) fn start(wire: &Wire, address: &str) -> Self {
        Self::start_as(wire, address, None)
    }

    /// With the files `ca.pem`, `cert.pem` and `key.pem` of a folder: whom this authority does not know is refused.
    pub(crate) fn start_with_tls(wire: &Wire, address: &str, identity: &Path) -> Self {
        Self::start_as(wire, address, Some(identity.to_owned()))
    }

    fn start_as(wire: &Wire, address: &str, identity: Option<PathBuf>) -> Self {
        let host = wire.host("store", address);
        let address = SocketAddr::new(address.parse().expect("an address"), 2379);
        let directory = Scratch::create("etcd").expect("a scratch directory");
        let process = serve(&host, address, identity.as_deref(), &directory);
        let store = Self {
            host,
            address,
            identity,
            directory,
            process,
        };
        store.wait();
        store
    }

    /// As engines name it.
    pub(crate) fn url(&self) -> String {
        format!("etcd://{}", self.address)
    }

    /// Kills it as a crash would.
    pub(crate) fn crash(&mut self) {
        self.process.kill().expect("it runs");
        self.process.wait().expect("it was started");
    }

    /// Starts it again on what it had.
    pub(crate) fn restart(&mut self) {
        let identity = self.identity.as_deref();
        self.process = serve(&self.host, self.address, identity, &self.directory);
        self.wait();
    }

    fn wait(&self) {
        eventually("etcd listens", || {
            self.host
                .within(|| std::net::TcpStream::connect(self.address).is_ok())
        });
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn serve(host: &Host, address: SocketAddr, identity: Option<&Path>, directory: &Scratch) -> Child {
    let scheme = if identity.is_some() { "https" } else { "http" };
    let (client, peer) = (
        format!("{scheme}://{address}"),
        "http://127.0.0.1:2380".to_owned(),
    );
    let mut protection: Vec<std::ffi::OsString> = Vec::new();
    if let Some(folder) = identity {
        protection.push("--client-cert-auth".into());
        for (flag, file) in [
            ("--cert-file", "cert.pem"),
            ("--key-file", "key.pem"),
            ("--trusted-ca-file", "ca.pem"),
        ] {
            protection.extend([flag.into(), folder.join(file).into()]);
        }
    }
    let log = File::options()
        .create(true)
        .append(true)
        .open(directory.join("etcd.log"))
        .expect("a log can be made");
    let data = directory.join("data");
    // In the namespace itself, so that the child's number is etcd's.
    host.within(|| {
        Command::new("etcd")
            .arg("--data-dir")
            .arg(&data)
            .args(["--listen-client-urls", &client])
            .args(["--advertise-client-urls", &client])
            .args(["--listen-peer-urls", &peer])
            .args(["--unsafe-no-fsync"])
            .args(&protection)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("etcd can be executed")
    })
}

/// An engine on a host.
pub(crate) struct Node {
    pub(crate) engine: Engine,
    pub(crate) host: Host,
}

impl Node {
    /// `docker ARGUMENTS…`, which must succeed.
    #[track_caller]
    pub(crate) fn docker(&self, arguments: &[&str]) -> String {
        self.engine.stdout(arguments)
    }

    /// What `docker ARGUMENTS…` complains of.
    #[track_caller]
    pub(crate) fn refused(&self, arguments: &[&str]) -> String {
        let output = self.engine.run(arguments);
        assert!(!output.status.success(), "{arguments:?} succeeded");
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    /// A sleeping container.
    #[track_caller]
    pub(crate) fn sleeper(&self, name: &str, options: &[&str]) {
        let words = [
            &["run", "-d", "--name", name],
            options,
            &["busybox", "sleep", "600"],
        ];
        self.docker(&words.concat());
    }

    /// A container's address in a network.
    #[track_caller]
    pub(crate) fn address(&self, container: &str, network: &str) -> String {
        let format = format!("{{{{(index .NetworkSettings.Networks \"{network}\").IPAddress}}}}");
        self.docker(&["inspect", "--format", &format, container])
    }

    /// Whether one packet from a container comes back.
    pub(crate) fn pings(&self, container: &str, target: &str) -> bool {
        let ping = ["exec", container, "ping", "-c1", "-W2", target];
        self.engine.run(&ping).status.success()
    }

    /// Kills the engine and starts it again, on its host.
    pub(crate) fn crash_and_restart(&mut self) {
        let engine = &mut self.engine;
        self.host
            .within(|| engine.crash_and_restart())
            .expect("it starts on what the crash left");
    }

    pub(crate) fn restart(&mut self) {
        let engine = &mut self.engine;
        self.host
            .within(|| engine.restart())
            .expect("it starts on what the crash left");
    }
}

/// Waits until something is so.
#[track_caller]
pub(crate) fn eventually(what: &str, mut so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !so() {
        assert!(Instant::now() < deadline, "it never came to this: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[track_caller]
pub(crate) fn run(program: &str, arguments: &[&str]) -> String {
    checked(Command::new(program).args(arguments).output(), program)
}

#[track_caller]
fn checked(output: std::io::Result<Output>, program: &str) -> String {
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(
        output.status.success(),
        "{program} ended with {}:\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A number that no other namespace of this process has.
fn unique() -> u32 {
    static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
}
