//! One step from what was seen to what is meant: a folder of images, names that count up, ranges of ports.
//! Knows nothing of requests. Nothing is widened to what a policy may not grant or what is as good as root.

use std::collections::BTreeMap;

use crate::config::ways_to_root;

use super::draft::Noted;
use super::grant::{Entry, ports};
use super::{Draft, Tally};

/// So many must differ before they are taken for many.
const MANY: usize = 3;

/// Widens every list once.
pub(super) fn widen(draft: &mut Draft) {
    for key in ["images", "volumes", "networks", "secrets", "configs", "binds"] {
        let Some(entries) = draft.grants.get(key) else { continue };
        for (pattern, entries) in families(key, entries) {
            let reason = format!("wider than seen: stands for {} that differ ({})", entries.len(), examples(&entries));
            replace(draft, key, pattern, &entries, reason);
        }
    }
    let Some(entries) = draft.grants.get("ports") else { return };
    for (range, entries) in ranges(entries) {
        replace(draft, "ports", range, &entries, format!("{} ports in a row", entries.len()));
    }
}

/// Puts one entry in the place of several, where that is no danger.
fn replace(draft: &mut Draft, key: &'static str, entry: Entry, gone: &[Entry], reason: String) {
    let mut wider = draft.clone();
    let list = wider.grants.entry(key).or_default();
    let mut tally = Tally::default();
    for old in gone {
        if let Some(noted) = list.remove(old) {
            tally.merge(&noted.tally);
        }
    }
    list.insert(entry, Noted { tally, reason: Some(reason) });
    let before = draft.load().map(|policy| ways_to_root(&policy).len()).unwrap_or_default();
    if wider.load().is_ok_and(|policy| ways_to_root(&policy).len() <= before) {
        *draft = wider;
    }
}

/// The pattern that entries have in common, where there are enough of them.
fn families(key: &str, entries: &BTreeMap<Entry, Noted>) -> Vec<(Entry, Vec<Entry>)> {
    let mut families: BTreeMap<Entry, Vec<Entry>> = BTreeMap::new();
    for entry in entries.keys() {
        let pattern = match (key, entry) {
            ("images", Entry::Text(name)) => folder(name),
            ("binds", Entry::Bind { source, writable: false }) => below(source),
            (_, Entry::Text(name)) => numbered(name),
            _ => None,
        };
        if let Some(pattern) = pattern {
            families.entry(pattern).or_default().push(entry.clone());
        }
    }
    families.retain(|_, entries| entries.len() >= MANY);
    families.into_iter().collect()
}

/// `ghcr.io/acme/web` → `ghcr.io/acme/*`; a whole registry is too wide.
fn folder(name: &str) -> Option<Entry> {
    let (folder, _) = name.rsplit_once('/').filter(|(folder, _)| folder.contains('/'))?;
    Some(Entry::Text(format!("{folder}/*")))
}

/// `ci-1` → `ci-*`, `job_a1b2` → `job_*`: what follows the last sign must hold a digit.
fn numbered(name: &str) -> Option<Entry> {
    let at = name.rfind(['-', '_', '.'])?;
    let (head, tail) = name.split_at_checked(at + 1)?;
    (tail.bytes().any(|byte| byte.is_ascii_digit()) && head.len() > 1 && !head.contains('*')).then(|| Entry::Text(format!("{head}*")))
}

/// `/srv/sites/a` → `/srv/sites/**`, read-only; never a folder of the root.
fn below(source: &str) -> Option<Entry> {
    let (folder, _) = source.rsplit_once('/').filter(|(folder, _)| folder.matches('/').count() >= 2)?;
    Some(Entry::Bind { source: format!("{folder}/**"), writable: false })
}

/// Ports of one address without gaps.
fn ranges(entries: &BTreeMap<Entry, Noted>) -> Vec<(Entry, Vec<Entry>)> {
    let mut runs: Vec<(Entry, Vec<Entry>)> = Vec::new();
    for entry in entries.keys() {
        let Entry::Ports { address, first, last } = entry else { continue };
        match runs.last_mut() {
            Some((Entry::Ports { address: known, last: end, .. }, run)) if known == address && u32::from(*first) <= u32::from(*end) + 1 => {
                *end = (*end).max(*last);
                run.push(entry.clone());
            }
            _ => runs.push((entry.clone(), vec![entry.clone()])),
        }
    }
    runs.retain(|(_, run)| run.len() >= MANY);
    runs
}

fn examples(entries: &[Entry]) -> String {
    let name = |entry: &Entry| match entry {
        Entry::Text(name) => name.clone(),
        Entry::Bind { source, .. } => source.clone(),
        Entry::Ports { address, first, last } => ports(*address, *first, *last),
    };
    let more = if entries.len() > MANY { ", …" } else { "" };
    entries.iter().take(MANY).map(name).collect::<Vec<_>>().join(", ") + more
}

#[cfg(test)]
mod tests {
    use super::*;

    fn widened(key: &'static str, entries: &[Entry]) -> Vec<String> {
        let mut draft = Draft::new("x");
        for entry in entries {
            draft.grant(key, entry.clone(), &Tally::default());
        }
        draft.any_image = false;
        widen(&mut draft);
        draft.grants.get(key).unwrap().keys().map(Entry::toml).collect()
    }

    fn texts(names: &[&str]) -> Vec<Entry> {
        names.iter().map(|name| Entry::Text((*name).to_owned())).collect()
    }

    #[test]
    fn three_images_of_a_folder_become_the_folder_and_two_do_not() {
        let names = ["ghcr.io/acme/a", "ghcr.io/acme/b", "ghcr.io/acme/c", "docker.io/library/x", "docker.io/library/y"];
        assert_eq!(widened("images", &texts(&names)), [r#""docker.io/library/x""#, r#""docker.io/library/y""#, r#""ghcr.io/acme/*""#]);
    }

    #[test]
    fn names_that_count_up_become_a_pattern_and_words_do_not() {
        assert_eq!(widened("volumes", &texts(&["ci-1", "ci-2", "ci-3"])), [r#""ci-*""#]);
        assert_eq!(widened("volumes", &texts(&["a-web", "a-db", "a-x"])).len(), 3);
    }

    #[test]
    fn ports_in_a_row_become_a_range_and_a_gap_ends_it() {
        let port = |port: u16| Entry::Ports { address: [127, 0, 0, 1].into(), first: port, last: port };
        let entries: Vec<Entry> = [8001, 8002, 8003, 8005, 8006].map(port).into();
        assert_eq!(widened("ports", &entries), [r#""127.0.0.1:8001-8003""#, r#""127.0.0.1:8005""#, r#""127.0.0.1:8006""#]);
    }

    #[test]
    fn folders_are_widened_for_reading_only_and_never_near_the_root() {
        let bind = |source: &str, writable| Entry::Bind { source: source.to_owned(), writable };
        let read = [bind("/srv/w/a", false), bind("/srv/w/b", false), bind("/srv/w/c", false)];
        assert_eq!(widened("binds", &read), [r#"{ source = "/srv/w/**", mode = "ro" }"#]);
        let near = [bind("/srv/a", false), bind("/srv/b", false), bind("/srv/c", false)];
        assert_eq!(widened("binds", &near).len(), 3);
        let written = [bind("/srv/w/a", true), bind("/srv/w/b", true), bind("/srv/w/c", true)];
        assert_eq!(widened("binds", &written).len(), 3);
    }
}
