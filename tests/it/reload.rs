//! Policies that are swapped while requests, streams and connections go on.
//! Knows nothing of what policies say, beyond open and shut.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use dockgate::config::{self, Config};
use dockgate::proxy::reload::Policies;
use dockgate::proxy::serve::Server;
use dockgate::proxy::upstream::{Address, Upstream};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::support::client::Client;
use crate::support::engine::Recorder;
use crate::support::gate::{Gate as Process, with_trail};

/// Longer than anything here takes: a wait that reaches it is a failure.
const PATIENCE: Duration = Duration::from_secs(60);

const OPEN: &str = "open";
const SHUT: &str = "shut";
const MOUNTS: &str = "mounts";
const POLICIES: &str = "[policy.open]\nextends = [\"unrestricted\"]\n[policy.shut]\nallow = [\"SystemPing\"]\n\
    [policy.mounts]\nallow = [\"ContainerCreate\"]\n[policy.mounts.create]\nbinds = [{ source = \"/srv/**\", mode = \"ro\" }]\n";

const LIST: &[u8] = b"GET /v1.44/containers/json HTTP/1.1\r\nHost: docker\r\n\r\n";
const ATTACH: &[u8] =
    b"POST /v1.44/containers/abc/attach?stream=1&stdin=1&stdout=1 HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n";

/// A gate in a thread of its own: `doors/door.sock` in front of `engine.sock`, the trail in `trail.jsonl`.
struct Gate {
    folder: PathBuf,
    policies: Policies,
    _stop: oneshot::Sender<()>,
    running: JoinHandle<()>,
}

impl Gate {
    fn start(folder: &Path) -> Self {
        let (own, (send, receive)) = (folder.to_owned(), mpsc::channel());
        let (stop, stopped) = oneshot::channel::<()>();
        let running = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let config = doors(&own, OPEN);
                let trail = crate::support::trail(&own.join("trail.jsonl"));
                let server = Server::bind(&config, Upstream::new(Address::Unix(own.join("engine.sock"))), trail).unwrap();
                send.send(server.policies(&config)).unwrap();
                server.run(async move { stopped.await.unwrap_or_default() }).await;
            });
        });
        Self { folder: folder.to_owned(), policies: receive.recv().unwrap(), _stop: stop, running }
    }

    /// From now on the door has this policy.
    fn swap(&self, policy: &str) {
        self.policies.swap(&doors(&self.folder, policy)).unwrap();
    }

    fn door(&self) -> PathBuf {
        self.folder.join("doors/door.sock")
    }

    fn client(&self) -> Client {
        Client::unix(&self.door())
    }

    fn stream(&self) -> UnixStream {
        let stream = UnixStream::connect(self.door()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Stops the gate and returns the records of the trail.
    fn records(self) -> Vec<Value> {
        drop(self._stop);
        self.running.join().unwrap();
        let text = std::fs::read_to_string(self.folder.join("trail.jsonl")).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.filter(|line| line["stage"] != "event").collect()
    }
}

/// A configuration whose only door has this policy.
fn doors(folder: &Path, policy: &str) -> Config {
    with_more(folder, policy, "")
}

/// The same with a policy that gives containers this socket.
fn rebinding(folder: &Path, socket: &str) -> Config {
    with_more(folder, MOUNTS, &format!("[policy.more.create]\nrebind-socket = \"{socket}\"\n"))
}

fn with_more(folder: &Path, policy: &str, more: &str) -> Config {
    let door = folder.join("doors/door.sock");
    let text = format!("version = 1\n[[door]]\nlisten = \"unix://{}\"\npolicy = \"{policy}\"\n{POLICIES}{more}", door.display());
    let loaded = config::load("test.toml", &text);
    loaded.config.unwrap_or_else(|| panic!("{:?}", loaded.diagnostics))
}

fn status(client: &mut Client, request: &[u8]) -> u16 {
    client.send(request);
    client.reply(false).expect("a reply").status
}

fn head(stream: &mut UnixStream) -> String {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        bytes.push(byte[0]);
    }
    String::from_utf8(bytes).unwrap()
}

/// An engine that says everything back to whoever attaches, and knows nothing else.
fn echo(path: &Path) {
    let listener = UnixListener::bind(path).unwrap();
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || {
                let reply: &[u8] = if head(&mut stream).contains("upgrade: tcp") {
                    b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"
                } else {
                    b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"
                };
                stream.write_all(reply).unwrap();
                let mut input = stream.try_clone().unwrap();
                let _client_gone = std::io::copy(&mut input, &mut stream);
                let _already_closed = stream.shutdown(std::net::Shutdown::Write);
            });
        }
    });
}

#[test]
fn a_swap_holds_for_the_next_request_of_a_connection_that_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let engine = Recorder::start(&folder.path().join("engine.sock"));
    let gate = Gate::start(folder.path());
    let mut client = gate.client();
    assert_eq!(status(&mut client, LIST), 200);
    gate.swap(SHUT);
    assert_eq!(status(&mut client, LIST), 403);
    gate.swap(OPEN);
    assert_eq!(status(&mut client, LIST), 200);
    let forwarded = engine.take().iter().filter(|request| request.starts_with(b"GET /v1.44/containers/json")).count();
    assert_eq!(forwarded, 2);
    let policies: Vec<Value> = gate.records().into_iter().map(|record| record["policy"].clone()).collect();
    assert_eq!(policies, [OPEN, SHUT, OPEN]);
}

#[test]
fn what_a_new_configuration_names_is_protected_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let _engine = Recorder::start(&folder.path().join("engine.sock"));
    let gate = Gate::start(folder.path());
    gate.swap(MOUNTS);
    let create = |source: &str| {
        let body = json!({ "Image": "alpine", "HostConfig": { "Binds": [format!("{source}:/there:ro")] } }).to_string();
        let head = "POST /v1.44/containers/create HTTP/1.1\r\nHost: docker\r\nContent-Type: application/json\r\nContent-Length";
        status(&mut gate.client(), format!("{head}: {}\r\n\r\n{body}", body.len()).as_bytes())
    };
    assert_eq!((create("/srv/keys"), create("/srv/rebound.sock")), (201, 201));
    let mut named = doors(folder.path(), MOUNTS);
    named.protected.push("/srv/keys/key.pem".to_owned());
    assert!(gate.policies.swap(&named).unwrap().restart.is_empty());
    assert_eq!((create("/srv/keys"), create("/srv/keys/key.pem"), create("/srv/rebound.sock")), (403, 403, 201));
    gate.policies.swap(&rebinding(folder.path(), "/srv/rebound.sock")).unwrap();
    assert_eq!((create("/srv/keys"), create("/srv/rebound.sock"), create("/srv/other")), (201, 403, 201));
}

#[test]
fn a_running_stream_keeps_the_policy_that_it_started_with() {
    let folder = tempfile::tempdir().unwrap();
    echo(&folder.path().join("engine.sock"));
    let gate = Gate::start(folder.path());
    let mut stream = gate.stream();
    stream.write_all(ATTACH).unwrap();
    assert!(head(&mut stream).starts_with("HTTP/1.1 101 "));
    gate.swap(SHUT);
    let mut answer = [0; 5];
    stream.write_all(b"still").unwrap();
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"still");
    assert_eq!(status(&mut gate.client(), ATTACH), 403, "a new one has the new policy");
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(stream.read(&mut answer).unwrap(), 0);
    let records = gate.records();
    let of = |policy: &str| records.iter().filter(|record| record["policy"] == policy).collect::<Vec<_>>();
    assert_eq!(of(OPEN).last().unwrap()["ended"], "complete", "{records:?}");
    assert!(of(OPEN).iter().all(|record| record["id"] == of(OPEN)[0]["id"]), "{records:?}");
    assert_eq!((of(SHUT).len(), &of(SHUT)[0]["verdict"]), (1, &json!("deny")));
}

#[test]
fn a_request_whose_body_comes_after_the_swap_is_judged_by_the_policy_of_its_head() {
    let folder = tempfile::tempdir().unwrap();
    let _engine = Recorder::start(&folder.path().join("engine.sock"));
    let gate = Gate::start(folder.path());
    let mut stream = gate.stream();
    let body = br#"{"Image":"alpine"}"#;
    let request = format!(
        "POST /v1.44/containers/create HTTP/1.1\r\nHost: docker\r\nContent-Type: application/json\r\nContent-Length: {}\r\nExpect: 100-continue\r\n\r\n",
        body.len()
    );
    stream.write_all(request.as_bytes()).unwrap();
    assert!(head(&mut stream).starts_with("HTTP/1.1 100 "), "the head was taken in");
    gate.swap(SHUT);
    stream.write_all(body).unwrap();
    let reply = head(&mut stream);
    assert!(reply.starts_with("HTTP/1.1 201 "), "{reply}");
    drop(stream);
    assert!(gate.records().iter().all(|record| record["policy"] == OPEN && record["verdict"] == "allow"));
}

#[test]
fn a_thousand_reloads_under_load_lose_no_request_and_mix_no_policies() {
    const RELOADS: usize = 1000;
    let folder = tempfile::tempdir().unwrap();
    let engine = Recorder::start(&folder.path().join("engine.sock"));
    let gate = Gate::start(folder.path());
    let (answered, done) = (AtomicUsize::new(0), AtomicBool::new(false));
    let seen: Vec<(usize, usize)> = thread::scope(|scope| {
        let client = || {
            let (mut client, mut allowed, mut denied) = (gate.client(), 0, 0);
            while !done.load(Ordering::SeqCst) {
                match status(&mut client, LIST) {
                    200 => allowed += 1,
                    403 => denied += 1,
                    other => panic!("status {other}"),
                }
                answered.fetch_add(1, Ordering::SeqCst);
            }
            (allowed, denied)
        };
        let clients: Vec<_> = (0..4).map(|_| scope.spawn(client)).collect();
        let start = Instant::now();
        for reload in 0..RELOADS {
            // the reloads are spread over the requests, however fast either is on this machine
            while answered.load(Ordering::SeqCst) < reload && start.elapsed() < PATIENCE {
                thread::yield_now();
            }
            gate.swap(if reload % 2 == 0 { SHUT } else { OPEN });
        }
        done.store(true, Ordering::SeqCst);
        clients.into_iter().map(|client| client.join().unwrap()).collect()
    });
    let (allowed, denied) = seen.iter().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    let forwarded = engine.take().iter().filter(|request| request.starts_with(b"GET /v1.44/containers/json")).count();
    let records = gate.records();
    crate::support::report(&format!("{RELOADS} reloads, {} requests: {allowed} allowed, {denied} denied", records.len()));
    assert!(allowed + denied >= RELOADS && allowed > 0 && denied > 0, "{allowed} allowed, {denied} denied");
    assert_eq!((records.len(), forwarded), (allowed + denied, allowed));
    for record in &records {
        let expected = if record["policy"] == OPEN { ("allow", 200) } else { ("deny", 403) };
        assert_eq!((record["verdict"].as_str().unwrap(), record["status"].as_u64().unwrap()), expected, "{record}");
    }
    assert_eq!(records.iter().filter(|record| record["policy"] == OPEN).count(), allowed);
}

/// A configuration for the real binary, with one policy that says this.
fn text(folder: &Path, policy: &str, more: &str) -> String {
    let (engine, door) = (folder.join("engine.sock"), folder.join("doors/door.sock"));
    let door = format!("[[door]]\nlisten = \"unix://{}\"\npolicy = \"p\"\n", door.display());
    format!("version = 1\n[upstream]\nurl = \"unix://{}\"\n{door}[policy.p]\n{policy}\n{more}", engine.display())
}

const LISTS: &str = "allow = [\"ContainerList\", \"SystemPing\"]";
const PINGS: &str = "allow = [\"SystemPing\"]";

fn is(line: &Value, event: &str, cause: &str) -> bool {
    line["event"] == event && line["detail"]["cause"] == cause
}

#[test]
fn a_signal_swaps_the_policy_or_keeps_it_and_the_trail_says_which() {
    let folder = tempfile::tempdir().unwrap();
    let (at, door) = (folder.path(), folder.path().join("doors/door.sock"));
    let _engine = Recorder::start(&at.join("engine.sock"));
    let first = text(at, LISTS, "");
    let gate = Process::start(at, &first, std::slice::from_ref(&door));
    let file = at.join("dockgate.toml");
    let name = file.display().to_string();
    let digest = |text: &str| config::digest(&with_trail(at, text));

    let loaded = gate.line("the start", |line| line["event"] == "policy-loaded");
    let url = format!("unix://{}", door.display());
    let expected = json!({ "policy": "p", "mode": "enforce", "digest": digest(&first), "origin": format!("{name}:7"), "doors": [url] });
    assert_eq!((&loaded["stage"], &loaded["detail"]), (&json!("event"), &expected));
    let mut client = Client::unix(&door);
    assert_eq!(status(&mut client, LIST), 200);

    std::fs::write(&file, with_trail(at, &text(at, "allow = [\"ContainerLst\"]", "[limit]\n"))).unwrap();
    gate.signal("HUP");
    let rejected = gate.line("a rejection", |line| is(line, "policy-rejected", "signal"));
    let first_error = format!("{name}:8:10: there is no operation `ContainerLst`");
    let detail = json!({ "file": name, "cause": "signal", "errors": 2, "first": first_error, "kept-digest": digest(&first) });
    assert_eq!(rejected["detail"], detail);
    gate.until("the caret and the log", || {
        let said = gate.messages();
        (said.contains("8 | allow = [\"ContainerLst\"]") && said.contains("the policies stay as they are")).then_some(())
    });
    assert_eq!(status(&mut client, LIST), 200, "the old policy stays");

    let second = text(at, PINGS, "[limits]\nconnections = 7\n");
    std::fs::write(&file, with_trail(at, &second)).unwrap();
    gate.signal("HUP");
    let reloaded = gate.line("a reload", |line| is(line, "policy-reloaded", "signal"));
    let detail = json!({ "file": name, "cause": "signal", "policies": ["p"], "doors": [], "clients": [], "tls": [], "needs-restart": ["`limits` has changed"],
        "old-digest": digest(&first), "digest": digest(&second) });
    assert_eq!(reloaded["detail"], detail);
    assert_eq!(status(&mut client, LIST), 403, "the next request of the kept connection");
    gate.until("the log", || gate.messages().contains("needs a restart: `limits` has changed").then_some(()));
    gate.stop();
    let lines = std::fs::read_to_string(at.join("trail.jsonl")).unwrap();
    let drains: Vec<Value> = lines.lines().map(crate::support::schema::record).filter(|line| line["event"] == "drain").collect();
    assert_eq!((drains.len(), &drains[0]["detail"]), (1, &json!({ "connections": 1 })));
}

#[test]
fn a_file_that_changed_is_loaded_without_a_signal_also_behind_links() {
    let folder = tempfile::tempdir().unwrap();
    let (at, door) = (folder.path(), folder.path().join("doors/door.sock"));
    let _engine = Recorder::start(&at.join("engine.sock"));
    let gate = Process::start(at, &text(at, LISTS, ""), std::slice::from_ref(&door));
    let mut client = Client::unix(&door);
    assert_eq!(status(&mut client, LIST), 200);
    std::fs::write(at.join("next.toml"), with_trail(at, &text(at, PINGS, ""))).unwrap();
    std::os::unix::fs::symlink("next.toml", at.join("link")).unwrap();
    std::fs::rename(at.join("link"), at.join("dockgate.toml")).unwrap();
    let reloaded = gate.line("a reload", |line| is(line, "policy-reloaded", "file"));
    assert_eq!(reloaded["detail"]["policies"], json!(["p"]));
    assert_eq!(status(&mut client, LIST), 403);
    std::fs::write(at.join("next.toml"), "version = 1\n[policy").unwrap();
    let rejected = gate.line("a rejection", |line| is(line, "policy-rejected", "file"));
    assert!(rejected["detail"]["first"].as_str().unwrap().contains("dockgate.toml:2:"), "{rejected}");
    assert_eq!(status(&mut client, LIST), 403);
}

#[test]
fn flags_win_over_the_file_after_a_reload_too() {
    let folder = tempfile::tempdir().unwrap();
    let (at, own) = (folder.path(), folder.path().join("flag/door.sock"));
    let _engine = Recorder::start(&at.join("engine.sock"));
    let url = format!("unix://{}", own.display());
    let flags = ["--listen", &url, "--policy", "p"];
    let gate = Process::start_with(at, &text(at, LISTS, ""), &flags, std::slice::from_ref(&own));
    let mut client = Client::unix(&own);
    assert_eq!(status(&mut client, LIST), 200);
    std::fs::write(at.join("dockgate.toml"), with_trail(at, &text(at, PINGS, ""))).unwrap();
    gate.signal("HUP");
    let reloaded = gate.line("a reload", |line| is(line, "policy-reloaded", "signal"));
    assert_eq!((&reloaded["detail"]["policies"], &reloaded["detail"]["needs-restart"]), (&json!(["p"]), &json!([])));
    assert_eq!(status(&mut client, LIST), 403);
    std::fs::write(at.join("dockgate.toml"), "version = 1\n").unwrap();
    gate.signal("HUP");
    let rejected = gate.line("a rejection", |line| is(line, "policy-rejected", "signal"));
    assert_eq!(rejected["detail"]["first"], "there is no policy `p`");
}

#[test]
fn without_a_file_a_signal_changes_nothing_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let (at, door) = (folder.path(), folder.path().join("flag/door.sock"));
    let engine = Recorder::start(&at.join("engine.sock"));
    let (listen, upstream) = (format!("unix://{}", door.display()), format!("unix://{}", engine.path().display()));
    let trail = at.join("trail.jsonl").display().to_string();
    let gate = Process::spawn(at, &["--listen", &listen, "--upstream", &upstream, "--audit", &trail], std::slice::from_ref(&door));
    let loaded = gate.line("the start", |line| line["event"] == "policy-loaded");
    assert!(loaded["detail"]["origin"].as_str().unwrap().starts_with("preset read-only:"), "{loaded}");
    gate.signal("HUP");
    gate.until("the log", || gate.messages().contains("SIGHUP: nothing to load again").then_some(()));
    assert_eq!(status(&mut Client::unix(&door), LIST), 200);
}
