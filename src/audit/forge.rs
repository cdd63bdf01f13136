//! Makes trails for tests: the format as the page about it says, and nothing of the real writer.
//! Knows nothing of verifying.

use std::fs;
use std::path::{Path, PathBuf};

use super::checkpoint::{Checkpoint, SecretKey};
use super::merkle::{Tree, ZERO, digest, hex, leaf};

pub const LOG: &str = "01JCZ6Q1V6N6Q9G4M6WQZ0T3AB";

/// A trail in a folder of its own, written line by line.
pub struct Forge {
    pub folder: tempfile::TempDir,
    pub key: SecretKey,
    pub sequence: u64,
    previous: [u8; 32],
    number: u32,
    tree: Tree,
    text: String,
    notes: String,
    second: u64,
}

impl Forge {
    /// A trail whose first file is open.
    pub fn new() -> Self {
        Self::with_key(SecretKey::generate(LOG, &[7; 32]))
    }

    pub fn with_key(key: SecretKey) -> Self {
        let mut forge = Self {
            folder: tempfile::tempdir().unwrap(),
            key,
            sequence: 0,
            previous: ZERO,
            number: 1,
            tree: Tree::default(),
            text: String::new(),
            notes: String::new(),
            second: 0,
        };
        forge.open();
        forge
    }

    /// Three files: 1 and 2 rotated with 10 lines each, the current one with 8, closed. Checkpoints after four or five lines and at each end.
    pub fn three_files() -> Self {
        let mut forge = Self::new();
        for _ in 0..2 {
            forge.reads(3).seal().change("A").reads(3).rotate();
        }
        forge.reads(4).seal().change("B").close();
        forge.write();
        forge
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A line from the members after `previous`.
    pub fn line(&mut self, members: &str) -> &mut Self {
        self.sequence += 1;
        let line = format!(r#"{{"schema":1,"sequence":{},"previous":"{}",{members}}}"#, self.sequence, hex(&self.previous));
        self.previous = digest(line.as_bytes());
        self.tree.push(leaf(line.as_bytes()));
        self.text.push_str(&line);
        self.text.push('\n');
        self
    }

    fn record(&mut self, id: &str, stage: &str, more: &str) -> &mut Self {
        self.second += 1;
        let time = jiff::Timestamp::from_second(1_800_000_000 + i64::try_from(self.second).unwrap()).unwrap();
        self.line(&format!(r#""id":"{id}","stage":"{stage}","time":"{time}"{more}"#))
    }

    pub fn event(&mut self, event: &str, detail: &str) -> &mut Self {
        self.record("EVENT", "event", &format!(r#","event":"{event}","detail":{detail}"#))
    }

    pub fn open(&mut self) -> &mut Self {
        let detail = format!(
            r#"{{"log":"{LOG}","file":{},"version":"0.1.0","host":"h","boot":"b","key":"{}","first":{}}}"#,
            self.number,
            self.key.public().id(),
            self.sequence + 1
        );
        self.event("open", &detail)
    }

    pub fn reads(&mut self, number: usize) -> &mut Self {
        for _ in 0..number {
            self.record("READ", "single", r#","method":"GET","path":"/containers/json","status":200"#);
        }
        self
    }

    pub fn stage(&mut self, id: &str, stage: &str) -> &mut Self {
        self.record(id, stage, r#","method":"POST","path":"/containers/create","policy":"ci""#)
    }

    pub fn change(&mut self, id: &str) -> &mut Self {
        self.stage(id, "intent").stage(id, "outcome")
    }

    /// Signs what is there.
    pub fn seal(&mut self) -> &mut Self {
        let note = self.key.sign(&self.checkpoint());
        self.notes.push_str(&note);
        self.notes.push('\n');
        self
    }

    pub fn checkpoint(&self) -> Checkpoint {
        Checkpoint {
            log: LOG.to_owned(),
            file: self.number,
            size: self.tree.size(),
            root: self.tree.root(),
            sequence: self.sequence,
            last: self.previous,
        }
    }

    pub fn rotate(&mut self) -> &mut Self {
        self.event("rotate", "{}").seal();
        fs::write(self.path(&format!("audit.{:06}.jsonl", self.number)), std::mem::take(&mut self.text)).unwrap();
        self.number += 1;
        self.tree = Tree::default();
        self.open()
    }

    pub fn close(&mut self) -> &mut Self {
        self.event("close", "{}").seal()
    }

    /// Writes the current file, the checkpoints, a copy of them and the public key.
    pub fn write(&self) -> &Path {
        fs::write(self.path("audit.jsonl"), &self.text).unwrap();
        fs::write(self.path("audit.checkpoints"), &self.notes).unwrap();
        fs::write(self.path("copy"), &self.notes).unwrap();
        fs::write(self.path("audit.pub"), format!("{}\n", self.key.public())).unwrap();
        self.folder.path()
    }
}

/// Chains and numbers a file's lines anew, as somebody without the key can.
pub fn rechain(text: &str, mut sequence: u64, mut previous: [u8; 32]) -> String {
    let mut out = String::new();
    for line in text.lines() {
        let members = line.split_once(r#""id":"#).unwrap().1;
        let line = format!(r#"{{"schema":1,"sequence":{sequence},"previous":"{}","id":{members}"#, hex(&previous));
        (sequence, previous) = (sequence + 1, digest(line.as_bytes()));
        out.push_str(&line);
        out.push('\n');
    }
    out
}
