//! Presets with the client that they are for: it does its work, nothing of it is denied, and every operation of the preset is
//! used, but for those that are named here with the reason.

use std::collections::BTreeSet;
use std::process::Command;

use dockgate::config;
use dockgate::docker::operations::TABLE;

use crate::bed::{Bed, RAW, in_path, with_policies};
use crate::engine::{programs, skipped};
use crate::process::{Output, run, until};

/// The operations that a door's client had answered; panics where one was refused.
fn used(bed: &Bed, policy: &str) -> BTreeSet<String> {
    let records: Vec<_> = bed.gate.records().into_iter().filter(|record| record["policy"] == *policy).collect();
    for record in &records {
        assert_eq!(record["verdict"], "allow", "{record}");
    }
    records.iter().filter_map(|record| record["operation"].as_str().map(str::to_owned)).collect()
}

fn preset(name: &str) -> BTreeSet<String> {
    let policy = config::preset(name).unwrap();
    TABLE.iter().filter(|operation| policy.rules.may_allow(**operation)).map(|operation| operation.name().to_owned()).collect()
}

/// Asserts which operations of the preset the run had no use for.
fn unused(bed: &Bed, policy: &str, name: &str, expected: &[&str]) {
    let used = used(bed, policy);
    eprintln!("preset {name}: {} operations used, 0 denied", used.len());
    let left: Vec<String> = preset(name).difference(&used).cloned().collect();
    assert_eq!(left, expected, "{name}");
}

#[test]
fn docker_cli_read_is_what_the_reading_commands_ask_for() {
    with_policies("", &["docker-cli-read"], |bed| {
        let (name, volume) = (bed.name("seen"), bed.name("volume"));
        bed.plain_container(&name);
        bed.run(RAW, &format!("volume create {volume}")).ok();
        for line in [
            "ps --all --size",
            "ps --filter status=running",
            &format!("inspect {name}"),
            "inspect busybox",
            "inspect host",
            &format!("inspect {volume}"),
            &format!("logs {name}"),
            &format!("logs --tail 1 --timestamps {name}"),
            &format!("stats --no-stream {name}"),
            &format!("top {name}"),
            &format!("port {name}"),
            &format!("diff {name}"),
            "images --all",
            "history busybox",
            "info",
            "version",
            "network ls",
            "network inspect host",
            "volume ls",
            &format!("volume inspect {volume}"),
            "system df",
            "events --since 1 --until 2",
        ] {
            let output = bed.run("docker-cli-read", line);
            assert_eq!(output.code, 0, "{}", output.shown());
            assert!(!output.err.contains("denied"), "{}", output.shown());
        }
        // asked only where HEAD is not answered
        unused(bed, "docker-cli-read", "docker-cli-read", &["SystemPing"]);
    });
}

#[test]
fn docker_cli_run_is_what_the_running_commands_ask_for() {
    with_policies("", &["docker-cli-run"], |bed| {
        let (door, name, other) = ("docker-cli-run", bed.name("run"), bed.name("other"));
        let file = bed.folder.path().join("file");
        std::fs::write(&file, "words").unwrap();
        let file = file.display();
        let work = |line: &str| {
            let output = bed.run(door, line);
            assert_eq!(output.code, 0, "{}", output.shown());
            output.out
        };
        assert_eq!(work("run --rm --network none busybox echo hello"), "hello\n");
        work(&format!("run -d -i --network none --name {name} busybox cat"));
        assert_eq!(work(&format!("exec {name} echo inside")), "inside\n");
        for (line, resize) in
            [(format!("exec -it {name} sh"), "ExecResize"), ("run --rm -it --network none busybox sh".to_owned(), "ContainerResize")]
        {
            let mut terminal = bed.on_terminal(door, &line);
            bed.gate.record(resize, |record| record["policy"] == *door && record["operation"] == *resize);
            terminal.send("exit 0\n");
            let ended = terminal.end();
            assert_eq!(ended.code, 0, "{}", ended.shown());
        }
        work(&format!("cp {file} {name}:/tmp/file"));
        work(&format!("cp {name}:/tmp/file {file}"));
        work(&format!("update --memory 64m --memory-swap 64m {name}"));
        work(&format!("rename {name} {other}"));
        work(&format!("restart -t 0 {other}"));
        work(&format!("kill {other}"));
        work(&format!("start {other}"));
        work(&format!("stop -t 0 {other}"));
        work(&format!("rm {other}"));
        work(&format!("create --network none --name {name} busybox echo later"));
        assert_eq!(work(&format!("start -a {name}")), "later\n");
        // nobody's containers carry this label
        work(&format!("container prune --force --filter label={other}"));
        work(&format!("rm {name}"));
        // no registry answers there; that it was asked is what counts
        let pull = bed.run(door, "pull 127.0.0.1:1/nothing");
        assert!(pull.code != 0 && !pull.err.contains("denied by policy"), "{}", pull.shown());
        unused(bed, door, door, &["SystemPing"]);
    });
}

const PROJECT: &str = "
[policy.project]
extends = [\"compose\"]
[policy.project.create]
volumes = [\"*_data\"]
";

const SERVICES: &str = "
services:
  one:
    image: busybox
    network_mode: none
    stdin_open: true
    command: sh -c 'echo hello; cat'
    volumes: ['data:/data']
volumes:
  data: {}
";

#[test]
fn compose_is_what_compose_asks_for() {
    let unpacked = programs("28").map(|folder| folder.join("docker-compose")).filter(|file| file.is_file());
    let Some(program) = unpacked.or_else(|| in_path("docker-compose")) else {
        return skipped("no docker-compose: run `tests/e2e/engine.sh install 28`");
    };
    with_policies(PROJECT, &["project"], |bed| {
        std::fs::write(bed.folder.path().join("compose.yml"), SERVICES).unwrap();
        let compose = |line: &str| -> Output {
            let mut command: Command = bed.client(&program, "project");
            command.args(["-p", &bed.tag, "-f"]).arg(bed.folder.path().join("compose.yml")).args(line.split(' '));
            run(command)
        };
        for line in ["up -d", "ps --all", "images", "top", "exec -T one echo inside", "run --rm -T one echo once", "restart -t 0"] {
            let output = compose(line);
            assert_eq!(output.code, 0, "{}", output.shown());
        }
        until("the log of the service", || compose("logs").ok().contains("hello").then_some(()));
        for line in ["up -d --force-recreate -t 0", "kill", "up -d", "stop -t 0", "down -v -t 0"] {
            let output = compose(line);
            assert_eq!(output.code, 0, "{}", output.shown());
        }
        let (used, own) = (used(bed, "project"), preset("compose"));
        let strange: Vec<&String> = used.difference(&own).collect();
        eprintln!("preset compose: {} operations used, 0 denied", used.len());
        assert!(strange.is_empty() && used.len() >= 20, "{} {strange:?}", used.len());
        assert!(bed.objects().is_empty());
    });
}
