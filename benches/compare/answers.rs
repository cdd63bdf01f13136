//! What the mock engine says: Docker's headers, and bodies of the sizes that real lists and inspects have.
//! Knows nothing of when it is said.

use std::rc::Rc;

use serde_json::{Value, json};

/// The headers of every answer of Docker 28.
const COMMON: &str = "Api-Version: 1.51\r\nDocker-Experimental: false\r\nOstype: linux\r\nServer: Docker/28.3.3 (linux)\r\n\
    Date: Sat, 21 Nov 2026 20:00:00 GMT\r\n";
const ID: &str = "8dfafdbc3a40e1bb5f1c5f2b5e0e8f4d6c7a9b0c1d2e3f405162738495a6b7c8";

/// Whole messages, ready to be sent, and the heads of streams.
pub struct Answers {
    pub ping: Rc<[u8]>,
    pub ping_head: Rc<[u8]>,
    pub version: Rc<[u8]>,
    pub info: Rc<[u8]>,
    /// About 2 KiB.
    pub list: Rc<[u8]>,
    /// About 200 KiB, in one chunk, as Go's server sends it.
    pub long_list: Rc<[u8]>,
    /// About 8 KiB, in one chunk.
    pub container: Rc<[u8]>,
    pub created: Rc<[u8]>,
    pub loaded: Rc<[u8]>,
    pub nothing: Rc<[u8]>,
    pub log_head: Rc<[u8]>,
    pub json_stream_head: Rc<[u8]>,
    pub upgraded: Rc<[u8]>,
}

impl Answers {
    pub fn new() -> Self {
        let version = json!({ "ApiVersion": "1.51", "MinAPIVersion": "1.24", "Version": "28.3.3", "Os": "linux", "Arch": "amd64" });
        Self {
            ping: message(&format!("{}OK", ping())),
            ping_head: message(&ping()),
            version: measured("200 OK", &version.to_string()),
            info: measured(
                "200 OK",
                &json!({ "DockerRootDir": "/var/lib/docker", "SecurityOptions": [], "ServerVersion": "28.3.3" }).to_string(),
            ),
            list: measured("200 OK", &list(2 << 10)),
            long_list: chunk(&list(200 << 10)),
            container: chunk(&container(8 << 10)),
            created: measured("201 Created", &json!({ "Id": ID, "Warnings": [] }).to_string()),
            loaded: measured("200 OK", &json!({ "stream": "Loaded image: busybox:latest\n" }).to_string()),
            nothing: measured("404 Not Found", &json!({ "message": "page not found" }).to_string()),
            log_head: message(&stream_head("application/vnd.docker.multiplexed-stream")),
            json_stream_head: message(&stream_head("application/json")),
            upgraded: message(
                "HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n",
            ),
        }
    }
}

fn message(text: &str) -> Rc<[u8]> {
    text.as_bytes().into()
}

fn ping() -> String {
    format!(
        "HTTP/1.1 200 OK\r\n{COMMON}Builder-Version: 2\r\nCache-Control: no-cache, no-store, must-revalidate\r\nContent-Length: 2\r\n\
         Content-Type: text/plain; charset=utf-8\r\nPragma: no-cache\r\nSwarm: inactive\r\n\r\n"
    )
}

fn measured(status: &str, body: &str) -> Rc<[u8]> {
    message(&format!("HTTP/1.1 {status}\r\n{COMMON}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}", body.len()))
}

fn chunk(body: &str) -> Rc<[u8]> {
    message(&format!("{}{:x}\r\n{body}\r\n0\r\n\r\n", stream_head("application/json"), body.len()))
}

fn stream_head(kind: &str) -> String {
    format!("HTTP/1.1 200 OK\r\n{COMMON}Content-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n")
}

/// A list of containers of about this size.
fn list(size: usize) -> String {
    let one = json!({
        "Id": ID, "Names": ["/web"], "Image": "nginx:1.29", "ImageID": "sha256:d74508fb6632", "Command": "nginx -g daemon off;",
        "Created": 1_763_740_800, "Ports": [{ "PrivatePort": 80, "PublicPort": 8080, "Type": "tcp" }], "State": "running",
        "Status": "Up 3 hours", "Labels": { "com.example.service": "web" }, "HostConfig": { "NetworkMode": "bridge" }, "Mounts": [],
    });
    let count = (size / one.to_string().len()).max(1);
    Value::Array(vec![one; count]).to_string()
}

/// A container as inspect shows it; its labels fill it up to this size.
fn container(size: usize) -> String {
    let shape = |labels: Value| {
        json!({
            "Id": ID, "Name": "/web", "Created": "2026-11-21T12:00:00.000000000Z", "Path": "nginx", "Args": ["-g", "daemon off;"],
            "State": { "Status": "running", "Running": true, "Paused": false, "Pid": 4242, "ExitCode": 0 },
            "Image": "sha256:d74508fb6632", "Driver": "overlay2", "Mounts": [],
            "Config": { "Image": "nginx:1.29", "User": "", "Env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"], "Labels": labels, "Tty": true },
            "HostConfig": {
                "Binds": null, "NetworkMode": "bridge", "Privileged": false, "PidMode": "", "IpcMode": "private", "UsernsMode": "",
                "CapAdd": null, "CapDrop": null, "Devices": [], "SecurityOpt": null, "RestartPolicy": { "Name": "no", "MaximumRetryCount": 0 },
            },
            "NetworkSettings": { "Ports": {}, "Networks": { "bridge": { "IPAddress": "172.17.0.2", "Gateway": "172.17.0.1" } } },
        })
        .to_string()
    };
    let room = size.saturating_sub(shape(json!({})).len());
    let labels = (0..room / 60).map(|number| (format!("com.example.label-{number:04}"), json!("a value of some thirty bytes")));
    shape(Value::Object(labels.collect()))
}
