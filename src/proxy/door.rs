//! Doors: listeners with an owner, a mode and a policy, and what they refuse by themselves.
//! Knows nothing of requests beyond Host and browser headers.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::{FileTypeExt, PermissionsExt, chown};
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use socket2::{Domain, SockAddr, Socket, Type};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

use crate::config::{Cidr, Door, DoorTls, Limits, Listen};
use crate::docker::{Fault, FaultKind, Head};
use crate::policy::Subject;

use super::access::Access;
use super::bounds::Bounds;
use super::caller::Caller;
use super::peer::{Look, Peers};
use super::upstream::keep_alive;

/// Connections that wait for an accept; what Linux grants by default (`net.core.somaxconn`).
const BACKLOG: i32 = 4096;

/// What every request through a door is held against.
#[derive(Debug)]
pub struct DoorState {
    /// The URL, as it stands in records.
    pub name: String,
    /// What bounds it.
    pub bounds: Bounds,
    access: ArcSwap<Access>,
    tcp: bool,
    hosts: Vec<String>,
    allow_from: Vec<Cidr>,
    tls: Option<ArcSwap<DoorTls>>,
}

impl DoorState {
    /// The state of a configured door.
    pub fn new(door: &Door, access: Access, limits: &Limits) -> Self {
        Self {
            name: door.listen.to_string(),
            bounds: Bounds::new(limits, &door.limits),
            access: ArcSwap::from_pointee(access),
            tcp: matches!(door.listen, Listen::Tcp(_)),
            hosts: door.hosts.clone(),
            allow_from: door.allow_from.clone(),
            tls: door.tls.clone().map(ArcSwap::from_pointee),
        }
    }

    /// The policies that hold now. A request asks once, so that one policy decides about the whole of it.
    pub fn access(&self) -> Arc<Access> {
        self.access.load_full()
    }

    /// From now on these policies hold; requests that have begun keep theirs.
    pub(super) fn swap(&self, access: Access) {
        self.access.store(Arc::new(access));
    }

    /// What it speaks TLS with now, where it does. A connection asks once, for its handshake.
    pub fn tls(&self) -> Option<Arc<DoorTls>> {
        self.tls.as_ref().map(ArcSwap::load_full)
    }

    /// From now on handshakes are made with this; connections that are open stay as they are.
    pub(super) fn renew(&self, tls: Arc<DoorTls>) {
        if let Some(own) = &self.tls {
            own.store(tls);
        }
    }

    /// What a TCP door refuses whatever the policy: strange addresses, browsers, and names that DNS rebinding would bring.
    ///
    /// # Errors
    /// The fault.
    pub fn admits(&self, subject: &Subject, head: &Head) -> Result<(), Fault> {
        if !self.tcp {
            return Ok(());
        }
        let known = subject.address.is_some_and(|address| self.allow_from.iter().any(|range| range.contains(address.ip())));
        if !self.allow_from.is_empty() && !known {
            return Err(Fault::new(FaultKind::ForeignAddress, ""));
        }
        if head.browser {
            return Err(Fault::new(FaultKind::Browser, ""));
        }
        match head.host.as_deref() {
            Some(host) if !self.serves(host) => Err(Fault::new(FaultKind::ForeignHost, "host")),
            Some(_) | None => Ok(()),
        }
    }

    /// Addresses and names without a dot cannot be rebound by somebody else's DNS.
    fn serves(&self, host: &str) -> bool {
        let name = match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
            Some(_) | None => host,
        };
        let address = name.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
        address || !name.contains('.') || self.hosts.iter().any(|known| known.eq_ignore_ascii_case(name))
    }
}

/// A door that listens.
pub struct Bound {
    /// Its state.
    pub state: Arc<DoorState>,
    listener: Listener,
    peers: Peers,
    _file: Option<SocketFile>,
}

enum Listener {
    Unix(UnixListener),
    Tcp(TcpListener),
}

/// A connection and who made it.
pub enum Accepted {
    /// On a unix socket.
    Unix(UnixStream, Caller),
    /// On TCP.
    Tcp(TcpStream, Subject),
}

/// Why a door does not open. The words for it are the command line's.
#[derive(Debug, thiserror::Error)]
#[error("door `{listen}` does not open: {error}")]
pub struct Unbound {
    /// The door.
    pub listen: Listen,
    /// What was being done.
    pub step: Step,
    /// What the system said.
    pub error: io::Error,
}

/// What of a door's opening failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Making the folder of its socket.
    Folder,
    /// Something else than a socket is at its path.
    Occupied,
    /// Another process serves its socket.
    Served,
    /// Removing a socket that nobody serves.
    Clear,
    /// Taking the path or the address.
    Bind,
    /// Giving the socket to its owner and group.
    Give,
    /// All that cannot fail for a reason that somebody could mend.
    Open,
}

/// Removes the socket when the door closes.
struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        let _already_removed = std::fs::remove_file(&self.0);
    }
}

impl Bound {
    /// Binds a door. A unix socket gets owner and mode before it listens, so that there is no moment in which others may connect.
    ///
    /// # Errors
    /// Where another process serves it, the path is no socket, or the system refuses.
    pub fn bind(door: &Door, access: Access, limits: &Limits) -> Result<Self, Unbound> {
        let state = Arc::new(DoorState::new(door, access, limits));
        let failed = |(step, error)| Unbound { listen: door.listen.clone(), step, error };
        match &door.listen {
            Listen::Unix(path) => {
                let listener = Listener::Unix(bind_unix(path, door).map_err(failed)?);
                Ok(Self { state, listener, peers: Peers::default(), _file: Some(SocketFile(path.clone())) })
            }
            Listen::Tcp(address) => {
                let listener = Listener::Tcp(bind_tcp(*address).map_err(failed)?);
                Ok(Self { state, listener, peers: Peers::default(), _file: None })
            }
        }
    }

    /// The address of a TCP door, which differs from the configured one where port 0 was asked for.
    pub fn local_address(&self) -> Option<SocketAddr> {
        match &self.listener {
            Listener::Unix(_) => None,
            Listener::Tcp(listener) => listener.local_addr().ok(),
        }
    }

    /// The next connection.
    ///
    /// # Errors
    /// The system's; the caller waits a moment where descriptors have run out.
    pub async fn accept(&self) -> io::Result<Accepted> {
        match &self.listener {
            Listener::Unix(listener) => {
                let (stream, _) = listener.accept().await?;
                let look = if self.state.access().has_entries() { Look::Entries } else { Look::Records };
                let caller = self.peers.caller(&self.state.name, &stream, look);
                Ok(Accepted::Unix(stream, caller))
            }
            Listener::Tcp(listener) => {
                let (stream, address) = listener.accept().await?;
                stream.set_nodelay(true)?;
                Ok(Accepted::Tcp(stream, Subject { door: self.state.name.clone(), address: Some(address), ..Subject::default() }))
            }
        }
    }
}

/// A step that failed, and what the system said.
type Failed = (Step, io::Error);

fn at<T>(step: Step, result: io::Result<T>) -> Result<T, Failed> {
    result.map_err(|error| (step, error))
}

fn bind_tcp(address: SocketAddr) -> Result<TcpListener, Failed> {
    let socket = at(Step::Bind, Socket::new(Domain::for_address(address), Type::STREAM, None))?;
    at(Step::Open, socket.set_reuse_address(true))?;
    at(Step::Bind, socket.bind(&SockAddr::from(address)))?;
    // of two that may share an address, only the first may listen
    at(Step::Bind, socket.listen(BACKLOG))?;
    // connections have this from the socket that they come through: a client that vanished without a word is found out
    at(Step::Open, socket.set_tcp_keepalive(&keep_alive()))?;
    at(Step::Open, socket.set_nonblocking(true))?;
    at(Step::Open, TcpListener::from_std(socket.into()))
}

fn bind_unix(path: &Path, door: &Door) -> Result<UnixListener, Failed> {
    if let Some(folder) = path.parent() {
        at(Step::Folder, std::fs::create_dir_all(folder))?;
    }
    remove_stale(path)?;
    let socket = at(Step::Open, Socket::new(Domain::UNIX, Type::STREAM, None))?;
    at(Step::Bind, SockAddr::unix(path).and_then(|address| socket.bind(&address)))?;
    if door.owner.is_some() || door.group.is_some() {
        at(Step::Give, chown(path, door.owner, door.group)).inspect_err(|_| drop(SocketFile(path.to_owned())))?;
    }
    at(Step::Open, std::fs::set_permissions(path, std::fs::Permissions::from_mode(door.mode)))?;
    at(Step::Open, socket.listen(BACKLOG))?;
    at(Step::Open, socket.set_nonblocking(true))?;
    at(Step::Open, UnixListener::from_std(socket.into()))
}

/// A socket that nobody serves is left over from a crash; anything else at the path is not ours to remove.
fn remove_stale(path: &Path) -> Result<(), Failed> {
    let Ok(meta) = std::fs::symlink_metadata(path) else { return Ok(()) };
    if !meta.file_type().is_socket() {
        return Err((Step::Occupied, io::ErrorKind::AlreadyExists.into()));
    }
    match StdUnixStream::connect(path) {
        Ok(_) => return Err((Step::Served, io::ErrorKind::AddrInUse.into())),
        Err(error) if error.kind() != io::ErrorKind::ConnectionRefused => return Err((Step::Clear, error)),
        Err(_) => at(Step::Clear, std::fs::remove_file(path))?,
    }
    tracing::info!(socket = %path.display(), "removed a socket that nobody served any more");
    Ok(())
}

#[cfg(test)]
mod tests {
    use socket2::SockRef;

    use super::*;

    #[tokio::test]
    async fn silent_connections_over_tcp_are_looked_after() {
        let listener = bind_tcp("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        let (client, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
        let (stream, _) = accepted.unwrap();
        let socket = SockRef::from(&stream);
        assert!(socket.keepalive().unwrap(), "from the socket that listens");
        assert_eq!(socket.tcp_keepalive_time().unwrap(), std::time::Duration::from_secs(30));
        drop(client);
    }
}
