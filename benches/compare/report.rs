//! The tables, in Markdown.
//! Knows nothing of what stands in them but its units.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use super::goals::{Bound, GOALS, Goal};
use super::load::Metric;
use super::options::Options;
use super::peers::{Kind, Peer};
use super::results::Results;
use super::scenarios::Scenario;

/// Both tables for what was measured.
pub fn report(results: &Results, scenarios: &[Scenario]) -> String {
    let mut text = String::new();
    for (peer, name, _) in results.peers().filter(|(_, _, kind)| *kind == Kind::Dockgate) {
        goals(name, peer, results, &mut text);
    }
    measurements(results, scenarios, &mut text);
    text
}

fn goals(name: &str, peer: usize, results: &Results, text: &mut String) {
    let _written = writeln!(text, "\n### {name}\n\n| work | figure to reach | reached | medians | |\n|---|---|---|---|---|");
    for goal in GOALS {
        let _written = goal_line(goal, peer, results).map(|line| writeln!(text, "{line}"));
    }
}

/// Where a goal has many measurements, the worst decides, and its medians are shown.
fn goal_line(goal: &Goal, peer: usize, results: &Results) -> Option<String> {
    if goal.scenarios.iter().any(|scenario| results.fault(scenario, peer).is_some()) {
        return Some(format!("| {} | {} | failed | | **missed** |", goal.work, figure(goal)));
    }
    let standings = goal.standings(results, peer);
    let (worst, best) = (standings.first()?, standings.last()?);
    let show = |value| shown(goal.metric, value);
    let (reached, medians) = match goal.bound {
        Bound::Absolute(_) => (show(worst.own), format!("`{}`", worst.scenario)),
        Bound::AtLeast(..) | Bound::AtMost(..) => {
            let range = if standings.len() > 1 { format!(" to {:.2}", best.ratio) } else { String::new() };
            (format!("{:.2}{range} ×", worst.ratio), format!("`{}`: {} against {}", worst.scenario, show(worst.own), show(worst.other)))
        }
    };
    let mark = if worst.reached { "reached" } else { "**missed**" };
    Some(format!("| {} | {} | {reached} | {medians} | {mark} |", goal.work, figure(goal)))
}

fn figure(goal: &Goal) -> String {
    let against = match goal.bound.against() {
        Some(Kind::HaproxyBare) => "HAProxy without rules and log",
        Some(Kind::HaproxyRules) => "HAProxy",
        Some(Kind::Direct | Kind::Dockgate) | None => "",
    };
    match goal.bound {
        Bound::AtLeast(ratio, _) => format!("≥ {ratio} × {against}"),
        Bound::AtMost(ratio, _) => format!("≤ {ratio} × {against}"),
        Bound::Absolute(limit) => format!("≤ {}", shown(goal.metric, limit)),
    }
}

fn shown(metric: Metric, value: f64) -> String {
    match metric {
        Metric::PerSecond if value >= 10_000.0 => format!("{:.1} k/s", value / 1000.0),
        Metric::PerSecond => format!("{value:.0}/s"),
        Metric::MibPerSecond => format!("{value:.0} MiB/s"),
        Metric::P50 | Metric::P99 => format!("{value:.0} µs"),
        Metric::Cpu => format!("{value:.1} µs"),
        Metric::CpuMib => format!("{value:.2} ms/MiB"),
        Metric::Held => format!("{value:.1} KiB"),
        Metric::Idle | Metric::Binary => format!("{value:.1} MiB"),
        Metric::Start => format!("{value:.1} ms"),
    }
}

/// What stands in which column of the second table.
const COLUMNS: [(&str, &[Metric]); 4] = [
    ("rate", &[Metric::PerSecond, Metric::MibPerSecond, Metric::Held, Metric::Start]),
    ("p50", &[Metric::P50, Metric::Idle]),
    ("p99", &[Metric::P99, Metric::Binary]),
    ("CPU", &[Metric::Cpu, Metric::CpuMib]),
];

fn measurements(results: &Results, scenarios: &[Scenario], text: &mut String) {
    let head = "| measurement | proxy | rate, KiB a stream, or start | p50, or idle memory | p99, or binary | CPU | spread |";
    let _written = writeln!(text, "\n### Medians\n\n{head}\n|---|---|---|---|---|---|---|");
    for scenario in scenarios {
        for (peer, name, _) in results.peers().filter(|(peer, ..)| results.measured(scenario.name, *peer)) {
            let cells = match results.fault(scenario.name, peer) {
                Some(fault) => format!("failed: {} | | | |", fault.replace(['|', '\n'], " ")),
                None => cells(results, scenario.name, peer),
            };
            let _written = writeln!(text, "| `{}` | {name} | {cells} |", scenario.name);
        }
    }
}

fn cells(results: &Results, scenario: &str, peer: usize) -> String {
    let present = |metrics: &[Metric]| metrics.iter().copied().find(|metric| results.median(scenario, peer, *metric).is_some());
    let cell = |metrics: &[Metric]| {
        let metric = present(metrics)?;
        Some(shown(metric, results.median(scenario, peer, metric)?))
    };
    let mut cells: Vec<String> = COLUMNS.iter().map(|(_, metrics)| cell(metrics).unwrap_or_default()).collect();
    let spread = COLUMNS.first().and_then(|(_, metrics)| {
        let metric = present(metrics)?;
        let (least, most) = results.spread(scenario, peer, metric)?;
        Some(format!("{} – {}", shown(metric, least), shown(metric, most)))
    });
    cells.push(spread.unwrap_or_default());
    cells.join(" | ")
}

/// The machine and the programs: figures of different ones cannot be compared.
pub fn setting(options: &Options, peers: &[Peer], processors: &str) -> String {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model =
        cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ")).map_or("unknown processor", |(_, name)| name);
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let mut text = format!(
        "{model}, {} processors, Linux {}; {processors}; medians of {} runs of {} s.",
        cpu.lines().filter(|line| line.starts_with("processor")).count(),
        kernel.trim(),
        options.runs,
        options.seconds,
    );
    let haproxy = peers.iter().find(|peer| peer.kind == Kind::HaproxyRules);
    let versions = haproxy.into_iter().chain(peers.iter().filter(|peer| peer.kind == Kind::Dockgate));
    for peer in versions {
        let flag = if peer.kind == Kind::Dockgate { "--version" } else { "-v" };
        let _written = write!(text, " {}: {}.", peer.name.trim_end_matches(", rules"), version(&peer.program, flag));
    }
    text
}

fn version(program: &Path, flag: &str) -> String {
    let output = Command::new(program).arg(flag).output().map(|output| output.stdout).unwrap_or_default();
    let text = String::from_utf8_lossy(&output);
    let line = text.lines().next().unwrap_or("unknown").trim_start_matches("HAProxy version ").trim_start_matches("dockgate ");
    line.split(" - ").next().unwrap_or_default().to_owned()
}
