//! Reading a trail's files: which there are and in which order, and their exact lines.
//! Knows nothing of what the lines prove.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use super::entry::{Entry, Folded};

/// The longest line that is taken into memory; dockgate writes none above 64 KiB.
const MAX_LINE: u64 = 1 << 20;
/// Bytes that are read at once.
const CHUNK: usize = 256 << 10;
/// The extension of files that are found in a folder.
const EXTENSION: &str = "jsonl";

/// Why a trail cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// A file or folder cannot be read.
    #[error("cannot read `{}`: {error}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A folder has no trail.
    #[error("there is no trail in `{}`", .0.display())]
    Empty(PathBuf),
    /// A line is no record.
    #[error("`{}:{line}` is no record: {error}", .path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// Why.
        error: serde_json::Error,
    },
}

impl ReadError {
    fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |error| Self::Io { path: path.to_owned(), error }
    }
}

/// One exact line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'l> {
    /// Its bytes, without the end of the line.
    pub bytes: &'l [u8],
    /// From 1.
    pub number: u64,
    /// Where it begins in the file, in bytes.
    pub offset: u64,
    /// True where it has its end; only a torn last line has none.
    pub ended: bool,
}

/// The lines of one file, one in memory at a time.
pub struct Lines {
    source: Box<dyn BufRead>,
    buffer: Vec<u8>,
    number: u64,
    offset: u64,
}

impl Lines {
    /// The lines of a file.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open(path: &Path) -> Result<Self, ReadError> {
        let file = File::open(path).map_err(ReadError::io(path))?;
        Ok(Self::new(BufReader::with_capacity(CHUNK, file)))
    }

    /// The lines of anything that can be read.
    pub fn new(source: impl BufRead + 'static) -> Self {
        Self { source: Box::new(source), buffer: Vec::new(), number: 0, offset: 0 }
    }

    /// The next line; none at the end.
    ///
    /// # Errors
    /// When it cannot be read or is longer than 1 MiB.
    pub fn next_line(&mut self) -> io::Result<Option<Line<'_>>> {
        self.offset += self.buffer.len() as u64;
        self.buffer.clear();
        self.number += 1;
        (&mut self.source).take(MAX_LINE).read_until(b'\n', &mut self.buffer)?;
        let ended = self.buffer.last() == Some(&b'\n');
        if !ended && self.buffer.len() as u64 == MAX_LINE {
            return Err(io::Error::other(format!("line {} is longer than 1 MiB", self.number)));
        }
        let bytes = self.buffer.strip_suffix(b"\n").unwrap_or(&self.buffer);
        Ok((!self.buffer.is_empty()).then_some(Line { bytes, number: self.number, offset: self.offset, ended }))
    }
}

/// The files of one trail, oldest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// What all of them begin with: folder and name without extension.
    pub stem: PathBuf,
    /// Rotated ones in order, then the current one.
    pub parts: Vec<Part>,
    /// True where they are all that was found, false where some were picked by name.
    pub whole: bool,
}

/// One file of a trail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The file.
    pub path: PathBuf,
    /// The number in its name; the current file has none.
    pub number: Option<u32>,
}

impl Files {
    /// The file beside the trail with another extension: `key`, `pub`, `checkpoints`, `torn`.
    pub fn beside(&self, extension: &str) -> PathBuf {
        let mut name = self.stem.clone().into_os_string();
        name.push(".");
        name.push(extension);
        name.into()
    }

    /// Every record, in order.
    pub fn entries(&self) -> Entries {
        Entries { parts: self.parts.clone().into_iter(), current: None }
    }
}

/// The trails that these files and folders name. A folder means every trail in it, the current file means its rotated ones too, and a
/// rotated file means itself.
///
/// # Errors
/// When something cannot be read, or a folder has no trail.
pub fn find(paths: &[PathBuf]) -> Result<Vec<Files>, ReadError> {
    let mut found: BTreeMap<PathBuf, Files> = BTreeMap::new();
    for path in paths {
        let (files, whole) = named(path)?;
        for file in files {
            let name = Name::of(&file);
            let files = found.entry(name.stem.clone()).or_insert(Files { stem: name.stem, parts: Vec::new(), whole: false });
            files.whole |= whole;
            files.parts.push(Part { path: file, number: name.number });
        }
    }
    let mut found: Vec<Files> = found.into_values().collect();
    for files in &mut found {
        files.parts.sort_by_key(|part| part.number.unwrap_or(u32::MAX));
        files.parts.dedup();
    }
    Ok(found)
}

/// The files that a path means, and whether they are a whole trail.
fn named(path: &Path) -> Result<(Vec<PathBuf>, bool), ReadError> {
    if path.is_dir() {
        let files: Vec<PathBuf> = siblings(path)?.into_iter().filter(|file| file.extension().is_some_and(|own| own == EXTENSION)).collect();
        return if files.is_empty() { Err(ReadError::Empty(path.to_owned())) } else { Ok((files, true)) };
    }
    let own = Name::of(path);
    if own.number.is_some() {
        return Ok((vec![path.to_owned()], false));
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let same = |file: &PathBuf| {
        let name = Name::of(file);
        name.number.is_some() && name.stem.file_name() == own.stem.file_name() && file.extension() == path.extension()
    };
    let mut files: Vec<PathBuf> = siblings(folder)?.into_iter().filter(same).collect();
    if files.is_empty() || path.exists() {
        files.push(path.to_owned());
    }
    // the folder may be spelled differently: all go by the spelling of the path
    Ok((files.into_iter().map(|file| file.file_name().map_or(file.clone(), |name| path.with_file_name(name))).collect(), true))
}

/// The regular files of a folder.
fn siblings(folder: &Path) -> Result<Vec<PathBuf>, ReadError> {
    let mut files = Vec::new();
    for item in folder.read_dir().map_err(ReadError::io(folder))? {
        let item = item.map_err(ReadError::io(folder))?;
        if item.path().is_file() {
            files.push(item.path());
        }
    }
    Ok(files)
}

/// A file's name, taken apart: `<stem>.<six digits>.<extension>` or `<stem>.<extension>`.
struct Name {
    stem: PathBuf,
    number: Option<u32>,
}

impl Name {
    fn of(path: &Path) -> Self {
        let text = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let is_number = |part: &str| part.len() >= 6 && part.bytes().all(|byte| byte.is_ascii_digit());
        let mut parts = text.rsplitn(3, '.');
        let (last, middle, first) = (parts.next(), parts.next(), parts.next());
        let (stem, number) = match (first, middle, last) {
            (Some(stem), Some(number), Some(_)) if is_number(number) => (path.with_file_name(stem), number.parse().ok()),
            (None, Some(stem), Some(number)) if is_number(number) => (path.with_file_name(stem), number.parse().ok()),
            _ => (path.with_extension(""), None),
        };
        Self { stem, number }
    }
}

/// A record and where it stands.
#[derive(Debug, Clone)]
pub struct Found {
    /// The file.
    pub path: Arc<Path>,
    /// The line, from 1.
    pub line: u64,
    /// The exact line.
    pub text: Vec<u8>,
    /// What it says.
    pub entry: Entry,
}

/// Every record of a trail, one in memory at a time.
pub struct Entries {
    parts: std::vec::IntoIter<Part>,
    current: Option<(Arc<Path>, Lines)>,
}

impl Entries {
    /// The next line of the current file, as a record.
    fn line(&mut self) -> Option<Result<Found, ReadError>> {
        let (path, lines) = self.current.as_mut()?;
        let line = match lines.next_line() {
            Ok(line) => line?,
            Err(error) => {
                let failed = ReadError::io(path)(error);
                self.current = None;
                return Some(Err(failed));
            }
        };
        let found = Entry::parse(line.bytes)
            .map(|entry| Found { path: path.clone(), line: line.number, text: line.bytes.to_vec(), entry })
            .map_err(|error| ReadError::Line { path: path.to_path_buf(), line: line.number, error });
        Some(found)
    }
}

impl Iterator for Entries {
    type Item = Result<Found, ReadError>;

    /// A line that is no record is an error, and the next one follows it.
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(found) = self.line() {
                return Some(found);
            }
            let part = self.parts.next()?;
            match Lines::open(&part.path) {
                Ok(lines) => self.current = Some((part.path.into(), lines)),
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn folder(names: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for name in names {
            let line = format!(r#"{{"schema":1,"sequence":1,"previous":"","id":"{name}","stage":"single","time":""}}"#);
            fs::write(folder.path().join(name), line + "\n").unwrap();
        }
        folder
    }

    fn names(files: &Files) -> Vec<String> {
        files.parts.iter().map(|part| part.path.file_name().unwrap().to_str().unwrap().to_owned()).collect()
    }

    const TRAIL: [&str; 3] = ["audit.000009.jsonl", "audit.000010.jsonl", "audit.jsonl"];

    #[test]
    fn finds_the_files_of_a_trail_in_order_from_its_folder_and_its_current_file() {
        let folder =
            folder(&["audit.jsonl", "audit.000010.jsonl", "audit.000009.jsonl", "audit.pub", "audit.000001.gz", "other.000001.jsonl"]);
        let found = find(&[folder.path().join("audit.jsonl")]).unwrap();
        assert_eq!(found.iter().map(names).collect::<Vec<_>>(), [TRAIL]);
        assert_eq!(found[0].beside("pub"), folder.path().join("audit.pub"));
        let found = find(&[folder.path().to_owned()]).unwrap();
        assert_eq!(found.iter().map(names).collect::<Vec<_>>(), [TRAIL.to_vec(), vec!["other.000001.jsonl"]]);
        assert!(found.iter().all(|files| files.whole));
    }

    #[test]
    fn takes_rotated_files_that_are_named_as_they_are() {
        let folder = folder(&TRAIL);
        let found = find(&[folder.path().join(TRAIL[1]), folder.path().join(TRAIL[0])]).unwrap();
        assert_eq!(found.iter().map(names).collect::<Vec<_>>(), [TRAIL[..2].to_vec()]);
        assert!(!found[0].whole);
        let twice = find(&TRAIL.map(|name| folder.path().join(name))).unwrap();
        assert_eq!(names(&twice[0]), TRAIL);
    }

    #[test]
    fn says_what_cannot_be_read() {
        let empty = folder(&[]);
        assert!(find(&[empty.path().to_owned()]).unwrap_err().to_string().contains("there is no trail in"));
        let missing = find(&[empty.path().join("audit.jsonl")]).unwrap();
        let error = missing[0].entries().next().unwrap().unwrap_err().to_string();
        assert!(error.contains("cannot read") && error.contains("audit.jsonl"), "{error}");
        assert!(find(&[PathBuf::from("/nowhere/audit.jsonl")]).is_err());
    }

    #[test]
    fn gives_exact_lines_with_their_places() {
        let mut lines = Lines::new(&b"a\r\n\n{}\ntorn"[..]);
        assert_eq!(lines.next_line().unwrap(), Some(Line { bytes: b"a\r", number: 1, offset: 0, ended: true }));
        assert_eq!(lines.next_line().unwrap(), Some(Line { bytes: b"", number: 2, offset: 3, ended: true }));
        assert_eq!(lines.next_line().unwrap(), Some(Line { bytes: b"{}", number: 3, offset: 4, ended: true }));
        assert_eq!(lines.next_line().unwrap(), Some(Line { bytes: b"torn", number: 4, offset: 7, ended: false }));
        assert_eq!(lines.next_line().unwrap(), None);
        let endless = Lines::new(BufReader::new(io::repeat(b'x'))).next_line().map(|_| ());
        assert!(endless.unwrap_err().to_string().contains("longer than 1 MiB"));
    }

    #[test]
    fn goes_on_after_a_line_that_is_no_record() {
        let folder = folder(&TRAIL);
        let text = fs::read_to_string(folder.path().join(TRAIL[0])).unwrap();
        fs::write(folder.path().join(TRAIL[0]), format!("{{}}\n{text}nothing")).unwrap();
        let found: Vec<String> = find(&[folder.path().to_owned()]).unwrap()[0]
            .entries()
            .map(|found| found.map_or_else(|error| error.to_string().rsplit_once('/').unwrap().1.to_owned(), |found| found.entry.id))
            .collect();
        assert_eq!(
            found,
            [
                "audit.000009.jsonl:1` is no record: there is no `schema`",
                TRAIL[0],
                "audit.000009.jsonl:3` is no record: expected ident at line 1 column 2",
                TRAIL[1],
                TRAIL[2]
            ]
        );
    }
}
