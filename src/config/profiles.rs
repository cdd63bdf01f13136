//! The single values of grants about how things run: kernel parameters, runtimes, profiles, secrets, users, commands.
//! Knows nothing of the keys around them.

use crate::policy::{CommandPattern, Glob};

use super::error::{Diagnostic, Report};
use super::suggest::did_you_mean;
use super::tree::Text;
use super::values::{glob, wrong};

/// Kernel parameters outside of `net.` and `fs.mqueue.` that belong to a container's own namespaces, as runc knows them.
const NAMESPACED: &[&str] = &[
    "kernel.domainname",
    "kernel.msgmax",
    "kernel.msgmnb",
    "kernel.msgmni",
    "kernel.sem",
    "kernel.shm_rmid_forced",
    "kernel.shmall",
    "kernel.shmmax",
    "kernel.shmmni",
];

/// A kernel parameter, by exact name. One that is the whole host's could never be set.
pub(super) fn sysctl(text: &Text<'_>, report: &mut Report<'_>, _: &mut Vec<Diagnostic>) -> Option<String> {
    let name = text.value;
    let shown = name.escape_debug();
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    if name.is_empty() || !name.bytes().all(plain) {
        let hint = match name.split_once('=') {
            Some((name, _)) => format!("write `{}`: values are not looked at", name.trim()),
            None => "write one name, such as `net.core.somaxconn`, without stars".to_owned(),
        };
        return wrong(report, text, format!("`{shown}` is no name of a kernel parameter"), hint);
    }
    let own = ["net.", "fs.mqueue."].iter().any(|start| name.strip_prefix(start).is_some_and(|rest| !rest.is_empty()));
    if !own && !NAMESPACED.contains(&name) {
        let hint = did_you_mean(name, NAMESPACED.iter().copied())
            .unwrap_or_else(|| "only `net.…`, `fs.mqueue.…` and those of System V IPC can be set for one container".to_owned());
        return wrong(report, text, format!("`{shown}` is no kernel parameter that a container has of its own"), hint);
    }
    Some(name.to_owned())
}

/// The name of a runtime.
pub(super) fn runtime(text: &Text<'_>, report: &mut Report<'_>, _: &mut Vec<Diagnostic>) -> Option<String> {
    exact(text, "runtime", "runsc", report)
}

/// The name of a log driver; those of plugins have slashes and tags.
pub(super) fn log_driver(text: &Text<'_>, report: &mut Report<'_>, _: &mut Vec<Diagnostic>) -> Option<String> {
    exact(text, "log driver", "journald", report)
}

fn exact(text: &Text<'_>, what: &str, example: &str, report: &mut Report<'_>) -> Option<String> {
    let name = text.value;
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'/' | b':');
    if name.is_empty() || name.starts_with('/') || !name.bytes().all(plain) {
        let hint = format!("write one name, such as `{example}`, without stars");
        return wrong(report, text, format!("`{}` is no name of a {what}", name.escape_debug()), hint);
    }
    Some(name.to_owned())
}

/// `seccomp=sha256:…` or `apparmor=NAME`
pub(super) fn security_opt(text: &Text<'_>, report: &mut Report<'_>, strict: &mut Vec<Diagnostic>) -> Option<String> {
    let written = text.value;
    match written.split_once('=') {
        Some(("seccomp", profile)) => seccomp(profile, text, report),
        Some(("apparmor", "unconfined")) => {
            let mut diagnostic = report.later("bad-value", &text.span, "`apparmor=unconfined` is no profile: it turns AppArmor off");
            diagnostic.hint = Some("name a profile that the engine's host has loaded".to_owned());
            strict.push(diagnostic);
            Some(written.to_owned())
        }
        Some(("apparmor", name)) if !name.is_empty() && !name.contains(['*', ' ', '=']) => Some(written.to_owned()),
        found => {
            let kind = found.map_or_else(|| written.split(':').next().unwrap_or_default(), |(kind, _)| kind);
            let hint = did_you_mean(kind, ["seccomp", "apparmor"].into_iter().filter(|known| *known != kind))
                .unwrap_or_else(|| "write `seccomp=sha256:DIGEST` or `apparmor=NAME`; nothing else can be granted".to_owned());
            wrong(report, text, format!("`{}` is no profile", written.escape_debug()), hint)
        }
    }
}

fn seccomp(profile: &str, text: &Text<'_>, report: &mut Report<'_>) -> Option<String> {
    let digest = profile.strip_prefix("sha256:").filter(|digest| digest.len() == 64 && digest.bytes().all(|b| b.is_ascii_hexdigit()));
    match digest {
        Some(digest) => Some(format!("seccomp=sha256:{}", digest.to_ascii_lowercase())),
        None => wrong(
            report,
            text,
            format!("`{}` names no seccomp profile", text.value.escape_debug()),
            "write `seccomp=sha256:` and the 64 hexadecimal digits of the SHA-256 of the JSON that clients send",
        ),
    }
}

/// A pattern of names of secrets or configs.
pub(super) fn secret(text: &Text<'_>, report: &mut Report<'_>, _: &mut Vec<Diagnostic>) -> Option<Glob> {
    if text.value.contains(['/', ':', ' ']) {
        return wrong(
            report,
            text,
            format!("`{}` is no name of a secret or config", text.value.escape_debug()),
            "write names or patterns such as `ci-*`",
        );
    }
    glob(text, report)
}

/// A pattern of users, as clients write them.
pub(super) fn user(text: &Text<'_>, report: &mut Report<'_>, _: &mut Vec<Diagnostic>) -> Option<Glob> {
    if text.value.contains(['/', ' ']) {
        return wrong(
            report,
            text,
            format!("`{}` is no user", text.value.escape_debug()),
            "write names, numbers or patterns such as `1000:*`",
        );
    }
    glob(text, report)
}

/// A command, word by word.
pub(super) fn command(text: &Text<'_>, report: &mut Report<'_>, _: &mut Vec<Diagnostic>) -> Option<CommandPattern> {
    let pattern = text.value;
    if pattern.split_whitespace().next().is_none() {
        return wrong(report, text, "a command must not be empty".to_owned(), "write one like `pg_dump **`");
    }
    let quoted = |word: &str| word.starts_with(['\'', '"']) || word.ends_with(['\'', '"']);
    if pattern.split_whitespace().any(quoted) {
        return wrong(
            report,
            text,
            "this command has quotes, and they would stand for themselves".to_owned(),
            "words are what stands between blanks: write `**` for one that holds blanks itself",
        );
    }
    match CommandPattern::new(pattern) {
        Ok(pattern) => Some(pattern),
        Err(_) => wrong(report, text, "this pattern is too long".to_owned(), "write a shorter one"),
    }
}
