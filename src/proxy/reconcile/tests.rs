//! What explains which event, with times that are made up and events as engines write them.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value as Json, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::causes::caused_by;
use super::engine::facts;
use super::event::{Event, Happened, Raw};
use super::matcher::{Change, Facts, HOLD, Matcher};
use super::{LOOK, Reconciler, Report, detail};
use crate::docker::Operation;
use crate::docker::operations::Kind;
use crate::proxy::upstream::{Address, Upstream};

const SECOND: i64 = 1_000_000;
const ID: &str = "b57ee4d335df1555c3a0b57ee4d335df1555c3a0b57ee4d335df1555c3a0b57e";
const OTHER: &str = "0bcfa662ab6660bcfa662ab6660bcfa662ab6660bcfa662ab6660bcfa662ab66";

fn event(kind: &str, action: &str, id: &str, attributes: Json, at: i64) -> Event {
    let raw =
        json!({"Type": kind, "Action": action, "Actor": {"ID": id, "Attributes": attributes}, "scope": "local", "timeNano": at * 1000});
    serde_json::from_value::<Raw>(raw).unwrap().event().unwrap_or_else(|| panic!("{kind} {action} is not looked at"))
}

fn container(action: &str, at: i64) -> Event {
    event("container", action, ID, json!({"image": "busybox", "name": "web"}), at)
}

fn network(action: &str, at: i64) -> Event {
    event("network", action, OTHER, json!({"container": ID, "name": "n1", "type": "bridge"}), at)
}

#[derive(Default)]
struct Bench(Matcher);

impl Bench {
    fn began(&mut self, operation: Operation, names: &[&str], at: i64) -> u64 {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        self.0.began(Change { operation, names, wanted: None, began: at })
    }

    fn made(&mut self, operation: Operation, name: Option<&str>, at: i64) -> u64 {
        let wanted = name.map(str::to_owned);
        self.0.began(Change { operation, names: wanted.clone().into_iter().collect(), wanted, began: at })
    }

    fn unseen(&mut self, event: Event) -> bool {
        let now = event.at;
        self.0.event(event, now).is_some()
    }

    /// What is told in the end, when nothing more comes.
    fn told(&mut self, events: Vec<Event>) -> Vec<String> {
        let mut told = Vec::new();
        let mut last = 0;
        for event in events {
            last = event.at;
            told.extend(self.0.overdue(last));
            told.extend(self.0.event(event, last));
        }
        told.extend(self.0.overdue(last + HOLD));
        told.iter().map(|event| format!("{} {}", event.kind, event.action)).collect()
    }
}

#[test]
fn an_event_is_explained_while_its_request_runs_and_a_while_after() {
    let mut bench = Bench::default();
    let number = bench.began(Operation::ContainerPause, &["web"], 100 * SECOND);
    assert!(!bench.unseen(container("pause", 100 * SECOND)));
    assert!(!bench.unseen(container("pause", 900 * SECOND)), "it still runs");
    bench.0.ended(number, 901 * SECOND);
    assert!(!bench.unseen(container("pause", 906 * SECOND)));
    assert!(bench.unseen(container("pause", 907 * SECOND)));
    assert!(bench.unseen(container("pause", 98 * SECOND)), "before it began");
}

#[test]
fn an_event_is_explained_by_id_prefix_or_name_and_not_by_another_object() {
    for name in [ID, &ID[..4], "web", "/web"] {
        let mut bench = Bench::default();
        bench.began(Operation::ContainerUnpause, &[name], 0);
        assert!(!bench.unseen(container("unpause", SECOND)), "{name}");
        assert!(bench.unseen(container("pause", SECOND)), "another action");
        assert!(bench.unseen(event("container", "unpause", OTHER, json!({"name": "db"}), SECOND)), "another container");
    }
}

#[test]
fn a_raw_life_of_a_container_is_told_once_for_each_thing_that_was_asked_for() {
    let mut bench = Bench::default();
    let told = bench.told(vec![
        container("create", 1),
        network("connect", 2),
        container("start", 3),
        container("exec_create: sh -c id", 4),
        container("exec_start: sh -c id", 5),
        container("kill", 6),
        network("disconnect", 7),
        container("stop", 8),
        container("die", 9),
        container("destroy", 10),
    ]);
    let asked = ["create", "start", "exec_create", "exec_start", "destroy", "kill", "stop"];
    assert_eq!(told, asked.map(|action| format!("container {action}")));
}

#[test]
fn a_stop_by_name_explains_its_signals_and_the_loss_of_networks() {
    let mut bench = Bench::default();
    bench.began(Operation::ContainerStop, &["web"], 0);
    assert!(bench.told(vec![container("kill", 1), container("kill", 2), network("disconnect", 3), container("stop", 4)]).is_empty());
}

#[test]
fn a_disconnect_from_a_running_container_is_told() {
    let mut bench = Bench::default();
    assert_eq!(bench.told(vec![network("disconnect", SECOND)]), ["network disconnect"]);
    bench.began(Operation::NetworkDisconnect, &["n1", "web"], 20 * SECOND);
    assert!(bench.told(vec![network("disconnect", 20 * SECOND)]).is_empty());
}

#[test]
fn networks_that_are_lost_and_got_between_start_and_end_are_told() {
    let mut bench = Bench::default();
    let number = bench.began(Operation::ContainerStart, &[ID], 0);
    bench.0.ended(number, 2);
    let told = bench.told(vec![
        network("connect", 1),
        container("start", 2),
        network("disconnect", 3),
        network("connect", 4),
        network("disconnect", 5),
        container("die", 6),
    ]);
    assert!(told.is_empty(), "the start's request explains them while it may");
    let told = bench.told(vec![
        network("connect", 20 * SECOND),
        container("start", 20 * SECOND),
        network("disconnect", 21 * SECOND),
        network("connect", 22 * SECOND),
        network("disconnect", 23 * SECOND),
        container("die", 23 * SECOND),
    ]);
    assert_eq!(told, ["container start", "network disconnect", "network connect"]);
}

#[test]
fn a_create_explains_one_container_and_the_volumes_that_it_names_or_leaves_without_name() {
    let volume = |name: &str| event("volume", "create", name, json!({"driver": "local"}), 2);
    let mut bench = Bench::default();
    bench.began(Operation::ContainerCreate, &["data"], 1);
    assert!(!bench.unseen(volume(ID)) && !bench.unseen(volume("data")) && bench.unseen(volume("other")));
    assert!(!bench.unseen(container("create", 3)));
    assert!(bench.unseen(event("container", "create", OTHER, json!({"name": "db"}), 4)), "a second one came another way");
    bench.made(Operation::ContainerCreate, Some("cache"), 5);
    assert!(bench.unseen(event("container", "create", OTHER, json!({"name": "db"}), 6)));
    assert!(!bench.unseen(event("container", "create", OTHER, json!({"name": "cache"}), 7)));
}

#[test]
fn a_build_explains_its_own_containers_and_no_others() {
    let mut bench = Bench::default();
    bench.began(Operation::ImageBuild, &[], 1);
    let told = bench.told(vec![
        container("create", 2),
        network("connect", 3),
        container("start", 4),
        container("die", 5),
        event("image", "create", "sha256:1", json!({"name": "sha256:1"}), 5),
        container("destroy", 6),
        event("container", "start", OTHER, json!({"name": "db"}), 7),
    ]);
    assert_eq!(told, ["container start"]);
}

#[test]
fn execs_are_known_by_their_ids() {
    let start = |exec: &str| event("container", "exec_start: id", ID, json!({"execID": exec, "name": "web"}), 3);
    let mut bench = Bench::default();
    bench.began(Operation::ContainerExec, &["web"], 1);
    bench.began(Operation::ExecStart, &["14e7fbafec1c"], 1);
    assert!(!bench.unseen(container("exec_create: id", 2)));
    assert!(!bench.unseen(start("14e7fbafec1c3dd6")) && bench.unseen(start("ffe7fbafec1c3dd6")));
}

#[test]
fn the_engines_own_health_checks_are_told_from_execs() {
    for (test, text) in [
        (json!(["CMD-SHELL", "wget -q localhost"]), "/bin/sh -c wget -q localhost"),
        (json!(["CMD", "/health"]), "/health "),
        (json!(["CMD", "/health", "-v"]), "/health -v"),
    ] {
        let mut bench = Bench::default();
        let known = facts(&json!({"Config": {"Healthcheck": {"Test": test}}}));
        assert_eq!(bench.0.wants(&container("exec_create: x", 0)), Some(ID.to_owned()));
        bench.0.facts(ID, Some(known));
        assert!(bench.0.wants(&container("exec_create: x", 0)).is_none());
        assert!(!bench.unseen(container(&format!("exec_create: {text}"), 1)), "{text}");
        assert!(!bench.unseen(container(&format!("exec_start: {text}"), 1)), "{text}");
        assert!(bench.unseen(container("exec_create: /bin/sh -c id", 1)));
    }
    assert_eq!(facts(&json!({"Config": {"Healthcheck": {"Test": ["NONE"]}}})).health, None);
}

#[test]
fn a_restart_by_policy_is_the_engines_own_and_a_start_by_hand_is_not() {
    let known = |count: u64| facts(&json!({"HostConfig": {"RestartPolicy": {"Name": "on-failure"}}, "RestartCount": count}));
    let mut bench = Bench::default();
    bench.0.facts(ID, Some(known(1)));
    assert!(bench.told(vec![container("die", 1), network("disconnect", 2), network("connect", 3), container("start", 4)]).is_empty());
    bench.0.facts(ID, Some(known(0)));
    assert!(bench.unseen(container("start", 5)));
    bench.0.engine_back(100 * SECOND, 110 * SECOND);
    assert!(!bench.unseen(container("start", 105 * SECOND)), "the engine came back");
    assert!(bench.unseen(container("start", 200 * SECOND)));
}

#[test]
fn a_container_that_removes_itself_takes_its_volumes_along() {
    let own = |auto: bool| Facts { auto_remove: auto, volumes: vec![OTHER.to_owned()], ..Facts::default() };
    let gone = || event("volume", "destroy", OTHER, json!({"driver": "local"}), 3);
    let mut bench = Bench::default();
    bench.0.facts(ID, Some(own(true)));
    assert!(bench.told(vec![container("die", 2), gone(), container("destroy", 4)]).is_empty());
    let mut bench = Bench::default();
    bench.0.facts(ID, Some(own(false)));
    assert_eq!(bench.told(vec![container("die", 2), gone(), container("destroy", 4)]), ["volume destroy", "container destroy"]);
    let mut bench = Bench::default();
    bench.0.facts(ID, Some(own(true)));
    assert_eq!(bench.told(vec![container("destroy", 4)]), ["container destroy"], "it never ran");
    let mut bench = Bench::default();
    bench.0.facts(ID, None); // gone before it could be looked at
    assert!(bench.told(vec![container("die", 2), gone(), container("destroy", 4)]).is_empty());
}

#[test]
fn labels_of_swarm_tasks_are_believed_in_a_swarm_only() {
    let task = || event("container", "create", ID, json!({"com.docker.swarm.task.id": "t1", "name": "web.1.t1"}), 1);
    let mut bench = Bench::default();
    assert!(bench.unseen(task()));
    bench.0.swarm(true);
    assert!(!bench.unseen(task()) && !bench.unseen(container("start", 2)));
}

#[test]
fn an_engine_that_stops_ends_its_containers_without_being_asked() {
    let mut bench = Bench::default();
    assert!(!bench.unseen(container("kill", 1)) && !bench.unseen(container("stop", 2)));
    bench.0.postpone(HOLD);
    assert!(bench.0.overdue(HOLD + 2).is_empty(), "its listener has gone, but its events still come");
    bench.0.engine_gone();
    assert!(bench.0.overdue(i64::MAX).is_empty());
}

#[test]
fn prunes_pulls_and_tags_are_known_by_what_they_name() {
    let pull = |reference: &str| event("image", "pull", reference, json!({"name": reference}), 2);
    let mut bench = Bench::default();
    bench.began(Operation::ImageCreate, &["docker.io/library/busybox"], 1);
    assert!(!bench.unseen(pull("busybox:latest")) && bench.unseen(pull("alpine:latest")));
    let pruned = |kind| event(kind, "prune", "", json!({"reclaimed": "0"}), 2);
    for (operation, kind) in [
        (Operation::ContainerPrune, "container"),
        (Operation::ImagePrune, "image"),
        (Operation::NetworkPrune, "network"),
        (Operation::VolumePrune, "volume"),
    ] {
        let mut bench = Bench::default();
        assert!(bench.unseen(pruned(kind)));
        bench.began(operation, &[], 1);
        assert!(!bench.unseen(pruned(kind)));
    }
}

#[test]
fn memory_is_bounded_and_requests_that_run_stay_longest() {
    let mut bench = Bench::default();
    bench.began(Operation::ContainerPause, &["web"], 1);
    for n in 0..20_000 {
        let number = bench.began(Operation::ContainerUnpause, &["db"], 1);
        bench.0.ended(number, 2);
        bench.0.facts(&format!("{n:064x}"), Some(Facts::default()));
    }
    assert!(!bench.unseen(container("pause", SECOND)));
    assert_eq!(bench.0.sizes(), (4096, 8192, 8192));
}

#[test]
fn every_cause_is_a_change_a_tunnel_or_the_saving_of_an_image() {
    let mut causes = 0;
    for operation in crate::docker::operations::TABLE {
        if caused_by(*operation).is_empty() {
            continue;
        }
        causes += 1;
        let saves = matches!(operation, Operation::ImageGet | Operation::ImageGetAll);
        assert!(saves || matches!(operation.row().kind, Kind::Change | Kind::Tunnel), "{}", operation.name());
    }
    assert_eq!(causes, 38);
}

#[test]
fn what_is_told_holds_the_program_of_an_exec_and_not_its_arguments() {
    let told = detail(&event("container", "exec_create: curl -H secret", ID, json!({"execID": "e1", "name": "web"}), SECOND));
    assert_eq!(
        told,
        json!({"type": "container", "action": "exec_create", "id": ID, "name": "web", "exec": "e1", "program": "curl",
            "time": "1970-01-01T00:00:01Z"})
    );
    assert_eq!(Happened::ExecCreate, container("exec_create: x", 0).what);
}

/// An engine that sends no event by itself, and keeps one.
async fn forgetful(listener: tokio::net::UnixListener, kept: String) {
    loop {
        let (mut socket, _) = listener.accept().await.unwrap();
        let kept = kept.clone();
        tokio::spawn(async move {
            let mut request = [0; 4096];
            while let Ok(read @ 1..) = socket.read(&mut request).await {
                let text = std::str::from_utf8(&request[..read]).unwrap();
                let whole = |body: &str| format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
                let time = jiff::Timestamp::now() - Duration::from_secs(60);
                let reply = match text.split(['?', ' ']).nth(1).unwrap() {
                    "/info" => whole(&json!({ "SystemTime": time.to_string() }).to_string()),
                    "/containers/json" => whole("[]"),
                    "/events" if text.contains("&until=") => whole(&kept),
                    "/events" => "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned(),
                    _ => "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_owned(),
                };
                socket.write_all(reply.as_bytes()).await.unwrap();
            }
        });
    }
}

#[tokio::test(start_paused = true)]
async fn an_event_that_the_engine_left_out_is_told_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("e.sock");
    let at = jiff::Timestamp::now().as_nanosecond() as i64 - 30_000_000_000;
    let event = json!({"Type": "container", "Action": "start", "Actor": {"ID": ID, "Attributes": {"name": "web"}}, "timeNano": at});
    let listener = tokio::net::UnixListener::bind(&path).unwrap();
    let engine = tokio::spawn(forgetful(listener, format!("{event}\n")));
    let told = Arc::new(Mutex::new(Vec::new()));
    let list = Arc::clone(&told);
    let report: Report = Arc::new(move |name, detail| list.lock().unwrap().push(format!("{name} {}", detail["action"])));
    let follower = Reconciler::start(Upstream::new(Address::Unix(path)), report);
    tokio::time::sleep(LOOK * 4).await;
    drop(follower);
    engine.abort();
    assert_eq!(*told.lock().unwrap(), [r#"unseen-change "start""#]);
}
