//! How a policy amounts to root on the host.
//! Knows nothing of files and places.

use crate::docker::Operation;
use crate::docker::operations::{Group, Kind, TABLE};
use crate::policy::{Act, BindAccess, Level, Mode, Policy, Reason, Targets};

use super::error::Report;
use super::suggest::{listed, some_of};
use super::tree::Span;

/// Capabilities that open the host.
const CAPABILITIES: &[&str] = &[
    "ALL",
    "BPF",
    "CHECKPOINT_RESTORE",
    "DAC_READ_SEARCH",
    "MAC_ADMIN",
    "MAC_OVERRIDE",
    "NET_ADMIN",
    "PERFMON",
    "SYSLOG",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_MODULE",
    "SYS_PTRACE",
    "SYS_RAWIO",
    "SYS_TIME",
];

/// Devices that hold the host's disks or memory, by the start of their paths.
const DEVICES: &[&str] = &[
    "/dev/sd",
    "/dev/hd",
    "/dev/vd",
    "/dev/xvd",
    "/dev/nvme",
    "/dev/mmcblk",
    "/dev/dm-",
    "/dev/md",
    "/dev/mapper",
    "/dev/disk",
    "/dev/loop",
    "/dev/mem",
    "/dev/kmem",
    "/dev/port",
    "/dev/kmsg",
];

/// Operations that make a container run or open one.
const OPENERS: &[Operation] = &[
    Operation::ContainerStart,
    Operation::ContainerRestart,
    Operation::ContainerUpdate,
    Operation::ContainerExec,
    Operation::ExecStart,
    Operation::ContainerAttach,
    Operation::ContainerAttachWebsocket,
];

/// Operations that say what runs.
const CREATORS: &[Operation] =
    &[Operation::ContainerCreate, Operation::ContainerUpdate, Operation::ContainerExec, Operation::ServiceCreate, Operation::ServiceUpdate];

/// Checks that keep the host apart: without one of them what can be asked for is root.
const GUARDS: &[Reason] = &[
    Reason::Privileged,
    Reason::HostPath,
    Reason::HostNamespace,
    Reason::VolumeDriver,
    Reason::CapAdd,
    Reason::Devices,
    Reason::SecurityOpt,
    Reason::MaskedPaths,
    // of a container that has the engine's socket
    Reason::VolumesFrom,
    // checkpoints from any folder of the host
    Reason::HostDirectory,
    // plugins, managers and the swarm's certificates
    Reason::Swarm,
    // older specifications, and containers with fields that dockgate does not know
    Reason::RefusedField,
];

/// Operations that ask for what the guards refuse, beside those that create and open.
const ASKERS: &[Operation] = &[Operation::VolumeCreate, Operation::CheckpointCreate, Operation::PluginSet];

/// Operations that bring in or run a plugin; the others change one that was accepted.
const PLUGIN_RUNNERS: &[Operation] = &[Operation::PluginPull, Operation::PluginEnable, Operation::PluginUpgrade, Operation::PluginCreate];

/// Operations on services, which are judged like containers.
const SERVICES: &[Operation] = &[Operation::ServiceCreate, Operation::ServiceUpdate, Operation::ServiceDelete];

/// Every way in which the policy amounts to root on the host; empty where none is known.
pub fn ways_to_root(policy: &Policy) -> Vec<String> {
    let mut ways = Vec::new();
    if policy.mode != Mode::Enforce {
        ways.push(format!("mode `{}` forwards what the policy denies", policy.mode.as_str()));
    }
    let creators = open(policy, CREATORS.iter().copied());
    if policy.create.level == Level::Unrestricted {
        if !creators.is_empty() {
            ways.push(format!("level `unrestricted` checks nothing of {}", some_of(creators.iter().copied())));
        }
    } else if policy.create.targets == Targets::Any {
        let openers = open(policy, OPENERS.iter().copied());
        if !openers.is_empty() {
            ways.push(format!("`targets = \"any\"` lets {} reach privileged containers", some_of(openers)));
        }
    }
    if policy.create.level != Level::Unrestricted {
        guards(policy, &mut ways);
    }
    let services = [Operation::ServiceCreate, Operation::ServiceUpdate];
    if policy.create.level != Level::Unrestricted && !open(policy, services.into_iter().chain([Operation::ContainerCreate])).is_empty() {
        grants(policy, &mut ways);
    }
    operations(policy, &mut ways);
    ways
}

/// Guards that are switched, where something is open that they look at.
fn guards(policy: &Policy, ways: &mut Vec<String>) {
    let off = GUARDS.iter().filter(|reason| policy.create.act(**reason) != Act::Deny).map(|reason| reason.code());
    let off = listed(off);
    if !off.is_empty() && !open(policy, CREATORS.iter().chain(OPENERS).chain(ASKERS).copied()).is_empty() {
        ways.push(format!("`checks` lets through what {off} would refuse"));
    }
}

fn grants(policy: &Policy, ways: &mut Vec<String>) {
    let create = &policy.create;
    for bind in create.binds.iter().filter(|bind| bind.below && bind.access == BindAccess::ReadWrite) {
        ways.push(format!("the bind `{}/**` is writable: a container can plant a link there that leads out of it", bind.source));
    }
    let capabilities = create.cap_add.iter().map(String::as_str).filter(|name| CAPABILITIES.contains(name));
    let capabilities = some_of(capabilities);
    if !capabilities.is_empty() {
        ways.push(format!("`cap-add` grants {capabilities}"));
    }
    let devices = some_of(create.devices.iter().map(String::as_str).filter(|path| DEVICES.iter().any(|start| path.starts_with(start))));
    if !devices.is_empty() {
        ways.push(format!("`devices` grants {devices}"));
    }
}

fn operations(policy: &Policy, ways: &mut Vec<String>) {
    let unjudged = policy.create.level == Level::Unrestricted || policy.create.targets == Targets::Any;
    if unjudged && !open(policy, [Operation::PutContainerArchive]).is_empty() {
        ways.push("`PutContainerArchive` writes any file into containers, mounted folders included".to_owned());
    }
    for (group, what) in
        [(Group::Plugins, "plugins run as root on the host"), (Group::Swarm, "whoever governs a swarm runs anything on all of its nodes")]
    {
        let rooted = |operation: &Operation| {
            let row = operation.row();
            row.kind == Kind::Change && row.groups.contains(&group) && (policy.create.level == Level::Unrestricted || unchecked(*operation))
        };
        let names = open(policy, TABLE.iter().copied().filter(rooted));
        if !names.is_empty() {
            ways.push(format!("{} allowed: {what}", some_of(names)));
        }
    }
}

/// False for writes to plugins and swarms that the checks make harmless.
fn unchecked(operation: Operation) -> bool {
    let plugin = operation.row().groups.contains(&Group::Plugins);
    if plugin { PLUGIN_RUNNERS.contains(&operation) } else { !SERVICES.contains(&operation) }
}

fn open(policy: &Policy, operations: impl IntoIterator<Item = Operation>) -> Vec<&'static str> {
    let open = |operation: &Operation| policy.rules.may_allow(*operation) && policy.rules.denies_always(*operation).is_none();
    operations.into_iter().filter(open).map(Operation::name).collect()
}

/// Warns of a policy that amounts to root, with every way.
pub(super) fn warn(policy: &Policy, span: &Span, report: &mut Report<'_>) {
    let ways = ways_to_root(policy);
    if !ways.is_empty() {
        let said = report.warning("as-good-as-root", span, format!("policy `{}` is as good as root on the host", policy.name));
        said.notes = ways;
        said.hint = Some("give it only to clients that you would give the docker socket itself".to_owned());
    }
}
