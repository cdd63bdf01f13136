//! Which operations are dangerous to read, and which changes wide settings are usually written for.
//! Knows nothing of any proxy.

use crate::docker::Operation;
use crate::docker::operations::{Group, Kind};

/// What clients of whole sections mostly do with them; everything else is left out of a least policy.
const USUAL: &[Operation] = &[
    Operation::ContainerStart,
    Operation::ContainerStop,
    Operation::ContainerRestart,
    Operation::ContainerKill,
    Operation::ContainerPause,
    Operation::ContainerUnpause,
    Operation::ContainerWait,
];

/// True for what changes nothing and shows nothing that should stay inside.
pub(super) fn is_plain_read(operation: Operation) -> bool {
    let row = operation.row();
    matches!(row.kind, Kind::Read | Kind::Stream) && !row.groups.contains(&Group::Logs) && !needs_post(operation)
}

/// True for what a method other than GET and HEAD asks for.
pub(super) fn needs_post(operation: Operation) -> bool {
    !matches!(operation.row().method.as_str(), "GET" | "HEAD")
}

/// True for a GET or HEAD that shows files, output, secrets or opens a tunnel.
pub(super) fn is_dangerous_read(operation: Operation) -> bool {
    !needs_post(operation) && !is_plain_read(operation)
}

/// True for what stays in a least policy.
pub(super) fn is_usual(operation: Operation) -> bool {
    is_plain_read(operation) || USUAL.contains(&operation)
}

/// True for BuildKit's own protocols, which dockgate never forwards.
pub(super) fn is_buildkit(operation: Operation) -> bool {
    matches!(operation, Operation::Session | Operation::Grpc)
}
