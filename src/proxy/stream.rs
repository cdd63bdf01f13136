//! Connected sockets, to clients and to the engine, and their two sides, which are used side by side.
//! Knows nothing of HTTP.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, Interest, ReadBuf, ReadHalf, WriteHalf};
use tokio::net::{TcpStream, UnixStream, tcp, unix};
use tokio_rustls::TlsStream;

/// How often a peer that has ended its side is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// A connected socket.
#[derive(Debug)]
pub enum Stream {
    /// A unix socket.
    Unix(UnixStream),
    /// TCP.
    Tcp(TcpStream),
    /// TLS over TCP, whose sides share what it is encrypted with.
    Tls(Box<(ReadHalf<Secured>, WriteHalf<Secured>)>),
}

/// TLS over TCP.
pub type Secured = TlsStream<TcpStream>;

/// The side that is read.
pub enum ReadSide<'a> {
    /// Of a unix socket.
    Unix(unix::ReadHalf<'a>),
    /// Of TCP.
    Tcp(tcp::ReadHalf<'a>),
    /// Of TLS.
    Tls(&'a mut ReadHalf<Secured>),
}

/// The side that is written.
pub enum WriteSide<'a> {
    /// Of a unix socket.
    Unix(unix::WriteHalf<'a>),
    /// Of TCP.
    Tcp(tcp::WriteHalf<'a>),
    /// Of TLS.
    Tls(&'a mut WriteHalf<Secured>),
}

impl Stream {
    /// A connection with TLS.
    pub fn tls(stream: impl Into<Secured>) -> Self {
        Self::Tls(Box::new(tokio::io::split(stream.into())))
    }

    /// Both sides.
    pub fn sides(&mut self) -> (ReadSide<'_>, WriteSide<'_>) {
        match self {
            Self::Unix(socket) => {
                let (read, write) = socket.split();
                (ReadSide::Unix(read), WriteSide::Unix(write))
            }
            Self::Tcp(socket) => {
                let (read, write) = socket.split();
                (ReadSide::Tcp(read), WriteSide::Tcp(write))
            }
            Self::Tls(halves) => (ReadSide::Tls(&mut halves.0), WriteSide::Tls(&mut halves.1)),
        }
    }

    /// Writes what the socket takes now; 0 where it takes nothing, or cannot say without waiting.
    pub fn try_write(&self, bytes: &[u8]) -> usize {
        match self {
            Self::Unix(socket) => socket.try_write(bytes).unwrap_or(0),
            Self::Tcp(socket) => socket.try_write(bytes).unwrap_or(0),
            Self::Tls(_) => 0,
        }
    }

    /// True where nothing waits to be read, not even the end, as far as the runtime has heard: the engine neither closed nor sent what
    /// nobody asked for. What comes while the next request is on its way nobody can tell from its reply, so the system is not asked.
    pub fn is_quiet(&mut self) -> bool {
        let mut byte = [0];
        let read = match self {
            Self::Unix(socket) => socket.try_read(&mut byte),
            Self::Tcp(socket) => socket.try_read(&mut byte),
            // what has come may be TLS's own, such as session tickets
            Self::Tls(halves) => {
                let mut context = Context::from_waker(std::task::Waker::noop());
                return Pin::new(&mut halves.0).poll_read(&mut context, &mut ReadBuf::new(&mut byte)).is_pending();
            }
        };
        read.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }
}

impl ReadSide<'_> {
    /// Resolves when the peer has closed both directions, where that shows without a write: a unix socket whose peer has gone reports a
    /// hang-up, one that is half closed does not. TCP says the same in both cases, and after its close_notify a client of TLS may end
    /// TCP's side too and still read.
    pub async fn gone(&self) {
        let Self::Unix(half) = self else { return std::future::pending().await };
        while half.ready(Interest::WRITABLE).await.is_ok_and(|ready| !ready.is_write_closed()) {
            tokio::time::sleep(LOOK).await;
        }
    }
}

impl WriteSide<'_> {
    /// Writes all parts, in one call where the socket takes them.
    ///
    /// # Errors
    /// The socket's.
    pub async fn write_gathered(&mut self, mut parts: &mut [IoSlice<'_>]) -> io::Result<()> {
        while !parts.is_empty() {
            let written = self.write_vectored(parts).await?;
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            IoSlice::advance_slices(&mut parts, written);
        }
        Ok(())
    }
}

impl AsyncRead for ReadSide<'_> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Unix(half) => Pin::new(half).poll_read(cx, buffer),
            Self::Tcp(half) => Pin::new(half).poll_read(cx, buffer),
            Self::Tls(half) => Pin::new(&mut **half).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for WriteSide<'_> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Unix(half) => Pin::new(half).poll_write(cx, bytes),
            Self::Tcp(half) => Pin::new(half).poll_write(cx, bytes),
            Self::Tls(half) => Pin::new(&mut **half).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(self: Pin<&mut Self>, cx: &mut Context<'_>, parts: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Unix(half) => Pin::new(half).poll_write_vectored(cx, parts),
            Self::Tcp(half) => Pin::new(half).poll_write_vectored(cx, parts),
            Self::Tls(half) => Pin::new(&mut **half).poll_write_vectored(cx, parts),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Unix(half) => Pin::new(half).poll_flush(cx),
            Self::Tcp(half) => Pin::new(half).poll_flush(cx),
            Self::Tls(half) => Pin::new(&mut **half).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Unix(half) => Pin::new(half).poll_shutdown(cx),
            Self::Tcp(half) => Pin::new(half).poll_shutdown(cx),
            Self::Tls(half) => Pin::new(&mut **half).poll_shutdown(cx),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }
}
