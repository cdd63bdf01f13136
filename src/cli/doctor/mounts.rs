//! Who has the engine's socket itself, past every door.
//! Knows nothing of how the engine was asked.

use crate::config::UpstreamUrl;
use crate::docker::Value;
use crate::policy::checks::socket_mount::SOCKETS;
use crate::rewrite::clients;

use super::line::{Level, Line};

/// As many are named; a screen has no room for more.
const MOST: usize = 10;

/// A container that reaches the socket.
#[derive(Debug, PartialEq, Eq)]
pub struct Holder {
    /// Its name.
    pub container: String,
    /// Its image, as it was named.
    pub image: String,
    /// The path of the host that shows the socket, and the volume that has it where there is one.
    pub through: String,
}

impl Holder {
    /// dockgate must have it.
    pub fn is_dockgate(&self) -> bool {
        clients::is_dockgate(&self.image)
    }
}

/// All containers that reach an engine's socket: directly, by a folder above it, or by a volume that is one of these.
pub fn holders(containers: &Value, volumes: &Value, engine: Option<&str>) -> Vec<Holder> {
    let shows = |path: &str| SOCKETS.iter().copied().chain(engine).any(|socket| is_or_holds(path, socket)) || rootless(path);
    let mut found = Vec::new();
    for container in containers.items() {
        let paths = container.get("Mounts").map(Value::items).unwrap_or_default().iter().filter_map(|mount| path(mount, volumes));
        let name = container.get("Names").and_then(|names| names.texts().next()).unwrap_or_default().trim_start_matches('/').to_owned();
        found.extend(paths.filter(|(path, _)| shows(path)).take(1).map(|(path, volume)| Holder {
            container: name.clone(),
            image: container.text("Image").to_owned(),
            through: volume.map_or_else(|| format!("`{path}`"), |volume| format!("volume `{volume}`, which is `{path}`")),
        }));
    }
    found
}

/// The host's path that a mount shows, and its volume.
fn path<'v>(mount: &'v Value, volumes: &'v Value) -> Option<(&'v str, Option<&'v str>)> {
    match mount.text("Type") {
        "bind" => Some((mount.text("Source"), None)),
        "volume" => {
            let name = mount.text("Name");
            let own = volumes.get("Volumes").map(Value::items).unwrap_or_default().iter().find(|volume| volume.text("Name") == name)?;
            let device = own.get("Options")?.text("device");
            device.starts_with('/').then_some((device, Some(name)))
        }
        _ => None,
    }
}

fn is_or_holds(path: &str, socket: &str) -> bool {
    let path = path.trim_end_matches('/');
    socket.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// `/run/user/1000/docker.sock` and what holds it.
fn rootless(path: &str) -> bool {
    let below = path.strip_prefix("/var").unwrap_or(path).strip_prefix("/run/user/").map(|rest| rest.split('/').collect::<Vec<_>>());
    below.is_some_and(|parts| matches!(parts.as_slice(), [_] | [_, "docker.sock"] | [_, "podman"] | [_, "podman", "podman.sock"]))
}

/// The path of the engine's socket on its host. In a container that is the source of the mount that holds it;
/// `own` is the text in which this process's container names itself.
pub fn on_the_host(containers: &Value, engine: &UpstreamUrl, own: &str) -> Option<String> {
    let UpstreamUrl::Unix(path) = engine else { return None };
    let path = path.to_str()?;
    let is_own = |container: &&Value| Some(container.text("Id")).is_some_and(|id| id.len() == 64 && own.contains(id));
    let mounts = containers.items().iter().find(is_own).and_then(|container| container.get("Mounts")).map(Value::items).unwrap_or_default();
    let source = mounts.iter().find_map(|mount| {
        let rest = path.strip_prefix(mount.text("Destination")).filter(|rest| rest.is_empty() || rest.starts_with('/'))?;
        Some(format!("{}{rest}", mount.text("Source")))
    });
    Some(source.unwrap_or_else(|| path.to_owned()))
}

/// A line for each, and what it could have instead; `socket` is the engine's on its host.
pub fn lines(containers: &Value, volumes: &Value, socket: Option<&str>) -> Vec<Line> {
    let (own, others): (Vec<Holder>, Vec<Holder>) = holders(containers, volumes, socket).into_iter().partition(Holder::is_dockgate);
    let mut lines: Vec<Line> = others.iter().take(MOST).map(line).collect();
    if others.len() > MOST {
        lines.push(Line::new(Level::Warn, "raw socket", format!("and {} containers more", others.len() - MOST)));
    }
    if others.is_empty() {
        let own = own.first().map(|own| format!(" but dockgate's own (`{}`)", own.container)).unwrap_or_default();
        lines.push(Line::new(Level::Ok, "raw socket", format!("no container has it{own}")));
    }
    lines
}

fn line(holder: &Holder) -> Line {
    let Holder { container, image, through } = holder;
    let line = Line::new(Level::Warn, "raw socket", format!("`{container}` ({image}) is root on the host: it mounts {through}"));
    let presets: Vec<&str> = clients::of_image(image).map(|client| client.preset).collect();
    match presets.split_first() {
        Some((first, [])) => line.todo(format!("give it a door instead: `dockgate init --client {first}`")),
        Some((first, more)) => line.todo(format!("give it a door instead: `dockgate init --client {first}` (or {})", more.join(", "))),
        None => line.todo("give it a door instead: `dockgate init --client read-only`, and `dockgate learn` for what it needs more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::docker::json;

    fn value(text: &str) -> Value {
        json::read(text.as_bytes()).unwrap()
    }

    #[test]
    fn finds_the_socket_by_itself_by_a_folder_above_it_and_by_a_volume() {
        let volumes = value(
            r#"{"Volumes":[{"Name":"run","Options":{"type":"none","o":"bind","device":"/var/run"}},{"Name":"data","Options":null}]}"#,
        );
        for (mount, holds) in [
            (r#"{"Type":"bind","Source":"/var/run/docker.sock"}"#, true),
            (r#"{"Type":"bind","Source":"/run"}"#, true),
            (r#"{"Type":"bind","Source":"/"}"#, true),
            (r#"{"Type":"bind","Source":"/run/user/1000/docker.sock"}"#, true),
            (r#"{"Type":"bind","Source":"/srv/engine/docker.sock"}"#, true),
            (r#"{"Type":"volume","Name":"run","Source":"/var/lib/docker/volumes/run/_data"}"#, true),
            (r#"{"Type":"volume","Name":"data","Source":"/var/lib/docker/volumes/data/_data"}"#, false),
            (r#"{"Type":"bind","Source":"/var/run/docker.sock.d"}"#, false),
            (r#"{"Type":"bind","Source":"/run/dockgate/traefik"}"#, false),
            (r#"{"Type":"tmpfs","Source":""}"#, false),
        ] {
            let containers = value(&format!(r#"[{{"Names":["/web"],"Image":"nginx","Mounts":[{mount}]}}]"#));
            let found = holders(&containers, &volumes, Some("/srv/engine/docker.sock"));
            assert_eq!(!found.is_empty(), holds, "{mount}: {found:?}");
        }
    }

    #[test]
    fn a_known_image_is_told_its_preset_and_dockgate_is_left_alone() {
        let mount = r#""Mounts":[{"Type":"bind","Source":"/var/run/docker.sock"}]"#;
        let containers = value(&format!(
            r#"[{{"Names":["/proxy"],"Image":"traefik:v3",{mount}}},{{"Names":["/gate"],"Image":"dockgate:latest",{mount}}},{{"Names":["/own"],"Image":"acme/own",{mount}}}]"#
        ));
        let lines = lines(&containers, &Value::Null, None);
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(lines[0].found.contains("`proxy` (traefik:v3)") && lines[0].todo[0].contains("--client traefik"), "{lines:?}");
        assert!(lines[1].todo[0].contains("dockgate learn"), "{lines:?}");
    }

    #[test]
    fn in_a_container_the_engines_socket_has_the_hosts_path() {
        let id = "0123456789abcdef".repeat(4);
        let containers = value(&format!(
            r#"[{{"Id":"{id}","Mounts":[{{"Destination":"/etc/x","Source":"/srv/x"}},{{"Destination":"/var/run/docker.sock","Source":"/srv/engine.sock"}}]}}]"#
        ));
        let (engine, own) = ("unix:///var/run/docker.sock".parse().unwrap(), format!("/srv/containers/{id}/hostname /etc/hostname"));
        assert_eq!(on_the_host(&containers, &engine, &own).as_deref(), Some("/srv/engine.sock"));
        assert_eq!(on_the_host(&containers, &engine, "no container").as_deref(), Some("/var/run/docker.sock"));
        assert_eq!(on_the_host(&containers, &"tcp://engine:2375".parse().unwrap(), &own), None);
    }
}
