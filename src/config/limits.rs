//! Sizes, times and counts that bound everything: `[limits]`.
//! Knows nothing of what is bounded.

use std::time::Duration;

use super::error::Report;
use super::tree::{Item, Table};

/// What bounds every connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The largest JSON body, in bytes.
    pub max_json_body: usize,
    /// The longest that a request's head may take.
    pub head_timeout: Duration,
    /// The longest that a JSON body may take.
    pub body_timeout: Duration,
    /// The longest that a connection may wait for its next request.
    pub idle_timeout: Duration,
    /// The longest that open requests may go on after a stop.
    pub drain: Duration,
    /// How many connections may be open at once.
    pub connections: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_json_body: 4 << 20,
            head_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(60),
            drain: Duration::from_secs(8),
            connections: 10_000,
        }
    }
}

/// What bounds one door, beside and below [`Limits`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DoorLimits {
    /// How many connections may be open at once on this door.
    pub connections: Option<usize>,
    /// How many requests a second are served, after a burst of as many.
    pub requests_per_second: Option<u32>,
    /// How many changes may be under way at once.
    pub changes: Option<usize>,
    /// The largest JSON body, in bytes, in place of the global limit.
    pub max_json_body: Option<usize>,
    /// The largest body that is relayed as it comes (builds, archives, images), in bytes.
    pub max_upload: Option<u64>,
    /// The longest that a request's head may take, in place of the global limit.
    pub head_timeout: Option<Duration>,
    /// The longest that a JSON body may take, in place of the global limit.
    pub body_timeout: Option<Duration>,
}

const DOOR_KEYS: &[&str] =
    &["connections", "requests-per-second", "changes", "max-json-body", "max-upload", "head-timeout", "body-timeout"];

/// Reads `[door.limits]`; what is left out is not bounded, or by the global limit alone.
pub(super) fn read_door(table: &Table<'_>, report: &mut Report<'_>) -> DoorLimits {
    table.only(DOOR_KEYS, report);
    let mut number = |key: &str| table.get(key).and_then(|item| count(&item, report));
    let (connections, changes, rate) = (number("connections"), number("changes"), number("requests-per-second"));
    let mut time = |key: &str| table.get(key).and_then(|item| duration(&item, report));
    let (head_timeout, body_timeout) = (time("head-timeout"), time("body-timeout"));
    DoorLimits {
        connections,
        requests_per_second: rate.and_then(|rate| u32::try_from(rate).ok()),
        changes,
        max_json_body: table.get("max-json-body").and_then(|item| size(&item, report)),
        max_upload: table.get("max-upload").and_then(|item| upload(&item, report)),
        head_timeout,
        body_timeout,
    }
}

/// 1 KiB to 1 TiB.
fn upload(item: &Item<'_>, report: &mut Report<'_>) -> Option<u64> {
    let value = measured(item, SIZES, "10GiB", report)?;
    bounded(item, value, (1 << 10, 1 << 40), "from `1KiB` to `1024GiB`", report)
}

const KEYS: &[&str] = &["max-json-body", "head-timeout", "body-timeout", "idle-timeout", "drain-timeout", "connections"];

/// Reads `[limits]`; what is left out keeps its default.
pub(super) fn read(table: &Table<'_>, report: &mut Report<'_>) -> Limits {
    table.only(KEYS, report);
    let default = Limits::default();
    let mut time = |key: &str, default: Duration| table.get(key).and_then(|item| duration(&item, report)).unwrap_or(default);
    let (head_timeout, body_timeout) = (time("head-timeout", default.head_timeout), time("body-timeout", default.body_timeout));
    let (idle_timeout, drain) = (time("idle-timeout", default.idle_timeout), time("drain-timeout", default.drain));
    Limits {
        max_json_body: table.get("max-json-body").and_then(|item| size(&item, report)).unwrap_or(default.max_json_body),
        head_timeout,
        body_timeout,
        idle_timeout,
        drain,
        connections: table.get("connections").and_then(|item| count(&item, report)).unwrap_or(default.connections),
    }
}

/// Units of sizes.
pub(super) const SIZES: &[(&str, u64)] = &[("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("B", 1)];
/// Units of times, in milliseconds.
pub(super) const TIMES: &[(&str, u64)] = &[("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000)];

/// 1 KiB to 64 MiB: below it no create fits, above it one client could take the memory.
fn size(item: &Item<'_>, report: &mut Report<'_>) -> Option<usize> {
    let value = measured(item, SIZES, "4MiB", report)?;
    bounded(item, value, (1 << 10, 64 << 20), "from `1KiB` to `64MiB`", report).and_then(|value| usize::try_from(value).ok())
}

fn duration(item: &Item<'_>, report: &mut Report<'_>) -> Option<Duration> {
    let value = measured(item, TIMES, "10s", report)?;
    bounded(item, value, (1, 24 * 3_600_000), "from `1ms` to `24h`", report).map(Duration::from_millis)
}

fn count(item: &Item<'_>, report: &mut Report<'_>) -> Option<usize> {
    let value = u64::try_from(item.integer(report)?).unwrap_or(0);
    bounded(item, value, (1, 1_000_000), "from 1 to 1000000", report).and_then(|value| usize::try_from(value).ok())
}

/// The value, where it is in range; else it is reported.
pub(super) fn bounded(item: &Item<'_>, value: u64, (least, most): (u64, u64), range: &str, report: &mut Report<'_>) -> Option<u64> {
    let fits = (least..=most).contains(&value);
    if !fits {
        report.error("bad-value", &item.span, format!("`{}` is out of range", item.name)).hint = Some(format!("write a value {range}"));
    }
    fits.then_some(value)
}

/// A number with one of these units.
pub(super) fn measured(item: &Item<'_>, units: &[(&str, u64)], example: &str, report: &mut Report<'_>) -> Option<u64> {
    if let Some((number, _)) = item.whole() {
        let unit = example.trim_start_matches(|c: char| c.is_ascii_digit());
        report.error("wrong-type", &item.span, format!("`{}` has no unit", item.name)).hint = Some(format!("write `\"{number}{unit}\"`"));
        return None;
    }
    let text = item.text(report)?;
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor = units.iter().find(|(name, _)| *name == unit.trim_start()).map(|(_, factor)| *factor);
    let value = factor.and_then(|factor| number.parse::<u64>().ok()?.checked_mul(factor));
    if value.is_none() {
        let names: Vec<&str> = units.iter().map(|(name, _)| *name).collect();
        report.error("bad-value", &item.span, format!("`{}` is no number with a unit", text.escape_debug())).hint =
            Some(format!("write one like `{example}`; units are {}", super::suggest::listed(names)));
    }
    value
}
