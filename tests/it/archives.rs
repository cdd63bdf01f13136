//! Archives on their way through the gate, in process, with a scripted engine: what it never sees, and what it sees whole.

use std::path::PathBuf;
use std::time::Duration;

use dockgate::audit::redact;
use dockgate::config;
use dockgate::proxy::serve::Server;
use dockgate::proxy::upstream::{Address, Upstream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

const GRANTS: &str = "images = [\"docker.io/library/good\"]\nrequire-digest = true\ntargets = \"any\"\n";
/// An image that is granted.
const GOOD: &str = "good@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

/// A gate at level `baseline` in a folder of its own, in front of an engine that the test plays.
struct Gate {
    folder: tempfile::TempDir,
    stop: oneshot::Sender<()>,
    running: JoinHandle<()>,
    listener: UnixListener,
}

impl Gate {
    fn start() -> Self {
        Self::in_mode("enforce")
    }

    fn in_mode(mode: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let engine = folder.path().join("engine.sock");
        let listener = UnixListener::bind(&engine).unwrap();
        let text = format!(
            "version = 1\n[[door]]\nlisten = \"unix://{}/doors/door.sock\"\npolicy = \"ci\"\n\
             [policy.ci]\nmode = \"{mode}\"\nallow = [\"PutContainerArchive\", \"ImageBuild\", \"ImageLoad\", \"SystemPing\"]\n\
             [policy.ci.create]\nlevel = \"baseline\"\n{GRANTS}",
            folder.path().display()
        );
        let loaded = config::load("test.toml", &text);
        let config = loaded.config.unwrap_or_else(|| panic!("{:?}", loaded.diagnostics));
        let trail = crate::support::trail(&folder.path().join("trail.jsonl"));
        let server = Server::bind(&config, Upstream::new(Address::Unix(engine)), trail).unwrap();
        let (stop, stopped) = oneshot::channel();
        let running = tokio::spawn(server.run(async move {
            let _told_or_dropped = stopped.await;
        }));
        Self { folder, stop, running, listener }
    }

    fn door(&self) -> PathBuf {
        self.folder.path().join("doors/door.sock")
    }

    /// Sends a body in small chunks; answers what the gate itself asks, and reads the upload until it ends or is cut.
    async fn upload(&self, target: &str, body: &[u8]) -> Sent {
        let mut client = UnixStream::connect(self.door()).await.unwrap();
        let head = format!("{target} HTTP/1.1\r\nHost: d\r\nContent-Type: application/x-tar\r\nTransfer-Encoding: chunked\r\n\r\n");
        let (from_client, mut to_gate) = client.split();
        let mut from_client = from_client;
        let writing = async {
            to_gate.write_all(head.as_bytes()).await.unwrap();
            for chunk in body.chunks(700) {
                let framed = [format!("{:x}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat();
                if to_gate.write_all(&framed).await.is_err() {
                    return;
                }
            }
            let _gate_may_have_closed = to_gate.write_all(b"0\r\n\r\n").await;
        };
        let (told, mut over) = oneshot::channel::<()>();
        let answering = async {
            while let Some(mut engine) = self.accepted(&mut over).await {
                let Some((head, mut seen)) = read_head(&mut engine).await else { continue };
                if head.starts_with("GET ") {
                    engine.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}").await.unwrap();
                    continue;
                }
                while !seen.ends_with(b"0\r\n\r\n") && engine.read_buf(&mut seen).await.is_ok_and(|read| read > 0) {}
                if seen.ends_with(b"0\r\n\r\n") {
                    engine.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nOK").await.unwrap();
                }
                return seen;
            }
            Vec::new()
        };
        let reading = async {
            let mut reply = Vec::new();
            while !String::from_utf8_lossy(&reply).contains("(ref ")
                && !reply.ends_with(b"OK")
                && from_client.read_buf(&mut reply).await.is_ok_and(|read| read > 0)
            {}
            let _engine_is_done = told.send(());
            String::from_utf8_lossy(&reply).into_owned()
        };
        let all = async { tokio::join!(writing, answering, reading) };
        let ((), seen, reply) = tokio::time::timeout(Duration::from_secs(20), all).await.expect("this takes too long");
        Sent { seen, reply }
    }

    /// A connection of the gate's; `None` where the client has its answer and none was made.
    async fn accepted(&self, over: &mut oneshot::Receiver<()>) -> Option<UnixStream> {
        tokio::select! {
            biased;
            accepted = self.listener.accept() => Some(accepted.unwrap().0),
            _ = over => None,
        }
    }

    async fn last_record(self) -> serde_json::Value {
        self.stop.send(()).unwrap();
        self.running.await.unwrap();
        let text = std::fs::read_to_string(self.folder.path().join("trail.jsonl")).unwrap();
        let mut lines = text.lines().map(crate::support::schema::record);
        lines.rfind(|line| line["stage"] != "event").unwrap()
    }
}

/// What the engine saw of a body, with its chunks, and what the client was told.
struct Sent {
    seen: Vec<u8>,
    reply: String,
}

impl Sent {
    /// The body as the engine decoded it, where it ended well.
    fn body(&self) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        let mut rest = self.seen.as_slice();
        loop {
            let end = rest.windows(2).position(|pair| pair == b"\r\n")?;
            let size = usize::from_str_radix(std::str::from_utf8(&rest[..end]).ok()?, 16).ok()?;
            if size == 0 {
                return Some(out);
            }
            out.extend(rest.get(end + 2..end + 2 + size)?);
            rest = rest.get(end + size + 4..)?;
        }
    }

    fn saw(&self, text: &str) -> bool {
        self.seen.windows(text.len()).any(|window| window == text.as_bytes())
    }

    fn assert_refused(&self, code: &str) {
        assert!(self.reply.starts_with("HTTP/1.1 403 "), "{}", self.reply);
        assert!(self.reply.contains(&format!("[{code}]")), "{}", self.reply);
        assert!(self.body().is_none(), "the upload never ends well");
    }
}

/// A head and what came with it; `None` where the connection was cut before.
async fn read_head(stream: &mut UnixStream) -> Option<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let rest = bytes.split_off(at + 4);
            return Some((String::from_utf8(bytes).unwrap(), rest));
        }
        if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
            return None;
        }
    }
}

fn entry(flag: u8, name: &str, link: &str, content: &[u8]) -> Vec<u8> {
    let mut block = vec![0; 512];
    block[..name.len()].copy_from_slice(name.as_bytes());
    block[100..108].copy_from_slice(b"0000644\0");
    block[124..136].copy_from_slice(format!("{:011o}\0", content.len()).as_bytes());
    block[148..156].copy_from_slice(b"        ");
    block[156] = flag;
    block[157..157 + link.len()].copy_from_slice(link.as_bytes());
    block[257..265].copy_from_slice(b"ustar\x0000");
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block.extend(content);
    block.resize(block.len().next_multiple_of(512), 0);
    block
}

fn tar(entries: &[Vec<u8>]) -> Vec<u8> {
    [entries.concat(), vec![0; 1024]].concat()
}

fn file(name: &str, content: &[u8]) -> Vec<u8> {
    entry(b'0', name, "", content)
}

const PUT: &str = "PUT /v1.44/containers/abc/archive?path=%2Fsrv";
const BUILD: &str = "POST /v1.44/build?t=mine";

#[tokio::test]
async fn a_good_archive_passes_byte_for_byte() {
    let gate = Gate::start();
    let body = tar(&[entry(b'5', "dir/", "", b""), file("dir/a", &[b'x'; 9000]), entry(b'2', "dir/l", "a", b"")]);
    let sent = gate.upload(PUT, &body).await;
    assert!(sent.reply.starts_with("HTTP/1.1 200 "), "{}", sent.reply);
    assert_eq!(sent.body().unwrap(), body);
    let record = gate.last_record().await;
    assert_eq!((&record["bytes_in"], &record["ended"]), (&body.len().into(), &"complete".into()));
    assert_eq!(record["body"], serde_json::json!({ "bytes": body.len(), "sha256": redact::sha256(&body) }));
}

#[tokio::test]
async fn the_engine_never_sees_the_header_of_a_bad_entry_and_the_client_is_told() {
    for (bad, name) in [
        (file("../evil", b"payload"), "../evil"),
        (entry(b'2', "evil", "/etc", b""), "evil"),
        (entry(b'3', "evil", "", b""), "evil"),
        ([entry(b'L', "././@LongLink", "", b"evil/../../x\0"), file("evil", b"payload")].concat(), "evil"),
    ] {
        let gate = Gate::start();
        let sent = gate.upload(PUT, &tar(&[file("good", &[b'x'; 5000]), bad, file("later", &[b'y'; 5000])])).await;
        assert!(sent.reply.starts_with("HTTP/1.1 403 "), "{}", sent.reply);
        assert!(sent.reply.contains(name), "{}", sent.reply);
        assert!(sent.body().is_none() && !sent.saw("evil") && !sent.saw("payload") && !sent.saw("later"));
        let record = gate.last_record().await;
        assert!(matches!(record["reason"].as_str(), Some("archive-entry" | "bad-archive")), "{record}");
        assert!(record["at"].as_str().unwrap().contains(name), "{record}");
        assert_eq!((&record["ended"], &record["status"]), (&"refused".into(), &403.into()));
    }
}

#[tokio::test]
async fn a_compressed_archive_is_refused() {
    for target in [PUT, BUILD] {
        let gate = Gate::start();
        let sent = gate.upload(target, &[b"\x1f\x8b\x08\0".as_slice(), &[7; 3000]].concat()).await;
        sent.assert_refused("compressed-archive");
        assert!(sent.seen.is_empty());
    }
}

#[tokio::test]
async fn an_archive_that_breaks_off_is_refused() {
    let gate = Gate::start();
    let sent = gate.upload(PUT, &file("a", &[b'x'; 3000])).await;
    sent.assert_refused("bad-archive");
}

#[tokio::test]
async fn a_build_is_held_to_its_dockerfile() {
    let dockerfile = |text: &str| file("Dockerfile", text.replace("GOOD", GOOD).as_bytes());
    let good = dockerfile("FROM GOOD AS x\nFROM x\n");
    for (name, context, code) in [
        ("two", tar(&[good.clone(), file("a", b""), file("./Dockerfile", b"FROM evil")]), "dockerfile"),
        ("image", tar(&[dockerfile("FROM GOOD\nCOPY --from=evil / /")]), "image"),
        ("digest", tar(&[dockerfile("FROM good:1")]), "image-digest"),
        ("unknown", tar(&[dockerfile("FROM $X")]), "image"),
        ("address", tar(&[dockerfile("FROM GOOD\nADD http://169.254.169.254/ /")]), "build-option"),
    ] {
        let gate = Gate::start();
        let sent = gate.upload(BUILD, &context).await;
        sent.assert_refused(code);
        assert!(!sent.saw("evil") && !sent.saw("169.254"), "{name}");
        assert_eq!(gate.last_record().await["reason"], code, "{name}");
    }
    let gate = Gate::start();
    let context = tar(&[file("a", &[b'x'; 4000]), good]);
    let sent = gate.upload(BUILD, &context).await;
    assert!(sent.reply.starts_with("HTTP/1.1 200 "), "{}", sent.reply);
    assert_eq!(sent.body().unwrap(), context);
    let query = format!("dockerfile=D&buildargs=%7B%22I%22%3A%22{}%22%7D", GOOD.replace('@', "%40").replace(':', "%3A"));
    let elsewhere = gate.upload(&format!("POST /v1.44/build?{query}"), &tar(&[file("D", b"ARG I\nFROM $I")])).await;
    assert!(elsewhere.reply.starts_with("HTTP/1.1 200 "), "{}", elsewhere.reply);
}

#[tokio::test]
async fn a_mode_that_forwards_records_what_the_dockerfile_would_be_denied_for() {
    let gate = Gate::in_mode("observe");
    let context = tar(&[file("Dockerfile", b"FROM evil:1")]);
    let sent = gate.upload(BUILD, &context).await;
    assert_eq!(sent.body().unwrap(), context);
    let record = gate.last_record().await;
    assert_eq!((&record["verdict"], &record["reason"]), (&"would-deny".into(), &"image".into()));
}

#[tokio::test]
async fn what_is_not_inspected_stays_opaque() {
    let gate = Gate::start();
    let body = [b"\x1f\x8b\x08\0".as_slice(), &[7; 3000]].concat();
    let sent = gate.upload("POST /v1.44/images/load", &body).await;
    assert_eq!(sent.body().unwrap(), body);
}
