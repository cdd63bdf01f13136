//! The real binary as a process, with a door for each policy and a trail that can be read.
//! Knows nothing of engines beyond the socket's path.

use std::fs;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::process::{PATIENCE, run, until, within};

/// The policies of every gate; `read-only` is a preset.
const POLICIES: &str = r#"
[policy.everything]
extends = ["unrestricted"]

[policy.ci]
extends = ["read-only"]
allow = [
    "@lifecycle", "@logs", "ContainerCreate", "ContainerAttach", "ContainerExec",
    "ExecStart", "ExecInspect", "ExecResize",
]

[policy.ci.create]
level = "baseline"
volumes = ["ci-*"]
"#;
const DOORS: [&str; 3] = ["everything", "ci", "read-only"];

/// dockgate in front of an engine; ends when dropped.
pub struct Gate {
    folder: PathBuf,
    trail: PathBuf,
    child: Child,
}

impl Gate {
    /// Starts dockgate in a folder, with the usual doors and one more for each of `extra`, whose policies `more` holds.
    pub fn start(folder: &Path, engine: &Path, more: &str, extra: &[&str]) -> Self {
        let doors: Vec<&str> = DOORS.iter().chain(extra).copied().collect();
        let settings = "reconcile = true\nfold-above = 0\nsync = \"none\"";
        Self::launch(folder, &trail(folder), &doors, text(engine, &trail(folder), settings) + more)
    }

    /// Starts it with the usual doors, and with a trail in this place as operators have it who choose nothing.
    pub fn auditing(folder: &Path, engine: &Path, trail: &Path) -> Self {
        Self::launch(folder, trail, &DOORS, text(engine, trail, ""))
    }

    /// Starts it with the usual doors, in front of what the lines of this `[upstream]` name.
    pub fn over(folder: &Path, upstream: &str) -> Self {
        let settings = "fold-above = 0\nsync = \"none\"";
        Self::launch(folder, &trail(folder), &DOORS, over(upstream, &trail(folder), settings))
    }

    fn launch(folder: &Path, trail: &Path, policies: &[&str], mut text: String) -> Self {
        let doors: Vec<PathBuf> = policies.iter().map(|policy| door(folder, policy)).collect();
        text.push('\n');
        for (policy, socket) in policies.iter().zip(&doors) {
            fs::create_dir_all(socket.parent().unwrap()).unwrap();
            text += &format!("[[door]]\nlisten = \"unix://{}\"\nmode = \"0600\"\npolicy = \"{policy}\"\n", socket.display());
        }
        fs::write(config(folder), text).unwrap();
        let log = fs::File::create(folder.join("log")).unwrap();
        let mut command = Self::command(&["serve", "--config", config(folder).to_str().unwrap()]);
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let mut gate = Self { folder: folder.to_owned(), trail: trail.to_owned(), child: command.spawn().unwrap() };
        until("dockgate to listen", || {
            assert!(!gate.ended(), "dockgate ended at once:\n{}", gate.log());
            doors.iter().all(|door| UnixStream::connect(door).is_ok()).then_some(())
        });
        gate
    }

    /// The binary, with an environment that names no other engine.
    pub fn command(arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dockgate"));
        command.args(arguments).env_remove("DOCKER_HOST").env_remove("DOCKGATE_COMPAT").env_remove("DOCKGATE_LOG");
        command
    }

    pub fn config(&self) -> PathBuf {
        config(&self.folder)
    }

    pub fn door(&self, policy: &str) -> PathBuf {
        door(&self.folder, policy)
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    pub fn ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Ends it with SIGKILL: it cannot finish anything.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to end as a service manager does.
    pub fn terminate(&self) {
        let mut kill = Command::new("kill");
        kill.args(["-TERM", &self.child.id().to_string()]);
        run(kill).ok();
    }

    /// Its exit code, once it has ended.
    pub fn code(&mut self) -> i32 {
        let child = &mut self.child;
        let status = within(PATIENCE, || child.try_wait().unwrap()).expect("dockgate does not end");
        status.code().unwrap_or(-1)
    }

    /// All whole records of requests so far.
    pub fn records(&self) -> Vec<Value> {
        self.lines().into_iter().filter(|record| record["stage"] != "event").collect()
    }

    /// All whole events so far.
    pub fn events(&self) -> Vec<Value> {
        self.lines().into_iter().filter(|record| record["stage"] == "event").collect()
    }

    fn lines(&self) -> Vec<Value> {
        let text = fs::read_to_string(&self.trail).unwrap_or_default();
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let record = |line| serde_json::from_str::<Value>(line).unwrap_or_else(|error| panic!("{error} in the record `{line}`"));
        whole.lines().map(record).collect()
    }

    /// The first record or event that fits, as soon as it is there.
    pub fn record(&self, awaited: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let found = within(PATIENCE, || self.lines().into_iter().find(|record| fits(record)));
        found.unwrap_or_else(|| panic!("no record of {awaited} in the trail:\n{}", fs::read_to_string(&self.trail).unwrap_or_default()))
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        let _ended_already = self.child.kill();
        let _ended_already = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- dockgate's log\n{}", self.log());
        }
    }
}

/// The configuration but for its doors.
fn text(engine: &Path, trail: &Path, settings: &str) -> String {
    over(&format!("url = \"unix://{}\"", engine.display()), trail, settings)
}

fn over(upstream: &str, trail: &Path, settings: &str) -> String {
    let trail = trail.display();
    format!("version = 1\n[upstream]\n{upstream}\n[audit]\nfile = \"{trail}\"\n{settings}\n{POLICIES}")
}

fn door(folder: &Path, policy: &str) -> PathBuf {
    folder.join(policy).join("docker.sock")
}

fn trail(folder: &Path) -> PathBuf {
    folder.join("trail.jsonl")
}

fn config(folder: &Path) -> PathBuf {
    folder.join("dockgate.toml")
}
