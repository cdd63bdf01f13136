"""What a client's job is written with: commands at the door, commands past it, waiting.
Knows nothing of any client."""

import dataclasses
import json
import os
import pathlib
import subprocess
from typing import Callable

from bed import Failed, Skipped, stop, until
from relay import Relay

CACHE = pathlib.Path(os.environ.get("DOCKGATE_TEST_CACHE", "/var/cache/dockgate-test")) / "clients"


def nothing(*_):
    return None


@dataclasses.dataclass
class Client:
    """A client, the preset that it runs under, and what it is to do."""

    name: str
    title: str
    presets: list
    does: str
    job: Callable
    install: Callable = nothing
    version: Callable = nothing
    grants: str = ""
    engines: tuple = ("28",)
    # what must be there before dockgate starts
    prepare: Callable = nothing
    # what its user allows beyond the preset, which leaves it out
    allowed: tuple = ()
    # what it asks for that the preset leaves out, and is denied
    left_out: tuple = ()
    # what only other versions of it ask for, as recordings of them show
    elsewhere: tuple = ()


class Job:
    """A client at its door."""

    def __init__(self, client, folder, engine, door, processes, recorded):
        self.client, self.folder, self.engine, self.processes = client, folder, engine, processes
        self.log = open(folder / "client.log", "ab")
        self.relay = Relay(folder / "relay.sock", door) if recorded else None
        self.door = folder / "relay.sock" if recorded else door
        home = folder / "home"
        (home / ".docker").mkdir(parents=True)
        self.env = {
            "PATH": f"{engine.bin}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": str(home),
            "DOCKER_CONFIG": str(home / ".docker"),
            "DOCKER_HOST": f"unix://{self.door}",
            "LANG": "C.UTF-8",
        }

    def requests(self):
        return self.relay.requests if self.relay else []

    def end(self):
        """Ends what it started; the first process is dockgate."""
        for process in reversed(self.processes.started[1:]):
            stop(process)
        if self.relay:
            self.relay.close()

    def text(self):
        """All that was said so far."""
        return (self.folder / "client.log").read_text(errors="replace")

    def start(self, *command, env=None, **options):
        """Starts a program that goes on."""
        return self.processes.start(command, self.log, env={**self.env, **(env or {})}, cwd=options.pop("cwd", self.folder), **options)

    def run(self, *command, env=None, fails=False, seconds=90, text="", cwd=None):
        """Runs a program to its end; what it wrote to its output."""
        done = subprocess.run([str(word) for word in command], env={**self.env, **(env or {})}, cwd=cwd or self.folder, input=text,
                              capture_output=True, text=True, timeout=seconds, errors="replace")
        self.log.write(f"$ {' '.join(str(word) for word in command)}\n{done.stdout}{done.stderr}\n".encode())
        self.log.flush()
        if done.returncode != 0 and not fails:
            said = (done.stderr or done.stdout).strip().splitlines()
            raise Failed(f"`{command[0]}` ended with {done.returncode}: {said[-1] if said else ''}")
        return done.stdout

    def terminal(self, *command, text, **options):
        """Runs a program on a terminal, and types."""
        line = " ".join(str(word) for word in command)
        return self.run("script", "-qec", line, "/dev/null", text=text, **options)

    def raw(self, *words, fails=False, text="", env=None):
        """The docker command line past dockgate: what others do on the same engine."""
        return self.run("docker", *words, env={"DOCKER_HOST": f"unix://{self.engine.socket}", **(env or {})}, fails=fails, text=text)

    def write(self, name, text):
        """A file of the job's folder."""
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def says(self, words, seconds=60):
        """Waits until a started program says something."""
        return until(f"`{words}` of the client", lambda: words in self.text(), seconds)


def need(condition, what):
    """The job is not done unless."""
    if not condition:
        raise Failed(what)


def quiet(*command, **options):
    """An installer; its last words where it fails."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=600, **options)
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise Skipped(f"{command[0]}: {said[-1] if said else done.returncode}"[:200].replace(";", ","))
    return done.stdout.strip()


def pypi(name, *packages):
    """Python packages in an environment of their own."""
    folder = CACHE / name
    if not (folder / "done").exists():
        quiet("python3", "-m", "venv", folder)
        quiet(folder / "bin/pip", "install", "-q", *packages)
        (folder / "done").touch()


def pypi_version(name, package):
    return quiet(CACHE / name / "bin/python", "-c", f"import importlib.metadata as m; print(m.version('{package}'))")


def npm(name, *packages):
    """npm packages in a folder of their own."""
    folder = CACHE / name
    if not (folder / "done").exists():
        folder.mkdir(parents=True, exist_ok=True)
        quiet("npm", "install", "--no-fund", "--no-audit", "--prefix", folder, *packages, cwd=folder)
        (folder / "done").touch()


def npm_version(name, package):
    return json.loads((CACHE / name / "node_modules" / package / "package.json").read_text())["version"]


def debs(name, suite, *packages):
    """Packages of a Debian release, unpacked and not installed; apt's state stays as it is."""
    folder = CACHE / name
    if (folder / "done").exists():
        return
    root = folder / "root"
    root.mkdir(parents=True, exist_ok=True)
    options = apt_of(suite)
    quiet("apt-get", "-qq", *options, "download", *packages, cwd=folder)
    for package in folder.glob("*.deb"):
        quiet("dpkg-deb", "-x", package, root)
        package.unlink()
    (folder / "done").touch()


def apt_of(suite):
    """apt's options for a release with a state of its own; none for the machine's own."""
    if suite == "own":
        return []
    folder = CACHE / f"apt-{suite}"
    options = ["-o", f"Dir::Etc::sourcelist={folder}/sources.list", "-o", "Dir::Etc::sourceparts=/dev/null",
               "-o", f"Dir::State::Lists={folder}/lists", "-o", f"Dir::State::status={folder}/status",
               "-o", f"Dir::Cache={folder}/cache", "-o", "APT::Sandbox::User=root"]
    if not (folder / "done").exists():
        uris = quiet("apt-get", "indextargets", "--format", "$(LABEL) $(REPO_URI)", "Created-By: Packages").splitlines()
        mirror = next((line.split()[1] for line in uris if line.startswith("Debian ")), None)
        if not mirror:
            raise Skipped("apt's sources name no Debian mirror: `apt-get update`")
        for part in ("lists/partial", "cache/archives/partial"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        (folder / "status").touch()
        key = "/usr/share/keyrings/debian-archive-keyring.gpg"
        (folder / "sources.list").write_text(f"deb [signed-by={key}] {mirror} {suite} main\n")
        quiet("apt-get", "-qq", *options, "update")
        (folder / "done").touch()
    return options
