//! Rules, levels, checks and verdicts: what a subject may do. Pure: no clock, no input or output, no logging.
//! Knows nothing of sockets, files or configuration syntax.

pub mod approved;
pub mod checks;
pub mod create;
mod examine;
pub mod facts;
pub mod glob;
pub mod inject;
pub mod judge;
pub mod mode;
mod rebind;
pub mod rule;
pub mod subject;
pub mod verdict;

#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use approved::{Approved, Scan, Severity};
pub use checks::{Act, Check};
pub use create::{BindAccess, BindGrant, CommandPattern, Create, Level, PortGrant, Targets};
pub use examine::{Examination, Finding, examine_container};
pub use facts::{Facts, Need, Own, next_need};
pub use glob::Glob;
pub use inject::Inject;
pub use judge::{admits, judge};
pub use mode::Mode;
pub use rule::{Condition, Origin, Rule, RuleTable};
pub use subject::Subject;
pub use verdict::{Denial, Passed, Permit, Reason, Verdict};

/// What one door, or one client of a door, may do.
#[derive(Debug)]
pub struct Policy {
    /// Its name in the configuration, or the preset's.
    pub name: String,
    /// Where it is written.
    pub origin: Origin,
    /// The SHA-256 of the text that it is written in, in hexadecimal.
    pub digest: Arc<str>,
    /// What happens to denials.
    pub mode: Mode,
    /// Which operations it allows and denies.
    pub rules: RuleTable,
    /// What it lets containers and services be.
    pub create: Create,
}

impl Policy {
    /// True where both say the same under the same name, wherever it is written.
    pub fn says_the_same(&self, other: &Self) -> bool {
        self.name == other.name && self.mode == other.mode && self.rules == other.rules && self.create == other.create
    }
}
