//! The figures that dockgate is to reach, and whether it does.
//! Knows nothing of how they were measured.

use super::load::Metric;
use super::peers::Kind;
use super::results::Results;

/// One line of the table.
pub struct Goal {
    pub work: &'static str,
    pub metric: Metric,
    pub bound: Bound,
    /// Each must reach it.
    pub scenarios: &'static [&'static str],
}

/// What is good.
#[derive(Clone, Copy)]
pub enum Bound {
    /// So many times what that peer has, or more.
    AtLeast(f64, Kind),
    AtMost(f64, Kind),
    /// Not more than this, whatever others have.
    Absolute(f64),
}

const SMALL: &[&str] = &["ping-10", "ping-50", "ping-200", "list-2k-10", "list-2k-50", "list-2k-200"];
const EIGHT: &[&str] = &["inspect-8k-10", "inspect-8k-50", "inspect-8k-200"];
const READS: &[&str] =
    &["ping-10", "ping-50", "ping-200", "list-2k-10", "list-2k-50", "list-2k-200", "inspect-8k-10", "inspect-8k-50", "inspect-8k-200"];
const ONE: &[&str] = &["ping-1", "list-2k-1", "inspect-8k-1"];

const RULES: Kind = Kind::HaproxyRules;
const BARE: Kind = Kind::HaproxyBare;

pub const GOALS: &[Goal] = &[
    goal("keep-alive reads (ping, 2 KiB, 8 KiB), 10 to 200 connections", Metric::PerSecond, Bound::AtLeast(2.5, RULES), READS),
    goal("the same, ping and 2 KiB", Metric::PerSecond, Bound::AtLeast(1.0, BARE), SMALL),
    goal("the same, 8 KiB", Metric::PerSecond, Bound::AtLeast(0.9, BARE), EIGHT),
    goal("the same, CPU of a request", Metric::Cpu, Bound::AtMost(0.42, RULES), READS),
    goal("one connection, one request at a time, p50", Metric::P50, Bound::AtMost(1.15, RULES), ONE),
    goal("a connection for each request", Metric::PerSecond, Bound::AtLeast(1.0, RULES), &["connect-1", "connect-10"]),
    goal("200 KiB responses", Metric::PerSecond, Bound::AtLeast(2.0, RULES), &["list-200k-10"]),
    goal("log download, 32 KiB chunks", Metric::MibPerSecond, Bound::AtLeast(1.8, RULES), &["log-32k"]),
    goal("log download, 4 KiB chunks", Metric::MibPerSecond, Bound::AtLeast(0.9, RULES), &["log-4k"]),
    goal("small chunks, 1 ms apart, p50", Metric::P50, Bound::AtMost(1.15, RULES), &["ticks"]),
    goal("small chunks, 1 ms apart, p99", Metric::P99, Bound::AtMost(1.0, RULES), &["ticks"]),
    goal("image load, Content-Length", Metric::MibPerSecond, Bound::AtLeast(1.5, RULES), &["upload-length"]),
    goal("image load, chunked", Metric::MibPerSecond, Bound::AtLeast(1.5, RULES), &["upload-chunked"]),
    goal("tunnel echo, throughput", Metric::MibPerSecond, Bound::AtLeast(1.6, RULES), &["tunnel-echo"]),
    goal("tunnel echo, round trips", Metric::PerSecond, Bound::AtLeast(0.97, RULES), &["tunnel-trip-1", "tunnel-trip-50"]),
    goal("container create of 3 KiB, judged, re-encoded and recorded", Metric::PerSecond, Bound::AtLeast(1.2, RULES), &["create-50"]),
    goal("denied requests", Metric::PerSecond, Bound::AtLeast(1.3, RULES), &["denied-50"]),
    goal("resident memory, idle", Metric::Idle, Bound::Absolute(6.0), &["start"]),
    goal("resident memory of a held tunnel", Metric::Held, Bound::Absolute(16.0), &["held-tunnels-1000", "held-tunnels-5000"]),
    goal("resident memory of a held event stream", Metric::Held, Bound::Absolute(24.0), &["held-events-1000", "held-events-5000"]),
    goal("start to the first accepted request", Metric::Start, Bound::Absolute(8.0), &["start"]),
    goal("binary", Metric::Binary, Bound::Absolute(8.0), &["start"]),
];

const fn goal(work: &'static str, metric: Metric, bound: Bound, scenarios: &'static [&'static str]) -> Goal {
    Goal { work, metric, bound, scenarios }
}

/// How one measurement stands to a goal.
pub struct Standing {
    pub scenario: &'static str,
    pub own: f64,
    /// What it is held against.
    pub other: f64,
    pub ratio: f64,
    pub reached: bool,
}

impl Bound {
    pub fn against(self) -> Option<Kind> {
        match self {
            Self::AtLeast(_, kind) | Self::AtMost(_, kind) => Some(kind),
            Self::Absolute(_) => None,
        }
    }
}

impl Goal {
    /// How that peer stands in each measurement that was made, the worst first.
    pub fn standings(&self, results: &Results, peer: usize) -> Vec<Standing> {
        let mut standings: Vec<Standing> = self.scenarios.iter().filter_map(|scenario| self.standing(results, peer, scenario)).collect();
        standings.sort_by(|left, right| match self.bound {
            Bound::AtLeast(..) => left.ratio.total_cmp(&right.ratio),
            Bound::AtMost(..) | Bound::Absolute(_) => right.ratio.total_cmp(&left.ratio),
        });
        standings
    }

    fn standing(&self, results: &Results, peer: usize, scenario: &'static str) -> Option<Standing> {
        let own = results.median(scenario, peer, self.metric)?;
        let other = match self.bound {
            Bound::Absolute(limit) => limit,
            Bound::AtLeast(_, kind) | Bound::AtMost(_, kind) => results.median(scenario, results.peer(kind)?, self.metric)?,
        };
        let ratio = own / other;
        let reached = match self.bound {
            Bound::AtLeast(least, _) => ratio >= least,
            Bound::AtMost(most, _) => ratio <= most,
            Bound::Absolute(_) => ratio <= 1.0,
        };
        Some(Standing { scenario, own, other, ratio, reached })
    }
}
