//! What of a request reaches a learner's program, and what of its answer reaches the browser.

use axum::extract::Request;
use axum::http::header::{
    CONNECTION, CONTENT_LENGTH, COOKIE, HOST, ORIGIN, SET_COOKIE, TRANSFER_ENCODING, UPGRADE,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::pass;
use super::refusal::Refusal;

/// Headers of one connection, which end with it (RFC 9110, 7.6.1), and `Expect`, which is answered
/// here.
const ONE_HOP: [&str; 9] = [
    "connection",
    "expect",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "transfer-encoding",
    "upgrade",
];

/// What only the platform may say about a request.
const FORWARDED: [&str; 6] = [
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-proto",
    "x-real-ip",
];

/// Cookies of ours, which no learner's program sees or sets.
const OURS: [&str; 2] = ["quai", pass::COOKIE];

const FETCH_SITE: &str = "sec-fetch-site";
const FETCH_MODE: &str = "sec-fetch-mode";

/// Refuses what two servers could understand in two ways.
pub(super) fn judge(request: &Request) -> Result<(), Refusal> {
    let headers = request.headers();
    let lengths = headers.get_all(CONTENT_LENGTH).iter().count();
    let codings = headers.get_all(TRANSFER_ENCODING).iter().count();
    if lengths + codings > 1 {
        return Err(Refusal::Ambiguous);
    }
    // An absolute-form target replaces `Host` (RFC 9112, 3.2.2): both must agree.
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    match request.uri().authority() {
        Some(authority) if Some(authority.as_str()) != host => Err(Refusal::Ambiguous),
        _ => Ok(()),
    }
}

/// Refuses what the page of another origin sends: it must not act with the learner's cookie.
///
/// The cookie keeps out other sites by itself; below a common domain other machines' pages are of
/// the same site, and only these headers tell them apart.
pub(super) fn judge_origin(request: &Request) -> Result<(), Refusal> {
    let headers = request.headers();
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let own = |origin: &str| {
        let host = text(HOST.as_str()).unwrap_or_default();
        origin
            .split_once("://")
            .is_some_and(|(_, name)| name == host)
    };
    let origin = text(ORIGIN.as_str());
    let upgrade = headers.contains_key(UPGRADE);
    let reads = matches!(*request.method(), Method::GET | Method::HEAD) && !upgrade;
    let stranger = match (text(FETCH_SITE), text(FETCH_MODE)) {
        // A link from another page leads here; a script, a picture or a frame does not.
        (Some("same-site" | "cross-site"), Some("navigate")) if reads => {
            text("sec-fetch-dest").is_some_and(|destination| destination != "document")
        }
        (Some("same-site" | "cross-site"), _) => true,
        _ if upgrade => !origin.is_some_and(own),
        // A page that hides its address says `null` of itself: it is ours where the browser says so, which it does
        // for trustworthy origins such as `*.localhost` only. Without either header nobody can tell a reader.
        (site, _) => origin.is_some_and(|origin| match origin {
            "null" => !reads && site.is_none(),
            other => !own(other),
        }),
    };
    if stranger {
        Err(Refusal::Stranger)
    } else {
        Ok(())
    }
}

/// Whether a request asks for a websocket; other upgrades are left to one hop, this one.
pub(super) fn wants_websocket(headers: &HeaderMap) -> bool {
    headers
        .get(UPGRADE)
        .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

/// Makes the headers of a request what the program shall see.
pub(super) fn inward(headers: &mut HeaderMap) {
    strip(headers);
    for name in FORWARDED {
        headers.remove(name);
    }
    // The length is said again from the body itself.
    headers.remove(CONTENT_LENGTH);
    hide_cookies(headers);
    if let Some(host) = headers.get(HOST).cloned() {
        headers.insert(HeaderName::from_static("x-forwarded-host"), host);
    }
    let scheme = HeaderValue::from_static("http");
    headers.insert(HeaderName::from_static("x-forwarded-proto"), scheme);
}

/// Makes the headers of an answer what the browser shall see.
pub(super) fn outward(headers: &mut HeaderMap) {
    if headers.contains_key(TRANSFER_ENCODING) {
        // The coding decides where the body ends, and this hop says it in its own way.
        headers.remove(CONTENT_LENGTH);
    }
    strip(headers);
    let cookies: Vec<_> = headers.get_all(SET_COOKIE).iter().cloned().collect();
    headers.remove(SET_COOKIE);
    for cookie in cookies {
        if let Some(cookie) = own_cookie(&cookie) {
            headers.append(SET_COOKIE, cookie);
        }
    }
}

/// Says that this hop changes to websocket frames.
pub(super) fn say_websocket(headers: &mut HeaderMap) {
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
}

fn strip(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        // Nobody may have a request lose its own name.
        .filter(|name| *name != HOST)
        .collect();
    for name in named {
        headers.remove(name);
    }
    for name in ONE_HOP {
        headers.remove(name);
    }
}

fn hide_cookies(headers: &mut HeaderMap) {
    let lines: Vec<_> = headers.get_all(COOKIE).iter().cloned().collect();
    headers.remove(COOKIE);
    for line in lines {
        let Ok(text) = line.to_str() else {
            continue;
        };
        let kept: Vec<&str> = text
            .split(';')
            .map(str::trim)
            .filter(|pair| !pair.is_empty() && !is_ours(pair))
            .collect();
        if let Ok(value) = HeaderValue::from_str(&kept.join("; "))
            && !kept.is_empty()
        {
            headers.append(COOKIE, value);
        }
    }
}

fn is_ours(pair: &str) -> bool {
    let name = pair.split('=').next().unwrap_or_default().trim();
    OURS.contains(&name)
}

/// A cookie that a program sets, for its own origin only; `None` for one that is ours.
fn own_cookie(line: &HeaderValue) -> Option<HeaderValue> {
    let Ok(text) = line.to_str() else {
        return None;
    };
    if is_ours(text) {
        return None;
    }
    let domain = |part: &str| {
        let name = part.split('=').next().unwrap_or_default();
        name.trim().eq_ignore_ascii_case("domain")
    };
    let parts: Vec<&str> = text.split(';').collect();
    let (first, attributes) = parts.split_first()?;
    let kept = attributes.iter().filter(|part| !domain(part));
    let kept: Vec<&str> = std::iter::once(first).chain(kept).copied().collect();
    HeaderValue::from_str(&kept.join(";")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;

    fn request(method: &str, lines: &[(&str, &str)]) -> Request {
        let mut request = Request::builder().method(method).uri("/");
        for (name, value) in lines {
            request = request.header(*name, *value);
        }
        request.body(Body::empty()).unwrap()
    }

    #[test]
    fn lengths_that_disagree_are_refused() {
        let good = [("host", "h"), ("content-length", "3")];
        assert!(judge(&request("POST", &good)).is_ok());
        let twice = [("content-length", "3"), ("content-length", "3")];
        assert!(judge(&request("POST", &twice)).is_err());
        let both = [("content-length", "3"), ("transfer-encoding", "chunked")];
        assert!(judge(&request("POST", &both)).is_err());
        let mut absolute = request("GET", &[("host", "h")]);
        *absolute.uri_mut() = "http://other/".parse().unwrap();
        assert!(judge(&absolute).is_err());
    }

    #[track_caller]
    fn origin(method: &str, lines: &[(&str, &str)], allowed: bool) {
        let mut all = vec![("host", "m-1.localhost:80")];
        all.extend(lines);
        assert_eq!(judge_origin(&request(method, &all)).is_ok(), allowed);
    }

    #[test]
    fn a_page_acts_on_its_own_origin_only() {
        let own = ("origin", "http://m-1.localhost:80");
        let foreign = ("origin", "http://m-2.localhost:80");
        origin("GET", &[], true);
        origin("POST", &[own], true);
        let hidden = ("origin", "null");
        origin("POST", &[hidden, ("sec-fetch-site", "same-origin")], true);
        origin("POST", &[hidden], false);
        origin("GET", &[foreign], false);
        origin("POST", &[foreign], false);
        origin("PUT", &[("origin", "http://127.0.0.1:80")], false);
        let socket = ("upgrade", "websocket");
        origin("GET", &[socket, own], true);
        origin("GET", &[socket, foreign], false);
        origin("GET", &[socket, ("origin", "null")], false);
        origin("GET", &[socket], false);
    }

    #[test]
    fn another_page_may_lead_here_and_not_fetch() {
        let site = |value| ("sec-fetch-site", value);
        let mode = |value| ("sec-fetch-mode", value);
        let to = |value| ("sec-fetch-dest", value);
        let link = [site("cross-site"), mode("navigate"), to("document")];
        origin("GET", &link, true);
        let frame = [site("cross-site"), mode("navigate"), to("iframe")];
        origin("GET", &frame, false);
        origin("POST", &link, false);
        origin("GET", &[site("same-site"), mode("cors")], false);
        origin("GET", &[site("cross-site"), mode("no-cors")], false);
        origin("GET", &[site("same-origin"), mode("cors")], true);
        origin("GET", &[site("none"), mode("navigate")], true);
    }

    #[test]
    fn what_belongs_to_one_hop_or_to_us_does_not_go_on() {
        let mut headers = request(
            "GET",
            &[
                ("host", "h"),
                ("connection", "close, X-Hop, Host"),
                ("x-hop", "1"),
                ("te", "trailers"),
                ("upgrade", "h2c"),
                ("x-forwarded-for", "10.0.0.1"),
                ("cookie", "a=1; quai=secret; quai-publie=secret; b=2"),
                ("x-kept", "1"),
            ],
        )
        .headers()
        .clone();
        inward(&mut headers);
        for gone in ["connection", "x-hop", "te", "upgrade", "x-forwarded-for"] {
            assert!(!headers.contains_key(gone), "{gone}");
        }
        assert_eq!(headers["cookie"], "a=1; b=2");
        assert_eq!(headers["x-kept"], "1");
        assert_eq!(headers["x-forwarded-host"], "h");
        assert_eq!(headers["host"], "h");
    }

    #[test]
    fn a_program_sets_cookies_of_its_own_origin_only() {
        let mut headers = HeaderMap::new();
        for line in [
            "a=1; Path=/; Domain=localhost; HttpOnly",
            "quai-publie=x; Path=/",
            "quai=x",
        ] {
            headers.append(SET_COOKIE, line.parse().unwrap());
        }
        outward(&mut headers);
        let all: Vec<_> = headers.get_all(SET_COOKIE).iter().collect();
        assert_eq!(all, ["a=1; Path=/; HttpOnly"]);
    }
}
