//! Which operation brings which events about.
//! Knows nothing of when they come.

use crate::docker::Operation as O;

use super::event::Happened::{self, *};

/// How an event must fit the request, beside its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// The request names the event's object.
    Object,
    /// The request names the container that a network got or lost.
    Container,
    /// The one container, network or volume that the request makes; by its name where the request has one.
    Made,
    /// A container that a build makes.
    Bears,
    /// A container that this build made.
    Born,
    /// The request names the exec.
    Exec,
    /// A volume that the request names, or one without a name of its own.
    Volume,
    /// The request names the image's repository.
    Image,
    /// Anything: what the request does to which object cannot be told.
    Window,
}

/// One operation and what it brings about.
type Row = (O, &'static [(Happened, By)]);

/// The operations that cause events. A stop, for example, sends signals, and takes the container off its networks.
static CAUSES: &[Row] = &[
    (O::ContainerCreate, &[(Create, By::Made), (VolumeCreate, By::Volume)]),
    (
        O::ContainerStart,
        &[
            (Start, By::Object),
            (NetworkConnect, By::Container),
            (NetworkDisconnect, By::Container), // a start that fails
            (Destroy, By::Object),              // the same with `--rm`
            (VolumeDestroy, By::Volume),
        ],
    ),
    (O::ContainerStop, &[(Stop, By::Object), (Kill, By::Object), (NetworkDisconnect, By::Container)]),
    (
        O::ContainerRestart,
        &[
            (Restart, By::Object),
            (Kill, By::Object),
            (Stop, By::Object),
            (Start, By::Object),
            (NetworkConnect, By::Container),
            (NetworkDisconnect, By::Container),
        ],
    ),
    (O::ContainerKill, &[(Kill, By::Object), (NetworkDisconnect, By::Container)]),
    (O::ContainerPause, &[(Pause, By::Object)]),
    (O::ContainerUnpause, &[(Unpause, By::Object)]),
    (O::ContainerRename, &[(Rename, By::Object)]),
    (O::ContainerUpdate, &[(Update, By::Object)]),
    (O::ContainerDelete, &[(Destroy, By::Object), (Kill, By::Object), (NetworkDisconnect, By::Container), (VolumeDestroy, By::Volume)]),
    (O::ContainerPrune, &[(Destroy, By::Window), (ContainerPrune, By::Window)]),
    (O::ContainerExec, &[(ExecCreate, By::Object)]),
    (O::ExecStart, &[(ExecStart, By::Exec)]),
    (O::PutContainerArchive, &[(Extract, By::Object)]),
    (O::ImageCommit, &[(Commit, By::Object), (ImageCreate, By::Window), (Tag, By::Window), (Untag, By::Window)]),
    (
        O::ImageCreate,
        &[(Pull, By::Image), (Import, By::Window), (ImageCreate, By::Window), (Tag, By::Window), (Untag, By::Window), (Delete, By::Window)],
    ),
    (O::ImagePush, &[(Push, By::Image)]),
    (O::ImageTag, &[(Tag, By::Image), (Untag, By::Window)]),
    (O::ImageDelete, &[(Untag, By::Window), (Delete, By::Window)]),
    (O::ImagePrune, &[(Untag, By::Window), (Delete, By::Window), (ImagePrune, By::Window)]),
    (O::ImageLoad, &[(Load, By::Window), (ImageCreate, By::Window), (Tag, By::Window), (Untag, By::Window), (Delete, By::Window)]),
    (O::ImageGet, &[(Save, By::Window)]),
    (O::ImageGetAll, &[(Save, By::Window)]),
    (
        O::ImageBuild,
        &[
            (Create, By::Bears),
            (Start, By::Born),
            (Kill, By::Born),
            (Commit, By::Born),
            (Destroy, By::Born),
            (Extract, By::Born),
            (NetworkConnect, By::Born),
            (NetworkDisconnect, By::Born),
            (VolumeCreate, By::Volume),
            (VolumeDestroy, By::Volume),
            (Pull, By::Window),
            (ImageCreate, By::Window),
            (Tag, By::Window),
            (Untag, By::Window),
            (Delete, By::Window),
        ],
    ),
    (O::NetworkCreate, &[(NetworkCreate, By::Made)]),
    (O::NetworkConnect, &[(NetworkConnect, By::Object)]),
    (O::NetworkDisconnect, &[(NetworkDisconnect, By::Object)]),
    (O::NetworkDelete, &[(NetworkDestroy, By::Object), (NetworkDisconnect, By::Object)]),
    (O::NetworkPrune, &[(NetworkDestroy, By::Window), (NetworkPrune, By::Window)]),
    (O::VolumeCreate, &[(VolumeCreate, By::Made)]),
    (O::VolumeDelete, &[(VolumeDestroy, By::Object)]),
    (O::VolumePrune, &[(VolumeDestroy, By::Window), (VolumePrune, By::Window)]),
    (O::SwarmInit, SWARM),
    (O::SwarmJoin, SWARM),
    (O::SwarmLeave, SWARM),
    (O::ServiceCreate, SWARM),
    (O::ServiceUpdate, SWARM),
    (O::ServiceDelete, SWARM),
];

/// Swarm makes and removes networks for its services, and pulls their images.
const SWARM: &[(Happened, By)] = &[
    (NetworkCreate, By::Window),
    (NetworkConnect, By::Window),
    (NetworkDisconnect, By::Window),
    (NetworkDestroy, By::Window),
    (Pull, By::Window),
    (VolumeCreate, By::Window),
];

/// What an operation brings about; nothing for most.
pub fn caused_by(operation: O) -> &'static [(Happened, By)] {
    CAUSES.iter().find(|(cause, _)| *cause == operation).map_or(&[], |(_, events)| events)
}
