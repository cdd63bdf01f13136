//! `warn` and `observe`: what would have been denied is forwarded and recorded, but never a mount of the socket.

use crate::bed::{Bed, RAW, denial, with_policies};

const MODES: &str = r#"
[policy.warned]
extends = ["ci"]
mode = "warn"
deny = ["ContainerRename"]

[policy.observed]
extends = ["ci"]
mode = "observe"
deny = ["ContainerRename"]
"#;
const DOORS: [&str; 2] = ["warned", "observed"];

fn recorded(bed: &Bed, door: &str, operation: &str, verdict: &str, reason: &str) {
    let mode = if door == "warned" { "warn" } else { "observe" };
    bed.gate.record(&format!("{operation} as {verdict} on {door}"), |record| {
        let texts = [("operation", operation), ("policy", door), ("mode", mode), ("verdict", verdict), ("reason", reason)];
        texts.iter().all(|(key, text)| record[key] == **text)
    });
}

#[test]
fn a_privileged_run_is_created_with_a_warning_or_silently() {
    with_policies(MODES, &DOORS, |bed| {
        // not every host lets an engine start one
        let able = bed.run(RAW, &format!("run --rm --privileged --network none --name {} busybox true", bed.name("able"))).code;
        for door in DOORS {
            let name = bed.name(door);
            let ran = bed.run(door, &format!("run --privileged --network none --name {name} busybox true"));
            assert_eq!(ran.code, able, "{}", ran.shown());
            assert_eq!(bed.inspect(&name)["HostConfig"]["Privileged"], true);
            let warning = denial(door, "[privileged]: HostConfig.Privileged: ");
            assert_eq!(ran.err.contains(&warning), door == "warned", "{}", ran.shown());
            recorded(bed, door, "ContainerCreate", "would-deny", "privileged");
            recorded(bed, door, "ContainerStart", "would-deny", "privileged");
        }
    });
}

#[test]
fn an_operation_without_a_rule_is_forwarded() {
    with_policies(MODES, &DOORS, |bed| {
        for door in DOORS {
            let volume = bed.name(door);
            bed.run(door, &format!("volume create {volume}")).ok();
            assert_eq!(bed.run(RAW, &format!("volume inspect -f '{{{{.Name}}}}' {volume}")).ok().trim(), volume);
            recorded(bed, door, "VolumeCreate", "would-deny", "not-allowed");
        }
    });
}

#[test]
fn a_mount_of_the_socket_is_refused_in_every_mode() {
    with_policies(MODES, &DOORS, |bed| {
        for door in DOORS {
            let message = denial(door, "[socket-mount]: HostConfig.");
            for options in
                [format!("-v {}:/x", bed.socket(RAW).display()), "-v /var/run/docker.sock:/x".into(), "--privileged -v /:/x".into()]
            {
                bed.refuses(door, &format!("run --network none --name {} {options} busybox true", bed.name("bad")), 125, &[&message]);
            }
            recorded(bed, door, "ContainerCreate", "deny", "socket-mount");
        }
    });
}

#[test]
fn an_explicit_deny_is_refused_in_every_mode() {
    with_policies(MODES, &DOORS, |bed| {
        let name = bed.name("kept");
        bed.plain_container(&name);
        for door in DOORS {
            let message = denial(door, "[denied-by-rule]: ContainerRename");
            bed.refuses(door, &format!("rename {name} {}", bed.name("new")), 1, &[&message]);
            recorded(bed, door, "ContainerRename", "deny", "denied-by-rule");
        }
    });
}
