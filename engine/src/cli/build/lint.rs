//! The warnings of a Dockerfile, below a build's progress or alone (`--check`).

use crate::cli::error::CliError;
use crate::cli::output;
use crate::dockerfile;

/// Prints the warnings of a Dockerfile below its progress.
pub(crate) fn warn(text: Option<&[u8]>) {
    let Some(Ok(file)) = text.map(dockerfile::parse) else {
        return;
    };
    let warnings = dockerfile::lint(&file);
    if warnings.is_empty() {
        return;
    }
    let plural = if warnings.len() == 1 { "" } else { "s" };
    output::complain(&format!("\n {} warning{plural} found:", warnings.len()));
    for warning in warnings {
        output::complain(&format!(" - {warning}"));
    }
}

/// `--check`: warnings with the lines they are about; any of them is a failure.
pub(crate) fn check(text: Option<&[u8]>, name: &str) -> Result<u8, CliError> {
    let text = text.ok_or_else(|| {
        CliError::Said("--check needs a Dockerfile that this client can read".into())
    })?;
    let file = dockerfile::parse(text).map_err(|error| CliError::Said(error.rendered()))?;
    let warnings = dockerfile::lint(&file);
    if warnings.is_empty() {
        output::line("Check complete, no warnings found.")?;
        return Ok(0);
    }
    let source = String::from_utf8_lossy(text);
    let lines: Vec<&str> = source.lines().collect();
    let plural = if warnings.len() == 1 {
        " has"
    } else {
        "s have"
    };
    output::line(&format!(
        "Check complete, {} warning{plural} been found!",
        warnings.len()
    ))?;
    for warning in &warnings {
        output::line(&format!(
            "\nWARNING: {:?}\n{}\n{name}:{}",
            warning.rule, warning.message, warning.line
        ))?;
        output::line("--------------------")?;
        let (first, last) = (
            warning.line.saturating_sub(2).max(1),
            (warning.end + 2).min(lines.len()),
        );
        for number in first..=last {
            let mark = if (warning.line..=warning.end).contains(&number) {
                ">>>"
            } else {
                "   "
            };
            output::line(&format!("{number:4} | {mark} {}", lines[number - 1]))?;
        }
        output::line("--------------------")?;
    }
    Ok(1)
}
