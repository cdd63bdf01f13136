//! Clients that ask one thing again and again.
//! Knows nothing of what is asked.

use std::io;
use std::path::PathBuf;

use super::super::wire::{USUAL, Wire, now};
use super::window::Window;
use super::{Reuse, closed, connect, unexpected};

/// One client, with one request at a time; a connection of its own is part of a request where none is kept.
pub async fn client(socket: PathBuf, request: String, expected: u16, reuse: Reuse, window: Window) -> io::Result<()> {
    let mut kept: Option<Wire> = None;
    loop {
        let begin = now();
        let mut wire = match kept.take() {
            Some(wire) => wire,
            None => Wire::new(connect(&socket).await?, USUAL),
        };
        wire.send(request.as_bytes()).await?;
        let head = wire.head().await?.ok_or_else(closed)?;
        if head.status != expected {
            return Err(unexpected(&head.start));
        }
        wire.body(head.framing, |_| ()).await?;
        window.request(now() - begin);
        kept = (reuse == Reuse::KeepAlive && !head.closes).then_some(wire);
    }
}
