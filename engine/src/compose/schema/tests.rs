//! One line for each attribute that a service may have, and for what is refused.

use serde_json::{Value, json};

use super::{Checker, SERVICE};

#[track_caller]
fn service(attribute: &str) -> Result<Value, String> {
    let text = format!("services:\n  a:\n    {attribute}\n");
    let mut value = super::super::yaml::read(&text).unwrap().remove(0).value;
    Checker::default()
        .document(&mut value)
        .map_err(|error| error.to_string())?;
    Ok(value["services"]["a"].take())
}

#[track_caller]
fn refused(attribute: &str, why: &str) {
    let error = service(attribute).unwrap_err();
    assert!(error.contains(why), "{attribute}: {error}");
}

/// What docker compose 2.26 says of each, but where a reason of ours stands.
#[test]
fn wrong_kinds_are_refused_in_the_words_of_the_reference() {
    for (attribute, why) in [
        ("ports: 5", "services.a.ports must be a list"),
        ("ports: [[a]]", "services.a.ports.0 must be a number"),
        (
            "ports: [{target: 80, foo: 1}]",
            "services.a.ports.0 Additional property foo is not allowed",
        ),
        ("command: [5]", "services.a.command.0 must be a string"),
        ("environment: 5", "services.a.environment must be a mapping"),
        (
            "environment: [5]",
            "services.a.environment.[0]: unexpected type",
        ),
        (
            "environment: {A: [x]}",
            "services.a.environment.A must be a string, number, boolean or null",
        ),
        (
            "privileged: maybe",
            "error while interpolating services.a.privileged: failed to cast to expected type: invalid boolean: maybe",
        ),
        (
            "privileged: 5",
            "services.a.privileged must be a boolean or string",
        ),
        ("cap_add: a", "services.a.cap_add must be a list"),
        (
            "depends_on: {b: 5}",
            "services.a.depends_on.b must be a mapping",
        ),
        (
            "depends_on: {b: {foo: 5}}",
            "services.a.depends_on.b condition is required",
        ),
        (
            "depends_on: {b: {condition: foo}}",
            "must be one of the following: \"service_started\", \"service_healthy\"",
        ),
        (
            "healthcheck: {test: 5}",
            "services.a.healthcheck.test must be a string",
        ),
        (
            "healthcheck: {retries: x}",
            "failed to cast to expected type: strconv.Atoi: parsing \"x\"",
        ),
        (
            "deploy: {resources: {limits: {foo: 1}}}",
            "services.a.deploy.resources.limits Additional property foo is not allowed",
        ),
        (
            "ulimits: {nofile: {soft: 1}}",
            "services.a.ulimits.nofile hard is required",
        ),
        ("user: 1000", "services.a.user must be a string"),
        ("build: 5", "services.a.build must be a string"),
        (
            "build: {foo: 5}",
            "services.a.build Additional property foo is not allowed",
        ),
        ("image: [a]", "services.a.image must be a string"),
        ("secrets: x", "services.a.secrets must be a list"),
        (
            "develop: {watch: [{path: a}]}",
            "services.a.develop.watch.0 action is required",
        ),
        ("cpus: x", "strconv.ParseFloat: parsing \"x\""),
        (
            "cgroup: foo",
            "must be one of the following: \"host\", \"private\"",
        ),
        (
            "provider: {type: x}",
            "services.a.provider: is not supported",
        ),
        ("models: [x]", "services.a.models: is not supported"),
        ("post_start: [{command: ./do.sh}]", "is not supported yet"),
        ("pre_stop: [{command: ./do.sh}]", "is not supported yet"),
        ("use_api_socket: true", "is an experiment"),
        ("credential_spec: {file: x}", "is for Windows containers"),
        ("cpu_count: 2", "is for Windows containers"),
        ("cpu_percent: 2", "is for Windows containers"),
        ("imgae: x", "Additional property imgae is not allowed"),
    ] {
        refused(attribute, why);
    }
}

#[test]
fn texts_become_what_they_mean() {
    for (attribute, key, value) in [
        ("privileged: \"true\"", "privileged", json!(true)),
        ("read_only: on", "read_only", json!(true)),
        ("init: \"no\"", "init", json!(false)),
        ("scale: \"3\"", "scale", json!(3)),
        ("cpus: \"0.5\"", "cpus", json!(0.5)),
        ("pids_limit: \"-1\"", "pids_limit", json!(-1)),
        (
            "ulimits: {nofile: \"5\"}",
            "ulimits",
            json!({ "nofile": 5 }),
        ),
        (
            "ports: [{target: \"80\"}]",
            "ports",
            json!([{ "target": 80 }]),
        ),
    ] {
        assert_eq!(service(attribute).unwrap()[key], value, "{attribute}");
    }
}

/// The attributes of the specification's chapter "services", each in the form that its text shows.
const ALL: &[&str] = &[
    "annotations: {com.example.foo: bar}",
    "attach: false",
    "build: .",
    "blkio_config: {weight: 300, weight_device: [{path: /dev/sda, weight: 400}], device_read_bps: [{path: /dev/sdb, rate: 12mb}]}",
    "cap_add: [ALL]",
    "cap_drop: [NET_ADMIN]",
    "cgroup: private",
    "cgroup_parent: m-executor-abcd",
    "command: bundle exec thin -p 3000",
    "configs: [my_config, {source: other, target: /redis_config, uid: \"103\", gid: \"103\", mode: 0440}]",
    "container_name: my-web-container",
    "cpu_period: 1000",
    "cpu_quota: 500",
    "cpu_rt_period: 1400us",
    "cpu_rt_runtime: 95000",
    "cpu_shares: 73",
    "cpus: 0.5",
    "cpuset: 0-3",
    "depends_on: {db: {condition: service_healthy, restart: true, required: false}}",
    "deploy: {mode: replicated, replicas: 2, endpoint_mode: vip, labels: {a: b}, placement: {constraints: [disktype=ssd]}, restart_policy: {condition: on-failure, delay: 5s, max_attempts: 3, window: 120s}, update_config: {parallelism: 2, order: stop-first}, resources: {limits: {cpus: \"0.50\", memory: 50M, pids: 1}, reservations: {memory: 20M, devices: [{capabilities: [gpu], count: all}]}}}",
    "develop: {watch: [{path: ./src, action: sync+exec, target: /app, ignore: node_modules/, include: [\"*.js\"], initial_sync: true, exec: {command: reload}}]}",
    "device_cgroup_rules: [\"c 1:3 mr\"]",
    "devices: [\"/dev/ttyUSB0:/dev/ttyUSB0\", {source: /dev/sda, target: /dev/xvda, permissions: rwm}]",
    "dns: [8.8.8.8]",
    "dns_opt: [use-vc]",
    "dns_search: example.com",
    "domainname: example.com",
    "entrypoint: [php, -d]",
    "env_file: [./a.env, {path: ./b.env, required: false, format: raw}]",
    "environment: [RACK_ENV=development, USER_INPUT]",
    "expose: [\"3000\", 8000]",
    "extends: {file: common.yml, service: webapp}",
    "external_links: [redis, \"database:mysql\"]",
    "extra_hosts: {somehost: 162.242.195.82}",
    "gpus: all",
    "group_add: [mail, 5]",
    "healthcheck: {test: [CMD, curl], interval: 1m30s, timeout: 10s, retries: 3, start_period: 40s, start_interval: 5s, disable: false}",
    "hostname: web",
    "image: redis:5",
    "init: true",
    "ipc: shareable",
    "isolation: default",
    "label_file: ./app.labels",
    "labels: [com.example.number=42]",
    "links: [db, \"db:database\"]",
    "logging: {driver: syslog, options: {syslog-address: \"tcp://192.168.0.42:123\"}}",
    "mac_address: 02:42:ac:11:65:43",
    "mem_limit: 64m",
    "mem_reservation: 32m",
    "mem_swappiness: 60",
    "memswap_limit: -1",
    "network_mode: host",
    "networks: {front: {aliases: [a], ipv4_address: 172.16.238.10, ipv6_address: \"2001:3984:3989::10\", interface_name: eth9, link_local_ips: [57.123.22.11], mac_address: \"02:42:ac:11:65:43\", driver_opts: {foo: 1}, gw_priority: 1, priority: 1000}}",
    "oom_kill_disable: true",
    "oom_score_adj: -500",
    "pid: host",
    "pids_limit: 10",
    "platform: linux/amd64",
    "ports: [3000, \"127.0.0.1:8001:8001/udp\", {name: web, target: 80, host_ip: 127.0.0.1, published: 8080-8090, protocol: tcp, app_protocol: http, mode: host}]",
    "privileged: true",
    "profiles: [frontend]",
    "pull_policy: every_12h",
    "pull_refresh_after: 24h",
    "read_only: true",
    "restart: on-failure:3",
    "runtime: runc",
    "scale: 2",
    "secrets: [{source: server-certificate, target: server.cert, mode: \"0440\"}]",
    "security_opt: [label=user:USER]",
    "shm_size: 64m",
    "stdin_open: true",
    "stop_grace_period: 1m30s",
    "stop_signal: SIGUSR1",
    "storage_opt: {size: 1G}",
    "sysctls: {net.core.somaxconn: 1024}",
    "tmpfs: [/run:mode=755]",
    "tty: true",
    "ulimits: {nproc: 65535, nofile: {soft: 20000, hard: 40000}}",
    "user: root",
    "userns_mode: host",
    "uts: host",
    "volumes: [\"db:/x\", {type: volume, source: db, target: /data, read_only: true, consistency: cached, volume: {nocopy: true, subpath: sub, labels: {a: b}}}, {type: bind, source: /a, target: /b, bind: {create_host_path: false, propagation: rslave, recursive: disabled, selinux: z}}, {type: tmpfs, target: /t, tmpfs: {size: 1m, mode: 0755}}, {type: image, source: i, target: /i, image: {subpath: s}}]",
    "volumes_from: [\"service:ro\", \"container:name:rw\"]",
    "working_dir: /app",
];

/// The whole way, up to the body of the container: nothing is lost because nobody knows it.
#[test]
fn every_attribute_has_a_line_and_reaches_its_type() {
    use super::super::{normal, service::Service};
    use serde::Deserialize;

    let mut written: Vec<&str> = Vec::new();
    for attribute in ALL {
        let key = attribute.split(':').next().unwrap();
        written.push(key);
        let mut value = service(attribute).unwrap_or_else(|error| panic!("{attribute}: {error}"));
        normal::service(&mut value, "services.a", std::path::Path::new("/app"))
            .unwrap_or_else(|error| panic!("{attribute}: {error}"));
        if key == "extends" {
            continue;
        }
        let read = Service::deserialize(&value).unwrap_or_else(|error| panic!("{key}: {error}"));
        assert_ne!(read, Service::default(), "{attribute} changes something");
    }
    for row in SERVICE {
        let is_refused = matches!(row.kind, super::Kind::Refused(_));
        assert_eq!(
            written.contains(&row.key),
            !is_refused,
            "{} has a line, or a reason to be refused",
            row.key
        );
    }
}
