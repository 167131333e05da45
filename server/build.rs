//! Makes sure that the embedded folders exist and that a change in them rebuilds the executable.

use std::path::Path;

fn main() -> std::io::Result<()> {
    for folder in ["../web/front/dist", "../content/fr"] {
        std::fs::create_dir_all(folder)?;
        println!("cargo:rerun-if-changed={folder}");
    }
    if !Path::new("../web/front/dist/style.css").exists() {
        println!(
            "cargo:warning=web/front/dist is empty: run `npm ci && npm run build` in web/front, or script/server"
        );
    }
    Ok(())
}
