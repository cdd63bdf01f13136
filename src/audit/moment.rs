//! Clocks and names of this machine, as records hold them.
//! Knows nothing of records.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::sync::LazyLock;
use std::time::SystemTime;

use jiff::Timestamp;
use ulid::Ulid;

/// Writes a moment: UTC, RFC 3339, microseconds. The second stays the same for thousands of records, so its text is kept.
pub fn write(moment: Timestamp, out: &mut String) {
    thread_local! {
        static SECOND: RefCell<(i64, String)> = const { RefCell::new((i64::MIN, String::new())) };
    }
    SECOND.with_borrow_mut(|(second, text)| {
        if *second != moment.as_second() {
            *second = moment.as_second();
            text.clear();
            let _cannot_fail = write!(text, "{moment:.0}");
            text.pop(); // the `Z`
        }
        out.push_str(text);
    });
    let micros = u32::try_from(moment.subsec_microsecond()).unwrap_or_default();
    let mut digits = [b'.', b'0', b'0', b'0', b'0', b'0', b'0', b'Z'];
    let mut rest = micros;
    for place in digits.iter_mut().skip(1).take(6).rev() {
        *place = b'0' + u8::try_from(rest % 10).unwrap_or_default();
        rest /= 10;
    }
    out.push_str(std::str::from_utf8(&digits).unwrap_or_default());
}

/// A new id that sorts by its moment.
pub fn id(moment: Timestamp) -> String {
    Ulid::from_datetime(SystemTime::from(moment)).to_string()
}

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
    fn a_moment_is_written_as_its_library_shows_it_to_the_microsecond() {
        for nanos in [0, 1_000, 999_999_999, 1_700_000_000_123_456_789, 1_700_000_000_000_001_000, 1_700_000_001_999_999_999] {
            let moment = jiff::Timestamp::from_nanosecond(nanos).unwrap();
            let mut out = String::new();
            super::write(moment, &mut out);
            assert_eq!(out, format!("{moment:.6}"));
        }
    }

    #[test]
    fn the_clock_since_boot_goes_on() {
        let first = super::boottime_us();
        assert!(first > 0 && super::boottime_us() >= first);
    }
}
