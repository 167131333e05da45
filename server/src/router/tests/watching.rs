//! Verdicts: from the keeper's socket to every tab and into the database.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

use super::site::{Keeper, Site};
use crate::session::LearnerId;

const CHECKS: &str = "/tp/essai/tp/checks";

impl Site {
    /// Starts the machine, as the first terminal would.
    async fn machine(&self) {
        let tp = self.app.course.tp("essai", "tp").unwrap();
        self.app
            .pool
            .lease(&LearnerId::local(), &tp.exercise)
            .await
            .unwrap();
    }

    /// The next connection that opens a watch, with its opening line.
    async fn watch(&mut self) -> (Keeper, Value) {
        loop {
            let mut keeper = timeout(Duration::from_secs(5), self.keepers.recv())
                .await
                .expect("a connection")
                .unwrap();
            // The pool only looks whether the socket answers.
            if let Some(line) = keeper.lines.next_line().await.unwrap() {
                return (keeper, serde_json::from_str(&line).unwrap());
            }
        }
    }
}

impl Keeper {
    async fn say(&mut self, message: Value) {
        let line = format!("{message}\n");
        self.write.write_all(line.as_bytes()).await.unwrap();
    }

    async fn hear(&mut self) -> Value {
        let line = timeout(Duration::from_secs(5), self.lines.next_line()).await;
        serde_json::from_str(&line.expect("a line").unwrap().unwrap()).unwrap()
    }
}

fn pass(check: &str) -> Value {
    json!({ "check": check, "verdict": { "status": "pass" }, "facts": {} })
}

#[tokio::test]
async fn verdicts_reach_every_tab_and_the_database() {
    let mut site = Site::start("watch-fan-out").await;
    let mut one = site.tab(CHECKS).await;
    assert_eq!(one.until("machine").await["state"], "absent");
    site.machine().await;
    let (mut keeper, opening) = site.watch().await;
    assert_eq!(opening["open"], "watch");
    assert_eq!(opening["exercise"]["id"], "essai/tp");
    let mut two = site.tab(CHECKS).await;
    keeper.say(pass("a")).await;
    keeper
        .say(json!({ "solved": false, "headline": "b" }))
        .await;
    for tab in [&mut one, &mut two] {
        let item = tab.until("item").await;
        assert_eq!((&item["id"], &item["state"]), (&json!("a"), &json!("pass")));
        assert_eq!(tab.until("round").await["headline"], "b");
    }
    let page = site.get("/tp/essai/tp").await;
    assert!(
        page.contains("data-check=\"a\" data-needs=\"\" data-state=\"pass\""),
        "{page}"
    );
}

#[tokio::test]
async fn a_late_tab_is_told_everything_and_a_new_watch_what_was_passed() {
    let mut site = Site::start("watch-late").await;
    let mut one = site.tab(CHECKS).await;
    site.machine().await;
    let (mut keeper, _) = site.watch().await;
    keeper.say(pass("a")).await;
    one.until("item").await;
    let mut late = site.tab(CHECKS).await;
    assert_eq!(late.until("item").await["id"], "a");
    // The watcher dies: the next one is told what was green.
    drop(keeper);
    let (_keeper, opening) = site.watch().await;
    assert_eq!(opening["passed"], json!(["a"]));
}

#[tokio::test]
async fn wishes_reach_the_watcher_and_answers_are_kept() {
    let mut site = Site::start("watch-wishes").await;
    let mut tab = site.tab(CHECKS).await;
    site.machine().await;
    let (mut keeper, _) = site.watch().await;
    tab.send("{\"verify\":true}").await;
    assert_eq!(keeper.hear().await, json!({ "verify": true }));
    tab.send("{\"answer\":{\"id\":\"q\",\"value\":\"3\"}}")
        .await;
    assert_eq!(
        keeper.hear().await,
        json!({ "answer": { "id": "q", "value": "3" } })
    );
    keeper
        .say(json!({ "question": "q", "verdict": { "status": "pass" } }))
        .await;
    assert_eq!(tab.until("item").await["id"], "q");
    keeper
        .say(json!({ "solved": true, "headline": null }))
        .await;
    assert_eq!(tab.until("round").await["solved"], true);
    let page = site.get("/tp/essai/tp").await;
    assert!(
        page.contains("value=\"3\"") && page.contains("TP réussi."),
        "{page}"
    );
}

#[tokio::test]
async fn starting_again_forgets_verdicts_and_keeps_the_solved_mark() {
    let mut site = Site::start("watch-reset").await;
    let mut tab = site.tab(CHECKS).await;
    site.machine().await;
    let (mut keeper, _) = site.watch().await;
    keeper.say(pass("a")).await;
    keeper
        .say(json!({ "solved": true, "headline": null }))
        .await;
    tab.until("round").await;
    let answer = site.post("/tp/essai/tp/recommencer").await;
    assert!(answer.starts_with("HTTP/1.1 204"), "{answer}");
    tab.until("reset").await;
    let (_keeper, opening) = site.watch().await;
    assert_eq!(opening["passed"], json!([]));
    let page = site.get("/tp/essai/tp").await;
    assert!(
        page.contains("data-check=\"a\" data-needs=\"\" data-state=\"pending\""),
        "{page}"
    );
    assert!(site.get("/").await.contains("1/3 TP"));
}

#[tokio::test]
async fn what_no_page_sends_closes_the_socket_and_nothing_else() {
    let mut site = Site::start("watch-odd").await;
    let mut odd = site.tab(CHECKS).await;
    let mut good = site.tab(CHECKS).await;
    site.machine().await;
    let (mut keeper, _) = site.watch().await;
    odd.send("{\"format\":\"disk\"}").await;
    keeper.say(json!("nonsense")).await;
    keeper.say(pass("a")).await;
    assert_eq!(good.until("item").await["id"], "a");
}
