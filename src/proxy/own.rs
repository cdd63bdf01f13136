//! What dockgate must keep out of every door's reach: its own container, paths and volumes.
//! Knows nothing of how the judge uses it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::StatusCode;

use crate::config::{Config, Listen};
use crate::docker::Value;
use crate::policy::{Need, Own};

use super::facts::fetch;
use super::refuse::Refusal;
use super::upstream::{Address, Upstream};

/// Finds out once what dockgate runs in; asked again until the engine has answered, and where there is more to protect.
pub struct OwnSearch {
    container: Option<String>,
    engine: Vec<String>,
    known: Mutex<Known>,
}

/// What is to be protected, and what that comes to.
struct Known {
    /// What the configuration of the start names: it is in use until the end.
    started: usize,
    /// That, and what the newest configuration names.
    paths: Vec<String>,
    found: Option<Arc<Own>>,
}

impl OwnSearch {
    /// A search for the container of this process, and for what a configuration names.
    pub fn new(config: &Config, upstream: &Upstream) -> Self {
        Self::of(container_id(), named(config, upstream), names(socket(upstream)))
    }

    /// A search for a known container; `paths` are the sockets and files to protect, `engine` those of them that are the upstream.
    fn of(container: Option<String>, paths: Vec<String>, engine: Vec<String>) -> Self {
        Self { container, engine, known: Mutex::new(Known { started: paths.len(), paths, found: None }) }
    }

    /// From now on what this configuration names is protected too, in place of what one before it did; what the first one named stays so.
    pub fn also(&self, config: &Config, upstream: &Upstream) {
        let mut known = self.known();
        let mut paths = known.paths.get(..known.started).unwrap_or_default().to_vec();
        let more: Vec<String> = named(config, upstream).into_iter().filter(|path| !paths.contains(path)).collect();
        paths.extend(more);
        if paths != known.paths {
            known.paths = paths;
            known.found = None;
        }
    }

    /// What is to be protected. On the host that are the paths as they are; in a container they are looked up
    /// among its mounts, because the engine sees the host's paths.
    ///
    /// # Errors
    /// Where the engine does not answer the look-up.
    pub async fn get(&self, upstream: &Upstream) -> Result<Arc<Own>, Refusal> {
        let paths = match &*self.known() {
            Known { found: Some(own), .. } => return Ok(Arc::clone(own)),
            Known { paths, found: None, .. } => paths.clone(),
        };
        let own = Arc::new(self.search(upstream, paths.clone()).await?);
        let mut known = self.known();
        if known.paths == paths {
            known.found = Some(Arc::clone(&own));
        }
        Ok(own)
    }

    async fn search(&self, upstream: &Upstream, paths: Vec<String>) -> Result<Own, Refusal> {
        let mut own = Own { container: None, paths, volumes: Vec::new(), engine: self.engine.clone() };
        let Some(id) = &self.container else { return Ok(own) };
        match fetch(upstream, &Need::Container(id.clone())).await {
            Ok(container) => {
                own.container = Some(container.text("Id").to_owned());
                translate(&container, &mut own);
                Ok(own)
            }
            // a container of another engine than the one behind the door; any other answer leaves the question open
            Err(Refusal::Engine(StatusCode::NOT_FOUND, _)) => Ok(own),
            Err(refusal) => Err(refusal),
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The paths that no container may mount.
fn named(config: &Config, upstream: &Upstream) -> Vec<String> {
    let mut paths = config.protected.clone();
    let doors = config.doors.iter().filter_map(|door| match &door.listen {
        Listen::Unix(path) => Some(path.clone()),
        Listen::Tcp(_) => None,
    });
    let rebound = config.policies.values().filter_map(|policy| policy.create.rebind_socket.as_ref().map(PathBuf::from));
    let watched = config.watched.iter().cloned().chain(upstream.files());
    let files = doors.chain(rebound).chain(socket(upstream)).chain(config.path.clone()).chain(watched).chain(config.audit.files());
    paths.extend(names(files));
    paths
}

/// The engine's socket.
fn socket(upstream: &Upstream) -> Option<PathBuf> {
    match upstream.address() {
        Address::Unix(path) => Some(path.clone()),
        Address::Tcp(_) | Address::Tls(_) => None,
    }
}

/// Each path as it is written, and as it is without links.
fn names(files: impl IntoIterator<Item = PathBuf>) -> Vec<String> {
    let both = |path: PathBuf| {
        let real = std::fs::canonicalize(&path).ok();
        let plain = std::path::absolute(&path).unwrap_or(path);
        [Some(plain), real].into_iter().flatten().map(|path| path.to_string_lossy().into_owned())
    };
    files.into_iter().flat_map(both).collect()
}

/// The host's side of each mount of our container that holds a protected path.
fn translate(container: &Value, own: &mut Own) {
    let (inside, engine) = (own.paths.clone(), own.engine.clone());
    for mount in container.get("Mounts").map(Value::items).unwrap_or_default() {
        let target = mount.text("Destination");
        let held = |paths: &[String]| -> Vec<String> {
            let rests = paths.iter().filter_map(|path| path.strip_prefix(target).filter(|rest| rest.is_empty() || rest.starts_with('/')));
            rests.map(|rest| format!("{}{rest}", mount.text("Source"))).collect()
        };
        let outside = held(&inside);
        own.engine.extend(held(&engine));
        let holds = !outside.is_empty();
        own.paths.extend(outside);
        if holds && mount.text("Type") == "volume" {
            own.volumes.push(mount.text("Name").to_owned());
        }
    }
}

/// The 64 hex digits under which the engine keeps this container's files, from the mounts or the control group.
fn container_id() -> Option<String> {
    let read = |path: &str| std::fs::read_to_string(Path::new(path)).unwrap_or_default();
    id_among(&read("/proc/self/mountinfo"), &read("/proc/self/cgroup"))
}

/// An engine of before 23 mounts the files of another container below its root while something is copied into it: where dockgate runs on
/// the host these mounts show, and are not its own.
fn id_among(mounts: &str, groups: &str) -> Option<String> {
    const GIVEN: [&str; 3] = ["/etc/hostname", "/etc/hosts", "/etc/resolv.conf"];
    let given = |line: &&str| line.split(' ').nth(4).is_some_and(|point| GIVEN.contains(&point));
    mounts.lines().filter(given).chain(groups.lines()).find_map(hex_id)
}

fn hex_id(line: &str) -> Option<String> {
    let words = line.split(|c: char| !c.is_ascii_hexdigit());
    words.into_iter().find(|word| word.len() == 64).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::docker::json;

    #[test]
    fn reads_its_id_from_mounts_and_control_groups() {
        let id = "0123456789abcdef".repeat(4);
        let mount = |point: &str| format!("620 1 8:1 /var/lib/docker/containers/{id}/hostname {point} rw - ext4 /dev/x rw\n");
        assert_eq!(id_among(&mount("/etc/hostname"), ""), Some(id.clone()));
        assert_eq!(id_among(&mount("/var/lib/docker/overlay2/x/merged/etc/hostname"), "0::/user.slice"), None, "another container's");
        assert_eq!(id_among("", &format!("12:pids:/docker/{id}")), Some(id.clone()));
    }

    #[tokio::test]
    async fn only_a_404_says_that_its_container_is_not_the_engines() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("engine.sock");
        let engine = tokio::net::UnixListener::bind(&socket).unwrap();
        let search = OwnSearch::of(Some("a".repeat(64)), Vec::new(), Vec::new());
        for (status, known) in [("500 Internal Server Error", false), ("404 Not Found", true)] {
            let answering = async {
                let (mut stream, _) = engine.accept().await.unwrap();
                let mut head = [0; 4096];
                assert!(stream.read(&mut head).await.unwrap() > 0);
                let reply = format!("HTTP/1.1 {status}\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{{}}");
                stream.write_all(reply.as_bytes()).await.unwrap();
            };
            let upstream = Upstream::new(Address::Unix(socket.clone()));
            let (found, ()) = tokio::join!(search.get(&upstream), answering);
            assert_eq!(found.is_ok(), known, "{status}");
        }
    }

    #[tokio::test]
    async fn what_the_first_configuration_named_stays_and_of_the_others_the_newest_counts() {
        let upstream = Upstream::new(Address::Unix("/run/engine.sock".into()));
        let search = OwnSearch::of(None, vec!["/first".to_owned()], Vec::new());
        for other in ["/second", "/third"] {
            let loaded = crate::config::load("x.toml", &format!("version = 1\nprotected = [\"{other}\"]\n"));
            search.also(&loaded.config.unwrap(), &upstream);
            let own = search.get(&upstream).await.unwrap();
            let named: Vec<&str> =
                own.paths.iter().map(String::as_str).filter(|path| ["/first", "/second", "/third"].contains(path)).collect();
            assert_eq!(named, ["/first", other]);
        }
    }

    #[test]
    fn protects_the_hosts_side_of_its_mounts() {
        let text = br#"{"Mounts":[{"Type":"volume","Name":"doors","Source":"/var/lib/docker/volumes/doors/_data","Destination":"/run/dockgate"},
            {"Type":"bind","Source":"/srv/engine.sock","Destination":"/var/run/docker.sock"},{"Type":"bind","Source":"/srv/x","Destination":"/run/dock"}]}"#;
        let (paths, engine) = (vec!["/run/dockgate/a.sock".into(), "/var/run/docker.sock".into()], vec!["/var/run/docker.sock".into()]);
        let mut own = Own { container: None, paths, volumes: vec![], engine };
        translate(&json::read(text).unwrap(), &mut own);
        assert_eq!(own.volumes, ["doors"]);
        assert_eq!(own.paths[2..], ["/var/lib/docker/volumes/doors/_data/a.sock", "/srv/engine.sock"]);
        assert_eq!(own.engine, ["/var/run/docker.sock", "/srv/engine.sock"]);
    }
}
