//! A second process in a container.

use serde::{Deserialize, Serialize};

/// Body of `POST /containers/{id}/exec`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct CreateExec {
    /// `user[:group]`.
    pub user: String,
    /// All rights inside the machine.
    pub privileged: bool,
    /// A terminal.
    pub tty: bool,
    /// Height and width.
    pub console_size: Option<[u16; 2]>,
    /// Attach the standard input.
    pub attach_stdin: bool,
    /// Attach the standard error.
    pub attach_stderr: bool,
    /// Attach the standard output.
    pub attach_stdout: bool,
    /// Keys that leave the container running. Go does not mind the case of a name, and docker-py relies on it here.
    #[serde(alias = "detachKeys")]
    pub detach_keys: String,
    /// `NAME=value`.
    pub env: Vec<String>,
    /// Working directory.
    pub working_dir: String,
    /// Program and arguments.
    pub cmd: Vec<String>,
}

/// Answer with only an id.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct IdResponse {
    /// Id.
    pub id: String,
}

/// Body of `POST /exec/{id}/start`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct StartExec {
    /// Do not attach.
    pub detach: bool,
    /// A terminal.
    pub tty: bool,
    /// Height and width.
    pub console_size: Option<[u16; 2]>,
}

/// Answer of `GET /exec/{id}/json`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ExecInspect {
    /// Exec id.
    #[serde(rename = "ID")]
    pub id: String,
    /// A process exists.
    pub running: bool,
    /// Exit code, once ended.
    pub exit_code: Option<i64>,
    /// What runs.
    pub process_config: ExecProcess,
    /// Standard input attached.
    pub open_stdin: bool,
    /// Standard error attached.
    pub open_stderr: bool,
    /// Standard output attached.
    pub open_stdout: bool,
    /// May be removed.
    pub can_remove: bool,
    /// Its container.
    #[serde(rename = "ContainerID")]
    pub container_id: String,
    /// Keys that leave the container running.
    pub detach_keys: String,
    /// Process id, 0 before the start.
    pub pid: i32,
}

/// What an exec runs. Its keys are lower case in Docker's API.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ExecProcess {
    /// A terminal.
    pub tty: bool,
    /// Program.
    pub entrypoint: String,
    /// Arguments.
    pub arguments: Vec<String>,
    /// All rights inside the machine.
    pub privileged: bool,
    /// `user[:group]`.
    pub user: String,
}
