//! The trail in real files: restarts, crashes, changed files, rotation, and disks that really fail.
//! Knows nothing of requests, except where the real binary is killed.

#[path = "trail/crash.rs"]
mod crash;
#[path = "trail/disks.rs"]
mod disks;

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use dockgate::audit::checkpoint::{Note, PublicKey};
use dockgate::audit::merkle::{Tree, digest, hex, leaf};
use dockgate::audit::{Settings, Sync, Trail};
use serde_json::Value;

/// The text of a record as the writer is handed it.
pub fn text(id: &str, stage: &str) -> String {
    format!(r#""id":"{id}","stage":"{stage}","time":"2026-01-01T00:00:00.000000Z","path":"/containers/create"}}"#)
}

/// The files of the trail `audit.jsonl` of a folder, oldest first, the current one last.
pub fn parts(folder: &Path) -> Vec<PathBuf> {
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut parts: Vec<PathBuf> = names.filter(|path| path.extension().is_some_and(|extension| extension == "jsonl")).collect();
    parts.sort_by_key(|path| (path.file_name().is_some_and(|name| !name.to_str().unwrap().contains(".0")), path.clone()));
    parts
}

/// All lines of a folder's trail. Its chain must hold, and so must every checkpoint.
pub fn whole(folder: &Path) -> Vec<Value> {
    let (mut lines, mut trees) = (Vec::new(), BTreeMap::new());
    let mut previous = "0".repeat(64);
    for part in parts(folder) {
        let bytes = std::fs::read_to_string(&part).unwrap();
        assert!(bytes.ends_with('\n'), "{} is torn", part.display());
        let (mut tree, mut file) = (Tree::default(), 0);
        for (at, line) in bytes.lines().enumerate() {
            let value: Value = serde_json::from_str(line).unwrap();
            let here = format!("{}:{}", part.display(), at + 1);
            if lines.is_empty() && value["sequence"] != 1 {
                previous = value["previous"].as_str().unwrap().to_owned(); // older files were removed
            } else {
                assert_eq!(
                    value["sequence"].as_u64(),
                    lines.last().map_or(Some(1), |last: &Value| last["sequence"].as_u64().map(|n| n + 1)),
                    "{here}"
                );
            }
            assert_eq!(value["previous"], previous, "{here}");
            if at == 0 {
                assert_eq!(value["event"], "open", "{here}");
                file = value["detail"]["file"].as_u64().unwrap();
            }
            previous = hex(&digest(line.as_bytes()));
            tree.push(leaf(line.as_bytes()));
            trees.insert((file, tree.size()), (tree.root(), value["sequence"].as_u64().unwrap()));
            lines.push(value);
        }
    }
    let key: PublicKey = std::fs::read_to_string(folder.join("audit.pub")).unwrap().parse().unwrap();
    for note in notes(folder) {
        assert_eq!(note.verify(&key), Ok(()));
        let checkpoint = &note.checkpoint;
        if let Some((root, sequence)) = trees.get(&(u64::from(checkpoint.file), checkpoint.size)) {
            assert_eq!((*root, *sequence), (checkpoint.root, checkpoint.sequence), "the checkpoint does not fit:\n{}", note.text);
        } else {
            assert!(!trees.keys().any(|(file, _)| *file == u64::from(checkpoint.file)), "lines are missing under\n{}", note.text);
        }
    }
    lines
}

/// The checkpoints beside a folder's trail.
pub fn notes(folder: &Path) -> Vec<Note> {
    let text = std::fs::read_to_string(folder.join("audit.checkpoints")).unwrap();
    let (mut notes, mut rest) = (Vec::new(), text.as_str());
    while let Some(end) = rest.find("\n\n").and_then(|text| Some(text + 2 + rest[text + 2..].find("\n\n")?)) {
        notes.push(rest[..=end].parse().unwrap());
        rest = &rest[end + 2..];
    }
    assert_eq!(rest, "", "{text}");
    notes
}

/// The names of events, and the ids of other lines.
pub fn shown(lines: &[Value]) -> Vec<&str> {
    lines.iter().map(|line| line["event"].as_str().or(line["id"].as_str()).unwrap()).collect()
}

/// The folder as a crash leaves it now.
fn crashed(folder: &Path) -> tempfile::TempDir {
    let image = crate::support::folder();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, image.path().join(path.file_name().unwrap())).unwrap();
    }
    image
}

fn file(folder: &tempfile::TempDir) -> PathBuf {
    folder.path().join("audit.jsonl")
}

#[tokio::test]
async fn a_restart_continues_the_chain_in_the_same_file() {
    let folder = crate::support::folder();
    for id in ["a", "b", "c"] {
        let trail = Trail::file(&file(&folder)).unwrap();
        trail.commit(text(id, "intent")).await.unwrap();
        trail.close().await.unwrap();
    }
    let lines = whole(folder.path());
    assert_eq!(shown(&lines), ["open", "a", "close", "open", "b", "close", "open", "c", "close"]);
    let (first, second) = (&lines[0]["detail"], &lines[3]["detail"]);
    assert!(
        first["log"] == second["log"] && first["key"] == second["key"] && second["first"] == 4 && second["file"] == 1,
        "{first} {second}"
    );
    assert_eq!(notes(folder.path()).len(), 3, "every close is signed");
    let mode = |name: &str| std::fs::metadata(folder.path().join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("audit.jsonl"), mode("audit.key"), mode("audit.pub"), mode("audit.checkpoints")), (0o600, 0o600, 0o644, 0o600));
}

#[tokio::test]
async fn a_crash_is_told_at_the_next_start() {
    let folder = crate::support::folder();
    let trail = Trail::file(&file(&folder)).unwrap();
    trail.commit(text("a", "intent")).await.unwrap();
    let image = crashed(folder.path());
    Trail::file(&file(&image)).unwrap().close().await.unwrap();
    let lines = whole(image.path());
    assert_eq!(shown(&lines), ["open", "a", "open", "recovered", "close"]);
    assert_eq!(lines[3]["detail"], serde_json::json!({ "unclean": true }));
}

#[tokio::test]
async fn a_torn_line_is_kept_beside_the_trail_and_told() {
    for torn in [&b"{\"schema\":1,\"sequ"[..], b"\0\0\0\0\0\0", b"no record\n", b"\xff"] {
        let folder = crate::support::folder();
        let trail = Trail::file(&file(&folder)).unwrap();
        trail.commit(text("a", "intent")).await.unwrap();
        let image = crashed(folder.path());
        let mut bytes = std::fs::read(file(&image)).unwrap();
        bytes.extend_from_slice(torn);
        std::fs::write(file(&image), bytes).unwrap();
        Trail::file(&file(&image)).unwrap().close().await.unwrap();
        let lines = whole(image.path());
        assert_eq!(shown(&lines), ["open", "a", "open", "recovered", "close"]);
        let detail = &lines[3]["detail"];
        assert_eq!((&detail["torn-bytes"], &detail["torn-sha256"]), (&torn.len().into(), &hex(&digest(torn)).into()));
        let kept: Value = serde_json::from_slice(&std::fs::read(image.path().join("audit.torn")).unwrap()).unwrap();
        assert_eq!((&kept["sequence"], &kept["sha256"]), (&3.into(), &detail["torn-sha256"]));
    }
}

#[tokio::test]
async fn a_first_line_that_was_torn_and_a_crash_between_two_files_go_on_where_the_trail_ended() {
    let folder = crate::support::folder();
    let trail = Trail::file(&file(&folder)).unwrap();
    trail.commit(text("a", "intent")).await.unwrap();
    let image = crashed(folder.path());
    let (current, older) = (file(&image), image.path().join("audit.000001.jsonl"));
    std::fs::rename(&current, &older).unwrap();
    std::fs::write(&current, "{\"schema\":1,").unwrap();
    Trail::file(&current).unwrap().close().await.unwrap();
    let lines = whole(image.path());
    assert_eq!(shown(&lines), ["open", "a", "open", "recovered", "close"]);
    assert_eq!((&lines[2]["detail"]["file"], &lines[2]["detail"]["previous-file"]), (&2.into(), &"audit.000001.jsonl".into()));
    assert_eq!(std::fs::metadata(older).unwrap().permissions().mode() & 0o777, 0o400);
}

#[tokio::test]
async fn a_file_whose_chain_does_not_hold_is_never_continued() {
    let folder = crate::support::folder();
    let trail = Trail::file(&file(&folder)).unwrap();
    for id in ["a", "b", "c"] {
        trail.commit(text(id, "intent")).await.unwrap();
    }
    trail.close().await.unwrap();
    let changed = std::fs::read_to_string(file(&folder)).unwrap().replace(r#""id":"b""#, r#""id":"x""#);
    std::fs::write(file(&folder), &changed).unwrap();
    let trail = Trail::file(&file(&folder)).unwrap();
    trail.commit(text("d", "intent")).await.unwrap();
    trail.close().await.unwrap();
    assert_eq!(std::fs::read_to_string(folder.path().join("audit.000001.jsonl")).unwrap(), changed);
    let text = std::fs::read_to_string(file(&folder)).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let detail = &lines[0]["detail"];
    assert_eq!((&detail["broken-at"], &detail["previous-file"], &detail["file"]), (&4.into(), &"audit.000001.jsonl".into(), &2.into()));
    assert_eq!(
        (&lines[0]["sequence"], &lines[0]["previous"]),
        (&6.into(), &hex(&digest(changed.lines().last().unwrap().as_bytes())).into())
    );
}

#[tokio::test]
async fn a_trail_that_is_shorter_than_its_checkpoint_is_not_continued_as_if_nothing_was_there() {
    let folder = crate::support::folder();
    let trail = Trail::file(&file(&folder)).unwrap();
    trail.commit(text("a", "intent")).await.unwrap();
    trail.close().await.unwrap();
    let text = std::fs::read_to_string(file(&folder)).unwrap();
    let (kept, cut) = text.trim_end().rsplit_once('\n').unwrap();
    std::fs::write(file(&folder), format!("{kept}\n")).unwrap();
    Trail::file(&file(&folder)).unwrap().close().await.unwrap();
    let open: Value = serde_json::from_str(std::fs::read_to_string(file(&folder)).unwrap().lines().next().unwrap()).unwrap();
    assert_eq!((&open["detail"]["broken-at"], &open["detail"]["file"]), (&3.into(), &2.into()));
    for name in ["audit.jsonl", "audit.000001.jsonl"] {
        std::fs::remove_file(folder.path().join(name)).unwrap();
    }
    Trail::file(&file(&folder)).unwrap().close().await.unwrap();
    let open: Value = serde_json::from_str(std::fs::read_to_string(file(&folder)).unwrap().lines().next().unwrap()).unwrap();
    assert_eq!((&open["detail"]["broken-at"], &open["detail"]["file"], &open["sequence"]), (&1.into(), &3.into(), &5.into()));
    assert!(cut.contains("close"));
}

#[tokio::test]
async fn what_is_no_trail_is_set_aside_whole() {
    let folder = crate::support::folder();
    let old = "{\"schema\":1,\"sequence\":1,\"id\":\"a\",\"stage\":\"single\"}\n{\"schema\":1}\n";
    std::fs::write(file(&folder), old).unwrap();
    Trail::file(&file(&folder)).unwrap().close().await.unwrap();
    assert_eq!(std::fs::read_to_string(folder.path().join("audit.000001.jsonl")).unwrap(), old);
    let text = std::fs::read_to_string(file(&folder)).unwrap();
    assert!(text.contains(r#""broken-at":1"#) && text.contains(r#""file":2"#), "{text}");
}

#[tokio::test]
async fn rotated_files_are_read_only_linked_and_only_so_many() {
    let folder = crate::support::folder();
    let settings = Settings { rotate_size: Some(4 << 10), keep_files: Some(3), ..Settings::of(file(&folder)) };
    let trail = Trail::open(&settings).unwrap();
    for id in 0..200 {
        trail.commit(text(&id.to_string(), "intent")).await.unwrap();
    }
    trail.close().await.unwrap();
    let parts = parts(folder.path());
    assert_eq!(parts.len(), 4, "{parts:?}");
    for part in &parts[..3] {
        assert_eq!(std::fs::metadata(part).unwrap().permissions().mode() & 0o777, 0o400);
        let text = std::fs::read_to_string(part).unwrap();
        assert!(text.lines().last().unwrap().contains(r#""event":"rotate""#));
    }
    let lines = whole(folder.path());
    let removes: Vec<&Value> = lines.iter().filter(|line| line["event"] == "rotate").map(|line| &line["detail"]["removes"]).collect();
    let number: u32 = parts[0].file_name().unwrap().to_str().unwrap()[6..12].parse().unwrap();
    assert_eq!(*removes[2], serde_json::json!([format!("audit.{:06}.jsonl", number - 1)]));
    Trail::open(&settings).unwrap().close().await.unwrap();
    whole(folder.path());
}

#[tokio::test]
async fn opens_its_files_for_itself_alone_through_no_link_and_with_its_own_key() {
    let folder = crate::support::folder();
    let first = Trail::file(&file(&folder)).unwrap();
    assert!(Trail::file(&file(&folder)).unwrap_err().to_string().contains("another process"));
    first.close().await.unwrap();
    let link = folder.path().join("link.jsonl");
    std::os::unix::fs::symlink(file(&folder), &link).unwrap();
    assert!(Trail::file(&link).is_err());
    let hard = folder.path().join("hard.jsonl");
    std::fs::hard_link(file(&folder), &hard).unwrap();
    assert!(Trail::file(&file(&folder)).unwrap_err().to_string().contains("not a regular file of its own"));
    std::fs::remove_file(hard).unwrap();
    let other = crate::support::folder();
    Trail::file(&file(&other)).unwrap().close().await.unwrap();
    let (key, kept) = (folder.path().join("audit.key"), std::fs::read(folder.path().join("audit.key")).unwrap());
    std::fs::copy(other.path().join("audit.key"), &key).unwrap();
    assert!(Trail::file(&file(&folder)).unwrap_err().to_string().contains("it is of the trail"));
    std::fs::write(&key, kept).unwrap();
    std::fs::set_permissions(&key, PermissionsExt::from_mode(0o644)).unwrap();
    assert!(Trail::file(&file(&folder)).unwrap_err().to_string().contains("0600"));
}

#[tokio::test]
async fn a_key_that_is_gone_begins_a_new_file() {
    let folder = crate::support::folder();
    Trail::file(&file(&folder)).unwrap().close().await.unwrap();
    std::fs::remove_file(folder.path().join("audit.key")).unwrap();
    Trail::file(&file(&folder)).unwrap().close().await.unwrap();
    let opens: Vec<Value> = parts(folder.path())
        .iter()
        .map(|part| serde_json::from_str(std::fs::read_to_string(part).unwrap().lines().next().unwrap()).unwrap())
        .collect();
    assert_eq!((opens.len(), &opens[0]["detail"]["log"]), (2, &opens[1]["detail"]["log"]));
    assert_ne!(opens[0]["detail"]["key"], opens[1]["detail"]["key"]);
}

#[tokio::test]
async fn a_torn_checkpoint_is_cut_off_and_the_second_place_gets_every_one() {
    let folder = crate::support::folder();
    let copy = folder.path().join("copy");
    let settings = Settings { checkpoints_to: Some(dockgate::audit::Place::File(copy.clone())), ..Settings::of(file(&folder)) };
    Trail::open(&settings).unwrap().close().await.unwrap();
    let own = folder.path().join("audit.checkpoints");
    let text = std::fs::read_to_string(&own).unwrap();
    std::fs::write(&own, format!("{text}dockgate.audit/01J")).unwrap();
    Trail::open(&settings).unwrap().close().await.unwrap();
    assert_eq!(notes(folder.path()).len(), 2);
    assert_eq!(std::fs::read(own).unwrap(), std::fs::read(copy).unwrap());
}

#[test]
fn a_hundred_thousand_records_from_many_tasks_are_all_there_in_one_chain() {
    let folder = crate::support::folder();
    let settings = Settings { rotate_size: Some(8 << 20), ..Settings::of(file(&folder)) };
    let trail = Trail::open(&settings).unwrap();
    let shared = &trail;
    let write = move |thread: u32| {
        let trail = shared.clone();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let mut tasks = tokio::task::JoinSet::new();
            (0..5).for_each(|task| drop(tasks.spawn(five_thousand(trail.clone(), format!("{thread}-{task}")))));
            while let Some(done) = tasks.join_next().await {
                done.unwrap();
            }
        });
    };
    std::thread::scope(|scope| (0..4).for_each(|thread| drop(scope.spawn(move || write(thread)))));
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(trail.close()).unwrap();
    let lines = whole(folder.path());
    assert_eq!((lines.iter().filter(|line| line["stage"] != "event").count(), trail.lost()), (100_000, 0));
    assert!(parts(folder.path()).len() >= 3 && notes(folder.path()).len() >= 20);
}

async fn five_thousand(trail: Trail, task: String) {
    for number in 0..5000 {
        let id = format!("{task}-{number}");
        if number % 100 == 0 { trail.commit(text(&id, "intent")).await.unwrap() } else { trail.append(text(&id, "single")).await.unwrap() }
    }
}

/// Not a test of anything: prints how fast the handle is. `cargo test --release --test it -- --ignored how_fast --nocapture`
#[tokio::test]
#[ignore = "a measurement"]
async fn how_fast_commits_and_reads_are() {
    for (sync, tasks, stage, count) in [
        (Sync::Changes, 1, "intent", 500),
        (Sync::Changes, 64, "intent", 200),
        (Sync::None, 64, "intent", 2000),
        (Sync::Changes, 64, "single", 5000),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let trail = Trail::open(&Settings { sync, ..Settings::of(file(&folder)) }).unwrap();
        let start = Instant::now();
        let mut running = tokio::task::JoinSet::new();
        for _ in 0..tasks {
            let trail = trail.clone();
            running.spawn(async move {
                for _ in 0..count {
                    if stage == "intent" {
                        trail.commit(text("x", stage)).await.unwrap()
                    } else {
                        trail.append(text("x", stage)).await.unwrap()
                    }
                }
            });
        }
        while running.join_next().await.is_some() {}
        trail.flush().await.unwrap();
        let taken: Duration = start.elapsed();
        crate::support::report(&format!(
            "{stage}, {sync:?}, {tasks} tasks: {:.0} a second",
            f64::from(tasks * count) / taken.as_secs_f64()
        ));
    }
}
