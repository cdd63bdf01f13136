//! Replies that no engine should give, through the real binary: the client sees one reply for a request, and nothing of a second one.
//! Knows nothing of how replies are read; `corpus/torture.toml` says what must come of each.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;

use super::case::{ReplyCase, Torture, UNJUDGED};
use super::wire::{Reply, Wire};
use crate::support::gate::Gate;
use crate::support::{folder, report};

/// How many replies the file holds.
const REPLIES: usize = 76;
/// Replies up to this size come byte by byte too.
const SHORT: usize = 2 << 10;
const SECOND: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecond";

/// An engine whose first answer after [`Engine::prepare`] is what it is told; all others are good.
struct Engine {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    script: Option<Script>,
    connections: usize,
    /// The connection of each request.
    requests: Vec<usize>,
    /// The prepared answer has gone out, on this connection.
    answered: Option<UnixStream>,
}

struct Script {
    reply: Vec<u8>,
    closes: bool,
    step: usize,
}

impl Engine {
    fn listen(path: &Path) -> Self {
        let listener = UnixListener::bind(path).unwrap();
        let shared = Arc::new(Shared::default());
        let own = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (shared, number) = (Arc::clone(&own), own.lock().connections);
                own.lock().connections += 1;
                thread::spawn(move || shared.serve(number, stream));
            }
        });
        Self { shared }
    }

    fn prepare(&self, script: Script) {
        let mut state = self.shared.lock();
        *state = State { script: Some(script), connections: state.connections, ..State::default() };
    }

    /// Waits until the prepared answer has gone out to its last byte, and sends something after it.
    fn later(&self, bytes: &[u8]) {
        let mut state = self.shared.lock();
        while state.answered.is_none() {
            state = self.shared.changed.wait(state).unwrap();
        }
        let _closed_already = state.answered.as_mut().unwrap().write_all(bytes);
    }

    fn requests(&self) -> Vec<usize> {
        self.shared.lock().requests.clone()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Requests here have no body.
    fn serve(&self, number: usize, mut stream: UnixStream) {
        let (mut buffer, mut piece) = (Vec::new(), [0; 4096]);
        loop {
            while let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                buffer.drain(..end + 4);
                let script = self.asked(number);
                let prepared = script.is_some();
                let Script { reply, closes, step } = script.unwrap_or(Script { reply: SECOND.to_vec(), closes: false, step: usize::MAX });
                for bytes in reply.chunks(step) {
                    let _refused_early = stream.write_all(bytes);
                    if step == 1 {
                        thread::yield_now();
                    }
                }
                if closes {
                    let _closed_already = stream.shutdown(std::net::Shutdown::Write);
                }
                if prepared {
                    self.lock().answered = Some(stream.try_clone().unwrap());
                    self.changed.notify_all();
                }
            }
            match stream.read(&mut piece) {
                Ok(0) | Err(_) => return,
                Ok(read) => buffer.extend_from_slice(&piece[..read]),
            }
        }
    }

    fn asked(&self, number: usize) -> Option<Script> {
        let mut state = self.lock();
        state.requests.push(number);
        state.script.take()
    }
}

struct Bed {
    torture: Torture,
    engine: Engine,
    door: PathBuf,
    ping: Vec<u8>,
}

#[test]
fn a_client_sees_one_reply_for_a_request_whatever_the_engine_sends() {
    let torture = Torture::load();
    assert_eq!(torture.replies.len(), REPLIES);
    let folder = folder();
    let (engine, door) = (folder.path().join("engine"), folder.path().join("door/s"));
    let bed = Bed { engine: Engine::listen(&engine), ping: torture.request("ping", super::TAG), door: door.clone(), torture };
    let config = format!(
        "version = 1\n[upstream]\nurl = \"unix://{}\"\n[[door]]\nlisten = \"unix://{}\"\npolicy = \"read-only\"\n",
        engine.display(),
        door.display()
    );
    let gate = Gate::start(folder.path(), &config, &[door]);
    let (mut faults, mut exchanges) = (Vec::new(), 0);
    for case in &bed.torture.replies {
        for step in bed.steps(case) {
            exchanges += 1;
            faults.extend(bed.fault(case, step).map(|fault| format!("{} in pieces of {step}: {fault}", case.name)));
        }
    }
    let records = gate.stop();
    assert!(records.values().all(|record| record["verdict"] == "allow"), "every request was allowed");
    report(&format!("torture: {REPLIES} replies / {exchanges} exchanges / {} requests", records.len()));
    assert!(faults.is_empty(), "{} of {exchanges}:\n{}", faults.len(), faults.join("\n"));
}

impl Bed {
    fn steps(&self, case: &ReplyCase) -> Vec<usize> {
        if self.torture.answered(case).0.len() > SHORT { vec![usize::MAX, 1021] } else { vec![usize::MAX, 7, 1] }
    }

    fn fault(&self, case: &ReplyCase, step: usize) -> Option<String> {
        let (reply, later) = self.torture.answered(case);
        self.engine.prepare(Script { reply, closes: case.closes, step });
        let asked = self.torture.asked(case);
        let mut client = Wire::open(&self.door);
        client.send(&asked);
        let first = client.reply(asked.starts_with(b"HEAD "));
        self.engine.later(&later);
        self.first(case, first.as_ref()).or_else(|| self.second(case, client))
    }

    fn first(&self, case: &ReplyCase, reply: Option<&Reply>) -> Option<String> {
        let Some(reply) = reply else { return Some("no reply".to_owned()) };
        if reply.status != case.client || reply.continues > 0 {
            return Some(format!("expected {}, got {}", case.client, reply.head));
        }
        // the body of a refusal is dockgate's own
        if reply.status != 502 && (reply.body != case.body.as_bytes() || reply.whole == case.broken) {
            return Some(format!("expected `{}`, got {reply:?}", case.body));
        }
        (reply.status == 204 && reply.field("content-length").is_some()).then(|| format!("a length where no body can be: {}", reply.head))
    }

    /// The same client goes on where it can, and another one is served.
    fn second(&self, case: &ReplyCase, mut client: Wire) -> Option<String> {
        if case.broken {
            let rest = client.rest();
            if !rest.is_empty() {
                return Some(format!("after a reply that broke off came {:?}", String::from_utf8_lossy(&rest)));
            }
        } else {
            client.send(&self.ping);
            let reply = client.reply(false);
            if reply.as_ref().is_none_or(|reply| reply.body != b"second") {
                return Some(format!("the second request of the same client got {reply:?}"));
            }
        }
        let mut other = Wire::open(&self.door);
        other.send(&self.ping);
        let reply = other.reply(false);
        if reply.as_ref().is_none_or(|reply| reply.body != b"second") {
            return Some(format!("another client got {reply:?}"));
        }
        let requests = self.engine.requests();
        if (requests.first() == requests.get(1)) != case.reused {
            return Some(format!("connections {requests:?}"));
        }
        for seen in [&client.seen, &other.seen] {
            if seen.windows(UNJUDGED.len()).any(|window| window == UNJUDGED) {
                return Some(format!("a client saw {:?}", String::from_utf8_lossy(seen)));
            }
        }
        None
    }
}
