//! API versions as they stand in a path prefix.
//! Knows nothing of what a version contains.

use std::fmt;

/// An Engine API version `1.x`.
///
/// The daemon reads `v01.041`, `v1.41.` and `v1.41.0` all as 1.41 (moby `versionMatcher`, `[0-9.]+`);
/// dockgate accepts one spelling, `v1.NN`, so that two readers cannot differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ApiVersion(u8);

impl ApiVersion {
    /// The oldest version that is served; below it the daemon takes a HostConfig at start.
    pub const OLDEST: Self = Self(24);
    /// The newest version that the tables describe.
    pub const NEWEST: Self = Self(56);

    /// The version `1.minor`, for tables.
    pub const fn minor(minor: u8) -> Self {
        Self(minor)
    }

    /// Reads `1.NN` (without the `v`); `None` for every other spelling.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix("1.")?;
        let exact = digits.len() == 2 && digits.bytes().all(|b| b.is_ascii_digit());
        exact.then(|| digits.parse().ok().map(Self)).flatten()
    }

    /// [`ApiVersion::NEWEST`] where an engine's version is above it, so that clients negotiate down to what the tables describe.
    pub fn capped(engines: &str) -> Option<String> {
        let minor: u32 = engines.strip_prefix("1.")?.parse().ok()?;
        (minor > u32::from(Self::NEWEST.0)).then(|| Self::NEWEST.to_string())
    }
}

impl fmt::Display for ApiVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "1.{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::ApiVersion;

    #[test]
    fn caps_what_is_above_the_tables_and_nothing_else() {
        assert_eq!(ApiVersion::capped("1.99").as_deref(), Some("1.56"));
        for other in ["1.56", "1.44", "2.99", "1.x", ""] {
            assert_eq!(ApiVersion::capped(other), None, "{other}");
        }
    }

    #[test]
    fn reads_exactly_one_spelling() {
        assert_eq!(ApiVersion::parse("1.44"), Some(ApiVersion::minor(44)));
        for odd in ["1.4", "01.44", "1.044", "1.44.", "1.44.0", "1", "2.44", "1.4x", "", "1.+4"] {
            assert_eq!(ApiVersion::parse(odd), None, "{odd}");
        }
    }
}
