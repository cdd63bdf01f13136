//! Each usual first failure, produced for real, and what the program says to it.
//! Knows nothing of the page that describes them.

use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;

use super::{NOBODY, Place, answer, ended, listening, root, until};

/// A group that no machine has.
const GROUP: u32 = 99_998;
/// The last thing that `serve` says before it waits.
const SERVES: &str = "use it";

/// All that was said to one of the failures; nothing where it cannot be had here.
pub type Seen = Option<String>;

/// A failure's name, and what brings it about.
type Failure = (&'static str, fn() -> Seen);

/// All of them.
pub const ALL: &[Failure] = &[
    ("engine: denied", engine_denied),
    ("engine: denied to serve", serve_denied),
    ("engine: a closed folder", engine_behind_a_closed_folder),
    ("engine: forbidden", engine_forbidden),
    ("engine: dead", engine_dead),
    ("engine: missing", engine_missing),
    ("engine: a folder", engine_is_a_folder),
    ("engine: a file", engine_is_a_file),
    ("engine: nowhere", no_engine_anywhere),
    ("engine: no port", nobody_at_the_port),
    ("engine: silent", engine_is_silent),
    ("engine: strange", engine_speaks_no_http),
    ("engine: another server", engine_is_another_server),
    ("door: folder denied", door_folder_denied),
    ("door: socket denied", door_socket_denied),
    ("door: read-only", door_on_a_read_only_disk),
    ("door: no place", no_place_for_the_door),
    ("door: foreign group", door_for_a_foreign_group),
    ("door: served", door_served_by_another),
    ("door: left over", door_left_over),
    ("door: a folder", door_is_a_folder),
    ("door: a file", door_is_a_file),
    ("door: port in use", port_in_use),
    ("door: low port", port_below_1024),
    ("door: no IPv6", no_ipv6),
    ("door: compatible without IPv6", compatible_without_ipv6),
    ("config: missing", config_missing),
    ("config: a folder", config_is_a_folder),
    ("config: denied", config_denied),
    ("config: no such group", unknown_group),
    ("trail: no folder", trail_without_a_folder),
    ("trail: denied", trail_denied),
    ("healthcheck: no door", no_door),
    ("healthcheck: nobody", door_without_a_gate),
    ("healthcheck: denied", door_denied),
    ("healthcheck: 502", door_without_an_engine),
];

/// A socket that has an engine's owner and group.
fn engine_of_a_group(place: &Place) -> UnixListener {
    let listener = UnixListener::bind(place.at("engine.sock")).unwrap();
    chown(place.at("engine.sock"), Some(0), Some(GROUP)).unwrap();
    std::fs::set_permissions(place.at("engine.sock"), PermissionsExt::from_mode(0o660)).unwrap();
    listener
}

fn engine_denied() -> Seen {
    root().then(Place::new).map(|place| {
        let _engine = engine_of_a_group(&place);
        let said = place.run_as_nobody(&["scan", "--upstream", &place.url("engine.sock")]);
        said.fails(
            2,
            &["permission denied on the engine's socket", "group 99998, mode 0660", "`group_add: [\"99998\"]`", "`usermod -aG 99998 "],
        )
    })
}

fn serve_denied() -> Seen {
    root().then(Place::new).map(|place| {
        let _engine = engine_of_a_group(&place);
        let args = ["serve", "--upstream", &place.url("engine.sock"), "--listen", "tcp://127.0.0.1:0"];
        until(place.as_nobody(&args), "usermod")
            .fails(-1, &["warning: the engine does not answer now: permission denied", "group_add: [\"99998\"]"])
    })
}

fn engine_behind_a_closed_folder() -> Seen {
    root().then(Place::new).map(|place| {
        std::fs::create_dir(place.at("shut")).unwrap();
        std::fs::set_permissions(place.at("shut"), PermissionsExt::from_mode(0o700)).unwrap();
        let said = place.run_as_nobody(&["scan", "--upstream", &place.url("shut/engine.sock")]);
        said.fails(2, &["permission denied on the way to", "/shut` belongs to user root (0)", "and dockgate runs as user 65532"])
    })
}

fn engine_dead() -> Seen {
    let place = Place::new();
    drop(UnixListener::bind(place.at("engine.sock")).unwrap());
    let said = place.run(&["scan", "--upstream", &place.url("engine.sock")]);
    Some(said.fails(2, &["nobody serves the engine's socket", "systemctl start docker", "restart the container"]))
}

fn engine_missing() -> Seen {
    let place = Place::new();
    Some(place.run(&["scan", "--upstream", &place.url("engine.sock")]).fails(2, &["there is no engine's socket at", "--upstream URL"]))
}

fn engine_is_a_folder() -> Seen {
    let place = Place::new();
    std::fs::create_dir(place.at("engine.sock")).unwrap();
    let said = place.run(&["scan", "--upstream", &place.url("engine.sock")]);
    Some(said.fails(2, &["is a folder and no socket", "docker makes a folder where the source of a mount is missing", "rmdir"]))
}

fn engine_is_a_file() -> Seen {
    let place = Place::new();
    place.write("engine.sock", "");
    Some(place.run(&["scan", "--upstream", &place.url("engine.sock")]).fails(2, &["engine.sock` is no socket"]))
}

fn no_engine_anywhere() -> Seen {
    let sockets = ["/var/run/docker.sock", "/run/user/0/docker.sock", "/run/podman/podman.sock"];
    if sockets.iter().any(|socket| Path::new(socket).exists()) {
        crate::support::report("SKIPPED: this machine has an engine");
        return None;
    }
    let place = Place::new();
    let mut command = place.command(&["serve"]);
    command.env("DOCKER_HOST", place.url("none.sock"));
    let places =
        ["none.sock of DOCKER_HOST: nothing there", "unix:///var/run/docker.sock: nothing there", "unix:///run/podman/podman.sock: "];
    Some(ended(command).fails(2, &[&["no engine was found; looked at"], &places[..]].concat()))
}

fn nobody_at_the_port() -> Seen {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let said = Place::new().run(&["scan", "--upstream", &format!("tcp://127.0.0.1:{port}")]);
    Some(said.fails(2, &["nobody answers at `tcp://127.0.0.1:", "Connection refused"]))
}

fn engine_is_silent() -> Seen {
    let place = Place::new();
    listening(&place.at("engine.sock"), |_| None);
    let said = place.run(&["doctor", "--upstream", &place.url("engine.sock")]);
    assert!(said.code == 1 && said.out.contains("does not answer within 2 s") && said.out.contains("the engine hangs"), "{said:?}");
    Some(said.out)
}

fn engine_speaks_no_http() -> Seen {
    let place = Place::new();
    listening(&place.at("engine.sock"), |_| Some("SSH-2.0-OpenSSH_9.2\r\n".to_owned()));
    Some(place.run(&["scan", "--upstream", &place.url("engine.sock")]).fails(2, &["speaks no HTTP", "--upstream URL"]))
}

fn engine_is_another_server() -> Seen {
    let place = Place::new();
    listening(&place.at("engine.sock"), |_| Some(answer("404 Not Found", "{}")));
    let said = place.run(&["scan", "--upstream", &place.url("engine.sock")]);
    Some(said.fails(2, &["is no Docker engine: it answers a ping with 404 Not Found"]))
}

fn door_folder_denied() -> Seen {
    root().then(Place::new).map(|place| {
        let args = ["serve", "--upstream", &place.url("e.sock"), "--listen", &place.url("door/docker.sock")];
        let texts = [
            "its folder cannot be made: permission denied",
            "belongs to user root (0)",
            "runs as user 65532",
            "install -d -o 65532 -m 0750",
        ];
        place.run_as_nobody(&args).fails(2, &texts)
    })
}

fn door_socket_denied() -> Seen {
    root().then(Place::new).map(|place| {
        std::fs::create_dir(place.at("door")).unwrap();
        let args = ["serve", "--upstream", &place.url("e.sock"), "--listen", &place.url("door/docker.sock")];
        place.run_as_nobody(&args).fails(2, &["its socket cannot be made: permission denied", "/door` belongs to user root (0)"])
    })
}

fn door_on_a_read_only_disk() -> Seen {
    let works = Command::new("unshare").args(["--mount", "true"]).output().is_ok_and(|output| output.status.success());
    if !works {
        crate::support::report("SKIPPED: no mounts of its own for a process here");
        return None;
    }
    let place = Place::new();
    std::fs::create_dir(place.at("disk")).unwrap();
    let dockgate = |args: &str| {
        let script = format!("mount -t tmpfs -o ro none disk && exec {} {args}", env!("CARGO_BIN_EXE_dockgate"));
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", &script]).current_dir(place.at("")).env_remove("DOCKER_HOST");
        ended(command)
    };
    let (engine, door) = (place.url("e.sock"), place.url("disk/door/docker.sock"));
    let config = place.config(&format!("[upstream]\nurl = \"{engine}\"\n[[door]]\nlisten = \"{door}\"\npolicy = \"ping\"\n"));
    let doctor = dockgate(&format!("doctor --config {config}"));
    assert!(doctor.code == 1 && doctor.out.contains("its folder cannot be made: Read-only file system"), "{doctor:?}");
    let texts = ["its folder cannot be made: Read-only file system", &format!("mount a volume at `{}`", place.at("disk/door").display())];
    Some(dockgate(&format!("serve --config {config}")).fails(2, &texts))
}

fn no_place_for_the_door() -> Seen {
    root().then(Place::new).map(|place| {
        let said = place.run_as_nobody(&["serve", "--upstream", &place.url("e.sock")]);
        said.fails(2, &["cannot make a folder for the door at `/run/dockgate`: ", "and dockgate runs as user 65532", "XDG_RUNTIME_DIR"])
    })
}

fn door_for_a_foreign_group() -> Seen {
    root().then(Place::new).map(|place| {
        std::fs::create_dir(place.at("door")).unwrap();
        chown(place.at("door"), Some(NOBODY), None).unwrap();
        let door = place.url("door/docker.sock");
        let config = place.config(&format!("[[door]]\nlisten = \"{door}\"\ngroup = {GROUP}\npolicy = \"ping\"\n"));
        let said = place.run_as_nobody(&["serve", "--upstream", &place.url("e.sock"), "--config", &config]);
        assert!(!place.at("door/docker.sock").exists(), "a socket that nobody serves stayed");
        said.fails(2, &["cannot be given to group 99998, of which that user is no member", "`group_add: [\"99998\"]` for dockgate"])
    })
}

fn door_served_by_another() -> Seen {
    let place = Place::new();
    let _other = UnixListener::bind(place.at("docker.sock")).unwrap();
    let said = place.run(&["serve", "--upstream", &place.url("e.sock"), "--listen", &place.url("docker.sock")]);
    assert!(place.at("docker.sock").exists());
    Some(said.fails(2, &["another process serves this socket", "ss -xlp"]))
}

fn door_left_over() -> Seen {
    let place = Place::new();
    drop(UnixListener::bind(place.at("docker.sock")).unwrap());
    let args = ["serve", "--upstream", &place.url("e.sock"), "--listen", &place.url("docker.sock")];
    Some(until(place.command(&args), SERVES).fails(-1, &["removed a socket that nobody served any more", "docker.sock"]))
}

fn door_is_a_folder() -> Seen {
    let place = Place::new();
    std::fs::create_dir(place.at("docker.sock")).unwrap();
    let said = place.run(&["serve", "--upstream", &place.url("e.sock"), "--listen", &place.url("docker.sock")]);
    Some(said.fails(2, &["a folder is at this path", "mount the door's folder, and not its socket"]))
}

fn door_is_a_file() -> Seen {
    let place = Place::new();
    place.write("docker.sock", "words");
    let said = place.run(&["serve", "--upstream", &place.url("e.sock"), "--listen", &place.url("docker.sock")]);
    assert_eq!(std::fs::read_to_string(place.at("docker.sock")).unwrap(), "words");
    Some(said.fails(2, &["something that is no socket is at this path"]))
}

fn port_in_use() -> Seen {
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let (place, port) = (Place::new(), other.local_addr().unwrap().port());
    let said = place.run(&["serve", "--upstream", &place.url("e.sock"), "--listen", &format!("tcp://127.0.0.1:{port}")]);
    Some(said.fails(2, &[&format!("port {port} is in use"), &format!("ss -ltnp 'sport = :{port}'")]))
}

fn port_below_1024() -> Seen {
    let first = std::fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start").unwrap_or_default();
    if first.trim().parse::<u16>().is_ok_and(|first| first <= 80) {
        crate::support::report("SKIPPED: every user may open every port here");
        return None;
    }
    root().then(Place::new).map(|place| {
        let said = place.run_as_nobody(&["serve", "--upstream", &place.url("e.sock"), "--listen", "tcp://127.0.0.1:80"]);
        said.fails(2, &["port 80 is below 1024, which user 65532 may not open", "ip_unprivileged_port_start: 80"])
    })
}

/// Has the kernel refuse a system call to a program. `ipv6`: `EAFNOSUPPORT` to `socket(AF_INET6, …)`, as where IPv6 is switched off
/// at boot. `connect`: `EACCES` to `connect(…)`, as SELinux and AppArmor do.
const REFUSE: &str = "
import ctypes, os, platform, struct, sys
numbers = {'x86_64': (41, 42), 'aarch64': (198, 203)}[platform.machine()]
ipv6 = [(0x20, 0, 0, 0), (0x15, 0, 3, numbers[0]), (0x20, 0, 0, 16), (0x15, 0, 1, 10), (0x06, 0, 0, 0x50000 | 97)]
connect = [(0x20, 0, 0, 0), (0x15, 0, 1, numbers[1]), (0x06, 0, 0, 0x50000 | 13)]
rules = {'ipv6': ipv6, 'connect': connect}[sys.argv[1]] + [(0x06, 0, 0, 0x7fff0000)]
code = ctypes.create_string_buffer(b''.join(struct.pack('HBBI', *rule) for rule in rules))
class Program(ctypes.Structure): _fields_ = [('length', ctypes.c_ushort), ('code', ctypes.c_void_p)]
prctl = ctypes.CDLL(None, use_errno=True).prctl
assert prctl(38, 1, 0, 0, 0) == 0 and prctl(22, 2, ctypes.byref(Program(len(rules), ctypes.addressof(code))), 0, 0) == 0
os.execv(sys.argv[2], sys.argv[2:])
";

fn refusing(what: &str, place: &Place, args: &[&str]) -> Option<Command> {
    let works = Command::new("python3").args(["-c", "import ctypes"]).output().is_ok_and(|output| output.status.success());
    if !works {
        crate::support::report("SKIPPED: no python3, which has the kernel refuse a call");
        return None;
    }
    let mut command = Command::new("python3");
    command.args(["-c", REFUSE, what, env!("CARGO_BIN_EXE_dockgate")]).args(args).env_remove("DOCKER_HOST").current_dir(place.at(""));
    Some(command)
}

fn engine_forbidden() -> Seen {
    let place = Place::new();
    let _engine = UnixListener::bind(place.at("engine.sock")).unwrap();
    let command = refusing("connect", &place, &["scan", "--upstream", &place.url("engine.sock")])?;
    Some(
        ended(command).fails(2, &["although its access bits let user", "security_opt: [\"label:disable\"]", "journalctl -k | grep DENIED"]),
    )
}

fn no_ipv6() -> Seen {
    let place = Place::new();
    let command = refusing("ipv6", &place, &["serve", "--upstream", &place.url("e.sock"), "--listen", "tcp://[::1]:2375"])?;
    Some(ended(command).fails(2, &["there is no IPv6 here", "listen on `tcp://127.0.0.1:2375`"]))
}

fn compatible_without_ipv6() -> Seen {
    let place = Place::new();
    let mut command = refusing("ipv6", &place, &["serve", "--upstream", &place.url("e.sock")])?;
    command.env("DOCKGATE_COMPAT", "tecnativa");
    // port 2375 may be taken here: what it would listen on is said before
    let said = until(command, "there is no IPv6 here").err;
    assert!(said.contains("there is no IPv6 here: listening on `tcp://0.0.0.0:2375`"), "{said}");
    Some(said)
}

fn config_missing() -> Seen {
    let place = Place::new();
    let said =
        place.run(&["serve", "--config", "dockgate.toml"]).fails(2, &["there is no file `dockgate.toml`", "`dockgate init` writes one"]);
    place.run(&["check", "dockgate.toml"]).fails(2, &["there is no file `dockgate.toml`"]);
    place.run(&["doctor", "--config", "dockgate.toml"]).fails(2, &["there is no file `dockgate.toml`"]);
    Some(said)
}

fn config_is_a_folder() -> Seen {
    let place = Place::new();
    std::fs::create_dir(place.at("dockgate.toml")).unwrap();
    let said = place.run(&["serve", "--config", "dockgate.toml"]);
    Some(said.fails(2, &["`dockgate.toml` is a folder and no file", "docker makes a folder where the source of a mount is missing"]))
}

fn config_denied() -> Seen {
    root().then(Place::new).map(|place| {
        let file = place.config("");
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).unwrap();
        let said = place.run_as_nobody(&["check", &file]);
        said.fails(
            2,
            &[
                "permission denied: ",
                "belongs to user root (0) and group root (0), mode 0600, and dockgate runs as user 65532",
                "chown 65532",
            ],
        )
    })
}

fn unknown_group() -> Seen {
    let place = Place::new();
    let file = place.config("[[door]]\nlisten = \"unix:///run/dockgate/a/docker.sock\"\ngroup = \"no-such-group\"\npolicy = \"ping\"\n");
    let said = place.run(&["serve", "--config", &file]);
    Some(said.fails(1, &["error[unknown-id]: `/etc/group` has no group `no-such-group`", "write its number instead"]))
}

fn trail_without_a_folder() -> Seen {
    let place = Place::new();
    let args = ["serve", "--upstream", &place.url("e.sock"), "--listen", "tcp://127.0.0.1:0", "--audit", "none/audit.jsonl"];
    Some(place.run(&args).fails(2, &["the folder of the trail does not exist", "mkdir -p"]))
}

fn trail_denied() -> Seen {
    root().then(Place::new).map(|place| {
        let args = ["serve", "--upstream", &place.url("e.sock"), "--listen", "tcp://127.0.0.1:0", "--audit", "audit.jsonl"];
        let said = place.run_as_nobody(&args);
        said.fails(2, &["cannot open the trail", "permission denied: ", "and dockgate runs as user 65532", "install -d -o 65532"])
    })
}

fn no_door() -> Seen {
    let place = Place::new();
    let said = place.run(&["healthcheck", "--socket", &place.url("docker.sock")]);
    Some(said.fails(1, &["does not answer: there is no such door", "start dockgate"]))
}

fn door_without_a_gate() -> Seen {
    let place = Place::new();
    drop(UnixListener::bind(place.at("docker.sock")).unwrap());
    Some(
        place
            .run(&["healthcheck", "--socket", &place.url("docker.sock")])
            .fails(1, &["does not answer: nobody serves it", "its log says why"]),
    )
}

fn door_denied() -> Seen {
    root().then(Place::new).map(|place| {
        let _door = engine_of_a_group(&place);
        let said = place.run_as_nobody(&["healthcheck", "--socket", &place.url("engine.sock")]);
        said.fails(1, &["does not answer: permission denied", "and you are user 65532", "group_add: [\"99998\"]"])
    })
}

fn door_without_an_engine() -> Seen {
    let place = Place::new();
    let (door, engine) = (place.at("docker.sock"), place.url("none.sock"));
    let gate = crate::support::gate::Gate::spawn(
        &place.at(""),
        &["--upstream", &engine, "--listen", &place.url("docker.sock"), "--policy", "ping"],
        &[door],
    );
    let said = place.run(&["healthcheck", "--socket", &place.url("docker.sock")]);
    drop(gate);
    Some(said.fails(1, &["answers with 502", "`dockgate doctor` says why"]))
}

#[test]
fn every_usual_first_failure_says_what_is_wrong_and_what_to_do() {
    let seen = ALL
        .iter()
        .filter(|(_, produce)| produce().is_some_and(|said| said.contains("help:") || said.contains("INFO") || said.contains("warning:")));
    let count = seen.count();
    crate::support::report(&format!("first failures seen: {count} of {}", ALL.len()));
    assert!(!root() || count + 5 >= ALL.len(), "{count}");
}
