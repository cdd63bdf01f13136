//! A small Docker engine in memory: the upstream of `dockgate demo` and of the in-process tests; it runs nothing and is no real engine.
//! It must not know anything of the gate.
//!
//! Containers run toy programs: `echo`, `warn` (echo on standard error), `cat`, `true`, `false`, `exit N`, `sleep N`, a shell that
//! reads to the end of its input, `sh -c` before any of these; everything else waits until it is stopped.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::net::UnixListener;
use tokio::sync::broadcast;
use tokio::task::{JoinHandle, JoinSet};

mod objects;
mod read;
mod routes;
mod shapes;
mod state;
#[cfg(test)]
mod tests;
mod toys;
mod wire;

use state::{State, Status};

/// Most requests that are remembered; later ones are served all the same.
const MOST_SEEN: usize = 10_000;
const MOST_CONNECTIONS: usize = 1024;

/// The engine; clones share everything.
#[derive(Clone)]
pub struct Engine(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    seen: Mutex<Vec<Seen>>,
    events: broadcast::Sender<Value>,
    booted: AtomicBool,
}

/// A request as it arrived. It is there from the moment its head is complete; its body (the first 8 MiB) follows when it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The method as sent.
    pub method: String,
    /// The request target as sent, with its query.
    pub target: String,
    /// Names and values in their order, names as spelled.
    pub headers: Vec<(String, String)>,
    /// The decoded body: without chunk framing.
    pub body: Vec<u8>,
}

/// A socket that is being served; dropping it stops that, cuts open connections and removes the socket's file.
pub struct Running {
    task: JoinHandle<()>,
    path: PathBuf,
}

impl Running {
    /// Stops serving.
    pub fn shutdown(self) {}
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
        // the folder may be gone already
        let _ = std::fs::remove_file(&self.path);
    }
}

impl Default for Engine {
    fn default() -> Self {
        Self::new()
    }
}

impl Engine {
    /// An engine with two running containers (`web`, `db`), their images, four networks and a volume.
    pub fn new() -> Self {
        let mut state = State::default();
        // the objects are constant and there is room for them; were it not so, the engine would just hold less
        let _ = populate(&mut state);
        let events = broadcast::Sender::new(256);
        Self(Arc::new(Shared { state: Mutex::new(state), seen: Mutex::default(), events, booted: AtomicBool::new(false) }))
    }

    /// Binds a unix socket (a file left there is replaced) and serves it in the background.
    ///
    /// # Errors
    /// What binding answers.
    pub async fn serve_unix(&self, path: &Path) -> std::io::Result<Running> {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let listener = UnixListener::bind(path)?;
        let engine = self.clone();
        let task = tokio::spawn(async move { engine.serve(listener).await });
        Ok(Running { task, path: path.to_owned() })
    }

    /// Serves until the future is dropped; its connections end with it.
    pub async fn serve(&self, listener: UnixListener) {
        self.boot();
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = listener.accept(), if connections.len() < MOST_CONNECTIONS => match accepted {
                    Ok((stream, _)) => drop(connections.spawn(wire::connection(self.clone(), stream))),
                    // such as no free descriptors: others may end soon
                    Err(_) => tokio::task::yield_now().await,
                },
                Some(_) = connections.join_next() => {}
            }
        }
    }

    /// Every request so far, in the order of arrival, at most 10,000.
    pub fn requests(&self) -> Vec<Seen> {
        self.seen().clone()
    }

    /// The containers that are marked as running get their programs once there is a runtime.
    fn boot(&self) {
        if !self.0.booted.swap(true, Ordering::SeqCst) {
            let running = self.with(|state| state.containers.clone());
            running.into_iter().filter(|one| one.now().runs()).for_each(|container| self.spawn_program(container));
        }
    }

    /// The only way to the objects; the lock is never held across an await.
    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.0.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Vec<Seen>> {
        self.0.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers a request and returns its number.
    fn note(&self, request: Seen) -> Option<usize> {
        let mut seen = self.seen();
        (seen.len() < MOST_SEEN).then(|| {
            seen.push(request);
            seen.len().saturating_sub(1)
        })
    }

    fn note_body(&self, number: Option<usize>, body: &[u8]) {
        let mut seen = self.seen();
        if let Some(request) = number.and_then(|number| seen.get_mut(number)) {
            body.clone_into(&mut request.body);
        }
    }
}

fn populate(state: &mut State) -> Result<(), wire::Fail> {
    for name in ["bridge", "host", "none", "shop_default"] {
        state.add_network(name, &json!({}))?;
    }
    state.add_volume("shop_data", &json!({ "Labels": { "com.docker.compose.project": "shop" } }))?;
    let path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    state.add_image(&["nginx:1.27"], json!({ "Env": [path], "Cmd": ["nginx", "-g", "daemon off;"], "Labels": {} }))?;
    state.add_image(&["postgres:17"], json!({ "Env": [path], "Cmd": ["postgres"], "Labels": {} }))?;
    let web = json!({
        "Image": "nginx:1.27", "Env": ["SHOP_API_KEY=not-a-real-secret"],
        "Labels": { "com.docker.compose.project": "shop", "com.docker.compose.service": "web" },
        "HostConfig": { "NetworkMode": "shop_default", "PortBindings": { "80/tcp": [{ "HostIp": "", "HostPort": "8080" }] } },
    });
    let db = json!({
        "Image": "postgres:17", "Env": ["POSTGRES_PASSWORD=not-a-real-secret"],
        "Labels": { "com.docker.compose.project": "shop", "com.docker.compose.service": "db" },
        "HostConfig": { "NetworkMode": "shop_default", "Binds": ["shop_data:/var/lib/postgresql/data"] },
    });
    for (name, body, said) in [("web", web, "start worker process 29\n"), ("db", db, "database system is ready to accept connections\n")] {
        let id = shapes::create(state, name, &body)?;
        let container = state.container(&id)?;
        container.console.remember(2, Bytes::from_static(said.as_bytes()));
        container.phase.send_modify(|phase| (phase.status, phase.started) = (Status::Running, Some(container.created)));
    }
    Ok(())
}
