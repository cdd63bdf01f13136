//! What verifying says about trails that nobody touched, and about those that are only not finished.
//! Tampering has a table of its own.

use std::fs;
use std::path::Path;

use super::*;
use crate::audit::checkpoint::SecretKey;
use crate::audit::forge::{Forge, LOG};
use crate::audit::read;

/// What is held against the trail of a folder: key and checkpoints beside it, and perhaps the copy.
pub fn asked(folder: &Path, with_copy: bool) -> Asked {
    let notes = |name: &str, is_copy| {
        let path = folder.join(name);
        fs::read(&path).map_or_else(|_| Notes::default(), |text| Notes::parse(&path, &String::from_utf8_lossy(&text), is_copy))
    };
    Asked {
        key: fs::read_to_string(folder.join("audit.pub")).ok().map(|text| text.parse().unwrap()),
        own: notes("audit.checkpoints", false),
        copy: with_copy.then(|| notes("copy", true)),
        since: None,
    }
}

pub fn report(folder: &Path, asked: &Asked) -> Report {
    let files = read::find(&[folder.join("audit.jsonl")]).unwrap();
    verify(&files[0], asked).unwrap()
}

fn of(forge: &Forge) -> Report {
    report(forge.write(), &asked(forge.folder.path(), false))
}

pub fn found(report: &Report) -> Vec<String> {
    let name = |place: &Place| format!("{}:{}", place.path.file_name().unwrap().to_str().unwrap(), place.line);
    report.findings.iter().map(|found| format!("{} {}", found.code, name(&found.at))).collect()
}

#[test]
fn finds_nothing_in_a_trail_that_nobody_touched() {
    let forge = Forge::three_files();
    let report = report(forge.folder.path(), &asked(forge.folder.path(), true));
    assert_eq!(found(&report), [""; 0]);
    assert_eq!(report.worst(), None);
    assert_eq!((report.records, report.chained, report.first, report.last), (28, 28, 1, 28));
    assert_eq!(report.files, Span { read: 3, missing: 0 });
    let seals = Seals { read: 6, signed: 6, compared: 6, matched: 6, until: Some(28) };
    assert_eq!((report.checkpoints, report.copy), (seals, Some(seals)));
    assert_eq!((report.resolved, report.open.len(), report.log.as_deref()), (3, 0, Some(LOG)));
}

#[test]
fn a_trail_that_is_being_written_is_fine() {
    let mut forge = Forge::new();
    forge.reads(3).seal().reads(2);
    let report = of(&forge);
    assert_eq!((found(&report), report.worst(), report.checkpoints.until, report.last), (vec![], None, Some(4), 6));
}

#[test]
fn says_which_intents_are_open_and_where_dockgate_stopped() {
    let mut forge = Forge::new();
    forge.stage("KILLED", "intent").change("DONE").event("recovered", r#"{"unclean":true,"torn-bytes":12}"#).open();
    forge.stage("STREAM", "intent").stage("STREAM", "start").stage("STREAM", "outcome");
    forge.stage("ENDED", "intent").stage("ENDED", "start").stage("ENDED", "end").stage("NOW", "intent");
    let report = of(&forge);
    assert_eq!(report.worst(), Some(Level::Incomplete));
    let open: Vec<_> =
        report.open.iter().map(|open| (open.id.as_str(), open.at.line, open.started, open.stopped.as_ref().map(|at| at.line))).collect();
    assert_eq!(open, [("KILLED", 2, false, Some(5)), ("STREAM", 7, true, None), ("NOW", 13, false, None)]);
    assert_eq!((report.open[0].call.as_str(), report.resolved), ("POST /containers/create", 2));
    assert_eq!(report.unclean.iter().map(|at| at.line).collect::<Vec<_>>(), [5]);
    assert_eq!(found(&report), ["torn-line audit.jsonl:5"]);
}

#[test]
fn counts_one_unclean_stop_in_whatever_order_the_start_tells_of_it() {
    for order in [["open", "recovered"], ["recovered", "open"]] {
        let mut forge = Forge::new();
        forge.reads(1);
        for event in order {
            let _ = if event == "open" { forge.open() } else { forge.event("recovered", r#"{"unclean":true}"#) };
        }
        forge.reads(1).close().open().reads(1);
        assert_eq!(of(&forge).unclean.len(), 1, "{order:?}");
    }
    let mut silent = Forge::new();
    silent.reads(1).open();
    assert_eq!(of(&silent).unclean.len(), 1);
}

#[test]
fn an_intent_may_end_in_a_later_file() {
    let mut forge = Forge::new();
    forge.stage("A", "intent").rotate().stage("A", "outcome").close();
    let report = of(&forge);
    assert_eq!((report.resolved, report.open.len(), report.worst()), (1, 0, None));
}

#[test]
fn notes_gaps() {
    let mut forge = Forge::new();
    forge.event("gap", r#"{"reads":12}"#);
    let report = of(&forge);
    assert_eq!((found(&report), report.worst()), (vec!["gap audit.jsonl:2".to_owned()], None));
    assert!(report.findings[0].message.contains(r#"{"reads":12}"#));
}

#[test]
fn begins_at_the_file_that_holds_the_time() {
    let mut forge = Forge::new();
    forge.stage("OLD", "intent").reads(8).rotate();
    forge.stage("ALSO-OLD", "intent").reads(8).stage("NEW", "intent");
    let folder = forge.write();
    let since = "2027-01-15T08:00:20Z".parse().ok();
    let report = report(folder, &Asked { since, ..asked(folder, false) });
    assert_eq!(report.open.iter().map(|open| open.id.as_str()).collect::<Vec<_>>(), ["NEW"]);
    assert_eq!((report.first, report.worst(), found(&report)), (12, Some(Level::Incomplete), vec!["begins-late audit.jsonl:1".to_owned()]));
}

#[test]
fn verifies_the_chain_of_a_trail_without_key() {
    let mut forge = Forge::new();
    forge.reads(3);
    fs::write(forge.path("audit.jsonl"), fs::read(forge.write().join("audit.jsonl")).unwrap()).unwrap();
    let report = report(forge.folder.path(), &Asked::default());
    assert_eq!((report.chained, report.worst()), (4, None));
}

#[test]
fn says_that_signatures_cannot_be_checked_without_the_key() {
    let forge = Forge::three_files();
    let report = report(forge.folder.path(), &Asked { key: None, ..asked(forge.folder.path(), false) });
    assert_eq!((found(&report), report.worst()), (vec!["no-key audit.checkpoints:1".to_owned()], Some(Level::Incomplete)));
}

#[test]
fn a_torn_checkpoint_at_the_end_is_no_tampering() {
    let forge = Forge::three_files();
    let text = fs::read_to_string(forge.path("audit.checkpoints")).unwrap();
    let last = text.rfind("dockgate.audit/01JCZ6Q1V6N6Q9G4M6WQZ0T3AB/000003").unwrap();
    // in the origin, the root, the last line, the empty line, the dash, the signature, and before the last end of line
    let dash = text.rfind('\u{2014}').unwrap();
    for end in [last + 1, last + 60, dash - 30, dash - 1, dash, dash + 1, dash + 60, text.len() - 2] {
        fs::write(forge.path("audit.checkpoints"), &text.as_bytes()[..end]).unwrap();
        let report = report(forge.folder.path(), &asked(forge.folder.path(), false));
        assert_eq!(report.worst(), Some(Level::Incomplete), "{end}: {:?}", report.findings);
    }
}

#[test]
fn reads_the_copy_out_of_a_log_of_other_things_and_trails() {
    let forge = Forge::three_files();
    let text = fs::read_to_string(forge.path("copy")).unwrap();
    let mut other = forge.checkpoint();
    other.log = "01JCZ6Q1V6N6Q9G4M6WQZ0T3AC".to_owned();
    let other = SecretKey::generate(&other.log, &[1; 32]).sign(&other);
    let mixed = format!("starting\n{other}\nanother line\n{}", text.replace("\n\ndockgate", "\n\nsomething else\ndockgate"));
    fs::write(forge.path("copy"), mixed).unwrap();
    let report = report(forge.folder.path(), &asked(forge.folder.path(), true));
    assert_eq!((found(&report), report.copy.map(|copy| (copy.read, copy.matched))), (vec![], Some((6, 6))));
}
