//! How Go's server and the engines' routers read odd requests, and what dockgate makes of each.
//! Knows nothing of policies; `corpus/routing_on_engines.json` holds which route five engines ran for each request.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::wildcard_enum_match_arm,
    reason = "helpers of tests"
)]

use bytes::BytesMut;
use dockgate::docker::chunked::{BodyDecoder, Piece};
use dockgate::docker::operations::{Kind, TABLE};
use dockgate::docker::{Action, Endpoint, Fault, FaultKind, Head, Operation};
use serde_json::Value as Json;

/// What one request of a connection became.
type Outcome = Result<Action, Fault>;

/// Reads a connection's bytes as a door does: requests until the end, a fault of the framing or a tunnel.
fn drive(mut wire: &[u8]) -> Vec<Outcome> {
    let mut out = Vec::new();
    while !wire.is_empty() {
        let (outcome, rest) = one(wire);
        let tunnel = outcome.as_ref().is_ok_and(|action| action.row().kind == Kind::Tunnel);
        out.push(outcome);
        match rest {
            Some(rest) if !tunnel => wire = rest,
            _ => break,
        }
    }
    out
}

/// One request, and the bytes after it where its end is known.
fn one(wire: &[u8]) -> (Outcome, Option<&[u8]>) {
    let (head, length) = match Head::parse(wire) {
        Ok(Some(read)) => read,
        Ok(None) => return (Err(Fault::new(FaultKind::HeadTimeout, "")), None),
        Err(fault) => return (Err(fault), None),
    };
    let mut buffer = BytesMut::from(&wire[length..]);
    let (mut decoder, mut body) = (BodyDecoder::new(head.framing), Vec::new());
    loop {
        match decoder.next(&mut buffer) {
            Ok(Piece::Data(data)) => body.extend_from_slice(&data),
            Ok(Piece::End) => break,
            Ok(Piece::Pending) => return (Err(Fault::new(FaultKind::BodyIncomplete, "")), None),
            Err(kind) => return (Err(Fault::new(kind, "")), None),
        }
    }
    let rest = &wire[wire.len() - buffer.len()..];
    let built = Endpoint::find(&head).and_then(|endpoint| {
        Action::reading(endpoint.operation.row(), &head, usize::MAX)?;
        Action::build(&head, endpoint, &body)
    });
    (built, Some(rest))
}

fn raw(wire: impl AsRef<[u8]>) -> Outcome {
    drive(wire.as_ref()).remove(0)
}

fn request(method: &str, target: &str, headers: &str) -> Outcome {
    raw(format!("{method} {target} HTTP/1.1\r\nHost: d\r\n{headers}\r\n"))
}

fn get(target: &str) -> Outcome {
    request("GET", target, "")
}

fn post(target: &str) -> Outcome {
    request("POST", target, "Content-Length: 0\r\n")
}

fn json(target: &str, headers: &str, body: &str) -> Outcome {
    raw(format!("POST {target} HTTP/1.1\r\nHost: d\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len()))
}

#[track_caller]
fn fault(outcome: Outcome) -> FaultKind {
    match outcome {
        Ok(action) => panic!("accepted {} {}", action.method(), action.target()),
        Err(fault) => fault.kind,
    }
}

/// The operation and the target that goes upstream.
#[track_caller]
fn accepted(outcome: Outcome) -> (Operation, String) {
    let action = outcome.unwrap();
    (action.endpoint.operation, action.target())
}

#[track_caller]
fn refuses_each(kind: FaultKind, requests: &[(&str, &str)]) {
    for (method, target) in requests {
        assert_eq!(fault(request(method, target, "Content-Length: 0\r\n")), kind, "{method} {target}");
    }
}

// ---- paths ------------------------------------------------------------------------------------------------------

#[test]
fn refuses_encoded_letters_which_dockerd_routes_on_after_decoding() {
    refuses_each(
        FaultKind::UnknownEndpoint,
        &[
            ("GET", "/containers/%6a%73on"),
            ("GET", "/%63ontainers/json"),
            ("GET", "/%76%31%2e41/containers/json"),
            ("GET", "/%5fping"),
            ("GET", "/containers/%74%31/json"),
            ("POST", "/containers/x/st%61rt"),
            ("POST", "/images/%63reate"),
            ("DELETE", "/%63ontainers/x"),
        ],
    );
    refuses_each(FaultKind::BadApiVersion, &[("GET", "/v1%2e41/containers/json"), ("GET", "/v1.4%31/info")]);
    refuses_each(FaultKind::UnknownEndpoint, &[("GET", "/v%31.41/info")]);
}

#[test]
fn refuses_an_encoded_slash_outside_image_names() {
    refuses_each(
        FaultKind::UnknownEndpoint,
        &[
            ("GET", "/containers%2fjson"),
            ("GET", "/containers%2Fx%2fjson"),
            ("GET", "/containers/a%2fb/json"),
            ("POST", "/containers/x%2fstart"),
            ("GET", "/images/busybox%2fjson"),
            ("POST", "/images/a%2fpush"),
            ("GET", "/volumes/a%2fb"),
        ],
    );
    assert_eq!(fault(get("/v1.44%2fcontainers/json")), FaultKind::BadApiVersion);
}

#[test]
fn writes_an_encoded_slash_of_an_image_name_plainly() {
    assert_eq!(accepted(get("/images/library%2fbusybox/json")), (Operation::ImageInspect, "/images/library/busybox/json".into()));
    assert_eq!(accepted(get("/images/busybox%3Alatest/json")), (Operation::ImageInspect, "/images/busybox:latest/json".into()));
}

#[test]
fn refuses_dot_segments_plain_and_encoded() {
    for target in [
        "/containers/./json",
        "/containers/../info",
        "/./containers/json",
        "/../info",
        "/containers/x/../json",
        "/%2e/containers/json",
        "/containers/%2e%2e/info",
        "/containers/%2E%2e/info",
        "/containers/.%2e/info",
        "/containers/..%2finfo",
        "/containers/%2e%2e%2finfo",
        "/images/..%2f..%2finfo/json",
        "/images/a/../json",
        "/images/a%2f..%2fb/json",
        "/_ping/..",
        "/_ping/.",
        "/v1.44/../info",
        "/_ping%2f..%2finfo",
    ] {
        for method in ["GET", "POST", "DELETE"] {
            assert_eq!(fault(request(method, target, "Content-Length: 0\r\n")), FaultKind::BadPath, "{method} {target}");
        }
    }
}

#[test]
fn refuses_empty_segments_which_dockerd_redirects() {
    for target in [
        "//containers/json",
        "///info",
        "/containers//json",
        "/v1.44//info",
        "/containers/x//start",
        "/images/a//b/json",
        "/images/a%2f%2fb/json",
    ] {
        assert_eq!(fault(post(target)), FaultKind::BadPath, "{target}");
        assert_eq!(fault(get(target)), FaultKind::BadPath, "{target}");
    }
    assert_eq!(fault(get("/")), FaultKind::BadPath);
}

#[test]
fn refuses_a_trailing_slash_which_is_another_route_or_an_empty_name() {
    for (method, target) in [
        ("GET", "/containers/json/"),
        ("GET", "/networks/"),
        ("GET", "/info/"),
        ("DELETE", "/containers/x/"),
        ("DELETE", "/containers/"),
        ("DELETE", "/images/"),
        ("DELETE", "/volumes/"),
        ("POST", "/containers/x/start/"),
        ("GET", "/volumes/x/"),
    ] {
        assert_eq!(fault(request(method, target, "")), FaultKind::BadPath, "{method} {target}");
    }
}

#[test]
fn refuses_bytes_in_a_path_that_become_part_of_a_name_in_the_engine() {
    for target in [
        "/containers/a%00b/json",
        "/containers/json%00",
        "/version%00/info",
        "/containers/a%0ab/json",
        "/containers/%0a/json",
        "/containers/json%0a",
        "/v1.41%0a/info",
        "/images/a%0ab/json",
        "/containers/t1%20/json",
        "/containers/x%3fy/json",
        "/containers/x%23y/json",
        "/containers/%ff%fe/json",
        "/containers/%c3%a9/json",
        "/containers/a\\b/json",
        "/containers\\json",
        "/containers/%5c/json",
        "/containers/json;x",
        "/containers/json;x=1",
        "/containers/x;y=z/json",
        "/containers/x,y/json",
        "/containers/x*/json",
        "/containers/~x/json",
        "/containers/%/json",
        "/containers/%zz/json",
        "/containers/%4/json",
        "/containers/json%",
        "/containers/json|",
        "/containers/{x}/json",
        "/containers/\"x\"/json",
    ] {
        assert!(matches!(fault(get(target)), FaultKind::BadPath | FaultKind::BadApiVersion), "{target}");
    }
}

#[test]
fn refuses_raw_bytes_beyond_ascii_and_blanks_in_a_target() {
    for target in ["/containers/é/json", "/containers/json?x=é", "/info\u{7f}", "/containers/json\u{a0}"] {
        assert_eq!(fault(get(target)), FaultKind::BadPath, "{target:?}");
    }
    assert!(raw(b"GET /containers/\xff/json HTTP/1.1\r\nHost: d\r\n\r\n").is_err());
    for target in ["/containers/a b/json", "/info ", " /info", "/info\t", "/in\u{b}fo"] {
        assert!(get(target).is_err(), "{target:?}");
    }
}

#[test]
fn decodes_once_only() {
    for target in [
        "/containers/%256a%2573on",
        "/containers/a%252fb/json",
        "/images/library%252fbusybox/json",
        "/containers/%25/json",
        "/%252e%252e/info",
    ] {
        assert_eq!(fault(get(target)), FaultKind::BadPath, "{target}");
    }
    assert_eq!(accepted(get("/containers/json?%2561ll=1")).1, "/containers/json");
    assert_eq!(accepted(get("/containers/t1/archive?path=%252e%252e")).1, "/containers/t1/archive?path=%252e%252e");
}

#[test]
fn refuses_names_with_slashes_that_the_greedy_patterns_take() {
    refuses_each(
        FaultKind::UnknownEndpoint,
        &[
            ("GET", "/containers/a/b/json"),
            ("GET", "/containers/t1/start/json"),
            ("POST", "/containers/a/b/start"),
            ("POST", "/containers/x/start/exec"),
            ("DELETE", "/containers/a/b"),
            ("GET", "/containers/t1/attach/ws/json"),
            ("GET", "/exec/a/b/json"),
            ("DELETE", "/networks/a/b"),
            ("GET", "/networks/a/b"),
            ("GET", "/volumes/a/b"),
            ("POST", "/containers/create/create"),
        ],
    );
}

#[test]
fn gives_the_last_segments_of_an_image_path_the_say_as_the_engine_does() {
    assert_eq!(accepted(get("/images/busybox/history/json")).0, Operation::ImageInspect);
    assert_eq!(accepted(get("/images/busybox/json/history")).0, Operation::ImageHistory);
    assert_eq!(accepted(get("/images/json/json")), (Operation::ImageInspect, "/images/json/json".into()));
    assert_eq!(accepted(get("/images/json")).0, Operation::ImageList);
    assert_eq!(accepted(get("/images/get?names=a")).0, Operation::ImageGetAll);
    assert_eq!(accepted(get("/images/a/get")).0, Operation::ImageGet);
    assert_eq!(accepted(post("/images/a/push/tag?repo=b")), (Operation::ImageTag, "/images/a/push/tag?repo=b".into()));
}

#[test]
fn takes_a_word_of_the_api_as_a_name_only_where_the_engine_does() {
    assert_eq!(accepted(get("/containers/json/json")), (Operation::ContainerInspect, "/containers/json/json".into()));
    assert_eq!(accepted(request("DELETE", "/containers/json", "")), (Operation::ContainerDelete, "/containers/json".into()));
    assert_eq!(accepted(get("/networks/prune")), (Operation::NetworkInspect, "/networks/prune".into()));
}

#[test]
fn matches_paths_in_their_own_case_only() {
    refuses_each(
        FaultKind::UnknownEndpoint,
        &[("GET", "/Containers/json"), ("GET", "/containers/JSON"), ("GET", "/_PING"), ("GET", "/INFO"), ("POST", "/containers/x/Start")],
    );
}

#[test]
fn refuses_a_fragment_which_readers_keep_or_drop() {
    for target in ["/containers/json#x", "/containers/x#y/json", "/info#", "/containers/json?all=1#x", "/containers/json#/../info", "/#"] {
        assert_eq!(fault(get(target)), FaultKind::TargetForm, "{target}");
    }
}

#[test]
fn accepts_one_spelling_of_a_version() {
    assert_eq!(accepted(get("/v1.44/info")).1, "/v1.44/info");
    assert_eq!(accepted(get("/v1.24/info")).1, "/v1.24/info");
    assert_eq!(accepted(get("/info")).1, "/info");
    for target in [
        "/v01.44/info",
        "/v1.044/info",
        "/v1.44.0/info",
        "/v1.44./info",
        "/v1.44x/info",
        "/v1..44/info",
        "/v1/info",
        "/v1.4/info",
        "/v1.44-1/info",
    ] {
        assert_eq!(fault(get(target)), FaultKind::BadApiVersion, "{target}");
    }
    for target in ["/V1.44/info", "/v/info", "/v.44/info", "/v./info", "/vx/info", "/version1.44/info", "/v1.44/v1.44/info", "/v+1.44/info"]
    {
        assert_eq!(fault(get(target)), FaultKind::UnknownEndpoint, "{target}");
    }
}

#[test]
fn refuses_versions_below_and_above_the_tables() {
    for target in ["/v1.12/info", "/v1.20/containers/json", "/v1.23/containers/json"] {
        assert_eq!(fault(get(target)), FaultKind::ApiVersionTooOld, "{target}");
    }
    for target in ["/v1.57/info", "/v1.99/info", "/v1.100/info", "/v2.1/info", "/v99.9/info"] {
        assert_eq!(fault(get(target)), FaultKind::ApiVersionTooNew, "{target}");
    }
    assert_eq!(fault(json("/v1.23/containers/x/start", "Content-Type: application/json\r\n", "{}")), FaultKind::ApiVersionTooOld);
    for target in ["/v2.0/info", "/v0.44/info", "/v99999999999999999999.1/info"] {
        assert!(get(target).is_err(), "{target}");
    }
}

#[test]
fn refuses_every_target_that_is_not_in_origin_form() {
    for target in [
        "http://evil/containers/json",
        "http://d/containers/json",
        "HTTP://d/info",
        "https://d/info",
        "unix://x/containers/json",
        "http:/containers/json",
        "file:///info",
        "d:80",
        "*",
        "containers/json",
        "?all=1",
        "info",
    ] {
        assert_eq!(fault(get(target)), FaultKind::TargetForm, "{target}");
    }
    // In origin form `//evil` would be an authority to some readers.
    assert_eq!(fault(get("//evil/containers/json")), FaultKind::BadPath);
}

#[test]
fn refuses_routes_that_only_podman_or_a_debug_build_serves() {
    refuses_each(
        FaultKind::UnknownEndpoint,
        &[
            ("GET", "/libpod/info"),
            ("GET", "/v1.44/libpod/containers/json"),
            ("POST", "/libpod/containers/create"),
            ("GET", "/metrics"),
            ("GET", "/containers"),
            ("GET", "/v1.44"),
        ],
    );
    assert!(get("/v5.8.0/libpod/info").is_err());
}

// ---- methods ----------------------------------------------------------------------------------------------------

#[test]
fn refuses_options_which_every_engine_answers_with_200() {
    for target in ["/containers/json", "/nowhere", "/_ping"] {
        assert_eq!(fault(request("OPTIONS", target, "")), FaultKind::UnknownMethod, "{target}");
    }
    assert!(request("OPTIONS", "*", "").is_err());
}

#[test]
fn accepts_head_only_where_the_engine_has_it() {
    assert_eq!(accepted(request("HEAD", "/_ping", "")).0, Operation::SystemPingHead);
    assert_eq!(accepted(request("HEAD", "/containers/x/archive?path=/a", "")).0, Operation::ContainerArchiveInfo);
    let heads = TABLE.iter().filter(|operation| operation.row().method == dockgate::docker::Method::Head).count();
    assert_eq!(heads, 2);
    refuses_each(FaultKind::UnknownEndpoint, &[("HEAD", "/containers/json"), ("HEAD", "/info"), ("HEAD", "/images/a/json")]);
}

#[test]
fn refuses_methods_in_another_spelling_and_unknown_ones() {
    for method in ["get", "Get", "gET", "post", "CONNECT", "PATCH", "TRACE", "PROPFIND", "QUERY", "GETT", "GE", "HACK"] {
        assert_eq!(fault(request(method, "/containers/json", "")), FaultKind::UnknownMethod, "{method}");
    }
    assert!(request("CONNECT", "d:80", "").is_err());
    assert!(request("CONNECT", "//containers/json", "").is_err());
    assert!(request("CONNECT", "/containers/../info", "").is_err());
}

#[test]
fn refuses_a_path_under_another_method() {
    refuses_each(
        FaultKind::UnknownEndpoint,
        &[("POST", "/containers/json"), ("PUT", "/containers/json"), ("DELETE", "/info"), ("POST", "/_ping"), ("GET", "/images/create")],
    );
    refuses_each(
        FaultKind::UnknownEndpoint,
        &[("GET", "/containers/x/start"), ("PUT", "/containers/create"), ("DELETE", "/containers/x/start")],
    );
}

#[test]
fn ignores_headers_that_would_override_method_or_path() {
    let plain = accepted(get("/containers/json"));
    for header in [
        "X-HTTP-Method-Override: DELETE",
        "X-HTTP-Method: POST",
        "X-Method-Override: PUT",
        "X-Original-URL: /info",
        "X-Rewrite-URL: /info",
        "X-Forwarded-Prefix: /v1.20",
        "X-Forwarded-Host: evil",
        "Forwarded: host=evil",
        "Api-Version: 1.20",
    ] {
        assert_eq!(accepted(request("GET", "/containers/json", &format!("{header}\r\n"))), plain, "{header}");
    }
    assert_eq!(fault(request("POST", "/containers/json", "X-HTTP-Method-Override: GET\r\n")), FaultKind::UnknownEndpoint);
}

// ---- queries ----------------------------------------------------------------------------------------------------

#[test]
fn refuses_a_repeated_key_of_which_dockerd_takes_the_first_and_podman_the_last() {
    for target in [
        "/images/create?fromImage=localhost:1/a&fromImage=localhost:2/b",
        "/images/create?fromImage=&fromImage=localhost:2/b",
        "/images/create?fromImage=a&from%49mage=b",
        "/containers/t1/kill?signal=BAD1&signal=BAD2",
        "/images/nosuch/tag?repo=a&repo=b",
        "/containers/t1/start?checkpoint=a&checkpoint=a",
    ] {
        assert_eq!(fault(post(target)), FaultKind::DuplicateKey, "{target}");
    }
    for target in ["/containers/json?all=1&all=0", "/containers/json?all&all", "/containers/t1/archive?path=/a&path=/b"] {
        assert_eq!(fault(get(target)), FaultKind::DuplicateKey, "{target}");
    }
}

#[test]
fn keeps_the_order_of_keys_that_are_lists() {
    assert_eq!(accepted(get("/images/get?names=b&names=a")).1, "/images/get?names=b&names=a");
}

#[test]
fn reads_keys_in_their_own_case_only_and_decoded() {
    assert_eq!(accepted(get("/containers/json?All=1&ALL=1")).1, "/containers/json");
    assert_eq!(accepted(get("/containers/json?%61ll=1")).1, "/containers/json?all=1");
    assert_eq!(accepted(get("/containers/json?all+=1&all[]=1&%20all=1")).1, "/containers/json");
    assert_eq!(accepted(post("/images/create?from%49mage=a")).1, "/images/create?fromImage=a");
    assert_eq!(fault(post("/images/create?FromImage=localhost:2/b")), FaultKind::UnknownQueryKey);
    assert_eq!(fault(post("/containers/x/start?bogus=1")), FaultKind::UnknownQueryKey);
}

#[test]
fn refuses_semicolons_and_bad_escapes_in_a_query() {
    for query in [
        "all=1;limit=1",
        ";",
        "all=1;",
        "all;=1",
        "%zz=1",
        "all=%zz",
        "all=%",
        "all=%4",
        "x=%zz",
        "all=%ff",
        "%00=1",
        "all=%00",
        "all=\u{7f}%01",
    ] {
        assert!(matches!(fault(get(&format!("/containers/json?{query}"))), FaultKind::BadQuery | FaultKind::BadPath), "{query}");
    }
    // An encoded semicolon separates nothing.
    assert_eq!(accepted(get("/containers/t1/archive?path=%3b")).1, "/containers/t1/archive?path=%3B");
}

#[test]
fn skips_empty_pairs_and_splits_at_the_first_equals_sign() {
    assert_eq!(accepted(get("/containers/json?&&all=1&")).1, "/containers/json?all=1");
    assert_eq!(accepted(get("/containers/json?")).1, "/containers/json");
    assert_eq!(accepted(get("/containers/t1/archive?path=a=b")).1, "/containers/t1/archive?path=a%3Db");
    assert_eq!(accepted(get("/containers/t1/archive?path=a?b/../c")).1, "/containers/t1/archive?path=a%3Fb%2F..%2Fc");
    assert_eq!(accepted(get("/containers/json?/../info")).1, "/containers/json");
    assert_eq!(accepted(get("/containers/t1/archive?path=a+b%2Bc")).1, "/containers/t1/archive?path=a%20b%2Bc");
}

#[test]
fn reads_booleans_as_the_engine_does_and_writes_1_or_0() {
    for truth in
        ["1", "true", "True", "TRUE", "t", "T", "yes", "on", "off", "f", "F", "n", "-1", "2", "00", "0.0", "null", "%201", "false0", "x"]
    {
        assert_eq!(accepted(get(&format!("/containers/json?all={truth}"))).1, "/containers/json?all=1", "{truth}");
    }
    for falsehood in ["0", "no", "NO", "No", "false", "False", "FALSE", "none", "None", "%20no%20", "+false", "%090"] {
        assert_eq!(accepted(get(&format!("/containers/json?all={falsehood}"))).1, "/containers/json?all=0", "{falsehood}");
    }
    for empty in ["?all", "?all="] {
        assert_eq!(accepted(get(&format!("/containers/json{empty}"))).1, "/containers/json?all=", "{empty}");
    }
}

#[test]
fn refuses_integers_that_two_parsers_could_read_differently() {
    for number in ["1.0", "1e3", "+1", "%2b1", "0x10", "1_0", "--1", "a", "%201", "1%20", "-"] {
        assert_eq!(fault(get(&format!("/containers/json?limit={number}"))), FaultKind::BadQueryValue, "{number}");
    }
    assert_eq!(accepted(get("/containers/json?limit=-1")).1, "/containers/json?limit=-1");
}

#[test]
fn reads_json_in_a_query_with_the_strict_reader_and_writes_it_anew() {
    let own = "/containers/json?filters=%7B%22name%22%3A%7B%22t1%22%3Atrue%7D%7D";
    for filters in [r#"{"name":["t1"]}"#, r#"{"name":{"t1":true}}"#, "%7B%22name%22%3A%5B%22t1%22%5D%7D", r#"{"n\u0061me":["t1","t1"]}"#] {
        assert_eq!(accepted(get(&format!("/containers/json?filters={filters}"))).1, own, "{filters}");
    }
    for filters in [r#"{"name":["a"],"name":["b"]}"#, r#"{"name":{"a":true,"a":true}}"#] {
        assert_eq!(fault(get(&format!("/containers/json?filters={filters}"))), FaultKind::DuplicateKey, "{filters}");
    }
    for filters in
        ["x", "{", "[]", "1", r#"{"name":["a"]}}"#, r#"{"name":["a"]}]"#, r#"{"name":"a"}"#, r#"{"name":[1]}"#, r#"{"a":{"b":1}}"#]
    {
        assert!(
            matches!(fault(get(&format!("/containers/json?filters={filters}"))), FaultKind::BadJson | FaultKind::BadQueryValue),
            "{filters}"
        );
    }
    // What is `false` means nothing or something by the filter: harmless where it only reads.
    assert!(accepted(get(r#"/containers/json?filters={"a":{"b":false}}"#)).1.contains("false"));
    assert_eq!(fault(post(r#"/containers/prune?filters={"a":{"b":false}}"#)), FaultKind::BadQueryValue);
    // Filters are a map to the engine: their keys do not fold.
    assert!(accepted(get(r#"/containers/json?filters={"NAME":["t1"]}"#)).1.contains("NAME"));
}

// ---- bodies that are parameters ---------------------------------------------------------------------------------

#[test]
fn refuses_form_bodies_on_every_method_whatever_the_spelling() {
    for essence in [
        "application/x-www-form-urlencoded",
        "APPLICATION/X-WWW-FORM-URLENCODED",
        "application/x-www-form-urlencoded; charset=utf-8",
        "application/x-www-form-urlencoded;",
        " application/x-www-form-urlencoded\t",
        "application/x-www-form-urlencoded ;a=b",
        "multipart/form-data; boundary=B",
        "Multipart/Mixed",
    ] {
        for (method, target) in [
            ("POST", "/images/create?fromImage=localhost:1/q"),
            ("POST", "/containers/t1/kill?signal=BAD"),
            ("POST", "/containers/t1/stop?t=1"),
            ("POST", "/containers/prune"),
            ("POST", "/containers/create"),
            ("POST", "/build"),
            ("PUT", "/containers/t1/archive?path=/a"),
            ("GET", "/containers/json"),
            ("DELETE", "/containers/x"),
            ("HEAD", "/_ping"),
        ] {
            for framing in ["Content-Length: 0", "Transfer-Encoding: chunked", "X: y"] {
                let headers = format!("Content-Type:{essence}\r\n{framing}\r\n");
                assert_eq!(fault(request(method, target, &headers)), FaultKind::FormBody, "{method} {target} {essence}");
            }
        }
    }
}

#[test]
fn refuses_two_content_types_of_which_the_first_counts_in_go_but_those_that_bollard_sends() {
    let pairs = [
        (["application/json", "application/x-www-form-urlencoded"], FaultKind::FormBody),
        (["application/x-www-form-urlencoded", "application/json"], FaultKind::FormBody),
        (["text/plain", "application/json"], FaultKind::ContentType),
        (["application/json", "application/x-tar"], FaultKind::RepeatedHeader),
        (["application/json", "application/json"], FaultKind::RepeatedHeader),
    ];
    for (pair, expected) in pairs {
        let headers = format!("Content-Type: {}\r\ncontent-type: {}\r\n", pair[0], pair[1]);
        let outcome = json("/containers/create", &headers, r#"{"Image":"a"}"#);
        assert_eq!(fault(outcome), expected, "{pair:?}");
    }
}

#[test]
fn takes_json_bodies_only_as_application_json() {
    for essence in [
        "application/json",
        "Application/JSON",
        "application/json; charset=utf-8",
        "application/json;",
        " application/json ",
        "application/json;charset=utf-16",
    ] {
        let outcome = json("/containers/create", &format!("Content-Type:{essence}\r\n"), r#"{"Image":"a"}"#);
        assert_eq!(accepted(outcome).0, Operation::ContainerCreate, "{essence}");
    }
    for essence in [
        "text/plain",
        "",
        "application/jsonx",
        "application/vnd.api+json",
        "application/json, text/plain",
        "text/json",
        "application/ json",
        "json",
    ] {
        let outcome = json("/containers/create", &format!("Content-Type: {essence}\r\n"), r#"{"Image":"a"}"#);
        assert_eq!(fault(outcome), FaultKind::ContentType, "{essence}");
    }
    assert_eq!(fault(json("/containers/create", "", r#"{"Image":"a"}"#)), FaultKind::ContentType);
}

#[test]
fn refuses_content_encodings_which_the_engine_never_looks_at() {
    for encoding in ["gzip", "deflate", "identity", "br", ""] {
        let headers = format!("Content-Type: application/json\r\nContent-Encoding: {encoding}\r\n");
        assert_eq!(fault(json("/containers/create", &headers, r#"{"Image":"a"}"#)), FaultKind::ContentEncoding, "{encoding}");
    }
}

#[test]
fn refuses_a_body_where_the_operation_reads_none() {
    for body in [r#"{"Privileged":true}"#, r#"{"Binds":["/etc:/h"]}"#, "x", "[]", "signal=KILL"] {
        assert_eq!(fault(json("/containers/x/start", "Content-Type: application/json\r\n", body)), FaultKind::BodyUnexpected, "{body}");
        assert_eq!(fault(json("/containers/x/start", "", body)), FaultKind::BodyUnexpected, "{body}");
    }
    for body in ["{}", "null", "", r#"{"checkpoint":"a"}"#] {
        assert_eq!(accepted(json("/containers/x/start", "", body)), (Operation::ContainerStart, "/containers/x/start".into()), "{body}");
    }
}

// ---- heads ------------------------------------------------------------------------------------------------------

#[test]
fn accepts_a_missing_or_empty_host_and_those_of_real_clients() {
    assert!(raw("GET /info HTTP/1.1\r\n\r\n").is_ok());
    assert!(raw("GET /info HTTP/1.0\r\n\r\n").is_ok());
    for host in
        ["", "localhost", "docker", "api.moby.localhost", "1.28", "%2Fvar%2Frun%2Fdocker.sock", "2f7661722f72756e", "[::1]:2375", "d:2375"]
    {
        assert!(raw(format!("GET /info HTTP/1.1\r\nHost: {host}\r\n\r\n")).is_ok(), "{host}");
    }
}

#[test]
fn refuses_two_hosts_and_hosts_that_are_none() {
    for second in ["Host: d", "host: e", "HOST:"] {
        assert_eq!(fault(raw(format!("GET /info HTTP/1.1\r\nHost: d\r\n{second}\r\n\r\n"))), FaultKind::RepeatedHeader, "{second}");
    }
    for host in ["a/b", "a b", "a,b", "a@b", "a?b", "a#b", "http://d", "a\\b", "a;b", "\u{7f}"] {
        let kind = fault(raw(format!("GET /info HTTP/1.1\r\nHost: {host}\r\n\r\n")));
        assert!(matches!(kind, FaultKind::BadHost | FaultKind::MalformedHead), "{host}");
    }
}

#[test]
fn refuses_every_protocol_version_but_1_0_and_1_1() {
    for version in [
        "HTTP/1.2",
        "HTTP/1.9",
        "HTTP/2.0",
        "HTTP/2",
        "HTTP/0.9",
        "HTTP/3",
        "HTTP/1",
        "HTTP/1.10",
        "HTTP/01.1",
        "http/1.1",
        "HTTP/1,1",
        "ICY/1.1",
    ] {
        assert_eq!(fault(raw(format!("GET /info {version}\r\nHost: d\r\n\r\n"))), FaultKind::HttpVersion, "{version}");
    }
    assert_eq!(fault(raw("GET /info\r\n\r\n")), FaultKind::MalformedHead);
}

#[test]
fn refuses_http_2_in_every_disguise() {
    assert_eq!(fault(raw("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")), FaultKind::Http2);
    for upgrade in ["h2c", "H2C", "tcp, h2c", "h2c,websocket", "h2"] {
        let headers = format!("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: {upgrade}\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n");
        for (method, target) in [("GET", "/containers/json"), ("POST", "/session"), ("POST", "/grpc"), ("POST", "/containers/x/attach")] {
            assert_eq!(fault(request(method, target, &headers)), FaultKind::Http2, "{method} {target} {upgrade}");
        }
    }
    let later = drive(b"GET /info HTTP/1.1\r\nHost: d\r\n\r\nPRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    assert!(later[0].is_ok() && later[1].as_ref().is_err_and(|fault| fault.kind == FaultKind::Http2));
}

#[test]
fn refuses_folded_header_lines_which_go_joins() {
    for fold in ["X: a\r\n b", "X: a\r\n\tb", "Host: d\r\n e", "Transfer-Encoding:\r\n chunked", "Content-Length: 1\r\n 0", " X: a"] {
        assert_eq!(fault(raw(format!("POST /containers/x/start HTTP/1.1\r\n{fold}\r\n\r\n"))), FaultKind::MalformedHead, "{fold:?}");
    }
}

#[test]
fn refuses_bare_line_feeds_and_carriage_returns_which_go_accepts() {
    for head in [
        "GET /info HTTP/1.1\nHost: d\n\n",
        "GET /info HTTP/1.1\r\nHost: d\n\r\n",
        "GET /info HTTP/1.1\nHost: d\r\n\r\n",
        "GET /info HTTP/1.1\r\nHost: d\r\n\n",
        "GET /info HTTP/1.1\r\nX: a\nContent-Length: 5\r\n\r\n",
        "GET /info HTTP/1.1\r\nX: a\rContent-Length: 5\r\n\r\n",
        "GET /info HTTP/1.1\r\nHost: d\r\r\n\r\n",
        "GET /info HTTP/1.1\r\nX: a\0b\r\n\r\n",
    ] {
        assert_eq!(fault(raw(head)), FaultKind::MalformedHead, "{head:?}");
    }
}

#[test]
fn refuses_header_lines_that_readers_skip_or_repair() {
    for line in [
        "Content-Length : 5",
        "Transfer-Encoding : chunked",
        ": x",
        "no colon",
        "X\u{b}Y: a",
        "X Y: a",
        "X(Y): a",
        "X: \u{1}",
        "Content-Length\t: 5",
        "\"X\": a",
    ] {
        assert_eq!(fault(request("POST", "/containers/x/start", &format!("{line}\r\n"))), FaultKind::MalformedHead, "{line:?}");
    }
}

#[test]
fn refuses_heads_beyond_its_own_limits() {
    let long = format!("X: {}\r\n", "a".repeat(40_000));
    assert_eq!(fault(request("GET", "/info", &long)), FaultKind::HeadTooLarge);
    assert_eq!(fault(request("GET", "/info", &"X: y\r\n".repeat(200))), FaultKind::HeadTooLarge);
    assert_eq!(fault(get(&format!("/containers/json?x={}", "a".repeat(100_000)))), FaultKind::HeadTooLarge);
}

// ---- framing ----------------------------------------------------------------------------------------------------

fn framed(headers: &str, rest: &str) -> Vec<Outcome> {
    drive(format!("POST /containers/create HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\n{headers}\r\n{rest}").as_bytes())
}

#[test]
fn refuses_content_length_beside_transfer_encoding() {
    for headers in [
        "Content-Length: 13\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n",
        "Content-Length: 13\r\nTransfer-Encoding: identity\r\n",
        "Content-Length:\r\nTransfer-Encoding: chunked\r\n",
        "content-length: 13\r\ntransfer-encoding:\r\n",
    ] {
        let outcomes = framed(headers, "d\r\n{\"Image\":\"a\"}\r\n0\r\n\r\nGET /info HTTP/1.1\r\n\r\n");
        assert_eq!(outcomes.len(), 1, "{headers}");
        assert_eq!(outcomes[0].as_ref().unwrap_err().kind, FaultKind::LengthAndEncoding, "{headers}");
    }
}

#[test]
fn refuses_every_content_length_that_is_not_one_plain_number() {
    for value in
        ["", " ", "+13", "-1", "0x0d", "13, 13", "13,13", "1 3", "13;", "1e1", "13.0", "٣", "99999999999999999999", "18446744073709551616"]
    {
        let kind = framed(&format!("Content-Length: {value}\r\n"), r#"{"Image":"a"}"#).remove(0).unwrap_err().kind;
        assert_eq!(kind, FaultKind::BadContentLength, "{value:?}");
    }
    // Leading zeros are decimal to every reader, and the length is written anew.
    assert!(framed("Content-Length: 0013\r\n", r#"{"Image":"a"}"#)[0].is_ok());
    for value in ["13\r\nContent-Length: 13", "13\r\ncontent-length: 14", "0\r\nContent-Length: 13"] {
        let kind = framed(&format!("Content-Length: {value}\r\n"), r#"{"Image":"a"}"#).remove(0).unwrap_err().kind;
        assert_eq!(kind, FaultKind::RepeatedHeader, "{value:?}");
    }
}

#[test]
fn refuses_every_transfer_encoding_but_one_chunked_on_1_1() {
    for value in [
        "gzip, chunked",
        "chunked, chunked",
        "identity",
        "chunked;q=1",
        "xchunked",
        "chunked,",
        ",chunked",
        "",
        "\"chunked\"",
        "chunked x",
        "chun\u{212a}ed",
    ] {
        let kind = framed(&format!("Transfer-Encoding: {value}\r\n"), "0\r\n\r\n").remove(0).unwrap_err().kind;
        assert_eq!(kind, FaultKind::TransferEncoding, "{value:?}");
    }
    let kind = framed("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", "0\r\n\r\n").remove(0).unwrap_err().kind;
    assert_eq!(kind, FaultKind::RepeatedHeader);
    let old = "POST /containers/create HTTP/1.0\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    assert_eq!(fault(raw(old)), FaultKind::TransferEncoding);
    for value in ["chunked", "Chunked", "CHUNKED", " chunked\t"] {
        let outcomes = framed(&format!("Transfer-Encoding:{value}\r\n"), "d\r\n{\"Image\":\"a\"}\r\n0\r\n\r\n");
        assert!(outcomes[0].is_ok(), "{value:?}");
    }
}

#[test]
fn cuts_chunks_by_the_letter_of_the_grammar() {
    for body in
        ["d\r\n{\"Image\":\"a\"}\r\n0\r\n\r\n", "00d\r\n{\"Image\":\"a\"}\r\n000\r\n\r\n", "D\r\n{\"Image\":\"a\"}\r\n0\r\nX: y\r\n\r\n"]
    {
        let outcomes = framed("Transfer-Encoding: chunked\r\n", &format!("{body}GET /info HTTP/1.1\r\n\r\n"));
        assert_eq!(accepted(outcomes.into_iter().nth(1).unwrap()).0, Operation::SystemInfo, "{body:?}");
    }
    for body in [
        "d \r\n{\"Image\":\"a\"}\r\n0\r\n\r\n",
        " d\r\n{\"Image\":\"a\"}\r\n0\r\n\r\n",
        "0xd\r\n{\"Image\":\"a\"}\r\n0\r\n\r\n",
        "+d\r\n{\"Image\":\"a\"}\r\n0\r\n\r\n",
        "-d\r\n{\"Image\":\"a\"}\r\n0\r\n\r\n",
        "d;x=y\r\n{\"Image\":\"a\"}\r\n0\r\n\r\n",
        "d;\r\n{\"Image\":\"a\"}\r\n0\r\n\r\n",
        "d\n{\"Image\":\"a\"}\r\n0\r\n\r\n",
        "d\r\n{\"Image\":\"a\"}\n0\r\n\r\n",
        "d\r\n{\"Image\":\"a\"}0\r\n\r\n",
        "d\r\n{\"Image\":\"a\"}\r\n0\n\n",
        "d\r\n{\"Image\":\"a\"}\r\n0\r\n\n",
        "c\r\n{\"Image\":\"a\"}\r\n0\r\n\r\n",
        "\r\n{\"Image\":\"a\"}\r\n0\r\n\r\n",
        "x\r\n{\"Image\":\"a\"}\r\n0\r\n\r\n",
        "1000000000000000d\r\n{\"Image\":\"a\"}\r\n0\r\n\r\n",
        "1000000000000000d0\r\n{\"Image\":\"a\"}\r\n0\r\n\r\n",
        "d\r\n{\"Image\":\"a\"}\r\n0\r\nno colon\r\n\r\n",
    ] {
        let outcomes = framed("Transfer-Encoding: chunked\r\n", &format!("{body}GET /info HTTP/1.1\r\n\r\n"));
        assert_eq!(outcomes.len(), 1, "{body:?}");
        let kind = outcomes[0].as_ref().unwrap_err().kind;
        assert!(matches!(kind, FaultKind::BadChunk | FaultKind::BodyIncomplete), "{body:?}: {kind:?}");
    }
}

#[test]
fn waits_for_the_whole_body_where_the_engine_would_act_on_a_part() {
    for (headers, body) in [
        ("Content-Length: 50\r\n", r#"{"Image":"a"}"#),
        ("Transfer-Encoding: chunked\r\n", "d\r\n{\"Image\":\"a\"}\r\n"),
        ("Transfer-Encoding: chunked\r\n", "d\r\n{\"Image\":\"a\"}\r\n0\r\n"),
    ] {
        assert_eq!(framed(headers, body).remove(0).unwrap_err().kind, FaultKind::BodyIncomplete, "{headers}{body}");
    }
}

#[test]
fn reads_bytes_after_a_request_as_the_next_one_as_the_engines_do() {
    let outcomes = framed("Content-Length: 13\r\n", "{\"Image\":\"a\"}GET /version HTTP/1.1\r\nHost: d\r\n\r\n");
    let operations: Vec<_> = outcomes.into_iter().map(|outcome| accepted(outcome).0).collect();
    assert_eq!(operations, [Operation::ContainerCreate, Operation::SystemVersion]);
    // Without framing there is no body: what follows is not one, and no request either.
    let outcomes = framed("", r#"{"Image":"a"}"#);
    assert_eq!(outcomes[0].as_ref().unwrap_err().kind, FaultKind::BodyMissing);
    assert!(outcomes.iter().all(Result::is_err));
    let outcomes = drive(b"POST /containers/x/start HTTP/1.1\r\n\r\nGET /info HTTP/1.1\r\n\r\n");
    assert_eq!(
        outcomes.into_iter().map(|outcome| accepted(outcome).0).collect::<Vec<_>>(),
        [Operation::ContainerStart, Operation::SystemInfo]
    );
}

#[test]
fn reads_nothing_as_a_request_after_a_tunnel_began() {
    let wire = b"POST /containers/x/attach?stream=1 HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\nGET /info HTTP/1.1\r\n\r\n";
    let outcomes = drive(wire);
    assert_eq!(outcomes.len(), 1);
    assert_eq!(outcomes[0].as_ref().unwrap().row().kind, Kind::Tunnel);
}

#[test]
fn ignores_an_upgrade_on_operations_that_have_none() {
    for upgrade in ["tcp", "foo", "TLS/1.0", "tcp, foo"] {
        let headers = format!("Connection: Upgrade\r\nUpgrade: {upgrade}\r\n");
        assert_eq!(
            accepted(request("GET", "/containers/json", &headers)),
            (Operation::ContainerList, "/containers/json".into()),
            "{upgrade}"
        );
        assert_eq!(accepted(request("GET", "/info", &headers)).0, Operation::SystemInfo, "{upgrade}");
    }
}

#[test]
fn accepts_only_one_expectation_and_only_with_a_body() {
    let continues = "Content-Type: application/json\r\nExpect: 100-continue\r\n";
    assert!(json("/containers/create", continues, r#"{"Image":"a"}"#).is_ok());
    for expect in ["200-ok", "100-continue, x", "", "100"] {
        let headers = format!("Content-Type: application/json\r\nExpect: {expect}\r\n");
        assert_eq!(fault(json("/containers/create", &headers, r#"{"Image":"a"}"#)), FaultKind::Expectation, "{expect:?}");
    }
    assert_eq!(fault(request("GET", "/info", "Expect: 100-continue\r\n")), FaultKind::Expectation);
    assert_eq!(fault(request("POST", "/containers/x/start", "Content-Length: 0\r\nExpect: 100-continue\r\n")), FaultKind::Expectation);
}

#[test]
fn drops_trailers_whatever_they_are_called() {
    let body = "d\r\n{\"Image\":\"a\"}\r\n0\r\nContent-Length: 5\r\nHost: evil\r\nX-Registry-Auth: x\r\n\r\n";
    let action = framed("Transfer-Encoding: chunked\r\n", body).remove(0).unwrap();
    assert_eq!(action.json().unwrap().encode(), r#"{"Image":"a"}"#);
    assert!(action.registry_auth.is_none());
}

// ---- the table of which route engines ran -----------------------------------------------------------------------

#[test]
fn never_names_another_operation_than_the_engines_ran() {
    let corpus: Vec<Json> = serde_json::from_str(include_str!("../corpus/routing_on_engines.json")).unwrap();
    assert_eq!(corpus.len(), 427);
    let (mut refused, mut taken, mut agreed, mut unknown, mut nothing) = (0, 0, 0, 0, 0);
    for case in &corpus {
        let outcomes = drive(&wire_of(case));
        match outcomes.iter().any(Result::is_ok) {
            true => taken += 1,
            false => refused += 1,
        }
        for (at, action) in outcomes.iter().enumerate().filter_map(|(at, outcome)| Some((at, outcome.as_ref().ok()?))) {
            for record in case["engines"].as_array().unwrap() {
                let ran = &record["ran"][at];
                let text = format!("{} {}: {} on {} ran {ran}", case["id"], case["raw"], action.target(), record["of"]);
                match engine_ran(ran[0].as_u64(), ran[1].as_str().unwrap_or("(empty)"), action) {
                    Ran::Same => agreed += 1,
                    Ran::Unknown => unknown += 1,
                    Ran::Nothing => {
                        let docker = record["of"].as_array().unwrap().iter().any(|of| !of.as_str().unwrap().contains("podman"));
                        assert!(
                            !docker || STRICTER.contains(&case["id"].as_u64().unwrap()),
                            "a request that no Docker Engine routes: {text}"
                        );
                        nothing += 1;
                    }
                    Ran::Other => panic!("another operation: {text}"),
                }
            }
        }
    }
    println!(
        "routing on engines: {refused} refused, {taken} with an accepted request; {agreed} of the same operation, {unknown} unknown, {nothing} no route"
    );
    assert_eq!(refused + taken, 427);
    assert!(agreed >= 190 && unknown <= 45, "{agreed} {unknown}");
}

/// What Docker Engines refuse and dockgate writes anew in a form that they take: `/v1.41/debug/vars` (not a route
/// before 28), no Host (accepted on purpose), and empty lines before a request line (RFC 9112 §2.2).
const STRICTER: [u64; 3] = [250, 373, 403];

#[test]
fn the_comparison_knows_another_operation_when_it_sees_one() {
    let list = get("/containers/json").unwrap();
    let inspect = get("/containers/t1/json").unwrap();
    assert_eq!(engine_ran(Some(200), "containers/json n=1", &list), Ran::Same);
    assert_eq!(engine_ran(Some(200), "containers/json n=1", &inspect), Ran::Other);
    assert_eq!(engine_ran(Some(404), "ERR: No such container: t1", &inspect), Ran::Same);
    assert_eq!(engine_ran(Some(404), "ERR: No such container: t1/start", &inspect), Ran::Other);
    assert_eq!(engine_ran(Some(404), "ERR: No such image: json:latest", &inspect), Ran::Other);
    assert_eq!(engine_ran(Some(101), "HIJACK/UPGRADE tcp x", &inspect), Ran::Other);
    assert_eq!(engine_ran(Some(301), "(empty)", &inspect), Ran::Nothing);
    assert_eq!(engine_ran(Some(200), "(empty)", &inspect), Ran::Unknown);
}

fn wire_of(case: &Json) -> Vec<u8> {
    let latin = |text: &str| text.chars().map(|c| u8::try_from(u32::from(c)).expect("a byte")).collect::<Vec<u8>>();
    let mut out = latin(case["raw"].as_str().unwrap());
    for part in case["then"].as_array().into_iter().flatten() {
        out.extend(latin(part[0].as_str().unwrap()).repeat(part[1].as_u64().unwrap() as usize));
    }
    out
}

/// What an engine's reply shows about the route that it ran.
#[derive(Debug, PartialEq)]
enum Ran {
    /// The operation that dockgate read, on the same object where the reply names one.
    Same,
    /// Another one.
    Other,
    /// None: the router or the server itself refused.
    Nothing,
    /// The reply does not show it.
    Unknown,
}

fn engine_ran(status: Option<u64>, shown: &str, action: &Action) -> Ran {
    use Operation as O;
    let operation = action.endpoint.operation;
    let same = |is: bool| if is { Ran::Same } else { Ran::Other };
    let shown = shown.split(" n=").next().unwrap_or_default();
    let exact = match shown {
        "_ping" => Some([O::SystemPing, O::SystemPingHead]),
        "version" => Some([O::SystemVersion; 2]),
        "info" => Some([O::SystemInfo; 2]),
        "containers/json" => Some([O::ContainerList; 2]),
        "containers/{}/json name=/t1" => Some([O::ContainerInspect; 2]),
        "containers/{}/changes" => Some([O::ContainerChanges; 2]),
        "images/{}/json" => Some([O::ImageInspect; 2]),
        "images/{}/history" => Some([O::ImageHistory; 2]),
        "networks" => Some([O::NetworkList; 2]),
        "volumes" => Some([O::VolumeList; 2]),
        "passwd" | "/" => Some([O::ContainerArchive; 2]),
        "HIJACK/UPGRADE websocket " => Some([O::ContainerAttachWebsocket; 2]),
        "obj:CreatedAt,Driver,Labels,Mountpoint,Name" => Some([O::VolumeCreate, O::VolumeInspect]),
        "obj:cmdline,memstats" => Some([O::DebugVars; 2]),
        _ => None,
    };
    if let Some(either) = exact {
        return same(either.contains(&operation) && (!shown.ends_with("/t1") || action.endpoint.name() == Some("t1")));
    }
    if shown.starts_with("HIJACK/UPGRADE") {
        return same(action.row().kind == Kind::Tunnel);
    }
    let routed_nowhere = ["no route", "Not Found", "Method Not Allowed"].contains(&shown) || shown.starts_with("400 Bad Request");
    if routed_nowhere || shown.contains("client version") || matches!(status, Some(301 | 405 | 431 | 501)) {
        return Ran::Nothing;
    }
    object_of(shown).map_or(Ran::Unknown, |(families, name)| {
        let family = families.iter().any(|family| action.row().path.starts_with(family));
        let object = action.endpoint.name().unwrap_or_default();
        let named = match name {
            Some(name) if action.row().path.contains('{') => name == object || name.strip_suffix(":latest") == Some(object),
            _ => true,
        };
        same(family && named)
    })
}

/// The paths that an error message can come from, and the object that it names.
fn object_of(shown: &str) -> Option<(&'static [&'static str], Option<&str>)> {
    let quoted = |after: &str| shown.split_once(after).and_then(|(_, rest)| rest.split("\\\"").next());
    let last = |after: &str| shown.rsplit_once(after).map(|(_, rest)| rest);
    let find = |text: &str| shown.contains(text);
    Some(match () {
        () if find("No such container: ") => (&["/containers/", "/commit"], last("No such container: ")),
        () if find("no container with") => (&["/containers/", "/commit"], quoted("ID \\\"")),
        () if find("No such exec instance: ") => (&["/exec/"], last("No such exec instance: ")),
        () if find("exec session with ID") => (&["/exec/"], shown.split("with ID ").nth(1).and_then(|rest| rest.split(' ').next())),
        () if find("No such image: ") && !find("docker.io/") => (&["/images/", "/containers/create"], last("No such image: ")),
        () if find("image not known") || find("such image") || find("failed to find image") => {
            (&["/images/", "/containers/create", "/distribution/"], None)
        }
        () if find("An image does not exist locally") => (&["/images/"], None),
        () if find("no such volume") || find("no volume with name") => (&["/volumes/"], None),
        () if find("network") && find("not found") => (&["/networks/"], None),
        () if find("plugin") && find("not found") => (&["/plugins/"], None),
        () if find("/v2/\\\": dial") || find("no Host in request URL") => (&["/images/create", "/distribution/", "/images/"], None),
        () if find("swarm manager") => (&["/swarm", "/nodes", "/services", "/tasks", "/secrets", "/configs"], None),
        () if find("starting container with non-empty") => (&["/containers/{id}/start"], None),
        () if find("No exec command specified") => (&["/containers/{id}/exec"], None),
        () if find("invalid resize height") => (&["/containers/{id}/resize"], None),
        () if find("no such container") => (&["/containers/{id}/", "/commit"], None),
        () if find("no such secret") => (&["/secrets/"], None),
        () if find("Cannot locate specified Dockerfile") || find("libpod_builder") => (&["/build"], None),
        () if shown == "dockerd" => (&["/debug/pprof"], None),
        () if shown == "created" => (&["/networks/{id}"], None),
        () if find("Could not find the file") => (&["/containers/{id}/archive"], None),
        () if find("nvalid filter") || find("is an invalid filter") => (&["/containers/", "/images/", "/volumes", "/networks"], None),
        () => return None,
    })
}
