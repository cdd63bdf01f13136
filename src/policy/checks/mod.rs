//! The checks: one concern a file, called by the gate of a field or key.
//! They know nothing of rules, modes and each other.

mod identity;
mod mounts;
mod namespaces;
mod network;
mod own;
mod resources;
mod security;
mod volumes;

use crate::docker::{Action, Gate, Value};

use super::Create;
use super::examine::Context;
use super::verdict::Reason;

pub use network::network_name;
pub use own::reaches_self;

/// What a check found: a reason and the rest of the place, or nothing.
type Found = Option<(Reason, String)>;

/// Runs the check of a body field.
pub fn body(gate: Gate, context: &Context<'_>, value: &Value, place: &str) -> Found {
    match gate {
        Gate::Privileged => refuse(Reason::Privileged),
        Gate::Binds => mounts::binds(context, value),
        Gate::Mounts => mounts::mounts(context, value),
        Gate::VolumesFrom => refuse(Reason::VolumesFrom),
        Gate::VolumeDriver => volumes::driver(value),
        Gate::VolumeName => volumes::name(context, value),
        Gate::AnonymousVolumes => volumes::anonymous(value),
        Gate::Tmpfs => mounts::tmpfs(value),
        Gate::CapAdd => security::cap_add(context, value),
        Gate::Devices => resources::devices(context, value),
        Gate::PidMode | Gate::UtsMode | Gate::UsernsMode => namespaces::private(context, value),
        Gate::IpcMode => namespaces::ipc(value),
        Gate::CgroupnsMode => namespaces::cgroupns(context, value),
        Gate::NetworkMode => namespaces::network(context, value),
        Gate::Endpoints => network::endpoints(context, value),
        Gate::Network => network::create(context, value, place),
        Gate::SecurityOpt => security::options(value),
        Gate::MaskedPaths => security::masked(context, value, place),
        Gate::CgroupParent => refuse(Reason::Cgroup),
        Gate::Sysctls => security::sysctls(value),
        Gate::Runtime => one_of(value, &["runc"], Reason::Runtime),
        Gate::Isolation => one_of(value, &["default"], Reason::Isolation),
        Gate::Ports => network::ports(context, value),
        Gate::PublishAllPorts => refuse(Reason::PublishAll),
        Gate::Links => refuse(Reason::Links),
        Gate::ExtraHosts => network::extra_hosts(value),
        Gate::GroupAdd => refuse(Reason::Groups),
        Gate::OomScoreAdj => resources::oom_score(value),
        Gate::OomKillDisable => refuse(Reason::Oom),
        Gate::ShmSize => resources::shm_size(value),
        Gate::StorageOpt => refuse(Reason::StorageOpt),
        Gate::Ulimits => resources::ulimits(value),
        Gate::LogConfig => resources::log_config(value),
        Gate::RestartPolicy => resources::restart_policy(value),
        Gate::RealtimeCpu => refuse(Reason::RealtimeCpu),
        Gate::BlkioDevice => refuse(Reason::BlockIo),
        Gate::Annotations => refuse(Reason::Annotations),
        Gate::Image => identity::image(context.create, value.as_text().unwrap_or_default(), None).map(here),
        Gate::User => identity::user(context, value),
        Gate::Env => identity::env(context, value),
        Gate::Labels => identity::labels(context, value),
        Gate::WorkingDir => identity::working_dir(value),
        Gate::PsArgs | Gate::Import | Gate::BuildOption | Gate::HostDirectory => refuse(Reason::RefusedField),
    }
}

/// Runs the check of a query key.
pub fn query(gate: Gate, key: &str, value: &str, create: &Create, action: &Action) -> Option<Reason> {
    if empty_query(value) {
        return None;
    }
    match gate {
        Gate::Image => identity::image(create, value, action.query("tag")),
        Gate::PsArgs => identity::ps_args(value),
        Gate::Import => Some(Reason::Import),
        Gate::HostDirectory => Some(Reason::HostDirectory),
        Gate::BuildOption => resources::build_option(key, value),
        Gate::Privileged
        | Gate::Binds
        | Gate::Mounts
        | Gate::VolumesFrom
        | Gate::VolumeDriver
        | Gate::VolumeName
        | Gate::AnonymousVolumes
        | Gate::Tmpfs
        | Gate::CapAdd
        | Gate::Devices
        | Gate::PidMode
        | Gate::IpcMode
        | Gate::UtsMode
        | Gate::UsernsMode
        | Gate::CgroupnsMode
        | Gate::NetworkMode
        | Gate::Endpoints
        | Gate::Network
        | Gate::SecurityOpt
        | Gate::MaskedPaths
        | Gate::CgroupParent
        | Gate::Sysctls
        | Gate::Runtime
        | Gate::Isolation
        | Gate::Ports
        | Gate::PublishAllPorts
        | Gate::Links
        | Gate::ExtraHosts
        | Gate::GroupAdd
        | Gate::OomScoreAdj
        | Gate::OomKillDisable
        | Gate::ShmSize
        | Gate::StorageOpt
        | Gate::Ulimits
        | Gate::LogConfig
        | Gate::RestartPolicy
        | Gate::RealtimeCpu
        | Gate::BlkioDevice
        | Gate::Annotations
        | Gate::User
        | Gate::Env
        | Gate::Labels
        | Gate::WorkingDir => Some(Reason::RefusedField),
    }
}

/// The empty values of a query: what the docker CLI sends for options that are not set.
pub fn empty_query(value: &str) -> bool {
    matches!(value, "" | "0" | "{}" | "[]" | "null")
}

fn refuse(reason: Reason) -> Found {
    Some((reason, String::new()))
}

fn here(reason: Reason) -> (Reason, String) {
    (reason, String::new())
}

fn one_of(value: &Value, allowed: &[&str], reason: Reason) -> Found {
    let text = value.as_text().unwrap_or_default();
    (!text.is_empty() && !allowed.contains(&text)).then(|| here(reason))
}

/// The first element that a check finds something in, with its index as place.
fn first<'a>(items: impl IntoIterator<Item = &'a Value>, check: impl Fn(&Value) -> Found) -> Found {
    items.into_iter().enumerate().find_map(|(at, item)| check(item).map(|(reason, rest)| (reason, format!("[{at}]{rest}"))))
}

/// True where a value holds nothing but empty values at any depth: what clients send for options that are not set.
fn hollow(value: &Value) -> bool {
    value.is_empty() || (!value.members().is_empty() && value.members().iter().all(|(_, member)| hollow(member)))
}

/// `path.Clean` of an absolute path, with `..` refused: `None` where the text is no such path.
fn clean_path(text: &str) -> Option<String> {
    let rest = text.strip_prefix('/')?;
    let parts: Vec<&str> = rest.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    let plain = !parts.contains(&"..") && !text.chars().any(char::is_control);
    plain.then(|| format!("/{}", parts.join("/")))
}
