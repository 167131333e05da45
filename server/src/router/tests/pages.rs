//! Pages, headers and refusals.

use super::site::Site;
use crate::app::Lack;

#[track_caller]
fn expect(answer: &str, status: u16, words: &[&str]) {
    let line = format!("HTTP/1.1 {status} ");
    assert!(answer.starts_with(&line), "{answer}");
    for word in words {
        assert!(answer.contains(word), "no {word:?} in {answer}");
    }
}

#[tokio::test]
async fn every_page_is_french_html_with_its_guards() {
    let site = Site::start("router-pages").await;
    for path in [
        "/",
        "/cours/essai",
        "/cours/essai/page",
        "/tp/essai/tp",
        "/nulle-part",
    ] {
        let answer = site.get(path).await;
        let head = answer
            .split("\r\n\r\n")
            .next()
            .unwrap()
            .to_ascii_lowercase();
        for guard in [
            "content-security-policy: default-src 'none'; script-src 'self';",
            "frame-ancestors 'none'",
            "x-content-type-options: nosniff",
            "referrer-policy: no-referrer",
            "cache-control: no-store",
        ] {
            assert!(head.contains(guard), "{path}: no {guard} in {head}");
        }
        assert!(!head.contains("unsafe"), "{path}: {head}");
        assert!(answer.contains("<html lang=\"fr\">"), "{path}");
        assert!(!answer.contains("<script>x"), "{path}");
        assert!(
            !answer.contains(" style=\"") && !answer.contains("onclick"),
            "{path}"
        );
    }
}

#[tokio::test]
async fn what_is_broken_says_where_and_leaves_the_rest() {
    let site = Site::start("router-broken").await;
    expect(
        &site.get("/cours/essai/cassee").await,
        200,
        &["02-cassee.md:1:"],
    );
    expect(
        &site.get("/tp/essai/casse").await,
        200,
        &["04-casse/tp.md:3:", "titel"],
    );
    expect(&site.get("/").await, 200, &["04-casse/tp.md:3:", "Essai"]);
    expect(
        &site.get("/cours/essai").await,
        200,
        &["Une page", "défaut"],
    );
    expect(&site.get("/cours/essai/page").await, 200, &["Une page"]);
}

#[tokio::test]
async fn an_exercise_this_host_cannot_run_says_why_and_opens_nothing() {
    let lack = Lack {
        capability: "apparmor".into(),
        reason: "AppArmor absent".into(),
    };
    let site = Site::with_lacks("router-lacks", vec![lack]).await;
    let answer = site.get("/tp/essai/exigeant").await;
    expect(&answer, 200, &["AppArmor absent"]);
    assert!(!answer.contains("terminal.js"), "{answer}");
    assert!(site.get("/tp/essai/tp").await.contains("terminal.js"));
}

#[tokio::test]
async fn addresses_that_lead_nowhere_are_404() {
    let site = Site::start("router-404").await;
    for path in [
        "/cours/zut",
        "/cours/essai/zut",
        "/tp/essai/page",
        "/cours/essai/tp",
        "/tp/zut/tp",
        "/assets/zut.js",
        "/cours/essai/assets/../index.md",
        "/cours/essai/assets/..%2findex.md",
        "/tp/essai/tp/assets/../tp.md",
        "/tp/essai/tp/assets/%2e%2e/tp.md",
        "/tp/essai/tp/assets/..%5ctp.md",
        "/assets/..%2f..%2fpackage.json",
        "/assets/%00",
    ] {
        expect(&site.get(path).await, 404, &[]);
    }
}

#[tokio::test]
async fn other_sites_change_nothing() {
    let site = Site::start("router-csrf").await;
    let reset = "POST /tp/essai/tp/recommencer HTTP/1.1\r\n";
    for origin in [
        "",
        "Origin: null\r\n",
        "Origin: http://evil.example\r\n",
        "Origin: http://127.0.0.1:1\r\n",
        "Origin: http://localhost\r\n",
    ] {
        expect(&site.send(reset, origin).await, 403, &[]);
    }
    let address = site.address;
    let socket = |origin: &str| {
        format!(
            "{origin}Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: a\r\n"
        )
    };
    for path in ["/tp/essai/tp/checks", "/tp/essai/tp/terminal/1"] {
        let line = format!("GET {path} HTTP/1.1\r\n");
        for origin in ["", "Origin: http://evil.example\r\n"] {
            expect(&site.send(&line, &socket(origin)).await, 403, &[]);
        }
        // Our origin, but not a websocket handshake.
        let ours = format!("Origin: http://{address}\r\n");
        let answer = site.send(&line, &ours).await;
        assert!(answer.starts_with("HTTP/1.1 4"), "{answer}");
    }
}

#[tokio::test]
async fn a_change_needs_a_session() {
    let mut site = Site::start("router-session").await;
    expect(&site.post("/cours/essai/page/lu").await, 204, &[]);
    site.forget_session();
    expect(
        &site.post("/cours/essai/page/lu").await,
        403,
        &["Rechargez"],
    );
}

#[tokio::test]
async fn a_page_read_to_its_end_is_remembered() {
    let site = Site::start("router-read").await;
    assert!(site.get("/").await.contains("0/2 pages"));
    expect(&site.post("/cours/essai/page/lu").await, 204, &[]);
    assert!(site.get("/").await.contains("1/2 pages"));
    expect(&site.get("/cours/essai/page").await, 200, &["data-read>"]);
}
