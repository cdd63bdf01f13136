//! Reads trails line by line, from files and from standard input.
//! Knows nothing of what a record says, and does not ask whether the chain holds.

use std::io::BufReader;
use std::path::PathBuf;
use std::rc::Rc;

use crate::audit::read::{self, Lines};

use super::super::load::count;
use super::super::say::{self, Failure};
use super::filter::Filter;
use super::join::Joiner;
use super::record::{Call, Record, Step};

/// The name of standard input.
const STDIN: &str = "-";

/// Lines that are no records.
#[derive(Debug, Default)]
pub struct Skipped {
    count: usize,
    first: Option<String>,
}

impl Skipped {
    fn add(&mut self, file: &str, line: u64) {
        self.count += 1;
        self.first.get_or_insert_with(|| format!("{file}:{line}"));
    }

    /// Says what was left out; the exit code of the command.
    pub fn code(&self) -> u8 {
        let Some(first) = &self.first else { return 0 };
        let what = count(self.count, "line");
        say::warn(format_args!("{what} left out, no records of a trail: the first is {first}"));
        say::REFUSED
    }
}

/// Gives every record of the trails that the files name to `each`, until it says false. `-` is standard input.
///
/// # Errors
/// A file that cannot be read.
pub fn records(files: &[String], mut each: impl FnMut(Record) -> bool) -> Result<Skipped, Failure> {
    let mut skipped = Skipped::default();
    for file in named(files)? {
        let name: Rc<str> = if file == STDIN { "standard input".into() } else { file.as_str().into() };
        let mut lines = open(&file)?;
        while let Some(line) = lines.next_line().map_err(|error| Failure::usage(format!("cannot read `{file}`: {error}")))? {
            if line.bytes.trim_ascii().is_empty() {
                continue;
            }
            match std::str::from_utf8(line.bytes).ok().and_then(|text| Record::parse(text, &name, line.number)) {
                Some(record) => {
                    if !each(record) {
                        return Ok(skipped);
                    }
                }
                None => skipped.add(&name, line.number),
            }
        }
    }
    Ok(skipped)
}

/// Every file of the trails, in the order in which they were written.
fn named(files: &[String]) -> Result<Vec<String>, Failure> {
    if files.iter().any(|file| file == STDIN) {
        return if files.len() == 1 { Ok(files.to_vec()) } else { Err(Failure::usage("`-` stands alone, without other files")) };
    }
    let paths: Vec<PathBuf> = files.iter().map(PathBuf::from).collect();
    let found = read::find(&paths).map_err(|error| Failure::usage(error.to_string()))?;
    Ok(found.into_iter().flat_map(|trail| trail.parts).map(|part| part.path.display().to_string()).collect())
}

fn open(file: &str) -> Result<Lines, Failure> {
    if file == STDIN {
        return Ok(Lines::new(BufReader::new(std::io::stdin())));
    }
    Lines::open(file.as_ref()).map_err(|error| Failure::usage(error.to_string()))
}

/// Gives every call that is wanted to `each`, until it says false.
///
/// # Errors
/// A file that cannot be read.
pub fn calls(files: &[String], filter: &Filter, mut each: impl FnMut(Call) -> bool) -> Result<Skipped, Failure> {
    let mut joiner = Joiner::default();
    let mut on = true;
    let skipped = records(files, |record| {
        on = joiner.take(record).into_iter().filter(|call| filter.wants(call)).all(&mut each);
        on
    })?;
    if on {
        let _all_seen = joiner.finish().into_iter().filter(|call| filter.wants(call)).all(each);
    }
    Ok(skipped)
}

/// The call of this id, also where it is folded into another, from a trail and its rotated files.
///
/// # Errors
/// A file that cannot be read.
pub fn find(file: &str, id: &str) -> Result<(Option<Call>, Skipped), Failure> {
    let mut found: Vec<Record> = Vec::new();
    let skipped = records(&[file.to_owned()], |record| {
        let last = record.answers_to(id) && matches!(record.step(), Step::Single | Step::Last | Step::Event);
        if record.answers_to(id) {
            found.push(record);
        }
        !last
    })?;
    Ok(((!found.is_empty()).then_some(Call { records: found }), skipped))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_record_is_left_out_and_counted() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.jsonl");
        std::fs::write(&file, "{\"stage\":\"single\",\"time\":\"2026-11-21T00:00:00Z\",\"id\":\"A\"}\nnonsense\n{}\n\n").unwrap();
        let mut seen = 0;
        let skipped = calls(&[file.to_str().unwrap().to_owned()], &Filter::default(), |_| {
            seen += 1;
            true
        });
        let skipped = skipped.unwrap();
        assert_eq!((seen, skipped.count), (1, 2));
        assert!(skipped.first.as_ref().unwrap().ends_with("a.jsonl:2"));
        assert_eq!(calls(&["/nosuch".to_owned()], &Filter::default(), |_| true).unwrap_err().print(), 2);
    }
}
