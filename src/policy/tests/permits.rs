//! What the judge hands out: permits by their kind, denials with their advice, and the whole of both for people.

use super::*;

fn permitted(method: &str, target: &str, body: &str) -> Permit {
    let create = Create { level: Level::Unrestricted, ..Create::default() };
    decide(&Policy { create, ..everything() }, action(method, target, body), &Facts::default()).unwrap()
}

#[test]
fn an_exec_opens_a_tunnel_unless_it_is_detached_and_is_a_change_then() {
    let kinds = |method: &str, target: &str, body: &str| {
        let permit = permitted(method, target, body);
        (permit.opens_tunnel(), permit.is_change())
    };
    for attached in ["", "{}", r#"{"Detach":false,"Tty":true}"#, r#"{"Detach":null}"#] {
        assert_eq!(kinds("POST", "/exec/e/start", attached), (true, false), "{attached}");
    }
    assert_eq!(kinds("POST", "/exec/e/start", r#"{"Detach":true}"#), (false, true));
    assert_eq!(kinds("POST", "/containers/a/attach", ""), (true, false));
    assert_eq!(kinds("POST", "/containers/a/stop", ""), (false, true));
    for read in ["/info", "/containers/a/logs", "/events", "/containers/a/json"] {
        assert_eq!(kinds("GET", read, ""), (false, false), "{read}");
    }
}

#[test]
fn a_denial_advises_in_the_name_of_its_policy() {
    let denied = |policy: &Policy, body: &str| decide(policy, action("POST", "/containers/create", body), &Facts::default()).unwrap_err();
    let denial = denied(&everything(), r#"{"Image":"a","HostConfig":{"NetworkMode":"back"}}"#);
    assert_eq!(denial.advice(), "add the network's name to `networks` of [policy.ci.create]");
    let advised = |reason: &&Reason| !reason.advice().is_empty();
    assert!(Reason::ALL.iter().filter(advised).count() > Reason::ALL.len() / 2);
}

#[test]
fn before_the_body_only_enforcing_denies_what_no_rule_allows() {
    for (mode, admitted) in [(Mode::Enforce, false), (Mode::Warn, true), (Mode::Observe, true)] {
        let nothing = Policy { mode, ..policy(vec![], vec![]) };
        assert_eq!(admits(&nothing, &action("GET", "/info", "").endpoint).is_ok(), admitted, "{mode:?}");
        let some = Policy { mode, ..policy(vec![rule(&[Operation::SystemInfo], vec![])], vec![]) };
        assert!(admits(&some, &action("GET", "/info", "").endpoint).is_ok(), "{mode:?}");
    }
}

#[test]
fn the_words_of_modes_are_those_of_the_configuration() {
    assert_eq!([Mode::Enforce, Mode::Warn, Mode::Observe].map(Mode::as_str), ["enforce", "warn", "observe"]);
}

#[test]
fn explains_every_denial_at_once_and_each_check_that_was_passed() {
    let policy = Policy { rules: RuleTable::new(vec![], vec![]), ..everything() };
    let body = r#"{"Image":"a","HostConfig":{"Privileged":true,"PidMode":"","CapAdd":["SYS_ADMIN"],"NetworkMode":"bridge"}}"#;
    let (denials, examined) = judge::explain(&policy, &action("POST", "/containers/create", body), &Facts::default());
    let reasons: Vec<Reason> = denials.iter().map(|denial| denial.reason).collect();
    assert_eq!(reasons, [Reason::NotAllowed, Reason::Privileged, Reason::CapAdd]);
    let passed: Vec<&str> = examined.passed.iter().map(|passed| passed.at.as_str()).collect();
    assert!(passed.contains(&"HostConfig.NetworkMode"), "{passed:?}");
    assert!(!passed.iter().any(|at| at.starts_with("HostConfig.Privileged") || at.starts_with("HostConfig.CapAdd")), "{passed:?}");
}

#[test]
fn the_same_denials_are_absolute_in_every_way_to_them() {
    let own = Own { container: Some(ID.to_owned()), ..Own::default() };
    let act = || action("POST", "/containers/web-1/stop", "");
    let policy = everything();
    let gathered = facts(&policy, &act(), &container("{}", "[]"), "{}", own);
    let (denials, _) = judge::explain(&policy, &act(), &gathered);
    assert_eq!((denials[0].reason, denials[0].absolute), (Reason::SelfProtection, true));
    let denying = super::policy(vec![rule(TABLE, vec![])], vec![rule(&[Operation::ContainerStop], vec![])]);
    let (denials, _) = judge::explain(&denying, &act(), &Facts::default());
    assert_eq!((denials[0].reason, denials[0].absolute), (Reason::DeniedByRule, true));
    assert_eq!(denials[0].rule.as_ref().unwrap().1.to_string(), "test.toml:7");
}

#[test]
fn only_rules_that_ask_for_an_id_have_it_fetched() {
    let id = || Condition::Id(glob::anchored("web").unwrap());
    let path = || Condition::Path(glob::anchored("/containers/web/stop").unwrap());
    let stop = |conditions: Vec<Condition>| rule(&[Operation::ContainerStop], conditions);
    let asks = |allow: Vec<Rule>, deny: Vec<Rule>| {
        let policy = Policy { create: Create { level: Level::Unrestricted, ..Create::default() }, ..policy(allow, deny) };
        next_need(&policy, &action("POST", "/containers/web/stop", ""), &Facts::default()).is_some()
    };
    assert!(asks(vec![stop(vec![id()])], vec![]) && asks(vec![stop(vec![])], vec![stop(vec![id()])]));
    assert!(asks(vec![stop(vec![path()]), stop(vec![path(), id()])], vec![]));
    assert!(!asks(vec![], vec![]) && !asks(vec![stop(vec![path()])], vec![stop(vec![path()])]));
    assert!(!asks(vec![stop(vec![]), stop(vec![id()])], vec![]), "one that decides alone is enough");
    assert!(!asks(vec![], vec![stop(vec![]), stop(vec![id()])]));
}

#[test]
fn id_rules_know_every_kind_of_object_by_what_the_engine_calls_it() {
    let front = format!(r#"{{"Id":"{ID}","Name":"front","RepoTags":["reg.example/front:1"],"Driver":"local"}}"#);
    for (method, target, operation) in [
        ("DELETE", "/networks/alias", Operation::NetworkDelete),
        ("DELETE", "/volumes/alias", Operation::VolumeDelete),
        ("DELETE", "/images/alias", Operation::ImageDelete),
        ("DELETE", "/containers/alias", Operation::ContainerDelete),
        ("POST", "/exec/alias/resize?h=1&w=1", Operation::ExecResize),
    ] {
        let allowed = |regex: &str| {
            let policy = policy(vec![rule(&[operation], vec![Condition::Id(glob::anchored(regex).unwrap())])], vec![]);
            let (action, mut facts) = (action(method, target, ""), Facts::default());
            let need = next_need(&policy, &action, &facts).unwrap_or_else(|| panic!("{target} asks for nothing"));
            facts.insert(need, read(front.as_bytes()).unwrap());
            while let Some(need) = next_need(&policy, &action, &facts) {
                facts.insert(need, read(front.as_bytes()).unwrap());
            }
            decide(&policy, action, &facts).is_ok()
        };
        assert!(allowed("front") && !allowed("alias"), "{target}");
        assert!(allowed("reg\\.example/front:1"), "{target}");
    }
}

#[test]
fn only_a_whole_id_replaces_a_name() {
    let policy = policy(vec![rule(&[Operation::ContainerStop], vec![Condition::Id(glob::anchored("web").unwrap())])], vec![]);
    let target = |id: &str| {
        let mut facts = Facts::default();
        facts.insert(Need::Container("web".to_owned()), read(format!(r#"{{"Id":"{id}","Name":"/web"}}"#).as_bytes()).unwrap());
        decide(&policy, action("POST", "/containers/web/stop", ""), &facts).unwrap().action().target()
    };
    assert_eq!(target(ID), format!("/containers/{ID}/stop"));
    for odd in ["", "abc", &"x".repeat(64), &ID[1..], &format!("{ID}0")] {
        assert_eq!(target(odd), "/containers/web/stop", "{odd}");
    }
}
