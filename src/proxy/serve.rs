//! Runs all doors until it is told to stop, then drains.
//! Knows nothing of signals and of where the configuration came from.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::audit::{Ended, Record, Trail, Who};
use crate::config::{Config, Purpose};
use crate::policy::Subject;

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
use super::stream::{Stream, WriteSide};
use super::tls;
use super::told::Told;
use super::upstream::Upstream;

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
            own: Arc::new(OwnSearch::new(config, &upstream)),
            upstream,
            trail,
            told: Told::default(),
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
        let open = self.doors.iter().map(|door| Arc::clone(&door.state)).collect();
        Policies::new(config, open, self.gate.upstream.clone(), Arc::clone(&self.gate.own))
    }

    /// Serves one connection that was made elsewhere, such as one end of a socket pair, as the door at this place of the
    /// configuration would; resolves when its last record is handed to the trail. `None` where there is no such door.
    pub async fn serve_one(&self, door: usize, stream: UnixStream) -> Option<()> {
        let state = &self.doors.get(door)?.state;
        let caller = Caller::from(Subject { door: state.name.clone(), ..Subject::default() });
        pipeline::serve(&self.gate, state, &caller, Stream::Unix(stream).sides()).await;
        Some(())
    }

    /// Serves until `shutdown` resolves, then lets open requests finish for the drain time and closes the rest.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let Self { gate, doors, stop, places, drain, reconciler, .. } = self;
        let (close, closing) = watch::channel(());
        let mut accepting = JoinSet::new();
        for door in doors {
            let (gate, places) = (Arc::clone(&gate), Arc::clone(&places));
            accepting.spawn(admit(door, gate, places, closing.clone()));
        }
        shutdown.await;
        drop((close, closing));
        let mut open = Vec::new(); // of each door; it is closed by now, and its socket removed
        while let Some(connections) = accepting.join_next().await {
            open.extend(connections);
        }
        let count: usize = open.iter().map(JoinSet::len).sum();
        gate.trail.event("drain", serde_json::json!({ "connections": count }));
        tracing::info!(connections = count, "stopping: open requests may finish");
        stop.send_replace(true);
        let deadline = Instant::now() + drain;
        for mut connections in open {
            let finished = async { while connections.join_next().await.is_some() {} };
            if tokio::time::timeout_at(deadline, finished).await.is_err() {
                tracing::info!(open = connections.len(), "the drain time is over; open connections are closed");
                connections.shutdown().await;
            }
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

/// Takes what comes through a door until it is closed; returns the connections that are open then.
async fn admit(door: Bound, gate: Arc<Gate>, places: Arc<Semaphore>, mut closing: watch::Receiver<()>) -> JoinSet<()> {
    let (mut connections, mut said) = (JoinSet::new(), None);
    let mut closed = pin!(closing.changed());
    loop {
        tokio::select! {
            biased;
            _told = &mut closed => break,
            Some(_ended) = connections.join_next() => {}
            accepted = accept(&door, &mut said) => {
                let (gate, state, places) = (Arc::clone(&gate), Arc::clone(&door.state), Arc::clone(&places));
                connections.spawn(Box::pin(connection(gate, state, accepted, places))); // made in its place: a task is large
            }
        }
    }
    drop(door);
    while connections.try_join_next().is_some() {} // those that have ended are not open
    connections
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
    let (mut stream, caller) = match accepted {
        Accepted::Unix(stream, caller) => (Stream::Unix(stream), caller),
        Accepted::Tcp(stream, subject) => {
            if let Some(tls) = door.tls() {
                return match place {
                    Ok(_places) => tls::serve(&gate, &door, subject, stream, Arc::clone(&tls.server)).await,
                    Err(refusal) => tls::turned_away(&gate, &door, &subject, &refusal).await,
                };
            }
            (Stream::Tcp(stream), Caller::from(subject))
        }
    };
    match place {
        Ok(_places) => pipeline::serve(&gate, &door, &caller, stream.sides()).await,
        Err(refusal) => overloaded(&gate, &door, &caller, &refusal, stream.sides().1).await,
    }
}

/// One connection too many still gets an answer and a record.
async fn overloaded(gate: &Gate, door: &DoorState, caller: &Caller, refusal: &Refusal, writer: WriteSide<'_>) {
    let access = door.access();
    let who = Who::new(&caller.subject, gate.trail.redactor());
    let mut record = Record::begin(&gate.trail, &who, access.policy(), None);
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

#[cfg(test)]
mod tests {
    use super::*;

    fn size<A, F: Future>(_task: impl FnOnce(A) -> F) -> usize {
        size_of::<F>()
    }

    /// Thousands of silent streams are held, each with its task; and a task is copied when it is made.
    #[test]
    fn the_task_of_a_connection_is_small() {
        let size = size(|(gate, door, accepted, places)| connection(gate, door, accepted, places));
        assert!(size <= 12 * 1024, "{size} bytes");
    }
}
