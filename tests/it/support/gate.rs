//! The real binary, started with a configuration and stopped again.
//! Knows nothing of what the configuration says.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::client::Client;

/// How long the process may take to open its doors, and to stop.
const PATIENCE: Duration = Duration::from_secs(20);

/// `dockgate serve` in a folder of its own; killed when it is dropped.
pub struct Gate {
    child: Child,
    trail: PathBuf,
    messages: PathBuf,
}

impl Gate {
    /// Starts it and waits until it serves and has nothing of its own left to ask the upstream. `config` has everything but `[audit]`.
    pub fn start(folder: &Path, config: &str, doors: &[PathBuf]) -> Self {
        Self::start_with(folder, config, &[], doors)
    }

    /// As [`Gate::start`], with flags over the file.
    pub fn start_with(folder: &Path, config: &str, flags: &[&str], doors: &[PathBuf]) -> Self {
        let file = folder.join("dockgate.toml");
        std::fs::write(&file, with_trail(folder, config)).unwrap();
        Self::spawn(folder, &[&["--config", file.to_str().unwrap()], flags].concat(), doors)
    }

    /// As [`Gate::start`], with these settings of the trail.
    pub fn start_auditing(folder: &Path, config: &str, doors: &[PathBuf], audit: &str) -> Self {
        let file = folder.join("dockgate.toml");
        std::fs::write(&file, with_audit(folder, config, audit)).unwrap();
        Self::spawn(folder, &["--config", file.to_str().unwrap()], doors)
    }

    /// As [`Gate::start`], for a process that may have so many descriptors: the soft limit, and the hard one.
    pub fn start_limited(folder: &Path, config: &str, doors: &[PathBuf], (soft, hard): (u64, u64)) -> Self {
        let file = folder.join("dockgate.toml");
        std::fs::write(&file, with_trail(folder, config)).unwrap();
        let mut command = Command::new("prlimit");
        command.arg(format!("--nofile={soft}:{hard}")).arg(env!("CARGO_BIN_EXE_dockgate"));
        Self::spawn_as(command, folder, &["--config", file.to_str().unwrap()], &[], doors)
    }

    /// As [`Gate::start`], with nothing but flags.
    pub fn spawn(folder: &Path, flags: &[&str], doors: &[PathBuf]) -> Self {
        Self::spawn_in(folder, flags, &[], doors)
    }

    /// As [`Gate::spawn`], with these variables and no others.
    pub fn spawn_in(folder: &Path, flags: &[&str], variables: &[(&str, &str)], doors: &[PathBuf]) -> Self {
        Self::spawn_as(Command::new(env!("CARGO_BIN_EXE_dockgate")), folder, flags, variables, doors)
    }

    fn spawn_as(mut program: Command, folder: &Path, flags: &[&str], variables: &[(&str, &str)], doors: &[PathBuf]) -> Self {
        let (trail, messages) = (folder.join("trail.jsonl"), folder.join("stderr.txt"));
        let child = program
            .arg("serve")
            .args(flags)
            .env_clear()
            .envs(variables.iter().copied())
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&messages).unwrap())
            .spawn()
            .unwrap();
        let mut gate = Self { child, trail, messages };
        let start = Instant::now();
        while !doors.iter().all(|door| UnixStream::connect(door).is_ok()) {
            let ended = gate.child.try_wait().unwrap();
            assert!(ended.is_none() && start.elapsed() < PATIENCE, "the gate does not serve: {ended:?}\n{}", gate.messages());
            // another process opens the doors: there is nothing to wait on but the doors themselves
            thread::sleep(Duration::from_millis(5));
        }
        let mut client = Client::unix(&doors[0]);
        client.send(b"GET /_ping HTTP/1.1\r\n\r\n");
        assert!(client.reply(false).is_some(), "{}", gate.messages());
        gate
    }

    /// What it has written to standard error.
    pub fn messages(&self) -> String {
        std::fs::read_to_string(&self.messages).unwrap_or_default()
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("sh").args(["-c", &format!("kill -{name} {}", self.child.id())]).status().unwrap();
        assert!(sent.success());
    }

    /// Looks until there is something to see; another process writes it, so there is nothing to wait on.
    pub fn until<T>(&self, awaited: &str, mut look: impl FnMut() -> Option<T>) -> T {
        let start = Instant::now();
        loop {
            if let Some(seen) = look() {
                return seen;
            }
            assert!(start.elapsed() < PATIENCE, "waited in vain: {awaited}\n{}", self.messages());
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// The first whole line of the trail that fits, as soon as it is there.
    pub fn line(&self, awaited: &str, fits: impl Fn(&Value) -> bool) -> Value {
        self.until(awaited, || {
            let text = std::fs::read_to_string(&self.trail).unwrap_or_default();
            text.split_inclusive('\n').filter_map(|line| serde_json::from_str(line.strip_suffix('\n')?).ok()).find(&fits)
        })
    }

    /// Stops it as a service manager does, and returns its records by their ids, each with the last line of its call.
    pub fn stop(self) -> BTreeMap<String, Value> {
        let lines = self.stopped();
        let records = lines.lines().map(super::schema::record);
        let calls = records.filter(|record| record["stage"] != "event");
        calls.map(|record| (record["id"].as_str().unwrap().to_owned(), record)).collect()
    }

    /// Stops it, and returns the text of its trail.
    pub fn stopped(mut self) -> String {
        self.signal("TERM");
        let start = Instant::now();
        let status: ExitStatus = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(start.elapsed() < PATIENCE, "the gate does not stop\n{}", self.messages());
            thread::sleep(Duration::from_millis(5));
        };
        assert!(status.success(), "the gate ended with {status}\n{}", self.messages());
        std::fs::read_to_string(&self.trail).unwrap()
    }
}

/// A configuration with its `[audit]`.
pub fn with_trail(folder: &Path, config: &str) -> String {
    // a disk that others keep busy must not decide what is refused
    with_audit(folder, config, "fold-above = 0\nsync = \"none\"")
}

/// The configuration with a trail in this folder, and these settings of it.
fn with_audit(folder: &Path, config: &str, audit: &str) -> String {
    format!("{config}\n[audit]\nfile = \"{}\"\n{audit}\n", folder.join("trail.jsonl").display())
}

impl Drop for Gate {
    fn drop(&mut self) {
        let _already_ended = self.child.kill();
        let _already_ended = self.child.wait();
    }
}
