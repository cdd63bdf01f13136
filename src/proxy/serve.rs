//! Runs all doors until it is told to stop, then drains.
//! Knows nothing of signals and of where the configuration came from.

use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::audit::{Ended, Record, Trail};
use crate::config::{Config, Listen, Purpose};

use super::access::Access;
use super::caller::Caller;
use super::descriptors;
use super::door::{Accepted, Bound, DoorState, Step, Unbound};
use super::output::{Output, ReplyFraming, ReplyHead};
use super::own::OwnSearch;
use super::pipeline::{self, Gate};
use super::reconcile::{Reconciler, Report};
use super::refuse::Refusal;
use super::reload::Policies;
use super::tls;
use super::upstream::{Address, Upstream};

/// How long the accept loop waits when descriptors have run out.
const BREATH: Duration = Duration::from_millis(50);
/// How long it says nothing more about that.
const SAID: Duration = Duration::from_secs(10);

/// Doors that are bound, with everything they share.
pub struct Server {
    gate: Arc<Gate>,
    doors: Vec<Bound>,
    stop: watch::Sender<bool>,
    places: Arc<Semaphore>,
    connections: usize,
    drain: Duration,
    reconciler: Option<Reconciler>,
}

impl Server {
    /// Binds every door of a configuration.
    ///
    /// # Errors
    /// The first door that does not open.
    pub fn bind(config: &Config, upstream: Upstream, trail: Trail) -> Result<Self, Unbound> {
        let (stop, stopping) = watch::channel(false);
        let limits = config.limits;
        let mut doors = Vec::new();
        for door in &config.doors {
            let unusable = |error: io::Error| Unbound { listen: door.listen.clone(), step: Step::Open, error };
            if config.purpose == Purpose::Judge {
                return Err(unusable(io::Error::other("this configuration was read without its certificates")));
            }
            let access = Access::new(door, config).map_err(|missing| unusable(io::Error::other(missing)))?;
            doors.push(Bound::bind(door, access, &limits)?);
        }
        let reconciler = config.audit.reconcile.then(|| Reconciler::start(upstream.clone(), report(&trail)));
        let gate = Gate {
            reconciler: reconciler.as_ref().map(Reconciler::handle),
            own: OwnSearch::new(protected(config, &upstream), names(engine(&upstream))),
            upstream,
            trail,
            stopping,
        };
        let connections = descriptors::places(limits.connections);
        Ok(Self {
            gate: Arc::new(gate),
            doors,
            stop,
            places: Arc::new(Semaphore::new(connections)),
            connections,
            drain: limits.drain,
            reconciler,
        })
    }

    /// The doors, as they listen.
    pub fn doors(&self) -> &[Bound] {
        &self.doors
    }

    /// How many connections may be open at once: those of the configuration, or fewer where this process has not the descriptors.
    pub fn connections(&self) -> usize {
        self.connections
    }

    /// The policies of the doors; `config` is what the doors were bound from.
    pub fn policies(&self, config: &Config) -> Policies {
        Policies::new(config, self.doors.iter().map(|door| Arc::clone(&door.state)).collect(), self.gate.upstream.clone())
    }

    /// Serves until `shutdown` resolves, then lets open requests finish for the drain time and closes the rest.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let Self { gate, doors, stop, places, drain, reconciler, .. } = self;
        let mut connections = JoinSet::new();
        let mut accepting = JoinSet::new();
        let (arrived, mut arrivals) = tokio::sync::mpsc::channel(64);
        for door in doors {
            let arrived = arrived.clone();
            accepting.spawn(async move {
                let mut said = None;
                while arrived.send((accept(&door, &mut said).await, Arc::clone(&door.state))).await.is_ok() {}
            });
        }
        tokio::pin!(shutdown);
        loop {
            tokio::select! {
                Some((accepted, door)) = arrivals.recv() => {
                    connections.spawn(connection(Arc::clone(&gate), door, accepted, Arc::clone(&places)));
                }
                Some(_) = connections.join_next() => {}
                () = &mut shutdown => break,
            }
        }
        accepting.shutdown().await; // closes the doors and removes their sockets
        while connections.try_join_next().is_some() {} // those that have ended are not open
        gate.trail.event("drain", serde_json::json!({ "connections": connections.len() }));
        tracing::info!(connections = connections.len(), "stopping: open requests may finish");
        stop.send_replace(true);
        let finished = async { while connections.join_next().await.is_some() {} };
        if tokio::time::timeout(drain, finished).await.is_err() {
            tracing::info!(open = connections.len(), "the drain time is over; open connections are closed");
            connections.shutdown().await;
        }
        drop(reconciler);
        if let Err(error) = gate.trail.close().await {
            tracing::error!(%error, "the trail could not be closed");
        }
        if gate.trail.lost() > 0 {
            tracing::error!(records = gate.trail.lost(), "records are missing from the trail; its `gap` events say when and why");
        }
    }
}

/// Events go to the trail as lines of their own.
fn report(trail: &Trail) -> Report {
    let trail = trail.clone();
    Arc::new(move |event, detail| trail.event(event, detail))
}

/// The next connection. Where none can be opened, the next try waits, and the kernel holds clients that wait meanwhile. What is kept
/// for those that are served already is not taken from them.
async fn accept(door: &Bound, said: &mut Option<Instant>) -> Accepted {
    loop {
        match door.accept().await {
            Ok(accepted) => return accepted,
            Err(error) => {
                if said.is_none_or(|said| said.elapsed() > SAID) {
                    *said = Some(Instant::now());
                    tracing::warn!(%error, door = door.state.name, "cannot accept");
                }
                tokio::time::sleep(BREATH).await;
            }
        }
    }
}

async fn connection(gate: Arc<Gate>, door: Arc<DoorState>, accepted: Accepted, places: Arc<Semaphore>) {
    let own = door.bounds.place().map_err(Refusal::Limit);
    let place = own.and_then(|own| Ok((own, places.try_acquire().map_err(|_| Refusal::Overload)?)));
    match accepted {
        Accepted::Unix(mut stream, caller) => {
            let (reader, writer) = stream.split();
            match place {
                Ok(_places) => pipeline::serve(&gate, &door, &caller, reader, writer).await,
                Err(refusal) => overloaded(&gate, &door, &caller, &refusal, writer).await,
            }
        }
        Accepted::Tcp(mut stream, subject) => {
            if let Some(tls) = door.tls() {
                return match place {
                    Ok(_places) => tls::serve(&gate, &door, subject, stream, Arc::clone(&tls.server)).await,
                    Err(refusal) => tls::turned_away(&gate, &door, &subject, &refusal).await,
                };
            }
            let (caller, (reader, writer)) = (Caller::from(subject), stream.split());
            match place {
                Ok(_places) => pipeline::serve(&gate, &door, &caller, reader, writer).await,
                Err(refusal) => overloaded(&gate, &door, &caller, &refusal, writer).await,
            }
        }
    }
}

/// One connection too many still gets an answer and a record.
async fn overloaded<W>(gate: &Gate, door: &DoorState, caller: &Caller, refusal: &Refusal, writer: W)
where
    W: tokio::io::AsyncWrite + Unpin,
{
    let access = door.access();
    let mut record = Record::begin(&gate.trail, &caller.subject, access.policy(), None);
    record.refused(refusal.code());
    record.status(refusal.status().as_u16());
    let reference = record.id().to_owned();
    let body = refusal.body(&reference);
    let framing = ReplyFraming::Length(body.len() as u64);
    let head = ReplyHead::json(refusal.status(), &reference, framing, false);
    let mut output = Output::new(writer);
    let _client_gone = output.whole(&head, &body).await;
    output.shutdown().await;
    record.close(Ended::Refused).await;
}

/// The paths that no container may mount.
fn protected(config: &Config, upstream: &Upstream) -> Vec<String> {
    let mut paths = config.protected.clone();
    let doors = config.doors.iter().filter_map(|door| match &door.listen {
        Listen::Unix(path) => Some(path.clone()),
        Listen::Tcp(_) => None,
    });
    let rebound = config.policies.values().filter_map(|policy| policy.create.rebind_socket.as_ref().map(PathBuf::from));
    let watched = config.watched.iter().cloned().chain(upstream.files());
    let files = doors.chain(rebound).chain(engine(upstream)).chain(config.path.clone()).chain(watched).chain(config.audit.files());
    paths.extend(names(files));
    paths
}

/// The engine's socket.
fn engine(upstream: &Upstream) -> Option<PathBuf> {
    match upstream.address() {
        Address::Unix(path) => Some(path.clone()),
        Address::Tcp(_) | Address::Tls(_) => None,
    }
}

/// Each path as it is written, and as it is without links.
fn names(files: impl IntoIterator<Item = PathBuf>) -> Vec<String> {
    let both = |path: PathBuf| {
        let real = std::fs::canonicalize(&path).ok();
        let plain = std::path::absolute(&path).unwrap_or(path);
        [Some(plain), real].into_iter().flatten().map(|path| path.to_string_lossy().into_owned())
    };
    files.into_iter().flat_map(both).collect()
}
