//! What Prometheus reads: counters of this engine, in the names and the text format of dockerd's `/metrics`.

use std::fmt::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::runtime::cgroups;

use super::Daemon;
use super::container::State;

/// Upper bounds of the histograms, seconds: those of Prometheus' own libraries.
const BOUNDS: [f64; 11] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

/// What is done to a container, as far as it is timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Changes,
    Commit,
    Create,
    Delete,
    Start,
}

impl Action {
    const ALL: [Self; 5] = [
        Self::Changes,
        Self::Commit,
        Self::Create,
        Self::Delete,
        Self::Start,
    ];

    fn word(self) -> &'static str {
        match self {
            Self::Changes => "changes",
            Self::Commit => "commit",
            Self::Create => "create",
            Self::Delete => "delete",
            Self::Start => "start",
        }
    }
}

/// Counters since the engine began.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    actions: Mutex<[Histogram; 5]>,
    health_checks: AtomicU64,
    failed_health_checks: AtomicU64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Histogram {
    /// How many took at most the bound of the same place.
    buckets: [u64; BOUNDS.len()],
    count: u64,
    sum: f64,
}

impl Histogram {
    fn take(&mut self, seconds: f64) {
        for (bucket, bound) in self.buckets.iter_mut().zip(BOUNDS) {
            *bucket += u64::from(seconds <= bound);
        }
        self.count += 1;
        self.sum += seconds;
    }
}

/// Measures an action until it is dropped; what failed counts too, as in dockerd.
pub(crate) struct Timer<'a> {
    metrics: &'a Metrics,
    action: Action,
    began: Instant,
}

impl Drop for Timer<'_> {
    fn drop(&mut self) {
        self.metrics.took(self.action, self.began.elapsed());
    }
}

impl Metrics {
    /// Begins to measure.
    pub(crate) fn time(&self, action: Action) -> Timer<'_> {
        Timer {
            metrics: self,
            action,
            began: Instant::now(),
        }
    }

    fn took(&self, action: Action, time: Duration) {
        let mut actions = self.actions.lock().expect("no panic while holding it");
        actions[action as usize].take(time.as_secs_f64());
    }

    /// A health test has run.
    pub(crate) fn health_check(&self, exit_code: i64) {
        self.health_checks.fetch_add(1, Ordering::Relaxed);
        if exit_code != 0 {
            self.failed_health_checks.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The text that is scraped, while it is written.
#[derive(Default)]
struct Page(String);

impl Page {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        self.0.push_str(name);
        for (index, (label, value)) in labels.iter().enumerate() {
            let before = if index == 0 { '{' } else { ',' };
            let value = value
                .replace('\\', "\\\\")
                .replace('"', "\\\"")
                .replace('\n', "\\n");
            let _ = write!(self.0, "{before}{label}=\"{value}\"");
        }
        if !labels.is_empty() {
            self.0.push('}');
        }
        let _ = writeln!(self.0, " {value}");
    }

    fn single(&mut self, name: &str, kind: &str, help: &str, value: f64) {
        self.family(name, kind, help);
        self.sample(name, &[], value);
    }

    fn histogram(&mut self, name: &str, action: &str, histogram: &Histogram) {
        let bucket = format!("{name}_bucket");
        for (count, bound) in histogram.buckets.iter().zip(BOUNDS) {
            let labels = [("action", action), ("le", &bound.to_string())];
            self.sample(&bucket, &labels, number(*count));
        }
        let labels = [("action", action), ("le", "+Inf")];
        self.sample(&bucket, &labels, number(histogram.count));
        self.sample(&format!("{name}_sum"), &[("action", action)], histogram.sum);
        let count = number(histogram.count);
        self.sample(&format!("{name}_count"), &[("action", action)], count);
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "the text format knows floating-point numbers only"
)]
fn number(count: u64) -> f64 {
    count as f64
}

impl Daemon {
    /// The whole text that Prometheus scrapes.
    pub(crate) fn scrape(&self) -> String {
        let mut page = Page::default();
        self.scrape_engine(&mut page);
        self.scrape_containers(&mut page);
        scrape_process(&mut page);
        page.0
    }

    fn scrape_engine(&self, page: &mut Page) {
        let version = self.version();
        page.family(
            "engine_daemon_engine_info",
            "gauge",
            "The information related to the engine and the OS it is running on",
        );
        let labels = [
            ("architecture", std::env::consts::ARCH),
            ("commit", version.git_commit.as_str()),
            ("daemon_id", &self.id),
            ("graphdriver", "overlay2"),
            ("kernel", &version.kernel_version),
            ("os_type", "linux"),
            ("version", &version.version),
        ];
        page.sample("engine_daemon_engine_info", &labels, 1.0);
        let cpus = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        page.single(
            "engine_daemon_engine_cpus_cpus",
            "gauge",
            "The number of cpus that the host system of the engine has",
            number(cpus as u64),
        );
        page.single(
            "engine_daemon_engine_memory_bytes",
            "gauge",
            "The number of bytes of memory that the host system of the engine has",
            number(total_memory()),
        );
        let metrics = &self.metrics;
        let read = |counter: &AtomicU64| number(counter.load(Ordering::Relaxed));
        page.single(
            "engine_daemon_events_total",
            "counter",
            "The number of events logged",
            number(self.events.count()),
        );
        page.single(
            "engine_daemon_events_subscribers_total",
            "gauge",
            "The number of current subscribers to events",
            number(self.events.listeners() as u64),
        );
        page.single(
            "engine_daemon_health_checks_total",
            "counter",
            "The total number of health checks",
            read(&metrics.health_checks),
        );
        page.single(
            "engine_daemon_health_checks_failed_total",
            "counter",
            "The total number of failed health checks",
            read(&metrics.failed_health_checks),
        );
        let name = "engine_daemon_container_actions_seconds";
        page.family(
            name,
            "histogram",
            "The number of seconds it takes to process each container action",
        );
        let actions = *metrics.actions.lock().expect("no panic while holding it");
        for action in Action::ALL {
            page.histogram(name, action.word(), &actions[action as usize]);
        }
    }

    fn scrape_containers(&self, page: &mut Page) {
        let containers: Vec<_> = self
            .all_containers()
            .iter()
            .map(|container| container.record())
            .collect();
        let count = |test: fn(&State) -> bool| {
            number(
                containers
                    .iter()
                    .filter(|record| test(&record.state))
                    .count() as u64,
            )
        };
        let name = "engine_daemon_container_states_containers";
        page.family(name, "gauge", "The count of containers in various states");
        let is_paused = |state: &State| matches!(state, State::Paused(_));
        let is_running = |state: &State| matches!(state, State::Running(_));
        let is_stopped = |state: &State| state.process().is_none();
        page.sample(name, &[("state", "paused")], count(is_paused));
        page.sample(name, &[("state", "running")], count(is_running));
        page.sample(name, &[("state", "stopped")], count(is_stopped));
        let used: Vec<_> = containers
            .iter()
            .filter(|record| record.state.process().is_some())
            // A container that ends meanwhile is left out.
            .filter_map(|record| Some((record, cgroups::usage(&self.group_path(record)).ok()?)))
            .collect();
        type Read = fn(&cgroups::Usage) -> f64;
        let families: [(&str, &str, &str, Read); 4] = [
            (
                "engine_container_cpu_seconds_total",
                "counter",
                "Seconds of processor that a container has used",
                |usage| number(usage.cpu) / 1e9,
            ),
            (
                "engine_container_memory_bytes",
                "gauge",
                "Bytes of memory that a container uses",
                |usage| number(usage.memory),
            ),
            (
                "engine_container_pids",
                "gauge",
                "Processes of a container",
                |usage| number(usage.pids),
            ),
            (
                "engine_container_oom_kills_total",
                "counter",
                "Processes of a container that the kernel has killed for want of memory",
                |usage| number(usage.oom_kills),
            ),
        ];
        for (name, kind, help, read) in families {
            page.family(name, kind, help);
            for (record, usage) in &used {
                let labels = [("id", record.id.as_str()), ("name", &record.name)];
                page.sample(name, &labels, read(usage));
            }
        }
    }
}

/// The engine's own process, in the names that Prometheus' libraries use.
fn scrape_process(page: &mut Page) {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let status = read("/proc/self/status");
    let bytes = |field: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(field))?;
        line.split_whitespace().next()?.parse::<u64>().ok()
    };
    let resident = bytes("VmRSS:").unwrap_or(0) * 1024;
    page.single(
        "process_resident_memory_bytes",
        "gauge",
        "Resident memory size in bytes.",
        number(resident),
    );
    let descriptors = std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
    page.single(
        "process_open_fds",
        "gauge",
        "Number of open file descriptors.",
        number(descriptors as u64),
    );
    // Fields 14 and 15, after the name in parentheses; hundredths of a second (proc_pid_stat(5)).
    let stat = read("/proc/self/stat");
    let fields: Vec<_> = stat
        .rsplit_once(')')
        .map_or("", |(_, rest)| rest)
        .split_whitespace()
        .collect();
    let ticks = |index: usize| fields.get(index).and_then(|text| text.parse::<u64>().ok());
    let used = ticks(11).unwrap_or(0) + ticks(12).unwrap_or(0);
    page.single(
        "process_cpu_seconds_total",
        "counter",
        "Total user and system CPU time spent in seconds.",
        number(used) / 100.0,
    );
}

fn total_memory() -> u64 {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = text.lines().next().unwrap_or_default();
    let kilobytes = line
        .split_whitespace()
        .nth(1)
        .and_then(|word| word.parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_counts_below_each_bound() {
        let mut histogram = Histogram::default();
        histogram.take(0.02);
        histogram.take(3.0);
        let mut page = Page::default();
        page.histogram("x", "start", &histogram);
        let lines: Vec<_> = page.0.lines().collect();
        assert!(lines.contains(&"x_bucket{action=\"start\",le=\"0.01\"} 0"));
        assert!(lines.contains(&"x_bucket{action=\"start\",le=\"0.025\"} 1"));
        assert!(lines.contains(&"x_bucket{action=\"start\",le=\"+Inf\"} 2"));
        assert!(lines.contains(&"x_sum{action=\"start\"} 3.02"));
        assert!(lines.contains(&"x_count{action=\"start\"} 2"));
    }

    #[test]
    fn values_of_labels_are_escaped() {
        let mut page = Page::default();
        page.sample("x", &[("a", "q\"\\\n")], 1.0);
        assert_eq!(page.0, "x{a=\"q\\\"\\\\\\n\"} 1\n");
    }
}
