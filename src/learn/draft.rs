//! A policy in the making: operations and grants, each with how often it was needed, and its TOML.
//! Knows nothing of requests.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::config;
use crate::docker::Operation;
use crate::policy::Policy;

use super::Tally;
use super::grant::{Entry, quoted};

/// An entry with what is said about it.
#[derive(Debug, Clone, Default)]
pub struct Noted {
    /// How often it was needed.
    pub tally: Tally,
    /// Why it is wider than what was seen.
    pub reason: Option<String>,
}

/// A policy in the making.
#[derive(Debug, Clone)]
pub struct Draft {
    /// Its name.
    pub name: String,
    /// The operations that it allows.
    pub operations: BTreeMap<Operation, Tally>,
    /// A rule as TOML that stands in place of the plain operation, and what is said about it.
    pub rules: BTreeMap<Operation, (String, String)>,
    /// The grants, by key.
    pub grants: BTreeMap<&'static str, BTreeMap<Entry, Noted>>,
    /// Commands of execs, as patterns.
    pub commands: BTreeMap<String, Tally>,
    /// Users of execs; empty for any.
    pub exec_users: BTreeSet<String>,
    /// Users of containers; empty for any.
    pub users: BTreeSet<String>,
    /// Checks that are switched off because somebody said so.
    pub off: BTreeSet<&'static str>,
    /// True where any image may be used because somebody said so.
    pub any_image: bool,
}

impl Draft {
    /// A policy that allows nothing.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            operations: BTreeMap::new(),
            rules: BTreeMap::new(),
            grants: BTreeMap::new(),
            commands: BTreeMap::new(),
            exec_users: BTreeSet::new(),
            users: BTreeSet::new(),
            off: BTreeSet::new(),
            any_image: true,
        }
    }

    /// Adds a grant; true where it is new.
    pub fn grant(&mut self, key: &'static str, entry: Entry, tally: &Tally) -> bool {
        let list = self.grants.entry(key).or_default();
        let new = !list.contains_key(&entry);
        list.entry(entry).or_default().tally.merge(tally);
        new
    }

    /// Takes over what another needs.
    pub fn merge(&mut self, other: &Self, tally: &Tally) {
        for operation in other.operations.keys() {
            self.operations.entry(*operation).or_default().merge(tally);
        }
        for (key, entries) in &other.grants {
            for entry in entries.keys() {
                self.grant(key, entry.clone(), tally);
            }
        }
        for command in other.commands.keys() {
            self.commands.entry(command.clone()).or_default().merge(tally);
        }
        self.off.extend(&other.off);
        self.any_image = !self.grants.contains_key("images");
    }

    /// The lines of `allow`: the rule, and what is said about it.
    pub fn allow(&self) -> Vec<(String, String)> {
        let mut lines = Vec::new();
        for (operation, tally) in &self.operations {
            let said = tally.text();
            match self.rules.get(operation) {
                Some((rule, why)) => {
                    let said = if why.is_empty() { said } else { format!("{said}; {why}") };
                    lines.push((rule.clone(), said));
                }
                None => lines.push((quoted(operation.name()), said)),
            }
        }
        lines
    }

    /// The keys of `create`: each a key, its lines, and what is said about them; a line of its own where there is nothing to say.
    pub fn create(&self) -> Vec<(String, Vec<(String, String)>)> {
        let mut keys = Vec::new();
        if !self.any_image && !self.grants.contains_key("images") {
            keys.push(("images".to_owned(), Vec::new()));
        }
        for (key, entries) in self.grants.iter().filter(|(key, _)| **key != "images" || !self.any_image) {
            let lines = entries.iter().map(|(entry, noted)| {
                let reason = noted.reason.as_ref().map(|reason| format!("{reason}; ")).unwrap_or_default();
                (entry.toml(), format!("{reason}{}", noted.tally.text()))
            });
            keys.push(((*key).to_owned(), lines.collect()));
        }
        if !self.users.is_empty() {
            keys.push(("users".to_owned(), self.users.iter().map(|user| (quoted(user), String::new())).collect()));
        }
        keys
    }

    /// `exec = { … }` in lines; none where nothing is to be said.
    pub fn exec(&self) -> Option<String> {
        let list = |texts: &mut dyn Iterator<Item = &String>| texts.map(|text| quoted(text)).collect::<Vec<_>>().join(", ");
        let mut parts = Vec::new();
        if !self.commands.is_empty() {
            parts.push(format!("commands = [{}]", list(&mut self.commands.keys())));
        }
        if !self.exec_users.is_empty() {
            parts.push(format!("users = [{}]", list(&mut self.exec_users.iter())));
        }
        (!parts.is_empty()).then(|| format!("exec = {{ {} }}", parts.join(", ")))
    }

    /// `checks = { … }`; none where all are on.
    pub fn checks(&self) -> Option<String> {
        let off: Vec<String> = self.off.iter().map(|id| format!("{id} = \"off\"")).collect();
        (!off.is_empty()).then(|| format!("checks = {{ {} }}", off.join(", ")))
    }

    /// The policy alone, without comments.
    pub fn toml(&self) -> String {
        let join = |lines: &[(String, String)]| lines.iter().map(|(entry, _)| entry.as_str()).collect::<Vec<_>>().join(", ");
        let mut out =
            format!("version = 1\n[policy.{}]\nallow = [{}]\n[policy.{0}.create]\nlevel = \"baseline\"\n", self.name, join(&self.allow()));
        for (key, lines) in self.create() {
            out.push_str(&format!("{key} = [{}]\n", join(&lines)));
        }
        for line in self.exec().into_iter().chain(self.checks()) {
            out.push_str(&line);
            out.push('\n');
        }
        out
    }

    /// The policy as it would be served.
    ///
    /// # Errors
    /// What is wrong with it, in the words of the configuration.
    pub fn load(&self) -> Result<Arc<Policy>, String> {
        let loaded = config::load("learned", &self.toml());
        let policy = loaded.config.and_then(|config| config.policy(&self.name));
        let wrong = || loaded.diagnostics.iter().find(|one| one.level == config::Severity::Error).map(|one| one.message.clone());
        policy.ok_or_else(|| wrong().unwrap_or_else(|| "it cannot be written as a policy".to_owned()))
    }
}
