//! Terminals: given away over a socket, or shown in the foreground.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixListener;

use serde_json::json;

use crate::Test;
use crate::place::{Done, Place};

pub(crate) const TESTS: [Test; 3] = [
    ("a_terminal_is_given_away", given),
    ("a_terminal_without_a_socket_is_refused", refused),
    ("a_terminal_in_the_foreground_is_carried", foreground),
];

fn receive(listener: &UnixListener) -> File {
    let (stream, _) = listener.accept().unwrap();
    let mut buffer = [0; 128];
    let (_, mut descriptors) = kernel::rights::receive(stream.as_fd(), &mut buffer).unwrap();
    File::from(descriptors.pop().unwrap())
}

/// All that a terminal shows until the last program closes it.
fn read_all(mut master: File) -> String {
    let (mut text, mut buffer) = (Vec::new(), [0; 4096]);
    while let Ok(n @ 1..) = master.read(&mut buffer) {
        text.extend_from_slice(&buffer[..n]);
    }
    String::from_utf8_lossy(&text).into_owned()
}

fn given() -> Result<(), String> {
    let place = Place::new("console");
    let socket = place.path("console");
    let listener = UnixListener::bind(&socket).unwrap();
    let line = "tty; stty size; ls -l /dev/console | cut -c1; read x; echo got $x";
    place.configure(line, |config| {
        config["process"]["terminal"] = true.into();
        config["process"]["consoleSize"] = json!({"height": 33, "width": 99});
    });
    place.create(&["--console-socket", socket.to_str().unwrap()]);
    let mut master = receive(&listener);
    place.ok(&["start"]);
    master.write_all(b"word\n").unwrap();
    let text = read_all(master);
    for part in ["/dev/", "33 99", "got word"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    // A second process has one of its own.
    let place = Place::new("console");
    let socket = place.path("console");
    let listener = UnixListener::bind(&socket).unwrap();
    place.configure("exec sleep 600", |_| {});
    place.create(&[]);
    place.ok(&["start"]);
    let mut command = place.runtime();
    command
        .args(["exec", "-t", "-d", "--console-socket"])
        .arg(&socket);
    let output = command.args([&place.id, "tty"]).output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = read_all(receive(&listener));
    assert!(text.contains("/dev/pts/0"), "{text}");
    Ok(())
}

fn refused() -> Result<(), String> {
    let place = Place::new("noconsole");
    place.configure("true", |config| config["process"]["terminal"] = true.into());
    let bundle = place.path("bundle");
    let done = Done::from(place.call(&["create", "--bundle", bundle.to_str().unwrap()]));
    assert!(
        done.err.contains("without setting console socket"),
        "{}",
        done.err
    );
    assert_eq!(place.status(), "");
    // The image puts a link where the console goes.
    std::fs::create_dir_all(place.rootfs("dev")).unwrap();
    std::os::unix::fs::symlink("/proc/sysrq-trigger", place.rootfs("dev/console")).unwrap();
    let done = place.sh("echo ran", |config| {
        config["process"]["terminal"] = true.into();
        let mounts = config["mounts"].as_array_mut().unwrap();
        mounts.retain(|m| m["destination"] != "/dev");
    });
    assert_ne!(done.code, 0);
    assert!(!done.out.contains("ran"), "{}", done.out);
    Ok(())
}

fn foreground() -> Result<(), String> {
    let place = Place::new("foreground");
    let done = place.sh("tty; echo shown; exit 4", |config| {
        config["process"]["terminal"] = true.into();
    });
    assert!(
        done.out.contains("/dev/pts/0\r\nshown\r\n"),
        "{:?} {}",
        done.out,
        done.err
    );
    assert_eq!(done.code, 4);
    Ok(())
}
