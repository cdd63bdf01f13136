use super::*;
use crate::docker::json;
use crate::docker::operations::BodyPlan;
use crate::docker::schema::{CONTAINER_CREATE, SECRET_SPEC, SWARM_JOIN, Schema, Type};

fn redactor() -> Redactor {
    Redactor::new([7; 32])
}

fn text(text: &str) -> String {
    redactor().text(text).text.into_owned()
}

fn h(value: &str) -> String {
    redactor().digest(value.as_bytes())
}

#[test]
fn the_digest_is_hmac_sha256_as_others_compute_it() {
    // RFC 4231, test case 2 with its key padded to 32 bytes: zeros after a short key change nothing
    let mut key = [0; 32];
    key[..4].copy_from_slice(b"Jefe");
    let whole = Redactor::new(key).whole(b"what do ya want for nothing?");
    assert_eq!(whole, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    assert_eq!(Redactor::new(key).digest(b"what do ya want for nothing?"), "hmac:5bdcc146bf60754e");
}

#[test]
fn harmless_texts_are_not_even_copied() {
    for harmless in [
        "Docker-Client/29.3.1 (linux)",
        "/v1.47/containers/0123456789ab/json",
        "ghcr.io/acme/web:1.2",
        "token-service",
        "a_b_c",
        "/run/secrets/x",
    ] {
        assert!(matches!(redactor().text(harmless), Shown { text: Cow::Borrowed(_), hidden: false }), "{harmless}");
    }
}

#[test]
fn secrets_of_known_shapes_are_hidden_in_every_text() {
    let jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl";
    let pat = "ghp_0123456789abcdefghijABCDEFGHIJ";
    let swarm = "SWMTKN-1-3pu6hszjas19xyp7ghgosyx9k8atbfcr8p2is99znpy26u2lkl-1awxwuwd3z9j1z3puu7rcgdbx";
    for secret in [jwt, pat, swarm, "AKIAIOSFODNN7EXAMPLE", "glpat-0123456789abcdefghij", "$apr1$salt$hash", "dckr_pat_0123456789abcdefg"] {
        assert_eq!(text(&format!("before {secret} after")), format!("before {} after", h(secret)), "{secret}");
    }
    for (given, shown) in [
        ("https://user:pw@reg.example/x".to_owned(), format!("https://{}@reg.example/x", h("user:pw"))),
        ("https://tok@reg.example/x?sig=1&a=2#main".to_owned(), format!("https://{}@reg.example/x?{}#main", h("tok"), h("sig=1&a=2"))),
        ("a password=hunter2, b".to_owned(), format!("a password={}, b", h("hunter2"))),
        (r#"{"Token": "abc def"}"#.to_owned(), format!(r#"{{"Token": "{}"}}"#, h("abc def"))),
        ("Bearer abcdefgh.ijk".to_owned(), h("Bearer abcdefgh.ijk")),
        ("-----BEGIN KEY-----\nMII\n".to_owned(), h("-----BEGIN KEY-----\nMII\n")),
        ("repo:1@sha256:abc".to_owned(), "repo:1@sha256:abc".to_owned()),
        ("password=".to_owned(), "password=".to_owned()),
    ] {
        assert_eq!(text(&given), shown, "{given}");
    }
    assert_eq!(redactor().image("tok@reg.example/x").text, format!("{}@reg.example/x", h("tok")));
    assert_eq!(redactor().image("reg.example/x@sha256:00").text, "reg.example/x@sha256:00");
}

#[test]
fn control_ansi_and_direction_characters_are_escaped_and_long_texts_cut() {
    assert_eq!(plain("a\u{1b}[31mb\u{202e}\n\u{200b}ä"), "a\\u{1b}[31mb\\u{202e}\\u{a}\\u{200b}ä");
    assert_eq!(plain(&"x".repeat(600)), format!("{}…(+88)", "x".repeat(MAX_TEXT)));
    assert_eq!(plain(&"x".repeat(MAX_TEXT)), "x".repeat(MAX_TEXT));
}

#[test]
fn a_secret_across_the_cut_is_hidden_before_it_is_cut() {
    let long = format!("{} ghp_0123456789abcdefghijABCDEFGHIJ", "x".repeat(MAX_TEXT - 8));
    assert!(!text(&long).contains("ghp_"), "{}", text(&long));
}

#[test]
fn commands_hide_what_stands_after_a_flag_and_in_scripts() {
    let words = ["mysql", "-psecret", "--password", "hunter2", "--token=abc", "-u", "root:pw", "-print", "--user", "name", "plain"];
    let shown: Vec<String> = redactor().command(&words).into_iter().map(|word| word.text.into_owned()).collect();
    let expected = [
        "mysql".to_owned(),
        format!("-p{}", h("secret")),
        "--password".to_owned(),
        h("hunter2"),
        format!("--token={}", h("abc")),
        "-u".to_owned(),
        format!("root:{}", h("pw")),
        "-print".to_owned(),
        "--user".to_owned(),
        "name".to_owned(),
        "plain".to_owned(),
    ];
    assert_eq!(shown, expected);
    let script = redactor().command(&["sh", "-c", "mysqldump -psecret --password hunter2 x | curl -u a:pw https://u:p@h/"]);
    let expected = format!("mysqldump -p{} --password {} x | curl -u a:{} https://{}@h/", h("secret"), h("hunter2"), h("pw"), h("u:p"));
    assert_eq!(script[2].text, expected);
}

#[test]
fn bodies_are_redacted_by_field_and_say_where() {
    let body = json::read(
        br#"{"Image":"u:p@reg.example/x","Env":["A=secret","B"],"Cmd":["x","--password=p"],"Labels":{"a":"b","traefik.x.basicauth.users":"u:h"},
        "HostConfig":{"LogConfig":{"Type":"splunk","Config":{"splunk-token":"t","splunk-url":"https://x"}},"Memory":5}}"#,
    )
    .unwrap();
    let redacted = redactor().body(BodyPlan::Json(&CONTAINER_CREATE), &body).unwrap();
    let expected = format!(
        r#"{{"Image":"{}@reg.example/x","Env":["A={}","B"],"Cmd":["x","--password={}"],"Labels":{{"a":"b","traefik.x.basicauth.users":"{}"}},"HostConfig":{{"LogConfig":{{"Type":"splunk","Config":{{"splunk-token":"{}","splunk-url":"https://x"}}}},"Memory":5}}}}"#,
        h("u:p"),
        h("secret"),
        h("p"),
        h("u:h"),
        h("t")
    );
    assert_eq!(redacted.value.encode(), expected);
    assert_eq!(
        redacted.places,
        [
            "body.Image",
            "body.Env[0]",
            "body.Cmd[1]",
            "body.Labels.traefik.x.basicauth.users",
            "body.HostConfig.LogConfig.Config.splunk-token"
        ]
    );
}

#[test]
fn secrets_become_their_length_and_the_digest_of_what_they_are() {
    let body = json::read(br#"{"Name":"n","Data":"aHVudGVyMg=="}"#).unwrap();
    let redacted = redactor().body(BodyPlan::Json(&SECRET_SPEC), &body).unwrap();
    assert_eq!(redacted.value.encode(), format!(r#"{{"Name":"n","Data":{{"len":7,"hmac":"{}"}}}}"#, h("hunter2")));
    let body = json::read(br#"{"JoinToken":"not base64"}"#).unwrap();
    let redacted = redactor().body(BodyPlan::Json(&SWARM_JOIN), &body).unwrap();
    assert_eq!(redacted.value.encode(), format!(r#"{{"JoinToken":{{"len":10,"hmac":"{}"}}}}"#, h("not base64")));
}

#[test]
fn patterns_need_no_feature_that_only_test_tools_switch_on() {
    let manifest = include_str!("../../../Cargo.toml");
    let regex = manifest.lines().find(|line| line.starts_with("regex = ")).unwrap();
    assert!(regex.contains("unicode-case") && regex.contains("unicode-perl"), "`(?i)` and `\\w` need them: {regex}");
}

#[test]
fn every_rule_names_a_field_of_a_schema() {
    fn names(schema: &'static Schema, out: &mut std::collections::BTreeSet<&'static str>) {
        for field in schema.fields {
            out.insert(field.name);
            let mut ty = &field.ty;
            while let Type::List(of) | Type::Map(of) | Type::Array(of, _) = ty {
                ty = of;
            }
            if let Type::Object(schema) = ty {
                names(schema, out);
            }
        }
    }
    let mut known = std::collections::BTreeSet::new();
    for operation in crate::docker::operations::TABLE {
        if let Some(schema) = operation.row().body.object() {
            names(schema, &mut known);
        }
    }
    let stale: Vec<&str> = rules().filter(|rule| !known.contains(rule)).collect();
    assert!(stale.is_empty(), "{stale:?}");
}
