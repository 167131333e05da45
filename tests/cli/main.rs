//! The command line in both directions, against what the real `docker` client and a real daemon say.
//!
//! A transcript (`transcripts/*.txt`) is a shell script with its output, recorded from the real
//! client on the real daemon: `UPDATE_TRANSCRIPTS=1` records anew where both are there. Every
//! pair of a client and a daemon must give the same: ours on ours always, the other pairs where
//! the peers are installed (`docker` of version 28, `dockerd` of version 26 or `PEER_DOCKER_HOST`).
//! `differences.txt` lists, with its reason, each step that ends otherwise here.

mod client;
mod completion;
mod coverage;
mod daemon;
mod difference;
mod normal;
mod pair;
mod transcript;

use client::Client;
use daemon::Daemon;
use pair::Pair;

#[test]
fn our_client_on_our_engine() {
    tests::skip!("our_client_on_our_engine", unless: Root, Overlay);
    if let Some(reason) = daemon::missing_image() {
        return tests::host::report("our_client_on_our_engine", &reason);
    }
    let engine = Daemon::ours().expect("our engine starts");
    Pair::new("ours on ours", Client::ours(), &engine).check();
}

#[test]
fn a_real_client_on_our_engine() {
    tests::skip!("a_real_client_on_our_engine", unless: Root, Overlay);
    let missing = daemon::missing_image().or_else(|| Client::real().err());
    if let Some(reason) = missing {
        return tests::host::report("a_real_client_on_our_engine", &reason);
    }
    let client = Client::real().expect("just seen");
    let engine = Daemon::ours().expect("our engine starts");
    Pair::new("real on ours", client, &engine).check();
}

#[test]
fn both_clients_on_a_real_daemon() {
    tests::skip!("both_clients_on_a_real_daemon", unless: Root, Overlay);
    if let Some(reason) = daemon::missing_image() {
        return tests::host::report("both_clients_on_a_real_daemon", &reason);
    }
    let real = match Daemon::real() {
        Ok(daemon) => daemon,
        Err(reason) => return tests::host::report("both_clients_on_a_real_daemon", &reason),
    };
    match Client::real() {
        Ok(client) => {
            let pair = Pair::new("real on real", client, &real);
            if std::env::var_os("UPDATE_TRANSCRIPTS").is_some() {
                pair.record();
            } else {
                pair.check();
            }
        }
        Err(reason) => tests::host::report("both_clients_on_a_real_daemon", &reason),
    }
    Pair::new("ours on real", Client::ours(), &real).check();
}
