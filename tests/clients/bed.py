"""The bed of a run: an engine in a network of its own, dockgate in front of it, what its trail says, and what it started.
Knows nothing of any client."""

import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time
import tomllib

ROOT = pathlib.Path(__file__).resolve().parents[2]
ENGINE = ROOT / "tests/e2e/engine.sh"
PATIENCE = 60


class Skipped(Exception):
    """What a client needs is not here."""


class Failed(Exception):
    """The client did not do its job."""


def gate_program():
    """The dockgate that is tried: $DOCKGATE, or what cargo built last."""
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    named = os.environ.get("DOCKGATE")
    found = [pathlib.Path(named)] if named else [target / kind / "dockgate" for kind in ("debug", "release")]
    built = sorted((file for file in found if file.is_file()), key=lambda file: file.stat().st_mtime)
    if not built:
        raise SystemExit("no dockgate: build it, or name it in DOCKGATE")
    return built[-1]


def until(awaited, look, seconds=PATIENCE):
    """What `look` returns as soon as it is true."""
    end = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > end:
            raise Failed(f"no {awaited} within {seconds} s")
        time.sleep(0.1)


def answers(path):
    """Whether somebody listens on a unix socket."""
    with socket.socket(socket.AF_UNIX) as ours:
        return ours.connect_ex(str(path)) == 0


class Api(http.client.HTTPConnection):
    """The engine's API, past dockgate."""

    def __init__(self, path):
        super().__init__("engine", timeout=PATIENCE)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Processes:
    """What was started, so that it can be ended: by its id, with what it started itself."""

    def __init__(self):
        self.started = []

    def start(self, command, log, **options):
        process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                                   start_new_session=True, **options)
        self.started.append(process)
        return process

    def end(self):
        for process in reversed(self.started):
            stop(process)
        self.started.clear()


def stop(process, seconds=10):
    """Ends a process and its group."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, sign)
        except ProcessLookupError:
            pass
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            continue
    return process.returncode


class Engine:
    """A real engine with the image `busybox`, and with its bridge in this network."""

    def __init__(self, folder, version):
        self.folder, self.version = folder, version
        up = subprocess.run([ENGINE, "up", folder, version], env={**os.environ, "BRIDGE": "1"}, capture_output=True, text=True)
        if up.returncode != 0:
            raise Skipped(up.stderr.strip().splitlines()[-1])
        self.socket = pathlib.Path(up.stdout.strip())
        subprocess.run([ENGINE, "image", folder], check=True)
        self.bin = pathlib.Path(subprocess.check_output([ENGINE, "bin", version], text=True).strip())
        self.release = self.api("GET", "/version")["Version"].split("+")[0]

    def api(self, method, path, body=None):
        """What the engine answers; None where it is not JSON."""
        connection = Api(self.socket)
        text = None if body is None else json.dumps(body)
        connection.request(method, path, text, {"Content-Type": "application/json"} if text else {})
        answer = connection.getresponse()
        data = answer.read()
        connection.close()
        if answer.status >= 400:
            raise Failed(f"{method} {path}: {answer.status} {data.decode(errors='replace').strip()}")
        try:
            return json.loads(data)
        except ValueError:
            return None

    def clear(self):
        """Removes every container, network and volume, and leaves a swarm."""
        if self.api("GET", "/info")["Swarm"]["LocalNodeState"] != "inactive":
            self.api("POST", "/swarm/leave?force=1")
            until("the end of the swarm", lambda: not [row for row in self.api("GET", "/networks") if row["Scope"] == "swarm"])
        for row in self.api("GET", "/containers/json?all=1"):
            try:
                self.api("DELETE", f"/containers/{row['Id']}?force=1&v=1")
            except Failed:
                pass  # it may have ended by itself
        self.api("POST", "/networks/prune")
        for volume in self.api("GET", "/volumes")["Volumes"] or []:
            self.api("DELETE", f"/volumes/{volume['Name']}?force=1")
        for image in self.api("GET", "/images/json"):
            for tag in image["RepoTags"] or []:
                if tag != "busybox:latest":
                    self.api("DELETE", f"/images/{tag}")

    def down(self):
        subprocess.run([ENGINE, "down", self.folder], check=False)


class Gate:
    """dockgate with one door, whose policy is a preset and what its user grants."""

    def __init__(self, folder, engine, client, processes):
        self.folder, self.trail = folder, folder / "trail.jsonl"
        self.door = folder / "door" / "docker.sock"
        self.door.parent.mkdir(parents=True)
        config = folder / "dockgate.toml"
        config.write_text(f"""version = 1
[upstream]
url = "unix://{engine.socket}"
[audit]
file = "{self.trail}"
fold-above = 0
sync = "none"
[[door]]
listen = "unix://{self.door}"
policy = "own"
[policy.own]
extends = {json.dumps(client.presets)}
allow = {json.dumps(client.allowed)}
[policy.own.create]
{client.grants.format(folder=folder)}
""")
        self.log = open(folder / "dockgate.log", "wb")
        self.process = processes.start([gate_program(), "serve", "--config", config], self.log)
        until(f"dockgate, see {folder}/dockgate.log", lambda: self.process.poll() is not None or answers(self.door))
        if self.process.poll() is not None:
            raise Failed((folder / "dockgate.log").read_text())

    def records(self):
        """One for each request, as the trail has them once dockgate has ended."""
        stop(self.process)
        lines = [json.loads(line) for line in self.trail.read_text().splitlines()]
        return [line for line in lines if line["stage"] not in ("event", "outcome")]


def operations(preset):
    """The operations that a preset names."""
    text = subprocess.check_output([gate_program(), "preset", "show", preset], text=True)
    policy = tomllib.loads(text)["policy"][preset]
    return {rule if isinstance(rule, str) else rule["operation"] for rule in policy["allow"]}


def fresh(folder):
    """An empty folder."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
