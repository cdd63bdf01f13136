//! What holds for every body and every policy: re-encoding is idempotent, a deny never allows, a grant never denies,
//! injection satisfies the demands, and the order of keys is nothing to the judge.
//! Knows the tables and the judge's values, nothing of single checks.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use dockgate::docker::decode::typed;
use dockgate::docker::json::read;
use dockgate::docker::operations::{BodyPlan, Row, TABLE};
use dockgate::docker::schema::{Schema, Type};
use dockgate::docker::{Action, Endpoint, Head, Value};
use dockgate::policy::judge::explain;
use dockgate::policy::{Permit, Policy, Subject, Verdict, judge};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::Union;

use crate::bodies::{Config, facts, facts_of, request};

/// Texts that mean something to some check, allowed ones among them.
const WORDS: &[&str] = &[
    "",
    "host",
    "bridge",
    "none",
    "default",
    "private",
    "ci",
    "ci-a",
    "victim",
    "container:victim",
    "local",
    "runc",
    "runsc",
    "always",
    "on-failure",
    "any",
    "/srv/ci",
    "/srv/ci:/x:ro",
    "/srv/ci:/x:rw,shared",
    "/etc:/x",
    "ci-a:/x",
    "/data",
    "/var/run/docker.sock:/s",
    "alpine:3.20",
    "evil/img",
    "65532:65532",
    "0",
    "root",
    "SYS_NICE",
    "SYS_ADMIN",
    "net.core.somaxconn",
    "kernel.core_pattern",
    "no-new-privileges",
    "seccomp=unconfined",
    "apparmor=ci",
    "/dev/fuse",
    "/dev/sda",
    "journald",
    "json-file",
    "max-size",
    "A=b",
    "LD_PRELOAD=/x",
    "127.0.0.1",
    "8080",
    "80/tcp",
    "bind",
    "volume",
    "tmpfs",
    "image",
    "a:10.0.0.1",
    "a:host-gateway",
    "nofile",
    "memlock",
    "id",
    "pg_dump",
];

/// Every list of grants with one entry; each is widened by its second, alone.
const GRANTS: &[(&str, &str, &str)] = &[
    ("images", "'docker.io/library/*'", "'docker.io/evil/**'"),
    ("binds", "{ source = '/srv/ci', mode = 'ro' }", "{ source = '/srv/ci', mode = 'rw' }"),
    ("volumes", "'ci-*'", "'victim'"),
    ("networks", "'ci'", "'victim'"),
    ("ports", "'127.0.0.1:8000-8999'", "'0.0.0.0:1024-65535'"),
    ("cap-add", "'SYS_NICE'", "'SYS_PTRACE'"),
    ("devices", "'/dev/fuse'", "'/dev/net/tun'"),
    ("sysctls", "'net.core.somaxconn'", "'kernel.msgmax'"),
    ("runtimes", "'runsc'", "'kata'"),
    ("security-opt", "'apparmor=ci'", "'apparmor=other'"),
    ("secrets", "'ci-*'", "'**'"),
    ("configs", "'ci-*'", "'**'"),
    ("log-drivers", "'journald'", "'syslog'"),
    ("users", "'65532:65532'", "'**'"),
];

/// Everything that can be injected.
const INJECT: &str = "inject = { no-new-privileges = true, cap-drop-all = true, pids-limit = 256, memory = '512MiB', cpus = '1.5', read-only-rootfs = true, user = '65532:65532', ipc-private = true, cgroupns-private = true, log-max-size = '10m', log-max-file = 3, labels = { owner = 'ci' }, host-ip = '127.0.0.1' }";

fn settings(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

fn text() -> BoxedStrategy<String> {
    let other = vec(any::<char>(), 0..6).prop_map(|letters| letters.into_iter().collect());
    prop_oneof![6 => select(WORDS).prop_map(str::to_owned), 1 => other].boxed()
}

/// Any value of a type.
fn any_of(ty: &'static Type) -> BoxedStrategy<Value> {
    match ty {
        Type::Bool => any::<bool>().prop_map(Value::Bool).boxed(),
        Type::Int(low, high) => {
            let near = select(vec![-1, 0, 1, 1024, 8080, 1 << 30, (1 << 30) + 1, *low, *high]);
            let clamped = |number: i128| Value::Number(number.clamp(*low, *high).to_string());
            prop_oneof![near, any::<i64>().prop_map(i128::from)].prop_map(clamped).boxed()
        }
        Type::Float => select(vec!["0", "0.5", "1e-3", "-1"]).prop_map(|digits| Value::Number(digits.to_owned())).boxed(),
        Type::Str => text().prop_map(Value::Text).boxed(),
        Type::StrSlice => vec(text().prop_map(Value::Text), 0..3).prop_map(Value::List).boxed(),
        Type::List(of) => vec(any_of(of), 0..3).prop_map(Value::List).boxed(),
        Type::Array(of, length) => vec(any_of(of), *length).prop_map(Value::List).boxed(),
        Type::Map(of) => {
            let members = |map: BTreeMap<String, Value>| map.into_iter().map(|(key, value)| (Cow::Owned(key), value)).collect();
            btree_map(text(), any_of(of), 0..3).prop_map(move |map| Value::Object(members(map))).boxed()
        }
        Type::Object(schema) => any_object(schema),
    }
}

/// About three fields of any object, so that what is refused does not hide everything else.
fn any_object(schema: &'static Schema) -> BoxedStrategy<Value> {
    let share = (3.0 / schema.fields.len().max(1) as f64).min(0.7);
    let member = |field: &'static dockgate::docker::schema::Field| {
        let value = prop_oneof![9 => any_of(&field.ty), 1 => Just(Value::Null)];
        proptest::option::weighted(share, value.prop_map(|value| (Cow::Borrowed(field.name), value)))
    };
    let members: Vec<_> = schema.fields.iter().map(member).collect();
    members.prop_map(|members| Value::Object(members.into_iter().flatten().collect())).boxed()
}

/// Any operation with a body that is an object, and any such body.
fn any_call() -> BoxedStrategy<(&'static Row, Value)> {
    let rows = TABLE.iter().map(|operation| operation.row());
    let one = |row: &'static Row| Some((row, row.body.object()?));
    let weighed = |(row, schema): (&'static Row, &'static Schema)| {
        let weight = if schema.name == "ContainerCreate" { 12 } else { 1 };
        (weight, any_object(schema).prop_map(move |value| (row, value)).boxed())
    };
    Union::new_weighted(rows.filter_map(one).map(weighed).collect()).boxed()
}

/// A container that names an image by digest, so that more than the missing image is judged.
fn with_image((row, mut value): (&'static Row, Value)) -> (&'static Row, Value) {
    if matches!(row.body, BodyPlan::Json(schema) if schema.name == "ContainerCreate") {
        value.edit("Image", |image| *image = Value::Text(format!("alpine@sha256:{}", "a".repeat(64))));
        value.edit("User", |user| *user = Value::Text("65532:65532".to_owned()));
    }
    (row, value)
}

/// The policies of some texts of `[policy.X.create]`, in their order; every operation is allowed.
fn policies(creates: &[String]) -> Vec<Arc<Policy>> {
    let asked = creates.iter().flat_map(|create| TABLE.iter().map(move |operation| (create.as_str(), operation.name())));
    let config = Config::new(Path::new("/nowhere"), asked);
    let loaded = config.load();
    creates.iter().map(|create| Arc::clone(&loaded[create.as_str()])).collect()
}

/// Every list with its first entry, and one of them with its second.
fn granted(wider: Option<usize>) -> String {
    // without it other operations could give any image a granted name
    let mut out = "require-digest = true\n".to_owned();
    for (at, (key, entry, more)) in GRANTS.iter().enumerate() {
        let more = if wider == Some(at) { format!(", {more}") } else { String::new() };
        writeln!(out, "{key} = [{entry}{more}]").unwrap();
    }
    out
}

fn action(row: &Row, body: &str) -> Action {
    let bytes = request(row, "", body);
    let (head, length) = Head::parse(&bytes).unwrap().unwrap();
    let endpoint = Endpoint::find(&head).unwrap();
    Action::build(&head, endpoint, &bytes[length..]).unwrap_or_else(|fault| panic!("{fault:?}: {body}"))
}

fn decide(policy: &Policy, row: &Row, body: &Value) -> Result<Permit, String> {
    let action = action(row, &body.encode());
    let facts = facts(policy, &action);
    match judge(policy, &Subject::default(), action, &facts) {
        Verdict::Allow(permit) => Ok(permit),
        Verdict::Deny(denial) => Err(denial.message()),
    }
}

/// Everything that is denied, warned of and passed, in no order.
fn all_found(policy: &Policy, row: &Row, body: &Value) -> BTreeSet<String> {
    let action = action(row, &body.encode());
    let facts = facts(policy, &action);
    let (denials, found) = explain(policy, &action, &facts);
    let denials = denials.iter().map(|denial| format!("{:?} {}", denial.reason, denial.at));
    let warnings = found.warnings.iter().map(|finding| format!("warns {finding:?}"));
    denials.chain(warnings).chain(found.passed.iter().map(|passed| format!("{passed:?}"))).collect()
}

/// The same value with the members of every object in another order.
fn turned(value: &Value, by: usize) -> Value {
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().map(|(key, value)| (key.clone(), turned(value, by))).collect();
            members.reverse();
            let middle = by % members.len().max(1);
            members.rotate_left(middle);
            Value::Object(members)
        }
        Value::List(items) => Value::List(items.iter().map(|item| turned(item, by)).collect()),
        plain => plain.clone(),
    }
}

#[test]
fn re_encoding_is_idempotent() {
    proptest!(settings(400), |((row, value) in any_call())| {
        let schema = row.body.object().unwrap();
        let once = typed(schema, read(value.encode().as_bytes()).unwrap(), &[]).unwrap();
        let text = once.value.encode();
        let twice = typed(schema, read(text.as_bytes()).unwrap(), &[]).unwrap();
        prop_assert_eq!(&twice.value, &once.value);
        prop_assert_eq!(twice.value.encode(), text);
        prop_assert!(once.dropped.is_empty() && twice.dropped.is_empty());
    });
}

#[test]
fn the_verdict_does_not_depend_on_the_order_of_keys() {
    let all = policies(&[granted(None), "level = 'restricted'\n".to_owned() + INJECT, "level = 'unrestricted'".to_owned()]);
    proptest!(settings(300), |((row, value) in any_call(), by in 0_usize..7, which in 0_usize..3)| {
        let (policy, other) = (&all[which], turned(&value, by));
        prop_assert_eq!(decide(policy, row, &value).is_ok(), decide(policy, row, &other).is_ok());
        prop_assert_eq!(all_found(policy, row, &value), all_found(policy, row, &other));
    });
}

#[test]
fn one_grant_more_never_denies_what_was_allowed() {
    let creates: Vec<String> = std::iter::once(granted(None)).chain((0..GRANTS.len()).map(|at| granted(Some(at)))).collect();
    let all = policies(&creates);
    let (less, wider) = all.split_first().unwrap();
    let allowed = Cell::new(0);
    proptest!(settings(400), |(call in any_call().prop_map(with_image))| {
        let (row, value) = call;
        if decide(less, row, &value).is_ok() {
            allowed.set(allowed.get() + 1);
            for (more, (key, ..)) in wider.iter().zip(GRANTS) {
                let verdict = decide(more, row, &value);
                prop_assert!(verdict.is_ok(), "one more of {key}: {verdict:?}");
            }
        }
    });
    // a property of what is allowed says nothing where nothing is
    assert!(allowed.get() > 30, "{allowed:?}");
}

#[test]
fn one_deny_more_never_allows_what_was_denied() {
    let allow: Vec<&str> = TABLE.iter().map(|operation| operation.name()).collect();
    let denies = [
        "",
        "\"Container*\"",
        "{ method = \"POST\", path = \"/(containers|volumes)/create\" }",
        "{ operation = \"ContainerUpdate\", id = \"web\" }",
    ];
    let mut text = "version = 1\n".to_owned();
    for (at, deny) in denies.iter().enumerate() {
        writeln!(text, "[[door]]\nlisten = \"unix:///nowhere/{at}/s\"\npolicy = \"p{at}\"").unwrap();
        writeln!(text, "[policy.p{at}]\nallow = {allow:?}\ndeny = [{deny}]\n[policy.p{at}.create]\n{}", granted(None)).unwrap();
    }
    let loaded = dockgate::config::load("properties.toml", &text);
    let config = loaded.config.unwrap_or_else(|| panic!("{:?}", loaded.diagnostics));
    let all: Vec<_> = (0..denies.len()).map(|at| config.policy(&format!("p{at}")).unwrap()).collect();
    let (less, stricter) = all.split_first().unwrap();
    let denied = Cell::new(0);
    proptest!(settings(300), |(call in any_call().prop_map(with_image))| {
        let (row, value) = call;
        let before = decide(less, row, &value).is_ok();
        for (more, deny) in stricter.iter().zip(&denies[1..]) {
            let after = decide(more, row, &value).is_ok();
            prop_assert!(before || !after, "{deny} allows {}", row.path);
            denied.set(denied.get() + usize::from(before && !after));
        }
    });
    assert!(denied.get() > 10, "{denied:?}");
}

#[test]
fn a_create_with_everything_injected_passes_the_strictest_level_and_is_left_alone_then() {
    let policy = &policies(&["level = 'restricted'\n".to_owned() + INJECT])[0];
    let row = TABLE.iter().map(|operation| operation.row()).find(|row| row.path == "/containers/create").unwrap();
    let words = || vec(text(), 0..3);
    let limits = (0_i64..1 << 40, 0_i64..1 << 40, 0_i64..1 << 20, 0_i64..200_000);
    proptest!(settings(200), |(cmd in words(), dns in words(), hostname in text(), flags: (bool, bool, bool), limits in limits)| {
        let (tty, remove, init) = flags;
        let (memory, nano_cpus, pids, quota) = limits;
        let list = |texts: &[String]| Value::List(texts.iter().cloned().map(Value::Text).collect()).encode();
        let hostname = Value::Text(hostname).encode();
        let host = format!(
            r#"{{"NetworkMode":"none","AutoRemove":{remove},"Init":{init},"Dns":{},"Memory":{memory},"NanoCpus":{nano_cpus},"PidsLimit":{pids},"CpuQuota":{quota}}}"#,
            list(&dns)
        );
        let body = format!(r#"{{"Image":"alpine:3.20","Hostname":{hostname},"Tty":{tty},"Cmd":{},"HostConfig":{host}}}"#, list(&cmd));
        let permit = decide(policy, row, &read(body.as_bytes()).unwrap());
        prop_assert!(permit.is_ok(), "{permit:?}");
        let permit = permit.unwrap();
        let first = permit.action().json().unwrap().clone();
        prop_assert!(permit.injected.iter().any(|path| path == "User"), "{:?}", permit.injected);
        let again = decide(policy, row, &first).unwrap();
        prop_assert_eq!(again.action().json().unwrap().encode(), first.encode());
        let quiet = again.injected.iter().all(|path| path.starts_with("Labels."));
        prop_assert!(quiet, "{:?}", again.injected);
    });
}

/// Sources of mounts: the daemon's socket under its names, folders that hold it, the door, and harmless ones.
const SOURCES: &[&str] = &[
    "/var/run/docker.sock",
    "/run/docker.sock/",
    "/var//run/./docker.sock",
    "/var/run/../run/docker.sock",
    "/srv/engine.sock",
    "/srv/x/../engine.sock",
    "/run/podman/podman.sock",
    "/run/user/1000/docker.sock",
    "/",
    "/..",
    "/run",
    "/var/",
    "/srv",
    "/srv/door/inner.sock",
    "/srv/door",
    "/opt/ci",
    "ci-a",
];

/// What dockgate would know of itself where the engine's socket lies in an unusual place.
fn unusual() -> dockgate::policy::Own {
    let engine = vec!["/srv/engine.sock".to_owned()];
    dockgate::policy::Own { paths: engine.clone(), engine, ..Default::default() }
}

/// The sources of all mounts of a body, cleaned by their letters as the engine does it.
fn sources(body: &Value) -> Vec<String> {
    let host = body.get("HostConfig").unwrap_or(&Value::Null);
    let task = body.get("TaskTemplate").and_then(|task| task.get("ContainerSpec")).unwrap_or(&Value::Null);
    let binds = host.get("Binds").into_iter().flat_map(Value::texts).filter_map(|bind| bind.split_once(':')).map(|(source, _)| source);
    let mounts = [host, task].into_iter().filter_map(|holder| holder.get("Mounts")).flat_map(Value::items);
    let clean = |source: &str| {
        let mut path = std::path::PathBuf::from("/");
        for part in Path::new(source).components() {
            match part {
                std::path::Component::Normal(name) => path.push(name),
                std::path::Component::ParentDir => drop(path.pop()),
                _ => {}
            }
        }
        path.display().to_string()
    };
    binds.chain(mounts.map(|mount| mount.text("Source"))).filter(|source| source.starts_with('/')).map(clean).collect()
}

#[test]
fn no_create_through_a_policy_with_a_rebound_socket_reaches_the_engine_with_the_daemons() {
    let rebind = "rebind-socket = '/srv/door/inner.sock'\nvolumes = ['ci-*']\nbinds = [{ source = '/opt/ci', mode = 'rw' }]\n";
    let levels = ["baseline", "unrestricted"].map(|level| format!("{rebind}level = '{level}'"));
    let all = policies(&levels);
    let rows: Vec<&Row> =
        TABLE.iter().map(|operation| operation.row()).filter(|row| matches!(row.path, "/containers/create" | "/services/create")).collect();
    let source = || select(SOURCES);
    let bind = (source(), select(&["", ":ro", ":rw,z"][..])).prop_map(|(source, options)| format!("\"{source}:/x{options}\""));
    let mount = (source(), any::<bool>())
        .prop_map(|(source, ro)| format!(r#"{{"Type":"bind","Source":"{source}","Target":"/y","ReadOnly":{ro}}}"#));
    let (allowed, rebound) = (Cell::new(0), Cell::new(0));
    proptest!(settings(1500), |(which in 0_usize..2, service in any::<bool>(), binds in vec(bind, 0..2), mounts in vec(mount, 0..3))| {
        let mounts = mounts.join(",");
        let row = rows.iter().find(|row| row.path.starts_with("/services") == service).unwrap();
        let body = if service {
            format!(r#"{{"Name":"w","TaskTemplate":{{"ContainerSpec":{{"Image":"alpine:3.20","Mounts":[{mounts}]}}}}}}"#)
        } else {
            format!(r#"{{"Image":"alpine:3.20","HostConfig":{{"Binds":[{}],"Mounts":[{mounts}]}}}}"#, binds.join(","))
        };
        let action = action(row, &body);
        let facts = facts_of(&all[which], &action, unusual());
        if let Verdict::Allow(permit) = judge(&all[which], &Subject::default(), action, &facts) {
            allowed.set(allowed.get() + 1);
            rebound.set(rebound.get() + usize::from(!permit.injected.is_empty()));
            for source in sources(permit.action().json().unwrap()) {
                let sockets = ["/var/run/docker.sock", "/run/docker.sock", "/srv/engine.sock", "/run/podman/podman.sock", "/run/user/1000/docker.sock"];
                prop_assert!(!sockets.iter().any(|socket| Path::new(socket).starts_with(&source)), "{source} of {body}");
            }
        }
    });
    assert!(allowed.get() > 100 && rebound.get() > 50, "{allowed:?} {rebound:?}");
}
