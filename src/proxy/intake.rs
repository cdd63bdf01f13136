//! What was read from a socket and is not taken yet. One that waits for a silent peer holds no buffer.
//! Knows nothing of what the bytes mean.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::task::{Context, Poll};

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt};

use super::spare::{self, Room};

/// Who sends as little as this has no more to say for now.
const LAST: usize = 2 * 1024;
/// What a buffer may have in vain while more is waited for.
const IN_VAIN: usize = 4 * 1024;

/// A buffer that follows how much comes.
#[derive(Debug)]
pub struct Intake {
    /// What has come.
    pub buffer: BytesMut,
    room: Room,
}

impl Default for Intake {
    fn default() -> Self {
        Self { buffer: BytesMut::new(), room: Room::Usual }
    }
}

impl Intake {
    /// Begins anew with what was read ahead.
    pub fn with(buffer: BytesMut) -> Self {
        Self { buffer, room: Room::Usual }
    }

    /// Begins anew, without a buffer where nothing is left in it.
    pub fn rest(&mut self) {
        self.room = Room::Usual;
        if self.buffer.is_empty() {
            self.let_go();
        }
    }

    /// Reads once; 0 at the end of the stream.
    ///
    /// # Errors
    /// The socket's.
    pub async fn fill<R: AsyncRead + Unpin>(&mut self, reader: &mut R) -> io::Result<usize> {
        let read = poll_fn(|context| self.poll(reader, context)).await?;
        if read >= spare::USUAL {
            self.room = Room::Wide;
        } else if read < LAST {
            self.room = Room::Usual;
        }
        Ok(read)
    }

    fn poll<R: AsyncRead + Unpin>(&mut self, reader: &mut R, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        // where what came is not taken, no more than a little is read ahead of it
        let mut place = spare::take(if self.buffer.is_empty() { self.room } else { Room::Usual });
        let read = pin!(reader.read_buf(&mut place)).poll(context);
        if self.buffer.is_empty() && read.is_ready() {
            std::mem::swap(&mut self.buffer, &mut place);
        } else {
            self.buffer.extend_from_slice(&place);
        }
        spare::give(place);
        self.waits(read)
    }

    /// What is not needed while nothing comes goes to others.
    fn waits(&mut self, read: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if read.is_pending() && self.buffer.capacity() > self.buffer.len() + IN_VAIN {
            self.let_go();
        }
        read
    }

    fn let_go(&mut self) {
        let here = BytesMut::from(&self.buffer[..]); // nothing is allocated for nothing
        spare::give(std::mem::replace(&mut self.buffer, here));
    }
}

#[cfg(test)]
mod tests {
    use bytes::Buf;
    use tokio::io::AsyncWriteExt;
    use tokio::net::UnixStream;

    use super::*;

    #[tokio::test]
    async fn takes_everything_in_order_and_holds_nothing_for_a_silent_peer() {
        let (mut ours, mut theirs) = UnixStream::pair().unwrap();
        let sent: Vec<u8> = (0..3_000_000_u32).flat_map(u32::to_le_bytes).collect();
        let expected = sent.clone();
        let sending = tokio::spawn(async move {
            theirs.write_all(&sent).await.unwrap();
            theirs
        });
        let (mut intake, mut got, mut largest) = (Intake::default(), Vec::new(), 0);
        while got.len() < expected.len() {
            let read = intake.fill(&mut ours).await.unwrap();
            largest = largest.max(read);
            got.extend_from_slice(&intake.buffer);
            intake.buffer.advance(read);
        }
        assert!(got == expected);
        assert!(largest > spare::USUAL);
        let mut theirs = sending.await.unwrap();
        let silent = tokio::time::timeout(std::time::Duration::from_millis(20), intake.fill(&mut ours)).await;
        assert!(silent.is_err());
        assert!(intake.buffer.capacity() <= IN_VAIN, "{}", intake.buffer.capacity());
        theirs.write_all(b"x").await.unwrap();
        drop(theirs);
        assert_eq!((intake.fill(&mut ours).await.unwrap(), &intake.buffer[..]), (1, &b"x"[..]));
        assert_eq!(intake.fill(&mut ours).await.unwrap(), 0);
    }
}
