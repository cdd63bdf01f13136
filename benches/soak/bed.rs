//! dockgate in front of an engine: its doors, its configuration, its process, and the containers that stand all the time.
//! Knows nothing of what is done with them.

use std::fs::{self, File};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::wire::{self, Place};

/// How long anything of the bed may take.
const PATIENCE: Duration = Duration::from_secs(60);
const BREATH: Duration = Duration::from_millis(20);
/// On all containers of a run.
pub const LABEL: &str = "dockgate.soak";

/// An engine: one that is there, or one that is taken down at the end.
pub struct Engine {
    pub place: Place,
    own: Option<PathBuf>,
}

impl Engine {
    /// The engine at a URL, or a new one in a folder.
    pub fn find(url: Option<&str>, folder: &Path) -> Result<Self, String> {
        if let Some(url) = url {
            let path = url.strip_prefix("unix://").ok_or("`--engine` is a unix:// URL")?;
            return Ok(Self { place: wire::unix(Path::new(path)), own: None });
        }
        let own = folder.join("e");
        let up = script(&["up", &own.display().to_string(), "28"])?;
        script(&["image", &own.display().to_string()])?;
        Ok(Self { place: wire::unix(Path::new(up.trim())), own: Some(own) })
    }

    pub fn socket(&self) -> String {
        match &self.place {
            Place::Unix(path) => path.display().to_string(),
            Place::Tcp(address) => address.to_string(),
        }
    }

    /// What it says to a question of ours, past dockgate.
    pub fn get(&self, path: &str) -> Result<Value, String> {
        let (head, body) = wire::ask(&self.place, &wire::get(path)).map_err(|error| format!("{path}: {error}"))?;
        if head.status != 200 {
            return Err(format!("{path}: {} {body}", head.status));
        }
        serde_json::from_str(&body).map_err(|error| format!("{path}: {error}"))
    }

    /// The names of containers that carry the label.
    pub fn labelled(&self) -> Result<Vec<String>, String> {
        let list = self.get(&format!("/containers/json?all=1&filters=%7B%22label%22%3A%5B%22{LABEL}%22%5D%7D"))?;
        Ok(list.as_array().into_iter().flatten().map(|one| one["Names"][0].as_str().unwrap_or("?").to_owned()).collect())
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if let Some(own) = &self.own
            && let Err(error) = script(&["down", &own.display().to_string()])
        {
            eprintln!("the engine is not taken down: {error}");
        }
    }
}

fn script(arguments: &[&str]) -> Result<String, String> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/engine.sh");
    let output = Command::new(script).args(arguments).stderr(Stdio::inherit()).output().map_err(|error| format!("{script}: {error}"))?;
    if !output.status.success() {
        return Err(format!("`{script} {}` failed", arguments.join(" ")));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// What clients may do here, twice: a reload changes from the one to the other.
const POLICIES: [&str; 2] = ["", "\"ContainerRename\", "];

/// dockgate, running.
pub struct Gate {
    program: PathBuf,
    folder: PathBuf,
    engine: String,
    tcp: SocketAddr,
    asked: u64,
    child: Child,
}

impl Gate {
    pub fn start(program: &Path, folder: &Path, engine: &str) -> Result<Self, String> {
        let tcp = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).map_err(|error| error.to_string())?;
        let log = || File::create(folder.join("log")).map_err(|error| error.to_string());
        write_config(folder, engine, tcp, 0).map_err(|error| error.to_string())?;
        let mut command = Command::new(program);
        command.args(["serve", "--config"]).arg(folder.join("dockgate.toml")).env_clear();
        let log = log()?;
        command.stdin(Stdio::null()).stdout(log.try_clone().map_err(|error| error.to_string())?).stderr(log);
        let child = command.spawn().map_err(|error| format!("`{}`: {error}", program.display()))?;
        let mut gate = Self { program: program.to_owned(), folder: folder.to_owned(), engine: engine.to_owned(), tcp, asked: 0, child };
        let places = [gate.work(), gate.reads(), gate.tcp()];
        let started = Instant::now();
        loop {
            gate.asked += places.len() as u64;
            if places.iter().all(|place| wire::ask(place, &wire::get("/_ping")).is_ok_and(|(head, _)| head.status == 200)) {
                return Ok(gate);
            }
            if gate.child.try_wait().is_ok_and(|ended| ended.is_some()) || started.elapsed() > PATIENCE {
                return Err(format!("dockgate does not serve:\n{}", gate.log()));
            }
            std::thread::sleep(BREATH);
        }
    }

    /// How many requests it was asked for by the bed itself, at most.
    pub fn asked(&self) -> u64 {
        self.asked
    }

    /// The door that may do what the work needs.
    pub fn work(&self) -> Place {
        wire::unix(&self.folder.join("work/docker.sock"))
    }

    /// The door that may read alone.
    pub fn reads(&self) -> Place {
        wire::unix(&self.folder.join("reads/docker.sock"))
    }

    pub fn tcp(&self) -> Place {
        Place::Tcp(self.tcp)
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn trail(&self) -> PathBuf {
        self.folder.join("trail.jsonl")
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// Another configuration; dockgate sees by itself that the file has changed.
    pub fn rewrite(&self, which: usize) -> io::Result<()> {
        write_config(&self.folder, &self.engine, self.tcp, which)
    }

    pub fn signal(&self, name: &str) -> io::Result<()> {
        Command::new("kill").args([&format!("-{name}"), &self.pid().to_string()]).status().map(drop)
    }

    /// Stops it as a service manager does.
    pub fn stop(&mut self) -> Result<ExitStatus, String> {
        self.signal("TERM").map_err(|error| error.to_string())?;
        let started = Instant::now();
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => return Ok(status),
                Ok(None) if started.elapsed() < PATIENCE => std::thread::sleep(BREATH),
                Ok(None) => return Err("dockgate does not stop".to_owned()),
                Err(error) => return Err(error.to_string()),
            }
        }
    }

    /// What `dockgate audit verify` says about the trail, and its exit code.
    pub fn verify(&self) -> (i32, String) {
        match Command::new(&self.program).args(["audit", "verify"]).arg(self.trail()).env_clear().output() {
            Ok(output) => {
                let said = [output.stdout, output.stderr].concat();
                (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&said).trim().to_owned())
            }
            Err(error) => (-1, error.to_string()),
        }
    }

    /// `dockgate --version`.
    pub fn version(&self) -> String {
        let output = Command::new(&self.program).arg("--version").output();
        output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        let _already_ended = self.child.kill();
        let _already_ended = self.child.wait();
    }
}

/// Written beside and moved into place, as careful editors do.
fn write_config(folder: &Path, engine: &str, tcp: SocketAddr, which: usize) -> io::Result<()> {
    let (more, place) = (POLICIES[which % POLICIES.len()], folder.display());
    let text = format!(
        r#"version = 1
[upstream]
url = "unix://{engine}"
[[door]]
listen = "unix://{place}/work/docker.sock"
policy = "work"
[[door]]
listen = "unix://{place}/reads/docker.sock"
policy = "read-only"
[[door]]
listen = "tcp://{tcp}"
policy = "read-only"
[audit]
file = "{place}/trail.jsonl"
fold-above = 0
rotate-size = "4MiB"
[policy.work]
extends = ["read-only"]
allow = [
    "@lifecycle", "@logs", {more}"ContainerCreate", "ContainerAttach", "ContainerExec", "ExecStart", "ExecInspect",
    "ContainerArchive", "PutContainerArchive", "ImageLoad", "ImageGet",
]
[policy.work.create]
level = "baseline"
"#
    );
    let (draft, file) = (folder.join("dockgate.toml.new"), folder.join("dockgate.toml"));
    fs::write(&draft, text)?;
    fs::rename(draft, file)
}
