//! Thousands of event streams and tunnels that are held open, and how fast reads go on beside them.
//! The engine is a stand-in within this process: a real one would be measured instead of dockgate.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use super::sample::{self, Sample};

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);
/// How many are opened side by side.
const ABREAST: usize = 64;
const EVENT: &[u8] = b"a\r\n{\"Type\":1}\r\n";
const READ: &[u8] = b"GET /v1.44/containers/json HTTP/1.1\r\nHost: docker\r\n\r\n";
const EVENTS: &[u8] = b"GET /v1.44/events HTTP/1.1\r\nHost: docker\r\n\r\n";
const ATTACH: &[u8] = b"POST /v1.44/containers/abc/attach?stream=1&stdin=1&stdout=1 HTTP/1.1\r\nHost: docker\r\n\
    Connection: Upgrade\r\nUpgrade: tcp\r\n\r\n";

/// What is to be held and measured.
#[derive(Debug, Clone, Copy)]
pub struct Plan<'a> {
    pub dockgate: &'a Path,
    /// For sockets, configuration and trail.
    pub folder: &'a Path,
    pub streams: usize,
    pub tunnels: usize,
    /// Clients that read, one request at a time each.
    pub readers: usize,
    /// How long each measurement takes.
    pub measure: Duration,
}

/// How fast reads went.
#[derive(Debug, Clone, Copy, Default)]
pub struct Rate {
    pub per_second: f64,
    /// Processor time of dockgate for each, in microseconds.
    pub cpu: f64,
}

/// What came of it.
#[derive(Debug, Clone, Copy)]
pub struct Held {
    pub before: Rate,
    pub with: Rate,
    pub after: Rate,
    pub idle: Sample,
    pub holding: Sample,
    pub gone: Sample,
    /// Streams that an event reached after the measurement, and tunnels that still echoed.
    pub alive: usize,
}

impl Held {
    /// The rate with held streams over the one without.
    pub fn ratio(&self) -> f64 {
        self.with.per_second / f64::midpoint(self.before.per_second, self.after.per_second)
    }
}

/// Measures without, with, and without again.
pub fn run(plan: &Plan<'_>) -> Result<Held, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string())?;
    runtime.block_on(async { tokio::time::timeout(PATIENCE * 5, measured(plan)).await.map_err(|_| "it takes too long".to_owned())? })
}

async fn measured(plan: &Plan<'_>) -> Result<Held, String> {
    let (tell, told) = watch::channel(());
    let socket = plan.folder.join("mock.sock");
    let listener = UnixListener::bind(&socket).map_err(|error| error.to_string())?;
    let engine = tokio::spawn(engine(listener, told));
    let gate = Gate::start(plan, &socket).await?;
    let before = gate.rate(plan).await?;
    let idle = gate.look();
    let mut held = gate.hold(plan).await.map_err(|error| format!("not all could be opened: {error}"))?;
    let holding = gate.look();
    let with = gate.rate(plan).await?;
    tell.send_replace(());
    let alive = held.alive().await;
    drop(held);
    gate.until(|now| now.descriptors <= idle.descriptors).await?;
    let gone = gate.look();
    let after = gate.rate(plan).await?;
    engine.abort();
    Ok(Held { before, with, after, idle, holding, gone, alive })
}

struct Gate {
    child: Child,
    door: PathBuf,
}

impl Drop for Gate {
    fn drop(&mut self) {
        let _already_ended = self.child.kill();
        let _already_ended = self.child.wait();
    }
}

impl Gate {
    async fn start(plan: &Plan<'_>, engine: &Path) -> Result<Self, String> {
        let (door, place) = (plan.folder.join("held/docker.sock"), plan.folder.display());
        let text = format!(
            "version = 1\n[upstream]\nurl = \"unix://{}\"\n[[door]]\nlisten = \"unix://{}\"\npolicy = \"unrestricted\"\n\
             [audit]\nfile = \"{place}/held.jsonl\"\nsync = \"none\"\n",
            engine.display(),
            door.display()
        );
        let config = plan.folder.join("held.toml");
        fs::write(&config, text).map_err(|error| error.to_string())?;
        let mut command = Command::new(plan.dockgate);
        command.args(["serve", "--config"]).arg(&config).env_clear().stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().map_err(|error| format!("`{}`: {error}", plan.dockgate.display()))?;
        let gate = Self { child, door };
        let started = Instant::now();
        while UnixStream::connect(&gate.door).await.is_err() {
            if started.elapsed() > PATIENCE {
                return Err("dockgate does not serve".to_owned());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(gate)
    }

    fn look(&self) -> Sample {
        sample::look(self.child.id(), 0.0).unwrap_or_default()
    }

    async fn until(&self, fits: impl Fn(Sample) -> bool) -> Result<(), String> {
        let started = Instant::now();
        while !fits(self.look()) {
            if started.elapsed() > PATIENCE {
                return Err(format!("it does not come back to what it was: {:?}", self.look()));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// Readers that ask as fast as they are answered.
    async fn rate(&self, plan: &Plan<'_>) -> Result<Rate, String> {
        let (count, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let mut readers = JoinSet::new();
        for _ in 0..plan.readers {
            readers.spawn(reader(self.door.clone(), Arc::clone(&count), Arc::clone(&stop)));
        }
        tokio::time::sleep(plan.measure / 5).await; // caches fill, connections open
        let (from, cpu, start) = (count.load(Ordering::Relaxed), self.look().cpu, Instant::now());
        tokio::time::sleep(plan.measure).await;
        let (read, cpu, took) = (count.load(Ordering::Relaxed) - from, self.look().cpu - cpu, start.elapsed().as_secs_f64());
        stop.store(true, Ordering::Relaxed);
        while let Some(ended) = readers.join_next().await {
            ended.map_err(|error| error.to_string())?.map_err(|error| format!("a read failed: {error}"))?;
        }
        Ok(Rate { per_second: read as f64 / took, cpu: cpu * 1e6 / read.max(1) as f64 })
    }

    /// Opens all streams and tunnels.
    async fn hold(&self, plan: &Plan<'_>) -> io::Result<Holding> {
        let places = Arc::new(Semaphore::new(ABREAST));
        let mut opening = JoinSet::new();
        for which in 0..plan.streams + plan.tunnels {
            let (door, places, request) = (self.door.clone(), Arc::clone(&places), if which < plan.streams { EVENTS } else { ATTACH });
            opening.spawn(async move {
                let _place = places.acquire().await.map_err(io::Error::other)?;
                let mut stream = UnixStream::connect(&door).await?;
                stream.write_all(request).await?;
                head(&mut stream).await?;
                Ok::<_, io::Error>((stream, request == EVENTS))
            });
        }
        let mut holding = Holding { streams: Vec::new(), tunnels: Vec::new() };
        while let Some(opened) = opening.join_next().await {
            let (stream, events) = opened.map_err(io::Error::other)??;
            if events { holding.streams.push(stream) } else { holding.tunnels.push(stream) }
        }
        Ok(holding)
    }
}

struct Holding {
    streams: Vec<UnixStream>,
    tunnels: Vec<UnixStream>,
}

impl Holding {
    /// How many streams get the event that was just sent, and how many tunnels echo.
    async fn alive(&mut self) -> usize {
        let mut alive = 0;
        for stream in &mut self.streams {
            let mut event = [0; EVENT.len()];
            let read = tokio::time::timeout(PATIENCE, stream.read_exact(&mut event)).await;
            alive += usize::from(read.is_ok_and(|read| read.is_ok()) && event == EVENT);
        }
        for tunnel in &mut self.tunnels {
            let mut echo = [0; 4];
            let echoed = async {
                tunnel.write_all(b"echo").await?;
                tunnel.read_exact(&mut echo).await
            };
            alive += usize::from(tokio::time::timeout(PATIENCE, echoed).await.is_ok_and(|read| read.is_ok()) && echo == *b"echo");
        }
        alive
    }
}

async fn reader(door: PathBuf, count: Arc<AtomicU64>, stop: Arc<AtomicBool>) -> io::Result<()> {
    let mut stream = UnixStream::connect(&door).await?;
    let body = list();
    let mut rest = vec![0; body.len()];
    while !stop.load(Ordering::Relaxed) {
        stream.write_all(READ).await?;
        let ahead = head(&mut stream).await?;
        if ahead > body.len() {
            return Err(io::Error::other("more than was asked for"));
        }
        stream.read_exact(&mut rest[ahead..]).await?;
        count.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

/// Reads a head that says 200 or 101; returns how many bytes of what follows came with it.
async fn head(stream: &mut UnixStream) -> io::Result<usize> {
    let mut bytes = Vec::with_capacity(4096);
    loop {
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let fine = bytes.starts_with(b"HTTP/1.1 200 ") || bytes.starts_with(b"HTTP/1.1 101 ");
            let text = || String::from_utf8_lossy(&bytes).into_owned();
            return if fine { Ok(bytes.len() - at - 4) } else { Err(io::Error::other(text())) };
        }
    }
}

/// A list of 2 KiB.
fn list() -> String {
    format!("[{{\"Id\":\"{}\"}}]", "0".repeat(2036))
}

/// The stand-in: lists, events that come when they are told, tunnels that echo.
async fn engine(listener: UnixListener, told: watch::Receiver<()>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(serve(stream, told.clone()));
        while connections.try_join_next().is_some() {}
    }
}

async fn serve(mut stream: UnixStream, mut told: watch::Receiver<()>) -> io::Result<()> {
    let body = list();
    let reply = format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let mut request = Vec::with_capacity(1024);
    loop {
        if stream.read_buf(&mut request).await? == 0 {
            return Ok(());
        }
        if !request.ends_with(b"\r\n\r\n") {
            continue;
        }
        let asked = String::from_utf8_lossy(&request).into_owned();
        request.clear();
        if asked.contains("/events ") {
            told.mark_unchanged();
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n").await?;
            let _engine_ends = told.changed().await;
            stream.write_all(EVENT).await?;
            return stream.read_u8().await.map(drop);
        } else if asked.contains("/attach?") {
            stream.write_all(b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n").await?;
            let (mut from, mut to) = stream.split();
            return tokio::io::copy(&mut from, &mut to).await.map(drop);
        } else if asked.contains("/containers/json ") || asked.contains("/_ping ") {
            stream.write_all(reply.as_bytes()).await?;
        } else {
            stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}").await?;
        }
    }
}
