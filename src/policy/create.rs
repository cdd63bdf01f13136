//! What a policy lets containers, networks and volumes be: the level and the grants.
//! Knows nothing of bodies.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::approved::Approved;
use super::checks::Act;
use super::glob::Glob;
use super::inject::Inject;
use super::verdict::Reason;

/// How strict the checks are, after the Pod Security Standards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Level {
    /// Nothing is checked beyond what makes a request a typed value.
    Unrestricted,
    /// What amounts to root on the host is refused unless granted.
    #[default]
    Baseline,
    /// The hardening guides are enforced: limits, no root, no capabilities, no privilege escalation, fixed images.
    Restricted,
}

impl Level {
    /// The word in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unrestricted => "unrestricted",
            Self::Baseline => "baseline",
            Self::Restricted => "restricted",
        }
    }
}

/// Whether a container that is started, entered or changed is itself held against the policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Targets {
    /// It is, as the engine knows it.
    #[default]
    Judged,
    /// It is not: as good as root where other containers are privileged.
    Any,
}

/// The level and grants of a policy.
#[derive(Debug, Default, PartialEq)]
pub struct Create {
    /// The level.
    pub level: Level,
    /// A stricter level whose checks only warn.
    pub warn_level: Option<Level>,
    /// Single checks that are switched, by reason; the level decides about all others.
    pub checks: BTreeMap<Reason, Act>,
    /// What is set where the client left it out.
    pub inject: Inject,
    /// The socket of a door, on the host, that is mounted where a client asks for the daemon's.
    pub rebind_socket: Option<String>,
    /// Repositories that images may come from; `None` for any.
    pub images: Option<Vec<Glob>>,
    /// Whether an image must be named by digest.
    pub require_digest: bool,
    /// Scanned images; `None` where no list is asked.
    pub approved: Option<Approved>,
    /// Whether a container must run as a user and group other than 0, by number.
    pub require_non_root: bool,
    /// Host paths that may be mounted.
    pub binds: Vec<BindGrant>,
    /// Volume names that may be used and created.
    pub volumes: Vec<Glob>,
    /// Network names that may be joined and created.
    pub networks: Vec<Glob>,
    /// Addresses and ports that may be published.
    pub ports: Vec<PortGrant>,
    /// Capabilities beyond the engine's default set, without `CAP_`.
    pub cap_add: Vec<String>,
    /// Host devices that may be passed in, by exact path.
    pub devices: Vec<String>,
    /// Names of environment variables that are refused.
    pub deny_env: Vec<Glob>,
    /// Keys of labels that are refused.
    pub deny_labels: Vec<Glob>,
    /// Kernel parameters beyond the safe set, by exact name.
    pub sysctls: Vec<String>,
    /// Runtimes beside the engine's default, by exact name.
    pub runtimes: Vec<String>,
    /// Security profiles: `seccomp=sha256:…` (of the JSON as sent) and `apparmor=NAME`.
    pub security_opt: Vec<String>,
    /// Secrets of the swarm that services may read.
    pub secrets: Vec<Glob>,
    /// Configs of the swarm that services may read.
    pub configs: Vec<Glob>,
    /// Log drivers that may be used with any options.
    pub log_drivers: Vec<String>,
    /// Users that containers and execs may run as; none for any.
    pub users: Vec<Glob>,
    /// Users that execs may run as, beside `users`.
    pub exec_users: Vec<Glob>,
    /// Commands that may be executed in containers; none for any.
    pub exec_commands: Vec<CommandPattern>,
    /// Whether targets are judged.
    pub targets: Targets,
}

impl Create {
    /// What is done about a finding: a setting for the check wins, then the level, then the warning level.
    pub fn act(&self, reason: Reason) -> Act {
        if let Some(act) = self.checks.get(&reason) {
            return *act;
        }
        let of = |level: Level| match level {
            Level::Unrestricted => Act::Off,
            Level::Baseline => reason.check().baseline,
            Level::Restricted => reason.check().restricted,
        };
        let demanded = if reason == Reason::NonRoot && self.require_non_root { Act::Deny } else { of(self.level) };
        let warned = self.warn_level.map_or(Act::Off, |level| of(level).min(Act::Warn));
        demanded.max(warned)
    }
}

/// A command that may be executed, word by word; a final `**` takes any further words.
#[derive(Debug, Clone, PartialEq)]
pub struct CommandPattern {
    words: Vec<Glob>,
    open: bool,
}

impl CommandPattern {
    /// Reads words between blanks; `*` in a word stands for any characters but a slash, `**` for any at all.
    ///
    /// # Errors
    /// Patterns that are too large to compile.
    pub fn new(text: &str) -> Result<Self, regex::Error> {
        let mut words: Vec<&str> = text.split_whitespace().collect();
        let open = words.last() == Some(&"**");
        if open {
            words.pop();
        }
        Ok(Self { words: words.into_iter().map(Glob::new).collect::<Result<_, _>>()?, open })
    }

    /// A command that fits.
    pub fn example(&self) -> Vec<String> {
        self.words.iter().map(|word| word.as_str().replace('*', "x")).collect()
    }

    /// True where every word fits.
    pub fn matches(&self, command: &[&str]) -> bool {
        let enough = command.len() == self.words.len() || (self.open && command.len() > self.words.len());
        enough && self.words.iter().zip(command).all(|(glob, word)| glob.matches(word))
    }
}

/// A host path that may be mounted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BindGrant {
    /// The canonical path.
    pub source: String,
    /// True for everything below it (`/**`), false for exactly it.
    pub below: bool,
    /// How it may be mounted.
    pub access: BindAccess,
}

/// How a host path may be mounted, from the least to the most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum BindAccess {
    /// Read-only, and so is everything that is mounted below it: the engine refuses where its kernel cannot.
    RecursiveReadOnly,
    /// Read-only.
    ReadOnly,
    /// Read-only or writable.
    ReadWrite,
}

impl BindGrant {
    /// True where the grant names this canonical path with this access.
    pub fn covers(&self, path: &str, access: BindAccess) -> bool {
        let below = || path.strip_prefix(&self.source).is_some_and(|rest| rest.starts_with('/'));
        let here = if self.below { below() } else { path == self.source };
        here && access <= self.access
    }
}

/// An address and a range of ports that may be published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortGrant {
    /// The host's address; the unspecified address covers an empty `HostIp` too.
    pub address: IpAddr,
    /// The first port.
    pub first: u16,
    /// The last port.
    pub last: u16,
}

impl PortGrant {
    /// True where the grant covers all ports of a binding.
    pub fn covers(&self, address: IpAddr, first: u16, last: u16) -> bool {
        self.address == address && self.first <= first && last <= self.last
    }
}
