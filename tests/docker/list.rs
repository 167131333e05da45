//! `docker ps` and its filters and formats.

use crate::Case;
use crate::client::Docker;

pub(crate) const CASES: &[Case] = &[
    ("ps_filters_what_it_lists", filters),
    ("ps_formats_what_it_lists", formats),
    ("ps_refuses_filters_that_make_no_sense", refusals),
];

fn filters(docker: &Docker) {
    let _up = docker.sleeper(
        "listed-up",
        &["--label", "listed=1", "-v", "listed-data:/data"],
    );
    let _down = docker.guard("listed-down");
    docker.run(&[
        "run",
        "--name",
        "listed-down",
        "--network",
        "none",
        "--label",
        "listed=2",
        "busybox",
        "sh",
        "-c",
        "exit 3",
    ]);
    let names = |filters: &[&str]| -> Vec<String> {
        let mut arguments = vec!["ps", "--format", "{{.Names}}", "--filter", "label=listed"];
        for filter in filters {
            if *filter != "-a" {
                arguments.push("--filter");
            }
            arguments.push(filter);
        }
        docker.ok(&arguments).lines().map(str::to_owned).collect()
    };
    assert_eq!(names(&[]), ["listed-up"]);
    assert_eq!(names(&["-a"]), ["listed-down", "listed-up"]);
    assert_eq!(names(&["-a", "label=listed=2"]), ["listed-down"]);
    assert_eq!(names(&["-a", "exited=3"]), ["listed-down"]);
    assert_eq!(names(&["status=exited"]), ["listed-down"]);
    assert_eq!(
        names(&["status=running", "status=exited"]),
        ["listed-down", "listed-up"]
    );
    assert_eq!(names(&["-a", "name=down"]), ["listed-down"]);
    assert_eq!(names(&["-a", "name=^/listed-up$"]), ["listed-up"]);
    assert_eq!(names(&["-a", "before=listed-down"]), ["listed-up"]);
    assert_eq!(names(&["-a", "since=listed-up"]), ["listed-down"]);
    assert_eq!(names(&["-a", "volume=listed-data"]), ["listed-up"]);
    assert_eq!(names(&["-a", "volume=/data"]), ["listed-up"]);
    assert_eq!(names(&["-a", "ancestor=busybox"]).len(), 2);
    assert_eq!(names(&["-a", "ancestor=nosuch"]).len(), 0);
    assert_eq!(names(&["-a", "network=none"]).len(), 2);
    assert_eq!(names(&["-a", "is-task=true"]).len(), 0);
    let id = docker.inspect("listed-up", "{{.Id}}");
    assert_eq!(names(&["-a", &format!("id={}", &id[..12])]), ["listed-up"]);
    let quiet = docker.ok(&["ps", "-q", "--no-trunc", "--filter", "name=listed-up"]);
    assert_eq!(quiet, id);
    drop(_up);
    docker.ok(&["volume", "rm", "listed-data"]);
}

fn formats(docker: &Docker) {
    let _up = docker.sleeper("formatted", &["--label", "a=b"]);
    let line = |format: &str| docker.ok(&["ps", "--filter", "name=formatted", "--format", format]);
    assert_eq!(
        line("{{.Names}} {{.Image}} {{.State}} {{.Label \"a\"}}"),
        "formatted busybox running b"
    );
    assert_eq!(line("{{.Command}}"), "\"sleep 600\"");
    assert!(
        line("{{.Status}}").starts_with("Up "),
        "{}",
        line("{{.Status}}")
    );
    assert!(line("{{.RunningFor}}").ends_with("ago"));
    assert!(
        line("{{json .}}").starts_with("{\"Command\":"),
        "{}",
        line("{{json .}}")
    );
    assert!(
        line("table {{.Names}}\t{{.Networks}}")
            .starts_with("NAMES       NETWORKS\nformatted   none")
    );
    let table = docker.ok(&["ps", "--filter", "name=formatted"]);
    assert!(
        table.starts_with("CONTAINER ID   IMAGE     COMMAND       CREATED"),
        "{table}"
    );
    assert!(
        docker
            .ok(&["ps", "-s", "--filter", "name=formatted"])
            .contains("(virtual ")
    );
    assert_eq!(docker.ok(&["container", "ls", "-n", "1", "-q"]).len(), 12);
}

fn refusals(docker: &Docker) {
    for (filter, words) in [
        ("nonsense=x", "invalid filter 'nonsense'"),
        ("status=x", "invalid filter 'status=x'"),
        ("exited=x", "invalid filter 'exited=x'"),
        ("health=x", "unrecognized filter value for health: x"),
        ("before=nobody", "No such container: nobody"),
        ("publish=x", "error while looking up for publish x"),
    ] {
        docker.fails(&["ps", "--filter", filter], 1, words);
    }
}
