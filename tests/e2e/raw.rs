//! HTTP by hand over a unix socket: what the tests ask the engine itself, and requests that no client library sends.
//! Knows nothing of Docker.

use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::Path;

use serde_json::Value;

use crate::process::PATIENCE;

/// A whole reply.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub body: String,
}

impl Reply {
    pub fn json(&self) -> Value {
        assert!((200..300).contains(&self.status), "{self:?}");
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The `message` of an error.
    pub fn message(&self) -> String {
        let body: Value = serde_json::from_str(&self.body).unwrap_or_default();
        body["message"].as_str().unwrap_or_else(|| panic!("no message in {self:?}")).to_owned()
    }
}

pub fn get(socket: &Path, path: &str) -> Reply {
    ask(socket, "GET", path, None)
}

/// One request in HTTP/1.0, so that the reply ends with the connection.
pub fn ask(socket: &Path, method: &str, path: &str, body: Option<&Value>) -> Reply {
    let body = body.map(Value::to_string).unwrap_or_default();
    let length =
        if body.is_empty() { String::new() } else { format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len()) };
    let mut wire = Wire::open(socket);
    wire.send(&format!("{method} {path} HTTP/1.0\r\nHost: docker\r\n{length}\r\n{body}"));
    let text = String::from_utf8_lossy(&wire.rest()).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{method} {path}: no reply but `{text}`"));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
    Reply { status, body: body.to_owned() }
}

/// The `filters` value that finds names.
pub fn named(text: &str) -> String {
    format!("%7B%22name%22%3A%5B%22{text}%22%5D%7D")
}

/// An open connection.
pub struct Wire {
    stream: UnixStream,
    ahead: Vec<u8>,
}

impl Wire {
    pub fn open(socket: &Path) -> Self {
        let stream = UnixStream::connect(socket).unwrap_or_else(|error| panic!("{}: {error}", socket.display()));
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { stream, ahead: Vec::new() }
    }

    pub fn send(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).unwrap();
    }

    /// Nothing more will be sent; the other direction stays open.
    pub fn half_close(&self) {
        self.stream.shutdown(Shutdown::Write).unwrap();
    }

    /// The head of a reply.
    pub fn head(&mut self) -> String {
        loop {
            if let Some(end) = self.ahead.windows(4).position(|four| four == b"\r\n\r\n") {
                let rest = self.ahead.split_off(end + 4);
                return String::from_utf8(std::mem::replace(&mut self.ahead, rest)).unwrap();
            }
            assert!(self.more(), "the connection ended within a head: {:?}", String::from_utf8_lossy(&self.ahead));
        }
    }

    /// The next bytes, as many as asked for.
    pub fn take(&mut self, count: usize) -> Vec<u8> {
        while self.ahead.len() < count {
            assert!(self.more(), "the connection ended early: {:?}", String::from_utf8_lossy(&self.ahead));
        }
        let rest = self.ahead.split_off(count);
        std::mem::replace(&mut self.ahead, rest)
    }

    /// Everything until the other side ends.
    pub fn rest(&mut self) -> Vec<u8> {
        while self.more() {}
        std::mem::take(&mut self.ahead)
    }

    fn more(&mut self) -> bool {
        let mut piece = [0; 4096];
        match self.stream.read(&mut piece) {
            Ok(length) => {
                self.ahead.extend_from_slice(&piece[..length]);
                length > 0
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => false,
            Err(error) => panic!("{error} after {:?}", String::from_utf8_lossy(&self.ahead)),
        }
    }
}
