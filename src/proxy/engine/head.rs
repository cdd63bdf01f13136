//! The head of the engine's reply: read once, strictly, and kept as what the client may get of it.
//! Knows nothing of bodies and of what was asked.

use std::io;

use http::StatusCode;

use crate::docker::ApiVersion;
use crate::docker::head::Framing;

/// Header lines of one reply; the engine sends about ten.
const MAX_FIELDS: usize = 64;

/// What is done with a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// It goes on to the client.
    EndToEnd,
    ApiVersion,
    Connection,
    ContentLength,
    ContentType,
    TransferEncoding,
    /// Between this connection's two ends (RFC 9110 §7.6.1), or one that dockgate writes itself.
    Own,
}

impl Kind {
    /// By the length first: most fields of most replies are of none of these.
    fn of(name: &str) -> Self {
        let is = |other: &str| name.eq_ignore_ascii_case(other);
        let any = |others: &[&str]| others.iter().any(|other| is(other));
        match name.len() {
            2 if is("te") => Self::Own,
            7 if any(&["trailer", "upgrade"]) => Self::Own,
            10 if is("connection") => Self::Connection,
            10 if is("keep-alive") => Self::Own,
            11 if is("api-version") => Self::ApiVersion,
            12 if is("content-type") => Self::ContentType,
            12 if is("dockgate-ref") => Self::Own,
            14 if is("content-length") => Self::ContentLength,
            16 if is("proxy-connection") => Self::Own,
            17 if is("transfer-encoding") => Self::TransferEncoding,
            18 if is("proxy-authenticate") => Self::Own,
            19 if is("proxy-authorization") => Self::Own,
            _ => Self::EndToEnd,
        }
    }
}

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
        let mut listed: Vec<&[u8]> = Vec::new();
        for field in parsed.headers.iter().filter(|field| field.name.eq_ignore_ascii_case("connection")) {
            listed.extend(field.value.split(|b| *b == b',').map(<[u8]>::trim_ascii));
        }
        answer.closes |= listed.iter().any(|option| option.eq_ignore_ascii_case(b"close"));
        for field in &*parsed.headers {
            let kind = Kind::of(field.name);
            let hop = kind == Kind::EndToEnd && listed.iter().any(|option| option.eq_ignore_ascii_case(field.name.as_bytes()));
            answer.field(if hop { Kind::Own } else { kind }, field.name, field.value)?;
        }
        if answer.chunked && answer.length.is_some() {
            return Err(broken("the reply has a length and chunks"));
        }
        Ok(Some((answer, length)))
    }

    fn field(&mut self, kind: Kind, name: &str, value: &[u8]) -> io::Result<()> {
        match kind {
            Kind::EndToEnd => line(name, value, &mut self.fields),
            Kind::ApiVersion => match std::str::from_utf8(value).ok().and_then(ApiVersion::capped) {
                Some(newest) => line(name, newest.as_bytes(), &mut self.fields),
                None => line(name, value, &mut self.fields),
            },
            Kind::ContentType => {
                self.content_type.get_or_insert_with(|| value.to_vec());
            }
            Kind::ContentLength => {
                let length = digits(value).ok_or_else(|| broken("the length of the reply is no number"))?;
                if self.length.replace(length).is_some() {
                    return Err(broken("the reply has two lengths"));
                }
            }
            Kind::TransferEncoding => {
                if self.chunked || !value.eq_ignore_ascii_case(b"chunked") {
                    return Err(broken("the reply has a coding that is not `chunked`"));
                }
                self.chunked = true;
            }
            Kind::Connection | Kind::Own => {}
        }
        Ok(())
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

/// Digits alone: Go and RFC 9112 know no sign, blank or list here.
fn digits(value: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(value).ok()?;
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) { None } else { text.parse().ok() }
}

fn line(name: &str, value: &[u8], out: &mut Vec<u8>) {
    for part in [name.as_bytes(), b": ", value, b"\r\n"] {
        out.extend_from_slice(part);
    }
}
