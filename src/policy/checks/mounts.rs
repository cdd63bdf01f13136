//! Host paths, volumes and tmpfs, in every shape in which a body can ask for them.
//! Knows nothing of fields other than Binds, Mounts and Tmpfs.

use crate::docker::Value;
use crate::docker::endpoint::is_object_name;
use crate::policy::create::BindAccess;
use crate::policy::examine::Context;
use crate::policy::verdict::Reason;

use super::{Found, clean_path, first, here, hollow, identity, refuse};

/// The largest tmpfs.
const MAX_TMPFS: u64 = 1 << 30;
/// Where a tmpfs would hide or shadow what the runtime set up; `/dev/shm` is meant for one.
const NO_TMPFS: [&str; 3] = ["/proc", "/sys", "/dev"];
/// Sockets that are root on the host, wherever the engine runs.
const SOCKETS: [&str; 6] = [
    "/var/run/docker.sock",
    "/run/docker.sock",
    "/run/containerd/containerd.sock",
    "/var/run/containerd/containerd.sock",
    "/run/podman/podman.sock",
    "/var/run/podman/podman.sock",
];

/// `Binds`: `/dst`, `source:/dst` or `source:/dst:options`, as the engine's Linux parser splits them.
pub fn binds(context: &Context<'_>, value: &Value) -> Found {
    first(value.items(), |item| bind(context, item.as_text().unwrap_or_default()).map(here))
}

fn bind(context: &Context<'_>, spec: &str) -> Option<Reason> {
    let parts: Vec<&str> = spec.split(':').collect();
    match parts.as_slice() {
        [target] if clean_path(target).is_some() => None,
        [source, _target] => source_of(context, source, ""),
        [source, _target, options] => source_of(context, source, options),
        _ => Some(Reason::HostPath),
    }
}

fn source_of(context: &Context<'_>, source: &str, options: &str) -> Option<Reason> {
    let options: Vec<&str> = options.split(',').filter(|option| !option.is_empty()).collect();
    if is_object_name(source) {
        let plain = options.iter().all(|option| matches!(*option, "ro" | "rw" | "nocopy" | "z" | "Z"));
        return if plain { volume(context, source) } else { Some(Reason::Volume) };
    }
    let access = if options.contains(&"ro") { BindAccess::ReadOnly } else { BindAccess::ReadWrite };
    let private = options.iter().all(|option| matches!(*option, "ro" | "rw" | "private" | "rprivate"));
    host_path(context, source, access).or_else(|| (!private).then_some(Reason::HostPath))
}

/// A named volume needs a grant, and must not be one that holds what dockgate protects.
fn volume(context: &Context<'_>, name: &str) -> Option<Reason> {
    if context.facts.own.volumes.iter().any(|own| own == name) {
        return Some(Reason::SelfProtection);
    }
    let granted = context.create.volumes.iter().any(|grant| grant.matches(name));
    (!granted).then_some(Reason::Volume)
}

/// A host path needs a grant that names it. The engine's sockets and dockgate's own paths are never granted.
fn host_path(context: &Context<'_>, source: &str, access: BindAccess) -> Option<Reason> {
    let Some(path) = clean_path(source) else { return Some(Reason::HostPath) };
    let own = context.facts.own.paths.iter().map(String::as_str);
    if SOCKETS.into_iter().chain(own).any(|secret| holds(&path, secret)) {
        return Some(Reason::SocketMount);
    }
    let granted = context.create.binds.iter().any(|grant| grant.covers(&path, access));
    (!granted).then_some(Reason::HostPath)
}

/// True where a mount of `path` shows `secret`: it is that path or a folder above it.
fn holds(path: &str, secret: &str) -> bool {
    path == "/" || secret == path || secret.strip_prefix(path).is_some_and(|rest| rest.starts_with('/'))
}

/// `Mounts`: every type by its own rules; a type that is not known is refused.
pub fn mounts(context: &Context<'_>, value: &Value) -> Found {
    first(value.items(), |mount| match mount.text("Type") {
        "volume" => volume_mount(context, mount),
        "bind" => bind_mount(context, mount),
        "tmpfs" => tmpfs_mount(mount),
        "image" => image_mount(context, mount),
        _ => Some((Reason::MountType, ".Type".to_owned())),
    })
}

fn volume_mount(context: &Context<'_>, mount: &Value) -> Found {
    let name = mount.text("Source");
    if !name.is_empty() {
        let reason = if is_object_name(name) { volume(context, name) } else { Some(Reason::Volume) };
        if let Some(reason) = reason {
            return Some((reason, ".Source".to_owned()));
        }
    }
    let options = mount.get("VolumeOptions");
    let driver = options.and_then(|options| options.get("DriverConfig"));
    let plain = |driver: &Value| matches!(driver.text("Name"), "" | "local") && driver.get("Options").is_none_or(hollow);
    if driver.is_some_and(|driver| !plain(driver)) {
        return Some((Reason::VolumeDriver, ".VolumeOptions.DriverConfig".to_owned()));
    }
    let subpath = options.is_some_and(|options| !options.text("Subpath").is_empty());
    subpath.then(|| (Reason::MountType, ".VolumeOptions.Subpath".to_owned())).or_else(|| others(mount, "VolumeOptions"))
}

fn bind_mount(context: &Context<'_>, mount: &Value) -> Found {
    let read_only = mount.get("ReadOnly").is_some_and(Value::is_true);
    let access = if read_only { BindAccess::ReadOnly } else { BindAccess::ReadWrite };
    if let Some(reason) = host_path(context, mount.text("Source"), access) {
        return Some((reason, ".Source".to_owned()));
    }
    let options = mount.get("BindOptions").unwrap_or(&Value::Null);
    let private = matches!(options.text("Propagation"), "" | "private" | "rprivate");
    let leaves_writable = read_only && options.get("ReadOnlyNonRecursive").is_some_and(Value::is_true);
    (!private || leaves_writable).then(|| (Reason::HostPath, ".BindOptions".to_owned())).or_else(|| others(mount, "BindOptions"))
}

fn tmpfs_mount(mount: &Value) -> Found {
    let options = mount.get("TmpfsOptions").unwrap_or(&Value::Null);
    let size = options.get("SizeBytes").and_then(Value::as_int).unwrap_or(0);
    let flags = options.get("Options").map(Value::items).unwrap_or_default();
    let plain = |flag: &Value| matches!(flag.texts().collect::<Vec<_>>().as_slice(), ["noexec" | "nosuid" | "nodev" | "ro" | "rw"]);
    if !mount.text("Source").is_empty() {
        return Some((Reason::Tmpfs, ".Source".to_owned()));
    }
    if !(0..=i128::from(MAX_TMPFS)).contains(&size) || !flags.iter().all(plain) {
        return Some((Reason::Tmpfs, ".TmpfsOptions".to_owned()));
    }
    (!tmpfs_place(mount.text("Target"))).then(|| (Reason::Tmpfs, ".Target".to_owned())).or_else(|| others(mount, "TmpfsOptions"))
}

/// An image mount needs its repository among the granted images, and images must be granted at all.
fn image_mount(context: &Context<'_>, mount: &Value) -> Found {
    let source = mount.text("Source");
    let reason = if context.create.images.is_some() { identity::image(context.create, source, None) } else { Some(Reason::Image) };
    let subpath = mount.get("ImageOptions").is_some_and(|options| !hollow(options));
    reason
        .map(|reason| (reason, ".Source".to_owned()))
        .or_else(|| subpath.then(|| (Reason::MountType, ".ImageOptions".to_owned())))
        .or_else(|| others(mount, "ImageOptions"))
}

/// Options that belong to another type of mount are not looked at by its check, so they must be empty.
fn others(mount: &Value, own: &str) -> Found {
    let all = ["BindOptions", "VolumeOptions", "ImageOptions", "TmpfsOptions", "ClusterOptions"];
    let foreign = all.into_iter().find(|name| *name != own && mount.get(name).is_some_and(|options| !hollow(options)));
    foreign.map(|name| (Reason::MountType, format!(".{name}")))
}

/// `Tmpfs`: target to comma-separated options.
pub fn tmpfs(value: &Value) -> Found {
    for (target, options) in value.members() {
        let plain = options.as_text().unwrap_or_default().split(',').all(tmpfs_option);
        if !tmpfs_place(target) || !plain {
            return refuse(Reason::Tmpfs).map(|(reason, _)| (reason, format!(".{target}")));
        }
    }
    None
}

fn tmpfs_place(target: &str) -> bool {
    let Some(path) = clean_path(target) else { return false };
    let below = |root: &str| path == root || path.strip_prefix(root).is_some_and(|rest| rest.starts_with('/'));
    path == "/dev/shm" || (path != "/" && !NO_TMPFS.into_iter().any(below))
}

fn tmpfs_option(option: &str) -> bool {
    match option.split_once('=') {
        Some(("size", size)) => tmpfs_size(size).is_some_and(|bytes| bytes <= MAX_TMPFS),
        Some(("mode" | "uid" | "gid", digits)) => !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()),
        Some(_) => false,
        None => matches!(option, "" | "rw" | "ro" | "noexec" | "nosuid" | "nodev"),
    }
}

/// Bytes, or with the suffixes that the kernel reads (`k`, `m`, `g`); per cent of memory has no bound here.
fn tmpfs_size(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match text.get(digits.len()..)?.to_ascii_lowercase().as_str() {
        "" => 1,
        "k" => 1 << 10,
        "m" => 1 << 20,
        "g" => 1 << 30,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(unit)
}
