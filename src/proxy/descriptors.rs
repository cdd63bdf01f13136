//! The descriptors of this process: as many as the system lets it have, and for how many connections they are enough.
//! Knows nothing of doors; the limit is the kernel's (getrlimit(2), `RLIMIT_NOFILE`).

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What is there beside connections: the trail, sockets that listen, the runtime's own, and what a moment needs.
const BESIDE: u64 = 64;
/// A client's connection, and the engine's that serves it.
const EACH: u64 = 2;

/// Takes all that the system would give on request: the usual soft limit of 1024 is for programs that `select`.
/// Returns how many that is; `None` for no limit.
pub fn raise() -> Option<u64> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    if raised.is_ok() { maximum } else { current }
}

/// How many of these connections can be open at once. One more than fits would be refused without a word, since nothing could
/// be opened to answer it with; so it is counted before.
pub fn places(connections: usize) -> usize {
    fitting(connections, getrlimit(Resource::Nofile).current)
}

/// How many descriptors so many connections take.
pub fn needed(connections: usize) -> u64 {
    u64::try_from(connections).unwrap_or(u64::MAX).saturating_mul(EACH).saturating_add(BESIDE)
}

fn fitting(connections: usize, descriptors: Option<u64>) -> usize {
    let Some(descriptors) = descriptors else { return connections };
    let fit = usize::try_from(descriptors.saturating_sub(BESIDE) / EACH).unwrap_or(usize::MAX);
    connections.min(fit.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_never_take_the_descriptors_of_everything_else() {
        for (wanted, descriptors, expected) in [
            (10_000, None, 10_000),
            (10_000, Some(1 << 20), 10_000),
            (10_000, Some(20_064), 10_000),
            (10_000, Some(20_063), 9_999),
            (10_000, Some(1024), 480),
            (100, Some(1024), 100),
            (100, Some(10), 1),
        ] {
            let fit = fitting(wanted, descriptors);
            assert_eq!(fit, expected, "{wanted} of {descriptors:?}");
            assert!(descriptors.is_none_or(|descriptors| needed(fit) <= descriptors || fit == 1));
        }
    }
}
