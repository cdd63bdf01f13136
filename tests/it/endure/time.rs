//! What takes longer than a test may: in process, with a clock that is moved.
//! Knows nothing of the real binary.

use std::time::Duration;

use dockgate::config;
use dockgate::proxy::serve::Server;
use dockgate::proxy::upstream::{Address, Upstream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::oneshot;

/// A gate in this process, in front of an engine that the test plays.
async fn served(policy: &str) -> (tempfile::TempDir, UnixListener, oneshot::Sender<()>, tokio::task::JoinHandle<()>) {
    let folder = crate::support::folder();
    let (door, engine) = (folder.path().join("a/docker.sock"), folder.path().join("engine.sock"));
    let text = format!("version = 1\n[[door]]\nlisten = \"unix://{}\"\npolicy = \"all\"\n[policy.all]\n{policy}\n", door.display());
    let loaded = config::load("test.toml", &text);
    let config = loaded.config.unwrap_or_else(|| panic!("{:?}", loaded.diagnostics));
    let listener = UnixListener::bind(&engine).unwrap();
    let trail = crate::support::trail(&folder.path().join("trail.jsonl"));
    let server = Server::bind(&config, Upstream::new(Address::Unix(engine)), trail).unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let running = tokio::spawn(server.run(async move { stopped.await.unwrap_or_default() }));
    (folder, listener, stop, running)
}

async fn asked(listener: &UnixListener) -> (UnixStream, String) {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        assert!(stream.read_buf(&mut head).await.unwrap() > 0);
    }
    (stream, String::from_utf8(head).unwrap())
}

/// Moves the clock until the engine's connection is closed; returns how far.
async fn closed(engine: &mut UnixStream, step: Duration, most: u32) -> Duration {
    tokio::time::pause();
    for steps in 1..=most {
        tokio::time::advance(step).await;
        // what the moved clock has woken runs now
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
        match engine.try_read(&mut [0; 16]) {
            Ok(0) => return step * steps,
            Ok(_) => panic!("more was asked for"),
            Err(_) => {}
        }
    }
    panic!("the connection to the engine is still open");
}

fn record(folder: &tempfile::TempDir, path: &str) -> serde_json::Value {
    let text = std::fs::read_to_string(folder.path().join("trail.jsonl")).unwrap();
    let of = |line: &serde_json::Value| line["path"] == path && line["ended"].is_string();
    text.lines().map(crate::support::schema::record).find(of).expect("a record")
}

#[tokio::test]
async fn a_change_that_the_engine_never_answers_is_given_up_some_time_after_its_client_has_gone() {
    let (folder, listener, stop, running) = served("extends = [\"unrestricted\"]").await;
    let mut client = UnixStream::connect(folder.path().join("a/docker.sock")).await.unwrap();
    client.write_all(b"POST /v1.44/containers/abc/stop HTTP/1.1\r\nHost: d\r\n\r\n").await.unwrap();
    let (mut engine, head) = asked(&listener).await;
    assert!(head.starts_with("POST /v1.44/containers/abc/stop "), "{head}");
    drop(client);
    let given_up = closed(&mut engine, Duration::from_secs(60), 30).await;
    assert!(given_up >= Duration::from_secs(540), "a change goes on without its client for a while: {given_up:?}");
    tokio::time::resume();
    drop(stop);
    running.await.unwrap();
    assert_eq!(record(&folder, "/v1.44/containers/abc/stop")["ended"], "client-gone");
}

#[tokio::test]
async fn a_fact_that_the_engine_never_tells_refuses_the_request() {
    let rules = "extends = [\"read-only\"]\nallow = [\"ContainerStart\"]\n[policy.all.create]\nlevel = \"baseline\"";
    let (folder, listener, stop, running) = served(rules).await;
    let mut client = UnixStream::connect(folder.path().join("a/docker.sock")).await.unwrap();
    client.write_all(b"POST /v1.44/containers/abc/start HTTP/1.1\r\nHost: d\r\n\r\n").await.unwrap();
    let (mut engine, mut head) = asked(&listener).await;
    if !head.contains("/containers/abc/json ") {
        // first it asks which container it runs in itself
        engine.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}").await.unwrap();
        (engine, head) = asked(&listener).await;
    }
    assert!(head.starts_with("GET /containers/abc/json "), "{head}");
    closed(&mut engine, Duration::from_secs(10), 30).await;
    tokio::time::resume();
    let mut reply = [0; 12];
    client.read_exact(&mut reply).await.unwrap();
    assert_eq!(&reply, b"HTTP/1.1 502");
    drop((stop, client));
    running.await.unwrap();
    assert_eq!(record(&folder, "/v1.44/containers/abc/start")["reason"], "no-upstream");
}
