//! `dockgate demo`: the gate in front of the engine in memory, a tour, and a door to try.
//! Knows nothing of how either works.

use std::fs::DirBuilder;
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use crate::audit::Trail;
use crate::config::{self, Config, Door, Listen, UrlError};
use crate::demo::Engine;
use crate::proxy::Upstream;
use crate::proxy::serve::Server;
use crate::proxy::upstream::Address;

use super::say::{self, Failure, Paint};
use super::{Outcome, stop, tour, unbound};

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where the gate listens [default: a socket in a new folder]
    #[arg(long, short, value_name = "URL")]
    listen: Option<String>,
    /// End after the tour
    #[arg(long)]
    once: bool,
}

/// What the tour's client may do.
const POLICY: &str = r#"version = 1

[policy.demo]
extends = ["read-only"]
allow = ["ContainerCreate", "ContainerStart", "ContainerWait", "ContainerAttach", "ContainerDelete", "ContainerLogs"]

[policy.demo.create]
level = "baseline"
"#;

/// Runs the demo.
pub fn run(args: &Args) -> Outcome {
    super::log::start("error");
    super::runtime()?.block_on(show(args))
}

async fn show(args: &Args) -> Outcome {
    let stopped = stop::requested()?;
    let folder = Folder::new()?;
    let engine_socket = folder.0.join("engine.sock");
    let cannot = |error: io::Error| Failure::usage(format!("cannot start the demo: {error}"));
    let _engine = Engine::new().serve_unix(&engine_socket).await.map_err(cannot)?;
    let config = configuration(args, &folder.0)?;
    let seen = Seen::default();
    let trail = Trail::to(Box::new(seen.clone())).map_err(cannot)?;
    let server =
        Server::bind(&config, Upstream::new(Address::Unix(engine_socket)), trail).map_err(|unbound| unbound::failure(&unbound, &config))?;
    let Some(door) = server.doors().first().map(|bound| (bound.local_address(), bound.state.name.clone())) else { return Ok(0) };
    let (listen, url) = place(&config, door);
    let (end, ended) = tokio::sync::oneshot::channel::<()>();
    let client = async {
        let visit = async {
            let outcome = tour::walk(&listen, &seen).await;
            if !args.once && outcome.is_ok() {
                invite(&url);
                seen.live();
                std::future::pending::<()>().await;
            }
            outcome
        };
        let outcome = tokio::select! {
            outcome = visit => outcome,
            () = stopped => Ok(0),
        };
        drop(end);
        outcome
    };
    let (outcome, ()) = tokio::join!(client, server.run(async { ended.await.unwrap_or_default() }));
    outcome
}

fn configuration(args: &Args, folder: &Path) -> Result<Config, Failure> {
    let mut config = config::load("demo", POLICY).config.ok_or_else(|| Failure::usage("the demo's policy is broken"))?;
    let url = args.listen.clone().unwrap_or_else(|| format!("unix://{}", folder.join("docker.sock").display()));
    let door = Door::new(&url, "demo", "--listen")
        .map_err(|UrlError { message, hint }| Failure::usage(format!("--listen: {message}")).hint(hint))?;
    config.doors = vec![door];
    Ok(config)
}

/// The door as it listens: the port may have been chosen by the system.
fn place(config: &Config, (address, name): (Option<std::net::SocketAddr>, String)) -> (Listen, String) {
    let configured = config.doors.first().map(|door| door.listen.clone());
    match (address, configured) {
        (Some(address), _) => (Listen::Tcp(address), format!("tcp://{address}")),
        (None, Some(listen)) => (listen, name),
        (None, None) => (Listen::Unix(PathBuf::from(&name)), name),
    }
}

fn invite(url: &str) {
    let paint = Paint::stdout();
    say::out(format_args!("\nThe gate stays open; try it from another terminal:\n"));
    for command in ["ps", "run -d --name mine nginx:1.27 sleep 60", "run --privileged nginx:1.27", "run -v /:/host nginx:1.27"] {
        say::out(format_args!("  {}", paint.bold(&format!("docker -H {url} {command}"))));
    }
    say::out("\nRecords follow as they are written; ctrl-c ends.\n");
}

/// A folder that only its owner may enter; it goes away with the demo.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Result<Self, Failure> {
        let path = std::env::temp_dir().join(format!("dockgate-demo-{}", std::process::id()));
        DirBuilder::new()
            .mode(0o700)
            .create(&path)
            .map_err(|error| Failure::usage(format!("cannot make the folder `{}`: {error}", path.display())))?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _nobody_minds = std::fs::remove_dir_all(&self.0);
    }
}

/// The trail of the demo: lines that the tour shows, and later prints as they come.
#[derive(Clone, Default)]
pub struct Seen(Arc<Mutex<Lines>>, Arc<Notify>);

#[derive(Default)]
struct Lines {
    waiting: Vec<String>,
    live: bool,
}

impl Seen {
    /// The lines of one call: waits for the one that closes its record.
    pub async fn call(&self) -> Vec<String> {
        loop {
            let written = self.1.notified();
            if self.lines().waiting.iter().any(|line| !line.contains("\"stage\":\"intent\"")) {
                return std::mem::take(&mut self.lines().waiting);
            }
            written.await;
        }
    }

    /// From now on lines are printed.
    fn live(&self) {
        self.lines().live = true;
    }

    fn lines(&self) -> std::sync::MutexGuard<'_, Lines> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Write for Seen {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut lines = self.lines();
        // the tour is about calls, not about the trail itself
        for line in String::from_utf8_lossy(bytes).lines().filter(|line| !line.contains("\"stage\":\"event\"")) {
            if lines.live { say::out(tour::shortened(line)) } else { lines.waiting.push(line.to_owned()) }
        }
        drop(lines);
        self.1.notify_one();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
