//! What the engine called the object that it made, out of the first bytes of its reply.
//! Knows nothing of how the reply is relayed: it holds no byte back.

use crate::docker::Operation;
use crate::docker::json::{self, Value};

/// The bytes that are kept.
const MOST: usize = 4096;
/// The longest name that is believed.
const LONGEST: usize = 256;

/// The first bytes of a reply that names an object.
#[derive(Debug)]
pub(super) struct Capture {
    key: &'static str,
    bytes: Vec<u8>,
}

impl Capture {
    /// A capture for the operations that make something.
    pub(super) fn of(operation: Operation) -> Option<Self> {
        use Operation as O;
        let made = matches!(
            operation,
            O::ContainerCreate
                | O::ContainerExec
                | O::ImageCommit
                | O::NetworkCreate
                | O::ServiceCreate
                | O::SecretCreate
                | O::ConfigCreate
        );
        let key = match (made, operation == O::VolumeCreate) {
            (true, _) => "id", // `Id`, of swarm objects `ID`
            (false, true) => "name",
            (false, false) => return None,
        };
        Some(Self { key, bytes: Vec::new() })
    }

    /// Keeps what still fits.
    pub(super) fn piece(&mut self, piece: &[u8]) {
        let room = MOST.saturating_sub(self.bytes.len());
        self.bytes.extend_from_slice(piece.get(..room.min(piece.len())).unwrap_or_default());
    }

    /// The name; a reply that is longer than what is kept says it first, as the engine does.
    pub(super) fn name(&self) -> Option<String> {
        let name = match json::read_trusted(&self.bytes) {
            Ok(value) => value.members().iter().find(|(key, _)| key.eq_ignore_ascii_case(self.key)).and_then(|(_, value)| text(value))?,
            Err(_) => first(&self.bytes, self.key)?,
        };
        let plain = !name.is_empty() && name.len() <= LONGEST && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.:-".contains(&b));
        plain.then_some(name)
    }
}

fn text(value: &Value) -> Option<String> {
    value.as_text().map(str::to_owned)
}

/// `{"Id":"…"` at the front.
fn first(bytes: &[u8], key: &str) -> Option<String> {
    let text = String::from_utf8_lossy(bytes);
    let mut parts = text.trim_start().strip_prefix('{')?.split('"');
    let (_, name, colon, value) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    (name.eq_ignore_ascii_case(key) && colon.trim() == ":").then(|| value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(operation: Operation, pieces: &[&[u8]]) -> Option<String> {
        let mut capture = Capture::of(operation).unwrap();
        pieces.iter().for_each(|piece| capture.piece(piece));
        capture.name()
    }

    #[test]
    fn finds_the_name_in_one_piece_in_many_and_in_a_reply_that_is_cut() {
        assert_eq!(name(Operation::ContainerCreate, &[br#"{"Id":"abc","Warnings":[]}"#]).as_deref(), Some("abc"));
        assert_eq!(name(Operation::SecretCreate, &[br#"{"I"#, br#"D":"x"#, br#"yz"}"#]).as_deref(), Some("xyz"));
        assert_eq!(name(Operation::VolumeCreate, &[br#"{"CreatedAt":"now","Name":"v_1"}"#]).as_deref(), Some("v_1"));
        let long = format!(r#"{{"Id":"abc","Warnings":["{}"]}}"#, "w".repeat(MOST));
        assert_eq!(name(Operation::ContainerCreate, &[long.as_bytes()]).as_deref(), Some("abc"));
    }

    #[test]
    fn believes_nothing_that_is_no_name() {
        for reply in [r#"{"Id":"a b"}"#, r#"{"Id":3}"#, "[]", "", "{", r#"{"Id":"<x>"}"#] {
            assert_eq!(name(Operation::ContainerCreate, &[reply.as_bytes()]), None, "{reply}");
        }
        assert!(Capture::of(Operation::ContainerList).is_none());
    }
}
