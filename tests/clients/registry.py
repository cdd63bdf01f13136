"""The clients that Debian, PyPI and npm have."""

import json
import textwrap

from bed import stop, until
from job import CACHE, Client, debs, need, npm, npm_version, pypi, pypi_version, quiet

LISTENING = ["run", "-d", "-i", "--network", "none", "busybox", "cat"]


# ---- docker's own ----------------------------------------------------------------------------------------------------

def docker_version(engine):
    return quiet(engine.bin / "docker", "--version").split()[2].split("+")[0].rstrip(",")


def read(job):
    job.raw("run", "-d", "--name", "seen", "busybox", "sh", "-c", "echo hello; sleep 1000")
    job.raw("volume", "create", "kept")
    for line in ["ps --all --size", "ps --filter status=running", "inspect seen", "inspect busybox", "inspect host", "inspect kept", "logs seen",
                 "logs --tail 1 --timestamps seen", "stats --no-stream seen", "stats --no-stream", "top seen", "port seen", "diff seen",
                 "images --all", "history busybox", "info", "version", "network ls", "network inspect host", "volume ls",
                 "volume inspect kept", "system df -v", "events --since 1 --until 2"]:
        job.run("docker", *line.split())
    need("hello" in job.run("docker", "logs", "seen"), "no log")


def run(job):
    docker = lambda line, **how: job.run("docker", *line.split(), **how)
    file = job.write("file", "words")
    need(docker("run --rm --network none busybox echo hello").strip() == "hello", "run said nothing")
    docker("run -d -i --network none --name one busybox cat")
    need(docker("exec one echo inside").strip() == "inside", "exec said nothing")
    need("typed" in job.terminal("docker", "run --rm -it --network none busybox sh", text="echo typed\nexit\n"), "no terminal")
    need("typed" in job.terminal("docker", "exec -it one sh", text="echo typed\nexit\n"), "no terminal in exec")
    docker(f"cp {file} one:/tmp/file")
    docker(f"cp one:/tmp/file {file}")
    for line in ["update --memory 64m --memory-swap 64m one", "rename one two", "restart -t 0 two", "kill two", "start two", "stop -t 0 two",
                 "rm two", "create --network none --name one busybox echo later"]:
        docker(line)
    need(docker("start -a one").strip() == "later", "start -a said nothing")
    docker("container prune --force --filter label=nobody")
    docker("rm one")
    docker("pull 127.0.0.1:1/nothing", fails=True)  # that it was asked is what counts


SERVICES = """
services:
  one:
    image: busybox
    stdin_open: true
    command: sh -c 'echo hello; cat'
    volumes: ['data:/data']
    networks: [inner]
  two:
    image: busybox
    depends_on: [one]
    stdin_open: true
    command: cat
    networks: [inner]
volumes:
  data: {}
networks:
  inner: {}
"""
PROJECT = 'volumes = ["shop_*"]\nnetworks = ["shop_*"]'


def composing(version, program):
    def work(job):
        file = job.write("compose.yml", f"version: '{version}'\n{SERVICES}" if version else SERVICES)
        compose = lambda line, **how: job.run(*program(job), "-p", "shop", "-f", file, *line.split(), **how)
        compose("up -d")
        need(compose("exec -T one echo inside").strip().endswith("inside"), "exec said nothing")
        # `run` of version 1 links its container to the service, and no grant opens links
        need(version or "once" in compose("run --rm -T two echo once"), "run said nothing")
        until("the log", lambda: "hello" in compose("logs"))
        for line in ["ps --all", "images", "top", "restart -t 0", "up -d --force-recreate -t 0", "kill", "up -d", "stop -t 0",
                     "pull --ignore-pull-failures", "down -v -t 0"]:
            compose(line, fails=line.startswith("pull"))  # no registry answers
        need(not job.engine.api("GET", "/containers/json?all=1"), "down left containers")
    return work


def compose_two_program():
    return CACHE.parent / "28/bin/docker-compose"


def compose_two(_job):
    return [compose_two_program()]


def compose_two_version(_engine):
    return quiet(compose_two_program(), "version", "--short").split("+")[0].split("-")[0]


def compose_one(job):
    root = CACHE / "compose-v1/root/usr"
    return ["env", f"PYTHONPATH={root}/lib/python3/dist-packages", "/usr/bin/python3", root / "bin/docker-compose"]


def compose_one_install():
    wanted = ["cached-property", "distro", "docker", "dockerpty", "docopt", "dotenv", "jsonschema", "requests", "texttable", "websocket",
              "yaml", "urllib3", "chardet", "idna", "certifi", "six", "attr", "pyrsistent", "pkg-resources", "distutils", "lib2to3"]
    debs("compose-v1", "own", "docker-compose", *(f"python3-{name}" for name in wanted))


def compose_one_version(_engine):
    return "1.29.2"


# ---- discovery and figures -------------------------------------------------------------------------------------------

def prometheus(program):
    def discover(job):
        job.raw("run", "-d", "--name", "web", "--label", "shop=yes", "--expose", "80", "busybox", "sleep", "1000")
        targets(job, program, f"docker_sd_configs: [{{host: 'unix://{job.door}', refresh_interval: 1s}}]", 1, "__meta_docker_container_name")
    return discover


def prometheus_swarm(program):
    def discover(job):
        job.raw("swarm", "init", "--advertise-addr", "127.0.0.1")
        # its tasks have addresses before they run, and need not run
        job.raw("network", "create", "--driver", "overlay", "shop")
        job.raw("service", "create", "--name", "web", "--network", "shop", "--detach", "busybox", "sleep", "1000")
        for role, label in [("nodes", "node_id"), ("services", "service_name"), ("tasks", "task_id")]:
            targets(job, program, f"dockerswarm_sd_configs: [{{host: 'unix://{job.door}', role: {role}, refresh_interval: 1s}}]", 1,
                    f"__meta_dockerswarm_{label}", port=19090 + len(role))
    return discover


def targets(job, program, discovery, count, label, port=19090):
    """Prometheus with one job: the targets that it found."""
    file = job.write(f"prometheus-{port}.yml", f"scrape_configs:\n- job_name: found\n  {discovery}\n")
    process = job.start(program, f"--config.file={file}", f"--storage.tsdb.path={job.folder}/data-{port}", f"--web.listen-address=127.0.0.1:{port}")
    look = lambda: job.run("curl", "-sf", f"http://127.0.0.1:{port}/api/v1/targets", fails=True)
    until("the target", lambda: look().count(label) >= count)
    stop(process)


def program_of(name):
    return CACHE / name / "root/usr/bin/prometheus"


def prometheus_version(name):
    return lambda _engine: quiet(program_of(name), "--version").split()[2].split("+")[0]


def glances(job):
    job.raw("run", "-d", "--name", "seen", "busybox", "sleep", "1000")
    job.start(CACHE / "glances/bin/glances", "--stdout", "containers", "--time", "1", "--disable-check-update", env={"PYTHONUNBUFFERED": "1"})
    job.says("'name': 'seen'")
    job.says("'cpu_percent'")


# ---- creators --------------------------------------------------------------------------------------------------------

HUB = """
c.JupyterHub.spawner_class = "dockerspawner.DockerSpawner"
c.JupyterHub.authenticator_class = "dummy"
c.JupyterHub.bind_url = "http://127.0.0.1:18000"
c.JupyterHub.hub_ip = "0.0.0.0"
c.JupyterHub.services = [{"name": "test", "api_token": "for-this-test-alone", "admin": True}]
c.JupyterHub.load_roles = [{"name": "test", "scopes": ["admin:users", "admin:servers"], "services": ["test"]}]
c.Authenticator.allow_all = True
c.DockerSpawner.image = "busybox"
c.DockerSpawner.use_internal_ip = True
c.DockerSpawner.network_name = "bridge"
c.DockerSpawner.remove = True
c.DockerSpawner.cmd = ["httpd", "-f", "-p", "8888"]
c.DockerSpawner.args = []
c.DockerSpawner.get_args = lambda self: []
c.Spawner.default_url = "/lab"
c.DockerSpawner.volumes = {"jupyterhub-user-{username}": "/home/jovyan/work"}
"""


def dockerspawner(job):
    job.write("hub.py", HUB)
    tools = f"{CACHE}/dockerspawner/bin:{CACHE}/dockerspawner-proxy/node_modules/.bin:{job.env['PATH']}"
    job.start("jupyterhub", "-f", "hub.py", env={"PATH": tools})
    ask = lambda method, path: job.run("curl", "-s", "-X", method, "-H", "Authorization: token for-this-test-alone",
                                       f"http://127.0.0.1:18000/hub/api{path}", fails=True)
    until("the hub", lambda: "version" in ask("GET", "/"))
    ask("POST", "/users/ada")
    ask("POST", "/users/ada/server")
    until("the server of ada", lambda: '"ready": true' in ask("GET", "/users/ada"), 90)
    need(job.engine.api("GET", "/containers/json")[0]["Names"] == ["/jupyter-ada"], "no container of ada")
    ask("DELETE", "/users/ada/server")
    until("the end of the server", lambda: not job.engine.api("GET", "/containers/json?all=1"))


TESTCONTAINERS_PYTHON = """
from testcontainers.core.container import DockerContainer
from testcontainers.core.network import Network
from testcontainers.core.waiting_utils import wait_for_logs
with Network() as network:
    with DockerContainer("busybox").with_command("sh -c 'echo ready; httpd -f -p 80'").with_exposed_ports(80).with_network(network) as one:
        wait_for_logs(one, "ready", timeout=30)
        assert one.get_exposed_port(80)
        assert one.exec("echo inside").output == b"inside\\n"
        assert b"ready" in one.get_logs()[0]
print("passed")
"""
TESTCONTAINERS_NODE = """
const { GenericContainer, Network, Wait } = require("testcontainers");
(async () => {
  // the names that it would make up are hex digits, as ids are, which no glob grants
  const network = await new Network({ nextUuid: () => "shop-tests" }).start();
  const one = await new GenericContainer("busybox").withCommand(["sh", "-c", "echo ready; httpd -f -p 80"]).withExposedPorts(80)
    .withNetwork(network).withCopyContentToContainer([{ content: "words", target: "/tmp/words" }])
    .withWaitStrategy(Wait.forAll([Wait.forLogMessage("ready"), Wait.forListeningPorts()])).start();
  const { output } = await one.exec(["cat", "/tmp/words"]);
  if (output !== "words") throw new Error(output);
  if (!one.getMappedPort(80)) throw new Error("no port");
  await one.copyArchiveFromContainer("/tmp/words");
  await one.restart({ timeout: 0 });
  await one.stop();
  await network.stop();
  console.log("passed");
})().catch((error) => { console.error(error); process.exit(1); });
"""
CONTAINERS = 'networks = ["*"]\nports = ["0.0.0.0:1-65535"]'
WITHOUT_RYUK = {"TESTCONTAINERS_RYUK_DISABLED": "true"}


def testcontainers_python(job):
    need("passed" in job.run(CACHE / "testcontainers-python/bin/python", "-c", TESTCONTAINERS_PYTHON, env=WITHOUT_RYUK), "not passed")


def testcontainers_node(job):
    env = {**WITHOUT_RYUK, "NODE_PATH": str(CACHE / "testcontainers-node/node_modules")}
    need("passed" in job.run("node", "-e", TESTCONTAINERS_NODE, env=env), "not passed")


def devcontainer(job):
    job.write("shop/.devcontainer/devcontainer.json", json.dumps({"image": "busybox", "overrideCommand": True, "postCreateCommand": "echo created"}))
    tool = [CACHE / "devcontainer/node_modules/.bin/devcontainer"]
    shop = ["--workspace-folder", job.folder / "shop"]
    need('"outcome":"success"' in job.run(*tool, "up", *shop), "up failed")
    need("inside" in job.run(*tool, "exec", *shop, "echo", "inside"), "exec said nothing")
    need('"outcome":"success"' in job.run(*tool, "up", *shop), "the second up failed")


# ---- logs ------------------------------------------------------------------------------------------------------------

def crowdsec(job):
    root = CACHE / "crowdsec/root"
    for part in ("etc/crowdsec", "usr/share/crowdsec"):
        need((root / part).exists(), f"no {part} in the package")
    config, data = job.folder / "config", job.folder / "data"
    for folder in (config / "hub", config / "parsers/s00-raw", config / "scenarios", config / "postoverflows", data):
        folder.mkdir(parents=True)
    (config / "hub/.index.json").write_text(json.dumps({kind: {} for kind in ("parsers", "scenarios", "collections", "postoverflows")}))
    job.write("acquis.yaml", f"source: docker\ncontainer_name: [web]\ndocker_host: unix://{job.door}\ncheck_interval: 1s\nlabels: {{type: web}}\n")
    job.write("config/parsers/s00-raw/own.yaml", textwrap.dedent("""
        filter: "true"
        name: own/raw
        onsuccess: next_stage
        statics: [{parsed: message, expression: evt.Line.Raw}]
        """))
    job.write("config/config.yaml", textwrap.dedent(f"""
        common: {{daemonize: false, log_media: stdout, log_level: info, working_dir: {job.folder}}}
        config_paths: {{config_dir: {config}, data_dir: {data}, hub_dir: {config}/hub, index_path: {config}/hub/.index.json,
          simulation_path: {config}/simulation.yaml, notification_dir: {config}/n, plugin_dir: {config}/p}}
        crowdsec_service: {{acquisition_path: {job.folder}/acquis.yaml, parser_routines: 1}}
        db_config: {{type: sqlite, db_path: {data}/crowdsec.db}}
        api: {{client: {{credentials_path: {config}/api.yaml}}, server: {{listen_uri: "127.0.0.1:18080", profiles_path: {root}/etc/crowdsec/profiles.yaml}}}}
        prometheus: {{enabled: true, level: full, listen_addr: 127.0.0.1, listen_port: 16060}}
        """))
    job.write("config/simulation.yaml", "simulation: false\n")
    (config / "patterns").symlink_to(root / "etc/crowdsec/patterns")
    job.write("config/api.yaml", "url: http://127.0.0.1:18080\n")
    job.run(root / "usr/bin/cscli", "-c", config / "config.yaml", "machines", "add", "own", "--auto", "--file", config / "api.yaml")
    job.raw("run", "-d", "--name", "web", "busybox", "sh", "-c", "while sleep 0.2; do echo a line; done")
    job.start(root / "usr/bin/crowdsec", "-c", config / "config.yaml")
    job.says("start tail for container web")
    until("lines that were read", lambda: "cs_dockersource_hits_total" in job.run("curl", "-sf", "http://127.0.0.1:16060/metrics", fails=True))


CLIENTS = [
    Client("docker-cli-read", "docker CLI", ["docker-cli-read"], "22 reading commands", read, version=docker_version, engines=("20", "28")),
    Client("docker-cli-run", "docker CLI", ["docker-cli-run"], "run, exec, cp, update, rename, stop, rm, prune, terminals", run,
           version=docker_version, engines=("20", "28")),
    Client("compose", "compose", ["compose"], "up, exec, run, logs, recreate, down of two services with a volume and a network",
           composing("", compose_two), version=compose_two_version, grants=PROJECT, engines=("20", "28"), elsewhere=("ImageList",)),
    Client("compose-v1", "compose", ["compose"], "up, exec, logs, recreate, down, with `NetworkDisconnect` allowed",
           composing("3.8", compose_one), compose_one_install, compose_one_version, PROJECT, ("20",), allowed=("NetworkDisconnect",),
           elsewhere=("ImageList",)),  # it cannot read what engines from API 1.44 on show of an image
    Client("prometheus-2", "Prometheus", ["prometheus"], "finds a container's port", prometheus(program_of("prometheus-2")),
           lambda: debs("prometheus-2", "own", "prometheus"), prometheus_version("prometheus-2"), engines=("20", "28")),
    Client("prometheus-3", "Prometheus", ["prometheus"], "finds a container's port", prometheus(program_of("prometheus-3")),
           lambda: debs("prometheus-3", "sid", "prometheus"), prometheus_version("prometheus-3"), engines=("20", "28")),
    Client("prometheus-2-swarm", "Prometheus", ["prometheus-swarm"], "finds nodes, services, tasks",
           prometheus_swarm(program_of("prometheus-2")), lambda: debs("prometheus-2", "own", "prometheus"), prometheus_version("prometheus-2")),
    Client("prometheus-3-swarm", "Prometheus", ["prometheus-swarm"], "finds nodes, services, tasks",
           prometheus_swarm(program_of("prometheus-3")), lambda: debs("prometheus-3", "sid", "prometheus"), prometheus_version("prometheus-3")),
    Client("glances", "Glances", ["glances"], "shows a container with its figures", glances, lambda: pypi("glances", "glances[containers]"),
           lambda _: pypi_version("glances", "glances"), engines=("20", "28")),
    Client("dockerspawner", "dockerspawner", ["dockerspawner"], "JupyterHub starts and stops a user's server", dockerspawner,
           lambda: (pypi("dockerspawner", "dockerspawner", "jupyterhub"), npm("dockerspawner-proxy", "configurable-http-proxy")),
           lambda _: pypi_version("dockerspawner", "dockerspawner"), 'networks = ["bridge"]\nvolumes = ["jupyterhub-user-*"]', ("20", "28")),
    Client("testcontainers-python", "testcontainers-python", ["testcontainers"], "a container on a network: port, log, exec",
           testcontainers_python, lambda: pypi("testcontainers-python", "testcontainers"),
           lambda _: pypi_version("testcontainers-python", "testcontainers"), CONTAINERS, ("20", "28"),
           elsewhere=("ContainerStop", "ContainerRestart")),
    Client("testcontainers-node", "testcontainers-node", ["testcontainers"], "a container on a network: port, log, exec, files, restart",
           testcontainers_node, lambda: npm("testcontainers-node", "testcontainers@11"),
           lambda _: npm_version("testcontainers-node", "testcontainers"), CONTAINERS, ("20", "28")),
    Client("devcontainer", "devcontainer CLI", ["devcontainer"], "up, exec, up again", devcontainer,
           lambda: npm("devcontainer", "@devcontainers/cli"), lambda _: npm_version("devcontainer", "@devcontainers/cli"),
           'binds = [{{ source = "{folder}/shop", mode = "rw" }}]', ("20", "28")),
    Client("crowdsec", "CrowdSec", ["crowdsec"], "follows a container's log", crowdsec, lambda: debs("crowdsec", "own", "crowdsec"),
           lambda _: "1.4.6", engines=("20", "28")),
]
