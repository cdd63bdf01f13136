//! docs/troubleshooting.md against what the program prints: its headings are messages.
//! Knows nothing of what they mean.

use regex::Regex;

use super::failures::ALL;

const PAGE: &str = include_str!("../../../docs/troubleshooting.md");

/// The messages of the page; `…` stands for what differs from machine to machine.
fn headings() -> Vec<(&'static str, Regex)> {
    let message = |line: &'static str| line.strip_prefix("### ");
    let pattern = |text: &str| Regex::new(&text.split('…').map(regex::escape).collect::<Vec<_>>().join(".+")).unwrap();
    PAGE.lines().filter_map(message).map(|text| (text, pattern(text))).collect()
}

#[test]
fn every_message_of_the_page_is_printed_and_every_failure_is_on_the_page() {
    let headings = headings();
    assert_eq!(headings.len(), ALL.len(), "a heading for each failure");
    let seen: Vec<(&str, Option<String>)> = ALL.iter().map(|(name, produce)| (*name, produce())).collect();
    for (name, said) in &seen {
        let Some(said) = said else { continue };
        assert!(headings.iter().any(|(_, pattern)| pattern.is_match(said)), "{name} is not on the page:\n{said}");
    }
    let all = seen.iter().all(|(_, said)| said.is_some());
    for (text, pattern) in &headings {
        let printed = seen.iter().filter_map(|(_, said)| said.as_ref()).any(|said| pattern.is_match(said));
        assert!(printed || !all, "nothing prints `{text}`");
    }
}
