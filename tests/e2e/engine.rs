//! The engines of a run: named by the environment, or started here.
//! Never `DOCKER_HOST` and never the host's own socket.

use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use crate::process::run;
use crate::raw;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/engine.sh");

/// An engine that answers.
pub struct Engine {
    pub label: String,
    pub socket: PathBuf,
}

/// Every engine of this run; empty where there is none, which was said then.
pub fn engines() -> &'static [Engine] {
    static ENGINES: OnceLock<Vec<Engine>> = OnceLock::new();
    let engines = ENGINES.get_or_init(|| {
        let mut found: Vec<Engine> = ["DOCKGATE_TEST_ENGINE", "DOCKGATE_TEST_ENGINE_OLD"].into_iter().filter_map(named).collect();
        if found.is_empty() {
            // the guard stays until this process has ended
            found.extend(Started::new("20").map(|started| Box::leak(Box::new(started)).engine()));
        }
        found
    });
    if engines.is_empty() {
        skipped("no engine: name one in DOCKGATE_TEST_ENGINE, or run as root with dockerd installed");
    }
    engines
}

/// Says that something was not tested, past the capture of test output.
pub fn left_out(why: &str) {
    let test = std::thread::current().name().unwrap_or_default().to_owned();
    let _nobody_reads_it = writeln!(std::io::stderr(), "SKIPPED: {why} ({test})");
}

/// The same for what must not be missing with `DOCKGATE_REQUIRE_ENGINE=1`.
pub fn skipped(why: &str) {
    left_out(why);
    assert!(std::env::var("DOCKGATE_REQUIRE_ENGINE").as_deref() != Ok("1"), "DOCKGATE_REQUIRE_ENGINE=1, and {why}");
}

fn named(variable: &str) -> Option<Engine> {
    let url = std::env::var(variable).ok().filter(|url| !url.is_empty())?;
    let socket = url.strip_prefix("unix://").unwrap_or_else(|| panic!("{variable} must be unix://…, not `{url}`"));
    Some(Engine::at(PathBuf::from(socket)))
}

impl Engine {
    fn at(socket: PathBuf) -> Self {
        let version = raw::get(&socket, "/version").json();
        let (version, api) = (version["Version"].as_str().unwrap_or_default(), version["ApiVersion"].as_str().unwrap_or_default());
        Self { label: format!("engine {version}, API {api}"), socket }
    }
}

/// An engine that the tests started. A shell takes it down when this value is dropped, or when this process has ended, however it ended.
pub struct Started {
    pub folder: PathBuf,
    pub socket: PathBuf,
    guard: Child,
}

impl Started {
    /// Starts an engine of a version, with the image; `None` where that cannot be done here.
    pub fn new(version: &str) -> Option<Self> {
        Self::with(version, &[])
    }

    /// The same with variables of `engine.sh`.
    pub fn with(version: &str, variables: &[(&str, &str)]) -> Option<Self> {
        let root = std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0);
        let bin = run(script(&["bin", version])).ok();
        if !root || !Path::new(bin.trim()).join("dockerd").exists() && !Path::new("/usr/sbin/dockerd").exists() {
            return None;
        }
        // a short name: the engine's sockets lie deep below it
        let folder = tempfile::Builder::new().prefix("dg").tempdir_in("/tmp").unwrap().keep();
        let guard = guard(&folder);
        let started = Self { socket: folder.join("docker.sock"), folder, guard };
        let mut up = script(&["up", started.folder.to_str().unwrap(), version]);
        up.envs(variables.iter().copied());
        run(up).ok();
        run(script(&["image", started.folder.to_str().unwrap()])).ok();
        Some(started)
    }

    pub fn engine(&self) -> Engine {
        Engine::at(self.socket.clone())
    }

    /// Starts it, after `down`.
    pub fn up(&mut self, version: &str) {
        run(script(&["up", self.folder.to_str().unwrap(), version])).ok();
    }

    /// Stops it and removes its data; the guard stays.
    pub fn down(&mut self) {
        run(script(&["down", self.folder.to_str().unwrap()])).ok();
        std::fs::create_dir_all(&self.folder).unwrap();
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        let _gone = self.guard.wait();
    }
}

fn script(arguments: &[&str]) -> Command {
    let mut command = Command::new(SCRIPT);
    command.args(arguments);
    command
}

/// Reads until the end of its input, which comes when nobody holds the other side any more. A group of its own, so
/// that Ctrl-C does not reach it.
fn guard(folder: &Path) -> Child {
    let mut command = Command::new("sh");
    command.args(["-c", r#"cat >/dev/null; "$0" down "$1"; rmdir "$1""#, SCRIPT]).arg(folder);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0).spawn().unwrap()
}

/// The folder with the programs of a version that `engine.sh install` unpacked.
pub fn programs(version: &str) -> Option<PathBuf> {
    let folder = PathBuf::from(run(script(&["bin", version])).ok().trim());
    folder.is_dir().then_some(folder)
}
