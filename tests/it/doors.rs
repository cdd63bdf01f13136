//! Doors that know who asks, and doors with limits: the real binary, with clients that are other users.
//! Knows nothing of containers; those need an engine.

use std::io::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use dockgate::config::{self, Config};
use dockgate::proxy::serve::Server;
use dockgate::proxy::upstream::{Address, Upstream};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::client::{Client, Reply};
use crate::support::engine::Recorder;
use crate::support::gate::Gate;
use crate::support::report;

const LIST: &[u8] = b"GET /v1.44/containers/json HTTP/1.1\r\nHost: docker\r\n\r\n";
const PING: &[u8] = b"GET /_ping HTTP/1.1\r\nHost: docker\r\n\r\n";

/// A folder that other users may pass through, with an engine in it.
fn folder() -> (TempDir, Recorder) {
    let folder = crate::support::folder();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o711)).unwrap();
    let engine = Recorder::start(&folder.path().join("engine.sock"));
    (folder, engine)
}

fn door(folder: &Path, name: &str) -> PathBuf {
    folder.join(name).join("docker.sock")
}

/// A door that everybody of this machine may connect to; `rest` are its policy, clients and limits.
fn open_door(folder: &Path, name: &str, rest: &str) -> String {
    format!("[[door]]\nlisten = \"unix://{}\"\nmode = \"0666\"\n{rest}\n", door(folder, name).display())
}

fn start(folder: &Path, doors: &str, names: &[&str]) -> Gate {
    let text = format!("version = 1\n[upstream]\nurl = \"unix://{}\"\n{doors}", folder.join("engine.sock").display());
    let doors: Vec<PathBuf> = names.iter().map(|name| door(folder, name)).collect();
    Gate::start(folder, &text, &doors)
}

/// True where this test can have clients that are other users; says so where not.
fn can_be_others() -> bool {
    let root = Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout == b"0\n");
    let programs = ["setpriv", "curl"].iter().all(|program| Command::new(program).arg("--version").output().is_ok());
    if !(root && programs) {
        report("SKIPPED: clients of other users need root, setpriv and curl");
    }
    root && programs
}

/// Lists containers as another user; the status, and the body where it is a message.
fn list_as(uid: u32, gid: u32, groups: &str, door: &Path) -> (u16, String) {
    let others = if groups.is_empty() { "--clear-groups".to_owned() } else { format!("--groups={groups}") };
    let output = Command::new("setpriv")
        .args([&format!("--reuid={uid}"), &format!("--regid={gid}"), &others, "curl", "--silent", "--max-time", "20"])
        .args(["--write-out", "\n%{http_code}", "--unix-socket", door.to_str().unwrap(), "http://docker/v1.44/containers/json"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let (body, status) = text.rsplit_once('\n').unwrap();
    (status.parse().unwrap(), body.to_owned())
}

fn record<'r>(records: impl IntoIterator<Item = &'r Value>, fits: impl Fn(&Value) -> bool) -> &'r Value {
    records.into_iter().find(|record| fits(record)).expect("a record of it")
}

#[test]
fn two_users_have_different_rights_on_one_door() {
    if !can_be_others() {
        return;
    }
    let (folder, _engine) = folder();
    let clients = "policy = \"ping\"\n[[door.client]]\nuid = [4001, 4003]\ngid = 5001\npolicy = \"read-only\"\n[[door.client]]\nuid = 4002\npolicy = \"shut\"\n";
    let doors = open_door(folder.path(), "a", clients) + "[policy.shut]\nallow = [\"SystemVersion\"]\n";
    let gate = start(folder.path(), &doors, &["a"]);
    let door = door(folder.path(), "a");
    assert_eq!(list_as(4001, 5001, "", &door).0, 200);
    let (status, message) = list_as(4002, 5001, "", &door);
    assert!(status == 403 && message.contains("policy `shut`"), "{status} {message}");
    let (status, message) = list_as(4001, 5002, "5001", &door);
    assert!(status == 403 && message.contains("policy `ping`"), "a supplementary group is no `gid`: {status} {message}");
    let (status, message) = list_as(65534, 5001, "", &door);
    assert!(status == 403 && message.contains("policy `ping`"), "{status} {message}");
    let records = gate.stop();
    let of = |uid: u32, gid: u32| record(records.values(), |record| record["uid"] == uid && record["gid"] == gid);
    let place = |line: usize| Value::from(format!("{}:{line}", folder.path().join("dockgate.toml").display()));
    let first = of(4001, 5001);
    assert_eq!((&first["policy"], &first["client"], &first["verdict"]), (&"read-only".into(), &place(8), &"allow".into()), "{first}");
    let second = of(4002, 5001);
    assert_eq!((&second["policy"], &second["client"], &second["verdict"]), (&"shut".into(), &place(12), &"deny".into()), "{second}");
    let third = of(4001, 5002);
    assert_eq!((&third["policy"], third.get("client")), (&"ping".into(), None), "{third}");
}

#[test]
fn a_group_is_matched_whether_primary_or_supplementary() {
    if !can_be_others() {
        return;
    }
    let (folder, _engine) = folder();
    let doors = open_door(folder.path(), "a", "policy = \"ping\"\n[[door.client]]\ngroup = 5001\npolicy = \"read-only\"\n");
    let _gate = start(folder.path(), &doors, &["a"]);
    let door = door(folder.path(), "a");
    for (gid, groups, expected) in [(5001, "", 200), (5002, "4,5001,27", 200), (5002, "4,27", 403), (5002, "", 403)] {
        assert_eq!(list_as(4001, gid, groups, &door).0, expected, "{gid} {groups}");
    }
}

#[test]
fn a_door_without_a_policy_refuses_whom_no_entry_means() {
    let (folder, engine) = folder();
    // nobody has this group: the tests' own user is a stranger
    let doors = open_door(folder.path(), "a", "[[door.client]]\ngroup = 3999999999\npolicy = \"read-only\"\n");
    let gate = start(folder.path(), &doors, &["a"]);
    engine.take();
    let mut client = Client::unix(&door(folder.path(), "a"));
    client.send(LIST);
    let reply = client.reply(false).unwrap();
    assert!(reply.status == 403 && reply.text().contains("[unknown-client]: this client is not served here"), "{}", reply.text());
    assert!(!reply.text().contains("read-only") && !reply.text().contains("3999999999"), "{}", reply.text());
    client.send(PING);
    assert_eq!(client.reply(false).unwrap().status, 403, "the connection goes on, and so does the refusal");
    assert!(engine.take().is_empty());
    let records = gate.stop();
    let record = record(records.values(), |record| record["path"] == "/containers/json");
    let members = ["verdict", "reason", "policy", "ended"].map(|name| record[name].as_str().unwrap_or_default());
    assert_eq!(members, ["refuse", "unknown-client", "(none)", "refused"], "{record}");
}

#[test]
fn addresses_of_a_tcp_door_choose_the_policy() {
    let (folder, _engine) = folder();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let tcp = format!(
        "[[door]]\nlisten = \"tcp://127.0.0.1:{port}\"\npolicy = \"ping\"\n[[door.client]]\nfrom = [\"127.0.0.2/32\", \"10.0.0.0/8\"]\npolicy = \"read-only\"\n"
    );
    let doors = open_door(folder.path(), "a", "policy = \"ping\"") + &tcp;
    let gate = start(folder.path(), &doors, &["a"]);
    assert!(gate.messages().contains("[advisory]"), "{}", gate.messages());
    for (from, expected) in [("127.0.0.2", 200), ("127.0.0.1", 403)] {
        let mut client = client_from(from, port);
        client.send(LIST);
        assert_eq!(client.reply(false).unwrap().status, expected, "{from}");
    }
    let records = gate.stop();
    let served = record(records.values(), |record| record["status"] == 200 && record["policy"] == "read-only");
    assert!(served["address"].as_str().unwrap().starts_with("127.0.0.2:") && served["client"].is_string(), "{served}");
}

/// A client at an address of this machine.
fn client_from(address: &str, port: u16) -> Client {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    let own: SocketAddr = format!("{address}:0").parse().unwrap();
    let door: SocketAddr = format!("127.0.0.1:{port}").parse().unwrap();
    socket.bind(&own.into()).unwrap();
    socket.connect(&door.into()).unwrap();
    Client::of_tcp(socket.into())
}

#[test]
fn other_entries_hold_for_the_next_request_of_a_connection_that_is_kept() {
    let folder = crate::support::folder();
    let engine = Recorder::start(&folder.path().join("engine.sock"));
    let own = rustix::process::geteuid().as_raw();
    let with = |uid: u32| format!("[[door.client]]\nuid = {uid}\npolicy = \"read-only\"\n");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (other, mine) = (configured(folder.path(), &with(own + 1)), configured(folder.path(), &with(own)));
    let trail = crate::support::trail(&folder.path().join("trail.jsonl"));
    let upstream = Upstream::new(Address::Unix(engine.path().to_owned()));
    let server = runtime.block_on(async { Server::bind(&other, upstream, trail).unwrap() });
    let policies = server.policies(&other);
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let running = std::thread::spawn(move || runtime.block_on(server.run(async move { stopped.await.unwrap_or_default() })));
    let mut client = Client::unix(&door(folder.path(), "a"));
    let mut status = || {
        client.send(LIST);
        client.reply(false).unwrap().status
    };
    assert_eq!(status(), 403);
    let changes = policies.swap(&mine).unwrap();
    assert!(changes.clients.len() == 1 && changes.doors.is_empty() && changes.policies.is_empty(), "{changes:?}");
    assert_eq!(status(), 200);
    assert!(policies.swap(&mine).unwrap().is_empty());
    policies.swap(&configured(folder.path(), "")).unwrap();
    assert_eq!(status(), 403);
    drop((stop, client));
    running.join().unwrap();
}

/// A configuration with one door and these clients.
fn configured(folder: &Path, clients: &str) -> Config {
    let text = format!("version = 1\n{}", open_door(folder, "a", &format!("policy = \"ping\"\n{clients}")));
    let loaded = config::load("test.toml", &text);
    loaded.config.unwrap_or_else(|| panic!("{:?}", loaded.diagnostics))
}

/// A gate with one unrestricted door that has these limits.
fn limited(limits: &str) -> (TempDir, Recorder, Gate, PathBuf) {
    let (folder, engine) = folder();
    let doors = open_door(folder.path(), "a", &format!("policy = \"unrestricted\"\n[door.limits]\n{limits}"))
        + &open_door(folder.path(), "b", "policy = \"unrestricted\"");
    // the gate's own first look goes to the other door
    let gate = start(folder.path(), &doors, &["b"]);
    let door = door(folder.path(), "a");
    (folder, engine, gate, door)
}

fn refused(reply: Option<Reply>, status: u16, code: &str) {
    let reply = reply.expect("a reply");
    assert!(reply.status == status && reply.text().contains(&format!("[{code}]")), "{} {}", reply.status, reply.text());
    let wait = reply.header("retry-after");
    assert_eq!(wait, (status == 429).then_some("1"));
}

fn one_refused(gate: Gate, reason: &str, status: u16, verdict: &str) -> Value {
    let records = gate.stop();
    let record = record(records.values(), |record| record["reason"] == reason);
    assert_eq!((&record["status"], &record["verdict"], &record["ended"]), (&status.into(), &verdict.into(), &"refused".into()), "{record}");
    assert!(record["door"].as_str().unwrap().ends_with("/a/docker.sock"), "{record}");
    record.clone()
}

#[test]
fn a_connection_too_many_is_refused_and_a_closed_one_makes_place() {
    let (_folder, _engine, gate, door) = limited("connections = 2");
    let mut held: Vec<Client> = (0..2).map(|_| Client::unix(&door)).collect();
    for client in &mut held {
        client.send(PING);
        assert_eq!(client.reply(false).unwrap().status, 200);
    }
    refused(Client::unix(&door).reply(false), 503, "door-connections");
    held.pop();
    gate.until("the place is free", || {
        let mut client = Client::unix(&door);
        client.send(PING);
        (client.reply(false)?.status == 200).then_some(())
    });
    drop(held);
    one_refused(gate, "door-connections", 503, "refuse");
}

#[test]
fn requests_beyond_the_rate_are_refused_and_the_connection_goes_on() {
    let (_folder, engine, gate, door) = limited("requests-per-second = 1");
    engine.take();
    let mut client = Client::unix(&door);
    client.send(&LIST.repeat(20));
    let replies: Vec<Reply> = (0..20).map(|_| client.reply(false).unwrap()).collect();
    let served = replies.iter().filter(|reply| reply.status == 200).count();
    assert!((1..10).contains(&served), "{served} of 20 at once");
    assert_eq!(engine.take().len(), served);
    refused(replies.into_iter().find(|reply| reply.status != 200), 429, "request-rate");
    one_refused(gate, "request-rate", 429, "refuse");
}

#[test]
fn a_change_too_many_is_refused_while_reads_go_on() {
    let (_folder, engine, gate, door) = limited("changes = 1");
    let load: &[u8] = b"POST /v1.44/images/load HTTP/1.1\r\nHost: docker\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n";
    let delete = b"DELETE /v1.44/images/x HTTP/1.1\r\nHost: docker\r\n\r\n";
    let mut slow = Client::unix(&door);
    slow.send(load);
    gate.until("the change is under way", || engine.take().iter().any(|seen| seen.starts_with(b"POST")).then_some(()));
    let mut other = Client::unix(&door);
    other.send(delete);
    refused(other.reply(false), 429, "concurrent-changes");
    other.send(LIST);
    assert_eq!(other.reply(false).unwrap().status, 200);
    slow.send(b"0\r\n\r\n");
    assert_eq!(slow.reply(false).unwrap().status, 200);
    gate.until("the place is free", || {
        other.send(delete);
        (other.reply(false)?.status == 200).then_some(())
    });
    let record = one_refused(gate, "concurrent-changes", 429, "refuse");
    assert_eq!(record["stage"], "single", "nothing was to be done, so there is no intent: {record}");
}

#[test]
fn a_tunnel_is_no_change() {
    let (_folder, _engine, gate, door) = limited("changes = 1");
    let attach = b"POST /v1.44/containers/abc/attach?stream=1&stdin=1&stdout=1 HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n";
    let mut tunnels: Vec<Client> = (0..3).map(|_| Client::unix(&door)).collect();
    for tunnel in &mut tunnels {
        tunnel.send(attach);
        assert_eq!(tunnel.reply(true).unwrap().status, 101);
    }
    let mut client = Client::unix(&door);
    client.send(b"DELETE /v1.44/images/x HTTP/1.1\r\nHost: docker\r\n\r\n");
    assert_eq!(client.reply(false).unwrap().status, 200);
    drop((tunnels, client, gate));
}

#[test]
fn a_json_body_beyond_the_doors_limit_is_refused() {
    let (_folder, _engine, gate, door) = limited("max-json-body = \"1KiB\"");
    let body = format!(r#"{{"Image":"alpine","Labels":{{"a":"{}"}}}}"#, "x".repeat(2000));
    let head = format!(
        "POST /v1.44/containers/create HTTP/1.1\r\nHost: docker\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    for (door, status) in [(door.clone(), 413), (door.parent().unwrap().parent().unwrap().join("b/docker.sock"), 201)] {
        let mut client = Client::unix(&door);
        client.send(head.as_bytes());
        client.send(body.as_bytes());
        assert_eq!(client.reply(false).unwrap().status, status, "{}", door.display());
    }
    one_refused(gate, "body-too-large", 413, "refuse");
}

#[test]
fn an_upload_that_says_that_it_is_too_large_never_begins() {
    let (_folder, engine, gate, door) = limited("max-upload = \"1KiB\"");
    engine.take();
    let mut client = Client::unix(&door);
    client.send(b"POST /v1.44/images/load HTTP/1.1\r\nHost: docker\r\nContent-Length: 1025\r\n\r\n");
    refused(client.reply(false), 413, "upload-too-large");
    assert!(engine.take().is_empty());
    let record = one_refused(gate, "upload-too-large", 413, "refuse");
    assert_eq!(record["stage"], "single", "{record}");
}

#[test]
fn an_upload_that_grows_too_large_is_cut_off_and_the_record_says_so() {
    let (_folder, engine, gate, door) = limited("max-upload = \"1KiB\"");
    engine.take();
    let mut client = Client::unix(&door);
    client.send(b"POST /v1.44/images/load HTTP/1.1\r\nHost: docker\r\nTransfer-Encoding: chunked\r\n\r\n");
    for _ in 0..2 {
        client.send(format!("200\r\n{}\r\n", "x".repeat(0x200)).as_bytes());
    }
    gate.until("all that is allowed is there", || engine.take().iter().any(|seen| seen.ends_with(b"x\r\n")).then_some(()));
    client.send(b"1\r\nx\r\n");
    refused(client.reply(false), 413, "upload-too-large");
    let record = one_refused(gate, "upload-too-large", 413, "allow");
    assert_eq!((&record["stage"], &record["body"]["bytes"]), (&"outcome".into(), &1024.into()), "{record}");
    assert!(record["body"]["sha256"].is_null(), "a body that was cut has no digest: {record}");
    assert!(!engine.take().iter().any(|seen| seen.ends_with(b"0\r\n\r\n")), "the engine was told an end");
}

#[test]
fn heads_and_bodies_must_come_within_the_doors_times() {
    for (limits, sent, code) in [
        ("head-timeout = \"50ms\"", "GET /_ping HTTP/1.1\r\n", "head-timeout"),
        (
            "body-timeout = \"50ms\"",
            "POST /v1.44/containers/create HTTP/1.1\r\nHost: docker\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{",
            "body-timeout",
        ),
    ] {
        let (_folder, _engine, gate, door) = limited(limits);
        let mut client = Client::unix(&door);
        client.send(sent.as_bytes());
        refused(client.reply(false), 408, code);
        one_refused(gate, code, 408, "refuse");
    }
}

#[test]
fn limits_of_a_door_need_a_restart_and_a_reload_says_so() {
    let (folder, _engine) = folder();
    let text = |limits: &str| open_door(folder.path(), "a", &format!("policy = \"ping\"\n{limits}"));
    let gate = start(folder.path(), &text("[door.limits]\nchanges = 1\n"), &["a"]);
    let file = folder.path().join("dockgate.toml");
    let changed = std::fs::read_to_string(&file).unwrap().replace("changes = 1", "changes = 2");
    std::fs::File::create(&file).unwrap().write_all(changed.as_bytes()).unwrap();
    gate.signal("HUP");
    let event = gate.line("the reload", |line| line["event"] == "policy-reloaded");
    assert!(event["detail"]["needs-restart"][0].as_str().unwrap().ends_with("has another limits"), "{event}");
}
