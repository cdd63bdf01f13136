//! Who is at the other end of a unix socket: ids from the kernel, program and container from /proc.
//! Knows nothing of doors. What /proc says is about the process that has the pid now; it is read once, when the connection is made.

use tokio::net::UnixStream;

use crate::policy::Subject;
use crate::policy::subject::Peer;

/// The uid that the kernel shows for users of other namespaces.
const OVERFLOW_UID: u32 = 65534;
/// A container's id in a control group's path.
const ID: usize = 64;

/// The subject of a connection through a door.
pub fn subject(door: &str, stream: &UnixStream) -> Subject {
    let peer = peer(stream);
    let pid = peer.and_then(|peer| peer.pid);
    Subject { door: door.to_owned(), peer, exe: pid.and_then(exe), container: pid.and_then(container), ..Subject::default() }
}

/// Ids of another namespace name nobody here: pid 0, or the overflow uid.
fn peer(stream: &UnixStream) -> Option<Peer> {
    let credentials = stream.peer_cred().ok()?;
    let pid = credentials.pid();
    let known = pid != Some(0) && credentials.uid() != OVERFLOW_UID;
    known.then(|| Peer { uid: credentials.uid(), gid: credentials.gid(), pid })
}

/// The program; the kernel shows it to the same user and to root alone.
fn exe(pid: i32) -> Option<String> {
    std::fs::read_link(format!("/proc/{pid}/exe")).ok().map(|path| path.to_string_lossy().into_owned())
}

fn container(pid: i32) -> Option<String> {
    container_id(&std::fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?)
}

/// The last id in the control groups' paths: `/docker/ID`, `/system.slice/docker-ID.scope`, `/…/cri-containerd-ID.scope`.
fn container_id(groups: &str) -> Option<String> {
    let hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
    groups.split(|c: char| !hex(c)).rfind(|word| word.len() == ID).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_container_in_the_paths_of_engines_and_drivers() {
        let id = "0123456789abcdef".repeat(4);
        for groups in [
            format!("0::/system.slice/docker-{id}.scope\n"),
            format!("12:pids:/docker/{id}\n0::/docker/{id}\n"),
            format!("0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-{id}.scope\n"),
            format!("0::/../{id}\n"),
            format!("0::/user.slice/libpod-{id}.scope/container\n"),
        ] {
            assert_eq!(container_id(&groups), Some(id.clone()), "{groups}");
        }
        assert_eq!(container_id("0::/user.slice/user-1000.slice/session-2.scope\n"), None);
    }

    #[tokio::test]
    async fn knows_the_program_of_a_peer() {
        let (one, _other) = UnixStream::pair().unwrap();
        let subject = subject("unix:///door", &one);
        assert_eq!(subject.peer.and_then(|peer| peer.pid), i32::try_from(std::process::id()).ok());
        let own = std::env::current_exe().unwrap().to_string_lossy().into_owned();
        assert_eq!(subject.exe, Some(own));
    }
}
