//! Finds the engine and a place for the door where neither a flag nor a file names one.
//! Knows nothing of the process's environment: everything comes in as values.

use std::path::{Path, PathBuf};

use crate::config::{Listen, UpstreamUrl};

/// Docker's own socket.
const DOCKER: &str = "/var/run/docker.sock";
/// Podman's socket for root.
const PODMAN: &str = "/run/podman/podman.sock";
/// The folder of the default door.
pub const DOOR_FOLDER: &str = "/run/dockgate";

/// What the environment says.
#[derive(Debug, Default, Clone)]
pub struct Surroundings {
    /// `DOCKER_HOST`, where it is set and not empty.
    pub docker_host: Option<String>,
    /// What it says of TLS with that.
    pub docker_tls: DockerTls,
    /// `DOCKER_CERT_PATH`, else the CLI's own folder where TLS is asked for.
    pub docker_cert_path: Option<PathBuf>,
    /// `XDG_RUNTIME_DIR`, where it is set and not empty.
    pub runtime_dir: Option<PathBuf>,
    /// The user's id.
    pub uid: u32,
}

/// What `DOCKER_TLS_VERIFY` and `DOCKER_TLS` ask for.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum DockerTls {
    /// Neither is set.
    #[default]
    Off,
    /// TLS with an engine that proves who it is.
    Verified,
    /// TLS with whoever answers.
    Unverified,
}

/// An engine that was found.
#[derive(Debug, PartialEq, Eq)]
pub struct Found {
    /// Where it is.
    pub upstream: UpstreamUrl,
    /// Where that was said.
    pub said_by: &'static str,
    /// What was passed over, with the reason.
    pub skipped: Vec<String>,
}

/// Why there is no engine.
#[derive(Debug, PartialEq, Eq)]
pub enum NotFound {
    /// `DOCKER_HOST` has a form that cannot be used.
    BadDockerHost(String),
    /// Nothing is at any of these places.
    Nowhere(Vec<String>),
}

/// The first place that holds a socket. `doors` are dockgate's own: `DOCKER_HOST` may name one of them in the shell of who uses it.
///
/// # Errors
/// Where nothing was found.
pub fn upstream(surroundings: &Surroundings, doors: &[Listen], is_socket: impl Fn(&Path) -> bool) -> Result<Found, NotFound> {
    let mut looked = Vec::new();
    if let Some(text) = &surroundings.docker_host {
        let upstream = docker_host(text, surroundings.docker_tls)?;
        match missing(&upstream, doors, &is_socket) {
            None => return Ok(Found { upstream, said_by: "DOCKER_HOST", skipped: looked }),
            Some(why) => looked.push(format!("{upstream} of DOCKER_HOST: {why}")),
        }
    }
    let skipped = looked.clone();
    for (path, said_by) in places(surroundings) {
        let upstream = UpstreamUrl::Unix(path);
        match missing(&upstream, doors, &is_socket) {
            None => return Ok(Found { upstream, said_by, skipped }),
            Some(why) => looked.push(format!("{upstream}: {why}")),
        }
    }
    Err(NotFound::Nowhere(looked))
}

/// As docker's CLI understands it: `tcp://` is TLS where the variables beside it say so.
fn docker_host(text: &str, tls: DockerTls) -> Result<UpstreamUrl, NotFound> {
    let upstream = text.parse().map_err(|error: crate::config::UrlError| NotFound::BadDockerHost(error.to_string()))?;
    match (upstream, tls) {
        (UpstreamUrl::Tcp(authority), DockerTls::Verified) => Ok(UpstreamUrl::Https(authority)),
        (UpstreamUrl::Tcp(_), DockerTls::Unverified) => Err(NotFound::BadDockerHost(
            "DOCKER_TLS asks for TLS with whoever answers; set DOCKER_TLS_VERIFY=1, so that the engine proves who it is".to_owned(),
        )),
        (upstream, _) => Ok(upstream),
    }
}

/// Why a place is passed over.
fn missing(upstream: &UpstreamUrl, doors: &[Listen], is_socket: &impl Fn(&Path) -> bool) -> Option<&'static str> {
    match upstream {
        UpstreamUrl::Unix(path) if doors.contains(&Listen::Unix(path.clone())) => Some("this is dockgate's own door"),
        UpstreamUrl::Unix(path) if !is_socket(path) => Some("no socket there"),
        UpstreamUrl::Unix(_) | UpstreamUrl::Tcp(_) | UpstreamUrl::Https(_) => None,
    }
}

fn places(surroundings: &Surroundings) -> Vec<(PathBuf, &'static str)> {
    let runtime = |file: &str| surroundings.runtime_dir.as_ref().map(|folder| folder.join(file));
    let rootless = PathBuf::from(format!("/run/user/{}/docker.sock", surroundings.uid));
    let mut places = vec![(PathBuf::from(DOCKER), "found there")];
    places.extend(runtime("docker.sock").map(|path| (path, "rootless docker")));
    places.push((rootless, "rootless docker"));
    places.push((PathBuf::from(PODMAN), "podman"));
    places.extend(runtime("podman/podman.sock").map(|path| (path, "rootless podman")));
    let mut seen = Vec::new();
    places.retain(|(path, _)| {
        !seen.contains(path) && {
            seen.push(path.clone());
            true
        }
    });
    places
}

/// The places for a door that nobody named, the best first.
pub fn doors(surroundings: &Surroundings) -> Vec<PathBuf> {
    let own = surroundings.runtime_dir.as_ref().map(|folder| folder.join("dockgate/docker.sock"));
    std::iter::once(Path::new(DOOR_FOLDER).join("docker.sock")).chain(own).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn surroundings(docker_host: Option<&str>, runtime_dir: Option<&str>) -> Surroundings {
        let (docker_host, runtime_dir) = (docker_host.map(str::to_owned), runtime_dir.map(PathBuf::from));
        Surroundings { docker_host, runtime_dir, uid: 1000, ..Surroundings::default() }
    }

    fn found(surroundings: &Surroundings, there: &[&str]) -> Result<String, NotFound> {
        upstream(surroundings, &[], |path| there.iter().any(|one| Path::new(one) == path)).map(|found| found.upstream.to_string())
    }

    #[test]
    fn docker_host_comes_first_where_it_can_be_used() {
        let all = ["/x.sock", DOCKER, "/run/user/1000/docker.sock"];
        assert_eq!(found(&surroundings(Some("unix:///x.sock"), None), &all).unwrap(), "unix:///x.sock");
        assert_eq!(found(&surroundings(Some("tcp://engine:2375"), None), &all).unwrap(), "tcp://engine:2375");
        assert_eq!(found(&surroundings(Some("unix:///gone.sock"), None), &all).unwrap(), "unix:///var/run/docker.sock");
        assert!(matches!(found(&surroundings(Some("ssh://host"), None), &all), Err(NotFound::BadDockerHost(_))));
    }

    #[test]
    fn docker_host_is_tls_where_the_variables_beside_it_say_so() {
        let asked = |host, docker_tls| found(&Surroundings { docker_tls, ..surroundings(Some(host), None) }, &["/x.sock"]);
        assert_eq!(asked("tcp://engine:2376", DockerTls::Verified).unwrap(), "https://engine:2376");
        assert_eq!(asked("unix:///x.sock", DockerTls::Verified).unwrap(), "unix:///x.sock");
        assert!(matches!(asked("tcp://engine:2376", DockerTls::Unverified), Err(NotFound::BadDockerHost(why)) if why.contains("VERIFY=1")));
    }

    #[test]
    fn sockets_are_tried_in_the_order_of_the_contract() {
        let mut there = vec![DOCKER, "/r/docker.sock", "/run/user/1000/docker.sock", PODMAN, "/r/podman/podman.sock"];
        let around = surroundings(None, Some("/r"));
        while !there.is_empty() {
            assert_eq!(found(&around, &there).unwrap(), format!("unix://{}", there[0]));
            there.remove(0);
        }
        let Err(NotFound::Nowhere(looked)) = found(&around, &there) else { panic!("found an engine") };
        assert_eq!(looked.len(), 5);
    }

    #[test]
    fn a_place_is_named_once_and_own_doors_are_passed_over() {
        let Err(NotFound::Nowhere(looked)) = found(&surroundings(None, Some("/run/user/1000")), &[]) else { panic!("found an engine") };
        assert_eq!(looked.len(), 4, "{looked:?}");
        let door: Listen = "unix:///run/dockgate/docker.sock".parse().unwrap();
        let around = surroundings(Some("unix:///run/dockgate/docker.sock"), None);
        let found = upstream(&around, &[door], |_| true).unwrap();
        assert_eq!(found.upstream.to_string(), "unix:///var/run/docker.sock");
        assert_eq!(found.skipped, ["unix:///run/dockgate/docker.sock of DOCKER_HOST: this is dockgate's own door"]);
    }

    #[test]
    fn the_door_is_in_run_or_else_in_the_users_folder() {
        assert_eq!(doors(&surroundings(None, Some("/r"))), [Path::new("/run/dockgate/docker.sock"), Path::new("/r/dockgate/docker.sock")]);
        assert_eq!(doors(&surroundings(None, None)).len(), 1);
    }
}
