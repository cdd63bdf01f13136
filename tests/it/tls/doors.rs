//! Doors with TLS: who comes in, what the others get, and what the trail says of both.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use rustls::version::{TLS12, TLS13};
use rustls::{ALL_VERSIONS, ClientConfig};
use serde_json::Value;

use super::{ATTACH, LIST, POLICY, address, asked, client, connected, door_file, put, trusting};
use crate::support::engine::Recorder;
use crate::support::folder;
use crate::support::gate::{Gate, with_trail};
use crate::support::pki::{Authority, Issued, Wanted, write};

/// A gate with a door that has TLS, in a folder with all files, and one without for other questions.
struct Bed {
    folder: tempfile::TempDir,
    ca: Authority,
    gate: Gate,
    address: SocketAddr,
}

impl Bed {
    /// `more` goes into `[door.tls]`, beside certificate and key.
    fn start(more: &str) -> Self {
        Self::with("head-timeout = \"700ms\"\n", more)
    }

    /// The same with limits.
    fn with(limits: &str, more: &str) -> Self {
        let (folder, ca) = (folder(), Authority::new("ours"));
        put(folder.path(), &ca.issue(Wanted::SERVER));
        write(folder.path(), "ca.pem", &ca.pem());
        write(folder.path(), "crl.pem", &ca.list(&[], 2999));
        let gate = Gate::start(folder.path(), &config(folder.path(), limits, more), &[door_file(folder.path())]);
        let address = address(&gate);
        Self { folder, ca, gate, address }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn client(&self, own: &Issued) -> Arc<ClientConfig> {
        trusting(&self.ca, Some(own), &[&TLS13])
    }

    fn record(&self, reason: &str) -> Value {
        let record = self.gate.line(reason, |line| line["reason"] == reason);
        assert_eq!((&record["verdict"], &record["ended"]), (&"refuse".into(), &"refused".into()), "{record}");
        assert!(record["address"].as_str().unwrap().starts_with("127.0.0.1:"), "{record}");
        assert_eq!(record["tls_subject"], Value::Null, "nobody proved to be anybody: {record}");
        record
    }

    /// The line of the operator's log that belongs to a record.
    fn said(&self, record: &Value) -> String {
        let id = record["id"].as_str().unwrap();
        self.gate.until("a line in the log", || self.gate.messages().lines().find(|line| line.contains(id)).map(str::to_owned))
    }

    fn event(&self, name: &str) -> Value {
        self.gate.line(name, |line| line["event"] == name)
    }
}

const CLIENTS: &str = "client-ca = \"FOLDER/ca.pem\"\nclient-crl = \"FOLDER/crl.pem\"\n";

fn config(folder: &Path, limits: &str, more: &str) -> String {
    let text = format!(
        "version = 1\n[upstream]\nurl = \"unix://FOLDER/engine.sock\"\n[limits]\n{limits}{POLICY}\
         [[door]]\nlisten = \"unix://FOLDER/doors/door.sock\"\npolicy = \"all\"\n\
         [[door]]\nlisten = \"tcp://127.0.0.1:0\"\npolicy = \"all\"\n\
         [door.tls]\ncertificate = \"FOLDER/cert.pem\"\nkey = \"FOLDER/key.pem\"\n{more}"
    );
    text.replace("FOLDER", &folder.display().to_string())
}

fn engine(bed: &Bed) -> Recorder {
    Recorder::start(&bed.path().join("engine.sock"))
}

#[test]
fn a_client_with_a_good_certificate_is_served_and_recorded_by_its_name() {
    let bed = Bed::start(CLIENTS);
    let _engine = engine(&bed);
    let own = bed.ca.issue(Wanted::CLIENT);
    let mut client = client(&bed.client(&own), bed.address);
    for _kept in 0..2 {
        client.send(LIST);
        assert_eq!(client.reply(false).unwrap().status, 200);
    }
    let record = bed.gate.line("the call", |line| line["operation"] == "ContainerList");
    assert_eq!((&record["tls_subject"], &record["verdict"]), (&"CN=ci-7".into(), &"allow".into()), "{record}");
    assert!(bed.gate.messages().contains("TLS until 2999-01-01T00:00:00Z, clients need a certificate"), "{}", bed.gate.messages());
}

#[test]
fn clients_that_cannot_prove_who_they_are_are_refused_with_a_reason_each() {
    let bed = Bed::start(CLIENTS);
    let engine = engine(&bed);
    let (others, revoked) = (Authority::new("ours"), bed.ca.issue(Wanted { serial: 66, ..Wanted::CLIENT }));
    let stranger = others.issue(Wanted::CLIENT);
    let expired = bed.ca.issue(Wanted { valid: (2000, 2001), ..Wanted::CLIENT });
    let early = bed.ca.issue(Wanted { valid: (2998, 2999), ..Wanted::CLIENT });
    write(bed.path(), "crl.pem", &bed.ca.list(&[&revoked], 2999));
    bed.gate.signal("HUP");
    bed.event("policy-reloaded");
    for (own, reason, advice) in [
        (None, "tls-no-certificate", "cert.pem and key.pem in DOCKER_CERT_PATH"),
        (Some(&stranger), "tls-unknown-ca", "add its CA to the file"),
        (Some(&expired), "tls-expired", "renew it"),
        (Some(&early), "tls-not-yet-valid", "look at the clocks"),
        (Some(&revoked), "tls-revoked", "give the client a new one"),
    ] {
        let refused = asked(&trusting(&bed.ca, own, &[&TLS13]), bed.address).unwrap_err();
        assert!(refused.contains("alert"), "the client hears why: {refused}");
        let said = bed.said(&bed.record(reason));
        assert!(said.contains(&format!("[{reason}]")) && said.contains(advice) && said.contains("127.0.0.1:"), "{said}");
    }
    assert_eq!(engine.take().iter().filter(|request| request.starts_with(b"GET /v1.44/containers/json")).count(), 0);
}

#[test]
fn a_list_that_has_ended_lets_nobody_in() {
    let bed = Bed::start(CLIENTS);
    let _engine = engine(&bed);
    let own = bed.client(&bed.ca.issue(Wanted::CLIENT));
    assert_eq!(asked(&own, bed.address).unwrap().status, 200);
    write(bed.path(), "crl.pem", &bed.ca.list(&[], 2022));
    bed.gate.signal("HUP");
    bed.event("policy-reloaded");
    assert!(asked(&own, bed.address).is_err());
    assert!(bed.said(&bed.record("tls-revocation-unknown")).contains("a list that has not ended"));
    assert!(bed.gate.messages().contains("has ended at 2022-01-01"), "{}", bed.gate.messages());
}

#[test]
fn an_old_version_is_refused_unless_the_door_accepts_it() {
    for (more, accepted) in [("", false), ("min-version = \"1.2\"\n", true)] {
        let bed = Bed::start(&format!("{CLIENTS}{more}"));
        let _engine = engine(&bed);
        let own = bed.ca.issue(Wanted::CLIENT);
        let reply = asked(&trusting(&bed.ca, Some(&own), &[&TLS12]), bed.address);
        assert_eq!(reply.is_ok(), accepted, "{more}");
        if !accepted {
            assert!(bed.said(&bed.record("tls-version")).contains("min-version"));
        }
    }
}

#[test]
fn http_without_tls_gets_an_answer_that_people_can_read() {
    let bed = Bed::start(CLIENTS);
    let mut client = crate::support::client::Client::tcp(bed.address);
    client.send(LIST);
    let reply = client.reply(false).unwrap();
    assert_eq!((reply.status, reply.header("content-type")), (400, Some("text/plain; charset=utf-8")));
    assert!(reply.text().starts_with("Client sent an HTTP request to an HTTPS server"), "{}", reply.text());
    let record = bed.record("tls-plain-http");
    assert_eq!((&record["id"], &record["status"]), (&reply.header("dockgate-ref").unwrap().into(), &400.into()));
    assert!(bed.said(&record).contains("DOCKER_TLS_VERIFY=1"));
    let health = std::process::Command::new(env!("CARGO_BIN_EXE_dockgate"))
        .args(["healthcheck", "--socket", &format!("tcp://{}", bed.address)])
        .output()
        .unwrap();
    assert!(health.status.success() && String::from_utf8_lossy(&health.stdout).contains("it speaks TLS"), "{health:?}");
}

#[test]
fn a_handshake_that_does_not_go_on_ends_at_its_deadline_and_holds_nobody_up() {
    let bed = Bed::start(CLIENTS);
    let _engine = engine(&bed);
    let mut slow = TcpStream::connect(bed.address).unwrap();
    slow.write_all(&[0x16, 3, 1]).unwrap();
    assert_eq!(asked(&bed.client(&bed.ca.issue(Wanted::CLIENT)), bed.address).unwrap().status, 200, "others are served meanwhile");
    let _reset_counts_as_end = slow.read(&mut [0; 64]);
    bed.record("tls-timeout");
}

#[test]
fn what_is_no_tls_or_trusts_us_not_is_recorded_and_a_look_at_the_port_is_not() {
    let bed = Bed::start(CLIENTS);
    drop(TcpStream::connect(bed.address).unwrap());
    let mut noise = TcpStream::connect(bed.address).unwrap();
    noise.write_all(b"\x00\x01\x02\x03noise").unwrap();
    let _reset_counts_as_end = noise.read_to_end(&mut Vec::new());
    bed.record("tls-protocol");
    let mut half = TcpStream::connect(bed.address).unwrap();
    half.write_all(&[0x16, 3, 1]).unwrap();
    drop(half);
    bed.record("tls-broken-off");
    let refused = asked(&trusting(&Authority::new("another"), None, ALL_VERSIONS), bed.address).unwrap_err();
    assert!(refused.contains("UnknownIssuer"), "{refused}");
    assert!(bed.said(&bed.record("tls-not-trusted")).contains("ca.pem"));
    assert_eq!(bed.gate.stop().values().filter(|record| record["reason"].as_str().is_some_and(|code| code.starts_with("tls-"))).count(), 3);
}

#[test]
fn a_door_may_ask_for_no_certificate() {
    let bed = Bed::start("any-client = \"i-know\"\n");
    let _engine = engine(&bed);
    assert_eq!(asked(&trusting(&bed.ca, None, &[&TLS13]), bed.address).unwrap().status, 200);
    let record = bed.gate.line("the call", |line| line["operation"] == "ContainerList");
    assert_eq!(record["tls_subject"], Value::Null);
}

#[test]
fn certificates_and_cas_are_taken_anew_without_dropping_who_is_connected() {
    let bed = Bed::start(CLIENTS);
    let _engine = engine(&bed);
    let old = bed.client(&bed.ca.issue(Wanted::CLIENT));
    let mut kept = client(&old, bed.address);
    kept.send(LIST);
    assert_eq!(kept.reply(false).unwrap().status, 200);

    let next = Authority::new("next");
    put(bed.path(), &next.issue(Wanted::SERVER));
    write(bed.path(), "ca.pem", &next.pem());
    write(bed.path(), "crl.pem", &next.list(&[], 2999));
    let reloaded = bed.event("policy-reloaded");
    assert_eq!(
        (&reloaded["detail"]["cause"], &reloaded["detail"]["tls"]),
        (&"file".into(), &serde_json::json!(["tcp://127.0.0.1:0"])),
        "{reloaded}"
    );

    kept.send(LIST);
    assert_eq!(kept.reply(false).unwrap().status, 200, "who is connected stays connected");
    let both = next.issue(Wanted::CLIENT);
    assert_eq!(asked(&trusting(&next, Some(&both), &[&TLS13]), bed.address).unwrap().status, 200, "the new certificate and CA hold");
    assert!(asked(&old, bed.address).unwrap_err().contains("UnknownIssuer"), "the door shows its new certificate");
    let of_old = bed.ca.issue(Wanted::CLIENT);
    assert!(asked(&trusting(&next, Some(&of_old), &[&TLS13]), bed.address).unwrap_err().contains("alert"));
    bed.record("tls-unknown-ca");
}

#[test]
fn a_file_that_is_broken_keeps_what_was_there_and_says_so() {
    let bed = Bed::start(CLIENTS);
    let _engine = engine(&bed);
    let own = bed.client(&bed.ca.issue(Wanted::CLIENT));
    write(bed.path(), "key.pem", "-----BEGIN PRIVATE KEY-----\nhalf");
    bed.gate.signal("HUP");
    let rejected = bed.event("policy-rejected");
    assert!(rejected["detail"]["first"].as_str().unwrap().contains("key.pem` holds no private key"), "{rejected}");
    assert_eq!(asked(&own, bed.address).unwrap().status, 200);
    assert!(bed.gate.messages().contains("error[bad-tls-file]"), "{}", bed.gate.messages());
}

#[test]
fn other_names_of_files_hold_at_once() {
    let bed = Bed::start(CLIENTS);
    let _engine = engine(&bed);
    let next = Authority::new("next");
    write(bed.path(), "next.pem", &next.pem());
    write(
        bed.path(),
        "dockgate.toml",
        &with_trail(bed.path(), &config(bed.path(), "head-timeout = \"700ms\"\n", "client-ca = \"FOLDER/next.pem\"\n")),
    );
    bed.gate.signal("HUP");
    let reloaded = bed.event("policy-reloaded");
    assert_eq!(reloaded["detail"]["tls"][0], "tcp://127.0.0.1:0", "{reloaded}");
    assert_eq!(reloaded["detail"]["needs-restart"].as_array().map_or(0, Vec::len), 0, "{reloaded}");
    let own = next.issue(Wanted::CLIENT);
    assert_eq!(asked(&trusting(&bed.ca, Some(&own), &[&TLS13]), bed.address).unwrap().status, 200);
}

#[test]
fn a_connection_too_many_is_closed_without_a_handshake_and_recorded() {
    let bed = Bed::with("connections = 1\n", CLIENTS);
    let _engine = engine(&bed);
    let own = bed.client(&bed.ca.issue(Wanted::CLIENT));
    // the connection that asked whether the gate is up may still have the only place
    let mut only = bed.gate.until("a place", || {
        let mut client = client(&own, bed.address);
        client.send(LIST);
        client.reply(false).map(|reply| (reply.status, client))
    });
    assert_eq!(only.0, 200);
    assert!(asked(&own, bed.address).is_err());
    only.1.send(LIST);
    assert_eq!(only.1.reply(false).unwrap().status, 200);
    assert_eq!(bed.record("overload")["status"], Value::Null, "nothing was answered");
}

/// An engine that opens one tunnel, reads it to its end, and then says what it has read.
fn late_echo(path: PathBuf) -> thread::JoinHandle<Vec<u8>> {
    let listener = UnixListener::bind(path).unwrap();
    thread::spawn(move || {
        let mut tunnel = listener.incoming().map(Result::unwrap).find_map(upgraded).unwrap();
        let mut read = Vec::new();
        let _reset_counts_as_end = tunnel.read_to_end(&mut read);
        let _client_gone = tunnel.write_all(&[b"late ", read.as_slice()].concat());
        read
    })
}

/// The stream, where it asked to be a tunnel; anything else is not found.
fn upgraded(mut stream: UnixStream) -> Option<UnixStream> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    let tunnel = String::from_utf8_lossy(&head).contains("upgrade: tcp");
    let reply: &[u8] = if tunnel {
        b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\nearly "
    } else {
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"
    };
    stream.write_all(reply).ok()?;
    tunnel.then_some(stream)
}

#[test]
fn a_tunnel_goes_both_ways_and_each_way_ends_on_its_own() {
    let bed = Bed::start(CLIENTS);
    let engine = late_echo(bed.path().join("engine.sock"));
    let mut stream = connected(&bed.client(&bed.ca.issue(Wanted::CLIENT)), bed.address);
    stream.write_all(&[ATTACH, b"stdin"].concat()).unwrap();
    let mut seen = Vec::new();
    while !seen.ends_with(b"early ") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        seen.push(byte[0]);
    }
    assert!(seen.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&seen));
    stream.write_all(b" and more").unwrap();
    stream.conn.send_close_notify();
    stream.flush().unwrap();
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).expect("the door ends its side with a close_notify");
    assert_eq!(String::from_utf8_lossy(&rest), "late stdin and more");
    assert_eq!(engine.join().unwrap(), b"stdin and more");
    let end = bed.gate.line("the end", |line| line["stage"] == "end");
    assert_eq!((&end["ended"], &end["tls_subject"]), (&"complete".into(), &"CN=ci-7".into()), "{end}");
}

#[test]
fn a_client_that_vanishes_from_a_tunnel_is_noticed() {
    let bed = Bed::start(CLIENTS);
    let engine = late_echo(bed.path().join("engine.sock"));
    let mut stream = connected(&bed.client(&bed.ca.issue(Wanted::CLIENT)), bed.address);
    stream.write_all(ATTACH).unwrap();
    bed.gate.line("the start", |line| line["stage"] == "start");
    drop(stream.sock); // without a close_notify
    let end = bed.gate.line("the end", |line| line["stage"] == "end");
    assert_eq!(end["ended"], "client-gone", "{end}");
    assert_eq!(engine.join().unwrap(), b"");
}
