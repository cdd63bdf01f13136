//! A document that shows one call to somebody who has neither the trail nor a reason to trust it: its lines, their place in the tree
//! of their file, and the checkpoint over it.
//! Knows nothing of how the document is kept.

use serde::{Deserialize, Serialize};

use super::checkpoint::{Note, PublicKey};
use super::merkle::{self, Hash, hex, parse_hex};
use super::read::{Entry, Files, Lines, Part, ReadError};
use super::verify::Notes;

/// The version of the document.
const VERSION: u32 = 1;

/// The document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proof {
    /// The version of this form: 1.
    #[serde(rename = "dockgate-proof")]
    pub version: u32,
    /// The id that was asked for.
    pub id: String,
    /// Its records, oldest first.
    pub records: Vec<Proven>,
}

/// One record and what shows that it is on the trail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proven {
    /// The number of its file.
    pub file: u32,
    /// Its place among the file's lines, from 0.
    pub index: u64,
    /// The exact line.
    pub line: String,
    /// The hashes beside its way to the root, lowest first, in hex.
    pub path: Vec<String>,
    /// The signed note.
    pub checkpoint: String,
}

/// Why there is no proof, or why it does not hold.
#[derive(Debug, thiserror::Error)]
pub enum Unproven {
    /// The trail cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Nothing has the id.
    #[error("there is no record with the id `{0}`")]
    Unknown(String),
    /// No checkpoint is over a record.
    #[error("no checkpoint of the key is over line {line} of `{path}` yet")]
    Unsigned {
        /// The file.
        path: String,
        /// The line, from 1.
        line: u64,
    },
    /// The lines are not those that were signed.
    #[error("the lines of `{path}` are not what was signed: `dockgate audit verify` tells more")]
    Tampered {
        /// The file.
        path: String,
    },
    /// The document does not hold.
    #[error("record {number} of the document: {why}")]
    Wrong {
        /// The record, from 1.
        number: usize,
        /// Why.
        why: String,
    },
    /// The document's form is not known.
    #[error("the document is of version {0}, known is 1")]
    Version(u32),
}

impl Proof {
    /// The proof of every record with this id.
    ///
    /// # Errors
    /// When there is none, when one is under no checkpoint that the key signed, or when the lines do not fit to it.
    pub fn make(files: &Files, id: &str, notes: &Notes, key: &PublicKey) -> Result<Self, Unproven> {
        let mut records = Vec::new();
        for part in &files.parts {
            prove_part(part, id, notes, key, &mut records)?;
        }
        if records.is_empty() { Err(Unproven::Unknown(id.to_owned())) } else { Ok(Self { version: VERSION, id: id.to_owned(), records }) }
    }

    /// Checks the document with nothing but the key. Each record comes back with the checkpoint that it is under.
    ///
    /// # Errors
    /// When anything in it does not fit.
    pub fn check(&self, key: &PublicKey) -> Result<Vec<(Entry, Note)>, Unproven> {
        if self.version != VERSION {
            return Err(Unproven::Version(self.version));
        }
        if self.records.is_empty() {
            return Err(Unproven::Wrong { number: 1, why: "there is none".to_owned() });
        }
        let check = |(number, record): (usize, &Proven)| record.check(&self.id, key).map_err(|why| Unproven::Wrong { number, why });
        (1..).zip(&self.records).map(check).collect()
    }
}

impl Proven {
    fn check(&self, id: &str, key: &PublicKey) -> Result<(Entry, Note), String> {
        let note: Note = self.checkpoint.parse().map_err(|error| format!("its checkpoint is none: {error}"))?;
        note.verify(key).map_err(|error| format!("its checkpoint does not count: {error}"))?;
        let signed = &note.checkpoint;
        if signed.file != self.file {
            return Err(format!("its checkpoint is of file {}, not {}", signed.file, self.file));
        }
        let path: Option<Vec<Hash>> = self.path.iter().map(|text| parse_hex(text)).collect();
        let path = path.ok_or("its path has something that is no hash")?;
        if !merkle::proves(&path, merkle::leaf(self.line.as_bytes()), self.index, signed.size, &signed.root) {
            return Err("its line is not in the tree that was signed".to_owned());
        }
        let entry = Entry::parse(self.line.as_bytes()).map_err(|error| format!("its line is no record: {error}"))?;
        if entry.is_about(id) { Ok((entry, note)) } else { Err(format!("its id is `{}`", entry.id)) }
    }
}

/// Reads a file once; the hashes of its lines stay in memory, its lines do not.
fn prove_part(part: &Part, id: &str, notes: &Notes, key: &PublicKey, records: &mut Vec<Proven>) -> Result<(), Unproven> {
    let mut lines = Lines::open(&part.path)?;
    let (mut leaves, mut wanted, mut number) = (Vec::new(), Vec::new(), part.number);
    while let Some(line) = lines.next_line().map_err(|error| ReadError::Io { path: part.path.clone(), error })? {
        if line.number == 1 {
            let open = Entry::parse(line.bytes).ok();
            let file = open.and_then(|entry| entry.detail("file").and_then(serde_json::Value::as_u64));
            number = file.and_then(|file| u32::try_from(file).ok()).or(number);
        }
        if has(line.bytes, id.as_bytes())
            && let Ok(text) = std::str::from_utf8(line.bytes)
            && Entry::parse(line.bytes).is_ok_and(|entry| entry.is_about(id))
        {
            wanted.push((leaves.len(), text.to_owned()));
        }
        leaves.push(merkle::leaf(line.bytes));
    }
    let path = || part.path.display().to_string();
    for (index, line) in wanted {
        let unsigned = || Unproven::Unsigned { path: path(), line: index as u64 + 1 };
        let file = number.ok_or_else(unsigned)?;
        let note = furthest(notes, key, file, index).ok_or_else(unsigned)?;
        let size = usize::try_from(note.checkpoint.size).unwrap_or(usize::MAX);
        let signed = leaves.get(..size).filter(|signed| merkle::root(signed) == note.checkpoint.root);
        let proof = signed.and_then(|signed| merkle::inclusion(signed, index)).ok_or_else(|| Unproven::Tampered { path: path() })?;
        let proof = proof.iter().map(|hash| hex(hash)).collect();
        records.push(Proven { file, index: index as u64, line, path: proof, checkpoint: note.text.clone() });
    }
    Ok(())
}

/// The checkpoint over most lines of the file, if it is over this one: everybody who has a copy of the checkpoints has the newest.
fn furthest<'n>(notes: &'n Notes, key: &PublicKey, file: u32, index: usize) -> Option<&'n Note> {
    let over = |note: &&Note| note.checkpoint.file == file && note.checkpoint.size > index as u64 && note.verify(key).is_ok();
    notes.notes.iter().map(|placed| &placed.note).filter(over).max_by_key(|note| note.checkpoint.size)
}

/// True where the line can have the id: most lines need not be read as JSON.
fn has(line: &[u8], id: &[u8]) -> bool {
    !id.is_empty() && line.windows(id.len()).any(|window| window == id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::checkpoint::SecretKey;
    use crate::audit::forge::{Forge, LOG};
    use crate::audit::read;

    fn trail() -> (Forge, Files, Notes) {
        let forge = Forge::three_files();
        let files = read::find(&[forge.path("audit.jsonl")]).unwrap().remove(0);
        let path = forge.path("audit.checkpoints");
        let notes = Notes::parse(&path, &std::fs::read_to_string(&path).unwrap(), false);
        (forge, files, notes)
    }

    #[test]
    fn proves_every_record_of_a_call_to_whoever_has_the_key() {
        let (forge, files, notes) = trail();
        let proof = Proof::make(&files, "A", &notes, &forge.key.public()).unwrap();
        let text = serde_json::to_string(&proof).unwrap();
        let read: Proof = serde_json::from_str(&text).unwrap();
        let proven: Vec<_> =
            read.check(&forge.key.public()).unwrap().into_iter().map(|(entry, note)| (entry.stage, note.checkpoint.size)).collect();
        let stages = ["intent", "outcome", "intent", "outcome"].map(|stage| (stage.to_owned(), 10));
        assert_eq!(proven, stages);
        assert_eq!(read.records.iter().map(|record| (record.file, record.index)).collect::<Vec<_>>(), [(1, 4), (1, 5), (2, 4), (2, 5)]);
    }

    #[test]
    fn does_not_prove_what_was_changed_in_the_document() {
        let (forge, files, notes) = trail();
        let key = forge.key.public();
        let proof = Proof::make(&files, "B", &notes, &key).unwrap();
        let changes: [fn(&mut Proof); 8] = [
            |proof| proof.records[0].line = proof.records[0].line.replace("ci", "xx"),
            |proof| proof.records[0].index += 1,
            |proof| proof.records[0].file = 1,
            |proof| drop(proof.records[0].path.pop()),
            |proof| proof.records[0].path[0] = "0".repeat(64),
            |proof| proof.records[0].checkpoint = proof.records[0].checkpoint.replacen("\n8\n", "\n9\n", 1),
            |proof| proof.records.clear(),
            |proof| proof.id = "A".to_owned(),
        ];
        assert!(proof.check(&key).is_ok());
        for (number, change) in changes.iter().enumerate() {
            let mut changed = proof.clone();
            change(&mut changed);
            assert!(changed.check(&key).is_err(), "change {number}");
        }
        assert!(proof.check(&SecretKey::generate(LOG, &[9; 32]).public()).is_err());
    }

    #[test]
    fn says_why_there_is_no_proof() {
        let (forge, files, notes) = trail();
        let key = forge.key.public();
        let why = |id: &str, notes: &Notes| Proof::make(&files, id, notes, &key).unwrap_err().to_string();
        assert_eq!(why("C", &notes), "there is no record with the id `C`");
        assert!(why("A", &Notes::default()).starts_with("no checkpoint of the key is over line 5 of"));
        let path = forge.path("audit.jsonl");
        std::fs::write(&path, std::fs::read_to_string(&path).unwrap().replace("READ", "ROAD")).unwrap();
        assert!(why("B", &notes).contains("are not what was signed"));
    }
}
