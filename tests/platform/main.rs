//! `quai local` as a browser sees it, as another site's page would attack it, and as its owner mistreats it.

mod bare;
mod by_hand;
mod containers;
mod forgeries;
mod joined;
mod machines;
mod mistreatment;
mod published;
mod refusals;
mod robustness;
mod uplink;

use tests::engine::catalogue;
use tests::host::{self, Need};
use tests::platform::Platform;

/// A TP that every course begins with.
const EXERCISE: &str = "/tp/prise-en-main/mon-premier-conteneur";

/// A server, or `None` with a printed reason where this host or this call cannot have one.
#[track_caller]
fn platform(test: &str, options: &[&str]) -> Option<Platform> {
    if host::lacks(test, &[Need::Root, Need::Overlay, Need::Loop]) {
        return None;
    }
    let Some(catalogue) = catalogue() else {
        host::report(
            test,
            "QUAI_STORE names no store with the base images (script/test makes one)",
        );
        return None;
    };
    Some(
        Platform::start(&catalogue, options)
            .expect("the server starts on a host that has what it needs"),
    )
}
