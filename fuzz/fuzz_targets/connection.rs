//! A whole connection: a client's bytes and the engine's replies in, what reached the engine and the client out.
//! Input: a byte of switches, the client's bytes, then the engine's replies, each after 0xff 0xff; an empty one is a good reply.
#![no_main]

#[path = "connection/check.rs"]
mod check;
#[path = "connection/engine.rs"]
mod engine;
#[path = "connection/oracle.rs"]
mod oracle;

use std::cell::RefCell;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use dockgate::audit::{Settings, Sync, Trail};
use dockgate::config;
use dockgate::proxy::Upstream;
use dockgate::proxy::serve::Server;
use dockgate::proxy::upstream::Address;
use libfuzzer_sys::fuzz_target;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::runtime::{Builder, Runtime};

use engine::{Arrived, Engine};

/// Longer than anything that the two sides of this target let happen: every wait ends with an end of the other side.
const HANG: Duration = Duration::from_secs(5);

fuzz_target!(|input: &[u8]| {
    let Some((switches, rest)) = input.split_first() else { return };
    BED.with_borrow_mut(|bed| bed.get_or_insert_with(Bed::new).run(Switches::of(*switches), rest));
});

thread_local! { static BED: RefCell<Option<Bed>> = const { RefCell::new(None) }; }

/// So many bytes of a client come in pieces, where they do: the rest would only cost time.
const IN_PIECES: usize = 256;

/// What the first byte says.
struct Switches {
    door: usize,
    /// How many bytes the client sends at once.
    step: usize,
    /// Whether the client waits for replies after its last byte.
    stays: bool,
}

impl Switches {
    fn of(byte: u8) -> Self {
        let step = match byte >> 1 & 3 {
            0 => usize::MAX,
            1 => 1,
            2 => 7,
            _ => 61,
        };
        Self { door: usize::from(byte & 1), step, stays: byte & 8 == 0 }
    }
}

/// What stays from one input to the next.
struct Bed {
    runtime: Runtime,
    server: Server,
    engine: Engine,
    trail: Trail,
    lines: Lines,
}

/// What came of an input.
pub struct Outcome {
    /// What the engine got, in order of arrival.
    pub arrived: Vec<Arrived>,
    /// What the client got; nothing is known of one that went away.
    pub received: Option<Vec<u8>>,
    /// The last record of each call, in order.
    pub records: Vec<serde_json::Value>,
}

const POLICIES: &str = r#"
[limits]
max-json-body = "8KiB"

[policy.open]
extends = ["unrestricted"]
deny = ["ContainerKill", "ContainerExec", "VolumeDelete", "ContainerExport"]

[policy.judged]
extends = ["read-only"]
allow = [
    "ContainerCreate", "VolumeCreate", "NetworkCreate", "ImageBuild", "ImageLoad", "ImageCreate", "ContainerAttach",
    "ContainerAttachWebsocket", "PutContainerArchive", "ContainerArchiveInfo", "ContainerLogs", "ContainerStart",
]
"#;

impl Bed {
    fn new() -> Self {
        let folder = folder();
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let _context = runtime.enter();
        let (engine, lines) = (Engine::listen(&folder.join("engine")), Lines::default());
        let doors: String = ["open", "judged"]
            .map(|name| format!("[[door]]\nlisten = \"unix://{}\"\npolicy = \"{name}\"\n", folder.join(name).join("s").display()))
            .concat();
        let loaded = config::load("fuzz", &format!("version = 1\n{doors}{POLICIES}"));
        let config = loaded.config.unwrap_or_else(|| panic!("{:?}", loaded.diagnostics));
        let settings = Settings {
            sync: Sync::None,
            fold_above: 0,
            checkpoint_records: u64::MAX,
            checkpoint_interval: Duration::from_secs(1 << 30),
            ..Settings::default()
        };
        let trail = Trail::with(Box::new(lines.clone()), &settings).unwrap();
        let server = Server::bind(&config, Upstream::new(Address::Unix(folder.join("engine"))), trail.clone()).unwrap();
        drop(_context);
        let mut bed = Self { runtime, server, engine, trail, lines };
        // the first request looks for the container that this process runs in
        let _first = bed.outcome(&Switches::of(0), b"GET /_ping HTTP/1.1\r\n\r\n", Vec::new());
        bed
    }

    fn run(&mut self, switches: Switches, input: &[u8]) {
        let mut parts = split(input).into_iter();
        let client = parts.next().unwrap_or_default();
        let outcome = self.outcome(&switches, client, parts.map(<[u8]>::to_vec).collect());
        check::all(client, &outcome);
    }

    fn outcome(&mut self, switches: &Switches, client: &[u8], replies: Vec<Vec<u8>>) -> Outcome {
        self.lines.take();
        let Self { runtime, server, engine, trail, .. } = self;
        let (arrived, received) = runtime.block_on(async {
            let (near, far) = UnixStream::pair().unwrap();
            let both = async {
                let (served, received) = tokio::join!(server.serve_one(switches.door, near), talk(far, switches, client));
                served.expect("the door is there");
                received
            };
            let (received, arrived) = engine.during(replies, tokio::time::timeout(HANG, both)).await;
            trail.flush().await.expect("the trail is written");
            (arrived, received.expect("neither side waits, and the connection does not end"))
        });
        Outcome { arrived, received, records: check::last_records(&self.lines.take()) }
    }
}

/// The client: sends, ends its side, and reads to the end; or is gone after its last byte.
async fn talk(stream: UnixStream, switches: &Switches, bytes: &[u8]) -> Option<Vec<u8>> {
    let (mut read, mut write) = stream.into_split();
    let sending = async {
        let (first, rest) = bytes.split_at(bytes.len().min(IN_PIECES));
        for piece in first.chunks(switches.step).chain([rest]) {
            if write.write_all(piece).await.is_err() {
                break; // refused, and closed
            }
            if switches.step != usize::MAX {
                tokio::task::yield_now().await;
                tokio::task::yield_now().await;
            }
        }
        let _closed_already = write.shutdown().await;
    };
    if !switches.stays {
        sending.await;
        return None;
    }
    let mut received = Vec::new();
    let (_, _reset_is_an_end) = tokio::join!(sending, read.read_to_end(&mut received));
    Some(received)
}

fn split(input: &[u8]) -> Vec<&[u8]> {
    let (mut parts, mut rest) = (Vec::new(), input);
    while let Some(at) = rest.windows(2).position(|two| two == [0xff, 0xff]) {
        parts.push(&rest[..at]);
        rest = &rest[at + 2..];
    }
    parts.push(rest);
    parts
}

/// A folder of this process; in memory where there is one.
fn folder() -> PathBuf {
    let memory = PathBuf::from("/dev/shm");
    let base = if memory.is_dir() { memory } else { std::env::temp_dir() };
    let folder = base.join(format!("dockgate-fuzz-{}", std::process::id()));
    let _left_over = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// The trail.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
