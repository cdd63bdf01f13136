//! HTTP/1.1 as the mock engine and the load generator speak it: heads, bodies as they come, and a clock that both share.
//! Knows nothing of what is asked and answered.

use std::io;
use std::rc::Rc;

use rustix::time::{ClockId, clock_gettime};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

/// Room for what usual messages take, and for bodies that are moved in bulk.
pub const USUAL: usize = 16 << 10;
pub const BULK: usize = 256 << 10;
const MAX_HEADERS: usize = 64;

/// Nanoseconds of the clock that all processes of the machine share.
pub fn now() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    let [seconds, nanos] = [time.tv_sec, time.tv_nsec].map(|part| u64::try_from(part).unwrap_or_default());
    seconds * 1_000_000_000 + nanos
}

/// How long a body is.
#[derive(Clone, Copy)]
pub enum Framing {
    Length(u64),
    Chunked,
}

/// What counts of a head.
pub struct Head {
    /// The request line, or the status line.
    pub start: String,
    /// Of a reply; zero for a request.
    pub status: u16,
    pub framing: Framing,
    pub closes: bool,
}

impl Head {
    /// The head and its length, once all of it is there.
    fn parse(bytes: &[u8]) -> io::Result<Option<(Self, usize)>> {
        let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else { return Ok(None) };
        let (start, rest) = bytes.split_at(end + 1);
        let start = String::from_utf8_lossy(start).trim_end().to_owned();
        let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let httparse::Status::Complete((length, headers)) = httparse::parse_headers(rest, &mut headers).map_err(io::Error::other)? else {
            return Ok(None);
        };
        let status = start.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok()).unwrap_or_default();
        let mut head = Self { start, status, framing: Framing::Length(0), closes: false };
        headers.iter().for_each(|header| head.header(header));
        Ok(Some((head, end + 1 + length)))
    }

    fn header(&mut self, header: &httparse::Header<'_>) {
        let value = std::str::from_utf8(header.value).unwrap_or_default().trim();
        if header.name.eq_ignore_ascii_case("content-length") {
            self.framing = Framing::Length(value.parse().unwrap_or_default());
        } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
            self.framing = Framing::Chunked;
        } else if header.name.eq_ignore_ascii_case("connection") {
            self.closes = value.eq_ignore_ascii_case("close");
        }
    }
}

/// One connection, with what was read of it and not yet taken.
pub struct Wire {
    stream: UnixStream,
    buffer: Vec<u8>,
    taken: usize,
    /// The head before: mostly the next one is the same, byte for byte, and is not parsed again.
    last: Option<(Vec<u8>, Rc<Head>)>,
}

impl Wire {
    pub fn new(stream: UnixStream, room: usize) -> Self {
        Self { stream, buffer: Vec::with_capacity(room), taken: 0, last: None }
    }

    pub async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await
    }

    /// The next head; nothing where the peer closed before it.
    pub async fn head(&mut self) -> io::Result<Option<Rc<Head>>> {
        loop {
            if let Some(head) = self.take_head()? {
                return Ok(Some(head));
            }
            if !self.fill().await? {
                return Ok(None);
            }
        }
    }

    fn take_head(&mut self) -> io::Result<Option<Rc<Head>>> {
        let rest = self.buffer.get(self.taken..).unwrap_or_default();
        if let Some((text, head)) = &self.last
            && rest.starts_with(text)
        {
            self.taken += text.len();
            return Ok(Some(Rc::clone(head)));
        }
        let Some((head, length)) = Head::parse(rest)? else { return Ok(None) };
        let text = rest.get(..length).unwrap_or_default().to_vec();
        self.taken += length;
        let head = Rc::new(head);
        self.last = Some((text, Rc::clone(&head)));
        Ok(Some(head))
    }

    /// Reads a body to its end, and shows its pieces as they come.
    pub async fn body(&mut self, framing: Framing, mut seen: impl FnMut(&[u8])) -> io::Result<()> {
        let mut body = Body::new(framing);
        loop {
            self.taken += body.pieces(self.buffer.get(self.taken..).unwrap_or_default(), &mut seen);
            if matches!(body.stage, Stage::Done) {
                return Ok(());
            }
            if !self.fill().await? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// Reads on; false where the peer has closed.
    pub async fn fill(&mut self) -> io::Result<bool> {
        if self.taken == self.buffer.len() {
            self.buffer.clear();
            self.taken = 0;
        }
        Ok(self.stream.read_buf(&mut self.buffer).await? > 0)
    }

    /// What was read and not yet taken; taken now.
    pub fn rest(&mut self) -> &[u8] {
        let rest = self.buffer.get(self.taken..).unwrap_or_default();
        self.taken = self.buffer.len();
        rest
    }

    pub fn into_stream(self) -> UnixStream {
        self.stream
    }
}

/// Where in a body the next byte is.
enum Stage {
    /// Payload: so many bytes of it.
    Data(u64),
    /// The line with a chunk's size, of which this was read.
    Size(u64),
    /// The line end behind a chunk.
    ChunkEnd,
    /// The line behind the last chunk.
    LastLine,
    Done,
}

struct Body {
    chunked: bool,
    stage: Stage,
}

impl Body {
    fn new(framing: Framing) -> Self {
        match framing {
            Framing::Length(0) => Self { chunked: false, stage: Stage::Done },
            Framing::Length(length) => Self { chunked: false, stage: Stage::Data(length) },
            Framing::Chunked => Self { chunked: true, stage: Stage::Size(0) },
        }
    }

    /// Shows the payload in these bytes; how many of them belonged to the body.
    fn pieces(&mut self, bytes: &[u8], seen: &mut impl FnMut(&[u8])) -> usize {
        let mut rest = bytes;
        while let Some((first, behind)) = rest.split_first() {
            rest = match self.stage {
                Stage::Done => break,
                Stage::Data(left) => {
                    let (piece, behind) = rest.split_at(usize::try_from(left).unwrap_or(usize::MAX).min(rest.len()));
                    seen(piece);
                    self.stage = self.after_data(left - piece.len() as u64);
                    behind
                }
                Stage::Size(_) | Stage::ChunkEnd | Stage::LastLine => {
                    self.line_byte(*first);
                    behind
                }
            };
        }
        bytes.len() - rest.len()
    }

    fn after_data(&self, left: u64) -> Stage {
        match (left, self.chunked) {
            (0, true) => Stage::ChunkEnd,
            (0, false) => Stage::Done,
            (left, _) => Stage::Data(left),
        }
    }

    /// A byte between chunks. None of the measured proxies writes extensions or trailers.
    fn line_byte(&mut self, byte: u8) {
        self.stage = match (&self.stage, byte) {
            (Stage::Size(0), b'\n') => Stage::LastLine,
            (Stage::Size(size), b'\n') => Stage::Data(*size),
            (Stage::Size(size), digit) => Stage::Size(char::from(digit).to_digit(16).map_or(*size, |digit| size * 16 + u64::from(digit))),
            (Stage::ChunkEnd, b'\n') => Stage::Size(0),
            (Stage::LastLine, b'\n') => Stage::Done,
            (Stage::ChunkEnd, _) => Stage::ChunkEnd,
            (Stage::LastLine, _) => Stage::LastLine,
            (Stage::Data(_) | Stage::Done, _) => Stage::Done,
        };
    }
}
