//! Containers that exist, as a scan and as a start see them, and what the policy sets in new ones.

use super::*;

fn examined(create: &Create, config: &str, host: &str) -> Examination {
    let text = format!(r#"{{"Id":"{ID}","Name":"/a","Config":{config},"HostConfig":{host},"Mounts":[]}}"#);
    examine_container(create, &read(text.as_bytes()).unwrap(), &Facts::default())
}

fn reasons(found: &[Finding]) -> Vec<Reason> {
    found.iter().map(|finding| finding.reason).collect()
}

#[test]
fn a_container_that_exists_is_held_against_the_checks_and_the_demands_of_its_level() {
    let plain = (r#"{"Image":"a:1","User":"1000:1000"}"#, r#"{"NetworkMode":"bridge"}"#);
    let privileged = (plain.0, r#"{"NetworkMode":"bridge","Privileged":true}"#);
    let baseline = Create::default();
    assert_eq!(reasons(&examined(&baseline, plain.0, plain.1).findings), []);
    assert_eq!(reasons(&examined(&baseline, privileged.0, privileged.1).findings), [Reason::Privileged]);
    let passed = examined(&baseline, plain.0, plain.1).passed;
    assert!(passed.iter().any(|passed| passed.at == "HostConfig.NetworkMode"), "{passed:?}");
    let restricted = Create { level: Level::Restricted, ..Create::default() };
    let demanded = reasons(&examined(&restricted, plain.0, plain.1).findings);
    assert!(demanded.contains(&Reason::MemoryLimit) && demanded.contains(&Reason::CapDropAll), "{demanded:?}");
    let unrestricted = Create { level: Level::Unrestricted, ..Create::default() };
    assert_eq!(examined(&unrestricted, privileged.0, privileged.1).findings, []);
}

#[test]
fn what_exists_is_warned_of_in_a_scan_and_not_when_it_starts() {
    let create = Create { checks: [(Reason::Privileged, Act::Warn)].into(), ..Create::default() };
    assert!(reasons(&examined(&create, "{}", r#"{"Privileged":true}"#).warnings).contains(&Reason::Privileged));
    let policy = Policy { create, ..everything() };
    let start = action("POST", "/containers/web-1/start", "");
    let gathered = facts(&policy, &start, &container(r#"{"Privileged":true}"#, "[]"), "{}", Own::default());
    let permit = decide(&policy, start, &gathered).unwrap();
    assert_eq!(permit.client_warnings(), Vec::<String>::new());
}

#[test]
fn the_hosts_cgroups_are_a_containers_own_doing_but_on_an_engine_of_the_first_version() {
    let policy = everything();
    let start = |version: &str| {
        let action = action("POST", "/containers/web-1/start", "");
        let mut facts = Facts::default();
        while let Some(need) = next_need(&policy, &action, &facts) {
            let info = read(format!(r#"{{"CgroupVersion":"{version}"}}"#).as_bytes()).unwrap();
            let value = if need == Need::Info { info } else { container(r#"{"CgroupnsMode":"host"}"#, "[]") };
            facts.insert(need, value);
        }
        decide(&policy, action, &facts).map(drop).map_err(|denial| denial.reason)
    };
    assert_eq!(start("2"), Err(Reason::HostNamespace));
    assert_eq!(start("1"), Ok(()));
    assert_eq!(start(""), Ok(()), "old engines do not say it");
}

#[test]
fn dockgates_own_container_is_out_of_reach_where_a_query_or_a_body_names_it() {
    let policy = everything();
    let own = Own { container: Some(ID.to_owned()), ..Own::default() };
    for (target, body) in [("/commit?container=web-1", "{}"), ("/networks/bridge/connect", r#"{"Container":"web-1"}"#)] {
        let action = action("POST", target, body);
        let gathered = facts(&policy, &action, &container("{}", "[]"), "{}", own.clone());
        assert_eq!(decide(&policy, action, &gathered).unwrap_err().reason, Reason::SelfProtection, "{target}");
    }
    let nobody = action("POST", "/commit?container=", "{}");
    assert_eq!(next_need(&policy, &nobody, &Facts::new(own)), None, "an empty name is nobody's");
}

/// The HostConfig that a create has after what the policy sets.
fn injected(inject: Inject, host: &str) -> String {
    let policy = Policy { create: Create { inject, level: Level::Unrestricted, ..Create::default() }, ..everything() };
    let action = action("POST", "/containers/create", &format!(r#"{{"Image":"a","HostConfig":{host}}}"#));
    let permit = decide(&policy, action, &Facts::default()).unwrap();
    permit.action().json().unwrap().get("HostConfig").unwrap().encode()
}

#[test]
fn a_limit_is_set_where_the_client_has_none_above_zero() {
    let pids = || Inject { pids_limit: Some(256), ..Inject::default() };
    for none in ["{}", r#"{"PidsLimit":0}"#, r#"{"PidsLimit":-1}"#, r#"{"PidsLimit":null}"#] {
        assert_eq!(injected(pids(), none), r#"{"PidsLimit":256}"#, "{none}");
    }
    for own in [r#"{"PidsLimit":1}"#, r#"{"PidsLimit":4096}"#] {
        assert_eq!(injected(pids(), own), own);
    }
    let memory = || Inject { memory: Some(512), ..Inject::default() };
    assert_eq!(injected(memory(), r#"{"Memory":0}"#), r#"{"Memory":512,"MemorySwap":512}"#);
    assert_eq!(injected(memory(), r#"{"Memory":64,"MemorySwap":-1}"#), r#"{"Memory":64,"MemorySwap":64}"#);
    assert_eq!(injected(memory(), r#"{"Memory":64,"MemorySwap":128}"#), r#"{"Memory":64,"MemorySwap":128}"#);
}

#[test]
fn a_share_of_processors_is_set_in_the_unit_that_the_client_began_with() {
    let half = || Inject { nano_cpus: Some(500_000_000), ..Inject::default() };
    assert_eq!(injected(half(), "{}"), r#"{"NanoCpus":500000000}"#);
    assert_eq!(injected(half(), r#"{"CpuPeriod":0}"#), r#"{"CpuPeriod":0,"NanoCpus":500000000}"#);
    assert_eq!(injected(half(), r#"{"CpuPeriod":50000}"#), r#"{"CpuPeriod":50000,"CpuQuota":25000}"#);
    for own in [r#"{"NanoCpus":1}"#, r#"{"CpuQuota":1}"#, r#"{"CpuPeriod":50000,"CpuQuota":1}"#] {
        assert_eq!(injected(half(), own), own);
    }
}

#[test]
fn a_log_is_rotated_where_the_client_left_it_as_it_is() {
    let rotate = || Inject { log_rotation: Some(("1m".to_owned(), 3)), ..Inject::default() };
    let rotated = r#"{"LogConfig":{"Type":"json-file","Config":{"max-size":"1m","max-file":"3"}}}"#;
    for plain in ["{}", r#"{"LogConfig":{"Type":""}}"#, r#"{"LogConfig":{"Type":"json-file","Config":{}}}"#] {
        assert_eq!(injected(rotate(), plain), rotated, "{plain}");
    }
    for own in [r#"{"LogConfig":{"Type":"local"}}"#, r#"{"LogConfig":{"Type":"json-file","Config":{"max-file":"1"}}}"#] {
        assert_eq!(injected(rotate(), own), own);
    }
}

#[test]
fn a_refused_query_key_without_a_value_asks_for_nothing() {
    let policy = Policy { create: Create { targets: Targets::Any, ..Create::default() }, ..everything() };
    let start = |query: &str| decide(&policy, action("POST", &format!("/containers/a/start{query}"), ""), &Facts::default());
    assert!(start("?checkpoint=").is_ok());
    assert_eq!(start("?checkpoint=cp").unwrap_err().at, "?checkpoint");
}

#[test]
fn a_command_is_granted_word_by_word_and_shown_by_an_example_that_fits() {
    for (pattern, fits, others) in [
        ("ls", &["ls"][..], &["ls -l", "", "lsx"][..]),
        ("ls *", &["ls -l"], &["ls", "ls a b", "ls a/b"]),
        ("ls **", &["ls", "ls -l", "ls a b/c"], &["", "lsx"]),
        ("pg_dump -t * **", &["pg_dump -t a", "pg_dump -t a b"], &["pg_dump -t", "pg_dump a -t"]),
    ] {
        let granted = CommandPattern::new(pattern).unwrap();
        let matches = |command: &str| granted.matches(&command.split_whitespace().collect::<Vec<_>>());
        assert!(fits.iter().all(|command| matches(command)) && !others.iter().any(|command| matches(command)), "{pattern}");
        assert!(matches(&granted.example().join(" ")), "{pattern}: {:?}", granted.example());
    }
}
