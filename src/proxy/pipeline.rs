//! The pipeline: bytes, head, endpoint, action, verdict, permit, upstream, reply, record. All of it on one screen.
//! Knows nothing of how any stage does its work.

use std::time::{Duration, Instant};

use hyper::StatusCode;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;

use crate::audit::{Ended, Record, Trail};
use crate::docker::action::{Body, Reading};
use crate::docker::operations::{Kind, Reply};
use crate::docker::head::Framing;
use crate::docker::{Action, Endpoint, Fault, FaultKind, Head, Method};
use crate::policy::{Permit, Subject, Verdict, admits, judge};

use super::door::DoorState;
use super::facts;
use super::filter::body_filter;
use super::input::{Deadlines, Input};
use super::output::{Output, ReplyFraming, ReplyHead};
use super::own::OwnSearch;
use super::refuse::{Refusal, operator_line};
use super::relay::{Asked, relay};
use super::tunnel;
use super::upstream::{Exchange, Outgoing, Upstream, UpstreamError, detached, opaque_body};

/// What an unread body may still bring before a refused connection is closed.
const DISCARD: usize = 16 << 20;
/// How long that may take.
const DISCARD_TIME: Duration = Duration::from_secs(2);

/// What all connections share.
pub struct Gate {
    /// The engine.
    pub upstream: Upstream,
    /// The trail.
    pub trail: Trail,
    /// What is protected.
    pub own: OwnSearch,
    /// Deadlines of connections.
    pub deadlines: Deadlines,
    /// The largest JSON body.
    pub max_json: usize,
    /// Turns true when dockgate stops.
    pub stopping: watch::Receiver<bool>,
}

impl Gate {
    /// Resolves when dockgate stops.
    async fn stopped(&self) {
        let _told_or_gone = self.stopping.clone().wait_for(|stop| *stop).await.map(drop);
    }
}

/// A request's end: how, and whether the connection goes on.
type Done = (Ended, bool);

/// Serves one connection until it ends.
pub async fn serve<R, W>(gate: &Gate, door: &DoorState, subject: &Subject, reader: R, writer: W)
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let (mut input, mut output) = (Input::new(reader), Output::new(writer));
    loop {
        let next = tokio::select! {
            head = input.head(&gate.deadlines) => head,
            () = gate.stopped() => return output.shutdown().await,
        };
        let head = match next {
            Ok(None) => return output.shutdown().await,
            Ok(Some(head)) => Ok(head),
            Err(fault) => Err(fault),
        };
        output.next_request(matches!(&head, Ok(head) if head.method == Method::Head));
        let mut record = Record::begin(&gate.trail, subject, &door.policy.name, door.policy.mode);
        let done = match head {
            Ok(head) => request(gate, door, subject, &head, &mut input, &mut output, &mut record).await,
            Err(fault) => Err(Refusal::Fault(fault)),
        };
        let (ended, goes_on) = match done {
            Ok(done) => done,
            Err(refusal) => refuse(refusal, &mut input, &mut output, &mut record).await,
        };
        record.close(ended).await;
        if !goes_on {
            return output.shutdown().await;
        }
    }
}

/// One request. Every `?` is a refusal; there is no other way out.
#[allow(clippy::too_many_arguments, reason = "both halves of the connection and the record are borrowed apart")]
async fn request<R, W>(gate: &Gate, door: &DoorState, subject: &Subject, head: &Head, input: &mut Input<R>, output: &mut Output<W>, record: &mut Record) -> Result<Done, Refusal>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    record.head(head);
    door.admits(subject, head)?;
    let endpoint = Endpoint::find(head)?;
    record.endpoint(&endpoint, head);
    admits(&door.policy, &endpoint)?;
    let body = inspected(gate, head, &endpoint, input, output).await?;
    record.count_in(body.len() as u64);
    let action = Action::build(head, endpoint, &body)?;
    record.action(&action);
    let own = gate.own.get(&gate.upstream).await?;
    let facts = facts::gather(&gate.upstream, &door.policy, &action, &own).await?;
    let permit = match judge(&door.policy, subject, action, &facts) {
        Verdict::Allow(permit) => permit,
        Verdict::Deny(denial) => return Err(denial.into()),
    };
    record.permit(&permit);
    record.intent(permit.action().row().kind).await?;
    forward(gate, head, permit, input, output, record).await
}

/// The body of an operation that is judged by it: complete before anything else happens.
async fn inspected<R, W>(gate: &Gate, head: &Head, endpoint: &Endpoint, input: &mut Input<R>, output: &mut Output<W>) -> Result<bytes::Bytes, Refusal>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let Reading::Whole(limit) = Action::reading(endpoint.operation.row(), head, gate.max_json)? else { return Ok(bytes::Bytes::new()) };
    if matches!(head.framing, Framing::Length(length) if length > limit as u64) {
        return Err(Fault::new(FaultKind::BodyTooLarge, "").into());
    }
    if head.expects_continue {
        output.go_on().await.map_err(|_| Refusal::ClientGone)?;
    }
    Ok(input.whole_body(limit, &gate.deadlines).await?)
}

/// Sends what was permitted and relays what comes back, while the client's side is watched.
async fn forward<R, W>(gate: &Gate, head: &Head, permit: Permit, input: &mut Input<R>, output: &mut Output<W>, record: &mut Record) -> Result<Done, Refusal>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let opaque = if let Body::Opaque(framing) = permit.action().body { opaque_body(framing) } else { None };
    if head.expects_continue && opaque.is_some() {
        output.go_on().await.map_err(|_| Refusal::ClientGone)?;
    }
    let (fill, outgoing) = opaque.map_or((None, None), |(fill, outgoing)| (Some(fill), Some(outgoing)));
    if permit.action().row().kind == Kind::Tunnel && !detached(&permit) {
        return open(gate, head, &permit, input, output, record).await;
    }
    let row = permit.action().row();
    let asked = Asked { method: method(head), http: head.http, keep_alive: head.keep_alive, filter: body_filter(&permit) };
    let mut uploaded = 0;
    let watched = row.reply == Reply::Progress;
    let client = async {
        if let Some(fill) = fill {
            uploaded = input.pump(fill).await.unwrap_or_default();
        }
        if watched { input.closed().await } else { std::future::pending().await }
    };
    let done = {
        let engine = answered(gate, &permit, outgoing, output, &asked, record);
        tokio::pin!(engine, client);
        tokio::select! {
            done = &mut engine => done,
            () = &mut client => Ok((Ended::ClientGone, false)),
            () = gate.stopped(), if row.kind == Kind::Stream => Ok((Ended::Drained, false)),
        }
    };
    record.count_in(uploaded);
    let (ended, goes_on) = done?;
    Ok((ended, goes_on && input.body_ended()))
}

async fn answered<W: AsyncWrite + Unpin>(gate: &Gate, permit: &Permit, body: Option<Outgoing>, output: &mut Output<W>, asked: &Asked, record: &mut Record) -> Result<Done, Refusal> {
    let exchange = sent(gate, permit, body, record).await?;
    relay(output, exchange, asked, record).await
}

async fn sent(gate: &Gate, permit: &Permit, body: Option<Outgoing>, record: &mut Record) -> Result<Exchange, Refusal> {
    let since = Instant::now();
    let exchange = gate.upstream.send(permit, body).await.map_err(|error: UpstreamError| {
        tracing::warn!(%error, operation = permit.action().endpoint.operation.name(), "the engine did not answer");
        Refusal::Upstream
    })?;
    record.upstream(since);
    Ok(exchange)
}

/// A tunnel: what is not answered with 101 is relayed as an ordinary reply, the connection then ends.
async fn open<R, W>(gate: &Gate, head: &Head, permit: &Permit, input: &mut Input<R>, output: &mut Output<W>, record: &mut Record) -> Result<Done, Refusal>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let exchange = sent(gate, permit, None, record).await?;
    if exchange.reply.status() == StatusCode::SWITCHING_PROTOCOLS {
        let ended = tunnel::run(input, output, exchange.reply, permit.action().upgrade.as_ref(), record).await?;
        return Ok((ended, false));
    }
    let asked = Asked { method: method(head), http: head.http, keep_alive: false, filter: body_filter(permit) };
    relay(output, exchange, &asked, record).await
}

/// The one place where a refused request is answered.
async fn refuse<R, W>(refusal: Refusal, input: &mut Input<R>, output: &mut Output<W>, record: &mut Record) -> Done
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    match &refusal {
        Refusal::Fault(fault) => record.fault(fault),
        Refusal::Denied(denial) => record.denied(denial),
        other => record.refused(other.code()),
    }
    if let Some(line) = operator_line(&refusal) {
        tracing::info!(id = record.id(), "{line}");
    }
    if matches!(refusal, Refusal::ClientGone) || output.begun() {
        return (Ended::ClientGone, false);
    }
    let goes_on = input.body_ended() && !ends_connection(&refusal);
    let body = refusal.body(record.id());
    let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
    let reference = record.id().to_owned();
    let framing = ReplyFraming::Length(body.len() as u64);
    let head = ReplyHead { status: refusal.status(), headers: &headers, reference: &reference, framing, keep_alive: goes_on };
    record.status(refusal.status().as_u16());
    record.count_out(body.len() as u64);
    let told = output.whole(&head, &body).await.is_ok();
    if !goes_on && told {
        output.shutdown().await;
        input.discard(DISCARD, DISCARD_TIME).await;
    }
    (Ended::Refused, goes_on && told)
}

/// After a fault in framing nobody knows where the next request would begin.
fn ends_connection(refusal: &Refusal) -> bool {
    match refusal {
        Refusal::Fault(fault) => fault.kind.breaks_framing(),
        Refusal::Overload | Refusal::Stopping | Refusal::ClientGone | Refusal::Trail(_) => true,
        Refusal::Denied(_) | Refusal::Engine(..) | Refusal::Upstream => false,
    }
}

fn method(head: &Head) -> hyper::Method {
    if head.method == Method::Head { hyper::Method::HEAD } else { hyper::Method::GET }
}
