//! An engine that goes away and comes back. Only engines that the test started itself are treated so.

use crate::bed::{Bed, usable};
use crate::engine::{Started, programs, skipped};
use crate::raw;

#[test]
fn requests_get_502_while_the_engine_is_away_and_work_when_it_is_back() {
    if usable().is_empty() {
        return;
    }
    let versions: Vec<&str> = ["20", "28"].into_iter().filter(|version| programs(version).is_some()).collect();
    for version in versions {
        let Some(mut started) = Started::new(version) else {
            skipped("no engine can be started here: that needs root and `tests/e2e/engine.sh install`");
            continue;
        };
        let bed = Bed::new(Box::leak(Box::new(started.engine())), "", &[]);
        survives(&bed, &mut started, version);
        drop(bed);
    }
}

fn survives(bed: &Bed, started: &mut Started, version: &str) {
    let read_only = bed.socket("read-only");
    for _ in 0..3 {
        bed.run("read-only", "ps").ok(); // leaves connections to the engine in the pool
    }
    let events = bed.start("read-only", "events");
    bed.gate.record("the open stream", |record| record["operation"] == "SystemEvents" && record["stage"] == "intent");
    started.down();
    let ended = events.end();
    assert_ne!(ended.code, -1, "{}", ended.shown());
    for (method, path) in [("GET", "/containers/json"), ("GET", "/version"), ("POST", "/containers/x/start")] {
        let door = if method == "GET" { &read_only } else { &bed.socket("everything") };
        let reply = raw::ask(door, method, path, None);
        assert_eq!(reply.status, 502, "{reply:?}");
        assert!(reply.message().starts_with("dockgate: the engine cannot be reached [no-upstream]"), "{reply:?}");
    }
    bed.run("read-only", "ps").fails(1, &["[no-upstream]"]);
    bed.gate.record("the failed call", |record| record["reason"] == "no-upstream" && record["status"] == 502);
    started.up(version);
    assert_eq!(raw::get(&read_only, "/_ping").body, "OK", "the first request after the restart");
    bed.run("read-only", "ps").ok();
    bed.run("everything", &format!("volume create {}", bed.name("x"))).ok();
}
