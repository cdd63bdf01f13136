//! Relays a reply from the engine to the client, piece by piece, as it comes.
//! Knows nothing of tunnels.

use http::StatusCode;

use crate::audit::{Ended, Record};
use crate::docker::head::Http;

use super::engine::{Answer, Receiving};
use super::filter::{self, BodyFilter};
use super::output::{Output, ReplyFraming, ReplyHead, framing};
use super::refuse::Refusal;

/// How the client asked, as far as the reply must know.
#[derive(Debug, Clone)]
pub struct Asked {
    /// It asked for the head alone.
    pub head_only: bool,
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
pub async fn relay(
    output: &mut Output<'_>,
    answer: &Answer,
    reply: &mut Receiving<'_>,
    asked: &Asked,
    record: &mut Record<'_>,
) -> Result<(Ended, bool), Refusal> {
    record.status(answer.status.as_u16());
    match asked.filter {
        BodyFilter::Relay => Ok(pieces(output, answer, reply, asked, record).await),
        BodyFilter::CapVersion | BodyFilter::Warn(_) => whole(output, answer, reply, asked, record).await,
    }
}

async fn whole(
    output: &mut Output<'_>,
    answer: &Answer,
    reply: &mut Receiving<'_>,
    asked: &Asked,
    record: &mut Record<'_>,
) -> Result<(Ended, bool), Refusal> {
    let bytes = filter::whole(reply, &asked.filter).await?;
    record.reply_piece(&bytes);
    let framing = framing(asked.head_only, answer.status, Some(bytes.len() as u64), asked.http);
    let head = head(answer, record.id(), framing, asked.keep_alive);
    let sent = output.whole(&ReplyHead { length: None, ..head }, if framing == ReplyFraming::Bodyless { &[] } else { &bytes }).await;
    Ok(if sent.is_ok() { (Ended::Complete, asked.keep_alive) } else { (Ended::ClientGone, false) })
}

async fn pieces(
    output: &mut Output<'_>,
    answer: &Answer,
    reply: &mut Receiving<'_>,
    asked: &Asked,
    record: &mut Record<'_>,
) -> (Ended, bool) {
    let framing = framing(asked.head_only, answer.status, answer.length, asked.http);
    let keep_alive = asked.keep_alive && framing != ReplyFraming::Close;
    output.head(&head(answer, record.id(), framing, keep_alive));
    record.begun().await;
    match body(output, reply, framing, record).await {
        Ok(()) => (Ended::Complete, keep_alive),
        Err(ended) => (ended, false),
    }
}

fn head<'a>(answer: &'a Answer, reference: &'a str, framing: ReplyFraming, keep_alive: bool) -> ReplyHead<'a> {
    let content_type = answer.content_type.as_deref();
    // RFC 9110 §8.6: a 204 has none; a client that believes it would take the next reply for this one's body
    let length = answer.length.filter(|_| answer.status != StatusCode::NO_CONTENT);
    ReplyHead { status: answer.status, fields: &answer.fields, content_type, length, reference, framing, keep_alive }
}

/// What has come goes out before more is waited for.
async fn body(output: &mut Output<'_>, reply: &mut Receiving<'_>, framing: ReplyFraming, record: &mut Record<'_>) -> Result<(), Ended> {
    loop {
        let broken = loop {
            match reply.here() {
                Ok(Some(piece)) => {
                    record.reply_piece(&piece);
                    output.piece(framing, &piece).await.map_err(|_| Ended::ClientGone)?;
                }
                Ok(None) => break false,
                Err(_) => break true,
            }
        };
        if !broken && reply.ended() {
            return output.end(framing).await.map_err(|_| Ended::ClientGone);
        }
        output.flush().await.map_err(|_| Ended::ClientGone)?;
        if broken || reply.more().await.is_err() {
            return Err(Ended::UpstreamGone);
        }
    }
}
