//! The body of volume create, with the cluster volume that it may describe.
//! Knows nothing of which drivers and options a check accepts.

use super::{INT64, STRING_MAP, STRINGS, Schema, Type, field, since};
use crate::docker::Class::{Gated, Part};
use crate::docker::Gate;

/// The body of `POST /volumes/create`.
pub static VOLUME_CREATE: Schema = Schema {
    name: "VolumeCreate",
    fields: &[
        field("Name", Type::Str, Gated(Gate::VolumeName)),
        field("Driver", Type::Str, Gated(Gate::VolumeDriver)),
        // The local driver hands these to mount(2) as root.
        field("DriverOpts", STRING_MAP, Gated(Gate::VolumeDriver)),
        field("Labels", STRING_MAP, Gated(Gate::Labels)),
        since(42, "ClusterVolumeSpec", Type::Object(&CLUSTER_VOLUME_SPEC), Gated(Gate::VolumeDriver)),
    ],
    ignored: &[],
};

/// The body of `PUT /volumes/{id}`.
pub static VOLUME_UPDATE: Schema =
    Schema { name: "VolumeUpdate", fields: &[field("Spec", Type::Object(&CLUSTER_VOLUME_SPEC), Gated(Gate::VolumeDriver))], ignored: &[] };

/// A CSI volume that the swarm makes.
pub static CLUSTER_VOLUME_SPEC: Schema = Schema {
    name: "ClusterVolumeSpec",
    fields: &[
        field("Group", Type::Str, Part),
        field("AccessMode", Type::Object(&ACCESS_MODE), Part),
        field("AccessibilityRequirements", Type::Object(&TOPOLOGY_REQUIREMENT), Part),
        field("CapacityRange", Type::Object(&CAPACITY_RANGE), Part),
        field("Secrets", Type::List(&Type::Object(&VOLUME_SECRET)), Part),
        field("Availability", Type::Str, Part),
    ],
    ignored: &[],
};

/// How a cluster volume is shared and used.
pub static ACCESS_MODE: Schema = Schema {
    name: "ClusterVolumeSpec.AccessMode",
    fields: &[
        field("Scope", Type::Str, Part),
        field("Sharing", Type::Str, Part),
        field("MountVolume", Type::Object(&TYPE_MOUNT), Part),
        field("BlockVolume", Type::Object(&TYPE_BLOCK), Part),
    ],
    ignored: &[],
};

/// A cluster volume with a file system.
pub static TYPE_MOUNT: Schema = Schema {
    name: "ClusterVolumeSpec.AccessMode.MountVolume",
    fields: &[field("FsType", Type::Str, Part), field("MountFlags", STRINGS, Part)],
    ignored: &[],
};

/// A cluster volume as a block device: no fields in any release.
pub static TYPE_BLOCK: Schema = Schema { name: "ClusterVolumeSpec.AccessMode.BlockVolume", fields: &[], ignored: &[] };

/// Where a cluster volume must be reachable.
pub static TOPOLOGY_REQUIREMENT: Schema = Schema {
    name: "ClusterVolumeSpec.AccessibilityRequirements",
    fields: &[
        field("Requisite", Type::List(&Type::Object(&TOPOLOGY)), Part),
        field("Preferred", Type::List(&Type::Object(&TOPOLOGY)), Part),
    ],
    ignored: &[],
};

/// One place of a topology.
pub static TOPOLOGY: Schema = Schema { name: "Topology", fields: &[field("Segments", STRING_MAP, Part)], ignored: &[] };

/// The size of a cluster volume.
pub static CAPACITY_RANGE: Schema = Schema {
    name: "ClusterVolumeSpec.CapacityRange",
    fields: &[field("RequiredBytes", INT64, Part), field("LimitBytes", INT64, Part)],
    ignored: &[],
};

/// A swarm secret that the CSI plugin gets.
pub static VOLUME_SECRET: Schema =
    Schema { name: "ClusterVolumeSpec.Secrets", fields: &[field("Key", Type::Str, Part), field("Secret", Type::Str, Part)], ignored: &[] };
