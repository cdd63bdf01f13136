//! What dockgate must keep out of every door's reach: its own container, paths and volumes.
//! Knows nothing of how the judge uses it.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use http::StatusCode;

use crate::docker::Value;
use crate::policy::{Need, Own};

use super::facts::fetch;
use super::refuse::Refusal;
use super::upstream::Upstream;

/// Finds out once what dockgate runs in; asked again until the engine has answered.
pub struct OwnSearch {
    container: Option<String>,
    paths: Vec<String>,
    engine: Vec<String>,
    found: Mutex<Option<Arc<Own>>>,
}

impl OwnSearch {
    /// A search for the container of this process; `paths` are the sockets and files to protect, `engine` those of them
    /// that are the upstream.
    pub fn new(paths: Vec<String>, engine: Vec<String>) -> Self {
        Self::of(container_id(), paths, engine)
    }

    /// A search for a known container.
    pub fn of(container: Option<String>, paths: Vec<String>, engine: Vec<String>) -> Self {
        Self { container, paths, engine, found: Mutex::new(None) }
    }

    /// What is to be protected. On the host that are the paths as they are; in a container they are looked up
    /// among its mounts, because the engine sees the host's paths.
    ///
    /// # Errors
    /// Where the engine does not answer the look-up.
    pub async fn get(&self, upstream: &Upstream) -> Result<Arc<Own>, Refusal> {
        if let Some(own) = self.found.lock().unwrap_or_else(PoisonError::into_inner).clone() {
            return Ok(own);
        }
        let own = Arc::new(self.search(upstream).await?);
        *self.found.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&own));
        Ok(own)
    }

    async fn search(&self, upstream: &Upstream) -> Result<Own, Refusal> {
        let mut own = Own { container: None, paths: self.paths.clone(), volumes: Vec::new(), engine: self.engine.clone() };
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
    let mounts = read("/proc/self/mountinfo");
    let files = mounts.lines().filter(|line| ["/etc/hostname", "/etc/hosts", "/etc/resolv.conf"].iter().any(|file| line.contains(file)));
    files.chain(read("/proc/self/cgroup").lines()).find_map(hex_id)
}

fn hex_id(line: &str) -> Option<String> {
    let words = line.split(|c: char| !c.is_ascii_hexdigit());
    words.into_iter().find(|word| word.len() == 64).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::super::upstream::Address;
    use super::*;
    use crate::docker::json;

    #[test]
    fn reads_its_id_from_mounts_and_control_groups() {
        let id = "0123456789abcdef".repeat(4);
        assert_eq!(hex_id(&format!("620 1 8:1 /var/lib/docker/containers/{id}/hostname /etc/hostname rw")), Some(id.clone()));
        assert_eq!(hex_id(&format!("12:pids:/docker/{id}")), Some(id));
        assert_eq!(hex_id("0::/user.slice"), None);
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
