//! The words of a record that come from a closed list.
//! Knows nothing of when each is said.

use serde::Serialize;

/// The stages of a call's records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// The only record of a read or of a refused request.
    #[default]
    Single,
    /// Before the first byte of a change, stream or tunnel goes upstream.
    Intent,
    /// When the reply of a stream or tunnel has begun.
    Start,
    /// After a change ended.
    Outcome,
    /// After a stream or tunnel ended.
    End,
}

impl Stage {
    /// The word in the record.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Single => "single",
            Self::Intent => "intent",
            Self::Start => "start",
            Self::Outcome => "outcome",
            Self::End => "end",
        }
    }
}

/// The verdict in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum VerdictWord {
    /// A rule allowed it.
    Allow,
    /// The policy denied it.
    Deny,
    /// The policy would have denied it, but its mode forwards.
    WouldDeny,
    /// It never became a value that can be judged.
    Refuse,
}

impl VerdictWord {
    /// The word in the record.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::WouldDeny => "would-deny",
            Self::Refuse => "refuse",
        }
    }
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ended {
    /// The reply was relayed whole.
    Complete,
    /// dockgate answered itself.
    Refused,
    /// The client went away.
    ClientGone,
    /// The engine went away, or its reply broke off.
    UpstreamGone,
    /// dockgate was stopped.
    Drained,
    /// The task ended without an answer.
    Aborted,
}

impl Ended {
    /// The word in the record.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Refused => "refused",
            Self::ClientGone => "client-gone",
            Self::UpstreamGone => "upstream-gone",
            Self::Drained => "drained",
            Self::Aborted => "aborted",
        }
    }
}
