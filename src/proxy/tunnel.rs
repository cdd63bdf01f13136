//! Tunnels: attach, exec and websocket streams, both directions relayed until both have ended.
//! Knows nothing of what flows through them.

use std::future::Future;
use std::time::Duration;

use bytes::BytesMut;
use hyper::body::Incoming;
use hyper::header::{CONNECTION, CONTENT_TYPE, HeaderMap, HeaderValue, UPGRADE};
use hyper::{Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, Interest, ReadHalf, WriteHalf};

use crate::audit::{Ended, Record};
use crate::docker::head::Upgrade;

use super::filter;
use super::input::Input;
use super::output::{Output, ReplyFraming, ReplyHead};
use super::refuse::Refusal;

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
/// One read.
const PIECE: usize = 16 * 1024;

/// Answers the client and relays until both directions have ended.
///
/// # Errors
/// Where the engine does not hand over its side after all.
pub async fn run<R, W>(
    input: &mut Input<R>,
    output: &mut Output<W>,
    reply: Response<Incoming>,
    wanted: Option<&Upgrade>,
    record: &mut Record<'_>,
) -> Result<Ended, Refusal>
where
    R: Half,
    W: AsyncWrite + Unpin,
{
    let headers = filter::headers(reply.headers());
    let upgraded = hyper::upgrade::on(reply).await.map_err(|error| {
        tracing::warn!(%error, "the engine did not hand over its connection");
        Refusal::Upstream
    })?;
    let reference = record.id().to_owned();
    if answer(output, headers, wanted, &reference, record).await.is_err() {
        return Ok(Ended::ClientGone);
    }
    record.begun().await;
    let (from_engine, to_engine) = tokio::io::split(TokioIo::new(upgraded));
    let (reader, ahead) = input.parts();
    let (mut sent, mut received) = (0, 0);
    let ended = both(Client { reader, ahead, writer: output.writer() }, from_engine, to_engine, (&mut sent, &mut received)).await;
    record.count_in(sent);
    record.count_out(received);
    Ok(ended)
}

/// 101 for a client that asked for it, else the 200 that older clients expect before a raw stream.
async fn answer<W: AsyncWrite + Unpin>(
    output: &mut Output<W>,
    mut headers: HeaderMap,
    wanted: Option<&Upgrade>,
    reference: &str,
    record: &mut Record<'_>,
) -> std::io::Result<()> {
    let protocol = match wanted {
        Some(Upgrade::Tcp) => Some("tcp"),
        Some(Upgrade::WebSocket { .. }) => Some("websocket"),
        Some(Upgrade::Other) | None => None,
    };
    headers.remove(UPGRADE);
    let status = match protocol {
        Some(protocol) => {
            headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
            headers.insert(UPGRADE, HeaderValue::from_static(protocol));
            StatusCode::SWITCHING_PROTOCOLS
        }
        None => {
            headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static("application/vnd.docker.raw-stream"));
            StatusCode::OK
        }
    };
    record.status(status.as_u16());
    output.head(&ReplyHead { status, headers: &headers, reference, framing: ReplyFraming::Close, keep_alive: true }).await
}

struct Client<'a, R, W> {
    reader: &'a mut R,
    ahead: BytesMut,
    writer: &'a mut W,
}

type Engine = TokioIo<hyper::upgrade::Upgraded>;

/// Each direction ends on its own, and its end is passed on. When the engine has ended, the client gets a while to
/// end too; when the client broke (rather than ended), nothing more can be delivered.
async fn both<R, W>(
    client: Client<'_, R, W>,
    mut from_engine: ReadHalf<Engine>,
    mut to_engine: WriteHalf<Engine>,
    (sent, received): (&mut u64, &mut u64),
) -> Ended
where
    R: Half,
    W: AsyncWrite + Unpin,
{
    let Client { reader, ahead, writer } = client;
    let up = async {
        let flow = copy(reader, &mut to_engine, ahead, sent).await;
        let _already_gone = to_engine.shutdown().await;
        (flow, reader)
    };
    let down = async {
        let whole = copy(&mut from_engine, writer, BytesMut::new(), received).await;
        let _already_gone = writer.shutdown().await;
        whole
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

async fn copy<R, W>(from: &mut R, to: &mut W, mut buffer: BytesMut, count: &mut u64) -> Flow
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    loop {
        if !buffer.is_empty() {
            *count += buffer.len() as u64;
            if to.write_all(&buffer).await.is_err() || to.flush().await.is_err() {
                return Flow::WriteBroke;
            }
            buffer.clear();
        }
        buffer.reserve(PIECE);
        match from.read_buf(&mut buffer).await {
            Ok(0) => return Flow::Ended,
            Ok(_) => {}
            Err(_) => return Flow::ReadBroke,
        }
    }
}
