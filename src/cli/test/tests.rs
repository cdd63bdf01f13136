//! Test files, from their text to results.

use std::path::Path;

use super::coverage::Coverage;
use super::report::{self, Outcome};
use super::*;

const FILE: &str = r#"
version = 1
config = '''
version = 1
[policy.ci]
extends = ["base"]
allow = ["ContainerCreate", { operation = "ContainerStart", id = "web-.*" }]
deny = ["SystemInfo"]
[policy.ci.create]
inject = { memory = "512MiB" }
[policy.base]
allow = ["ContainerList"]
'''

[[test]]
name = "the socket stays outside"
policy = "ci"
run = "docker run -v /var/run/docker.sock:/s alpine"
expect = "deny"
reason = "socket-mount"
at = "HostConfig.Binds[0]"

[[test]]
name = "a floating tag warns & memory is limited"
policy = "ci"
request = { method = "POST", path = "/containers/create", body = '{"Image":"alpine"}' }
expect = "allow"
warnings = ["latest-tag"]
forwards = '{"HostConfig":{"MemorySwap":536870912,"Memory":536870912},"Image":"alpine"}'

[[test]]
name = "wrong on purpose"
policy = "ci"
request = { method = "GET", path = "/info" }
expect = "allow"

[[test]]
name = "duplicates are refused"
policy = "ci"
request = { method = "POST", path = "/containers/create", body = '{"Image":"a","image":"b"}' }
expect = "refuse"
reason = "duplicate-key"
"#;

fn args(files: &[&Path], require_tests: bool) -> Args {
    let files = files.iter().map(|path| path.display().to_string()).collect();
    Args { files, config: None, policy: None, require_tests, format: Format::Text }
}

fn results(text: &str) -> (Vec<Outcome>, Coverage) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ci.test.toml");
    std::fs::write(&path, text).unwrap();
    let (mut outcomes, mut coverage) = (Vec::new(), Coverage::default());
    one(&path, &args(&[&path], false), &mut outcomes, &mut coverage).unwrap();
    outcomes.iter_mut().for_each(|outcome| outcome.file = "ci.test.toml".to_owned());
    (outcomes, coverage)
}

#[test]
fn judges_each_test_and_names_what_differs() {
    let (outcomes, _) = results(FILE);
    let wrong: Vec<&[String]> = outcomes.iter().map(|outcome| outcome.wrong.as_slice()).collect();
    assert_eq!(wrong[..2], [&[] as &[String], &[]]);
    assert_eq!(wrong[2].len(), 1);
    assert!(wrong[2][0].starts_with("expected allow, got deny [denied-by-rule]"), "{wrong:?}");
    assert!(wrong[3].is_empty(), "{wrong:?}");
    assert_eq!(outcomes[0].line, 16);
}

#[test]
fn counts_the_rules_that_no_test_reached() {
    let (outcomes, coverage) = results(FILE);
    assert_eq!(coverage.reached(), (2, 4));
    let unreached: Vec<&str> = coverage.unreached().map(|entry| entry.text.as_str()).collect();
    assert_eq!(unreached, [r#"{ operation = "ContainerStart", id = "web-.*" }"#, "ContainerList"]);
    let text = report::text(&outcomes, &coverage, Paint::PLAIN);
    assert!(text.contains("FAIL ci: wrong on purpose  (ci.test.toml:"), "{text}");
    assert!(text.ends_with("\n3 passed, 1 failed\n"), "{text}");
}

#[test]
fn writes_well_formed_junit_and_json() {
    let (mut outcomes, coverage) = results(FILE);
    outcomes[2].wrong.push("a <b> & \"c\" \u{1b}[31m\n]]>".to_owned());
    let junit = report::junit(&outcomes);
    assert!(junit.contains(r#"<testcase name="a floating tag warns &amp; memory is limited" classname="ci""#), "{junit}");
    assert!(junit.contains("a &lt;b&gt; &amp; &quot;c&quot; \u{fffd}[31m&#10;]]&gt;"), "{junit}");
    let opened = junit.matches('<').count();
    assert_eq!(opened, junit.matches('>').count());
    assert_eq!(junit.matches("<testcase").count(), 4);
    let json: serde_json::Value = serde_json::from_str(&report::json(&outcomes, &coverage)).unwrap();
    assert_eq!((&json["passed"], &json["rules"]["reached"]), (&3.into(), &2.into()));
}

#[test]
fn compares_forwarded_bodies_by_value_and_says_where_they_differ() {
    let text = FILE.replace("536870912,\"Memory\":536870912", "1,\"Extra\":{\"a\":1}");
    let (outcomes, _) = results(&text);
    assert_eq!(
        outcomes[1].wrong,
        [
            "forwards HostConfig.MemorySwap: expected 1, got 536870912",
            "forwards no HostConfig.Extra: expected {\"a\":1}",
            "forwards HostConfig.Memory unexpectedly: 536870912"
        ]
    );
}

#[test]
fn the_body_of_a_line_is_compared_without_what_is_empty() {
    let text = r#"
version = 1
config = """
version = 1
[policy.ci]
allow = ["ContainerCreate"]
"""
[[test]]
name = "plain"
run = "docker run -d alpine:3 id"
expect = "allow"
warnings = []
forwards = '{"Image":"alpine:3","Cmd":["id"]}'
"#;
    let (outcomes, _) = results(text);
    let wrong = &outcomes[0].wrong;
    assert!(wrong.iter().any(|why| why.starts_with("expected no warnings, got ")), "{wrong:?}");
    assert!(wrong.iter().any(|why| why.starts_with("forwards HostConfig unexpectedly: ")), "{wrong:?}");
    assert!(!wrong.iter().any(|why| why.contains("Binds") || why.contains("Tty")), "{wrong:?}");
}

fn mistakes(text: &str) -> Vec<String> {
    let found = file::read("t.toml", text, Path::new("")).err().unwrap_or_default();
    found.iter().map(|one| format!("{}:{}: {}", one.source, one.line, one.message)).collect()
}

#[test]
fn every_mistake_has_its_file_and_line() {
    let case = |rest: &str| format!("version = 1\n[[test]]\nname = \"a\"\n{rest}\n");
    for (text, said) in [
        (case("expekt = \"deny\""), "t.toml:4: unknown field `expekt`"),
        (case("request = { method = \"GET\", path = \"/\", boby = \"\" }\nexpect = \"deny\""), "t.toml:4: unknown field `boby`"),
        (case("expect = \"deny\""), "t.toml:3: this test has no request"),
        (case("run = \"docker run --frob a\"\nexpect = \"deny\""), "t.toml:4: the flag `--frob` is not understood"),
        (case("run = \"docker run a\"\nexpect = \"perhaps\""), "t.toml:5: `perhaps` is no verdict"),
        (case("run = \"docker run a\"\nexpect = \"deny\"\nreason = \"privleged\""), "t.toml:6: `privleged` is no reason"),
        (case("run = \"docker run a\"\nexpect = \"allow\"\nreason = \"privileged\""), "t.toml:3: what is allowed has no `reason`"),
        (case("run = \"docker run a\"\nexpect = \"allow\"\nforwards = \"{\""), "t.toml:6: `forwards` is no JSON"),
        (case("request = { method = \"GET\", path = \"/a b\" }\nexpect = \"deny\""), "t.toml:4: method and path must be one word"),
        ("version = 2".to_owned(), "t.toml:1: this dockgate knows version 1"),
    ] {
        let found = mistakes(&text);
        assert!(found.len() == 1 && found[0].starts_with(said), "{text}: {found:?}");
    }
}

#[test]
fn folders_hold_tests_and_none_is_a_failure_where_tests_are_required() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("inner")).unwrap();
    std::fs::write(folder.path().join("inner/a.test.toml"), "version = 1").unwrap();
    std::fs::write(folder.path().join("dockgate.toml"), "nonsense").unwrap();
    assert_eq!(run(&args(&[folder.path()], false)).unwrap(), 0);
    assert_eq!(run(&args(&[folder.path()], true)).unwrap_err().print(), say::REFUSED);
    assert_eq!(run(&args(&[Path::new("/nowhere/x.test.toml")], false)).unwrap_err().print(), say::USAGE);
}
