//! An upstream on a unix socket that keeps the exact bytes of every request and answers like an engine.
//! Knows nothing of the gate.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// The full id of the one container that this engine knows, by whatever name it is asked for.
pub const FULL_ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// Listens until it is dropped.
pub struct Recorder {
    path: PathBuf,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    /// A request is here from its first byte on, so that one that breaks off counts as arrived.
    seen: Mutex<Vec<Vec<u8>>>,
    stop: AtomicBool,
}

impl Recorder {
    pub fn start(path: &Path) -> Self {
        let listener = UnixListener::bind(path).unwrap();
        let shared = Arc::new(Shared::default());
        let own = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if own.stop.load(Ordering::SeqCst) {
                    return;
                }
                let shared = Arc::clone(&own);
                thread::spawn(move || Connection { stream, shared }.serve());
            }
        });
        Self { path: path.to_owned(), shared }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What has arrived since the last call, in order of arrival.
    pub fn take(&self) -> Vec<Vec<u8>> {
        std::mem::take(&mut *self.shared.seen.lock().unwrap())
    }

    /// The same, and it stays.
    pub fn seen(&self) -> Vec<Vec<u8>> {
        self.shared.seen.lock().unwrap().clone()
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        let _wakes_the_listener = UnixStream::connect(&self.path);
    }
}

struct Connection {
    stream: UnixStream,
    shared: Arc<Shared>,
}

impl Connection {
    fn serve(mut self) {
        let mut buffer = Vec::new();
        loop {
            // the index stays right only while tests take between requests, which is when this connection is idle
            let mut at = None;
            let Some(length) = self.whole(&mut buffer, &mut at) else { return };
            let request: Vec<u8> = buffer.drain(..length).collect();
            let answer = answer(&request);
            if self.stream.write_all(&answer.bytes).is_err() {
                return;
            }
            if answer.tunnel {
                let _client_gone = self.stream.shutdown(Shutdown::Write);
                let _until_the_client_ends = std::io::copy(&mut self.stream, &mut std::io::sink());
                return;
            }
        }
    }

    /// Reads until a whole request is in the buffer; returns its length, `None` at the end of the connection.
    fn whole(&mut self, buffer: &mut Vec<u8>, at: &mut Option<usize>) -> Option<usize> {
        let mut piece = [0; 16 * 1024];
        loop {
            if let Some(length) = request_length(buffer) {
                self.note(&buffer[..length], at);
                return Some(length);
            }
            if !buffer.is_empty() {
                self.note(buffer, at);
            }
            match self.stream.read(&mut piece) {
                Ok(0) | Err(_) => return None,
                Ok(read) => buffer.extend_from_slice(&piece[..read]),
            }
        }
    }

    fn note(&self, bytes: &[u8], at: &mut Option<usize>) {
        let mut seen = self.shared.seen.lock().unwrap();
        match at.and_then(|at| seen.get_mut(at)) {
            Some(known) => *known = bytes.to_vec(),
            None => {
                *at = Some(seen.len());
                seen.push(bytes.to_vec());
            }
        }
    }
}

/// The length of the request that a buffer begins with, once it is whole.
fn request_length(buffer: &[u8]) -> Option<usize> {
    let head_end = position(buffer, b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(&buffer[..head_end]).to_ascii_lowercase();
    let header = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':').map(|value| value.trim().to_owned()));
    if header("transfer-encoding").is_some_and(|value| value == "chunked") {
        return chunks_end(buffer, head_end);
    }
    let length = header("content-length").map_or(0, |value| value.parse().unwrap());
    (buffer.len() >= head_end + length).then_some(head_end + length)
}

fn chunks_end(buffer: &[u8], mut at: usize) -> Option<usize> {
    loop {
        let line = at + position(&buffer[at..], b"\r\n")?;
        let size = usize::from_str_radix(std::str::from_utf8(&buffer[at..line]).unwrap(), 16).unwrap();
        at = line + 2 + size + 2;
        if buffer.len() < at {
            return None;
        }
        if size == 0 {
            return Some(at);
        }
    }
}

/// Where a pattern begins in a text.
pub fn position(text: &[u8], pattern: &[u8]) -> Option<usize> {
    text.windows(pattern.len()).position(|window| window == pattern)
}

struct Answer {
    bytes: Vec<u8>,
    tunnel: bool,
}

fn answer(request: &[u8]) -> Answer {
    let head = String::from_utf8_lossy(&request[..position(request, b"\r\n\r\n").unwrap()]).into_owned();
    let mut words = head.split(' ');
    let (method, target) = (words.next().unwrap(), words.next().unwrap());
    let upgrade = head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("upgrade:").map(|value| value.trim().to_owned()));
    if let Some(protocol) = upgrade {
        let kind = "Content-Type: application/vnd.docker.raw-stream\r\n";
        let bytes = format!("HTTP/1.1 101 UPGRADED\r\n{kind}Connection: Upgrade\r\nUpgrade: {protocol}\r\n\r\n").into_bytes();
        return Answer { bytes, tunnel: true };
    }
    let (status, body) = reply(method, target.split('?').next().unwrap());
    let shown = if method == "HEAD" { "" } else { &body };
    let bytes =
        format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{shown}", body.len()).into_bytes();
    Answer { bytes, tunnel: false }
}

fn reply(method: &str, path: &str) -> (&'static str, String) {
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    let segments = match segments.first() {
        Some(first) if first.starts_with("v1.") => &segments[1..],
        _ => &segments[..],
    };
    match (method, segments) {
        // a name of 64 digits that is none of ours: such as the container that the tests themselves run in
        ("GET", ["containers", id, "json"]) if id.len() == 64 && *id != FULL_ID => {
            ("404 Not Found", r#"{"message":"No such container"}"#.to_owned())
        }
        ("GET", ["containers", name, "json"]) => ("200 OK", container(name)),
        ("GET", ["exec", id, "json"]) => {
            ("200 OK", format!(r#"{{"ID":"{id}","ContainerID":"{FULL_ID}","Running":false,"ProcessConfig":{{"privileged":false}}}}"#))
        }
        ("GET", ["volumes", name]) => ("200 OK", format!(r#"{{"Name":"{name}","Driver":"local","Options":null,"Scope":"local"}}"#)),
        ("GET", ["networks", name]) => ("200 OK", format!(r#"{{"Name":"{name}","Id":"{FULL_ID}","Driver":"bridge","Options":{{}}}}"#)),
        ("GET", ["info"]) => ("200 OK", r#"{"CgroupVersion":"2","OSType":"linux"}"#.to_owned()),
        ("GET", ["version"]) => ("200 OK", r#"{"ApiVersion":"1.47","MinAPIVersion":"1.24"}"#.to_owned()),
        ("POST", ["containers", "create"]) => ("201 Created", format!(r#"{{"Id":"{FULL_ID}","Warnings":[]}}"#)),
        ("POST", [.., "create" | "exec"]) => ("201 Created", "{}".to_owned()),
        _ => ("200 OK", "{}".to_owned()),
    }
}

/// A container as an engine shows it that made it with nothing but its defaults.
fn container(name: &str) -> String {
    let host = r#"{"Binds":null,"ContainerIDFile":"","LogConfig":{"Type":"json-file","Config":{}},"NetworkMode":"bridge","PortBindings":{},
        "RestartPolicy":{"Name":"no","MaximumRetryCount":0},"AutoRemove":false,"VolumeDriver":"","VolumesFrom":null,"ConsoleSize":[0,0],"CapAdd":null,"CapDrop":null,
        "CgroupnsMode":"private","Dns":[],"DnsOptions":[],"DnsSearch":[],"ExtraHosts":null,"GroupAdd":null,"IpcMode":"private","Cgroup":"","Links":null,
        "OomScoreAdj":0,"PidMode":"","Privileged":false,"PublishAllPorts":false,"ReadonlyRootfs":false,"SecurityOpt":null,"UTSMode":"","UsernsMode":"",
        "ShmSize":67108864,"Runtime":"runc","Isolation":"","CpuShares":0,"Memory":0,"NanoCpus":0,"CgroupParent":"","BlkioWeight":0,"BlkioWeightDevice":[],
        "CpuPeriod":0,"CpuQuota":0,"Devices":[],"DeviceCgroupRules":null,"DeviceRequests":null,"MemoryReservation":0,"MemorySwap":0,"MemorySwappiness":null,
        "OomKillDisable":null,"PidsLimit":null,"Ulimits":[],"MaskedPaths":["/proc/asound","/proc/acpi","/proc/interrupts","/proc/kcore","/proc/keys","/proc/latency_stats",
        "/proc/timer_list","/proc/timer_stats","/proc/sched_debug","/proc/scsi","/sys/firmware","/sys/devices/virtual/powercap"],
        "ReadonlyPaths":["/proc/bus","/proc/fs","/proc/irq","/proc/sys","/proc/sysrq-trigger"]}"#;
    let config = r#"{"Hostname":"0123456789ab","User":"1000:1000","Env":["PATH=/bin"],"Cmd":["id"],"Image":"docker.io/library/alpine:3.20","Labels":{}}"#;
    let plain = name.trim_start_matches('/');
    format!(
        r#"{{"Id":"{FULL_ID}","Name":"/{plain}","State":{{"Status":"created","Running":false}},"Config":{config},"HostConfig":{host},"Mounts":[]}}"#
    )
}
