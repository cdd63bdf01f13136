//! What a read-only door refuses: the CLI's exit code and message, and nothing created or changed.

use serde_json::Value;

use crate::bed::{Bed, denial, on_every_engine};
use crate::process::run;

fn refuses(bed: &Bed, line: &str, code: i32, operation: &str) {
    let expected = denial("read-only", &format!("[not-allowed]: {operation}: this operation is not allowed here"));
    bed.refuses("read-only", line, code, &[&expected]);
    recorded(bed, operation);
}

fn recorded(bed: &Bed, operation: &str) {
    let record = bed.gate.record(operation, |record| record["operation"] == *operation && record["policy"] == "read-only");
    let told = (&record["verdict"], &record["reason"], &record["status"], &record["ended"], &record["stage"]);
    let word = |text: &str| Value::from(text);
    assert_eq!(told, (&word("deny"), &word("not-allowed"), &Value::from(403), &word("refused"), &word("single")), "{record}");
}

#[test]
fn a_read_only_door_refuses_every_change_with_a_message_that_says_why() {
    on_every_engine(|bed| {
        let (name, new) = (bed.name("old"), bed.name("new"));
        let id = bed.plain_container(&name);
        for run in ["run", "run -i", "run -d", "run --rm", "create"] {
            let code = if run == "create" { 1 } else { 125 };
            refuses(bed, &format!("{run} --network none --name {new} busybox true"), code, "ContainerCreate");
        }
        for (command, operation) in [
            ("logs", "ContainerLogs"),
            ("logs -f", "ContainerLogs"),
            ("wait", "ContainerWait"),
            ("start", "ContainerStart"),
            ("restart", "ContainerRestart"),
            ("stop", "ContainerStop"),
            ("kill", "ContainerKill"),
            ("pause", "ContainerPause"),
            ("unpause", "ContainerUnpause"),
            ("rm -f", "ContainerDelete"),
            ("top", "ContainerTop"),
            ("diff", "ContainerChanges"),
            ("export", "ContainerExport"),
            ("commit", "ImageCommit"),
        ] {
            refuses(bed, &format!("{command} {name}"), 1, operation);
        }
        // the CLI shows no body of an answer to an upgrade
        bed.refuses("read-only", &format!("attach {name}"), 1, &["received 403"]);
        recorded(bed, "ContainerAttach");
        for exec in ["exec", "exec -i", "exec -d"] {
            refuses(bed, &format!("{exec} {name} true"), 1, "ContainerExec");
        }
        refuses(bed, &format!("rename {name} {new}"), 1, "ContainerRename");
        refuses(bed, &format!("volume create {new}"), 1, "VolumeCreate");
        refuses(bed, &format!("network create {new}"), 1, "NetworkCreate");
        refuses(bed, &format!("tag busybox {new}"), 1, "ImageTag");
        refuses(bed, &format!("pull 127.0.0.1:1/{new}"), 1, "ImageCreate");
        refuses(bed, "container prune -f", 1, "ContainerPrune");
        let state = bed.inspect(&name);
        assert_eq!((&state["Id"], &state["State"]["Status"]), (&Value::from(id), &Value::from("running")));
    });
}

#[test]
fn a_refused_run_on_a_terminal_says_why_too() {
    on_every_engine(|bed| {
        let session = bed.on_terminal("read-only", &format!("run -it --network none --name {} busybox sh", bed.name("tty")));
        let ended = session.end();
        assert_eq!(ended.code, 125, "{}", ended.shown());
        assert!(ended.out.contains(&denial("read-only", "[not-allowed]: ContainerCreate")), "{}", ended.shown());
        assert!(bed.objects().is_empty());
    });
}

#[test]
fn the_reference_in_a_message_finds_the_record() {
    on_every_engine(|bed| {
        let refused = run(bed.docker("read-only", &format!("volume create {}", bed.name("x"))));
        let (_, after) = refused.err.split_once("(ref ").unwrap_or_else(|| panic!("{}", refused.shown()));
        let id = after.split(')').next().unwrap();
        assert_eq!(bed.gate.record("the reference", |record| record["id"] == *id)["operation"], "VolumeCreate");
    });
}
