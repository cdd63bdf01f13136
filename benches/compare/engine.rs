//! A mock engine: answers as Docker 28 does, byte for byte the same each time, and with as little work as possible.
//! Knows nothing of who asks.
//!
//! `/containers/ID/logs` answers without end in chunks of 32 KiB, or of 4 KiB where the id is `small`; `/images/create` writes a line
//! of progress each millisecond, which begins with the time; `/events` is silent; attach and exec start echo.

use std::io;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

use super::answers::Answers;
use super::wire::{BULK, Head, USUAL, Wire, now};

/// The time between two lines of progress.
const TICK: Duration = Duration::from_millis(1);

/// What a request is answered with.
#[derive(Clone)]
enum Reply {
    Bytes(Rc<[u8]>),
    Log { chunk: usize },
    Ticks,
    Silence,
    Echo,
}

/// Serves until the process ends.
pub async fn serve(socket: &Path) -> io::Result<()> {
    let listener = UnixListener::bind(socket)?;
    let answers = Rc::new(Answers::new());
    loop {
        let (stream, _) = listener.accept().await?;
        let answers = Rc::clone(&answers);
        tokio::task::spawn_local(async move {
            // A proxy that goes away is no news.
            let _gone = connection(stream, &answers).await;
        });
    }
}

async fn connection(stream: UnixStream, answers: &Answers) -> io::Result<()> {
    let mut wire = Wire::new(stream, USUAL);
    let mut last: Option<(Rc<Head>, Reply)> = None;
    while let Some(head) = wire.head().await? {
        wire.body(head.framing, |_| ()).await?;
        let reply = match &last {
            Some((known, reply)) if Rc::ptr_eq(known, &head) => reply.clone(),
            _ => route(&head, answers),
        };
        match &reply {
            Reply::Bytes(bytes) => wire.send(bytes).await?,
            Reply::Log { chunk } => return log(wire, answers, *chunk).await,
            Reply::Ticks => return ticks(wire, answers).await,
            Reply::Silence => return silence(wire, answers).await,
            Reply::Echo => return echo(wire, answers).await,
        }
        if head.closes {
            break;
        }
        last = Some((head, reply));
    }
    Ok(())
}

/// A head that is the same as the one before is not looked at again.
fn route(head: &Head, answers: &Answers) -> Reply {
    let mut words = head.start.split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty() && !part.starts_with("v1.")).collect();
    let bytes = |bytes: &Rc<[u8]>| Reply::Bytes(Rc::clone(bytes));
    match (method, parts.as_slice()) {
        ("GET", ["_ping"]) => bytes(&answers.ping),
        ("HEAD", ["_ping"]) => bytes(&answers.ping_head),
        ("GET", ["version"]) => bytes(&answers.version),
        ("GET", ["info"]) => bytes(&answers.info),
        ("GET", ["containers", "json"]) if query.contains("all=1") => bytes(&answers.long_list),
        ("GET", ["containers", "json"]) => bytes(&answers.list),
        ("GET", ["containers", _, "json"]) => bytes(&answers.container),
        ("GET", ["containers", id, "logs"]) => Reply::Log { chunk: if *id == "small" { 4 << 10 } else { 32 << 10 } },
        ("GET", ["events"]) => Reply::Silence,
        ("POST", ["images", "create"]) => Reply::Ticks,
        ("POST", ["containers", "create"]) => bytes(&answers.created),
        ("POST", ["images", "load"]) => bytes(&answers.loaded),
        ("POST", ["containers", _, "attach"] | ["exec", _, "start"]) => Reply::Echo,
        _ => bytes(&answers.nothing),
    }
}

async fn log(mut wire: Wire, answers: &Answers, chunk: usize) -> io::Result<()> {
    wire.send(&answers.log_head).await?;
    let piece = chunk_of(&vec![b'x'; chunk]);
    loop {
        wire.send(&piece).await?;
    }
}

async fn ticks(mut wire: Wire, answers: &Answers) -> io::Result<()> {
    wire.send(&answers.json_stream_head).await?;
    let mut clock = tokio::time::interval(TICK);
    loop {
        clock.tick().await;
        let rest = r#"{"status":"Downloading","progressDetail":{"current":12345678,"total":99999999},"id":"abcdef012345"}"#;
        wire.send(&chunk_of(format!("{:020} {rest}\r\n", now()).as_bytes())).await?;
    }
}

fn chunk_of(payload: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", payload.len()).as_bytes(), payload, b"\r\n"].concat()
}

async fn silence(mut wire: Wire, answers: &Answers) -> io::Result<()> {
    wire.send(&answers.json_stream_head).await?;
    while wire.fill().await? {
        wire.rest();
    }
    Ok(())
}

async fn echo(mut wire: Wire, answers: &Answers) -> io::Result<()> {
    wire.send(&answers.upgraded).await?;
    let early = wire.rest().to_vec();
    wire.send(&early).await?;
    let mut stream = wire.into_stream();
    // Thousands of idle tunnels must not cost the mock what they may not cost the proxy.
    let mut buffer = Vec::with_capacity(512);
    while stream.read_buf(&mut buffer).await? > 0 {
        stream.write_all(&buffer).await?;
        if buffer.len() == buffer.capacity() && buffer.len() < BULK {
            buffer = Vec::with_capacity(BULK);
        }
        buffer.clear();
    }
    Ok(())
}
