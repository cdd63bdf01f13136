//! The commands that read trails, as a user runs them.
//! Knows nothing of how they work inside.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::trail::Sample;

struct Bed {
    folder: tempfile::TempDir,
    sample: Sample,
}

impl Bed {
    fn new() -> Self {
        let bed = Self { folder: tempfile::tempdir().unwrap(), sample: Sample::week() };
        bed.sample.write(&bed.file());
        bed
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("audit.jsonl")
    }

    fn command(&self, args: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dockgate"));
        command.args(args.split_whitespace()).current_dir(self.folder.path()).env_remove("NO_COLOR");
        command
    }

    fn run(&self, args: &str) -> (i32, String, String) {
        let output = self.command(args).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }

    fn ok(&self, args: &str) -> String {
        let (code, out, err) = self.run(args);
        assert_eq!((code, err.as_str()), (0, ""), "{args}: {out}");
        out
    }
}

#[test]
fn show_gives_every_call_a_line_and_json_gives_the_records_back() {
    let bed = Bed::new();
    let text = bed.ok("audit show audit.jsonl");
    assert_eq!(text.lines().count(), 3999 + 2);
    assert!(!text.contains('\u{1b}'), "colours only on a terminal");
    let mut given: Vec<String> = bed.ok("audit show audit.jsonl --format json").lines().map(str::to_owned).collect();
    let mut written = bed.sample.lines.clone();
    given.sort();
    written.sort();
    assert!(given == written);
    let denied = bed.ok("audit show audit.jsonl --verdict deny --door ci --since 2026-11-15 --until 2026-11-16 --operation @create");
    assert!(!denied.is_empty() && denied.lines().all(|line| line.starts_with("2026-11-15") && line.contains("DENY")), "{denied}");
    assert_eq!(bed.ok("audit show audit.jsonl --container web-8 --verdict deny"), "");
}

#[test]
fn stats_and_convert_count_the_same_calls() {
    let bed = Bed::new();
    let stats: Value = serde_json::from_str(&bed.ok("audit stats audit.jsonl --format json")).unwrap();
    let sample = &bed.sample;
    assert_eq!((stats["calls"].as_u64(), stats["open"].as_u64()), (Some(sample.calls), Some(sample.open)));
    assert_eq!(stats["verdicts"]["deny"].as_u64(), Some(sample.denied));
    assert!(bed.ok("audit stats audit.jsonl").contains("By operation"));
    for format in ["ocsf", "ecs", "cef"] {
        assert_eq!(bed.ok(&format!("audit convert audit.jsonl --to {format}")).lines().count(), 3999 + 2, "{format}");
    }
}

#[test]
fn explain_finds_a_call_by_any_id_that_a_client_was_given() {
    let bed = Bed::new();
    let (code, out, err) = bed.run(&format!("explain {}", bed.sample.folded));
    assert!(code == 1 && out.starts_with("DENIED POST") && out.contains("one of several that are alike: 12 times"), "{code} {out} {err}");
    let (code, out, _) = bed.run("explain --audit audit.jsonl 01KAGZ00000000000000000005");
    assert!(code == 0 && out.contains("records   intent audit.jsonl:") && out.contains(", end audit.jsonl:"), "{code} {out}");
    let (code, _, err) = bed.run("explain 01KAGZ99999999999999999999");
    assert!(code == 1 && err.contains("there is no record `01KAGZ99999999999999999999` in `audit.jsonl`"), "{code} {err}");
}

#[test]
fn tail_follows_through_a_rotation() {
    let bed = Bed::new();
    assert_eq!(bed.ok("audit tail audit.jsonl -n 3 --no-follow").lines().count(), 3);
    let mut tail = bed.command("audit tail audit.jsonl -n 1 --format json").stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(tail.stdout.take().unwrap()).lines().map(Result::unwrap);
    let written = &bed.sample.lines;
    assert_eq!(lines.next().as_ref(), written.last());
    std::fs::rename(bed.file(), bed.folder.path().join("audit.000001.jsonl")).unwrap();
    std::fs::write(bed.file(), format!("{}\n", written[0])).unwrap();
    assert_eq!(lines.next().as_ref(), Some(&written[0]));
    tail.kill().unwrap();
    tail.wait().unwrap();
}

#[test]
fn rotated_files_are_read_with_the_current_one() {
    let bed = Bed::new();
    let (first, second) = bed.sample.lines.split_at(3000);
    std::fs::write(bed.folder.path().join("audit.000001.jsonl"), first.join("\n") + "\n").unwrap();
    std::fs::write(bed.file(), second.join("\n") + "\n").unwrap();
    assert_eq!(bed.ok("audit show audit.jsonl").lines().count(), 3999 + 2);
    assert_eq!(bed.ok("audit show .").lines().count(), 3999 + 2);
}

#[test]
fn exit_codes_are_those_of_the_contract() {
    let bed = Bed::new();
    std::fs::write(bed.folder.path().join("bad.jsonl"), "nonsense\n").unwrap();
    let (code, _, err) = bed.run("audit show bad.jsonl");
    assert!(code == 1 && err.contains("1 line left out, no records of a trail: the first is bad.jsonl:1"), "{code} {err}");
    for wrong in [
        "audit show nosuch.jsonl",
        "audit show",
        "audit show audit.jsonl --operation Foo",
        "audit hash x --key audit.jsonl",
        "audit tail nosuch",
        "audit report audit.jsonl -o audit.jsonl",
        "audit",
    ] {
        assert_eq!(bed.run(wrong).0, 2, "{wrong}");
    }
}
