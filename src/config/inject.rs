//! `inject = { … }`: hardening that is added where a client left it out.
//! Knows nothing of how it is added.

use std::net::IpAddr;

use crate::policy::Inject;

use super::error::{Diagnostic, Report};
use super::limits::{SIZES, bounded, measured};
use super::tree::{Item, Table};

/// Every key.
pub(super) const KEYS: &[&str] = &[
    "no-new-privileges",
    "cap-drop-all",
    "pids-limit",
    "memory",
    "cpus",
    "read-only-rootfs",
    "user",
    "ipc-private",
    "cgroupns-private",
    "log-max-size",
    "log-max-file",
    "labels",
    "host-ip",
];

/// The engine refuses less memory than this.
const LEAST_MEMORY: u64 = 6 << 20;
/// The kernel knows no more processes than this, `PID_MAX_LIMIT`.
const MOST_PIDS: u64 = 1 << 22;
/// The kernel's shortest share of a CPU is 1 ms of 100 ms, in billionths of a CPU.
const LEAST_CPUS: u64 = 10_000_000;
/// More CPUs than the kernel can be built for.
const MOST_CPUS: u64 = 8_192_000_000_000;

pub(super) fn read(item: &Item<'_>, report: &mut Report<'_>, _: &mut Vec<Diagnostic>) -> Option<Inject> {
    let table = item.table("`inject`", report)?;
    table.only(KEYS, report);
    Some(Inject {
        no_new_privileges: flag(&table, "no-new-privileges", report),
        cap_drop_all: flag(&table, "cap-drop-all", report),
        pids_limit: one(&table, "pids-limit", report, pids),
        memory: one(&table, "memory", report, memory),
        nano_cpus: one(&table, "cpus", report, cpus),
        read_only_rootfs: flag(&table, "read-only-rootfs", report),
        user: one(&table, "user", report, user),
        ipc_private: flag(&table, "ipc-private", report),
        cgroupns_private: flag(&table, "cgroupns-private", report),
        log_rotation: log_rotation(&table, report),
        labels: one(&table, "labels", report, labels).unwrap_or_default(),
        host_ip: one(&table, "host-ip", report, address),
    })
}

fn one<T>(table: &Table<'_>, key: &str, report: &mut Report<'_>, read: impl Fn(&Item<'_>, &mut Report<'_>) -> Option<T>) -> Option<T> {
    read(&table.get(key)?, report)
}

fn flag(table: &Table<'_>, key: &str, report: &mut Report<'_>) -> bool {
    table.get(key).and_then(|item| item.flag(report)).unwrap_or_default()
}

fn wrong<T>(item: &Item<'_>, report: &mut Report<'_>, message: String, hint: &str) -> Option<T> {
    report.error("bad-value", &item.span, message).hint = Some(hint.to_owned());
    None
}

fn pids(item: &Item<'_>, report: &mut Report<'_>) -> Option<i64> {
    let value = u64::try_from(item.integer(report)?).unwrap_or(0);
    bounded(item, value, (1, MOST_PIDS), "from 1 to 4194304", report).and_then(|value| i64::try_from(value).ok())
}

fn memory(item: &Item<'_>, report: &mut Report<'_>) -> Option<i64> {
    let value = measured(item, SIZES, "512MiB", report)?;
    bounded(item, value, (LEAST_MEMORY, 1 << 50), "from `6MiB`, less is refused by the engine, to `1048576GiB`", report)
        .and_then(|value| i64::try_from(value).ok())
}

/// `"1.5"`, `1.5` or `2`, as billionths.
fn cpus(item: &Item<'_>, report: &mut Report<'_>) -> Option<i64> {
    let Some(text) = item.decimal() else { return item.text(report).and(None) };
    let Some(nano) = billionths(text) else {
        return wrong(
            item,
            report,
            format!("`{}` is no number of CPUs", text.escape_debug()),
            "write one like `\"1.5\"`, with at most nine digits after the point",
        );
    };
    bounded(item, nano, (LEAST_CPUS, MOST_CPUS), "from `0.01` to `8192`", report).and_then(|value| i64::try_from(value).ok())
}

/// A decimal number without sign and exponent, times a billion.
fn billionths(text: &str) -> Option<u64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(part) || part.len() > 9 {
        return None;
    }
    whole.parse::<u64>().ok()?.checked_mul(1_000_000_000)?.checked_add(format!("{part:0<9}").parse().ok()?)
}

/// Numbers only: names stand for what an image says they are.
fn user(item: &Item<'_>, report: &mut Report<'_>) -> Option<String> {
    let text = item.text(report)?;
    let id = |text: &str| text.bytes().all(|b| b.is_ascii_digit()) && text.parse::<i32>().is_ok_and(|id| id > 0) && !text.starts_with('0');
    if text.split_once(':').is_some_and(|(user, group)| id(user) && id(group)) {
        return Some(text.to_owned());
    }
    wrong(
        item,
        report,
        format!("`{}` is no user and group other than root, by number", text.escape_debug()),
        "write one like `65532:65532`, both from 1 to 2147483647",
    )
}

/// The engine takes a number of files only beside a size, and keeps one file where no number is written.
fn log_rotation(table: &Table<'_>, report: &mut Report<'_>) -> Option<(String, u32)> {
    let files = one(table, "log-max-file", report, files);
    let Some(size) = table.get("log-max-size") else {
        if let Some(item) = table.get("log-max-file") {
            report.error("missing-key", &item.key, "`inject` has `log-max-file` and no `log-max-size`").hint =
                Some("add `log-max-size = \"10m\"`: the engine takes the number only with it".to_owned());
        }
        return None;
    };
    Some((log_size(&size, report)?, files.unwrap_or(1)))
}

fn files(item: &Item<'_>, report: &mut Report<'_>) -> Option<u32> {
    let value = u64::try_from(item.integer(report)?).unwrap_or(0);
    bounded(item, value, (1, 1000), "from 1 to 1000", report).and_then(|value| u32::try_from(value).ok())
}

fn log_size(item: &Item<'_>, report: &mut Report<'_>) -> Option<String> {
    let text = item.text(report)?;
    let number = text.strip_suffix(['k', 'm', 'g']);
    let plain = |number: &&str| number.bytes().all(|b| b.is_ascii_digit()) && number.parse::<u32>().is_ok_and(|number| number > 0);
    if number.filter(plain).is_some() {
        return Some(text.to_owned());
    }
    wrong(
        item,
        report,
        format!("`{}` is no size of a log", text.escape_debug()),
        "write one like `10m`, as the engine reads it; units are `k`, `m` and `g`",
    )
}

fn labels(item: &Item<'_>, report: &mut Report<'_>) -> Option<Vec<(String, String)>> {
    if !item.is_table() {
        report.error("wrong-type", &item.span, "`labels` must be a table").hint = Some("write `{ owner = \"ci\" }`".to_owned());
        return None;
    }
    let table = item.table("`inject.labels`", report)?;
    let mut found = Vec::new();
    for label in table.items() {
        if label.name.is_empty() {
            report.error("bad-value", &label.key, "the key of a label must not be empty").hint =
                Some("write `{ owner = \"ci\" }`".to_owned());
        } else if let Some(text) = label.text(report) {
            found.push((label.name.clone(), text.to_owned()));
        }
    }
    Some(found)
}

fn address(item: &Item<'_>, report: &mut Report<'_>) -> Option<String> {
    let text = item.text(report)?;
    match text.parse::<IpAddr>() {
        Ok(address) => Some(address.to_string()),
        Err(_) => wrong(
            item,
            report,
            format!("`{}` is no address", text.escape_debug()),
            "write one like `127.0.0.1` or `::1`, without brackets and port",
        ),
    }
}
