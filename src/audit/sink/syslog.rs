//! Syslog: RFC 5424 messages to a local daemon, over UDP (RFC 5426), or over TCP with octet counting (RFC 6587).
//! Knows nothing of files and cursors.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::time::Duration;

use socket2::SockRef;

use super::message::{Message, Severity, cut};
use super::{SendError, Sent, Sink, one_by_one};

/// Log audit, RFC 5424 table 1.
const FACILITY: u8 = 13;
/// The private enterprise number that RFC 5612 sets aside for documentation: dockgate has none of its own.
const STRUCTURE: &str = "dockgate@32473";
/// What is appended to a text that was cut.
const MARK: &str = " [cut by dockgate]";
/// The longest message on a stream or a local socket: what common daemons take by default.
const MOST: usize = 8192;
/// The longest datagram on a network: every receiver should take that much, RFC 5426 section 3.2.
const MOST_UDP: usize = 2048;
/// How long a receiver may leave data unread or unacknowledged.
const PATIENCE: Duration = Duration::from_secs(10);
/// A little more: what was sent so long ago on a connection that stands was acknowledged.
const SETTLED: Duration = Duration::from_secs(12);

/// Where messages say that they come from.
#[derive(Debug, Clone)]
pub struct Origin {
    /// The machine.
    pub host: String,
    /// The process.
    pub pid: u32,
}

impl Origin {
    /// This process.
    pub fn here() -> Self {
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        Self { host: word(host.trim(), 255), pid: std::process::id() }
    }
}

/// One message, at most so many bytes. What is too long is cut; its structured data says how long it was.
pub fn frame(origin: &Origin, message: &Message, most: usize) -> Vec<u8> {
    let header = header(origin, message);
    let whole = structure(message, None);
    let room = most.saturating_sub(header.len() + whole.len() + BOM.len() + 1);
    if message.text.len() <= room {
        return format!("{header}{whole} {BOM}{}", message.text).into_bytes();
    }
    let cut_structure = structure(message, Some(message.text.len()));
    let room = most.saturating_sub(header.len() + cut_structure.len() + BOM.len() + 1 + MARK.len());
    format!("{header}{cut_structure} {BOM}{}{MARK}", cut(&message.text, room)).into_bytes()
}

/// A UTF-8 text begins with it, RFC 5424 section 6.4.
const BOM: &str = "\u{feff}";

fn header(origin: &Origin, message: &Message) -> String {
    let priority = FACILITY * 8 + severity(message.severity());
    let now = || jiff::Timestamp::now().to_string();
    let time = message.fields.time.clone().filter(|time| is_timestamp(time)).unwrap_or_else(|| word(&micros(&now()), 32));
    format!("<{priority}>1 {time} {} dockgate {} {} ", origin.host, origin.pid, word(message.kind(), 32))
}

fn severity(severity: Severity) -> u8 {
    severity as u8
}

/// RFC 5424 section 6.2.3 has six digits of a second at most.
fn micros(time: &str) -> String {
    let Some((seconds, rest)) = time.split_once('.') else { return time.to_owned() };
    let digits: String = rest.chars().take_while(char::is_ascii_digit).take(6).collect();
    format!("{seconds}.{digits}Z")
}

fn is_timestamp(time: &str) -> bool {
    let fraction = time.split_once('.').map_or("", |(_, rest)| rest.trim_end_matches('Z'));
    time.ends_with('Z') && time.len() >= 20 && fraction.len() <= 6 && time.parse::<jiff::Timestamp>().is_ok()
}

/// Printable ASCII without spaces, or the nil value.
fn word(text: &str, most: usize) -> String {
    let word: String = text.chars().filter(char::is_ascii_graphic).take(most).collect();
    if word.is_empty() { "-".to_owned() } else { word }
}

fn structure(message: &Message, length: Option<usize>) -> String {
    let fields = &message.fields;
    let (sequence, status) = (fields.sequence.map(|n| n.to_string()), fields.status.map(|n| n.to_string()));
    let length = length.map(|n| n.to_string());
    let pairs = [
        ("id", fields.id.as_ref()),
        ("sequence", sequence.as_ref()),
        ("stage", fields.stage.as_ref()),
        ("event", fields.event.as_ref()),
        ("verdict", fields.verdict.as_ref()),
        ("reason", fields.reason.as_ref()),
        ("operation", fields.operation.as_ref()),
        ("door", fields.door.as_ref()),
        ("status", status.as_ref()),
        ("cut-from", length.as_ref()),
    ];
    let written = pairs.iter().filter_map(|(name, value)| value.map(|value| format!(" {name}=\"{}\"", escaped(value))));
    format!("[{STRUCTURE}{}]", written.collect::<String>())
}

/// RFC 5424 section 6.3.3.
fn escaped(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for c in cut(value, 512).chars() {
        if matches!(c, '"' | '\\' | ']') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// A daemon of this machine. A daemon that does not read makes writes fail, not wait for ever.
pub struct Unix {
    path: PathBuf,
    origin: Origin,
    socket: Option<UnixDatagram>,
}

impl Unix {
    /// A daemon at a path, usually `/dev/log`.
    pub fn new(path: PathBuf) -> Self {
        Self { path, origin: Origin::here(), socket: None }
    }

    fn socket(&mut self) -> io::Result<&UnixDatagram> {
        let socket = match self.socket.take() {
            Some(socket) => socket,
            None => {
                let socket = UnixDatagram::unbound()?;
                socket.connect(&self.path)?;
                socket.set_write_timeout(Some(PATIENCE))?;
                socket
            }
        };
        Ok(self.socket.insert(socket))
    }
}

impl Sink for Unix {
    fn send(&mut self, batch: &[Message]) -> Sent {
        one_by_one(batch, |message| {
            let frame = frame(&self.origin, message, MOST);
            let sent = self.socket().and_then(|socket| socket.send(&frame));
            if sent.is_err() {
                self.socket = None;
            }
            Ok(sent.map(drop)?)
        })
    }
}

/// A daemon on the network that acknowledges nothing: what gets lost on the way is lost.
pub struct Udp {
    host: String,
    origin: Origin,
    socket: Option<UdpSocket>,
}

impl Udp {
    /// `host:port`.
    pub fn new(host: String) -> Self {
        Self { host, origin: Origin::here(), socket: None }
    }

    fn socket(&mut self) -> io::Result<&UdpSocket> {
        let socket = match self.socket.take() {
            Some(socket) => socket,
            None => {
                let address = self.host.to_socket_addrs()?.next().ok_or_else(|| io::Error::other("the host has no address"))?;
                let socket = UdpSocket::bind(if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" })?;
                socket.connect(address)?;
                socket.set_write_timeout(Some(PATIENCE))?;
                socket
            }
        };
        Ok(self.socket.insert(socket))
    }
}

impl Sink for Udp {
    fn send(&mut self, batch: &[Message]) -> Sent {
        one_by_one(batch, |message| {
            let frame = frame(&self.origin, message, MOST_UDP);
            let sent = self.socket().and_then(|socket| socket.send(&frame));
            if sent.is_err() {
                self.socket = None;
            }
            Ok(sent.map(drop)?)
        })
    }
}

/// A daemon on the network over a connection. Syslog has no acknowledgements, but TCP has: a connection on which data
/// stays unacknowledged for ten seconds is broken off (`TCP_USER_TIMEOUT`), and what was sent on it lately is sent again.
pub struct Tcp {
    host: String,
    origin: Origin,
    stream: Option<TcpStream>,
}

impl Tcp {
    /// `host:port`.
    pub fn new(host: String) -> Self {
        Self { host, origin: Origin::here(), stream: None }
    }

    fn connect(&self) -> io::Result<TcpStream> {
        let mut last = io::Error::other("the host has no address");
        for address in self.host.to_socket_addrs()?.take(4) {
            match TcpStream::connect_timeout(&address, PATIENCE) {
                Ok(stream) => {
                    stream.set_write_timeout(Some(PATIENCE))?;
                    stream.set_nodelay(true)?;
                    SockRef::from(&stream).set_tcp_user_timeout(Some(PATIENCE))?;
                    SockRef::from(&stream).set_keepalive(true)?;
                    return Ok(stream);
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

impl Sink for Tcp {
    /// One write a batch. A batch that was written in part is sent again on the next connection, from where it is sure.
    fn send(&mut self, batch: &[Message]) -> Sent {
        let mut bytes = Vec::new();
        for message in batch {
            let frame = frame(&self.origin, message, MOST);
            bytes.extend_from_slice(format!("{} ", frame.len()).as_bytes()); // RFC 6587 section 3.4.1
            bytes.extend_from_slice(&frame);
        }
        let written = self.alive().and_then(|()| self.stream.as_mut().ok_or(io::ErrorKind::NotConnected)?.write_all(&bytes));
        match written {
            Ok(()) => Sent { taken: batch.len(), failed: None },
            Err(error) => {
                self.stream = None;
                Sent { taken: 0, failed: Some(SendError::Down(error)) }
            }
        }
    }

    fn settles_after(&self) -> Option<Duration> {
        Some(SETTLED)
    }

    /// Connects where there is no connection, and sees the end of one: a receiver that goes away says so before the next write.
    fn alive(&mut self) -> io::Result<()> {
        let Some(stream) = &mut self.stream else {
            self.stream = Some(self.connect()?);
            return Ok(());
        };
        let looked = stream.set_nonblocking(true).and_then(|()| stream.read(&mut [0; 512]));
        let alive = stream.set_nonblocking(false).and(match looked {
            Ok(0) => Err(io::Error::new(io::ErrorKind::ConnectionReset, "the receiver closed the connection")),
            Ok(_) => Ok(()), // whatever it says, nobody asked
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(error),
        });
        if alive.is_err() {
            self.stream = None;
        }
        alive
    }
}
