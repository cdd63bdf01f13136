//! The pipeline: bytes, head, endpoint, action, verdict, permit, upstream, reply, record. All of it on one screen.
//! Knows nothing of how any stage does its work.

use std::io;
use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::StatusCode;
use tokio::sync::watch;

use crate::audit::{Ended, Record, Trail, Uploaded, Who};
use crate::docker::action::{Body, Reading};
use crate::docker::head::Framing;
use crate::docker::operations::{Kind, Reply, Row};
use crate::docker::{Action, Endpoint, Fault, FaultKind, Head, Method};
use crate::policy::{Permit, Policy, Verdict, admits, judge};

use super::access::Access;
use super::caller::Caller;
use super::door::DoorState;
use super::engine::{Answer, Connection, Receiving};
use super::facts;
use super::filter::body_filter;
use super::input::{Input, Upload};
use super::inspect::Inspection;
use super::output::{Output, ReplyFraming, ReplyHead};
use super::own::OwnSearch;
use super::reconcile;
use super::refuse::{Limit, Refusal, operator_line, upload_too_large};
use super::relay::{Asked, relay};
use super::stream::{ReadSide, WriteSide};
use super::told::Told;
use super::tunnel;
use super::upstream::{Upstream, UpstreamError};

/// What an unread body may still bring before a refused connection is closed.
const DISCARD: usize = 16 << 20;
/// How long that may take.
const DISCARD_TIME: Duration = Duration::from_secs(2);

/// How long a finite read may go on for a client that has closed its side: it may still want the reply.
const HALF_CLOSED: Duration = Duration::from_secs(10);
/// How long a change may go on without its client: its outcome is worth a wait, but not a connection for ever.
const ABANDONED: Duration = Duration::from_secs(600);

/// What all connections share.
pub struct Gate {
    /// The engine.
    pub upstream: Upstream,
    /// The trail.
    pub trail: Trail,
    /// What is protected.
    pub own: Arc<OwnSearch>,
    /// What the operator's log was told.
    pub told: Told,
    /// Who compares the engine's events with requests.
    pub reconciler: Option<reconcile::Handle>,
    /// Turns true when dockgate stops.
    pub stopping: watch::Receiver<bool>,
}

impl Gate {
    /// Resolves when dockgate stops.
    pub(super) async fn stopped(&self) {
        let _told_or_gone = self.stopping.clone().wait_for(|stop| *stop).await.map(drop);
    }
}

/// A client's connection: both halves, borrowed apart where a reply flows while a body still comes.
struct Client<'s> {
    input: Input<'s>,
    output: Output<'s>,
}

/// One request, and everything that it is held against.
struct Call<'a> {
    gate: &'a Gate,
    door: &'a DoorState,
    access: &'a Access,
    caller: &'a Caller,
    head: &'a Head,
}

/// A request's end: how, and whether the connection goes on.
type Done = (Ended, bool);

/// Serves one connection until it ends.
pub async fn serve(gate: &Gate, door: &DoorState, caller: &Caller, (reader, writer): (ReadSide<'_>, WriteSide<'_>)) {
    let mut client = Client { input: Input::new(reader), output: Output::new(writer) };
    let mut who = Who::new(&caller.subject, gate.trail.redactor());
    let mut stopped = pin!(gate.stopped());
    loop {
        let next = tokio::select! {
            biased;
            () = &mut stopped => return client.output.leave().await,
            head = client.input.head(&door.bounds.deadlines) => head,
        };
        let Some(head) = next.transpose() else { return client.output.leave().await };
        who.asks(head.as_ref().ok(), gate.trail.redactor());
        client.output.next_request(matches!(&head, Ok(head) if head.method == Method::Head));
        let access = door.access();
        let mut record = Record::begin(&gate.trail, &who, access.policy(), head.as_ref().ok());
        let done = match &head {
            Ok(head) => Call { gate, door, access: &access, caller, head }.run(&mut client, &mut record).await,
            Err(fault) => Err(Refusal::Fault(fault.clone())),
        };
        let keep_alive = head.as_ref().is_ok_and(|head| head.keep_alive);
        let (ended, goes_on) = match done {
            Ok(done) => done,
            Err(refusal) => refuse(gate, refusal, keep_alive, &mut client, &mut record).await,
        };
        record.close(ended).await;
        if !goes_on {
            client.output.shutdown().await;
            if ended == Ended::Complete && !client.input.body_ended() {
                client.input.discard(DISCARD, DISCARD_TIME).await; // the engine answered before it had the whole body
            }
            return;
        }
    }
}

impl<'a> Call<'a> {
    /// Every `?` is a refusal; there is no other way out.
    async fn run(&self, client: &mut Client<'_>, record: &mut Record<'a>) -> Result<Done, Refusal> {
        let Self { gate, door, access, caller, head } = *self;
        door.admits(&caller.subject, head)?;
        door.bounds.request()?;
        let standing = caller.standing(access, &gate.upstream).await?;
        let policy = record.standing(standing.policy, standing.client, caller.container());
        let endpoint = Endpoint::find(head)?;
        record.endpoint(&endpoint);
        admits(policy, &endpoint)?;
        let action = self.action(endpoint, client, record).await?;
        let permit = self.judged(policy, action).await?;
        let _changing = permit.is_change().then(|| door.bounds.change()).transpose()?;
        record.permit(&permit);
        record.intent(&permit).await?;
        let _running = gate.reconciler.as_ref().and_then(|reconciler| reconciler.began(permit.action()));
        if permit.opens_tunnel() { self.tunnel(&permit, client, record).await } else { self.forward(policy, &permit, client, record).await }
    }

    /// What is asked for, whole.
    async fn action(&self, endpoint: Endpoint, client: &mut Client<'_>, record: &mut Record<'_>) -> Result<Action, Refusal> {
        let body = self.inspected(&endpoint, client).await?;
        record.count_in(body.len() as u64);
        let action = Action::build(self.head, endpoint, &body)?;
        record.action(&action);
        Ok(action)
    }

    /// What the judge says. The facts are let go of with the verdict: a tunnel is open for hours.
    async fn judged(&self, policy: &Policy, action: Action) -> Result<Permit, Refusal> {
        let own = self.gate.own.get(&self.gate.upstream).await?;
        let facts = facts::gather(&self.gate.upstream, policy, &action, own).await?;
        match judge(policy, &self.caller.subject, action, &facts) {
            Verdict::Allow(permit) => Ok(permit),
            Verdict::Deny(denial) => Err(denial.into()),
        }
    }

    /// The body of an operation that is judged by it: complete before anything else happens.
    async fn inspected(&self, endpoint: &Endpoint, client: &mut Client<'_>) -> Result<Bytes, Refusal> {
        let bounds = &self.door.bounds;
        let declared = if let Framing::Length(length) = self.head.framing { length } else { 0 };
        let Reading::Whole(limit) = Action::reading(endpoint.operation.row(), self.head, bounds.max_json)? else {
            return if declared > bounds.max_upload { Err(upload_too_large()) } else { Ok(Bytes::new()) };
        };
        if declared > limit as u64 {
            return Err(Fault::new(FaultKind::BodyTooLarge, "").into());
        }
        if self.head.expects_continue {
            client.output.go_on().await.map_err(|_| Refusal::ClientGone)?;
        }
        Ok(client.input.whole_body(limit, &bounds.deadlines).await?)
    }

    /// Sends what was permitted and relays what comes back, while the client's side is read.
    async fn forward(&self, policy: &Policy, permit: &Permit, client: &mut Client<'_>, record: &mut Record<'_>) -> Result<Done, Refusal> {
        let Client { input, output } = client;
        let row = permit.action().row();
        let framing = match permit.action().body {
            Body::Opaque(framing) => framing,
            Body::None | Body::Json(_) => Framing::None,
        };
        let relayed = !matches!(framing, Framing::None | Framing::Length(0));
        let would_deny = OnceLock::new();
        let inspection = Inspection::of(permit, policy, &would_deny)?;
        if self.head.expects_continue && relayed {
            output.go_on().await.map_err(|_| Refusal::ClientGone)?;
        }
        let (since, mut engine) = (Instant::now(), self.begun(permit).await?);
        let (mut reply, to) = engine.halves(framing);
        let mut uploaded = relayed.then(Uploaded::default);
        let upload = relayed.then_some(Upload { to, inspection, most: self.door.bounds.max_upload });
        let asked = self.asked(permit, self.head.keep_alive);
        let done = tokio::select! {
            done = async {
                let answer = self.answered(permit, &mut reply, since, record).await?;
                relay(output, &answer, &mut reply, &asked, record).await
            } => done,
            gone = client_gone(input, upload, &mut uploaded, row) => gone.map(|()| (Ended::ClientGone, false)),
            () = self.gate.stopped(), if row.kind == Kind::Stream => Ok((Ended::Drained, false)),
        };
        if done.is_ok() && uploaded.as_ref().is_none_or(Uploaded::is_whole) {
            self.gate.upstream.keep(engine);
        }
        if let Some(uploaded) = uploaded {
            record.uploaded(uploaded);
        }
        if let Some(denial) = would_deny.get() {
            record.would_deny(denial);
        }
        done.map(|(ended, goes_on)| (ended, goes_on && input.body_ended()))
    }

    /// The request is on its way to the engine, but for a body that is relayed.
    async fn begun(&self, permit: &Permit) -> Result<Connection, Refusal> {
        self.gate.upstream.begin(permit).await.map_err(|error| self.unanswered(permit, &error))
    }

    async fn answered(
        &self,
        permit: &Permit,
        reply: &mut Receiving<'_>,
        since: Instant,
        record: &mut Record<'_>,
    ) -> Result<Answer, Refusal> {
        let head_only = permit.action().method() == Method::Head;
        let answer = reply.head(head_only).await.map_err(|error| self.unanswered(permit, &UpstreamError::Answer(error)))?;
        record.upstream(since);
        if answer.status == StatusCode::SWITCHING_PROTOCOLS && !permit.opens_tunnel() {
            return Err(self.unanswered(permit, &UpstreamError::Answer(io::ErrorKind::InvalidData.into())));
        }
        Ok(answer)
    }

    fn unanswered(&self, permit: &Permit, error: &UpstreamError) -> Refusal {
        tracing::warn!(%error, operation = permit.action().endpoint.operation.name(), "the engine did not answer");
        Refusal::Upstream
    }

    /// A tunnel: what is not answered with 101 is relayed as an ordinary reply, the connection then ends.
    async fn tunnel(&self, permit: &Permit, client: &mut Client<'_>, record: &mut Record<'_>) -> Result<Done, Refusal> {
        let Client { input, output } = client;
        let (since, mut engine) = (Instant::now(), self.begun(permit).await?);
        let (mut reply, _) = engine.halves(Framing::None);
        let answer = tokio::select! {
            answer = self.answered(permit, &mut reply, since, record) => answer?,
            () = async { input.closed().await; input.given_up(HALF_CLOSED).await } => return Ok((Ended::ClientGone, false)),
        };
        if answer.status != StatusCode::SWITCHING_PROTOCOLS {
            return relay(output, &answer, &mut reply, &self.asked(permit, false), record).await;
        }
        let ended = tunnel::run(input, output, (engine, &answer), permit.action().upgrade.as_ref(), record).await;
        Ok((ended, false))
    }

    fn asked(&self, permit: &Permit, keep_alive: bool) -> Asked {
        Asked { head_only: self.head.method == Method::Head, http: self.head.http, keep_alive, filter: body_filter(permit) }
    }
}

/// Uploads the body, if it is relayed, then resolves when the client has gone and nobody wants the reply any more.
/// A change goes on without its client, unless it is work that streams its progress. An error is what was found in the body.
async fn client_gone(input: &mut Input<'_>, upload: Option<Upload<'_>>, uploaded: &mut Option<Uploaded>, row: &Row) -> Result<(), Refusal> {
    if let Some(upload) = upload {
        input.pump(upload, uploaded.get_or_insert_default()).await?;
    }
    input.closed().await;
    match (row.reply, row.kind) {
        (Reply::Progress, _) => {}
        (Reply::Once, Kind::Read | Kind::SensitiveRead | Kind::Stream) => input.given_up(HALF_CLOSED).await,
        (Reply::Once, Kind::Change | Kind::Tunnel) => tokio::time::sleep(ABANDONED).await,
    }
    Ok(())
}

/// The one place where a refused request is answered.
async fn refuse(gate: &Gate, refusal: Refusal, keep_alive: bool, client: &mut Client<'_>, record: &mut Record<'_>) -> Done {
    let Client { input, output } = client;
    match &refusal {
        Refusal::Fault(fault) => record.fault(fault),
        Refusal::Denied(denial) => record.denied(denial),
        Refusal::Engine(..) | Refusal::Upstream | Refusal::Trail(_) | Refusal::Limit(_) | Refusal::Overload | Refusal::ClientGone => {
            record.refused(refusal.code());
        }
    }
    tell(gate, &refusal, record);
    if matches!(refusal, Refusal::ClientGone) {
        return (Ended::ClientGone, false);
    }
    if output.begun() {
        return (Ended::Refused, false);
    }
    let goes_on = keep_alive && input.body_ended() && !ends_connection(&refusal);
    let body = refusal.body(record.id());
    let reference = record.id().to_owned();
    let framing = ReplyFraming::Length(body.len() as u64);
    let fields = refusal.retry_after().map_or_else(String::new, |seconds| format!("Retry-After: {seconds}\r\n"));
    let head = ReplyHead { fields: fields.as_bytes(), ..ReplyHead::json(refusal.status(), &reference, framing, goes_on) };
    record.status(refusal.status().as_u16());
    record.count_out(body.len() as u64);
    let told = output.whole(&head, &body).await.is_ok();
    if !goes_on && told {
        output.shutdown().await;
        input.discard(DISCARD, DISCARD_TIME).await;
    }
    (Ended::Refused, goes_on && told)
}

/// The operator's log hears of denials, but not of each one of a flood.
fn tell(gate: &Gate, refusal: &Refusal, record: &Record<'_>) {
    if let Refusal::Denied(denial) = refusal
        && let Some(untold) = gate.told.next((record.operation().unwrap_or_default(), denial.reason.code()), Instant::now())
    {
        tracing::info!(id = record.id(), "{}", record.message(&operator_line(denial, untold)));
    }
}

/// After a fault in framing nobody knows where the next request would begin.
fn ends_connection(refusal: &Refusal) -> bool {
    match refusal {
        Refusal::Fault(fault) => fault.kind.breaks_framing(),
        Refusal::Overload | Refusal::ClientGone | Refusal::Trail(_) => true,
        Refusal::Limit(limit) => *limit == Limit::Connections,
        Refusal::Denied(_) | Refusal::Engine(..) | Refusal::Upstream => false,
    }
}
