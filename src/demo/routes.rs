//! The engine's routes: which request is which operation, and the operations of containers and execs.
//! It must not know sockets or bytes on the wire.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::shapes::{self, flag, list, text};
use super::state::{Container, Exec, State, Status};
use super::toys::{self, Chunk, Console, Run};
use super::wire::{Fail, Reply, Request, Session, framed, output_kind};
use super::{Engine, objects};

pub(super) const API_VERSION: &str = "1.51";
const MIN_MINOR: u32 = 24;
const MAX_MINOR: u32 = 51;

pub(super) type Answer = Result<Reply, Fail>;

/// Answers one request.
pub(super) async fn route(engine: &Engine, request: &Request) -> Answer {
    let segments: Vec<&str> = request.segments.iter().map(String::as_str).collect();
    let (version, path) = match segments.as_slice() {
        [first, rest @ ..] if first.strip_prefix("v1.").is_some_and(|minor| minor.parse::<u32>().is_ok()) => (Some(*first), rest),
        all => (None, all),
    };
    check_version(version)?;
    match path {
        ["containers", "json"] if request.method == "GET" => list_containers(engine, request),
        ["containers", "create"] if request.method == "POST" => create(engine, request),
        ["containers", "prune"] if request.method == "POST" => prune(engine),
        ["containers", id] if request.method == "DELETE" => remove(engine, request, id).await,
        ["containers", id, verb] if request.method == "GET" => read(engine, request, id, verb),
        ["containers", id, verb] if request.method == "POST" => change(engine, request, id, verb).await,
        ["exec", id, "json"] if request.method == "GET" => inspect_exec(engine, id),
        ["exec", id, "start"] if request.method == "POST" => start_exec(engine, request, id),
        ["exec", id, "resize"] if request.method == "POST" => engine.with(|state| state.exec(id).map(|_| Reply::empty(200))),
        ["containers", _, "attach", "ws"] => Err(Fail(400, "the demo engine has no websockets".to_owned())),
        other => objects::route(engine, request, other),
    }
}

fn check_version(version: Option<&str>) -> Result<(), Fail> {
    let minor = version.and_then(|version| version.strip_prefix("v1.")).and_then(|minor| minor.parse::<u32>().ok());
    match minor {
        Some(minor) if minor < MIN_MINOR => Err(Fail(
            400,
            format!(
                "client version 1.{minor} is too old. Minimum supported API version \
            is 1.{MIN_MINOR}, please upgrade your client to a newer version"
            ),
        )),
        Some(minor) if minor > MAX_MINOR => {
            Err(Fail(400, format!("client version 1.{minor} is too new. Maximum supported API version is {API_VERSION}")))
        }
        _ => Ok(()),
    }
}

/// The values of one key of the `filters` query, in its old and its new form.
pub(super) fn filter(request: &Request, key: &str) -> Vec<String> {
    let filters: Value = serde_json::from_str(request.arg("filters")).unwrap_or(Value::Null);
    match filters.get(key) {
        Some(Value::Object(map)) => map.keys().cloned().collect(),
        Some(Value::Array(_)) => list(&filters, key),
        _ => Vec::new(),
    }
}

/// Whether labels hold `key` or `key=value` for every one that is wanted.
pub(super) fn labelled(labels: Option<&Value>, wanted: &[String]) -> bool {
    let has = |wanted: &String| {
        let (key, value) = wanted.split_once('=').map_or((wanted.as_str(), None), |(key, value)| (key, Some(value)));
        let label = labels.and_then(|labels| labels.get(key));
        label.is_some_and(|label| value.is_none_or(|value| label == value))
    };
    wanted.iter().all(has)
}

fn list_containers(engine: &Engine, request: &Request) -> Answer {
    let (ids, names, labels) = (filter(request, "id"), filter(request, "name"), filter(request, "label"));
    let statuses = filter(request, "status");
    let limit = request.arg("limit").parse::<usize>().ok().filter(|limit| *limit > 0);
    let all = request.flag("all") || limit.is_some() || !statuses.is_empty();
    let wanted = |container: &&Container| {
        (all || container.now().runs())
            && (ids.is_empty() || ids.iter().any(|id| container.id.starts_with(id.as_str())))
            && (names.is_empty() || names.iter().any(|name| container.name.contains(name.trim_matches(['/', '^', '$']))))
            && labelled(container.config.get("Labels"), &labels)
    };
    let found: Vec<Value> = engine.with(|state| {
        let found = state.containers.iter().rev().filter(wanted).map(|one| shapes::summary(state, one));
        let found = found.filter(|one| statuses.is_empty() || statuses.iter().any(|status| text(one, "State") == status));
        found.take(limit.unwrap_or(usize::MAX)).collect()
    });
    Ok(Reply::json(200, &Value::Array(found)))
}

fn create(engine: &Engine, request: &Request) -> Answer {
    let sent = request.json()?;
    let container = engine.with(|state| {
        let id = shapes::create(state, request.arg("name"), &sent)?;
        state.container(&id).cloned()
    })?;
    engine.event("container", "create", &container.id, &container);
    Ok(Reply::json(201, &json!({ "Id": container.id, "Warnings": [] })))
}

fn prune(engine: &Engine) -> Answer {
    let stopped = engine.with(|state| state.containers.iter().filter(|one| !one.now().runs()).cloned().collect::<Vec<_>>());
    stopped.iter().for_each(|container| engine.remove(container));
    let ids: Vec<_> = stopped.iter().map(|container| &container.id).collect();
    Ok(Reply::json(200, &json!({ "ContainersDeleted": ids, "SpaceReclaimed": 0 })))
}

async fn remove(engine: &Engine, request: &Request, id: &str) -> Answer {
    let container = engine.with(|state| state.container(id).cloned())?;
    if container.now().runs() {
        if !request.flag("force") {
            return Err(Fail(
                409,
                format!(
                    "cannot remove container \"/{}\": container is running: stop the container before \
                removing or force remove",
                    container.name
                ),
            ));
        }
        engine.end(&container, 137).await;
    }
    engine.remove(&container);
    Ok(Reply::empty(204))
}

fn read(engine: &Engine, request: &Request, id: &str, verb: &str) -> Answer {
    let container = engine.with(|state| state.container(id).cloned())?;
    match verb {
        "json" => Ok(Reply::json(200, &engine.with(|state| shapes::inspect(state, &container)))),
        "changes" => Ok(Reply::json(200, &json!([]))),
        "logs" => logs(request, &container),
        "stats" => Ok(stats(request, container)),
        "top" => {
            container.running()?;
            let titles = ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"];
            let command = container.argv().join(" ");
            let process = ["root", "4242", "4221", "0", "00:00", "?", "00:00:00", &command];
            Ok(Reply::json(200, &json!({ "Titles": titles, "Processes": [process] })))
        }
        _ => Err(Fail(404, "page not found".to_owned())),
    }
}

fn streams(request: &Request) -> Vec<u8> {
    let wanted = [(1, request.flag("stdout")), (2, request.flag("stderr"))];
    wanted.into_iter().filter(|(_, wanted)| *wanted).map(|(stream, _)| stream).collect()
}

fn logs(request: &Request, container: &Container) -> Answer {
    let streams = streams(request);
    if streams.is_empty() {
        return Err(Fail(400, "Bad parameters: you must choose at least one stream".to_owned()));
    }
    let (tty, stamps) = (container.tty(), request.flag("timestamps"));
    let follow = request.flag("follow") && container.now().runs();
    let (mut kept, tap) = if follow { container.console.tap() } else { (container.console.log(), mpsc::channel(1).1) };
    kept.retain(|chunk| streams.contains(&chunk.stream));
    let tail = request.arg("tail").parse().unwrap_or(usize::MAX);
    let kept: Vec<Chunk> = kept.split_off(kept.len().saturating_sub(tail));
    let line = move |chunk: &Chunk| match stamps {
        true => framed(chunk.stream, &[format!("{:.9} ", chunk.at).as_bytes(), &chunk.data].concat(), tty),
        false => framed(chunk.stream, &chunk.data, tty),
    };
    Ok(Reply::stream(output_kind(tty), move |client| async move {
        for chunk in &kept {
            let _ = client.send(line(chunk)).await;
        }
        let mut tap = tap;
        while let Some(chunk) = tap.recv().await {
            if streams.contains(&chunk.stream) {
                let _ = client.send(line(&chunk)).await;
            }
        }
    }))
}

fn stats(request: &Request, container: Container) -> Reply {
    let sample = move |container: &Container| {
        json!({
            "read": jiff::Timestamp::now().to_string(), "preread": "0001-01-01T00:00:00Z", "id": container.id,
            "name": format!("/{}", container.name), "num_procs": 0, "pids_stats": { "current": 1 },
            "cpu_stats": { "cpu_usage": { "total_usage": 42_000_000 }, "system_cpu_usage": 42_000_000_000_u64, "online_cpus": 2 },
            "precpu_stats": { "cpu_usage": { "total_usage": 41_000_000 }, "system_cpu_usage": 40_000_000_000_u64, "online_cpus": 2 },
            "memory_stats": { "usage": 4_194_304, "limit": 1_073_741_824, "stats": {} }, "blkio_stats": {}, "storage_stats": {},
            "networks": { "eth0": { "rx_bytes": 1024, "tx_bytes": 512 } },
        })
    };
    if matches!(request.arg("stream"), "0" | "false" | "False") {
        return Reply::json(200, &sample(&container));
    }
    Reply::stream("application/json", move |client| async move {
        let mut second = tokio::time::interval(std::time::Duration::from_secs(1));
        while !container.now().removed {
            second.tick().await;
            let _ = client.send(Bytes::from(format!("{}\n", sample(&container)))).await;
        }
    })
}

async fn change(engine: &Engine, request: &Request, id: &str, verb: &str) -> Answer {
    let container = engine.with(|state| state.container(id).cloned())?;
    let done = |done: bool| Ok(Reply::empty(if done { 204 } else { 304 }));
    match verb {
        "start" => done(engine.start(&container.id)?),
        "stop" | "restart" => {
            let ran = container.now().runs();
            if ran {
                engine.end(&container, 143).await;
                engine.event("container", "stop", &container.id, &container);
            }
            if verb == "stop" { done(ran) } else { done(engine.start(&container.id)?) }
        }
        "kill" => kill(engine, &container, request.arg("signal")).await,
        "pause" => pause(engine, &container, Status::Running, Status::Paused),
        "unpause" => pause(engine, &container, Status::Paused, Status::Running),
        "rename" => rename(engine, &container, request.arg("name")),
        "wait" => Ok(wait(container, request.arg("condition"))),
        "attach" => Ok(attach(request, &container)),
        "resize" => Ok(Reply::empty(200)),
        "update" => Ok(Reply::json(200, &json!({ "Warnings": null }))),
        "exec" => create_exec(engine, request, container),
        _ => Err(Fail(404, "page not found".to_owned())),
    }
}

/// The signals that end a program end it at once; others reach it and do nothing.
async fn kill(engine: &Engine, container: &Container, signal: &str) -> Answer {
    container.running()?;
    let code = match signal.trim_start_matches("SIG") {
        "" | "KILL" | "9" => Some(137),
        "TERM" | "15" => Some(143),
        "INT" | "2" => Some(130),
        "QUIT" | "3" => Some(131),
        _ => None,
    };
    engine.event("container", "kill", &container.id, container);
    if let Some(code) = code {
        engine.end(container, code).await;
    }
    Ok(Reply::empty(204))
}

fn pause(engine: &Engine, container: &Container, from: Status, to: Status) -> Answer {
    if container.now().status != from {
        return Err(Fail(409, format!("container {} cannot change that way now", container.id)));
    }
    container.phase.send_modify(|phase| phase.status = to);
    engine.event("container", if to == Status::Paused { "pause" } else { "unpause" }, &container.id, container);
    Ok(Reply::empty(204))
}

fn rename(engine: &Engine, container: &Container, name: &str) -> Answer {
    let name = name.strip_prefix('/').unwrap_or(name);
    if name.is_empty() {
        return Err(Fail(400, "Neither old nor new names may be empty".to_owned()));
    }
    engine.with(|state| {
        if state.containers.iter().any(|other| other.name == name) {
            return Err(Fail(409, format!("Conflict. The container name \"/{name}\" is already in use")));
        }
        name.clone_into(&mut state.container_mut(&container.id)?.name);
        Ok(())
    })?;
    engine.event("container", "rename", &container.id, container);
    Ok(Reply::empty(204))
}

/// The head goes out at once: a client starts the container only after it.
fn wait(container: Container, condition: &str) -> Reply {
    let mut phase = container.phase.subscribe();
    let exits = phase.borrow().exits;
    let condition = condition.to_owned();
    Reply::stream("application/json", move |client| async move {
        let reached = phase.wait_for(|phase| match condition.as_str() {
            "next-exit" => phase.exits != exits,
            "removed" => phase.removed,
            _ => !phase.runs(),
        });
        if let Ok(code) = reached.await.map(|phase| phase.code) {
            let _ = client.send(Bytes::from(format!("{{\"StatusCode\":{code}}}\n"))).await;
        }
    })
}

fn attach(request: &Request, container: &Container) -> Reply {
    let (kept, tap) = container.console.tap();
    let stdin = request.flag("stdin") && flag(&container.config, "OpenStdin");
    // without `stream` only the log is replayed
    let output = if request.flag("stream") { tap } else { mpsc::channel(1).1 };
    Reply::Tunnel(Session {
        replay: if request.flag("logs") { kept } else { Vec::new() },
        output,
        streams: streams(request),
        stdin: stdin.then(|| container.console.stdin()),
        eof_closes: flag(&container.config, "StdinOnce"),
        tty: container.tty(),
    })
}

fn create_exec(engine: &Engine, request: &Request, container: Container) -> Answer {
    container.running()?;
    let config = request.json()?;
    if list(&config, "Cmd").is_empty() {
        return Err(Fail(400, "No exec command specified".to_owned()));
    }
    let id = engine.with(|state| {
        let id = state.new_id();
        state.add_exec(Exec { id: id.clone(), container: container.clone(), config, console: Arc::new(Console::new()), outcome: None });
        id
    });
    engine.event("container", "exec_create", &container.id, &container);
    Ok(Reply::json(201, &json!({ "Id": id })))
}

fn outcome(state: &mut State, id: &str, outcome: Option<i64>) {
    if let Some(exec) = state.execs.iter_mut().find(|exec| exec.id == id) {
        exec.outcome = Some(outcome);
    }
}

fn start_exec(engine: &Engine, request: &Request, id: &str) -> Answer {
    let sent = request.json()?;
    let exec = engine.with(|state| {
        let exec = state.exec(id)?.clone();
        exec.container.running()?;
        if exec.outcome.is_some() {
            return Err(Fail(409, format!("exec {id} has already run")));
        }
        outcome(state, id, None);
        Ok(exec)
    })?;
    let tty = flag(&exec.config, "Tty");
    let wanted = [(1, "AttachStdout"), (2, "AttachStderr")];
    let (_, output) = exec.console.tap();
    let session = Session {
        replay: Vec::new(),
        output,
        streams: wanted.iter().filter(|(_, key)| flag(&exec.config, key)).map(|(stream, _)| *stream).collect(),
        stdin: flag(&exec.config, "AttachStdin").then(|| exec.console.stdin()),
        eof_closes: true,
        tty,
    };
    spawn_exec(engine, exec, tty);
    Ok(if flag(&sent, "Detach") { Reply::empty(200) } else { Reply::Tunnel(session) })
}

/// Runs the program of an exec; it ends with its container.
fn spawn_exec(engine: &Engine, exec: Exec, tty: bool) {
    let stdin = exec.console.take_stdin().filter(|_| flag(&exec.config, "AttachStdin"));
    let run = Run { argv: list(&exec.config, "Cmd"), tty, stdin, kill: exec.container.console.on_kill() };
    let engine = engine.clone();
    engine.event("container", "exec_start", &exec.container.id, &exec.container);
    tokio::spawn(async move {
        let code = toys::run(&exec.console, run).await;
        // the code is there before the stream ends: clients inspect right after it
        engine.with(|state| outcome(state, &exec.id, Some(code)));
        exec.console.finish();
        engine.event("container", "exec_die", &exec.container.id, &exec.container);
    });
}

fn inspect_exec(engine: &Engine, id: &str) -> Answer {
    let exec = engine.with(|state| state.exec(id).cloned())?;
    let argv = list(&exec.config, "Cmd");
    Ok(Reply::json(
        200,
        &json!({
            "ID": exec.id, "Running": exec.outcome == Some(None), "ExitCode": exec.outcome.flatten(), "ContainerID": exec.container.id,
            "ProcessConfig": {
                "tty": flag(&exec.config, "Tty"), "entrypoint": argv.first(), "arguments": argv.get(1..),
                "privileged": flag(&exec.config, "Privileged"), "user": text(&exec.config, "User"),
            },
            "OpenStdin": flag(&exec.config, "AttachStdin"), "OpenStderr": flag(&exec.config, "AttachStderr"),
            "OpenStdout": flag(&exec.config, "AttachStdout"), "CanRemove": false, "DetachKeys": "", "Pid": 4343,
        }),
    ))
}
