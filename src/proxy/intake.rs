//! What was read from a socket and is not taken yet. One that waits for a silent peer holds no buffer.
//! Knows nothing of what the bytes mean.

use std::future::{Future, poll_fn};
use std::io;
use std::mem::MaybeUninit;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};

/// A read of a peer that sends little goes through the stack: heads, usual bodies, lines of progress.
pub const LITTLE: usize = 16 * 1024;
/// Who sends as little as this has no more to say for now.
const LAST: usize = 2 * 1024;
/// What a peer gets room for that has filled the stack's.
const LEAST: usize = 64 * 1024;
/// The most, when it sends faster than is taken.
const MOST: usize = 256 * 1024;
/// What an empty buffer keeps between two reads.
const KEPT: usize = 4 * 1024;

/// A buffer that follows how much comes.
#[derive(Debug)]
pub struct Intake {
    /// What has come.
    pub buffer: BytesMut,
    room: usize,
}

impl Default for Intake {
    fn default() -> Self {
        Self { buffer: BytesMut::new(), room: LITTLE }
    }
}

impl Intake {
    /// Begins anew with what was read ahead.
    pub fn with(buffer: BytesMut) -> Self {
        Self { buffer, room: LITTLE }
    }

    /// Lets go of what a long body needed.
    pub fn rest(&mut self) {
        self.room = LITTLE;
        if self.buffer.is_empty() && self.buffer.capacity() > KEPT {
            self.buffer = BytesMut::new();
        }
    }

    /// Reads once; 0 at the end of the stream.
    ///
    /// # Errors
    /// The socket's.
    pub async fn fill<R: AsyncRead + Unpin>(&mut self, reader: &mut R) -> io::Result<usize> {
        let read = poll_fn(|context| if self.room <= LITTLE { self.little(reader, context) } else { self.much(reader, context) }).await?;
        if read >= self.room {
            self.room = (self.room * 2).clamp(LEAST, MOST);
        } else if read < LAST {
            self.room = LITTLE;
        }
        Ok(read)
    }

    fn little<R: AsyncRead + Unpin>(&mut self, reader: &mut R, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut place = [MaybeUninit::uninit(); LITTLE];
        let mut read = ReadBuf::uninit(&mut place);
        ready!(Pin::new(reader).poll_read(context, &mut read))?;
        self.rest();
        self.buffer.extend_from_slice(read.filled());
        Poll::Ready(Ok(read.filled().len()))
    }

    fn much<R: AsyncRead + Unpin>(&mut self, reader: &mut R, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.buffer.reserve(self.room);
        let read = pin!(reader.read_buf(&mut self.buffer)).poll(context);
        if read.is_pending() && self.buffer.is_empty() {
            self.buffer = BytesMut::new();
        }
        read
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
        assert!(largest > LITTLE);
        let mut theirs = sending.await.unwrap();
        let silent = tokio::time::timeout(std::time::Duration::from_millis(20), intake.fill(&mut ours)).await;
        assert!(silent.is_err());
        assert!(intake.buffer.capacity() <= KEPT, "{}", intake.buffer.capacity());
        theirs.write_all(b"x").await.unwrap();
        drop(theirs);
        assert_eq!((intake.fill(&mut ours).await.unwrap(), &intake.buffer[..]), (1, &b"x"[..]));
        assert_eq!(intake.fill(&mut ours).await.unwrap(), 0);
    }
}
