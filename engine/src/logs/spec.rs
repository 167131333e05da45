//! Where the output of one container goes, as the daemon has resolved it for the shim.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Where the output goes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogSpec {
    /// Nowhere.
    #[default]
    None,
    /// To a driver.
    To(Box<LogPlan>),
}

/// A driver, and what happens while it cannot take more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogPlan {
    /// Where to.
    pub driver: Driver,
    /// A copy that `logs` can read, of drivers that cannot be read themselves.
    pub cache: Option<FileSpec>,
    /// What happens while the driver cannot take more.
    pub mode: Mode,
}

/// A driver with its options.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Driver {
    /// JSON lines in a file.
    JsonFile {
        /// The file.
        file: FileSpec,
        /// What each line carries besides its text.
        attributes: BTreeMap<String, String>,
    },
    /// Frames in a file.
    Local(FileSpec),
    /// A syslog daemon.
    Syslog(SyslogSpec),
    /// A collector that speaks GELF.
    Gelf(GelfSpec),
    /// The journal of this machine.
    Journald(JournaldSpec),
}

/// A file that is rotated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileSpec {
    /// Path in the engine's stage.
    pub path: PathBuf,
    /// Bytes after which it is rotated; 0 never.
    pub max_size: u64,
    /// How many files are kept, at least 1.
    pub max_file: u32,
    /// Rotated files are compressed.
    pub compress: bool,
}

/// What happens while the driver cannot take more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// The container waits.
    #[default]
    Blocking,
    /// Messages are lost.
    NonBlocking {
        /// Bytes that may wait before.
        max_buffer: u64,
    },
}

/// Where a message travels to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Endpoint {
    /// One datagram per message.
    Udp(SocketAddr),
    /// A stream.
    Tcp(SocketAddr),
    /// A stream protected by TLS.
    Tls(SocketAddr, TlsSpec),
    /// A socket file of the stage: datagrams, or a stream where datagrams are refused.
    Unix(PathBuf),
    /// A socket file of the stage: datagrams only.
    Unixgram(PathBuf),
}

/// How a collector proves who it is, and we to it. Paths are of the stage, and read whenever a connection is made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TlsSpec {
    /// The name that its certificate has to bear.
    pub name: String,
    /// Authorities to believe; `None` believes the system's.
    pub authority: Option<PathBuf>,
    /// Our own certificate.
    pub certificate: Option<PathBuf>,
    /// Its key.
    pub key: Option<PathBuf>,
    /// What it has to prove.
    pub proof: Proof,
}

/// How much a collector has to prove.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Proof {
    /// A certificate of a known authority for its name.
    Certificate,
    /// Nothing (`syslog-tls-skip-verify`).
    None,
}

/// Options of `syslog`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyslogSpec {
    /// Where to; `None` looks for the sockets that a host has.
    pub endpoint: Option<Endpoint>,
    /// 0 to 23.
    pub facility: u8,
    /// How a message is written.
    pub format: SyslogFormat,
    /// The name of the program.
    pub tag: String,
    /// The name of the host.
    pub hostname: String,
}

/// How a syslog message is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SyslogFormat {
    /// What local daemons read.
    #[default]
    Local,
    /// RFC 3164.
    Rfc3164,
    /// RFC 5424, seconds.
    Rfc5424,
    /// RFC 5424, microseconds.
    Rfc5424Micro,
}

/// Options of `gelf`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GelfSpec {
    /// Where to.
    pub endpoint: Endpoint,
    /// The name of the host.
    pub hostname: String,
    /// Additional fields, each with its underscore.
    pub extra: BTreeMap<String, serde_json::Value>,
    /// How datagrams are compressed.
    pub compression: Compression,
    /// 0 to 9; -1 is the usual one.
    pub level: i32,
    /// How often a lost connection is tried again.
    pub max_reconnect: u32,
    /// Seconds between two tries.
    pub reconnect_delay: u32,
}

/// How a datagram is compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Compression {
    /// gzip.
    #[default]
    Gzip,
    /// zlib.
    Zlib,
    /// Not at all.
    None,
}

/// Options of `journald`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournaldSpec {
    /// The journal's socket in the stage.
    pub socket: PathBuf,
    /// Fields of every message.
    pub fields: BTreeMap<String, String>,
}
