//! Rules and the table that finds the ones of an operation in constant time.
//! Knows nothing of configuration syntax.

use std::fmt;
use std::sync::Arc;

use regex::Regex;

use crate::docker::operations::TABLE;
use crate::docker::{Action, Operation};

use super::facts::Facts;

/// Where a rule stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The file, or `preset NAME`.
    pub source: Arc<str>,
    /// The line, from 1; 0 where there is none.
    pub line: usize,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line == 0 { f.write_str(&self.source) } else { write!(f, "{}:{}", self.source, self.line) }
    }
}

/// One entry of `allow` or `deny`.
#[derive(Debug, Clone)]
pub struct Rule {
    /// The entry as written.
    pub text: String,
    /// Where it stands.
    pub origin: Origin,
    /// The operations that it names; a rule can never name an unknown one.
    pub operations: Vec<Operation>,
    /// What else must hold.
    pub conditions: Vec<Condition>,
}

impl PartialEq for Rule {
    /// Two rules that say the same, wherever they stand.
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text && self.operations == other.operations && self.conditions == other.conditions
    }
}

/// A condition of a rule; all of a rule's conditions must hold.
#[derive(Debug, Clone)]
pub enum Condition {
    /// The object's full id or one of its names matches; this needs the object as a fact.
    Id(Regex),
    /// The canonical path without version matches.
    Path(Regex),
    /// The query has the key and its canonical value matches.
    Query(String, Regex),
}

impl PartialEq for Condition {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Id(own), Self::Id(other)) | (Self::Path(own), Self::Path(other)) => own.as_str() == other.as_str(),
            (Self::Query(key, own), Self::Query(other_key, other)) => key == other_key && own.as_str() == other.as_str(),
            (Self::Id(_) | Self::Path(_) | Self::Query(..), _) => false,
        }
    }
}

/// The rules of a policy by operation.
#[derive(Debug, PartialEq)]
pub struct RuleTable {
    slots: Vec<Slot>,
}

/// An unconditional rule decides alone, so only the first one is kept.
#[derive(Debug, Default, Clone, PartialEq)]
struct Slot {
    deny: List,
    allow: List,
}

#[derive(Debug, Default, Clone, PartialEq)]
struct List {
    always: Option<Arc<Rule>>,
    conditional: Vec<Arc<Rule>>,
}

impl RuleTable {
    /// Builds the table.
    pub fn new(allow: Vec<Rule>, deny: Vec<Rule>) -> Self {
        let mut slots = vec![Slot::default(); TABLE.len()];
        let mut place = |rules: Vec<Rule>, list: fn(&mut Slot) -> &mut List| {
            for rule in rules.into_iter().map(Arc::new) {
                for operation in &rule.operations {
                    if let Some(slot) = slots.get_mut(*operation as usize) {
                        list(slot).add(&rule);
                    }
                }
            }
        };
        place(allow, |slot| &mut slot.allow);
        place(deny, |slot| &mut slot.deny);
        Self { slots }
    }

    /// The deny rule that fits an action, if one does.
    pub fn denying(&self, action: &Action, facts: &Facts) -> Option<&Arc<Rule>> {
        self.slot(action.endpoint.operation)?.deny.fitting(action, facts)
    }

    /// The allow rule that fits an action, if one does.
    pub fn allowing(&self, action: &Action, facts: &Facts) -> Option<&Arc<Rule>> {
        self.slot(action.endpoint.operation)?.allow.fitting(action, facts)
    }

    /// The deny rule that fits every action of the operation.
    pub fn denies_always(&self, operation: Operation) -> Option<&Arc<Rule>> {
        self.slot(operation)?.deny.always.as_ref()
    }

    /// True where some action of the operation may be allowed.
    pub fn may_allow(&self, operation: Operation) -> bool {
        self.slot(operation).is_some_and(|slot| slot.allow.always.is_some() || !slot.allow.conditional.is_empty())
    }

    /// True where a rule of the operation asks for the object's id or names.
    pub fn asks_for_id(&self, operation: Operation) -> bool {
        let asks =
            |list: &List| list.conditional.iter().any(|rule| rule.conditions.iter().any(|condition| matches!(condition, Condition::Id(_))));
        self.slot(operation)
            .is_some_and(|slot| (slot.deny.always.is_none() && asks(&slot.deny)) || (slot.allow.always.is_none() && asks(&slot.allow)))
    }

    fn slot(&self, operation: Operation) -> Option<&Slot> {
        self.slots.get(operation as usize)
    }
}

impl List {
    fn add(&mut self, rule: &Arc<Rule>) {
        if !rule.conditions.is_empty() {
            self.conditional.push(Arc::clone(rule));
        } else if self.always.is_none() {
            self.always = Some(Arc::clone(rule));
        }
    }

    fn fitting(&self, action: &Action, facts: &Facts) -> Option<&Arc<Rule>> {
        let fits = |rule: &&Arc<Rule>| rule.conditions.iter().all(|condition| condition.holds(action, facts));
        self.always.as_ref().or_else(|| self.conditional.iter().find(fits))
    }
}

impl Condition {
    fn holds(&self, action: &Action, facts: &Facts) -> bool {
        match self {
            Self::Id(regex) => facts.identities(action).iter().any(|name| regex.is_match(name)),
            Self::Path(regex) => regex.is_match(&action.endpoint.path()),
            Self::Query(key, regex) => action.query(key).is_some_and(|value| regex.is_match(value)),
        }
    }
}
