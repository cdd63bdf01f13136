//! A client that sends bytes as they are and reads replies by their framing.
//! Knows nothing of what it sends.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use super::engine::position;

/// Longer than every limit that the tests set: a wait that reaches it is a failure.
const PATIENCE: Duration = Duration::from_secs(20);

/// A reply, or what there is of one.
#[derive(Debug, Clone, Default)]
pub struct Reply {
    pub status: u16,
    /// Header names in small letters.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

trait Stream: Read + Write + Send {
    fn end(&self);
}

impl Stream for UnixStream {
    fn end(&self) {
        let _already_closed = self.shutdown(Shutdown::Write);
    }
}

impl Stream for TcpStream {
    fn end(&self) {
        let _already_closed = self.shutdown(Shutdown::Write);
    }
}

/// A connection with TLS.
pub type Secured = rustls::StreamOwned<rustls::ClientConnection, TcpStream>;

impl Stream for Secured {
    fn end(&self) {
        let _already_closed = self.sock.shutdown(Shutdown::Write);
    }
}

/// One connection.
pub struct Client {
    stream: Box<dyn Stream>,
    buffer: Vec<u8>,
}

impl Client {
    pub fn unix(path: &Path) -> Self {
        Self::try_unix(path).unwrap()
    }

    /// Like [`Self::unix`], of a door that may be gone.
    pub fn try_unix(path: &Path) -> Option<Self> {
        let stream = UnixStream::connect(path).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Some(Self { stream: Box::new(stream), buffer: Vec::new() })
    }

    pub fn tcp(address: SocketAddr) -> Self {
        Self::of_tcp(TcpStream::connect(address).unwrap())
    }

    /// A connection that is there already.
    pub fn of_tcp(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Self { stream: Box::new(stream), buffer: Vec::new() }
    }

    /// Over TLS; what the peer makes of our side shows with the first reply.
    pub fn tls(stream: Secured) -> Self {
        stream.sock.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.sock.set_write_timeout(Some(PATIENCE)).unwrap();
        Self { stream: Box::new(stream), buffer: Vec::new() }
    }

    /// Sends; a peer that refuses may close before it has read everything.
    pub fn send(&mut self, bytes: &[u8]) {
        let _refused_early = self.stream.write_all(bytes);
    }

    /// Sends to a peer that must take it all.
    #[track_caller]
    pub fn send_all(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// The next final reply; `None` where the connection closed without one.
    pub fn reply(&mut self, bodyless: bool) -> Option<Reply> {
        loop {
            let reply = self.any_reply(bodyless)?;
            if reply.status != 100 {
                return Some(reply);
            }
        }
    }

    /// Ends the client's side and returns every reply that still comes.
    pub fn finish(mut self) -> Vec<Reply> {
        self.stream.end();
        std::iter::from_fn(|| self.reply(false)).collect()
    }

    fn any_reply(&mut self, bodyless: bool) -> Option<Reply> {
        let mut reply = self.reply_head()?;
        let none = bodyless || matches!(reply.status, 100..=199 | 204 | 304);
        reply.body = match (reply.header("content-length"), reply.header("transfer-encoding")) {
            _ if none => Vec::new(),
            (Some(length), _) => self.exactly(length.parse().unwrap()),
            (None, Some(_)) => self.chunks(),
            (None, None) => self.rest(),
        };
        Some(reply)
    }

    /// The next reply without its body, which may never end.
    pub fn reply_head(&mut self) -> Option<Reply> {
        let end = loop {
            if let Some(at) = position(&self.buffer, b"\r\n\r\n") {
                break at + 4;
            }
            if !self.fill() {
                return None;
            }
        };
        let head: Vec<u8> = self.buffer.drain(..end).collect();
        Some(head_of(&String::from_utf8_lossy(&head)))
    }

    fn chunks(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        loop {
            let line = self.line();
            let Ok(size) = usize::from_str_radix(line.trim(), 16) else { return body };
            body.extend(self.exactly(size));
            let _end_of_chunk = self.line();
            if size == 0 {
                return body;
            }
        }
    }

    fn line(&mut self) -> String {
        loop {
            if let Some(at) = position(&self.buffer, b"\r\n") {
                return String::from_utf8_lossy(&self.buffer.drain(..at + 2).collect::<Vec<u8>>()).into_owned();
            }
            if !self.fill() {
                return String::new();
            }
        }
    }

    fn exactly(&mut self, length: usize) -> Vec<u8> {
        while self.buffer.len() < length && self.fill() {}
        let length = length.min(self.buffer.len());
        self.buffer.drain(..length).collect()
    }

    fn rest(&mut self) -> Vec<u8> {
        while self.fill() {}
        std::mem::take(&mut self.buffer)
    }

    /// Reads once; false at the end of the connection. Waiting too long for either is a failure.
    fn fill(&mut self) -> bool {
        let mut piece = [0; 16 * 1024];
        match self.stream.read(&mut piece) {
            Ok(0) => false,
            Ok(read) => {
                self.buffer.extend_from_slice(&piece[..read]);
                true
            }
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => panic!("neither a reply nor an end within {PATIENCE:?}"),
            Err(_) => false,
        }
    }
}

fn head_of(text: &str) -> Reply {
    let mut lines = text.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|status| status.parse().ok()).unwrap();
    let headers = lines.filter_map(|line| line.split_once(':')).map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()));
    Reply { status, headers: headers.collect(), body: Vec::new() }
}
