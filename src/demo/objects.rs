//! The operations of the system, images, builds, networks and volumes.
//! It must not know sockets, nor what runs in a container.

use bytes::Bytes;
use serde_json::{Value, json};

use super::Engine;
use super::routes::{API_VERSION, Answer, filter, labelled};
use super::shapes::{self, text};
use super::state::{Image, State, familiar};
use super::wire::{Fail, Reply, Request};

/// Answers what is not about a container or an exec.
pub(super) fn route(engine: &Engine, request: &Request, path: &[&str]) -> Answer {
    match (request.method.as_str(), path) {
        ("GET" | "HEAD", ["_ping"]) => Ok(Reply::Full { status: 200, kind: "text/plain; charset=utf-8", body: Bytes::from_static(b"OK") }),
        ("GET", ["version"]) => Ok(Reply::json(200, &version())),
        ("GET", ["info"]) => Ok(Reply::json(200, &info(engine))),
        ("GET", ["events"]) => Ok(events(engine, request)),
        ("GET", ["system", "df"]) => Ok(Reply::json(200, &json!({ "LayersSize": 0, "Images": [], "Containers": [], "Volumes": [], "BuildCache": [] }))),
        ("POST", ["auth"]) => Ok(Reply::json(200, &json!({ "Status": "Login Succeeded", "IdentityToken": "" }))),
        ("POST", ["build"]) => build(engine, request),
        ("GET", ["images", "json"]) => Ok(list_images(engine, request)),
        ("POST", ["images", "create"]) => pull(engine, request),
        ("GET", ["images", name @ .., "json"]) => engine.with(|state| Ok(Reply::json(200, &inspect_image(state.image(&name.join("/"))?)))),
        ("GET", ["images", name @ .., "history"]) => engine.with(|state| {
            let image = state.image(&name.join("/"))?;
            Ok(Reply::json(200, &json!([{ "Id": image.id, "Created": image.created.as_second(), "CreatedBy": "demo", "Tags": image.tags, "Size": 0, "Comment": "" }])))
        }),
        ("POST", ["images", name @ .., "tag"]) => tag(engine, request, &name.join("/")),
        ("DELETE", ["images", name @ ..]) => remove_image(engine, &name.join("/")),
        ("GET", ["networks"]) => Ok(list(engine, request, |state| &state.networks, Value::Array)),
        ("POST", ["networks", "create"]) => create_network(engine, request),
        ("GET", ["networks", id]) => engine.with(|state| Ok(Reply::json(200, &inspect_network(state, id)?))),
        ("POST", ["networks", id, verb @ ("connect" | "disconnect")]) => connect(engine, request, id, verb),
        ("DELETE", ["networks", id]) => remove_network(engine, id),
        ("GET", ["volumes"]) => Ok(list(engine, request, |state| &state.volumes, |volumes| json!({ "Volumes": volumes, "Warnings": null }))),
        ("POST", ["volumes", "create"]) => {
            let sent = request.json()?;
            Ok(Reply::json(201, &engine.with(|state| state.add_volume(text(&sent, "Name"), &sent))?))
        }
        ("GET", ["volumes", name]) => engine.with(|state| Ok(Reply::json(200, state.volume(name)?))),
        ("DELETE", ["volumes", name]) => remove_volume(engine, name),
        ("POST", [kind @ ("images" | "networks" | "volumes" | "build"), "prune"]) => Ok(pruned(kind)),
        _ => Err(Fail(404, "page not found".to_owned())),
    }
}

fn pruned(kind: &str) -> Reply {
    let key = match kind {
        "images" => "ImagesDeleted",
        "networks" => "NetworksDeleted",
        "volumes" => "VolumesDeleted",
        _ => "CachesDeleted",
    };
    Reply::json(200, &json!({ key: [], "SpaceReclaimed": 0 }))
}

fn version() -> Value {
    json!({
        "Platform": { "Name": "dockgate demo engine (in memory)" }, "Version": "28.0.0", "ApiVersion": API_VERSION, "MinAPIVersion": "1.24",
        "GitCommit": "demo", "GoVersion": "none", "Os": "linux", "Arch": "amd64", "KernelVersion": "none", "BuildTime": "2025-01-01T00:00:00Z",
        "Components": [{ "Name": "Engine", "Version": "28.0.0", "Details": { "ApiVersion": API_VERSION, "MinAPIVersion": "1.24", "Os": "linux", "Arch": "amd64" } }],
    })
}

fn info(engine: &Engine) -> Value {
    let (all, running, images) =
        engine.with(|state| (state.containers.len(), state.containers.iter().filter(|one| one.now().runs()).count(), state.images.len()));
    // in two parts: the macro's recursion is limited
    let first = json!({
        "ID": "00000000-0000-4000-8000-000000000000", "Containers": all, "ContainersRunning": running, "ContainersPaused": 0,
        "ContainersStopped": all.saturating_sub(running), "Images": images, "Driver": "overlay2", "DriverStatus": [["Backing Filesystem", "memory"]],
        "Plugins": { "Volume": ["local"], "Network": ["bridge", "host", "null"], "Authorization": null, "Log": ["json-file"] },
        "MemoryLimit": true, "SwapLimit": true, "CpuCfsPeriod": true, "CpuCfsQuota": true, "PidsLimit": true, "IPv4Forwarding": true,
        "SystemTime": jiff::Timestamp::now().to_string(),
    });
    let second = json!({
        "LoggingDriver": "json-file", "CgroupDriver": "cgroupfs", "CgroupVersion": "2", "KernelVersion": "none",
        "OperatingSystem": "dockgate demo engine (in memory)", "OSVersion": "", "OSType": "linux", "Architecture": "x86_64",
        "IndexServerAddress": "https://index.docker.io/v1/", "RegistryConfig": { "InsecureRegistryCIDRs": [], "IndexConfigs": {}, "Mirrors": [] },
        "NCPU": 2, "MemTotal": 1_073_741_824, "DockerRootDir": "/var/lib/docker", "Name": "demo",
        "Labels": [], "ExperimentalBuild": false, "ServerVersion": "28.0.0", "Runtimes": { "runc": { "path": "runc" } }, "DefaultRuntime": "runc",
        "Swarm": { "NodeID": "", "NodeAddr": "", "LocalNodeState": "inactive", "ControlAvailable": false, "Error": "", "RemoteManagers": null },
        "SecurityOptions": ["name=seccomp,profile=builtin", "name=cgroupns"], "Warnings": null,
    });
    shapes::merged(first, second)
}

/// A point in time as `since` and `until` give it: seconds, with a fraction or not.
fn seconds(request: &Request, key: &str) -> Option<i64> {
    request.arg(key).split('.').next().and_then(|whole| whole.parse().ok())
}

fn events(engine: &Engine, request: &Request) -> Reply {
    let (since, until) = (seconds(request, "since"), seconds(request, "until"));
    let (kinds, actions, containers) = (filter(request, "type"), filter(request, "event"), filter(request, "container"));
    let wanted = move |event: &Value| {
        let any = |wanted: &[String], key| wanted.is_empty() || wanted.iter().any(|one| text(event, key) == one);
        let name = event.pointer("/Actor/Attributes/name").and_then(Value::as_str).unwrap_or("");
        let ours = |one: &String| one.as_str() == name || text(event, "id").starts_with(one.as_str());
        any(&kinds, "Type") && any(&actions, "Action") && (containers.is_empty() || containers.iter().any(ours))
    };
    let mut live = engine.0.events.subscribe();
    let mut past: Vec<Value> = match since {
        Some(since) => engine.with(|state| {
            state.history.iter().rev().filter(|event| event.get("time").and_then(Value::as_i64) >= Some(since)).cloned().collect()
        }),
        None => Vec::new(),
    };
    past.retain(&wanted);
    Reply::stream("application/json", move |client| async move {
        let line = |event: &Value| Bytes::from(format!("{event}\n"));
        for event in &past {
            let _ = client.send(line(event)).await;
        }
        let left = until.map(|until| until.saturating_sub(jiff::Timestamp::now().as_second()).max(0).unsigned_abs());
        let listen = async {
            use tokio::sync::broadcast::error::RecvError;
            loop {
                match live.recv().await {
                    Ok(event) if wanted(&event) => drop(client.send(line(&event)).await),
                    // a reader that is too slow misses events
                    Ok(_) | Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return,
                }
            }
        };
        match left {
            Some(left) => drop(tokio::time::timeout(std::time::Duration::from_secs(left), listen).await),
            None => listen.await,
        }
    })
}

fn progress(lines: &[Value]) -> Reply {
    let lines: Vec<_> = lines.iter().map(|line| Bytes::from(format!("{line}\r\n"))).collect();
    Reply::stream("application/json", move |client| async move {
        for line in lines {
            let _ = client.send(line).await;
        }
    })
}

fn short(id: &str) -> &str {
    let id = id.strip_prefix("sha256:").unwrap_or(id);
    id.get(..12).unwrap_or(id)
}

fn pull(engine: &Engine, request: &Request) -> Answer {
    let (name, tag) = (request.arg("fromImage"), request.arg("tag"));
    let reference = match (name, tag) {
        ("", _) if !request.arg("fromSrc").is_empty() => request.arg("repo").to_owned(),
        ("", _) => return Err(Fail(400, "invalid reference format".to_owned())),
        (name, "") => name.to_owned(),
        (name, tag) if tag.contains(':') => format!("{name}@{tag}"),
        (name, tag) => format!("{name}:{tag}"),
    };
    let reference = familiar(&reference);
    let known = engine.with(|state| state.image(&reference).is_ok());
    let id = engine.with(|state| match state.image(&reference) {
        Ok(image) => Ok(image.id.clone()),
        Err(_) => state.add_image(&[&reference], json!({ "Cmd": ["sh"], "Env": ["PATH=/usr/local/bin:/usr/bin:/bin"] })),
    })?;
    let (repository, tag) = reference.rsplit_once(':').unwrap_or((&reference, "latest"));
    engine.publish("image", "pull", &reference, json!({ "name": repository }));
    let news = if known { "Image is up to date" } else { "Downloaded newer image" };
    Ok(progress(&[
        json!({ "status": format!("Pulling from {repository}"), "id": tag }),
        json!({ "status": "Pulling fs layer", "progressDetail": {}, "id": short(&id) }),
        json!({ "status": "Downloading", "progressDetail": { "current": 1, "total": 2 }, "progress": "[=>  ]", "id": short(&id) }),
        json!({ "status": "Pull complete", "progressDetail": {}, "id": short(&id) }),
        json!({ "status": format!("Digest: {id}") }),
        json!({ "status": format!("Status: {news} for {reference}") }),
    ]))
}

fn build(engine: &Engine, request: &Request) -> Answer {
    if request.body.is_empty() && request.arg("remote").is_empty() {
        return Err(Fail(500, "Cannot locate specified Dockerfile: Dockerfile".to_owned()));
    }
    let tags: Vec<&str> = request.query.iter().filter(|(key, _)| key == "t").map(|(_, tag)| tag.as_str()).collect();
    let id = engine.with(|state| state.add_image(&tags, json!({ "Cmd": ["sh"], "Labels": {} })))?;
    let mut lines = vec![
        json!({ "stream": "Step 1/1 : FROM scratch" }),
        json!({ "stream": "\n" }),
        json!({ "stream": format!(" ---> {}\n", short(&id)) }),
        json!({ "aux": { "ID": id } }),
        json!({ "stream": format!("Successfully built {}\n", short(&id)) }),
    ];
    lines.extend(tags.iter().map(|tag| json!({ "stream": format!("Successfully tagged {}\n", familiar(tag)) })));
    Ok(progress(&lines))
}

fn list_images(engine: &Engine, request: &Request) -> Reply {
    let references = filter(request, "reference");
    let summary = |image: &Image| {
        json!({
            "Id": image.id, "ParentId": "", "RepoTags": image.tags, "RepoDigests": [], "Created": image.created.as_second(),
            "Size": 7_340_032, "SharedSize": -1, "Containers": -1, "Labels": image.config.get("Labels"),
        })
    };
    let wanted = |image: &&Image| {
        references.is_empty()
            || references.iter().any(|one| image.tags.iter().any(|tag| *tag == familiar(one) || tag.split(':').next() == Some(one)))
    };
    Reply::json(200, &engine.with(|state| state.images.iter().rev().filter(wanted).map(summary).collect()))
}

fn inspect_image(image: &Image) -> Value {
    json!({
        "Id": image.id, "RepoTags": image.tags, "RepoDigests": [], "Parent": "", "Comment": "", "Created": image.created.to_string(),
        "DockerVersion": "", "Author": "", "Config": image.config, "Architecture": "amd64", "Os": "linux", "Size": 7_340_032,
        "GraphDriver": { "Name": "overlay2", "Data": null }, "RootFS": { "Type": "layers", "Layers": [image.id] }, "Metadata": { "LastTagTime": image.created.to_string() },
    })
}

fn tag(engine: &Engine, request: &Request, name: &str) -> Answer {
    let (repo, tag) = (request.arg("repo"), request.arg("tag"));
    let tag = familiar(&if tag.is_empty() { repo.to_owned() } else { format!("{repo}:{tag}") });
    engine.with(|state| {
        let id = state.image(name)?.id.clone();
        for image in &mut state.images {
            image.tags.retain(|other| *other != tag);
            if image.id == id {
                image.tags.push(tag.clone());
            }
        }
        Ok(Reply::empty(201))
    })
}

fn remove_image(engine: &Engine, name: &str) -> Answer {
    engine.with(|state| {
        let image = state.image(name)?.clone();
        if let Some(user) = state.containers.iter().find(|container| container.image == image.id) {
            return Err(Fail(
                409,
                format!(
                    "conflict: unable to remove repository reference \"{name}\" (must force) - container {} \
                is using its referenced image {}",
                    short(&user.id),
                    short(&image.id)
                ),
            ));
        }
        state.images.retain(|other| other.id != image.id);
        let untagged = image.tags.iter().map(|tag| json!({ "Untagged": tag }));
        Ok(Reply::json(200, &untagged.chain([json!({ "Deleted": image.id })]).collect()))
    })
}

/// Networks or volumes, filtered by name and label.
fn list(engine: &Engine, request: &Request, kind: fn(&State) -> &Vec<Value>, wrap: fn(Vec<Value>) -> Value) -> Reply {
    let (names, labels) = (filter(request, "name"), filter(request, "label"));
    let wanted = |one: &&Value| {
        (names.is_empty() || names.iter().any(|name| text(one, "Name").contains(name.trim_matches(['^', '$']))))
            && labelled(one.get("Labels"), &labels)
    };
    Reply::json(200, &wrap(engine.with(|state| kind(state).iter().filter(wanted).cloned().collect())))
}

fn create_network(engine: &Engine, request: &Request) -> Answer {
    let sent = request.json()?;
    let name = text(&sent, "Name");
    let id = engine.with(|state| {
        if name.is_empty() {
            return Err(Fail(400, "invalid network name: name is empty".to_owned()));
        }
        if state.networks.iter().any(|network| text(network, "Name") == name) {
            return Err(Fail(409, format!("network with name {name} already exists")));
        }
        state.add_network(name, &sent)
    })?;
    engine.publish("network", "create", &id, json!({ "name": name }));
    Ok(Reply::json(201, &json!({ "Id": id, "Warning": "" })))
}

fn inspect_network(state: &State, id: &str) -> Result<Value, Fail> {
    let mut network = state.network(id)?.clone();
    let name = text(&network, "Name").to_owned();
    let members = state.containers.iter().filter(|one| one.now().runs()).filter_map(|container| {
        let endpoint = container.networks.get(&name)?;
        let address = format!("{}/16", text(endpoint, "IPAddress"));
        Some((container.id.clone(), json!({ "Name": container.name, "EndpointID": text(endpoint, "EndpointID"), "MacAddress": "", "IPv4Address": address, "IPv6Address": "" })))
    });
    let members: serde_json::Map<_, _> = members.collect();
    if let Some(map) = network.as_object_mut() {
        map.insert("Containers".to_owned(), Value::Object(members));
    }
    Ok(network)
}

fn connect(engine: &Engine, request: &Request, id: &str, verb: &str) -> Answer {
    let sent = request.json()?;
    engine.with(|state| {
        let name = text(state.network(id)?, "Name").to_owned();
        let container = state.container(text(&sent, "Container"))?.id.clone();
        let endpoint = shapes::endpoint(state, sent.get("EndpointConfig").unwrap_or(&Value::Null));
        let networks = state.container_mut(&container)?.networks.as_object_mut();
        match (networks, verb) {
            (Some(networks), "connect") => networks.insert(name, endpoint),
            (Some(networks), _) => networks.remove(&name),
            (None, _) => None,
        };
        Ok(Reply::empty(200))
    })
}

fn remove_network(engine: &Engine, id: &str) -> Answer {
    engine.with(|state| {
        let network = inspect_network(state, id)?;
        let name = text(&network, "Name");
        if matches!(name, "bridge" | "host" | "none") {
            return Err(Fail(403, format!("{name} is a pre-defined network and cannot be removed")));
        }
        if network.get("Containers").and_then(Value::as_object).is_some_and(|members| !members.is_empty()) {
            return Err(Fail(403, format!("error while removing network: network {name} has active endpoints")));
        }
        state.networks.retain(|other| other.get("Id") != network.get("Id"));
        Ok(Reply::empty(204))
    })
}

fn remove_volume(engine: &Engine, name: &str) -> Answer {
    engine.with(|state| {
        state.volume(name)?;
        let uses = |mount: &Value| text(mount, "Name") == name;
        if let Some(user) = state.containers.iter().find(|container| container.mounts.iter().any(uses)) {
            return Err(Fail(409, format!("remove {name}: volume is in use - [{}]", user.id)));
        }
        state.volumes.retain(|volume| text(volume, "Name") != name);
        Ok(Reply::empty(204))
    })
}
