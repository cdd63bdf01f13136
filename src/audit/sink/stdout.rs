//! The trail's lines on standard output.
//! Knows nothing of files and cursors.

use std::io::Write;

use super::message::Message;
use super::{SendError, Sent, Sink};

/// Standard output.
pub struct Stdout;

impl Sink for Stdout {
    fn send(&mut self, batch: &[Message]) -> Sent {
        let lines: String = batch.iter().flat_map(|message| [message.text.as_str(), "\n"]).collect();
        let mut out = std::io::stdout().lock();
        match out.write_all(lines.as_bytes()).and_then(|()| out.flush()) {
            Ok(()) => Sent { taken: batch.len(), failed: None },
            Err(error) => Sent { taken: 0, failed: Some(SendError::Down(error)) },
        }
    }
}
