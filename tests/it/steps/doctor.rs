//! `dockgate doctor` in front of scripted engines.
//! Knows nothing of how it finds things out.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{Place, Said, answer, listening};

const VERSION: &str =
    r#"{"Version":"29.4.0","ApiVersion":"1.52","MinAPIVersion":"1.44","Components":[{"Name":"Engine","Version":"29.4.0"}]}"#;
const GOOD: &str = r#"{"SecurityOptions":["name=apparmor","name=seccomp,profile=builtin","name=rootless","name=no-new-privileges"],"LiveRestoreEnabled":true,
    "LoggingDriver":"local","CgroupVersion":"2","MemoryLimit":true,"PidsLimit":true,"RegistryConfig":{"InsecureRegistryCIDRs":["127.0.0.0/8"]}}"#;

/// An engine that gives these answers, and none to what has none.
struct Script {
    info: Option<&'static str>,
    containers: String,
    volumes: &'static str,
}

impl Default for Script {
    fn default() -> Self {
        Self { info: Some(GOOD), containers: "[]".to_owned(), volumes: r#"{"Volumes":[]}"# }
    }
}

impl Script {
    fn listen(self, path: &Path) {
        listening(path, move |head| {
            let target = head.split(' ').nth(1).unwrap_or_default();
            let body = match target {
                "/version" => VERSION.to_owned(),
                "/info" => self.info?.to_owned(),
                "/containers/json?all=1" => self.containers.clone(),
                "/volumes" => self.volumes.to_owned(),
                _ => return Some(answer("404 Not Found", r#"{"message":"no such thing"}"#)),
            };
            Some(answer("200 OK", &body))
        });
    }

    /// What doctor says in front of it, with a door and a trail that can be made.
    fn doctor(self, more: &[&str]) -> Said {
        let place = Place::new();
        self.listen(&place.at("engine.sock"));
        std::fs::set_permissions(place.at("engine.sock"), std::os::unix::fs::PermissionsExt::from_mode(0o660)).unwrap();
        let config = place.config(&format!(
            "[upstream]\nurl = \"{}\"\n[[door]]\nlisten = \"{}\"\npolicy = \"ping\"\n[audit]\nfile = \"{}\"\n",
            place.url("engine.sock"),
            place.url("door/docker.sock"),
            place.at("audit.jsonl").display()
        ));
        place.run(&[&["doctor", "--config", &config], more].concat())
    }
}

#[test]
fn a_good_engine_is_one_screen_without_a_failure() {
    let out = Script::default().doctor(&[]).ok();
    for text in [
        "ok    config",
        "ok    engine      Docker Engine 29.4.0, API 1.52, at unix://",
        "ok    raw socket  no container has it",
        "ok    rootless",
        "door/docker.sock` can be made",
    ] {
        assert!(out.contains(text), "`{text}` is not in\n{out}");
    }
    assert!(out.contains("\nno failures, ") && !out.contains("fail  "), "{out}");
    assert!(out.lines().count() <= 24, "more than one screen:\n{out}");
    assert!(!out.contains('\u{1b}'), "colours where nobody sees them: {out:?}");
}

#[test]
fn who_has_the_raw_socket_is_named_with_the_preset_that_replaces_it() {
    let container = |name: &str, image: &str, mount: &str| {
        format!(r#"{{"Id":"x","Names":["/{name}"],"Image":"{image}","State":"exited","Mounts":[{mount}]}}"#)
    };
    let containers = [
        container("proxy", "traefik:v3", r#"{"Type":"bind","Source":"/var/run/docker.sock"}"#),
        container("tool", "acme/tool", r#"{"Type":"bind","Source":"/"}"#),
        container("hidden", "amir20/dozzle:v8", r#"{"Type":"volume","Name":"run","Source":"/var/lib/docker/volumes/run/_data"}"#),
        container("web", "nginx", r#"{"Type":"bind","Source":"/srv/www"}"#),
    ];
    let script = Script {
        containers: format!("[{}]", containers.join(",")),
        volumes: r#"{"Volumes":[{"Name":"run","Options":{"type":"none","o":"bind","device":"/run"}}]}"#,
        ..Script::default()
    };
    let out = script.doctor(&[]).ok();
    for text in [
        "warn  raw socket  `proxy` (traefik:v3) is root on the host: it mounts `/var/run/docker.sock`",
        "`dockgate init --client traefik` (or traefik-swarm)",
        "`tool` (acme/tool) is root on the host: it mounts `/`",
        "`hidden` (amir20/dozzle:v8) is root on the host: it mounts volume `run`, which is `/run`",
        "`dockgate init --client dozzle` (or dozzle-actions)",
    ] {
        assert!(out.contains(text), "`{text}` is not in\n{out}");
    }
    assert!(!out.contains("`web`"), "{out}");
}

#[test]
fn an_engine_that_is_open_to_the_network_fails_and_programs_can_read_it() {
    let open = r#"{"SecurityOptions":["name=seccomp,profile=builtin"],"Warnings":["WARNING: API is accessible on http://0.0.0.0:2375 without encryption."]}"#;
    let said = Script { info: Some(open), ..Script::default() }.doctor(&["--format", "json"]);
    assert_eq!(said.code, 1, "{said:?}");
    let report: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(report["fine"], false);
    let failed: Vec<&Value> = report["lines"].as_array().unwrap().iter().filter(|line| line["level"] == "fail").collect();
    assert!(failed.len() == 1 && failed[0]["found"] == "the engine's API is open at http://0.0.0.0:2375 without TLS", "{report}");
    assert!(failed[0]["todo"][0].as_str().unwrap().contains("root on this host"), "{report}");
}

#[test]
fn an_engine_that_hangs_does_not_hang_it() {
    let start = Instant::now();
    let out = Script { info: None, ..Script::default() }.doctor(&[]).ok();
    assert!(out.contains("warn  engine      one answer is missing: ") && out.contains("does not answer within 2 s"), "{out}");
    assert!(out.contains("ok    raw socket"), "{out}");
    assert!(start.elapsed() < Duration::from_secs(15), "{:?}", start.elapsed());
}

#[test]
fn what_serving_would_fail_with_is_a_failure_before() {
    let place = Place::new();
    Script::default().listen(&place.at("engine.sock"));
    std::fs::create_dir(place.at("docker.sock")).unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    std::thread::spawn(move || taken.incoming().for_each(drop));
    let config = place.config(&format!(
        "[upstream]\nurl = \"{}\"\n[[door]]\nlisten = \"{}\"\npolicy = \"ping\"\n[[door]]\nlisten = \"tcp://127.0.0.1:{port}\"\npolicy = \"ping\"\n[audit]\nfile = \"/nowhere/at/all/audit.jsonl\"\n",
        place.url("engine.sock"),
        place.url("docker.sock"),
    ));
    let said = place.run(&["doctor", "--config", &config]);
    assert_eq!(said.code, 1, "{said:?}");
    for text in ["a folder is at this path", &format!("port {port} is in use"), "there is no folder `/nowhere/at/all`"] {
        assert!(said.out.contains(text), "`{text}` is not in\n{}", said.out);
    }
}

#[test]
fn mistakes_in_the_file_are_a_failure_and_a_missing_file_is_wrong_usage() {
    let place = Place::new();
    Script::default().listen(&place.at("engine.sock"));
    let config = place.config("[[doors]]\n");
    let said = place.run(&["doctor", "--config", &config, "--upstream", &place.url("engine.sock")]);
    assert!(said.code == 1 && said.out.contains("dockgate.toml` has 1 error") && said.out.contains("dockgate.toml:2:"), "{said:?}");
    assert_eq!(place.run(&["doctor", "--config", "none.toml"]).code, 2);
    assert_eq!(place.run(&["doctor", "--upstream", "nonsense"]).code, 2);
}

#[test]
fn a_door_that_dockgate_serves_is_fine() {
    let place = Place::new();
    Script::default().listen(&place.at("engine.sock"));
    let (door, engine) = (place.at("docker.sock"), place.url("engine.sock"));
    let _gate = crate::support::gate::Gate::spawn(
        &place.at(""),
        &["--upstream", &engine, "--listen", &place.url("docker.sock"), "--policy", "ping"],
        &[door],
    );
    let config =
        place.config(&format!("[upstream]\nurl = \"{engine}\"\n[[door]]\nlisten = \"{}\"\npolicy = \"ping\"\n", place.url("docker.sock")));
    let said = place.run(&["doctor", "--config", &config]);
    assert!(said.out.contains("is served by a dockgate"), "{said:?}");
}
