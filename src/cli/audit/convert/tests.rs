//! Conversions, held against what the formats demand.

use serde_json::{Value, json};

use super::super::record::Call;
use super::super::record::tests::call;
use super::{Format, convert, fields, page};

fn change() -> Call {
    call(&[
        json!({ "stage": "intent", "time": "2026-11-21T20:31:07.482913Z", "id": "01J", "sequence": 7, "door": "unix:///run/dockgate/ci/docker.sock",
            "uid": 1000, "gid": 998, "pid": 42, "exe": "/usr/bin/docker", "user_agent": "Docker-Client/29 (linux)",
            "operation": "ContainerCreate", "method": "POST", "path": "/v1.52/containers/create", "names": ["web"], "image": "nginx:1.27",
            "policy": "ci", "mode": "enforce", "verdict": "allow", "rule": "ContainerCreate", "line": "dockgate.toml:9" }),
        json!({ "stage": "outcome", "time": "2026-11-21T20:31:07.482913Z", "id": "01J", "sequence": 9, "status": 201, "duration_us": 43210,
            "bytes_in": 120, "bytes_out": 88, "ended": "complete" }),
    ])
}

fn denial() -> Call {
    call(&[json!({ "stage": "single", "time": "2026-11-21T20:31:08Z", "id": "01K", "door": "tcp://[::]:2376", "address": "[fd00::9]:4711",
        "tls_subject": "CN=a=b|c\\d", "operation": "ContainerCreate", "method": "POST", "path": "/v1.52/containers/create", "policy": "ci",
        "verdict": "deny", "reason": "host-path", "at": "HostConfig.Binds[0]", "status": 403, "duration_us": 90, "folded": { "count": 12 } })])
}

fn json_of(call: &Call, format: Format) -> Value {
    let text = convert(call, format);
    assert!(!text.contains('\n'));
    serde_json::from_str(&text).unwrap()
}

#[test]
fn a_change_is_an_ocsf_api_activity() {
    let event = json_of(&change(), Format::Ocsf);
    for (path, value) in [
        ("/class_uid", json!(6003)),
        ("/category_uid", json!(6)),
        ("/activity_id", json!(1)),
        ("/type_uid", json!(600_301)),
        ("/severity_id", json!(1)),
        ("/status_id", json!(1)),
        ("/action_id", json!(1)),
        ("/disposition_id", json!(1)),
        ("/time", json!(1_795_293_067_482_i64)),
        ("/end_time", json!(1_795_293_067_526_i64)),
        ("/duration", json!(43)),
        ("/metadata/version", json!("1.6.0")),
        ("/metadata/product/name", json!("dockgate")),
        ("/metadata/uid", json!("01J")),
        ("/metadata/sequence", json!(9)),
        ("/actor/user/uid", json!("1000")),
        ("/actor/user/groups/0/uid", json!("998")),
        ("/actor/process/pid", json!(42)),
        ("/actor/process/file/name", json!("docker")),
        ("/api/operation", json!("ContainerCreate")),
        ("/api/response/code", json!(201)),
        ("/src_endpoint/name", json!("ci uid 1000 docker")),
        ("/http_request/http_method", json!("POST")),
        ("/http_request/url/path", json!("/v1.52/containers/create")),
        ("/resources", json!([{ "type": "container", "name": "web" }, { "type": "image", "name": "nginx:1.27" }])),
        ("/firewall_rule/name", json!("ContainerCreate")),
    ] {
        assert_eq!(event.pointer(path), Some(&value), "{path} of {event:#}");
    }
}

#[test]
fn every_ocsf_event_has_what_its_class_requires() {
    let open = call(&[json!({ "stage": "event", "event": "open", "time": "2026-11-21T20:31:08Z", "id": "01A", "detail": { "file": 1 } })]);
    let lost =
        call(&[json!({ "stage": "single", "time": "2026-11-21T20:31:08Z", "id": "01A", "verdict": "refuse", "reason": "bad-path" })]);
    for (call, class) in [(change(), 6003), (denial(), 6003), (lost, 6003), (open, 6002)] {
        let event = json_of(&call, Format::Ocsf);
        let number = |name: &str| event[name].as_i64().unwrap_or_else(|| panic!("{name} in {event:#}"));
        assert_eq!(number("class_uid"), class);
        assert_eq!(number("type_uid"), class * 100 + number("activity_id"));
        assert!(number("time") > 0 && number("severity_id") > 0 && event["metadata"]["product"].is_object());
        let required: &[&str] = if class == 6003 { &["actor", "api", "device", "src_endpoint"] } else { &["app"] };
        required.iter().for_each(|name| assert!(event[name].is_object(), "{name} in {event:#}"));
    }
}

#[test]
fn a_denial_is_a_failure_in_every_format() {
    let ocsf = json_of(&denial(), Format::Ocsf);
    assert_eq!(
        (&ocsf["status_id"], &ocsf["action_id"], &ocsf["disposition_id"], &ocsf["count"]),
        (&json!(2), &json!(2), &json!(2), &json!(12))
    );
    assert_eq!((&ocsf["status_code"], &ocsf["status_detail"]), (&json!("host-path"), &json!("host-path HostConfig.Binds[0]")));
    let ecs = json_of(&denial(), Format::Ecs);
    assert_eq!((&ecs["event"]["outcome"], &ecs["event"]["type"]), (&json!("failure"), &json!(["creation", "denied"])));
    assert_eq!(
        (&ecs["source"]["ip"], &ecs["source"]["port"], &ecs["event"]["reason"]),
        (&json!("fd00::9"), &json!(4711), &json!("host-path"))
    );
}

#[test]
fn a_change_is_an_ecs_document() {
    let document = json_of(&change(), Format::Ecs);
    for (path, value) in [
        ("/@timestamp", json!("2026-11-21T20:31:07.482913Z")),
        ("/ecs/version", json!("8.11.0")),
        ("/event/kind", json!("event")),
        ("/event/category", json!(["api"])),
        ("/event/type", json!(["creation", "allowed"])),
        ("/event/action", json!("ContainerCreate")),
        ("/event/outcome", json!("success")),
        ("/event/id", json!("01J")),
        ("/event/duration", json!(43_210_000)),
        ("/rule/name", json!("ContainerCreate")),
        ("/rule/ruleset", json!("ci")),
        ("/user/id", json!("1000")),
        ("/http/response/status_code", json!(201)),
        ("/url/path", json!("/v1.52/containers/create")),
    ] {
        assert_eq!(document.pointer(path), Some(&value), "{path} of {document:#}");
    }
}

#[test]
fn cef_escapes_header_and_extension() {
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(
        convert(&denial(), Format::Cef),
        format!(
            "CEF:0|dockgate|dockgate|{version}|host-path|ContainerCreate deny|7|app=Docker Engine API externalId=01K rt=1795293068000 \
             start=1795293068000 end=1795293068000 cn3=90 cn3Label=duration in microseconds cs3=tcp://[::]:2376 cs3Label=door \
             suser=CN\\=a\\=b|c\\\\d c6a2=fd00::9 c6a2Label=source address spt=4711 requestMethod=POST \
             request=/v1.52/containers/create cs2=ci cs2Label=policy act=deny reason=host-path msg=host-path HostConfig.Binds[0] \
             cn1=403 cn1Label=status cn2=12 cn2Label=calls folded outcome=failure"
        )
    );
    let event =
        call(&[json!({ "stage": "event", "event": "a|b\\c", "time": "2026-11-21T20:31:08Z", "id": "01A", "detail": { "x": "1=2\n3" } })]);
    let line = convert(&event, Format::Cef);
    assert!(line.contains("|trail-a\\|b\\\\c|trail a\\|b\\\\c|2|") && line.ends_with(" msg=x\\=1\\=2\\n3"), "{line}");
}

#[test]
fn an_intent_without_an_outcome_is_neither_success_nor_failure() {
    let mut open = change();
    open.records.truncate(1);
    assert_eq!(json_of(&open, Format::Ocsf)["status_id"], 0);
    assert_eq!(json_of(&open, Format::Ecs)["event"]["outcome"], "unknown");
    assert!(!convert(&open, Format::Cef).contains("outcome="));
}

#[test]
fn every_row_has_a_place_and_no_place_is_used_twice() {
    for places in [
        fields::FIELDS.iter().map(|f| f.ocsf).collect::<Vec<_>>(),
        fields::FIELDS.iter().map(|f| f.ecs).collect(),
        fields::FIELDS.iter().map(|f| f.cef).collect(),
    ] {
        let mut used: Vec<&str> = places.into_iter().filter(|place| !place.is_empty()).collect();
        let all = used.len();
        used.sort_unstable();
        used.dedup();
        assert_eq!(used.len(), all);
    }
    assert!(fields::FIELDS.iter().all(|field| !(field.ocsf.is_empty() && field.ecs.is_empty() && field.cef.is_empty())));
}

#[test]
fn the_page_of_formats_says_what_the_table_says() {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/audit-formats.md");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&file, page()).unwrap();
    }
    let written = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(written == page(), "docs/audit-formats.md is stale: `dockgate docs audit-formats` prints it, and BLESS=1 writes it");
}
