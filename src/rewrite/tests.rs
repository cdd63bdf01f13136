//! What is read and refused, by small files.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests fail by panicking")]

use super::mount::{Mount, Shows};
use super::*;

fn options() -> Options {
    Options { chosen: Vec::new(), config: "./dockgate.toml".to_owned() }
}

fn done(text: &str) -> Rewritten {
    rewrite(text, &options()).unwrap_or_else(|problem| panic!("{problem:?}"))
}

fn problem(text: &str) -> (Option<usize>, String) {
    let problem = rewrite(text, &options()).unwrap_err();
    (problem.line, problem.message)
}

const SOCKET: &str = "/var/run/docker.sock:/var/run/docker.sock";

#[test]
fn nodes_know_their_places() {
    let text =
        "# é\nservices:\n  a: &x\n    image: \"b\" # c\n    volumes: [d, 'e:f']\n    command:\n    - g\n    - |\n      h\n  i:\n  j: *x\n";
    let root = yaml::read(text).unwrap();
    let services = root.get("services").unwrap();
    let a = services.get("a").unwrap();
    let of = |node: &yaml::Node| &text[node.start..node.end];
    assert_eq!(of(a.get("image").unwrap()), "\"b\"");
    assert_eq!(of(a.get("volumes").unwrap()), "[d, 'e:f']");
    assert_eq!(of(&a.get("volumes").unwrap().items()[1]), "'e:f'");
    assert_eq!(of(&a.get("command").unwrap().items()[0]), "g");
    assert!(text[..a.end].ends_with("      h"), "{:?}", of(a));
    assert_eq!(a.anchor, 1);
    assert_eq!(services.entries()[1].0.line, 10);
    assert!(text[..services.end].ends_with("j: *x"), "{:?}", of(services));
    assert_eq!(services.entries()[0].0.column, 2);
}

#[test]
fn every_way_to_write_the_socket_is_known() {
    let shows = |item: &str| {
        let root = yaml::read(&format!("x:\n  - {item}\n")).unwrap();
        Mount::read(&root.get("x").unwrap().items()[0]).map_or(Shows::Nothing, |mount| mount.shows())
    };
    for socket in [
        "/var/run/docker.sock:/var/run/docker.sock",
        "\"/run/docker.sock:/tmp/docker.sock:ro\"",
        "${DOCKER_SOCK:-/var/run/docker.sock}:/var/run/docker.sock:ro",
        "${DOCKER_SOCK}:/var/run/docker.sock",
        "$XDG_RUNTIME_DIR/docker.sock:/var/run/docker.sock",
        "/run/podman/podman.sock:/var/run/docker.sock",
        "/run/user/1000/podman/podman.sock:/x:z",
        "{type: bind, source: /var/run/docker.sock, target: /x}",
        "{source: /var/run/docker.sock, target: /x}",
    ] {
        assert_eq!(shows(socket), Shows::Socket, "{socket}");
    }
    for folder in ["/var/run:/var/run:ro", "/run/:/x", "/:/rootfs:ro", "{type: bind, source: /run, target: /run}"] {
        assert_eq!(shows(folder), Shows::Folder, "{folder}");
    }
    for other in [
        "data:/var/run/docker.sock",
        "/srv/docker.sock.d:/x",
        "./docker.sock:/x",
        "/data",
        "{type: volume, source: a, target: /b}",
        "{type: tmpfs, target: /run}",
    ] {
        assert_eq!(shows(other), Shows::Nothing, "{other}");
    }
}

#[test]
fn what_cannot_be_changed_safely_is_named_with_its_line() {
    let one = |body: &str| problem(&format!("services:\n  a:\n    image: b\n{body}"));
    let volumes = format!("    volumes:\n      - {SOCKET}\n");
    assert_eq!(problem(&format!("x-v: &v\n  - {SOCKET}\nservices:\n  a:\n    volumes: *v\n")).0, Some(2));
    assert_eq!(problem(&format!("x-s: &s {SOCKET}\nservices:\n  a:\n    volumes:\n      - *s\n")).0, Some(5));
    assert_eq!(problem(&format!("x-b: &b\n  volumes:\n    - {SOCKET}\nservices:\n  a:\n    <<: *b\n    image: c\n")).0, Some(3));
    assert_eq!(problem(&format!("x-b: &b\n  environment: {{A: b}}\nservices:\n  a:\n    <<: *b\n{volumes}")).0, Some(2));
    assert_eq!(problem(&format!("services:\n  a: &a\n    image: b\n{volumes}  c:\n    <<: *a\n")).0, Some(2));
    assert_eq!(problem(&format!("services:\n  a:\n    image: b\n{volumes}  c:\n    extends: a\n")).0, Some(7));
    assert_eq!(problem(&format!("services:\n  a: {{image: b, volumes: [\"{SOCKET}\"]}}\n")).0, Some(2));
    assert_eq!(one(&format!("{volumes}    extends: {{service: x, file: y.yml}}\n")).0, Some(6));
    assert_eq!(one(&format!("{volumes}      - {SOCKET}\n")).0, Some(6));
    assert_eq!(
        one(&format!("{volumes}  dockgate:\n    image: acme/x\n")),
        (Some(6), "there is a service `dockgate` already, and raw mounts of the socket beside it".to_owned())
    );
    assert_eq!(one(&format!("{volumes}volumes:\n  dockgate-a:\n")).0, Some(7));
    assert_eq!(one(&format!("{volumes}  c:\n    volumes: [\"/run/user/1/docker.sock:/x\"]\n")).0, Some(7));
    assert_eq!(problem("services:\n  a:\n   - b\n c\n").0, Some(4));
    assert_eq!(problem("version: '3'\n").1, "there is no `services:` in it");
    assert_eq!(problem("services: {}\n---\nservices: {}\n").0, Some(3));
    assert_eq!(problem("").1, "the file is empty");
}

#[test]
fn a_choice_must_name_a_service_and_a_preset_that_exist() {
    let text = format!("services:\n  a:\n    volumes: [\"{SOCKET}\"]\n");
    let with = |service: &str, preset: &str| {
        let chosen = vec![(service.to_owned(), preset.to_owned())];
        rewrite(&text, &Options { chosen, ..options() }).map(|rewritten| rewritten.config)
    };
    assert!(with("a", "traefik").unwrap().contains("policy = \"traefik\""));
    assert!(with("b", "traefik").unwrap_err().message.contains("no service `b`"));
    assert!(with("a", "trafik").unwrap_err().message.contains("no preset `trafik`"));
}

#[test]
fn nothing_is_done_where_no_service_mounts_the_socket() {
    for text in [
        "services:\n  a:\n    image: b\n",
        "services:\n  p:\n    image: tecnativa/docker-socket-proxy\n    volumes:\n      - /var/run/docker.sock:/var/run/docker.sock\n",
    ] {
        let rewritten = done(text);
        assert_eq!((rewritten.clients, rewritten.compose.as_str(), rewritten.config.as_str()), (0, text, ""));
        assert_eq!(rewritten.notes.len(), usize::from(text.contains("tecnativa")));
    }
}

#[test]
fn what_comes_out_has_nothing_left_to_do_and_loads() {
    let tail = [
        "",
        "    environment:\n      - A=b\n",
        "    environment: {A: b}\n    depends_on: [c]\n",
        "    command: [x]\n    depends_on:\n    - c\n    group_add: [\"999\"]\n",
        "    environment:\n",
    ];
    for image in ["traefik:v3", "acme/x", "portainer/portainer-ce", "prom/prometheus", "docker:28-cli", "getwud/wud"] {
        for tail in tail {
            for end in ["", "volumes:\n  d:\n", "volumes: {d: {}}\n", "volumes:\n"] {
                for width in [2, 4] {
                    let text =
                        format!("services:\n  a:\n    image: {image}\n    volumes:\n      - {SOCKET}\n{tail}  c:\n    image: e\n{end}");
                    let text = if width == 4 { text.replace("  ", "    ") } else { text };
                    let first = done(&text);
                    assert_eq!(done(&first.compose).clients, 0);
                    assert!(first.compose.contains("group_add"), "{}", first.compose);
                    let loaded = crate::config::load("dockgate.toml", &first.config);
                    assert!(loaded.config.is_some(), "{}\n{:?}", first.config, loaded.diagnostics);
                }
            }
        }
    }
}

#[test]
fn lines_end_as_the_files_do() {
    let text = format!("services:\r\n  a:\r\n    volumes:\r\n      - {SOCKET} # the socket\r\n");
    let rewritten = done(&text).compose;
    assert!(rewritten.contains("- dockgate-a:/run/dockgate:ro # the socket\r\n"), "{rewritten}");
    assert!(!rewritten.replace("\r\n", "").contains('\n'));
}
