//! The judge, from request text to verdict: rules, modes, facts, grants. The corpus holds the hostile bodies.

use std::sync::Arc;

use crate::docker::json::read;
use crate::docker::operations::TABLE;
use crate::docker::{Action, Endpoint, Head, Operation, Value};

use super::*;

mod edges;
mod existing;
mod permits;
mod same;

const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn action(method: &str, target: &str, body: &str) -> Action {
    let head = format!("{method} {target} HTTP/1.1\r\nContent-Type: application/json\r\n\r\n");
    let (head, _) = Head::parse(head.as_bytes()).unwrap().unwrap();
    let endpoint = Endpoint::find(&head).unwrap();
    Action::build(&head, endpoint, body.as_bytes()).unwrap()
}

fn rule(operations: &[Operation], conditions: Vec<Condition>) -> Rule {
    let origin = Origin { source: Arc::from("test.toml"), line: 7 };
    Rule { text: "a rule".to_owned(), origin, operations: operations.to_vec(), conditions }
}

fn policy(allow: Vec<Rule>, deny: Vec<Rule>) -> Policy {
    let origin = Origin { source: Arc::from("test.toml"), line: 1 };
    let rules = RuleTable::new(allow, deny);
    Policy { name: "ci".to_owned(), origin, digest: Arc::from(""), mode: Mode::Enforce, rules, create: Create::default() }
}

fn everything() -> Policy {
    policy(vec![rule(TABLE, vec![])], vec![])
}

fn decide(policy: &Policy, action: Action, facts: &Facts) -> Result<Permit, Denial> {
    match judge(policy, &Subject::default(), action, facts) {
        Verdict::Allow(permit) => Ok(permit),
        Verdict::Deny(denial) => Err(denial),
    }
}

fn create(policy: &Policy, body: &str) -> Result<(), (Reason, String)> {
    let action = action("POST", "/containers/create", body);
    decide(policy, action, &Facts::default()).map(drop).map_err(|denial| (denial.reason, denial.at))
}

fn container(host_config: &str, mounts: &str) -> Value {
    read(format!(r#"{{"Id":"{ID}","Name":"/web-1","Config":{{"Image":"a"}},"HostConfig":{host_config},"Mounts":{mounts}}}"#).as_bytes())
        .unwrap()
}

/// Facts as the shell would gather them, from a container and a volume.
fn facts(policy: &Policy, action: &Action, container: &Value, volume: &str, own: Own) -> Facts {
    let mut facts = Facts::new(own);
    while let Some(need) = next_need(policy, action, &facts) {
        let value = match &need {
            Need::Container(_) => container.clone(),
            Need::Exec(_) => read(
                format!(
                    r#"{{"ID":"e","ContainerID":"{ID}","ProcessConfig":{{"privileged":false,"user":"","entrypoint":"id","arguments":[]}}}}"#
                )
                .as_bytes(),
            )
            .unwrap(),
            Need::Volume(_) => read(volume.as_bytes()).unwrap(),
            Need::Network(_) | Need::Image(_) => read(format!(r#"{{"Id":"{ID}","Name":"front"}}"#).as_bytes()).unwrap(),
            Need::HostPath(_) => Value::Null,
            Need::Info => read(br#"{"CgroupVersion":"2"}"#).unwrap(),
        };
        facts.insert(need, value);
    }
    facts
}

#[test]
fn allows_nothing_that_no_rule_names() {
    let denial = decide(&policy(vec![], vec![]), action("GET", "/info", ""), &Facts::default()).unwrap_err();
    assert_eq!((denial.reason, denial.absolute), (Reason::NotAllowed, false));
    assert_eq!(denial.message(), "dockgate: denied by policy `ci` [not-allowed]: SystemInfo: this operation is not allowed here");
}

#[test]
fn an_explicit_deny_wins_in_every_mode_and_names_its_line() {
    for mode in [Mode::Enforce, Mode::Warn, Mode::Observe] {
        let mut policy = policy(vec![rule(TABLE, vec![])], vec![rule(&[Operation::ContainerLogs], vec![])]);
        policy.mode = mode;
        let denial = decide(&policy, action("GET", "/containers/a/logs", ""), &Facts::default()).unwrap_err();
        assert_eq!(denial.reason, Reason::DeniedByRule);
        assert_eq!(denial.rule.unwrap().1.to_string(), "test.toml:7");
        assert!(admits(&policy, &action("GET", "/containers/a/logs", "").endpoint).is_err());
    }
}

#[test]
fn modes_forward_denials_but_no_socket_mount() {
    for mode in [Mode::Warn, Mode::Observe] {
        let policy = Policy { mode, ..everything() };
        let privileged = action("POST", "/containers/create", r#"{"Image":"a","HostConfig":{"Privileged":true}}"#);
        let permit = decide(&policy, privileged, &Facts::default()).unwrap();
        assert_eq!(permit.would_deny.as_ref().map(|denial| denial.reason), Some(Reason::Privileged));
        assert_eq!(permit.client_warnings().iter().any(|text| text.contains("[privileged]")), mode == Mode::Warn);
        assert!(mode == Mode::Warn || permit.client_warnings().is_empty(), "observe is silent");
        let socket = action("POST", "/containers/create", r#"{"Image":"a","HostConfig":{"Privileged":true,"Binds":["/var/run:/x:ro"]}}"#);
        assert_eq!(decide(&policy, socket, &Facts::default()).unwrap_err().reason, Reason::SocketMount);
    }
}

#[test]
fn no_mode_hides_a_socket_mount_behind_a_missing_rule() {
    let policy = Policy { mode: Mode::Warn, ..policy(vec![], vec![]) };
    let socket = action("POST", "/containers/create", r#"{"Image":"a","HostConfig":{"Binds":["/run:/x:ro"]}}"#);
    assert_eq!(decide(&policy, socket, &Facts::default()).unwrap_err().reason, Reason::SocketMount);
}

#[test]
fn conditions_are_judged_on_canonical_values() {
    let path = Condition::Path(glob::anchored("/containers/(web|db)/json").unwrap());
    let query = Condition::Query("all".to_owned(), glob::anchored("1").unwrap());
    let policy = policy(vec![rule(&[Operation::ContainerInspect], vec![path]), rule(&[Operation::ContainerList], vec![query])], vec![]);
    let allowed = |target: &str| decide(&policy, action("GET", target, ""), &Facts::default()).is_ok();
    assert!(allowed("/v1.44/containers/web/json") && !allowed("/containers/other/json"));
    assert!(allowed("/containers/json?all=true") && !allowed("/containers/json?all=no") && !allowed("/containers/json"));
}

#[test]
fn an_id_rule_is_judged_on_what_the_engine_says_and_the_full_id_goes_upstream() {
    let stop = |regex: &str| policy(vec![rule(&[Operation::ContainerStop], vec![Condition::Id(glob::anchored(regex).unwrap())])], vec![]);
    let target = container("{}", "[]");
    for (regex, fits) in [("web-.*", true), (ID, true), ("0123456789ab", false), ("alias", false)] {
        let policy = stop(regex);
        let action = action("POST", "/containers/alias/stop", "");
        let facts = facts(&policy, &action, &target, "{}", Own::default());
        let verdict = decide(&policy, action, &facts);
        assert_eq!(verdict.is_ok(), fits, "{regex}");
        if let Ok(permit) = verdict {
            assert_eq!(permit.action().target(), format!("/containers/{ID}/stop"));
        }
    }
    let policy = stop("web-.*");
    assert!(decide(&policy, action("POST", "/containers/web-1/stop", ""), &Facts::default()).is_err(), "without the fact nothing fits");
}

#[test]
fn starts_enters_and_opens_only_what_could_have_been_created() {
    let policy = everything();
    for (method, target) in [
        ("POST", "/containers/a/start"),
        ("POST", "/containers/a/restart"),
        ("POST", "/containers/a/unpause"),
        ("POST", "/containers/a/attach"),
        ("POST", "/exec/e/start"),
        ("GET", "/containers/a/archive?path=/"),
        ("PUT", "/containers/a/archive?path=/"),
    ] {
        let run = |host: &str, mounts: &str, volume: &str| {
            let action = action(method, target, "");
            let facts = facts(&policy, &action, &container(host, mounts), volume, Own::default());
            decide(&policy, action, &facts).map(drop).map_err(|denial| (denial.reason, denial.at))
        };
        let named = r#"[{"Type":"volume","Name":"v"}]"#;
        assert_eq!(
            run(r#"{"Privileged":false,"MaskedPaths":["/proc/kcore","/proc/keys","/proc/timer_list","/sys/firmware"]}"#, "[]", "{}"),
            Ok(()),
            "{target}"
        );
        assert_eq!(
            run(r#"{"Privileged":true}"#, "[]", "{}"),
            Err((Reason::Privileged, "target HostConfig.Privileged".to_owned())),
            "{target}"
        );
        assert_eq!(run(r#"{"MaskedPaths":[]}"#, "[]", "{}").unwrap_err().0, Reason::MaskedPaths);
        assert_eq!(run(r#"{"FutureField":"x"}"#, "[]", "{}").unwrap_err().0, Reason::RefusedField, "a field of a newer engine");
        assert_eq!(run("{}", named, r#"{"Driver":"local","Options":null}"#), Ok(()));
        assert_eq!(
            run("{}", named, r#"{"Driver":"local","Options":{"type":"none","o":"bind","device":"/"}}"#).unwrap_err().0,
            Reason::VolumeDriver
        );
        assert_eq!(run("{}", named, r#"{"Driver":"sshfs"}"#).unwrap_err().0, Reason::VolumeDriver);
        let denial = decide(&policy, action(method, target, ""), &Facts::default()).unwrap_err();
        assert_eq!(denial.reason, Reason::FactMissing, "a fact that nobody fetched means deny");
    }
}

/// The engine's own lists, as inspect shows them.
const MASKED: &str = r#""/proc/asound","/proc/acpi","/proc/kcore","/proc/keys","/proc/latency_stats","/proc/timer_list","/proc/timer_stats","/proc/sched_debug","/proc/scsi","/sys/firmware","/sys/devices/virtual/powercap""#;
const READ_ONLY: &str = r#""/proc/bus","/proc/fs","/proc/irq","/proc/sys","/proc/sysrq-trigger""#;

#[test]
fn a_client_may_send_the_engines_own_masked_paths_back_and_nothing_less() {
    let policy = Policy { create: Create::default(), ..everything() };
    let host = |masked: &str, read_only: &str| {
        let body = format!(r#"{{"Image":"a:1","HostConfig":{{"MaskedPaths":[{masked}],"ReadonlyPaths":[{read_only}]}}}}"#);
        create(&policy, &body).map_err(|(reason, _)| reason)
    };
    assert_eq!(host(MASKED, READ_ONLY), Ok(()));
    assert_eq!(host(&format!(r#"{MASKED},"/proc/interrupts""#), READ_ONLY), Ok(()));
    for path in MASKED.split(',') {
        let fewer: Vec<&str> = MASKED.split(',').filter(|kept| *kept != path).collect();
        assert_eq!(host(&fewer.join(","), READ_ONLY), Err(Reason::MaskedPaths), "{path}");
    }
    for path in READ_ONLY.split(',') {
        let fewer: Vec<&str> = READ_ONLY.split(',').filter(|kept| *kept != path).collect();
        assert_eq!(host(MASKED, &fewer.join(",")), Err(Reason::MaskedPaths), "{path}");
    }
}

#[test]
fn targets_any_and_unrestricted_ask_for_no_facts() {
    for create in [Create { targets: Targets::Any, ..Create::default() }, Create { level: Level::Unrestricted, ..Create::default() }] {
        let policy = Policy { create, ..everything() };
        assert_eq!(next_need(&policy, &action("POST", "/containers/a/start", ""), &Facts::default()), None);
    }
}

#[test]
fn keeps_its_own_container_paths_and_volumes_out_of_reach() {
    let policy = everything();
    let own = Own {
        container: Some(ID.to_owned()),
        paths: vec!["/srv/dockgate/trail.jsonl".to_owned()],
        volumes: vec!["doors".to_owned()],
        engine: vec![],
    };
    for target in ["/containers/web-1/stop", "/containers/web-1/kill", "/containers/web-1/rename?name=x", "/containers/0123456789ab/pause"]
    {
        let action = action("POST", target, "");
        let facts = facts(&policy, &action, &container("{}", "[]"), "{}", own.clone());
        assert_eq!(decide(&policy, action, &facts).unwrap_err().reason, Reason::SelfProtection, "{target}");
    }
    let inspect = action("GET", "/containers/web-1/json", "");
    assert!(decide(&policy, inspect, &Facts::new(own.clone())).is_ok());
    let denied = |body: &str| decide(&policy, action("POST", "/containers/create", body), &Facts::new(own.clone())).unwrap_err().reason;
    assert_eq!(denied(r#"{"Image":"a","HostConfig":{"Binds":["/srv:/x:ro"]}}"#), Reason::SocketMount);
    assert_eq!(denied(r#"{"Image":"a","HostConfig":{"Binds":["doors:/x"]}}"#), Reason::SelfProtection);
    assert_eq!(denied(&format!(r#"{{"Image":"a","HostConfig":{{"NetworkMode":"container:{ID}"}}}}"#)), Reason::SelfProtection);
}

#[test]
fn grants_open_exactly_what_they_name() {
    let globs = |texts: &[&str]| texts.iter().map(|text| Glob::new(text).unwrap()).collect::<Vec<_>>();
    let create_policy = Create {
        binds: vec![
            BindGrant { source: "/srv/ci".to_owned(), below: false, access: BindAccess::ReadOnly },
            BindGrant { source: "/srv/out".to_owned(), below: true, access: BindAccess::ReadWrite },
        ],
        volumes: globs(&["ci-*"]),
        networks: globs(&["front", "ci-*"]),
        ports: vec![PortGrant { address: "127.0.0.1".parse().unwrap(), first: 8000, last: 8999 }],
        cap_add: vec!["NET_ADMIN".to_owned()],
        devices: vec!["/dev/fuse".to_owned()],
        images: Some(globs(&["docker.io/library/*"])),
        ..Create::default()
    };
    let policy = Policy { create: create_policy, ..everything() };
    let host = |field: &str| create(&policy, &format!(r#"{{"Image":"nginx:1","HostConfig":{{{field}}}}}"#)).map_err(|(reason, _)| reason);
    for allowed in [
        r#""Binds":["/srv/ci:/x:ro","/srv/out/a:/y","ci-data:/z","/only/target"]"#,
        r#""Mounts":[{"Type":"bind","Source":"/srv/ci","Target":"/x","ReadOnly":true},{"Type":"image","Source":"busybox:1","Target":"/i"}]"#,
        r#""NetworkMode":"front""#,
        r#""PortBindings":{"80/tcp":[{"HostIp":"127.0.0.1","HostPort":"8080"}]}"#,
        r#""CapAdd":["cap_net_admin","CHOWN"]"#,
        r#""Devices":[{"PathOnHost":"/dev/fuse","PathInContainer":"/dev/fuse","CgroupPermissions":"rwm"}]"#,
        r#""Tmpfs":{"/dev/shm":"size=1g"},"ShmSize":1073741824"#,
    ] {
        assert_eq!(host(allowed), Ok(()), "{allowed}");
    }
    for (denied, reason) in [
        (r#""Binds":["/srv/ci:/x"]"#, Reason::HostPath),
        (r#""Binds":["/srv/ci/sub:/x:ro"]"#, Reason::HostPath),
        (r#""Binds":["/srv/out:/x"]"#, Reason::HostPath),
        (r#""Binds":["/srv/out/../../etc:/x"]"#, Reason::HostPath),
        (r#""Binds":["/srv/out/a:/x:rw,rshared"]"#, Reason::Propagation),
        (r#""Binds":["other:/x"]"#, Reason::Volume),
        (r#""Mounts":[{"Type":"image","Source":"evil/x","Target":"/i"}]"#, Reason::Image),
        (r#""NetworkMode":"back""#, Reason::Network),
        (r#""NetworkMode":"ci-a/b""#, Reason::Network),
        (r#""NetworkMode":"host""#, Reason::HostNamespace),
        (r#""PortBindings":{"80/tcp":[{"HostIp":"","HostPort":"8080"}]}"#, Reason::Ports),
        (r#""PortBindings":{"80/tcp":[{"HostIp":"127.0.0.1","HostPort":"8080-9000"}]}"#, Reason::Ports),
        (r#""PortBindings":{"80/tcp":null}"#, Reason::Ports),
        (r#""CapAdd":["SYS_ADMIN"]"#, Reason::CapAdd),
        (r#""CapAdd":["ſys_admin"]"#, Reason::CapAdd),
        (r#""Devices":[{"PathOnHost":"/dev/fuse2"}]"#, Reason::Devices),
        (r#""DeviceCgroupRules":["c 1:3 r"]"#, Reason::Devices),
        (r#""Tmpfs":{"/a":"size=50%"}"#, Reason::Tmpfs),
        (r#""ShmSize":1073741825"#, Reason::ShmSize),
    ] {
        assert_eq!(host(denied), Err(reason), "{denied}");
    }
    assert_eq!(create(&policy, r#"{"Image":"evil/x"}"#).unwrap_err().0, Reason::Image);
    assert_eq!(create(&policy, r#"{"Image":"cafe"}"#).unwrap_err().0, Reason::Image, "could be the start of an id");
}

#[test]
fn every_reason_has_a_code_of_its_own() {
    let codes: std::collections::BTreeSet<&str> = Reason::ALL.iter().map(|reason| reason.code()).collect();
    assert_eq!(codes.len(), Reason::ALL.len());
    assert!(Reason::ALL.iter().all(|reason| !reason.sentence().ends_with('.') && !reason.advice().ends_with('.')));
}

#[test]
fn injects_what_is_missing_and_what_is_injected_passes_the_level() {
    let inject = Inject {
        no_new_privileges: true,
        cap_drop_all: true,
        pids_limit: Some(256),
        memory: Some(512 << 20),
        nano_cpus: Some(1_000_000_000),
        read_only_rootfs: true,
        user: Some("65532:65532".to_owned()),
        ..Inject::default()
    };
    let create = Create { level: Level::Restricted, inject, networks: vec![Glob::new("front").unwrap()], ..Create::default() };
    let policy = Policy { create, ..everything() };
    let body = r#"{"Image":"a:1","HostConfig":{"NetworkMode":"front","SecurityOpt":["no-new-privileges:false"],"Memory":1073741824}}"#;
    let permit = decide(&policy, action("POST", "/containers/create", body), &Facts::default()).unwrap();
    let host = permit.action().json().unwrap().get("HostConfig").unwrap().clone();
    assert_eq!(host.get("SecurityOpt").unwrap().encode(), r#"["no-new-privileges"]"#);
    assert_eq!(host.get("MemorySwap").unwrap().encode(), "1073741824", "no swap beyond the client's own limit");
    assert_eq!(host.get("CapDrop").unwrap().encode(), r#"["ALL"]"#);
    assert!(permit.injected.contains(&"HostConfig.Tmpfs./tmp".to_owned()), "{:?}", permit.injected);
    assert!(!permit.injected.contains(&"HostConfig.Memory".to_owned()));
}

#[test]
fn levels_deny_what_they_demand_and_switches_win() {
    let restricted = |checks: &[(&str, Act)]| {
        let checks = checks.iter().map(|(id, act)| (Reason::of_check(id).unwrap(), *act)).collect();
        Policy { create: Create { level: Level::Restricted, checks, ..Create::default() }, ..everything() }
    };
    let body = r#"{"Image":"a"}"#;
    assert_eq!(create(&restricted(&[]), body).unwrap_err().0, Reason::LatestTag);
    let off = ["latest-tag", "non-root", "cap-drop-all", "no-new-privileges", "memory-limit", "cpu-limit", "pids-limit", "default-bridge"];
    let off: Vec<(&str, Act)> = off.into_iter().map(|id| (id, Act::Off)).collect();
    assert_eq!(create(&restricted(&off), body), Ok(()));
    let warned = Policy { create: Create { warn_level: Some(Level::Restricted), ..Create::default() }, ..everything() };
    let permit = decide(&warned, action("POST", "/containers/create", body), &Facts::default()).unwrap();
    assert!(permit.warnings.iter().any(|warning| warning.reason == Reason::CapDropAll));
    assert!(permit.client_warnings()[0].contains("cap-drop-all (HostConfig.CapDrop)"));
}

#[test]
fn a_symbolic_link_counts_as_the_path_that_it_leads_to() {
    let grant = |source: &str, access| BindGrant { source: source.to_owned(), below: false, access };
    let binds = vec![grant("/srv/data", BindAccess::ReadWrite), grant("/srv/other", BindAccess::ReadOnly)];
    let policy = Policy { create: Create { binds, ..Create::default() }, ..everything() };
    let mounted = |body: &str, real: Value| {
        let action = action("POST", "/containers/create", body);
        let mut facts = Facts::default();
        let need = next_need(&policy, &action, &facts).unwrap();
        assert_eq!(need, Need::HostPath("/srv/data".to_owned()));
        facts.insert(need, real);
        assert_eq!(next_need(&policy, &action, &facts), None);
        decide(&policy, action, &facts).map(drop).map_err(|denial| denial.reason)
    };
    let bind = r#"{"Image":"a","HostConfig":{"Binds":["/srv//data/:/x"]}}"#;
    let mount = r#"{"Image":"a","HostConfig":{"Mounts":[{"Type":"bind","Source":"/srv/data","Target":"/x"}]}}"#;
    let read_only = r#"{"Image":"a","HostConfig":{"Binds":["/srv/data:/x:ro"]}}"#;
    let text = |path: &str| Value::Text(path.to_owned());
    for body in [bind, mount] {
        assert_eq!(mounted(body, Value::Null), Ok(()), "dockgate sees no such path");
        assert_eq!(mounted(body, text("/srv/data")), Ok(()));
        assert_eq!(mounted(body, text("/etc")), Err(Reason::HostPath));
        assert_eq!(mounted(body, text("/run")), Err(Reason::SocketMount));
        assert_eq!(mounted(body, text("/srv/other")), Err(Reason::HostPath), "granted for reading only");
    }
    assert_eq!(mounted(read_only, text("/srv/other")), Ok(()));
    let other = action("POST", "/containers/create", r#"{"Image":"a","HostConfig":{"Binds":["/srv/elsewhere:/x"]}}"#);
    assert_eq!(next_need(&policy, &other, &Facts::default()), None, "nobody looks where nothing is granted");
}

#[test]
fn pins_the_numeric_user_of_an_image_where_one_is_demanded() {
    let policy = Policy { create: Create { require_non_root: true, ..Create::default() }, ..everything() };
    let decided = |body: &str, user: &str| {
        let action = action("POST", "/containers/create", body);
        let mut facts = Facts::default();
        while let Some(need) = next_need(&policy, &action, &facts) {
            assert_eq!(need, Need::Image("web:1".to_owned()));
            facts.insert(need, read(format!(r#"{{"Id":"sha256:{ID}","Config":{{"User":"{user}"}}}}"#).as_bytes()).unwrap());
        }
        decide(&policy, action, &facts).map_err(|denial| denial.reason)
    };
    let body = r#"{"Image":"web:1"}"#;
    let permit = decided(body, "65532:65532").unwrap();
    assert_eq!(permit.text(), Some(r#"{"Image":"web:1","User":"65532:65532"}"#));
    assert_eq!(permit.injected, ["User"]);
    for user in ["", "0", "root", "app", "65532", "0:0", "65532:0"] {
        assert_eq!(decided(body, user).map(drop), Err(Reason::NonRoot), "{user}");
    }
    assert_eq!(decided(r#"{"Image":"web:1","User":"0:0"}"#, "65532:65532").map(drop), Err(Reason::NonRoot), "the request wins");
    let own = action("POST", "/containers/create", r#"{"Image":"web:1","User":"1000:1000"}"#);
    assert_eq!(next_need(&policy, &own, &Facts::default()), None, "nobody asks where the request says it");
    let baseline = everything();
    assert_eq!(
        next_need(&baseline, &action("POST", "/containers/create", body), &Facts::default()),
        None,
        "checks that only warn fetch nothing"
    );
}

#[test]
fn an_approved_image_is_one_whose_scan_is_recent_and_good_enough() {
    let mut list = Approved::new(Some(3600), Some(Severity::Medium));
    list.add(&format!("sha256:{ID}"), Scan { scanned: Some(10_000), severity: Severity::Medium });
    let policy = Policy { create: Create { approved: Some(list), ..Create::default() }, ..everything() };
    let decided = |image: &str, now: i64| {
        let mut facts = Facts::default();
        facts.now = now;
        decide(&policy, action("POST", "/containers/create", &format!(r#"{{"Image":"{image}"}}"#)), &facts).map(drop).map_err(|d| d.reason)
    };
    assert_eq!(decided(&format!("web:1@sha256:{ID}"), 13_000), Ok(()));
    assert_eq!(decided(&format!("web@sha256:{ID}"), 14_000), Err(Reason::Approved), "the scan is too old");
    assert_eq!(decided("web:1", 13_000), Err(Reason::Approved));
}

#[test]
fn an_exec_is_judged_again_when_it_starts_by_what_the_engine_says_of_it() {
    let glob = |text: &str| Glob::new(text).unwrap();
    let create =
        Create { exec_commands: vec![CommandPattern::new("ls **").unwrap()], exec_users: vec![glob("1000:1000")], ..Create::default() };
    let policy = Policy { create, ..everything() };
    let start = |process: &str, container_user: &str| {
        let action = action("POST", "/exec/e/start", "{}");
        let mut facts = Facts::default();
        while let Some(need) = next_need(&policy, &action, &facts) {
            let text = match &need {
                Need::Exec(_) => format!(r#"{{"ID":"e","ContainerID":"{ID}","ProcessConfig":{process}}}"#),
                Need::Container(_) => {
                    format!(r#"{{"Id":"{ID}","Name":"/a","Config":{{"User":"{container_user}"}},"HostConfig":{{}},"Mounts":[]}}"#)
                }
                Need::Network(_) | Need::Volume(_) | Need::Image(_) | Need::HostPath(_) => String::new(),
                Need::Info => r#"{"CgroupVersion":"2"}"#.to_owned(),
            };
            facts.insert(need, read(text.as_bytes()).unwrap());
        }
        decide(&policy, action, &facts).map(drop).map_err(|denial| (denial.reason, denial.at))
    };
    let granted = r#"{"entrypoint":"ls","arguments":["-l"],"user":"1000:1000","privileged":false}"#;
    assert_eq!(start(granted, "root"), Ok(()));
    assert_eq!(start(r#"{"entrypoint":"ls","arguments":[],"user":""}"#, "1000:1000"), Ok(()), "as its container");
    let denied = |process: &str| start(process, "").unwrap_err();
    assert_eq!(denied(r#"{"entrypoint":"sh","arguments":["-c","id"],"user":"1000:1000"}"#), (Reason::ExecCommand, "exec Cmd".into()));
    assert_eq!(denied(r#"{"entrypoint":"ls","arguments":[],"user":"root"}"#), (Reason::User, "exec User".into()));
    assert_eq!(denied(r#"{"entrypoint":"ls","arguments":[],"user":""}"#), (Reason::User, "exec User".into()));
    assert_eq!(denied(r#"{"entrypoint":"ls","user":"1000:1000","privileged":true}"#), (Reason::Privileged, "exec Privileged".into()));
    assert_eq!(denied("null"), (Reason::FactMissing, "exec".into()));
}

#[test]
fn an_exec_without_a_user_is_held_to_the_granted_users_by_its_container() {
    let policy = Policy { create: Create { exec_users: vec![Glob::new("postgres").unwrap()], ..Create::default() }, ..everything() };
    let exec = |user: &str| {
        let action = action("POST", "/containers/web/exec", r#"{"Cmd":["id"],"User":""}"#);
        let container =
            read(format!(r#"{{"Id":"{ID}","Name":"/web","Config":{{"User":"{user}"}},"HostConfig":{{}},"Mounts":[]}}"#).as_bytes())
                .unwrap();
        let facts = facts(&policy, &action, &container, "{}", Own::default());
        decide(&policy, action, &facts).map(drop).map_err(|denial| denial.reason)
    };
    assert_eq!(exec("postgres"), Ok(()));
    assert_eq!(exec(""), Err(Reason::User));
}

#[test]
fn what_is_pushed_must_be_granted_too() {
    let policy =
        Policy { create: Create { images: Some(vec![Glob::new("example.com/ci/*").unwrap()]), ..Create::default() }, ..everything() };
    let push = |image: &str| {
        let action = action("POST", &format!("/images/{image}/push"), "");
        decide(&policy, action, &Facts::default()).map(drop).map_err(|denial| denial.reason)
    };
    assert_eq!(push("example.com/ci/web"), Ok(()));
    assert_eq!(push("other.example/exfiltrated/web"), Err(Reason::Image));
}

const INNER: &str = "/srv/dockgate/inner/docker.sock";

fn rebinding() -> Policy {
    Policy { create: Create { rebind_socket: Some(INNER.to_owned()), ..Create::default() }, ..everything() }
}

/// What dockgate knows of itself on a host where the engine's socket lies in an unusual place.
fn on_host() -> Own {
    let engine = "/srv/bed/docker.sock".to_owned();
    Own { paths: vec![engine.clone(), INNER.to_owned()], engine: vec![engine], ..Own::default() }
}

#[test]
fn the_upstreams_own_socket_is_replaced_by_the_door_and_recorded_as_injected() {
    let body = r#"{"Image":"a","HostConfig":{"Binds":["/srv/bed/docker.sock:/var/run/docker.sock:ro"],"Mounts":[{"Type":"bind","Source":"/run/docker.sock","Target":"/x"}]}}"#;
    for mode in [Mode::Enforce, Mode::Warn, Mode::Observe] {
        let policy = Policy { mode, ..rebinding() };
        let action = action("POST", "/containers/create", body);
        let facts = facts(&policy, &action, &container("{}", "[]"), "{}", on_host());
        let permit = decide(&policy, action, &facts).unwrap();
        let host = permit.action().json().unwrap().get("HostConfig").unwrap().encode();
        let expected =
            format!(r#"{{"Binds":["{INNER}:/var/run/docker.sock:ro"],"Mounts":[{{"Type":"bind","Source":"{INNER}","Target":"/x"}}]}}"#);
        assert_eq!(host, expected);
        assert_eq!(permit.injected, ["HostConfig.Binds[0]", "HostConfig.Mounts[0].Source"]);
        assert_eq!(permit.would_deny, None);
    }
}

#[test]
fn a_container_that_has_the_door_may_start_and_one_that_has_the_daemon_or_another_door_may_not() {
    let policy = rebinding();
    let start = |source: &str| {
        let held = container(&format!(r#"{{"Binds":["{source}:/var/run/docker.sock"]}}"#), "[]");
        let action = action("POST", "/containers/web-1/start", "");
        let facts = facts(&policy, &action, &held, "{}", on_host());
        decide(&policy, action, &facts).map(|_| ()).map_err(|denial| denial.reason)
    };
    assert_eq!(start(INNER), Ok(()));
    for source in ["/srv/bed/docker.sock", "/var/run/docker.sock", "/srv/dockgate/inner", "/srv/dockgate"] {
        assert_eq!(start(source), Err(Reason::SocketMount), "{source}");
    }
    assert_eq!(start("/srv/dockgate/other/docker.sock"), Err(Reason::HostPath));
}

#[test]
fn a_door_that_has_become_a_link_is_not_mounted() {
    let policy = rebinding();
    let verdict = |real: &str| {
        let action = action("POST", "/containers/create", r#"{"Image":"a","HostConfig":{"Binds":["/var/run/docker.sock:/x"]}}"#);
        let mut facts = Facts::new(on_host());
        let need = next_need(&policy, &action, &facts).unwrap();
        assert_eq!(need, Need::HostPath(INNER.to_owned()));
        facts.insert(need, read(format!("\"{real}\"").as_bytes()).unwrap());
        decide(&policy, action, &facts).map(|_| ()).map_err(|denial| denial.reason)
    };
    assert_eq!(verdict(INNER), Ok(()));
    assert_eq!(verdict("/srv/bed/docker.sock"), Err(Reason::SocketMount));
    assert_eq!(verdict("/srv/dockgate/everything/docker.sock"), Err(Reason::SocketMount));
}

#[test]
fn a_permit_without_a_body_has_no_text() {
    let permit = decide(&everything(), action("GET", "/info", ""), &Facts::default()).unwrap();
    assert_eq!(permit.text(), None);
}
