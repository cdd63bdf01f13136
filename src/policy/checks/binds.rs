//! `Binds`: host paths and named volumes in one list of strings.
//! Knows nothing of `Mounts`.

use crate::docker::Value;
use crate::docker::decode::Place;
use crate::docker::endpoint::is_object_name;
use crate::policy::create::BindAccess;
use crate::policy::examine::{Context, Finding};
use crate::policy::verdict::Reason;

use super::{clean_path, host_path, propagation, volume};

/// `/dst`, `source:/dst` or `source:/dst:options`, as the engine's Linux parser splits them.
pub(super) fn field(context: &Context<'_>, value: &Value, place: &Place<'_>, out: &mut Vec<Finding>) {
    for (at, spec) in value.texts().enumerate() {
        out.extend(reasons(context, spec).into_iter().map(|reason| Finding::at(reason, &Place::Index(place, at))));
    }
}

fn reasons(context: &Context<'_>, spec: &str) -> Vec<Reason> {
    let parts: Vec<&str> = spec.split(':').collect();
    match parts.as_slice() {
        [target] if clean_path(target).is_some() => Vec::new(),
        [source, _target] => of_source(context, source, ""),
        [source, _target, options] => of_source(context, source, options),
        _ => vec![Reason::HostPath],
    }
}

fn of_source(context: &Context<'_>, source: &str, options: &str) -> Vec<Reason> {
    let options: Vec<&str> = options.split(',').filter(|option| !option.is_empty()).collect();
    if is_object_name(source) {
        let plain = options.iter().all(|option| matches!(*option, "ro" | "rw" | "nocopy" | "z" | "Z"));
        let named = volume::name(context, source);
        return named.into_iter().chain((!plain).then_some(Reason::MountType)).collect();
    }
    let access = if options.contains(&"ro") { BindAccess::ReadOnly } else { BindAccess::ReadWrite };
    let shared = !options.iter().all(|option| propagation::private_option(option));
    host_path::path(context, source, access).into_iter().chain(shared.then_some(Reason::Propagation)).collect()
}
