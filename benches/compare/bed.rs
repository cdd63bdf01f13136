//! One measurement: a fresh mock engine, a fresh proxy, a load generator, and nothing left behind.
//! Knows nothing of what comes before and after it.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::Fault;
use super::load::{Measured, Metric, Order, Work};
use super::options::Options;
use super::peers::{Kind, Peer, Place, log};
use super::processes::{Pins, pin, resident_kib};
use super::results::Attempt;
use super::scenarios::{Job, Scenario};
use super::wire::now;

/// How long requests go on before they count.
const WARM_UP: f64 = 0.3;
/// How often the start is measured in one run.
const STARTS: u32 = 5;
/// Until the memory of a process that has started is looked at.
const SETTLE: Duration = Duration::from_millis(150);
/// How long a start, and a generator beside its window, may take.
const START_PATIENCE: Duration = Duration::from_secs(10);
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks for a door.
const LOOK: Duration = Duration::from_micros(50);

/// What all measurements share.
pub struct Bed {
    folder: TempDir,
    pins: Option<Pins>,
    warm_up: f64,
    seconds: f64,
    connections: u64,
}

/// A proxy that serves. Dropped, its process is killed.
struct Running {
    child: Option<Child>,
    door: PathBuf,
    start: Duration,
}

impl Bed {
    /// In memory where the system has a place for that: the proxies write logs, and a disk would be measured with them.
    pub fn new(options: &Options, pins: Option<Pins>, files: u64) -> io::Result<Self> {
        let memory = Path::new("/dev/shm");
        let builder = || tempfile::Builder::new().prefix("dockgate-compare-").to_owned();
        let folder = if memory.is_dir() { builder().tempdir_in(memory) } else { builder().tempdir() }?;
        // HAProxy does not start where it could not open two files for each connection.
        let connections = (files.saturating_sub(200) / 2).min(8000);
        Ok(Self { folder, pins, warm_up: WARM_UP, seconds: options.seconds, connections })
    }

    pub async fn measure(&self, scenario: &Scenario, peer: &Peer) -> Attempt {
        let measured = match &scenario.job {
            Job::Load(work) => self.load(scenario, peer, work).await,
            Job::Start => self.starts(scenario, peer).await,
        };
        measured.map_err(|fault| fault.to_string())
    }

    async fn load(&self, scenario: &Scenario, peer: &Peer, work: &Work) -> Result<Measured, Fault> {
        let folder = TempDir::new_in(&self.folder)?;
        let mut engine = self.engine(folder.path()).await?;
        let mut running = self.start(scenario, peer, folder.path()).await?;
        let order = Order {
            socket: running.door.clone(),
            proxy: running.child.as_ref().and_then(Child::id),
            warm_up: self.warm_up,
            seconds: self.seconds,
            work: work.clone(),
        };
        let measured = generate(&order).await;
        running.stop().await?;
        engine.kill().await?;
        measured.map_err(|fault| blamed(&fault, folder.path()))
    }

    /// Milliseconds to the first answer, memory that is idle, and the size of the program.
    async fn starts(&self, scenario: &Scenario, peer: &Peer) -> Result<Measured, Fault> {
        let mut times = Vec::new();
        let mut memory = 0.0;
        for _ in 0..STARTS {
            let folder = TempDir::new_in(&self.folder)?;
            let mut engine = self.engine(folder.path()).await?;
            let mut running = self.start(scenario, peer, folder.path()).await?;
            times.push(running.start);
            tokio::time::sleep(SETTLE).await;
            memory = running.child.as_ref().and_then(Child::id).map_or(0.0, resident_kib) / 1024.0;
            running.stop().await?;
            engine.kill().await?;
        }
        times.sort_unstable();
        let median = times.get(times.len() / 2).copied().unwrap_or_default();
        let binary = std::fs::metadata(&peer.program)?.len() as f64 / f64::from(1 << 20);
        Ok(Measured::from([(Metric::Start, median.as_secs_f64() * 1e3), (Metric::Idle, memory), (Metric::Binary, binary)]))
    }

    async fn engine(&self, folder: &Path) -> Result<Child, Fault> {
        let socket = engine_socket(folder);
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("--as-engine").arg(&socket).stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true);
        let child = command.spawn()?;
        timeout(START_PATIENCE, answers(&socket)).await.map_err(|_| "the mock engine did not start")?;
        Ok(child)
    }

    async fn start(&self, scenario: &Scenario, peer: &Peer, folder: &Path) -> Result<Running, Fault> {
        let engine = engine_socket(folder);
        let door = if peer.kind == Kind::Direct { engine.clone() } else { folder.join("door").join("docker.sock") };
        // dockgate makes the folder itself, HAProxy does not.
        std::fs::create_dir_all(folder.join("door"))?;
        let place = Place { folder, engine: &engine, door: &door, rules: scenario.rules, connections: self.connections };
        let begin = now();
        let child = self.on_its_processor(|| peer.start(&place))?;
        timeout(START_PATIENCE, answers(&door)).await.map_err(|_| blamed(&"it did not start".into(), folder))?;
        Ok(Running { child, door, start: Duration::from_nanos(now() - begin) })
    }

    /// A process inherits the processor of the thread that starts it.
    fn on_its_processor<T>(&self, start: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
        self.pins.map(|pins| pin(pins.proxy)).transpose()?;
        let started = start();
        self.pins.map(|pins| pin(pins.load)).transpose()?;
        started
    }
}

impl Running {
    async fn stop(&mut self) -> io::Result<()> {
        match &mut self.child {
            Some(child) => child.kill().await,
            None => Ok(()),
        }
    }
}

fn engine_socket(folder: &Path) -> PathBuf {
    folder.join("engine.sock")
}

/// The fault, with the last that the proxy printed.
fn blamed(fault: &Fault, folder: &Path) -> Fault {
    let printed = std::fs::read_to_string(log(folder)).unwrap_or_default();
    let last = printed.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
    format!("{fault}; it printed: {last}").into()
}

/// Waits until a ping is answered. The thread sleeps, because timers are too coarse for the time that a start takes.
async fn answers(socket: &Path) {
    while ping(socket).await.is_err() {
        std::thread::sleep(LOOK);
        tokio::task::yield_now().await;
    }
}

async fn ping(socket: &Path) -> io::Result<()> {
    let mut stream = UnixStream::connect(socket).await?;
    stream.write_all(b"GET /_ping HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n").await?;
    let mut start = [0; 12];
    stream.read_exact(&mut start).await?;
    if start.ends_with(b" 200") { Ok(()) } else { Err(io::ErrorKind::InvalidData.into()) }
}

async fn generate(order: &Order) -> Result<Measured, Fault> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("--as-load").arg(serde_json::to_string(order)?).stdin(Stdio::null()).kill_on_drop(true);
    let patience = PATIENCE + Duration::from_secs_f64(order.seconds);
    let output = timeout(patience, command.output()).await.map_err(|_| "the load generator did not end")??;
    let said: Attempt = serde_json::from_slice(&output.stdout).map_err(|error| format!("the load generator failed: {error}"))?;
    Ok(said?)
}
