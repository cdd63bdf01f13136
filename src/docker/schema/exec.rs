//! The bodies of exec create and exec start.
//! Knows nothing of what a check demands of an exec.

use super::{CONSOLE_SIZE, Ignored, STRINGS, Schema, Type, field, since, until};
use crate::docker::Class::{Gated, Inert};
use crate::docker::Gate;

/// The body of `POST /containers/{id}/exec`.
pub static EXEC_CREATE: Schema = Schema {
    name: "ExecCreate",
    fields: &[
        field("User", Type::Str, Gated(Gate::User)),
        field("Privileged", Type::Bool, Gated(Gate::Privileged)),
        field("Tty", Type::Bool, Inert),
        since(42, "ConsoleSize", CONSOLE_SIZE, Inert),
        field("AttachStdin", Type::Bool, Inert),
        field("AttachStderr", Type::Bool, Inert),
        field("AttachStdout", Type::Bool, Inert),
        // Every daemon that read it ignored it.
        until(51, "Detach", Type::Bool, Inert),
        field("DetachKeys", Type::Str, Inert),
        field("Env", STRINGS, Gated(Gate::Env)),
        since(35, "WorkingDir", Type::Str, Gated(Gate::WorkingDir)),
        // A plain list in every release, unlike the `Cmd` of a container.
        field("Cmd", STRINGS, Inert),
    ],
    ignored: &[
        Ignored { name: "Container", client: "docker-py, aiodocker, go-dockerclient" },
        Ignored { name: "containerId", client: "docker-java" },
    ],
};

/// The body of `POST /exec/{id}/start`.
pub static EXEC_START: Schema = Schema {
    name: "ExecStart",
    fields: &[field("Detach", Type::Bool, Inert), field("Tty", Type::Bool, Inert), since(42, "ConsoleSize", CONSOLE_SIZE, Inert)],
    ignored: &[
        Ignored { name: "OutputCapacity", client: "bollard" },
        Ignored { name: "hijack", client: "dockerode" },
        Ignored { name: "stdin", client: "dockerode" },
    ],
};
