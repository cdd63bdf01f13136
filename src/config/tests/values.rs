//! What good files become, and which mistakes are found.
//! Knows nothing of how mistakes are printed.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::config::{
    Audit, AuditSync, CheckpointsTo, Cidr, Config, Door, Listen, OnFailure, SinkUrl, UpstreamUrl, defaults, load, preset, presets,
    ways_to_root,
};
use crate::docker::Operation;
use crate::docker::operations::{Group, TABLE};
use crate::policy::{Act, BindAccess, Inject, Level, Mode, Policy, Reason, Targets};

use super::{codes, read};

fn good(text: &str) -> Config {
    let loaded = read(text);
    let said: Vec<String> = loaded.diagnostics.iter().map(|d| d.render(text, false)).collect();
    loaded.config.unwrap_or_else(|| panic!("{}", said.join("")))
}

fn policy(text: &str) -> Arc<Policy> {
    good(text).policies.get("p").cloned().unwrap()
}

fn open(policy: &Policy) -> Vec<&'static str> {
    TABLE.iter().filter(|o| policy.rules.may_allow(**o) && policy.rules.denies_always(**o).is_none()).map(|o| o.name()).collect()
}

#[test]
fn the_commented_default_loads_without_a_word() {
    let text = include_str!("../../../config/dockgate.toml");
    let loaded = load("dockgate.toml", text);
    let said: Vec<String> = loaded.diagnostics.iter().map(|d| d.render(text, false)).collect();
    assert_eq!(said.join(""), "");
    let config = loaded.config.unwrap();
    assert_eq!(config.doors.len(), 2);
    assert_eq!(config.limits, super::super::Limits::default());
    assert_eq!(config.audit, Audit { file: Some(PathBuf::from("/var/log/dockgate/audit.jsonl")), ..Audit::default() });
    assert_eq!(config.policies.keys().collect::<Vec<_>>(), ["ci", "read-only"]);
}

#[test]
fn every_preset_is_a_file_that_loads_and_a_policy() {
    assert_eq!(presets().len(), 46);
    for found in presets() {
        let loaded = load(found.name, found.text);
        assert!(loaded.config.is_some(), "{}: {:?}", found.name, loaded.diagnostics);
        let expected: &[&str] = if found.name == "unrestricted" { &["as-good-as-root"] } else { &[] };
        assert_eq!(loaded.diagnostics.iter().map(|d| d.code).collect::<Vec<_>>(), expected, "{}", found.name);
        assert_eq!(preset(found.name).unwrap().name, found.name);
    }
    assert!(preset("nothing").is_none());
}

#[test]
fn presets_open_what_they_say() {
    let read_only: Vec<_> = TABLE.iter().filter(|o| o.row().groups.contains(&Group::Read)).map(|o| o.name()).collect();
    assert_eq!(open(&preset("read-only").unwrap()), read_only);
    assert_eq!(open(&preset("ping").unwrap()), ["SystemPing", "SystemPingHead", "SystemVersion"]);
    assert_eq!(open(&preset("deny-all").unwrap()), [""; 0]);
    assert_eq!(open(&preset("unrestricted").unwrap()).len(), TABLE.len());
    assert_eq!(preset("unrestricted").unwrap().create.level, Level::Unrestricted);
    assert_eq!(open(&preset("traefik").unwrap()).len(), 6);
    let portainer = preset("portainer-read-only").unwrap();
    assert!(portainer.rules.may_allow(Operation::ContainerTop) && !portainer.rules.may_allow(Operation::SwarmInspect));
    assert!(TABLE.iter().filter(|o| portainer.rules.may_allow(**o)).all(|o| o.row().method.as_str() != "POST"));
    assert!(
        presets()
            .iter()
            .filter(|found| !ways_to_root(&preset(found.name).unwrap()).is_empty())
            .map(|found| found.name)
            .eq(["unrestricted"])
    );
}

#[test]
fn without_a_file_the_policy_is_read_only() {
    let config = defaults();
    assert!(config.doors.is_empty() && config.upstream.is_none() && config.audit.file.is_none());
    assert_eq!(config.policies.keys().collect::<Vec<_>>(), ["read-only"]);
    assert_eq!(config.policy("ping").unwrap().name, "ping");
}

#[test]
fn doors_hold_what_is_written() {
    let config = good(
        "[upstream]\nurl = \"tcp://engine:2375\"\n[audit]\nfile = \"/var/log/a.jsonl\"\n[[door]]\nlisten = \"unix:///run/a/docker.sock\"\nmode = \"0600\"\ngroup = \"7\"\nowner = 0\npolicy = \"ping\"\n\
         [[door]]\nlisten = \"tcp://0.0.0.0:2375\"\nplain-text = \"i-know\"\nallow-from = [\"10.0.0.0/8\"]\nhosts = [\"Docker.example.com\"]\npolicy = \"ping\"\n",
    );
    let [unix, tcp] = &config.doors[..] else { panic!() };
    assert_eq!((unix.mode, unix.owner, unix.group, unix.origin.line), (0o600, Some(0), Some(7), 6));
    assert_eq!(unix.listen, Listen::Unix(PathBuf::from("/run/a/docker.sock")));
    assert_eq!(
        (tcp.listen.to_string().as_str(), tcp.mode, &tcp.hosts[..]),
        ("tcp://0.0.0.0:2375", 0o660, &["docker.example.com".to_owned()][..])
    );
    assert!(tcp.allow_from[0].contains("10.1.2.3".parse().unwrap()) && !tcp.allow_from[0].contains("11.1.2.3".parse().unwrap()));
    assert_eq!(config.upstream, Some(UpstreamUrl::Tcp("engine:2375".to_owned())));
    assert_eq!(config.audit.file, Some(PathBuf::from("/var/log/a.jsonl")));
    assert_eq!(config.policies.keys().collect::<Vec<_>>(), ["ping"]);
}

#[test]
fn a_door_of_the_command_line_stays_on_this_host() {
    assert_eq!(Door::new("tcp://127.0.0.1:1", "ping", "--listen").unwrap().policy.as_deref(), Some("ping"));
    assert!(Door::new("tcp://0.0.0.0:1", "ping", "--listen").unwrap_err().to_string().contains("plain-text"));
    assert!(Door::new("/run/x.sock", "ping", "--listen").unwrap_err().to_string().contains("`unix:///run/x.sock`"));
}

#[test]
fn ranges_hold_their_addresses() {
    let holds = |range: &str, address: &str| range.parse::<Cidr>().unwrap().contains(address.parse::<IpAddr>().unwrap());
    assert!(holds("127.0.0.0/8", "127.9.9.9") && !holds("127.0.0.0/8", "128.0.0.1"));
    assert!(holds("10.0.0.1", "10.0.0.1") && !holds("10.0.0.1", "10.0.0.2"));
    assert!(holds("127.0.0.0/8", "::ffff:127.0.0.1"));
    assert!(holds("fd00::/8", "fd12::1") && !holds("fd00::/8", "fe00::1"));
    assert!(holds("0.0.0.0/0", "1.2.3.4") && !holds("0.0.0.0/0", "::1") && holds("::/0", "::1"));
    assert!(["", "1.2.3.4/33", "1.2.3.4/+8", "1.2.3.4/8", "a/8", "::1/129"].iter().all(|text| text.parse::<Cidr>().is_err()));
}

#[test]
fn limits_have_units() {
    let config = good("[limits]\nmax-json-body = \"512 KiB\"\nhead-timeout = \"500ms\"\nidle-timeout = \"2m\"\nconnections = 5\n");
    assert_eq!((config.limits.max_json_body, config.limits.connections), (512 << 10, 5));
    assert_eq!((config.limits.head_timeout, config.limits.idle_timeout), (Duration::from_millis(500), Duration::from_secs(120)));
    assert_eq!(
        codes("[limits]\nmax-json-body = \"4\"\nhead-timeout = \"-1s\"\nconnections = 0\ndrain-timeout = \"99999999999999999999h\"\n"),
        ["bad-value"; 4]
    );
}

#[test]
fn every_form_of_a_rule_names_its_operations() {
    let open = |entry: &str| open(&policy(&format!("[policy.p]\nallow = [{entry}]\n")));
    assert_eq!(open("\"ContainerList\""), ["ContainerList"]);
    assert_eq!(open("\"Container*ttach*\""), ["ContainerAttach", "ContainerAttachWebsocket"]);
    assert_eq!(open("\"@logs\""), ["ContainerLogs", "ServiceLogs", "TaskLogs"]);
    assert_eq!(open("\"GET /containers/{anything}/json\""), ["ContainerInspect"]);
    assert_eq!(open("\"GET /images/{name}/json\""), ["ImageInspect"]);
    assert_eq!(
        open("{ operation = \"Container*\", id = \"web\", query = { signal = \"SIGHUP|HUP\" } }"),
        ["ContainerStop", "ContainerRestart", "ContainerKill"]
    );
    assert_eq!(open("{ method = \"POST\", path = \"/containers/[^/]+/(start|stop)\" }"), ["ContainerStart", "ContainerStop"]);
    assert_eq!(open("{ path = \"/info\" }, \"@ping\"").len(), 4);
}

#[test]
fn patterns_never_open_what_passes_unread_but_always_deny_it() {
    let opened = policy("[policy.p]\nallow = [\"*\"]\n");
    assert!(!opened.rules.may_allow(Operation::PutContainerArchive) && opened.rules.may_allow(Operation::ContainerCreate));
    assert!(codes("[policy.p]\nallow = [\"*\"]\n").contains(&"opaque-operation"));
    let shut = policy("[policy.p]\nallow = [\"@exec\"]\ndeny = [\"Put*\"]\n");
    assert!(shut.rules.denies_always(Operation::PutContainerArchive).is_some());
}

#[test]
fn policies_unite_rules_and_take_the_nearest_key() {
    let text = "[policy.far]\nallow = [\"@logs\"]\ndeny = [\"TaskLogs\"]\ncreate = { images = [\"ghcr.io/a/*\"], volumes = [\"far\"], level = \"unrestricted\" }\nmode = \"warn\"\n\
                [policy.near]\nextends = [\"far\"]\ncreate = { volumes = [\"near\"], level = \"baseline\" }\n\
                [policy.p]\nextends = [\"ping\", \"near\"]\ndeny = [\"ServiceLogs\"]\ncreate = { targets = \"any\" }\n";
    let policy = policy(text);
    assert_eq!(open(&policy), ["SystemPing", "SystemPingHead", "SystemVersion", "ContainerLogs"]);
    assert_eq!((policy.mode, policy.create.level, policy.create.targets), (Mode::Enforce, Level::Baseline, Targets::Any));
    assert_eq!((policy.create.volumes[0].as_str(), policy.create.images.as_ref().unwrap()[0].as_str()), ("near", "ghcr.io/a/*"));
    let rule = policy.rules.denies_always(Operation::TaskLogs).unwrap();
    assert_eq!(rule.origin.to_string(), "x.toml:4");
}

#[test]
fn a_policy_may_extend_the_preset_of_its_own_name() {
    let config = good("[policy.traefik]\nextends = [\"traefik\"]\nallow = [\"SystemInfo\"]\n");
    assert_eq!(open(config.policies.get("traefik").unwrap()).len(), 7);
}

#[test]
fn grants_hold_what_is_written() {
    let policy = policy(
        "[policy.p.create]\nimages = [\"docker.io/library/*\"]\nrequire-digest = true\nrequire-non-root = true\nbinds = [{ source = \"/srv/a\" }, { source = \"/srv/b/**\", mode = \"rw\" }]\n\
         ports = [\"127.0.0.1:80\", \"[::1]:8000-8999\", \"0.0.0.0:1\"]\ncap-add = [\"cap_net_admin\", \"BPF\"]\ndevices = [\"/dev/fuse\"]\nenv = { deny = [\"LD_*\"] }\nlabels = { deny = [\"a.*\"] }\n",
    );
    let create = &policy.create;
    assert!(create.require_digest && create.require_non_root);
    assert!(create.binds[0].covers("/srv/a", BindAccess::ReadOnly) && !create.binds[0].covers("/srv/a/b", BindAccess::ReadOnly));
    assert!(create.binds[1].covers("/srv/b/c", BindAccess::ReadWrite));
    assert!(create.ports[1].covers("::1".parse().unwrap(), 8000, 8999));
    assert_eq!(create.cap_add, ["NET_ADMIN", "BPF"]);
    assert!(create.deny_env[0].matches("LD_PRELOAD") && create.deny_labels[0].matches("a.b"));
}

#[test]
fn what_is_wrong_below_unrestricted_is_fine_there() {
    let grants = "cap-add = [\"ALL\"]\nbinds = [{ source = \"/**\" }, { source = \"/var/run/docker.sock\" }]\n";
    assert_eq!(codes(&format!("[policy.p.create]\n{grants}")), ["bad-value", "host-path", "host-path"]);
    let policy = policy(&format!("[policy.p.create]\nlevel = \"unrestricted\"\n{grants}"));
    assert!(policy.create.binds[0].covers("/etc/passwd", BindAccess::ReadOnly));
    assert_eq!(
        codes(&format!(
            "[policy.a.create]\nlevel = \"unrestricted\"\n{grants}[policy.b]\nextends = [\"a\"]\ncreate = {{ level = \"baseline\" }}\n"
        )),
        ["bad-value", "host-path", "host-path"]
    );
}

#[test]
fn demands_that_nothing_looks_at_are_warned_of() {
    let grants = "images = [\"ghcr.io/a/*\"]\nenv = { deny = [\"A\"] }\n";
    assert_eq!(codes(&format!("[policy.p]\nallow = [\"ImageTag\"]\n[policy.p.create]\nlevel = \"unrestricted\"\n{grants}")), ["no-effect"]);
    assert_eq!(codes(&format!("[policy.p.create]\n{grants}")), [""; 0]);
    let hardening = "checks = { env = \"off\" }\ninject = { pids-limit = 1 }\nusers = [\"1\"]\nexec = { commands = [\"ls\"] }\n";
    assert_eq!(codes(&format!("[policy.p.create]\nlevel = \"unrestricted\"\n{hardening}")), ["no-effect"]);
    assert_eq!(codes(&format!("[policy.p.create]\n{hardening}")), [""; 0]);
}

#[test]
fn host_paths_that_amount_to_root_are_refused_by_every_name() {
    for path in [
        "/",
        "/**",
        "/etc",
        "/etc/**",
        "/root",
        "/var",
        "/var/lib",
        "/var/lib/docker/**",
        "/proc/1",
        "/sys/fs",
        "/dev/sda",
        "/run",
        "/var/run/**",
        "/run/docker.sock",
        "/run/podman",
        "/run/user/1000",
    ] {
        assert_eq!(codes(&format!("[policy.p.create]\nbinds = [{{ source = \"{path}\" }}]\n")), ["host-path"], "{path}");
    }
    for path in ["", "srv", "/srv/", "/srv//a", "/srv/../etc", "/srv/*", "/srv/**/a"] {
        assert_eq!(codes(&format!("[policy.p.create]\nbinds = [{{ source = \"{path}\" }}]\n")), ["bad-path"], "{path}");
    }
    for path in ["/srv", "/srv/**", "/etc/ssl/certs", "/run/app", "/home/me"] {
        assert_eq!(codes(&format!("[policy.p.create]\nbinds = [{{ source = \"{path}\" }}]\n")), [""; 0], "{path}");
    }
}

#[test]
fn every_way_to_root_is_named() {
    let ways = |text: &str| ways_to_root(&policy(&format!("[policy.p]\n{text}"))).join("\n");
    assert_eq!(ways("allow = [\"@read\"]\n"), "");
    assert_eq!(ways("allow = [\"ContainerCreate\", \"ContainerStart\", \"@exec\"]\ndeny = [\"PutContainerArchive\"]\n"), "");
    assert!(ways("mode = \"observe\"\n").contains("`observe`"));
    assert!(ways("allow = [\"ContainerExec\"]\ncreate = { level = \"unrestricted\" }\n").contains("`ContainerExec`"));
    assert!(ways("allow = [\"ExecStart\"]\ncreate = { targets = \"any\" }\n").contains("targets"));
    assert!(ways("allow = [\"ContainerCreate\"]\ncreate = { binds = [{ source = \"/srv/**\", mode = \"rw\" }] }\n").contains("/srv/**"));
    assert!(
        ways("allow = [\"ContainerCreate\"]\ncreate = { cap-add = [\"SYS_ADMIN\"], devices = [\"/dev/sda\"] }\n").contains("`/dev/sda`")
    );
    assert!(ways("allow = [\"PutContainerArchive\"]\n[policy.p.create]\ntargets = \"any\"\n").contains("writes any file"));
    assert_eq!(
        ways("allow = [\"@plugins\"]\n"),
        "`PluginPull`, `PluginEnable`, `PluginUpgrade` and `PluginCreate` allowed: plugins run as root on the host"
    );
    assert!(ways("allow = [\"@plugins\"]\ncreate = { level = \"unrestricted\" }\n").contains("and 3 more"));
    assert!(ways("allow = [\"PluginSet\", \"PluginDisable\", \"ServiceCreate\", \"ServiceUpdate\", \"ServiceDelete\"]\n").is_empty());
    assert!(ways("allow = [\"ServiceUpdate\"]\ncreate = { cap-add = [\"SYS_ADMIN\"] }\n").contains("`SYS_ADMIN`"));
    assert!(ways("allow = [\"ServiceCreate\"]\ncreate = { level = \"unrestricted\" }\n").contains("`ServiceCreate`"));
    assert!(
        ways("allow = [\"SwarmJoin\", \"NodeUpdate\"]\ncreate = { level = \"restricted\" }\n").contains("`NodeUpdate` and `SwarmJoin`")
    );
}

#[test]
fn every_guard_of_the_host_that_is_switched_is_named() {
    let ways = |rule: &str, checks: &str| {
        ways_to_root(&policy(&format!("[policy.p]\nallow = [\"{rule}\"]\ncreate = {{ checks = {{ {checks} }} }}\n"))).join("\n")
    };
    for check in
        ["privileged", "host-path", "host-namespace", "volume-driver", "cap-add", "devices", "security-opt", "masked-paths", "volumes-from"]
    {
        for act in ["warn", "off"] {
            let said = ways("ContainerCreate", &format!("{check} = \"{act}\""));
            assert_eq!(said, format!("`checks` lets through what `{check}` would refuse"));
        }
        assert_eq!(ways("ContainerCreate", &format!("{check} = \"deny\"")), "");
        assert_eq!(ways("ContainerList", &format!("{check} = \"off\"")), "");
    }
    assert!(ways_to_root(&policy("[policy.p]\nallow = [\"ContainerCreate\"]\ncreate = { level = \"restricted\" }\n")).is_empty());
    assert!(ways("ExecStart", "privileged = \"off\"").contains("`privileged`"));
    assert!(ways("VolumeCreate", "volume-driver = \"off\"").contains("`volume-driver`"));
    assert_eq!(ways("ContainerCreate", "latest-tag = \"off\", env = \"off\""), "");
}

#[test]
fn every_check_can_be_switched_but_the_socket() {
    let checks: Vec<Reason> = Reason::ALL.iter().copied().filter(|reason| reason.is_check()).collect();
    assert_eq!(checks.len(), Reason::ALL.len() - 4);
    for reason in checks.into_iter().filter(|reason| *reason != Reason::SocketMount) {
        for act in [Act::Deny, Act::Warn, Act::Off] {
            let policy = policy(&format!("[policy.p]\ncreate = {{ checks = {{ {} = \"{}\" }} }}\n", reason.code(), act.as_str()));
            assert_eq!(policy.create.act(reason), act, "{}", reason.code());
        }
    }
    let switch =
        |level: &str, act: &str| codes(&format!("[policy.p.create]\nlevel = \"{level}\"\nchecks = {{ socket-mount = \"{act}\" }}\n"));
    assert_eq!((switch("restricted", "off"), switch("baseline", "warn")), (vec!["bad-value"], vec!["bad-value"]));
    assert_eq!((switch("baseline", "deny"), switch("unrestricted", "off")), (vec![], vec!["no-effect"]));
    assert_eq!(
        codes(
            "[policy.p.create]\nchecks = { not-allowed = \"off\", denied-by-rule = \"off\", self-protection = \"off\", fact-missing = \"off\" }\n"
        ),
        ["unknown-check"; 4]
    );
}

#[test]
fn levels_deny_and_warn_at_once() {
    let policy = policy("[policy.p.create]\nlevel = \"baseline\"\nwarn-level = \"restricted\"\n");
    assert_eq!((policy.create.level, policy.create.warn_level), (Level::Baseline, Some(Level::Restricted)));
    assert_eq!((policy.create.act(Reason::Privileged), policy.create.act(Reason::CapDropAll)), (Act::Deny, Act::Warn));
    for (level, warn) in [("baseline", "baseline"), ("baseline", "unrestricted"), ("restricted", "baseline")] {
        let text = format!("[policy.p.create]\nlevel = \"{level}\"\nwarn-level = \"{warn}\"\n");
        assert_eq!(codes(&text), ["no-effect"], "{level} {warn}");
    }
    let far = "[policy.far.create]\nwarn-level = \"restricted\"\n[policy.p]\nextends = [\"far\"]\ncreate = { level = \"restricted\" }\n";
    assert_eq!(codes(far), [""; 0]);
}

#[test]
fn profiles_and_names_hold_what_is_written() {
    let digest = "AB".repeat(32);
    let policy = policy(&format!(
        "[policy.p.create]\nsysctls = [\"net.core.somaxconn\", \"fs.mqueue.msg_max\", \"kernel.sem\"]\nruntimes = [\"runsc\", \"io.containerd.kata.v2\"]\n\
         security-opt = [\"seccomp=sha256:{digest}\", \"apparmor=my-profile\"]\nsecrets = [\"ci-*\"]\nconfigs = [\"a\", \"b\"]\n\
         log-drivers = [\"journald\", \"grafana/loki:3\"]\nusers = [\"1000:*\"]\nexec = {{ commands = [\"pg_dump **\", \"ls *\"], users = [\"postgres\"] }}\n"
    ));
    let create = &policy.create;
    assert_eq!(create.sysctls, ["net.core.somaxconn", "fs.mqueue.msg_max", "kernel.sem"]);
    assert_eq!(
        (&create.runtimes[..], &create.log_drivers[..]),
        (&["runsc", "io.containerd.kata.v2"].map(str::to_owned)[..], &["journald", "grafana/loki:3"].map(str::to_owned)[..])
    );
    assert_eq!(create.security_opt, [format!("seccomp=sha256:{}", "ab".repeat(32)), "apparmor=my-profile".to_owned()]);
    assert!(create.secrets[0].matches("ci-key") && create.configs.len() == 2);
    assert_eq!(create.users.iter().map(|user| user.as_str()).collect::<Vec<_>>(), ["1000:*"]);
    assert_eq!(create.exec_users.iter().map(|user| user.as_str()).collect::<Vec<_>>(), ["postgres"]);
    let runs = |words: &[&str]| create.exec_commands.iter().any(|pattern| pattern.matches(words));
    assert!(runs(&["pg_dump", "-h", "db"]) && runs(&["ls", "a"]) && !runs(&["ls"]) && !runs(&["ls", "/etc"]) && !runs(&["sh"]));
}

#[test]
fn injection_holds_what_is_written() {
    let inject = |text: &str| policy(&format!("[policy.p.create]\ninject = {{ {text} }}\n")).create.inject.clone();
    let all = inject(
        "no-new-privileges = true, cap-drop-all = true, pids-limit = 256, memory = \"512MiB\", cpus = \"1.5\", read-only-rootfs = true, user = \"65532:65532\", \
         ipc-private = true, cgroupns-private = true, log-max-size = \"10m\", log-max-file = 3, labels = { owner = \"ci\" }, host-ip = \"127.0.0.1\"",
    );
    let expected = Inject {
        no_new_privileges: true,
        cap_drop_all: true,
        pids_limit: Some(256),
        memory: Some(512 << 20),
        nano_cpus: Some(1_500_000_000),
        read_only_rootfs: true,
        user: Some("65532:65532".to_owned()),
        ipc_private: true,
        cgroupns_private: true,
        log_rotation: Some(("10m".to_owned(), 3)),
        labels: vec![("owner".to_owned(), "ci".to_owned())],
        host_ip: Some("127.0.0.1".to_owned()),
    };
    assert_eq!(all, expected);
    assert_eq!(inject(""), Inject::default());
    assert_eq!(inject("ipc-private = false"), Inject::default());
    assert_eq!(inject("log-max-size = \"1g\"").log_rotation, Some(("1g".to_owned(), 1)));
    for (text, nano) in [("2", 2_000_000_000), ("0.25", 250_000_000), ("\"0.01\"", 10_000_000), ("\"1.000000001\"", 1_000_000_001)] {
        assert_eq!(inject(&format!("cpus = {text}")).nano_cpus, Some(nano), "{text}");
    }
}

#[test]
fn injected_values_out_of_range_are_refused() {
    for text in [
        "pids-limit = 0",
        "pids-limit = -1",
        "pids-limit = 4194305",
        "memory = \"5MiB\"",
        "memory = \"512m\"",
        "memory = \"99999999GiB\"",
        "cpus = 0",
        "cpus = \"0.001\"",
        "cpus = -1",
        "cpus = 1e2",
        "cpus = nan",
        "cpus = inf",
        "cpus = \".5\"",
        "cpus = \"1.\"",
        "cpus = \"1.0000000001\"",
        "cpus = 99999",
        "cpus = \"99999999999999999999\"",
        "user = \"0:0\"",
        "user = \"1000\"",
        "user = \"1000:0\"",
        "user = \"app:app\"",
        "user = \"+1:1\"",
        "user = \"01:1\"",
        "user = \"1:4294967295\"",
        "user = \"1:1:1\"",
        "host-ip = \"localhost\"",
        "host-ip = \"[::1]\"",
        "log-max-size = \"10\"",
        "log-max-size = \"0m\"",
        "log-max-size = \"10MB\"",
        "log-max-size = \"+1m\"",
        "log-max-size = \"1m\", log-max-file = 0",
        "labels = { \"\" = \"x\" }",
    ] {
        assert_eq!(codes(&format!("[policy.p.create]\ninject = {{ {text} }}\n")), ["bad-value"], "{text}");
    }
    for text in ["memory = 512", "cpus = true", "cpus = 0x1", "ipc-private = \"yes\"", "labels = { a = 1 }", "user = 65532"] {
        assert_eq!(codes(&format!("[policy.p.create]\ninject = {{ {text} }}\n")), ["wrong-type"], "{text}");
    }
}

#[test]
fn checks_and_inject_are_inherited_as_one_key_each() {
    let text = "[policy.far.create]\nchecks = { env = \"off\", oom = \"off\" }\ninject = { pids-limit = 5, ipc-private = true }\nsysctls = [\"kernel.sem\"]\nexec = { users = [\"1\"] }\n\
                [policy.p]\nextends = [\"far\"]\ncreate = { checks = { oom = \"warn\" }, inject = { pids-limit = 6 }, users = [\"2\"] }\n";
    let policy = policy(text);
    assert_eq!(policy.create.checks.iter().collect::<Vec<_>>(), [(&Reason::Oom, &Act::Warn)]);
    assert_eq!(policy.create.inject, Inject { pids_limit: Some(6), ..Inject::default() });
    assert_eq!(policy.create.sysctls, ["kernel.sem"]);
    assert_eq!(policy.create.users.iter().map(|user| user.as_str()).collect::<Vec<_>>(), ["2"]);
    assert_eq!(policy.create.exec_users.iter().map(|user| user.as_str()).collect::<Vec<_>>(), ["1"]);
    let socket = "[policy.a.create]\nlevel = \"unrestricted\"\nchecks = { socket-mount = \"off\" }\n[policy.b]\nextends = [\"a\"]\ncreate = { level = \"baseline\" }\n";
    assert_eq!(codes(socket), ["no-effect", "bad-value"]);
}

#[test]
fn the_commented_default_shows_every_key_of_create_and_inject() {
    let text = include_str!("../../../config/dockgate.toml");
    let shown = |key: &&str| text.lines().any(|line| line.trim_start_matches("# ").split(" =").next() == Some(key));
    let mut keys = crate::config::grants::KEYS.iter().copied().chain(crate::config::inject::KEYS.iter().copied());
    let missing: Vec<&str> = keys.by_ref().filter(|key| !shown(key) && *key != "inject").collect();
    assert!(missing.is_empty() && text.contains("\n[policy.ci.create.inject]\n"), "{missing:?}");
}

#[test]
fn odd_files_get_a_diagnostic_and_never_a_panic() {
    for text in [
        "",
        "\u{feff}",
        "\0",
        "[[[[",
        "version",
        "version = ",
        "version = 1\nversion = 1",
        "[policy.\u{1F600}]",
        "= 1",
        "door = 1",
        "policy = []",
        "version = 99999999999999999999",
    ] {
        let loaded = load("x", text);
        assert!(loaded.config.is_none(), "{text:?}");
        assert!(loaded.diagnostics.iter().all(|d| !d.render(text, true).is_empty() && d.line > 0 && d.column > 0), "{text:?}");
    }
    let deep = format!("version = 1\nx = {}{}", "[".repeat(5000), "]".repeat(5000));
    assert!(load("x", &deep).config.is_none());
    assert!(load("x", &"a".repeat(1 << 20)).config.is_none());
}

#[test]
fn every_key_of_the_trail_is_read() {
    let config = good(
        "[audit]\nfile = \"/var/log/a.jsonl\"\nsync = \"all\"\non-failure = \"deny-all\"\nkey = \"/etc/a.key\"\ncheckpoint-records = 7\n\
         checkpoint-interval = \"2m\"\ncheckpoints-to = \"/mnt/a.checkpoints\"\nrotate-size = \"1GiB\"\nrotate-interval = \"24h\"\n\
         keep-files = 3\nfold-above = 0\nreconcile = true\n\
         [[audit.sink]]\nto = \"stdout\"\n[[audit.sink]]\nto = \"journald\"\n[[audit.sink]]\nto = \"syslog+unix:///dev/log\"\n\
         [[audit.sink]]\nto = \"syslog+udp://10.0.0.1:514\"\n[[audit.sink]]\nto = \"syslog+tcp://logs.example:601\"\n\
         [[audit.sink]]\nto = \"otlp+http://[::1]:4318\"\n",
    );
    let expected = Audit {
        file: Some(PathBuf::from("/var/log/a.jsonl")),
        sync: AuditSync::All,
        on_failure: OnFailure::DenyAll,
        key: Some(PathBuf::from("/etc/a.key")),
        checkpoint_records: 7,
        checkpoint_interval: Duration::from_secs(120),
        checkpoints_to: Some(CheckpointsTo::File(PathBuf::from("/mnt/a.checkpoints"))),
        rotate_size: 1 << 30,
        rotate_interval: Some(Duration::from_secs(24 * 3600)),
        keep_files: Some(3),
        fold_above: 0,
        reconcile: true,
        sinks: vec![
            SinkUrl::Stdout,
            SinkUrl::Journald,
            SinkUrl::SyslogUnix(PathBuf::from("/dev/log")),
            SinkUrl::SyslogUdp("10.0.0.1:514".to_owned()),
            SinkUrl::SyslogTcp("logs.example:601".to_owned()),
            SinkUrl::Otlp { authority: "[::1]:4318".to_owned(), path: "/v1/logs".to_owned() },
        ],
    };
    assert_eq!(config.audit, expected);
    let files: Vec<String> = expected.files().iter().map(|file| file.display().to_string()).collect();
    assert_eq!(
        files,
        ["/var/log/a.jsonl", "/etc/a.key", "/var/log/a.pub", "/var/log/a.checkpoints", "/var/log/a.torn", "/mnt/a.checkpoints"]
    );
}

#[test]
fn a_list_of_scans_is_part_of_the_configuration_that_is_watched() {
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("approved.json");
    let digest = format!("sha256:{}", "a".repeat(64));
    std::fs::write(&list, format!(r#"{{"digest":"{digest}","scanned":"2026-01-31T12:00:00Z","severity":"low"}}"#)).unwrap();
    let text = format!("version = 1\n[policy.p.create]\napproved = {{ files = [\"{}\"], max-severity = \"low\" }}\n", list.display());
    let loaded = crate::config::load("x.toml", &text);
    let config = loaded.config.unwrap_or_else(|| panic!("{:?}", loaded.diagnostics));
    assert_eq!(config.watched, [list]);
    assert!(config.policies["p"].create.approved.as_ref().unwrap().covers(&digest, 0));
}

#[test]
fn doors_hold_their_clients_and_limits() {
    use crate::config::mark::{ContainerMark, Mark};
    use crate::policy::Glob;
    use std::time::Duration;
    let loaded = read(
        "[[door]]\nlisten = \"unix:///run/a/docker.sock\"\n\
         [[door.client]]\nuid = \"root\"\ngid = [0, \"7\"]\ngroup = 8\npolicy = \"ping\"\n\
         [[door.client]]\ncontainer = [\"ci-*\", \"deadbeefdead\", \"deadbeef\"]\ncontainer-label = { a = \"\", b = \"x/*\" }\npolicy = \"p\"\n\
         [door.limits]\nconnections = 1\nrequests-per-second = 2\nchanges = 3\nmax-json-body = \"1KiB\"\nmax-upload = \"2GiB\"\nhead-timeout = \"4ms\"\nbody-timeout = \"5s\"\n\
         [policy.p]\nallow = [\"@read\"]\n",
    );
    assert_eq!(loaded.diagnostics, []);
    let config = loaded.config.unwrap();
    let [door] = &config.doors[..] else { panic!() };
    assert_eq!((door.policy.as_deref(), door.policies().map(String::as_str).collect::<Vec<_>>()), (None, vec!["ping", "p"]));
    let [first, second] = &door.clients[..] else { panic!() };
    assert_eq!(first.marks, [Mark::Uid(vec![0]), Mark::Gid(vec![0, 7]), Mark::Group(vec![8])]);
    let name = |text: &str| ContainerMark::Name(Glob::new(text).unwrap());
    let label = |key: &str, value: &str| Mark::Label(key.to_owned(), Glob::across_slashes(value).unwrap());
    let containers = vec![name("ci-*"), ContainerMark::Id("deadbeefdead".to_owned()), name("deadbeef")];
    assert_eq!(second.marks, [Mark::Container(containers), label("a", ""), label("b", "x/*")]);
    assert_eq!((first.origin.line, second.origin.line), (4, 9));
    let limits = door.limits;
    assert_eq!((limits.connections, limits.requests_per_second, limits.changes), (Some(1), Some(2), Some(3)));
    assert_eq!((limits.max_json_body, limits.max_upload), (Some(1 << 10), Some(2 << 30)));
    assert_eq!((limits.head_timeout, limits.body_timeout), (Some(Duration::from_millis(4)), Some(Duration::from_secs(5))));
    assert!(config.policies.contains_key("ping"), "a preset that only a client names");
}
