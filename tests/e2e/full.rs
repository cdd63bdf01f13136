//! A trail on a disk that is really full, in front of real engines: a client is refused at once, and goes on when there is room.
//! Needs root, for a small file system of its own.

use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::bed::{Bed, usable};
use crate::engine::{Engine, left_out};
use crate::gate::Gate;
use crate::process::{Output, run, until};

const DOOR: &str = "everything";
/// The longest that a client may wait for its refusal.
const AT_ONCE: Duration = Duration::from_secs(2);

/// A file system of 256 KiB; it goes away with the test.
struct Disk {
    folder: TempDir,
}

impl Disk {
    fn mount() -> Option<Self> {
        let disk = Self { folder: tempfile::tempdir().unwrap() };
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=256k,mode=0700", "tmpfs"]).arg(disk.folder.path());
        mount.output().is_ok_and(|output| output.status.success()).then_some(disk)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes until nothing goes in any more.
    fn fill(&self) {
        let mut filler = File::create(self.file("filler")).unwrap();
        while filler.write(&[0; 512]).is_ok() {}
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _not_mounted = Command::new("umount").arg("--lazy").arg(self.folder.path()).output();
    }
}

#[test]
fn a_create_is_refused_at_once_while_the_disk_of_the_trail_is_full_and_works_when_there_is_room() {
    for engine in usable() {
        let Some(disk) = Disk::mount() else { return left_out("nothing can be mounted here: no disk to fill, that needs root") };
        refuses_and_recovers(engine, &disk);
    }
}

fn refuses_and_recovers(engine: &'static Engine, disk: &Disk) {
    let trail = disk.file("audit.jsonl");
    let mut bed = Bed::behind(engine, |folder| Gate::auditing(folder, &engine.socket, &trail));
    create(&bed, 0).ok();
    disk.fill();
    // the last page of the file may have room for some records
    let mut number = 1;
    while create(&bed, number).code == 0 {
        number += 1;
        assert!(number < 20, "the disk is full, and creates go on");
    }
    let before = bed.objects();
    assert_eq!(before.len(), number, "one for each that succeeded: {before:?}");
    let mut longest = Duration::ZERO;
    for again in 0..5 {
        let since = Instant::now();
        create(&bed, number + again).fails(1, &["Error response from daemon: dockgate: the audit trail cannot be written", "[trail]"]);
        longest = longest.max(since.elapsed());
        assert_eq!(bed.objects(), before, "it was refused, and something was made");
    }
    assert!(longest < AT_ONCE, "a refusal took {longest:?}");
    let refused = crate::raw::ask(&bed.socket(DOOR), "POST", "/volumes/create", Some(&serde_json::json!({ "Name": bed.name("v") })));
    assert_eq!(refused.status, 503, "{refused:?}");
    bed.run(DOOR, "ps").ok(); // what only reads goes on
    assert_eq!(bed.objects(), before);
    fs::remove_file(disk.file("filler")).unwrap();
    let since = Instant::now();
    until("creates to work again", || (create(&bed, number).code == 0).then_some(()));
    let back = since.elapsed();
    assert_eq!(bed.objects().len(), before.len() + 1);
    bed.gate.terminate();
    assert_eq!(bed.gate.code(), 0);
    let text = fs::read_to_string(&trail).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let gaps: Vec<&Value> = lines.iter().filter(|line| line["event"] == "gap").map(|line| &line["detail"]).collect();
    let [gap] = gaps.as_slice() else { panic!("not one gap: {gaps:?}") };
    assert!(gap["records"].as_u64() > Some(5) && gap["error"].as_str().unwrap().contains("space"), "{gap}");
    let verified = run(Gate::command(&["audit", "verify", "--format", "json", trail.to_str().unwrap()]));
    assert!([0, 3].contains(&verified.code), "{}", verified.shown());
    let said = format!("{}: refused within {longest:?}, back after {back:?}, gap {gap}, verify {}\n", engine.label, verified.code);
    let _nobody_reads_it = std::io::stderr().write_all(said.as_bytes()); // past the capture
}

fn create(bed: &Bed, number: usize) -> Output {
    bed.run(DOOR, &format!("create --network none --name {} busybox true", bed.name(&format!("c{number}"))))
}
