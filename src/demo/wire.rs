//! The engine's own HTTP/1 server: heads, bodies, replies, streams and hijacked connections over a unix socket.
//! It must not know what any request means.

use bytes::{Buf, Bytes, BytesMut};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::mpsc;

use super::toys::{Chunk, Input};
use super::{Engine, Seen, routes};

const MOST_HEAD: usize = 64 * 1024;
const MOST_BODY_KEPT: usize = 8 << 20;

/// A whole request; of a body above 8 MiB only its beginning is kept.
pub(super) struct Request {
    pub(super) method: String,
    pub(super) segments: Vec<String>,
    pub(super) query: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Request {
    /// The first value of a query key, or an empty string.
    pub(super) fn arg(&self, key: &str) -> &str {
        self.query.iter().find(|(name, _)| name == key).map_or("", |(_, value)| value)
    }

    /// A query key read as the engine reads booleans.
    pub(super) fn flag(&self, key: &str) -> bool {
        !matches!(self.arg(key).to_ascii_lowercase().as_str(), "" | "0" | "no" | "false" | "none")
    }

    /// The body as a JSON object; an empty body is an empty object.
    pub(super) fn json(&self) -> Result<Value, Fail> {
        if self.body.is_empty() {
            return Ok(json!({}));
        }
        match serde_json::from_slice(&self.body) {
            Ok(Value::Null) => Ok(json!({})),
            Ok(value @ Value::Object(_)) => Ok(value),
            Ok(_) => Err(Fail(400, "invalid JSON: not an object".to_owned())),
            Err(error) => Err(Fail(400, format!("invalid JSON: {error}"))),
        }
    }
}

/// An error reply: status and message.
#[derive(Debug)]
pub(super) struct Fail(pub(super) u16, pub(super) String);

/// What a route answers.
pub(super) enum Reply {
    Full { status: u16, kind: &'static str, body: Bytes },
    Stream { kind: &'static str, chunks: mpsc::Receiver<Bytes> },
    Tunnel(Session),
}

impl Reply {
    pub(super) fn json(status: u16, value: &Value) -> Self {
        Self::Full { status, kind: "application/json", body: Bytes::from(format!("{value}\n")) }
    }

    pub(super) fn empty(status: u16) -> Self {
        Self::Full { status, kind: "", body: Bytes::new() }
    }

    /// A chunked reply written by its own task, which ends when the client is gone.
    pub(super) fn stream<W, F>(kind: &'static str, write: W) -> Self
    where
        W: FnOnce(mpsc::Sender<Bytes>) -> F,
        F: Future<Output = ()> + Send + 'static,
    {
        let (to_client, chunks) = mpsc::channel(16);
        let gone = to_client.clone();
        let write = write(to_client);
        tokio::spawn(async move {
            tokio::select! {
                () = write => {}
                () = gone.closed() => {}
            }
        });
        Self::Stream { kind, chunks }
    }
}

/// A hijacked connection: what to write, and where to send what the client writes.
pub(super) struct Session {
    pub(super) replay: Vec<Chunk>,
    pub(super) output: mpsc::Receiver<Chunk>,
    pub(super) streams: Vec<u8>,
    pub(super) stdin: Option<mpsc::Sender<Input>>,
    pub(super) eof_closes: bool,
    pub(super) tty: bool,
}

/// The engine's content type for container output.
pub(super) fn output_kind(tty: bool) -> &'static str {
    if tty { "application/vnd.docker.raw-stream" } else { "application/vnd.docker.multiplexed-stream" }
}

/// Output as it goes on the wire: raw for a terminal, else behind the 8-byte header (stream, three zeros, length).
pub(super) fn framed(stream: u8, data: &[u8], tty: bool) -> Bytes {
    if tty {
        return Bytes::copy_from_slice(data);
    }
    let length = u32::try_from(data.len()).unwrap_or(u32::MAX);
    let mut frame = vec![stream, 0, 0, 0];
    frame.extend_from_slice(&length.to_be_bytes());
    frame.extend_from_slice(data);
    Bytes::from(frame)
}

enum Stop {
    Gone,
    Bad(&'static str),
}

impl From<std::io::Error> for Stop {
    fn from(_: std::io::Error) -> Self {
        Self::Gone
    }
}

struct Conn {
    stream: UnixStream,
    buffer: BytesMut,
}

/// Facts of a head that decide how to read the body and write the reply.
struct Frame {
    length: Option<u64>,
    chunked: bool,
    expect: bool,
    close: bool,
    old: bool,
    upgrade: bool,
}

/// Serves one connection until it closes, is hijacked or sends nonsense.
pub(super) async fn connection(engine: Engine, stream: UnixStream) {
    let mut conn = Conn { stream, buffer: BytesMut::with_capacity(4096) };
    loop {
        match exchange(&engine, &mut conn).await {
            Ok(Next::Request) => {}
            Ok(Next::Close) | Err(Stop::Gone) => return,
            Ok(Next::Tunnel(session)) => return tunnel(conn, session).await,
            Err(Stop::Bad(why)) => {
                let body = json!({ "message": why }).to_string();
                let head = head(400, "application/json", &[("Content-Length", &body.len().to_string()), ("Connection", "close")]);
                let _ = conn.stream.write_all((head + &body).as_bytes()).await;
                return;
            }
        }
    }
}

enum Next {
    Request,
    Close,
    Tunnel(Session),
}

async fn exchange(engine: &Engine, conn: &mut Conn) -> Result<Next, Stop> {
    let (seen, frame) = read_head(conn).await?;
    let (method, target) = (seen.method.clone(), seen.target.clone());
    let number = engine.note(seen);
    if frame.expect {
        conn.stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
    }
    let body = read_body(conn, &frame).await?;
    engine.note_body(number, &body);
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let request = Request {
        method,
        segments: path.split('/').skip(1).map(|part| decoded(part, false)).collect(),
        query: query.split('&').filter(|pair| !pair.is_empty()).map(pair).collect(),
        body,
    };
    let reply = routes::route(engine, &request).await;
    let reply = reply.unwrap_or_else(|Fail(status, message)| Reply::json(status, &json!({ "message": message })));
    write_reply(conn, reply, &frame, request.method == "HEAD").await
}

async fn more(conn: &mut Conn) -> Result<(), Stop> {
    if conn.stream.read_buf(&mut conn.buffer).await? == 0 {
        return Err(if conn.buffer.is_empty() { Stop::Gone } else { Stop::Bad("unexpected end of the request") });
    }
    Ok(())
}

async fn read_head(conn: &mut Conn) -> Result<(Seen, Frame), Stop> {
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

async fn read_body(conn: &mut Conn, frame: &Frame) -> Result<Vec<u8>, Stop> {
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

fn pair(pair: &str) -> (String, String) {
    let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
    (decoded(key, true), decoded(value, true))
}

/// Percent-decoding; in a query `+` is a space. A bad escape stays as it is.
fn decoded(text: &str, query: bool) -> String {
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

fn head(status: u16, kind: &str, headers: &[(&str, &str)]) -> String {
    let reason = match status {
        101 => "UPGRADED",
        200 => "OK",
        201 => "Created",
        204 => "No Content",
        304 => "Not Modified",
        400 => "Bad Request",
        404 => "Not Found",
        409 => "Conflict",
        _ => "Internal Server Error",
    };
    let mut head = format!("HTTP/1.1 {status} {reason}\r\n");
    let kind = (!kind.is_empty()).then_some(("Content-Type", kind));
    for (name, value) in kind.iter().chain(headers) {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if status != 101 {
        head.push_str(&format!(
            "Api-Version: {}\r\nDocker-Experimental: false\r\nOstype: linux\r\nServer: Docker/28.0.0 (linux)\r\nBuilder-Version: 1\r\nSwarm: inactive\r\n",
            routes::API_VERSION
        ));
    }
    head + "\r\n"
}

async fn write_reply(conn: &mut Conn, reply: Reply, frame: &Frame, is_head: bool) -> Result<Next, Stop> {
    let connection: &[_] = if frame.close { &[("Connection", "close")] } else { &[] };
    match reply {
        Reply::Full { status, kind, body } => {
            let length = body.len().to_string();
            let mut headers = connection.to_vec();
            if status != 204 && status != 304 {
                headers.push(("Content-Length", &length));
            }
            conn.stream.write_all(head(status, kind, &headers).as_bytes()).await?;
            if !is_head {
                conn.stream.write_all(&body).await?;
            }
        }
        Reply::Stream { kind, chunks } => {
            let mut headers = connection.to_vec();
            if !frame.old {
                headers.push(("Transfer-Encoding", "chunked"));
            }
            conn.stream.write_all(head(200, kind, &headers).as_bytes()).await?;
            write_chunks(conn, chunks, frame.old).await?;
        }
        Reply::Tunnel(session) => {
            let (status, headers): (_, &[_]) =
                if frame.upgrade { (101, &[("Connection", "Upgrade"), ("Upgrade", "tcp")]) } else { (200, &[]) };
            conn.stream.write_all(head(status, output_kind(session.tty), headers).as_bytes()).await?;
            return Ok(Next::Tunnel(session));
        }
    }
    Ok(if frame.close { Next::Close } else { Next::Request })
}

async fn write_chunks(conn: &mut Conn, mut chunks: mpsc::Receiver<Bytes>, old: bool) -> Result<(), Stop> {
    loop {
        let room = conn.buffer.len() < MOST_HEAD;
        let chunk = tokio::select! {
            chunk = chunks.recv() => chunk,
            // a client that hangs up ends the stream; what it pipelines is kept
            read = conn.stream.read_buf(&mut conn.buffer), if room => match read? {
                0 => return Err(Stop::Gone),
                _ => continue,
            },
        };
        match chunk {
            Some(data) if data.is_empty() => {}
            Some(data) if old => conn.stream.write_all(&data).await?,
            Some(data) => {
                let mut framed = format!("{:x}\r\n", data.len()).into_bytes();
                framed.extend_from_slice(&data);
                framed.extend_from_slice(b"\r\n");
                conn.stream.write_all(&framed).await?;
            }
            None if old => return Ok(()),
            None => return Ok(conn.stream.write_all(b"0\r\n\r\n").await?),
        }
    }
}

/// Relays a hijacked connection until the program ends or the client is gone; a half-close is the program's end of input.
async fn tunnel(conn: Conn, session: Session) {
    let Conn { stream, buffer } = conn;
    let Session { replay, mut output, streams, stdin, eof_closes, tty } = session;
    let (mut reader, mut writer) = stream.into_split();
    let input = async {
        let mut data = buffer;
        loop {
            if !data.is_empty()
                && let Some(stdin) = &stdin
            {
                // a program that has ended reads nothing more
                let _ = stdin.send(Input::Data(data.split().freeze())).await;
            }
            data.clear();
            data.reserve(16 * 1024);
            match reader.read_buf(&mut data).await {
                Ok(0) | Err(_) => break,
                Ok(_) => {}
            }
        }
        if let Some(stdin) = stdin.as_ref().filter(|_| eof_closes) {
            let _ = stdin.send(Input::Eof).await;
        }
        std::future::pending::<()>().await;
    };
    let write = async {
        for chunk in replay {
            if streams.contains(&chunk.stream) {
                writer.write_all(&framed(chunk.stream, &chunk.data, tty)).await?;
            }
        }
        while let Some(chunk) = output.recv().await {
            if streams.contains(&chunk.stream) {
                writer.write_all(&framed(chunk.stream, &chunk.data, tty)).await?;
            }
        }
        writer.shutdown().await
    };
    tokio::select! {
        () = input => {}
        // the client may be gone: nothing is left to do for it
        _ = write => {}
    }
    // unread input would turn the close into a reset that the client sees instead of the end
    let mut rest = [0; 4096];
    while reader.try_read(&mut rest).is_ok_and(|count| count > 0) {}
}
