//! Tunnels: attach, exec and websocket streams, both directions relayed until both have ended.
//! Knows nothing of what flows through them.

use std::io;
use std::time::Duration;

use bytes::BytesMut;
use http::StatusCode;
use tokio::io::AsyncWriteExt;

use crate::audit::{Ended, Record};
use crate::docker::head::Upgrade;

use super::engine::{Answer, Connection};
use super::input::Input;
use super::intake::Intake;
use super::output::{Output, ReplyFraming, ReplyHead};
use super::stream::{ReadSide, WriteSide};

/// How long the client may keep its side open after the engine has closed both of its own.
const LINGER: Duration = Duration::from_secs(30);

/// Answers the client and relays until both directions have ended.
pub async fn run(
    input: &mut Input<'_>,
    output: &mut Output<'_>,
    (engine, answer): (Connection, &Answer),
    wanted: Option<&Upgrade>,
    record: &mut Record<'_>,
) -> Ended {
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
async fn answered(output: &mut Output<'_>, answer: &Answer, wanted: Option<&Upgrade>, record: &mut Record<'_>) -> io::Result<()> {
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

struct Client<'a, 'r, 'w> {
    reader: &'a mut ReadSide<'r>,
    ahead: BytesMut,
    writer: &'a mut WriteSide<'w>,
}

/// Each direction ends on its own, and its end is passed on. When the engine has ended, the client gets a while to
/// end too; when the client broke (rather than ended), nothing more can be delivered.
async fn both(
    client: Client<'_, '_, '_>,
    (mut from_engine, mut to_engine): (ReadSide<'_>, WriteSide<'_>),
    early: BytesMut,
    (sent, received): (&mut u64, &mut u64),
) -> Ended {
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
async fn relay(from: &mut ReadSide<'_>, to: &mut WriteSide<'_>, ahead: BytesMut, count: &mut u64) -> Flow {
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
