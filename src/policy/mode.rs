//! What happens to a request that a policy would deny.
//! Knows nothing of why.

/// The mode of a policy. What cannot become a typed value, explicit denies, socket and self mounts and
/// self-protection are refused in every mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// Denials are refused.
    #[default]
    Enforce,
    /// Denials are forwarded, recorded, and added to the reply's warnings.
    Warn,
    /// Denials are forwarded and recorded.
    Observe,
}

impl Mode {
    /// The word in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Warn => "warn",
            Self::Observe => "observe",
        }
    }
}
