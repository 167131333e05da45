//! Where errors go: standard error, and the log of whoever called.

use std::fs::OpenOptions;
use std::io::Write;

use super::global::{Global, LogFormat};

/// Tells an error. Callers such as containerd and podman read it from the log.
pub(super) fn error(global: &Global, message: &str) {
    write(global, "error", message);
    eprintln!("quai runtime: {message}");
}

/// Tells what is no error.
pub(super) fn warning(global: &Global, message: &str) {
    write(global, "warning", message);
    if global.log.is_none() {
        eprintln!("quai runtime: warning: {message}");
    }
}

/// Tells more, where `--debug` asks for it.
pub(super) fn debug(global: &Global, message: &str) {
    if global.debug {
        write(global, "debug", message);
    }
}

fn write(global: &Global, level: &str, message: &str) {
    let Some(path) = &global.log else {
        return;
    };
    let time = jiff::Timestamp::now().to_string();
    let line = match global.format {
        LogFormat::Json => {
            serde_json::json!({"level": level, "msg": message, "time": time}).to_string()
        }
        LogFormat::Text => format!("time={time:?} level={level} msg={message:?}"),
    };
    // Without the log there is still standard error.
    let file = OpenOptions::new().create(true).append(true).open(path);
    let _ = file.and_then(|mut file| writeln!(file, "{line}"));
}
