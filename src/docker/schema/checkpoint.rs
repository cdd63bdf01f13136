//! The body of checkpoint create.
//! Knows nothing of which directories a check accepts.

use super::{Schema, Type, field};
use crate::docker::Class::{Gated, Inert};
use crate::docker::Gate;

/// The body of `POST /containers/{id}/checkpoints`.
pub static CHECKPOINT_CREATE: Schema = Schema {
    name: "CheckpointCreate",
    fields: &[
        field("CheckpointID", Type::Str, Inert),
        // A path on the host.
        field("CheckpointDir", Type::Str, Gated(Gate::HostDirectory)),
        field("Exit", Type::Bool, Inert),
    ],
    ignored: &[],
};
