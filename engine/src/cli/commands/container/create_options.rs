//! The options that `run` and `create` share, each documented once.

use crate::cli::commands::image::CONTENT_TRUST;
use crate::cli::flags::{Checked, Flag};

const WINDOWS: &str = "is only supported on a Docker daemon running on windows, but the Docker \
                       daemon is running on linux";

/// Options of both commands.
pub(super) const OPTIONS: &[Flag] = &[
    Flag::list(
        "add-host",
        "Add a name to the container's /etc/hosts (host:ip)",
    )
    .checked(Checked::ExtraHost),
    Flag::list("annotation", "Pass a key=value on to the runtime").word("map"),
    Flag::list("attach", "Attach to STDIN, STDOUT or STDERR").short('a'),
    Flag::uint16(
        "blkio-weight",
        "Relative weight of block I/O, from 10 to 1000; 0 disables it",
    ),
    Flag::list(
        "blkio-weight-device",
        "Relative weight of block I/O on one device (/dev/DEVICE:WEIGHT)",
    ),
    Flag::list("cap-add", "Add a capability"),
    Flag::list("cap-drop", "Drop a capability"),
    Flag::text("cgroup-parent", "Cgroup in which the container's is made"),
    Flag::text("cgroupns", "Cgroup namespace to use (host|private)"),
    Flag::text("cidfile", "Write the container's id to this file"),
    Flag::int("cpu-count", "Number of CPUs")
        .refused(WINDOWS)
        .hidden(),
    Flag::int("cpu-percent", "Share of all CPUs, in percent")
        .refused(WINDOWS)
        .hidden(),
    Flag::int(
        "cpu-period",
        "Length of the CPU quota's period, in microseconds",
    ),
    Flag::int("cpu-quota", "CPU time per period, in microseconds"),
    Flag::int(
        "cpu-rt-period",
        "Length of the real-time quota's period, in microseconds",
    ),
    Flag::int(
        "cpu-rt-runtime",
        "Real-time CPU time per period, in microseconds",
    ),
    Flag::int("cpu-shares", "Relative weight of CPU time").short('c'),
    Flag::decimal("cpus", "Number of CPUs"),
    Flag::text("cpuset-cpus", "CPUs on which it may run (0-3, 0,1)"),
    Flag::text("cpuset-mems", "Memory nodes it may use (0-3, 0,1)"),
    Flag::list("device", "Add a device of the host"),
    Flag::list(
        "device-cgroup-rule",
        "Add a rule to the cgroup's list of allowed devices",
    ),
    Flag::list(
        "device-read-bps",
        "Limit the bytes per second read from a device",
    ),
    Flag::list(
        "device-read-iops",
        "Limit the reads per second from a device",
    ),
    Flag::list(
        "device-write-bps",
        "Limit the bytes per second written to a device",
    ),
    Flag::list(
        "device-write-iops",
        "Limit the writes per second to a device",
    ),
    CONTENT_TRUST,
    Flag::list("dns", "Use this DNS server").checked(Checked::Dns),
    Flag::list("dns-option", "Set a DNS option").older("dns-opt"),
    Flag::list("dns-search", "Search names in this domain"),
    Flag::text("domainname", "NIS domain name"),
    Flag::text("entrypoint", "Replace the image's ENTRYPOINT"),
    Flag::list("env", "Set an environment variable").short('e'),
    Flag::list("env-file", "Read environment variables from a file"),
    Flag::list("expose", "Expose a port or a range of ports"),
    Flag::list(
        "gpus",
        "Add GPUs of the host (\"all\", or a number of them)",
    )
    .word("gpu-request"),
    Flag::list("group-add", "Join a group besides the user's own"),
    Flag::text("health-cmd", "Command that checks the health"),
    Flag::duration("health-interval", "Time between two checks (ms|s|m|h)"),
    Flag::int("health-retries", "Failures in a row that make it unhealthy"),
    Flag::duration(
        "health-start-interval",
        "Time between two checks while it starts (ms|s|m|h)",
    ),
    Flag::duration(
        "health-start-period",
        "Time it has to start before failures count (ms|s|m|h)",
    ),
    Flag::duration("health-timeout", "Longest time a check may take (ms|s|m|h)"),
    Flag::text("hostname", "Host name").short('h'),
    Flag::switch("help", "Print usage"),
    Flag::switch(
        "init",
        "Run an init in the container that forwards signals and reaps processes",
    ),
    Flag::switch("interactive", "Keep STDIN open even if not attached").short('i'),
    Flag::bytes("io-maxbandwidth", "Largest bandwidth of the system drive")
        .refused(WINDOWS)
        .hidden(),
    Flag::int(
        "io-maxiops",
        "Most operations per second of the system drive",
    )
    .refused(WINDOWS)
    .hidden(),
    Flag::text("ip", "IPv4 address (such as 172.30.100.104)"),
    Flag::text("ip6", "IPv6 address (such as 2001:db8::33)"),
    Flag::text("ipc", "IPC namespace to use"),
    Flag::text(
        "isolation",
        "How the container is isolated (Linux has \"default\" only)",
    ),
    Flag::bytes("kernel-memory", "Limit of kernel memory (obsolete)"),
    Flag::list("label", "Set a label").short('l'),
    Flag::list("label-file", "Read labels from a file"),
    Flag::list("link", "Link to another container"),
    Flag::list("link-local-ip", "IPv4 or IPv6 link-local address"),
    Flag::text("log-driver", "Where the logs go"),
    Flag::list("log-opt", "Set an option of the log driver"),
    Flag::text("mac-address", "MAC address (such as 92:d0:c6:0a:29:33)"),
    Flag::bytes("memory", "Memory limit").short('m'),
    Flag::bytes("memory-reservation", "Soft memory limit"),
    Flag::bytes(
        "memory-swap",
        "Limit of memory plus swap; -1 for no limit on swap",
    )
    .checked(Checked::Unlimited),
    Flag::int(
        "memory-swappiness",
        "How readily its memory is swapped (0 to 100)",
    )
    .default("-1"),
    Flag::list("mount", "Mount a volume, a directory or a tmpfs").word("mount"),
    Flag::text("name", "Name of the container"),
    Flag::list("network", "Network to connect to")
        .word("network")
        .older("net"),
    Flag::list(
        "network-alias",
        "Another name of the container on its network",
    )
    .older("net-alias"),
    Flag::switch("no-healthcheck", "Do not run the image's HEALTHCHECK"),
    Flag::switch("oom-kill-disable", "Do not kill when memory runs out"),
    Flag::int(
        "oom-score-adj",
        "How readily it is killed when memory runs out (-1000 to 1000)",
    ),
    Flag::text("pid", "PID namespace to use"),
    Flag::int("pids-limit", "Largest number of processes; -1 for no limit"),
    Flag::text("platform", "Platform of the image, when there are several"),
    Flag::switch(
        "privileged",
        "Give nearly all the rights of the host's root",
    ),
    Flag::list("publish", "Publish a port of the container on the host").short('p'),
    Flag::switch("publish-all", "Publish every exposed port on a free port").short('P'),
    Flag::text(
        "pull",
        "When to pull the image (\"always\", \"missing\", \"never\")",
    )
    .default("missing"),
    Flag::switch("quiet", "Do not show the progress of the pull").short('q'),
    Flag::switch("read-only", "Mount the root file system read-only"),
    Flag::text("restart", "What to do when the container ends").default("no"),
    Flag::switch(
        "rm",
        "Remove the container and its anonymous volumes when it ends",
    ),
    Flag::text("runtime", "Runtime to use"),
    Flag::list("security-opt", "Set a security option"),
    Flag::bytes("shm-size", "Size of /dev/shm"),
    Flag::text("stop-signal", "Signal that stops the container"),
    Flag::int(
        "stop-timeout",
        "Seconds to wait before a stop becomes a kill",
    ),
    Flag::list("storage-opt", "Set an option of the storage driver"),
    Flag::list("sysctl", "Set a kernel parameter of the namespace")
        .word("map")
        .checked(Checked::Sysctl),
    Flag::list("tmpfs", "Mount a tmpfs"),
    Flag::switch("tty", "Allocate a terminal").short('t'),
    Flag::list("ulimit", "Set a resource limit of the process").word("ulimit"),
    Flag::switch("use-api-socket", "Give the container the engine's socket").refused(
        "is an experiment that is not supported here; mount the engine's socket with --volume",
    ),
    Flag::text("user", "User (format: <name|uid>[:<group|gid>])").short('u'),
    Flag::text("userns", "User namespace to use"),
    Flag::text("uts", "UTS namespace to use"),
    Flag::list("volume", "Mount a volume or a directory").short('v'),
    Flag::text("volume-driver", "Driver of the container's volumes"),
    Flag::list("volumes-from", "Mount the volumes of another container"),
    Flag::text("workdir", "Directory in which the command starts").short('w'),
];
