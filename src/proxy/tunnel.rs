//! Tunnels: attach, exec and websocket streams, both directions relayed until both have ended.
//! Knows nothing of what flows through them.

use std::future::Future;
use std::io;
use std::time::Duration;

use bytes::BytesMut;
use http::StatusCode;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, Interest};

use crate::audit::{Ended, Record};
use crate::docker::head::Upgrade;

use super::engine::{Answer, Connection, ReadSide, WriteSide};
use super::input::Input;
use super::intake::Intake;
use super::output::{Output, ReplyFraming, ReplyHead};

/// A client's reading half that can tell a closed connection from one that is closed in one direction.
pub trait Half: AsyncRead + Unpin {
    /// Resolves when the client has closed both directions, where that shows.
    fn gone(&self) -> impl Future<Output = ()> + Send;
}

/// How often a client that has ended its side is looked at.
const LOOK: Duration = Duration::from_secs(1);

impl Half for tokio::net::unix::ReadHalf<'_> {
    /// A unix socket whose peer has gone reports a hang-up, one that is half closed does not.
    async fn gone(&self) {
        while self.ready(Interest::WRITABLE).await.is_ok_and(|ready| !ready.is_write_closed()) {
            tokio::time::sleep(LOOK).await;
        }
    }
}

impl Half for tokio::net::tcp::ReadHalf<'_> {
    /// TCP says the same in both cases until something is written.
    async fn gone(&self) {
        std::future::pending().await
    }
}

/// How long the client may keep its side open after the engine has closed both of its own.
const LINGER: Duration = Duration::from_secs(30);

/// Answers the client and relays until both directions have ended.
pub async fn run<R, W>(
    input: &mut Input<R>,
    output: &mut Output<W>,
    (engine, answer): (Connection, &Answer),
    wanted: Option<&Upgrade>,
    record: &mut Record<'_>,
) -> Ended
where
    R: Half,
    W: AsyncWrite + Unpin,
{
    if answered(output, answer, wanted, record).await.is_err() {
        return Ended::ClientGone;
    }
    record.begun().await;
    let (mut stream, early) = engine.into_parts();
    let engine = stream.sides();
    let (reader, ahead) = input.parts();
    let (mut sent, mut received) = (0, 0);
    let client = Client { reader, ahead, writer: output.writer() };
    let ended = both(client, engine, early, (&mut sent, &mut received)).await;
    record.count_in(sent);
    record.count_out(received);
    ended
}

/// 101 for a client that asked for it, else the 200 that older clients expect before a raw stream.
async fn answered<W: AsyncWrite + Unpin>(
    output: &mut Output<W>,
    answer: &Answer,
    wanted: Option<&Upgrade>,
    record: &mut Record<'_>,
) -> io::Result<()> {
    let mut fields = answer.fields.clone();
    let (status, content_type) = match wanted {
        Some(Upgrade::Tcp) => {
            fields.extend_from_slice(b"Connection: Upgrade\r\nUpgrade: tcp\r\n");
            (StatusCode::SWITCHING_PROTOCOLS, answer.content_type.as_deref())
        }
        Some(Upgrade::WebSocket { .. }) => {
            fields.extend_from_slice(b"Connection: Upgrade\r\nUpgrade: websocket\r\n");
            (StatusCode::SWITCHING_PROTOCOLS, answer.content_type.as_deref())
        }
        Some(Upgrade::Other) | None => {
            (StatusCode::OK, Some(answer.content_type.as_deref().unwrap_or(b"application/vnd.docker.raw-stream")))
        }
    };
    record.status(status.as_u16());
    let framing = ReplyFraming::Close;
    output.head(&ReplyHead { status, fields: &fields, content_type, length: None, reference: record.id(), framing, keep_alive: true });
    output.flush().await
}

struct Client<'a, R, W> {
    reader: &'a mut R,
    ahead: BytesMut,
    writer: &'a mut W,
}

/// Each direction ends on its own, and its end is passed on. When the engine has ended, the client gets a while to
/// end too; when the client broke (rather than ended), nothing more can be delivered.
async fn both<R, W>(
    client: Client<'_, R, W>,
    (mut from_engine, mut to_engine): (ReadSide<'_>, WriteSide<'_>),
    early: BytesMut,
    (sent, received): (&mut u64, &mut u64),
) -> Ended
where
    R: Half,
    W: AsyncWrite + Unpin,
{
    let Client { reader, ahead, writer } = client;
    let up = async {
        let flow = relay(reader, &mut to_engine, ahead, sent).await;
        let _already_gone = to_engine.shutdown().await;
        (flow, reader)
    };
    let down = async {
        let flow = relay(&mut from_engine, writer, early, received).await;
        let _already_gone = writer.shutdown().await;
        flow
    };
    tokio::pin!(up, down);
    tokio::select! {
        (flow, reader) = &mut up => match flow {
            Flow::ReadBroke => Ended::ClientGone,
            Flow::Ended | Flow::WriteBroke => tokio::select! {
                result = &mut down => ended_down(result),
                () = reader.gone() => Ended::ClientGone,
            },
        },
        result = &mut down => {
            let _client_may_stay = tokio::time::timeout(LINGER, &mut up).await;
            ended_down(result)
        }
    }
}

fn ended_down(flow: Flow) -> Ended {
    match flow {
        Flow::Ended => Ended::Complete,
        Flow::ReadBroke => Ended::UpstreamGone,
        Flow::WriteBroke => Ended::ClientGone,
    }
}

/// How one direction ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    Ended,
    ReadBroke,
    WriteBroke,
}

/// A direction that waits has no buffer: thousands of tunnels are open and silent.
async fn relay<R, W>(from: &mut R, to: &mut W, ahead: BytesMut, count: &mut u64) -> Flow
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let mut intake = Intake::with(ahead);
    loop {
        if !intake.buffer.is_empty() {
            *count += intake.buffer.len() as u64;
            if to.write_all(&intake.buffer).await.is_err() || to.flush().await.is_err() {
                return Flow::WriteBroke;
            }
            intake.buffer.clear();
        }
        match intake.fill(from).await {
            Ok(0) => return Flow::Ended,
            Ok(_) => {}
            Err(_) => return Flow::ReadBroke,
        }
    }
}
