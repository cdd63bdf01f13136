//! Arbitrary bytes behind a head: the same body however they arrive, and not one byte too many or too few.
//! Input: a framing (`n`, `l` or `c`), two bytes of length, two bytes that seed the splits, then the wire.
#![no_main]

use bytes::BytesMut;
use dockgate::docker::FaultKind;
use dockgate::docker::chunked::{BodyDecoder, Piece};
use dockgate::docker::head::Framing;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let [kind, low, high, a, b, wire @ ..] = input else { return };
    let framing = match kind {
        b'n' => Framing::None,
        b'l' => Framing::Length(u64::from(u16::from_le_bytes([*low, *high]))),
        _ => Framing::Chunked,
    };
    let seed = u64::from(u16::from_le_bytes([*a, *b]));
    let whole = decode(framing, wire, |_| usize::MAX);
    assert_eq!(whole, decode(framing, wire, |_| 1), "byte by byte");
    assert_eq!(whole, decode(framing, wire, |at| random(seed, at, 24)), "seed {seed}");
    match (framing, whole) {
        (Framing::None, whole) => assert_eq!(whole, Ok(Cut { body: vec![], rest: wire.to_vec(), ended: true })),
        (Framing::Length(length), whole) => cut_at(length, wire, &whole.expect("a length cannot be faulty")),
        (Framing::Chunked, Ok(cut)) if cut.ended => {
            let consumed = wire.strip_suffix(cut.rest.as_slice()).expect("the rest is the end of the wire");
            assert_eq!(strict(consumed).as_ref(), Some(&cut.body), "other chunks than RFC 9112 knows");
            reads_back(&cut.body, seed);
        }
        (Framing::Chunked, _) => {}
    }
});

#[derive(Debug, PartialEq)]
struct Cut {
    body: Vec<u8>,
    rest: Vec<u8>,
    ended: bool,
}

/// Feeds the wire in steps that the closure chooses, as a connection would.
fn decode(framing: Framing, wire: &[u8], step: impl Fn(usize) -> usize) -> Result<Cut, FaultKind> {
    let (mut decoder, mut buffer, mut body) = (BodyDecoder::new(framing), BytesMut::new(), Vec::new());
    let mut at = 0;
    loop {
        let ended = loop {
            match decoder.next(&mut buffer)? {
                Piece::Data(data) => {
                    assert!(!data.is_empty(), "an empty piece would make a reader spin");
                    body.extend_from_slice(&data);
                }
                Piece::Pending => break false,
                Piece::End => break true,
            }
        };
        assert_eq!(ended, decoder.ended());
        if at == wire.len() {
            return Ok(Cut { body, rest: buffer.to_vec(), ended });
        }
        let end = at.saturating_add(step(at)).min(wire.len());
        buffer.extend_from_slice(&wire[at..end]);
        at = end;
    }
}

fn random(seed: u64, at: usize, most: u64) -> usize {
    let mixed = (seed ^ at as u64).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    1 + ((mixed >> 33) % most) as usize
}

fn cut_at(length: u64, wire: &[u8], cut: &Cut) {
    let here = wire.len().min(length as usize);
    assert_eq!((cut.body.as_slice(), cut.rest.as_slice()), wire.split_at(here));
    assert_eq!(cut.ended, wire.len() as u64 >= length);
}

/// The grammar once more, over the whole: nothing but digits, CRLF, data, CRLF, and at the end trailers that are header lines.
fn strict(mut wire: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let size = cut_line(&mut wire)?;
        let digits = !size.is_empty() && size.bytes().all(|b| b.is_ascii_hexdigit());
        let size = usize::from_str_radix(size, 16).ok().filter(|_| digits)?;
        if size == 0 {
            break;
        }
        body.extend_from_slice(wire.get(..size)?);
        wire = wire.get(size..)?.strip_prefix(b"\r\n")?;
    }
    loop {
        match cut_line(&mut wire)? {
            "" => return wire.is_empty().then_some(body),
            line if line.split_once(':').is_some_and(|(name, _)| !name.is_empty() && !name.contains([' ', '\t'])) => {}
            _ => return None,
        }
    }
}

fn cut_line<'a>(wire: &mut &'a [u8]) -> Option<&'a str> {
    let end = wire.windows(2).position(|pair| pair == b"\r\n")?;
    // a trailer's value may be any bytes; only its name and the line's end matter here
    let line = wire[..end].split(|b| *b == b':' || *b >= 0x80).next().unwrap_or_default();
    let line = std::str::from_utf8(&wire[..(line.len() + 1).min(end)]).ok()?;
    let clean = !wire[..end].iter().any(|b| matches!(b, b'\r' | b'\n' | 0));
    *wire = &wire[end + 2..];
    clean.then_some(line)
}

/// The body in canonical chunks decodes to itself, and stops before what follows.
fn reads_back(body: &[u8], seed: u64) {
    let (mut wire, mut at) = (Vec::new(), 0);
    while at < body.len() {
        let end = (at + random(seed, at, 300)).min(body.len());
        wire.extend_from_slice(format!("{:x}\r\n", end - at).as_bytes());
        wire.extend_from_slice(&body[at..end]);
        wire.extend_from_slice(b"\r\n");
        at = end;
    }
    wire.extend_from_slice(b"0\r\n\r\nnext");
    let cut = Cut { body: body.to_vec(), rest: b"next".to_vec(), ended: true };
    assert_eq!(decode(Framing::Chunked, &wire, |at| random(seed, at, 9)), Ok(cut));
}
