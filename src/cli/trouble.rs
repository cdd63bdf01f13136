//! What goes wrong between dockgate and the engine, in words that say what to do.
//! Knows nothing of what the engine was asked for.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::proxy::Upstream;
use crate::proxy::upstream::{Address, UpstreamError};

use super::ids::{self, Me, Owner};
use super::say::Failure;

/// Why the engine does not answer.
#[derive(Debug)]
pub enum Trouble {
    /// Nothing is at the socket's path.
    Missing(PathBuf),
    /// A folder is there.
    Folder(PathBuf),
    /// Something else than a socket is there.
    NoSocket(PathBuf),
    /// Its access bits keep this process out.
    Denied(PathBuf, Owner, Me),
    /// A folder on the way to it does.
    Closed(PathBuf, PathBuf, Owner, Me),
    /// Its access bits let this process in, and something else does not.
    Forbidden(PathBuf, Me),
    /// The engine that made it has ended.
    Stale(PathBuf),
    /// Nobody answers at that address.
    Unreachable(String, io::Error),
    /// It took the question and said nothing.
    Silent(String, Duration),
    /// It speaks no HTTP.
    Strange(String, String),
    /// It speaks HTTP and is no engine.
    NoEngine(String, String),
}

impl Trouble {
    /// What kept the engine's answer away.
    pub fn of(upstream: &Upstream, error: &UpstreamError) -> Self {
        let place = place(upstream);
        match (upstream.address(), error) {
            (Address::Unix(path), UpstreamError::Connect(error)) => {
                Self::socket(path, error).unwrap_or_else(|| Self::unreachable(place, error))
            }
            (_, UpstreamError::Connect(error)) => Self::unreachable(place, error),
            (_, UpstreamError::Answer(error)) => Self::Strange(place, error.to_string()),
            (_, UpstreamError::Unwritable) => Self::Strange(place, error.to_string()),
        }
    }

    fn unreachable(place: String, error: &io::Error) -> Self {
        Self::Unreachable(place, error.raw_os_error().map_or_else(|| error.kind().into(), io::Error::from_raw_os_error))
    }

    /// What a failed connection to a socket's path means.
    #[allow(clippy::wildcard_enum_match_arm, reason = "the kinds of errors are the system's, and no closed list")]
    fn socket(path: &Path, error: &io::Error) -> Option<Self> {
        let (own, me) = (path.to_owned(), Me::here());
        match error.kind() {
            ErrorKind::NotFound => Some(Self::Missing(own)),
            ErrorKind::ConnectionRefused => Some(match fs::metadata(path) {
                Ok(meta) if meta.is_dir() => Self::Folder(own),
                Ok(meta) if !meta.file_type().is_socket() => Self::NoSocket(own),
                Ok(_) | Err(_) => Self::Stale(own),
            }),
            ErrorKind::PermissionDenied => Some(Self::denied(own, me)),
            _ => None,
        }
    }

    fn denied(path: PathBuf, me: Me) -> Self {
        if let Some((folder, owner)) = ids::closed(&path, &me) {
            return Self::Closed(path, folder, owner, me);
        }
        match fs::metadata(&path).map(|meta| Owner::of(&meta)) {
            Ok(owner) if !me.may(&owner, 6) => Self::Denied(path, owner, me),
            Ok(_) | Err(_) => Self::Forbidden(path, me),
        }
    }

    /// What is wrong, on one line.
    pub fn message(&self) -> String {
        let runs_as = |me: &Me| format!("dockgate runs as user {}", ids::user(me.uid));
        match self {
            Self::Missing(path) => format!("there is no engine's socket at `{}`", path.display()),
            Self::Folder(path) => format!("`{}` is a folder and no socket", path.display()),
            Self::NoSocket(path) => format!("`{}` is no socket", path.display()),
            Self::Denied(path, owner, me) => {
                format!("permission denied on the engine's socket `{}`: it {owner}, and {}", path.display(), runs_as(me))
            }
            Self::Closed(path, folder, owner, me) => {
                format!("permission denied on the way to `{}`: `{}` {owner}, and {}", path.display(), folder.display(), runs_as(me))
            }
            Self::Forbidden(path, me) => {
                format!(
                    "permission denied on the engine's socket `{}`, although its access bits let user {} in",
                    path.display(),
                    ids::user(me.uid)
                )
            }
            Self::Stale(path) => format!("nobody serves the engine's socket `{}`", path.display()),
            Self::Unreachable(place, error) => format!("nobody answers at `{place}`: {error}"),
            Self::Silent(place, limit) => format!("`{place}` does not answer within {} s", limit.as_secs()),
            Self::Strange(place, why) => format!("what answers at `{place}` speaks no HTTP: {why}"),
            Self::NoEngine(place, why) => format!("what answers at `{place}` is no Docker engine: {why}"),
        }
    }

    /// What to do.
    pub fn hints(&self) -> Vec<String> {
        let plain = |hints: &[&str]| hints.iter().map(|hint| (*hint).to_owned()).collect();
        match self {
            Self::Missing(_) => plain(&[
                "start the engine, or mount its socket into dockgate's container",
                "name another place with --upstream URL or DOCKER_HOST",
            ]),
            Self::Folder(path) => vec![
                "docker makes a folder where the source of a mount is missing: the engine's socket was not there when a container was made"
                    .to_owned(),
                format!(
                    "on the host: `rmdir {}`, start the engine, and make the container anew (`docker compose up --force-recreate`)",
                    path.display()
                ),
            ],
            Self::NoSocket(_) => plain(&["name the engine's socket with --upstream URL or DOCKER_HOST"]),
            Self::Denied(_, owner, me) => join_the_group(owner, me),
            Self::Closed(_, folder, ..) => {
                vec![format!("run dockgate as a user that may enter `{}`, or mount the socket somewhere else", folder.display())]
            }
            Self::Forbidden(..) => plain(&[
                "with SELinux: `security_opt: [\"label:disable\"]` for dockgate's container (`ausearch -m avc -ts recent` shows the denial)",
                "with AppArmor: `journalctl -k | grep DENIED` names the profile that refuses",
            ]),
            Self::Stale(_) => plain(&[
                "its engine has ended: start it (`systemctl start docker`)",
                "in a container: an engine that starts anew makes a new socket, and the old one stays mounted: restart the container",
            ]),
            Self::Unreachable(..) => plain(&["start the engine, or name another one with --upstream URL or DOCKER_HOST"]),
            Self::Silent(..) => plain(&["the engine hangs or is starting: its log says more (`journalctl -u docker`)"]),
            Self::Strange(..) | Self::NoEngine(..) => plain(&["name the engine with --upstream URL or DOCKER_HOST"]),
        }
    }

    /// The whole of it, for a command that cannot go on.
    pub fn failure(&self) -> Failure {
        self.hints().into_iter().fold(Failure::usage(self.message()), Failure::hint)
    }
}

/// The group that opens the socket, in the words of compose and of the host.
pub fn join_the_group(owner: &Owner, me: &Me) -> Vec<String> {
    let gid = owner.gid;
    if owner.mode >> 3 & 6 != 6 {
        return vec![format!(
            "only user {} may connect: run dockgate as that user, or give the socket a group (mode 0660)",
            ids::user(owner.uid)
        )];
    }
    let group = ids::group_name(gid).unwrap_or_else(|| gid.to_string());
    let user = ids::user_name(me.uid).unwrap_or_else(|| "USER".to_owned());
    let mut hints = vec![
        format!("in compose: `group_add: [\"{gid}\"]`; with docker run: `--group-add {gid}`"),
        format!("on the host: `usermod -aG {group} {user}`, and log in anew"),
    ];
    if gid == OVERFLOW {
        hints.insert(0, "65534 stands for a group of another user namespace: `userns_mode: \"host\"` for dockgate's container".to_owned());
    }
    hints
}

/// The id that the kernel shows for those of other namespaces.
const OVERFLOW: u32 = 65534;

/// Where the engine is, as messages name it.
pub fn place(upstream: &Upstream) -> String {
    match upstream.address() {
        Address::Unix(path) => format!("unix://{}", path.display()),
        Address::Tcp(address) => format!("tcp://{address}"),
        Address::Tls(address) => format!("https://{address}"),
    }
}

/// Asks for the first time.
///
/// # Errors
/// What keeps the engine from answering, and answers that no engine gives.
pub async fn first_word(upstream: &Upstream, limit: Duration) -> Result<(), Trouble> {
    let asked = tokio::time::timeout(limit, upstream.get("/_ping")).await;
    let exchange = asked.map_err(|_| Trouble::Silent(place(upstream), limit))?.map_err(|error| Trouble::of(upstream, &error))?;
    let status = exchange.status();
    if !status.is_success() {
        return Err(Trouble::NoEngine(place(upstream), format!("it answers a ping with {status}")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_group_is_named_in_the_words_of_compose_and_of_the_host() {
        let (socket, me) = (Owner { uid: 0, gid: 99_998, mode: 0o660 }, Me { uid: 65_532, groups: vec![65_532], overrides: false });
        let hints = join_the_group(&socket, &me).join("\n");
        assert!(hints.contains("`group_add: [\"99998\"]`") && hints.contains("`usermod -aG 99998 USER`"), "{hints}");
        let alone = join_the_group(&Owner { mode: 0o600, ..socket }, &me).join("\n");
        assert!(!alone.contains("group_add") && alone.contains("only user"), "{alone}");
        let strange = join_the_group(&Owner { gid: OVERFLOW, ..socket }, &me).join("\n");
        assert!(strange.contains("userns_mode"), "{strange}");
    }
}
