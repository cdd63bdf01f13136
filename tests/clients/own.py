"""The clients that no registry has: programs that are looked for in folders below $DOCKGATE_OWN_CLIENTS, each named like the
client's repository, with a file `version` beside it. What is not there is SKIPPED."""

import os
import pathlib
import socket

from bed import Skipped, until
from job import CACHE, Client, debs, need, npm

FOLDER = pathlib.Path(os.environ.get("DOCKGATE_OWN_CLIENTS", "/nonexistent"))
REGISTRY = "127.0.0.1:5000"


def has(name, file):
    """The installer of a client that has to be there already."""
    def look():
        if not (FOLDER / name / file).exists():
            raise Skipped(f"no `{name}/{file}` in $DOCKGATE_OWN_CLIENTS")
    return look


def and_registry(look):
    """The same, with a registry for its images."""
    return lambda: (look(), debs("registry", "sid", "docker-registry"))


def version(name):
    return lambda _: (FOLDER / name / "version").read_text().strip()


def images(job, *tags):
    """A registry on this network's loopback that holds busybox under these names."""
    storage = f"storage: {{filesystem: {{rootdirectory: {job.folder}/registry}}}}"
    config = job.write("registry.yml", f"version: 0.1\n{storage}\nhttp: {{addr: '{REGISTRY}'}}\n")
    job.start(CACHE / "registry/root/usr/bin/docker-registry", "serve", config)
    until("the registry", lambda: socket.socket().connect_ex(("127.0.0.1", 5000)) == 0)
    for tag in tags:
        push(job, tag)


def push(job, tag):
    job.raw("tag", "busybox", f"{REGISTRY}/{tag}")
    job.raw("push", f"{REGISTRY}/{tag}")


def curl(job, url):
    return job.run("curl", "-s", url, fails=True)


# ---- scripts ---------------------------------------------------------------------------------------------------------

def autoheal(job):
    job.raw("run", "-d", "--name", "ill", "--label", "autoheal=true", "--stop-timeout", "0", "--health-cmd", "test -e /well",
            "--health-interval", "0.5s", "--health-retries", "1", "busybox", "sleep", "1000")
    began = job.engine.api("GET", "/containers/ill/json")["State"]["StartedAt"]
    job.start("bash", FOLDER / "docker-autoheal/docker-entrypoint", "autoheal",
              env={"DOCKER_SOCK": str(job.door), "AUTOHEAL_INTERVAL": "1", "AUTOHEAL_DEFAULT_STOP_TIMEOUT": "0"})
    until("the restart", lambda: job.engine.api("GET", "/containers/ill/json")["State"]["StartedAt"] != began)


def bench(job):
    job.raw("run", "-d", "--name", "seen", "busybox", "sleep", "1000")
    job.raw("swarm", "init", "--advertise-addr", "127.0.0.1")
    job.raw("service", "create", "--name", "web", "--network", "host", "--detach", "busybox", "sleep", "1000")
    said = job.run("bash", "./docker-bench-security.sh", "-b", "-l", job.folder / "bench.log", cwd=FOLDER / "docker-bench-security", seconds=200)
    need("Section C - Score" in said, "no score")


NGINX = """mkdir -p /app /usr/local/bin /usr/sbin
printf '#!/bin/sh\\nexec "$@"\\n' >/app/docker-entrypoint.sh
printf '#!/bin/sh\\ntouch /made\\n' >/usr/local/bin/docker-gen
printf '#!/bin/sh\\ntouch /reloaded\\n' >/usr/sbin/nginx
chmod +x /app/* /usr/local/bin/* /usr/sbin/nginx
sleep 1000"""


def acme(job):
    source = f"source {FOLDER}/acme-companion/app/functions.sh"
    job.raw("run", "-d", "--name", "nginx", "--label", "com.github.nginx-proxy.nginx", "-e", "NGINX_VERSION=1", "busybox", "sh", "-c", NGINX)
    until("the container", lambda: not job.raw("exec", "nginx", "test", "-x", "/usr/sbin/nginx", fails=True) and
          job.raw("exec", "nginx", "ls", "/usr/sbin", fails=True))
    job.run("bash", "-c", f"{source}; check_nginx_proxy_container_run && reload_nginx", fails=True)  # it ends with 1 when all is well
    until("the reload", lambda: "reloaded" in job.raw("exec", "nginx", "ls", "/"))
    job.raw("run", "-d", "--name", "gen", "--label", "com.github.nginx-proxy.docker-gen", "-e", "DOCKER_GEN_VERSION=1", "busybox",
            "sh", "-c", "trap 'echo told' HUP; while :; do sleep 0.1; done")
    job.run("bash", "-c", f"{source}; is_docker_gen_container gen && reload_nginx; docker_restart nginx")
    until("the signal", lambda: "told" in job.raw("logs", "gen"))
    generate(job, FOLDER / "acme-companion/app/letsencrypt_service_data.tmpl", ["-e", "LETSENCRYPT_HOST=shop.test", "-e", "VIRTUAL_HOST=shop.test"])


# ---- programs --------------------------------------------------------------------------------------------------------

def generate(job, template, words):
    """docker-gen at work: containers that are there, and one that comes."""
    out = job.folder / "generated"
    job.raw("run", "-d", "--name", "first", *words, "busybox", "sleep", "1000")
    job.start(FOLDER / "docker-gen/docker-gen", "-watch", "-notify", "true", template, out)
    first = until("what was generated", lambda: out.exists() and out.read_text())
    job.raw("run", "-d", "--name", "second", *words, "busybox", "sleep", "1000")
    until("the second container", lambda: out.read_text() != first)
    job.says("Received event start")
    before = len(job.text())
    until("a ping", lambda: "SystemPing\"" in (job.folder / "trail.jsonl").read_text(), 20)
    need("connection" not in job.text()[before:].lower(), "it lost its connection")


def docker_gen(job):
    template = job.write("own.tmpl", "{{ range $c := whereExist $ \"Env.VIRTUAL_HOST\" }}{{ $c.Name }} {{ $c.Env.VIRTUAL_HOST }} "
                                     "{{ range $n := $c.Networks }}{{ $n.Name }} {{ $n.IP }}{{ end }}\n{{ end }}{{ .Docker.Version }}\n")
    generate(job, template, ["-e", "VIRTUAL_HOST=shop.test"])
    need("second shop.test bridge 172." in (job.folder / "generated").read_text(), "no address")


LABEL = "org.testcontainers.session-id=one"


def ryuk(job):
    for label in (LABEL, "org.testcontainers.session-id=two"):
        tail = label[-3:]
        job.raw("run", "-d", "--name", f"c-{tail}", "--label", label, "busybox", "sleep", "1000")
        job.raw("network", "create", "--label", label, f"n-{tail}")
        job.raw("volume", "create", "--label", label, f"v-{tail}")
        job.raw("build", "-q", "--label", label, "-t", f"i-{tail}", "-", text="FROM busybox\n", env={"DOCKER_BUILDKIT": "0"})
    process = job.start(FOLDER / "moby-ryuk/moby-ryuk", env={"RYUK_PORT": "18081", "RYUK_RECONNECTION_TIMEOUT": "1s", "RYUK_VERBOSE": "true"})
    reaper = socket.socket()
    until("ryuk", lambda: reaper.connect_ex(("127.0.0.1", 18081)) == 0)
    reaper.sendall(f"label={LABEL}\n".encode())
    need(reaper.recv(16) == b"ACK\n", "no ACK")
    reaper.close()
    until("its end", lambda: process.poll() is not None)
    left = [job.raw("ps", "-aq"), job.raw("network", "ls", "-qf", "name=n-"), job.raw("volume", "ls", "-q"), job.raw("images", "-q", "i-*")]
    need([len(part.split()) for part in left] == [1, 1, 1, 1], f"left: {left}")


def diun(job):
    images(job, "shop:1")
    job.raw("run", "-d", "--name", "shop", "--label", "diun.enable=true", f"{REGISTRY}/shop:1", "sleep", "1000")
    job.start(FOLDER / "diun/diun", "serve", env={
        "DIUN_PROVIDERS_DOCKER": "true", "DIUN_PROVIDERS_DOCKER_ENDPOINT": f"unix://{job.door}", "DIUN_WATCH_SCHEDULE": "@every 2s", "DIUN_WATCH_JITTER": "0s", "DIUN_DB_PATH": f"{job.folder}/diun.db",
        "DIUN_REGOPTS_0_NAME": REGISTRY, "DIUN_REGOPTS_0_SELECTOR": "image", "DIUN_REGOPTS_0_INSECURETLS": "true"})
    job.says("New image found")
    until("the next look", lambda: job.text().count("Jobs completed") >= 2)


# ---- on node ---------------------------------------------------------------------------------------------------------

def watching(trigger):
    def work(job):
        images(job, "shop:1.0.0")
        job.raw("run", "-d", "--name", "shop", "--stop-timeout", "0", f"{REGISTRY}/shop:1.0.0", "sleep", "1000")
        push(job, "shop:1.1.0")
        job.raw("rmi", f"{REGISTRY}/shop:1.1.0")
        env = {"WUD_WATCHER_LOCAL_SOCKET": str(job.door), "WUD_WATCHER_LOCAL_CRON": "* * * * * *", "WUD_WATCHER_LOCAL_JITTER": "0",
               "WUD_REGISTRY_CUSTOM_OWN_URL": f"http://{REGISTRY}", "WUD_STORE_PATH": str(job.folder), "WUD_SERVER_PORT": "13000",
               "NODE_ENV": "production"}
        if trigger:
            env |= {"WUD_TRIGGER_DOCKER_OWN_PRUNE": "true"}
        job.start("node", "dist/index.js", env=env, cwd=FOLDER / "wud/app")
        if trigger:
            running = lambda: job.engine.api("GET", "/containers/shop/json")
            until("the update", lambda: "shop:1.1.0" in job.raw("inspect", "shop", fails=True) and running()["State"]["Running"], 90)
        else:
            until("the newer image", lambda: '"updateAvailable":true' in curl(job, "http://127.0.0.1:13000/api/containers"), 90)
            until("its look at events", lambda: '"SystemEvents"' in (job.folder / "trail.jsonl").read_text())
            job.raw("pause", "shop")
            until("the state", lambda: '"status":"paused"' in curl(job, "http://127.0.0.1:13000/api/containers"))
    return work


def homepage(job):
    job.write("config/docker.yaml", f"own:\n  socket: {job.door}\n")
    job.write("config/services.yaml", "- Own:\n    - Web:\n        server: own\n        container: web\n")
    for name in ("settings", "bookmarks", "widgets", "kubernetes", "proxmox"):
        job.write(f"config/{name}.yaml", "---\n")
    job.raw("run", "-d", "--name", "web", "busybox", "sleep", "1000")
    job.start("node_modules/.bin/next", "dev", "-p", "13001", "-H", "127.0.0.1", cwd=FOLDER / "homepage", env={
        "HOMEPAGE_CONFIG_DIR": f"{job.folder}/config", "HOMEPAGE_ALLOWED_HOSTS": "127.0.0.1:13001", "NEXT_TELEMETRY_DISABLED": "1"})
    until("the state", lambda: '"status":"running"' in curl(job, "http://127.0.0.1:13001/api/docker/status/web/own"), 150)
    until("the figures", lambda: "cpu_stats" in curl(job, "http://127.0.0.1:13001/api/docker/stats/web/own"), 60)


KUMA = """
const { io } = require("socket.io-client");
const socket = io("http://127.0.0.1:13002");
const ask = (...words) => new Promise((done, fail) => socket.timeout(20000).emit(...words, (error, answer) => {
  if (error || answer.ok === false) fail(error || new Error(answer.msg)); else done(answer);
}));
const need = async () => new Promise((done) => socket.emit("needSetup", done));
(async () => {
  if (!(await need())) throw new Error("set up already");
  await ask("setup", "ada", "a-Long-passw0rd");
  await ask("login", { username: "ada", password: "a-Long-passw0rd" });
  const host = { name: "own", dockerType: "socket", dockerDaemon: process.env.DOOR };
  console.log((await ask("testDockerHost", host)).msg);
  const { id } = await ask("addDockerHost", host, null);
  socket.on("heartbeat", (beat) => { console.log("status", beat.status, beat.msg); if (beat.status === 1) process.exit(0); });
  await ask("add", { type: "docker", name: "web", docker_container: "web", docker_host: id, interval: 20, retryInterval: 20, maxretries: 0,
    resendInterval: 0, timeout: 10, active: true, notificationIDList: {}, accepted_statuscodes: ["200-299"], kafkaProducerBrokers: [],
    kafkaProducerSaslOptions: {}, rabbitmqNodes: [], conditions: [] });
})().catch((error) => { console.error(error); process.exit(1); });
"""


def kuma(job):
    job.raw("run", "-d", "--name", "web", "busybox", "sleep", "1000")
    job.start("node", "server/server.js", cwd=FOLDER / "uptime-kuma", env={
        "NODE_ENV": "development", "DATA_DIR": f"{job.folder}/data/", "UPTIME_KUMA_DB_TYPE": "sqlite", "UPTIME_KUMA_PORT": "13002",
        "UPTIME_KUMA_HOST": "127.0.0.1"})
    job.says("Listening on", 120)
    said = job.run("node", "-e", KUMA, env={"NODE_PATH": str(CACHE / "uptime-kuma-client/node_modules"), "DOOR": str(job.door)})
    need("Amount of containers: 1" in said and "status 1" in said, said)


CLIENTS = [
    Client("autoheal", "autoheal", ["autoheal"], "restarts an unhealthy container", autoheal, has("docker-autoheal", "docker-entrypoint"),
           version("docker-autoheal"), engines=("20", "28")),
    Client("docker-bench", "docker-bench-security", ["docker-bench"], "its checks on a swarm's manager, without those that the preset leaves out", bench,
           has("docker-bench-security", "docker-bench-security.sh"), version("docker-bench-security"),
           left_out=("ContainerExec", "SwarmUnlockkey")),
    Client("acme-companion", "acme-companion", ["acme-companion"], "finds nginx, reloads it by exec and by signal, restarts it, watches", acme,
           lambda: (has("acme-companion", "app/functions.sh")(), has("docker-gen", "docker-gen")()), version("acme-companion"),
           left_out=("SystemInfo", "SystemVersion")),
    Client("docker-gen", "docker-gen", ["nginx-proxy"], "writes a template anew when a container comes", docker_gen, has("docker-gen", "docker-gen"),
           version("docker-gen"), engines=("20", "28")),
    Client("ryuk", "moby-ryuk", ["ryuk"], "removes a session's containers, networks, volumes and images", ryuk, has("moby-ryuk", "moby-ryuk"),
           version("moby-ryuk")),
    Client("diun", "Diun", ["diun"], "finds an image's new digest in a registry", diun, and_registry(has("diun", "diun")), version("diun")),
    Client("wud", "WUD", ["wud"], "finds a newer tag in a registry, and sees a pause", watching(False), and_registry(has("wud", "app/dist/index.js")),
           version("wud")),
    Client("wud-update", "WUD", ["wud-update"], "replaces a container by one of the newer tag, with level `unrestricted`", watching(True),
           and_registry(has("wud", "app/dist/index.js")), version("wud"), 'level = "unrestricted"'),
    Client("homepage", "Homepage", ["homepage"], "shows a container's state and figures", homepage, has("homepage", "node_modules"), version("homepage")),
    Client("uptime-kuma", "Uptime Kuma", ["uptime-kuma"], "tests a docker host, and shows a container as up", kuma,
           lambda: (has("uptime-kuma", "node_modules")(), npm("uptime-kuma-client", "socket.io-client")), version("uptime-kuma")),
]
