//! The attributes of a service, in the order of the Compose specification's chapters "services", "build",
//! "deploy" and "develop".

use super::{Kind, Row};
use Kind::{
    Any, Command, Decimal, Dictionary, Flag, List, Map, Names, Nullable, NumberOr, Pairs, Refused,
    Size, Text, TextOr, TextOrList, TextOrNumber, Texts, Whole, Word,
};

const WINDOWS: &str = "is for Windows containers: this engine runs Linux containers";
const ORCHESTRATOR: &str = "is for orchestrators and changes nothing on one engine";

/// Every attribute of a service.
pub(in crate::compose) const SERVICE: &[Row] = &[
    Row::of("annotations", Pairs),
    Row::of("attach", Flag),
    Row::of("build", TextOr(&Map(BUILD))),
    Row::of("blkio_config", Map(BLKIO)),
    Row::of("cap_add", List(&Text)),
    Row::of("cap_drop", List(&Text)),
    Row::of("cgroup", Word(&["host", "private"])),
    Row::of("cgroup_parent", Text),
    Row::of("command", Command),
    Row::of("configs", List(&TextOr(&Map(GRANT)))),
    Row::of("container_name", Text),
    Row::of("cpu_count", Refused(WINDOWS)),
    Row::of("cpu_percent", Refused(WINDOWS)),
    Row::of("cpu_period", Whole),
    Row::of("cpu_quota", Whole),
    Row::of("cpu_rt_period", TextOrNumber),
    Row::of("cpu_rt_runtime", TextOrNumber),
    Row::of("cpu_shares", Whole),
    Row::of("cpus", Decimal),
    Row::of("cpuset", Text),
    Row::of("credential_spec", Refused(WINDOWS)),
    Row::of("depends_on", Names(&Map(DEPENDENCY), true)),
    Row::of("deploy", Nullable(&Map(DEPLOY))),
    Row::of("develop", Nullable(&Map(DEVELOP))),
    Row::of("device_cgroup_rules", List(&Text)),
    Row::of("devices", List(&TextOr(&Map(DEVICE)))),
    Row::of("dns", Texts),
    Row::of("dns_opt", List(&Text)),
    Row::of("dns_search", Texts),
    Row::of("domainname", Text),
    Row::of("entrypoint", Command),
    Row::of("env_file", TextOrList(&TextOr(&Map(ENV_FILE)))),
    Row::of("environment", Pairs),
    Row::of("expose", List(&TextOrNumber)),
    Row::of("extends", TextOr(&Map(EXTENDS))),
    Row::of("external_links", List(&Text)),
    Row::of("extra_hosts", Any),
    Row::of("gpus", TextOrList(&Map(GPU))),
    Row::of("group_add", List(&TextOrNumber)),
    Row::of("healthcheck", Map(HEALTH)),
    Row::of("hostname", Text),
    Row::of("image", Text),
    Row::of("init", Flag),
    Row::of("ipc", Text),
    Row::of("isolation", Text),
    Row::of("label_file", Texts),
    Row::of("labels", Pairs),
    Row::of("links", List(&Text)),
    Row::of("logging", Map(LOGGING)),
    Row::of("mac_address", Text),
    Row::of("mem_limit", Size),
    Row::of("mem_reservation", Size),
    Row::of("mem_swappiness", Whole),
    Row::of("memswap_limit", Size),
    Row::of(
        "models",
        Refused("is not supported: this engine runs no models"),
    ),
    Row::of("network_mode", Text),
    Row::of("networks", Names(&Map(ATTACHMENT), true)),
    Row::of("oom_kill_disable", Flag),
    Row::of("oom_score_adj", Whole),
    Row::of("pid", Nullable(&Text)),
    Row::of("pids_limit", Whole),
    Row::of("platform", Text),
    Row::of("ports", List(&TextOr(&NumberOr(&Map(PORT))))),
    Row::of("post_start", Refused(HOOKS)),
    Row::of("pre_stop", Refused(HOOKS)),
    Row::of("privileged", Flag),
    Row::of("profiles", List(&Text)),
    Row::of(
        "provider",
        Refused("is not supported: services of other programs are not managed here"),
    ),
    Row::of("pull_policy", Text),
    Row::of("pull_refresh_after", Text),
    Row::of("read_only", Flag),
    Row::of("restart", Text),
    Row::of("runtime", Text),
    Row::of("scale", Whole),
    Row::of("secrets", List(&TextOr(&Map(GRANT)))),
    Row::of("security_opt", List(&Text)),
    Row::of("shm_size", Size),
    Row::of("stdin_open", Flag),
    Row::of("stop_grace_period", Text),
    Row::of("stop_signal", Text),
    Row::of("storage_opt", Dictionary(&Any)),
    Row::of("sysctls", Pairs),
    Row::of("tmpfs", Texts),
    Row::of("tty", Flag),
    Row::of("ulimits", Dictionary(&NumberOr(&Map(LIMIT)))),
    Row::of(
        "use_api_socket",
        Refused("is an experiment that is not supported here: mount the engine's socket"),
    ),
    Row::of("user", Text),
    Row::of("userns_mode", Text),
    Row::of("uts", Text),
    Row::of("volumes", List(&TextOr(&Map(MOUNT)))),
    Row::of("volumes_from", List(&Text)),
    Row::of("working_dir", Text),
];

const BUILD: &[Row] = &[
    Row::of("additional_contexts", Pairs),
    Row::of("args", Pairs),
    Row::of("cache_from", List(&Text)),
    Row::of("cache_to", List(&Text)),
    Row::of("context", Text),
    Row::of("dockerfile", Text),
    Row::of("dockerfile_inline", Text),
    Row::of("entitlements", List(&Text)),
    Row::of("extra_hosts", Any),
    Row::of("isolation", Text),
    Row::of("labels", Pairs),
    Row::of("network", Text),
    Row::of("no_cache", Flag),
    Row::of("no_cache_filter", Texts),
    Row::of("platforms", List(&Text)),
    Row::of("privileged", Flag),
    Row::of("provenance", Any),
    Row::of("pull", Flag),
    Row::of("sbom", Any),
    Row::of("secrets", List(&TextOr(&Map(GRANT)))),
    Row::of("shm_size", Size),
    Row::of("ssh", Pairs),
    Row::of("tags", List(&Text)),
    Row::of("target", Text),
    Row::of("ulimits", Dictionary(&NumberOr(&Map(LIMIT)))),
];

const BLKIO: &[Row] = &[
    Row::of("device_read_bps", List(&Map(RATE))),
    Row::of("device_read_iops", List(&Map(RATE))),
    Row::of("device_write_bps", List(&Map(RATE))),
    Row::of("device_write_iops", List(&Map(RATE))),
    Row::of("weight", Whole),
    Row::of("weight_device", List(&Map(WEIGHT))),
];

const RATE: &[Row] = &[
    Row::required("path", Text),
    Row::required("rate", TextOrNumber),
];

const WEIGHT: &[Row] = &[Row::required("path", Text), Row::required("weight", Whole)];

const GRANT: &[Row] = &[
    Row::of("source", Text),
    Row::of("target", Text),
    Row::of("uid", Text),
    Row::of("gid", Text),
    Row::of("mode", TextOrNumber),
];

const DEPENDENCY: &[Row] = &[
    Row::required(
        "condition",
        Word(&[
            "service_started",
            "service_healthy",
            "service_completed_successfully",
        ]),
    ),
    Row::of("restart", Flag),
    Row::of("required", Flag),
];

const DEPLOY: &[Row] = &[
    Row::of("mode", Text),
    Row::idle("endpoint_mode", Text, ORCHESTRATOR),
    Row::of("replicas", Whole),
    Row::idle("labels", Pairs, ORCHESTRATOR),
    Row::of("resources", Map(RESOURCES)),
    Row::of("restart_policy", Map(RESTART)),
    Row::idle("update_config", Map(UPDATE), ORCHESTRATOR),
    Row::idle("rollback_config", Map(UPDATE), ORCHESTRATOR),
    Row::idle("placement", Map(PLACEMENT), ORCHESTRATOR),
];

const RESOURCES: &[Row] = &[
    Row::of("limits", Map(LIMITS)),
    Row::of("reservations", Map(RESERVATIONS)),
];

const LIMITS: &[Row] = &[
    Row::of("cpus", Decimal),
    Row::of("memory", Size),
    Row::of("pids", Whole),
];

const RESERVATIONS: &[Row] = &[
    Row::idle("cpus", Decimal, ORCHESTRATOR),
    Row::of("memory", Size),
    Row::of("devices", List(&Map(GPU))),
    Row::idle("generic_resources", List(&Any), ORCHESTRATOR),
];

const RESTART: &[Row] = &[
    Row::of("condition", Text),
    Row::idle("delay", Text, ORCHESTRATOR),
    Row::of("max_attempts", Whole),
    Row::idle("window", Text, ORCHESTRATOR),
];

const UPDATE: &[Row] = &[
    Row::of("parallelism", Whole),
    Row::of("delay", Text),
    Row::of("failure_action", Text),
    Row::of("monitor", Text),
    Row::of("max_failure_ratio", Decimal),
    Row::of("order", Word(&["start-first", "stop-first"])),
];

const PLACEMENT: &[Row] = &[
    Row::of("constraints", List(&Text)),
    Row::of("preferences", List(&Map(&[Row::of("spread", Text)]))),
    Row::of("max_replicas_per_node", Whole),
];

const DEVELOP: &[Row] = &[Row::of("watch", List(&Map(TRIGGER)))];

const TRIGGER: &[Row] = &[
    Row::required("path", Text),
    Row::required(
        "action",
        Word(&["rebuild", "sync", "restart", "sync+restart", "sync+exec"]),
    ),
    Row::of("target", Text),
    Row::of("ignore", Texts),
    Row::of("include", Texts),
    Row::of("initial_sync", Flag),
    Row::of("exec", Map(HOOK)),
];

const HOOKS: &str = "is not supported yet: run the command with `compose exec`";

const HOOK: &[Row] = &[
    Row::required("command", Command),
    Row::of("user", Text),
    Row::of("privileged", Flag),
    Row::of("working_dir", Text),
    Row::of("environment", Pairs),
    Row::of("per_replica", Flag),
];

const DEVICE: &[Row] = &[
    Row::required("source", Text),
    Row::of("target", Text),
    Row::of("permissions", Text),
];

const ENV_FILE: &[Row] = &[
    Row::required("path", Text),
    Row::of("required", Flag),
    Row::of("format", Text),
];

const EXTENDS: &[Row] = &[Row::required("service", Text), Row::of("file", Text)];

const GPU: &[Row] = &[
    Row::of("capabilities", List(&Text)),
    Row::of("count", TextOrNumber),
    Row::of("device_ids", List(&Text)),
    Row::of("driver", Text),
    Row::of("options", Pairs),
];

const HEALTH: &[Row] = &[
    Row::of("disable", Flag),
    Row::of("interval", Text),
    Row::of("retries", Whole),
    Row::of("start_interval", Text),
    Row::of("start_period", Text),
    Row::of("test", Texts),
    Row::of("timeout", Text),
];

const LOGGING: &[Row] = &[
    Row::of("driver", Text),
    Row::of("options", Dictionary(&TextOrNumber)),
];

const ATTACHMENT: &[Row] = &[
    Row::of("aliases", List(&Text)),
    Row::of("driver_opts", Dictionary(&TextOrNumber)),
    Row::of("gw_priority", Whole),
    Row::of("interface_name", Text),
    Row::of("ipv4_address", Text),
    Row::of("ipv6_address", Text),
    Row::of("link_local_ips", List(&Text)),
    Row::of("mac_address", Text),
    Row::of("priority", Whole),
];

const PORT: &[Row] = &[
    Row::of("app_protocol", Text),
    Row::of("host_ip", Text),
    Row::of("mode", Word(&["host", "ingress"])),
    Row::of("name", Text),
    Row::of("protocol", Text),
    Row::of("published", TextOrNumber),
    Row::required("target", Whole),
];

const LIMIT: &[Row] = &[Row::required("soft", Whole), Row::required("hard", Whole)];

const MOUNT: &[Row] = &[
    Row::of(
        "bind",
        Map(&[
            Row::of("create_host_path", Flag),
            Row::of("propagation", Text),
            Row::of(
                "recursive",
                Word(&["enabled", "disabled", "writable", "readonly"]),
            ),
            Row::of("selinux", Word(&["z", "Z"])),
        ]),
    ),
    Row::of("consistency", Text),
    Row::of("image", Map(&[Row::of("subpath", Text)])),
    Row::of("read_only", Flag),
    Row::of("source", Text),
    Row::required("target", Text),
    Row::of(
        "tmpfs",
        Map(&[Row::of("mode", TextOrNumber), Row::of("size", Size)]),
    ),
    Row::required("type", Text),
    Row::of(
        "volume",
        Map(&[
            Row::of("labels", Pairs),
            Row::of("nocopy", Flag),
            Row::of("subpath", Text),
        ]),
    ),
];
