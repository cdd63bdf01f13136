//! A client that sends bytes in any pieces and reads replies strictly: what is no reply fails, and so does waiting for long.
//! Knows nothing of cases.

use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// Longer than every limit that the tests set.
const PATIENCE: Duration = Duration::from_secs(30);

/// A final reply.
#[derive(Debug, Clone, Default)]
pub struct Reply {
    pub status: u16,
    /// In small letters.
    pub head: String,
    pub body: Vec<u8>,
    /// `100 Continue` before it.
    pub continues: usize,
    /// False where the connection ended within it.
    pub whole: bool,
}

impl Reply {
    pub fn field(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

pub struct Wire {
    stream: UnixStream,
    ahead: Vec<u8>,
    /// Everything that came.
    pub seen: Vec<u8>,
}

impl Wire {
    pub fn open(socket: &Path) -> Self {
        let stream = UnixStream::connect(socket).unwrap_or_else(|error| panic!("{}: {error}", socket.display()));
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Self { stream, ahead: Vec::new(), seen: Vec::new() }
    }

    /// Sends; a peer that refuses may close before it has read everything.
    pub fn send(&mut self, bytes: &[u8]) {
        let _refused_early = self.stream.write_all(bytes);
    }

    /// Nothing more will be sent; the other direction stays open.
    pub fn end(&self) {
        let _closed_already = self.stream.shutdown(Shutdown::Write);
    }

    /// The next final reply; `None` at the end of the connection.
    pub fn reply(&mut self, bodyless: bool) -> Option<Reply> {
        let mut continues = 0;
        loop {
            let head = self.head()?;
            let status = status(&head);
            if status == 100 {
                assert_eq!(head, "http/1.1 100 continue\r\n\r\n");
                continues += 1;
                continue;
            }
            let mut reply = Reply { status, head, body: Vec::new(), continues, whole: true };
            self.body(&mut reply, bodyless);
            return Some(reply);
        }
    }

    /// What still comes until the other side ends.
    pub fn rest(&mut self) -> Vec<u8> {
        while self.more() {}
        std::mem::take(&mut self.ahead)
    }

    fn head(&mut self) -> Option<String> {
        loop {
            if let Some(at) = self.ahead.windows(4).position(|four| four == b"\r\n\r\n") {
                let head: Vec<u8> = self.ahead.drain(..at + 4).collect();
                let text: String = head.iter().map(|byte| char::from(*byte)).collect();
                assert!(!text.replace("\r\n", "").contains(['\r', '\n', '\0']), "no head: {text:?}");
                return Some(text.to_ascii_lowercase());
            }
            if !self.more() {
                assert!(self.ahead.is_empty(), "half a head: {:?}", String::from_utf8_lossy(&self.ahead));
                return None;
            }
        }
    }

    fn body(&mut self, reply: &mut Reply, bodyless: bool) {
        let (length, coding) = (reply.field("content-length").map(str::to_owned), reply.field("transfer-encoding").map(str::to_owned));
        assert!(length.is_none() || coding.is_none(), "{}", reply.head);
        if bodyless || reply.status == 204 || reply.status == 304 {
            return;
        }
        match (length, coding.as_deref()) {
            (Some(digits), _) => {
                let length = digits.parse().unwrap();
                reply.body = self.exactly(length);
                reply.whole = reply.body.len() == length;
            }
            (None, Some(coding)) => {
                assert_eq!(coding, "chunked");
                reply.whole = self.chunks(&mut reply.body);
            }
            (None, None) => reply.body = self.rest(),
        }
    }

    /// True where the last chunk came.
    fn chunks(&mut self, body: &mut Vec<u8>) -> bool {
        loop {
            let Some(line) = self.line() else { return false };
            let size = usize::from_str_radix(&line, 16).unwrap_or_else(|_| panic!("`{line}` is no size"));
            let data = self.exactly(size);
            let all = data.len() == size;
            body.extend(data);
            match self.line().filter(|_| all) {
                Some(end) => assert_eq!(end, ""),
                None => return false,
            }
            if size == 0 {
                return true;
            }
        }
    }

    fn line(&mut self) -> Option<String> {
        loop {
            if let Some(at) = self.ahead.windows(2).position(|two| two == b"\r\n") {
                let line: Vec<u8> = self.ahead.drain(..at + 2).collect();
                return Some(String::from_utf8_lossy(&line[..at]).into_owned());
            }
            if !self.more() {
                return None;
            }
        }
    }

    fn exactly(&mut self, length: usize) -> Vec<u8> {
        while self.ahead.len() < length && self.more() {}
        self.ahead.drain(..length.min(self.ahead.len())).collect()
    }

    fn more(&mut self) -> bool {
        let mut piece = [0; 16 * 1024];
        match self.stream.read(&mut piece) {
            Ok(read) => {
                self.ahead.extend_from_slice(&piece[..read]);
                self.seen.extend_from_slice(&piece[..read]);
                read > 0
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => panic!("neither a reply nor an end within {PATIENCE:?}"),
            Err(_reset) => false,
        }
    }
}

fn status(head: &str) -> u16 {
    let status = head.strip_prefix("http/1.1 ").and_then(|rest| rest.get(..3)).and_then(|digits| digits.parse().ok());
    status.unwrap_or_else(|| panic!("no reply: {head:?}"))
}
