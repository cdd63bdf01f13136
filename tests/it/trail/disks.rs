//! Disks that really fail: a small tmpfs that fills up, an ext4 that turns read-only, and one that is frozen. They need root.
//! Knows nothing of fakes.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use dockgate::audit::{OnFailure, Settings, State, Trail, TrailError};

use super::{shown, text, whole};
use crate::support::report;

/// A file system in a private place; it goes away with the test.
struct Mounted {
    folder: tempfile::TempDir,
}

impl Mounted {
    fn tmpfs(size: &str) -> Option<Self> {
        let folder = crate::support::folder();
        let place = folder.path().join("mnt");
        std::fs::create_dir(&place).unwrap();
        let mounted = run("mount", &["-t", "tmpfs", "-o", size, "tmpfs", place.to_str().unwrap()]);
        usable(mounted, folder)
    }

    fn ext4() -> Option<Self> {
        let folder = crate::support::folder();
        let (place, image) = (folder.path().join("mnt"), folder.path().join("image"));
        std::fs::create_dir(&place).unwrap();
        std::fs::File::create(&image).unwrap().set_len(16 << 20).unwrap();
        let (place, image) = (place.to_str().unwrap(), image.to_str().unwrap());
        let mounted = run("mkfs.ext4", &["-q", image]) && run("mount", &["-o", "loop", image, place]);
        usable(mounted, folder)
    }

    fn place(&self) -> PathBuf {
        self.folder.path().join("mnt")
    }

    fn command(&self, program: &str, arguments: &[&str]) -> bool {
        run(program, &[arguments, &[self.place().to_str().unwrap()]].concat())
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        self.command("umount", &["--lazy"]);
    }
}

fn usable(mounted: bool, folder: tempfile::TempDir) -> Option<Mounted> {
    if !mounted {
        report("SKIPPED: a test of real failing disks: nothing can be mounted here, that needs root");
    }
    mounted.then_some(Mounted { folder })
}

fn run(program: &str, arguments: &[&str]) -> bool {
    Command::new(program).args(arguments).output().is_ok_and(|output| output.status.success())
}

fn open(place: &Path, on_failure: OnFailure) -> Trail {
    Trail::open(&Settings { on_failure, ..Settings::of(place.join("audit.jsonl")) }).unwrap()
}

/// Commits until one fails; how many went well.
async fn until_full(trail: &Trail) -> usize {
    let mut written = 0;
    while trail.commit(text(&format!("i{written}"), "intent")).await.is_ok() {
        written += 1;
        assert!(written < 10_000, "the disk does not fill up");
    }
    written
}

/// Waits until the trail is written again, which it finds out by itself.
async fn healthy(trail: &Trail) {
    let start = Instant::now();
    while trail.state() != State::Healthy {
        assert!(start.elapsed() < Duration::from_secs(10), "the trail stays {:?}", trail.state());
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_disk_that_is_really_full_refuses_changes_at_once_and_tells_the_gap_when_there_is_room() {
    let Some(disk) = Mounted::tmpfs("size=64k") else { return };
    let trail = open(&disk.place(), OnFailure::DenyChanges);
    let filler = disk.place().join("filler");
    std::fs::write(&filler, vec![0; 20 << 10]).unwrap();
    let written = until_full(&trail).await;
    let start = Instant::now();
    assert_eq!(trail.commit(text("no", "intent")).await, Err(TrailError::Broken));
    for _ in 0..50 {
        trail.append(text("read", "single")).await.unwrap();
    }
    trail.append(text("done", "outcome")).await.unwrap();
    assert!(trail.flush().await.is_err() && trail.admits_reads());
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    std::fs::remove_file(filler).unwrap();
    healthy(&trail).await;
    trail.commit(text("after", "intent")).await.unwrap();
    trail.close().await.unwrap();
    let lines = whole(&disk.place());
    let shown = shown(&lines);
    assert_eq!(shown[shown.len() - 4..], ["gap", "done", "after", "close"]);
    let gap = &lines[shown.len() - 4]["detail"];
    assert_eq!(gap["records"], 50, "{gap}");
    assert!(gap["error"].as_str().unwrap().contains("space"), "{gap}");
    assert_eq!(shown.iter().filter(|id| id.starts_with('i')).count(), written);
}

#[tokio::test]
async fn a_full_disk_does_what_the_settings_say() {
    for (on_failure, commits, reads) in [(OnFailure::DenyAll, Err(TrailError::Broken), false), (OnFailure::ContinueUnaudited, Ok(()), true)]
    {
        let Some(disk) = Mounted::tmpfs("size=64k") else { return };
        let trail = open(&disk.place(), on_failure);
        let filler = disk.place().join("filler");
        let mut many = 0;
        while trail.state() == State::Healthy {
            let _fails_in_the_end = trail.commit(text(&format!("{many}"), "intent")).await;
            many += 1;
            if !filler.exists() {
                std::fs::write(&filler, vec![0; 20 << 10]).unwrap();
            }
        }
        assert_eq!((trail.commit(text("x", "intent")).await, trail.admits_reads()), (commits, reads));
        std::fs::remove_file(filler).unwrap();
        healthy(&trail).await;
        trail.close().await.unwrap();
        let lines = whole(&disk.place());
        let gap = lines.iter().find(|line| line["event"] == "gap").unwrap();
        assert_eq!(gap["detail"]["records"], if reads { 2 } else { 0 }, "{on_failure:?}");
    }
}

#[tokio::test]
async fn a_disk_that_turns_read_only_refuses_changes_and_the_next_start_goes_on() {
    let Some(disk) = Mounted::ext4() else { return };
    let trail = open(&disk.place(), OnFailure::DenyChanges);
    trail.commit(text("a", "intent")).await.unwrap();
    // what the kernel does itself when an ext4 finds an error
    let aborted = Command::new("mount").args(["-o", "remount,abort"]).arg(disk.place()).output().unwrap();
    let start = Instant::now();
    assert_eq!(trail.commit(text("b", "intent")).await, Err(TrailError::Broken), "{aborted:?}");
    assert_eq!((trail.state(), trail.commit(text("c", "intent")).await), (State::Failing, Err(TrailError::Broken)));
    assert!(trail.close().await.is_err());
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    assert!(Trail::file(&disk.place().join("audit.jsonl")).is_err(), "a start on a read-only disk");
    drop(trail);
    assert!(disk.command("umount", &[]));
    let image = disk.folder.path().join("image");
    let _repaired = run("e2fsck", &["-fy", image.to_str().unwrap()]);
    assert!(disk.command("mount", &["-o", "loop", image.to_str().unwrap()]));
    let trail = open(&disk.place(), OnFailure::DenyChanges);
    trail.commit(text("d", "intent")).await.unwrap();
    trail.close().await.unwrap();
    assert_eq!(shown(&whole(&disk.place())), ["open", "a", "open", "recovered", "d", "close"]);
}

/// Lets a frozen file system go on, whatever becomes of the test.
struct Frozen<'d>(&'d Mounted);

impl Drop for Frozen<'_> {
    fn drop(&mut self) {
        self.0.command("fsfreeze", &["-u"]);
    }
}

#[tokio::test]
async fn a_disk_that_hangs_holds_nobody_for_longer_than_two_seconds() {
    let Some(disk) = Mounted::ext4() else { return };
    let trail = open(&disk.place(), OnFailure::DenyChanges);
    trail.commit(text("a", "intent")).await.unwrap();
    if !disk.command("fsfreeze", &["-f"]) {
        return report("SKIPPED: a file system cannot be frozen here");
    }
    let frozen = Frozen(&disk);
    let start = Instant::now();
    assert_eq!(trail.commit(text("b", "intent")).await, Err(TrailError::Slow));
    let waited = start.elapsed();
    assert!(waited >= Duration::from_millis(1900) && waited < Duration::from_millis(2500), "{waited:?}");
    let start = Instant::now();
    assert_eq!((trail.state(), trail.commit(text("c", "intent")).await), (State::Stalled, Err(TrailError::Slow)));
    trail.append(text("read", "single")).await.unwrap();
    assert!(start.elapsed() < Duration::from_millis(200), "{:?}", start.elapsed());
    drop(frozen);
    trail.flush().await.unwrap();
    trail.commit(text("d", "intent")).await.unwrap();
    trail.close().await.unwrap();
    // `b` was inside the write that hung, so it is there; its request was refused
    assert_eq!(shown(&whole(&disk.place())), ["open", "a", "b", "read", "d", "close"]);
}
