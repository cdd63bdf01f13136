//! Who is at the other end of a unix socket: ids from the kernel, program, groups and control groups from /proc.
//! Knows nothing of doors. What /proc says counts only where it is about the process that connected, and not a later one with its pid.

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::socket::{getsockopt, sockopt};
use rustix::buffer::spare_capacity;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use rustix::time::{ClockId, clock_gettime};
use tokio::net::UnixStream;

use crate::policy::Subject;
use crate::policy::subject::Peer;

use super::caller::Caller;
use super::cgroup::Groups;
use super::recent::{self, Recent};

/// The uid that the kernel shows for users of other namespaces.
const OVERFLOW_UID: u32 = 65534;

/// The process of a peer.
enum Process {
    /// Held: its pid is nobody else's as long as it lives.
    Held(OwnedFd),
    /// It has ended, or its pid is another's already.
    Gone,
    /// The kernel cannot hold processes (before Linux 5.3), so its pid may be another's.
    Loose,
}

/// How much of /proc is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// What records show.
    Records,
    /// That, and what entries match.
    Entries,
}

/// What records show of a process.
#[derive(Debug, Clone, Default)]
struct Shown {
    exe: Option<String>,
    cgroups: Groups,
}

/// The peers of a door.
#[derive(Debug, Default)]
pub struct Peers {
    recent: Recent<Shown>,
}

impl Peers {
    /// The other end of a connection through the door.
    pub fn caller(&self, door: &str, stream: &UnixStream, look: Look) -> Caller {
        let peer = peer(stream);
        let subject = Subject { door: door.to_owned(), peer, ..Subject::default() };
        match (peer.and_then(|peer| peer.pid), look) {
            (Some(pid), Look::Entries) => seen(subject, pid, &Process::of(stream, pid), look),
            (Some(pid), Look::Records) => self.recently(subject, pid, &Process::of(stream, pid)),
            (None, _) => subject.into(),
        }
    }

    /// For records alone what was seen a moment ago is good enough.
    fn recently(&self, subject: Subject, pid: i32, process: &Process) -> Caller {
        let Some(number) = process.number() else { return seen(subject, pid, process, Look::Records) };
        let now = Instant::now();
        if let Some(Shown { exe, cgroups }) = self.recent.get(number, now) {
            let container = cgroups.ids().next().map(str::to_owned);
            return Caller::new(Subject { exe, container, ..subject }, cgroups);
        }
        let caller = seen(subject, pid, process, Look::Records);
        self.recent.put(number, now, Shown { exe: caller.subject.exe.clone(), cgroups: caller.groups().clone() });
        caller
    }
}

/// Ids of another namespace name nobody here: pid 0, or the overflow uid.
fn peer(stream: &UnixStream) -> Option<Peer> {
    let credentials = stream.peer_cred().ok()?;
    let pid = credentials.pid();
    let known = pid != Some(0) && credentials.uid() != OVERFLOW_UID;
    known.then(|| Peer { uid: credentials.uid(), gid: credentials.gid(), pid })
}

/// Everything is read before it is asked whether the process still lives: then all of it was about that one.
fn seen(mut subject: Subject, pid: i32, process: &Process, look: Look) -> Caller {
    let (exe, cgroups) = (exe(pid), cgroups(pid));
    let groups = if look == Look::Entries { groups(pid) } else { Vec::new() };
    let surely = matches!(process, Process::Held(fd) if lives(fd));
    if surely || matches!(process, Process::Loose) {
        subject.exe = exe;
        subject.container = cgroups.ids().next().map(str::to_owned);
    }
    if !surely {
        return subject.into(); // records may show what is likely, entries never match it
    }
    subject.groups = groups;
    Caller::new(subject, cgroups)
}

impl Process {
    /// From Linux 6.5 the socket itself names its peer (`SO_PEERPIDFD`).
    fn of(stream: &UnixStream, pid: i32) -> Self {
        match getsockopt(stream, sockopt::PeerPidfd) {
            Ok(fd) => Self::Held(fd),
            Err(Errno::ENOPROTOOPT | Errno::EINVAL | Errno::EOPNOTSUPP) => Self::opened(pid),
            Err(_) => Self::Gone,
        }
    }

    /// By its pid: that is another's by now where that one started after the connection was there.
    fn opened(pid: i32) -> Self {
        let accepted = since_boot();
        let Some(raw) = Pid::from_raw(pid) else { return Self::Gone };
        match pidfd_open(raw, PidfdFlags::empty()) {
            Ok(fd) if started(pid).is_some_and(|started| started <= accepted) => Self::Held(fd),
            Ok(_) | Err(rustix::io::Errno::SRCH) => Self::Gone,
            Err(_) => Self::Loose,
        }
    }
}

impl Process {
    /// Its number, where it is held and the kernel numbers processes.
    fn number(&self) -> Option<recent::Process> {
        match self {
            Self::Held(fd) => recent::Process::of(fd),
            Self::Gone | Self::Loose => None,
        }
    }
}

/// A process that is held becomes readable when it ends.
fn lives(process: &OwnedFd) -> bool {
    let mut ended = [PollFd::new(process, PollFlags::IN)];
    poll(&mut ended, Some(&Timespec::default())) == Ok(0)
}

/// When a process started, from the 22nd field of `stat`; the second is a name in parentheses that may hold anything.
fn started(pid: i32) -> Option<Duration> {
    let stat = text(pid, "stat")?;
    let ticks: u64 = stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(19)?.parse().ok()?;
    let second = rustix::param::clock_ticks_per_second().max(1);
    Some(Duration::from_millis(ticks.saturating_mul(1000) / second))
}

fn since_boot() -> Duration {
    let now = clock_gettime(ClockId::Boottime);
    Duration::new(u64::try_from(now.tv_sec).unwrap_or(0), u32::try_from(now.tv_nsec).unwrap_or(0))
}

/// The program; the kernel shows it to the same user and to root alone.
fn exe(pid: i32) -> Option<String> {
    std::fs::read_link(format!("/proc/{pid}/exe")).ok().map(|path| path.to_string_lossy().into_owned())
}

/// The control groups of a process.
pub fn cgroups(pid: i32) -> Groups {
    text(pid, "cgroup").map(|text| Groups::parse(&text)).unwrap_or_default()
}

/// A file of a process. Their sizes are told as 0, so that guessing them costs more than the reads.
fn text(pid: i32, file: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(4096);
    let open = rustix::fs::open(format!("/proc/{pid}/{file}"), OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).ok()?;
    while rustix::io::read(&open, spare_capacity(&mut bytes)).ok()? > 0 {
        bytes.reserve(4096);
    }
    String::from_utf8(bytes).ok()
}

/// The supplementary groups of a process.
fn groups(pid: i32) -> Vec<u32> {
    let status = text(pid, "status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("Groups:")).unwrap_or_default();
    line.split_ascii_whitespace().filter_map(|gid| gid.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command};

    use super::*;

    fn own_pid() -> i32 {
        i32::try_from(std::process::id()).unwrap()
    }

    #[tokio::test]
    async fn knows_the_program_of_a_peer() {
        let (one, _other) = UnixStream::pair().unwrap();
        let subject = Peers::default().caller("unix:///door", &one, Look::Records).subject;
        assert_eq!(subject.peer.and_then(|peer| peer.pid), Some(own_pid()));
        let own = std::env::current_exe().unwrap().to_string_lossy().into_owned();
        assert_eq!(subject.exe, Some(own));
    }

    #[tokio::test]
    async fn reads_groups_only_where_entries_ask_for_them() {
        let own = groups(own_pid());
        let (one, _other) = UnixStream::pair().unwrap();
        assert_eq!(Peers::default().caller("unix:///door", &one, Look::Entries).subject.groups, own);
        assert!(Peers::default().caller("unix:///door", &one, Look::Records).subject.groups.is_empty());
    }

    fn ended(mut child: Child) -> i32 {
        let pid = i32::try_from(child.id()).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        pid
    }

    #[test]
    fn nothing_is_believed_of_a_process_that_ended_while_it_was_looked_at() {
        let child = Command::new("sleep").arg("60").spawn().unwrap();
        let held = Process::opened(i32::try_from(child.id()).unwrap());
        assert!(matches!(held, Process::Held(_)));
        let _pid = ended(child);
        // /proc of another process: what it says must not count
        let caller = seen(Subject::default(), own_pid(), &held, Look::Entries);
        assert_eq!((caller.subject.exe, caller.subject.groups), (None, Vec::new()));
    }

    #[test]
    fn a_pid_that_nobody_has_any_more_is_gone() {
        let pid = ended(Command::new("sleep").arg("60").spawn().unwrap());
        assert!(matches!(Process::opened(pid), Process::Gone));
    }

    #[test]
    fn tells_when_a_process_started() {
        let before = since_boot();
        let child = Command::new("sleep").arg("60").spawn().unwrap();
        let started = started(i32::try_from(child.id()).unwrap()).unwrap();
        let slack = Duration::from_millis(50);
        assert!(started + slack >= before && started <= since_boot() + slack, "{before:?} {started:?}");
        let _pid = ended(child);
    }

    const CONNECT: &str = "DOCKGATE_TEST_CONNECT";

    /// What the next test starts as a process of its own.
    #[test]
    #[ignore = "started by another test"]
    fn connects_and_ends_where_it_is_told_to() {
        let path = std::env::var_os(CONNECT).expect("the door's path");
        std::os::unix::net::UnixStream::connect(path).unwrap();
    }

    #[tokio::test]
    async fn of_a_client_that_ended_before_it_was_looked_at_only_the_ids_are_known() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("door.sock");
        let listener = tokio::net::UnixListener::bind(&path).unwrap();
        let client = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "proxy::peer::tests::connects_and_ends_where_it_is_told_to"])
            .env(CONNECT, &path)
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let pid = i32::try_from(client.id()).unwrap();
        let ended = client.wait_with_output().unwrap();
        assert!(ended.status.success());
        let (stream, _) = listener.accept().await.unwrap();
        let subject = Peers::default().caller("unix:///door", &stream, Look::Entries).subject;
        assert_eq!(subject.peer.map(|peer| peer.pid), Some(Some(pid)));
        assert_eq!((subject.exe, subject.container, subject.groups), (None, None, Vec::new()));
    }
}
