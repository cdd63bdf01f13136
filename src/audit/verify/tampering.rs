//! Every way to tamper with a trail, and what verifying says about it.
//! Each must be found, and the line that was touched named.

use std::fs;
use std::path::Path;

use super::tests::{asked, found, report};
use super::*;
use crate::audit::checkpoint::SecretKey;
use crate::audit::forge::{Forge, LOG, rechain};

const FIRST: &str = "audit.000001.jsonl";
const SECOND: &str = "audit.000002.jsonl";
const CURRENT: &str = "audit.jsonl";
const NOTES: &str = "audit.checkpoints";

/// What is done to a trail of three files, and what is found at first, with and without the copy of the checkpoints.
type Case = (&'static str, fn(&Path), &'static str, &'static str);

const CASES: [Case; 24] = [
    ("a byte flipped", |at| flip(at, SECOND, 3, "READ"), "record-changed audit.000002.jsonl:3", "record 13 was changed"),
    (
        "a byte of the last line of a file flipped",
        |at| flip(at, FIRST, 10, "rotate"),
        "record-changed audit.000001.jsonl:10",
        "record 10 was changed",
    ),
    ("a byte of the first line flipped", |at| flip(at, FIRST, 1, "0.1.0"), "record-changed audit.000001.jsonl:1", "record 1 was changed"),
    ("a byte of a link flipped", |at| flip(at, SECOND, 4, "previous\":\""), "record-changed audit.000002.jsonl:4", "record 14 was changed"),
    ("a number flipped", |at| flip(at, SECOND, 4, "sequence\":14"), "record-changed audit.000002.jsonl:4", "says that it is record 15"),
    ("a brace flipped", |at| flip(at, SECOND, 4, ""), "not-a-record audit.000002.jsonl:4", "line 4 is no record"),
    ("the last line of the trail flipped", |at| flip(at, CURRENT, 8, "close"), "checkpoint-mismatch audit.jsonl:8", "lines 6 to 8"),
    (
        "an end of line removed",
        |at| edit(at, SECOND, |text| text.replacen("}\n", "}", 1)),
        "not-a-record audit.000002.jsonl:1",
        "line 1 is no record",
    ),
    (
        "a line removed",
        |at| lines(at, SECOND, |lines| drop(lines.remove(5))),
        "record-missing audit.000002.jsonl:6",
        "record 16 is missing before record 17",
    ),
    (
        "three lines removed",
        |at| lines(at, SECOND, |lines| drop(lines.drain(2..5))),
        "record-missing audit.000002.jsonl:3",
        "records 13 to 15 are missing",
    ),
    (
        "the first line removed",
        |at| lines(at, SECOND, |lines| drop(lines.remove(0))),
        "no-open audit.000002.jsonl:1",
        "first lines are missing",
    ),
    (
        "two lines swapped",
        |at| lines(at, SECOND, |lines| lines.swap(5, 6)),
        "out-of-order audit.000002.jsonl:6",
        "record 17 stands where record 16 belongs",
    ),
    (
        "a line twice",
        |at| lines(at, SECOND, |lines| lines.insert(4, lines[3].clone())),
        "out-of-order audit.000002.jsonl:5",
        "record 14 stands where record 15 belongs",
    ),
    ("the tail cut", |at| lines(at, CURRENT, |lines| lines.truncate(6)), "tail-cut audit.jsonl:6", "lines 7 to 8 to record 28 are missing"),
    ("the tail of a rotated file cut", |at| lines(at, FIRST, |lines| lines.truncate(6)), "tail-cut audit.000001.jsonl:6", "lines 7 to 10"),
    (
        "the last end of line cut",
        |at| edit(at, CURRENT, |text| text.trim_end().to_owned()),
        "torn-tail audit.jsonl:8",
        "the last line is torn",
    ),
    (
        "a file missing in the middle",
        |at| fs::remove_file(at.join(SECOND)).unwrap(),
        "file-missing audit.jsonl:1",
        "file 2 is missing before this one: records 11 to 20",
    ),
    (
        "the last file missing",
        |at| fs::remove_file(at.join(CURRENT)).unwrap(),
        "file-missing audit.checkpoints:36",
        "file 3 is missing at the end of the trail",
    ),
    ("two files swapped", swap_files, "renamed audit.000001.jsonl:1", "is called number 1, but it is file 2"),
    (
        "a checkpoint's size changed",
        |at| edit(at, NOTES, |text| text.replacen("\n4\n", "\n5\n", 1)),
        "bad-signature audit.checkpoints:1",
        "does not fit its text",
    ),
    ("a checkpoint replaced by an older one", older_note, "checkpoint-order audit.checkpoints:22", "goes less far"),
    (
        "all checkpoints removed",
        |at| fs::remove_file(at.join(NOTES)).unwrap(),
        "no-checkpoints audit.000001.jsonl:10",
        "there are no checkpoints",
    ),
    ("checkpoints of another key", other_key, "other-key audit.checkpoints:1", "no signature of this key"),
    ("everything chained anew without the key", chained_anew, "checkpoint-mismatch audit.000001.jsonl:4", "lines 1 to 4"),
];

fn edit(folder: &Path, file: &str, with: impl FnOnce(&str) -> String) {
    let text = fs::read_to_string(folder.join(file)).unwrap();
    let changed = with(&text);
    assert_ne!(text, changed);
    fs::write(folder.join(file), changed).unwrap();
}

fn lines(folder: &Path, file: &str, with: impl FnOnce(&mut Vec<String>)) {
    edit(folder, file, |text| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        with(&mut lines);
        lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect()
    });
}

/// Flips the lowest bit of the last byte of a word in a line; of the first byte of the line without a word.
fn flip(folder: &Path, file: &str, line: usize, word: &str) {
    lines(folder, file, |lines| {
        let at = lines[line - 1].find(word).unwrap() + word.len();
        let mut bytes = lines[line - 1].clone().into_bytes();
        // after a word that ends in a quote or colon comes the value that is meant
        let at = if word.is_empty() || word.ends_with(['"', ':']) { at } else { at - 1 };
        bytes[at] ^= 1;
        lines[line - 1] = String::from_utf8(bytes).unwrap();
    });
}

fn swap_files(folder: &Path) {
    fs::rename(folder.join(FIRST), folder.join("x")).unwrap();
    fs::rename(folder.join(SECOND), folder.join(FIRST)).unwrap();
    fs::rename(folder.join("x"), folder.join(SECOND)).unwrap();
}

fn older_note(folder: &Path) {
    edit(folder, NOTES, |text| {
        let notes: Vec<&str> = text.split_inclusive("\n\n").collect();
        // each note has two parts: its text and its signature
        [&notes[..6], &notes[..2], &notes[8..]].concat().concat()
    });
}

fn other_key(folder: &Path) {
    let other = Forge::with_key(SecretKey::generate(LOG, &[9; 32]));
    edit(folder, NOTES, |text| {
        let notes = Notes::parse(Path::new("x"), text, false).notes;
        notes.iter().flat_map(|placed| [other.key.sign(&placed.note.checkpoint), "\n".to_owned()]).collect()
    });
}

fn chained_anew(folder: &Path) {
    let (mut sequence, mut previous) = (1, merkle::ZERO);
    for file in [FIRST, SECOND, CURRENT] {
        let text = fs::read_to_string(folder.join(file)).unwrap().replace("/containers/create", "/containers/json");
        let text =
            rechain(&text.replace("\"path\":\"/containers/json\",\"status\":200", "\"path\":\"/info\",\"status\":200"), sequence, previous);
        sequence += text.lines().count() as u64;
        previous = merkle::digest(text.lines().last().unwrap().as_bytes());
        fs::write(folder.join(file), text).unwrap();
    }
}

#[test]
fn finds_each_way_of_tampering_and_names_the_line() {
    let mut wrong = Vec::new();
    for (name, tamper, expected, message) in CASES {
        for with_copy in [false, true] {
            let forge = Forge::three_files();
            tamper(forge.folder.path());
            let report = report(forge.folder.path(), &asked(forge.folder.path(), with_copy));
            let said = found(&report).into_iter().zip(&report.findings).find(|(found, _)| found == expected);
            let is_there = said.is_some_and(|(_, found)| found.message.contains(message));
            if !is_there || report.worst() != Some(Level::Tampered) {
                wrong.push(format!(
                    "{name}: {:?} {:#?}",
                    found(&report),
                    report.findings.iter().map(|found| &found.message).collect::<Vec<_>>()
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Whoever holds the folder can cut trail and checkpoints together: only the copy shows it.
#[test]
fn finds_a_tail_that_was_cut_with_its_checkpoints_by_the_copy() {
    let forge = Forge::three_files();
    let folder = forge.folder.path();
    lines(folder, CURRENT, |lines| lines.truncate(5));
    edit(folder, NOTES, |text| text.split_inclusive("\n\n").take(10).collect());
    assert_eq!(report(folder, &asked(folder, false)).worst(), None);
    let with_copy = report(folder, &asked(folder, true));
    assert_eq!(found(&with_copy), ["tail-cut audit.jsonl:5"]);
}

#[test]
fn finds_a_whole_new_trail_by_the_copy() {
    let forge = Forge::three_files();
    let folder = forge.folder.path();
    let log = "01JCZ6Q1V6N6Q9G4M6WQZ0T3ZZ";
    let new = SecretKey::generate(log, &[9; 32]);
    for file in [FIRST, SECOND] {
        fs::remove_file(folder.join(file)).unwrap();
    }
    let open = format!(
        r#"{{"schema":1,"sequence":1,"previous":"{}","id":"A","stage":"event","time":"","event":"open","detail":{{"log":"{log}","file":1,"key":"{}"}}}}"#,
        "0".repeat(64),
        new.public().id()
    );
    fs::write(folder.join(CURRENT), format!("{open}\n")).unwrap();
    fs::write(folder.join(NOTES), "").unwrap();
    let old_key = report(folder, &asked(folder, false));
    assert_eq!(found(&old_key)[0], "other-key audit.jsonl:1");
    fs::write(folder.join("audit.pub"), new.public().to_string()).unwrap();
    let new_key = report(folder, &asked(folder, true));
    assert_eq!(found(&new_key), ["copy-of-another copy:1"]);
    assert_eq!(new_key.worst(), Some(Level::Tampered));
}

#[test]
fn a_torn_tail_is_not_finished_rather_than_tampered() {
    let mut forge = Forge::new();
    forge.reads(3).seal().reads(1);
    let text = fs::read_to_string(forge.write().join(CURRENT)).unwrap();
    let last = text[..text.len() - 1].rfind('\n').unwrap() + 1;
    for end in [last + 1, last + 40, text.len() - 2, text.len() - 1] {
        fs::write(forge.path(CURRENT), &text[..end]).unwrap();
        let report = report(forge.folder.path(), &asked(forge.folder.path(), true));
        assert_eq!((found(&report), report.worst()), (vec!["torn-tail audit.jsonl:5".to_owned()], Some(Level::Incomplete)), "{end}");
    }
}

/// Every bit of a finished trail counts.
#[test]
fn finds_any_flipped_bit() {
    let forge = Forge::three_files();
    let folder = forge.folder.path();
    // the signatures are those of nobody's touching: checking them hundreds of times shows nothing
    let asked = Asked { key: None, ..asked(folder, false) };
    let mut flipped = 0;
    for file in [FIRST, SECOND, CURRENT] {
        let whole = fs::read(folder.join(file)).unwrap();
        for at in (0..whole.len()).step_by(61) {
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << (at % 8);
            fs::write(folder.join(file), &bytes).unwrap();
            let line = 1 + whole[..at].iter().filter(|byte| **byte == b'\n').count() as u64;
            let report = report(folder, &asked);
            assert_eq!(report.worst(), Some(Level::Tampered), "byte {at} of {file}");
            flipped += 1;
            let near = report.findings.iter().any(|found| found.at.line.abs_diff(line) <= 1 || found.code == "checkpoint-mismatch");
            assert!(near, "byte {at} in line {line} of {file}: {:?}", found(&report));
        }
        fs::write(folder.join(file), &whole).unwrap();
    }
    assert!(flipped > 80, "{flipped}");
}
