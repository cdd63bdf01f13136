//! Whom a door gives which policy: the part of its state that a reload swaps whole.
//! Knows nothing of connections and of how it is found out who a client is.

use std::sync::Arc;

use crate::config::{Choice, Client, Config, Door, Home, choose};
use crate::policy::{Create, Mode, Origin, Policy, RuleTable, Subject};

/// The name that stands in records where a client has no policy; no policy can be called so.
const NOBODY: &str = "(none)";

/// The policies of a door, and who has which.
#[derive(Debug)]
pub struct Access {
    /// Of those whom no entry means; where they are refused the one that allows nothing.
    policy: Arc<Policy>,
    others: Admission,
    entries: Vec<Entry>,
}

/// What a door does with a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// It has a policy here.
    Served,
    /// No entry means it, and the door serves nobody else.
    Refused,
}

#[derive(Debug)]
struct Entry {
    client: Client,
    policy: Arc<Policy>,
}

/// What a request is held against.
#[derive(Debug, Clone, Copy)]
pub struct Standing<'a> {
    /// The policy.
    pub policy: &'a Policy,
    /// The place of the entry that chose it; `None` where it is the door's own.
    pub client: Option<&'a Origin>,
    /// Whether the client is served at all.
    pub admission: Admission,
}

/// A door names a policy that does not exist: nothing was swapped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("door `{door}` names the policy `{policy}`, which does not exist")]
pub struct NoPolicy {
    /// The door's URL.
    pub door: String,
    /// The name.
    pub policy: String,
}

impl Access {
    /// What a configuration says of a door.
    ///
    /// # Errors
    /// The first policy that the configuration does not have.
    pub fn new(door: &Door, config: &Config) -> Result<Self, NoPolicy> {
        let find = |name: &String| config.policy(name).ok_or_else(|| NoPolicy { door: door.listen.to_string(), policy: name.clone() });
        let entry = |client: &Client| Ok(Entry { client: client.clone(), policy: find(&client.policy)? });
        let entries = door.clients.iter().map(entry).collect::<Result<_, _>>()?;
        Ok(match &door.policy {
            Some(name) => Self { policy: find(name)?, others: Admission::Served, entries },
            None => Self { policy: Arc::new(nobody(door, config)), others: Admission::Refused, entries },
        })
    }

    /// The same with the policies that a configuration has now under their names; those that it does not have stay.
    pub(super) fn renewed(&self, config: &Config) -> Self {
        let renew = |policy: &Arc<Policy>| Arc::clone(config.policies.get(&policy.name).unwrap_or(policy));
        let entry = |entry: &Entry| Entry { client: entry.client.clone(), policy: renew(&entry.policy) };
        Self { policy: renew(&self.policy), others: self.others, entries: self.entries.iter().map(entry).collect() }
    }

    /// The policy of those whom no entry means; one that allows nothing where the door serves nobody else.
    pub fn policy(&self) -> &Arc<Policy> {
        &self.policy
    }

    /// All policies: that of the door, where it has one, and those of its entries.
    pub fn policies(&self) -> impl Iterator<Item = &Arc<Policy>> {
        let own = (self.others == Admission::Served).then_some(&self.policy);
        own.into_iter().chain(self.entries.iter().map(|entry| &entry.policy))
    }

    /// Whether it matters who asks.
    pub fn has_entries(&self) -> bool {
        !self.entries.is_empty()
    }

    /// True where both have the same entries with policies of the same names.
    pub(super) fn same_entries(&self, other: &Self) -> bool {
        self.entries.iter().map(|entry| &entry.client).eq(other.entries.iter().map(|entry| &entry.client))
    }

    /// What holds for a client; `None` where it depends on the container that it runs in, and nobody has asked.
    pub fn standing(&self, subject: &Subject, home: Home<'_>) -> Option<Standing<'_>> {
        match choose(self.entries.iter().map(|entry| &entry.client), subject, home) {
            Choice::Ask => None,
            Choice::Nobody => Some(self.others()),
            Choice::Entry(at) => Some(self.entries.get(at).map_or_else(|| self.others(), Entry::standing)),
        }
    }

    /// What holds for those whom no entry means.
    pub fn others(&self) -> Standing<'_> {
        Standing { policy: &self.policy, client: None, admission: self.others }
    }
}

impl Entry {
    fn standing(&self) -> Standing<'_> {
        Standing { policy: &self.policy, client: Some(&self.client.origin), admission: Admission::Served }
    }
}

/// What stands in the record of a client that has no policy.
fn nobody(door: &Door, config: &Config) -> Policy {
    Policy {
        name: NOBODY.to_owned(),
        origin: door.origin.clone(),
        digest: Arc::from(config.digest.as_str()),
        mode: Mode::Enforce,
        rules: RuleTable::new(Vec::new(), Vec::new()),
        create: Create::default(),
    }
}
