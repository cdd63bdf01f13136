//! The single values of grants: images, names, ports, capabilities, devices.
//! Knows nothing of the keys around them.

use std::net::IpAddr;

use crate::policy::{Glob, PortGrant};

use super::error::{Diagnostic, Report};
use super::places::canonical;
use super::suggest::did_you_mean;
use super::tree::Text;

/// Every capability of Linux 6, capability.h.
const CAPABILITIES: &[&str] = &[
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
];

/// Reports a value; there is none then.
pub(super) fn wrong<T>(report: &mut Report<'_>, text: &Text<'_>, message: String, hint: impl Into<String>) -> Option<T> {
    report.error("bad-value", &text.span, message).hint = Some(hint.into());
    None
}

/// Any pattern.
pub(super) fn glob(text: &Text<'_>, report: &mut Report<'_>) -> Option<Glob> {
    if text.value.is_empty() {
        return wrong(report, text, "a pattern must not be empty".to_owned(), "write a name, or `**` for every name");
    }
    compiled(Glob::new(text.value), text, report)
}

/// Any pattern of what is refused: its stars stop at nothing.
pub(super) fn deny_glob(text: &Text<'_>, report: &mut Report<'_>) -> Option<Glob> {
    if text.value.is_empty() {
        return wrong(report, text, "a pattern must not be empty".to_owned(), "write a name, or `*` for every name");
    }
    compiled(Glob::across_slashes(text.value), text, report)
}

fn compiled<E>(glob: Result<Glob, E>, text: &Text<'_>, report: &mut Report<'_>) -> Option<Glob> {
    match glob {
        Ok(glob) => Some(glob),
        Err(_) => wrong(report, text, "this pattern is too long".to_owned(), "write a shorter one"),
    }
}

/// A pattern of completed repositories. What could never match one is an error: the operator meant something else.
pub(super) fn image(text: &Text<'_>, report: &mut Report<'_>, _: &mut Vec<Diagnostic>) -> Option<Glob> {
    let pattern = text.value;
    let (first, rest) = pattern.split_once('/').map_or((pattern, None), |(first, rest)| (first, Some(rest)));
    let last = pattern.rsplit('/').next().unwrap_or_default();
    let end = pattern.find('@').or_else(|| rest.and_then(|_| last.find(':')).map(|at| pattern.len() - last.len() + at));
    if let Some(bare) = end.and_then(|end| pattern.get(..end)) {
        return wrong(
            report,
            text,
            format!("`{pattern}` has a tag or digest"),
            format!("write `{bare}`: `images` matches the repository alone"),
        );
    }
    let registry = first.contains(['.', ':', '*']) || first == "localhost";
    let whole = match rest {
        None if pattern == "**" => None,
        None if first.contains(':') => Some(format!("docker.io/library/{}", first.split(':').next().unwrap_or_default())),
        None => Some(format!("docker.io/library/{pattern}")),
        Some(_) if !registry => Some(format!("docker.io/{pattern}")),
        Some(rest) if first == "index.docker.io" => Some(format!("docker.io/{rest}")),
        Some(rest) if first == "docker.io" && !rest.contains('/') && !rest.starts_with("**") => Some(format!("docker.io/library/{rest}")),
        Some(_) => None,
    };
    if let Some(whole) = whole {
        return wrong(
            report,
            text,
            format!("`{}` names no registry", pattern.escape_debug()),
            format!("write `{whole}`: images are compared by their whole name"),
        );
    }
    if rest.is_some_and(|rest| rest.bytes().any(|b| b.is_ascii_uppercase())) {
        return wrong(report, text, format!("`{pattern}` has capital letters"), "write it in small letters: repositories have no others");
    }
    glob(text, report)
}

/// A pattern of volume names.
pub(super) fn volume(text: &Text<'_>, report: &mut Report<'_>, _: &mut Vec<Diagnostic>) -> Option<Glob> {
    if text.value.contains('/') {
        return wrong(report, text, format!("`{}` is no name of a volume", text.value.escape_debug()), "grant host paths with `binds`");
    }
    glob(text, report)
}

/// A pattern of network names.
pub(super) fn network(text: &Text<'_>, report: &mut Report<'_>, _: &mut Vec<Diagnostic>) -> Option<Glob> {
    let name = text.value;
    if name == "host" {
        return wrong(
            report,
            text,
            "the network `host` cannot be granted".to_owned(),
            "set `level = \"unrestricted\"`, if containers may use the host's network",
        );
    }
    if name.contains(':') || name.contains('/') {
        return wrong(
            report,
            text,
            format!("`{}` is no name of a network", name.escape_debug()),
            "name a network; other containers' networks cannot be granted",
        );
    }
    glob(text, report)
}

/// `ADDRESS:PORT` or `ADDRESS:FIRST-LAST`
pub(super) fn port(text: &Text<'_>, report: &mut Report<'_>) -> Option<PortGrant> {
    let written = text.value;
    let (address, ports) = written.rsplit_once(':').unwrap_or(("", written));
    let number = |text: &str| text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse::<u16>().ok()).flatten().filter(|port| *port > 0);
    let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
    let Some((first, last)) = number(first).zip(number(last)).filter(|(first, last)| first <= last) else {
        return wrong(
            report,
            text,
            format!("`{}` names no port", written.escape_debug()),
            "write one like `127.0.0.1:8080` or `127.0.0.1:8000-8999`",
        );
    };
    let bare = address.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let parsed =
        bare.map_or_else(|| address.parse::<IpAddr>().ok().filter(IpAddr::is_ipv4), |v6| v6.parse::<IpAddr>().ok().filter(IpAddr::is_ipv6));
    match parsed {
        Some(address) => Some(PortGrant { address, first, last }),
        None if address.parse::<IpAddr>().is_ok() => {
            wrong(report, text, format!("`{written}` has an IPv6 address without brackets"), format!("write `[{address}]:{ports}`"))
        }
        None => {
            let hint = format!("write the address too: `127.0.0.1:{ports}`, or `0.0.0.0:{ports}` for every address");
            wrong(report, text, format!("`{}` names no address", written.escape_debug()), hint)
        }
    }
}

/// A capability, kept without `CAP_`.
pub(super) fn capability(text: &Text<'_>, report: &mut Report<'_>, strict: &mut Vec<Diagnostic>) -> Option<String> {
    let upper = text.value.to_ascii_uppercase();
    let name = upper.strip_prefix("CAP_").unwrap_or(&upper);
    if name == "ALL" {
        let mut diagnostic = report.later("bad-value", &text.span, "`ALL` capabilities amount to root on the host");
        diagnostic.hint = Some("name the ones that are needed, or set `level = \"unrestricted\"`".to_owned());
        strict.push(diagnostic);
    } else if !CAPABILITIES.contains(&name) {
        let hint = did_you_mean(name, CAPABILITIES.iter().copied())
            .unwrap_or_else(|| "names are those of capabilities(7), such as `NET_BIND_SERVICE`".to_owned());
        return wrong(report, text, format!("there is no capability `{}`", text.value.escape_debug()), hint);
    }
    Some(name.to_owned())
}

/// The path of a device.
pub(super) fn device(text: &Text<'_>, report: &mut Report<'_>, _: &mut Vec<Diagnostic>) -> Option<String> {
    let path = text.value;
    if path.contains('*') || !canonical(path) || path == "/" {
        return wrong(
            report,
            text,
            format!("`{}` is no path of one device", path.escape_debug()),
            "write one like `/dev/fuse`, without stars",
        );
    }
    Some(path.to_owned())
}
