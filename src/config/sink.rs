//! Where copies of the trail go: sink URLs as written → typed places.
//! Knows nothing of what is sent there.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use super::places::canonical;
use super::url::UrlError;

/// Where the trail's lines go too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SinkUrl {
    /// Standard output.
    Stdout,
    /// The journal's own socket.
    Journald,
    /// A syslog daemon's datagram socket.
    SyslogUnix(PathBuf),
    /// `host:port`, one datagram a message.
    SyslogUdp(String),
    /// `host:port`, messages with their length before them.
    SyslogTcp(String),
    /// A collector's OTLP endpoint over HTTP.
    Otlp {
        /// `host:port`.
        authority: String,
        /// `/v1/logs`, unless another was written.
        path: String,
    },
}

const FORMS: &str = "use `stdout`, `journald`, `syslog+unix:///dev/log`, `syslog+udp://host:514`, `syslog+tcp://host:601` \
                     or `otlp+http://host:4318/v1/logs`";

impl FromStr for SinkUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        let Some((scheme, rest)) = text.split_once("://") else { return word(text) };
        match scheme {
            "syslog+unix" => socket(text, rest).map(Self::SyslogUnix),
            "syslog+udp" => authority(scheme, text, rest, 514).map(Self::SyslogUdp),
            "syslog+tcp" => authority(scheme, text, rest, 601).map(Self::SyslogTcp),
            "otlp+http" => otlp(text, rest),
            "otlp" | "http" => {
                wrong(format!("`{text}` has an unknown scheme"), format!("write `otlp+http://{}`", rest.trim_end_matches('/')))
            }
            "otlp+https" | "https" | "syslog+tls" => {
                wrong(format!("`{text}`: TLS to sinks is not supported"), "send to a collector or relay on this machine, which adds it")
            }
            "otlp+grpc" => wrong(format!("`{text}`: OTLP goes over HTTP only"), "write `otlp+http://host:4318/v1/logs`"),
            "syslog" | "udp" => {
                wrong(format!("`{text}` does not say how"), format!("write `syslog+udp://{rest}` or `syslog+tcp://{rest}`"))
            }
            "tcp" => wrong(format!("`{text}` has an unknown scheme"), format!("write `syslog+tcp://{rest}`")),
            "unix" => wrong(format!("`{text}` has an unknown scheme"), format!("write `syslog+unix://{rest}`")),
            _ => wrong(format!("`{text}` has an unknown scheme"), FORMS),
        }
    }
}

fn wrong<T>(message: impl Into<String>, hint: impl Into<String>) -> Result<T, UrlError> {
    Err(UrlError { message: message.into(), hint: hint.into() })
}

fn word(text: &str) -> Result<SinkUrl, UrlError> {
    match text {
        "stdout" => Ok(SinkUrl::Stdout),
        "journald" => Ok(SinkUrl::Journald),
        "-" => wrong("`-` is no sink", "write `stdout`"),
        "journal" | "systemd" => wrong(format!("`{text}` is no sink"), "write `journald`"),
        _ if text.starts_with('/') => wrong(format!("`{text}` has no scheme"), format!("write `syslog+unix://{text}`")),
        _ => wrong(format!("`{}` is no sink", text.escape_debug()), FORMS),
    }
}

/// `sun_path` holds 108 bytes with its NUL, unix(7).
fn socket(text: &str, path: &str) -> Result<PathBuf, UrlError> {
    if !path.starts_with('/') {
        return wrong(format!("`{text}` is no absolute path"), format!("write `syslog+unix:///{path}` with three slashes"));
    }
    if !canonical(path) || path == "/" {
        return wrong(format!("`{text}` is no plain path to a socket"), "leave out `.`, `..` and doubled or final slashes");
    }
    if path.len() > 107 {
        return wrong(format!("the path is {} bytes long", path.len()), "use a path of at most 107 bytes");
    }
    Ok(PathBuf::from(path))
}

fn authority(scheme: &str, text: &str, rest: &str, port: u16) -> Result<String, UrlError> {
    if rest.parse::<std::net::SocketAddr>().is_ok_and(|address| address.port() != 0) {
        return Ok(rest.to_owned());
    }
    let name = |host: &str| {
        !host.is_empty() && host.len() < 254 && host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
    };
    let number = |port: &str| port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port != 0);
    match rest.split_once(':') {
        Some((host, port)) if name(host) && number(port) => Ok(rest.to_owned()),
        None if name(rest) => wrong(format!("`{text}` has no port"), format!("write `{scheme}://{rest}:{port}`")),
        Some(_) | None => wrong(format!("`{text}` is no host with a port"), format!("write one like `{scheme}://collector:{port}`")),
    }
}

fn otlp(text: &str, rest: &str) -> Result<SinkUrl, UrlError> {
    let (host, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    let authority = authority("otlp+http", text, host, 4318)?;
    let path = if matches!(path, "" | "/") { "/v1/logs" } else { path };
    let plain = path.bytes().all(|b| b.is_ascii_alphanumeric() || b"/-._~".contains(&b));
    if !plain || !canonical(path) {
        return wrong(format!("`{text}` has no plain path"), format!("write `otlp+http://{authority}/v1/logs`"));
    }
    Ok(SinkUrl::Otlp { authority, path: path.to_owned() })
}

impl fmt::Display for SinkUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stdout => f.write_str("stdout"),
            Self::Journald => f.write_str("journald"),
            Self::SyslogUnix(path) => write!(f, "syslog+unix://{}", path.display()),
            Self::SyslogUdp(host) => write!(f, "syslog+udp://{host}"),
            Self::SyslogTcp(host) => write!(f, "syslog+tcp://{host}"),
            Self::Otlp { authority, path } => write!(f, "otlp+http://{authority}{path}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_form_of_a_sink_and_writes_it_back() {
        for text in [
            "stdout",
            "journald",
            "syslog+unix:///dev/log",
            "syslog+udp://loghost:514",
            "syslog+udp://[::1]:5514",
            "syslog+tcp://10.0.0.1:601",
            "otlp+http://collector.example:4318/v1/logs",
        ] {
            assert_eq!(text.parse::<SinkUrl>().unwrap().to_string(), text);
        }
        assert_eq!("otlp+http://c:4318".parse::<SinkUrl>().unwrap().to_string(), "otlp+http://c:4318/v1/logs");
    }

    #[test]
    fn says_how_a_wrong_sink_is_written() {
        for (text, hint) in [
            ("/dev/log", "syslog+unix:///dev/log"),
            ("syslog://h:514", "syslog+udp://h:514"),
            ("syslog+udp://h", "syslog+udp://h:514"),
            ("syslog+tcp://h", "syslog+tcp://h:601"),
            ("syslog+unix://dev/log", "three slashes"),
            ("http://c:4318/", "otlp+http://c:4318"),
            ("otlp+https://c:4318/v1/logs", "collector or relay on this machine"),
            ("otlp+http://c:4318/a?b", "otlp+http://c:4318/v1/logs"),
            ("otlp+http://user:secret@c:4318", "collector:4318"),
            ("syslog+udp://h:0", "collector:514"),
            ("-", "stdout"),
            ("", "journald"),
            ("ftp://h", "journald"),
        ] {
            let error = text.parse::<SinkUrl>().unwrap_err();
            assert!(error.hint.contains(hint), "{text}: {error}");
        }
    }
}
