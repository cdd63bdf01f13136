//! Clocks and names of this machine, as records hold them.
//! Knows nothing of records.

use std::sync::LazyLock;

/// Microseconds since the machine booted, sleep included: this clock cannot be set.
pub fn boottime_us() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let seconds = u64::try_from(now.tv_sec).unwrap_or_default();
    seconds.saturating_mul(1_000_000).saturating_add(u64::try_from(now.tv_nsec).unwrap_or_default() / 1000)
}

/// The host's name; in a container it is the container's.
pub fn host() -> &'static str {
    static HOST: LazyLock<String> = LazyLock::new(|| {
        let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        super::redact::plain(name.trim()).into_owned()
    });
    &HOST
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_clock_since_boot_goes_on() {
        let first = super::boottime_us();
        assert!(first > 0 && super::boottime_us() >= first);
    }
}
