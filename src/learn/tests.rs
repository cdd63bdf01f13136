//! Learning from made-up calls, with the judge of `serve`.

use super::*;
use crate::docker::json;
use crate::docker::{Action, Endpoint, Head};
use crate::policy::{Facts, Need, next_need};

/// A call without a query, a body or names.
pub(super) fn call(operation: Operation, method: &str, path: &str) -> Seen {
    Seen {
        operation,
        method: method.to_owned(),
        path: path.to_owned(),
        query: Vec::new(),
        names: Vec::new(),
        made: None,
        body: None,
        missing: None,
        time: "2026-11-21T10:00:00Z".to_owned(),
        who: "uid 1000".to_owned(),
        weight: 1,
    }
}

/// What is learned with these settings, and nothing dangerous.
pub(super) fn learned_with(calls: Vec<Seen>, settings: &Settings) -> Learned {
    learn(calls, settings, &judged, &mut |_| false)
}

fn learned(calls: Vec<Seen>) -> Learned {
    learned_with(calls, &Settings { name: "ci".to_owned(), query: false, ids: false })
}

fn judged(policy: &Policy, request: &Request) -> Judged {
    let body = request.body.clone().unwrap_or_default();
    let head = format!(
        "{} {} HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        request.method,
        request.path,
        body.len()
    );
    let head = Head::parse(head.as_bytes()).unwrap().unwrap().0;
    let endpoint = Endpoint::find(&head).unwrap();
    let action = Action::build(&head, endpoint, body.as_bytes()).unwrap();
    let mut facts = Facts::default();
    while let Some(need) = next_need(policy, &action, &facts) {
        let text = match &need {
            Need::Container(name) => format!(r#"{{"Id":"{name}","Name":"/{name}","HostConfig":{{}}}}"#),
            Need::Volume(name) => format!(r#"{{"Name":"{name}","Driver":"local"}}"#),
            Need::Exec(name) => format!(r#"{{"ID":"{name}","ContainerID":"web","ProcessConfig":{{"entrypoint":"id"}}}}"#),
            Need::Network(_) | Need::Image(_) | Need::Info | Need::HostPath(_) => r#"{"CgroupVersion":"2"}"#.to_owned(),
        };
        facts.insert(need, json::read(text.as_bytes()).unwrap());
    }
    let (denials, _) = crate::policy::judge::explain(policy, &action, &facts);
    let query = action.query.iter().map(|(key, value)| (key.name, value.clone())).collect();
    Judged { allowed: denials.is_empty(), denials, fault: None, body: action.json().cloned(), query }
}

fn create(body: &str) -> Seen {
    Seen { body: Some(json::read(body.as_bytes()).unwrap()), ..call(Operation::ContainerCreate, "POST", "/containers/create") }
}

fn exec(words: &[&str]) -> Seen {
    let body = format!(r#"{{"Cmd":{words:?}}}"#);
    Seen { body: Some(json::read(body.as_bytes()).unwrap()), ..call(Operation::ContainerExec, "POST", "/containers/web/exec") }
}

fn codes(learned: &Learned) -> Vec<(&str, bool)> {
    learned.left.iter().flat_map(|(_, dangers)| dangers).map(|danger| (danger.code.as_str(), danger.addition.is_some())).collect()
}

#[test]
fn grants_what_creates_need_and_no_more() {
    let learned = learned(vec![
        create(
            r#"{"Image":"nginx","HostConfig":{"Binds":["/srv/a:/a:ro","data:/d"],"CapAdd":["SYS_NICE"],"NetworkMode":"ci","Devices":[{"PathOnHost":"/dev/fuse","PathInContainer":"/dev/fuse","CgroupPermissions":"r"}],"PortBindings":{"80/tcp":[{"HostIp":"127.0.0.1","HostPort":"8001"},{"HostIp":"127.0.0.1","HostPort":"8002"}],"81/tcp":[{"HostIp":"127.0.0.1","HostPort":"8003"}]}}}"#,
        ),
        call(Operation::ContainerList, "GET", "/containers/json"),
        call(Operation::ContainerList, "GET", "/containers/json"),
    ]);
    assert!(learned.left.is_empty(), "{:?}", learned.left);
    let text = page(&learned);
    for line in [
        r#"    "ContainerList", # seen 2 times, first 2026-11-21T10:00:00, last 2026-11-21T10:00:00, by uid 1000"#,
        r#"    { source = "/srv/a", mode = "ro" }, # seen once"#,
        r#"    "SYS_NICE", # seen once"#,
        r#"    "/dev/fuse", # seen once"#,
        r#"    "docker.io/library/nginx", # seen once"#,
        r#"    "127.0.0.1:8001-8003", # 3 ports in a row; seen 3 times"#,
        r#"    "data", # seen once"#,
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    let loaded = crate::config::load("learned", &text);
    assert!(loaded.config.is_some() && loaded.diagnostics.is_empty(), "{:?}", loaded.diagnostics);
    assert!(crate::config::ways_to_root(&loaded.config.unwrap().policy("ci").unwrap()).is_empty());
}

#[test]
fn takes_nothing_dangerous_unasked() {
    for (body, code, possible) in [
        (r#"{"Image":"nginx","HostConfig":{"Privileged":true}}"#, "privileged", true),
        (r#"{"Image":"nginx","HostConfig":{"PidMode":"host"}}"#, "host-namespace", true),
        (r#"{"Image":"nginx","HostConfig":{"Binds":["/var/run/docker.sock:/s"]}}"#, "socket-mount", false),
        (r#"{"Image":"nginx","HostConfig":{"Binds":["/:/host:ro"]}}"#, "socket-mount", false),
        (r#"{"Image":"nginx","HostConfig":{"Binds":["/etc:/e:ro"]}}"#, "host-path", false),
        (r#"{"Image":"nginx","HostConfig":{"Binds":["/usr/local/bin:/b"]}}"#, "host-path", true),
        (r#"{"Image":"nginx","HostConfig":{"Binds":["/home/me/.ssh:/k:ro"]}}"#, "host-path", true),
        (r#"{"Image":"nginx","HostConfig":{"CapAdd":["SYS_ADMIN"]}}"#, "cap-add", true),
        (
            r#"{"Image":"nginx","HostConfig":{"Devices":[{"PathOnHost":"/dev/sda","PathInContainer":"/d","CgroupPermissions":"r"}]}}"#,
            "devices",
            true,
        ),
    ] {
        let learned = learned(vec![create(body)]);
        assert!(learned.taken.is_empty() && learned.draft.operations.is_empty(), "{body}");
        assert_eq!(codes(&learned), [(code, possible)], "{body}");
        let text = page(&learned);
        assert!(text.contains(&format!("#   {code} at ")), "{text}");
        assert!(crate::config::load("learned", &text).config.is_some());
    }
}

#[test]
fn operations_that_are_root_are_listed_with_how_to_add_them() {
    let learned = learned(vec![call(Operation::PluginEnable, "POST", "/plugins/x/enable"), call(Operation::SystemInfo, "GET", "/info")]);
    assert_eq!(codes(&learned), [("PluginEnable", true)]);
    assert!(page(&learned).contains("to add it: `\"PluginEnable\"` in `allow` of [policy.ci]"));
}

#[test]
fn what_renames_images_is_taken_only_where_no_images_are_granted() {
    let tag = || Seen { query: vec!["repo=x".to_owned()], ..call(Operation::ImageTag, "POST", "/images/a/tag") };
    assert!(learned(vec![tag()]).left.is_empty());
    let learned = learned(vec![tag(), create(r#"{"Image":"nginx"}"#)]);
    assert_eq!(codes(&learned), [("ImageTag", true)]);
    assert!(learned.draft.load().is_ok());
}

#[test]
fn commands_are_exact_and_shells_are_not_taken() {
    let learned = learned(vec![
        exec(&["ls", "-l", "/srv"]),
        exec(&["sh"]),
        exec(&["bash", "-c", "id; id"]),
        exec(&["/bin/sh", "/x.sh"]),
        exec(&["echo", "a b"]),
    ]);
    assert_eq!(learned.draft.commands.keys().collect::<Vec<_>>(), ["/bin/sh /x.sh", "ls -l /srv"]);
    assert_eq!(codes(&learned), [("exec-command", true), ("exec-command", true), ("exec-command", true)]);
}

#[test]
fn without_a_command_nothing_is_started() {
    let start = call(Operation::ExecStart, "POST", "/exec/abc/start");
    let learned = learned(vec![exec(&["sh"]), start]);
    assert!(learned.draft.operations.is_empty());
    assert_eq!(codes(&learned), [("exec-command", true), ("ExecStart", true)]);
}

#[test]
fn users_are_held_to_what_was_seen_where_all_name_one() {
    let users = |bodies: &[&str]| learned(bodies.iter().map(|body| create(body)).collect()).draft.users.into_iter().collect::<Vec<_>>();
    assert_eq!(users(&[r#"{"Image":"nginx","User":"1000:1000"}"#, r#"{"Image":"nginx","User":"7"}"#]), ["1000:1000", "7"]);
    assert!(users(&[r#"{"Image":"nginx","User":"7"}"#, r#"{"Image":"nginx"}"#]).is_empty());
}

#[test]
fn what_somebody_says_yes_to_is_taken_and_asked_once() {
    let privileged = |name: &str| create(&format!(r#"{{"Image":"{name}","HostConfig":{{"Privileged":true}}}}"#));
    let mut questions = Vec::new();
    let settings = Settings { name: "ci".to_owned(), query: false, ids: false };
    let learned = learn(vec![privileged("nginx"), privileged("redis")], &settings, &judged, &mut |danger| {
        questions.push(danger.code.clone());
        true
    });
    assert_eq!(questions, ["privileged"]);
    assert!(learned.left.is_empty() && page(&learned).contains(r#"checks = { privileged = "off" }"#));
}

#[test]
fn a_call_whose_record_is_not_whole_is_listed_and_allows_nothing() {
    let learned =
        learned(vec![Seen { missing: Some("its record shows no body"), ..call(Operation::ContainerCreate, "POST", "/containers/create") }]);
    assert_eq!(codes(&learned), [("incomplete", false)]);
    assert!(!cases(&learned, "p.toml").contains("[[test]]"));
}

#[test]
fn nothing_of_a_client_ends_a_comment() {
    let seen = Seen {
        who: "x\n[policy.evil]\r\u{2028}y".to_owned(),
        names: vec!["\n]\n".to_owned()],
        ..create(r#"{"Image":"nginx","HostConfig":{"Privileged":true}}"#)
    };
    let text = page(&learned(vec![seen, call(Operation::SystemInfo, "GET", "/info")]));
    assert!(!text.lines().any(|line| line.starts_with("[policy.evil]") || line.starts_with(']') && line != "]"), "{text}");
    assert_eq!(crate::config::load("learned", &text).config.unwrap().policies.len(), 1);
}

#[test]
fn containers_that_were_made_elsewhere_are_named() {
    let start =
        |name: &str| Seen { names: vec![name.to_owned()], ..call(Operation::ContainerStart, "POST", &format!("/containers/{name}/start")) };
    let made = Seen { names: vec!["web".to_owned()], ..create(r#"{"Image":"nginx"}"#) };
    let learned = learned(vec![made, start("web"), start("db")]);
    assert_eq!(learned.foreign.iter().collect::<Vec<_>>(), ["db"]);
}

#[test]
fn a_mount_of_the_socket_is_not_taken_and_its_advice_names_the_door_that_could_stand_in() {
    let mut create = call(Operation::ContainerCreate, "POST", "/containers/create");
    create.body =
        Some(json::read(br#"{"Image":"alpine:3.20","HostConfig":{"Binds":["/var/run/docker.sock:/var/run/docker.sock"]}}"#).unwrap());
    let learned = learned(vec![create]);
    let advice: Vec<String> = learned.left.iter().flat_map(|(_, dangers)| dangers).map(|danger| danger.advice("ci")).collect();
    assert!(advice.iter().any(|said| said.contains("`rebind-socket` in [policy.ci.create]")), "{advice:?}");
}
