//! Verdicts, and all wording of denials: what the client is told and what the operator is advised.
//! Knows nothing of status codes.

use std::sync::{Arc, OnceLock};

use crate::docker::operations::Kind;
use crate::docker::{Action, Gate, Operation, Value};

use super::Mode;
use super::checks::{self, Check};
use super::rule::{Origin, Rule};

/// What the judge says.
#[must_use]
#[derive(Debug)]
pub enum Verdict {
    /// The action may go upstream, by this ticket.
    Allow(Permit),
    /// It may not.
    Deny(Denial),
}

/// The only ticket upstream. It holds the action as it was judged, with pinned ids; it can only be made by the judge.
#[derive(Debug)]
pub struct Permit {
    action: Box<Action>,
    /// The rule that allowed it; `None` where a mode other than `enforce` let it through.
    pub rule: Option<Arc<Rule>>,
    /// What would have been denied in mode `enforce`.
    pub would_deny: Option<Denial>,
    /// What checks warned of.
    pub warnings: Vec<Denial>,
    /// JSON paths of what was injected.
    pub injected: Vec<String>,
    mode: Mode,
    text: OnceLock<String>,
}

impl Permit {
    pub(super) fn new(action: Action, rule: Option<Arc<Rule>>, mode: Mode) -> Self {
        Self { action: Box::new(action), rule, would_deny: None, warnings: Vec::new(), injected: Vec::new(), mode, text: OnceLock::new() }
    }

    /// The body in JSON, byte for byte as it goes upstream and into the record's digest; `None` where there is no such body.
    pub fn text(&self) -> Option<&str> {
        let json = self.action.json()?;
        Some(self.text.get_or_init(|| json.encode()))
    }

    /// True where the connection becomes a tunnel. An exec that is started detached is an ordinary request.
    pub fn opens_tunnel(&self) -> bool {
        let detached = self.action.json().and_then(|body| body.get("Detach")).is_some_and(Value::is_true);
        self.action.row().kind == Kind::Tunnel && !detached
    }

    /// True for what changes the engine at once: neither a read, nor a stream or tunnel.
    pub fn is_change(&self) -> bool {
        match self.action.row().kind {
            Kind::Change => true,
            Kind::Tunnel => !self.opens_tunnel(),
            Kind::Read | Kind::SensitiveRead | Kind::Stream => false,
        }
    }

    /// What goes upstream.
    pub fn action(&self) -> &Action {
        &self.action
    }

    /// What the client is told in the reply's warnings: the denial that mode `warn` does not enforce, and one line
    /// for all checks that warn. Mode `observe` is silent.
    pub fn client_warnings(&self) -> Vec<String> {
        let denied =
            self.would_deny.iter().filter(|_| self.mode == Mode::Warn).map(|denial| format!("{} (not enforced)", denial.message()));
        let checks: Vec<String> = self.warnings.iter().map(|warning| format!("{} ({})", warning.reason.code(), warning.at)).collect();
        let policy = self.warnings.first().filter(|_| self.mode != Mode::Observe).map(|warning| &warning.policy);
        denied.chain(policy.map(|policy| format!("dockgate: policy `{policy}` warns: {}", checks.join(", ")))).collect()
    }
}

/// Why an action is denied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    /// The reason code.
    pub reason: Reason,
    /// Where: a JSON path, `?key` of the query, or the operation.
    pub at: String,
    /// The policy that denied it.
    pub policy: String,
    /// The rule that decided, for explicit denies.
    pub rule: Option<(String, Origin)>,
    /// True where no mode forwards it.
    pub absolute: bool,
}

/// A check that an action passed, for `explain`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passed {
    /// The check.
    pub gate: Gate,
    /// Where it looked.
    pub at: String,
}

macro_rules! reasons {
    ($($(#[$doc:meta])* $variant:ident,)*) => {
        /// Why; the code stands in messages and records. All but the first four are checks with a file of their own.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[allow(missing_docs, reason = "each check's sentence stands in its file")]
        pub enum Reason { $($(#[$doc])* $variant,)* }

        impl Reason {
            /// Every reason.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];
        }
    };
}

reasons! {
    /// No rule allows the operation.
    NotAllowed,
    /// A deny rule names it.
    DeniedByRule,
    /// It would reach dockgate itself.
    SelfProtection,
    /// A fact that is needed could not be had.
    FactMissing,
    Privileged,
    SocketMount,
    HostPath,
    Propagation,
    Volume,
    VolumeDriver,
    VolumesFrom,
    AnonymousVolume,
    Tmpfs,
    MountType,
    CapAdd,
    CapDropAll,
    Devices,
    HostNamespace,
    SecurityOpt,
    NoNewPrivileges,
    MaskedPaths,
    Cgroup,
    Sysctls,
    Runtime,
    Isolation,
    Annotations,
    Network,
    DefaultBridge,
    NetworkOption,
    Endpoint,
    Ports,
    LowPort,
    PublishAll,
    Links,
    ExtraHosts,
    Groups,
    Oom,
    MemoryLimit,
    CpuLimit,
    PidsLimit,
    LimitLifted,
    NoFileLimit,
    RealtimeCpu,
    Ulimits,
    ShmSize,
    StorageOpt,
    BlockIo,
    LogDriver,
    RestartPolicy,
    UnboundedRestart,
    ReadOnlyRootfs,
    Healthcheck,
    Image,
    ImageDigest,
    Approved,
    LatestTag,
    Import,
    NonRoot,
    User,
    Env,
    SecretEnv,
    Labels,
    WorkingDir,
    ExecCommand,
    PsArgs,
    BuildOption,
    HostDirectory,
    Swarm,
    RefusedField,
    Registry,
    Secrets,
}

impl Reason {
    /// The reason code.
    pub fn code(self) -> &'static str {
        self.check().id
    }

    /// What is said to the client: nothing about what would be allowed.
    pub fn sentence(self) -> &'static str {
        self.check().sentence
    }

    /// What the operator can change; `{policy}` is filled in.
    pub fn advice(self) -> &'static str {
        self.check().advice
    }

    /// All that is known about it.
    pub fn check(self) -> &'static Check {
        checks::of(self)
    }

    /// True for checks, which levels and `checks = { … }` can switch; false for decisions, which nothing changes.
    pub fn is_check(self) -> bool {
        !matches!(self, Self::NotAllowed | Self::DeniedByRule | Self::SelfProtection | Self::FactMissing)
    }

    /// The check of this id.
    pub fn of_check(id: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|reason| reason.is_check() && reason.code() == id)
    }
}

impl Denial {
    /// The message for the client, without the reference to the record. It says what was asked, never what is allowed.
    pub fn message(&self) -> String {
        let place = if self.at.is_empty() { String::new() } else { format!("{}: ", self.at) };
        format!("dockgate: denied by policy `{}` [{}]: {place}{}", self.policy, self.reason.code(), self.reason.sentence())
    }

    /// What the operator can do about it.
    pub fn advice(&self) -> String {
        self.reason.advice().replace("{policy}", &self.policy)
    }
}

/// The name of an operation as the place of a denial.
pub(super) fn operation_place(operation: Operation) -> String {
    operation.name().to_owned()
}
