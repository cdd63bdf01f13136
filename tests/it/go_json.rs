//! What Go's JSON decoder does with odd bodies, and what dockgate makes of each: it refuses, re-spells or re-encodes.
//! Knows nothing of policies; `corpus/json_on_engines.json` holds what five engines understood of each body.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::wildcard_enum_match_arm,
    reason = "helpers of tests"
)]

use dockgate::docker::decode::{self, Typed, fold};
use dockgate::docker::json::{self, MAX_DEPTH, MAX_NODES, Value};
use dockgate::docker::schema::{self, Field, Schema, Type};
use dockgate::docker::{Action, Endpoint, Fault, FaultKind, Head, Operation};
use serde_json::Value as Json;

/// Every schema of a whole body that the tables hold.
const SCHEMAS: [&Schema; 20] = [
    &schema::CONTAINER_CREATE,
    &schema::EXEC_CREATE,
    &schema::EXEC_START,
    &schema::NETWORK_CREATE,
    &schema::NETWORK_CONNECT,
    &schema::NETWORK_DISCONNECT,
    &schema::VOLUME_CREATE,
    &schema::VOLUME_UPDATE,
    &schema::CONTAINER_UPDATE,
    &schema::IMAGE_COMMIT,
    &schema::CHECKPOINT_CREATE,
    &schema::SERVICE_SPEC,
    &schema::SECRET_SPEC,
    &schema::CONFIG_SPEC,
    &schema::SWARM_INIT,
    &schema::SWARM_JOIN,
    &schema::SWARM_SPEC,
    &schema::SWARM_UNLOCK,
    &schema::NODE_SPEC,
    &schema::AUTH_CONFIG,
];

/// A body on its whole way from the wire to an action.
fn send(path: &str, body: &[u8]) -> Result<Action, Fault> {
    let head = format!("POST {path} HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n", body.len());
    let (head, _) = Head::parse(head.as_bytes())?.expect("a whole head");
    let endpoint = Endpoint::find(&head)?;
    Action::reading(endpoint.operation.row(), &head, usize::MAX)?;
    Action::build(&head, endpoint, body)
}

fn create(body: impl AsRef<[u8]>) -> Result<Action, Fault> {
    send("/v1.44/containers/create", body.as_ref())
}

/// The text that goes upstream.
fn forwarded(body: impl AsRef<[u8]>) -> String {
    let body = body.as_ref();
    let action = create(body).unwrap_or_else(|fault| panic!("{fault:?}: {}", String::from_utf8_lossy(body)));
    action.json().expect("a body").encode()
}

fn refused(body: impl AsRef<[u8]>) -> (FaultKind, String) {
    let body = body.as_ref();
    match create(body) {
        Ok(action) => panic!("forwarded {} for {}", action.json().expect("a body").encode(), String::from_utf8_lossy(body)),
        Err(fault) => (fault.kind, fault.at),
    }
}

fn host(fields: &str) -> String {
    format!(r#"{{"Image":"a","HostConfig":{{{fields}}}}}"#)
}

fn all_refused(kind: FaultKind, bodies: &[&str]) {
    for body in bodies {
        assert_eq!(refused(body).0, kind, "{body}");
    }
}

// ---- keys -------------------------------------------------------------------------------------------------------

#[test]
fn writes_keys_of_any_ascii_case_in_their_own_spelling() {
    let own = r#"{"Image":"a","HostConfig":{"Privileged":true}}"#;
    for body in [
        r#"{"image":"a","hostconfig":{"privileged":true}}"#,
        r#"{"IMAGE":"a","HOSTCONFIG":{"PRIVILEGED":true}}"#,
        r#"{"iMaGe":"a","hOsTcOnFiG":{"pRiViLeGeD":true}}"#,
    ] {
        assert_eq!(forwarded(body), own);
    }
}

#[test]
fn folds_the_long_s_to_s_and_the_kelvin_sign_to_k() {
    assert_eq!(forwarded(r#"{"HoſtConfig":{"Bindſ":["/:/h"]}}"#), r#"{"HostConfig":{"Binds":["/:/h"]}}"#);
    assert_eq!(forwarded("{\"HostConfig\":{\"NETWOR\u{212a}MODE\":\"host\"}}"), r#"{"HostConfig":{"NetworkMode":"host"}}"#);
    assert_eq!(forwarded("{\"HostConfig\":{\"Lin\u{212a}ſ\":[\"a:b\"]}}"), r#"{"HostConfig":{"Links":["a:b"]}}"#);
}

#[test]
fn reads_escapes_in_keys_before_it_folds_them() {
    for body in [
        r#"{"Ho\u017ftConfig":{"Privileged":true}}"#,
        r#"{"\u0048ostConfig":{"\u0050rivileged":true}}"#,
        r#"{"HO\u017FTconfig":{"privilege\u0064":true}}"#,
    ] {
        assert_eq!(forwarded(body), r#"{"HostConfig":{"Privileged":true}}"#);
    }
    assert_eq!(forwarded(r#"{"HostConfig":{"Networ\u212aMode":"host"}}"#), r#"{"HostConfig":{"NetworkMode":"host"}}"#);
}

#[test]
fn folds_nothing_else_than_go_does() {
    for key in [
        "Prıvileged",
        "PRİVILEGED",
        "Ｐrivileged",
        "ｐｒｉｖｉｌｅｇｅｄ",
        "Privileged\u{301}",
        "P\u{200b}rivileged",
        "Privileged ",
        " Privileged",
        "Priv-ileged",
        "Priv_ileged",
        "Privileged\\u0000",
        "Privileged\\t",
        "Рrivileged",
    ] {
        assert_eq!(refused(host(&format!(r#""{key}":true"#))).0, FaultKind::UnknownField, "{key}");
        // With an empty value the daemon cannot mean it either: dropped, not forwarded.
        assert_eq!(forwarded(host(&format!(r#""{key}":false"#))), host(""), "{key}");
    }
    assert_eq!(refused("{\"Hoﬆ\u{43}onfig\":{\"Privileged\":true}}"), (FaultKind::UnknownField, "HoﬆConfig".into()));
    assert_eq!(refused("{\"Ho\u{df}tConfig\":{\"Privileged\":true}}").0, FaultKind::UnknownField);
}

#[test]
fn leaves_the_keys_of_data_maps_as_they_are() {
    let body = concat!(
        r#"{"Labels":{"Image":"1","image":"2","ſ":"3","s":"4","":"5"},"HostConfig":{"#,
        r#""Sysctls":{"NET.ipv4.a":"1","net.ipv4.a":"2"},"Tmpfs":{"/T":"","/t":"ro"},"Annotations":{"a":"1","A":"2"}}}"#
    );
    assert_eq!(forwarded(body), body);
    let networks = r#"{"NetworkingConfig":{"EndpointsConfig":{"net":{},"NET":{}}}}"#;
    assert_eq!(forwarded(networks), networks);
}

#[test]
fn folds_the_keys_of_structs_inside_data_maps_and_lists() {
    assert_eq!(
        forwarded(r#"{"NetworkingConfig":{"endpointsconfig":{"aliases":{"ALIAſES":["x"]}}}}"#),
        r#"{"NetworkingConfig":{"EndpointsConfig":{"aliases":{"Aliases":["x"]}}}}"#
    );
    assert_eq!(
        forwarded(host(r#""portbindings":{"80/tcp":[{"hostport":"1","HOSTIP":"::"}]}"#)),
        host(r#""PortBindings":{"80/tcp":[{"HostPort":"1","HostIp":"::"}]}"#)
    );
    assert_eq!(forwarded(host(r#""mounts":[{"type":"bind","ſource":"/"}]"#)), host(r#""Mounts":[{"Type":"bind","Source":"/"}]"#));
}

#[test]
fn re_spells_every_field_of_every_body_at_every_depth() {
    let mut seen = 0;
    each_field(&mut |schema, field, wrap| {
        let own = wrap(&format!(r#""{}":{}"#, field.name, sample(&field.ty)));
        assert_eq!(typed(schema, &own).unwrap().value.encode(), own);
        for odd in odd_spellings(field.name) {
            let text = wrap(&format!(r#""{odd}":{}"#, sample(&field.ty)));
            assert_eq!(typed(schema, &text).unwrap().value.encode(), own, "{text}");
        }
        seen += 1;
    });
    assert!(seen > 150, "{seen} fields");
}

// ---- duplicates -------------------------------------------------------------------------------------------------

#[test]
fn refuses_every_field_of_every_body_that_stands_twice_in_any_spelling() {
    each_field(&mut |schema, field, wrap| {
        let value = sample(&field.ty);
        for odd in odd_spellings(field.name).into_iter().chain([field.name.to_owned()]) {
            for (first, second) in [(value.as_str(), "null"), ("null", value.as_str()), (value.as_str(), value.as_str())] {
                let text = wrap(&format!(r#""{}":{first},"{odd}":{second}"#, field.name));
                assert_eq!(typed(schema, &text).unwrap_err().kind, FaultKind::DuplicateKey, "{text}");
            }
        }
    });
}

#[test]
fn refuses_a_repeated_scalar_of_which_go_takes_the_last_that_is_not_null() {
    for pair in ["true,false", "false,true", "true,null", "null,true", "true,true"] {
        let (first, second) = pair.split_once(',').unwrap();
        let body = host(&format!(r#""Privileged":{first},"Privileged":{second}"#));
        assert_eq!(refused(&body), (FaultKind::DuplicateKey, "HostConfig.Privileged".into()));
    }
    all_refused(FaultKind::DuplicateKey, &[r#"{"Image":"a","Image":"b"}"#, r#"{"Image":"a","image":null}"#]);
}

#[test]
fn refuses_a_repeated_pointer_that_go_would_merge_or_reset() {
    for second in ["{}", "null", r#"{"Privileged":false}"#, r#"{"Memory":1}"#] {
        let body = format!(r#"{{"HostConfig":{{"Privileged":true}},"HostConfig":{second}}}"#);
        assert_eq!(refused(body), (FaultKind::DuplicateKey, "HostConfig".into()));
    }
    all_refused(
        FaultKind::DuplicateKey,
        &[
            r#"{"HostConfig":{"Memory":1},"hostconfig":{"Privileged":true}}"#,
            r#"{"HostConfig":null,"HoſtConfig":{"Privileged":true}}"#,
            r#"{"HostConfig":{"Init":true,"Init":null}}"#,
            r#"{"HostConfig":{"PidsLimit":5,"PidsLimit":null}}"#,
            r#"{"Healthcheck":{"Test":["CMD","a"]},"Healthcheck":{"Retries":1}}"#,
        ],
    );
}

#[test]
fn refuses_a_repeated_struct_that_go_would_merge() {
    all_refused(
        FaultKind::DuplicateKey,
        &[
            &host(r#""LogConfig":{"Type":"syslog"},"LogConfig":{"Config":{"a":"b"}}"#),
            &host(r#""LogConfig":{"Config":{"a":"b"},"config":{"c":"d"}}"#),
            &host(r#""RestartPolicy":{"Name":"always"},"restartpolicy":{}"#),
        ],
    );
}

#[test]
fn refuses_a_repeated_map_and_an_exact_repeat_inside_a_map() {
    all_refused(
        FaultKind::DuplicateKey,
        &[
            r#"{"Labels":{"a":"1"},"Labels":{"b":"2"}}"#,
            r#"{"Labels":{"a":"1","a":"2"}}"#,
            r#"{"Labels":{"a":"1","\u0061":null}}"#,
            &host(r#""Sysctls":{"a":"1"},"sysctls":null"#),
            &host(r#""Tmpfs":{"/t":"","/t":"exec"}"#),
            r#"{"NetworkingConfig":{"EndpointsConfig":{"n":{},"n":null}}}"#,
        ],
    );
}

#[test]
fn refuses_a_repeated_slice_through_which_old_elements_would_shine() {
    for second in ["[]", "null", "[null]", r#"["/tmp:/b"]"#, "[null,null]"] {
        let body = host(&format!(r#""Binds":["/:/a","/etc:/b"],"Binds":{second}"#));
        assert_eq!(refused(&body), (FaultKind::DuplicateKey, "HostConfig.Binds".into()));
    }
    all_refused(
        FaultKind::DuplicateKey,
        &[
            &host(r#""Binds":["/:/a"],"Binds":[],"Binds":[null]"#),
            &host(r#""Mounts":[{"Type":"bind","Source":"/etc","Target":"/h"}],"Mounts":[{"Target":"/h2"}]"#),
            &host(r#""Mounts":[{"Type":"bind","Source":"/etc","Target":"/h"}],"Mounts":[null]"#),
            &host(r#""CapAdd":["SYS_ADMIN"],"CapAdd":["NET_ADMIN"]"#),
            &host(r#""CapAdd":"ALL","capadd":null"#),
            &host(r#""Mounts":[{"Type":"bind","type":"volume"}]"#),
        ],
    );
}

#[test]
fn refuses_repeats_of_keys_that_it_would_otherwise_drop() {
    all_refused(FaultKind::DuplicateKey, &[r#"{"Nope":null,"Nope":null}"#, r#"{"Nope":null,"nope":{}}"#]);
}

// ---- names of levels --------------------------------------------------------------------------------------------

#[test]
fn refuses_the_names_of_embedded_structs_as_keys() {
    for body in [
        host(r#""Resources":{"Memory":1}"#),
        r#"{"Config":{"Image":"a"}}"#.to_owned(),
        r#"{"InnerHostConfig":{"Privileged":true}}"#.to_owned(),
        r#"{"Config":{"HostConfig":{"Privileged":true}}}"#.to_owned(),
        host(r#""HostConfig":{"Privileged":true}"#),
    ] {
        assert_eq!(refused(&body).0, FaultKind::UnknownField, "{body}");
    }
}

#[test]
fn refuses_every_hostconfig_field_at_the_top_level_where_older_engines_honour_it() {
    let top = |name: &str| schema::CONTAINER_CREATE.fields.iter().any(|field| fold(field.name) == fold(name));
    let mut seen = 0;
    for field in schema::HOST_CONFIG.fields.iter().filter(|field| !top(field.name)) {
        for spelling in [field.name.to_owned(), field.name.to_lowercase(), field.name.replace('s', "ſ")] {
            for beside in ["", r#","HostConfig":null"#, r#","HostConfig":{"Memory":1}"#] {
                let body = format!(r#"{{"Image":"a","{spelling}":{}{beside}}}"#, filled(&field.ty));
                assert_eq!(refused(&body).0, FaultKind::UnknownField, "{body}");
            }
        }
        seen += 1;
    }
    assert!(seen > 60, "{seen} fields");
    // What older engines read there under names that HostConfig no longer has.
    for (key, value) in [("Cpuset", "\"0\""), ("VolumeDriver", "\"x\""), ("MemorySwap", "-1"), ("CpuShares", "1")] {
        assert_eq!(refused(format!(r#"{{"Image":"a","{key}":{value}}}"#)).0, FaultKind::UnknownField, "{key}");
    }
}

// ---- types and numbers ------------------------------------------------------------------------------------------

#[test]
fn refuses_a_value_of_another_type_in_every_field_of_every_body() {
    each_field(&mut |schema, field, wrap| {
        for value in wrong(&field.ty) {
            let text = wrap(&format!(r#""{}":{value}"#, field.name));
            assert_eq!(typed(schema, &text).unwrap_err().kind, FaultKind::WrongType, "{text}");
        }
    });
}

#[test]
fn keeps_null_in_every_field_as_go_does() {
    each_field(&mut |schema, field, wrap| {
        let text = wrap(&format!(r#""{}":null"#, field.name));
        assert_eq!(typed(schema, &text).unwrap().value.encode(), text);
    });
}

#[test]
fn refuses_one_wrong_type_among_fields_that_are_right() {
    let body = host(r#""Privileged":true,"Memory":"1","Binds":["/:/h"]"#);
    assert_eq!(refused(body), (FaultKind::WrongType, "HostConfig.Memory".into()));
    let body = r#"{"HostConfig":"{\"Privileged\":true}"}"#;
    assert_eq!(refused(body), (FaultKind::WrongType, "HostConfig".into()));
}

#[test]
fn refuses_fractions_exponents_and_overflow_in_integer_fields() {
    for number in ["1.5", "1.0", "8388608.0", "1e3", "1E7", "1e0", "1e400", "0.0", "9223372036854775808", "-9223372036854775809"] {
        assert_eq!(refused(host(&format!(r#""Memory":{number}"#))).0, FaultKind::WrongType, "{number}");
    }
    let digits = "9".repeat(5000);
    assert_eq!(refused(host(&format!(r#""Memory":{digits}"#))).0, FaultKind::WrongType);
}

#[test]
fn keeps_every_digit_of_an_integer_and_minus_zero() {
    for number in ["0", "-0", "-1", "9223372036854775807", "-9223372036854775808", "9007199254740993"] {
        let body = host(&format!(r#""Memory":{number}"#));
        assert_eq!(forwarded(&body), body);
    }
}

#[test]
fn refuses_numbers_that_are_no_json() {
    for number in ["01", "-01", "00", "NaN", "Infinity", "-Infinity", "+1", ".5", "1.", "1e", "1e+", "-", "0x10", "1_000", "1,0", "١"] {
        assert_eq!(refused(host(&format!(r#""Memory":{number}"#))).0, FaultKind::BadJson, "{number}");
    }
}

// ---- bytes ------------------------------------------------------------------------------------------------------

#[test]
fn refuses_invalid_utf_8_which_go_reads_as_u_fffd() {
    for bytes in [&b"\xff"[..], b"\xc1\xb3", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc3", b"\x80", b"\xe2\x84"] {
        for (before, after) in [
            (&br#"{"Labels":{"a":""#[..], &br#""}}"#[..]),
            (br#"{"Labels":{""#, br#"":"x"}}"#),
            (br#"{"HostConfig":{"Binds":["/tmp/"#, br#":/h"]}}"#),
            (br#"{"Ho"#, br#"tConfig":{"Privileged":true}}"#),
            (br#"{"Image":"a"}"#, b""),
            (b"", br#"{"Image":"a"}"#),
        ] {
            assert_eq!(refused([before, bytes, after].concat()).0, FaultKind::BadJson, "{bytes:?}");
        }
    }
}

#[test]
fn refuses_lone_surrogates_and_joins_pairs() {
    for escape in [r"\ud800", r"\udc00", r"\ud800x", r"\ud800\ud800", r"\udc00\ud800", r"\ud800\u0041", r"\uDFFF", r"\ud83d \ude00"] {
        assert_eq!(refused(format!(r#"{{"Labels":{{"a":"{escape}"}}}}"#)).0, FaultKind::BadJson, "{escape}");
        assert_eq!(refused(format!(r#"{{"Labels":{{"{escape}":"a"}}}}"#)).0, FaultKind::BadJson, "{escape}");
        assert_eq!(refused(format!(r#"{{"HostConfig{escape}":null}}"#)).0, FaultKind::BadJson, "{escape}");
    }
    assert_eq!(forwarded(r#"{"Labels":{"a":"\ud83d\ude00"}}"#), r#"{"Labels":{"a":"😀"}}"#);
    assert_eq!(forwarded(r#"{"Labels":{"a":"\ufffd"}}"#), "{\"Labels\":{\"a\":\"\u{fffd}\"}}");
}

#[test]
fn refuses_a_byte_order_mark_before_and_after_the_value() {
    all_refused(FaultKind::BadJson, &["\u{feff}{\"Image\":\"a\"}", "{\"Image\":\"a\"}\u{feff}", "{\u{feff}\"Image\":\"a\"}"]);
    assert_eq!(refused("{\"\u{feff}Image\":\"a\"}").0, FaultKind::UnknownField);
}

#[test]
fn refuses_a_nul_after_the_value_and_keeps_an_escaped_one_in_a_string() {
    all_refused(FaultKind::BadJson, &["{\"Image\":\"a\"}\0", "\0{\"Image\":\"a\"}", "{\"Image\":\0\"a\"}", "{\"Image\":\"a\0\"}"]);
    assert_eq!(forwarded(r#"{"User":"a\u0000b"}"#), r#"{"User":"a\u0000b"}"#);
}

#[test]
fn refuses_utf_16_in_both_byte_orders() {
    let text = r#"{"Image":"a","HostConfig":{"Privileged":true}}"#;
    let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    for body in [little.clone(), big.clone(), [&b"\xff\xfe"[..], &little].concat(), [&b"\xfe\xff"[..], &big].concat()] {
        assert_eq!(refused(body).0, FaultKind::BadJson);
    }
}

#[test]
fn refuses_control_characters_in_strings_and_escapes_those_that_were_escaped() {
    for byte in 0..0x20u8 {
        let c = char::from(byte);
        assert_eq!(refused(format!("{{\"User\":\"a{c}b\"}}")).0, FaultKind::BadJson, "{byte}");
        assert_eq!(refused(format!("{{\"Us{c}er\":null}}")).0, FaultKind::BadJson, "{byte}");
        let written = forwarded(format!(r#"{{"User":"a\u{byte:04x}b"}}"#));
        assert!(!written.contains(c), "{byte}");
        assert_eq!(serde_json::from_str::<Json>(&written).unwrap()["User"], format!("a{c}b"));
    }
}

#[test]
fn refuses_escapes_that_are_no_json() {
    for escape in [r"\x41", r"\u00", r"\U0041", r"\'", r"\0", r"\v", r"\u00g0", r"\u+041", r"\"] {
        assert_eq!(refused(format!(r#"{{"User":"{escape}"}}"#)).0, FaultKind::BadJson, "{escape}");
    }
    assert_eq!(forwarded(r#"{"User":"\/\b\f\n\r\t\"\\"}"#), r#"{"User":"/\u0008\u000c\n\r\t\"\\"}"#);
}

// ---- the text as a whole ----------------------------------------------------------------------------------------

#[test]
fn refuses_nesting_beyond_its_limit_long_before_gos() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(json::read(nested(MAX_DEPTH).as_bytes()).is_ok());
    for depth in [MAX_DEPTH + 2, 9_000, 9_996, 10_001, 200_000] {
        assert_eq!(json::read(nested(depth).as_bytes()), Err(FaultKind::JsonTooDeep), "{depth}");
        assert_eq!(refused(format!(r#"{{"Image":"a","X":{}}}"#, nested(depth))).0, FaultKind::JsonTooDeep, "{depth}");
        let objects = format!("{}1{}", r#"{"a":"#.repeat(depth), "}".repeat(depth));
        assert_eq!(refused(objects).0, FaultKind::JsonTooDeep, "{depth}");
        // An end that never comes is no way around it.
        assert_eq!(refused("[".repeat(depth)).0, FaultKind::JsonTooDeep, "{depth}");
    }
}

#[test]
fn refuses_more_keys_and_elements_than_its_limit() {
    let body = format!(r#"{{"Env":[{}""]}}"#, r#""","#.repeat(MAX_NODES));
    assert_eq!(refused(body).0, FaultKind::JsonTooDeep);
}

#[test]
fn refuses_a_closing_bracket_after_the_value_which_go_overlooks() {
    let body = r#"{"Image":"a"}"#;
    for tail in ["}", "]", "}garbage", "]garbage", " }", "\n]", r#"}{"HostConfig":{"Privileged":true}}"#] {
        assert_eq!(refused(format!("{body}{tail}")).0, FaultKind::BadJson, "{tail}");
    }
}

#[test]
fn refuses_a_second_value_and_any_other_text_after_the_value() {
    let body = r#"{"Image":"a"}"#;
    for tail in [r#"{"HostConfig":{"Privileged":true}}"#, "  {}", ",", "null", "x", "//x", "/*x*/", "\0", "\u{b}", "\u{a0}", "0"] {
        assert_eq!(refused(format!("{body}{tail}")).0, FaultKind::BadJson, "{tail:?}");
    }
}

#[test]
fn allows_only_the_four_blanks_of_json() {
    assert_eq!(forwarded(" \t\r\n{ \"Image\"\n:\t\"a\" ,\r\"Tty\" : true } \r\n\t "), r#"{"Image":"a","Tty":true}"#);
    for blank in ["\u{b}", "\u{c}", "\u{85}", "\u{a0}", "\u{1680}", "\u{2003}", "\u{2028}", "\u{3000}", "\u{feff}", "\0"] {
        for body in [format!("{blank}{{\"Image\":\"a\"}}"), format!("{{\"Image\":{blank}\"a\"}}"), format!("{{\"Image\":\"a\"}}{blank}")] {
            assert_eq!(refused(&body).0, FaultKind::BadJson, "{body:?}");
        }
    }
}

#[test]
fn refuses_a_body_that_is_no_object() {
    all_refused(FaultKind::WrongType, &["null", "[]", "\"x\"", "1", "true", "[{\"Image\":\"a\"}]"]);
    assert_eq!(forwarded("{}"), "{}");
}

#[test]
fn refuses_null_where_go_would_read_an_empty_struct() {
    for path in [
        "/containers/abc/exec",
        "/containers/abc/update",
        "/services/create",
        "/swarm/init",
        "/networks/create",
        "/networks/n/connect",
        "/volumes/create",
    ] {
        assert_eq!(send(path, b"null").unwrap_err().kind, FaultKind::WrongType, "{path}");
    }
}

#[test]
fn keeps_null_where_a_body_may_be_absent() {
    // The docker CLI up to 20.10 commits with it, and installs a plugin without privileges so.
    for path in ["/commit?container=abc", "/plugins/pull?remote=a/b", "/exec/abc/start"] {
        assert_eq!(send(path, b"null").unwrap().json(), Some(&Value::Null), "{path}");
        assert!(send(path, b"").unwrap().json().is_none(), "{path}");
    }
}

#[test]
fn refuses_an_empty_body_where_one_is_needed_and_a_blank_one_everywhere() {
    assert_eq!(refused("").0, FaultKind::BodyMissing);
    all_refused(FaultKind::BadJson, &[" ", "\r\n", "\t   "]);
    assert_eq!(send("/exec/abc/start", b" ").unwrap_err().kind, FaultKind::BadJson);
    assert_eq!(send("/containers/abc/exec", b"").unwrap_err().kind, FaultKind::BodyMissing);
}

#[test]
fn refuses_comments_and_every_other_lax_spelling() {
    all_refused(
        FaultKind::BadJson,
        &[
            r#"{/*x*/"Image":"a"}"#,
            "{//x\n\"Image\":\"a\"}",
            "#x\n{\"Image\":\"a\"}",
            "{'Image':'a'}",
            r#"{Image:"a"}"#,
            r#"{"Image":"a",}"#,
            r#"{,"Image":"a"}"#,
            r#"{"Image":"a""Tty":true}"#,
            r#"{"Image" "a"}"#,
            r#"{"Image"="a"}"#,
            r#"{"Env":["A=1",]}"#,
            r#"{"Env":[,]}"#,
            r#"{"Tty":True}"#,
            r#"{"Tty":nul}"#,
            r#"{"Tty":undefined}"#,
            r#"{"Image":"a"#,
            r#"{"Image":"a""#,
            r#"{"Image""#,
            "{",
            r#"{1:"a"}"#,
            r#"{null:"a"}"#,
            "{\"Image\":`a`}",
        ],
    );
}

// ---- lists ------------------------------------------------------------------------------------------------------

#[test]
fn writes_a_string_as_a_list_where_the_engine_reads_one_as_a_list() {
    for key in ["Cmd", "Entrypoint", "Shell"] {
        assert_eq!(forwarded(format!(r#"{{"{key}":"a b"}}"#)), format!(r#"{{"{key}":["a b"]}}"#));
    }
    for key in ["CapAdd", "CapDrop"] {
        assert_eq!(forwarded(host(&format!(r#""{key}":"ALL""#))), host(&format!(r#""{key}":["ALL"]"#)));
        assert_eq!(forwarded(host(&format!(r#""{key}":"""#))), host(&format!(r#""{key}":[""]"#)));
    }
}

#[test]
fn refuses_a_string_where_the_engine_wants_a_list() {
    all_refused(
        FaultKind::WrongType,
        &[
            r#"{"Env":"A=1"}"#,
            r#"{"OnBuild":"x"}"#,
            r#"{"Healthcheck":{"Test":"x"}}"#,
            &host(r#""Binds":"/:/h""#),
            &host(r#""Binds":{"0":"/:/h"}"#),
            &host(r#""SecurityOpt":"seccomp=unconfined""#),
            &host(r#""Dns":"1.1.1.1""#),
            &host(r#""GroupAdd":"0""#),
        ],
    );
    // The command of an exec is a plain list in every release.
    assert_eq!(send("/containers/abc/exec", br#"{"Cmd":"id"}"#).unwrap_err().kind, FaultKind::WrongType);
}

#[test]
fn refuses_elements_of_another_type_also_where_a_string_may_stand() {
    all_refused(
        FaultKind::WrongType,
        &[
            r#"{"Cmd":["a",1]}"#,
            r#"{"Cmd":[["a"]]}"#,
            r#"{"Cmd":{"0":"a"}}"#,
            r#"{"Cmd":1}"#,
            &host(r#""CapAdd":[1]"#),
            &host(r#""Binds":[{"x":1}]"#),
            &host(r#""Mounts":["/:/h"]"#),
        ],
    );
}

#[test]
fn refuses_null_elements_of_every_list() {
    for key in ["Binds", "CapAdd", "CapDrop", "Mounts", "Devices", "VolumesFrom", "SecurityOpt", "GroupAdd", "Ulimits"] {
        assert_eq!(refused(host(&format!(r#""{key}":[null]"#))), (FaultKind::WrongType, format!("HostConfig.{key}[0]")));
    }
    for key in ["Cmd", "Env", "Entrypoint", "Shell", "OnBuild"] {
        assert_eq!(refused(format!(r#"{{"{key}":["a",null]}}"#)), (FaultKind::WrongType, format!("{key}[1]")));
    }
    assert_eq!(refused(host(r#""ConsoleSize":[1,null]"#)), (FaultKind::WrongType, "HostConfig.ConsoleSize[1]".to_owned()));
    assert_eq!(refused(host(r#""PortBindings":{"80/tcp":[null]}"#)).0, FaultKind::WrongType);
}

#[test]
fn reads_console_size_as_unsigned_integers_only() {
    let body = host(r#""ConsoleSize":[24,80]"#);
    assert_eq!(forwarded(&body), body);
    for value in ["[-1,2]", "[1.0,2]", r#"["1","2"]"#, "[null,2]", "24", r#"{"0":24}"#, "[18446744073709551616,1]", "[[1],2]"] {
        assert_eq!(refused(host(&format!(r#""ConsoleSize":{value}"#))).0, FaultKind::WrongType, "{value}");
    }
    let exec = send("/exec/abc/start", br#"{"ConsoleSize":[24,80]}"#).unwrap();
    assert_eq!(exec.json().unwrap().encode(), r#"{"ConsoleSize":[24,80]}"#);
}

// ---- what may be dropped ----------------------------------------------------------------------------------------

#[test]
fn refuses_unknown_keys_with_a_value_which_go_would_overlook() {
    for value in ["true", "1", "-1", "\"x\"", "[0]", "[null]", r#"{"a":null}"#, "1e-9"] {
        assert_eq!(refused(format!(r#"{{"Nope":{value}}}"#)), (FaultKind::UnknownField, "Nope".into()), "{value}");
        assert_eq!(refused(host(&format!(r#""Nope":{value}"#))), (FaultKind::UnknownField, "HostConfig.Nope".into()), "{value}");
    }
    for value in ["null", "false", "0", "\"\"", "[]", "{}"] {
        let action = create(host(&format!(r#""Nope":{value}"#))).unwrap();
        assert_eq!(action.json().unwrap().encode(), host(""));
        assert_eq!(action.dropped, ["HostConfig.Nope"]);
    }
}

#[test]
fn refuses_a_hostconfig_at_start_which_old_engines_apply() {
    let body = br#"{"Binds":["/etc:/h"],"PidMode":"host","CapAdd":["SYS_ADMIN"]}"#;
    assert_eq!(send("/v1.23/containers/abc/start", body).unwrap_err().kind, FaultKind::ApiVersionTooOld);
    for path in ["/v1.24/containers/abc/start", "/containers/abc/start"] {
        assert_eq!(send(path, body).unwrap_err().kind, FaultKind::BodyUnexpected);
        assert_eq!(send(path, b"{}x").unwrap_err().kind, FaultKind::BodyUnexpected);
        for empty in [&b""[..], b"{}", b"null"] {
            assert!(matches!(send(path, empty).unwrap().body, dockgate::docker::action::Body::None));
        }
    }
}

// ---- the table of what engines understood -----------------------------------------------------------------------

#[test]
fn no_engine_understands_a_forwarded_body_as_more_than_what_is_judged() {
    let corpus: Vec<Json> = serde_json::from_str(include_str!("../corpus/json_on_engines.json")).unwrap();
    assert_eq!(corpus.len(), 174);
    let (mut refused, mut forwarded, mut settings) = (0, 0, 0);
    for case in &corpus {
        match create(bytes_of(case, "body")) {
            Err(_) => refused += 1,
            Ok(action) => {
                forwarded += 1;
                let value = action.json().expect("a body");
                re_reads_as_itself(value);
                for (engine, seen) in case["engines"].as_object().unwrap() {
                    settings += all_judged(&format!("{} on {engine}: {}", case["id"], case["desc"]), &seen["got"], &to_json(value));
                }
            }
        }
    }
    println!("json on engines: {refused} refused, {forwarded} forwarded, {settings} settings of engines found in what is judged");
    assert_eq!(refused + forwarded, 174);
    assert!(refused >= 90 && forwarded >= 60 && settings >= 200, "{refused} {forwarded} {settings}");
}

/// The recorded text, of which the long ones are written as parts with counts.
fn bytes_of(case: &Json, key: &str) -> Vec<u8> {
    let latin = |text: &str| text.chars().map(|c| u8::try_from(u32::from(c)).expect("a byte")).collect::<Vec<u8>>();
    let mut out = latin(case[key].as_str().unwrap());
    for part in case["then"].as_array().into_iter().flatten() {
        out.extend(latin(part[0].as_str().unwrap()).repeat(part[1].as_u64().unwrap() as usize));
    }
    out
}

/// Another reader and our own get the judged value out of the forwarded text, and every key is one of the tables'.
fn re_reads_as_itself(value: &Value) {
    let text = value.encode();
    let other: Json = serde_json::from_str(&text).unwrap();
    assert_eq!(other, to_json(value), "{text}");
    // A map would hide a repeated key; the count of members does not.
    assert_eq!(members(&other), text_members(value), "{text}");
    in_schema(const { &Type::Object(&schema::CONTAINER_CREATE) }, value);
    let again = decode::typed(&schema::CONTAINER_CREATE, json::read(text.as_bytes()).unwrap(), &[]).unwrap();
    assert_eq!((&again.value, again.dropped.len()), (value, 0));
}

fn in_schema(ty: &'static Type, value: &Value) {
    match (ty, value) {
        (_, Value::Null) | (Type::Bool, Value::Bool(_)) | (Type::Str, Value::Text(_)) | (Type::Int(..) | Type::Float, Value::Number(_)) => {
        }
        (Type::StrSlice, Value::List(items)) => assert!(items.iter().all(|item| item.as_text().is_some())),
        (Type::List(of) | Type::Array(of, _), Value::List(items)) => items.iter().for_each(|item| in_schema(of, item)),
        (Type::Map(of), Value::Object(members)) => members.iter().for_each(|(_, value)| in_schema(of, value)),
        (Type::Object(schema), Value::Object(members)) => {
            for (key, value) in members {
                let field = schema.fields.iter().find(|field| field.name == key).unwrap_or_else(|| panic!("{key} in {}", schema.name));
                in_schema(&field.ty, value);
            }
        }
        (_, value) => panic!("{} for {ty:?}", value.encode()),
    }
}

fn to_json(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(value) => Json::Bool(*value),
        Value::Number(digits) => serde_json::from_str(digits).unwrap(),
        Value::Text(text) => Json::String(text.clone()),
        Value::List(items) => items.iter().map(to_json).collect(),
        Value::Object(members) => Json::Object(members.iter().map(|(key, value)| (key.to_string(), to_json(value))).collect()),
    }
}

fn members(value: &Json) -> usize {
    match value {
        Json::Object(map) => map.len() + map.values().map(members).sum::<usize>(),
        Json::Array(items) => items.iter().map(members).sum(),
        _ => 0,
    }
}

fn text_members(value: &Value) -> usize {
    let inside: usize = value.members().iter().map(|(_, value)| text_members(value)).sum();
    value.members().len() + inside + value.items().iter().map(text_members).sum::<usize>()
}

/// Finds everything that an engine understood of the original in the typed value; the number of settings it compared.
fn all_judged(case: &str, got: &Json, typed: &Json) -> usize {
    let host = &typed["HostConfig"];
    let settings = got.as_object().into_iter().flatten().filter(|(key, value)| says_something(key, value));
    let check = |(key, value): (&String, &Json)| {
        let judged = match key.as_str() {
            "Labels" | "User" | "Cmd" | "Entrypoint" => config_holds(key, value, typed),
            // Podman writes mounts as binds.
            "Binds" => &host[key] == value || (case.contains("podman") && (has(host, key) || has(host, "Mounts"))),
            "MountPoints" => ["Binds", "Mounts", "VolumesFrom", "Tmpfs"].iter().any(|key| has(host, key)) || has(typed, "Volumes"),
            // The engine switches these off by itself for what is judged under another name.
            "SecurityOpt" => has(host, key) || host["Privileged"] == true || host["PidMode"] == "host" || host["IpcMode"] == "host",
            "MaskedPaths" | "ReadonlyPaths" if value.is_null() => host["Privileged"] == true,
            "Annotations" => host["Annotations"] == *value || value.as_object().unwrap().keys().all(|key| key.contains("podman")),
            "CapAdd" => same_capabilities(value, &host[key]),
            "Mounts" => has(host, key) && value.as_array().unwrap().len() == host[key].as_array().unwrap().len(),
            "LogConfig" => &host[key] == value || has(host, key),
            // Podman shows its own spelling of a value.
            _ => &host[key] == value || same_mode(value, &host[key]) || (case.contains("podman") && has(host, key)),
        };
        assert!(judged, "{case}: {key} is {value} on the engine, judged was {:.400}", typed.to_string());
    };
    settings.map(check).count()
}

/// Nothing was set where the engine shows its zero value; for the two path lists, `[]` and `null` are settings.
fn says_something(key: &str, value: &Json) -> bool {
    let paths = matches!(key, "MaskedPaths" | "ReadonlyPaths");
    let empty = match value {
        Json::Null => true,
        Json::Bool(value) => !value,
        Json::Number(number) => number.as_f64() == Some(0.0),
        Json::String(text) => text.is_empty(),
        Json::Array(items) => items.is_empty(),
        Json::Object(map) => map.is_empty(),
    };
    if paths { empty } else { !empty }
}

fn has(object: &Json, key: &str) -> bool {
    says_something("", &object[key])
}

fn config_holds(key: &str, value: &Json, typed: &Json) -> bool {
    // The record holds the length of a long label, and an empty command beside an entry point.
    let long = typed[key]["a"].as_str().is_some_and(|text| value["a"] == format!("len {}", text.len()));
    typed[key] == *value || long || (key == "Cmd" && has(typed, "Entrypoint"))
}

fn same_capabilities(got: &Json, judged: &Json) -> bool {
    let plain = |value: &Json| -> Vec<String> {
        let name = |text: &Json| text.as_str().unwrap().to_uppercase().trim_start_matches("CAP_").to_owned();
        value.as_array().into_iter().flatten().map(name).collect()
    };
    let (got, judged) = (plain(got), plain(judged));
    judged == ["ALL"] || (!got.is_empty() && got.iter().all(|name| judged.contains(name)))
}

/// Engines resolve `container:name` to the container's full id.
fn same_mode(got: &Json, judged: &Json) -> bool {
    let other = |value: &Json| value.as_str().is_some_and(|text| text.starts_with("container:"));
    other(got) && other(judged)
}

// ---- walking the tables -----------------------------------------------------------------------------------------

type Wrap<'a> = &'a dyn Fn(&str) -> String;

/// Calls with every field at every depth; `wrap` makes a whole body of the members of the object that holds it.
fn each_field(visit: &mut dyn FnMut(&'static Schema, &'static Field, Wrap<'_>)) {
    for schema in SCHEMAS {
        walk(schema, schema, &|members| format!("{{{members}}}"), visit);
    }
}

fn walk(root: &'static Schema, at: &'static Schema, wrap: Wrap<'_>, visit: &mut dyn FnMut(&'static Schema, &'static Field, Wrap<'_>)) {
    for field in at.fields {
        visit(root, field, wrap);
        let (mut ty, mut before, mut after) = (&field.ty, format!(r#""{}":"#, field.name), String::new());
        loop {
            match ty {
                Type::List(of) | Type::Array(of, _) => (ty, before, after) = (*of, before + "[", format!("]{after}")),
                Type::Map(of) => (ty, before, after) = (*of, before + r#"{"key":"#, format!("}}{after}")),
                Type::Object(inner) => {
                    walk(root, inner, &|members| wrap(&format!("{before}{{{members}}}{after}")), visit);
                    break;
                }
                Type::Bool | Type::Int(..) | Type::Float | Type::Str | Type::StrSlice => break,
            }
        }
    }
}

fn typed(schema: &'static Schema, text: &str) -> Result<Typed, Fault> {
    decode::typed(schema, json::read(text.as_bytes()).unwrap(), &[])
}

fn odd_spellings(name: &str) -> Vec<String> {
    let all = [
        name.to_ascii_lowercase(),
        name.to_ascii_uppercase(),
        name.replace(['s', 'S'], "ſ"),
        name.replace(['k', 'K'], "\u{212a}"),
        format!("\\u{:04x}{}", name.as_bytes()[0], name[1..].to_ascii_uppercase()),
    ];
    all.into_iter().filter(|odd| odd != name).collect()
}

fn sample(ty: &Type) -> String {
    match ty {
        Type::Bool => "true".into(),
        Type::Int(..) => "1".into(),
        Type::Str => "\"x\"".into(),
        Type::StrSlice => "[\"x\"]".into(),
        Type::List(of) => format!("[{}]", sample(of)),
        Type::Array(of, length) => format!("[{}]", vec![sample(of); *length].join(",")),
        Type::Float => "0.5".into(),
        Type::Map(of) => format!(r#"{{"key":{}}}"#, sample(of)),
        Type::Object(_) => "{}".into(),
    }
}

/// A value that is not empty, whatever the type.
fn filled(ty: &Type) -> String {
    match ty {
        Type::Object(schema) => {
            let field = schema.fields.first().expect("no field is an empty object");
            format!(r#"{{"{}":{}}}"#, field.name, sample(&field.ty))
        }
        other => sample(other),
    }
}

fn wrong(ty: &Type) -> &'static [&'static str] {
    match ty {
        Type::Bool => &["1", "0", "\"true\"", "\"\"", "[true]", "{}"],
        Type::Int(..) => &["\"1\"", "\"\"", "true", "[]", "{}", "1.0", "1e3", "99999999999999999999"],
        Type::Str => &["1", "true", "[]", "[\"x\"]", "{}"],
        Type::StrSlice => &["1", "true", "{}", "[1]", "[null]", "[[]]"],
        Type::List(_) => &["\"x\"", "\"\"", "1", "true", "{}", "[null]"],
        Type::Array(..) => &["\"x\"", "1", "{}", "[]", "[1]", "[1,2,3]", "[null,1]", "[-1,1]"],
        Type::Float => &["\"1\"", "\"\"", "true", "[]", "{}", "1e99"],
        Type::Map(_) => &["\"x\"", "\"\"", "1", "true", "[]"],
        Type::Object(_) => &["\"x\"", "\"\"", "1", "true", "[]", "[{}]"],
    }
}

#[test]
fn the_query_keys_of_create_are_no_fields_of_hostconfig() {
    // A body key that is also a query key is dropped with its value: no engine may read it as a field.
    for key in Operation::ContainerCreate.row().query {
        assert!(schema::HOST_CONFIG.fields.iter().all(|field| fold(field.name) != fold(key.name)), "{}", key.name);
    }
}
