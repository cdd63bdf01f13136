//! Arbitrary text as a bind: below `unrestricted` nothing but a granted path or volume passes, however it is spelled.
//! Knows nothing of other fields.
#![no_main]

use std::sync::LazyLock;

use dockgate::config;
use dockgate::docker::{Action, Endpoint, Head, Value};
use dockgate::policy::{Facts, Policy, Subject, Verdict, judge};
use libfuzzer_sys::fuzz_target;

static POLICY: LazyLock<std::sync::Arc<Policy>> = LazyLock::new(|| {
    let text = "version = 1\n[policy.p]\nallow = [\"ContainerCreate\"]\n[policy.p.create]\n\
                binds = [{ source = \"/srv/ci\", mode = \"ro\" }, { source = \"/srv/out/**\", mode = \"rw\" }]\nvolumes = [\"ci-*\"]\n";
    config::load("fuzz.toml", text).config.and_then(|config| config.policy("p")).expect("the policy loads")
});

fuzz_target!(|bind: &str| {
    let list = Value::List(vec![Value::Text(bind.to_owned())]);
    let host = Value::Object(vec![("Binds".into(), list)]);
    let body = Value::Object(vec![("Image".into(), Value::Text("a".to_owned())), ("HostConfig".into(), host)]).encode();
    let head = format!("POST /containers/create HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n", body.len());
    let Ok(Some((head, _))) = Head::parse(head.as_bytes()) else { panic!("the head is plain") };
    let endpoint = Endpoint::find(&head).expect("the endpoint exists");
    let Ok(action) = Action::build(&head, endpoint, body.as_bytes()) else { return };
    if let Verdict::Allow(_) = judge(&POLICY, &Subject::default(), action, &Facts::default()) {
        assert!(granted(bind), "{bind:?} passes");
    }
});

/// The same question asked in another way: split as the engine does, then what its `path.Clean` makes of the source.
fn granted(bind: &str) -> bool {
    let parts: Vec<&str> = bind.split(':').collect();
    let [source, rest @ ..] = parts.as_slice() else { return false };
    if rest.is_empty() {
        return source.starts_with('/'); // an anonymous volume at that path
    }
    if !source.contains('/') {
        return source.starts_with("ci-") && source.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte));
    }
    let clean: Vec<&str> = source.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    let read_only = rest.get(1).is_some_and(|options| options.split(',').any(|option| option == "ro"));
    let exact = clean == ["srv", "ci"] && read_only;
    let below = clean.len() > 2 && clean[..2] == ["srv", "out"];
    source.starts_with('/') && !clean.contains(&"..") && rest.len() <= 2 && (exact || below)
}
