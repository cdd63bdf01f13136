//! One run of a case: its bytes in pieces, the replies, and what becomes of the connection.
//! Knows nothing of what stands behind the door.

use std::path::Path;

use super::case::{After, Case};
use super::wire::{Reply, Wire};

/// How a case's bytes are cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// Not at all.
    Whole,
    /// Into two, here.
    At(usize),
    /// Into pieces of this size.
    Every(usize),
}

/// What the client saw.
#[derive(Debug)]
pub struct Seen {
    pub replies: Vec<Reply>,
    /// What is wrong with how it went on, in words.
    pub fault: Option<String>,
}

impl Seen {
    pub fn statuses(&self) -> Vec<u16> {
        self.replies.iter().map(|reply| reply.status).collect()
    }
}

/// Sends, reads as many replies as the case has, and looks how it goes on, for which `ping` is a request that is always served; without
/// one it is not looked.
pub fn run(socket: &Path, case: &Case, bytes: &[u8], cut: Cut, ping: Option<&[u8]>) -> Seen {
    let mut wire = Wire::open(socket);
    for piece in pieces(bytes, cut) {
        wire.send(piece);
        if cut != Cut::Whole {
            std::thread::yield_now();
        }
    }
    if case.ends {
        wire.end();
    }
    let mut replies = Vec::new();
    while replies.len() < case.status.len() {
        let bodyless = replies.is_empty() && bytes.starts_with(b"HEAD ");
        match wire.reply(bodyless) {
            Some(reply) => replies.push(reply),
            None => break,
        }
    }
    let fault = match (case.after, ping) {
        (After::Closed, _) => {
            let more = wire.rest();
            (!more.is_empty()).then(|| format!("more came: {:?}", String::from_utf8_lossy(&more)))
        }
        (After::Open, Some(ping)) => next(&mut wire, ping),
        (After::Open, None) => None,
    };
    Seen { replies, fault }
}

/// Another request on the same connection, and then its end.
fn next(wire: &mut Wire, ping: &[u8]) -> Option<String> {
    wire.send(ping);
    let status = wire.reply(false).map(|reply| reply.status);
    if status != Some(200) {
        return Some(format!("the next request got {status:?}"));
    }
    wire.end();
    let more = wire.rest();
    (!more.is_empty()).then(|| format!("more came: {:?}", String::from_utf8_lossy(&more)))
}

fn pieces(bytes: &[u8], cut: Cut) -> Vec<&[u8]> {
    match cut {
        Cut::Whole => vec![bytes],
        Cut::At(at) => vec![&bytes[..at], &bytes[at..]],
        Cut::Every(size) => bytes.chunks(size).collect(),
    }
}
