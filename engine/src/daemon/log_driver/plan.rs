//! What the shim is told about the log of a container.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::daemon::container::ContainerRecord;
use crate::daemon::{Daemon, DaemonError, size};
use crate::logs::spec::{
    Compression, Driver, Endpoint, FileSpec, GelfSpec, JournaldSpec, LogPlan, LogSpec, Mode, Proof,
    SyslogFormat, SyslogSpec, TlsSpec,
};
use crate::logs::{journald, syslog};

use super::options::{Address, Options, is_cache_disabled};
use super::{attributes, tag};

/// Bytes that may wait in non-blocking mode, unless said otherwise.
const BUFFER: u64 = 1 << 20;
/// Bytes of a file of the `local` driver, unless said otherwise.
const LOCAL_SIZE: u64 = 20 << 20;

impl Daemon {
    /// What the shim is told about the log of a container.
    pub(crate) fn log_spec(&self, record: &ContainerRecord) -> Result<LogSpec, DaemonError> {
        let log = &record.host_config.log_config;
        let options = &log.config;
        let dir = self.container_dir(&record.id);
        let tag_of = |otherwise: &str| {
            let template = options.get("tag").map_or(otherwise, String::as_str);
            tag::render(template, record)
        };
        let driver = match log.kind.as_str() {
            "none" => return Ok(LogSpec::None),
            "json-file" => {
                let mut attributes = attributes::chosen(options, record)?;
                if options.contains_key("tag") {
                    attributes.insert("tag".into(), tag_of("")?);
                }
                Driver::JsonFile {
                    file: json_file(options, self.log_path(&record.id))?,
                    attributes,
                }
            }
            "local" => Driver::Local(local(options, "", local_path(&dir))?),
            "syslog" => Driver::Syslog(SyslogSpec {
                endpoint: self.syslog_endpoint(options)?,
                facility: syslog::facility(text(options, "syslog-facility")).unwrap_or(3),
                format: match text(options, "syslog-format") {
                    "rfc3164" => SyslogFormat::Rfc3164,
                    "rfc5424" => SyslogFormat::Rfc5424,
                    "rfc5424micro" => SyslogFormat::Rfc5424Micro,
                    _ => SyslogFormat::Local,
                },
                tag: tag_of(tag::DEFAULT)?,
                hostname: hostname(),
            }),
            "gelf" => Driver::Gelf(self.gelf(options, record, tag_of(tag::DEFAULT)?)?),
            _ => Driver::Journald(JournaldSpec {
                socket: "/run/systemd/journal/socket".into(),
                fields: journal_fields(options, record, tag_of(tag::DEFAULT)?)?,
            }),
        };
        let is_file = matches!(driver, Driver::JsonFile { .. } | Driver::Local(_));
        let cache = if is_file || is_cache_disabled(options) {
            None
        } else {
            Some(local(options, "cache-", cache_path(&dir))?)
        };
        let mode = match text(options, "mode") {
            "non-blocking" => Mode::NonBlocking {
                max_buffer: options
                    .get("max-buffer-size")
                    .and_then(|text| size::binary(text).ok())
                    .unwrap_or(BUFFER),
            },
            _ => Mode::Blocking,
        };
        Ok(LogSpec::To(Box::new(LogPlan {
            driver,
            cache,
            mode,
        })))
    }

    fn syslog_endpoint(&self, options: &Options) -> Result<Option<Endpoint>, DaemonError> {
        let Some(text) = options
            .get("syslog-address")
            .filter(|text| !text.is_empty())
        else {
            return Ok(None);
        };
        let address = Address::parse_syslog(text)?;
        Ok(Some(match address.scheme.as_str() {
            "unix" => Endpoint::Unix(PathBuf::from(&address.rest)),
            "unixgram" => Endpoint::Unixgram(PathBuf::from(&address.rest)),
            "udp" => Endpoint::Udp(address.resolve(&self.known_hosts())?),
            "tcp+tls" => Endpoint::Tls(
                address.resolve(&self.known_hosts())?,
                tls(address.host(), options),
            ),
            _ => Endpoint::Tcp(address.resolve(&self.known_hosts())?),
        }))
    }

    fn gelf(
        &self,
        options: &Options,
        record: &ContainerRecord,
        tag: String,
    ) -> Result<GelfSpec, DaemonError> {
        let address = Address::parse_gelf(options.get("gelf-address").map(String::as_str))?;
        let socket = address.resolve(&self.known_hosts())?;
        let own = [
            ("_container_id", record.id.clone()),
            ("_container_name", record.name.clone()),
            ("_image_id", record.image_id.to_string()),
            ("_image_name", record.config.image.clone()),
            ("_command", tag::command(record)),
            ("_tag", tag),
            ("_created", record.created.to_string()),
        ];
        let own = own.map(|(name, value)| (name.to_owned(), value.into()));
        let mut extra = BTreeMap::from(own);
        for (name, value) in attributes::chosen(options, record)? {
            let name = if name.starts_with('_') {
                name
            } else {
                format!("_{name}")
            };
            extra.insert(name, value.into());
        }
        let number = |name: &str, otherwise: u32| {
            let given = options.get(name).and_then(|text| text.parse().ok());
            given.unwrap_or(otherwise)
        };
        Ok(GelfSpec {
            endpoint: if address.scheme == "udp" {
                Endpoint::Udp(socket)
            } else {
                Endpoint::Tcp(socket)
            },
            hostname: hostname(),
            extra,
            compression: match text(options, "gelf-compression-type") {
                "zlib" => Compression::Zlib,
                "none" => Compression::None,
                _ => Compression::Gzip,
            },
            level: text(options, "gelf-compression-level").parse().unwrap_or(1),
            max_reconnect: number("gelf-tcp-max-reconnect", 3),
            reconnect_delay: number("gelf-tcp-reconnect-delay", 1),
        })
    }

    /// The names that the stage knows by itself.
    fn known_hosts(&self) -> String {
        let root = self.machine_root();
        std::fs::read_to_string(root.join("etc/hosts")).unwrap_or_default()
    }
}

/// The file of the `local` driver.
pub(super) fn local_path(dir: &Path) -> PathBuf {
    dir.join("local-logs/container.log")
}

/// The readable copy of a log that goes to a collector.
pub(super) fn cache_path(dir: &Path) -> PathBuf {
    dir.join("container-cached.log")
}

fn text<'a>(options: &'a Options, name: &str) -> &'a str {
    options.get(name).map_or("", String::as_str)
}

fn failed(why: impl std::fmt::Display) -> DaemonError {
    DaemonError::Start(format!("failed to initialize logging driver: {why}"))
}

fn json_file(options: &Options, path: PathBuf) -> Result<FileSpec, DaemonError> {
    let max_size = match options.get("max-size") {
        None => 0,
        Some(text) => match size::decimal(text) {
            Ok(0) => return Err(failed("max-size must be a positive number")),
            Ok(size) => size,
            Err(error) => return Err(failed(error)),
        },
    };
    let max_file = match options.get("max-file") {
        None => 1,
        Some(text) => number(text)?,
    };
    if max_file < 1 {
        return Err(failed("max-file cannot be less than 1"));
    }
    let compress = match options.get("compress") {
        None => false,
        Some(text) => boolean(text)?,
    };
    if compress && (max_file < 2 || max_size == 0) {
        return Err(failed(
            "compress cannot be true when max-file is less than 2 or max-size is not set",
        ));
    }
    Ok(FileSpec {
        path,
        max_size,
        max_file: u32::try_from(max_file).unwrap_or(u32::MAX),
        compress,
    })
}

fn local(options: &Options, prefix: &str, path: PathBuf) -> Result<FileSpec, DaemonError> {
    let option = |name: &str| options.get(&format!("{prefix}{name}"));
    let max_size = match option("max-size") {
        None => LOCAL_SIZE,
        Some(text) => size::binary(text).map_err(failed)?,
    };
    let max_file = match option("max-file") {
        None => 5,
        Some(text) => number(text)?,
    };
    let compress = match option("compress") {
        None => true,
        Some(text) => boolean(text).map_err(|error| {
            let why = error.to_string();
            let why = why
                .rsplit_once("driver: ")
                .map_or(why.as_str(), |(_, why)| why);
            failed(format!("error reading compress log option: {why}"))
        })?,
    };
    if compress && max_file <= 1 {
        return Err(failed(
            "compression cannot be enabled when max file count is 1",
        ));
    }
    Ok(FileSpec {
        path,
        max_size,
        max_file: u32::try_from(max_file.max(1)).unwrap_or(u32::MAX),
        compress,
    })
}

fn number(text: &str) -> Result<i64, DaemonError> {
    text.parse()
        .map_err(|_| failed(format!("strconv.Atoi: parsing \"{text}\": invalid syntax")))
}

/// Go's words for yes and no.
pub(super) fn boolean(text: &str) -> Result<bool, DaemonError> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Ok(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Ok(false),
        _ => Err(failed(format!(
            "strconv.ParseBool: parsing \"{text}\": invalid syntax"
        ))),
    }
}

fn hostname() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    name.trim().to_owned()
}

fn journal_fields(
    options: &Options,
    record: &ContainerRecord,
    tag: String,
) -> Result<BTreeMap<String, String>, DaemonError> {
    let own = [
        ("CONTAINER_ID", record.id[..12].to_owned()),
        ("CONTAINER_ID_FULL", record.id.clone()),
        ("CONTAINER_NAME", record.name.clone()),
        ("CONTAINER_TAG", tag.clone()),
        ("IMAGE_NAME", record.config.image.clone()),
        ("SYSLOG_IDENTIFIER", tag),
    ];
    let mut fields = BTreeMap::from(own.map(|(name, value)| (name.to_owned(), value)));
    for (name, value) in attributes::chosen(options, record)? {
        let name = journald::field_name(&name);
        if !name.is_empty() {
            fields.entry(name).or_insert(value);
        }
    }
    Ok(fields)
}
/// The `syslog-tls-…` options.
fn tls(host: &str, options: &Options) -> TlsSpec {
    let path = |key: &str| {
        let named = options.get(key).filter(|path| !path.is_empty());
        named.map(PathBuf::from)
    };
    TlsSpec {
        name: host.to_owned(),
        authority: path("syslog-tls-ca-cert"),
        certificate: path("syslog-tls-cert"),
        key: path("syslog-tls-key"),
        // As Docker: said at all, whatever it says.
        proof: match options.contains_key("syslog-tls-skip-verify") {
            true => Proof::None,
            false => Proof::Certificate,
        },
    }
}
