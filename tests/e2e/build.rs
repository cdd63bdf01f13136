//! `docker build`: the classic builder passes where it is allowed, BuildKit's own protocol never does.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::bed::{Bed, denial, in_path, on_every_engine, with_policies};
use crate::engine::{programs, skipped};
use crate::process::run;
use crate::raw::Wire;

fn context(bed: &Bed) -> PathBuf {
    let folder = bed.folder.path().join("context");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("Dockerfile"), "FROM busybox\nARG WORD\nCOPY big /big\nRUN echo $WORD > /built\n").unwrap();
    fs::write(folder.join("big"), vec![7; 3_000_000]).unwrap();
    folder
}

fn classic(bed: &Bed, door: &str, image: &str) -> Command {
    let line = format!("build --network none --build-arg WORD=deed -t {image} {}", context(bed).display());
    let mut command = bed.docker(door, &line);
    command.env("DOCKER_BUILDKIT", "0");
    command
}

#[test]
fn the_classic_builder_builds_an_image() {
    on_every_engine(|bed| {
        let image = bed.name("built");
        let said = run(classic(bed, "everything", &image)).ok();
        assert!(said.contains(&format!("Successfully tagged {image}:latest")), "{said}");
        let name = bed.name("of-it");
        assert_eq!(
            bed.run("everything", &format!("run --rm --network none --name {name} {image} sh -c 'cat /built; wc -c < /big'")).ok(),
            "deed\n3000000\n"
        );
    });
}

#[test]
fn the_classic_builder_is_refused_where_builds_are_not_allowed() {
    on_every_engine(|bed| {
        for door in ["ci", "read-only"] {
            let image = bed.name("built");
            run(classic(bed, door, &image)).fails(1, &[&denial(door, "[not-allowed]: ImageBuild")]);
            assert!(bed.objects().is_empty());
        }
    });
}

const BUILDER: &str = r#"
[policy.builder]
extends = ["read-only"]
allow = ["@build"]
"#;

#[test]
fn buildkit_is_refused_with_a_message_that_names_the_classic_builder() {
    with_policies(BUILDER, &["builder"], |bed| {
        for (door, path) in [("builder", "/session"), ("builder", "/grpc"), ("everything", "/session"), ("everything", "/v1.41/grpc")] {
            let mut wire = Wire::open(&bed.socket(door));
            wire.send(&format!("POST {path} HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"));
            let reply = String::from_utf8(wire.rest()).unwrap();
            assert!(reply.starts_with("HTTP/1.1 400 ") && reply.contains("build with DOCKER_BUILDKIT=0"), "{reply}");
        }
    });
}

#[test]
fn buildkit_clients_fail_or_look_for_another_way_and_build_nothing() {
    with_policies(BUILDER, &["builder"], |bed| {
        for mut command in buildkits(bed) {
            let image = bed.name("built");
            command.args(["build", "-t", &image]).arg(context(bed)).env("DOCKER_BUILDKIT", "1");
            let ended = run(command);
            assert_ne!(ended.code, 0, "{}", ended.shown());
            // one shows what it got instead of HTTP/2, the other tries to start a builder of its own
            let told = ["DOCKER_BUILDKIT=0", "bogus greeting", "denied by policy"].iter().any(|text| ended.err.contains(text));
            assert!(told, "{}", ended.shown());
            bed.gate.record("the refused upgrade", |record| record["verdict"] == "refuse" && record["reason"] == "http2");
            assert!(bed.objects().is_empty());
        }
    });
}

/// The builders that are here: the one inside an old client, and buildx.
fn buildkits(bed: &Bed) -> Vec<Command> {
    let mut found = Vec::new();
    let mut old = bed.client("/usr/bin/docker", "builder");
    old.arg("--version");
    if Path::new("/usr/bin/docker").is_file() && run(old).out.contains("version 20.") {
        found.push(bed.client("/usr/bin/docker", "builder"));
    }
    let unpacked = programs("28").map(|folder| folder.with_file_name("config").join("cli-plugins/docker-buildx"));
    if let Some(buildx) = unpacked.filter(|file| file.is_file()).or_else(|| in_path("docker-buildx")) {
        found.push(bed.client(buildx, "builder"));
    }
    if found.is_empty() {
        skipped("no BuildKit client: run `tests/e2e/engine.sh install 28`");
    }
    found
}
