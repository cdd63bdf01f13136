//! Verdicts, and all wording of denials: what the client is told and what the operator is advised.
//! Knows nothing of status codes.

use std::sync::Arc;

use crate::docker::operations::Kind;
use crate::docker::{Action, Gate, Operation, Value};

use super::Mode;
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
    mode: Mode,
}

impl Permit {
    pub(super) fn new(action: Action, rule: Option<Arc<Rule>>, would_deny: Option<Denial>, mode: Mode) -> Self {
        Self { action: Box::new(action), rule, would_deny, mode }
    }

    /// True where the connection becomes a tunnel. An exec that is started detached is an ordinary request.
    pub fn opens_tunnel(&self) -> bool {
        let detached = self.action.json().and_then(|body| body.get("Detach")).is_some_and(Value::is_true);
        self.action.row().kind == Kind::Tunnel && !detached
    }

    /// True where the client is told what would have been denied.
    pub fn warns(&self) -> bool {
        self.mode == Mode::Warn && self.would_deny.is_some()
    }

    /// What goes upstream.
    pub fn action(&self) -> &Action {
        &self.action
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
    ($($variant:ident $code:literal $client:literal $advice:literal,)*) => {
        /// Why; the code stands in messages and records.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[allow(missing_docs, reason = "each variant's sentence stands in its row")]
        pub enum Reason { $($variant,)* }

        impl Reason {
            /// Every reason.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The reason code.
            pub fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            /// What is said to the client: nothing about what would be allowed.
            pub fn sentence(self) -> &'static str {
                match self { $(Self::$variant => $client,)* }
            }

            /// What the operator can change; `{policy}` and `{at}` are filled in.
            pub fn advice(self) -> &'static str {
                match self { $(Self::$variant => $advice,)* }
            }
        }
    };
}

reasons! {
    NotAllowed "not-allowed" "this operation is not allowed here" "add the operation to `allow` of [policy.{policy}]",
    DeniedByRule "denied-by-rule" "an explicit rule denies this operation" "remove the entry from `deny` of [policy.{policy}]; nothing else overrides it",
    SelfProtection "self-protection" "this would reach dockgate itself" "not possible below level `unrestricted`; act on dockgate's own container from the host",
    SocketMount "socket-mount" "mounting an engine's socket or a folder that holds it gives root on the host" "give the client a door of its own instead of the socket",
    FactMissing "fact-missing" "the object could not be looked up, so it could not be judged" "see the operator's log for what the engine answered",
    Privileged "privileged" "a privileged container is root on the host" "only level `unrestricted` allows it; grant single capabilities with `cap-add` of [policy.{policy}.create]",
    HostPath "host-path" "mounts a host path that is not granted" "add the path to `binds` of [policy.{policy}.create], with mode \"ro\" if reading is enough",
    Volume "volume" "uses a named volume that is not granted" "add the name to `volumes` of [policy.{policy}.create]",
    VolumeDriver "volume-driver" "volume drivers and driver options can mount any part of the host" "create the volume on the engine itself and grant its name in `volumes` of [policy.{policy}.create]",
    VolumesFrom "volumes-from" "takes over the mounts of another container" "name the volumes one by one and grant them in `volumes` of [policy.{policy}.create]",
    Tmpfs "tmpfs" "a tmpfs here, of this size or with these options is refused" "at most 1 GiB, options rw, ro, noexec, nosuid, nodev, size, mode, uid, gid, and not on /, /proc, /sys or /dev",
    MountType "mount-type" "this type of mount is refused" "use a volume, a granted bind or a tmpfs; image mounts need their repository in `images` of [policy.{policy}.create]",
    CapAdd "cap-add" "adds a capability beyond the engine's default set" "add it to `cap-add` of [policy.{policy}.create]",
    Devices "devices" "passes in a host device that is not granted" "add the device's path to `devices` of [policy.{policy}.create]",
    HostNamespace "host-namespace" "shares a namespace of the host or of another container" "only level `unrestricted` allows it",
    Network "network" "uses a network that is not granted" "add the network's name to `networks` of [policy.{policy}.create]",
    NetworkOption "network-option" "this setting reaches the host's network" "create the network on the engine itself and grant its name in `networks` of [policy.{policy}.create]",
    Endpoint "endpoint" "only aliases may be set for a network endpoint" "leave out addresses, driver options, links and network ids",
    SecurityOpt "security-opt" "turns off or replaces a protection of the engine" "leave it out: the engine's defaults are the safe ones",
    MaskedPaths "masked-paths" "unmasks kernel files" "leave the paths out (`systempaths=unconfined` sends empty ones)",
    Cgroup "cgroup" "moves the container to another control group" "leave it out",
    Sysctls "sysctls" "sets a kernel parameter outside the safe set" "only the namespaced, safe ones of the Pod Security Standards are allowed below `unrestricted`",
    Runtime "runtime" "uses another runtime" "leave it out, or use runc",
    Isolation "isolation" "uses another isolation technology" "leave it out",
    Ports "ports" "publishes a port that is not granted" "add address and port to `ports` of [policy.{policy}.create], such as \"127.0.0.1:8080\"",
    PublishAll "publish-all" "publishes every exposed port on every address" "publish single ports and grant them in `ports` of [policy.{policy}.create]",
    Links "links" "legacy links leak the other container's environment" "join both containers to a granted network",
    ExtraHosts "extra-hosts" "only literal addresses may be added to the hosts file" "leave out `host-gateway`",
    Groups "group-add" "adds groups to the process" "leave it out",
    Oom "oom" "protects the container from the host's memory limits" "use a score of 0 or more and leave the OOM killer on",
    ShmSize "shm-size" "shared memory beyond 1 GiB is refused" "use at most 1 GiB",
    StorageOpt "storage-opt" "sets options of the storage driver" "leave it out",
    Ulimits "ulimits" "locks memory or takes real-time priority" "leave out memlock and rtprio",
    LogDriver "log-driver" "this log driver or option can send data out or read host files" "use json-file, local or none",
    RestartPolicy "restart-policy" "no such restart policy" "use no, on-failure, always or unless-stopped",
    RealtimeCpu "realtime-cpu" "takes real-time CPU from the host" "leave it out",
    BlockIo "block-io" "names block devices of the host" "leave it out",
    Annotations "annotations" "annotations are orders to the runtime" "leave them out",
    Image "image" "uses an image that is not granted" "add the repository to `images` of [policy.{policy}.create]",
    ImageDigest "image-digest" "the image must be named by digest" "name it as repository@sha256:…, or unset `require-digest` of [policy.{policy}.create]",
    Import "import" "imports an image from a URL or a body" "pull it from a registry instead; only level `unrestricted` allows imports",
    NonRoot "non-root" "must run as a user and group other than 0, given by number" "set `User` to uid:gid, or unset `require-non-root` of [policy.{policy}.create]",
    Env "env" "sets an environment variable that is refused" "remove the name from `env.deny` of [policy.{policy}.create]",
    Labels "labels" "sets a label that is refused" "remove the key from `labels.deny` of [policy.{policy}.create]",
    WorkingDir "working-dir" "a working directory under /proc, /sys or /dev can reach the host" "use another directory",
    AnonymousVolume "anonymous-volume" "is not a plain path in the container" "use an absolute path without a colon",
    PsArgs "ps-args" "these arguments run on the host's ps" "use no arguments, -ef or aux",
    BuildOption "build-option" "this build option reaches beyond the build" "leave it out",
    HostDirectory "host-directory" "names a directory on the host" "leave it out",
    RefusedField "refused-field" "this setting must be empty" "leave it out; only level `unrestricted` allows it",
}

impl Denial {
    /// The message for the client, without the reference to the record. It says what was asked, never what is allowed.
    pub fn message(&self) -> String {
        let place = if self.at.is_empty() { String::new() } else { format!("{}: ", self.at) };
        format!("dockgate: denied by policy `{}` [{}]: {place}{}", self.policy, self.reason.code(), self.reason.sentence())
    }

    /// What the operator can do about it.
    pub fn advice(&self) -> String {
        self.reason.advice().replace("{policy}", &self.policy).replace("{at}", &self.at)
    }
}

/// The name of an operation as the place of a denial.
pub(super) fn operation_place(operation: Operation) -> String {
    operation.name().to_owned()
}
