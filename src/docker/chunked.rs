//! Request bodies as they stand on the wire: Content-Length and chunked framing, incremental and bounded.
//! Knows nothing of sockets.

use bytes::{Buf, Bytes, BytesMut};

use super::fault::FaultKind;
use super::head::Framing;

/// A chunk-size line: 16 hex digits and CRLF.
const MAX_SIZE_LINE: usize = 18;
/// Up to here copying costs less than sharing.
const COPIED: usize = 2 * 1024;
/// All trailers together.
const MAX_TRAILERS: usize = 8 * 1024;

/// Cuts one request's body out of the bytes that follow its head.
#[derive(Debug)]
pub struct BodyDecoder(State);

#[derive(Debug, Clone, Copy)]
enum State {
    Plain(u64),
    Size,
    Data(u64),
    DataEnd,
    Trailers(usize),
    End,
}

/// What the buffer holds next.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece {
    /// Nothing whole yet: read more.
    Pending,
    /// Bytes of the body.
    Data(Bytes),
    /// The body is over; what is left in the buffer is the next request's.
    End,
}

impl BodyDecoder {
    /// A decoder for one body.
    pub fn new(framing: Framing) -> Self {
        Self(match framing {
            Framing::None | Framing::Length(0) => State::End,
            Framing::Length(length) => State::Plain(length),
            Framing::Chunked => State::Size,
        })
    }

    /// True when no more body can come.
    pub fn ended(&self) -> bool {
        matches!(self.0, State::End)
    }

    /// Takes the next piece out of the buffer.
    ///
    /// # Errors
    /// [`FaultKind::BadChunk`] where the framing is not exactly RFC 9112 §7.1: bare LF, signs, `0x`,
    /// blanks and chunk extensions are all refused, because two readers may cut them differently.
    pub fn next(&mut self, buffer: &mut BytesMut) -> Result<Piece, FaultKind> {
        loop {
            match self.0 {
                State::End => return Ok(Piece::End),
                State::Plain(left) | State::Data(left) => return Ok(self.data(left, buffer)),
                State::Size => {
                    let Some(line) = line(buffer, MAX_SIZE_LINE)? else { return Ok(Piece::Pending) };
                    self.0 = match size(&line)? {
                        0 => State::Trailers(MAX_TRAILERS),
                        size => State::Data(size),
                    };
                }
                State::DataEnd => {
                    let Some(line) = line(buffer, 2)? else { return Ok(Piece::Pending) };
                    if !line.is_empty() {
                        return Err(FaultKind::BadChunk);
                    }
                    self.0 = State::Size;
                }
                State::Trailers(room) => {
                    let Some(line) = line(buffer, room)? else { return Ok(Piece::Pending) };
                    self.0 = trailer(&line, room)?;
                }
            }
        }
    }

    fn data(&mut self, left: u64, buffer: &mut BytesMut) -> Piece {
        if buffer.is_empty() {
            return Piece::Pending;
        }
        let here = usize::try_from(left).map_or(buffer.len(), |left| left.min(buffer.len()));
        let data = piece(buffer, here);
        let left = left - here as u64;
        self.0 = match (self.0, left) {
            (State::Plain(_), 0) => State::End,
            (State::Plain(_), left) => State::Plain(left),
            (_, 0) => State::DataEnd,
            (_, left) => State::Data(left),
        };
        Piece::Data(data)
    }
}

/// A small piece is copied, so that the buffer stays one and is used again; a large one is handed over.
fn piece(buffer: &mut BytesMut, length: usize) -> Bytes {
    if length > COPIED {
        return buffer.split_to(length).freeze();
    }
    let copy = Bytes::copy_from_slice(buffer.get(..length).unwrap_or_default());
    buffer.advance(length);
    copy
}

/// A line without its CRLF; at most `room` bytes with it.
fn line(buffer: &mut BytesMut, room: usize) -> Result<Option<Bytes>, FaultKind> {
    let window = buffer.get(..buffer.len().min(room)).unwrap_or_default();
    let Some(at) = window.iter().position(|b| *b == b'\n') else {
        return if buffer.len() >= room { Err(FaultKind::BadChunk) } else { Ok(None) };
    };
    let mut line = buffer.split_to(at + 1);
    line.truncate(at);
    if line.last() != Some(&b'\r') || line.iter().filter(|b| **b == b'\r').count() != 1 {
        return Err(FaultKind::BadChunk);
    }
    line.truncate(at - 1);
    Ok(Some(line.freeze()))
}

fn size(line: &[u8]) -> Result<u64, FaultKind> {
    let digits = std::str::from_utf8(line).map_err(|_| FaultKind::BadChunk)?;
    if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(FaultKind::BadChunk);
    }
    u64::from_str_radix(digits, 16).map_err(|_| FaultKind::BadChunk)
}

/// Trailers are dropped, never merged into the head; they must still look like header lines.
fn trailer(line: &Bytes, room: usize) -> Result<State, FaultKind> {
    if line.is_empty() {
        return Ok(State::End);
    }
    let name = line.iter().take_while(|b| **b != b':').count();
    let named =
        name > 0 && name < line.len() && line.iter().take(name).all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(b));
    let mut value = line.clone();
    value.advance(name.min(line.len()));
    let clean = value.iter().all(|b| *b == b'\t' || (*b >= 0x20 && *b != 0x7f));
    if named && clean { Ok(State::Trailers(room.saturating_sub(line.len() + 2))) } else { Err(FaultKind::BadChunk) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(framing: Framing, wire: &[u8], step: usize) -> Result<(Vec<u8>, Vec<u8>, bool), FaultKind> {
        let (mut decoder, mut buffer, mut body) = (BodyDecoder::new(framing), BytesMut::new(), Vec::new());
        for chunk in wire.chunks(step) {
            buffer.extend_from_slice(chunk);
            while let Piece::Data(data) = decoder.next(&mut buffer)? {
                body.extend_from_slice(&data);
            }
        }
        Ok((body, buffer.to_vec(), decoder.ended()))
    }

    #[test]
    fn cuts_bodies_at_every_split() {
        let wire = b"3\r\nabc\r\nA\r\n0123456789\r\n0\r\nX: y\r\n\r\nGET ";
        for step in 1..wire.len() {
            assert_eq!(run(Framing::Chunked, wire, step), Ok((b"abc0123456789".to_vec(), b"GET ".to_vec(), true)));
            assert_eq!(run(Framing::Length(4), b"abcdGET ", step), Ok((b"abcd".to_vec(), b"GET ".to_vec(), true)));
        }
        assert_eq!(run(Framing::Length(9), b"abcd", 1), Ok((b"abcd".to_vec(), vec![], false)));
        assert_eq!(run(Framing::None, b"abcd", 4), Ok((vec![], b"abcd".to_vec(), true)));
    }

    #[test]
    fn refuses_every_other_chunk_grammar() {
        for bad in [
            &b"3\nabc\n0\n\n"[..],
            b"3;x=y\r\nabc\r\n0\r\n\r\n",
            b"0x3\r\nabc\r\n0\r\n\r\n",
            b"+3\r\nabc\r\n",
            b" 3\r\nabc\r\n",
            b"3 \r\nabc\r\n",
            b"\r\nabc",
            b"10000000000000028\r\nabc",
            b"3\r\nabcd\r\n",
            b"3\r\nabc\n0\r\n\r\n",
            b"0\r\n: x\r\n\r\n",
            b"0\r\nX y\r\n\r\n",
            b"0\r\nXy\r\n\r\n",
            b"0\r\n X: y\r\n\r\n",
            b"0\r\nX: \x00\r\n\r\n",
            b"3\rx\r\nabc",
            b"ffffffffffffffffff\r\n",
        ] {
            assert_eq!(run(Framing::Chunked, bad, bad.len()), Err(FaultKind::BadChunk), "{:?}", String::from_utf8_lossy(bad));
        }
        let trailers = |length: usize| [b"0\r\nX: ".to_vec(), vec![b'y'; length - 3], b"\r\n\r\n".to_vec()].concat();
        // the empty line counts too
        assert!(run(Framing::Chunked, &trailers(8192 - 4), 4096).is_ok());
        assert_eq!(run(Framing::Chunked, &trailers(8192 - 3), 4096), Err(FaultKind::BadChunk));
        let endless = [b"0\r\n".to_vec(), b"X: y\r\n".repeat(2000)].concat();
        assert_eq!(run(Framing::Chunked, &endless, 7), Err(FaultKind::BadChunk));
    }
}
