//! One door, clients with different rights: by user, and by the container that they run in.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::bed::{Bed, RAW, usable};
use crate::engine::left_out;
use crate::gate::Gate;
use crate::process::{Output, run, until};

/// The door that all clients share.
const DOOR: &str = "shared";

/// A bed whose dockgate has one more door, with these clients. `TAG` stands for what the names of a bed hold.
fn beds(clients: &str, test: impl Fn(&Bed)) {
    for engine in usable() {
        let bed = Bed::behind(engine, |folder| {
            let door = folder.join(DOOR).join("docker.sock");
            let clients = clients.replace("TAG", &Bed::tag_of(folder));
            let more = format!(
                "[[door]]\nlisten = \"unix://{}\"\nmode = \"0666\"\n{clients}\n[policy.changer]\nextends = [\"ci\"]\nallow = [\"VolumeCreate\"]\n[policy.changer.create]\nvolumes = [\"ci-*\"]\n",
                door.display()
            );
            Gate::start(folder, &engine.socket, &more, &[])
        });
        // other users come in by this folder
        fs::set_permissions(bed.folder.path(), fs::Permissions::from_mode(0o711)).unwrap();
        test(&bed);
    }
}

/// Options of a container that has the door's folder at `/door`, and the programs of this machine.
fn with_door(bed: &Bed) -> String {
    let folder = bed.socket(DOOR).parent().unwrap().display().to_string();
    format!("--network none -v {folder}:/door -v /usr:/usr:ro -v /usr/lib:/lib:ro -v /usr/lib64:/lib64:ro")
}

/// A container that waits for what is executed in it; returns its id.
fn container(bed: &Bed, name: &str, options: &str) -> String {
    bed.run(RAW, &format!("run -d --name {name} {} {options} busybox sleep 1000", with_door(bed))).ok().trim().to_owned()
}

const ASK: &str = "/usr/bin/curl -s --max-time 20 -o /dev/null -w '%{http_code}' --unix-socket /door/docker.sock";

/// The status that a client in a container gets for a list of containers, and the record of it.
fn lists(bed: &Bed, container: &str) -> (String, Value) {
    recorded(bed, || bed.run(RAW, &format!("exec {container} {ASK} http://docker/containers/json")))
}

/// What a client printed, and the record of the one list that it asked for: that comes a moment after the answer.
fn recorded(bed: &Bed, client: impl Fn() -> Output) -> (String, Value) {
    let of = || bed.gate.records().into_iter().filter(|record| record["path"] == "/containers/json").collect::<Vec<_>>();
    let before = of().len();
    let said = client().ok().trim().to_owned();
    (said, until("the record", || of().into_iter().nth(before)))
}

#[test]
fn two_users_have_different_rights_on_one_socket() {
    beds("[[door.client]]\nuid = 4001\npolicy = \"changer\"\n[[door.client]]\nuid = 4002\npolicy = \"read-only\"\n", |bed| {
        let (door, volume) = (bed.socket(DOOR), bed.name("v"));
        let asks = |uid: u32, line: &[&str]| -> Output {
            let mut command = Command::new("setpriv");
            command.args([&format!("--reuid={uid}"), &format!("--regid={uid}"), "--clear-groups", "curl", "-s", "-w", "\n%{http_code}"]);
            command.arg("--unix-socket").arg(&door).args(line);
            run(command)
        };
        let create = ["-H", "Content-Type: application/json", "-d", &format!(r#"{{"Name":"{volume}"}}"#), "http://docker/volumes/create"];
        let list = ["http://docker/containers/json"];
        for (uid, line, status, said) in [
            (4001, &create[..], "201", volume.as_str()),
            (4001, &list, "200", "["),
            (4002, &create, "403", "denied by policy `read-only` [not-allowed]: VolumeCreate"),
            (4002, &list, "200", "["),
            (4003, &list, "403", "[unknown-client]"),
        ] {
            let out = asks(uid, line).ok();
            assert!(out.ends_with(&format!("\n{status}")) && out.contains(said), "{uid} {line:?}: {out}");
        }
        let made = bed.gate.record("the volume", |record| record["operation"] == "VolumeCreate" && record["verdict"] == "allow");
        assert!(made["uid"] == 4001 && made["policy"] == "changer" && made["client"].is_string(), "{made}");
        bed.gate.record("the stranger", |record| record["reason"] == "unknown-client" && record["uid"] == 4003);
    });
}

#[test]
fn two_containers_have_different_rights_on_one_socket_by_name_and_by_label() {
    let clients = "policy = \"ping\"\n[[door.client]]\ncontainer = \"ci-TAG-web*\"\npolicy = \"read-only\"\n\
        [[door.client]]\ncontainer-label = { \"com.docker.compose.service\" = \"agent\" }\nuid = 0\npolicy = \"changer\"\n";
    beds(clients, |bed| {
        let (web, other) = (bed.name("web-1"), bed.name("other"));
        let id = container(bed, &web, "");
        container(bed, &other, "");
        let agent = bed.name("agent");
        container(bed, &agent, "--label com.docker.compose.service=agent");
        let (status, record) = lists(bed, &web);
        assert_eq!(status, "200", "{record}");
        assert!(record["policy"] == "read-only" && record["client_container"] == *id && record["client"].is_string(), "{record}");
        let (status, record) = lists(bed, &other);
        assert_eq!(status, "403", "{record}");
        assert!(record["policy"] == "ping" && record.get("client").is_none(), "{record}");
        let (status, record) = lists(bed, &agent);
        assert!(status == "200" && record["policy"] == "changer", "{status} {record}");
        // a container of its own process, and not only one that is executed in it
        let name = bed.name("web-2");
        let line = format!("run --rm --name {name} {} busybox {ASK} http://docker/containers/json", with_door(bed));
        assert_eq!(bed.run(RAW, &line).ok().trim(), "200");
        // the host itself is in no container
        assert_eq!(bed.run(DOOR, "ps").code, 1);
    });
}

#[test]
fn after_a_rename_a_new_connection_gets_the_new_answer_and_an_id_keeps_its_own() {
    let clients = "policy = \"ping\"\n[[door.client]]\ncontainer = \"ci-TAG-new\"\npolicy = \"read-only\"\n";
    beds(clients, |bed| {
        let (old, new) = (bed.name("old"), bed.name("new"));
        container(bed, &old, "");
        assert_eq!(lists(bed, &old).0, "403");
        bed.run(RAW, &format!("rename {old} {new}")).ok();
        assert_eq!(lists(bed, &new).0, "200");
        bed.run(RAW, &format!("rename {new} {old}")).ok();
        assert_eq!(lists(bed, &old).0, "403");
    });
}

#[test]
fn a_process_in_control_groups_that_are_named_like_a_container_is_not_in_it() {
    let clients = "policy = \"ping\"\n[[door.client]]\ncontainer = \"ci-TAG-web\"\npolicy = \"read-only\"\n";
    beds(clients, |bed| {
        let name = bed.name("web");
        let id = container(bed, &name, "");
        let Some(group) = Forged::new(&id) else { return left_out("no control groups can be made here") };
        let socket = bed.socket(DOOR);
        let script = format!(
            "echo $$ >{}/cgroup.procs && exec curl -s -o /dev/null -w '%{{http_code}}' --unix-socket {} http://docker/containers/json",
            group.0.display(),
            socket.display()
        );
        let command = || {
            let mut command = Command::new("sh");
            command.args(["-c", &script]);
            run(command)
        };
        let (status, record) = recorded(bed, command);
        assert!(status == "403" && record["policy"] == "ping", "{status} {record}");
        assert_eq!(record["client_container"], *id, "the claim is on record: {record}");
        assert_eq!(lists(bed, &name).0, "200");
    });
}

/// A control group that has a container's name, and is none of its.
struct Forged(std::path::PathBuf);

impl Forged {
    fn new(id: &str) -> Option<Self> {
        let roots = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified", "/sys/fs/cgroup/pids", "/sys/fs/cgroup/freezer"];
        let root = roots.into_iter().map(Path::new).find(|root| root.join("cgroup.procs").exists())?;
        let path = root.join(format!("docker-{id}.scope"));
        fs::create_dir(&path).ok().map(|()| Self(path))
    }
}

impl Drop for Forged {
    fn drop(&mut self) {
        let _still_used = fs::remove_dir(&self.0);
    }
}

#[test]
fn an_engine_that_went_away_lets_nobody_in_by_a_guess() {
    for engine in usable() {
        // the door's engine is none, so no container can be confirmed
        let bed = Bed::behind(engine, |folder| {
            let door = folder.join(DOOR).join("docker.sock");
            let more = format!(
                "[[door]]\nlisten = \"unix://{}\"\nmode = \"0666\"\npolicy = \"ping\"\n[[door.client]]\ncontainer = \"*\"\npolicy = \"read-only\"\n",
                door.display()
            );
            Gate::start(folder, &folder.join("no-engine.sock"), &more, &[])
        });
        let name = bed.name("web");
        container(&bed, &name, "");
        let (status, record) = lists(&bed, &name);
        assert!(status == "502" && record["reason"] == "no-upstream" && record["policy"] == "ping", "{status} {record}");
    }
}
