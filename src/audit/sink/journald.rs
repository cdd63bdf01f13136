//! The journal: its native protocol, one datagram a message.
//! Knows nothing of files and cursors.

use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::time::Duration;

use super::message::{Message, cut};
use super::{Sent, Sink, one_by_one};

/// Log audit, as in syslog.
const FACILITY: &str = "13";
/// What a message that the socket does not take whole is cut to: a larger one would need a sealed memory file, whose
/// descriptor cannot be passed without `unsafe`.
const SHORT: usize = 16 * 1024;
/// `EMSGSIZE` on Linux.
const TOO_LONG: i32 = 90;
/// How long the journal may leave its socket full.
const PATIENCE: Duration = Duration::from_secs(10);

/// The journal's socket.
pub struct Journald {
    path: PathBuf,
    socket: Option<UnixDatagram>,
}

impl Journald {
    /// The journal at a path.
    pub fn new(path: PathBuf) -> Self {
        Self { path, socket: None }
    }

    fn put(&mut self, datagram: &[u8]) -> io::Result<()> {
        let socket = match self.socket.take() {
            Some(socket) => socket,
            None => {
                let socket = UnixDatagram::unbound()?;
                socket.connect(&self.path)?;
                socket.set_write_timeout(Some(PATIENCE))?;
                socket
            }
        };
        socket.send(datagram)?;
        self.socket = Some(socket);
        Ok(())
    }
}

impl Sink for Journald {
    fn send(&mut self, batch: &[Message]) -> Sent {
        one_by_one(batch, |message| {
            let sent = match self.put(&entry(message, usize::MAX)) {
                Err(error) if error.raw_os_error() == Some(TOO_LONG) => self.put(&entry(message, SHORT)),
                sent => sent,
            };
            Ok(sent?)
        })
    }
}

/// An entry with its text cut to so many bytes.
fn entry(message: &Message, most: usize) -> Vec<u8> {
    let fields = &message.fields;
    let (sequence, status) = (fields.sequence.map(|n| n.to_string()), fields.status.map(|n| n.to_string()));
    let text = cut(&message.text, most);
    let length = (text.len() < message.text.len()).then(|| message.text.len().to_string());
    let mut out = Vec::with_capacity(text.len() + 512);
    field(&mut out, "MESSAGE", text);
    field(&mut out, "PRIORITY", &(message.severity() as u8).to_string());
    field(&mut out, "SYSLOG_FACILITY", FACILITY);
    field(&mut out, "SYSLOG_IDENTIFIER", "dockgate");
    field(&mut out, "SYSLOG_PID", &std::process::id().to_string());
    for (name, value) in [
        ("DOCKGATE_ID", &fields.id),
        ("DOCKGATE_SEQUENCE", &sequence),
        ("DOCKGATE_STAGE", &fields.stage),
        ("DOCKGATE_EVENT", &fields.event),
        ("DOCKGATE_VERDICT", &fields.verdict),
        ("DOCKGATE_REASON", &fields.reason),
        ("DOCKGATE_OPERATION", &fields.operation),
        ("DOCKGATE_DOOR", &fields.door),
        ("DOCKGATE_STATUS", &status),
        ("DOCKGATE_CUT_FROM", &length),
    ] {
        if let Some(value) = value {
            field(&mut out, name, value);
        }
    }
    out
}

/// `NAME=value`, or with line breaks in the value: the name, a line break, its length as 64 bits little-endian, the value.
fn field(out: &mut Vec<u8>, name: &str, value: &str) {
    out.extend_from_slice(name.as_bytes());
    if value.contains('\n') {
        out.push(b'\n');
        out.extend_from_slice(&(value.len() as u64).to_le_bytes());
    } else {
        out.push(b'=');
    }
    out.extend_from_slice(value.as_bytes());
    out.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_has_a_field_for_what_is_searched() {
        let line = r#"{"schema":1,"sequence":7,"previous":"00","id":"01J","stage":"single","operation":"ContainerList","verdict":"deny"}"#;
        let entry = String::from_utf8(entry(&Message::record(line), usize::MAX)).unwrap();
        let expected = format!(
            "MESSAGE={line}\nPRIORITY=4\nSYSLOG_FACILITY=13\nSYSLOG_IDENTIFIER=dockgate\nSYSLOG_PID={}\nDOCKGATE_ID=01J\n\
             DOCKGATE_SEQUENCE=7\nDOCKGATE_STAGE=single\nDOCKGATE_VERDICT=deny\nDOCKGATE_OPERATION=ContainerList\n",
            std::process::id()
        );
        assert_eq!(entry, expected);
    }

    #[test]
    fn a_value_with_line_breaks_has_its_length_before_it() {
        let mut out = Vec::new();
        field(&mut out, "A", "b\nc=d\n");
        assert_eq!(out, b"A\n\x06\0\0\0\0\0\0\0b\nc=d\n\n");
    }

    #[test]
    fn an_entry_that_is_too_long_says_how_long_it_was() {
        let line = "é".repeat(20_000);
        let text = String::from_utf8(entry(&Message::record(&line), SHORT)).unwrap();
        assert!(text.starts_with(&format!("MESSAGE={}\n", "é".repeat(SHORT / 2))));
        assert!(text.ends_with("DOCKGATE_CUT_FROM=40000\n"));
    }
}
