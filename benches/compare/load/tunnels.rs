//! Hijacked connections: filled, asked one message at a time, and held.
//! Knows nothing of requests in general.

use std::cell::{Cell, RefCell};
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::super::wire::{BULK, Wire, now};
use super::window::Window;
use super::{closed, connect, unexpected};

const PIECE: usize = 32 << 10;
/// Roughly what a key press in a terminal is, with its answer.
const MESSAGE: usize = 32;
/// How many streams are opened at once, and how long one may take.
const AT_ONCE: usize = 50;
const PATIENCE: Duration = Duration::from_secs(10);

/// Opens one stream. A tunnel must have passed a byte, and what else is held its head.
async fn opened(socket: &Path, request: &str) -> io::Result<UnixStream> {
    let mut wire = Wire::new(connect(socket).await?, 512);
    wire.send(request.as_bytes()).await?;
    let head = wire.head().await?.ok_or_else(closed)?;
    let mut stream = wire.into_stream();
    match head.status {
        101 => {
            stream.write_all(b"x").await?;
            stream.read_exact(&mut [0]).await?;
        }
        200 => (),
        _ => return Err(unexpected(&head.start)),
    }
    Ok(stream)
}

/// Opens so many.
///
/// # Errors
/// When fewer could be opened.
pub async fn open(socket: &Path, request: &str, count: u32) -> io::Result<Vec<UnixStream>> {
    let (left, held) = (Rc::new(Cell::new(count)), Rc::new(RefCell::new(Vec::new())));
    let mut openers = JoinSet::new();
    for _ in 0..AT_ONCE {
        let (socket, request) = (socket.to_owned(), request.to_owned());
        let (left, held) = (Rc::clone(&left), Rc::clone(&held));
        openers.spawn_local(async move {
            while let Some(less) = left.get().checked_sub(1) {
                left.set(less);
                let stream = timeout(PATIENCE, opened(&socket, &request)).await??;
                held.borrow_mut().push(stream);
            }
            io::Result::Ok(())
        });
    }
    while let Some(done) = openers.join_next().await {
        let opened = held.borrow().len();
        done?.map_err(|error| io::Error::other(format!("after {opened} streams: {error}")))?;
    }
    Ok(held.take())
}

/// Fills a tunnel, and counts what comes back.
pub async fn echo(socket: PathBuf, request: String, window: Window) -> io::Result<()> {
    let (mut reader, mut writer) = opened(&socket, &request).await?.into_split();
    let writing = async {
        let piece = vec![b'y'; PIECE];
        loop {
            writer.write_all(&piece).await?;
        }
    };
    let reading = async {
        let mut buffer = Vec::with_capacity(BULK);
        while reader.read_buf(&mut buffer).await? > 0 {
            window.bytes(buffer.len());
            buffer.clear();
        }
        io::Result::<()>::Err(closed())
    };
    tokio::select! { done = writing => done, done = reading => done }
}

/// Sends a message, waits for it, and again.
pub async fn round_trips(mut tunnel: UnixStream, window: Window) -> io::Result<()> {
    let mut buffer = [0; MESSAGE];
    loop {
        let begin = now();
        tunnel.write_all(&[b'k'; MESSAGE]).await?;
        tunnel.read_exact(&mut buffer).await?;
        window.request(now() - begin);
    }
}
