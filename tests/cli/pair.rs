//! A client and a daemon, and what they answer to the transcripts.

use std::fmt::Write as _;
use std::fs;
use std::process::{Command, Output, Stdio};

use tests::scratch::Scratch;

use crate::client::Client;
use crate::daemon::Daemon;
use crate::difference::Difference;
use crate::normal::normal;
use crate::transcript::{Step, Transcript};

/// One client on one daemon.
pub(crate) struct Pair<'d> {
    name: &'static str,
    client: Client,
    daemon: &'d Daemon,
}

/// The directories of one run of a script.
struct Place(Scratch);

impl<'d> Pair<'d> {
    /// Puts them together.
    pub(crate) fn new(name: &'static str, client: Client, daemon: &'d Daemon) -> Self {
        Self {
            name,
            client,
            daemon,
        }
    }

    /// Runs every transcript; fails with all that is neither as recorded nor a known difference,
    /// and with every known difference that is none any more.
    #[track_caller]
    pub(crate) fn check(&self) {
        let mut known: Vec<Difference> = Difference::all()
            .into_iter()
            .filter(|one| one.is_about(self.name, self.client.is_ours, self.daemon.is_ours))
            .collect();
        let mut report = String::new();
        let (mut wrong, mut steps, mut excused) = (0, 0, 0);
        for transcript in Transcript::all() {
            let place = self.prepare();
            for step in &transcript.steps {
                let got = self.run(&place, step);
                steps += 1;
                if got == step.output {
                    continue;
                }
                let name = format!("{}: $ {}", transcript.name, step.command);
                if let Some(at) = known.iter().position(|one| one.step == name) {
                    // A step that is there twice is listed twice.
                    known.swap_remove(at);
                    excused += 1;
                    continue;
                }
                wrong += 1;
                let _ = writeln!(report, "--- {}: $ {}", transcript.name, step.command);
                for line in &step.output {
                    let _ = writeln!(report, "  want {line}");
                }
                for line in &got {
                    let _ = writeln!(report, "   got {line}");
                }
            }
        }
        wrong += known.len();
        for stale in &known {
            let _ = writeln!(
                report,
                "--- {}: as recorded, but in differences.txt",
                stale.step
            );
        }
        eprintln!("{}: {steps} steps, {excused} known differences", self.name);
        assert!(
            wrong == 0,
            "{}: {wrong} of {steps} steps differ from the transcripts:\n{report}",
            self.name
        );
    }

    /// Records every transcript anew.
    pub(crate) fn record(&self) {
        for mut transcript in Transcript::all() {
            let place = self.prepare();
            for step in &mut transcript.steps {
                step.output = self.run(&place, step);
            }
            transcript.write();
        }
    }

    /// An empty daemon with the image, and empty directories.
    fn prepare(&self) -> Place {
        let place = Place(Scratch::create("cli-run").expect("the scratch directory can be made"));
        for folder in ["bin", "home", "work"] {
            fs::create_dir(place.0.join(folder)).expect("the directory is the test's own");
        }
        self.client.link_into(&place.0.join("bin"));
        let image = self.daemon.image().expect("the image can be made");
        let script = format!(
            "docker ps -aq | xargs -r docker rm -fv >/dev/null
             docker volume prune -af >/dev/null
             docker network prune -f >/dev/null
             docker images -q | sort -u | xargs -r docker rmi -f >/dev/null
             exec docker import -c 'CMD [\"sh\"]' -c 'ENV PATH=/bin' {} quai-cli:1",
            image.display()
        );
        let made = self.shell(&place, &script);
        assert!(
            made.status.success(),
            "{}: the image cannot be imported: {}\n{}",
            self.name,
            String::from_utf8_lossy(&made.stderr),
            self.daemon.log()
        );
        place
    }

    fn run(&self, place: &Place, step: &Step) -> Vec<String> {
        let output = self.shell(place, &step.command);
        let places = [
            (place.0.path().display().to_string(), "<DIR>"),
            (self.daemon.socket().display().to_string(), "<SOCK>"),
            (self.daemon.data().display().to_string(), "<DATA>"),
        ];
        let text = |bytes: &[u8]| normal(&String::from_utf8_lossy(bytes), &places);
        let marked = |mark: char, text: String| -> Vec<String> {
            text.lines()
                .map(|line| format!("{mark} {line}").trim_end().to_owned())
                .collect()
        };
        let mut lines = marked('|', text(&output.stdout));
        lines.extend(marked('!', text(&output.stderr)));
        if !output.status.success() {
            lines.push(format!("? {}", output.status.code().unwrap_or(-1)));
        }
        lines
    }

    /// What a shell with this `docker` prints; a step that hangs ends with 124.
    fn shell(&self, place: &Place, script: &str) -> Output {
        let path = format!(
            "{}:/usr/sbin:/usr/bin:/sbin:/bin",
            place.0.join("bin").display()
        );
        Command::new("timeout")
            .args(["-k", "5", "60", "sh", "-c", script])
            .env_clear()
            .env("PATH", path)
            .env("HOME", place.0.join("home"))
            .env("LC_ALL", "C")
            .env(
                "DOCKER_HOST",
                format!("unix://{}", self.daemon.socket().display()),
            )
            .current_dir(place.0.join("work"))
            .stdin(Stdio::null())
            .output()
            .expect("a shell can be run")
    }
}
