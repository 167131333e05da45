//! A context that is an address: the client fetches it, as Docker's own does, with the rights and from the network of
//! whoever called it.

use std::fs::File;

use crate::cli::error::CliError;
use crate::registry::fetch_as_caller;

/// Fetches a file that has no name any more when this returns.
pub(super) async fn fetch(url: &str) -> Result<File, CliError> {
    let path = std::env::temp_dir().join(format!(
        "docker-build-context-{:016x}",
        getrandom::u64().expect("the kernel has random numbers")
    ));
    let fetched = fetch_as_caller(url, &path).await;
    let file = File::open(&path);
    // A fetch that failed early has made none.
    let _ = std::fs::remove_file(&path);
    fetched.map_err(|error| {
        CliError::Said(format!(
            "unable to prepare context: unable to download remote context {url}: {error}"
        ))
    })?;
    file.map_err(|source| CliError::File {
        what: "open",
        path: path.display().to_string(),
        source,
    })
}
