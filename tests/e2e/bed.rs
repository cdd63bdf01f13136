//! One engine with dockgate in front of it, a docker CLI for each door, and names that nobody else uses.
//! Knows nothing of what is tested.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;
use tempfile::TempDir;

use crate::engine::{Engine, engines, programs, skipped};
use crate::gate::Gate;
use crate::process::{Output, Session, run};
use crate::raw;

/// The door that is none: the engine itself.
pub const RAW: &str = "raw";

pub struct Bed {
    /// Part of every name that a test gives, so that its objects can be found again.
    pub tag: String,
    pub gate: Gate,
    pub folder: TempDir,
    pub engine: &'static Engine,
}

/// Runs a test on every engine, each behind a dockgate of its own.
pub fn on_every_engine(test: impl Fn(&Bed)) {
    with_policies("", &[], test);
}

/// The same with more policies (TOML), and a door for each that is named.
pub fn with_policies(policies: &str, doors: &[&str], test: impl Fn(&Bed)) {
    for engine in usable() {
        test(&Bed::new(engine, policies, doors));
    }
}

/// The engines, where there is a client for them too.
pub fn usable() -> &'static [Engine] {
    if docker_cli().is_none() {
        skipped("no docker client: run `tests/e2e/engine.sh install`");
        return &[];
    }
    engines()
}

pub fn docker_cli() -> Option<&'static Path> {
    static CLI: OnceLock<Option<PathBuf>> = OnceLock::new();
    CLI.get_or_init(|| in_path("docker").or_else(|| programs("28").map(|folder| folder.join("docker")))).as_deref()
}

/// A program of the `PATH`.
pub fn in_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

impl Bed {
    pub fn new(engine: &'static Engine, policies: &str, doors: &[&str]) -> Self {
        Self::behind(engine, |folder| Gate::start(folder, &engine.socket, policies, doors))
    }

    /// A bed with a dockgate that is started in another way.
    pub fn behind(engine: &'static Engine, start: impl FnOnce(&Path) -> Gate) -> Self {
        eprintln!("--- {}", engine.label);
        let folder = tempfile::Builder::new().prefix("dg").tempdir_in("/tmp").unwrap();
        let tag = Self::tag_of(folder.path());
        let gate = start(folder.path());
        Self { tag, gate, folder, engine }
    }

    /// The tag of the bed in a folder.
    pub fn tag_of(folder: &Path) -> String {
        let name = folder.file_name().unwrap().to_string_lossy().to_lowercase();
        format!("{}{}", name.replace('.', ""), std::process::id())
    }

    /// A name that holds the tag.
    pub fn name(&self, what: &str) -> String {
        format!("ci-{}-{what}", self.tag)
    }

    /// The socket of a door.
    pub fn socket(&self, door: &str) -> PathBuf {
        if door == RAW { self.engine.socket.clone() } else { self.gate.door(door) }
    }

    /// A client of any kind behind a door: no settings of this machine reach it.
    pub fn client(&self, program: impl AsRef<Path>, door: &str) -> Command {
        let mut command = Command::new(program.as_ref());
        for variable in ["DOCKER_CONTEXT", "DOCKER_API_VERSION", "DOCKER_TLS", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH", "DOCKER_BUILDKIT"] {
            command.env_remove(variable);
        }
        command.env("DOCKER_HOST", format!("unix://{}", self.socket(door).display()));
        command.env("DOCKER_CONFIG", self.folder.path().join("client"));
        command
    }

    /// A docker command behind a door; `line` is split as a shell would, with single quotes only.
    pub fn docker(&self, door: &str, line: &str) -> Command {
        let mut command = self.client(docker_cli().unwrap(), door);
        command.args(words(line));
        command
    }

    pub fn run(&self, door: &str, line: &str) -> Output {
        run(self.docker(door, line))
    }

    pub fn start(&self, door: &str, line: &str) -> Session {
        Session::start(self.docker(door, line))
    }

    /// A docker command on a terminal of 33 lines and 77 columns.
    pub fn on_terminal(&self, door: &str, line: &str) -> Session {
        let mut command = self.client("script", door);
        command.args(["-qec", &format!("stty rows 33 cols 77; exec {} {line}", docker_cli().unwrap().display()), "/dev/null"]);
        Session::start(command)
    }

    /// Creates and starts a container on the engine itself; returns its full id.
    pub fn plain_container(&self, name: &str) -> String {
        self.run(RAW, &format!("run -d -i --network none --name {name} busybox cat")).ok().trim().to_owned()
    }

    /// The same, but the end of a client's input is the end of the container's.
    pub fn listening_container(&self, name: &str, command: &str) -> String {
        let id = self.run(RAW, &format!("create -i --network none --name {name} busybox {command}")).ok();
        self.run(RAW, &format!("start {name}")).ok();
        id.trim().to_owned()
    }

    /// What the engine itself says about a container.
    pub fn inspect(&self, container: &str) -> Value {
        raw::get(&self.engine.socket, &format!("/containers/{container}/json")).json()
    }

    /// Everything on the engine that carries the tag, stopped containers too.
    pub fn objects(&self) -> Vec<String> {
        let list = |path: String| raw::get(&self.engine.socket, &path).json();
        let mut found = Vec::new();
        for container in list(format!("/containers/json?all=1&filters={}", raw::named(&self.tag))).as_array().into_iter().flatten() {
            found.push(format!("/containers/{}?force=1&v=1", container["Id"].as_str().unwrap_or_default()));
        }
        for volume in list(format!("/volumes?filters={}", raw::named(&self.tag)))["Volumes"].as_array().into_iter().flatten() {
            found.push(format!("/volumes/{}?force=1", volume["Name"].as_str().unwrap_or_default()));
        }
        for network in list(format!("/networks?filters={}", raw::named(&self.tag))).as_array().into_iter().flatten() {
            found.push(format!("/networks/{}", network["Id"].as_str().unwrap_or_default()));
        }
        for image in list("/images/json".to_owned()).as_array().into_iter().flatten() {
            let tags = image["RepoTags"].as_array().into_iter().flatten().filter_map(Value::as_str);
            found.extend(tags.filter(|tag| tag.contains(&self.tag)).map(|tag| format!("/images/{tag}?force=1")));
        }
        found
    }

    /// Asserts that a refusal of the policy was told, and that nothing came of the command.
    pub fn refuses(&self, door: &str, line: &str, code: i32, texts: &[&str]) {
        let before = self.objects();
        self.run(door, line).fails(code, texts);
        assert_eq!(self.objects(), before, "`{line}` left something behind");
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        for object in self.objects() {
            raw::ask(&self.engine.socket, "DELETE", &object, None);
        }
    }
}

fn words(line: &str) -> Vec<String> {
    let (mut words, mut quoted, mut open) = (vec![String::new()], false, false);
    for letter in line.chars() {
        match letter {
            '\'' => (quoted, open) = (!quoted, true),
            ' ' if !quoted => {
                if open || !words.last().unwrap().is_empty() {
                    words.push(String::new());
                }
                open = false;
            }
            _ => words.last_mut().unwrap().push(letter),
        }
    }
    words
}

/// What the CLI prints for a denial.
pub fn denial(policy: &str, rest: &str) -> String {
    format!("dockgate: denied by policy `{policy}` {rest}")
}
