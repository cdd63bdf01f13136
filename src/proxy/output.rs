//! The client's side of a connection, written: reply heads and bodies.
//! Knows nothing of where a reply comes from.

use std::fmt::Write as _;
use std::io::{self, IoSlice};

use bytes::Bytes;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, StatusCode};
use tokio::io::{AsyncWrite, AsyncWriteExt};

use crate::docker::head::Http;

/// The writing half of a client's connection.
pub struct Output<W> {
    writer: W,
    begun: bool,
    head_only: bool,
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
    /// End-to-end headers of the engine.
    pub headers: &'a HeaderMap,
    /// The record's id.
    pub reference: &'a str,
    /// The framing.
    pub framing: ReplyFraming,
    /// Whether the connection goes on afterwards.
    pub keep_alive: bool,
}

impl<W: AsyncWrite + Unpin> Output<W> {
    /// Writes to a fresh connection.
    pub fn new(writer: W) -> Self {
        Self { writer, begun: false, head_only: false }
    }

    /// A new request: no byte of its reply is written yet. A reply to HEAD has no body, whoever writes it.
    pub fn next_request(&mut self, head_only: bool) {
        self.begun = false;
        self.head_only = head_only;
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

    /// The head of a reply, at once.
    ///
    /// # Errors
    /// The connection's.
    pub async fn head(&mut self, head: &ReplyHead<'_>) -> io::Result<()> {
        self.begun = true;
        self.writer.write_all(&render(head)).await?;
        self.writer.flush().await
    }

    /// A whole small reply in one write.
    ///
    /// # Errors
    /// The connection's.
    pub async fn whole(&mut self, head: &ReplyHead<'_>, body: &[u8]) -> io::Result<()> {
        self.begun = true;
        let mut bytes = render(head);
        if !self.head_only {
            bytes.extend_from_slice(body);
        }
        self.writer.write_all(&bytes).await?;
        self.writer.flush().await
    }

    /// A piece of a body, gathered with its framing into one write.
    ///
    /// # Errors
    /// The connection's.
    pub async fn piece(&mut self, framing: ReplyFraming, piece: &Bytes) -> io::Result<()> {
        if piece.is_empty() {
            return Ok(());
        }
        match framing {
            ReplyFraming::Chunked => {
                let size = format!("{:x}\r\n", piece.len());
                self.gathered(&[size.as_bytes(), piece, b"\r\n"]).await?;
            }
            ReplyFraming::Length(_) | ReplyFraming::Close => self.writer.write_all(piece).await?,
            ReplyFraming::Bodyless => {}
        }
        self.writer.flush().await
    }

    /// The end of a body that ended well.
    ///
    /// # Errors
    /// The connection's.
    pub async fn end(&mut self, framing: ReplyFraming) -> io::Result<()> {
        if framing == ReplyFraming::Chunked {
            self.writer.write_all(b"0\r\n\r\n").await?;
        }
        self.writer.flush().await
    }

    /// Closes this direction.
    pub async fn shutdown(&mut self) {
        let _already_gone = self.writer.shutdown().await;
    }

    /// The writer, for a tunnel.
    pub fn writer(&mut self) -> &mut W {
        &mut self.writer
    }

    async fn gathered(&mut self, parts: &[&[u8]]) -> io::Result<()> {
        let mut slices: Vec<IoSlice<'_>> = parts.iter().map(|part| IoSlice::new(part)).collect();
        let mut left = slices.as_mut_slice();
        while !left.is_empty() {
            let written = self.writer.write_vectored(left).await?;
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            IoSlice::advance_slices(&mut left, written);
        }
        Ok(())
    }
}

fn render(head: &ReplyHead<'_>) -> Vec<u8> {
    let mut out = String::with_capacity(256);
    let reason = head.status.canonical_reason().unwrap_or("Unknown");
    let _infallible = write!(out, "HTTP/1.1 {} {reason}\r\n", head.status.as_u16());
    let mut bytes = out.into_bytes();
    for (name, value) in head.headers {
        line(name, value, &mut bytes);
    }
    let framing = match head.framing {
        ReplyFraming::Length(length) => format!("Content-Length: {length}\r\n"),
        ReplyFraming::Chunked => "Transfer-Encoding: chunked\r\n".to_owned(),
        ReplyFraming::Bodyless | ReplyFraming::Close => String::new(),
    };
    let upgraded = head.status == StatusCode::SWITCHING_PROTOCOLS;
    let connection = if head.keep_alive || upgraded { "" } else { "Connection: close\r\n" };
    bytes.extend_from_slice(format!("{framing}{connection}Dockgate-Ref: {}\r\n\r\n", head.reference).as_bytes());
    bytes
}

fn line(name: &HeaderName, value: &HeaderValue, out: &mut Vec<u8>) {
    for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
        out.extend_from_slice(part);
    }
}

/// The framing of a reply: by what the engine said where it said it, by chunks or the connection's end otherwise.
pub fn framing(method: &Method, status: StatusCode, length: Option<u64>, http: Http) -> ReplyFraming {
    let bodyless =
        method == Method::HEAD || status == StatusCode::NO_CONTENT || status == StatusCode::NOT_MODIFIED || status.is_informational();
    match (bodyless, length, http) {
        (true, _, _) => ReplyFraming::Bodyless,
        (false, Some(length), _) => ReplyFraming::Length(length),
        (false, None, Http::V11) => ReplyFraming::Chunked,
        (false, None, Http::V10) => ReplyFraming::Close,
    }
}
