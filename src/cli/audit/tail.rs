//! `dockgate audit tail`: the last calls of a trail, and those that follow, through rotations.
//! Knows nothing of how a line looks.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use crate::audit::read;

use super::super::Outcome;
use super::super::say::{Failure, Paint};
use super::filter::Filter;
use super::record::{Call, Record, Step};
use super::show::{Format, print};

/// Between two looks at a file that has ended.
const BREATH: Duration = Duration::from_millis(200);
/// The longest line that is waited for.
const LONGEST: usize = 1 << 20;
/// Intents that wait for their outcome.
const WAITING: usize = 4096;

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The trail that is being written
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// So many of the calls before
    #[arg(long, short = 'n', value_name = "NUMBER", default_value_t = 10)]
    lines: usize,
    /// End where the file ends
    #[arg(long)]
    no_follow: bool,
    #[command(flatten)]
    filter: Filter,
    /// How: a line for each call, or its records as they stand in the file
    #[arg(long, value_name = "FORMAT", default_value = "text", value_enum)]
    format: Format,
}

const EXAMPLES: &str = "\
Examples:
  dockgate audit tail /var/log/dockgate/audit.jsonl
  dockgate audit tail audit.jsonl --verdict deny --door traefik
  dockgate audit tail audit.jsonl -n 100 --no-follow --format json

A call is shown when it has ended; streams and tunnels also when their reply begins. It goes on when the file is rotated.
Times are UTC. Exit codes: 0 fine, 2 the file cannot be read.";

/// Shows and follows until it is interrupted or nobody reads any more.
pub fn run(args: &Args) -> Outcome {
    let cannot = |error: io::Error| Failure::usage(format!("cannot read `{}`: {error}", args.file.display()));
    let mut followed = Followed::open(&args.file).map_err(cannot)?;
    let (mut calls, mut last) = (Calls::default(), VecDeque::new());
    while let Some(line) = followed.next().map_err(cannot)? {
        last.extend(calls.take(&line, followed.name()).filter(|call| args.filter.wants(call)));
        let surplus = last.len().saturating_sub(args.lines);
        last.drain(..surplus);
    }
    let (mut out, paint) = (io::stdout(), Paint::stdout());
    let mut show = |call: Call| print(&mut out, &call, args.format, paint);
    let mut on = last.into_iter().all(&mut show) && !args.no_follow;
    while on {
        match followed.next().map_err(cannot)? {
            Some(line) => on = calls.take(&line, followed.name()).filter(|call| args.filter.wants(call)).is_none_or(&mut show),
            None => std::thread::sleep(BREATH),
        }
    }
    let _reader_gone = io::stdout().flush();
    Ok(0)
}

/// Intents that have not ended yet.
#[derive(Debug, Default)]
struct Calls {
    waiting: VecDeque<Call>,
    number: u64,
}

impl Calls {
    /// The call that a line is the last of; a stream or tunnel is shown when it begins, too.
    fn take(&mut self, line: &str, file: &Rc<str>) -> Option<Call> {
        self.number += 1;
        let record = Record::parse(line, file, self.number)?;
        let at = self.waiting.iter().position(|call| call.id() == record.id());
        match record.step() {
            Step::Single | Step::Event => Some(Call { records: vec![record] }),
            Step::Intent => {
                self.waiting.push_back(Call { records: vec![record] });
                if self.waiting.len() > WAITING {
                    self.waiting.pop_front();
                }
                None
            }
            Step::Start => match at.and_then(|at| self.waiting.get_mut(at)) {
                Some(call) => {
                    call.records.push(record);
                    Some(call.clone())
                }
                None => Some(Call { records: vec![record] }),
            },
            Step::Last => {
                let mut call = at.and_then(|at| self.waiting.remove(at)).unwrap_or_else(|| Call { records: Vec::new() });
                call.records.push(record);
                Some(call)
            }
        }
    }
}

/// A file that grows, and the files that come after it.
#[derive(Debug)]
struct Followed {
    path: PathBuf,
    name: Rc<str>,
    file: File,
    buffer: Vec<u8>,
    /// Bytes of the buffer that are known to hold no newline.
    searched: usize,
    read: u64,
}

impl Followed {
    fn open(path: &Path) -> io::Result<Self> {
        let name = path.display().to_string().into();
        Ok(Self { path: path.to_owned(), name, file: File::open(path)?, buffer: Vec::new(), searched: 0, read: 0 })
    }

    fn name(&self) -> &Rc<str> {
        &self.name
    }

    /// The next whole line, or `None` where there is none yet.
    fn next(&mut self) -> io::Result<Option<String>> {
        loop {
            if let Some(line) = self.line() {
                return Ok(Some(line));
            }
            if self.fill()? {
                continue;
            }
            // whatever came between the last read and the rotation is read before the file is left
            let Some(next) = self.successor()? else { return Ok(None) };
            if !self.fill()? {
                (self.file, self.read, self.searched) = (next, 0, 0);
                self.buffer.clear();
            }
        }
    }

    fn line(&mut self) -> Option<String> {
        let end = self.buffer.iter().skip(self.searched).position(|b| *b == b'\n').map(|at| at + self.searched);
        let Some(end) = end else {
            self.searched = self.buffer.len();
            return None;
        };
        let line: Vec<u8> = self.buffer.drain(..=end).collect();
        self.searched = 0;
        Some(String::from_utf8_lossy(&line).trim_end().to_owned())
    }

    fn fill(&mut self) -> io::Result<bool> {
        if self.buffer.len() > LONGEST {
            self.buffer.clear();
            self.searched = 0;
        }
        let read = (&self.file).take(1 << 16).read_to_end(&mut self.buffer)?;
        self.read += read as u64;
        Ok(read > 0)
    }

    /// The file that was begun after this one, once there is one.
    fn successor(&self) -> io::Result<Option<File>> {
        let own = self.file.metadata()?;
        let same = |path: &Path| std::fs::metadata(path).is_ok_and(|other| (other.dev(), other.ino()) == (own.dev(), own.ino()));
        if same(&self.path) {
            // somebody cut it: what is there now is read from its beginning
            return if own.len() < self.read { File::open(&self.path).map(Some) } else { Ok(None) };
        }
        let parts = parts(&self.path);
        let next = parts.iter().position(|path| same(path)).and_then(|at| parts.get(at + 1));
        match File::open(next.unwrap_or(&self.path)) {
            Ok(file) => Ok(Some(file)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// The files of the trail, the oldest first, the one that is being written last.
fn parts(path: &Path) -> Vec<PathBuf> {
    let found = read::find(&[path.to_owned()]).unwrap_or_default();
    found.into_iter().flat_map(|trail| trail.parts).map(|part| part.path).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn rest(followed: &mut Followed) -> Vec<String> {
        std::iter::from_fn(|| followed.next().unwrap()).collect()
    }

    fn append(path: &Path, text: &str) {
        fs::OpenOptions::new().append(true).create(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
    }

    #[test]
    fn follows_a_trail_through_rotations_and_misses_no_line() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("audit.jsonl");
        append(&file, "1\n2\n3");
        let mut followed = Followed::open(&file).unwrap();
        assert_eq!(rest(&mut followed), ["1", "2"]);
        append(&file, "\n4\n");
        fs::rename(&file, folder.path().join("audit.000001.jsonl")).unwrap();
        assert_eq!(rest(&mut followed), ["3", "4"], "the next file is not there yet");
        append(&folder.path().join("audit.000001.jsonl"), "5\n");
        append(&folder.path().join("audit.000002.jsonl"), "6\n");
        append(&file, "7\n");
        assert_eq!(rest(&mut followed), ["5", "6", "7"]);
        append(&file, "8\n");
        assert_eq!(rest(&mut followed), ["8"]);
    }

    #[test]
    fn a_file_that_is_cut_is_read_from_its_beginning() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("audit.jsonl");
        append(&file, "1\n2\n");
        let mut followed = Followed::open(&file).unwrap();
        assert_eq!(rest(&mut followed), ["1", "2"]);
        fs::write(&file, "3\n").unwrap();
        assert_eq!(rest(&mut followed), ["3"]);
    }

    #[test]
    fn shows_a_tunnel_when_it_begins_and_again_when_it_ends() {
        let file: Rc<str> = "a".into();
        let mut calls = Calls::default();
        let line = |stage: &str| format!("{{\"id\":\"A\",\"time\":\"2026-11-21T00:00:00Z\",\"stage\":\"{stage}\"}}");
        let mut sizes = |stage: &str| calls.take(&line(stage), &file).map(|call| call.records.len());
        assert_eq!((sizes("intent"), sizes("start"), sizes("end"), sizes("single")), (None, Some(2), Some(3), Some(1)));
    }
}
