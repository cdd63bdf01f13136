//! Paths of the engine's host that must not be mounted by a grant.
//! Knows nothing of requests.

use crate::policy::checks::socket_mount::SOCKETS;

/// Folders that amount to root on the host.
const HOST: &[&str] = &["/etc", "/root", "/proc", "/sys", "/dev", "/run", "/var/run", "/var/lib/docker"];

/// Folders below which everything amounts to root.
const WHOLE: &[&str] = &["/proc", "/sys", "/dev"];

/// True for absolute paths without empty, `.` and `..` parts and without a final slash.
pub(super) fn canonical(path: &str) -> bool {
    path == "/"
        || path.strip_prefix('/').is_some_and(|rest| rest.split('/').all(|part| !matches!(part, "" | "." | "..")) && !rest.contains('\0'))
}

/// Why a canonical path must not be granted below `unrestricted`.
pub(super) fn danger(path: &str) -> Option<String> {
    if let Some(socket) = SOCKETS.iter().find(|socket| is_or_holds(path, socket)) {
        let word = if path == *socket { "is".to_owned() } else { format!("holds `{socket}`,") };
        return Some(format!("`{path}` {word} the socket of an engine"));
    }
    if is_or_holds("/run/user", path) || is_or_holds("/var/run/user", path) {
        return Some(format!("`{path}` can hold the socket of a rootless engine"));
    }
    if let Some(folder) = HOST.iter().find(|folder| is_or_holds(path, folder)) {
        let word = if path == *folder { String::new() } else { format!(" holds `{folder}` and") };
        return Some(format!("`{path}`{word} amounts to root on the host"));
    }
    WHOLE
        .iter()
        .find(|folder| is_or_holds(folder, path))
        .map(|folder| format!("`{path}` is below `{folder}`, which amounts to root on the host"))
}

/// True where the first path is the second or a folder above it.
pub(super) fn is_or_holds(folder: &str, path: &str) -> bool {
    let folder = folder.trim_end_matches('/');
    path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
