//! The load generator: one thread that keeps a proxy busy in one way, and counts in a window after a warm-up.
//! Knows nothing of proxies; it speaks to a socket.

mod requests;
mod streams;
mod tunnels;
mod window;

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::net::UnixStream;
use tokio::task::spawn_local;
use tokio::time::sleep;

use self::window::{Counts, Window};
use super::processes::{cpu_us, resident_kib};
use super::wire::now;

/// What can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Requests, or messages, in a second.
    PerSecond,
    /// MiB of payload in a second.
    MibPerSecond,
    /// The median time of a request, or of a message on its way, in microseconds.
    P50,
    P99,
    /// Microseconds that the proxy ran, for a request or message.
    Cpu,
    /// The same in milliseconds, for a MiB.
    CpuMib,
    /// Resident KiB of a held stream.
    Held,
    /// Resident MiB before the first request.
    Idle,
    /// Milliseconds from the start of the process to the first answer.
    Start,
    /// MiB of the program's file.
    Binary,
}

/// One measurement.
pub type Measured = BTreeMap<Metric, f64>;

/// What the generator is to do; it comes as JSON in an argument.
#[derive(Clone, Serialize, Deserialize)]
pub struct Order {
    pub socket: PathBuf,
    /// Whose time and memory are measured.
    pub proxy: Option<u32>,
    pub warm_up: f64,
    pub seconds: f64,
    pub work: Work,
}

/// Ways to keep a proxy busy.
#[derive(Clone, Serialize, Deserialize)]
pub enum Work {
    /// So many connections, each with one request at a time.
    Requests { connections: u32, request: String, expected: u16, reuse: Reuse },
    /// One answer without end.
    Download { request: String },
    /// One request body of so many MiB after another; the head lacks only its framing.
    Upload { head: String, mib: u64, framing: Framing },
    /// Lines that begin with the time at which they were written.
    Ticks { request: String },
    /// One tunnel, filled all the time.
    Echo { request: String },
    /// So many tunnels, each with one message at a time.
    RoundTrips { connections: u32, request: String },
    /// So many streams that are opened and left alone.
    Held { count: u32, request: String },
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reuse {
    /// All requests of a client on one connection.
    KeepAlive,
    /// A connection for each.
    Never,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
pub enum Framing {
    ContentLength,
    Chunked,
}

/// Does the work, and says what was measured.
pub async fn run(order: Order) -> io::Result<Measured> {
    let window = Window::new();
    match order.work.clone() {
        Work::Requests { connections, request, expected, reuse } => {
            for _ in 0..connections {
                window.watch(requests::client(order.socket.clone(), request.clone(), expected, reuse, window.clone()));
            }
        }
        Work::Download { request } => window.watch(streams::download(order.socket.clone(), request, window.clone())),
        Work::Upload { head, mib, framing } => window.watch(streams::upload(order.socket.clone(), head, mib, framing, window.clone())),
        Work::Ticks { request } => window.watch(streams::ticks(order.socket.clone(), request, window.clone())),
        Work::Echo { request } => window.watch(tunnels::echo(order.socket.clone(), request, window.clone())),
        Work::RoundTrips { connections, request } => {
            for tunnel in tunnels::open(&order.socket, &request, connections).await? {
                window.watch(tunnels::round_trips(tunnel, window.clone()));
            }
        }
        Work::Held { count, request } => return held(&order, count, &request).await,
    }
    measure(&order, &window).await
}

async fn measure(order: &Order, window: &Window) -> io::Result<Measured> {
    let ran = || order.proxy.map(cpu_us);
    sleep(Duration::from_secs_f64(order.warm_up)).await;
    let (begin, cpu) = (now(), ran());
    window.open();
    sleep(Duration::from_secs_f64(order.seconds)).await;
    let counts = window.close()?;
    let nanos = now() - begin;
    let cpu = ran().zip(cpu).map(|(after, before)| after - before);
    Ok(summary(&counts, nanos as f64 / 1e9, cpu))
}

fn summary(counts: &Counts, seconds: f64, cpu_us: Option<f64>) -> Measured {
    let (requests, mib) = (counts.requests as f64, counts.bytes as f64 / f64::from(1 << 20));
    let mut measured = Measured::new();
    if requests > 0.0 {
        measured.insert(Metric::PerSecond, requests / seconds);
        measured.insert(Metric::P50, counts.quantile_us(0.5));
        measured.insert(Metric::P99, counts.quantile_us(0.99));
        cpu_us.map(|cpu| measured.insert(Metric::Cpu, cpu / requests));
    }
    if mib > 0.0 {
        measured.insert(Metric::MibPerSecond, mib / seconds);
        cpu_us.map(|cpu| measured.insert(Metric::CpuMib, cpu / 1e3 / mib));
    }
    measured
}

/// How long the memory of held streams may take to settle.
const SETTLE: Duration = Duration::from_secs(1);

async fn held(order: &Order, count: u32, request: &str) -> io::Result<Measured> {
    let memory = || order.proxy.map_or(0.0, resident_kib);
    let before = memory();
    let tunnels = tunnels::open(&order.socket, request, count).await?;
    sleep(SETTLE).await;
    let each = (memory() - before) / f64::from(count);
    drop(tunnels);
    Ok(Measured::from([(Metric::Held, each)]))
}

/// A connection. One to a unix socket does not queue: where the backlog is full, it is tried again.
async fn connect(socket: &std::path::Path) -> io::Result<UnixStream> {
    loop {
        match UnixStream::connect(socket).await {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => sleep(Duration::from_millis(1)).await,
            done => return done,
        }
    }
}

fn closed() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the proxy closed the connection")
}

fn unexpected(start: &str) -> io::Error {
    io::Error::other(format!("the proxy answered `{start}`"))
}

impl Window {
    /// Runs a task that is to go on until the end.
    fn watch(&self, task: impl Future<Output = io::Result<()>> + 'static) {
        let window = self.clone();
        spawn_local(async move {
            if let Err(error) = task.await {
                window.fault(error);
            }
        });
    }
}
