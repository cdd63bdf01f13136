//! Requests as they come in: heads and bodies.
//! It must not know what any request means.

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;

use super::Seen;

/// The longest head, and the most that is read ahead of a stream.
pub(super) const MOST_HEAD: usize = 64 * 1024;
const MOST_BODY_KEPT: usize = 8 << 20;

/// Why nothing more is read from a connection.
pub(super) enum Stop {
    Gone,
    Bad(&'static str),
}

impl From<std::io::Error> for Stop {
    fn from(_: std::io::Error) -> Self {
        Self::Gone
    }
}

/// A connection, and what was read ahead of it.
pub(super) struct Conn {
    pub(super) stream: UnixStream,
    pub(super) buffer: BytesMut,
}

/// Facts of a head that decide how to read the body and write the reply.
pub(super) struct Frame {
    pub(super) length: Option<u64>,
    pub(super) chunked: bool,
    pub(super) expect: bool,
    pub(super) close: bool,
    pub(super) old: bool,
    pub(super) upgrade: bool,
}

async fn more(conn: &mut Conn) -> Result<(), Stop> {
    if conn.stream.read_buf(&mut conn.buffer).await? == 0 {
        return Err(if conn.buffer.is_empty() { Stop::Gone } else { Stop::Bad("unexpected end of the request") });
    }
    Ok(())
}

pub(super) async fn read_head(conn: &mut Conn) -> Result<(Seen, Frame), Stop> {
    loop {
        if let Some((length, seen, frame)) = parse_head(&conn.buffer)? {
            conn.buffer.advance(length);
            return Ok((seen, frame));
        }
        if conn.buffer.len() > MOST_HEAD {
            return Err(Stop::Bad("the request head is too long"));
        }
        more(conn).await?;
    }
}

fn parse_head(buffer: &[u8]) -> Result<Option<(usize, Seen, Frame)>, Stop> {
    let mut headers = [httparse::EMPTY_HEADER; 100];
    let mut parsed = httparse::Request::new(&mut headers);
    let length = match parsed.parse(buffer) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(_) => return Err(Stop::Bad("malformed request head")),
    };
    let (Some(method), Some(target), Some(minor)) = (parsed.method, parsed.path, parsed.version) else {
        return Err(Stop::Bad("malformed request head"));
    };
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    let headers: Vec<_> = parsed.headers.iter().map(|header| (header.name.to_owned(), text(header.value))).collect();
    let frame = framing(&headers, minor == 0)?;
    let seen = Seen { method: method.to_owned(), target: target.to_owned(), headers, body: Vec::new() };
    Ok(Some((length, seen, frame)))
}

fn framing(headers: &[(String, String)], old: bool) -> Result<Frame, Stop> {
    let mut frame = Frame { length: None, chunked: false, expect: false, close: old, old, upgrade: false };
    for (name, value) in headers {
        let value = value.trim().to_ascii_lowercase();
        match name.to_ascii_lowercase().as_str() {
            "content-length" => match value.parse() {
                Ok(length) if frame.length.is_none() => frame.length = Some(length),
                _ => return Err(Stop::Bad("bad Content-Length")),
            },
            "transfer-encoding" if value == "chunked" && !frame.chunked => frame.chunked = true,
            "transfer-encoding" => return Err(Stop::Bad("bad Transfer-Encoding")),
            "expect" => frame.expect = value == "100-continue",
            "connection" => frame.close = (old && !value.contains("keep-alive")) || value.contains("close"),
            "upgrade" => frame.upgrade = value == "tcp",
            _ => {}
        }
    }
    if frame.chunked && frame.length.is_some() {
        return Err(Stop::Bad("Content-Length beside Transfer-Encoding"));
    }
    Ok(frame)
}

pub(super) async fn read_body(conn: &mut Conn, frame: &Frame) -> Result<Vec<u8>, Stop> {
    let mut body = Vec::new();
    if !frame.chunked {
        take(conn, frame.length.unwrap_or(0), &mut body).await?;
        return Ok(body);
    }
    loop {
        let size = match httparse::parse_chunk_size(&conn.buffer) {
            Ok(httparse::Status::Complete((length, size))) => {
                conn.buffer.advance(length);
                size
            }
            Ok(httparse::Status::Partial) if conn.buffer.len() < MOST_HEAD => {
                more(conn).await?;
                continue;
            }
            _ => return Err(Stop::Bad("malformed chunk")),
        };
        if size == 0 {
            return skip_trailers(conn).await.map(|()| body);
        }
        take(conn, size, &mut body).await?;
        if !line(conn).await?.is_empty() {
            return Err(Stop::Bad("malformed chunk"));
        }
    }
}

/// Consumes exactly `size` bytes and keeps what the bound allows.
async fn take(conn: &mut Conn, mut size: u64, body: &mut Vec<u8>) -> Result<(), Stop> {
    while size > 0 {
        if conn.buffer.is_empty() {
            more(conn).await.map_err(|_| Stop::Gone)?;
        }
        let part = conn.buffer.len().min(usize::try_from(size).unwrap_or(usize::MAX));
        let part = conn.buffer.split_to(part);
        size = size.saturating_sub(part.len() as u64);
        body.extend(part.iter().take(MOST_BODY_KEPT.saturating_sub(body.len())));
    }
    Ok(())
}

async fn skip_trailers(conn: &mut Conn) -> Result<(), Stop> {
    for _ in 0..100 {
        if line(conn).await?.is_empty() {
            return Ok(());
        }
    }
    Err(Stop::Bad("too many trailers"))
}

async fn line(conn: &mut Conn) -> Result<Bytes, Stop> {
    loop {
        if let Some(at) = conn.buffer.windows(2).position(|pair| pair == b"\r\n") {
            let line = conn.buffer.split_to(at).freeze();
            conn.buffer.advance(2);
            return Ok(line);
        }
        if conn.buffer.len() > MOST_HEAD {
            return Err(Stop::Bad("malformed chunk"));
        }
        more(conn).await?;
    }
}

pub(super) fn pair(pair: &str) -> (String, String) {
    let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
    (decoded(key, true), decoded(value, true))
}

/// Percent-decoding; in a query `+` is a space. A bad escape stays as it is.
pub(super) fn decoded(text: &str, query: bool) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.as_bytes();
    while let [first, rest @ ..] = bytes {
        bytes = rest;
        let escape = rest.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        let escape = escape.and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match (first, escape) {
            (b'%', Some(byte)) => {
                out.push(byte);
                bytes = rest.get(2..).unwrap_or_default();
            }
            (b'+', _) if query => out.push(b' '),
            (byte, _) => out.push(*byte),
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}
