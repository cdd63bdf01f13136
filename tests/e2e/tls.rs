//! TLS with real programs at both ends: docker CLIs of two versions at a door, and an engine that verifies its clients.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::bed::{Bed, RAW, docker_cli, usable};
use crate::engine::{Started, programs, skipped};
use crate::gate::Gate;
use crate::pki::{Authority, Issued, Wanted, write};
use crate::process::{fed, run};

/// A folder as `DOCKER_CERT_PATH` wants it.
fn folder(place: &Path, name: &str, ca: &Authority, own: &Issued) -> PathBuf {
    let folder = place.join(name);
    std::fs::create_dir_all(&folder).unwrap();
    for (file, text) in [("ca.pem", &ca.pem()), ("cert.pem", &own.certificate), ("key.pem", &own.key)] {
        write(&folder, file, text);
    }
    folder
}

/// A door with TLS beside the usual ones.
fn door(files: &Path) -> String {
    let at = |file: &str| files.join(file).display().to_string();
    format!(
        "[[door]]\nlisten = \"tcp://127.0.0.1:0\"\npolicy = \"everything\"\n[door.tls]\ncertificate = \"{}\"\nkey = \"{}\"\nclient-ca = \"{}\"\n",
        at("cert.pem"),
        at("key.pem"),
        at("ca.pem")
    )
}

fn port(bed: &Bed) -> u16 {
    let log = bed.gate.log();
    let rest = log.split("tcp://127.0.0.1:").nth(1).unwrap_or_else(|| panic!("{log}"));
    rest.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap()
}

fn clis() -> Vec<PathBuf> {
    let others = ["20", "28"].into_iter().filter_map(programs).map(|folder| folder.join("docker")).filter(|cli| cli.exists());
    let mut clis: Vec<PathBuf> = docker_cli().map(Path::to_owned).into_iter().chain(others).collect();
    clis.dedup();
    clis
}

/// A docker command that verifies the door and shows a certificate.
fn verified(bed: &Bed, cli: &Path, files: &Path, arguments: &[&str]) -> Command {
    let mut command = bed.client(cli, RAW);
    command.env("DOCKER_HOST", format!("tcp://localhost:{}", port(bed))).env("DOCKER_CERT_PATH", files);
    command.arg("--tlsverify").args(arguments);
    command
}

#[test]
fn the_docker_cli_works_through_a_door_that_verifies_it() {
    for engine in usable() {
        let ca = Authority::new("ours");
        let bed = Bed::behind(engine, |place| {
            let files = folder(place, "door", &ca, &ca.issue(Wanted::SERVER));
            Gate::start(place, &engine.socket, &door(&files), &[])
        });
        let files = folder(bed.folder.path(), "alice", &ca, &ca.issue(Wanted { subject: "alice", ..Wanted::CLIENT }));
        for (at, cli) in clis().iter().enumerate() {
            let name = bed.name(&format!("tls{at}"));
            let docker = |arguments: &[&str]| verified(&bed, cli, &files, arguments);
            run(docker(&["run", "-d", "-i", "--network", "none", "--name", &name, "busybox", "sh", "-c", "echo started; cat"])).ok();
            assert_eq!(run(docker(&["logs", &name])).ok(), "started\n");
            assert_eq!(fed(docker(&["exec", "-i", &name, "cat"]), "hi\n").ok(), "hi\n");
            let big = "0123456789abcdef\n".repeat(40_000);
            assert_eq!(fed(docker(&["exec", "-i", &name, "wc", "-c"]), &big).ok().trim(), "680000", "the end of the input arrives");
            let ran = fed(docker(&["run", "--rm", "-i", "--network", "none", "busybox", "sh", "-c", "cat; exit 3"]), "to the end\n");
            assert_eq!((ran.code, ran.out.as_str()), (3, "to the end\n"), "{}", ran.shown());
        }
        let record = bed.gate.record("the call", |record| record["operation"] == "ContainerCreate");
        assert_eq!(record["tls_subject"], "CN=alice", "{record}");
        let records = bed.gate.records();
        let tunnels =
            records.iter().filter(|record| ["ExecStart", "ContainerAttach"].contains(&record["operation"].as_str().unwrap_or("")));
        let ends: Vec<&str> = tunnels.filter_map(|record| record["ended"].as_str()).collect();
        assert!(ends.len() >= 3 && ends.iter().all(|ended| *ended == "complete"), "{ends:?}");
    }
}

#[test]
fn the_docker_cli_says_why_a_door_does_not_let_it_in() {
    for engine in usable().iter().take(1) {
        let (ca, others) = (Authority::new("ours"), Authority::new("theirs"));
        let bed = Bed::behind(engine, |place| {
            let files = folder(place, "door", &ca, &ca.issue(Wanted::SERVER));
            Gate::start(place, &engine.socket, &door(&files), &[])
        });
        let place = bed.folder.path();
        let expired = ca.issue(Wanted { valid: (2000, 2001), ..Wanted::CLIENT });
        for (files, said, reason) in [
            (folder(place, "stranger", &ca, &others.issue(Wanted::CLIENT)), "tls: ", "tls-unknown-ca"),
            (folder(place, "expired", &ca, &expired), "tls: expired certificate", "tls-expired"),
            (folder(place, "elsewhere", &others, &ca.issue(Wanted::CLIENT)), "certificate signed by unknown authority", "tls-not-trusted"),
        ] {
            for cli in clis() {
                run(verified(&bed, &cli, &files, &["ps"])).fails(1, &[said]);
            }
            bed.gate.record(reason, |record| record["reason"] == reason);
        }
        for cli in clis() {
            let mut plain = bed.client(cli, RAW);
            plain.env("DOCKER_HOST", format!("tcp://localhost:{}", port(&bed))).arg("ps");
            run(plain).fails(1, &["Client sent an HTTP request to an HTTPS server"]);
        }
    }
}

#[test]
fn an_engine_that_verifies_its_clients_is_used_as_any_other() {
    let (place, ca) = (tempfile::tempdir().unwrap(), Authority::new("ours"));
    let engine = folder(place.path(), "engine", &ca, &ca.issue(Wanted::SERVER));
    let own = folder(place.path(), "own", &ca, &ca.issue(Wanted { subject: "dockgate", ..Wanted::CLIENT }));
    // nobody else takes a port that was free a moment ago, or the engine says so and the test fails
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    let version = if programs("28").is_some() { "28" } else { "20" };
    let Some(started) = Started::with(version, &[("TLS", engine.to_str().unwrap()), ("TLS_PORT", &port)]) else {
        return skipped("no engine can be started here");
    };
    let at = |file: &str| own.join(file).display().to_string();
    let upstream = format!(
        "url = \"https://localhost:{port}\"\nca = \"{}\"\ncertificate = \"{}\"\nkey = \"{}\"",
        at("ca.pem"),
        at("cert.pem"),
        at("key.pem")
    );
    let bed = Bed::behind(Box::leak(Box::new(started.engine())), |place| Gate::over(place, &upstream));
    let name = bed.name("tls");
    bed.run("ci", &format!("run -d -i --network none --name {name} busybox sh -c 'echo started; cat'")).ok();
    assert_eq!(bed.run("ci", &format!("logs {name}")).ok(), "started\n");
    let big = "0123456789abcdef\n".repeat(40_000);
    assert_eq!(fed(bed.docker("ci", &format!("exec -i {name} wc -c")), &big).ok().trim(), "680000");
    bed.refuses("ci", "run --rm --privileged busybox true", 125, &["[privileged]"]);
    let ended = |record: &serde_json::Value| record["operation"] == "ExecStart" && record["stage"] == "end";
    assert_eq!(bed.gate.record("the exec", ended)["ended"], "complete");
    drop(bed);
    drop(started);
}
