//! A second reader of HTTP/1.1, slow and strict, written from RFC 9112 alone: requests, and replies as a client reads them.
//! Knows nothing of dockgate's own readers.

/// A message's head: its first line and its fields, names in small letters.
#[derive(Debug, Clone)]
pub struct Head {
    pub line: String,
    pub fields: Vec<(String, String)>,
}

/// How a body ends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Framing {
    None,
    Length(usize),
    Chunked,
    /// Two readers may differ.
    Ambiguous,
}

/// A body at the beginning of some bytes.
#[derive(Debug, PartialEq)]
pub enum Body {
    /// It, and how many bytes it took.
    Whole(Vec<u8>, usize),
    /// The bytes end before it does.
    Cut,
    /// It is none.
    Broken,
}

impl Head {
    /// The head at the beginning, and its length with the empty line; `None` where there is none, or none that all readers read alike.
    pub fn read(bytes: &[u8]) -> Option<(Self, usize)> {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
        let text: String = bytes[..end].iter().map(|byte| char::from(*byte)).collect();
        let mut lines = text.split("\r\n");
        let line = lines.next().unwrap_or_default().to_owned();
        let mut fields = Vec::new();
        for field in lines {
            let (name, value) = field.split_once(':')?;
            if name.is_empty() || !name.bytes().all(is_token) {
                return None;
            }
            fields.push((name.to_ascii_lowercase(), value.trim_matches([' ', '\t']).to_owned()));
        }
        let clean = !text.replace("\r\n", "").contains(['\r', '\n', '\0']);
        clean.then_some((Self { line, fields }, end + 4))
    }

    pub fn all<'a>(&'a self, name: &str) -> Vec<&'a str> {
        self.fields.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str()).collect()
    }

    pub fn framing(&self) -> Framing {
        match (self.all("content-length").as_slice(), self.all("transfer-encoding").as_slice()) {
            ([], []) => Framing::None,
            ([digits], []) if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) => {
                digits.parse().map_or(Framing::Ambiguous, Framing::Length)
            }
            ([], [coding]) if coding.eq_ignore_ascii_case("chunked") && self.line.contains("HTTP/1.1") => Framing::Chunked,
            _ => Framing::Ambiguous,
        }
    }
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// The body that begins here.
pub fn body(framing: Framing, bytes: &[u8]) -> Body {
    match framing {
        Framing::None => Body::Whole(Vec::new(), 0),
        Framing::Length(length) => bytes.get(..length).map_or(Body::Cut, |body| Body::Whole(body.to_vec(), length)),
        Framing::Chunked => chunked(bytes),
        Framing::Ambiguous => Body::Broken,
    }
}

/// `chunked-body` of RFC 9112 §7.1 without extensions.
fn chunked(bytes: &[u8]) -> Body {
    let (mut whole, mut at) = (Vec::new(), 0);
    loop {
        let Some((line, next)) = line(bytes, at) else { return unfinished(&bytes[at..]) };
        let digits = !line.is_empty() && line.len() <= 16 && line.bytes().all(|b| b.is_ascii_hexdigit());
        let Ok(size) = usize::from_str_radix(&line, 16) else { return Body::Broken };
        if !digits {
            return Body::Broken;
        }
        at = next;
        if size == 0 {
            return trailers(bytes, at, whole);
        }
        let Some(end) = at.checked_add(size) else { return Body::Broken };
        match (bytes.get(at..end), bytes.get(end..end.saturating_add(2))) {
            (Some(data), Some(b"\r\n")) => whole.extend_from_slice(data),
            (Some(_), Some(_)) => return Body::Broken,
            _ => return Body::Cut,
        }
        at = end + 2;
    }
}

fn trailers(bytes: &[u8], mut at: usize, whole: Vec<u8>) -> Body {
    loop {
        let Some((line, next)) = line(bytes, at) else { return unfinished(&bytes[at..]) };
        at = next;
        if line.is_empty() {
            return Body::Whole(whole, at);
        }
        if line.split_once(':').is_none_or(|(name, _)| name.is_empty() || !name.bytes().all(is_token)) {
            return Body::Broken;
        }
    }
}

fn unfinished(rest: &[u8]) -> Body {
    if rest.contains(&b'\n') { Body::Broken } else { Body::Cut }
}

/// A line that ends in CRLF and holds neither alone, and where the next one begins.
fn line(bytes: &[u8], at: usize) -> Option<(String, usize)> {
    let end = at + bytes.get(at..)?.windows(2).position(|two| two == b"\r\n")?;
    let text: String = bytes[at..end].iter().map(|byte| char::from(*byte)).collect();
    (!text.contains(['\r', '\n', '\0'])).then_some((text, end + 2))
}

/// A request of the client, as this reader has it.
#[derive(Debug)]
pub struct Request {
    pub head: Head,
    pub framing: Framing,
    /// `None` where the bytes end within it, or it is broken.
    pub body: Option<Vec<u8>>,
}

/// The client's requests, up to where readers may differ.
pub fn requests(mut bytes: &[u8]) -> Vec<Request> {
    let mut found = Vec::new();
    loop {
        for _ in 0..2 {
            bytes = bytes.strip_prefix(b"\r\n").unwrap_or(bytes); // RFC 9112 §2.2
        }
        let Some((head, length)) = Head::read(bytes) else { return found };
        let framing = head.framing();
        bytes = &bytes[length..];
        match body(framing, bytes) {
            Body::Whole(body, length) => {
                bytes = &bytes[length..];
                found.push(Request { head, framing, body: Some(body) });
            }
            Body::Cut | Body::Broken => {
                found.push(Request { head, framing, body: None });
                return found;
            }
        }
    }
}
