//! The mixed work: what each kind of client does in one step.
//! Knows nothing of when it ends.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::bed::{Gate, LABEL};
use crate::stop::Stop;
use crate::tally::{Lost, Tally};
use crate::wire::{self, Place, Wire, get, post, request, upgrade};

/// What every client has.
#[derive(Clone)]
pub struct Share {
    pub gate: Arc<Gate>,
    pub tally: Arc<Tally>,
    pub stop: Arc<Stop>,
    /// An image as `docker save` writes it.
    pub image: Arc<Vec<u8>>,
    pub pace: f64,
}

/// A client.
pub struct Client {
    pub gate: Arc<Gate>,
    pub tally: Arc<Tally>,
    pub stop: Arc<Stop>,
    pub pace: f64,
    /// An image as `docker save` writes it.
    pub image: Arc<Vec<u8>>,
    random: u64,
    count: u64,
    wire: Option<Wire>,
}

type Step = Result<(), Lost>;

/// A kind of client: its name, how many of them there are, what one does, and how many milliseconds it then rests.
pub struct Kind {
    pub name: &'static str,
    pub clients: usize,
    pub step: fn(&mut Client) -> Step,
    pub rest: u64,
}

/// All of them.
pub const KINDS: [Kind; 16] = [
    Kind { name: "read", clients: 3, step: reads, rest: 150 },
    Kind { name: "read over TCP", clients: 1, step: tcp_reads, rest: 150 },
    Kind { name: "read, a connection each", clients: 2, step: fresh_reads, rest: 100 },
    Kind { name: "container", clients: 1, step: container, rest: 2500 },
    Kind { name: "exec", clients: 1, step: exec, rest: 1500 },
    Kind { name: "attach", clients: 1, step: attach, rest: 1000 },
    Kind { name: "logs", clients: 1, step: logs, rest: 500 },
    Kind { name: "events", clients: 4, step: events, rest: 500 },
    Kind { name: "archive", clients: 1, step: archive, rest: 2000 },
    Kind { name: "load", clients: 1, step: load, rest: 10_000 },
    Kind { name: "denied", clients: 1, step: denied, rest: 150 },
    Kind { name: "vanishing", clients: 2, step: vanish, rest: 700 },
    Kind { name: "slow sender", clients: 2, step: slow_sender, rest: 300 },
    Kind { name: "slow reader", clients: 1, step: slow_reader, rest: 5000 },
    Kind { name: "sweep", clients: 1, step: sweep, rest: 3000 },
    Kind { name: "reload", clients: 1, step: reload, rest: 7000 },
];

/// Containers that stand all the time: input is echoed; the same for attaching; lines come all the time.
pub const STANDING: [(&str, &str); 3] = [
    ("soak-cat", r#"["cat"]"#),
    ("soak-attach", r#"["cat"]"#),
    ("soak-log", r#"["sh","-c","n=0; while true; do n=$((n+1)); echo line $n; usleep 250000; done"]"#),
];

impl Client {
    pub fn new(share: Share, seed: u64) -> Self {
        let Share { gate, tally, stop, image, pace } = share;
        Self { gate, tally, stop, image, pace, random: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1, count: 0, wire: None }
    }

    /// Does its step until it is told to stop.
    pub fn run(mut self, kind: &Kind) {
        while !self.stop.is_set() {
            if (kind.step)(&mut self).is_err() {
                self.wire = None;
            }
            let rest = kind.rest / 2 + self.below(kind.rest);
            self.stop.wait(Duration::from_millis(rest).div_f64(self.pace));
        }
    }

    /// The next number of xorshift.
    fn below(&mut self, bound: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random % bound.max(1)
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| u8::try_from(self.below(256)).unwrap_or(0)).collect()
    }

    fn name(&mut self) -> String {
        format!("soak-{}-{:x}", std::process::id(), self.below(u64::MAX))
    }

    fn open(&self, work: &'static str, place: &Place) -> Result<Wire, Lost> {
        Wire::open(place).map_err(|error| {
            self.tally.sent(work);
            self.tally.lost(work, &error)
        })
    }

    fn ask(&self, work: &'static str, bytes: &[u8], wanted: &[u16]) -> Result<(u16, Vec<u8>), Lost> {
        let mut wire = self.open(work, &self.gate.work())?;
        self.tally.ask(work, &mut wire, bytes, wanted)
    }

    /// Fails a step whose reply came, but broke.
    fn broke(&self, work: &'static str) -> impl Fn(std::io::Error) -> Lost {
        move |error| {
            self.tally.wrong(work, &error.to_string());
            Lost
        }
    }
}

const READS: [&str; 6] =
    ["/_ping", "/version", "/containers/json?all=1", "/containers/soak-cat/json", "/images/json", "/containers/soak-log/json"];

/// Ten reads on a connection that is kept.
fn kept_reads(client: &mut Client, work: &'static str, place: &Place) -> Step {
    let mut wire = match client.wire.take() {
        Some(wire) => wire,
        None => client.open(work, place)?,
    };
    for _ in 0..10 {
        let which = usize::try_from(client.below(READS.len() as u64)).unwrap_or(0);
        let (_, body) = client.tally.ask(work, &mut wire, &get(READS[which]), &[200])?;
        if which > 0 && serde_json::from_slice::<Value>(&body).is_err() {
            client.tally.wrong(work, &format!("{} is no JSON", READS[which]));
        }
    }
    client.wire = Some(wire);
    Ok(())
}

fn reads(client: &mut Client) -> Step {
    let place = client.gate.work();
    kept_reads(client, "read", &place)
}

fn tcp_reads(client: &mut Client) -> Step {
    let place = client.gate.tcp();
    kept_reads(client, "read over TCP", &place)
}

fn fresh_reads(client: &mut Client) -> Step {
    let work = "read, a connection each";
    client.ask(work, &get("/_ping"), &[200])?;
    client.ask(work, &get("/containers/json"), &[200]).map(drop)
}

fn create(name: &str, kind: &str, command: &str) -> Vec<u8> {
    let json = format!(
        r#"{{"Image":"busybox","Cmd":{command},"OpenStdin":true,"Labels":{{"{LABEL}":"{kind}"}},"StopTimeout":1,"HostConfig":{{"NetworkMode":"none"}}}}"#
    );
    post(&format!("/containers/create?name={name}"), &json)
}

/// The containers that the other clients need.
pub fn standing(client: &Client) -> Step {
    for (name, command) in STANDING {
        client.ask("standing", &create(name, "standing", command), &[201])?;
        client.ask("standing", &post(&format!("/containers/{name}/start"), ""), &[204])?;
    }
    Ok(())
}

/// A container from its creation to its end.
fn container(client: &mut Client) -> Step {
    let (work, name) = ("container", client.name());
    client.ask(work, &create(&name, "cycle", r#"["true"]"#), &[201])?;
    client.tally.seen().created += 1;
    client.ask(work, &post(&format!("/containers/{name}/start"), ""), &[204])?;
    let (_, ended) = client.ask(work, &post(&format!("/containers/{name}/wait"), ""), &[200])?;
    if !String::from_utf8_lossy(&ended).contains(r#""StatusCode":0"#) {
        client.tally.wrong(work, &String::from_utf8_lossy(&ended));
    }
    client.ask(work, &request("DELETE", &format!("/containers/{name}?force=1&v=1"), "", b""), &[204])?;
    client.tally.seen().removed += 1;
    Ok(())
}

/// The payload of the next frame of a stream that carries several.
fn frame(wire: &mut Wire) -> std::io::Result<Vec<u8>> {
    let head = wire.take(8)?;
    wire.take(u32::from_be_bytes([head[4], head[5], head[6], head[7]]) as usize)
}

/// Sends bytes and has them echoed.
fn echoed(client: &Client, work: &'static str, wire: &mut Wire, bytes: &[u8]) -> Step {
    wire.send(bytes).map_err(client.broke(work))?;
    let mut came = Vec::new();
    while came.len() < bytes.len() {
        came.extend(frame(wire).map_err(client.broke(work))?);
    }
    client.tally.seen().echoed += came.len() as u64;
    client.tally.same(work, &came, bytes)
}

fn exec_in(client: &Client, work: &'static str) -> Result<(String, Wire), Lost> {
    let wanted = r#"{"AttachStdin":true,"AttachStdout":true,"Cmd":["cat"]}"#;
    let (_, made) = client.ask(work, &post("/containers/soak-cat/exec", wanted), &[201])?;
    let id = serde_json::from_slice::<Value>(&made).ok().and_then(|made| Some(made["Id"].as_str()?.to_owned())).unwrap_or_default();
    let mut wire = client.open(work, &client.gate.work())?;
    client.tally.head(work, &mut wire, &upgrade(&format!("/exec/{id}/start"), r#"{"Detach":false,"Tty":false}"#), &[101])?;
    Ok((id, wire))
}

/// `docker exec -i`: an echo, the end of input, the end of output, the exit code.
fn exec(client: &mut Client) -> Step {
    let work = "exec";
    let (id, mut wire) = exec_in(client, work)?;
    for _ in 0..4 {
        let count = 1 + client.below(24_000) as usize;
        let bytes = client.bytes(count);
        echoed(client, work, &mut wire, &bytes)?;
    }
    wire.half_close().map_err(client.broke(work))?;
    if wire.piece().map_err(client.broke(work))?.is_some() {
        client.tally.wrong(work, "more came than was sent");
    }
    let (_, about) = client.ask(work, &get(&format!("/exec/{id}/json")), &[200])?;
    if !String::from_utf8_lossy(&about).contains(r#""ExitCode":0"#) {
        client.tally.wrong(work, &String::from_utf8_lossy(&about));
    }
    Ok(())
}

/// `docker attach` to a container that goes on afterwards.
fn attach(client: &mut Client) -> Step {
    let work = "attach";
    let mut wire = client.open(work, &client.gate.work())?;
    client.tally.head(work, &mut wire, &upgrade("/containers/soak-attach/attach?stream=1&stdin=1&stdout=1", ""), &[101])?;
    for _ in 0..3 {
        let count = 1 + client.below(8000) as usize;
        let bytes = client.bytes(count);
        echoed(client, work, &mut wire, &bytes)?;
        let breath = Duration::from_millis(client.below(300));
        client.stop.wait(breath);
    }
    Ok(())
}

/// `docker logs -f` for some seconds; whoever reads logs goes away in the middle of them.
fn logs(client: &mut Client) -> Step {
    let work = "logs";
    let mut wire = client.open(work, &client.gate.work())?;
    let head = client.tally.head(work, &mut wire, &get("/containers/soak-log/logs?follow=1&stdout=1&tail=5"), &[200])?;
    let _chunked_or_not = head;
    let (until, mut lines) = (Instant::now() + Duration::from_secs(1 + client.below(8)), 0);
    while Instant::now() < until && !client.stop.is_set() {
        let piece = wire.piece().map_err(client.broke(work))?;
        lines += piece.unwrap_or_default().windows(5).filter(|five| five == b"line ").count();
    }
    if lines == 0 {
        client.tally.wrong(work, "no line came");
    }
    client.ask(work, &get("/containers/soak-log/logs?stdout=1&tail=20"), &[200]).map(drop)
}

/// Events, held for a while. Containers come and go all the time, so there are some.
fn events(client: &mut Client) -> Step {
    let work = "events";
    let mut wire = client.open(work, &client.gate.reads())?;
    client.tally.head(work, &mut wire, &get("/events"), &[200])?;
    let (until, mut come) = (Instant::now() + Duration::from_secs(10 + client.below(40)), Vec::new());
    while Instant::now() < until && !client.stop.is_set() {
        come.extend(wire.chunk().map_err(client.broke(work))?.unwrap_or_default());
        // an event is a line; in how many chunks it comes says nothing
        while let Some(end) = come.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = come.drain(..=end).collect();
            if serde_json::from_slice::<serde_json::Value>(&line).is_err() {
                client.tally.wrong(work, "this is no event");
            }
        }
    }
    Ok(())
}

/// One file in a tar (POSIX ustar).
fn tar(name: &str, data: &[u8]) -> Vec<u8> {
    let mut head = [0_u8; 512];
    let mut put = |at: usize, text: &str| head[at..at + text.len()].copy_from_slice(text.as_bytes());
    put(0, name);
    put(100, "0000644\0");
    put(108, "0000000\0");
    put(116, "0000000\0");
    put(124, &format!("{:011o}\0", data.len()));
    put(136, "00000000000\0");
    put(148, "        ");
    put(156, "0");
    put(257, "ustar\x0000");
    let sum: u32 = head.iter().map(|byte| u32::from(*byte)).sum();
    head[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let mut archive = head.to_vec();
    archive.extend_from_slice(data);
    archive.resize(archive.len().next_multiple_of(512) + 1024, 0);
    archive
}

fn chunked(path: &str, method: &str) -> Vec<u8> {
    request(method, path, "Content-Type: application/x-tar\r\nTransfer-Encoding: chunked\r\n", b"")
}

/// `docker cp` in and out again.
fn archive(client: &mut Client) -> Step {
    let work = "archive";
    let count = 1000 + client.below(400_000) as usize;
    let data = client.bytes(count);
    let archive = tar("soak.bin", &data);
    client.ask(work, &request("PUT", "/containers/soak-cat/archive?path=/tmp", "Content-Type: application/x-tar\r\n", &archive), &[200])?;
    let (_, back) = client.ask(work, &get("/containers/soak-cat/archive?path=/tmp/soak.bin"), &[200])?;
    let from = back.windows(16).position(|window| window == &data[..16]).unwrap_or(back.len());
    client.tally.same(work, back.get(from..from + data.len()).unwrap_or_default(), &data)
}

/// `docker load`, with a length and in chunks by turns.
fn load(client: &mut Client) -> Step {
    let (work, image) = ("load", Arc::clone(&client.image));
    client.count += 1;
    if client.count.is_multiple_of(2) {
        return client.ask(work, &request("POST", "/images/load", "Content-Type: application/x-tar\r\n", &image), &[200]).map(drop);
    }
    let mut body = chunked("/images/load", "POST");
    for piece in image.chunks(32 * 1024) {
        body.extend(format!("{:x}\r\n", piece.len()).into_bytes());
        body.extend_from_slice(piece);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"0\r\n\r\n");
    client.ask(work, &body, &[200]).map(drop)
}

/// What is refused, for every kind of reason.
fn denied(client: &mut Client) -> Step {
    let work = "denied";
    client.count += 1;
    let (place, bytes, status) = match client.count % 8 {
        0 => (client.gate.reads(), create("soak-no", "no", r#"["true"]"#), 403),
        1 => (client.gate.tcp(), request("DELETE", "/containers/soak-cat?force=1", "", b""), 403),
        2 => (client.gate.work(), post("/containers/create", r#"{"Image":"busybox","HostConfig":{"Privileged":true}}"#), 403),
        3 => (client.gate.work(), post("/containers/create", r#"{"Image":"busybox","HostConfig":{"Binds":["/:/host"]}}"#), 403),
        4 => (client.gate.work(), get("/no/such/thing"), 403),
        5 => (client.gate.work(), post("/containers/create", r#"{"Image":"busybox","Image":"other"}"#), 403),
        6 => (client.gate.work(), b"GET  /_ping HTTP/1.1\r\n\r\n".to_vec(), 400),
        _ => (client.gate.work(), get("/containers/soak-none/json"), 404),
    };
    let mut wire = client.open(work, &place)?;
    client.tally.ask(work, &mut wire, &bytes, &[status]).map(drop)
}

/// Goes away in the middle of something.
fn vanish(client: &mut Client) -> Step {
    let work = "vanishing";
    let name = client.name();
    let made = create(&name, "vanished", r#"["true"]"#);
    let put = chunked("/containers/soak-cat/archive?path=/tmp", "PUT");
    let follow = get("/containers/soak-log/logs?follow=1&stdout=1");
    let bytes = match client.below(9) {
        0 => get("/containers/json")[..20].to_vec(),
        1 => get("/containers/json?all=1"),
        2 => made[..made.len() - 30].to_vec(),
        3 => made,
        4 => [&put[..], b"200\r\n", &tar("half", b"")[..512]].concat(),
        5 => follow,
        6 => get("/events"),
        7 => post("/containers/soak-cat/exec", r#"{"Cmd":["true"]}"#),
        _ => {
            let (_, mut wire) = exec_in(client, work)?;
            let bytes = client.bytes(5000);
            return wire.send(&bytes).map_err(client.broke(work));
        }
    };
    let mut wire = client.open(work, &client.gate.work())?;
    client.tally.sent(work);
    let _it_may_be_refused_already = wire.send(&bytes);
    let moment = Duration::from_millis(client.below(30));
    client.stop.wait(moment);
    client.tally.broken(work);
    Ok(())
}

/// A head, or a body, that comes a few bytes at a time.
fn slow_sender(client: &mut Client) -> Step {
    let work = "slow sender";
    let (bytes, status) = if client.below(2) == 0 {
        (get("/_ping"), 200)
    } else {
        (post("/containers/create", r#"{"Image":"busybox","HostConfig":{"Privileged":true},"Cmd":["true"]}"#), 403)
    };
    let mut wire = client.open(work, &client.gate.work())?;
    client.tally.sent(work);
    for piece in bytes.chunks(4) {
        if wire.send(piece).is_err() {
            break; // refused already: the reply says why
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let head = wire.head().map_err(|error| client.tally.lost(work, &error))?;
    client.tally.answered(work, &head);
    if head.status != status {
        client.tally.wrong(work, &format!("{} and not {status}", head.status));
    }
    Ok(())
}

/// `docker save` to somebody who takes it piece by piece.
fn slow_reader(client: &mut Client) -> Step {
    let work = "slow reader";
    let mut wire = client.open(work, &client.gate.work())?;
    client.tally.head(work, &mut wire, &get("/images/busybox/get"), &[200])?;
    let mut length = 0;
    while let Some(chunk) = wire.chunk().map_err(client.broke(work))? {
        length += chunk.len();
        std::thread::sleep(Duration::from_millis(10));
    }
    if length < client.image.len() / 2 {
        client.tally.wrong(work, &format!("an image of {length} bytes"));
    }
    Ok(())
}

/// Removes what clients that vanished have left.
pub fn sweep(client: &mut Client) -> Step {
    removed(client, "vanished").map(drop)
}

/// Removes all containers of a kind; returns how many there were.
pub fn removed(client: &Client, kind: &str) -> Result<usize, Lost> {
    let work = "sweep";
    let filter = format!("%7B%22label%22%3A%5B%22{LABEL}%3D{kind}%22%5D%7D");
    let (_, list) = client.ask(work, &get(&format!("/containers/json?all=1&filters={filter}")), &[200])?;
    let list: Value = serde_json::from_slice(&list).unwrap_or_default();
    let ids: Vec<&str> = list.as_array().into_iter().flatten().filter_map(|one| one["Id"].as_str()).collect();
    for id in &ids {
        client.ask(work, &request("DELETE", &format!("/containers/{id}?force=1&v=1"), "", b""), &[204, 404, 409])?;
    }
    Ok(ids.len())
}

/// Another configuration, by its file alone or with SIGHUP.
fn reload(client: &mut Client) -> Step {
    client.count += 1;
    let which = usize::try_from(client.count).unwrap_or(0);
    let mut done = client.gate.rewrite(which);
    if client.count.is_multiple_of(2) {
        done = done.and_then(|()| client.gate.signal("HUP"));
    }
    if let Err(error) = done {
        client.tally.wrong("reload", &error.to_string());
    }
    client.tally.seen().reloads += 1;
    Ok(())
}

/// An image as the engine itself saves it.
pub fn saved(engine: &Place) -> Result<Vec<u8>, String> {
    let saved = || -> std::io::Result<Vec<u8>> {
        let mut wire = Wire::open(engine)?;
        wire.send(&wire::get("/images/busybox/get"))?;
        let head = wire.head()?;
        wire.body(&head)
    };
    saved().map_err(|error| format!("`busybox` cannot be saved: {error}"))
}
