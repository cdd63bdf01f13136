//! What `dockgate rewrite` writes is accepted by compose, with every volume and service that it names.
//! Needs compose, and no engine.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::bed::in_path;
use crate::engine::{left_out, programs};
use crate::gate::Gate;
use crate::process::run;

fn compose() -> Option<PathBuf> {
    let found = in_path("docker-compose").or_else(|| programs("28").map(|folder| folder.join("docker-compose")));
    if found.is_none() {
        left_out("no docker-compose");
    }
    found
}

/// The file as compose understands it, as JSON.
fn understood(compose: &Path, folder: &Path) -> serde_json::Value {
    let mut command = Command::new(compose);
    command
        .args(["-f", "compose.yml", "config", "--format", "json"])
        .current_dir(folder)
        .env("DOCKER_GID", "999")
        .env_remove("DOCKER_HOST");
    serde_json::from_str(&run(command).ok()).unwrap()
}

#[test]
fn compose_accepts_what_is_written_and_finds_every_door_in_it() {
    let Some(compose) = compose() else { return };
    let files = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/rewrite");
    let mut seen = 0;
    for name in ["newcomer", "several", "podman", "proxies"] {
        let folder = tempfile::tempdir().unwrap();
        fs::copy(files.join(format!("{name}.yml")), folder.path().join("compose.yml")).unwrap();
        let before = understood(&compose, folder.path());
        let mut rewrite = Gate::command(&["rewrite", "compose.yml", "--write", "--config-out", "dockgate.toml"]);
        rewrite.current_dir(folder.path());
        run(rewrite).ok();
        let after = understood(&compose, folder.path());
        for (service, body) in before["services"].as_object().unwrap() {
            assert_eq!(after["services"][service]["image"], body["image"], "{name} {service}");
            assert_eq!(after["services"][service]["ports"], body["ports"], "{name} {service}");
            let volume = format!("dockgate-{service}");
            let mounts =
                |of: &str| after["services"][of]["volumes"].as_array().unwrap().iter().any(|mount| mount["source"] == volume.as_str());
            if after["volumes"].get(&volume).is_some() {
                assert!(mounts(service) && mounts("dockgate"), "{name} {service}");
                let waits = &after["services"][service]["depends_on"]["dockgate"]["condition"];
                assert_eq!(waits, "service_healthy", "{name} {service}");
                seen += 1;
            }
        }
    }
    assert_eq!(seen, 8);
}
