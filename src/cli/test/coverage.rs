//! Which entries of `allow` and `deny` no test reached.
//! Knows nothing of what entries mean: a rule that decided names its text and place.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use toml::{Spanned, Value};

use crate::config;

use super::file;

/// Counts entries over all files of a run.
#[derive(Debug, Default)]
pub struct Coverage {
    entries: BTreeSet<Entry>,
    reached: BTreeSet<(String, String)>,
}

/// An entry of a list of a policy.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// The file.
    pub source: String,
    /// The line, from 1.
    pub line: usize,
    /// The entry as written.
    pub text: String,
    /// The policy and the list, `ci.allow`.
    pub list: String,
}

#[derive(Default, Deserialize)]
struct Written {
    #[serde(default)]
    policy: BTreeMap<String, Lists>,
}

#[derive(Deserialize)]
struct Lists {
    #[serde(default)]
    extends: Vec<String>,
    #[serde(default)]
    allow: Vec<Spanned<Value>>,
    #[serde(default)]
    deny: Vec<Spanned<Value>>,
}

/// A configuration as far as its lists go.
struct Listing<'t> {
    source: String,
    text: &'t str,
    written: Written,
}

impl<'t> Listing<'t> {
    /// The text was loaded before, so what cannot be read here is no file at all.
    fn new(source: String, text: &'t str) -> Self {
        Self { source, text, written: toml::from_str(text).unwrap_or_default() }
    }

    fn entry(&self, entry: &Spanned<Value>, list: String) -> Entry {
        let as_written = || self.text.get(entry.span()).unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ");
        let text = entry.get_ref().as_str().map_or_else(as_written, str::to_owned);
        Entry { source: self.source.clone(), line: file::line(self.text, entry.span().start), text, list }
    }
}

impl Coverage {
    /// Counts the entries of a policy and of the policies of the same file that it extends. Presets count where they
    /// are tested themselves: whoever extends one need not test it.
    pub fn policy(&mut self, source: &str, text: &str, name: &str) {
        let file = Listing::new(source.to_owned(), text);
        if file.written.policy.contains_key(name) {
            self.climb(&file, name, &mut BTreeSet::new());
        } else if let Some(preset) = config::presets().iter().find(|preset| preset.name == name) {
            self.climb(&Listing::new(format!("preset {name}"), preset.text), name, &mut BTreeSet::new());
        }
    }

    fn climb(&mut self, file: &Listing<'_>, name: &str, seen: &mut BTreeSet<String>) {
        let Some(lists) = file.written.policy.get(name).filter(|_| seen.insert(name.to_owned())) else { return };
        for (list, entries) in [("allow", &lists.allow), ("deny", &lists.deny)] {
            self.entries.extend(entries.iter().map(|entry| file.entry(entry, format!("{name}.{list}"))));
        }
        for parent in &lists.extends {
            self.climb(file, parent, seen);
        }
    }

    /// A rule decided: its text and its place, `ci.toml:9`.
    pub fn reach(&mut self, rule: (String, String)) {
        self.reached.insert(rule);
    }

    /// How many entries were reached, of how many.
    pub fn reached(&self) -> (usize, usize) {
        (self.entries.len() - self.unreached().count(), self.entries.len())
    }

    /// The entries that no test reached.
    pub fn unreached(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(|entry| !self.reached.contains(&(entry.text.clone(), format!("{}:{}", entry.source, entry.line))))
    }
}
