//! Relays a reply from the engine to the client, piece by piece, as it comes.
//! Knows nothing of tunnels.

use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use hyper::{Method, Response};
use tokio::io::AsyncWrite;

use crate::audit::{Ended, Record};
use crate::docker::head::Http;

use super::filter::{self, BodyFilter};
use super::output::{Output, ReplyFraming, ReplyHead, framing};
use super::refuse::Refusal;
use super::upstream::{Exchange, Lease};

/// How the client asked, as far as the reply must know.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The request's method.
    pub method: Method,
    /// The request's HTTP version.
    pub http: Http,
    /// Whether the connection may go on.
    pub keep_alive: bool,
    /// What is done to the body.
    pub filter: BodyFilter,
}

/// Relays a reply; returns how it ended and whether the connection goes on.
///
/// # Errors
/// Where nothing of the reply was written yet, so that the client can still be told.
pub async fn relay<W: AsyncWrite + Unpin>(
    output: &mut Output<W>,
    exchange: Exchange,
    asked: &Asked,
    record: &mut Record<'_>,
) -> Result<(Ended, bool), Refusal> {
    let Exchange { reply, lease } = exchange;
    record.status(reply.status().as_u16());
    match asked.filter {
        BodyFilter::Relay => Ok(pieces(output, reply, lease, asked, record).await),
        BodyFilter::CapVersion | BodyFilter::Warn(_) => whole(output, reply, lease, asked, record).await,
    }
}

async fn whole<W: AsyncWrite + Unpin>(
    output: &mut Output<W>,
    reply: Response<Incoming>,
    lease: Lease,
    asked: &Asked,
    record: &mut Record<'_>,
) -> Result<(Ended, bool), Refusal> {
    let (parts, body) = reply.into_parts();
    let mut headers = filter::headers(&parts.headers);
    let bytes = filter::whole(body, &asked.filter, &mut headers).await?;
    lease.give_back();
    record.reply_piece(&bytes);
    let framing = framing(&asked.method, parts.status, Some(bytes.len() as u64), asked.http);
    let reference = record.id().to_owned();
    let head = ReplyHead { status: parts.status, headers: &headers, reference: &reference, framing, keep_alive: asked.keep_alive };
    let sent = output.whole(&head, if framing == ReplyFraming::Bodyless { &[] } else { &bytes }).await;
    Ok(if sent.is_ok() { (Ended::Complete, asked.keep_alive) } else { (Ended::ClientGone, false) })
}

async fn pieces<W: AsyncWrite + Unpin>(
    output: &mut Output<W>,
    reply: Response<Incoming>,
    lease: Lease,
    asked: &Asked,
    record: &mut Record<'_>,
) -> (Ended, bool) {
    let (parts, mut body) = reply.into_parts();
    let mut headers = filter::headers(&parts.headers);
    let framing = framing(&asked.method, parts.status, body.size_hint().exact(), asked.http);
    if let (ReplyFraming::Bodyless, Some(length)) = (framing, parts.headers.get(hyper::header::CONTENT_LENGTH)) {
        headers.insert(hyper::header::CONTENT_LENGTH, length.clone());
    }
    let keep_alive = asked.keep_alive && framing != ReplyFraming::Close;
    let reference = record.id().to_owned();
    let head = ReplyHead { status: parts.status, headers: &headers, reference: &reference, framing, keep_alive };
    if output.head(&head).await.is_err() {
        return (Ended::ClientGone, false);
    }
    record.begun().await;
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { return (Ended::UpstreamGone, false) };
        let Ok(piece) = frame.into_data() else { continue }; // trailers are dropped
        record.reply_piece(&piece);
        if output.piece(framing, &piece).await.is_err() {
            return (Ended::ClientGone, false);
        }
    }
    lease.give_back();
    if output.end(framing).await.is_ok() { (Ended::Complete, keep_alive) } else { (Ended::ClientGone, false) }
}
