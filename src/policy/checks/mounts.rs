//! `Mounts`: every type of mount by its own checks; a type that is not known is refused.
//! Knows nothing of `Binds`.

use crate::docker::Value;
use crate::docker::decode::Place;
use crate::policy::create::BindAccess;
use crate::policy::examine::{Context, Finding};
use crate::policy::verdict::Reason;

use super::{hollow, host_path, image, labels, mount_type, propagation, tmpfs, volume, volume_driver};

/// The list, mount by mount.
pub(super) fn field(context: &Context<'_>, value: &Value, place: &Place<'_>, out: &mut Vec<Finding>) {
    for (at, mount) in value.items().iter().enumerate() {
        let here = Place::Index(place, at);
        match mount.text("Type") {
            "volume" => of_volume(context, mount, &here, out),
            "bind" => of_bind(context, mount, &here, out),
            "tmpfs" => {
                tmpfs::mount(mount, &here, out);
                mount_type::foreign_options(mount, "TmpfsOptions", &here, out);
            }
            "image" => of_image(context, mount, &here, out),
            _ => out.push(Finding::at(Reason::MountType, &Place::Key(&here, "Type"))),
        }
    }
}

fn of_volume(context: &Context<'_>, mount: &Value, place: &Place<'_>, out: &mut Vec<Finding>) {
    let name = mount.text("Source");
    let refused = if name.is_empty() { None } else { volume::name(context, name) };
    out.extend(refused.map(|reason| Finding::at(reason, &Place::Key(place, "Source"))));
    let options = mount.get("VolumeOptions").unwrap_or(&Value::Null);
    let here = Place::Key(place, "VolumeOptions");
    if options.get("DriverConfig").is_some_and(|driver| !volume_driver::plain_config(driver)) {
        out.push(Finding::at(Reason::VolumeDriver, &Place::Key(&here, "DriverConfig")));
    }
    if let Some(set) = options.get("Labels") {
        labels::field(context, set, &Place::Key(&here, "Labels"), out);
    }
    if !options.text("Subpath").is_empty() {
        out.push(Finding::at(Reason::MountType, &Place::Key(&here, "Subpath")));
    }
    mount_type::foreign_options(mount, "VolumeOptions", place, out);
}

fn of_bind(context: &Context<'_>, mount: &Value, place: &Place<'_>, out: &mut Vec<Finding>) {
    let read_only = mount.get("ReadOnly").is_some_and(Value::is_true);
    let forced = mount.get("BindOptions").and_then(|options| options.get("ReadOnlyForceRecursive")).is_some_and(Value::is_true);
    let access = match (read_only, forced) {
        (true, true) => BindAccess::RecursiveReadOnly,
        (true, false) => BindAccess::ReadOnly,
        (false, _) => BindAccess::ReadWrite,
    };
    let refused = host_path::path(context, mount.text("Source"), access);
    out.extend(refused.map(|reason| Finding::at(reason, &Place::Key(place, "Source"))));
    if !propagation::private_bind(mount.get("BindOptions").unwrap_or(&Value::Null), read_only) {
        out.push(Finding::at(Reason::Propagation, &Place::Key(place, "BindOptions")));
    }
    mount_type::foreign_options(mount, "BindOptions", place, out);
}

/// An image mount needs its repository among the granted images, and images must be granted at all.
fn of_image(context: &Context<'_>, mount: &Value, place: &Place<'_>, out: &mut Vec<Finding>) {
    let reasons = match &context.create.images {
        Some(_) => image::reasons(context.create, mount.text("Source"), None, context.facts.now),
        None => vec![Reason::Image],
    };
    out.extend(reasons.into_iter().map(|reason| Finding::at(reason, &Place::Key(place, "Source"))));
    if mount.get("ImageOptions").is_some_and(|options| !hollow(options)) {
        out.push(Finding::at(Reason::MountType, &Place::Key(place, "ImageOptions")));
    }
    mount_type::foreign_options(mount, "ImageOptions", place, out);
}
