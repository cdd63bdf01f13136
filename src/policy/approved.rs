//! The images that a scanner has looked at: digests with the date and the worst finding of their last scan.
//! Knows nothing of files and of what time it is.

use std::collections::BTreeMap;

/// How bad a finding is, in the words that scanners share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Nothing was found.
    None,
    /// Grype's word for what hardly matters.
    Negligible,
    /// Low.
    Low,
    /// Medium.
    Medium,
    /// High; what a scanner could not rate counts as much.
    High,
    /// Critical.
    Critical,
}

impl Severity {
    /// Every severity, from the least to the worst.
    pub const ALL: [Self; 6] = [Self::None, Self::Negligible, Self::Low, Self::Medium, Self::High, Self::Critical];

    /// The word in the configuration and in lists.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Negligible => "negligible",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }

    /// A scanner's word, in any case: Trivy writes `HIGH`, Grype `High`. `None` for a word that no scanner has.
    pub fn of(word: &str) -> Option<Self> {
        if word.eq_ignore_ascii_case("unknown") {
            return Some(Self::High);
        }
        Self::ALL.into_iter().find(|severity| severity.as_str().eq_ignore_ascii_case(word))
    }
}

/// The last scan of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scan {
    /// Seconds since 1970, UTC; `None` where nobody wrote it down.
    pub scanned: Option<i64>,
    /// The worst finding.
    pub severity: Severity,
}

/// The approved images and what their scans must come to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Approved {
    images: BTreeMap<String, Scan>,
    /// The oldest that a scan may be, in seconds.
    pub max_age: Option<i64>,
    /// The worst finding that passes.
    pub max_severity: Option<Severity>,
}

impl Approved {
    /// An empty list with these bounds: seconds, and the worst finding that passes.
    pub fn new(max_age: Option<i64>, max_severity: Option<Severity>) -> Self {
        Self { images: BTreeMap::new(), max_age, max_severity }
    }

    /// Adds a digest (`sha256:…`); of two scans the later one counts, of two at one time the worse.
    pub fn add(&mut self, digest: &str, scan: Scan) {
        let known = self.images.entry(digest.to_owned()).or_insert(scan);
        if (scan.scanned, scan.severity) > (known.scanned, known.severity) {
            *known = scan;
        }
    }

    /// How many digests there are.
    pub fn len(&self) -> usize {
        self.images.len()
    }

    /// True where there is none.
    pub fn is_empty(&self) -> bool {
        self.images.is_empty()
    }

    /// True for a digest whose scan is recent and good enough at `now` (seconds since 1970).
    pub fn covers(&self, digest: &str, now: i64) -> bool {
        self.images.get(digest).is_some_and(|scan| self.recent(*scan, now) && self.good(*scan))
    }

    fn recent(&self, scan: Scan, now: i64) -> bool {
        self.max_age.is_none_or(|age| scan.scanned.is_some_and(|scanned| now.saturating_sub(scanned) <= age))
    }

    fn good(&self, scan: Scan) -> bool {
        self.max_severity.is_none_or(|most| scan.severity <= most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400;

    fn list(max_age: Option<i64>, max_severity: Option<Severity>) -> Approved {
        let mut list = Approved::new(max_age, max_severity);
        list.add("sha256:old", Scan { scanned: Some(DAY), severity: Severity::Low });
        list.add("sha256:undated", Scan { scanned: None, severity: Severity::None });
        list.add("sha256:bad", Scan { scanned: Some(100 * DAY), severity: Severity::Critical });
        list
    }

    #[test]
    fn covers_what_is_listed_recent_and_good_enough() {
        let now = 101 * DAY;
        let covered =
            |list: &Approved| ["sha256:old", "sha256:undated", "sha256:bad", "sha256:other"].map(|digest| list.covers(digest, now));
        assert_eq!(covered(&list(None, None)), [true, true, true, false]);
        assert_eq!(covered(&list(Some(30 * DAY), None)), [false, false, true, false]);
        assert_eq!(covered(&list(None, Some(Severity::High))), [true, true, false, false]);
        assert_eq!(covered(&list(Some(30 * DAY), Some(Severity::High))), [false; 4]);
    }

    #[test]
    fn the_latest_scan_counts_and_of_two_at_one_time_the_worse() {
        let mut list = list(None, Some(Severity::Medium));
        assert_eq!((list.len(), list.is_empty()), (3, false));
        list.add("sha256:bad", Scan { scanned: Some(101 * DAY), severity: Severity::Low });
        assert!(list.covers("sha256:bad", 102 * DAY));
        list.add("sha256:bad", Scan { scanned: Some(101 * DAY), severity: Severity::High });
        list.add("sha256:bad", Scan { scanned: Some(101 * DAY), severity: Severity::None });
        assert!(!list.covers("sha256:bad", 102 * DAY));
        assert_eq!(list.len(), 3, "a digest stands once");
        assert!(Approved::new(None, None).is_empty());
    }

    #[test]
    fn reads_the_words_of_scanners() {
        assert_eq!(
            ["HIGH", "High", "Negligible", "UNKNOWN", "Critical", "sever"].map(Severity::of),
            [Some(Severity::High), Some(Severity::High), Some(Severity::Negligible), Some(Severity::High), Some(Severity::Critical), None]
        );
    }
}
