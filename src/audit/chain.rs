//! The state between two lines: number, digest of the line before, and the tree of the file.
//! Knows nothing of files and of what lines say.

use jiff::Timestamp;
use serde_json::Value;
use ulid::Ulid;

use super::checkpoint::Checkpoint;
use super::merkle::{Hash, Tree, ZERO, digest, leaf, write_hex};

/// The longest line, without its end.
const MAX_LINE: usize = 64 << 10;

/// What every line begins with.
const OPENING: &str = "{\"schema\":1,\"sequence\":";

/// How far the trail goes.
#[derive(Debug, Clone)]
pub(super) struct Chain {
    /// The trail's id.
    pub log: String,
    /// The current file's number, from 1.
    pub file: u32,
    /// The last line's number; 0 before the first.
    pub sequence: u64,
    /// The last line's digest.
    pub last: Hash,
    /// The tree of the current file's lines.
    pub tree: Tree,
}

impl Chain {
    /// A trail without a line.
    pub fn new(log: String) -> Self {
        Self { log, file: 1, sequence: 0, last: ZERO, tree: Tree::default() }
    }

    /// Writes the next line. `text` is a record from `"id":` to its closing brace.
    pub fn add(&mut self, text: &str, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(OPENING.as_bytes());
        out.extend_from_slice(itoa::Buffer::new().format(self.sequence + 1).as_bytes());
        out.extend_from_slice(b",\"previous\":\"");
        write_hex(&self.last, out);
        out.extend_from_slice(b"\",");
        if out.len() - start + text.len() > MAX_LINE {
            out.extend_from_slice(stump(text).as_bytes());
        } else {
            out.extend_from_slice(text.as_bytes());
        }
        self.follow(self.sequence + 1, out.get(start..).unwrap_or_default());
        out.push(b'\n');
    }

    /// Goes on after a line that is there.
    pub fn follow(&mut self, sequence: u64, line: &[u8]) {
        self.sequence = sequence;
        self.last = digest(line);
        self.tree.push(leaf(line));
    }

    /// Goes on in the next file.
    pub fn next_file(&mut self) {
        self.file += 1;
        self.tree = Tree::default();
    }

    /// What is signed.
    pub fn checkpoint(&self) -> Checkpoint {
        Checkpoint {
            log: self.log.clone(),
            file: self.file,
            size: self.tree.size(),
            root: self.tree.root(),
            sequence: self.sequence,
            last: self.last,
        }
    }
}

/// What is written for a record that is too long: records bound their members, so this is the last resort.
fn stump(text: &str) -> String {
    let known: Value = serde_json::from_str(&format!("{{{text}")).unwrap_or_default();
    let word = |name: &str| {
        let text: String = known.get(name).and_then(Value::as_str).unwrap_or_default().chars().take(64).collect();
        Value::String(text)
    };
    let (id, stage, time) = (word("id"), word("stage"), word("time"));
    format!(r#""id":{id},"stage":{stage},"time":{time},"bytes":{},"truncated":true}}"#, text.len())
}

/// A moment as records have it.
pub(super) fn moment(time: Timestamp) -> String {
    format!("{time:.6}")
}

/// The text of an event of the trail's own.
pub(super) fn event(name: &str, detail: &Value) -> String {
    let (id, time) = (Ulid::new(), moment(Timestamp::now()));
    format!(r#""id":"{id}","stage":"event","time":"{time}","event":"{name}","detail":{detail}}}"#)
}

/// The stage of a record's text, which stands after its id.
pub(super) fn stage(text: &str) -> &str {
    let after = text.split_once(r#""stage":""#).map_or("", |(_, rest)| rest);
    after.split('"').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::merkle::hex;
    use super::*;

    #[test]
    fn chains_lines_by_the_digest_of_their_bytes() {
        let (mut chain, mut out) = (Chain::new("L".to_owned()), Vec::new());
        chain.add(r#""id":"A","stage":"single"}"#, &mut out);
        chain.add(&event("gap", &serde_json::json!({"records": 3})), &mut out);
        let text = String::from_utf8(out).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], format!(r#"{{"schema":1,"sequence":1,"previous":"{}","id":"A","stage":"single"}}"#, "0".repeat(64)));
        let second: Value = serde_json::from_str(lines[1]).unwrap();
        assert_eq!(second["previous"], hex(&digest(lines[0].as_bytes())));
        assert_eq!((&second["sequence"], &second["event"], &second["detail"]["records"]), (&2.into(), &"gap".into(), &3.into()));
        assert!(OPENING.starts_with(&format!(r#"{{"schema":{},"#, super::super::record::SCHEMA)));
        assert_eq!((chain.sequence, chain.tree.size(), chain.last), (2, 2, digest(lines[1].as_bytes())));
    }

    #[test]
    fn keeps_id_and_stage_of_a_record_that_is_too_long() {
        let (mut chain, mut out) = (Chain::new("L".to_owned()), Vec::new());
        chain.add(&format!(r#""id":"A","stage":"intent","time":"T","x":"{}"}}"#, "y".repeat(70_000)), &mut out);
        assert!(out.len() < 300);
        let line: Value = serde_json::from_slice(&out).unwrap();
        assert_eq!((&line["id"], &line["stage"], &line["truncated"]), (&"A".into(), &"intent".into(), &true.into()));
    }

    #[test]
    fn finds_the_stage_of_a_text() {
        assert_eq!(stage(r#""id":"A","stage":"outcome","path":"\"stage\":\"x\""}"#), "outcome");
        assert_eq!(stage("nothing"), "");
    }
}
