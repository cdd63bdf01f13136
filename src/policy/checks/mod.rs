//! The checks: a file each, with an id, a sentence, advice and what the levels do with it.
//! They know nothing of rules and modes; `binds`, `mounts`, `demands` and `own` walk shapes that several checks judge.

mod binds;
mod decision;
mod demands;
mod mounts;
mod own;
mod service;
mod workload;

mod annotations;
mod anonymous_volume;
mod approved;
mod block_io;
mod build_option;
mod cap_add;
mod cap_drop_all;
mod cgroup;
mod cpu_limit;
mod default_bridge;
mod devices;
pub mod dockerfile;
mod endpoint;
mod env;
mod exec_command;
mod extra_hosts;
mod group_add;
mod healthcheck;
mod host_directory;
mod host_namespace;
mod host_path;
mod image;
mod image_digest;
mod import;
mod isolation;
mod labels;
mod latest_tag;
mod limit_lifted;
mod links;
mod log_driver;
mod low_port;
mod masked_paths;
mod memory_limit;
mod mount_type;
pub(in crate::policy) mod network;
mod network_option;
mod no_new_privileges;
mod nofile_limit;
pub(in crate::policy) mod non_root;
mod oom;
mod pids_limit;
mod ports;
mod privileged;
mod propagation;
mod ps_args;
mod publish_all;
mod read_only_rootfs;
mod realtime_cpu;
mod refused_field;
mod registry;
mod restart_policy;
mod runtime;
mod secret_env;
mod secrets;
mod security_opt;
mod shm_size;
pub mod socket_mount;
mod storage_opt;
mod swarm;
mod sysctls;
mod tmpfs;
mod ulimits;
mod unbounded_restart;
mod user;
mod volume;
mod volume_driver;
mod volumes_from;
mod working_dir;

use crate::docker::decode::Place;
use crate::docker::schema::{CONTAINER_UPDATE, EXEC_CREATE, Schema};
use crate::docker::{Action, Gate, Value};

use super::examine::{Context, Finding};
use super::verdict::Reason;

pub use demands::demands;
pub use host_path::granted_sources;
pub use image::granted_name as granted_image;
pub use non_root::image_user;
pub use own::reaches_self;

/// What is known about a check.
#[derive(Debug)]
pub struct Check {
    /// Its id: the reason code in messages, records and `checks = { … }`.
    pub id: &'static str,
    /// What is said to the client: nothing about what would be allowed.
    pub sentence: &'static str,
    /// What the operator can change; `{policy}` is filled in.
    pub advice: &'static str,
    /// The rules of the CIS Docker Benchmark that it answers to, where there are any.
    pub cis: Option<&'static str>,
    /// What the level `baseline` does.
    pub baseline: Act,
    /// What the level `restricted` does.
    pub restricted: Act,
}

/// What is done about a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Act {
    /// Nothing.
    Off,
    /// It is allowed, recorded, and added to the reply's warnings.
    Warn,
    /// It is denied.
    Deny,
}

impl Act {
    /// The word in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Warn => "warn",
            Self::Deny => "deny",
        }
    }
}

/// Runs the check of a body field that is not empty.
pub fn field(gate: Gate, context: &Context<'_>, value: &Value, place: &Place<'_>, out: &mut Vec<Finding>) {
    match gate {
        Gate::Privileged => privileged::field(place, out),
        Gate::Binds => binds::field(context, value, place, out),
        Gate::Mounts => mounts::field(context, value, place, out),
        Gate::VolumesFrom => volumes_from::field(place, out),
        Gate::VolumeDriver => volume_driver::field(value, place, out),
        Gate::VolumeName => volume::created(context, value, place, out),
        Gate::AnonymousVolumes => anonymous_volume::field(value, place, out),
        Gate::Tmpfs => tmpfs::field(value, place, out),
        Gate::CapAdd => cap_add::field(context, value, place, out),
        Gate::Devices => devices::field(context, value, place, out),
        Gate::PidMode | Gate::UtsMode | Gate::UsernsMode => host_namespace::private(context, value, place, out),
        Gate::IpcMode => host_namespace::ipc(value, place, out),
        Gate::CgroupnsMode => host_namespace::cgroupns(context, value, place, out),
        Gate::NetworkMode => network::mode(context, value, place, out),
        Gate::Endpoints => endpoint::field(context, value, place, out),
        Gate::Network => network_option::field(context, value, place, out),
        Gate::SecurityOpt => security_opt::field(context, value, place, out),
        Gate::MaskedPaths => masked_paths::field(context, value, place, out),
        Gate::CgroupParent => cgroup::field(place, out),
        Gate::Sysctls => sysctls::field(context, value, place, out),
        Gate::Runtime => runtime::field(context, value, place, out),
        Gate::Isolation => isolation::field(value, place, out),
        Gate::Ports => ports::field(context, value, place, out),
        Gate::PublishAllPorts => publish_all::field(place, out),
        Gate::Links => links::field(place, out),
        Gate::ExtraHosts if matches!(place, Place::Key(_, "Hosts")) => extra_hosts::service(value, place, out),
        Gate::ExtraHosts => extra_hosts::container(value, place, out),
        Gate::GroupAdd => group_add::field(place, out),
        Gate::OomScoreAdj | Gate::OomKillDisable => oom::field(value, place, out),
        Gate::ShmSize => shm_size::field(value, place, out),
        Gate::StorageOpt => storage_opt::field(place, out),
        Gate::Ulimits => ulimits::field(value, place, out),
        Gate::LogConfig => log_driver::field(context, value, place, out),
        Gate::RestartPolicy => restart_policy::field(value, place, out),
        Gate::RealtimeCpu => realtime_cpu::field(place, out),
        Gate::BlkioDevice => block_io::field(place, out),
        Gate::Annotations => annotations::field(place, out),
        Gate::Image => image::field(context, value, place, out),
        Gate::User => user::field(context, value, place, out),
        Gate::Env => env::field(context, value, place, out),
        Gate::Labels => labels::field(context, value, place, out),
        Gate::WorkingDir => working_dir::field(value, place, out),
        Gate::ServicePorts => service::ports(context, value, place, out),
        Gate::ServiceNetworks => service::networks(context, value, place, out),
        Gate::ServicePrivileges => service::privileges(value, place, out),
        Gate::ServiceSecrets => secrets::secrets(context, value, place, out),
        Gate::ServiceConfigs => secrets::configs(context, value, place, out),
        Gate::ServiceRuntime => service::runtime(value, place, out),
        Gate::SwarmSettings | Gate::SecretDriver | Gate::NodeRole | Gate::PluginPrivileges | Gate::PluginSettings => {
            swarm::field(place, out)
        }
        Gate::RegistryServer => registry::field(place, out),
        Gate::HostDirectory => host_directory::field(place, out),
        Gate::PsArgs | Gate::Import | Gate::BuildOption => refused_field::field(place, out),
    }
}

/// Runs the check of a query key.
pub fn key(gate: Gate, key: &str, value: &str, context: &Context<'_>, action: &Action) -> Vec<Reason> {
    let create = context.create;
    if empty_query(value) {
        return Vec::new();
    }
    match gate {
        Gate::Image => image::reasons(create, value, action.query("tag"), context.facts.now),
        Gate::Labels => labels::key(create, value).into_iter().collect(),
        Gate::PsArgs => ps_args::key(value).into_iter().collect(),
        Gate::Import => vec![Reason::Import],
        Gate::HostDirectory => vec![Reason::HostDirectory],
        Gate::BuildOption => build_option::key(key, value).into_iter().collect(),
        Gate::Privileged
        | Gate::Binds
        | Gate::Mounts
        | Gate::VolumesFrom
        | Gate::VolumeDriver
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
        | Gate::WorkingDir
        | Gate::VolumeName
        | Gate::ServicePorts
        | Gate::ServiceNetworks
        | Gate::ServicePrivileges
        | Gate::ServiceSecrets
        | Gate::ServiceConfigs
        | Gate::ServiceRuntime
        | Gate::SwarmSettings
        | Gate::SecretDriver
        | Gate::NodeRole
        | Gate::PluginPrivileges
        | Gate::PluginSettings
        | Gate::RegistryServer => vec![Reason::RefusedField],
    }
}

/// What a body must have or must not be as a whole, beside its fields.
/// `target_user` is the user of the container that an exec runs in, where it is known.
pub fn body(schema: &'static Schema, context: &Context<'_>, value: &Value, target_user: Option<&str>, out: &mut Vec<Finding>) {
    if std::ptr::eq(schema, &EXEC_CREATE) {
        exec_command::body(context, value, out);
        non_root::exec(value, out);
        user::exec(context, value, target_user, out);
    } else if std::ptr::eq(schema, &CONTAINER_UPDATE) {
        limit_lifted::update(value, out);
    }
}

/// The empty values of a query: what the docker CLI sends for options that are not set.
pub fn empty_query(value: &str) -> bool {
    matches!(value, "" | "0" | "{}" | "[]" | "null")
}

/// True where a value holds nothing but empty values at any depth: what clients send for options that are not set.
fn hollow(value: &Value) -> bool {
    value.is_empty() || (!value.members().is_empty() && value.members().iter().all(|(_, member)| hollow(member)))
}

/// `path.Clean` of an absolute path, with `..` refused: `None` where the text is no such path.
pub(in crate::policy) fn clean_path(text: &str) -> Option<String> {
    let rest = text.strip_prefix('/')?;
    let parts: Vec<&str> = rest.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    let plain = !parts.contains(&"..") && !text.chars().any(char::is_control);
    plain.then(|| format!("/{}", parts.join("/")))
}

macro_rules! registry {
    ($($variant:ident $module:ident,)*) => {
        /// What is known about a reason.
        pub(super) fn of(reason: Reason) -> &'static Check {
            match reason {
                Reason::NotAllowed => &decision::NOT_ALLOWED,
                Reason::DeniedByRule => &decision::DENIED_BY_RULE,
                Reason::SelfProtection => &decision::SELF_PROTECTION,
                Reason::FactMissing => &decision::FACT_MISSING,
                $(Reason::$variant => &$module::CHECK,)*
            }
        }
    };
}

registry! {
    Privileged privileged,
    SocketMount socket_mount,
    HostPath host_path,
    Propagation propagation,
    Volume volume,
    VolumeDriver volume_driver,
    VolumesFrom volumes_from,
    AnonymousVolume anonymous_volume,
    Tmpfs tmpfs,
    MountType mount_type,
    CapAdd cap_add,
    CapDropAll cap_drop_all,
    Devices devices,
    HostNamespace host_namespace,
    SecurityOpt security_opt,
    NoNewPrivileges no_new_privileges,
    MaskedPaths masked_paths,
    Cgroup cgroup,
    Sysctls sysctls,
    Runtime runtime,
    Isolation isolation,
    Annotations annotations,
    Network network,
    DefaultBridge default_bridge,
    NetworkOption network_option,
    Endpoint endpoint,
    Ports ports,
    LowPort low_port,
    PublishAll publish_all,
    Links links,
    ExtraHosts extra_hosts,
    Groups group_add,
    Oom oom,
    MemoryLimit memory_limit,
    CpuLimit cpu_limit,
    PidsLimit pids_limit,
    LimitLifted limit_lifted,
    NoFileLimit nofile_limit,
    RealtimeCpu realtime_cpu,
    Ulimits ulimits,
    ShmSize shm_size,
    StorageOpt storage_opt,
    BlockIo block_io,
    LogDriver log_driver,
    RestartPolicy restart_policy,
    UnboundedRestart unbounded_restart,
    ReadOnlyRootfs read_only_rootfs,
    Healthcheck healthcheck,
    Image image,
    ImageDigest image_digest,
    Approved approved,
    LatestTag latest_tag,
    Import import,
    NonRoot non_root,
    User user,
    Env env,
    SecretEnv secret_env,
    Labels labels,
    WorkingDir working_dir,
    ExecCommand exec_command,
    PsArgs ps_args,
    BuildOption build_option,
    HostDirectory host_directory,
    Swarm swarm,
    RefusedField refused_field,
    Registry registry,
    Secrets secrets,
}
