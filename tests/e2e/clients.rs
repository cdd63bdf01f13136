//! Other clients than the docker CLI: compose, docker-py and dockerode, where they are installed.

use std::path::PathBuf;
use std::process::Command;

use crate::bed::{Bed, RAW, denial, in_path, on_every_engine};
use crate::engine::{left_out, programs, skipped};
use crate::process::{Output, run};

const DOORS: [&str; 2] = ["everything", "ci"];

/// Where `.ci/run` puts clients.
const TOOLS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/ci");

// ---- compose ----

fn compose(bed: &Bed, door: &str, line: &str) -> Output {
    let unpacked = || programs("28").map(|folder| folder.join("docker-compose")).filter(|file| file.is_file());
    let program = in_path("docker-compose").or_else(unpacked).expect("looked for before");
    let mut command = bed.client(program, door);
    command.args(["-p", &format!("{}{door}", bed.tag), "-f"]).arg(bed.folder.path().join("compose.yml")).args(line.split(' '));
    run(command)
}

fn composable() -> bool {
    let here = in_path("docker-compose").is_some() || programs("28").is_some_and(|folder| folder.join("docker-compose").is_file());
    if !here {
        skipped("no docker-compose: run `tests/e2e/engine.sh install 28`");
    }
    here
}

fn write_compose_file(bed: &Bed, name: &str, more: &str) {
    let service = format!(
        "image: busybox\n    container_name: {name}\n    network_mode: none\n    stdin_open: true\n    command: sh -c 'echo hello; cat'\n"
    );
    std::fs::write(bed.folder.path().join("compose.yml"), format!("services:\n  one:\n    {service}{more}\n")).unwrap();
}

#[test]
fn compose_brings_a_project_up_shows_it_and_takes_it_down() {
    if !composable() {
        return;
    }
    on_every_engine(|bed| {
        for door in DOORS {
            let name = bed.name(door);
            write_compose_file(bed, &name, "    read_only: true\n    tmpfs: /scratch\n    environment:\n      WORD: deed");
            let up = compose(bed, door, "up -d");
            assert_eq!(up.code, 0, "{}", up.shown());
            let container = bed.inspect(&name);
            assert_eq!(container["State"]["Status"], "running");
            assert_eq!(container["HostConfig"]["ReadonlyRootfs"], true);
            assert!(compose(bed, door, "ps").ok().contains(&name));
            let logs = crate::process::until("the log of the service", || {
                Some(compose(bed, door, "logs").ok()).filter(|logs| logs.contains("hello"))
            });
            assert!(!logs.contains("denied"), "{logs}");
            let again = compose(bed, door, "up -d");
            assert_eq!((again.code, &bed.inspect(&name)["Id"]), (0, &container["Id"]), "{}", again.shown());
            let down = compose(bed, door, "down -t 0");
            assert_eq!(down.code, 0, "{}", down.shown());
            assert!(bed.objects().is_empty());
        }
    });
}

#[test]
fn compose_shows_why_a_project_is_refused() {
    if !composable() {
        return;
    }
    on_every_engine(|bed| {
        for (door, more, text) in [
            ("read-only", "", "[not-allowed]: ContainerCreate"),
            ("ci", "    privileged: true", "[privileged]: HostConfig.Privileged"),
            ("ci", "    volumes: ['/:/host']", "[socket-mount]: HostConfig."),
        ] {
            write_compose_file(bed, &bed.name("bad"), more);
            let up = compose(bed, door, "up -d");
            assert_eq!(up.code, 1, "{}", up.shown());
            assert!(up.err.contains(&denial(door, text)), "{}", up.shown());
            assert!(bed.objects().is_empty());
        }
    });
}

// ---- docker-py ----

const PYTHON: &str = r#"
import os, socket, docker
client = docker.APIClient(base_url=os.environ["DOCKER_HOST"], version="auto", timeout=60)
name = os.environ["CONTAINER"]

def exchange(stream, words):
    stream = getattr(stream, "_sock", stream)
    for word in words:
        stream.sendall(word)
    stream.shutdown(socket.SHUT_WR)
    data = b""
    while True:
        piece = stream.recv(4096)
        if not piece:
            return data
        data += piece

def unframed(data):
    text = b""
    while data:
        length = int.from_bytes(data[4:8], "big")
        text, data = text + data[8:8 + length], data[8 + length:]
    return text

made = client.exec_create(name, ["sh", "-c", "echo out; exit 3"])
assert client.exec_start(made["Id"]) == b"out\n"
assert client.exec_inspect(made["Id"])["ExitCode"] == 3
made = client.exec_create(name, ["cat"], stdin=True)
assert unframed(exchange(client.exec_start(made["Id"], socket=True), [b"a\n", b"b\n"])) == b"a\nb\n"
output = client.attach(name, stdout=True, stderr=True, logs=True, stream=True)
attached = client.attach_socket(name, params={"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1})
assert unframed(exchange(attached, [b"hi\n"])) == b"hi\n"
assert client.wait(name)["StatusCode"] == 0
assert b"".join(output) == b"hi\n"
assert client.logs(name) == b"hi\n"
high = docker.DockerClient(base_url=os.environ["DOCKER_HOST"], version="auto")
assert high.containers.run("busybox", ["echo", "ran"], network_mode="none", name=name + "-run", remove=True) == b"ran\n"
print("passed")
"#;

const PYTHON_REFUSED: &str = r#"
import os, docker
client = docker.APIClient(base_url=os.environ["DOCKER_HOST"], version="auto", timeout=60)
name = os.environ["CONTAINER"]
for call in [lambda: client.exec_create(name, ["true"]), lambda: client.attach(name), lambda: client.create_container("busybox", name=name + "-x")]:
    try:
        call()
    except docker.errors.APIError as error:
        print(error.response.status_code, error.explanation)
"#;

fn python() -> Option<PathBuf> {
    let candidates = [Some(PathBuf::from(TOOLS).join("venv/bin/python3")), in_path("python3")];
    candidates
        .into_iter()
        .flatten()
        .filter(|python| python.is_file())
        .find(|python| run(with_arguments(python, &["-c", "import docker"])).code == 0)
}

fn with_arguments(program: &PathBuf, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments);
    command
}

/// A client and a container for it that says back what it hears.
fn container_client(bed: &Bed, program: &PathBuf, door: &str) -> Command {
    let name = bed.name(door);
    bed.listening_container(&name, "cat");
    let mut command = bed.client(program, door);
    command.env("CONTAINER", name);
    command
}

#[test]
fn docker_py_attaches_executes_and_runs() {
    let Some(python) = python() else { return skipped("no docker-py") };
    on_every_engine(|bed| {
        for door in DOORS {
            let mut command = container_client(bed, &python, door);
            command.args(["-c", PYTHON]);
            assert_eq!(run(command).ok(), "passed\n");
        }
        let mut command = container_client(bed, &python, "read-only");
        command.args(["-c", PYTHON_REFUSED]);
        let refused = run(command).ok();
        let lines: Vec<&str> = refused.lines().collect();
        assert_eq!(lines.len(), 3, "{refused}");
        assert!(
            lines.iter().all(|line| line.starts_with(&format!("403 {}", denial("read-only", "[not-allowed]: Container")))),
            "{refused}"
        );
    });
}

// ---- dockerode ----

const NODE: &str = r#"
const Docker = require("dockerode");
const docker = new Docker({ socketPath: process.env.DOCKER_HOST.replace("unix://", "") });
const { PassThrough } = require("stream");
const assert = require("assert");
const name = process.env.CONTAINER;

function heard(stream, expected) {
  return new Promise((resolve, reject) => {
    const out = new PassThrough(), all = [];
    out.on("data", (piece) => { all.push(piece); if (Buffer.concat(all).toString() === expected) resolve(); });
    stream.on("end", () => reject(new Error("ended after " + Buffer.concat(all))));
    stream.on("error", reject);
    docker.modem.demuxStream(stream, out, out);
  });
}

async function talk(stream) {
  const answer = heard(stream, "hi\n");
  stream.write("hi\n");
  await answer;
  stream.end();
}

(async () => {
  const container = docker.getContainer(name);
  for (const hijack of [true, false]) {
    const input = await container.exec({ Cmd: ["cat"], AttachStdin: true, AttachStdout: true, AttachStderr: true });
    await talk(await input.start({ hijack, stdin: true, Tty: false }));
    const output = await container.exec({ Cmd: ["echo", "out"], AttachStdout: true, AttachStderr: true });
    await heard(await output.start({ hijack }), "out\n");
    await talk(await container.attach({ stream: true, stdin: true, stdout: true, stderr: true, hijack }));
    if (hijack) { await container.restart({ t: 0 }); }
  }
  const out = new PassThrough(), all = [];
  out.on("data", (piece) => all.push(piece));
  const [result] = await docker.run("busybox", ["echo", "ran"], out, { name: name + "-run", Tty: true, HostConfig: { NetworkMode: "none" } });
  assert.deepStrictEqual([result.StatusCode, Buffer.concat(all).toString()], [0, "ran\r\n"]);
  console.log("passed");
  process.exit(0);
})().catch((error) => { console.error(error); process.exit(1); });
"#;

fn node() -> Option<(PathBuf, String)> {
    let node = in_path("node")?;
    let modules = std::env::var("NODE_PATH").unwrap_or_else(|_| format!("{TOOLS}/node_modules"));
    let mut command = with_arguments(&node, &["-e", "require('dockerode')"]);
    command.env("NODE_PATH", &modules);
    (run(command).code == 0).then_some((node, modules))
}

#[test]
fn dockerode_attaches_executes_and_runs_with_and_without_upgrade() {
    let Some((node, modules)) = node() else {
        // npm is not everywhere; such requests are written by hand in `streams`
        return left_out("no dockerode");
    };
    on_every_engine(|bed| {
        for door in [RAW, "everything", "ci"] {
            let mut command = container_client(bed, &node, door);
            command.args(["-e", NODE]).env("NODE_PATH", &modules);
            assert_eq!(run(command).ok(), "passed\n", "{door}");
        }
    });
}
