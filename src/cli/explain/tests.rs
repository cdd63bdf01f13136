//! Explanations as they are printed, whole.

use super::advise::advice;
use super::build::{Request, explanation, kebab};
use super::{Paint, show};
use crate::config;

const FILE: &str = r#"version = 1

[[door]]
listen = "unix:///run/dockgate/docker.sock"
policy = "ci"

[policy.ci]
extends = ["read-only"]
allow = ["ContainerCreate", "ContainerStart"]
deny = ["SystemInfo"]

[policy.ci.create]
volumes = ["ci-*"]
"#;

fn explain(policy: &str, method: &str, path: &str, body: Option<&str>) -> String {
    let config = config::load("ci.toml", FILE).config.unwrap();
    let request = Request { method: method.to_owned(), path: path.to_owned(), body: body.map(|body| body.as_bytes().to_vec()) };
    let own = config.policies.contains_key(policy);
    let policy = config.policy(policy).unwrap();
    let explained = explanation(&policy, &request, 1 << 20);
    let advice = advice(&policy, Some(FILE), own, &request, &explained);
    let json: serde_json::Value = serde_json::from_str(&show::json(&explained, &advice)).unwrap();
    assert_eq!(json["verdict"] == "allow", explained.forwarded());
    show::text(&explained, &advice, Paint::PLAIN)
}

#[test]
fn shows_a_plain_read() {
    assert_eq!(
        explain("read-only", "GET", "/v1.44/containers/json?all=true", None),
        "\
ALLOW GET /v1.44/containers/json?all=true
  policy    `read-only`, mode enforce
  operation ContainerList: shows names, images, command lines, labels and host paths of containers
  rule      `@read` (preset read-only:9)
  forwards  GET /v1.44/containers/json?all=1
"
    );
}

#[test]
fn shows_what_a_denied_create_would_need() {
    let body = r#"{"Image":"alpine","HostConfig":{"Binds":["/srv/a:/a:ro","ci-x:/x","/srv/b:/b"],"CapAdd":["NET_ADMIN"]}}"#;
    assert_eq!(
        explain("ci", "POST", "/containers/create", Some(body)),
        "\
DENY POST /containers/create
  policy    `ci`, mode enforce
  operation ContainerCreate: creates a container, which is root on the host unless its body is judged
  rule      `ContainerCreate` (ci.toml:9)
  client    403 dockgate: denied by policy `ci` [host-path]: HostConfig.Binds[0]: mounts a host path that is not granted
  ✗ host-path HostConfig.Binds[0]: mounts a host path that is not granted
      add the path to `binds` of [policy.ci.create], with mode \"ro\" if reading is enough
  ✗ cap-add HostConfig.CapAdd[0]: adds a capability beyond the engine's default set
      add it to `cap-add` of [policy.ci.create]
  ✓ image Image
  ✓ user User
  to allow it, the configuration needs
    [policy.ci.create]
    binds = [{ source = \"/srv/a\", mode = \"ro\" }, { source = \"/srv/b\", mode = \"rw\" }]
    cap-add = [\"NET_ADMIN\"]
"
    );
}

#[test]
fn shows_that_no_grant_opens_the_socket_or_an_explicit_deny() {
    let socket = explain("ci", "POST", "/containers/create", Some(r#"{"Image":"alpine","HostConfig":{"Binds":["/:/host"]}}"#));
    assert!(
        socket.contains("no addition to the configuration allows it\n    give the client a door of its own instead of the socket\n"),
        "{socket}"
    );
    let denied = explain("ci", "GET", "/info", None);
    assert!(
        denied.contains("rule      `SystemInfo` (ci.toml:10)") && denied.contains("remove the entry from `deny` of [policy.ci]"),
        "{denied}"
    );
}

#[test]
fn shows_what_depends_on_the_engine_and_judges_the_rest() {
    assert_eq!(
        explain("ci", "POST", "/containers/web/start", None),
        "\
ALLOW POST /containers/web/start
  policy    `ci`, mode enforce
  operation ContainerStart: starts a container with all that it was created with
  rule      `ContainerStart` (ci.toml:9)
  depends   container `web` as the engine knows it: its own settings pass through the same checks
  depends   the engine's control groups (version 2 is assumed)
  forwards  POST /containers/web/start
"
    );
}

#[test]
fn shows_what_is_refused_before_it_can_be_judged() {
    assert_eq!(
        explain("ci", "POST", "/containers/create", Some(r#"{"Image":"a","image":"b"}"#)),
        "\
REFUSED POST /containers/create
  policy    `ci`, mode enforce
  operation ContainerCreate: creates a container, which is root on the host unless its body is judged
  rule      none applies: the request is refused before it is judged
  client    403 dockgate: refused [duplicate-key]: `image` this key stands twice
  ✗ duplicate-key image: this key stands twice
"
    );
}

#[test]
fn a_preset_is_widened_by_a_policy_that_extends_it() {
    let shown = explain("read-only", "POST", "/containers/create", Some(r#"{"Image":"alpine","NumberThatKeepsItsDigits":0}"#));
    assert!(shown.contains("    [policy.mine]\n    extends = [\"read-only\"]\n    allow = [\"ContainerCreate\"]\n"), "{shown}");
    assert!(shown.contains("dropped   NumberThatKeepsItsDigits"), "{shown}");
}

#[test]
fn the_ids_of_checks_are_in_kebab_case() {
    assert_eq!(kebab("HostNamespace"), "host-namespace");
}
