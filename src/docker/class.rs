//! What a field of a body or a key of a query can do, and which check decides about it.
//! Knows nothing of how a check decides.

/// The class of a body field or query key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Cannot reach the host: passes as it is.
    Inert,
    /// Judged by the gate of the object that holds it (`Mounts[].Source` by the gate of `Mounts`).
    Part,
    /// Needs what its check asks for, usually a grant.
    Gated(Gate),
    /// Passes only when empty, below the level `unrestricted`.
    Refused,
}

/// The checks that decide about gated fields and keys, by their ids (kebab case of the name).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Gate {
    /// `Privileged`
    Privileged,
    /// `Binds`: host paths and named volumes in one list
    Binds,
    /// `Mounts`
    Mounts,
    /// `VolumesFrom`
    VolumesFrom,
    /// `VolumeDriver`, volume drivers and their options
    VolumeDriver,
    /// anonymous volumes (`Volumes` of Config)
    AnonymousVolumes,
    /// `Tmpfs`
    Tmpfs,
    /// capabilities added
    CapAdd,
    /// `Devices`, `DeviceRequests`, `DeviceCgroupRules`
    Devices,
    /// `PidMode`
    PidMode,
    /// `IpcMode`
    IpcMode,
    /// `UTSMode`
    UtsMode,
    /// `UsernsMode`
    UsernsMode,
    /// `CgroupnsMode`
    CgroupnsMode,
    /// `NetworkMode`
    NetworkMode,
    /// the networks of `NetworkingConfig.EndpointsConfig`
    Endpoints,
    /// the network that a connect or disconnect names, and network creation
    Network,
    /// `SecurityOpt`
    SecurityOpt,
    /// `MaskedPaths` and `ReadonlyPaths`, judged unless null
    MaskedPaths,
    /// `CgroupParent` and `Cgroup`
    CgroupParent,
    /// `Sysctls`
    Sysctls,
    /// `Runtime`
    Runtime,
    /// `Isolation`
    Isolation,
    /// `PortBindings`
    Ports,
    /// `PublishAllPorts`
    PublishAllPorts,
    /// `Links`
    Links,
    /// `ExtraHosts`
    ExtraHosts,
    /// `GroupAdd`
    GroupAdd,
    /// `OomScoreAdj`
    OomScoreAdj,
    /// `OomKillDisable`
    OomKillDisable,
    /// `ShmSize`
    ShmSize,
    /// `StorageOpt`
    StorageOpt,
    /// `Ulimits`
    Ulimits,
    /// `LogConfig`
    LogConfig,
    /// `RestartPolicy`
    RestartPolicy,
    /// real-time CPU
    RealtimeCpu,
    /// block-device paths of `Blkio*Device*`
    BlkioDevice,
    /// `Annotations`
    Annotations,
    /// `Image`, `fromImage`
    Image,
    /// `User`
    User,
    /// `Env`
    Env,
    /// `Labels`
    Labels,
    /// `WorkingDir`
    WorkingDir,
    /// `name` of a volume that is created
    VolumeName,
    /// arguments of the host's `ps` (`ps_args`)
    PsArgs,
    /// import of an image from a URL or a body (`fromSrc`, `repo`, `changes`, `message`)
    Import,
    /// every build option that reaches the host or names what it should not
    BuildOption,
    /// a directory on the host that the daemon reads or writes (`dir`, `checkpoint-dir`)
    HostDirectory,
    /// `EndpointSpec.Ports` of a service
    ServicePorts,
    /// the networks of a service: `TaskTemplate.Networks` and the older `Networks`
    ServiceNetworks,
    /// `Privileges` of a service: credential specs, SELinux, seccomp, AppArmor, no-new-privileges
    ServicePrivileges,
    /// the secrets that a service reads
    ServiceSecrets,
    /// the configs that a service reads
    ServiceConfigs,
    /// tasks that are no containers: `Runtime`, `PluginSpec`, `NetworkAttachmentSpec`
    ServiceRuntime,
    /// swarm settings that open ports, trust other managers or replace keys
    SwarmSettings,
    /// plugins that deliver or fill in secrets and configs
    SecretDriver,
    /// `Role` of a node
    NodeRole,
    /// the privileges that a plugin is given
    PluginPrivileges,
    /// a plugin's mounts, devices, arguments and environment
    PluginSettings,
    /// the registry that the daemon logs in to
    RegistryServer,
}

impl Gate {
    /// True where an empty list or object is not the default: `[]` unmasks every path.
    pub fn judges_empty(self) -> bool {
        self == Self::MaskedPaths
    }
}
