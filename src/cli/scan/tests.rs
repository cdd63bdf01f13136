//! Scans of the engine in memory.

use std::path::Path;

use crate::proxy::upstream::Address;

use super::*;
use crate::demo::Engine;

async fn scanned(create: &Create) -> Scan {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("engine.sock");
    let _engine = Engine::new().serve_unix(&path).await.unwrap();
    scan(&Upstream::new(Address::Unix(path)), create).await.unwrap()
}

fn has(scan: &Scan, container: &str, check: &str, act: Act) -> bool {
    scan.rows.iter().any(|row| row.container == container && row.finding.reason.code() == check && row.act == act)
}

#[tokio::test]
async fn finds_what_runs_with_too_much_at_each_level() {
    let baseline = scanned(&level(Level::Baseline)).await;
    assert_eq!(baseline.containers, 2);
    assert!(has(&baseline, "web", "ports", Act::Deny), "{baseline:?}");
    assert!(has(&baseline, "db", "memory-limit", Act::Warn), "{baseline:?}");
    assert!(!baseline.rows.iter().any(|row| row.container == "db" && row.act == Act::Deny), "{baseline:?}");
    let restricted = scanned(&level(Level::Restricted)).await;
    for check in ["memory-limit", "non-root", "cap-drop-all", "no-new-privileges"] {
        assert!(has(&restricted, "db", check, Act::Deny), "{check}: {restricted:?}");
    }
}

#[tokio::test]
async fn prints_a_table_and_the_same_as_json() {
    let scan = scanned(&level(Level::Restricted)).await;
    let table = show::table(&scan, Level::Restricted, Paint::PLAIN);
    assert!(table.starts_with("container  check"), "{table}");
    let denied = scan.rows.iter().filter(|row| row.act == Act::Deny).count();
    assert!(
        table.ends_with(&format!("2 containers at level restricted: {denied} denied, {} warned\n", scan.rows.len() - denied)),
        "{table}"
    );
    let json: serde_json::Value = serde_json::from_str(&show::json(&scan, Level::Restricted)).unwrap();
    assert_eq!(json["denied"], denied);
    assert_eq!(json["findings"].as_array().unwrap().len(), scan.rows.len());
}

#[tokio::test]
async fn says_that_nobody_answers() {
    let nobody = Upstream::new(Address::Unix(Path::new("/nowhere/engine.sock").to_path_buf()));
    assert!(scan(&nobody, &level(Level::Baseline)).await.unwrap_err().message().contains("there is no engine's socket"));
}

#[test]
fn a_level_replaces_that_of_the_policy() {
    let args = |level| Args { upstream: None, level, policy: Some("read-only".to_owned()), config: None, format: Format::Table };
    assert_eq!(Judged::new(&args(Some(Wanted::Restricted))).unwrap().create().level, Level::Restricted);
    assert_eq!(Judged::new(&args(None)).unwrap().create().level, Level::Baseline);
}
