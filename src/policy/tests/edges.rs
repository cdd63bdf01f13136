//! The edges of single checks: the last value that passes, and the first that does not.

use sha2::{Digest, Sha256};

use super::*;

fn with(create: Create) -> Policy {
    Policy { create, ..everything() }
}

/// What becomes of a HostConfig.
fn host(policy: &Policy, field: &str) -> Result<(), Reason> {
    create(policy, &format!(r#"{{"Image":"a:1","HostConfig":{{{field}}}}}"#)).map_err(|(reason, _)| reason)
}

fn own() -> Own {
    Own { container: Some(ID.to_owned()), ..Own::default() }
}

#[test]
fn the_front_of_dockgates_own_id_is_enough_from_twelve_digits_on() {
    let policy = everything();
    let stop = |name: &str| decide(&policy, action("POST", &format!("/containers/{name}/stop"), ""), &Facts::new(own())).map(drop);
    for reaches in [ID, &ID[..12], &ID[..63]] {
        assert_eq!(stop(reaches).unwrap_err().reason, Reason::SelfProtection, "{reaches}");
    }
    for other in [&ID[..11], "a-name-of-another-container", &format!("{}f", &ID[..12])] {
        assert_eq!(stop(other), Ok(()), "{other}");
    }
}

#[test]
fn joining_another_container_is_no_reach_for_dockgate() {
    let policy = everything();
    let join = |id: &str| {
        let body = format!(r#"{{"Image":"a","HostConfig":{{"NetworkMode":"container:{id}"}}}}"#);
        decide(&policy, action("POST", "/containers/create", &body), &Facts::new(own())).unwrap_err().reason
    };
    assert_eq!(join(&ID[..4]), Reason::SelfProtection, "an engine takes any front of an id");
    for other in ["", "web", "ffff"] {
        assert_eq!(join(other), Reason::HostNamespace, "{other}");
    }
}

#[test]
fn a_build_may_say_what_is_the_default() {
    let policy = everything();
    let build = |query: &str| {
        let action = action("POST", &format!("/build?{query}"), "");
        decide(&policy, action, &Facts::default()).map(drop).map_err(|denial| (denial.reason, denial.at))
    };
    for default in ["isolation=default", "networkmode=bridge", "version=1", "buildargs=%7B%22A%22%3A%22b%22%7D", "squash=0"] {
        assert_eq!(build(default), Ok(()), "{default}");
    }
    for (other, at) in [("isolation=hyperv", "?isolation"), ("networkmode=host", "?networkmode"), ("squash=1", "?squash")] {
        assert_eq!(build(other), Err((Reason::BuildOption, at.to_owned())));
    }
}

#[test]
fn a_host_is_added_by_a_plain_name_and_a_literal_address() {
    let policy = everything();
    for good in ["a:1.2.3.4", "a_b.c-d:::1", "a:[::1]"] {
        assert_eq!(host(&policy, &format!(r#""ExtraHosts":["{good}"]"#)), Ok(()), "{good}");
    }
    for bad in [":1.2.3.4", "a/b:1.2.3.4", "é:1.2.3.4", "a b:1.2.3.4", "a:host-gateway", "a:", "a"] {
        assert_eq!(host(&policy, &format!(r#""ExtraHosts":["{bad}"]"#)), Err(Reason::ExtraHosts), "{bad}");
    }
}

#[test]
fn an_update_lifts_a_limit_by_what_the_engine_reads_as_none() {
    let policy = with(Create { targets: Targets::Any, checks: [(Reason::LimitLifted, Act::Deny)].into(), ..Create::default() });
    let update = |body: &str| {
        let action = action("POST", "/containers/a/update", body);
        decide(&policy, action, &Facts::default()).map(drop).map_err(|denial| (denial.reason, denial.at))
    };
    for kept in [r#"{"Memory":0}"#, r#"{"Memory":1}"#, r#"{"PidsLimit":1}"#, r#"{"NanoCpus":0,"CpuQuota":0}"#, "{}"] {
        assert_eq!(update(kept), Ok(()), "{kept}");
    }
    for (key, limit) in [("Memory", -1), ("MemorySwap", -1), ("CpuQuota", -1), ("PidsLimit", -1), ("PidsLimit", 0)] {
        assert_eq!(update(&format!(r#"{{"{key}":{limit}}}"#)), Err((Reason::LimitLifted, key.to_owned())));
    }
}

#[test]
fn an_exec_runs_by_number_or_as_its_container_does() {
    let policy = with(Create { targets: Targets::Any, checks: [(Reason::NonRoot, Act::Deny)].into(), ..Create::default() });
    let exec = |user: &str| {
        let action = action("POST", "/containers/a/exec", &format!(r#"{{"Cmd":["id"],"User":"{user}"}}"#));
        decide(&policy, action, &Facts::default()).map(drop).map_err(|denial| denial.reason)
    };
    assert_eq!((exec(""), exec("1000:1000")), (Ok(()), Ok(())));
    for root in ["root", "0", "0:0", "1000", "1000:0", "0:1000"] {
        assert_eq!(exec(root), Err(Reason::NonRoot), "{root}");
    }
}

#[test]
fn a_range_of_ports_is_granted_as_a_whole_and_in_its_order() {
    let policy =
        with(Create { ports: vec![PortGrant { address: "127.0.0.1".parse().unwrap(), first: 8000, last: 8999 }], ..Create::default() });
    let publish = |ports: &str| host(&policy, &format!(r#""PortBindings":{{"80/tcp":[{{"HostIp":"127.0.0.1","HostPort":"{ports}"}}]}}"#));
    for granted in ["8000", "8999", "8000-8999", "8500-8500"] {
        assert_eq!(publish(granted), Ok(()), "{granted}");
    }
    for other in ["7999", "9000", "7999-8000", "8999-9000", "8085-8080", "8000-", "-8000", "+8000", "", "0"] {
        assert_eq!(publish(other), Err(Reason::Ports), "{other}");
    }
}

#[test]
fn a_granted_digest_opens_a_profile_and_never_a_word() {
    let digest = |text: &str| Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let profile = r#"{"defaultAction":"SCMP_ACT_ERRNO"}"#;
    let security_opt = [profile, "unconfined"].map(|text| format!("seccomp=sha256:{}", digest(text))).to_vec();
    let policy = with(Create { security_opt, ..Create::default() });
    let option = |text: &str| host(&policy, &format!(r#""SecurityOpt":[{}]"#, Value::Text(text.to_owned()).encode()));
    assert_eq!(option(&format!("seccomp={profile}")), Ok(()));
    for other in ["seccomp=unconfined", "seccomp={}", &format!("seccomp={profile} "), "apparmor=unconfined"] {
        assert_eq!(option(other), Err(Reason::SecurityOpt), "{other}");
    }
}

#[test]
fn a_tmpfs_is_as_large_as_its_number_and_unit_say() {
    let policy = everything();
    let tmpfs = |options: &str| host(&policy, &format!(r#""Tmpfs":{{"/t":"{options}"}}"#));
    for fits in ["size=1073741824", "size=1048576k", "size=1024M", "size=1g", "size=1", "mode=1777,uid=0,gid=0", "", "ro,noexec"] {
        assert_eq!(tmpfs(fits), Ok(()), "{fits}");
    }
    for other in [
        "size=1073741825",
        "size=1048577k",
        "size=1025m",
        "size=2g",
        "size=0",
        "size=",
        "size=1t",
        "size=k",
        "mode=",
        "uid=a",
        "gid=-1",
        "exec",
    ] {
        assert_eq!(tmpfs(other), Err(Reason::Tmpfs), "{other}");
    }
}

#[test]
fn a_working_directory_is_a_plain_path_away_from_the_kernels_own() {
    let policy = everything();
    let working = |path: &str| create(&policy, &format!(r#"{{"Image":"a:1","WorkingDir":"{path}"}}"#)).map_err(|(reason, _)| reason);
    for plain in ["", "/app", "/", "app", "app/data", "./app", "/process", "/a/./proc"] {
        assert_eq!(working(plain), Ok(()), "{plain}");
    }
    for other in ["..", "../x", "a/../b", "/a/../proc", "/proc", "/proc/self/fd/7", "//proc/1", "/sys/", "/dev/fd"] {
        assert_eq!(working(other), Err(Reason::WorkingDir), "{other}");
    }
}
