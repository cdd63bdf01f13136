//! What /proc said of processes that connected a moment ago: a client that opens a connection for each request is looked at once a second.
//! Knows nothing of how it is read, and is never asked where an entry of a door depends on the answer.

use std::os::fd::OwnedFd;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::fs::{FsWord, fstat, fstatfs};
use rustix::process::{PidfdFlags, getpid, pidfd_open};

/// How long what was seen of a process is shown in records: it may run another program since.
const FRESH: Duration = Duration::from_secs(1);
/// So many processes are remembered.
const MOST: usize = 64;
/// The file system of processes since Linux 6.9, in which each has a number that no other process gets (`PID_FS_MAGIC`).
const PIDFS: FsWord = 0x5049_4446;

/// A process, as long as the machine runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Process(u64);

impl Process {
    /// The process that is held; `None` where the kernel does not number processes.
    pub fn of(held: &OwnedFd) -> Option<Self> {
        static NUMBERED: LazyLock<bool> = LazyLock::new(|| {
            let own = pidfd_open(getpid(), PidfdFlags::empty());
            own.and_then(fstatfs).is_ok_and(|system| system.f_type == PIDFS)
        });
        if *NUMBERED { fstat(held).ok().map(|stat| Self(stat.st_ino)) } else { None }
    }
}

/// What was seen of processes.
#[derive(Debug)]
pub struct Recent<T> {
    seen: Mutex<Vec<(Process, Instant, T)>>,
}

impl<T> Default for Recent<T> {
    fn default() -> Self {
        Self { seen: Mutex::default() }
    }
}

impl<T: Clone> Recent<T> {
    /// What was seen of a process a moment ago.
    pub fn get(&self, process: Process, now: Instant) -> Option<T> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = |since: Instant| now.duration_since(since) < FRESH;
        seen.iter().find(|(of, since, _)| *of == process && fresh(*since)).map(|(_, _, value)| value.clone())
    }

    /// Keeps what has just been seen, in the place of what is the oldest.
    pub fn put(&self, process: Process, now: Instant, value: T) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.retain(|(of, since, _)| *of != process && now.duration_since(*since) < FRESH);
        if seen.len() >= MOST {
            seen.remove(0);
        }
        seen.push((process, now, value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_seen_is_shown_for_a_second_and_of_this_process_alone() {
        let (recent, start) = (Recent::default(), Instant::now());
        recent.put(Process(1), start, "one");
        assert_eq!(recent.get(Process(1), start + FRESH / 2), Some("one"));
        assert_eq!(recent.get(Process(2), start), None);
        assert_eq!(recent.get(Process(1), start + FRESH), None);
        recent.put(Process(1), start, "other");
        assert_eq!(recent.get(Process(1), start), Some("other"));
    }

    #[test]
    fn its_memory_is_bounded() {
        let (recent, start) = (Recent::default(), Instant::now());
        (0..1000).for_each(|number| recent.put(Process(number), start, number));
        assert_eq!(recent.seen.lock().unwrap().len(), MOST);
        assert_eq!(recent.get(Process(999), start), Some(999));
    }

    #[test]
    fn two_processes_have_two_numbers() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let pid = rustix::process::Pid::from_child(&child);
        let (own, other) = (pidfd_open(getpid(), PidfdFlags::empty()).unwrap(), pidfd_open(pid, PidfdFlags::empty()).unwrap());
        if let Some(process) = Process::of(&own) {
            assert_eq!(Process::of(&own), Some(process));
            assert_ne!(Process::of(&other), Some(process));
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
