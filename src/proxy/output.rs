//! The client's side of a connection, written: reply heads and bodies.
//! Knows nothing of where a reply comes from.

use std::fmt::Write as _;
use std::io::{self, IoSlice};

use bytes::{Bytes, BytesMut};
use http::StatusCode;
use tokio::io::AsyncWriteExt;

use crate::docker::head::Http;

use super::spare::{self, Room};
use super::stream::WriteSide;

/// What is gathered in one buffer before it is written; a larger piece is written from where it stands.
const GATHERED: usize = spare::USUAL;

/// The writing half of a client's connection. What is here already goes out with one write; nothing is held back to wait for more.
pub struct Output<'s> {
    writer: WriteSide<'s>,
    begun: bool,
    head_only: bool,
    /// A connection that has nothing to write holds none.
    gathered: BytesMut,
}

/// How the end of a reply's body shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplyFraming {
    /// There is no body (HEAD, 204, 304), whatever Content-Length says.
    Bodyless,
    /// By Content-Length.
    Length(u64),
    /// By the last chunk.
    Chunked,
    /// By the end of the connection: HTTP/1.0 clients and tunnels.
    Close,
}

/// A reply's head.
pub struct ReplyHead<'a> {
    /// The status.
    pub status: StatusCode,
    /// End-to-end header lines, each with its end.
    pub fields: &'a [u8],
    /// Content-Type.
    pub content_type: Option<&'a [u8]>,
    /// Content-Length where there is no body that would have it.
    pub length: Option<u64>,
    /// The record's id.
    pub reference: &'a str,
    /// The framing.
    pub framing: ReplyFraming,
    /// Whether the connection goes on afterwards.
    pub keep_alive: bool,
}

impl<'a> ReplyHead<'a> {
    /// The head of a reply of dockgate's own, in JSON.
    pub fn json(status: StatusCode, reference: &'a str, framing: ReplyFraming, keep_alive: bool) -> Self {
        Self { status, fields: b"", content_type: Some(b"application/json"), length: None, reference, framing, keep_alive }
    }
}

impl<'s> Output<'s> {
    /// Writes to a fresh connection.
    pub fn new(writer: WriteSide<'s>) -> Self {
        Self { writer, begun: false, head_only: false, gathered: BytesMut::new() }
    }

    /// A new request: no byte of its reply is written yet. A reply to HEAD has no body, whoever writes it.
    pub fn next_request(&mut self, head_only: bool) {
        self.begun = false;
        self.head_only = head_only;
        self.emptied();
    }

    /// True where a head was written: from there on an error can only close the connection.
    pub fn begun(&self) -> bool {
        self.begun
    }

    /// `100 Continue`.
    ///
    /// # Errors
    /// The connection's.
    pub async fn go_on(&mut self) -> io::Result<()> {
        self.writer.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
        self.writer.flush().await
    }

    /// The head of a reply; it goes out with what follows, at the latest with [`Output::flush`].
    pub fn head(&mut self, head: &ReplyHead<'_>) {
        render(head, self.gathered());
    }

    /// A whole small reply in one write.
    ///
    /// # Errors
    /// The connection's.
    pub async fn whole(&mut self, head: &ReplyHead<'_>, body: &[u8]) -> io::Result<()> {
        self.head(head);
        if !self.head_only {
            self.gathered().extend_from_slice(body);
        }
        self.flush().await
    }

    /// A piece of a body; a small one goes out with what follows.
    ///
    /// # Errors
    /// The connection's.
    pub async fn piece(&mut self, framing: ReplyFraming, piece: &Bytes) -> io::Result<()> {
        if piece.is_empty() || framing == ReplyFraming::Bodyless {
            return Ok(());
        }
        let chunked = framing == ReplyFraming::Chunked;
        if chunked {
            let _cannot_fail = write!(self.gathered(), "{:x}\r\n", piece.len());
        }
        if self.gathered.len() + piece.len() > GATHERED {
            self.through(piece).await?;
        } else {
            self.gathered().extend_from_slice(piece);
        }
        if chunked {
            self.gathered().extend_from_slice(b"\r\n");
        }
        Ok(())
    }

    /// The end of a body that ended well, and everything before it.
    ///
    /// # Errors
    /// The connection's.
    pub async fn end(&mut self, framing: ReplyFraming) -> io::Result<()> {
        if framing == ReplyFraming::Chunked {
            self.gathered().extend_from_slice(b"0\r\n\r\n");
        }
        self.flush().await
    }

    /// Writes what was gathered.
    ///
    /// # Errors
    /// The connection's.
    pub async fn flush(&mut self) -> io::Result<()> {
        if !self.gathered.is_empty() {
            self.begun = true;
            self.writer.write_all(&self.gathered).await?;
            self.emptied();
        }
        self.writer.flush().await
    }

    /// Ends a connection on which nothing is left to say: closing it says so, but for TLS, which has a word of its own.
    pub async fn leave(&mut self) {
        if matches!(self.writer, WriteSide::Tls(_)) {
            self.shutdown().await;
        }
    }

    /// Closes this direction.
    pub async fn shutdown(&mut self) {
        let _already_gone = self.writer.shutdown().await;
    }

    /// The writer, for a tunnel.
    pub fn writer(&mut self) -> &mut WriteSide<'s> {
        &mut self.writer
    }

    /// Writes what was gathered and a large piece after it.
    async fn through(&mut self, piece: &[u8]) -> io::Result<()> {
        self.begun = true;
        let mut slices = [IoSlice::new(&self.gathered), IoSlice::new(piece)];
        let mut left = slices.as_mut_slice();
        IoSlice::advance_slices(&mut left, 0); // nothing may have been gathered
        while !left.is_empty() {
            let written = self.writer.write_vectored(left).await?;
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            IoSlice::advance_slices(&mut left, written);
        }
        self.emptied();
        Ok(())
    }

    fn gathered(&mut self) -> &mut BytesMut {
        if self.gathered.capacity() == 0 {
            self.gathered = spare::take(Room::Usual);
        }
        &mut self.gathered
    }

    fn emptied(&mut self) {
        spare::give(std::mem::take(&mut self.gathered));
    }
}

fn render(head: &ReplyHead<'_>, out: &mut BytesMut) {
    let reason = head.status.canonical_reason().unwrap_or("Unknown");
    for part in ["HTTP/1.1 ", head.status.as_str(), " ", reason, "\r\n"] {
        out.extend_from_slice(part.as_bytes());
    }
    out.extend_from_slice(head.fields);
    if let Some(content_type) = head.content_type {
        [b"Content-Type: ", content_type, b"\r\n"].into_iter().for_each(|part| out.extend_from_slice(part));
    }
    let length = match head.framing {
        ReplyFraming::Length(length) => Some(length),
        ReplyFraming::Bodyless => head.length,
        ReplyFraming::Chunked | ReplyFraming::Close => None,
    };
    if let Some(length) = length {
        let mut digits = itoa::Buffer::new();
        ["Content-Length: ", digits.format(length), "\r\n"].into_iter().for_each(|part| out.extend_from_slice(part.as_bytes()));
    }
    if head.framing == ReplyFraming::Chunked {
        out.extend_from_slice(b"Transfer-Encoding: chunked\r\n");
    }
    if !head.keep_alive && head.status != StatusCode::SWITCHING_PROTOCOLS {
        out.extend_from_slice(b"Connection: close\r\n");
    }
    [b"Dockgate-Ref: ", head.reference.as_bytes(), b"\r\n\r\n"].into_iter().for_each(|part| out.extend_from_slice(part));
}

/// The framing of a reply: by what the engine said where it said it, by chunks or the connection's end otherwise.
pub fn framing(bodyless: bool, status: StatusCode, length: Option<u64>, http: Http) -> ReplyFraming {
    let bodyless = bodyless || status == StatusCode::NO_CONTENT || status == StatusCode::NOT_MODIFIED || status.is_informational();
    match (bodyless, length, http) {
        (true, _, _) => ReplyFraming::Bodyless,
        (false, Some(length), _) => ReplyFraming::Length(length),
        (false, None, Http::V11) => ReplyFraming::Chunked,
        (false, None, Http::V10) => ReplyFraming::Close,
    }
}
