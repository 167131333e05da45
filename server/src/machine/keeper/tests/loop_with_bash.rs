//! What learners rely on, sentence by sentence.

use std::time::{Duration, Instant};

use super::house;
use super::house::{Running, bash, start};

use super::super::wire::FromClient;
use super::SOON;

fn prompt() -> Running {
    start(bash())
}

#[test]
fn a_shell_answers() {
    let house = prompt();
    let mut viewer = house.open("1", None);
    viewer.type_line("echo $((6*7))-fois");
    viewer.wait_for("42-fois");
}

#[test]
fn a_client_that_comes_back_loses_and_doubles_no_byte() {
    let house = prompt();
    let mut first = house.open("1", None);
    first.type_line("stty -echo; PS1=; echo pr''et");
    first.wait_for("pret\r\n");
    let whole = "for i in $(seq 1 4000); do echo ligne-$i; done; echo fin";
    first.type_line(whole);
    first.wait_for("ligne-100\r\n");
    let (seq, mut text) = first.leave();

    let mut second = house.open("1", Some(seq));
    second.type_line("echo re''pris");
    second.wait_for("repris\r\n");
    assert_eq!(second.screens, 0, "the ring still had everything");
    text.push_str(&second.text);
    let got: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("ligne-"))
        .collect();
    let expected: Vec<String> = (1..=4000).map(|i| format!("ligne-{i}")).collect();
    assert_eq!(got, expected);
}

#[test]
fn a_client_that_missed_nothing_is_greeted_at_once() {
    let house = prompt();
    let mut first = house.open("1", None);
    first.type_line("echo de''but; cat");
    first.wait_for("debut\r\n");
    first.idle(Duration::from_millis(300));
    let (seq, _) = first.leave();
    let mut second = house.open("1", Some(seq));
    second.until("a first frame", |viewer| viewer.received > 0);
    assert_eq!((second.screens, second.text.as_str()), (0, ""));
}

#[test]
fn a_client_from_another_life_gets_the_screen() {
    let house = prompt();
    let mut first = house.open("1", None);
    first.type_line("echo marque-$((1+1))");
    first.wait_for("marque-2");
    let mut second = house.open("1", Some(12));
    second.wait_for("marque-2");
    assert_eq!(second.screens, 1);
}

#[test]
fn two_clients_share_a_terminal_and_its_last_size() {
    let house = prompt();
    let mut a = house.open("1", None);
    let mut b = house.open("1", None);
    a.send(&FromClient::Resize { cols: 33, rows: 7 });
    b.type_line("stty size");
    a.wait_for("7 33");
    b.wait_for("7 33");
    assert_eq!(b.size, Some((33, 7)));
    let mut other = house.open("2", None);
    other.type_line("stty size");
    other.wait_for("24 80");
}

#[test]
fn a_stalled_client_stops_the_flow_and_ctrl_c_still_passes() {
    let house = prompt();
    let mut viewer = house.open("1", None);
    viewer.type_line("echo pr''et");
    viewer.wait_for("pret\r\n");
    viewer.acks = house::Acks::Never;
    viewer.type_line("yes");
    viewer.idle(Duration::from_millis(1500));
    let received = viewer.seq - viewer.acked;
    assert!(received >= 100_000, "yes printed {received} bytes");
    assert!(received <= 300 * 1024, "{received} bytes were never drawn");

    viewer.send(&FromClient::Input(vec![3]));
    let asked = Instant::now();
    viewer.acks = house::Acks::Always;
    viewer.ack();
    viewer.wait_for("^C");
    assert!(asked.elapsed() < Duration::from_millis(500));
    viewer.type_line("echo encore-$((2+2))");
    viewer.wait_for("encore-4");
}

#[test]
fn a_stalled_watcher_does_not_hold_the_others_back() {
    let house = prompt();
    let mut stalled = house.open("1", None);
    stalled.acks = house::Acks::Never;
    let mut live = house.open("1", None);
    live.type_line("head -c 3000000 /dev/zero | tr '\\0' x; echo; echo fin-$((3+3))");
    live.wait_for("fin-6");
    stalled.idle(Duration::from_millis(300));
    assert!(stalled.received < 2 * 1024 * 1024);
    stalled.acks = house::Acks::Always;
    stalled.ack();
    stalled.wait_for("fin-6");
    assert!(stalled.screens >= 1);
}

#[test]
fn ctrl_c_passes_before_a_paste_that_nobody_reads() {
    let house = prompt();
    let mut viewer = house.open("1", None);
    viewer.type_line("stty -icanon; echo pr''et; sleep 1000");
    viewer.wait_for("pret\r\n");
    // Bash itself ignores an interrupt that comes before the sleep has begun.
    viewer.idle(Duration::from_millis(300));
    viewer.send(&FromClient::Input(vec![b'x'; 20_000]));
    viewer.send(&FromClient::Input(vec![3]));
    viewer.idle(Duration::from_millis(300));
    viewer.type_line("stty sane; echo libre-$((4+4))");
    viewer.wait_for("libre-8");
}

#[test]
fn a_large_paste_into_a_program_that_prints_does_not_lock_up() {
    let house = prompt();
    let mut viewer = house.open("1", None);
    viewer.type_line("stty raw -echo; echo pr''et; head -c 600000 | tee /dev/null; stty sane");
    viewer.wait_for("pret\n");
    for _ in 0..60 {
        viewer.send(&FromClient::Input(vec![b'z'; 10_000]));
    }
    viewer.type_line("echo colle-$((5+6))");
    viewer.wait_for("colle-11");
}

#[test]
fn an_ended_shell_is_followed_by_another() {
    let house = prompt();
    let mut viewer = house.open("1", None);
    viewer.type_line("printf '\\033[?1049h'; exit");
    viewer.wait_notice(r#"{"shell":"ended"}"#);
    viewer.wait_notice(r#"{"shell":"restarted"}"#);
    viewer.type_line("echo neuf-$((4+5))");
    viewer.wait_for("neuf-9");
    let mut later = house.open("1", None);
    later.wait_for("neuf-9");
    let entered = "\x1b[?1049h";
    assert!(
        !later.text.contains(entered),
        "the alternate screen was left"
    );
}

#[test]
fn a_shell_that_dies_at_once_is_declared_impossible_until_a_key() {
    let house = start(house::command(&["false"]));
    let mut viewer = house.open("1", None);
    let notice = viewer.wait_notice("impossible");
    assert!(notice.contains("why"), "{notice}");
    viewer.send(&FromClient::Input(b"\r".to_vec()));
    viewer.wait_notice(r#"{"shell":"restarted"}"#);
}

#[test]
fn closing_a_terminal_ends_its_shell() {
    let house = prompt();
    let mut viewer = house.open("2", None);
    viewer.type_line("echo pid=$$.");
    viewer.wait_for("pid=");
    let first = viewer.pid();
    viewer.send(&FromClient::Close);
    viewer.wait_notice("closed");
    let mut again = house.open("2", None);
    again.type_line("echo pid=$$.");
    again.wait_for("pid=");
    assert_ne!(again.pid(), first);
    let gone = || !std::path::Path::new(&format!("/proc/{first}")).exists();
    let until = Instant::now() + SOON;
    while !gone() && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(gone(), "shell {first} still runs");
}

#[test]
fn an_editor_survives_a_reconnection() {
    let house = prompt();
    let mut first = house.open("1", None);
    first.type_line("echo avant; printf '\\033[?1049h\\033[H\\033[2JEDIT''EUR'; read -r x; printf '\\033[?1049l'; echo apres-$x");
    first.wait_for("EDITEUR");
    drop(first);
    let mut second = house.open("1", None);
    second.wait_for("EDITEUR");
    assert_eq!(second.screens, 1);
    assert!(second.text.contains("avant"), "the shell lies beneath");
    second.type_line("oui");
    second.wait_for("apres-oui");
}

#[test]
fn a_dishonest_client_is_sent_away_and_others_stay() {
    let house = prompt();
    let mut good = house.open("1", None);
    let mut bad = house.open("1", None);
    bad.send_raw(&u32::MAX.to_be_bytes());
    bad.wait_end();
    let mut unnamed = house.connect(r#"{"open":"terminal","name":"../x","cols":80,"rows":24}"#);
    unnamed.wait_end();
    good.type_line("echo $((5+5))-ok");
    good.wait_for("10-ok");
}

#[test]
fn nobody_looking_does_not_stop_the_shell() {
    let house = prompt();
    let mut viewer = house.open("1", None);
    viewer.type_line("sleep 0.2; seq 1 60000; echo fini-$((6+6))");
    viewer.leave();
    std::thread::sleep(Duration::from_millis(1500));
    let mut back = house.open("1", None);
    back.wait_for("fini-12");
}
