//! `docker run` in its shapes, and the life of what came out, through the doors that allow it.

use serde_json::Value;

use crate::bed::on_every_engine;
use crate::process::fed;

const DOORS: [&str; 2] = ["everything", "ci"];

#[test]
fn run_gives_back_output_and_exit_code_and_leaves_nothing() {
    on_every_engine(|bed| {
        for door in DOORS {
            let name = bed.name(door);
            let ran = bed.run(door, &format!("run --rm --network none --name {name} busybox sh -c 'echo out; echo err >&2; exit 7'"));
            assert_eq!((ran.code, ran.out.as_str()), (7, "out\n"), "{}", ran.shown());
            assert!(ran.err.ends_with("err\n"), "{}", ran.shown());
            let warned = ran.err.contains("WARNING: dockgate: policy `ci` warns: latest-tag (Image), memory-limit (HostConfig.Memory)");
            assert_eq!(warned, door == "ci", "{}", ran.shown());
            assert!(bed.objects().is_empty());
        }
    });
}

#[test]
fn run_with_input_reads_it_to_its_end() {
    on_every_engine(|bed| {
        for door in DOORS {
            let line = format!("run --rm -i --network none --name {} busybox cat", bed.name(door));
            let big = "0123456789abcdef\n".repeat(40_000);
            assert!(fed(bed.docker(door, &line), &big).ok() == big, "680 kB came back changed");
        }
    });
}

#[test]
fn run_on_a_terminal_has_its_size_and_gives_back_the_exit_code() {
    on_every_engine(|bed| {
        for door in DOORS {
            let mut session = bed.on_terminal(door, &format!("run -it --network none --name {} busybox sh", bed.name(door)));
            session.expect("# ");
            crate::process::until("the terminal's size", || {
                session.send("stty size; echo mark:$((6*7))\n");
                session.expect("mark:42");
                session.said().contains("33 77").then_some(())
            });
            session.send("exit 9\n");
            let ended = session.end();
            assert_eq!(ended.code, 9, "{}", ended.shown());
        }
    });
}

#[test]
fn a_detached_container_lives_its_whole_life_through_a_door() {
    on_every_engine(|bed| {
        for door in DOORS {
            let name = bed.name(door);
            let id = bed.run(door, &format!("run -d -i --network none --name {name} busybox sh -c 'read line; exit 3'")).ok();
            assert_eq!(id.trim(), bed.inspect(&name)["Id"]);
            for (line, state) in
                [("pause", "paused"), ("unpause", "running"), ("restart -t 0", "running"), ("stop -t 0", "exited"), ("start", "running")]
            {
                bed.run(door, &format!("{line} {name}")).ok();
                assert_eq!(bed.inspect(&name)["State"]["Status"], *state, "after {line}");
            }
            let wait = bed.start(door, &format!("wait {name}"));
            bed.run(door, &format!("kill {name}")).ok();
            assert_eq!(wait.end().ok().trim(), "137");
            bed.run(door, &format!("rm -f {name}")).ok();
            assert_eq!(bed.objects(), Vec::<String>::new());
            assert_recorded(bed, door, &name);
        }
    });
}

/// Each change has its intent and its outcome, with the name and the rule.
fn assert_recorded(bed: &crate::bed::Bed, door: &str, name: &str) {
    let at = |record: &Value, stage: &str, operation: &str| {
        record["operation"] == *operation && record["stage"] == *stage && record["policy"] == *door && record["verdict"] == "allow"
    };
    for stage in ["intent", "outcome"] {
        let create = bed.gate.record("the create", |record| at(record, stage, "ContainerCreate"));
        assert!(create["names"].as_array().unwrap().iter().any(|known| *known == *name), "{create}");
        assert_eq!(create["image"], "busybox", "{create}");
        for operation in ["ContainerStart", "ContainerKill", "ContainerDelete"] {
            assert!(bed.gate.record(operation, |record| at(record, stage, operation))["rule"].is_string());
        }
    }
}
