//! The engine's own HTTP/1 server: replies, streams and hijacked connections over a unix socket.
//! It must not know what any request means.

use bytes::{Bytes, BytesMut};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::mpsc;

use super::read::{Conn, Frame, MOST_HEAD, Stop, decoded, pair, read_body, read_head};
use super::toys::{Chunk, Input};
use super::{Engine, routes};

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
