//! Connections that carry judged requests and dockgate's own questions to the engine: one request written, one reply read.
//! Knows nothing of clients.

mod head;
mod text;

use std::io::{self, IoSlice};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::AsyncWriteExt;

use crate::docker::chunked::{BodyDecoder, Piece};
use crate::docker::head::Framing;

use super::intake::Intake;
use super::stream::{ReadSide, Stream, WriteSide};

pub use head::Answer;
pub use text::{Unwritable, question, request};

/// The head of a reply; the engine's are under 1 KiB.
const MAX_HEAD: usize = 64 * 1024;
/// How long the engine may take nothing of a request that is judged; bodies that are relayed have no such end.
const TAKING: Duration = Duration::from_secs(60);
/// Interim answers before the final one.
const MAX_INTERIM: usize = 8;

/// A connection, and where the reply on it stands.
#[derive(Debug)]
pub struct Connection {
    stream: Stream,
    reply: Reply,
}

/// The reply that is read from a connection.
#[derive(Debug)]
pub struct Reply {
    intake: Intake,
    body: Body,
    closes: bool,
}

/// How a reply's body is cut out of the stream.
#[derive(Debug)]
enum Body {
    /// Its head has not come.
    Unknown,
    /// By its length or in chunks.
    Framed(BodyDecoder),
    /// Until the connection ends.
    Rest { ended: bool },
}

impl Connection {
    /// A connection that has just been made.
    pub fn new(stream: Stream) -> Self {
        Self { stream, reply: Reply { intake: Intake::default(), body: Body::Unknown, closes: false } }
    }

    /// Writes a request, or the head of one whose body follows.
    ///
    /// # Errors
    /// The connection's.
    pub async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let rest = bytes.get(self.stream.try_write(bytes)..).unwrap_or_default();
        if rest.is_empty() {
            return Ok(()); // nearly always: the socket's buffer is empty
        }
        let writing = async { self.stream.sides().1.write_all(rest).await };
        tokio::time::timeout(TAKING, writing).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    /// The two directions, which are used side by side while a body is sent.
    pub fn halves(&mut self, framing: Framing) -> (Receiving<'_>, Sending<'_>) {
        let (read, write) = self.stream.sides();
        (Receiving { read, reply: &mut self.reply }, Sending { write, left: framing })
    }

    /// The stream and what was read ahead, for a tunnel.
    pub fn into_parts(self) -> (Stream, BytesMut) {
        (self.stream, self.reply.intake.buffer)
    }

    /// True where the reply was read to its end, nothing came after it, and the engine did not close: another request may follow.
    pub fn is_idle(&mut self) -> bool {
        let framed = matches!(&self.reply.body, Body::Framed(decoder) if decoder.ended());
        framed && !self.reply.closes && self.reply.intake.buffer.is_empty() && self.stream.is_quiet()
    }

    /// True where an idle connection is as it was: the engine neither closed it nor sent what nobody asked for.
    pub fn is_quiet(&mut self) -> bool {
        self.stream.is_quiet()
    }

    /// Makes an idle connection ready for the next request.
    pub fn reset(&mut self) {
        self.reply.body = Body::Unknown;
        self.reply.intake.rest();
    }
}

/// The direction from the engine.
pub struct Receiving<'a> {
    read: ReadSide<'a>,
    reply: &'a mut Reply,
}

impl Receiving<'_> {
    /// The head of the final answer. `bodyless` for the answer to HEAD.
    ///
    /// # Errors
    /// A connection that ends or breaks first, a head that is too large or no HTTP/1 head, and framing that two readers may
    /// understand differently (RFC 9112 §6.3).
    pub async fn head(&mut self, bodyless: bool) -> io::Result<Answer> {
        let mut interim = 0;
        loop {
            let here = &self.reply.intake.buffer;
            let window = here.get(..here.len().min(MAX_HEAD)).unwrap_or_default();
            if let Some((answer, length)) = Answer::parse(window)? {
                self.reply.intake.buffer.advance(length);
                if answer.is_final() {
                    self.reply.body = body(answer.framing(bodyless));
                    self.reply.closes = answer.closes;
                    return Ok(answer);
                }
                interim += 1;
                if interim > MAX_INTERIM {
                    return Err(io::Error::new(io::ErrorKind::InvalidData, "the reply has too many interim answers"));
                }
            } else if window.len() == MAX_HEAD {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "the head of the reply is too large"));
            } else if !self.fill().await? {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the connection ended before the answer came"));
            }
        }
    }

    /// The next piece of the body that has come already; `None` where there is none, be it that the body has ended.
    ///
    /// # Errors
    /// Broken chunks.
    pub fn here(&mut self) -> io::Result<Option<Bytes>> {
        let Reply { intake: Intake { buffer, .. }, body, .. } = &mut *self.reply;
        match body {
            Body::Framed(decoder) => match decoder.next(buffer) {
                Ok(Piece::Data(data)) => Ok(Some(data)),
                Ok(Piece::End | Piece::Pending) => Ok(None),
                Err(_) => Err(io::Error::new(io::ErrorKind::InvalidData, "a chunk of the reply is broken")),
            },
            Body::Unknown | Body::Rest { .. } => Ok((!buffer.is_empty()).then(|| buffer.split().freeze())),
        }
    }

    /// The next piece of the body, when it has come; `None` where the body has ended. Nothing is lost where nobody waits to the end.
    ///
    /// # Errors
    /// A connection that breaks, or that ends before the body does, and broken chunks.
    pub async fn piece(&mut self) -> io::Result<Option<Bytes>> {
        loop {
            if let Some(piece) = self.here()? {
                return Ok(Some(piece));
            }
            if self.ended() {
                return Ok(None);
            }
            self.more().await?;
        }
    }

    /// The whole body, of so many bytes at most.
    ///
    /// # Errors
    /// As [`Receiving::piece`], and a body that is larger.
    pub async fn whole(&mut self, most: usize) -> io::Result<Bytes> {
        let mut whole = BytesMut::new();
        while let Some(piece) = self.piece().await? {
            if whole.len() + piece.len() > most {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "the body of the reply is too large"));
            }
            whole.extend_from_slice(&piece);
        }
        Ok(whole.freeze())
    }

    /// Waits for more of the body.
    ///
    /// # Errors
    /// A connection that breaks, or that ends before the body does.
    pub async fn more(&mut self) -> io::Result<()> {
        if self.fill().await? {
            return Ok(());
        }
        match &mut self.reply.body {
            Body::Rest { ended } => *ended = true,
            Body::Unknown | Body::Framed(_) => return Err(io::ErrorKind::UnexpectedEof.into()),
        }
        Ok(())
    }

    /// True where the body has been read to its end.
    pub fn ended(&self) -> bool {
        match &self.reply.body {
            Body::Unknown => false,
            Body::Framed(decoder) => decoder.ended(),
            Body::Rest { ended } => *ended,
        }
    }

    /// Reads once; false at the end of the stream.
    async fn fill(&mut self) -> io::Result<bool> {
        Ok(self.reply.intake.fill(&mut self.read).await? > 0)
    }
}

fn body(framing: Option<Framing>) -> Body {
    framing.map_or(Body::Rest { ended: false }, |framing| Body::Framed(BodyDecoder::new(framing)))
}

/// The direction to the engine, for a body that is relayed as it comes. A body that is dropped before [`Sending::end`] broke off:
/// its connection must be closed.
pub struct Sending<'a> {
    write: WriteSide<'a>,
    left: Framing,
}

impl Sending<'_> {
    /// Writes a piece. An empty one is nothing: as a chunk it would be the end.
    ///
    /// # Errors
    /// The connection's, and more bytes than the head announced: the engine would read them as a request.
    pub async fn piece(&mut self, piece: &[u8]) -> io::Result<()> {
        if piece.is_empty() {
            return Ok(());
        }
        if self.left != Framing::Chunked {
            let announced = if let Framing::Length(left) = self.left { left } else { 0 };
            let left = announced.checked_sub(piece.len() as u64).ok_or(io::ErrorKind::InvalidData)?;
            self.left = Framing::Length(left);
            return self.write.write_all(piece).await;
        }
        let size = format!("{:x}\r\n", piece.len());
        self.write.write_gathered(&mut [IoSlice::new(size.as_bytes()), IoSlice::new(piece), IoSlice::new(b"\r\n")]).await
    }

    /// Ends the body well.
    ///
    /// # Errors
    /// The connection's, and fewer bytes than the head announced: the engine would take the next request for the rest.
    pub async fn end(mut self) -> io::Result<()> {
        match self.left {
            Framing::Chunked => self.write.write_all(b"0\r\n\r\n").await,
            Framing::None | Framing::Length(0) => Ok(()),
            Framing::Length(_) => Err(io::ErrorKind::InvalidData.into()),
        }
    }
}

#[cfg(test)]
mod tests;
