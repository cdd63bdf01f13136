//! How a policy amounts to root on the host.
//! Knows nothing of files and places.

use crate::docker::Operation;
use crate::docker::operations::{Group, Kind, TABLE};
use crate::policy::{BindAccess, Level, Mode, Policy, Targets};

use super::error::Report;
use super::suggest::some_of;
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
    if policy.create.level != Level::Unrestricted && !open(policy, [Operation::ContainerCreate, Operation::ServiceCreate]).is_empty() {
        grants(policy, &mut ways);
    }
    operations(policy, &mut ways);
    ways
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
    for (group, what) in [(Group::Plugins, "plugins run as root on the host"), (Group::Swarm, "services run on every node, unchecked")] {
        let changes =
            TABLE.iter().copied().filter(|operation| operation.row().kind == Kind::Change && operation.row().groups.contains(&group));
        let names = open(policy, changes);
        if !names.is_empty() {
            ways.push(format!("{} allowed: {what}", some_of(names)));
        }
    }
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
