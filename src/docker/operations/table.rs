//! The rows. Sources: the engine's route tables and swagger files, API 1.24 to 1.56.
//! Knows nothing beyond its columns.

use super::KeyType::{Bool, ClassicBuilder, Filters, Int, Json, StringList, StringMap, Text};
use super::{BodyPlan, Group, Kind, Method, Reply, Row, first, gated, inert, many, operations, refused};
use crate::docker::schema;
use crate::docker::{ApiVersion, Gate};

/// The oldest version, for operations that were always there.
const ALWAYS: ApiVersion = ApiVersion::OLDEST;

operations! {
    // System
    SystemPing Get "/_ping" {
        kind: Read, body: BodyPlan::None, reply: Once,
        query: [],
        ignored: [],
        groups: [Ping, Read],
        since: ALWAYS, until: None,
        risk: "shows that a daemon answers, and its API version",
    }
    SystemPingHead Head "/_ping" {
        kind: Read, body: BodyPlan::None, reply: Once,
        query: [],
        ignored: [],
        groups: [Ping, Read],
        since: ApiVersion::minor(40), until: None,
        risk: "shows that a daemon answers, in headers alone",
    }
    SystemVersion Get "/version" {
        kind: Read, body: BodyPlan::None, reply: Once,
        query: [],
        ignored: [],
        groups: [Ping, Read],
        since: ALWAYS, until: None,
        risk: "shows the versions of the engine, its parts and the kernel",
    }
    SystemInfo Get "/info" {
        kind: Read, body: BodyPlan::None, reply: Once,
        query: [],
        ignored: [],
        groups: [Read],
        since: ALWAYS, until: None,
        risk: "shows the host's name, kernel, runtimes, registries, labels and swarm addresses",
    }
    SystemEvents Get "/events" {
        kind: Stream, body: BodyPlan::None, reply: Progress,
        query: [inert("filters", Filters), inert("since", Text), inert("until", Text)],
        ignored: ["stream"],
        groups: [Read],
        since: ALWAYS, until: None,
        risk: "shows what happens on the host, with labels and the command lines of execs",
    }
    SystemDataUsage Get "/system/df" {
        kind: Read, body: BodyPlan::None, reply: Once,
        query: [many(inert("type", Text)), inert("verbose", Bool)],
        ignored: [],
        groups: [System],
        since: ALWAYS, until: None,
        risk: "lists images, containers and volumes, and walks the disk on each call",
    }
    SystemAuth Post "/auth" {
        kind: Change, body: BodyPlan::Json(&schema::AUTH_CONFIG), reply: Once,
        query: [],
        ignored: [],
        groups: [System],
        since: ALWAYS, until: None,
        risk: "makes the daemon log in to any server that the body names",
    }
    DebugVars Get "/debug/vars" {
        kind: SensitiveRead, body: BodyPlan::None, reply: Once,
        query: [],
        ignored: [],
        groups: [System],
        since: ALWAYS, until: None,
        risk: "shows the daemon's command line and memory figures",
    }
    DebugPprof Get "/debug/pprof/{id}" {
        kind: SensitiveRead, body: BodyPlan::None, reply: Progress,
        query: [inert("debug", Int), inert("gc", Int), inert("seconds", Int)],
        ignored: [],
        groups: [System],
        since: ALWAYS, until: None,
        risk: "dumps stacks, profiles and the command line of the daemon, and can slow it down",
    }
    CheckpointList Get "/containers/{id}/checkpoints" {
        kind: SensitiveRead, body: BodyPlan::None, reply: Once,
        query: [gated("dir", Text, Gate::HostDirectory)],
        ignored: [],
        groups: [System],
        since: ALWAYS, until: None,
        risk: "lists checkpoints, and with `dir` the folders of any directory on the host",
    }
    CheckpointCreate Post "/containers/{id}/checkpoints" {
        kind: Change, body: BodyPlan::Json(&schema::CHECKPOINT_CREATE), reply: Once,
        query: [],
        ignored: [],
        groups: [System],
        since: ALWAYS, until: None,
        risk: "writes a container's memory to a directory on the host that the body may choose",
    }
    CheckpointDelete Delete "/containers/{id}/checkpoints/{checkpoint}" {
        kind: Change, body: BodyPlan::None, reply: Once,
        query: [gated("dir", Text, Gate::HostDirectory)],
        ignored: [],
        groups: [System],
        since: ALWAYS, until: None,
        risk: "removes a checkpoint, and with `dir` a directory anywhere on the host",
    }
    // Containers
    ContainerList Get "/containers/json" {
        kind: Read, body: BodyPlan::None, reply: Once,
        query: [
            inert("all", Bool),
            inert("before", Text),
            inert("filters", Filters),
            inert("limit", Int),
            inert("since", Text),
            inert("size", Bool),
        ],
        ignored: ["trunc_cmd"],
        groups: [Read],
        since: ALWAYS, until: None,
        risk: "shows names, images, command lines, labels and host paths of containers",
    }
    ContainerCreate Post "/containers/create" {
        kind: Change, body: BodyPlan::Json(&schema::CONTAINER_CREATE), reply: Once,
        query: [inert("name", Text), inert("platform", Text)],
        ignored: [],
        groups: [Create],
        since: ALWAYS, until: None,
        risk: "creates a container, which is root on the host unless its body is judged",
    }
    ContainerInspect Get "/containers/{id}/json" {
        kind: Read, body: BodyPlan::None, reply: Once,
        query: [inert("size", Bool)],
        ignored: [],
        groups: [Read],
        since: ALWAYS, until: None,
        risk: "shows a container's whole configuration, with environment variables and host paths",
    }
    ContainerTop Get "/containers/{id}/top" {
        kind: SensitiveRead, body: BodyPlan::None, reply: Once,
        query: [gated("ps_args", Text, Gate::PsArgs)],
        ignored: [],
        groups: [Content],
        since: ALWAYS, until: None,
        risk: "runs the host's ps as the daemon's user and shows command lines, with some arguments environments too",
    }
    ContainerLogs Get "/containers/{id}/logs" {
        kind: Stream, body: BodyPlan::None, reply: Progress,
        query: [
            inert("details", Bool),
            inert("follow", Bool),
            inert("format", Text),
            inert("since", Text),
            inert("stderr", Bool),
            inert("stdout", Bool),
            inert("tail", Text),
            inert("timestamps", Bool),
            inert("until", Text),
        ],
        ignored: [],
        groups: [Logs],
        since: ALWAYS, until: None,
        risk: "shows what a container wrote, which often holds secrets",
    }
    ContainerChanges Get "/containers/{id}/changes" {
        kind: SensitiveRead, body: BodyPlan::None, reply: Once,
        query: [],
        ignored: [],
        groups: [Content],
        since: ALWAYS, until: None,
        risk: "shows the names of files that a container changed",
    }
    ContainerExport Get "/containers/{id}/export" {
        kind: SensitiveRead, body: BodyPlan::None, reply: Progress,
        query: [],
        ignored: [],
        groups: [Content],
        since: ALWAYS, until: None,
        risk: "reads every file of a container's root file system",
    }
    ContainerStats Get "/containers/{id}/stats" {
        kind: Stream, body: BodyPlan::None, reply: Progress,
        query: [inert("one-shot", Bool), inert("stream", Bool)],
        ignored: [],
        groups: [Read],
        since: ALWAYS, until: None,
        risk: "shows resource counters, and holds a connection open unless told otherwise",
    }
    ContainerResize Post "/containers/{id}/resize" {
        kind: Change, body: BodyPlan::None, reply: Once,
        query: [inert("h", Int), inert("w", Int)],
        ignored: [],
        groups: [Lifecycle],
        since: ALWAYS, until: None,
        risk: "changes the size of a container's terminal",
    }
    ContainerStart Post "/containers/{id}/start" {
        kind: Change, body: BodyPlan::None, reply: Once,
        query: [refused("checkpoint", Text), gated("checkpoint-dir", Text, Gate::HostDirectory)],
        ignored: ["detachKeys"],
        groups: [Lifecycle],
        since: ALWAYS, until: None,
        risk: "starts a container with all that it was created with",
    }
    ContainerStop Post "/containers/{id}/stop" {
        kind: Change, body: BodyPlan::None, reply: Once,
        query: [inert("signal", Text), inert("t", Int)],
        ignored: [],
        groups: [Lifecycle],
        since: ALWAYS, until: None,
        risk: "stops a container",
    }
    ContainerRestart Post "/containers/{id}/restart" {
        kind: Change, body: BodyPlan::None, reply: Once,
        query: [inert("signal", Text), inert("t", Int)],
        ignored: [],
        groups: [Lifecycle],
        since: ALWAYS, until: None,
        risk: "stops a container and starts it again with all that it was created with",
    }
    ContainerKill Post "/containers/{id}/kill" {
        kind: Change, body: BodyPlan::None, reply: Once,
        query: [inert("signal", Text)],
        ignored: [],
        groups: [Lifecycle],
        since: ALWAYS, until: None,
        risk: "sends any signal to a container's main process",
    }
    ContainerUpdate Post "/containers/{id}/update" {
        kind: Change, body: BodyPlan::Json(&schema::CONTAINER_UPDATE), reply: Once,
        query: [],
        ignored: [],
        groups: [Create],
        since: ALWAYS, until: None,
        risk: "lifts a container's resource limits and changes its restart policy",
    }
    ContainerRename Post "/containers/{id}/rename" {
        kind: Change, body: BodyPlan::None, reply: Once,
        query: [inert("name", Text)],
        ignored: [],
        groups: [Create],
        since: ALWAYS, until: None,
        risk: "gives a container a name that other containers or rules may trust",
    }
    ContainerPause Post "/containers/{id}/pause" {
        kind: Change, body: BodyPlan::None, reply: Once,
        query: [],
        ignored: [],
        groups: [Lifecycle],
        since: ALWAYS, until: None,
        risk: "freezes a container's processes",
    }
    ContainerUnpause Post "/containers/{id}/unpause" {
        kind: Change, body: BodyPlan::None, reply: Once,
        query: [],
        ignored: [],
        groups: [Lifecycle],
        since: ALWAYS, until: None,
        risk: "lets a frozen container go on",
    }
    ContainerAttach Post "/containers/{id}/attach" {
        kind: Tunnel, body: BodyPlan::None, reply: Progress,
        query: [
            inert("detachKeys", Text),
            inert("logs", Bool),
            inert("stderr", Bool),
            inert("stdin", Bool),
            inert("stdout", Bool),
            inert("stream", Bool),
        ],
        ignored: ["hijack"],
        groups: [Exec],
        since: ALWAYS, until: None,
        risk: "reads a container's output and types into its main process",
    }
    ContainerAttachWebsocket Get "/containers/{id}/attach/ws" {
        kind: Tunnel, body: BodyPlan::None, reply: Progress,
        query: [
            inert("detachKeys", Text),
            inert("logs", Bool),
            inert("stderr", Bool),
            inert("stdin", Bool),
            inert("stdout", Bool),
            inert("stream", Bool),
        ],
        ignored: [],
        groups: [Exec],
        since: ALWAYS, until: None,
        risk: "types into a container's main process although the method is GET",
    }
    ContainerWait Post "/containers/{id}/wait" {
        kind: Stream, body: BodyPlan::None, reply: Progress,
        query: [inert("condition", Text)],
        ignored: [],
        groups: [Lifecycle],
        since: ALWAYS, until: None,
        risk: "waits for a container to end and learns its exit code",
    }
    ContainerDelete Delete "/containers/{id}" {
        kind: Change, body: BodyPlan::None, reply: Once,
        query: [inert("force", Bool), inert("link", Bool), inert("v", Bool)],
        ignored: [],
        groups: [Lifecycle],
        since: ALWAYS, until: None,
        risk: "removes a container, running ones and their anonymous volumes too when asked",
    }
    ContainerArchive Get "/containers/{id}/archive" {
        kind: SensitiveRead, body: BodyPlan::None, reply: Progress,
        query: [inert("path", Text)],
        ignored: [],
        groups: [Content],
        since: ALWAYS, until: None,
        risk: "reads any file of a container, with those of its volumes and host mounts",
    }
    ContainerArchiveInfo Head "/containers/{id}/archive" {
        kind: SensitiveRead, body: BodyPlan::None, reply: Once,
        query: [inert("path", Text)],
        ignored: [],
        groups: [Content],
        since: ALWAYS, until: None,
        risk: "looks up any path in a container, for which the daemon mounts its file system",
    }
    PutContainerArchive Put "/containers/{id}/archive" {
        kind: Change, body: BodyPlan::Opaque, reply: Once,
        query: [inert("copyUIDGID", Bool), inert("noOverwriteDirNonDir", Bool), inert("path", Text)],
        ignored: [],
        groups: [Exec],
        since: ALWAYS, until: None,
        risk: "writes files as root into a container, its volumes and its host mounts",
    }
    ContainerPrune Post "/containers/prune" {
        kind: Change, body: BodyPlan::None, reply: Once,
        query: [inert("filters", Filters)],
        ignored: [],
        groups: [Lifecycle],
        since: ApiVersion::minor(25), until: None,
        risk: "removes every stopped container that the filters match",
    }
    // Exec
    ContainerExec Post "/containers/{id}/exec" {
        kind: Change, body: BodyPlan::Json(&schema::EXEC_CREATE), reply: Once,
        query: [],
        ignored: [],
        groups: [Exec],
        since: ALWAYS, until: None,
        risk: "prepares any command in a container, as any user",
    }
    ExecStart Post "/exec/{id}/start" {
        kind: Tunnel, body: BodyPlan::OptionalJson(&schema::EXEC_START), reply: Progress,
        query: [],
        ignored: [],
        groups: [Exec],
        since: ALWAYS, until: None,
        risk: "runs a prepared command, whoever prepared it, and talks to it",
    }
    ExecResize Post "/exec/{id}/resize" {
        kind: Change, body: BodyPlan::None, reply: Once,
        query: [inert("h", Int), inert("w", Int)],
        ignored: [],
        groups: [Exec],
        since: ALWAYS, until: None,
        risk: "changes the size of a command's terminal",
    }
    ExecInspect Get "/exec/{id}/json" {
        kind: SensitiveRead, body: BodyPlan::None, reply: Once,
        query: [],
        ignored: [],
        groups: [Content, Exec],
        since: ALWAYS, until: None,
        risk: "shows a command's arguments, user and container",
    }
    // Images
    ImageList Get "/images/json" {
        kind: Read, body: BodyPlan::None, reply: Once,
        query: [
            inert("all", Bool),
            inert("filter", Text),
            inert("filters", Filters),
            inert("identity", Bool),
            inert("manifests", Bool),
            inert("shared-size", Bool),
        ],
        ignored: ["digests", "only_ids"],
        groups: [Read],
        since: ALWAYS, until: None,
        risk: "shows the tags and labels of every image",
    }
    ImageBuild Post "/build" {
        kind: Change, body: BodyPlan::Opaque, reply: Progress,
        query: [
            gated("buildargs", StringMap, Gate::BuildOption),
            gated("buildid", Text, Gate::BuildOption),
            gated("cachefrom", StringList, Gate::BuildOption),
            gated("cgroupparent", Text, Gate::BuildOption),
            inert("cpuperiod", Int),
            inert("cpuquota", Int),
            inert("cpusetcpus", Text),
            inert("cpusetmems", Text),
            inert("cpushares", Int),
            first(inert("dockerfile", Text)), // docker-py adds the content of one that is outside of the context
            many(gated("extrahosts", Text, Gate::BuildOption)),
            inert("forcerm", Bool),
            gated("isolation", Text, Gate::BuildOption),
            gated("labels", StringMap, Gate::Labels),
            inert("memory", Int),
            inert("memswap", Int),
            gated("networkmode", Text, Gate::BuildOption),
            inert("nocache", Bool),
            gated("outputs", Json, Gate::BuildOption),
            inert("platform", Text),
            inert("pull", Bool),
            inert("q", Bool),
            gated("remote", Text, Gate::BuildOption),
            inert("rm", Bool),
            many(gated("securityopt", Text, Gate::BuildOption)),
            gated("session", Text, Gate::BuildOption),
            inert("shmsize", Int),
            gated("squash", Bool, Gate::BuildOption),
            many(inert("t", Text)),
            inert("target", Text),
            gated("ulimits", Json, Gate::BuildOption),
            inert("version", ClassicBuilder),
        ],
        ignored: ["nodename"],
        groups: [Build],
        since: ALWAYS, until: None,
        risk: "runs the commands of a Dockerfile on the host's engine and may take over a trusted tag",
    }
    BuildPrune Post "/build/prune" {
        kind: Change, body: BodyPlan::None, reply: Once,
        query: [
            inert("all", Bool),
            inert("filters", Filters),
            inert("keep-storage", Int),
            inert("max-used-space", Int),
            inert("min-free-space", Int),
            inert("reserved-space", Int),
        ],
        ignored: [],
        groups: [Build],
        since: ApiVersion::minor(31), until: None,
        risk: "deletes the build cache",
    }
    BuildCancel Post "/build/cancel" {
        kind: Change, body: BodyPlan::None, reply: Once,
        query: [inert("id", Text)],
        ignored: [],
        groups: [Build],
        since: ApiVersion::minor(38), until: None,
        risk: "stops a build, whoever started it",
    }
    Session Post "/session" {
        kind: Tunnel, body: BodyPlan::Tunnel, reply: Progress,
        query: [],
        ignored: [],
        groups: [Build],
        since: ApiVersion::minor(31), until: None,
        risk: "opens a BuildKit session that carries files, secrets and ssh agents",
    }
    Grpc Post "/grpc" {
        kind: Tunnel, body: BodyPlan::Tunnel, reply: Progress,
        query: [],
        ignored: [],
        groups: [Build],
        since: ApiVersion::minor(40), until: None,
        risk: "opens BuildKit's whole control interface, which runs any code",
    }
    ImageCreate Post "/images/create" {
        kind: Change, body: BodyPlan::OpaqueIf("fromSrc", "-"), reply: Progress,
        query: [
            many(gated("changes", Text, Gate::Import)),
            gated("fromImage", Text, Gate::Image),
            gated("fromSrc", Text, Gate::Import),
            gated("message", Text, Gate::Import),
            inert("platform", Text),
            gated("repo", Text, Gate::Import),
            inert("tag", Text),
        ],
        ignored: ["authconfig"],
        groups: [Images],
        since: ALWAYS, until: None,
        risk: "pulls an image from a registry, or imports one from any address that the daemon reaches",
    }
    ImageInspect Get "/images/{image}/json" {
        kind: Read, body: BodyPlan::None, reply: Once,
        query: [inert("manifests", Bool), inert("platform", Json)],
        ignored: [],
        groups: [Read],
        since: ALWAYS, until: None,
        risk: "shows an image's environment variables, labels and layer paths",
    }
    ImageHistory Get "/images/{image}/history" {
        kind: Read, body: BodyPlan::None, reply: Once,
        query: [inert("platform", Json)],
        ignored: [],
        groups: [Read],
        since: ALWAYS, until: None,
        risk: "shows the commands and build arguments that made an image",
    }
    ImagePush Post "/images/{image}/push" {
        kind: Change, body: BodyPlan::None, reply: Progress,
        query: [inert("platform", Json), inert("tag", Text)],
        ignored: [],
        groups: [Images],
        since: ALWAYS, until: None,
        risk: "sends an image to the registry that its name holds",
    }
    ImageTag Post "/images/{image}/tag" {
        kind: Change, body: BodyPlan::None, reply: Once,
        query: [inert("repo", Text), inert("tag", Text)],
        ignored: ["force"],
        groups: [Images],
        since: ALWAYS, until: None,
        risk: "points a tag that others may trust at another image",
    }
    ImageDelete Delete "/images/{image}" {
        kind: Change, body: BodyPlan::None, reply: Once,
        query: [inert("force", Bool), inert("noprune", Bool), many(inert("platforms", Json))],
        ignored: [],
        groups: [Images],
        since: ALWAYS, until: None,
        risk: "removes an image or one of its tags",
    }
    ImageSearch Get "/images/search" {
        kind: SensitiveRead, body: BodyPlan::None, reply: Once,
        query: [inert("filters", Filters), inert("limit", Int), inert("term", Text)],
        ignored: [],
        groups: [Content],
        since: ALWAYS, until: None,
        risk: "makes the daemon ask the server that `term` names",
    }
    ImagePrune Post "/images/prune" {
        kind: Change, body: BodyPlan::None, reply: Once,
        query: [inert("filters", Filters)],
        ignored: [],
        groups: [Images],
        since: ApiVersion::minor(25), until: None,
        risk: "removes every unused image that the filters match",
    }
    ImageCommit Post "/commit" {
        kind: Change, body: BodyPlan::OptionalJson(&schema::IMAGE_COMMIT), reply: Once,
        query: [
            inert("author", Text),
            many(gated("changes", Text, Gate::Import)),
            inert("comment", Text),
            inert("container", Text),
            inert("pause", Bool),
            inert("repo", Text),
            inert("tag", Text),
        ],
        ignored: [],
        groups: [Images],
        since: ALWAYS, until: None,
        risk: "turns any container into an image, under any tag",
    }
    ImageGet Get "/images/{image}/get" {
        kind: SensitiveRead, body: BodyPlan::None, reply: Progress,
        query: [many(inert("platform", Json))],
        ignored: ["names"],
        groups: [Content],
        since: ALWAYS, until: None,
        risk: "reads every layer of an image",
    }
    ImageGetAll Get "/images/get" {
        kind: SensitiveRead, body: BodyPlan::None, reply: Progress,
        query: [many(inert("names", Text)), many(inert("platform", Json))],
        ignored: [],
        groups: [Content],
        since: ALWAYS, until: None,
        risk: "reads every layer of the images that `names` holds",
    }
    ImageLoad Post "/images/load" {
        kind: Change, body: BodyPlan::Opaque, reply: Progress,
        query: [many(inert("platform", Json)), inert("quiet", Bool)],
        ignored: [],
        groups: [Images],
        since: ALWAYS, until: None,
        risk: "adds images under any tag, which defeats a list of allowed names",
    }
    ImageAttestations Get "/images/{image}/attestations" {
        kind: SensitiveRead, body: BodyPlan::None, reply: Once,
        query: [inert("platform", Json), inert("statement", Bool), many(inert("type", Text))],
        ignored: [],
        groups: [Content],
        since: ApiVersion::minor(55), until: None,
        risk: "shows how an image was built and what it holds",
    }
    DistributionInspect Get "/distribution/{image}/json" {
        kind: SensitiveRead, body: BodyPlan::None, reply: Once,
        query: [],
        ignored: [],
        groups: [Content],
        since: ApiVersion::minor(30), until: None,
        risk: "makes the daemon ask the registry that the name holds, with the caller's login",
    }
    // Networks
    NetworkList Get "/networks" {
        kind: Read, body: BodyPlan::None, reply: Once,
        query: [inert("filters", Filters)],
        ignored: [],
        groups: [Read],
        since: ALWAYS, until: None,
        risk: "shows networks, their options and address ranges",
    }
    NetworkInspect Get "/networks/{id}" {
        kind: Read, body: BodyPlan::None, reply: Once,
        query: [inert("scope", Text), inert("verbose", Bool)],
        ignored: [],
        groups: [Read],
        since: ALWAYS, until: None,
        risk: "shows a network with its containers and their addresses",
    }
    NetworkDelete Delete "/networks/{id}" {
        kind: Change, body: BodyPlan::None, reply: Once,
        query: [],
        ignored: [],
        groups: [Networks],
        since: ALWAYS, until: None,
        risk: "removes a network",
    }
    NetworkCreate Post "/networks/create" {
        kind: Change, body: BodyPlan::Json(&schema::NETWORK_CREATE), reply: Once,
        query: [],
        ignored: [],
        groups: [Networks],
        since: ALWAYS, until: None,
        risk: "creates a network that can join the host's own, take its addresses or call a driver",
    }
    NetworkConnect Post "/networks/{id}/connect" {
        kind: Change, body: BodyPlan::Json(&schema::NETWORK_CONNECT), reply: Once,
        query: [],
        ignored: [],
        groups: [Networks],
        since: ALWAYS, until: None,
        risk: "joins any container to any network, with any address",
    }
    NetworkDisconnect Post "/networks/{id}/disconnect" {
        kind: Change, body: BodyPlan::Json(&schema::NETWORK_DISCONNECT), reply: Once,
        query: [],
        ignored: [],
        groups: [Networks],
        since: ALWAYS, until: None,
        risk: "cuts any container off a network",
    }
    NetworkPrune Post "/networks/prune" {
        kind: Change, body: BodyPlan::None, reply: Once,
        query: [inert("filters", Filters)],
        ignored: [],
        groups: [Networks],
        since: ApiVersion::minor(25), until: None,
        risk: "removes every unused network that the filters match",
    }
    // Volumes
    VolumeList Get "/volumes" {
        kind: Read, body: BodyPlan::None, reply: Once,
        query: [inert("filters", Filters)],
        ignored: [],
        groups: [Read],
        since: ALWAYS, until: None,
        risk: "shows volumes with their host paths and driver options, which may hold passwords",
    }
    VolumeCreate Post "/volumes/create" {
        kind: Change, body: BodyPlan::Json(&schema::VOLUME_CREATE), reply: Once,
        query: [],
        ignored: [],
        groups: [Volumes],
        since: ALWAYS, until: None,
        risk: "creates a volume, which is a mount of any host path or device unless its body is judged",
    }
    VolumeInspect Get "/volumes/{id}" {
        kind: Read, body: BodyPlan::None, reply: Once,
        query: [],
        ignored: [],
        groups: [Read],
        since: ALWAYS, until: None,
        risk: "shows a volume's host path and driver options, which may hold passwords",
    }
    VolumeUpdate Put "/volumes/{id}" {
        kind: Change, body: BodyPlan::Json(&schema::VOLUME_UPDATE), reply: Once,
        query: [inert("version", Int)],
        ignored: [],
        groups: [Volumes],
        since: ApiVersion::minor(42), until: None,
        risk: "changes the specification of a cluster volume",
    }
    VolumeDelete Delete "/volumes/{id}" {
        kind: Change, body: BodyPlan::None, reply: Once,
        query: [inert("force", Bool)],
        ignored: [],
        groups: [Volumes],
        since: ALWAYS, until: None,
        risk: "removes a volume and its data",
    }
    VolumePrune Post "/volumes/prune" {
        kind: Change, body: BodyPlan::None, reply: Once,
        query: [inert("filters", Filters)],
        ignored: [],
        groups: [Volumes],
        since: ApiVersion::minor(25), until: None,
        risk: "removes unused volumes and their data, below API 1.42 named ones too",
    }
    // Plugins
    PluginList Get "/plugins" {
        kind: Read, body: BodyPlan::None, reply: Once,
        query: [inert("filters", Filters)],
        ignored: [],
        groups: [Plugins],
        since: ALWAYS, until: None,
        risk: "shows plugins and their settings, with environment variables",
    }
    GetPluginPrivileges Get "/plugins/privileges" {
        kind: SensitiveRead, body: BodyPlan::None, reply: Once,
        query: [gated("remote", Text, Gate::Image)],
        ignored: [],
        groups: [Plugins],
        since: ALWAYS, until: None,
        risk: "makes the daemon ask the registry that `remote` names",
    }
    PluginPull Post "/plugins/pull" {
        kind: Change, body: BodyPlan::JsonList(&schema::PLUGIN_PRIVILEGES), reply: Progress,
        query: [inert("name", Text), gated("remote", Text, Gate::Image)],
        ignored: [],
        groups: [Plugins],
        since: ALWAYS, until: None,
        risk: "installs code that runs as root, with the privileges of the body",
    }
    PluginInspect Get "/plugins/{image}/json" {
        kind: Read, body: BodyPlan::None, reply: Once,
        query: [],
        ignored: [],
        groups: [Plugins],
        since: ALWAYS, until: None,
        risk: "shows a plugin's settings, with environment variables",
    }
    PluginDelete Delete "/plugins/{image}" {
        kind: Change, body: BodyPlan::None, reply: Once,
        query: [inert("force", Bool)],
        ignored: [],
        groups: [Plugins],
        since: ALWAYS, until: None,
        risk: "removes a plugin, one that authorizes requests too",
    }
    PluginEnable Post "/plugins/{image}/enable" {
        kind: Change, body: BodyPlan::None, reply: Once,
        query: [inert("timeout", Int)],
        ignored: [],
        groups: [Plugins],
        since: ALWAYS, until: None,
        risk: "starts a plugin as root with all the privileges that it was given",
    }
    PluginDisable Post "/plugins/{image}/disable" {
        kind: Change, body: BodyPlan::None, reply: Once,
        query: [inert("force", Bool)],
        ignored: [],
        groups: [Plugins],
        since: ALWAYS, until: None,
        risk: "stops a plugin, one that authorizes requests too",
    }
    PluginUpgrade Post "/plugins/{image}/upgrade" {
        kind: Change, body: BodyPlan::JsonList(&schema::PLUGIN_PRIVILEGES), reply: Progress,
        query: [gated("remote", Text, Gate::Image)],
        ignored: [],
        groups: [Plugins],
        since: ApiVersion::minor(26), until: None,
        risk: "replaces a plugin's code and privileges",
    }
    PluginCreate Post "/plugins/create" {
        kind: Change, body: BodyPlan::Opaque, reply: Once,
        query: [inert("name", Text)],
        ignored: [],
        groups: [Plugins],
        since: ALWAYS, until: None,
        risk: "installs a plugin of the caller's own, with host mounts and capabilities",
    }
    PluginPush Post "/plugins/{image}/push" {
        kind: Change, body: BodyPlan::None, reply: Progress,
        query: [],
        ignored: [],
        groups: [Plugins],
        since: ALWAYS, until: None,
        risk: "sends a plugin to the registry that its name holds",
    }
    PluginSet Post "/plugins/{image}/set" {
        kind: Change, body: BodyPlan::JsonList(&schema::PLUGIN_SETTINGS), reply: Once,
        query: [],
        ignored: [],
        groups: [Plugins],
        since: ALWAYS, until: None,
        risk: "changes a plugin's mounts, devices and environment, up to the host's root",
    }
    // Swarm
    NodeList Get "/nodes" {
        kind: Read, body: BodyPlan::None, reply: Once,
        query: [inert("filters", Filters)],
        ignored: [],
        groups: [SwarmRead],
        since: ALWAYS, until: None,
        risk: "shows the swarm's nodes with their addresses, resources and labels",
    }
    NodeInspect Get "/nodes/{id}" {
        kind: Read, body: BodyPlan::None, reply: Once,
        query: [],
        ignored: [],
        groups: [SwarmRead],
        since: ALWAYS, until: None,
        risk: "shows a node's address, resources and labels",
    }
    NodeDelete Delete "/nodes/{id}" {
        kind: Change, body: BodyPlan::None, reply: Once,
        query: [inert("force", Bool)],
        ignored: [],
        groups: [Swarm],
        since: ALWAYS, until: None,
        risk: "removes a node from the swarm",
    }
    NodeUpdate Post "/nodes/{id}/update" {
        kind: Change, body: BodyPlan::Json(&schema::NODE_SPEC), reply: Once,
        query: [inert("version", Int)],
        ignored: [],
        groups: [Swarm],
        since: ALWAYS, until: None,
        risk: "makes a worker a manager, or drains a node",
    }
    SwarmInspect Get "/swarm" {
        kind: SensitiveRead, body: BodyPlan::None, reply: Once,
        query: [],
        ignored: [],
        groups: [SwarmRead],
        since: ALWAYS, until: None,
        risk: "shows the tokens with which a machine joins the swarm, as a manager too",
    }
    SwarmInit Post "/swarm/init" {
        kind: Change, body: BodyPlan::Json(&schema::SWARM_INIT), reply: Once,
        query: [],
        ignored: [],
        groups: [Swarm],
        since: ALWAYS, until: None,
        risk: "makes the host a manager that runs services",
    }
    SwarmJoin Post "/swarm/join" {
        kind: Change, body: BodyPlan::Json(&schema::SWARM_JOIN), reply: Once,
        query: [],
        ignored: [],
        groups: [Swarm],
        since: ALWAYS, until: None,
        risk: "hands the host to the managers of any swarm",
    }
    SwarmLeave Post "/swarm/leave" {
        kind: Change, body: BodyPlan::None, reply: Once,
        query: [inert("force", Bool)],
        ignored: [],
        groups: [Swarm],
        since: ALWAYS, until: None,
        risk: "takes the host out of its swarm, and with `force` may destroy the swarm's state",
    }
    SwarmUpdate Post "/swarm/update" {
        kind: Change, body: BodyPlan::Json(&schema::SWARM_SPEC), reply: Once,
        query: [
            inert("rotateManagerToken", Bool),
            inert("rotateManagerUnlockKey", Bool),
            inert("rotateWorkerToken", Bool),
            inert("version", Int),
        ],
        ignored: [],
        groups: [Swarm],
        since: ALWAYS, until: None,
        risk: "changes the swarm's certificate authority and tokens",
    }
    SwarmUnlockkey Get "/swarm/unlockkey" {
        kind: SensitiveRead, body: BodyPlan::None, reply: Once,
        query: [],
        ignored: [],
        groups: [Swarm],
        since: ALWAYS, until: None,
        risk: "shows the key that unlocks the swarm's managers",
    }
    SwarmUnlock Post "/swarm/unlock" {
        kind: Change, body: BodyPlan::Json(&schema::SWARM_UNLOCK), reply: Once,
        query: [],
        ignored: [],
        groups: [Swarm],
        since: ALWAYS, until: None,
        risk: "unlocks a manager with a key",
    }
    ServiceList Get "/services" {
        kind: Read, body: BodyPlan::None, reply: Once,
        query: [inert("filters", Filters), inert("status", Bool)],
        ignored: ["all"],
        groups: [SwarmRead],
        since: ALWAYS, until: None,
        risk: "shows the specifications of services, with environment variables",
    }
    ServiceCreate Post "/services/create" {
        kind: Change, body: BodyPlan::Json(&schema::SERVICE_SPEC), reply: Once,
        query: [],
        ignored: [],
        groups: [Swarm],
        since: ALWAYS, until: None,
        risk: "runs containers with host mounts and capabilities on every node",
    }
    ServiceInspect Get "/services/{id}" {
        kind: Read, body: BodyPlan::None, reply: Once,
        query: [inert("insertDefaults", Bool)],
        ignored: [],
        groups: [SwarmRead],
        since: ALWAYS, until: None,
        risk: "shows a service's specification, with environment variables",
    }
    ServiceDelete Delete "/services/{id}" {
        kind: Change, body: BodyPlan::None, reply: Once,
        query: [],
        ignored: [],
        groups: [Swarm],
        since: ALWAYS, until: None,
        risk: "removes a service and its containers",
    }
    ServiceUpdate Post "/services/{id}/update" {
        kind: Change, body: BodyPlan::Json(&schema::SERVICE_SPEC), reply: Once,
        query: [inert("registryAuthFrom", Text), refused("rollback", Text), inert("version", Int)],
        ignored: [],
        groups: [Swarm],
        since: ALWAYS, until: None,
        risk: "changes a service's mounts and privileges, or brings an older specification back",
    }
    ServiceLogs Get "/services/{id}/logs" {
        kind: Stream, body: BodyPlan::None, reply: Progress,
        query: [
            inert("details", Bool),
            inert("follow", Bool),
            inert("since", Text),
            inert("stderr", Bool),
            inert("stdout", Bool),
            inert("tail", Text),
            inert("timestamps", Bool),
        ],
        ignored: ["until"],
        groups: [Logs],
        since: ALWAYS, until: None,
        risk: "shows what a service's containers wrote, which often holds secrets",
    }
    TaskList Get "/tasks" {
        kind: Read, body: BodyPlan::None, reply: Once,
        query: [inert("filters", Filters)],
        ignored: [],
        groups: [SwarmRead],
        since: ALWAYS, until: None,
        risk: "shows the containers of services, with environment variables",
    }
    TaskInspect Get "/tasks/{id}" {
        kind: Read, body: BodyPlan::None, reply: Once,
        query: [],
        ignored: [],
        groups: [SwarmRead],
        since: ALWAYS, until: None,
        risk: "shows one container of a service, with environment variables",
    }
    TaskLogs Get "/tasks/{id}/logs" {
        kind: Stream, body: BodyPlan::None, reply: Progress,
        query: [
            inert("details", Bool),
            inert("follow", Bool),
            inert("since", Text),
            inert("stderr", Bool),
            inert("stdout", Bool),
            inert("tail", Text),
            inert("timestamps", Bool),
        ],
        ignored: ["until"],
        groups: [Logs],
        since: ApiVersion::minor(29), until: None,
        risk: "shows what a task wrote, which often holds secrets",
    }
    SecretList Get "/secrets" {
        kind: Read, body: BodyPlan::None, reply: Once,
        query: [inert("filters", Filters)],
        ignored: [],
        groups: [SwarmRead, Secrets],
        since: ApiVersion::minor(25), until: None,
        risk: "shows the names and labels of secrets, without their data",
    }
    SecretCreate Post "/secrets/create" {
        kind: Change, body: BodyPlan::Json(&schema::SECRET_SPEC), reply: Once,
        query: [],
        ignored: [],
        groups: [Secrets],
        since: ApiVersion::minor(25), until: None,
        risk: "stores a secret, or has a plugin deliver it",
    }
    SecretInspect Get "/secrets/{id}" {
        kind: Read, body: BodyPlan::None, reply: Once,
        query: [],
        ignored: [],
        groups: [SwarmRead, Secrets],
        since: ApiVersion::minor(25), until: None,
        risk: "shows a secret's name and labels, without its data",
    }
    SecretDelete Delete "/secrets/{id}" {
        kind: Change, body: BodyPlan::None, reply: Once,
        query: [],
        ignored: [],
        groups: [Secrets],
        since: ApiVersion::minor(25), until: None,
        risk: "removes a secret",
    }
    SecretUpdate Post "/secrets/{id}/update" {
        kind: Change, body: BodyPlan::Json(&schema::SECRET_SPEC), reply: Once,
        query: [inert("version", Int)],
        ignored: [],
        groups: [Secrets],
        since: ApiVersion::minor(25), until: None,
        risk: "changes a secret's labels",
    }
    ConfigList Get "/configs" {
        kind: SensitiveRead, body: BodyPlan::None, reply: Once,
        query: [inert("filters", Filters)],
        ignored: [],
        groups: [Secrets],
        since: ApiVersion::minor(30), until: None,
        risk: "shows the data of every config, which may hold passwords",
    }
    ConfigCreate Post "/configs/create" {
        kind: Change, body: BodyPlan::Json(&schema::CONFIG_SPEC), reply: Once,
        query: [],
        ignored: [],
        groups: [Secrets],
        since: ApiVersion::minor(30), until: None,
        risk: "stores a config, which as a template can read secrets",
    }
    ConfigInspect Get "/configs/{id}" {
        kind: SensitiveRead, body: BodyPlan::None, reply: Once,
        query: [],
        ignored: [],
        groups: [Secrets],
        since: ApiVersion::minor(30), until: None,
        risk: "shows a config's data, which may hold passwords",
    }
    ConfigDelete Delete "/configs/{id}" {
        kind: Change, body: BodyPlan::None, reply: Once,
        query: [],
        ignored: [],
        groups: [Secrets],
        since: ApiVersion::minor(30), until: None,
        risk: "removes a config",
    }
    ConfigUpdate Post "/configs/{id}/update" {
        kind: Change, body: BodyPlan::Json(&schema::CONFIG_SPEC), reply: Once,
        query: [inert("version", Int)],
        ignored: [],
        groups: [Secrets],
        since: ApiVersion::minor(30), until: None,
        risk: "changes a config's labels",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{Group, Operation, TABLE};

    #[test]
    fn no_two_rows_share_a_method_and_a_path() {
        let mut seen = BTreeSet::new();
        for operation in TABLE {
            let row = operation.row();
            assert!(seen.insert((row.method.as_str(), row.path)), "{} {}", row.method, row.path);
        }
    }

    #[test]
    fn every_row_describes_the_operation_that_leads_to_it() {
        for operation in TABLE {
            assert_eq!(operation.row().operation, *operation);
        }
    }

    #[test]
    fn the_group_read_holds_exactly_what_the_preset_read_only_promises() {
        use Operation::*;
        let promised = BTreeSet::from([
            SystemPing,
            SystemPingHead,
            SystemVersion,
            SystemInfo,
            SystemEvents,
            ContainerList,
            ContainerInspect,
            ContainerStats,
            ImageList,
            ImageInspect,
            ImageHistory,
            NetworkList,
            NetworkInspect,
            VolumeList,
            VolumeInspect,
        ]);
        let held = TABLE.iter().copied().filter(|o| o.row().groups.contains(&Group::Read));
        assert_eq!(held.collect::<BTreeSet<_>>(), promised);
    }

    #[test]
    fn every_group_holds_an_operation() {
        for group in Group::ALL {
            assert!(TABLE.iter().any(|o| o.row().groups.contains(group)), "{}", group.name());
        }
    }

    #[test]
    fn every_risk_says_something_without_a_final_period() {
        for operation in TABLE {
            let risk = operation.row().risk;
            assert!(!risk.trim().is_empty() && !risk.ends_with('.'), "{}", operation.name());
        }
    }

    #[test]
    fn the_query_keys_of_a_row_are_unique() {
        for operation in TABLE {
            let row = operation.row();
            let mut seen = BTreeSet::new();
            for name in row.query.iter().map(|key| key.name).chain(row.ignored.iter().copied()) {
                assert!(seen.insert(name), "{}: {name}", operation.name());
            }
        }
    }
}
