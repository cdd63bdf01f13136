//! Lines of `docker run` against what the docker CLI sends for them.

use super::{body, request};
use crate::docker::{Value, json};

/// Bodies that a real client sent, and the lines that made it.
const RECORDED: [(&str, &str); 2] = [
    ("docker create alpine", include_str!("../../../../tests/corpus/golden/cli-create.http")),
    (
        "docker create --init --network mynet --network-alias web --entrypoint sh -w /app --mount type=volume,src=data,dst=/d --stop-timeout 5 alpine -c id",
        include_str!("../../../../tests/corpus/golden/cli-create-net.http"),
    ),
];

fn sorted(value: &Value) -> serde_json::Value {
    serde_json::from_str(&value.encode()).unwrap()
}

#[test]
fn sends_what_the_docker_cli_sends() {
    for (line, recorded) in RECORDED {
        let sent = recorded.split("\r\n\r\n").last().or(recorded.split("\n\n").last()).unwrap();
        let sent = sent.get(sent.find('{').unwrap()..).unwrap().trim();
        assert_eq!(sorted(&body(line).unwrap()), sorted(&json::read(sent.as_bytes()).unwrap()), "{line}");
    }
}

fn at(line: &str, pointer: &str) -> String {
    sorted(&body(line).unwrap()).pointer(pointer).map(ToString::to_string).unwrap_or_default()
}

#[test]
fn every_flag_lands_in_its_field() {
    for (flags, pointer, value) in [
        ("--privileged", "/HostConfig/Privileged", "true"),
        ("--privileged=false", "/HostConfig/Privileged", "false"),
        ("-v /a:/b:ro -v data:/c", "/HostConfig/Binds", r#"["/a:/b:ro","data:/c"]"#),
        ("-v /a", "/Volumes", r#"{"/a":{}}"#),
        ("--cap-add NET_ADMIN --cap-add=all", "/HostConfig/CapAdd", r#"["NET_ADMIN","all"]"#),
        ("--cap-drop ALL", "/HostConfig/CapDrop", r#"["ALL"]"#),
        ("-p 8080:80", "/HostConfig/PortBindings", r#"{"80/tcp":[{"HostIp":"","HostPort":"8080"}]}"#),
        ("-p127.0.0.1:53:53/udp", "/HostConfig/PortBindings", r#"{"53/udp":[{"HostIp":"127.0.0.1","HostPort":"53"}]}"#),
        ("-p [::1]:81:81", "/HostConfig/PortBindings", r#"{"81/tcp":[{"HostIp":"::1","HostPort":"81"}]}"#),
        ("-p 8000-8001:80", "/HostConfig/PortBindings", r#"{"80/tcp":[{"HostIp":"","HostPort":"8000-8001"}]}"#),
        ("-p 81-82:91-92", "/ExposedPorts", r#"{"91/tcp":{},"92/tcp":{}}"#),
        ("-P", "/HostConfig/PublishAllPorts", "true"),
        ("--net host", "/HostConfig/NetworkMode", r#""host""#),
        ("--pid=host", "/HostConfig/PidMode", r#""host""#),
        ("--ipc host", "/HostConfig/IpcMode", r#""host""#),
        ("--uts host", "/HostConfig/UTSMode", r#""host""#),
        ("--userns host", "/HostConfig/UsernsMode", r#""host""#),
        ("--cgroupns host", "/HostConfig/CgroupnsMode", r#""host""#),
        (
            "--device /dev/sda:/dev/x:r",
            "/HostConfig/Devices",
            r#"[{"CgroupPermissions":"r","PathInContainer":"/dev/x","PathOnHost":"/dev/sda"}]"#,
        ),
        ("--device vendor.com/gpu=0", "/HostConfig/DeviceRequests/0/Driver", r#""cdi""#),
        ("--security-opt no-new-privileges", "/HostConfig/SecurityOpt", r#"["no-new-privileges"]"#),
        ("--security-opt systempaths=unconfined", "/HostConfig/MaskedPaths", "[]"),
        ("-e A=1 --env B=2", "/Env", r#"["A=1","B=2"]"#),
        ("-l a=b --label c", "/Labels", r#"{"a":"b","c":""}"#),
        ("-u 1000:1000", "/User", r#""1000:1000""#),
        ("-w /app", "/WorkingDir", r#""/app""#),
        ("-m 512m", "/HostConfig/Memory", "536870912"),
        ("--memory 1.5GiB", "/HostConfig/Memory", "1610612736"),
        ("--cpus 1.5", "/HostConfig/NanoCpus", "1500000000"),
        ("--pids-limit -1", "/HostConfig/PidsLimit", "-1"),
        ("--read-only", "/HostConfig/ReadonlyRootfs", "true"),
        ("--tmpfs /run:size=64m --tmpfs /tmp", "/HostConfig/Tmpfs", r#"{"/run":"size=64m","/tmp":""}"#),
        ("--restart on-failure:3", "/HostConfig/RestartPolicy", r#"{"MaximumRetryCount":3,"Name":"on-failure"}"#),
        ("--rm", "/HostConfig/AutoRemove", "true"),
        ("-d", "/AttachStdout", "false"),
        ("-it", "/StdinOnce", "true"),
        ("--entrypoint sh", "/Entrypoint", r#"["sh"]"#),
        ("--init", "/HostConfig/Init", "true"),
        ("--ulimit nofile=10:20", "/HostConfig/Ulimits", r#"[{"Hard":20,"Name":"nofile","Soft":10}]"#),
        ("--sysctl net.ipv4.ip_forward=1", "/HostConfig/Sysctls", r#"{"net.ipv4.ip_forward":"1"}"#),
        ("--runtime runsc", "/HostConfig/Runtime", r#""runsc""#),
        ("--add-host db:10.0.0.1 --add-host x=[::1]", "/HostConfig/ExtraHosts", r#"["db:10.0.0.1","x:::1"]"#),
        ("--dns 1.1.1.1", "/HostConfig/Dns", r#"["1.1.1.1"]"#),
        ("--log-driver syslog --log-opt a=b", "/HostConfig/LogConfig", r#"{"Config":{"a":"b"},"Type":"syslog"}"#),
        ("--shm-size 64k", "/HostConfig/ShmSize", "65536"),
        ("--oom-score-adj -500", "/HostConfig/OomScoreAdj", "-500"),
        ("--group-add docker", "/HostConfig/GroupAdd", r#"["docker"]"#),
        ("-h web", "/Hostname", r#""web""#),
        ("--volumes-from db:ro", "/HostConfig/VolumesFrom", r#"["db:ro"]"#),
        ("--gpus all", "/HostConfig/DeviceRequests/0/Count", "-1"),
        ("--gpus '\"device=0,1\"'", "/HostConfig/DeviceRequests/0/DeviceIDs", r#"["0","1"]"#),
        (
            "--mount type=bind,source=/a,target=/b,readonly,bind-propagation=rshared",
            "/HostConfig/Mounts",
            r#"[{"BindOptions":{"Propagation":"rshared"},"ReadOnly":true,"Source":"/a","Target":"/b","Type":"bind"}]"#,
        ),
        (
            "--mount 'dst=/d,volume-driver=local,\"volume-opt=o=bind,rw\"'",
            "/HostConfig/Mounts/0/VolumeOptions/DriverConfig",
            r#"{"Name":"local","Options":{"o":"bind,rw"}}"#,
        ),
        (
            "--mount type=tmpfs,dst=/t,tmpfs-size=1m,tmpfs-mode=1770",
            "/HostConfig/Mounts/0/TmpfsOptions",
            r#"{"Mode":1016,"SizeBytes":1048576}"#,
        ),
    ] {
        assert_eq!(at(&format!("docker run {flags} alpine ls -l"), pointer), value, "{flags}");
        assert_eq!(at(&format!("docker container run {flags} alpine ls -l"), "/Cmd"), r#"["ls","-l"]"#, "{flags}");
    }
}

#[test]
fn names_go_into_the_query() {
    assert_eq!(
        request("docker run --name web --platform linux/arm64 a").unwrap().path,
        "/containers/create?name=web&platform=linux%2Farm64"
    );
}

#[test]
fn says_what_is_wrong_with_a_line() {
    for (line, part) in [
        ("podman run a", "must begin with"),
        ("docker ps", "`docker ps` is not understood"),
        ("docker run", "names no image"),
        ("docker run --cap-add", "needs a value"),
        ("docker run --privlged a", "the flag `--privlged` is not understood"),
        ("docker run -y a", "the flag `-y` is not understood"),
        ("docker run -e A a", "write `--env A=VALUE`"),
        ("docker run -v ./a:/b a", "absolute path"),
        ("docker run -m lots a", "size such as 512m"),
        ("docker run --security-opt seccomp=a.json a", "is not read"),
        ("docker run -p 1-3:1-2 a", "differ in length"),
        ("docker run -p 99999:1 a", "no port"),
        ("docker run --mount type=bind,sauce=/ a", "`sauce` is no field"),
        ("docker run --restart sometimes a", "no restart policy"),
        ("docker run --rm=perhaps a", "true or false"),
    ] {
        let why = request(line).err().unwrap_or_default();
        assert!(why.contains(part), "{line}: {why}");
    }
}
