//! `dockgate init`: what it writes, what it leaves alone, what it asks.
//! Knows nothing of presets.

use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Command, Stdio};

use super::{Place, answer, ended, listening};

fn init(place: &Place, more: &[&str]) -> super::Said {
    place.run(&[&["init", "--upstream", &place.url("engine.sock")], more].concat())
}

fn read(place: &Place, name: &str) -> String {
    std::fs::read_to_string(place.at(name)).unwrap()
}

/// An engine that is there and ends every connection.
fn engine(place: &Place) {
    listening(&place.at("engine.sock"), |_| Some(answer("404 Not Found", "{}")));
}

#[test]
fn writes_a_file_for_one_client_that_a_newcomer_can_read() {
    let place = Place::new();
    engine(&place);
    let out = init(&place, &["--client", "traefik"]).ok();
    assert!(out.contains("wrote ./dockgate.toml\nwrote ./compose.yml\n") && out.contains("docker compose -f ./compose.yml up -d"), "{out}");
    let toml = read(&place, "dockgate.toml");
    assert!(toml.lines().count() < 15, "{toml}");
    let check = place.run(&["check", "dockgate.toml"]).ok();
    assert!(check.contains("1 door, 1 policy, no errors, no warnings"), "{check}");
    let compose = read(&place, "compose.yml");
    for text in
        ["--providers.docker.endpoint=unix:///run/dockgate/docker.sock", "- dockgate-traefik:/run/dockgate/traefik", "group_add: [\""]
    {
        assert!(compose.contains(text), "`{text}` is not in\n{compose}");
    }
}

#[test]
fn nothing_that_is_there_is_overwritten_without_force() {
    for name in ["dockgate.toml", "compose.yml"] {
        let place = Place::new();
        engine(&place);
        place.write(name, "mine");
        init(&place, &["--yes"]).fails(2, &[&format!("`./{name}` exists, and is not overwritten"), "--dir ./dockgate", "--force"]);
        assert_eq!(read(&place, name), "mine");
        assert_eq!(["dockgate.toml", "compose.yml"].iter().filter(|name| place.at(name).exists()).count(), 1);
        init(&place, &["--yes", "--dir", "other/folder"]).ok();
        assert!(place.at("other/folder/compose.yml").exists());
        init(&place, &["--yes", "--force"]).ok();
        assert!(read(&place, "dockgate.toml").contains("read-only"));
    }
}

#[test]
fn without_a_terminal_the_clients_must_be_named() {
    let place = Place::new();
    engine(&place);
    init(&place, &[]).fails(2, &["standard input is no terminal", "--client traefik", "--yes"]);
    init(&place, &["--client", "trafik"]).fails(2, &["there is no preset `trafik`", "known are: read-only", "dockgate learn"]);
    assert!(!place.at("dockgate.toml").exists());
    let nowhere = place.run(&["init", "--yes", "--upstream", "nonsense"]);
    assert_eq!(nowhere.code, 2, "{nowhere:?}");
}

#[test]
fn an_engine_that_does_not_answer_is_said_and_its_socket_still_has_a_group() {
    let place = Place::new();
    drop(UnixListener::bind(place.at("engine.sock")).unwrap());
    let said = init(&place, &["--yes"]);
    assert!(said.code == 0 && said.err.contains("nobody serves the engine's socket"), "{said:?}");
    assert!(read(&place, "compose.yml").contains("group_add: [\"0\"]"), "{}", read(&place, "compose.yml"));
}

/// An engine with a client that has its socket.
fn engine_with_traefik(place: &Place) {
    let socket = place.at("engine.sock").display().to_string();
    listening(&place.at("engine.sock"), move |head| {
        let body = match head.split(' ').nth(1).unwrap_or_default() {
            "/info" => r#"{"SecurityOptions":["name=seccomp,profile=builtin","name=rootless"]}"#.to_owned(),
            "/containers/json?all=1" => {
                format!(r#"[{{"Names":["/proxy"],"Image":"traefik:v3","Mounts":[{{"Type":"bind","Source":"{socket}"}}]}}]"#)
            }
            _ => r#"{"Volumes":null}"#.to_owned(),
        };
        Some(answer("200 OK", &body))
    });
}

#[test]
fn on_a_terminal_it_asks_and_proposes_who_has_the_socket_now() {
    if Command::new("script").arg("--version").output().is_err() {
        return crate::support::report("SKIPPED: no script(1), so there is no terminal");
    }
    for (answers, doors) in [("\n", vec!["traefik"]), ("nonsense\n1 dozzle\n", vec!["read-only", "dozzle"])] {
        let place = Place::new();
        engine_with_traefik(&place);
        let line = format!("{} init --upstream {}", env!("CARGO_BIN_EXE_dockgate"), place.url("engine.sock"));
        let mut command = Command::new("script");
        command.args(["-qec", &line, "/dev/null"]).current_dir(place.at("")).env_remove("DOCKER_HOST").env("TERM", "dumb");
        command.stdin(Stdio::from(std::fs::File::open(place.write("answers", answers)).unwrap()));
        let said = ended(command);
        assert!(said.code == 0 && said.out.contains("has the raw socket: proxy (traefik:v3)"), "{said:?}");
        assert!(said.out.lines().any(|line| line.starts_with('*') && line.contains(" traefik ")), "{said:?}");
        assert_eq!(said.out.contains("there is no `nonsense` in the list"), answers.contains("nonsense"));
        let toml = read(&place, "dockgate.toml");
        let written: Vec<&str> =
            toml.lines().filter_map(|line| line.strip_prefix("policy = ")).map(|name| name.trim_matches('"')).collect();
        assert_eq!(written, doors);
        assert!(read(&place, "compose.yml").contains("group_add: [\"0\"]"), "rootless");
    }
}

fn compose() -> Option<Vec<&'static str>> {
    let ways: [&[&str]; 2] = [&["docker-compose"], &["docker", "compose"]];
    let works = |way: &&[&str]| Command::new(way[0]).args(&way[1..]).arg("version").output().is_ok_and(|output| output.status.success());
    ways.into_iter().find(works).map(<[&str]>::to_vec)
}

/// The comments at `In the service of`, as the services that they describe.
fn services(compose: &str) -> String {
    let lines = compose.lines().filter_map(|line| line.strip_prefix("#   "));
    format!("services:\n{}\n", lines.map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n"))
}

/// The first block of this language in docs/first-steps.md that holds a text.
fn shown(language: &str, holds: &str) -> &'static str {
    let page = include_str!("../../../docs/first-steps.md");
    let blocks = page.split("```").skip(1).step_by(2).filter_map(|block| block.strip_prefix(language)?.strip_prefix('\n'));
    blocks.into_iter().find(|block| block.contains(holds)).unwrap()
}

#[test]
fn the_page_shows_what_is_written() {
    let place = Place::new();
    engine(&place);
    init(&place, &["--client", "traefik"]).ok();
    assert_eq!(read(&place, "dockgate.toml"), shown("toml", "version = 1"));
}

#[test]
fn compose_accepts_the_clients_file_of_the_page() {
    let Some(way) = compose() else {
        return crate::support::report("SKIPPED: neither docker-compose nor docker compose is here, so no file was read by it");
    };
    let place = Place::new();
    engine(&place);
    init(&place, &["--client", "traefik", "--dir", "dockgate"]).ok();
    place.write("compose.yml", shown("yaml", "include:"));
    let mut command = Command::new(way[0]);
    command
        .args(&way[1..])
        .args(["-f", "compose.yml", "config"])
        .current_dir(place.at(""))
        .env("DOCKER_HOST", "unix:///nonexistent/docker.sock");
    let whole = ended(command).ok();
    for text in [place.at("dockgate/dockgate.toml").display().to_string(), "service_healthy".to_owned(), "device: tmpfs".to_owned()] {
        assert!(whole.contains(&text), "`{text}` is not in\n{whole}");
    }
}

#[test]
fn compose_accepts_what_is_written_and_what_it_says_about_every_client() {
    let Some(way) = compose() else {
        return crate::support::report("SKIPPED: neither docker-compose nor docker compose is here, so no file was read by it");
    };
    let place = Place::new();
    engine(&place);
    let presets = place.run(&["preset", "list"]).ok();
    let names: Vec<&str> = presets.lines().filter_map(|line| line.split_whitespace().next()).collect();
    let flags: Vec<&str> = names.iter().flat_map(|name| ["--client", name]).collect();
    init(&place, &flags).ok();
    place.run(&["check", "dockgate.toml"]).ok();
    let said = services(&read(&place, "compose.yml"));
    let images: String = names.iter().map(|name| format!("  {name}:\n    image: busybox\n")).collect();
    place.write("said.yml", &said);
    place.write("images.yml", &format!("services:\n{images}"));
    let config = |files: &[&str]| {
        let mut command = Command::new(way[0]);
        command
            .args(&way[1..])
            .args(files)
            .args(["config"])
            .current_dir(place.at(""))
            .env("DOCKER_HOST", "unix:///nonexistent/docker.sock");
        ended(command).ok()
    };
    config(&["-f", "compose.yml"]);
    let all = config(&["-f", "compose.yml", "-f", "images.yml", "-f", "said.yml"]);
    assert!(all.contains("target: /run/dockgate") && names.len() >= 46, "{all}");
    assert!(Path::new(&place.at("compose.yml")).is_file());
}
