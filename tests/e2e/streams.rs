//! Attach and exec start as clients send them that know no `Upgrade`, written by hand.

use serde_json::{Value, json};

use crate::bed::{Bed, RAW, on_every_engine};
use crate::raw::{Wire, ask};

/// A frame of standard output (Engine API, `ContainerAttach`, "stream format").
fn frame(text: &str) -> Vec<u8> {
    let length = u8::try_from(text.len()).unwrap();
    [&[1, 0, 0, 0, 0, 0, 0, length], text.as_bytes()].concat()
}

fn exec(bed: &Bed, container: &str, command: &[&str]) -> String {
    let body = json!({ "AttachStdin": true, "AttachStdout": true, "AttachStderr": true, "Cmd": command });
    let made = ask(&bed.socket(RAW), "POST", &format!("/containers/{container}/exec"), Some(&body)).json();
    made["Id"].as_str().unwrap().to_owned()
}

/// The head of exec start; what follows its body is the input of the process.
fn exec_start(id: &str, more: &str) -> String {
    let body = r#"{"Detach":false,"Tty":false}"#;
    let fields = format!("Host: docker\r\nContent-Type: application/json\r\nContent-Length: {}\r\n{more}", body.len());
    format!("POST /v1.41/exec/{id}/start HTTP/1.1\r\n{fields}\r\n{body}")
}

fn attach(id: &str, more: &str) -> String {
    format!("POST /v1.41/containers/{id}/attach?stream=1&stdin=1&stdout=1&stderr=1 HTTP/1.1\r\nHost: docker\r\n{more}\r\n")
}

const UPGRADE: &str = "Connection: Upgrade\r\nUpgrade: tcp\r\n";

/// Bytes both ways, the end of the input passed on, the rest of the output, the end.
fn converse(wire: &mut Wire) {
    assert_eq!(wire.take(frame("early\n").len()), frame("early\n"));
    wire.send("ping\n");
    assert_eq!(wire.take(frame("ping\n").len()), frame("ping\n"));
    wire.half_close();
    assert_eq!(wire.rest(), frame("end\n"), "after the end of its input the process says one more line");
}

/// A process that says back what it hears, and one line more when it has heard all.
const PARROT: [&str; 3] = ["sh", "-c", "cat; echo end"];

#[test]
fn attach_without_upgrade_is_a_200_with_a_raw_stream() {
    on_every_engine(|bed| {
        for (door, more, status) in
            [("everything", "", "200 "), ("ci", "", "200 "), ("everything", UPGRADE, "101 "), ("ci", UPGRADE, "101 ")]
        {
            let name = bed.name(&format!("{door}-{}", status.trim()));
            bed.listening_container(&name, "sh -c 'cat; echo end'");
            let mut wire = Wire::open(&bed.socket(door));
            wire.send(&format!("{}early\n", attach(&name, more)));
            let head = wire.head();
            assert!(head.starts_with(&format!("HTTP/1.1 {status}")), "{head}");
            assert!(head.to_lowercase().contains("content-type: application/vnd.docker.raw-stream\r\n"), "{head}");
            assert_eq!(head.to_lowercase().contains("upgrade: tcp\r\n"), !more.is_empty(), "{head}");
            converse(&mut wire);
        }
    });
}

#[test]
fn exec_start_without_upgrade_is_a_200_with_a_raw_stream() {
    on_every_engine(|bed| {
        let name = bed.name("exec");
        bed.plain_container(&name);
        for (door, more, status) in
            [("everything", "", "200 "), ("ci", "", "200 "), ("everything", UPGRADE, "101 "), ("ci", UPGRADE, "101 ")]
        {
            let id = exec(bed, &name, &PARROT);
            let mut wire = Wire::open(&bed.socket(door));
            wire.send(&format!("{}early\n", exec_start(&id, more)));
            let head = wire.head();
            assert!(head.starts_with(&format!("HTTP/1.1 {status}")), "{head}");
            assert!(head.to_lowercase().contains("content-type: application/vnd.docker.raw-stream\r\n"), "{head}");
            converse(&mut wire);
            let outcome = bed.gate.record("the exec", |record| record["stage"] == "end" && record["names"][0] == id.as_str());
            assert_eq!((outcome["operation"].as_str(), outcome["ended"].as_str()), (Some("ExecStart"), Some("complete")), "{outcome}");
            assert!(outcome["bytes_in"].as_u64() >= Some(11) && outcome["bytes_out"].as_u64() >= Some(39), "{outcome}");
        }
    });
}

#[test]
fn a_client_that_vanishes_ends_its_tunnel_and_not_the_container() {
    on_every_engine(|bed| {
        for input in ["&stdin=1", ""] {
            let name = bed.name(&format!("vanish{}", input.len()));
            let id = bed.plain_container(&name);
            let mut wire = Wire::open(&bed.socket("ci"));
            wire.send(&format!("POST /containers/{id}/attach?stream=1&stdout=1{input} HTTP/1.1\r\nHost: docker\r\n{UPGRADE}\r\n"));
            wire.head();
            drop(wire);
            assert_eq!(bed.run("ci", &format!("exec {name} echo still")).ok(), "still\n");
            if input.is_empty() {
                // an end of input may be all that the client meant, so the engine's next word decides
                bed.run(RAW, &format!("kill {name}")).ok();
            }
            let ends = |record: &Value| record["operation"] == "ContainerAttach" && record["stage"] == "end" && record["names"][0] == *id;
            bed.gate.record("the end of the tunnel", ends);
        }
    });
}

#[test]
fn a_client_that_vanishes_ends_its_stream() {
    on_every_engine(|bed| {
        let name = bed.name("idle");
        bed.plain_container(&name);
        for (line, operation) in
            [(format!("logs -f {name}"), "ContainerLogs"), ("events".to_owned(), "SystemEvents"), (format!("wait {name}"), "ContainerWait")]
        {
            let client = bed.start("ci", &line);
            let at = |stage: &'static str| move |record: &Value| record["operation"] == *operation && record["stage"] == stage;
            bed.gate.record("its begin", at("intent"));
            drop(client);
            assert_eq!(bed.gate.record("its end", at("end"))["ended"], "client-gone", "{line}");
        }
    });
}
