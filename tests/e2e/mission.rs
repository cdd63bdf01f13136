//! What dockgate is for: creates that would give the host away are refused, recorded, and nothing comes of them.

use serde_json::Value;

use crate::bed::{Bed, RAW, denial, on_every_engine};

/// Asserts that a `run` with these options is refused at a place for a reason, that the trail says so, and that
/// neither a container came of it nor a word of it reached the engine.
fn refuses(bed: &Bed, options: &str, reason: &str, at: &str) {
    let name = bed.name("bad");
    let message = denial("ci", &format!("[{reason}]: {at}: "));
    for run in ["run -d", "run --rm", "create"] {
        let code = if run == "create" { 1 } else { 125 };
        bed.refuses("ci", &format!("{run} --network none --name {name} {options} busybox true"), code, &[&message]);
    }
    let record = bed.gate.record(options, |record| record["reason"] == *reason && record["at"] == *at);
    for (key, value) in [
        ("operation", "ContainerCreate"),
        ("verdict", "deny"),
        ("policy", "ci"),
        ("stage", "single"),
        ("image", "busybox"),
        ("ended", "refused"),
    ] {
        assert_eq!(record[key], *value, "{record}");
    }
    assert!(record["names"].as_array().unwrap().contains(&Value::from(name)), "{record}");
    assert!(record["uid"].is_u64() && record["pid"].is_u64(), "{record}");
    assert!(!bed.gate.records().iter().any(|record| record["stage"] == "intent"), "something went upstream");
}

#[test]
fn refuses_a_privileged_container() {
    on_every_engine(|bed| refuses(bed, "--privileged", "privileged", "HostConfig.Privileged"));
}

#[test]
fn refuses_the_hosts_root_as_a_volume() {
    on_every_engine(|bed| {
        refuses(bed, "-v /:/host", "socket-mount", "HostConfig.Binds[0]");
        refuses(bed, "-v /:/host:ro", "socket-mount", "HostConfig.Binds[0]");
    });
}

#[test]
fn refuses_a_bind_mount() {
    on_every_engine(|bed| {
        refuses(bed, "--mount type=bind,source=/etc,target=/host", "host-path", "HostConfig.Mounts[0].Source");
        refuses(bed, "--mount type=bind,source=/etc,target=/host,readonly", "host-path", "HostConfig.Mounts[0].Source");
        refuses(bed, "-v /etc/passwd:/host:ro", "host-path", "HostConfig.Binds[0]");
    });
}

#[test]
fn refuses_to_add_the_capability_sys_admin() {
    on_every_engine(|bed| {
        refuses(bed, "--cap-add SYS_ADMIN", "cap-add", "HostConfig.CapAdd[0]");
        refuses(bed, "--cap-add ALL", "cap-add", "HostConfig.CapAdd[0]");
    });
}

#[test]
fn refuses_to_mount_the_socket() {
    on_every_engine(|bed| {
        let own = [bed.socket(RAW), bed.socket("ci"), bed.socket("everything"), bed.gate.config()];
        let folders: Vec<_> = own.iter().map(|path| path.parent().unwrap().to_owned()).collect();
        let known = ["/var/run/docker.sock", "/run/docker.sock", "/var/run", "/run"].map(std::path::PathBuf::from);
        for path in own.iter().chain(&folders).chain(&known) {
            refuses(bed, &format!("-v {}:/x", path.display()), "socket-mount", "HostConfig.Binds[0]");
        }
        for path in [&own[0], &known[0]] {
            let mount = format!("--mount type=bind,source={},target=/x", path.display());
            refuses(bed, &mount, "socket-mount", "HostConfig.Mounts[0].Source");
        }
    });
}

#[test]
fn refuses_every_other_way_out_of_a_container() {
    on_every_engine(|bed| {
        for (options, reason, at) in [
            ("--pid host", "host-namespace", "HostConfig.PidMode"),
            ("--ipc host", "host-namespace", "HostConfig.IpcMode"),
            ("--uts host", "host-namespace", "HostConfig.UTSMode"),
            ("--userns host", "host-namespace", "HostConfig.UsernsMode"),
            ("--cgroupns host", "host-namespace", "HostConfig.CgroupnsMode"),
            ("--device /dev/kmsg", "devices", "HostConfig.Devices[0]"),
            ("--security-opt seccomp=unconfined", "security-opt", "HostConfig.SecurityOpt[0]"),
            ("--security-opt apparmor=unconfined", "security-opt", "HostConfig.SecurityOpt[0]"),
            ("--cgroup-parent /x", "cgroup", "HostConfig.CgroupParent"),
            ("--sysctl kernel.msgmax=1", "sysctls", "HostConfig.Sysctls.kernel.msgmax"),
            ("--runtime other", "runtime", "HostConfig.Runtime"),
            ("--oom-kill-disable", "oom", "HostConfig.OomKillDisable"),
            ("--group-add 0", "group-add", "HostConfig.GroupAdd"),
            ("-v other:/x", "volume", "HostConfig.Binds[0]"),
            (
                "--mount type=volume,source=ci-x,target=/x,volume-opt=type=none",
                "volume-driver",
                "HostConfig.Mounts[0].VolumeOptions.DriverConfig",
            ),
            ("--volume-driver other", "volume-driver", "HostConfig.VolumeDriver"),
            ("--tmpfs /x:size=2g", "tmpfs", "HostConfig.Tmpfs./x"),
        ] {
            refuses(bed, options, reason, at);
        }
    });
}
