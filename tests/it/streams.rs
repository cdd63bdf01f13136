//! Streams and tunnels through the gate, in process, with a scripted engine: no sleeps, every wait is for a byte or an end.

use std::path::PathBuf;
use std::time::Duration;

use dockgate::config;
use dockgate::proxy::serve::Server;
use dockgate::proxy::upstream::{Address, Upstream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// A gate in a folder of its own: `door.sock` in front of `engine.sock`, the trail in `trail.jsonl`.
struct Gate {
    folder: tempfile::TempDir,
    stop: Option<oneshot::Sender<()>>,
    running: JoinHandle<()>,
}

const POLICY: &str = "[policy.all]\nextends = [\"unrestricted\"]\n";

impl Gate {
    fn start(limits: &str) -> Self {
        Self::with(POLICY, limits)
    }

    fn with(policy: &str, limits: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let door = folder.path().join("doors/door.sock");
        let text =
            format!("version = 1\n[[door]]\nlisten = \"unix://{}\"\npolicy = \"all\"\n{policy}\n[limits]\n{limits}\n", door.display());
        let loaded = config::load("test.toml", &text);
        let config = loaded.config.unwrap_or_else(|| panic!("{:?}", loaded.diagnostics));
        let upstream = Upstream::new(Address::Unix(folder.path().join("engine.sock")));
        let trail = crate::support::trail(&folder.path().join("trail.jsonl"));
        let server = Server::bind(&config, upstream, trail).unwrap();
        let (stop, stopped) = oneshot::channel();
        let running = tokio::spawn(server.run(async move {
            let _told_or_dropped = stopped.await;
        }));
        Self { folder, stop: Some(stop), running }
    }

    fn engine_path(&self) -> PathBuf {
        self.folder.path().join("engine.sock")
    }

    fn engine(&self) -> UnixListener {
        let _left_over = std::fs::remove_file(self.engine_path());
        UnixListener::bind(self.engine_path()).unwrap()
    }

    async fn client(&self) -> UnixStream {
        UnixStream::connect(self.folder.path().join("doors/door.sock")).await.unwrap()
    }

    /// Stops the gate and returns the records of the trail.
    async fn records(mut self) -> Vec<serde_json::Value> {
        self.stop.take();
        within(&mut self.running).await.unwrap();
        let text = std::fs::read_to_string(self.folder.path().join("trail.jsonl")).unwrap();
        text.lines().map(crate::support::schema::record).filter(|line| line["stage"] != "event").collect()
    }
}

/// A bound for a test that would hang, never a wait by itself.
async fn within<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(20), future).await.expect("this takes too long")
}

async fn read_head(stream: &mut UnixStream) -> (String, Vec<u8>) {
    let mut bytes = Vec::new();
    loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let rest = bytes.split_off(at + 4);
            return (String::from_utf8(bytes).unwrap(), rest);
        }
        assert!(within(stream.read_buf(&mut bytes)).await.unwrap() > 0, "ended inside a head: {:?}", String::from_utf8_lossy(&bytes));
    }
}

async fn read_to_end(stream: &mut UnixStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    let _reset_counts_as_end = within(stream.read_to_end(&mut bytes)).await;
    bytes
}

async fn read_exact(stream: &mut UnixStream, mut have: Vec<u8>, want: &[u8]) {
    while have.len() < want.len() {
        assert!(within(stream.read_buf(&mut have)).await.unwrap() > 0, "ended early: {:?}", String::from_utf8_lossy(&have));
    }
    assert_eq!(String::from_utf8_lossy(&have), String::from_utf8_lossy(want));
}

const ATTACH: &str = "POST /v1.44/containers/abc/attach?stream=1&stdin=1&stdout=1 HTTP/1.1\r\nHost: docker\r\n";
const UPGRADED: &[u8] =
    b"HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\nearly";

#[tokio::test]
async fn a_tunnel_keeps_early_bytes_on_both_sides_and_passes_half_close_both_ways() {
    let gate = Gate::start("");
    let listener = gate.engine();
    let mut client = gate.client().await;
    client.write_all(format!("{ATTACH}Connection: Upgrade\r\nUpgrade: tcp\r\n\r\nstdin").as_bytes()).await.unwrap();
    let (mut engine, _) = within(listener.accept()).await.unwrap();
    let (head, rest) = read_head(&mut engine).await;
    assert!(head.starts_with("POST /v1.44/containers/abc/attach?stdin=1&stdout=1&stream=1 HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("upgrade: tcp\r\n"), "{head}");
    engine.write_all(UPGRADED).await.unwrap();
    read_exact(&mut engine, rest, b"stdin").await;
    let (head, rest) = read_head(&mut client).await;
    assert!(head.starts_with("HTTP/1.1 101 ") && head.contains("Upgrade: tcp\r\n") && head.contains("Dockgate-Ref: "), "{head}");
    read_exact(&mut client, rest, b"early").await;

    client.shutdown().await.unwrap();
    assert_eq!(read_to_end(&mut engine).await, b"", "the engine sees the client's half-close");
    engine.write_all(b"late").await.unwrap();
    drop(engine);
    assert_eq!(read_to_end(&mut client).await, b"late", "output after the end of stdin is delivered");

    let records = gate.records().await;
    assert_eq!(records[0]["stage"], "intent");
    assert_eq!((&records[1]["stage"], &records[1]["status"], &records[1]["ended"]), (&"start".into(), &101.into(), &().into()));
    assert!(records[1]["upstream_us"].is_u64(), "{}", records[1]);
    assert_eq!((&records[2]["stage"], &records[2]["ended"]), (&"end".into(), &"complete".into()));
    assert_eq!((&records[2]["bytes_in"], &records[2]["bytes_out"]), (&5.into(), &9.into()));
    assert!(records.iter().all(|record| record["id"] == records[0]["id"]));
}

#[tokio::test]
async fn a_client_without_upgrade_gets_the_raw_stream_that_it_expects() {
    let gate = Gate::start("");
    let listener = gate.engine();
    let mut client = gate.client().await;
    client.write_all(format!("{ATTACH}\r\n").as_bytes()).await.unwrap();
    let (mut engine, _) = within(listener.accept()).await.unwrap();
    let (head, rest) = read_head(&mut engine).await;
    assert!(head.contains("upgrade: tcp\r\n"), "the engine is always asked to upgrade: {head}");
    engine.write_all(UPGRADED).await.unwrap();
    let (reply, early) = read_head(&mut client).await;
    assert!(reply.starts_with("HTTP/1.1 200 OK\r\n") && reply.contains("application/vnd.docker.raw-stream"), "{reply}");
    assert!(!reply.to_lowercase().contains("upgrade") && !reply.to_lowercase().contains("content-length"), "{reply}");
    read_exact(&mut client, early, b"early").await;
    client.write_all(b"hi").await.unwrap();
    read_exact(&mut engine, rest, b"hi").await;
    drop(engine);
    assert_eq!(read_to_end(&mut client).await, b"");
}

#[tokio::test]
async fn an_engine_that_refuses_a_tunnel_is_relayed_as_it_answered() {
    let gate = Gate::start("");
    let listener = gate.engine();
    let mut client = gate.client().await;
    client.write_all(format!("{ATTACH}Connection: Upgrade\r\nUpgrade: tcp\r\n\r\n").as_bytes()).await.unwrap();
    let (mut engine, _) = within(listener.accept()).await.unwrap();
    read_head(&mut engine).await;
    engine.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\n\r\n{\"message\":\"No such container\"}").await.unwrap();
    drop(engine);
    let (head, mut rest) = read_head(&mut client).await;
    rest.extend(read_to_end(&mut client).await);
    assert!(head.starts_with("HTTP/1.1 404 "), "{head}");
    assert!(String::from_utf8_lossy(&rest).contains("No such container"));
}

#[tokio::test]
async fn a_resize_passes_while_the_tunnel_is_open() {
    let gate = Gate::start("");
    let listener = gate.engine();
    let (mut client, mut second) = (gate.client().await, gate.client().await);
    client.write_all(format!("{ATTACH}Connection: Upgrade\r\nUpgrade: tcp\r\n\r\n").as_bytes()).await.unwrap();
    let (mut engine, _) = within(listener.accept()).await.unwrap();
    read_head(&mut engine).await;
    engine.write_all(UPGRADED).await.unwrap();
    read_head(&mut client).await;
    second.write_all(b"POST /v1.44/containers/abc/resize?h=40&w=120 HTTP/1.1\r\nHost: d\r\n\r\n").await.unwrap();
    let (mut other, _) = within(listener.accept()).await.unwrap();
    assert!(read_head(&mut other).await.0.starts_with("POST /v1.44/containers/abc/resize?h=40&w=120 "));
    other.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await.unwrap();
    assert!(read_head(&mut second).await.0.starts_with("HTTP/1.1 200 OK"));
}

#[tokio::test]
async fn a_silent_tunnel_ends_when_its_client_has_gone_and_stays_when_it_has_only_ended_its_side() {
    let gate = Gate::start("");
    let listener = gate.engine();
    let mut client = gate.client().await;
    client.write_all(format!("{ATTACH}Connection: Upgrade\r\nUpgrade: tcp\r\n\r\n").as_bytes()).await.unwrap();
    let (mut engine, _) = within(listener.accept()).await.unwrap();
    read_head(&mut engine).await;
    engine.write_all(UPGRADED).await.unwrap();
    read_head(&mut client).await;
    client.shutdown().await.unwrap();
    assert_eq!(within(engine.read(&mut [0; 1])).await.unwrap(), 0);
    engine.write_all(b"still there").await.unwrap();
    let mut seen = [0; 11];
    within(client.read_exact(&mut seen)).await.unwrap();
    drop(client);
    let writes_fail = async {
        while engine.write_all(b"").await.is_ok()
            && engine.ready(tokio::io::Interest::WRITABLE).await.is_ok_and(|ready| !ready.is_write_closed())
        {
            tokio::task::yield_now().await
        }
    };
    within(writes_fail).await;
    assert_eq!(gate.records().await.last().unwrap()["ended"], "client-gone");
}

const EVENTS: &[u8] = b"GET /v1.44/events HTTP/1.1\r\nHost: docker\r\n\r\n";
const STREAM: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";

async fn open_events(gate: &Gate, listener: &UnixListener) -> (UnixStream, UnixStream) {
    let mut client = gate.client().await;
    client.write_all(EVENTS).await.unwrap();
    let (mut engine, _) = within(listener.accept()).await.unwrap();
    read_head(&mut engine).await;
    engine.write_all(STREAM).await.unwrap();
    let (head, _) = read_head(&mut client).await;
    assert!(head.contains("Transfer-Encoding: chunked"), "headers come at once, before any event: {head}");
    (client, engine)
}

#[tokio::test]
async fn a_stream_is_flushed_piece_by_piece() {
    let gate = Gate::start("");
    let listener = gate.engine();
    let (mut client, mut engine) = open_events(&gate, &listener).await;
    for n in 0..3 {
        engine.write_all(format!("5\r\npart{n}\r\n").as_bytes()).await.unwrap();
        read_exact(&mut client, Vec::new(), format!("5\r\npart{n}\r\n").as_bytes()).await;
    }
}

#[tokio::test]
async fn a_client_that_vanishes_ends_the_stream_at_the_engine() {
    let gate = Gate::start("");
    let listener = gate.engine();
    let (client, mut engine) = open_events(&gate, &listener).await;
    drop(client);
    assert_eq!(read_to_end(&mut engine).await, b"");
    let records = gate.records().await;
    assert_eq!(records.last().unwrap()["ended"], "client-gone");
    let stages: Vec<&str> = records.iter().map(|record| record["stage"].as_str().unwrap()).collect();
    assert_eq!(stages, ["intent", "start", "end"]);
}

#[tokio::test]
async fn an_engine_that_vanishes_cuts_the_stream_and_never_ends_it_well() {
    let gate = Gate::start("");
    let listener = gate.engine();
    let (mut client, mut engine) = open_events(&gate, &listener).await;
    engine.write_all(b"4\r\nhalf\r\n").await.unwrap();
    drop(engine);
    assert_eq!(read_to_end(&mut client).await, b"4\r\nhalf\r\n", "no last chunk");
    assert_eq!(gate.records().await.last().unwrap()["ended"], "upstream-gone");
}

#[tokio::test]
async fn a_stop_with_an_open_event_stream_returns_at_once() {
    let gate = Gate::start("drain-timeout = \"60s\"");
    let listener = gate.engine();
    let (mut client, _engine) = open_events(&gate, &listener).await;
    let door = gate.folder.path().join("doors/door.sock");
    assert!(door.exists());
    let folder = gate.folder.path().to_owned();
    let records = gate.records().await;
    assert_eq!(records.last().unwrap()["ended"], "drained");
    assert!(!folder.join("doors/door.sock").exists());
    assert_eq!(read_to_end(&mut client).await, b"");
}

#[tokio::test]
async fn a_stop_lets_an_open_change_finish() {
    let mut gate = Gate::start("drain-timeout = \"15s\"");
    let listener = gate.engine();
    let mut client = gate.client().await;
    client.write_all(b"POST /v1.44/containers/abc/stop HTTP/1.1\r\nHost: d\r\n\r\n").await.unwrap();
    let (mut engine, _) = within(listener.accept()).await.unwrap();
    read_head(&mut engine).await;
    gate.stop.take();
    engine.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
    let (head, _) = read_head(&mut client).await;
    assert!(head.starts_with("HTTP/1.1 204 No Content\r\n") && !head.contains("Content-Length"), "{head}");
    drop(engine);
    assert_eq!(gate.records().await.last().unwrap()["ended"], "complete");
}

async fn ping(client: &mut UnixStream) -> String {
    client.write_all(b"GET /_ping HTTP/1.1\r\nHost: d\r\n\r\n").await.unwrap();
    let (head, mut rest) = read_head(client).await;
    let length: usize = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).unwrap().parse().unwrap();
    while rest.len() < length {
        within(client.read_buf(&mut rest)).await.unwrap();
    }
    head
}

async fn answer_ping(engine: &mut UnixStream) {
    assert!(read_head(engine).await.0.starts_with("GET /_ping "));
    engine.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK").await.unwrap();
}

#[tokio::test]
async fn an_engine_that_restarts_is_found_again_and_502_is_said_in_between() {
    let gate = Gate::start("");
    let listener = gate.engine();
    let mut client = gate.client().await;
    let (reply, mut engine) = tokio::join!(ping(&mut client), async {
        let (mut engine, _) = within(listener.accept()).await.unwrap();
        answer_ping(&mut engine).await;
        engine
    });
    assert!(reply.starts_with("HTTP/1.1 200 "));
    let (reply, ()) = tokio::join!(ping(&mut client), answer_ping(&mut engine));
    assert!(reply.starts_with("HTTP/1.1 200 "), "the same connection serves again");
    drop((engine, listener));
    assert!(ping(&mut client).await.starts_with("HTTP/1.1 502 "), "nobody listens now");
    let listener = gate.engine();
    let (reply, _engine) = tokio::join!(ping(&mut client), async {
        let (mut engine, _) = within(listener.accept()).await.unwrap();
        answer_ping(&mut engine).await;
        engine
    });
    assert!(reply.starts_with("HTTP/1.1 200 "), "the client's own connection outlived all of it");
}

#[tokio::test]
async fn a_build_streams_both_ways_at_once() {
    let gate = Gate::start("");
    let listener = gate.engine();
    let mut client = gate.client().await;
    client.write_all(b"POST /v1.44/build?t=a HTTP/1.1\r\nHost: d\r\nContent-Type: application/x-tar\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n").await.unwrap();
    let (mut engine, _) = within(listener.accept()).await.unwrap();
    let (head, rest) = read_head(&mut engine).await;
    assert!(head.contains("transfer-encoding: chunked"), "{head}");
    read_exact(&mut engine, rest, b"5\r\nfirst\r\n").await;
    engine.write_all(STREAM).await.unwrap();
    engine.write_all(b"3\r\none\r\n").await.unwrap();
    let (_, rest) = read_head(&mut client).await;
    read_exact(&mut client, rest, b"3\r\none\r\n").await;
    client.write_all(b"6\r\nsecond\r\n0\r\n\r\n").await.unwrap();
    read_exact(&mut engine, Vec::new(), b"6\r\nsecond\r\n0\r\n\r\n").await;
    engine.write_all(b"3\r\ntwo\r\n0\r\n\r\n").await.unwrap();
    read_exact(&mut client, Vec::new(), b"3\r\ntwo\r\n0\r\n\r\n").await;
    let (reply, ()) = tokio::join!(ping(&mut client), async {
        answer_ping(&mut engine).await;
    });
    assert!(reply.starts_with("HTTP/1.1 200 "), "both connections go on");
}

#[tokio::test]
async fn an_upload_that_breaks_off_is_never_ended_well_upstream() {
    let gate = Gate::start("");
    let listener = gate.engine();
    let mut client = gate.client().await;
    client.write_all(b"POST /v1.44/images/load HTTP/1.1\r\nHost: d\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n").await.unwrap();
    let (mut engine, _) = within(listener.accept()).await.unwrap();
    let (_, rest) = read_head(&mut engine).await;
    read_exact(&mut engine, rest, b"5\r\nfirst\r\n").await;
    drop(client);
    assert_eq!(read_to_end(&mut engine).await, b"", "no last chunk");
}

#[tokio::test]
async fn an_upload_that_a_stop_cuts_off_is_never_ended_well_upstream() {
    let gate = Gate::start("drain-timeout = \"50ms\"");
    let listener = gate.engine();
    let mut client = gate.client().await;
    client.write_all(b"POST /v1.44/images/load HTTP/1.1\r\nHost: d\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n").await.unwrap();
    let (mut engine, _) = within(listener.accept()).await.unwrap();
    let (_, rest) = read_head(&mut engine).await;
    read_exact(&mut engine, rest, b"5\r\nfirst\r\n").await;
    let records = gate.records().await;
    assert_eq!(read_to_end(&mut engine).await, b"", "no last chunk");
    assert_eq!(records.last().unwrap()["ended"], "aborted");
}

#[tokio::test]
async fn a_hundred_is_said_after_an_allow_and_never_before_a_denial() {
    let policy = "[policy.all]\nextends = [\"read-only\"]\nallow = [\"ContainerCreate\"]\n";
    let gate = Gate::with(policy, "");
    let listener = gate.engine();
    let mut client = gate.client().await;
    let ask = |path: &str| {
        format!(
            "POST /v1.44/{path} HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\nContent-Length: 13\r\nExpect: 100-continue\r\n\r\n"
        )
    };
    client.write_all(ask("containers/create").as_bytes()).await.unwrap();
    let (head, _) = read_head(&mut client).await;
    assert_eq!(head, "HTTP/1.1 100 Continue\r\n\r\n");
    client.write_all(b"{\"Image\":\"a\"}").await.unwrap();
    let (mut engine, _) = within(listener.accept()).await.unwrap();
    let (head, rest) = read_head(&mut engine).await;
    assert!(!head.to_lowercase().contains("expect"), "{head}");
    read_exact(&mut engine, rest, b"{\"Image\":\"a\"}").await;
    engine.write_all(b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}").await.unwrap();
    assert!(read_head(&mut client).await.0.starts_with("HTTP/1.1 201 "));

    let mut denied = gate.client().await;
    denied.write_all(ask("volumes/create").as_bytes()).await.unwrap();
    let (head, _) = read_head(&mut denied).await;
    assert!(head.starts_with("HTTP/1.1 403 ") && head.contains("Connection: close"), "{head}");
}

#[tokio::test]
async fn pipelined_requests_are_judged_one_by_one() {
    let gate = Gate::with("[policy.all]\nextends = [\"read-only\"]\n", "");
    let listener = gate.engine();
    let mut client = gate.client().await;
    client.write_all(b"GET /_ping HTTP/1.1\r\nHost: d\r\n\r\nPOST /v1.44/containers/abc/kill HTTP/1.1\r\nHost: d\r\n\r\nGET /_ping HTTP/1.1\r\nHost: d\r\n\r\n").await.unwrap();
    let (mut engine, _) = within(listener.accept()).await.unwrap();
    answer_ping(&mut engine).await;
    answer_ping(&mut engine).await; // the kill in between never came
    client.shutdown().await.unwrap();
    let all = String::from_utf8(read_to_end(&mut client).await).unwrap();
    let statuses: Vec<&str> = all.match_indices("HTTP/1.1 ").filter_map(|(at, _)| all.get(at + 9..at + 12)).collect();
    assert_eq!(statuses, ["200", "403", "200"]);
}

#[tokio::test]
async fn slow_huge_empty_and_binary_input_ends_within_its_limit_and_the_next_client_is_served() {
    let gate = Gate::start("head-timeout = \"100ms\"\nbody-timeout = \"100ms\"\nmax-json-body = \"1KiB\"");
    let listener = gate.engine();
    let create =
        |framing: &str| format!("POST /v1.44/containers/create HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\n{framing}\r\n\r\n");
    for (input, status) in [
        (b"GET /_ping HT".to_vec(), "408"),
        (create("Content-Length: 100").into_bytes(), "408"),
        (create("Content-Length: 2000").into_bytes(), "413"),
        ([create("Transfer-Encoding: chunked").as_bytes(), b"7d0\r\n", &[b' '; 2000], b"\r\n"].concat(), "413"),
        (vec![0; 64], "400"),
        ([b"GET /", [b'a'; 40_000].as_slice()].concat(), "431"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n".to_vec(), "400"),
    ] {
        let mut client = gate.client().await;
        client.write_all(&input).await.unwrap();
        let reply = read_to_end(&mut client).await;
        assert!(reply.starts_with(format!("HTTP/1.1 {status} ").as_bytes()), "{status}: {:?}", String::from_utf8_lossy(&reply));
    }
    let mut silent = gate.client().await;
    silent.shutdown().await.unwrap();
    assert_eq!(read_to_end(&mut silent).await, b"");
    let mut client = gate.client().await;
    let (reply, _engine) = tokio::join!(ping(&mut client), async {
        let (mut engine, _) = within(listener.accept()).await.unwrap();
        answer_ping(&mut engine).await;
        engine
    });
    assert!(reply.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn a_reply_to_head_has_no_body_even_when_it_is_a_refusal() {
    let gate = Gate::with("[policy.all]\nextends = [\"ping\"]\n", "");
    let listener = gate.engine();
    let mut client = gate.client().await;
    client.write_all(b"HEAD /v1.44/containers/abc/archive?path=/ HTTP/1.1\r\nHost: d\r\n\r\n").await.unwrap();
    let (head, rest) = read_head(&mut client).await;
    assert!(head.starts_with("HTTP/1.1 403 ") && rest.is_empty(), "{head}");
    client.write_all(b"HEAD /_ping HTTP/1.1\r\nHost: d\r\n\r\n").await.unwrap();
    let (mut engine, _) = within(listener.accept()).await.unwrap();
    read_head(&mut engine).await;
    engine.write_all(b"HTTP/1.1 200 OK\r\nApi-Version: 1.99\r\nContent-Length: 2\r\n\r\n").await.unwrap();
    let (head, rest) = read_head(&mut client).await;
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n") && head.contains("Api-Version: 1.56\r\n") && rest.is_empty(), "{head}");
}

#[tokio::test]
async fn an_http_1_0_client_gets_a_reply_that_ends_with_the_connection() {
    let gate = Gate::start("");
    let listener = gate.engine();
    let mut client = gate.client().await;
    client.write_all(b"GET /v1.44/containers/json HTTP/1.0\r\n\r\n").await.unwrap();
    let (mut engine, _) = within(listener.accept()).await.unwrap();
    read_head(&mut engine).await;
    engine.write_all(STREAM).await.unwrap();
    engine.write_all(b"2\r\n[]\r\n0\r\n\r\n").await.unwrap();
    let reply = String::from_utf8(read_to_end(&mut client).await).unwrap();
    assert!(!reply.contains("chunked") && reply.ends_with("\r\n\r\n[]"), "{reply}");
}
