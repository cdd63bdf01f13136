//! The engine: found, asked, how old it is, and who may connect to it.
//! Knows nothing of what its answers mean beyond its versions.

use std::fs;

use crate::cli::ids::{Me, Owner};
use crate::cli::say::Failure;
use crate::cli::trouble::{Trouble, join_the_group, place};
use crate::cli::{around, ask, engine};
use crate::config::{Config, UpstreamUrl};
use crate::docker::{ApiVersion, Value};
use crate::proxy::Upstream;

use super::line::{Level, Line};
use super::{mounts, settings};

/// Releases before this one get no fixes any more.
const MAINTAINED: [u32; 3] = [25, 0, 0];
/// The first release without CVE-2026-34040.
const FIXED: [u32; 3] = [29, 3, 1];
/// The first runc without CVE-2024-21626.
const RUNC: [u32; 3] = [1, 1, 12];

/// What the engine told of itself.
#[derive(Debug)]
pub struct Told {
    /// `/info`.
    pub info: Value,
    /// A running container, where there is one.
    pub container: Option<Value>,
}

/// Looks for the engine and at what it tells; `None` where it tells nothing.
///
/// # Errors
/// A flag that names no engine.
pub async fn look(flag: Option<&str>, config: &Config, lines: &mut Vec<Line>) -> Result<Option<Told>, Failure> {
    let named = flag.map(engine::named).transpose()?;
    let (url, said_by) = match named.map(|url| (url, "--upstream")).or_else(|| config.upstream.clone().map(|url| (url, "the file"))) {
        Some(named) => named,
        None => match engine::search(config) {
            Ok(found) => (found.upstream, found.said_by),
            Err(failure) => {
                lines.push(
                    Line::new(Level::Fail, "engine", failure.message().replacen("\n    ", " ", 1).replace("\n    ", "; "))
                        .todos(failure.hints().iter().cloned()),
                );
                return Ok(None);
            }
        },
    };
    let upstream = match engine::upstream(url.clone(), config.engine_tls.clone(), &around::surroundings()) {
        Ok(upstream) => upstream,
        Err(failure) => {
            lines.push(Line::new(Level::Fail, "engine", failure.message()).todos(failure.hints().iter().cloned()));
            return Ok(None);
        }
    };
    let version = match ask::json(&upstream, "/version").await.and_then(|version| known(&upstream, version)) {
        Ok(version) => version,
        Err(trouble) => {
            lines.push(Line::new(Level::Fail, "engine", trouble.message()).todos(trouble.hints()));
            return Ok(None);
        }
    };
    lines.push(age(&version, &format!("{url} ({said_by})")));
    lines.extend(runc(&version));
    lines.push(access(&url));
    Ok(Some(told(&upstream, &url, lines).await))
}

/// Everything else that it is asked, at the same time.
async fn told(upstream: &Upstream, url: &UpstreamUrl, lines: &mut Vec<Line>) -> Told {
    let (info, containers, volumes, bridge) = tokio::join!(
        ask::json(upstream, "/info"),
        ask::json(upstream, "/containers/json?all=1"),
        ask::json(upstream, "/volumes"),
        ask::json(upstream, "/networks/bridge"),
    );
    let mut tell = |answer: Result<Value, Trouble>| {
        let missing =
            |trouble: &Trouble| lines.push(Line::new(Level::Warn, "engine", format!("one answer is missing: {}", trouble.message())));
        answer.inspect_err(missing).ok()
    };
    let (info, containers, volumes) = (tell(info), tell(containers), tell(volumes));
    let (list, volumes) = (containers.as_ref().unwrap_or(&Value::Null), volumes.unwrap_or(Value::Null));
    lines.extend(mounts::lines(list, &volumes, mounts::on_the_host(list, url, &around::own_container()).as_deref()));
    // podman has no network of that name
    lines.extend(info.iter().flat_map(|info| settings::lines(info, bridge.as_ref().unwrap_or(&Value::Null))));
    let running = containers.as_ref().map(Value::items).unwrap_or_default().iter().find(|container| container.text("State") == "running");
    let container = match running {
        Some(running) => ask::json(upstream, &format!("/containers/{}/json", running.text("Id"))).await.ok(),
        None => None,
    };
    Told { info: info.unwrap_or(Value::Null), container }
}

/// An engine tells its API version.
fn known(upstream: &Upstream, version: Value) -> Result<Value, Trouble> {
    let text = version.text("ApiVersion");
    if text.is_empty() { Err(Trouble::NoEngine(place(upstream), "it tells no API version".to_owned())) } else { Ok(version) }
}

/// Its version, and what is to be said about it.
fn age(version: &Value, place: &str) -> Line {
    let (release, api) = (version.text("Version"), version.text("ApiVersion"));
    let podman = components(version).any(|(name, _)| name.starts_with("Podman"));
    let name = if podman { "Podman" } else { "Docker Engine" };
    let found = format!("{name} {release}, API {api}, at {place}");
    let line = |level| Line::new(level, "engine", found.clone());
    let newest = ApiVersion::NEWEST;
    match ApiVersion::parse(api) {
        None => line(Level::Warn).todo(format!("dockgate knows API versions from {} to {newest}", ApiVersion::OLDEST)),
        Some(api) if api < ApiVersion::OLDEST => {
            line(Level::Fail).todo(format!("dockgate needs API {} at least: use a newer engine", ApiVersion::OLDEST))
        }
        Some(_) if !podman && numbers(release) < MAINTAINED => {
            line(Level::Warn).todo(format!("releases before {} get no fixes any more: use a newer engine", MAINTAINED[0]))
        }
        Some(_) if !podman && numbers(release) < FIXED => {
            line(Level::Note).todo("29.3.1 mends CVE-2026-34040 (bodies that plugins were not shown)")
        }
        Some(api) if api > newest => line(Level::Note).todo(format!("newer than dockgate's tables: clients are told API {newest}")),
        Some(_) => line(Level::Ok),
    }
}

fn runc(version: &Value) -> Option<Line> {
    let (_, release) = components(version).find(|(name, release)| *name == "runc" && numbers(release) < RUNC)?;
    Some(Line::new(Level::Warn, "runc", format!("runc {release}")).todo("containers can leave it (CVE-2024-21626): use 1.1.12 or newer"))
}

fn components(version: &Value) -> impl Iterator<Item = (&str, &str)> {
    let parts = version.get("Components").map(Value::items).unwrap_or_default();
    parts.iter().map(|part| (part.text("Name"), part.text("Version")))
}

/// `28.5.2+dfsg4` → 28, 5, 2.
fn numbers(version: &str) -> [u32; 3] {
    let mut parts = version.split(|c: char| !c.is_ascii_digit()).map(|part| part.parse().unwrap_or(0));
    std::array::from_fn(|_| parts.next().unwrap_or(0))
}

/// Who may connect to it.
fn access(url: &UpstreamUrl) -> Line {
    const ABOUT: &str = "access";
    let path = match url {
        UpstreamUrl::Unix(path) => path,
        UpstreamUrl::Https(_) => return Line::new(Level::Ok, ABOUT, format!("{url} is encrypted, and its certificate was verified")),
        UpstreamUrl::Tcp(_) => {
            return Line::new(Level::Warn, ABOUT, format!("{url} is not encrypted: who is on the way reads and changes everything"))
                .todo("use the engine's unix socket, or TLS: `https://` (docs/tls.md)");
        }
    };
    let Ok(owner) = fs::metadata(path).map(|meta| Owner::of(&meta)) else {
        return Line::new(Level::Note, ABOUT, format!("`{}` cannot be seen from here", path.display()));
    };
    let open = owner.mode & 0o006 != 0;
    let line = Line::new(if open { Level::Fail } else { Level::Ok }, ABOUT, format!("`{}` {owner}", path.display()));
    if open {
        return line.todo(format!("every user of this host is root through it: `chmod o-rw {}`", path.display()));
    }
    line.todos(join_the_group(&owner, &Me { uid: 65_532, groups: Vec::new(), overrides: false }).into_iter().take(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::docker::json;

    fn version(release: &str, api: &str) -> Value {
        let text = format!(
            r#"{{"Version":"{release}","ApiVersion":"{api}","Components":[{{"Name":"Engine","Version":"x"}},{{"Name":"runc","Version":"1.1.5"}}]}}"#
        );
        json::read(text.as_bytes()).unwrap()
    }

    #[test]
    fn an_engine_is_as_old_as_its_release_and_api_say() {
        for (release, api, level) in [
            ("29.4.0", "1.52", Level::Ok),
            ("29.3.0", "1.52", Level::Note),
            ("28.5.2+dfsg4", "1.51", Level::Note),
            ("20.10.24+dfsg1", "1.41", Level::Warn),
            ("1.11.0", "1.23", Level::Fail),
            ("0.1.0", "2.0", Level::Warn),
            ("30.0.0", "1.99", Level::Note),
        ] {
            assert_eq!(age(&version(release, api), "there").level, level, "{release}");
        }
        assert!(runc(&version("29.4.0", "1.52")).is_some());
    }

    #[test]
    fn an_engine_behind_tls_is_not_called_open() {
        for (url, level) in [("tcp://engine:2375", Level::Warn), ("https://engine:2376", Level::Ok)] {
            assert_eq!(access(&url.parse().unwrap()).level, level, "{url}");
        }
    }

    #[test]
    fn versions_are_compared_as_numbers() {
        assert_eq!(numbers("28.5.2+dfsg4"), [28, 5, 2]);
        assert!(numbers("1.1.12") > numbers("1.1.9") && numbers("29.3.1~rc1") >= FIXED);
    }
}
