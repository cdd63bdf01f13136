//! HTTP by hand over a unix socket or TCP: what is sent and what comes, byte by byte, within a deadline.
//! Knows nothing of Docker.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A reply that takes longer is lost.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where dockgate, or the engine itself, listens.
#[derive(Debug, Clone)]
pub enum Place {
    Unix(PathBuf),
    Tcp(SocketAddr),
}

enum Stream {
    Unix(UnixStream),
    Tcp(TcpStream),
}

/// A connection.
pub struct Wire {
    stream: Stream,
    ahead: Vec<u8>,
}

/// The head of a reply.
#[derive(Debug, Clone)]
pub struct Head {
    pub status: u16,
    /// The record's id.
    pub reference: Option<String>,
    length: Option<usize>,
    chunked: bool,
    bodyless: bool,
    pub closes: bool,
}

impl Wire {
    pub fn open(place: &Place) -> io::Result<Self> {
        let stream = match place {
            Place::Unix(path) => Stream::Unix(UnixStream::connect(path)?),
            Place::Tcp(address) => Stream::Tcp(TcpStream::connect(address)?),
        };
        let mut wire = Self { stream, ahead: Vec::new() };
        wire.patience(PATIENCE)?;
        Ok(wire)
    }

    /// How long a read or write may wait from now on.
    pub fn patience(&mut self, patience: Duration) -> io::Result<()> {
        match &self.stream {
            Stream::Unix(stream) => stream.set_read_timeout(Some(patience)).and_then(|()| stream.set_write_timeout(Some(patience))),
            Stream::Tcp(stream) => stream.set_read_timeout(Some(patience)).and_then(|()| stream.set_write_timeout(Some(patience))),
        }
    }

    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.stream {
            Stream::Unix(stream) => stream.write_all(bytes),
            Stream::Tcp(stream) => stream.write_all(bytes),
        }
    }

    /// Nothing more will be sent; the other direction stays open.
    pub fn half_close(&self) -> io::Result<()> {
        match &self.stream {
            Stream::Unix(stream) => stream.shutdown(Shutdown::Write),
            Stream::Tcp(stream) => stream.shutdown(Shutdown::Write),
        }
    }

    /// The head of the next final reply.
    pub fn head(&mut self) -> io::Result<Head> {
        loop {
            let end = loop {
                if let Some(at) = self.ahead.windows(4).position(|four| four == b"\r\n\r\n") {
                    break at + 4;
                }
                self.more()?;
            };
            let text = String::from_utf8_lossy(&self.ahead[..end]).into_owned();
            self.ahead.drain(..end);
            let head = Head::of(&text).ok_or_else(|| io::Error::other(format!("no head: {text:?}")))?;
            if head.status != 100 {
                return Ok(head);
            }
        }
    }

    /// The whole body that follows a head.
    pub fn body(&mut self, head: &Head) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        match (head.bodyless, head.length, head.chunked) {
            (true, _, _) => {}
            (false, Some(length), _) => body = self.take(length)?,
            (false, None, true) => {
                while let Some(piece) = self.chunk()? {
                    body.extend(piece);
                }
            }
            (false, None, false) => {
                while let Some(piece) = self.piece()? {
                    body.extend(piece);
                }
            }
        }
        Ok(body)
    }

    /// The next chunk of a body; `None` after the last.
    pub fn chunk(&mut self) -> io::Result<Option<Vec<u8>>> {
        let line = self.line()?;
        let size = usize::from_str_radix(&line, 16).map_err(|_| io::Error::other(format!("no chunk size: {line:?}")))?;
        let piece = self.take(size)?;
        let end = self.line()?;
        if !end.is_empty() {
            return Err(io::Error::other(format!("no end of a chunk: {end:?}")));
        }
        Ok((size > 0).then_some(piece))
    }

    /// Exactly so many bytes.
    pub fn take(&mut self, count: usize) -> io::Result<Vec<u8>> {
        while self.ahead.len() < count {
            self.more()?;
        }
        let rest = self.ahead.split_off(count);
        Ok(std::mem::replace(&mut self.ahead, rest))
    }

    /// What comes next, whatever it is; `None` at the end.
    pub fn piece(&mut self) -> io::Result<Option<Vec<u8>>> {
        if self.ahead.is_empty() {
            match self.more() {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
                Err(error) => return Err(error),
            }
        }
        Ok(Some(std::mem::take(&mut self.ahead)))
    }

    fn line(&mut self) -> io::Result<String> {
        loop {
            if let Some(at) = self.ahead.windows(2).position(|two| two == b"\r\n") {
                let line = String::from_utf8_lossy(&self.ahead[..at]).into_owned();
                self.ahead.drain(..at + 2);
                return Ok(line);
            }
            self.more()?;
        }
    }

    fn more(&mut self) -> io::Result<()> {
        let mut piece = [0; 32 * 1024];
        let read = match &mut self.stream {
            Stream::Unix(stream) => stream.read(&mut piece)?,
            Stream::Tcp(stream) => stream.read(&mut piece)?,
        };
        if read == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, format!("it ended after {:?}", shown(&self.ahead))));
        }
        self.ahead.extend_from_slice(&piece[..read]);
        Ok(())
    }
}

fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(200)]).into_owned()
}

impl Head {
    fn of(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        let mut head = Self { status, reference: None, length: None, chunked: false, bodyless: false, closes: false };
        head.bodyless = matches!(status, 100..=199 | 204 | 304);
        for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
            match name.to_ascii_lowercase().as_str() {
                "content-length" => head.length = value.parse().ok(),
                "transfer-encoding" => head.chunked = value == "chunked",
                "connection" => head.closes = value == "close",
                "dockgate-ref" => head.reference = Some(value.to_owned()),
                _ => {}
            }
        }
        Some(head)
    }
}

/// A request of a client that sends a Host as the docker CLI does.
pub fn request(method: &str, path: &str, fields: &str, body: &[u8]) -> Vec<u8> {
    let length = if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
    let mut bytes = format!("{method} /v1.44{path} HTTP/1.1\r\nHost: docker\r\n{fields}{length}\r\n").into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

pub fn get(path: &str) -> Vec<u8> {
    request("GET", path, "", b"")
}

pub fn post(path: &str, json: &str) -> Vec<u8> {
    let fields = if json.is_empty() { "" } else { "Content-Type: application/json\r\n" };
    request("POST", path, fields, json.as_bytes())
}

/// A tunnel with these settings.
pub fn upgrade(path: &str, json: &str) -> Vec<u8> {
    let kind = if json.is_empty() { "" } else { "Content-Type: application/json\r\n" };
    request("POST", path, &format!("{kind}Connection: Upgrade\r\nUpgrade: tcp\r\n"), json.as_bytes())
}

/// One request on a connection of its own, for what is no part of the work.
pub fn ask(place: &Place, bytes: &[u8]) -> io::Result<(Head, String)> {
    let mut wire = Wire::open(place)?;
    wire.send(bytes)?;
    let head = wire.head()?;
    let body = wire.body(&head)?;
    Ok((head, String::from_utf8_lossy(&body).into_owned()))
}

/// The socket of a path.
pub fn unix(path: &Path) -> Place {
    Place::Unix(path.to_owned())
}
