//! Who mounts the daemon's socket through a policy that names a door gets that door, and is held to it from inside the container.
//! Knows nothing of how the mount was replaced.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::bed::{Bed, RAW, denial, docker_cli, usable};
use crate::gate::Gate;

/// A CI job's door, which hands `inner` to containers that ask for the docker socket.
fn policies(inner: &Path) -> String {
    format!(
        r#"
[policy.agent]
extends = ["ci"]
[policy.agent.create]
level = "baseline"
volumes = ["ci-*"]
rebind-socket = "{0}"

[policy.wide]
extends = ["unrestricted"]
[policy.wide.create]
level = "unrestricted"
rebind-socket = "{0}"

[policy.inner]
extends = ["read-only"]
allow = ["ContainerCreate"]
"#,
        inner.display()
    )
}

/// A bed with such doors, whose folder the engine sees as it is.
fn on_every_engine(test: impl Fn(&Bed)) {
    for engine in usable() {
        test(&Bed::behind(engine, |folder| {
            let inner = folder.join("inner").join("docker.sock");
            Gate::start(folder, &engine.socket, &policies(&inner), &["agent", "wide", "inner"])
        }));
    }
}

/// Puts the docker client of this machine, which needs the C library alone, into a container.
fn with_docker(bed: &Bed, name: &str) {
    let root = bed.folder.path().join("root");
    let docker = docker_cli().unwrap();
    let libraries = ["/lib64/ld-linux-x86-64.so.2", "/lib/x86_64-linux-gnu/libc.so.6"].map(Path::new);
    for (from, to) in [(docker, Path::new("/docker"))].into_iter().chain(libraries.map(|library| (library, library))) {
        let to = root.join(to.strip_prefix("/").unwrap());
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(from, to).unwrap();
    }
    bed.run(RAW, &format!("cp {}/. {name}:/", root.display())).ok();
}

/// The source of the container's mount at the usual place, as the engine tells of it.
fn mounted(bed: &Bed, name: &str) -> String {
    let container = bed.inspect(name);
    let mounts = container["Mounts"].as_array().cloned().unwrap_or_default();
    let mount = mounts.iter().find(|mount| mount["Destination"] == "/var/run/docker.sock");
    mount.map(|mount| mount["Source"].as_str().unwrap_or_default().to_owned()).unwrap_or_default()
}

/// Runs a container that waits, with this option for its socket.
fn keeps(bed: &Bed, door: &str, name: &str, option: &str) {
    bed.run(door, &format!("run -d -i --network none --name {name} {option} busybox cat")).ok();
}

#[test]
fn a_container_that_mounts_the_docker_socket_gets_the_door_and_is_held_to_its_policy() {
    on_every_engine(|bed| {
        let inner = bed.socket("inner").display().to_string();
        let upstream = bed.engine.socket.display().to_string();
        let options = [
            "-v /var/run/docker.sock:/var/run/docker.sock".to_owned(),
            "-v /run/docker.sock:/var/run/docker.sock:ro".to_owned(),
            format!("--mount type=bind,source={upstream},target=/var/run/docker.sock"),
        ];
        for (door, (at, option)) in ["agent", "wide"].iter().flat_map(|door| options.iter().enumerate().map(move |one| (door, one))) {
            let name = bed.name(&format!("{door}{at}"));
            keeps(bed, door, &name, option);
            assert_eq!(mounted(bed, &name), inner, "{option}");
            let record =
                bed.gate.record("the create", |record| record["operation"] == "ContainerCreate" && record.to_string().contains(&name));
            assert!(record["injected"].to_string().contains("HostConfig."), "{record}");
        }
        let name = bed.name("agent0");
        with_docker(bed, &name);
        let inside = |line: &str| bed.run(RAW, &format!("exec {name} /docker {line}"));
        assert!(inside("ps --format '{{.Names}}'").ok().contains(&name));
        let refused = |line: &str, text: &str| inside(line).fails(1, &[&denial("inner", text)]);
        refused("create --privileged busybox true", "[privileged]: HostConfig.Privileged");
        refused("create -v /var/run/docker.sock:/x busybox true", "[socket-mount]: HostConfig.Binds[0]");
        refused(&format!("stop {name}"), "[not-allowed]: ContainerStop");
        assert_eq!(bed.inspect(&name)["State"]["Running"], Value::Bool(true));
    });
}

#[test]
fn the_record_of_a_request_from_inside_names_the_container() {
    on_every_engine(|bed| {
        let name = bed.name("agent");
        keeps(bed, "agent", &name, "-v /var/run/docker.sock:/var/run/docker.sock");
        let id = bed.inspect(&name)["Id"].as_str().unwrap().to_owned();
        with_docker(bed, &name);
        bed.run(RAW, &format!("exec {name} /docker info")).ok();
        let record =
            bed.gate.record("the request from inside", |record| record["operation"] == "SystemInfo" && record["policy"] == "inner");
        assert_eq!(record["client_container"], Value::String(id), "{record}");
    });
}

#[test]
fn a_container_with_the_door_starts_again_and_one_with_the_daemons_socket_does_not() {
    on_every_engine(|bed| {
        let (door, daemon) = (bed.name("door"), bed.name("daemon"));
        keeps(bed, "agent", &door, "-v /var/run/docker.sock:/var/run/docker.sock");
        bed.run("agent", &format!("restart -t 0 {door}")).ok();
        assert_eq!(mounted(bed, &door), bed.socket("inner").display().to_string());
        let socket = bed.engine.socket.display();
        bed.run(RAW, &format!("create --network none --name {daemon} -v {socket}:/var/run/docker.sock busybox true")).ok();
        bed.run("agent", &format!("start {daemon}")).fails(1, &["policy `agent` [socket-mount]"]);
        // the door belongs to this policy's containers: another one judges it as any path of the host
        bed.run("ci", &format!("restart -t 0 {door}")).fails(1, &["policy `ci`"]);
    });
}

#[test]
fn folders_of_the_socket_and_of_the_door_stay_out_of_reach() {
    on_every_engine(|bed| {
        let above = |door: &str| bed.socket(door).parent().unwrap().display().to_string();
        let engine = bed.engine.socket.parent().unwrap().display().to_string();
        for folder in ["/var/run", "/run", "/", &engine] {
            for door in ["agent", "wide"] {
                bed.refuses(door, &format!("create -v {folder}:/x busybox true"), 1, &[&format!("policy `{door}` [socket-mount]")]);
            }
        }
        for folder in [above("inner"), above("agent"), bed.socket("agent").display().to_string()] {
            bed.refuses("agent", &format!("create -v {folder}:/x busybox true"), 1, &["policy `agent` [socket-mount]"]);
        }
    });
}
