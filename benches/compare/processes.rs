//! What the system says of processes: the time on the processor and the memory of a proxy and its children, processors, limits.
//! Knows nothing of what they are for.

use std::fs::{read_dir, read_to_string};
use std::io;

use rustix::param::clock_ticks_per_second;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Microseconds that the process and its children have run.
pub fn cpu_us(root: u32) -> f64 {
    let ticks: u64 = tree(root).into_iter().filter_map(ticks).sum();
    ticks as f64 * 1e6 / clock_ticks_per_second() as f64
}

/// utime and stime are the 14th and 15th word; the name before them may hold blanks and parentheses.
fn ticks(pid: u32) -> Option<u64> {
    let stat = read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(')')?;
    let mut words = rest.split_whitespace().skip(11).map(|word| word.parse::<u64>().ok());
    Some(words.next()?? + words.next()??)
}

/// Resident memory of the process and its children, in KiB.
pub fn resident_kib(root: u32) -> f64 {
    tree(root).into_iter().filter_map(resident).sum::<u64>() as f64
}

fn resident(pid: u32) -> Option<u64> {
    let status = read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.trim().parse().ok())
}

fn tree(root: u32) -> Vec<u32> {
    let mut all = vec![root];
    let mut next = 0;
    while let Some(pid) = all.get(next).copied() {
        let tasks = read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
        for children in tasks.filter_map(|task| read_to_string(task.path().join("children")).ok()) {
            all.extend(children.split_whitespace().filter_map(|child| child.parse::<u32>().ok()));
        }
        next += 1;
    }
    all
}

/// The processors that are pinned to: one for the proxy, and one for the mock engine and the load.
#[derive(Clone, Copy)]
pub struct Pins {
    pub proxy: usize,
    pub load: usize,
}

impl Pins {
    /// The first two that this process may use.
    pub fn find() -> io::Result<Option<Self>> {
        let allowed = sched_getaffinity(None)?;
        let mut processors = (0..CpuSet::MAX_CPU).filter(|number| allowed.is_set(*number));
        Ok(processors.next().zip(processors.next()).map(|(proxy, load)| Self { proxy, load }))
    }
}

/// Binds this thread, and what it starts from now on, to a processor.
pub fn pin(processor: usize) -> io::Result<()> {
    let mut set = CpuSet::new();
    set.set(processor);
    Ok(sched_setaffinity(None, &set)?)
}

/// Allows this process, and what it starts, as many open files as it may have; how many those are.
pub fn raise_files() -> io::Result<u64> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })?;
    Ok(limit.maximum.unwrap_or(u64::MAX))
}
