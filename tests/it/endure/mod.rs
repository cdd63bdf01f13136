//! Load and faults against the real binary: whatever some clients or the engine do, other clients are served meanwhile, and
//! afterwards nothing is left of it.

mod clients;
mod descriptors;
mod faulty;
#[path = "../../../benches/soak/held.rs"]
#[allow(dead_code, reason = "the soak shows more of it")]
mod held;
mod holding;
#[path = "../../../benches/soak/sample.rs"]
#[allow(dead_code, reason = "the soak shows more of it")]
mod sample;
mod time;
mod upstream;

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::client::Client;
use crate::support::gate::Gate;
use faulty::Faulty;

/// Within this a client is served, whatever others do; alone it takes about a millisecond.
const SERVED: Duration = Duration::from_secs(3);

const LIST: &[u8] = b"GET /v1.44/containers/json HTTP/1.1\r\nHost: docker\r\n\r\n";

/// A gate in front of an engine that can be made to fail. What others do goes through the door `a`; whoever must be served comes
/// through the same door.
struct Bed {
    gate: Gate,
    engine: Faulty,
    door: PathBuf,
    tcp: SocketAddr,
    /// Descriptors of the gate while nobody is connected.
    idle: u64,
    folder: TempDir,
}

impl Bed {
    fn new(limits: &str) -> Self {
        Self::started(limits, Gate::start)
    }

    /// With a process that may have so many descriptors: the soft limit, and the hard one.
    fn limited(limits: &str, descriptors: (u64, u64)) -> Self {
        Self::started(limits, |folder, config, doors| Gate::start_limited(folder, config, doors, descriptors))
    }

    fn started(limits: &str, start: impl FnOnce(&std::path::Path, &str, &[PathBuf]) -> Gate) -> Self {
        let folder = crate::support::folder();
        let (socket, door) = (folder.path().join("engine.sock"), folder.path().join("a/docker.sock"));
        let engine = Faulty::start(&socket);
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let config = format!(
            "version = 1\n[upstream]\nurl = \"unix://{}\"\n[[door]]\nlisten = \"unix://{}\"\npolicy = \"unrestricted\"\n\
             [[door]]\nlisten = \"tcp://{tcp}\"\npolicy = \"unrestricted\"\n[limits]\n{limits}\n",
            socket.display(),
            door.display()
        );
        let gate = start(folder.path(), &config, std::slice::from_ref(&door));
        let mut bed = Self { gate, engine, door, tcp, idle: 0, folder };
        bed.idle = bed.settled();
        bed
    }

    fn client(&self) -> Client {
        Client::unix(&self.door)
    }

    fn descriptors(&self) -> u64 {
        sample::look(self.gate.pid(), 0.0).unwrap().descriptors
    }

    /// The descriptors, once none is left of what was: the engine closes its connections, and for a while nothing changes.
    fn settled(&self) -> u64 {
        self.engine.close_all();
        let (mut last, mut same) = (self.descriptors(), Instant::now());
        self.gate.until("descriptors stay as they are", || {
            let now = self.descriptors();
            if now != last {
                (last, same) = (now, Instant::now());
            }
            (same.elapsed() > Duration::from_millis(400)).then_some(now)
        })
    }

    /// Another client is served, and soon.
    #[track_caller]
    fn serves(&self) {
        let (start, mut client) = (Instant::now(), self.client());
        client.send(LIST);
        let reply = client.reply(false).expect("a reply");
        assert_eq!((reply.status, &*reply.text()), (200, "[]"));
        assert!(start.elapsed() < SERVED, "another client waited for {:?}", start.elapsed());
    }

    /// All clients have gone and the engine has closed: everything that was open for them is closed again.
    #[track_caller]
    fn leaves_nothing(&self) {
        self.engine.close_all();
        let idle = self.idle;
        self.gate.until("all descriptors are given back", || {
            self.engine.close_all();
            (self.descriptors() <= idle).then_some(())
        });
    }

    /// Stops the gate, which must not take long since nothing is open, and returns the records that fit.
    fn records(self, fits: impl Fn(&Value) -> bool) -> Vec<Value> {
        let Self { gate, engine: _engine, folder: _folder, .. } = self;
        gate.stop().into_values().filter(|record| fits(record)).collect()
    }
}

/// A read of a container whose name tells the engine what to do.
fn read(name: &str) -> Vec<u8> {
    format!("GET /v1.44/containers/{name}/json HTTP/1.1\r\nHost: docker\r\n\r\n").into_bytes()
}

/// Members of a record, as one text.
fn said(record: &Value, members: &[&str]) -> String {
    members.iter().map(|name| record[*name].to_string().replace('"', "")).collect::<Vec<_>>().join(" ")
}
