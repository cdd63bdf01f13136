//! Why a door does not open, in words that say what to do.
//! Knows nothing of how doors are opened.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::path::Path;

use rustix::fs::Access;

use crate::config::{Config, Listen};
use crate::proxy::door::{Step, Unbound};

use super::ids::{self, Me};
use super::say::Failure;

/// Ports below this one need a right, where the system has not lowered it.
const PRIVILEGED: u16 = 1024;

/// The failure of a command whose door does not open.
pub fn failure(unbound: &Unbound, config: &Config) -> Failure {
    match (&unbound.listen, unbound.step) {
        (Listen::Tcp(address), _) => tcp(*address, unbound),
        (Listen::Unix(path), Step::Folder) => folder(path, unbound),
        (Listen::Unix(path), Step::Occupied) => occupied(path, unbound),
        (Listen::Unix(path), Step::Served) => Failure::usage(format!("door `{}`: another process serves this socket", unbound.listen))
            .hint(format!("`ss -xlp src {}` shows which one: stop it, or choose another place", path.display())),
        (Listen::Unix(path), Step::Bind | Step::Clear) => socket(path, unbound),
        (Listen::Unix(_), Step::Give) => give(unbound, config),
        (Listen::Unix(_), Step::Open) => plain(unbound),
    }
}

fn plain(unbound: &Unbound) -> Failure {
    Failure::usage(format!("door `{}`: {}", unbound.listen, unbound.error))
}

/// Who tries, and whose the place is.
fn because(place: &Path, unbound: &Unbound) -> String {
    let runs_as = format!("dockgate runs as user {}", ids::user(Me::here().uid));
    match ids::nearest(place) {
        Some((there, owner)) if unbound.error.kind() == ErrorKind::PermissionDenied => {
            format!("permission denied: `{}` {owner}, and {runs_as}", there.display())
        }
        Some(_) | None => unbound.error.to_string(),
    }
}

fn folder(path: &Path, unbound: &Unbound) -> Failure {
    let folder = path.parent().unwrap_or(path);
    let failure = Failure::usage(format!("door `{}`: its folder cannot be made: {}", unbound.listen, because(folder, unbound)));
    writable(failure, folder, unbound)
}

fn socket(path: &Path, unbound: &Unbound) -> Failure {
    let folder = path.parent().unwrap_or(path);
    let failure = Failure::usage(format!("door `{}`: its socket cannot be made: {}", unbound.listen, because(folder, unbound)));
    writable(failure, folder, unbound)
}

/// What makes a folder one in which sockets can be made.
#[allow(clippy::wildcard_enum_match_arm, reason = "the kinds of errors are the system's, and no closed list")]
fn writable(failure: Failure, folder: &Path, unbound: &Unbound) -> Failure {
    let (uid, folder) = (Me::here().uid, folder.display());
    match unbound.error.kind() {
        ErrorKind::PermissionDenied => failure
            .hint(format!("on the host, as root: `install -d -o {uid} -m 0750 {folder}`"))
            .hint(format!("in compose: a volume of its own at `{folder}` that user {uid} may write to, as `dockgate init` writes it")),
        ErrorKind::ReadOnlyFilesystem => failure.hint(format!("mount a volume at `{folder}`")),
        ErrorKind::NotADirectory | ErrorKind::AlreadyExists => failure.hint("a part of the path is a file: choose another place"),
        _ => failure,
    }
}

fn occupied(path: &Path, unbound: &Unbound) -> Failure {
    let failure = |what: &str| Failure::usage(format!("door `{}`: {what} is at this path", unbound.listen));
    if path.is_dir() {
        return failure("a folder")
            .hint("docker makes a folder where the source of a mount is missing: mount the door's folder, and not its socket")
            .hint(format!("remove it (`rmdir {}`), or choose another place", path.display()));
    }
    failure("something that is no socket").hint("dockgate removes nothing but sockets: move it away, or choose another place")
}

/// Files may be given to a group by its members, and to another user by root alone, chown(2).
fn give(unbound: &Unbound, config: &Config) -> Failure {
    let door = config.doors.iter().find(|door| door.listen == unbound.listen);
    let me = Me::here();
    let runs_as = format!("dockgate runs as user {}", ids::user(me.uid));
    let failure =
        |to: &str| Failure::usage(format!("door `{}`: its socket cannot be given to {to}: {}, {runs_as}", unbound.listen, unbound.error));
    match (door.and_then(|door| door.owner).filter(|owner| *owner != me.uid), door.and_then(|door| door.group)) {
        (Some(owner), _) => {
            failure(&format!("user {}", ids::user(owner))).hint("only root can do that: leave out `owner`, or run dockgate as that user")
        }
        (None, Some(gid)) => failure(&format!("group {}, of which that user is no member", ids::group(gid)))
            .hint(format!("in compose: `group_add: [\"{gid}\"]` for dockgate"))
            .hint("or leave out `group`, and add the clients to dockgate's own group"),
        (None, None) => plain(unbound),
    }
}

#[allow(clippy::wildcard_enum_match_arm, reason = "the kinds of errors are the system's, and no closed list")]
fn tcp(address: SocketAddr, unbound: &Unbound) -> Failure {
    let (url, port) = (&unbound.listen, address.port());
    match unbound.error.kind() {
        ErrorKind::AddrInUse => Failure::usage(format!("door `{url}`: port {port} is in use"))
            .hint(format!("`ss -ltnp 'sport = :{port}'` shows by which process: stop it, or choose another port")),
        ErrorKind::PermissionDenied if port < PRIVILEGED => {
            let me = ids::user(Me::here().uid);
            Failure::usage(format!("door `{url}`: port {port} is below {PRIVILEGED}, which user {me} may not open"))
                .hint("choose a port from 1024 on, and publish it under another number where clients need that")
                .hint(format!("or, in compose: `sysctls: {{ net.ipv4.ip_unprivileged_port_start: {port} }}`"))
        }
        // the first where IPv6 is compiled out or switched off at boot, the second where no interface has an address
        _ if address.is_ipv6() && no_ipv6(unbound) => Failure::usage(format!("door `{url}`: there is no IPv6 here: {}", unbound.error))
            .hint(format!("listen on `tcp://{}`", without_ipv6(address))),
        ErrorKind::AddrNotAvailable => Failure::usage(format!("door `{url}`: no interface here has the address {}", address.ip()))
            .hint("`ip address` lists those that there are"),
        _ => plain(unbound),
    }
}

fn no_ipv6(unbound: &Unbound) -> bool {
    /// `EAFNOSUPPORT`, which has no kind of its own.
    const NO_SUCH_FAMILY: i32 = 97;
    unbound.error.raw_os_error() == Some(NO_SUCH_FAMILY) || unbound.error.kind() == ErrorKind::AddrNotAvailable
}

/// The same place in IPv4.
pub fn without_ipv6(address: SocketAddr) -> SocketAddr {
    let ip = if address.ip().is_loopback() { std::net::Ipv4Addr::LOCALHOST } else { std::net::Ipv4Addr::UNSPECIFIED };
    SocketAddr::from((ip, address.port()))
}

/// Why nothing can be made in a folder, or in the first one above it that is there; of a file, why it cannot be written.
pub fn shut(place: &Path) -> Option<io::Error> {
    let (there, _) = ids::nearest(place)?;
    let wanted = if there.is_dir() { Access::WRITE_OK | Access::EXEC_OK } else { Access::WRITE_OK };
    rustix::fs::access(&there, wanted).err().map(io::Error::from)
}

/// The same in words, for other files than doors.
pub fn not_writable(place: &Path) -> Option<String> {
    let error = shut(place)?;
    let (there, owner) = ids::nearest(place)?;
    let there = there.display();
    Some(if error.kind() == ErrorKind::PermissionDenied {
        format!("`{there}` {owner}, and dockgate runs as user {}", ids::user(Me::here().uid))
    } else {
        format!("`{there}`: {error}")
    })
}
