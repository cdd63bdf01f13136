//! Rules, levels, checks and verdicts: what a subject may do. Pure: no clock, no input or output, no logging.
//! Knows nothing of sockets, files or configuration syntax.

pub mod checks;
pub mod create;
mod examine;
pub mod facts;
pub mod glob;
pub mod inject;
pub mod judge;
pub mod mode;
pub mod rule;
pub mod subject;
pub mod verdict;

#[cfg(test)]
mod tests;

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
    /// What happens to denials.
    pub mode: Mode,
    /// Which operations it allows and denies.
    pub rules: RuleTable,
    /// Hexadecimal digits that are others when the policy, or the place of a rule, is another; empty for one that no file made.
    pub digest: String,
    /// What it lets containers and services be.
    pub create: Create,
}
