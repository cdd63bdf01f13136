//! When two policies, rules or patterns say the same: what a reload takes as no change.

use super::*;

fn globs(texts: &[&str]) -> Vec<Glob> {
    texts.iter().map(|text| Glob::new(text).unwrap()).collect()
}

fn with(text: &str, operations: &[Operation], conditions: Vec<Condition>) -> Rule {
    Rule { text: text.to_owned(), ..rule(operations, conditions) }
}

fn regex(text: &str) -> regex::Regex {
    glob::anchored(text).unwrap()
}

#[test]
fn a_policy_is_the_same_by_its_name_mode_rules_and_grants_wherever_it_stands() {
    let one = || policy(vec![rule(&[Operation::ContainerList], vec![])], vec![]);
    let elsewhere = Policy { origin: Origin { source: Arc::from("other.toml"), line: 99 }, digest: Arc::from("other"), ..one() };
    assert!(one().says_the_same(&elsewhere));
    for other in [
        Policy { name: "other".to_owned(), ..one() },
        Policy { mode: Mode::Warn, ..one() },
        Policy { rules: RuleTable::new(vec![], vec![]), ..one() },
        Policy { rules: RuleTable::new(vec![], vec![rule(&[Operation::ContainerList], vec![])]), ..one() },
        Policy { create: Create { volumes: globs(&["a"]), ..Create::default() }, ..one() },
    ] {
        assert!(!one().says_the_same(&other), "{other:?}");
    }
}

#[test]
fn a_grant_is_the_same_where_its_patterns_take_the_same_names() {
    let granted = |volumes: &[&str]| Create { volumes: globs(volumes), ..Create::default() };
    assert_eq!(granted(&["a-*", "b"]), granted(&["a-*", "b"]));
    assert_ne!(granted(&["a-*"]), granted(&["a-**"]));
    assert_ne!(Glob::new("a*").unwrap(), Glob::across_slashes("a*").unwrap(), "the same text that takes other names");
}

#[test]
fn a_rule_is_the_same_by_its_text_operations_and_conditions() {
    let (list, info) = (Operation::ContainerList, Operation::SystemInfo);
    let id = || vec![Condition::Id(regex("a"))];
    let one = with("a", &[list], id());
    let moved = Rule { origin: Origin { source: Arc::from("other.toml"), line: 1 }, ..with("a", &[list], id()) };
    assert_eq!(one, moved);
    for other in [with("b", &[list], id()), with("a", &[info], id()), with("a", &[list, info], id()), with("a", &[list], vec![])] {
        assert_ne!(one, other);
    }
}

#[test]
fn a_condition_is_the_same_by_what_it_looks_at_and_its_pattern() {
    let query = |key: &str, text: &str| Condition::Query(key.to_owned(), regex(text));
    let all = [
        Condition::Id(regex("a")),
        Condition::Id(regex("b")),
        Condition::Path(regex("a")),
        Condition::Path(regex("b")),
        query("k", "a"),
        query("k", "b"),
        query("other", "a"),
    ];
    for (at, one) in all.iter().enumerate() {
        for (other_at, other) in all.iter().enumerate() {
            assert_eq!(one == other, at == other_at, "{one:?} {other:?}");
        }
    }
}
