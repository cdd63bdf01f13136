//! Times as people type them, and times and durations as they are shown.
//! Knows nothing of records.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// The units of `10m`, in seconds.
const UNITS: [(&str, i64); 5] = [("s", 1), ("m", 60), ("h", 3600), ("d", 86_400), ("w", 7 * 86_400)];

/// `2026-11-21T20:31:07Z`, `2026-11-21` (UTC), or how long ago: `10m`, `2h`, `3d`.
///
/// # Errors
/// Anything else.
pub fn parse(text: &str) -> Result<Timestamp, String> {
    at(text, Timestamp::now())
}

fn at(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    if let Some(ago) = ago(text) {
        return now.checked_sub(ago).map_err(|_| "that is too long ago".to_owned());
    }
    let utc = |time: DateTime| time.to_zoned(TimeZone::UTC).map(|zoned| zoned.timestamp());
    // a day alone begins at midnight
    let civil = || text.parse::<DateTime>().and_then(utc);
    text.parse::<Timestamp>().or_else(|_| civil()).map_err(|_| "write a time such as 2026-11-21T20:31:07Z, or 10m, 2h, 3d ago".to_owned())
}

fn ago(text: &str) -> Option<SignedDuration> {
    let text = text.strip_suffix("ago").map_or(text, str::trim_end);
    let (unit, seconds) = UNITS.into_iter().find(|(unit, _)| text.ends_with(unit))?;
    let number: i64 = text.strip_suffix(unit)?.trim_end().parse().ok().filter(|number| *number >= 0)?;
    number.checked_mul(seconds).map(SignedDuration::from_secs)
}

/// `2026-11-21 20:31:07.482`, UTC.
pub fn shown(time: Option<Timestamp>) -> String {
    let Some(time) = time else { return format!("{:<23}", "-") };
    let text = time.to_string();
    let (day, clock) = text.split_once('T').unwrap_or(("", &text));
    let clock = clock.trim_end_matches('Z');
    let (seconds, fraction) = clock.split_once('.').unwrap_or((clock, ""));
    let millis: String = fraction.chars().chain("000".chars()).take(3).collect();
    format!("{day} {seconds}.{millis}")
}

/// `0.8 ms`, `43 ms`, `1.2 s`, `4 min 10 s`, `3 h 05 min`.
pub fn duration(us: u64) -> String {
    match us {
        0..100 => "<0.1 ms".to_owned(),
        100..1_000 => format!("0.{} ms", us / 100),
        1_000..10_000 => format!("{}.{} ms", us / 1_000, us % 1_000 / 100),
        10_000..1_000_000 => format!("{} ms", us / 1_000),
        1_000_000..60_000_000 => format!("{}.{} s", us / 1_000_000, us % 1_000_000 / 100_000),
        60_000_000..3_600_000_000 => format!("{} min {} s", us / 60_000_000, us % 60_000_000 / 1_000_000),
        3_600_000_000.. => format!("{} h {:02} min", us / 3_600_000_000, us % 3_600_000_000 / 60_000_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_times_as_people_type_them() {
        let now: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
        for (text, time) in [
            ("10m", "2026-11-21T11:50:00Z"),
            ("2h ago", "2026-11-21T10:00:00Z"),
            ("3d", "2026-11-18T12:00:00Z"),
            ("2026-11-20", "2026-11-20T00:00:00Z"),
            ("2026-11-20T01:02:03", "2026-11-20T01:02:03Z"),
            ("2026-11-20T01:02:03.5+02:00", "2026-11-19T23:02:03.5Z"),
        ] {
            assert_eq!(at(text, now).unwrap().to_string(), time, "{text}");
        }
        for text in ["", "m", "-1m", "yesterday", "9223372036854775807w", "99999999d"] {
            assert!(at(text, now).is_err(), "{text}");
        }
    }

    #[test]
    fn shows_times_and_durations_in_few_letters() {
        let time = |text: &str| shown(text.parse().ok());
        assert_eq!(time("2026-11-21T20:31:07.482913Z"), "2026-11-21 20:31:07.482");
        assert_eq!(time("2026-11-21T20:31:07Z"), "2026-11-21 20:31:07.000");
        let durations = [80, 850, 4_310, 43_000, 1_250_000, 250_000_000, 11_100_000_000].map(duration);
        assert_eq!(durations, ["<0.1 ms", "0.8 ms", "4.3 ms", "43 ms", "1.2 s", "4 min 10 s", "3 h 05 min"]);
    }
}
