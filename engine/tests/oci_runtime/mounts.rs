//! Mounts, masks and devices; and images that try to redirect them.

use std::os::unix::fs::symlink;

use serde_json::{Value, json};

use crate::Test;
use crate::place::Place;

pub(crate) const TESTS: [Test; 7] = [
    ("binds_and_their_options_hold", binds),
    ("a_tmpfs_begins_as_a_copy", copy_up),
    ("owners_are_seen_through_a_map", idmapped),
    ("masked_and_read_only_paths_are_so", masks),
    ("devices_are_made_as_described", devices),
    ("links_of_the_image_lead_nowhere", links),
    ("mount_events_travel_as_wished", propagation),
];

fn add(config: &mut Value, mount: Value) {
    config["mounts"].as_array_mut().unwrap().push(mount);
}

fn binds() -> Result<(), String> {
    let place = Place::new("binds");
    let source = place.path("source");
    std::fs::create_dir_all(source.join("below")).unwrap();
    std::fs::write(source.join("file"), "content").unwrap();
    let bind = |target: &str, options: &[&str]| json!({"destination": target, "type": "bind", "source": source, "options": options});
    let line = "cat /a/file; echo x > /a/new; echo x > /b/new || echo read-only; \
                cp /bin/busybox /a/prog; /c/prog true || echo noexec; cat /f; \
                grep ' /[abc] ' /proc/self/mountinfo | cut -d' ' -f5,6";
    let done = place.sh(line, |config| {
        add(config, bind("/a", &["bind"]));
        add(config, bind("/b", &["rbind", "ro", "nosuid"]));
        add(config, bind("/c", &["rbind", "rnoexec", "nodev"]));
        add(
            config,
            json!({"destination": "/f", "source": "../source/file", "options": ["bind"]}),
        );
    });
    let mut lines = done.out.lines();
    assert_eq!(
        lines.next(),
        Some("contentread-only"),
        "{} {}",
        done.out,
        done.err
    );
    assert_eq!(lines.next(), Some("noexec"), "{}", done.out);
    let rest: Vec<_> = lines.collect();
    assert!(rest[0].starts_with("content/a rw"), "{rest:?}");
    assert!(rest[1].starts_with("/b ro,nosuid"), "{rest:?}");
    assert!(rest[2].starts_with("/c rw,nodev,noexec"), "{rest:?}");
    assert!(source.join("new").exists());
    Ok(())
}

fn copy_up() -> Result<(), String> {
    let place = Place::new("copyup");
    std::fs::create_dir_all(place.rootfs("data/deep")).unwrap();
    std::fs::write(place.rootfs("data/deep/file"), "old").unwrap();
    symlink("/elsewhere", place.rootfs("data/link")).unwrap();
    std::os::unix::fs::chown(place.rootfs("data/deep/file"), Some(5), Some(6)).unwrap();
    let line = "cat /data/deep/file; echo new > /data/deep/file; stat -c %u:%g /data/deep/file; \
                readlink /data/link; ls /empty | wc -l";
    let done = place.sh(line, |config| {
        for target in ["/data", "/empty"] {
            let options = ["tmpcopyup", "size=1m"];
            add(
                config,
                json!({"destination": target, "type": "tmpfs", "source": "tmpfs", "options": options}),
            );
        }
    });
    assert_eq!(done.out, "old5:6\n/elsewhere\n0\n", "{}", done.err);
    assert_eq!(
        std::fs::read_to_string(place.rootfs("data/deep/file")).unwrap(),
        "old"
    );
    Ok(())
}

fn idmapped() -> Result<(), String> {
    let place = Place::new("idmap");
    let source = place.path("source");
    std::fs::create_dir_all(&source).unwrap();
    std::fs::write(source.join("file"), "").unwrap();
    let line = "stat -c %u:%g /m/file; touch /m/new";
    let done = place.sh(line, |config| {
        let map = json!([{"containerID": 0, "hostID": 1000, "size": 10}]);
        add(
            config,
            json!({
                "destination": "/m", "type": "bind", "source": source, "options": ["bind"],
                "uidMappings": map, "gidMappings": map,
            }),
        );
    });
    if done.err.contains("idmap") {
        return Err("the temporary directory's file system cannot be mounted with a map".into());
    }
    // On disk it is root's; the map shows it as the map's first id.
    assert_eq!(done.out, "1000:1000\n", "{}", done.err);
    Ok(())
}

fn masks() -> Result<(), String> {
    let place = Place::new("masks");
    let line = "head -c1 /proc/kcore | wc -c; ls /sys/firmware | wc -l; \
                echo 1 > /proc/sys/vm/drop_caches || echo ro; cat /proc/sys/kernel/ostype; \
                echo x > /file || echo ro-root";
    let done = place.sh(line, |config| config["root"]["readonly"] = true.into());
    assert_eq!(done.out, "0\n0\nro\nLinux\nro-root\n", "{}", done.err);
    Ok(())
}

fn devices() -> Result<(), String> {
    let place = Place::new("devices");
    let line = "stat -c '%t:%T %a %u' /dev/null /dev/my/zero /dev/pipe; stat -c %F /dev/pipe; \
                head -c2 /dev/my/zero | wc -c; readlink /dev/ptmx; readlink /dev/stdin; \
                head -c1 /dev/mem || echo refused";
    let done = place.sh(line, |config| {
        config["linux"]["devices"] = json!([
            {"path": "/dev/my/zero", "type": "c", "major": 1, "minor": 5, "fileMode": 0o640, "uid": 3},
            {"path": "/dev/pipe", "type": "p"},
            {"path": "/dev/mem", "type": "c", "major": 1, "minor": 1},
        ]);
        config["linux"]["resources"] = json!({"devices": [{"allow": false, "access": "rwm"}]});
    });
    let expected = "1:3 666 0\n1:5 640 3\n0:0 666 0\nfifo\n2\npts/ptmx\n/proc/self/fd/0\nrefused\n";
    assert_eq!(done.out, expected, "{}", done.err);
    Ok(())
}

fn links() -> Result<(), String> {
    // The null device of the image is a file of procfs: nothing may be masked with it.
    let place = Place::new("links");
    std::fs::remove_dir(place.rootfs("dev")).unwrap();
    std::fs::create_dir(place.rootfs("dev")).unwrap();
    symlink("/proc/sys/kernel/core_pattern", place.rootfs("dev/null")).unwrap();
    let done = place.sh("true", |config| {
        config["mounts"]
            .as_array_mut()
            .unwrap()
            .retain(|m| m["destination"] != "/dev");
    });
    assert_ne!(done.code, 0);
    // A target that is a link stays below the root.
    let place = Place::new("links");
    let outside = place.path("outside");
    std::fs::create_dir(&outside).unwrap();
    std::fs::write(outside.join("marker"), "").unwrap();
    symlink(&outside, place.rootfs("way")).unwrap();
    symlink("../../../../../..", place.rootfs("up")).unwrap();
    let done = place.sh("ls /way; ls /up/mnt", |config| {
        for target in ["/way", "/up/mnt"] {
            add(
                config,
                json!({"destination": target, "type": "tmpfs", "source": "tmpfs", "options": []}),
            );
        }
    });
    assert_eq!(done.out, "", "{}", done.err);
    assert!(outside.join("marker").exists());
    // `/sys` and `/proc` are links of the image.
    for name in ["sys", "proc"] {
        let place = Place::new("links");
        std::fs::remove_dir(place.rootfs(name)).unwrap();
        symlink("/tmp", place.rootfs(name)).unwrap();
        let done = place.sh("echo ran", |_| {});
        assert_ne!(done.code, 0, "{name}: {}", done.out);
        assert!(!done.out.contains("ran"), "{name}");
    }
    // The working directory through a descriptor of ours.
    for number in 3..20 {
        let place = Place::new("links");
        let cwd = format!("/proc/self/fd/{number}");
        let done = place.sh("ls ../../../etc/hostname", |config| {
            config["process"]["cwd"] = cwd.clone().into();
        });
        assert_ne!(done.code, 0, "{cwd}: {}", done.out);
        assert!(!done.out.contains("hostname"), "{cwd}");
    }
    Ok(())
}

fn propagation() -> Result<(), String> {
    let place = Place::new("propagation");
    let line = "grep -c 'shared:\\|master:' /proc/self/mountinfo; grep ' / / ' /proc/self/mountinfo | grep -c shared";
    let done = place.sh(line, |_| {});
    assert_eq!(done.out, "0\n0\n", "{}", done.err);
    let done = place.sh("grep -c ' / rw.* shared:' /proc/self/mountinfo", |config| {
        config["linux"]["rootfsPropagation"] = "shared".into();
    });
    assert_eq!(done.out, "1\n", "{}", done.err);
    Ok(())
}
