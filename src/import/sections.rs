//! The environment of Tecnativa's and linuxserver's images: which variable opens which operations.
//! Knows nothing of where the variables come from.
//!
//! Both images are a HAProxy with rules of regular expressions that begin with the path and do not end with it; the first
//! rule that fits decides. On the operations of the Engine API they come down to the first segment of the path (a section),
//! the method, and the last segment of a container's path. Podman's own API, which linuxserver's image knows too, is never forwarded.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::config::{Listen, UpstreamUrl};
use crate::docker::Operation;
use crate::docker::operations::TABLE;

use super::draft::{Block, DoorDraft, Draft};
use super::usual::needs_post;
use super::{Environment, Extent, ImportError, Imported};

/// An image whose environment is honoured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Image {
    /// `tecnativa/docker-socket-proxy`
    Tecnativa,
    /// `linuxserver/socket-proxy`
    Linuxserver,
}

/// A variable that opens every path that begins with a segment.
struct Section {
    variable: &'static str,
    first: &'static str,
}

const SECTIONS: &[Section] = &[
    section("PING", "_ping"),
    section("VERSION", "version"),
    section("EVENTS", "events"),
    section("INFO", "info"),
    section("CONTAINERS", "containers"),
    section("EXEC", "exec"),
    section("IMAGES", "images"),
    section("BUILD", "build"),
    section("COMMIT", "commit"),
    section("DISTRIBUTION", "distribution"),
    section("NETWORKS", "networks"),
    section("VOLUMES", "volumes"),
    section("SYSTEM", "system"),
    section("AUTH", "auth"),
    section("PLUGINS", "plugins"),
    section("NODES", "nodes"),
    section("SWARM", "swarm"),
    section("SERVICES", "services"),
    section("TASKS", "tasks"),
    section("SECRETS", "secrets"),
    section("CONFIGS", "configs"),
    section("SESSION", "session"),
    section("GRPC", "grpc"),
];

impl Section {
    fn is_single(&self) -> bool {
        TABLE.iter().filter(|operation| Path::of(**operation).first == self.first).count() == 1
    }
}

const fn section(variable: &'static str, first: &'static str) -> Section {
    Section { variable, first }
}

/// Variables that both images set to 1 themselves.
const ON: &[&str] = &["EVENTS", "PING", "VERSION", "LIBPOD_PING", "LIBPOD_VERSION"];

/// Variables that open single operations on containers, with the starts of the last segments that they fit.
const ALLOWS: &[(&str, &[&str])] =
    &[("ALLOW_RESTARTS", &["stop", "restart", "kill"]), ("ALLOW_START", &["start"]), ("ALLOW_STOP", &["stop"])];

/// The same, of linuxserver's image alone.
const MORE_ALLOWS: &[(&str, &[&str])] = &[("ALLOW_PAUSE", &["pause"]), ("ALLOW_UNPAUSE", &["unpause"])];

/// What linuxserver's image denies before anything else, unless the variable is on.
const VETOES: &[(&str, &str)] =
    &[("ALLOW_ARCHIVE", "archive"), ("ALLOW_CHANGES", "change"), ("ALLOW_EXPORT", "export"), ("ALLOW_LOGS", "logs"), ("ALLOW_TOP", "top")];

/// Variables that say nothing about what is allowed.
const OTHERS: &[&str] = &["POST", "LOG_LEVEL", "SOCKET_PATH", "DISABLE_IPV6", "BIND_CONFIG"];

/// Variables of any image and of dockgate, which nobody needs to be told of.
const AROUND: &[&str] = &["PUID", "PGID", "TZ", "UMASK", "PATH", "HOME", "HOSTNAME", "DOCKGATE_COMPAT", "DOCKGATE_LOG"];

impl Image {
    /// The image of this name.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "tecnativa" => Some(Self::Tecnativa),
            "linuxserver" => Some(Self::Linuxserver),
            _ => None,
        }
    }

    /// Its name, which is its policy's too.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tecnativa => "tecnativa",
            Self::Linuxserver => "linuxserver",
        }
    }

    fn allows(self) -> impl Iterator<Item = &'static (&'static str, &'static [&'static str])> {
        let more = if self == Self::Linuxserver { MORE_ALLOWS } else { &[] };
        ALLOWS.iter().chain(more)
    }

    /// True for the image's own variables, and those of any image.
    pub fn knows(self, variable: &str) -> bool {
        let own = SECTIONS.iter().any(|section| section.variable == variable)
            || self.allows().any(|(name, _)| *name == variable)
            || OTHERS.contains(&variable)
            || AROUND.contains(&variable);
        own || (self == Self::Linuxserver && (VETOES.iter().any(|(name, _)| *name == variable) || variable.starts_with("LIBPOD_")))
    }
}

/// A whole configuration from the environment of an image.
///
/// # Errors
/// A `SOCKET_PATH` that is no place of an engine.
pub fn sections(image: Image, environment: &Environment, extent: Extent) -> Result<Imported, ImportError> {
    let settings = Settings { image, environment };
    let socket = environment.get("SOCKET_PATH").map_or("/var/run/docker.sock", String::as_str);
    Ok(Draft {
        policy: image.name(),
        from: settings.from(),
        extent,
        upstream: upstream(socket)?,
        doors: vec![DoorDraft { listen: settings.listen(), mode: None, allow_from: Vec::new() }],
        blocks: settings.blocks(),
        binds: None,
        warnings: settings.warnings(),
        log: environment.get("LOG_LEVEL").and_then(|level| log(level)),
    }
    .write())
}

/// A path, or `host:port`, which HAProxy takes there too.
fn upstream(place: &str) -> Result<UpstreamUrl, ImportError> {
    let path = place.strip_prefix("unix@").unwrap_or(place);
    let url = if path.starts_with('/') { format!("unix://{path}") } else { format!("tcp://{path}") };
    Ok(url.parse()?)
}

/// HAProxy's words for levels, as our log has them.
fn log(level: &str) -> Option<&'static str> {
    match level {
        "debug" => Some("debug"),
        "info" | "notice" => Some("info"),
        "warning" => Some("warn"),
        "err" | "crit" | "alert" | "emerg" => Some("error"),
        _ => None,
    }
}

/// HAProxy's `-m bool` on a variable: the number that its text begins with, and whether that is not 0 (`c_str2int`, `read_int64`).
fn is_true(value: &str) -> bool {
    let digits = value.strip_prefix(['-', '+']).unwrap_or(value);
    digits.bytes().take_while(u8::is_ascii_digit).any(|digit| digit != b'0')
}

struct Settings<'e> {
    image: Image,
    environment: &'e Environment,
}

impl Settings<'_> {
    fn on(&self, variable: &str) -> bool {
        self.environment.get(variable).map_or_else(|| ON.contains(&variable), |value| is_true(value))
    }

    /// The variable that opens an operation, where one does.
    fn opening(&self, operation: Operation) -> Option<&'static str> {
        let path = Path::of(operation);
        let refused = needs_post(operation) && !self.on("POST");
        match self.image {
            Image::Tecnativa if refused => None,
            Image::Tecnativa => self.allowing(&path).or_else(|| self.section(&path)),
            Image::Linuxserver if VETOES.iter().any(|(variable, last)| path.ends(last) && !self.on(variable)) => None,
            Image::Linuxserver => self.allowing(&path).or_else(|| if refused { None } else { self.section(&path) }),
        }
    }

    fn allowing(&self, path: &Path) -> Option<&'static str> {
        let fits = |(variable, lasts): &&(&str, &[&str])| self.on(variable) && lasts.iter().any(|last| path.ends(last));
        self.image.allows().find(fits).map(|(variable, _)| *variable)
    }

    fn section(&self, path: &Path) -> Option<&'static str> {
        let fits = |section: &&Section| path.first == section.first && self.on(section.variable);
        SECTIONS.iter().find(fits).map(|section| section.variable)
    }

    /// What each variable opens, in the order of the sections.
    fn blocks(&self) -> Vec<Block> {
        let order = SECTIONS.iter().map(|section| section.variable).chain(self.image.allows().map(|(variable, _)| *variable));
        let block = |variable: &'static str| {
            let opens = |operation: &Operation| self.opening(*operation) == Some(variable);
            let operations: Vec<Operation> = TABLE.iter().copied().filter(opens).collect();
            let set = self
                .environment
                .get(variable)
                .map_or_else(|| format!("{variable}=1 (the image's own)"), |value| format!("{variable}={value}"));
            let post = if operations.iter().any(|operation| needs_post(*operation)) && self.on("POST") { " with POST=1" } else { "" };
            // an ALLOW_ variable names its operations, and so does a section that has one only
            let alone = SECTIONS.iter().any(|section| section.variable == variable && section.is_single());
            let named = alone || variable.starts_with("ALLOW_");
            Block { title: format!("{set}{post}"), operations, paths: Vec::new(), comments: Vec::new(), named }
        };
        order.map(block).filter(|block| !block.operations.is_empty()).collect()
    }

    fn from(&self) -> String {
        let own = self.environment.iter().filter(|(name, _)| self.image.knows(name) && !AROUND.contains(&name.as_str()));
        let list: Vec<String> = own.map(|(name, value)| format!("{name}={value}")).collect();
        if list.is_empty() { "an environment without a variable of that image".to_owned() } else { list.join(" ") }
    }

    /// Tecnativa's entrypoint takes three words for true, linuxserver's one.
    fn listen(&self) -> Listen {
        let value = self.environment.get("DISABLE_IPV6").map(|value| value.to_ascii_lowercase()).unwrap_or_default();
        let words: &[&str] = if self.image == Image::Tecnativa { &["1", "true", "yes"] } else { &["1"] };
        let any = if words.contains(&value.as_str()) { IpAddr::V4(Ipv4Addr::UNSPECIFIED) } else { IpAddr::V6(Ipv6Addr::UNSPECIFIED) };
        Listen::Tcp(SocketAddr::new(any, 2375))
    }

    fn warnings(&self) -> Vec<String> {
        let mut warnings: Vec<String> = self.environment.iter().filter_map(|(name, value)| self.misread(name, value)).collect();
        let traps = [
            (self.on("POST"), "POST=1 opens every method, DELETE and PUT too, of every section that is on"),
            (
                self.on("EXEC") && self.opening(Operation::ContainerExec).is_none(),
                "EXEC=1 does not open what prepares an exec (`POST /containers/{id}/exec`): that is CONTAINERS=1 with POST=1",
            ),
            (
                self.image == Image::Tecnativa && !self.on("POST") && self.image.allows().any(|(variable, _)| self.on(variable)),
                "ALLOW_START, ALLOW_STOP and ALLOW_RESTARTS open nothing there without POST=1",
            ),
            (self.on("ALLOW_RESTARTS"), "ALLOW_RESTARTS=1 opens stop and kill too"),
            (
                self.image == Image::Linuxserver && self.on("CONTAINERS"),
                "images of linuxserver from before August 2026 have no ALLOW_ARCHIVE, _CHANGES, _EXPORT, _LOGS and _TOP, and open all five",
            ),
            (
                self.on("SESSION") || self.on("GRPC"),
                "SESSION and GRPC open BuildKit's sessions there; dockgate never forwards them, since they cannot be inspected",
            ),
            (
                self.environment.iter().any(|(name, value)| name.starts_with("LIBPOD_") && is_true(value)),
                "LIBPOD_ variables open Podman's own API there; dockgate forwards Docker's alone",
            ),
        ];
        warnings.extend(traps.into_iter().filter(|(holds, _)| *holds).map(|(_, said)| said.to_owned()));
        warnings
    }

    /// A variable that does not do what it seems to say.
    fn misread(&self, name: &str, value: &str) -> Option<String> {
        if !self.image.knows(name) {
            return Some(format!("`{name}` is no variable of that image, and does nothing"));
        }
        if OTHERS.iter().any(|other| *other != "POST" && *other == name) || AROUND.contains(&name) {
            return None;
        }
        let shut = value.is_empty() || value.bytes().all(|b| b == b'0');
        let word = !shut && !is_true(value);
        word.then(|| format!("`{name}={value}` is off there: HAProxy reads words as 0; write `{name}=1` if it is meant"))
    }
}

/// The parts of a path that the rules look at.
struct Path {
    first: &'static str,
    /// The segment after a container's name, where there is one.
    last: Option<&'static str>,
}

impl Path {
    fn of(operation: Operation) -> Self {
        let mut segments = operation.row().path.split('/').skip(1);
        let first = segments.next().unwrap_or_default();
        let named = first == "containers" && segments.next() == Some("{id}");
        Self { first, last: if named { segments.next() } else { None } }
    }

    /// Their expressions do not end where the path ends, so a segment that begins so is enough.
    fn ends(&self, start: &str) -> bool {
        self.last.is_some_and(|last| last.starts_with(start))
    }
}
