//! Reads the trail's files from a place on: whole lines, across rotations, and the checkpoints beside them.
//! Knows nothing of sinks. It holds one buffer, whatever the trail's size.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::cursor::Place;
use super::message::Message;

/// What is read at once; lines are 64 KiB at most, so one always fits.
const PIECE: usize = 128 * 1024;
/// Messages of one batch.
const BATCH: usize = 64;

/// The paths of a trail.
#[derive(Debug, Clone)]
pub struct Files {
    current: PathBuf,
    stem: String,
    extension: String,
}

impl Files {
    /// The trail whose current file is this.
    pub fn of(current: &Path) -> Self {
        let text = |part: Option<&std::ffi::OsStr>| part.map(|part| part.to_string_lossy().into_owned()).unwrap_or_default();
        let extension = current.extension().map(|_| format!(".{}", text(current.extension()))).unwrap_or_default();
        Self { current: current.to_owned(), stem: text(current.file_stem()), extension }
    }

    /// A file beside the trail that begins with its stem.
    pub fn beside(&self, rest: &str) -> PathBuf {
        self.current.with_file_name(format!("{}.{rest}", self.stem))
    }

    fn rotated(&self, number: u64) -> PathBuf {
        self.beside(&format!("{number:06}{}", self.extension))
    }

    /// The smallest number of a rotated file that is at least this one.
    fn oldest_from(&self, number: u64) -> Option<u64> {
        let entries = std::fs::read_dir(self.current.parent()?).ok()?;
        let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
        let prefix = format!("{}.", self.stem);
        let numbers = names.filter_map(|name| name.strip_prefix(&prefix)?.strip_suffix(&self.extension)?.parse::<u64>().ok());
        numbers.filter(|found| *found >= number && self.rotated(*found).is_file()).min()
    }
}

struct Open {
    file: File,
    node: (u64, u64),
    rotated: bool,
}

/// Files that were removed before they were read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Missed {
    /// The first file's number.
    pub first: u64,
    /// The last file's number.
    pub last: u64,
}

/// A reader at a place.
pub struct Tail {
    files: Files,
    at: Place,
    open: Option<Open>,
    /// The place comes from a cursor that was not compared with the file yet.
    unchecked: bool,
    missed: Option<Missed>,
    buffer: Vec<u8>,
}

/// Messages with the place after each of them.
pub type Batch = (Vec<Message>, Vec<Place>);

impl Tail {
    /// A reader that goes on at a place.
    pub fn new(files: Files, at: Place) -> Self {
        Self { files, unchecked: at.file != 0, at, open: None, missed: None, buffer: vec![0; PIECE] }
    }

    /// Where it stands.
    pub fn place(&self) -> &Place {
        &self.at
    }

    /// Goes on or back to a place.
    pub fn go(&mut self, place: Place) {
        if place.file != self.at.file {
            self.open = None;
        }
        self.at = place;
    }

    /// Files that turned out to be gone since this was asked last.
    pub fn missed(&mut self) -> Option<Missed> {
        self.missed.take()
    }

    /// The next messages: lines of the trail, and at their end new checkpoints. Nothing at the end of what is written.
    ///
    /// # Errors
    /// The file system's.
    pub fn more(&mut self) -> io::Result<Batch> {
        let lines = self.lines()?;
        if lines.0.is_empty() { self.checkpoints() } else { Ok(lines) }
    }

    fn lines(&mut self) -> io::Result<Batch> {
        loop {
            if self.open.is_none() {
                self.open = self.find()?;
            }
            let Some(open) = &self.open else { return Ok(Batch::default()) };
            if self.unchecked {
                self.unchecked = false;
                if !holds(&open.file, &self.at) {
                    self.at = Place { file: self.at.file, checkpoints: self.at.checkpoints, ..Place::default() };
                }
            }
            // Asked before the read: then the end that the read finds is the end for good.
            let complete = open.rotated || node_of(&self.files.current)? != Some(open.node);
            let length = fill(&open.file, &mut self.buffer, self.at.next)?;
            let batch = split(self.buffer.get(..length).unwrap_or_default(), length == PIECE, &self.at);
            if !batch.0.is_empty() || !complete {
                return Ok(batch);
            }
            self.at = Place { file: self.at.file + 1, last: 0, next: 0, ..self.at.clone() };
            self.open = None;
        }
    }

    /// Opens the file of the place: a rotated one has its number in its name, the current one in its first line.
    fn find(&mut self) -> io::Result<Option<Open>> {
        if self.at.file != 0
            && let Some(file) = existing(&self.files.rotated(self.at.file))?
        {
            return Open::new(file, true).map(Some);
        }
        let Some(file) = existing(&self.files.current)? else { return Ok(None) };
        let Some(number) = number(&file)? else { return Ok(None) };
        if self.at.file == 0 || number < self.at.file {
            // the first start of this sink, or of a new trail in the old one's place
            self.at = Place { file: number, checkpoints: self.at.checkpoints, ..Place::default() };
        } else if number > self.at.file {
            // rotated since it was looked for above, or removed
            let next = self.files.oldest_from(self.at.file).unwrap_or(number);
            if next > self.at.file {
                let first = self.missed.map_or(self.at.file, |missed| missed.first);
                self.missed = Some(Missed { first, last: next - 1 });
                self.at = Place { file: next, last: 0, next: 0, ..self.at.clone() };
                self.unchecked = false;
            }
            return self.find();
        }
        Open::new(file, false).map(Some)
    }

    /// New notes of the file of checkpoints. A sink that is new begins with those of the file that it begins with.
    fn checkpoints(&mut self) -> io::Result<Batch> {
        if self.open.is_none() {
            return Ok(Batch::default()); // which file it begins with is not known yet
        }
        let Some(file) = existing(&self.files.beside("checkpoints"))? else { return Ok(Batch::default()) };
        let new = self.at.checkpoints.is_none();
        let mut from = self.at.checkpoints.unwrap_or_default();
        if file.metadata()?.len() < from {
            from = 0;
        }
        loop {
            let length = fill(&file, &mut self.buffer, from)?;
            let text = String::from_utf8_lossy(self.buffer.get(..length).unwrap_or_default());
            let (mut batch, mut rest) = (Batch::default(), text.as_ref());
            while let Some((note, after)) = note(rest).filter(|_| batch.0.len() < BATCH) {
                from += (rest.len() - after.len()) as u64;
                rest = after;
                if !new || file_of(note).is_none_or(|number| number >= self.at.file) {
                    batch.0.push(Message::checkpoint(note));
                    batch.1.push(Place { checkpoints: Some(from), ..self.at.clone() });
                }
            }
            if !batch.0.is_empty() {
                return Ok(batch);
            }
            self.at.checkpoints = Some(from);
            if length < PIECE {
                return Ok(batch);
            }
        }
    }

    /// How many records are in the trail that were not read yet, as far as the current file tells.
    pub fn lag(&mut self) -> u64 {
        let Ok(Some(file)) = existing(&self.files.current) else { return 0 };
        let from = file.metadata().map_or(0, |meta| meta.len().saturating_sub(PIECE as u64));
        let length = fill(&file, &mut self.buffer, from).unwrap_or_default();
        let text = String::from_utf8_lossy(self.buffer.get(..length).unwrap_or_default());
        let last = text.rsplit_once('\n').and_then(|(whole, _)| whole.lines().next_back().map(sequence)).unwrap_or_default();
        last.saturating_sub(self.at.sequence)
    }
}

impl Open {
    fn new(file: File, rotated: bool) -> io::Result<Self> {
        let node = node(&file.metadata()?);
        Ok(Self { file, node, rotated })
    }
}

fn node(meta: &Metadata) -> (u64, u64) {
    (meta.dev(), meta.ino())
}

fn node_of(path: &Path) -> io::Result<Option<(u64, u64)>> {
    match std::fs::metadata(path) {
        Ok(meta) => Ok(Some(node(&meta))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn existing(path: &Path) -> io::Result<Option<File>> {
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Reads as much as there is, up to the buffer's size.
fn fill(file: &File, buffer: &mut [u8], from: u64) -> io::Result<usize> {
    let mut length = 0;
    while let Some(room) = buffer.get_mut(length..).filter(|room| !room.is_empty()) {
        match file.read_at(room, from + length as u64) {
            Ok(0) => break,
            Ok(more) => length += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(length)
}

/// Whole lines; a line that fills the buffer without an end is passed on in pieces rather than for ever waited for.
fn split(bytes: &[u8], full: bool, at: &Place) -> Batch {
    let mut batch = Batch::default();
    let mut from = at.next;
    for line in bytes.split_inclusive(|b| *b == b'\n').take(BATCH) {
        if line.last() != Some(&b'\n') && !(full && batch.0.is_empty()) {
            break;
        }
        let text = String::from_utf8_lossy(line.strip_suffix(b"\n").unwrap_or(line));
        let message = Message::record(&text);
        let (sequence, id) = (message.fields.sequence.unwrap_or(at.sequence), message.fields.id.clone().unwrap_or_default());
        let next = from + line.len() as u64;
        batch.1.push(Place { file: at.file, last: from, next, sequence, id, checkpoints: at.checkpoints });
        batch.0.push(message);
        from = next;
    }
    batch
}

/// The number that the first line of a file says; 0 where it says none, `None` while there is no line.
fn number(file: &File) -> io::Result<Option<u64>> {
    let mut buffer = vec![0; PIECE];
    let length = fill(file, &mut buffer, 0)?;
    let Some(line) = buffer.get(..length).unwrap_or_default().split_inclusive(|b| *b == b'\n').next().filter(|line| line.ends_with(b"\n"))
    else {
        return Ok(None);
    };
    let line: serde_json::Value = serde_json::from_slice(line).unwrap_or_default();
    Ok(Some(line.pointer("/detail/file").and_then(serde_json::Value::as_u64).unwrap_or_default()))
}

/// Whether the line that a place calls its last one is there.
fn holds(file: &File, at: &Place) -> bool {
    let length = usize::try_from(at.next.saturating_sub(at.last)).unwrap_or(usize::MAX).min(PIECE);
    let mut line = vec![0; length];
    if at.next == 0 {
        return true;
    }
    let read = fill(file, &mut line, at.last).unwrap_or_default();
    let Some(line) = line.get(..read).and_then(|line| line.strip_suffix(b"\n")) else { return false };
    let fields = Message::record(&String::from_utf8_lossy(line)).fields;
    read == length && fields.sequence == Some(at.sequence) && fields.id.unwrap_or_default() == at.id
}

fn sequence(line: &str) -> u64 {
    let digits = line.split_once("\"sequence\":").map(|(_, rest)| rest).unwrap_or_default();
    digits.split(|c: char| !c.is_ascii_digit()).next().and_then(|digits| digits.parse().ok()).unwrap_or_default()
}

/// The first whole note and what follows it: text, an empty line, signatures, an empty line.
fn note(text: &str) -> Option<(&str, &str)> {
    let signatures = text.find("\n\n")? + 2;
    let end = signatures + text.get(signatures..)?.find("\n\n")? + 1;
    Some((text.get(..end)?, text.get(end + 1..)?))
}

/// The file that a note is about: the end of its first line.
fn file_of(note: &str) -> Option<u64> {
    note.lines().next()?.rsplit_once('/')?.1.parse().ok()
}
