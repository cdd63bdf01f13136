//! The sockets to the engine, read and written through a shared reference, so that both directions can be used side by side.
//! Knows nothing of HTTP.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use tokio::net::{TcpStream, UnixStream};

/// A connected socket.
#[derive(Debug)]
pub enum Stream {
    /// A unix socket.
    Unix(UnixStream),
    /// TCP.
    Tcp(TcpStream),
}

impl Stream {
    /// Reads once into a buffer that is given `room` when there is something to read; 0 at the end.
    ///
    /// # Errors
    /// The socket's.
    pub async fn read(&self, buffer: &mut BytesMut, room: usize) -> io::Result<usize> {
        poll_fn(|cx| self.poll_read(cx, buffer, room)).await
    }

    /// As [`Stream::read`]; nothing is allocated while there is nothing to read.
    pub fn poll_read(&self, cx: &mut Context<'_>, buffer: &mut BytesMut, room: usize) -> Poll<io::Result<usize>> {
        loop {
            let read = match self {
                Self::Unix(socket) => {
                    ready!(socket.poll_read_ready(cx))?;
                    buffer.reserve(room);
                    socket.try_read_buf(buffer)
                }
                Self::Tcp(socket) => {
                    ready!(socket.poll_read_ready(cx))?;
                    buffer.reserve(room);
                    socket.try_read_buf(buffer)
                }
            };
            match read {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                done => return Poll::Ready(done),
            }
        }
    }

    /// Writes all bytes.
    ///
    /// # Errors
    /// The socket's.
    pub async fn write_all(&self, bytes: &[u8]) -> io::Result<()> {
        self.write_gathered(&mut [IoSlice::new(bytes)]).await
    }

    /// Writes all parts, in one call where the socket takes them.
    ///
    /// # Errors
    /// The socket's.
    pub async fn write_gathered(&self, mut parts: &mut [IoSlice<'_>]) -> io::Result<()> {
        IoSlice::advance_slices(&mut parts, 0); // empty parts at the front
        while !parts.is_empty() {
            let written = poll_fn(|cx| self.poll_write(cx, parts)).await?;
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            IoSlice::advance_slices(&mut parts, written);
        }
        Ok(())
    }

    /// Writes once.
    pub fn poll_write(&self, cx: &mut Context<'_>, parts: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        loop {
            let written = match self {
                Self::Unix(socket) => {
                    ready!(socket.poll_write_ready(cx))?;
                    if let [part] = parts { socket.try_write(part) } else { socket.try_write_vectored(parts) }
                }
                Self::Tcp(socket) => {
                    ready!(socket.poll_write_ready(cx))?;
                    if let [part] = parts { socket.try_write(part) } else { socket.try_write_vectored(parts) }
                }
            };
            match written {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                done => return Poll::Ready(done),
            }
        }
    }

    /// True where nothing waits to be read, not even the end: the engine neither closed nor sent what nobody asked for.
    pub fn is_quiet(&self) -> bool {
        let mut byte = [0];
        let read = match self {
            Self::Unix(socket) => socket.try_read(&mut byte),
            Self::Tcp(socket) => socket.try_read(&mut byte),
        };
        read.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }

    /// Ends the direction to the engine.
    ///
    /// # Errors
    /// The socket's.
    pub fn shutdown(&self) -> io::Result<()> {
        match self {
            Self::Unix(socket) => socket2::SockRef::from(socket).shutdown(std::net::Shutdown::Write),
            Self::Tcp(socket) => socket2::SockRef::from(socket).shutdown(std::net::Shutdown::Write),
        }
    }
}
