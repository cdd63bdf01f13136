//! Where the engine is and where doors are: URLs as written → typed places.
//! Knows nothing of whether anything is there.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::places::canonical;

/// Where the engine is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UpstreamUrl {
    /// A socket file.
    Unix(PathBuf),
    /// `host:port`, without TLS.
    Tcp(String),
    /// `host:port`, with TLS.
    Https(String),
}

/// Where a door is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listen {
    /// A socket file.
    Unix(PathBuf),
    /// An address and a port.
    Tcp(SocketAddr),
}

/// What is wrong with a URL, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}; {hint}")]
pub struct UrlError {
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: String,
}

fn wrong<T>(message: impl Into<String>, hint: impl Into<String>) -> Result<T, UrlError> {
    Err(UrlError { message: message.into(), hint: hint.into() })
}

impl FromStr for UpstreamUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        match scheme(text)? {
            ("unix", rest) => socket(text, rest).map(Self::Unix),
            ("tcp", rest) => host_and_port(text, rest, "tcp", 2375).map(Self::Tcp),
            ("https", rest) => host_and_port(text, rest.trim_end_matches('/'), "https", 2376).map(Self::Https),
            ("http", rest) => wrong(format!("`{text}` has an unknown scheme"), format!("write `tcp://{}`", rest.trim_end_matches('/'))),
            _ => wrong(format!("`{text}` has an unknown scheme"), "use unix://, tcp:// or https://"),
        }
    }
}

impl FromStr for Listen {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        match scheme(text)? {
            ("unix", rest) => socket(text, rest).map(Self::Unix),
            ("tcp", rest) => address(text, rest).map(Self::Tcp),
            ("https", rest) => wrong(
                format!("`{text}` has an unknown scheme"),
                format!("write `tcp://{}`, and a `[door.tls]`", rest.trim_end_matches('/')),
            ),
            _ => wrong(format!("`{text}` has an unknown scheme"), "use unix:// or tcp://"),
        }
    }
}

fn scheme(text: &str) -> Result<(&str, &str), UrlError> {
    match text.split_once("://") {
        Some(parts) => Ok(parts),
        None if text.starts_with('/') => wrong(format!("`{text}` has no scheme"), format!("write `unix://{text}`")),
        None if text.starts_with("unix:/") => {
            wrong(format!("`{text}` is no url"), format!("write `unix:///{}`", text.trim_start_matches("unix:").trim_start_matches('/')))
        }
        None => wrong(format!("`{text}` has no scheme"), "write `unix:///path/to/docker.sock` or `tcp://127.0.0.1:2375`"),
    }
}

/// `sun_path` holds 108 bytes with its NUL, unix(7).
fn socket(text: &str, path: &str) -> Result<PathBuf, UrlError> {
    if !path.starts_with('/') {
        return wrong(format!("`{text}` is no absolute path"), format!("write `unix:///{path}` with three slashes"));
    }
    if !canonical(path) || path == "/" {
        return wrong(format!("`{text}` is no plain path to a socket"), "leave out `.`, `..` and doubled or final slashes");
    }
    if path.len() > 107 {
        return wrong(format!("the path is {} bytes long", path.len()), "use a path of at most 107 bytes");
    }
    Ok(Path::new(path).to_path_buf())
}

fn address(text: &str, rest: &str) -> Result<SocketAddr, UrlError> {
    match rest.parse() {
        Ok(address) => Ok(address),
        Err(_) => match rest.rsplit_once(':') {
            Some(("" | "localhost" | "*", port)) => wrong(format!("`{text}` names no address"), format!("write `tcp://127.0.0.1:{port}`")),
            _ => wrong(format!("`{text}` is no address with a port"), "write one like `tcp://127.0.0.1:2375` or `tcp://[::1]:2375`"),
        },
    }
}

fn host_and_port(text: &str, rest: &str, scheme: &str, port: u16) -> Result<String, UrlError> {
    if let Ok(address) = rest.parse::<SocketAddr>() {
        return Ok(address.to_string());
    }
    let name = |host: &str| {
        !host.is_empty() && host.len() < 254 && host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
    };
    match rest.split_once(':') {
        Some((host, port)) if name(host) && port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok() => Ok(rest.to_owned()),
        None if name(rest) => wrong(format!("`{text}` has no port"), format!("write `{scheme}://{rest}:{port}`")),
        _ => wrong(format!("`{text}` is no host with a port"), format!("write one like `{scheme}://engine:{port}`")),
    }
}

impl fmt::Display for UpstreamUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Tcp(host) => write!(f, "tcp://{host}"),
            Self::Https(host) => write!(f, "https://{host}"),
        }
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Tcp(address) => write!(f, "tcp://{address}"),
        }
    }
}
