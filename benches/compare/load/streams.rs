//! Long answers and long bodies.
//! Knows nothing of tunnels.

use std::io;
use std::path::{Path, PathBuf};

use super::super::wire::{BULK, USUAL, Wire, now};
use super::window::Window;
use super::{Framing, closed, connect, unexpected};

/// What the docker CLI sends at once of a body.
const PIECE: usize = 32 << 10;

async fn asked(socket: &Path, request: &str, room: usize) -> io::Result<(Wire, super::super::wire::Framing)> {
    let mut wire = Wire::new(connect(socket).await?, room);
    wire.send(request.as_bytes()).await?;
    let head = wire.head().await?.ok_or_else(closed)?;
    if head.status == 200 { Ok((wire, head.framing)) } else { Err(unexpected(&head.start)) }
}

/// Reads an answer that does not end.
pub async fn download(socket: PathBuf, request: String, window: Window) -> io::Result<()> {
    let (mut wire, framing) = asked(&socket, &request, BULK).await?;
    wire.body(framing, |piece| window.bytes(piece.len())).await?;
    Err(closed())
}

/// Sends one body after another.
pub async fn upload(socket: PathBuf, head: String, mib: u64, framing: Framing, window: Window) -> io::Result<()> {
    let length = mib << 20;
    let data = vec![b'x'; PIECE];
    let (line, piece, end) = match framing {
        Framing::ContentLength => (format!("Content-Length: {length}"), data, ""),
        Framing::Chunked => {
            let chunk = [format!("{PIECE:x}\r\n").as_bytes(), &data, b"\r\n"].concat();
            ("Transfer-Encoding: chunked".to_owned(), chunk, "0\r\n\r\n")
        }
    };
    let head = format!("{head}{line}\r\n\r\n");
    let mut wire = Wire::new(connect(&socket).await?, USUAL);
    loop {
        wire.send(head.as_bytes()).await?;
        for _ in 0..length / PIECE as u64 {
            wire.send(&piece).await?;
            window.bytes(PIECE);
        }
        wire.send(end.as_bytes()).await?;
        let reply = wire.head().await?.ok_or_else(closed)?;
        if reply.status != 200 {
            return Err(unexpected(&reply.start));
        }
        wire.body(reply.framing, |_| ()).await?;
        if reply.closes {
            wire = Wire::new(connect(&socket).await?, USUAL);
        }
    }
}

/// Reads lines that begin with twenty digits of time; notes how long each was on its way.
pub async fn ticks(socket: PathBuf, request: String, window: Window) -> io::Result<()> {
    let (mut wire, framing) = asked(&socket, &request, USUAL).await?;
    let mut line = Vec::with_capacity(256);
    let note = |piece: &[u8]| {
        let read = now();
        for byte in piece {
            line.push(*byte);
            if *byte == b'\n' {
                let sent = line.get(..20).and_then(|digits| std::str::from_utf8(digits).ok()?.parse::<u64>().ok());
                sent.iter().for_each(|sent| window.request(read.saturating_sub(*sent)));
                line.clear();
            }
        }
    };
    wire.body(framing, note).await?;
    Err(closed())
}
