//! The client's side of a connection, read: heads and bodies out of one bounded buffer.
//! Knows nothing of what a request means.

use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use tokio::time::timeout;

use crate::docker::chunked::{BodyDecoder, Piece};
use crate::docker::fault::{Fault, FaultKind};
use crate::docker::head::{Framing, Head, MAX_HEAD};

use crate::audit::Uploaded;

use super::engine::Sending;
use super::inspect::Inspection;
use super::intake::Intake;
use super::patience::Patience;
use super::refuse::{Refusal, upload_too_large};
use super::stream::ReadSide;

/// How much may wait in the buffer while nobody takes it.
const MAX_AHEAD: usize = 64 * 1024;

/// The reading half of a client's connection.
pub struct Input<'s> {
    reader: ReadSide<'s>,
    intake: Intake,
    body: BodyDecoder,
    patience: Patience,
}

/// Why a body did not go on to its end.
enum Stop {
    /// Nobody takes it any more.
    EngineGone,
    /// The inspection found something, or the client's framing or connection broke.
    Refused(Refusal),
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Refused(if fault.kind == FaultKind::BodyIncomplete { Refusal::ClientGone } else { Refusal::Fault(fault) })
    }
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// A body that is sent on.
pub struct Upload<'a> {
    /// The engine.
    pub to: Sending<'a>,
    /// What looks at it on its way.
    pub inspection: Option<Inspection<'a>>,
    /// How many bytes it may have.
    pub most: u64,
}

/// Deadlines of a connection.
#[derive(Debug, Clone, Copy)]
pub struct Deadlines {
    /// From the first byte of a head to its end.
    pub head: Duration,
    /// For a body that is read whole.
    pub body: Duration,
    /// Between two requests.
    pub idle: Duration,
}

impl<'s> Input<'s> {
    /// Reads from a fresh connection.
    pub fn new(reader: ReadSide<'s>) -> Self {
        Self { reader, intake: Intake::default(), body: BodyDecoder::new(Framing::None), patience: Patience::default() }
    }

    /// The next head; `None` where the client closed, or stayed idle, between two requests.
    ///
    /// # Errors
    /// The head's faults, and [`FaultKind::HeadTimeout`] for one that does not end in time.
    pub async fn head(&mut self, deadlines: &Deadlines) -> Result<Option<Head>, Fault> {
        self.intake.rest();
        let mut patience = std::mem::take(&mut self.patience);
        let head = self.head_within(deadlines, &mut patience).await;
        self.patience = patience;
        head
    }

    async fn head_within(&mut self, deadlines: &Deadlines, patience: &mut Patience) -> Result<Option<Head>, Fault> {
        if self.intake.buffer.is_empty() && !patience.within(deadlines.idle, self.fill()).await.unwrap_or(false) {
            return Ok(None);
        }
        match self.head_here()? {
            Some(head) => Ok(Some(head)),
            None => {
                patience.within(deadlines.head, self.rest_of_head()).await.unwrap_or_else(|| Err(Fault::new(FaultKind::HeadTimeout, "")))
            }
        }
    }

    /// The head, where all of it has come.
    fn head_here(&mut self) -> Result<Option<Head>, Fault> {
        let Some((head, length)) = Head::parse(&self.intake.buffer)? else {
            return if self.intake.buffer.len() > MAX_HEAD { Err(Fault::new(FaultKind::HeadTooLarge, "")) } else { Ok(None) };
        };
        self.intake.buffer.advance(length);
        self.body = BodyDecoder::new(head.framing);
        Ok(Some(head))
    }

    async fn rest_of_head(&mut self) -> Result<Option<Head>, Fault> {
        loop {
            if !self.fill().await {
                return if self.intake.buffer.is_empty() { Ok(None) } else { Err(Fault::new(FaultKind::MalformedHead, "")) };
            }
            if let Some(head) = self.head_here()? {
                return Ok(Some(head));
            }
        }
    }

    /// The whole body, up to a limit.
    ///
    /// # Errors
    /// [`FaultKind::BodyTooLarge`], [`FaultKind::BodyTimeout`], [`FaultKind::BodyIncomplete`] and [`FaultKind::BadChunk`].
    pub async fn whole_body(&mut self, limit: usize, deadlines: &Deadlines) -> Result<Bytes, Fault> {
        let reading = async {
            let mut whole = BytesMut::new();
            while let Some(piece) = self.piece().await? {
                if whole.len() + piece.len() > limit {
                    return Err(Fault::new(FaultKind::BodyTooLarge, ""));
                }
                whole.extend_from_slice(&piece);
            }
            Ok(whole.freeze())
        };
        timeout(deadlines.body, reading).await.unwrap_or(Err(Fault::new(FaultKind::BodyTimeout, "")))
    }

    /// The next piece of the body; `None` at its end.
    async fn piece(&mut self) -> Result<Option<Bytes>, Fault> {
        loop {
            match self.body.next(&mut self.intake.buffer).map_err(|kind| Fault::new(kind, ""))? {
                Piece::Data(data) => return Ok(Some(data)),
                Piece::End => return Ok(None),
                Piece::Pending => {
                    if !self.fill().await {
                        return Err(Fault::new(FaultKind::BodyIncomplete, ""));
                    }
                }
            }
        }
    }

    /// Sends the body on as it comes, or as an inspection releases it; a body that breaks off is never ended.
    /// What went is counted as it goes.
    ///
    /// # Errors
    /// What the inspection found, a body that is too large, and one that broke off: it is never ended upstream then.
    pub async fn pump(&mut self, upload: Upload<'_>, sent: &mut Uploaded) -> Result<(), Refusal> {
        let Upload { mut to, inspection, most } = upload;
        let passed = match inspection {
            Some(inspection) => self.pass_inspected(&mut to, inspection, most, sent).await,
            None => self.pass(&mut to, most, sent).await,
        };
        match passed {
            Ok(()) => {
                if to.end().await.is_ok() {
                    sent.end();
                }
                Ok(())
            }
            Err(Stop::EngineGone) => Ok(()), // its reply, if it gave one, says why
            Err(Stop::Refused(refusal)) => Err(refusal),
        }
    }

    async fn pass(&mut self, to: &mut Sending<'_>, mut left: u64, sent: &mut Uploaded) -> Result<(), Stop> {
        while let Some(piece) = self.piece().await? {
            left = left.checked_sub(piece.len() as u64).ok_or_else(upload_too_large)?;
            sent.piece(&piece);
            to.piece(&piece).await.map_err(|_| Stop::EngineGone)?;
        }
        Ok(())
    }

    async fn pass_inspected(
        &mut self,
        to: &mut Sending<'_>,
        mut inspection: Inspection<'_>,
        mut left: u64,
        sent: &mut Uploaded,
    ) -> Result<(), Stop> {
        while let Some(piece) = self.piece().await? {
            left = left.checked_sub(piece.len() as u64).ok_or_else(upload_too_large)?;
            inspection.push(piece)?;
            while let Some(piece) = inspection.released() {
                sent.piece(&piece);
                to.piece(&piece).await.map_err(|_| Stop::EngineGone)?;
            }
        }
        inspection.end()?;
        Ok(())
    }

    /// Resolves when the client closes its side; bytes of a next request stay in the buffer, and where they fill it
    /// nothing more is watched.
    pub async fn closed(&mut self) {
        while self.intake.buffer.len() < MAX_AHEAD {
            if !self.fill().await {
                return;
            }
        }
        std::future::pending::<()>().await;
    }

    /// Resolves when a client that closed its side has closed the other one too, or has waited so long.
    pub async fn given_up(&self, patience: Duration) {
        let _gone_or_waited = timeout(patience, self.reader.gone()).await;
    }

    /// True where the body of the current request has been read to its end.
    pub fn body_ended(&self) -> bool {
        self.body.ended()
    }

    /// Reads and forgets what the client still sends, so that it can read the answer before the connection closes.
    pub async fn discard(&mut self, limit: usize, patience: Duration) {
        let mut left = limit;
        let reading = async {
            while left > 0 {
                self.intake.buffer.clear();
                self.intake.rest();
                if !self.fill().await {
                    return;
                }
                left = left.saturating_sub(self.intake.buffer.len());
            }
        };
        let _elapsed = timeout(patience, reading).await;
    }

    /// The reader and what was read ahead, for a tunnel.
    pub fn parts(&mut self) -> (&mut ReadSide<'s>, BytesMut) {
        (&mut self.reader, std::mem::take(&mut self.intake.buffer))
    }

    /// Reads once; false at the end of the stream or where it broke.
    async fn fill(&mut self) -> bool {
        self.intake.fill(&mut self.reader).await.is_ok_and(|read| read > 0)
    }
}

#[cfg(test)]
mod tests;
