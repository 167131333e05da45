//! Scripts, style sheets and pictures.

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use rust_embed::RustEmbed;

use crate::app::Shared;
use crate::error::Failure;

/// What the front's bundler made.
#[derive(RustEmbed)]
#[folder = "../web/front/dist"]
struct Built;

/// `GET /assets/{file}`: an address with a digest may be kept for ever.
pub(crate) async fn built(Path(file): Path<String>) -> Result<Response, Failure> {
    let found = Built::get(&file).ok_or(Failure::NotFound)?;
    let mut response = typed(&file, found.data.into_owned()).ok_or(Failure::NotFound)?;
    response.headers_mut().insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("public, max-age=31536000, immutable"),
    );
    Ok(response)
}

/// `GET /cours/{module}/assets/{file}`.
pub(crate) async fn of_module(
    State(app): State<Shared>,
    Path((module, file)): Path<(String, String)>,
) -> Result<Response, Failure> {
    let module = app.course.module(&module).ok_or(Failure::NotFound)?;
    picture(&app, &format!("{}/assets/{file}", module.name), &file)
}

/// `GET /tp/{module}/{tp}/assets/{file}`.
pub(crate) async fn of_exercise(
    State(app): State<Shared>,
    Path((module, tp, file)): Path<(String, String, String)>,
) -> Result<Response, Failure> {
    let place = app.course.exercise(&module, &tp).ok_or(Failure::NotFound)?;
    let folder = format!("{}/{}/assets", place.module.name, place.step.name);
    picture(&app, &format!("{folder}/{file}"), &file)
}

/// Addresses of the built files for the layout.
pub(crate) fn addresses() -> web::pages::Assets {
    let address = |file: &str| match Built::get(file) {
        Some(found) => {
            let digest = found.metadata.sha256_hash();
            let short: String = digest[..6].iter().map(|b| format!("{b:02x}")).collect();
            format!("/assets/{file}?v={short}")
        }
        None => format!("/assets/{file}"),
    };
    web::pages::Assets {
        style: address("style.css"),
        page: address("page.js"),
        checks: address("checks.js"),
        terminal: address("terminal.js"),
        terminal_style: Built::get("terminal.css").map(|_| address("terminal.css")),
    }
}

fn picture(app: &Shared, path: &str, file: &str) -> Result<Response, Failure> {
    // A listed path: `..` and its disguises are simply not in the list.
    let clean = file
        .split('/')
        .all(|part| !part.is_empty() && part != "." && part != "..");
    if !clean || file.contains(['\\', '\0']) {
        return Err(Failure::NotFound);
    }
    let bytes = app.source.read(path).ok_or(Failure::NotFound)?;
    typed(file, bytes.into_owned()).ok_or(Failure::NotFound)
}

/// An answer with the type of its name; names of other types do not exist.
fn typed(file: &str, bytes: Vec<u8>) -> Option<Response> {
    let kind = match file.rsplit_once('.')?.1 {
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "woff2" => "font/woff2",
        "map" => "application/json",
        _ => return None,
    };
    let mut response = Body::from(bytes).into_response();
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    Some(response)
}
