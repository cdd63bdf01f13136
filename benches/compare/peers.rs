//! The proxies that are compared, and their configurations.
//! Knows nothing of what is measured.

use std::fmt::Write as _;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::{Child, Command};

use super::Fault;
use super::scenarios::Rules;

/// One of them.
pub struct Peer {
    pub name: String,
    pub kind: Kind,
    pub program: PathBuf,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Nothing between client and engine: what the machine, the mock and the generator can do.
    Direct,
    /// HAProxy as images for this job run it.
    HaproxyRules,
    /// HAProxy at its best.
    HaproxyBare,
    Dockgate,
}

/// Where a proxy runs, and what for.
pub struct Place<'a> {
    pub folder: &'a Path,
    pub engine: &'a Path,
    pub door: &'a Path,
    pub rules: Rules,
    /// How many connections HAProxy is to be ready for.
    pub connections: u64,
}

impl Peer {
    /// Starts it; nothing where nothing is between.
    pub fn start(&self, place: &Place<'_>) -> Result<Option<Child>, Fault> {
        let text = match self.kind {
            Kind::Direct => return Ok(None),
            Kind::HaproxyRules => with_rules(place),
            Kind::HaproxyBare => bare(place),
            Kind::Dockgate => dockgate(place),
        };
        let file = place.folder.join("configuration");
        std::fs::write(&file, text)?;
        let mut command = Command::new(&self.program);
        match self.kind {
            Kind::Dockgate => command.args(["serve", "--config"]),
            Kind::Direct | Kind::HaproxyRules | Kind::HaproxyBare => command.args(["-db", "-f"]),
        };
        let log = File::create(log(place.folder))?;
        command.arg(&file).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).kill_on_drop(true);
        Ok(Some(command.spawn().map_err(|error| format!("`{}`: {error}", self.program.display()))?))
    }
}

/// What the proxy prints.
pub fn log(folder: &Path) -> PathBuf {
    folder.join("log")
}

/// The sections of the engine's API, each of which such an image has a switch for.
const SECTIONS: [&str; 22] = [
    "auth",
    "build",
    "commit",
    "configs",
    "containers",
    "distribution",
    "events",
    "exec",
    "grpc",
    "images",
    "info",
    "networks",
    "nodes",
    "_ping",
    "plugins",
    "secrets",
    "services",
    "session",
    "swarm",
    "system",
    "version",
    "volumes",
];
/// What a monitoring tool or a proxy is given.
const READ_SECTIONS: [&str; 4] = ["containers", "events", "_ping", "version"];

/// What the usual images have: a regular expression on the decoded path for each section, a switch for everything but GET, a connection
/// to the engine for each request, and a line of log for each.
fn with_rules(place: &Place<'_>) -> String {
    let on = |section: &str| place.rules != Rules::Read || READ_SECTIONS.contains(&section);
    let switch = |on: bool| if on { "1" } else { "0" };
    let changes = place.rules != Rules::Read;
    let mut text = format!(
        "global\n    log stdout format raw daemon\n    maxconn {connections}\n    setenv CHANGES {changes}\n",
        connections = place.connections,
        changes = switch(changes),
    );
    let mut rules = "    http-request deny unless METH_GET || { env(CHANGES) -m bool }\n".to_owned();
    for action in ["restart", "start", "stop", "kill"] {
        allow(&mut rules, &format!("/containers/[a-zA-Z0-9_.-]+/{action}"), "ACTIONS");
    }
    let _set = writeln!(text, "    setenv ACTIONS {}", switch(changes));
    for section in SECTIONS {
        let name = section.trim_start_matches('_').to_uppercase();
        let _set = writeln!(text, "    setenv {name} {}", switch(on(section)));
        allow(&mut rules, &format!("/{section}"), &name);
    }
    let _rest = write!(
        text,
        "defaults\n    mode http\n    log global\n    option httplog\n    option dontlognull\n    option http-server-close\n    \
         timeout http-request 10s\n    timeout http-keep-alive 60s\n    timeout connect 10s\n    timeout client 10m\n    timeout server 10m\n    \
         maxconn {}\nbackend engine\n    server engine unix@{}\nfrontend door\n    bind unix@{}\n{rules}    http-request deny\n    default_backend engine\n",
        place.connections,
        place.engine.display(),
        place.door.display(),
    );
    text
}

fn allow(rules: &mut String, path: &str, switch: &str) {
    let _rule = writeln!(rules, "    http-request allow if {{ path,url_dec -m reg -i ^(/v[\\d\\.]+)?{path} }} {{ env({switch}) -m bool }}");
}

/// Connections kept on both sides, no rule and no log.
fn bare(place: &Place<'_>) -> String {
    format!(
        "global\n    maxconn {connections}\ndefaults\n    mode http\n    option http-keep-alive\n    http-reuse always\n    \
         timeout http-request 10s\n    timeout http-keep-alive 60s\n    timeout connect 10s\n    timeout client 10m\n    timeout server 10m\n    \
         maxconn {connections}\nbackend engine\n    server engine unix@{engine} pool-max-conn -1\nfrontend door\n    bind unix@{door}\n    \
         default_backend engine\n",
        connections = place.connections,
        engine = place.engine.display(),
        door = place.door.display(),
    )
}

/// dockgate with everything on.
fn dockgate(place: &Place<'_>) -> String {
    let (policy, sync) = match place.rules {
        Rules::Read => ("extends = [\"read-only\"]\nallow = [\"@logs\"]\n", "changes"),
        Rules::Run => ("extends = [\"docker-cli-run\"]\nallow = [\"ImageLoad\"]\n", "changes"),
        Rules::Create => ("extends = [\"docker-cli-run\"]\n", "none"),
        Rules::Grants => (concat!("extends = [\"docker-cli-run\"]\n", include_str!("create.toml")), "none"),
    };
    format!(
        "version = 1\n[upstream]\nurl = \"unix://{engine}\"\n[[door]]\nlisten = \"unix://{door}\"\npolicy = \"measured\"\n\
         [audit]\nfile = \"{trail}\"\nsync = \"{sync}\"\n[policy.measured]\n{policy}",
        engine = place.engine.display(),
        door = place.door.display(),
        trail = place.folder.join("audit.jsonl").display(),
    )
}
