//! Containers that exist already are held against the policy before a door starts or opens them.

use std::path::Path;

use serde_json::json;

use crate::bed::{Bed, RAW, denial, on_every_engine};
use crate::raw::{Reply, ask};

fn post(bed: &Bed, path: &str) -> Reply {
    let exec = path.ends_with("/exec").then(|| json!({ "Cmd": ["true"], "AttachStdout": true }));
    let start = path.starts_with("/exec/").then(|| json!({ "Detach": false, "Tty": false }));
    ask(&bed.socket("ci"), "POST", path, exec.or(start).as_ref())
}

#[test]
fn a_privileged_container_cannot_be_started_or_opened() {
    on_every_engine(|bed| {
        let name = bed.name("bad");
        let id = bed.run(RAW, &format!("create -i --privileged --network none --name {name} busybox cat")).ok();
        let message = denial("ci", "[privileged]: target HostConfig.Privileged: ");
        for command in ["start", "restart"] {
            bed.run("ci", &format!("{command} {name}")).fails(1, &[&message]);
        }
        bed.run("ci", &format!("exec {name} true")).fails(1, &[&message]);
        for path in ["start", "restart", "unpause", "exec", "attach?stream=1&stdout=1"] {
            for known_as in [name.as_str(), id.trim(), &id[..12]] {
                let reply = post(bed, &format!("/containers/{known_as}/{path}"));
                assert!(reply.status == 403 && reply.message().starts_with(&message), "{path}: {reply:?}");
            }
        }
        assert_eq!(bed.inspect(&name)["State"]["Status"], "created");
        let record = bed.gate.record("the refused start", |record| record["operation"] == "ContainerStart" && record["verdict"] == "deny");
        assert_eq!(record["at"], "target HostConfig.Privileged");
    });
}

#[test]
fn a_running_container_with_a_host_path_cannot_be_opened() {
    on_every_engine(|bed| {
        let (name, message) = (bed.name("bad"), denial("ci", "[host-path]: target HostConfig.Binds[0]: "));
        let shared = bed.folder.path().join("shared");
        std::fs::create_dir(&shared).unwrap();
        bed.run(RAW, &format!("run -d -i --network none --name {name} -v {}:/host busybox cat", shared.display())).ok();
        // the CLI shows no body of an answer to an upgrade
        bed.run("ci", &format!("attach {name}")).fails(1, &["received 403"]);
        bed.gate.record("the attach", |record| record["operation"] == "ContainerAttach" && record["at"] == "target HostConfig.Binds[0]");
        for command in [format!("exec {name} true"), format!("exec -it {name} sh"), format!("restart {name}")] {
            let ended = if command.contains("-it") { bed.on_terminal("ci", &command).end() } else { bed.run("ci", &command) };
            assert!(ended.code == 1 && format!("{}{}", ended.out, ended.err).contains(&message), "{}", ended.shown());
        }
        let exec = ask(&bed.socket(RAW), "POST", &format!("/containers/{name}/exec"), Some(&json!({ "Cmd": ["touch", "/host/x"] }))).json();
        let reply = post(bed, &format!("/exec/{}/start", exec["Id"].as_str().unwrap()));
        assert!(reply.status == 403 && reply.message().starts_with(&message), "{reply:?}");
        assert!(!Path::new(&shared.join("x")).exists());
        // what only looks, or ends it, stays allowed
        assert_eq!(bed.run("ci", &format!("logs {name}")).ok(), "");
        bed.run("ci", &format!("stop -t 0 {name}")).ok();
    });
}

#[test]
fn a_plain_container_of_the_engine_can_be_started_and_opened() {
    on_every_engine(|bed| {
        let name = bed.name("good");
        bed.run(RAW, &format!("create -i --network none --name {name} busybox cat")).ok();
        for command in ["start", "restart -t 0", "pause", "unpause"] {
            bed.run("ci", &format!("{command} {name}")).ok();
        }
        assert_eq!(bed.run("ci", &format!("exec {name} echo in")).ok(), "in\n");
        let mut attached = bed.start("ci", &format!("attach {name}"));
        attached.send("ping\n");
        attached.expect("ping");
    });
}

#[test]
fn a_volume_that_is_a_host_path_in_disguise_cannot_be_used() {
    on_every_engine(|bed| {
        let (volume, before, after) = (bed.name("etc"), bed.name("before"), bed.name("after"));
        bed.run(RAW, &format!("volume create --opt type=none --opt o=bind --opt device=/etc {volume}")).ok();
        bed.run(RAW, &format!("create --network none --name {before} -v {volume}:/x busybox true")).ok();
        let message = denial("ci", &format!("[volume-driver]: target volume `{volume}`: "));
        bed.run("ci", &format!("start {before}")).fails(1, &[&message]);
        // its name is granted, so only the start can tell
        bed.run("ci", &format!("run -d --network none --name {after} -v {volume}:/x:ro busybox cat /x/passwd")).fails(125, &[&message]);
        for name in [before, after] {
            assert_eq!(bed.inspect(&name)["State"]["Status"], "created");
        }
    });
}
