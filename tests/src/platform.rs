//! A `quai local` of the test's own, and the few words of HTTP that tests need.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::executable;
use crate::scratch::Scratch;

/// How long a server may take to say that it is ready.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running server; its machines and its data end with it.
pub struct Platform {
    process: Child,
    scratch: Scratch,
    port: u16,
    options: Vec<String>,
}

/// What a server answered.
#[derive(Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The header lines, as they came.
    pub headers: String,
    /// The body, as text.
    pub body: String,
}

impl Answer {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

impl Platform {
    /// Starts one on the images of `catalogue`, with more options for `quai local`.
    pub fn start(catalogue: &Path, options: &[&str]) -> Result<Self> {
        let scratch = Scratch::create("local")?;
        symlink(catalogue, scratch.join("store"))?;
        let port = free_port()?;
        let options: Vec<String> = options.iter().map(|option| (*option).to_owned()).collect();
        let process = spawn(&scratch, port, &options)?;
        let mut platform = Self {
            process,
            scratch,
            port,
            options,
        };
        platform.wait_until_ready()?;
        Ok(platform)
    }

    /// Kills the server as a crash would and starts it again on the same data and port.
    pub fn crash_and_restart(&mut self) -> Result<()> {
        self.process.kill()?;
        self.process.wait()?;
        self.process = spawn(&self.scratch, self.port, &self.options)?;
        self.wait_until_ready()
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its data directory.
    pub fn data(&self) -> &Path {
        self.scratch.path()
    }

    /// The process that serves pages.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// What it printed so far, both outputs together.
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    /// `GET PATH` with the Host header a browser would send, and more header lines.
    #[track_caller]
    pub fn get(&self, path: &str, headers: &[&str]) -> Answer {
        let host = format!("Host: 127.0.0.1:{}", self.port);
        let mut all = vec![host.as_str()];
        all.extend(headers);
        self.request("GET", path, &all)
    }

    /// The cookie of a new learner, as a header's value.
    #[track_caller]
    pub fn learner(&self) -> String {
        let answer = self.get("/", &[]);
        let cookie = answer
            .header("set-cookie")
            .expect("who arrives is given a cookie");
        cookie.split(';').next().unwrap_or_default().to_owned()
    }

    /// Any request, with exactly these header lines.
    #[track_caller]
    pub fn request(&self, method: &str, path: &str, headers: &[&str]) -> Answer {
        exchange(self.port, method, path, headers)
            .unwrap_or_else(|error| panic!("{method} {path}: {error}\n{}", self.log()))
    }

    fn log_file(&self) -> PathBuf {
        self.scratch.join("log")
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let address = format!("http://127.0.0.1:{}/", self.port);
        let deadline = Instant::now() + PATIENCE;
        while !self.log().contains(&address) {
            if let Some(status) = self.process.try_wait()? {
                bail!("quai local ended with {status}:\n{}", self.log());
            }
            if Instant::now() > deadline {
                bail!(
                    "quai local is not ready after {PATIENCE:?}:\n{}",
                    self.log()
                );
            }
            sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        // The helper ends a moment after the server whose socket it watches.
        for _ in 0..50 {
            let data = self.scratch.path().as_os_str();
            match executable::run(["down".as_ref(), "--data".as_ref(), data]) {
                Ok(output) if output.status.success() => return,
                Ok(output) => eprint!("{}", String::from_utf8_lossy(&output.stderr)),
                Err(error) => eprintln!("{error:#}"),
            }
            sleep(Duration::from_millis(100));
        }
    }
}

fn spawn(scratch: &Scratch, port: u16, options: &[String]) -> Result<Child> {
    // A fresh log, so that the line of readiness is this server's.
    let log = File::create(scratch.join("log"))?;
    let mut command = executable::command(["local", "--no-open"])?;
    command.arg("--port").arg(port.to_string());
    command.arg("--data").arg(scratch.path());
    command.args(options);
    command
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log);
    command.spawn().context("cannot start quai local")
}

/// A port nobody listens on at this moment.
pub fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
        .local_addr()?
        .port())
}

/// One request on a connection of its own. An answer that switches protocols has no body.
fn exchange(port: u16, method: &str, path: &str, headers: &[&str]) -> Result<Answer> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    let upgrade = headers
        .iter()
        .any(|line| line.to_lowercase().starts_with("upgrade:"));
    let mut request = format!("{method} {path} HTTP/1.1\r\n");
    for line in headers {
        request += &format!("{line}\r\n");
    }
    if !upgrade {
        request += "Connection: close\r\n";
    }
    request += "\r\n";
    stream.write_all(request.as_bytes())?;

    let mut answer = Vec::new();
    let mut buffer = [0; 16 * 1024];
    while !is_whole(&answer) {
        let count = stream.read(&mut buffer)?;
        if count == 0 {
            break;
        }
        answer.extend_from_slice(&buffer[..count]);
    }
    let text = String::from_utf8_lossy(&answer);
    let (head, body) = text
        .split_once("\r\n\r\n")
        .context("the answer has no end of headers")?;
    let (first, headers) = head.split_once("\r\n").unwrap_or((head, ""));
    let status = first
        .split(' ')
        .nth(1)
        .context("the answer has no status")?
        .parse()?;
    Ok(Answer {
        status,
        headers: headers.to_owned(),
        body: body.to_owned(),
    })
}

/// Whether nothing more comes: protocols were switched, or the promised length is there.
fn is_whole(answer: &[u8]) -> bool {
    let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n") else {
        return false;
    };
    let head = String::from_utf8_lossy(&answer[..end]).to_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length:"));
    let length = length.and_then(|text| text.trim().parse::<usize>().ok());
    head.starts_with("http/1.1 101")
        || length.is_some_and(|length| answer.len() >= end + 4 + length)
}
