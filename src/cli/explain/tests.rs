//! Explanations as they are printed, whole.

use super::advise::advice;
use super::build::{Request, explanation, kebab};
use super::{Paint, show};
use crate::config;

/// A policy that sets what clients leave out.
const INJECTS: &str = r#"version = 1

[policy.ci]
allow = ["ContainerCreate"]

[policy.ci.create]
inject = { no-new-privileges = true, memory = "64MiB" }
checks = { latest-tag = "off", cpu-limit = "off", pids-limit = "off", default-bridge = "off" }
"#;

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
  ✗ deny   host-path HostConfig.Binds[0]: mounts a host path that is not granted (CIS 5.6)
           add the path to `binds` of [policy.ci.create], with mode \"ro\" if reading is enough
  ✗ deny   host-path HostConfig.Binds[2]: mounts a host path that is not granted (CIS 5.6)
           add the path to `binds` of [policy.ci.create], with mode \"ro\" if reading is enough
  ✗ deny   cap-add HostConfig.CapAdd[0]: adds a capability beyond the engine's default set (CIS 5.4)
           add it to `cap-add` of [policy.ci.create]
  ⚠ warn   latest-tag Image: the image has no fixed version (CIS 5.28)
           name a tag other than latest, or a digest
  ⚠ warn   memory-limit HostConfig.Memory: has no memory limit (CIS 5.11)
           set Memory, or `inject.memory` of [policy.ci.create]
  ⚠ warn   cpu-limit HostConfig.NanoCpus: has no CPU limit (CIS 5.12)
           set NanoCpus or CpuQuota, or `inject.cpus` of [policy.ci.create]
  ⚠ warn   pids-limit HostConfig.PidsLimit: has no process limit (CIS 5.29)
           set PidsLimit, or `inject.pids-limit` of [policy.ci.create]
  ⚠ warn   default-bridge HostConfig.NetworkMode: shares the default bridge with every other container on it (CIS 5.30)
           use a network of its own and grant it in `networks` of [policy.ci.create], or none
  ✓ ok     healthcheck
  · off    non-root, cap-drop-all, no-new-privileges, nofile-limit, read-only-rootfs
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
        socket.contains(
            "no addition to the configuration allows it\n    give the client a door of its own instead of the socket; `rebind-socket`"
        ),
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
  ✗ refuse duplicate-key image: this key stands twice
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

#[test]
fn shows_what_is_injected_and_what_is_forwarded_after_it() {
    let config = config::load("ci.toml", INJECTS).config.unwrap();
    let body = Some(br#"{"Image":"alpine","HostConfig":{"AutoRemove":true}}"#.to_vec());
    let request = Request { method: "POST".to_owned(), path: "/containers/create".to_owned(), body };
    let explained = explanation(&config.policy("ci").unwrap(), &request, 1 << 20);
    let shown = show::text(&explained, &Default::default(), Paint::PLAIN);
    let (_, checks) = shown.split_once("(ci.toml:4)\n").unwrap();
    assert_eq!(
        format!("\n{checks}"),
        "
  ✓ ok     security-opt HostConfig.SecurityOpt
  ✓ ok     memory-limit
  ✓ ok     healthcheck
  · off    non-root, cap-drop-all, no-new-privileges, cpu-limit, pids-limit, nofile-limit, read-only-rootfs, default-bridge
  injected  HostConfig.SecurityOpt
  injected  HostConfig.Memory
  injected  HostConfig.MemorySwap
  forwards  POST /containers/create
    {
      \"Image\": \"alpine\",
      \"HostConfig\": {
        \"AutoRemove\": true,
        \"SecurityOpt\": [
          \"no-new-privileges\"
        ],
        \"Memory\": 67108864,
        \"MemorySwap\": 67108864
      }
    }
"
    );
    let json: serde_json::Value = serde_json::from_str(&show::json(&explained, &Default::default())).unwrap();
    assert_eq!(json["injected"][0], "HostConfig.SecurityOpt");
}

#[test]
fn shows_the_door_that_stands_in_for_the_socket_as_injected() {
    let text = "version = 1\n[policy.ci]\nallow = [\"ContainerCreate\"]\ncreate = { rebind-socket = \"/srv/inner/docker.sock\" }\n";
    let config = config::load("ci.toml", text).config.unwrap();
    let body = Some(br#"{"Image":"alpine:3.20","HostConfig":{"Binds":["/var/run/docker.sock:/var/run/docker.sock:ro"]}}"#.to_vec());
    let request = Request { method: "POST".to_owned(), path: "/containers/create".to_owned(), body };
    let explained = explanation(&config.policy("ci").unwrap(), &request, 1 << 20);
    assert_eq!((explained.word, &explained.injected), (super::Word::Allow, &vec!["HostConfig.Binds[0]".to_owned()]));
    assert_eq!(explained.depends, ["host path `/srv/inner/docker.sock` leads through no symbolic link"]);
    let forwarded = explained.forwarded.unwrap().body.unwrap().encode();
    assert!(forwarded.contains("\"/srv/inner/docker.sock:/var/run/docker.sock:ro\""), "{forwarded}");
}
