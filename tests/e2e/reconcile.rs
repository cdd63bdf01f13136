//! The reconciler: what goes through dockgate explains what the engine tells, and what goes past it is told on the trail.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::bed::{Bed, RAW, on_every_engine};
use crate::process::until;

const DOOR: &str = "everything";

/// Every unseen change so far, as `container start`, that concerns an object with the bed's tag or one of these ids.
fn told(bed: &Bed, ids: &[String]) -> Vec<String> {
    let concerns = |detail: &Value| {
        let texts = ["name", "old-name", "id", "container", "image"].map(|key| detail[key].as_str().unwrap_or_default().to_owned());
        texts.iter().any(|text| text.contains(&bed.tag) || ids.contains(text))
    };
    let records = bed.gate.events();
    let unseen = records.iter().filter(|record| record["event"] == "unseen-change").map(|record| &record["detail"]);
    let shown = |detail: &Value| format!("{} {}", detail["type"].as_str().unwrap(), detail["action"].as_str().unwrap());
    unseen.filter(|detail| concerns(detail)).map(shown).collect()
}

fn following(bed: &Bed) {
    until("the reconciler to follow", || bed.gate.log().contains("the reconciler follows").then_some(()));
}

/// A raw change whose report shows that everything before it was judged; events that wait are judged before it, too,
/// since it waits as long as they do.
fn mark(bed: &Bed, name: &str) {
    let name = bed.name(name);
    bed.run(RAW, &format!("run -d -i --network none --name {name} busybox cat")).ok();
    bed.run(RAW, &format!("kill {name}")).ok();
    bed.gate.record("the mark", |record| {
        record["event"] == "unseen-change" && record["detail"]["action"] == "kill" && record["detail"]["name"] == *name
    });
}

/// Runs the same traffic through a door or past it; returns the ids of what was made.
fn traffic(bed: &Bed, door: &str) -> Vec<String> {
    let (web, moved, volume, image) = (bed.name("web"), bed.name("moved"), bed.name("data"), format!("{}:1", bed.tag));
    let (network, peer) = (bed.name("net"), bed.name("peer"));
    let run = |line: &str| bed.run(door, line).ok();
    let mut ids = Vec::new();
    run(&format!("volume create {volume}"));
    run(&format!("run --rm --network none --name {web} -v /scratch -v {volume}:/data busybox true"));
    ids.push(run(&format!("run -d -i --network none --name {web} busybox cat")).trim().to_owned());
    run(&format!("exec {web} true"));
    run(&format!("rename {web} {moved}"));
    run(&format!("update --cpu-shares 512 {moved}"));
    run(&format!("pause {moved}"));
    run(&format!("unpause {moved}"));
    run(&format!("restart -t 0 {moved}"));
    run(&format!("stop -t 0 {moved}"));
    run(&format!("start {moved}"));
    run(&format!("kill {moved}"));
    run(&format!("network create {network}"));
    run(&format!("run -d -i --network {network} --name {peer} busybox cat"));
    run(&format!("network disconnect {network} {peer}"));
    run(&format!("network connect {network} {peer}"));
    run(&format!("cp {} {peer}:/tmp/", bed.gate.config().display()));
    run(&format!("stop -t 0 {peer}"));
    run(&format!("network disconnect {network} {peer}"));
    run(&format!("rm {peer}"));
    run(&format!("network rm {network}"));
    run(&format!("commit {moved} {image}"));
    run(&format!("tag {image} {}:2", bed.tag));
    run(&format!("rmi {}:2", bed.tag));
    run(&format!("rmi {image}"));
    run(&format!("rm {moved}"));
    run(&format!("volume rm {volume}"));
    ids
}

/// A build by the engine itself, whose containers have names that nobody gave.
fn build(bed: &Bed) {
    let context = bed.folder.path().join("context");
    std::fs::create_dir(&context).unwrap();
    std::fs::write(context.join("Dockerfile"), "FROM busybox\nRUN echo one >/one\nRUN echo two >/two\n").unwrap();
    let mut command = bed.docker(DOOR, &format!("build --network none -t {}:built {}", bed.tag, context.display()));
    command.env("DOCKER_BUILDKIT", "0");
    crate::process::run(command).ok();
    bed.run(DOOR, &format!("rmi {}:built", bed.tag)).ok();
}

#[test]
fn traffic_through_a_door_is_explained_whole() {
    on_every_engine(|bed| {
        following(bed);
        let ids = traffic(bed, DOOR);
        // by ids, and with a volume that has no name; a container without a name could be taken for one of another test
        let id =
            bed.run(DOOR, &format!("create --name {} -v /scratch --network none busybox true", bed.name("short"))).ok().trim().to_owned();
        bed.run(DOOR, &format!("start {}", &id[..12])).ok();
        bed.run(DOOR, &format!("wait {id}")).ok();
        bed.run(DOOR, &format!("rm -v {}", &id[..6])).ok();
        build(bed);
        mark(bed, "mark");
        let told = told(bed, &[ids, vec![id]].concat());
        assert_eq!(told, ["container create", "container start", "container kill"], "only the mark itself");
    });
}

#[test]
fn traffic_past_every_door_is_told_one_by_one() {
    on_every_engine(|bed| {
        following(bed);
        let ids = traffic(bed, RAW);
        mark(bed, "mark");
        let told: BTreeSet<String> = told(bed, &ids).into_iter().collect();
        for expected in [
            "volume create",
            "container create",
            "container start",
            "container exec_create",
            "container exec_start",
            "container rename",
            "container update",
            "container pause",
            "container unpause",
            "container restart",
            "container stop",
            "container kill",
            "container commit",
            "image tag",
            "container extract-to-dir",
            "container destroy",
            "network create",
            "network connect",
            "network disconnect",
            "network destroy",
            "volume destroy",
        ] {
            assert!(told.contains(expected), "`{expected}` is not in {told:?}");
        }
    });
}

#[test]
fn restarts_and_health_checks_of_the_engine_are_its_own() {
    on_every_engine(|bed| {
        following(bed);
        let name = bed.name("ill");
        let line = "run -d --network none --restart on-failure:2 --health-cmd true --health-interval 1s";
        let id = bed.run(DOOR, &format!("{line} --name {name} busybox sh -c 'sleep 2; exit 1'")).ok().trim().to_owned();
        until("the last restart to end", || {
            (bed.inspect(&name)["RestartCount"] == 2 && bed.inspect(&name)["State"]["Running"] == false).then_some(())
        });
        mark(bed, "mark");
        let records = bed.gate.events();
        let of = |record: &&Value| record["event"] == "unseen-change" && record["detail"]["id"] == *id;
        assert_eq!(records.iter().filter(of).collect::<Vec<_>>(), Vec::<&Value>::new());
        // somebody else starts it: that is told
        bed.run(RAW, &format!("start {name}")).ok();
        bed.gate.record("the start by hand", |record| of(&record) && record["detail"]["action"] == "start");
        bed.run(DOOR, &format!("rm -f {name}")).ok();
    });
}
