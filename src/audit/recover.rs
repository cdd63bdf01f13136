//! Reads a file of the trail as a start finds it: how far its chain holds, how it ended, and what a crash tore.
//! Knows nothing of what is done about it.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::chain::Chain;
use super::merkle::{ZERO, digest, parse_hex};

/// Longer lines are none of ours.
const MAX_LINE: u64 = 1 << 20;

/// What was found in a file.
#[derive(Debug)]
pub(super) struct Found {
    /// The state after its last whole line.
    pub chain: Chain,
    /// The key's number that its first line names.
    pub key: Option<String>,
    /// When its first line was written.
    pub born: Option<Timestamp>,
    /// Bytes of whole lines.
    pub good: u64,
    /// How it ended.
    pub end: End,
    /// What stands after the last whole line.
    pub torn: Vec<u8>,
    /// The first line that does not follow the one before, from 1.
    pub broken: Option<u64>,
}

/// How a file ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// It has no line.
    Empty,
    /// With the event `close`.
    Closed,
    /// With the event `rotate`.
    Rotated,
    /// With anything else.
    Unclean,
}

/// What the chain needs of a line.
#[derive(Deserialize)]
struct Head {
    sequence: u64,
    previous: String,
    time: String,
    #[serde(default)]
    event: Option<String>,
    #[serde(default)]
    detail: Option<Value>,
}

/// Reads a whole file, one line in memory at a time.
///
/// # Errors
/// When it cannot be read.
pub(super) fn read(file: &File) -> io::Result<Found> {
    let mut reader = BufReader::with_capacity(256 << 10, file);
    reader.seek(SeekFrom::Start(0))?;
    let mut found =
        Found { chain: Chain::new(String::new()), key: None, born: None, good: 0, end: End::Empty, torn: Vec::new(), broken: None };
    let (mut buffer, mut number) = (Vec::new(), 0);
    loop {
        buffer.clear();
        if (&mut reader).take(MAX_LINE).read_until(b'\n', &mut buffer)? == 0 {
            return Ok(found);
        }
        number += 1;
        let last = reader.fill_buf()?.is_empty();
        found.line(&buffer, number, last);
    }
}

impl Found {
    fn line(&mut self, bytes: &[u8], number: u64, last: bool) {
        let whole = bytes.strip_suffix(b"\n");
        let line = whole.unwrap_or(bytes);
        let object = serde_json::from_slice::<serde_json::Map<String, Value>>(line).is_ok();
        if last && self.broken.is_none() && (whole.is_none() || !object) {
            self.torn = bytes.to_vec();
            return;
        }
        let head = serde_json::from_slice::<Head>(line).ok();
        if self.broken.is_none() && !head.as_ref().is_some_and(|head| self.follows(head)) {
            self.broken = Some(number);
        }
        let sequence = head.as_ref().map_or(self.chain.sequence, |head| head.sequence.max(self.chain.sequence));
        self.chain.follow(sequence, line);
        self.good += bytes.len() as u64;
        self.end = match head.and_then(|head| head.event).as_deref() {
            Some("close") => End::Closed,
            Some("rotate") => End::Rotated,
            _ => End::Unclean,
        };
    }

    /// True where a line is the next one; the first tells which trail this is.
    fn follows(&mut self, head: &Head) -> bool {
        let previous = parse_hex(&head.previous);
        if self.end != End::Empty {
            return previous == Some(self.chain.last) && head.sequence == self.chain.sequence + 1;
        }
        let detail = |name: &str| head.detail.as_ref().and_then(|detail| detail.get(name));
        let log = detail("log").and_then(Value::as_str);
        let file = detail("file").and_then(Value::as_u64).and_then(|file| u32::try_from(file).ok());
        self.key = detail("key").and_then(Value::as_str).map(str::to_owned);
        self.born = head.time.parse().ok();
        let (Some(log), Some(file), Some("open"), Some(previous)) = (log, file, head.event.as_deref(), previous) else { return false };
        (self.chain.log, self.chain.file) = (log.to_owned(), file);
        (head.sequence == 1) == (previous == ZERO)
    }

    /// The text that keeps what was torn, exactly, with the number that it would have had.
    pub fn torn_text(&self) -> String {
        use base64::Engine as _;
        let bytes = base64::engine::general_purpose::STANDARD.encode(&self.torn);
        let sha256 = super::merkle::hex(&digest(&self.torn));
        format!(
            "{}\n",
            serde_json::json!({ "sequence": self.chain.sequence + 1, "bytes": self.torn.len(), "sha256": sha256, "base64": bytes })
        )
    }
}
