//! The engine on TCP with TLS: who shows a certificate of its authority is served, nobody else.

use std::fs::{self, File};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use tests::authority::{Authority, Purpose};
use tests::executable;
use tests::scratch::Scratch;

use crate::Case;
use crate::client::Docker;

pub(crate) const CASES: &[Case] = &[(
    "an_engine_on_tcp_serves_those_with_a_certificate",
    certificates,
)];

const PATIENCE: Duration = Duration::from_secs(60);

/// An engine in a network namespace of its own, and files of certificates.
struct Secure {
    process: Child,
    scratch: Scratch,
}

impl Secure {
    fn start() -> Self {
        let scratch = Scratch::create("docker-tls").unwrap();
        let authority = Authority::new();
        let stranger = Authority::new();
        let at = |path: &str| scratch.join(path);
        authority.issue(&at("server"), "127.0.0.1", &[Purpose::ServerAuth]);
        authority.issue(&at("client"), "127.0.0.1", &[Purpose::ClientAuth]);
        stranger.issue(&at("stranger"), "127.0.0.1", &[Purpose::ClientAuth]);
        // It believes the engine, but the engine does not believe it.
        fs::write(at("stranger/ca.pem"), authority.pem()).unwrap();
        let log = File::create(at("log")).unwrap();
        let process = Command::new("unshare")
            .args([
                "--net",
                "--",
                "sh",
                "-c",
                "ip link set lo up; exec \"$@\"",
                "sh",
            ])
            .arg(executable::path().unwrap())
            .arg("engine")
            .args(["-H", "tcp://127.0.0.1:2376", "--tlsverify"])
            .arg("--tlscacert")
            .arg(at("server/ca.pem"))
            .arg("--tlscert")
            .arg(at("server/cert.pem"))
            .arg("--tlskey")
            .arg(at("server/key.pem"))
            .arg("--data-root")
            .arg(at("data"))
            .arg("--exec-root")
            .arg(at("exec"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut secure = Self { process, scratch };
        let until = Instant::now() + PATIENCE;
        while !secure.log().contains("API listen on") {
            let ended = secure.process.try_wait().unwrap();
            assert!(
                ended.is_none() && Instant::now() < until,
                "the engine does not listen: {}",
                secure.log()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
        secure
    }

    fn log(&self) -> String {
        fs::read_to_string(self.scratch.join("log")).unwrap_or_default()
    }

    /// A client in the engine's network, with the certificates of a folder.
    fn client(&self, program: &[&str], folder: &str, words: &[&str]) -> Output {
        Command::new("nsenter")
            .arg(format!("--net=/proc/{}/ns/net", self.process.id()))
            .arg("--")
            .args(program)
            .args(["-H", "tcp://127.0.0.1:2376"])
            .args(words)
            .env_remove("DOCKER_HOST")
            .env_remove("DOCKER_CONTEXT")
            .env("DOCKER_CONFIG", self.scratch.join("config"))
            .env("DOCKER_CERT_PATH", self.scratch.join(folder))
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }
}

impl Drop for Secure {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn certificates(docker: &Docker) {
    let secure = Secure::start();
    let real = [docker.program().to_str().unwrap().to_owned()];
    let ours = [
        executable::path().unwrap().to_str().unwrap().to_owned(),
        "docker".to_owned(),
    ];
    for program in [&real[..], &ours[..]] {
        let program: Vec<&str> = program.iter().map(String::as_str).collect();
        let text = |output: &Output| {
            let both = [output.stdout.clone(), output.stderr.clone()].concat();
            String::from_utf8_lossy(&both).into_owned()
        };
        let version = ["--tlsverify", "version", "--format", "{{.Server.Os}}"];
        let served = secure.client(&program, "client", &version);
        assert_eq!(text(&served), "linux\n", "{program:?}: {}", secure.log());
        // A stream in both directions passes too.
        let name = format!("volume-{}", program.len());
        let made = secure.client(
            &program,
            "client",
            &["--tlsverify", "volume", "create", &name],
        );
        assert_eq!(text(&made), format!("{name}\n"));

        let refused = secure.client(&program, "stranger", &version);
        assert!(!refused.status.success(), "{program:?}: {}", text(&refused));
        let plain = secure.client(&program, "client", &["version"]);
        assert!(!plain.status.success(), "{program:?}: {}", text(&plain));
    }
}
