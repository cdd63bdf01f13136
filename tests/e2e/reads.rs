//! What every door lets a client read.

use crate::bed::{RAW, on_every_engine};
use crate::process::until;

#[test]
fn ps_inspect_and_stats_show_what_the_engine_itself_shows() {
    on_every_engine(|bed| {
        let name = bed.name("read");
        let id = bed.plain_container(&name);
        for door in ["everything", "ci", "read-only"] {
            let listed = bed.run(door, &format!("ps --no-trunc --filter name={name} --format '{{{{.ID}}}} {{{{.Names}}}}'")).ok();
            assert_eq!(listed.trim(), format!("{id} {name}"));
            let line = format!("inspect {name}");
            assert_eq!(bed.run(door, &line).ok(), bed.run(RAW, &line).ok());
            let stats = bed.run(door, &format!("stats --no-stream --format '{{{{.Name}}}} {{{{.PIDs}}}}' {name}")).ok();
            assert!(stats.starts_with(&format!("{name} ")), "{stats}");
            assert!(bed.run(door, "images --format '{{.Repository}}'").ok().contains("busybox"));
            assert!(bed.run(door, "version").ok().contains("Server"));
            assert!(bed.run(door, "info").ok().contains("Server Version"));
        }
    });
}

#[test]
fn events_come_through_while_they_happen() {
    on_every_engine(|bed| {
        let name = bed.name("events");
        for door in ["everything", "ci", "read-only"] {
            let name = format!("{name}-{door}");
            let mut events = bed.start(door, &format!("events --filter container={name} --format '{{{{.Action}}}}'"));
            // the stream is open once it is on record
            bed.gate.record("the open stream of events", |record| {
                record["operation"] == "SystemEvents"
                    && record["stage"] == "intent"
                    && record["door"].as_str().unwrap_or_default().contains(door)
            });
            let mut container = 0;
            until("an event", || {
                // the engine listens a moment later than the record says
                container += 1;
                bed.run(RAW, &format!("create --network none --name {name} busybox true")).ok();
                bed.run(RAW, &format!("rm {name}")).ok();
                (events.said().contains("create") && events.said().contains("destroy")).then_some(())
            });
            assert!(!events.ended(), "the stream ended after {container} containers");
        }
    });
}

#[test]
fn logs_follow_until_the_container_ends() {
    on_every_engine(|bed| {
        for door in ["everything", "ci"] {
            let name = bed.name(door);
            bed.run(
                RAW,
                &format!("run -d -i --network none --name {name} busybox sh -c 'echo first; read line; echo last; echo oops >&2'"),
            )
            .ok();
            let mut logs = bed.start(door, &format!("logs -f {name}"));
            logs.expect("first");
            let mut attached = bed.start(RAW, &format!("attach {name}"));
            attached.send("go on\n");
            attached.expect("last");
            let ended = logs.end();
            assert_eq!((ended.code, ended.out.as_str(), ended.err.as_str()), (0, "first\nlast\n", "oops\n"), "{}", ended.shown());
        }
    });
}
