//! The head of the engine's reply: read once, strictly, and kept as what the client may get of it.
//! Knows nothing of bodies and of what was asked.

use std::io;

use hyper::StatusCode;

use crate::docker::ApiVersion;
use crate::docker::head::Framing;

/// Header lines of one reply; the engine sends about ten.
const MAX_FIELDS: usize = 64;

/// Fields between this connection's two ends (RFC 9110 §7.6.1), and those that dockgate writes itself.
const OWN: [&str; 12] = [
    "connection",
    "content-length",
    "dockgate-ref",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "content-type",
];

/// A reply's head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The end-to-end fields, each as a line with its end; but for Content-Type.
    pub fields: Vec<u8>,
    /// Content-Type.
    pub content_type: Option<Vec<u8>>,
    /// Content-Length.
    pub length: Option<u64>,
    chunked: bool,
    /// The engine closes the connection after this reply.
    pub closes: bool,
}

impl Answer {
    /// The head at the beginning of the bytes, and how long it is; `None` where it is not whole yet.
    ///
    /// # Errors
    /// What is no head of HTTP/1, more than 64 fields, and framing that is not plain: Content-Length beside
    /// Transfer-Encoding, several lengths, and codings other than `chunked`.
    pub fn parse(bytes: &[u8]) -> io::Result<Option<(Self, usize)>> {
        let mut room = [httparse::EMPTY_HEADER; MAX_FIELDS];
        let mut parsed = httparse::Response::new(&mut room);
        let length = match parsed.parse(bytes) {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(_) => return Err(broken("the head of the reply is no HTTP")),
        };
        let status = parsed.code.and_then(|code| StatusCode::from_u16(code).ok()).ok_or_else(|| broken("the reply has no status"))?;
        let mut answer = Self {
            status,
            fields: Vec::with_capacity(length),
            content_type: None,
            length: None,
            chunked: false,
            closes: parsed.version != Some(1),
        };
        answer.hop_by_hop(parsed.headers)?;
        let listed: Vec<&[u8]> = named(parsed.headers, "connection").flat_map(|field| field.value.split(|b| *b == b',')).collect();
        for field in &*parsed.headers {
            let listed = listed.iter().any(|option| option.trim_ascii().eq_ignore_ascii_case(field.name.as_bytes()));
            if !listed && !OWN.iter().any(|own| field.name.eq_ignore_ascii_case(own)) {
                line(field.name, &capped(field), &mut answer.fields);
            }
        }
        Ok(Some((answer, length)))
    }

    fn hop_by_hop(&mut self, headers: &[httparse::Header<'_>]) -> io::Result<()> {
        for field in headers {
            let is = |name: &str| field.name.eq_ignore_ascii_case(name);
            if is("content-length") {
                let length = digits(field.value).ok_or_else(|| broken("the length of the reply is no number"))?;
                if self.length.replace(length).is_some() {
                    return Err(broken("the reply has two lengths"));
                }
            } else if is("transfer-encoding") {
                if self.chunked || !field.value.eq_ignore_ascii_case(b"chunked") {
                    return Err(broken("the reply has a coding that is not `chunked`"));
                }
                self.chunked = true;
            } else if is("connection") {
                self.closes |= field.value.split(|b| *b == b',').any(|option| option.trim_ascii().eq_ignore_ascii_case(b"close"));
            } else if is("content-type") {
                self.content_type.get_or_insert_with(|| field.value.to_vec());
            }
        }
        if self.chunked && self.length.is_some() { Err(broken("the reply has a length and chunks")) } else { Ok(()) }
    }

    /// False for an interim answer, such as `100 Continue`.
    pub fn is_final(&self) -> bool {
        !self.status.is_informational() || self.status == StatusCode::SWITCHING_PROTOCOLS
    }

    /// How the body is cut; `None` where it ends with the connection. `bodyless` for the answer to HEAD.
    pub fn framing(&self, bodyless: bool) -> Option<Framing> {
        let none = bodyless
            || self.status == StatusCode::NO_CONTENT
            || self.status == StatusCode::NOT_MODIFIED
            || self.status == StatusCode::SWITCHING_PROTOCOLS;
        match (none, self.chunked, self.length) {
            (true, _, _) => Some(Framing::None),
            (false, true, _) => Some(Framing::Chunked),
            (false, false, Some(length)) => Some(Framing::Length(length)),
            (false, false, None) => None,
        }
    }
}

fn broken(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

fn named<'h, 'b>(headers: &'h [httparse::Header<'b>], name: &'static str) -> impl Iterator<Item = &'h httparse::Header<'b>> {
    headers.iter().filter(move |field| field.name.eq_ignore_ascii_case(name))
}

/// Digits alone: Go and RFC 9112 know no sign, blank or list here.
fn digits(value: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(value).ok()?;
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) { None } else { text.parse().ok() }
}

/// The version that a client negotiates with is not above the tables'.
fn capped<'h>(field: &httparse::Header<'h>) -> std::borrow::Cow<'h, [u8]> {
    let version = || ApiVersion::capped(std::str::from_utf8(field.value).ok()?);
    let newest = if field.name.eq_ignore_ascii_case("api-version") { version() } else { None };
    newest.map_or(field.value.into(), |newest| newest.into_bytes().into())
}

fn line(name: &str, value: &[u8], out: &mut Vec<u8>) {
    for part in [name.as_bytes(), b": ", value, b"\r\n"] {
        out.extend_from_slice(part);
    }
}
