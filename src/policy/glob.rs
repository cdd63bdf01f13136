//! Patterns of names: `*` for any characters but a slash, `**` for any at all.
//! Knows nothing of what is named.

use regex::Regex;

/// A compiled pattern; it matches whole names only.
#[derive(Debug, Clone)]
pub struct Glob {
    text: String,
    regex: Regex,
}

impl Glob {
    /// Compiles a pattern; every character but `*` stands for itself.
    ///
    /// # Errors
    /// Patterns that are too large to compile.
    pub fn new(text: &str) -> Result<Self, regex::Error> {
        let source = regex::escape(text).replace(r"\*\*", ".*").replace(r"\*", "[^/]*");
        Ok(Self { text: text.to_owned(), regex: anchored(&source)? })
    }

    /// Compiles a pattern of names in which a slash is a character like others: a star takes it too.
    ///
    /// # Errors
    /// Patterns that are too large to compile.
    pub fn across_slashes(text: &str) -> Result<Self, regex::Error> {
        let source = regex::escape(text).replace(r"\*", ".*");
        Ok(Self { text: text.to_owned(), regex: anchored(&source)? })
    }

    /// True where the whole name fits.
    pub fn matches(&self, name: &str) -> bool {
        self.regex.is_match(name)
    }

    /// The pattern as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// True where the pattern has no star.
    pub fn is_literal(&self) -> bool {
        !self.text.contains('*')
    }
}

impl PartialEq for Glob {
    /// Two patterns that were compiled alike.
    fn eq(&self, other: &Self) -> bool {
        self.regex.as_str() == other.regex.as_str()
    }
}

/// A regular expression that matches whole texts only, in linear time.
///
/// # Errors
/// Sources that do not parse or grow beyond 1 MiB.
pub fn anchored(source: &str) -> Result<Regex, regex::Error> {
    regex::RegexBuilder::new(&format!(r"\A(?:{source})\z")).size_limit(1 << 20).dot_matches_new_line(true).build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stop_at_slashes_and_patterns_are_anchored() {
        let one = Glob::new("docker.io/library/*").unwrap();
        assert!(one.matches("docker.io/library/nginx") && !one.matches("docker.io/library/a/b") && !one.matches("xdocker.io/library/a"));
        let deep = Glob::new("ghcr.io/acme/**").unwrap();
        assert!(deep.matches("ghcr.io/acme/a/b") && !deep.matches("ghcr.io/acmes/a"));
        assert!(!Glob::new("a.c").unwrap().matches("abc"));
        assert!(!anchored("a|b").unwrap().is_match("ab"));
        assert!(!anchored("a").unwrap().is_match("a\n"));
    }
}
