//! `docker inspect` of containers: what people's templates read.

use crate::Case;
use crate::client::Docker;

pub(crate) const CASES: &[Case] = &[
    ("inspect_has_what_templates_read", fields),
    ("inspect_tells_sizes_when_asked", sizes),
    ("inspect_tells_mounts", mounts),
];

fn fields(docker: &Docker) {
    let _guard = docker.guard("inspected");
    docker.ok(&[
        "run",
        "-d",
        "--name",
        "inspected",
        "--hostname",
        "own",
        "-e",
        "A=1",
        "busybox",
        "sleep",
        "600",
    ]);
    let address = docker.inspect("inspected", "{{ .NetworkSettings.IPAddress }}");
    assert!(address.starts_with("172."), "{address}");
    let each = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
    assert_eq!(docker.inspect("inspected", each), address);
    for (format, value) in [
        (
            "{{.Name}} {{.Path}} {{json .Args}}",
            "/inspected sleep [\"600\"]",
        ),
        ("{{.Config.Hostname}} {{index .Config.Env 0}}", "own A=1"),
        (
            "{{.State.Status}} {{.State.ExitCode}} {{.State.Error}}",
            "running 0 ",
        ),
        (
            "{{.HostConfig.NetworkMode}} {{.HostConfig.RestartPolicy.Name}}",
            "bridge no",
        ),
        (
            "{{.HostConfig.LogConfig.Type}} {{.Driver}} {{.Platform}}",
            "json-file overlay2 linux",
        ),
        (
            "{{json .HostConfig.Binds}} {{json .HostConfig.PortBindings}}",
            "null {}",
        ),
        (
            "{{json .HostConfig.BlkioDeviceReadBps}} {{.HostConfig.ShmSize}}",
            "[] 67108864",
        ),
        ("{{len .HostConfig.ReadonlyPaths}} {{.RestartCount}}", "5 0"),
    ] {
        assert_eq!(
            docker.inspect("inspected", format),
            value.trim_end(),
            "{format}"
        );
    }
    docker.fails(
        &["inspect", "-f", "{{.Nonsense}}", "inspected"],
        1,
        "Nonsense",
    );
    docker.fails(
        &["inspect", "--type", "container", "nobody"],
        1,
        "No such container: nobody",
    );
    docker.ok(&["stop", "-t", "0", "inspected"]);
    assert_eq!(
        docker.inspect("inspected", "{{.NetworkSettings.IPAddress}}{{.State.Pid}}"),
        "0"
    );
}

fn sizes(docker: &Docker) {
    let _guard = docker.guard("sized");
    docker.ok(&[
        "run",
        "--name",
        "sized",
        "--network",
        "none",
        "busybox",
        "sh",
        "-c",
        "head -c 5000 /dev/zero >/file",
    ]);
    let sizes = docker.ok(&[
        "inspect",
        "-s",
        "-f",
        "{{.SizeRw}} {{.SizeRootFs}}",
        "sized",
    ]);
    let (own, all) = sizes.split_once(' ').unwrap();
    let (own, all): (u64, u64) = (own.parse().unwrap(), all.parse().unwrap());
    assert!((5000..20_000).contains(&own), "{own}");
    assert!(all > 500_000, "{all}");
}

fn mounts(docker: &Docker) {
    let folder = docker.folder("mounted").display().to_string();
    let _guard = docker.guard("mounted");
    docker.ok(&[
        "create",
        "--name",
        "mounted",
        "-v",
        &format!("{folder}:/bind:ro"),
        "-v",
        "mounted-data:/data",
        "-v",
        "/anonymous",
        "busybox",
    ]);
    let format = "{{range .Mounts}}{{.Type}} {{.Destination}} {{.RW}} {{.Mode}};{{end}}";
    let told = docker.inspect("mounted", format);
    for mount in [
        "bind /bind false ro;",
        "volume /data true z;",
        "volume /anonymous true ;",
    ] {
        assert!(told.contains(mount), "{mount} is not in {told}");
    }
    drop(_guard);
    docker.ok(&["volume", "rm", "mounted-data"]);
}
