//! `docker image explore`: what each layer holds and changed, and what the image carries without showing it.

use serde_json::Value;

use crate::cli::commands::{Command, Operands};
use crate::cli::error::CliError;
use crate::cli::flags::{Flag, Matches, Order};
use crate::cli::format::amount;
use crate::cli::path::Query;
use crate::cli::{Session, output};

/// The command.
pub(crate) static COMMAND: Command = Command {
    paths: &["image explore"],
    about: "Show what each layer of an image changed, and the space it wastes",
    synopsis: "[OPTIONS] IMAGE",
    flags: &[OPTIONS],
    operands: Operands::Exactly(1),
    order: Order::Anywhere,
    run: |session, matches| Box::pin(run(session, matches)),
};

const OPTIONS: &[Flag] = &[
    Flag::text("format", "\"text\" or \"json\""),
    Flag::int("layer", "Show the files of this layer only, counted from 1"),
];

/// Wasteful paths that the text shows.
const SHOWN: usize = 10;

async fn run(session: &Session, matches: &Matches) -> Result<u8, CliError> {
    let query = Query::new(&["images", &matches.operands[0], "explore"]);
    let image = session.client.get(&query).await?;
    match matches.text("format").unwrap_or("text") {
        "json" => {
            let text = serde_json::to_string_pretty(&image).expect("a JSON document becomes text");
            output::line(&text)?;
        }
        "text" => output::print(&text(&image, matches)?)?,
        other => {
            return Err(CliError::Said(format!(
                "invalid format {other:?}: expected text or json"
            )));
        }
    }
    Ok(0)
}

fn text(image: &Value, matches: &Matches) -> Result<String, CliError> {
    let layers = image["Layers"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    let only = matches.text("layer").map(str::parse::<usize>);
    let only = match only {
        None => None,
        Some(Ok(number)) if (1..=layers.len()).contains(&number) => Some(number),
        Some(_) => {
            return Err(CliError::Said(format!(
                "no such layer: the image has {}",
                layers.len()
            )));
        }
    };
    let mut lines = vec![
        format!("Image:       {}", image["Id"].as_str().unwrap_or_default()),
        format!("Size:        {}", size(&image["Size"])),
        format!(
            "Efficiency:  {:.1} %",
            image["Efficiency"].as_f64().unwrap_or(1.0) * 100.0
        ),
        format!(
            "Wasted:      {} ({:.1} % of what the layers above the first add)",
            size(&image["WastedBytes"]),
            image["WastedUserPercent"].as_f64().unwrap_or_default() * 100.0
        ),
    ];
    for (at, layer) in layers.iter().enumerate() {
        if only.is_none_or(|only| only == at + 1) {
            lines.push(String::new());
            lines.extend(layer_lines(at + 1, layer));
        }
    }
    let waste = image["Waste"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    if only.is_none() && !waste.is_empty() {
        lines.push(String::new());
        lines.push("Written by several layers:".to_owned());
        for one in waste.iter().take(SHOWN) {
            lines.push(format!(
                "{:>9}  {:>2}x  /{}",
                size(&one["Size"]),
                one["Count"],
                word(&one["Path"])
            ));
        }
        if waste.len() > SHOWN {
            lines.push(format!("           and {} more", waste.len() - SHOWN));
        }
    }
    Ok(lines.join("\n") + "\n")
}

fn layer_lines(number: usize, layer: &Value) -> Vec<String> {
    let digest = word(&layer["DiffId"]);
    let digest = digest.strip_prefix("sha256:").unwrap_or(digest);
    let command = word(&layer["CreatedBy"]).replace(['\n', '\t'], " ");
    let mut lines = vec![format!(
        "Layer {number}  {}  {}  {command}",
        digest.get(..12).unwrap_or(digest),
        size(&layer["Size"])
    )];
    for entry in layer["Entries"].as_array().into_iter().flatten() {
        let mark = match word(&entry["Change"]) {
            "added" => '+',
            "modified" => '~',
            _ => '-',
        };
        let path = word(&entry["Path"]);
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let depth = if folder.is_empty() {
            0
        } else {
            folder.matches('/').count() + 1
        };
        let end = match word(&entry["Kind"]) {
            "directory" => "/".to_owned(),
            "link" => format!(" -> {}", word(&entry["Target"])),
            _ => String::new(),
        };
        let bytes = match word(&entry["Kind"]) {
            "directory" => String::new(),
            _ => size(&entry["Size"]),
        };
        lines.push(format!(
            "{mark} {} {:>5}:{:<5} {bytes:>9}  {}{name}{end}",
            permissions(&entry["Kind"], entry["Mode"].as_u64().unwrap_or_default()),
            entry["Uid"],
            entry["Gid"],
            "  ".repeat(depth)
        ));
    }
    lines
}

/// `drwxr-xr-x`
fn permissions(kind: &Value, mode: u64) -> String {
    let mut text = String::from(match word(kind) {
        "directory" => "d",
        "link" => "l",
        "file" => "-",
        "whiteout" => "x",
        _ => "s",
    });
    for (shift, special, letters) in [(6, 0o4000, "sS"), (3, 0o2000, "sS"), (0, 0o1000, "tT")] {
        let bits = mode >> shift;
        text.push(if bits & 4 == 0 { '-' } else { 'r' });
        text.push(if bits & 2 == 0 { '-' } else { 'w' });
        text.push(match (mode & special != 0, bits & 1 != 0) {
            (false, false) => '-',
            (false, true) => 'x',
            (true, true) => letters.chars().next().unwrap_or('s'),
            (true, false) => letters.chars().last().unwrap_or('S'),
        });
    }
    text
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn size(value: &Value) -> String {
    amount::short(value.as_f64().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permissions_read_as_ls_writes_them() {
        for (mode, text) in [
            (0o755, "-rwxr-xr-x"),
            (0o4755, "-rwsr-xr-x"),
            (0o2644, "-rw-r-Sr--"),
            (0o1777, "-rwxrwxrwt"),
        ] {
            assert_eq!(permissions(&"file".into(), mode), text);
        }
    }
}
