//! Progress of transfers, in the messages that Docker's clients draw as bars.

use tokio::sync::mpsc;

use crate::api::types::{Progress, ProgressDetail};

/// Where progress goes. A client that left does not stop the pull.
#[derive(Clone, Debug)]
pub struct ProgressSink(mpsc::UnboundedSender<Progress>);

impl ProgressSink {
    /// A sink and its other end.
    pub fn new() -> (Self, mpsc::UnboundedReceiver<Progress>) {
        let (give, take) = mpsc::unbounded_channel();
        (Self(give), take)
    }

    /// Tells a status about something.
    pub(crate) fn status(&self, id: &str, status: impl Into<String>) {
        self.send(Progress {
            status: Some(status.into()),
            id: (!id.is_empty()).then(|| id.to_owned()),
            ..Progress::default()
        });
    }

    /// Tells a status with an empty detail, as Docker does between two bars.
    pub(crate) fn step(&self, id: &str, status: &str) {
        self.detail(id, status, ProgressDetail::default(), None);
    }

    /// Tells how far a transfer has come.
    pub(crate) fn bar(&self, id: &str, status: &str, current: u64, total: u64) {
        let detail = ProgressDetail {
            current: Some(current),
            total: Some(total),
        };
        self.detail(id, status, detail, Some(bar(current, total)));
    }

    fn detail(&self, id: &str, status: &str, detail: ProgressDetail, progress: Option<String>) {
        self.send(Progress {
            status: Some(status.to_owned()),
            id: Some(id.to_owned()),
            progress_detail: Some(detail),
            progress,
            ..Progress::default()
        });
    }

    /// Waits until nobody looks any more.
    pub(crate) async fn abandoned(&self) {
        self.0.closed().await;
    }

    /// Sends a message.
    pub(crate) fn send(&self, progress: Progress) {
        // Nobody looks any more; the work is still worth finishing.
        let _ = self.0.send(progress);
    }
}

/// `[====>   ]  1.2MB/3MB`, as Docker draws it for old clients.
fn bar(current: u64, total: u64) -> String {
    let filled = usize::try_from(current.saturating_mul(50) / total.max(1))
        .unwrap_or(50)
        .min(50);
    let head = if filled < 50 { ">" } else { "" };
    let spaces = 50 - filled - head.len();
    format!(
        "[{}{head}{}] {:>7}/{}",
        "=".repeat(filled),
        " ".repeat(spaces),
        size(current),
        size(total)
    )
}

/// Four digits and a decimal unit: `1.982MB`.
fn size(bytes: u64) -> String {
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1000.0 && unit < 4 {
        value /= 1000.0;
        unit += 1;
    }
    let digits = match value {
        value if value >= 100.0 => 1,
        value if value >= 10.0 => 2,
        _ => 3,
    };
    let text = format!("{value:.digits$}");
    let text = if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.')
    } else {
        &text
    };
    format!("{text}{}", ["B", "kB", "MB", "GB", "TB"][unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_have_a_fixed_width() {
        assert_eq!(bar(0, 100), format!("[>{}]      0B/100B", " ".repeat(49)));
        assert_eq!(bar(100, 100), format!("[{}]    100B/100B", "=".repeat(50)));
    }

    #[test]
    fn sizes_have_four_digits() {
        for (bytes, text) in [
            (0, "0B"),
            (999, "999B"),
            (1_982_256, "1.982MB"),
            (12_345_678, "12.35MB"),
        ] {
            assert_eq!(size(bytes), text);
        }
    }
}
