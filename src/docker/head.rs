//! The head of a request: request line, headers and framing facts, from bytes.
//! Knows nothing of sockets, and nothing of which operations exist.

use super::fault::{Fault, FaultKind};
use super::method::Method;
use super::target::Target;

/// Bytes of a head, its empty line included.
pub const MAX_HEAD: usize = 32 * 1024;
/// Header lines of a head.
pub const MAX_HEADERS: usize = 64;
/// One byte more than the longest name that decides something, `sec-websocket-protocol`.
const LONGEST_NAME: usize = 23;

/// A request head that can be judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The method.
    pub method: Method,
    /// Version, path and query.
    pub target: Target,
    /// HTTP/1.0 or 1.1.
    pub http: Http,
    /// How the body is framed.
    pub framing: Framing,
    /// Whether the connection may serve another request afterwards.
    pub keep_alive: bool,
    /// Whether the client waits for `100 Continue` before it sends the body.
    pub expects_continue: bool,
    /// The essence of Content-Type (`application/json`), lower case.
    pub content_type: Option<String>,
    /// The protocol that the client wants to change to.
    pub upgrade: Option<Upgrade>,
    /// Host, as sent.
    pub host: Option<String>,
    /// True where Origin or Sec-Fetch-* shows a browser.
    pub browser: bool,
    /// User-Agent, for the record only.
    pub user_agent: Option<String>,
    /// X-Registry-Auth, not decoded yet.
    pub registry_auth: Option<String>,
    /// X-Registry-Config, not decoded yet.
    pub registry_config: Option<String>,
}

/// The HTTP version of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Http {
    /// HTTP/1.0
    V10,
    /// HTTP/1.1
    V11,
}

/// How a body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// There is none.
    None,
    /// After this many bytes.
    Length(u64),
    /// With the last chunk.
    Chunked,
}

/// What `Upgrade` asks for, on operations that can grant it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Upgrade {
    /// `tcp`: the raw stream of attach and exec.
    Tcp,
    /// `websocket`, with its key and sub-protocol (RFC 6455 §4.1).
    WebSocket {
        /// Sec-WebSocket-Key
        key: String,
        /// Sec-WebSocket-Protocol
        protocol: Option<String>,
    },
    /// Something else, which is ignored.
    Other,
}

impl Head {
    /// Reads one head from the front of `bytes`; `None` while it is incomplete, else the head and its length.
    ///
    /// # Errors
    /// Everything that two readers could take differently, by its [`FaultKind`].
    pub fn parse(bytes: &[u8]) -> Result<Option<(Self, usize)>, Fault> {
        let blank = leading_blank_lines(bytes);
        let rest = bytes.get(blank..).unwrap_or_default();
        early_faults(rest)?;
        let Some(length) = head_length(rest)? else { return Ok(None) };
        let head = rest.get(..length).unwrap_or_default();
        let (line, block) = request_line(head)?;
        let mut lines = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let headers = match httparse::parse_headers(block, &mut lines) {
            Ok(httparse::Status::Complete((_, headers))) => headers,
            Err(httparse::Error::TooManyHeaders) => return Err(Fault::new(FaultKind::HeadTooLarge, "")),
            Ok(httparse::Status::Partial) | Err(_) => return Err(malformed("")),
        };
        Ok(Some((assemble(line, headers)?, blank + length)))
    }
}

fn malformed(at: &str) -> Fault {
    Fault::new(FaultKind::MalformedHead, at)
}

/// RFC 9112 §2.2 lets a server skip empty lines before a request line; two are enough for any client.
fn leading_blank_lines(bytes: &[u8]) -> usize {
    let skip = |at: usize| if bytes.get(at..).is_some_and(|rest| rest.starts_with(b"\r\n")) { at + 2 } else { at };
    skip(skip(0))
}

/// HTTP/2 shows in the first bytes; its preface must not wait for the end of a head.
fn early_faults(rest: &[u8]) -> Result<(), Fault> {
    if rest.starts_with(b"PRI * HTTP/2") { Err(Fault::new(FaultKind::Http2, "")) } else { Ok(()) }
}

/// The length up to and with the empty line. Every line must end in CRLF: a bare LF or CR is where readers differ.
fn head_length(bytes: &[u8]) -> Result<Option<usize>, Fault> {
    let window = bytes.get(..bytes.len().min(MAX_HEAD)).unwrap_or_default();
    let mut rest = window;
    while let Some(end) = memchr::memchr(b'\n', rest) {
        let (line, after) = rest.split_at_checked(end + 1).unwrap_or_default();
        let Some(text) = line.strip_suffix(b"\r\n") else { return Err(malformed("")) };
        if memchr::memchr2(b'\r', 0, text).is_some() {
            return Err(malformed(""));
        }
        if text.is_empty() {
            return Ok(Some(window.len() - after.len()));
        }
        rest = after;
    }
    // what has come of a line that has not ended: a CR may only be its last byte
    let open = rest.strip_suffix(b"\r").unwrap_or(rest);
    if memchr::memchr2(b'\r', 0, open).is_some() {
        return Err(malformed(""));
    }
    if bytes.len() >= MAX_HEAD { Err(Fault::new(FaultKind::HeadTooLarge, "")) } else { Ok(None) }
}

struct Line<'a> {
    method: &'a str,
    target: &'a str,
    http: Http,
}

/// `METHOD SP TARGET SP HTTP/1.x`, with exactly one blank each (RFC 9112 §3).
/// Not httparse's: it refuses raw `{}"` in a target, which named clients send.
fn request_line(head: &[u8]) -> Result<(Line<'_>, &[u8]), Fault> {
    let end = head.iter().position(|b| *b == b'\r').ok_or_else(|| malformed(""))?;
    let (line, rest) = head.split_at_checked(end).ok_or_else(|| malformed(""))?;
    let line = std::str::from_utf8(line).map_err(|_| malformed("request line"))?;
    let mut parts = line.split(' ');
    let (Some(method), Some(target), Some(version), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
        return Err(malformed("request line"));
    };
    if !target.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(Fault::new(FaultKind::BadPath, ""));
    }
    let http = match version {
        "HTTP/1.1" => Http::V11,
        "HTTP/1.0" => Http::V10,
        _ => return Err(Fault::new(FaultKind::HttpVersion, "")),
    };
    Ok((Line { method, target, http }, rest.get(2..).unwrap_or_default()))
}

/// The headers that decide something; each may stand once.
#[derive(Default)]
struct Singles<'a> {
    host: Option<&'a str>,
    content_length: Option<&'a str>,
    transfer_encoding: Option<&'a str>,
    content_type: Option<&'a str>,
    content_encoding: Option<&'a str>,
    expect: Option<&'a str>,
    upgrade: Option<&'a str>,
    user_agent: Option<&'a str>,
    registry_auth: Option<&'a str>,
    registry_config: Option<&'a str>,
    ws_key: Option<&'a str>,
    ws_version: Option<&'a str>,
    ws_protocol: Option<&'a str>,
    browser: bool,
    close: bool,
    keep_alive: bool,
}

fn assemble(line: Line<'_>, headers: &[httparse::Header<'_>]) -> Result<Head, Fault> {
    let method = Method::parse(line.method).ok_or_else(|| Fault::new(FaultKind::UnknownMethod, ""))?;
    let singles = collect(headers)?;
    refuse_never_forwarded(&singles)?;
    let framing = framing(&singles, line.http)?;
    Ok(Head {
        method,
        target: Target::parse(line.target)?,
        http: line.http,
        framing,
        keep_alive: match line.http {
            Http::V11 => !singles.close,
            Http::V10 => singles.keep_alive && !singles.close,
        },
        expects_continue: expectation(singles.expect, framing, line.http)?,
        content_type: singles.content_type.map(essence),
        upgrade: upgrade(&singles)?,
        host: host(singles.host)?,
        browser: singles.browser,
        user_agent: singles.user_agent.map(str::to_owned),
        registry_auth: singles.registry_auth.map(str::to_owned),
        registry_config: singles.registry_config.map(str::to_owned),
    })
}

fn collect<'a>(headers: &[httparse::Header<'a>]) -> Result<Singles<'a>, Fault> {
    let mut found = Singles::default();
    for header in headers {
        let mut place = [0; LONGEST_NAME];
        let name = lower_case(header.name, &mut place);
        let slot = match name {
            "host" => &mut found.host,
            "content-length" => &mut found.content_length,
            "transfer-encoding" => &mut found.transfer_encoding,
            "content-type" => {
                let value = text(name, header.value)?;
                if is_form(value) {
                    return Err(Fault::new(FaultKind::FormBody, name));
                }
                if !bollards_second(found.content_type, value) && found.content_type.replace(value).is_some() {
                    return Err(Fault::new(FaultKind::RepeatedHeader, name));
                }
                continue;
            }
            "content-encoding" => &mut found.content_encoding,
            "expect" => &mut found.expect,
            "upgrade" => &mut found.upgrade,
            "user-agent" => &mut found.user_agent,
            "x-registry-auth" => &mut found.registry_auth,
            "x-registry-config" => &mut found.registry_config,
            "sec-websocket-key" => &mut found.ws_key,
            "sec-websocket-version" => &mut found.ws_version,
            "sec-websocket-protocol" => &mut found.ws_protocol,
            "connection" => {
                let has =
                    |token: &str| header.value.split(|b| *b == b',').any(|part| part.trim_ascii().eq_ignore_ascii_case(token.as_bytes()));
                found.close |= has("close");
                found.keep_alive |= has("keep-alive");
                continue;
            }
            "origin" => {
                found.browser = true;
                continue;
            }
            other => {
                found.browser |= other.starts_with("sec-fetch-");
                continue;
            }
        };
        if slot.replace(text(name, header.value)?).is_some() {
            return Err(Fault::new(FaultKind::RepeatedHeader, name));
        }
    }
    Ok(found)
}

/// The name in lower case; of a longer one than any that decides something its first bytes are enough.
fn lower_case<'a>(name: &str, place: &'a mut [u8; LONGEST_NAME]) -> &'a str {
    let mut length = 0;
    for (place, byte) in place.iter_mut().zip(name.bytes()) {
        *place = byte.to_ascii_lowercase();
        length += 1;
    }
    let short = place.get(..length).unwrap_or_default();
    std::str::from_utf8(short).unwrap_or_default()
}

fn text<'a>(name: &str, value: &'a [u8]) -> Result<&'a str, Fault> {
    let value = std::str::from_utf8(value).map_err(|_| malformed(name))?;
    Ok(value.trim_matches([' ', '\t']))
}

/// Form bodies override the query in Go's `r.Form`. No client needs them.
fn is_form(content_type: &str) -> bool {
    let essence = essence(content_type);
    essence == "application/x-www-form-urlencoded" || essence.starts_with("multipart/")
}

/// bollard adds `application/json` to the type of every body that is no JSON. The engine goes by the first, and the head is
/// written anew with that one alone.
fn bollards_second(first: Option<&str>, value: &str) -> bool {
    value == "application/json" && first.is_some_and(|first| essence(first) != value)
}

/// Encodings are never looked at by the daemon: a tar that says it is compressed (docker-py) is known by its own bytes.
fn refuse_never_forwarded(found: &Singles<'_>) -> Result<(), Fault> {
    let tar = found.content_type.is_some_and(|text| matches!(essence(text).as_str(), "application/tar" | "application/x-tar"));
    if found.content_encoding.is_some_and(|encoding| !(tar && encoding == "gzip")) {
        return Err(Fault::new(FaultKind::ContentEncoding, "content-encoding"));
    }
    Ok(())
}

/// Exactly one way to frame a body (RFC 9112 §6.3, stricter where it leaves a choice).
fn framing(found: &Singles<'_>, http: Http) -> Result<Framing, Fault> {
    match (found.content_length, found.transfer_encoding) {
        (None, None) => Ok(Framing::None),
        (Some(_), Some(_)) => Err(Fault::new(FaultKind::LengthAndEncoding, "content-length")),
        (None, Some(coding)) if coding.eq_ignore_ascii_case("chunked") && http == Http::V11 => Ok(Framing::Chunked),
        (None, Some(_)) => Err(Fault::new(FaultKind::TransferEncoding, "transfer-encoding")),
        (Some(digits), None) => {
            let plain = !digits.is_empty() && digits.len() <= 19 && digits.bytes().all(|b| b.is_ascii_digit());
            let length = digits.parse().ok().filter(|_| plain);
            length.map(Framing::Length).ok_or_else(|| Fault::new(FaultKind::BadContentLength, "content-length"))
        }
    }
}

/// `100-continue` only, and only with a body to wait for (an expectation on an empty body desynchronises some servers).
fn expectation(expect: Option<&str>, framing: Framing, http: Http) -> Result<bool, Fault> {
    let Some(expect) = expect else { return Ok(false) };
    let body = !matches!(framing, Framing::None | Framing::Length(0));
    if expect.eq_ignore_ascii_case("100-continue") && body && http == Http::V11 {
        return Ok(true);
    }
    Err(Fault::new(FaultKind::Expectation, "expect"))
}

fn essence(content_type: &str) -> String {
    content_type.split(';').next().unwrap_or_default().trim_matches([' ', '\t']).to_ascii_lowercase()
}

fn upgrade(found: &Singles<'_>) -> Result<Option<Upgrade>, Fault> {
    let Some(wanted) = found.upgrade else { return Ok(None) };
    let tokens: Vec<String> = wanted.split(',').map(|token| token.trim_matches([' ', '\t']).to_ascii_lowercase()).collect();
    if tokens.iter().any(|token| token.starts_with("h2")) {
        return Err(Fault::new(FaultKind::Http2, "upgrade"));
    }
    Ok(Some(match tokens.as_slice() {
        [tcp] if tcp == "tcp" => Upgrade::Tcp,
        [socket] if socket == "websocket" => web_socket(found)?,
        _ => Upgrade::Other,
    }))
}

fn web_socket(found: &Singles<'_>) -> Result<Upgrade, Fault> {
    let token = |text: &&str| text.len() <= 128 && text.bytes().all(|b| b.is_ascii_graphic() || b == b' ');
    let key = found.ws_key.filter(token).filter(|_| found.ws_version == Some("13"));
    let protocol = found.ws_protocol.filter(token).map(str::to_owned);
    match key {
        Some(key) if protocol.is_some() == found.ws_protocol.is_some() => Ok(Upgrade::WebSocket { key: key.to_owned(), protocol }),
        Some(_) | None => Err(Fault::new(FaultKind::BadUpgrade, "upgrade")),
    }
}

/// Clients put `docker`, socket paths in percent or hex encoding, versions or nothing here.
fn host(host: Option<&str>) -> Result<Option<String>, Fault> {
    let legal = |text: &str| text.len() <= 512 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-:[]%~".contains(&b));
    match host {
        Some(text) if !legal(text) => Err(Fault::new(FaultKind::BadHost, "host")),
        other => Ok(other.map(str::to_owned)),
    }
}

#[cfg(test)]
mod tests;
